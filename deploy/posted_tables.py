"""The tables, the functions that read them and the data collection rule, as resources of a template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alertgraph_spark.publish.log_analytics.streams import RUN_COLUMNS, STREAMS, Stream, stream_declarations

Resource = dict[str, Any]

TABLES_API = "2022-10-01"
FUNCTIONS_API = "2020-08-01"
RULES_API = "2023-03-11"

FUNCTIONS = Path(__file__).resolve().parent / "functions"
KEPT_FUNCTIONS = ("AlertGraphCurrent", "AlertGraphEntities")
"""Functions over the others, kept by hand; in the order in which they may call each other."""

RUN_MEANINGS = {
    "TimeGenerated": "when the run began to post; the service replaces it where it is older than 2 days",
    "RunId": "the run",
    "RowId": "the row in its run and table: two rows with one RowId are one row that arrived twice",
}


def function_name(stream: Stream) -> str:
    """The function that reads a table: its name without the suffix."""
    return stream.table_name.removesuffix("_CL")


def function_text(stream: Stream) -> str:
    """The KQL of the function that reads a table without what arrived twice."""
    return (
        f"// {stream.table.grain}; what arrived twice, after an answer that was lost, is folded.\n"
        f"{stream.table_name}\n| summarize arg_max(TimeGenerated, *) by RowId\n"
    )


def functions() -> dict[str, str]:
    """Every published function and its KQL: one a table, then those over them."""
    kept = {name: (FUNCTIONS / f"{name}.kql").read_text(encoding="utf-8") for name in KEPT_FUNCTIONS}
    return {function_name(stream): function_text(stream) for stream in STREAMS} | kept


def table_columns(stream: Stream) -> Iterator[dict[str, str]]:
    """The columns of a table as the tables API takes them, which spells one type in another way than the rule does."""
    meanings = RUN_MEANINGS | {
        name: c.meaning for c, (_, name, _) in zip(stream.table.columns, stream.columns, strict=True)
    }
    for name, kind in (*RUN_COLUMNS, *(c[1:] for c in stream.columns)):
        yield {
            "name": name,
            "type": "dateTime" if kind == "datetime" else kind,
            "description": meanings[name],
        }


def table_resources() -> list[Resource]:
    """The six tables of results."""
    return [table_resource(f"'/{s.table_name}'", s.table_name, list(table_columns(s))) for s in STREAMS]


def table_resource(child: str, name: str, columns: list[dict[str, str]]) -> Resource:
    """One custom table; `child` is what follows the workspace in its name, as arguments of `concat`."""
    return {
        "type": "Microsoft.OperationalInsights/workspaces/tables",
        "apiVersion": TABLES_API,
        "name": f"[concat(parameters('workspaceName'), {child})]",
        "properties": {"schema": {"name": name, "columns": columns}},
    }


def function_resources() -> list[Resource]:
    """The published functions, each after what it reads."""
    tables = [_id("tables", stream.table_name) for stream in STREAMS]
    resources = []
    for number, (name, text) in enumerate(functions().items()):
        is_over_table = number < len(STREAMS)
        before = [tables[number]] if is_over_table else [_id("savedSearches", function_name(s)) for s in STREAMS]
        resources.append(
            {
                "type": "Microsoft.OperationalInsights/workspaces/savedSearches",
                "apiVersion": FUNCTIONS_API,
                "name": f"[concat(parameters('workspaceName'), '/{name}')]",
                "dependsOn": before,
                "properties": {
                    "category": "AlertGraph",
                    "displayName": name,
                    "functionAlias": name,
                    "query": text,
                    "version": 2,
                    "etag": "*",  # else one that is there already answers 409; beside `properties` it is no known member
                },
            }
        )
    return resources


def _id(kind: str, name: str) -> str:
    return f"[resourceId('Microsoft.OperationalInsights/workspaces/{kind}', parameters('workspaceName'), '{name}')]"


def rule_resource(name: str, workspace_id: str) -> Resource:
    """The data collection rule of the results, of the kind that takes rows at an address of its own."""
    flows = [
        {"streams": [stream.name], "destinations": ["workspace"], "outputStream": stream.name} for stream in STREAMS
    ]
    return {
        "type": "Microsoft.Insights/dataCollectionRules",
        "apiVersion": RULES_API,
        "kind": "Direct",
        "name": f"[{name}]",
        "location": "[parameters('location')]",
        "properties": {
            "streamDeclarations": stream_declarations(),
            "destinations": {"logAnalytics": [{"workspaceResourceId": f"[{workspace_id}]", "name": "workspace"}]},
            "dataFlows": flows,
        },
    }


def rule_outputs(name: str) -> dict[str, dict[str, str]]:
    """What the configuration of the job needs to know of that rule."""
    this = f"reference(resourceId('Microsoft.Insights/dataCollectionRules', {name}), '{RULES_API}')"
    return {
        "endpoint": {"type": "string", "value": f"[{this}.endpoints.logsIngestion]"},
        "dcrId": {"type": "string", "value": f"[{this}.immutableId]"},
    }
