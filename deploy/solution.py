"""The folder that Microsoft's packaging tool takes: `Solutions/<Name>` as in the repository Azure/Azure-Sentinel.

The tool reads `Data/Solution_<Name>.json`, and what is listed there by its path; a workbook's title and description it
looks up in a list of its own, to which the entry in `WorkbooksMetadata.json` is to be added.
"""

from __future__ import annotations

import uuid
from typing import Any

import yaml
from incident_rule import HEALTH_FILE, rule_text
from posted_tables import functions
from workbook import workbook

NAME = "AlertGraph"
VERSION = "3.0.0"
DESCRIPTION = (
    "Links exported IT and OT alerts into a few ranked, explained attack subgraphs and shows them in Microsoft Sentinel: a "
    "workbook, an incident for each subgraph that is shown, and functions that read the tables. The Spark job that ranks "
    "them runs beside it; deploy its tables and data collection rule first."
)


def solution_files() -> dict[str, Any]:
    """Path below `Solutions/AlertGraph` to what it holds: a dict for JSON, else text."""
    parsers = {f"Parsers/{name}.yaml": _parser(name, text) for name, text in functions().items()}
    return {
        "Data/Solution_AlertGraph.json": _data(list(parsers)),
        "SolutionMetadata.json": _metadata(),
        "ReleaseNotes.md": RELEASE_NOTES,
        "Workbooks/AlertGraph.json": workbook(),
        "Analytic Rules/AlertGraphSubgraphShown.yaml": rule_text(),
        "Analytic Rules/AlertGraphSourceUnhealthy.yaml": rule_text(HEALTH_FILE),
        "WorkbooksMetadata.json": [_workbook_entry()],
        **parsers,
    }


RELEASE_NOTES = """\
| **Version** | **Date Modified (DD-MM-YYYY)** | **Change History** |
|-------------|--------------------------------|--------------------|
| 3.0.0       | 24-11-2026                     | Initial release: workbook, analytic rules and functions. |
"""


def _data(parsers: list[str]) -> dict[str, Any]:
    return {
        "Name": NAME,
        "Author": "alertgraph-spark",
        "Logo": "",
        "Description": DESCRIPTION,
        "WorkbookBladeDescription": "This solution installs a workbook of the ranked subgraphs.",
        "AnalyticalRuleBladeDescription": "This solution installs a rule that makes shown subgraphs incidents, and "
        "one that tells of sources that are not well.",
        "Workbooks": ["Workbooks/AlertGraph.json"],
        "WorkbookDescription": _workbook_entry()["description"],  # a list would be fetched as if of files
        "Analytic Rules": [
            "Analytic Rules/AlertGraphSubgraphShown.yaml",
            "Analytic Rules/AlertGraphSourceUnhealthy.yaml",
        ],
        "Parsers": parsers,
        "BasePath": "C:\\GitHub\\Azure-Sentinel\\Solutions\\AlertGraph",
        "Version": VERSION,
        "Metadata": "SolutionMetadata.json",
        "TemplateSpec": True,
        "Is1PConnector": False,
    }


def _metadata() -> dict[str, Any]:
    return {
        "publisherId": "alertgraph",
        "offerId": "azure-sentinel-solution-alertgraph",
        "firstPublishDate": "2026-11-24",
        "providers": ["alertgraph-spark"],
        "categories": {
            "domains": ["Security - Threat Protection", "Security - Automation (SOAR)", "Internet of Things (IoT)"],
            "verticals": ["Manufacturing"],
        },
        "support": {
            "name": "alertgraph-spark",
            "tier": "Community",
            "link": "https://github.com/Azure/Azure-Sentinel/issues",
        },
    }


def _workbook_entry() -> dict[str, Any]:
    return {
        "workbookKey": "AlertGraph",
        "logoFileName": "",
        "description": "The ranked subgraphs of related IT and OT alerts: their network, how each went, its alerts, and why.",
        "dataTypesDependencies": ["AlertGraphSubgraphs_CL", "AlertGraphNodes_CL", "AlertGraphEdges_CL"],
        "dataConnectorsDependencies": [],
        "previewImagesFileNames": [],
        "version": "1.0.0",
        "title": "AlertGraph",
        "templateRelativePath": "AlertGraph.json",
        "subtitle": "",
        "provider": "alertgraph-spark",
    }


class _Text(str):
    """A text that YAML writes as a block."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    _Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)


def _parser(name: str, text: str) -> str:
    """A function as the tool takes it."""
    grain = text.splitlines()[0].removeprefix("// ")
    parser = {
        "id": _id(name),
        "Function": {
            "Title": f"{name}: {grain.split(';')[0].split(':')[0]}",
            "Version": "1.0.0",
            "LastUpdated": "2026-11-24",
        },
        "Category": "Microsoft Sentinel Parser",
        "FunctionName": name,
        "FunctionAlias": name,
        "FunctionQuery": _Text(text),
    }
    written: str = yaml.dump(parser, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=200)
    return written


def _id(name: str) -> str:
    """The same id for the same name, always."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"alertgraph/{name}"))
