"""What is deployed is what is made from `schemas`, and the functions fold what arrived twice."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from alertgraph_spark.publish.log_analytics.streams import STREAMS, stream_declarations

DEPLOY = Path(__file__).parent.parent / "deploy"
sys.path.insert(0, str(DEPLOY))  # a folder of scripts, no part of the wheel

import make_deploy as MAKER  # noqa: E402 - needs the line above
import posted_tables as TABLES  # noqa: E402

POSTED = [f"AlertGraph{name}_CL" for name in ("Members", "Nodes", "Edges", "Subgraphs", "Verdicts", "Health", "Runs")]


@pytest.mark.parametrize("name", MAKER.files())
def test_a_file_is_what_the_schemas_make_of_it(name: str) -> None:
    assert (DEPLOY / name).read_text(encoding="utf-8") == MAKER.files()[name], "run `make docs`"


PLATFORMS = ("synapse", "databricks", "fabric", "azure_ml")
"""Folders whose files test_platforms.py checks."""


def test_nothing_else_is_deployed() -> None:
    """Besides what is made there are the queries and the rules, which are kept by hand, and what a person reads or runs."""
    there = {p.relative_to(DEPLOY).as_posix() for p in DEPLOY.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    there = {name for name in there if name.partition("/")[0] not in PLATFORMS}
    kept = {f"functions/{name}.kql" for name in TABLES.KEPT_FUNCTIONS}
    kept |= {
        name for name in there if re.fullmatch(r"sentinel/(queries/)?\w+\.kql|(sentinel/)?(README\.md|\w+\.py)", name)
    }
    kept |= {name for name in there if re.fullmatch(r"sentinel/mcp/((queries/)?\w+\.kql|README\.md)", name)}
    assert there - kept - set(MAKER.files()) == {
        "sentinel/incident_rule.yaml",
        "sentinel/mcp/tools.yaml",
        "sentinel/health_rule.yaml",
    }


def test_tables_and_rule_have_the_same_columns() -> None:
    tables = {
        resource["properties"]["schema"]["name"]: [
            (column["name"], column["type"].lower()) for column in resource["properties"]["schema"]["columns"]
        ]
        for resource in json.loads((DEPLOY / "workspace.json").read_text(encoding="utf-8"))["resources"]
        if resource["type"].endswith("/tables")
    }
    (rule,) = json.loads((DEPLOY / "data_collection_rule.json").read_text(encoding="utf-8"))["resources"]
    declared = rule["properties"]["streamDeclarations"]

    assert list(tables) == POSTED
    assert declared == stream_declarations()
    assert {
        stream.removeprefix("Custom-"): [(c["name"], c["type"]) for c in declared[stream]["columns"]]
        for stream in declared
    } == tables
    assert [(f["streams"], f["outputStream"]) for f in rule["properties"]["dataFlows"]] == [
        ([f"Custom-{table}"], f"Custom-{table}") for table in POSTED
    ]
    assert ("FirstSeen", "datetime") in tables["AlertGraphNodes_CL"], (
        "its own column: the service may replace TimeGenerated"
    )


def test_every_column_says_what_it_means() -> None:
    for stream in STREAMS:
        for column in TABLES.table_columns(stream):
            assert column["description"], column


def test_each_table_has_a_function_that_folds_by_row_id() -> None:
    for stream in STREAMS:
        name = stream.table_name.removesuffix("_CL")
        lines = (DEPLOY / "functions" / f"{name}.kql").read_text(encoding="utf-8").splitlines()
        assert lines[1:] == [stream.table_name, "| summarize arg_max(TimeGenerated, *) by RowId"]


def test_the_page_names_every_table_and_function() -> None:
    page = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+_CL)` \| `(\w+)` ", page, re.M)) == sorted(
        (t, t.removesuffix("_CL")) for t in POSTED
    )
    assert [name for name in TABLES.KEPT_FUNCTIONS if f"`{name}`" not in page] == []
