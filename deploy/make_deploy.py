"""Make the files that are deployed from the one schema source, so that tables, rule and posted rows cannot differ.

python deploy/make_deploy.py

`workspace.json` is the template of the tables and functions, `data_collection_rule.json` that of the rule, both for
`az deployment group create`; `functions/` holds the functions by themselves, to read and to paste.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alertgraph_spark.io.log_analytics.streams import RUN_COLUMNS, STREAMS, Stream, stream_declarations

DEPLOY = Path(__file__).resolve().parent

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
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


def workspace_template() -> dict[str, Any]:
    """The tables, and the functions that read them."""
    tables = [
        {
            "type": "Microsoft.OperationalInsights/workspaces/tables",
            "apiVersion": "2022-10-01",
            "name": f"[concat(parameters('workspaceName'), '/{stream.table_name}')]",
            "properties": {"schema": {"name": stream.table_name, "columns": list(table_columns(stream))}},
        }
        for stream in STREAMS
    ]
    functions = [
        {
            "type": "Microsoft.OperationalInsights/workspaces/savedSearches",
            "apiVersion": "2020-08-01",
            "name": f"[concat(parameters('workspaceName'), '/{function_name(stream)}')]",
            "dependsOn": [
                "[resourceId('Microsoft.OperationalInsights/workspaces/tables', "
                f"parameters('workspaceName'), '{stream.table_name}')]"
            ],
            "properties": {
                "category": "AlertGraph",
                "displayName": function_name(stream),
                "functionAlias": function_name(stream),
                "query": function_text(stream),
                "version": 2,
            },
        }
        for stream in STREAMS
    ]
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {"workspaceName": {"type": "string"}},
        "resources": [*tables, *functions],
    }


def rule_template() -> dict[str, Any]:
    """The data collection rule, of the kind that takes rows at an address of its own."""
    flows = [
        {"streams": [stream.name], "destinations": ["workspace"], "outputStream": stream.name} for stream in STREAMS
    ]
    rule = {
        "type": "Microsoft.Insights/dataCollectionRules",
        "apiVersion": "2023-03-11",
        "kind": "Direct",
        "name": "[parameters('ruleName')]",
        "location": "[parameters('location')]",
        "properties": {
            "streamDeclarations": stream_declarations(),
            "destinations": {
                "logAnalytics": [{"workspaceResourceId": "[parameters('workspaceResourceId')]", "name": "workspace"}]
            },
            "dataFlows": flows,
        },
    }
    this = "reference(resourceId('Microsoft.Insights/dataCollectionRules', parameters('ruleName')), '2023-03-11')"
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {
            "ruleName": {"type": "string", "defaultValue": "alertgraph"},
            "location": {"type": "string", "defaultValue": "[resourceGroup().location]"},
            "workspaceResourceId": {"type": "string"},
        },
        "resources": [rule],
        "outputs": {
            "endpoint": {"type": "string", "value": f"[{this}.endpoints.logsIngestion]"},
            "dcrId": {"type": "string", "value": f"[{this}.immutableId]"},
        },
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """Every file in this folder that is made, to the text that it must hold."""
    return {
        "workspace.json": _json(workspace_template()),
        "data_collection_rule.json": _json(rule_template()),
        **{f"functions/{function_name(stream)}.kql": function_text(stream) for stream in STREAMS},
    }


def main() -> int:
    """Write every file; the tests say which one is out of date."""
    for name, text in files().items():
        (DEPLOY / name).parent.mkdir(exist_ok=True)
        (DEPLOY / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
