"""Every KQL text that is deployed is read by Microsoft's own language service, against the tables as they are declared."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from kusto import HEALTH_FILE, TABLES, Judged, judge, rule_yaml, texts, walk
from posted_tables import functions
from workbook import workbook

from alertgraph_spark.publish.log_analytics.streams import STREAMS

RULE = rule_yaml()
PARTS = [item for item in walk(workbook()["items"]) if item["type"] == 3]


@pytest.fixture(scope="module")
def judged() -> dict[str, Judged]:
    return judge(texts())


@pytest.mark.parametrize("name", [*functions(), *texts()])
def test_a_text_has_no_problem(judged: dict[str, Judged], name: str) -> None:
    assert judged[name].problems == []
    assert judged[name].columns


def misspelt(text: str) -> tuple[str, str]:
    """The last column that a text reads, and the text with one letter more in it."""
    columns = {column for kept in TABLES.values() for column in kept}
    read = [m for m in re.finditer(r"(?<![\w.'])[A-Z_]\w+(?![\w(]| =)", text) if m[0] in columns]
    last = read[-1]
    return last[0], f"{text[: last.end()]}x{text[last.end() :]}"


def test_a_misspelt_column_is_found_in_each() -> None:
    broken = {name: misspelt(text) for name, text in (functions() | texts()).items()}

    said = judge({f"misspelt {name}": text for name, (_, text) in broken.items()})

    for name, (column, _) in broken.items():
        problems = said[f"misspelt {name}"].problems
        assert any(f"'{column}x'" in problem for problem in problems), (name, column, problems)


PLANTED = {
    "AlertGraphSubgraphs | where SubgraphID == 'sg-1'": "'SubgraphID' does not refer to any known column",
    "AlertGraphSubgraphs | extend X = dayofyaer(FirstSeen)": "'dayofyaer' does not refer to any known function",
    "AlertGraphSubgraph | take 1": "'AlertGraphSubgraph' does not refer to any known table",
    "AlertGraphSubgraphs | where": "Missing expression",
    "AlertGraphSubgraphs | where Score > 'high' + 1": "operator",
    "SecurityAlert | where ItemId == ''": "'ItemId' does not refer to any known column",
}


def test_planted_mistakes_are_found() -> None:
    said = judge({text: text for text in PLANTED})

    assert [(text, because in said[text].problems[0]) for text, because in PLANTED.items()] == [
        (t, True) for t in PLANTED
    ]


def test_a_mistake_in_a_function_is_found_where_it_is() -> None:
    said = judge({}, AlertGraphCurrent="AlertGraphSubgraphs | summarize arg_max(TimeGenerated, *) by Sites")
    assert "'Sites'" in said["AlertGraphCurrent"].problems[0]


def test_a_function_of_a_table_gives_all_its_columns(judged: dict[str, Judged]) -> None:
    for stream in STREAMS:
        given = judged[stream.table_name.removesuffix("_CL")].columns
        assert set(given) == set(TABLES[stream.table_name])


def columns_named(settings: Any) -> set[str]:
    """Every column that a part's settings name, at whatever depth."""
    keys = ("columnMatch", "nodeIdField", "sourceIdField", "targetIdField", "edgeLabel", "nodeColorField", "sizeField")
    keys += ("fieldName", "itemKey", "xAxis", "group")
    if isinstance(settings, dict):
        named = {str(settings[key]) for key in keys if settings.get(key)} | set(settings.get("yAxis", ()))
        return named.union(*map(columns_named, settings.values()))
    return set().union(*map(columns_named, settings)) if isinstance(settings, list) else set()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part["name"])
def test_a_part_gives_the_columns_that_its_settings_name(judged: dict[str, Judged], part: dict[str, Any]) -> None:
    named = columns_named(part["content"])

    assert named - set(judged[part["name"]].columns) == set()
    if part["content"]["visualization"] in ("graph", "barchart", "tiles"):
        assert named, "a picture is of columns"


@pytest.mark.parametrize("name", ["network", "subgraph_graph"])
def test_what_a_graph_joins_its_rows_by_is_text(judged: dict[str, Judged], name: str) -> None:
    """A node whose id is of another type than the ends of the edges stands alone."""
    kinds = judged[name].columns
    assert [kinds[column] for column in ("Id", "SourceId", "TargetId", "Domain")] == ["string"] * 4
    assert kinds["NAlerts"] == "long"


def test_the_rule_gives_every_column_that_it_maps(judged: dict[str, Judged]) -> None:
    kinds = judged["incident_rule"].columns
    override = RULE["alertDetailsOverride"]
    mapped = [field["columnName"] for mapping in RULE["entityMappings"] for field in mapping["fieldMappings"]]
    mapped += [mapping["columnName"] for mapping in RULE["sentinelEntitiesMappings"]]
    shown = re.findall(r"\{\{(\w+)\}\}", override["alertDisplayNameFormat"] + override["alertDescriptionFormat"])
    shown += [override["alertSeverityColumnName"], override["alertTacticsColumnName"]]
    shown += [one["value"] for one in override["alertDynamicProperties"] if one["alertProperty"] != "ConfidenceScore"]

    assert {kinds.get(column) for column in [*mapped, *shown]} == {"string"}
    assert kinds["Score"] == "real"
    assert set(RULE["customDetails"].values()) <= set(kinds)
    assert "TimeGenerated" in kinds, "an alert is placed in time by it"


def test_the_rule_of_the_sources_gives_every_column_that_it_maps(judged: dict[str, Judged]) -> None:
    rule, kinds = rule_yaml(HEALTH_FILE), judged["health_rule"].columns
    shown = re.findall(r"\{\{(\w+)\}\}", json.dumps(rule["alertDetailsOverride"]))
    shown += [field["columnName"] for mapping in rule["entityMappings"] for field in mapping["fieldMappings"]]

    assert {kinds.get(column) for column in shown} == {"string"}
    assert set(rule["customDetails"].values()) <= set(kinds)
    assert "TimeGenerated" in kinds
