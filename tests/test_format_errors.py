"""A user's own format: what is wrong with its expressions is told with file, key and expression, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from exported import raw_tables
from pyspark.sql import SparkSession

from alertgraph_spark.config.format_files import load_format
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.lines import normalise_alerts

SOUND: dict[str, Any] = {
    "format": "mine",
    "reads": ["RawData"],
    "json": {
        "eve": {"column": "RawData", "schema": "name string, ends array<string>, at bigint, peer struct<ip: string>"}
    },
    "let": {"first": "try_element_at(eve.ends, 1)"},
    "columns": {"name": "eve.name"},
}

# What the file says instead, and what must be told of it: key, expression, reason.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a column that is not read": (
        {"columns": {"name": "eve.name", "rule_id": "Rule"}},
        "columns.rule_id: Rule: [UNRESOLVED_COLUMN",
    ),
    "a field that the schema lacks": ({"source": {"ip": "eve.src"}}, "source.ip: eve.src: [FIELD_NOT_FOUND]"),
    "no SQL": ({"where": "eve.name is is"}, "where: eve.name is is: "),
    "a function that is none": (
        {"let": {"first": "flaten(eve.ends)"}},
        "let.first: flaten(eve.ends): flaten() is not among the functions that a format may call; did you mean flatten?",
    ),
    "a schema that is none": (
        {"json": {"eve": {"column": "RawData", "schema": "name strin"}}},
        "json.eve: name strin: ",
    ),
    "a filter that is text": ({"where": "eve.name"}, "where: eve.name: gives string; wanted: boolean"),
    "a filter that is a number": ({"where": "eve.at"}, "where: eve.at: gives bigint; wanted: boolean"),
    "tactics that are one text": (
        {"columns": {"name": "eve.name", "tactics": "eve.name"}},
        "columns.tactics: eve.name: gives string; wanted: array<string>",
    ),
    "techniques that are objects": (
        {"columns": {"name": "eve.name", "techniques": "array(eve.peer)"}},
        "columns.techniques: array(eve.peer): gives array<struct<ip:string>>; wanted: array<string>",
    ),
    "other entities that are one text": (
        {"other": {"account": "eve.name"}},
        "other.account: eve.name: gives string; wanted: array<string>",
    ),
    "a name that is a list": (
        {"columns": {"name": "eve.ends"}},
        "columns.name: eve.ends: gives array<string>; wanted: string",
    ),
    "an id that is an object": (
        {"columns": {"name": "eve.name", "alert_id": "eve.peer"}},
        "columns.alert_id: eve.peer: gives struct<ip:string>; wanted: string",
    ),
    "an end that is an object": (
        {"target": {"ip": "eve.peer"}},
        "target.ip: eve.peer: gives struct<ip:string>; wanted: string",
    ),
    "a severity that is an object": (
        {"columns": {"name": "eve.name", "severity": "eve.peer"}},
        "columns.severity: eve.peer: gives struct<ip:string>; wanted: double",
    ),
    "a severity that is a list of objects, with a scale": (
        {"columns": {"name": "eve.name", "severity": "array(eve.peer)"}, "severity_scale": {"high": 0.8}},
        "columns.severity: array(eve.peer): gives array<struct<ip:string>>; wanted: string or array<string>",
    ),
    "a time that is a list": (
        {"columns": {"name": "eve.name", "observed_at": "eve.ends"}},
        "columns.observed_at: eve.ends: gives array<string>; wanted: timestamp",
    ),
    "a severity that is a day": (
        {"columns": {"name": "eve.name", "severity": "last_day(eve.name)"}},
        "columns.severity: last_day(eve.name): [DATATYPE_MISMATCH",
    ),
    "a zone that is a list": (
        {"target_zone": "eve.ends"},
        "target_zone: eve.ends: gives array<string>; wanted: string",
    ),
    "a level that is an object": (
        {"source_level": "eve.peer"},
        "source_level: eve.peer: gives struct<ip:string>; wanted: double",
    ),
}


def problems_of(spark: SparkSession, tmp_path: Path, changes: dict[str, Any]) -> list[str]:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**SOUND, **changes}, sort_keys=False), encoding="utf-8")
    raw = raw_tables(spark, [{"RawData": "{}"}], ["RawData"])
    try:
        normalise_alerts(raw, {"Alerts_CL": load_format(file)})
    except ConfigError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize(("changes", "problem"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_before_anything_runs(
    spark: SparkSession, tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    found = problems_of(spark, tmp_path, changes)

    assert any(line.startswith(f"{tmp_path / 'mine.yaml'}: {problem}") for line in found), found


def test_all_that_is_wrong_is_told_at_once(spark: SparkSession, tmp_path: Path) -> None:
    changes = {"where": "eve.name", "columns": {"name": "eve.ends"}, "target": {"ip": "eve.nowhere"}}

    assert len(problems_of(spark, tmp_path, changes)) == 3


def test_what_only_looks_odd_is_taken(spark: SparkSession, tmp_path: Path) -> None:
    """Numbers as names, ids and entities; `null` anywhere; a time in seconds."""
    columns = {"name": "eve.at", "rule_id": "5", "observed_at": "eve.at", "severity": "null", "tactics": "null"}
    changes = {"columns": columns, "where": "null", "other": {"device": "array(eve.at)"}, "target": {"ip": "null"}}

    assert problems_of(spark, tmp_path, changes) == []


def test_a_number_is_text_where_text_is_wanted(spark: SparkSession, tmp_path: Path) -> None:
    """An id that is a number must not be compared as one: an empty text is none, and would end the job under ANSI."""
    file = tmp_path / "mine.yaml"
    columns = {"name": "eve.at", "alert_id": "eve.at", "product": "7", "tactics": "array(eve.at)"}
    changes = {"columns": columns, "other": {"device": "array(eve.at)"}}
    file.write_text(yaml.safe_dump({**SOUND, **changes}, sort_keys=False), encoding="utf-8")
    raw = raw_tables(spark, [{"RawData": '{"at": 17}'}], ["RawData"])

    row = normalise_alerts(raw, {"Alerts_CL": load_format(file)}).first()

    assert row is not None
    assert (row["alert_id"], row["name"], row["product"], row["target_entity"]) == ("17", "17", "7", "device:17")


def test_a_long_expression_is_told_in_part(spark: SparkSession, tmp_path: Path) -> None:
    (line,) = problems_of(spark, tmp_path, {"where": "eve.name || '" + "x" * 5000 + "'"})

    assert "gives string; wanted: boolean" in line
    assert len(line) < 500
