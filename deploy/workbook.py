"""The workbook: what an analyst opens in the morning. Its queries stand in `sentinel/queries`, one file a part.

Facts on the format: the repository Microsoft/Application-Insights-Workbooks. A graph is one result set, node rows and edge
rows together; a result is cut at 10,000 rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

Item = dict[str, Any]

QUERIES = Path(__file__).resolve().parent / "sentinel" / "queries"
SHORT = QUERIES.parent / "short.kql"
WORKSPACES = "microsoft.operationalinsights/workspaces"
MAX_ROWS = 10_000
BLUE, ORANGE = "blue", "orange"
TEXT_TABLES = "SuricataEve_CL, SigmaAlerts_CL"
MONTH_MS = 30 * 24 * 3600 * 1000
SCOPES = (
    '[{"value": "shown", "label": "those that are shown"}, {"value": "hidden", "label": "those that exceptions hide"}, '
    '{"value": "all", "label": "all"}]'
)
EXPORTED = ("SubgraphId", "RunId")
"""Columns of the chosen subgraph that the parts below read: ids of ours, and no text of an alert."""

INTRODUCTION = """\
# AlertGraph

Alerts of IT (blue) and OT (orange) that belong to one attack, linked and ranked. Choose a row in the table below to see the
subgraph, how it went, the alerts behind it and why it stands there. Probability is the share of subgraphs as strong that bore
an attack in generated networks full of administrators at work; on a quieter site it is higher.
"""


def query_text(name: str) -> str:
    """The KQL of one part, with the function `short` in front where it is called."""
    text = (QUERIES / f"{name}.kql").read_text(encoding="utf-8").rstrip("\n")
    return f"{SHORT.read_text(encoding='utf-8')}{text}" if "short(" in text else text


def workbook() -> dict[str, Any]:
    """The workbook as JSON, in the form of `Microsoft.Insights/workbooks`."""
    return {
        "version": "Notebook/1.0",
        "items": [
            _text("introduction", INTRODUCTION),
            _parameters(),
            _query("freshness", "Hours since the last run", "tiles", tileSettings=_tile()),
            _query("subgraphs", "What to look at", "table", **_choosing(), gridSettings=_subgraph_grid()),
            _query("network", "All of it: IT blue, OT orange", "graph", graphSettings=_graph("Alerts")),
            _group("chosen", [*_chosen()], _when("SubgraphId")),
            _group("health", [*_health()]),
        ],
        "fromTemplateId": "sentinel-AlertGraph",
        "$schema": "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json",
    }


def _chosen() -> list[Item]:
    """What is seen of the subgraph that was chosen."""
    return [
        _query("title", "The chosen subgraph", "table", gridSettings=_grid(_heat("Severity"), _bar("Score", "blue"))),
        _query("explanation", "What happened, and why it is ranked", "table", width=60, gridSettings=_grid()),
        _query("contributions", "What made its score", "table", width=40, gridSettings=_grid(_bar("Value", "blue"))),
        _query("subgraph_graph", "The subgraph", "graph", graphSettings=_graph("Alerts")),
        _query("timeline", "In the order of time", "table", gridSettings=_grid(_heat("MaxSeverity"))),
        _query("hours", "When it spread", "barchart", chartSettings=_two_colours()),
        _query("alerts", "The alerts behind it", "table", gridSettings=_grid(rows=MAX_ROWS), days=True),
    ]


def _health() -> list[Item]:
    """Whether the sources and the runs can be trusted."""
    return [
        _text("health title", "## The sources, and the runs"),
        _query("sources", "Whether each source speaks as it used to", "table", gridSettings=_grid(_status())),
        _query("runs", "Runs", "table", gridSettings=_grid(_state())),
        _query("rejected", "Lines that were refused", "table", gridSettings=_grid()),
    ]


def _text(name: str, markdown: str) -> Item:
    return {"type": 1, "content": {"json": markdown.rstrip("\n")}, "name": name}


def _group(name: str, items: list[Item], visibility: Item | None = None) -> Item:
    group = {"type": 12, "content": {"version": "NotebookGroup/1.0", "groupType": "editable", "items": items}}
    return group | ({"conditionalVisibility": visibility} if visibility else {}) | {"name": name}


def _when(parameter: str) -> Item:
    return {"parameterName": parameter, "comparison": "isNotEqualTo", "value": ""}


def _parameters() -> Item:
    """Time, sites and how much; and the tables that hold alerts as text, for their names differ from place to place."""
    common = {"version": "KqlParameterItem/1.0", "isRequired": True}
    days = [1, 2, 3, 7, 14, 30, 90]
    return {
        "type": 9,
        "content": {
            "version": "KqlParameterItem/1.0",
            "parameters": [
                common
                | {
                    "id": "5d1a6f86-9f0c-4e57-9f0b-b3f1c8a1e0a1",
                    "name": "TimeRange",
                    "label": "Posted in the last",
                    "type": 4,
                    "value": {"durationMs": 7 * 24 * 3600 * 1000},
                    "typeSettings": {
                        "selectableValues": [{"durationMs": n * 24 * 3600 * 1000} for n in days],
                        "allowCustom": True,
                    },
                },
                common
                | {
                    "id": "5d1a6f86-9f0c-4e57-9f0b-b3f1c8a1e0a2",
                    "name": "Site",
                    "type": 2,
                    "multiSelect": True,
                    "quote": "'",
                    "delimiter": ",",
                    "query": query_text("sites"),
                    "queryType": 0,
                    "resourceType": WORKSPACES,
                    "timeContextFromParameter": "TimeRange",
                    "value": ["value::all"],
                    "typeSettings": {"additionalResourceOptions": ["value::all"], "selectAllValue": "*"},
                },
                common
                | {
                    "id": "5d1a6f86-9f0c-4e57-9f0b-b3f1c8a1e0a3",
                    "name": "Scope",
                    "label": "Subgraphs",
                    "type": 2,
                    "value": "shown",
                    "jsonData": SCOPES,
                    "typeSettings": {"additionalResourceOptions": []},
                },
                common
                | {
                    "id": "5d1a6f86-9f0c-4e57-9f0b-b3f1c8a1e0a4",
                    "name": "TextTables",
                    "label": "Tables of alerts as text",
                    "type": 2,
                    "multiSelect": True,
                    "quote": "",
                    "delimiter": ", ",
                    "query": query_text("text_tables"),
                    "queryType": 0,
                    "resourceType": WORKSPACES,
                    "timeContext": {"durationMs": MONTH_MS},
                    "value": TEXT_TABLES.split(", "),
                    "typeSettings": {"additionalResourceOptions": [], "showDefault": False},
                },
            ],
            "style": "pills",
            "queryType": 0,
            "resourceType": WORKSPACES,
        },
        "name": "parameters",
    }


def _query(name: str, title: str, kind: str, *, width: int = 100, days: bool = False, **settings: Any) -> Item:
    """One part that shows a query; with `days` its time is a month back, not when rows were posted."""
    time = {"timeContext": {"durationMs": MONTH_MS}} if days else {"timeContextFromParameter": "TimeRange"}
    content = {
        "version": "KqlItem/1.0",
        "query": query_text(name),
        "size": 0,
        "title": title,
        "noDataMessage": "Nothing here in this time range.",
        **time,
        "queryType": 0,
        "resourceType": WORKSPACES,
        "visualization": kind,
        **settings,
    }
    return {"type": 3, "content": content, "customWidth": str(width), "name": name}


def _choosing() -> Item:
    """Choosing a row hands its columns on; without one the parts below are not shown."""
    return {
        "exportMultipleValues": False,
        "exportedParameters": [
            {"fieldName": column, "parameterName": column, "parameterType": 1, "defaultValue": ""}
            for column in EXPORTED
        ],
    }


def _graph(edge_label: str) -> Item:
    """Node/edge graph by force; IT is blue, OT is orange."""
    return {
        "type": 0,
        "topContent": {"columnMatch": "Name", "formatter": 1},
        "centerContent": {"columnMatch": "Kind", "formatter": 1},
        "bottomContent": {"columnMatch": "Zone", "formatter": 1},
        "nodeIdField": "Id",
        "sourceIdField": "SourceId",
        "targetIdField": "TargetId",
        "graphOrientation": 3,
        "showOrientationToggles": True,
        "nodeSize": {"sizeField": "NAlerts", "minSize": 90, "maxSize": 180},
        "staticNodeSize": 100,
        "edgeLabel": edge_label,
        "colorSettings": {
            "nodeColorField": "Domain",
            "type": 3,
            "thresholdsGrid": [
                {"operator": "==", "thresholdValue": "OT", "representation": ORANGE},
                {"operator": "Default", "thresholdValue": None, "representation": BLUE},
            ],
        },
        "hivesMargin": 5,
    }


def _two_colours() -> Item:
    return {
        "xAxis": "Hour",
        "yAxis": ["NAlerts"],
        "group": "Domain",
        "createOtherGroup": None,
        "seriesLabelSettings": [
            {"seriesName": "IT", "label": "IT", "color": BLUE},
            {"seriesName": "OT", "label": "OT", "color": ORANGE},
        ],
    }


def _grid(*formatters: Item, rows: int = 1000) -> Item:
    return {"formatters": list(formatters), "rowLimit": rows, "filter": True}


def _subgraph_grid() -> Item:
    day = {"columnMatch": "Day", "formatter": 6, "dateFormat": {"showUtcTime": True, "formatName": "shortDatePattern"}}
    hidden = {"columnMatch": "RunId", "formatter": 5}
    sort = [{"itemKey": "Day", "sortOrder": 2}, {"itemKey": "Rank", "sortOrder": 1}]
    grid = _grid(day, _bar("Score", "blue"), _heat("Severity"), hidden, rows=2000)
    return grid | {"sortBy": sort}


def _bar(column: str, palette: str) -> Item:
    return {"columnMatch": column, "formatter": 3, "formatOptions": {"palette": palette}}


def _heat(column: str) -> Item:
    return {"columnMatch": column, "formatter": 8, "formatOptions": {"min": 0, "max": 1, "palette": "yellowOrangeRed"}}


def _state() -> Item:
    return _icons("State", [("complete", "success"), ("still posting, or broke off", "pending"), ("read nothing", "2")])


def _status() -> Item:
    return _icons("Status", [("ok", "success"), ("new", "pending"), ("slow", "2"), ("flood", "2")])


def _icons(column: str, icons: list[tuple[str, str]]) -> Item:
    """An icon beside each value of a column; one that is not listed is an error."""
    grid: list[Item] = [
        {"operator": "==", "thresholdValue": state, "representation": icon, "text": "{0}{1}"} for state, icon in icons
    ]
    grid.append({"operator": "Default", "thresholdValue": None, "representation": "error", "text": "{0}{1}"})
    return {
        "columnMatch": column,
        "formatter": 18,
        "formatOptions": {"thresholdsOptions": "icons", "thresholdsGrid": grid},
    }


def _tile() -> Item:
    return {
        "titleContent": {"columnMatch": "Told", "formatter": 1},
        "leftContent": {"columnMatch": "Hours", "formatter": 12, "formatOptions": {"palette": "auto"}},
        "showBorder": False,
        "size": "auto",
    }
