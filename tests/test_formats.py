"""Formats: what each one says of its own sample rows is true, and a broken file is told all that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from exported import raw_tables
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.commands.format_check import differences
from alertgraph_spark.config.format_files import load_format
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.tables.frames import ACCOUNTS
from alertgraph_spark.tables.schemas import ALERTS

REPO = Path(__file__).parent.parent
FILES = sorted([*(REPO / "alertgraph_spark/formats").glob("*.yaml"), *(REPO / "benchmarks/formats").glob("*.yaml")])
FORMATS = {file.stem: load_format(file) for file in FILES}
SAMPLES = [(name, number) for name, one in FORMATS.items() for number in range(len(one.samples))]

Found = dict[str, Any]


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, Found]:
    """What each sample row became, by format and number: all formats in one Spark job, each a table of its own."""
    rows = [
        {"table": name, "_ItemId": f"{name}-{number}", **FORMATS[name].samples[number]["row"]}  # type: ignore[dict-item]
        for name, number in SAMPLES
    ]
    columns = [column for one in FORMATS.values() for column in one.reads]
    lines = normalise_alerts(raw_tables(spark, rows, columns), FORMATS)
    times = {at: F.col(at).cast("string") for at in ("observed_at", "received_at")}
    return {
        row["item_id"]: row.asDict() for row in lines.withColumns({"accounts": F.expr(ACCOUNTS), **times}).collect()
    }


@pytest.mark.parametrize(("name", "number"), SAMPLES, ids=str)
def test_a_sample_row_gives_what_it_says(found: dict[str, Found], name: str, number: int) -> None:
    assert differences(FORMATS[name].samples[number], found[f"{name}-{number}"]) == []


def test_a_wrong_promise_would_be_seen(found: dict[str, Found]) -> None:
    row = found["sigma-0"]

    assert differences({"gives": {"severity": 0.76}}, row) == ["severity: 0.75 instead of 0.76"]
    assert differences({"rejected": "not an alert"}, row) == ["reason: None instead of 'not an alert'"]
    assert differences({"gives": {"accounts": []}}, row) == [r"accounts: ['account:corp\\j.meyer'] instead of []"]


@pytest.mark.parametrize("one", FORMATS.values(), ids=FORMATS)
def test_samples_are_worth_their_place(one: Format) -> None:
    assert any("gives" in sample for sample in one.samples), "no sample is an alert"
    for sample in one.samples:
        row, gives = sample["row"], sample.get("gives", {})
        assert isinstance(row, dict)
        assert isinstance(gives, dict)
        assert set(row) <= {"TimeGenerated", *one.reads}, "a column that the format does not read says nothing"
        assert set(gives) <= {*ALERTS.names, "accounts"}
        assert ("gives" in sample) != ("rejected" in sample)


@pytest.mark.parametrize("one", FORMATS.values(), ids=FORMATS)
def test_the_name_of_a_format_is_the_name_of_its_file(one: Format) -> None:
    assert one.name == Path(one.path).stem


SMALLEST = {"format": "mine", "reads": ["RawData"], "columns": {"name": "RawData"}}

# What the file says in place of the smallest one, and all that it must be told.
BROKEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown key": ({"colums": {}}, ["unknown key 'colums'; legal are acts, broken, columns,"]),
    "unknown column": (
        {"columns": {"name": "RawData", "titel": "x"}},
        ["columns: unknown 'titel'; legal are alert_id,"],
    ),
    "unknown kind": ({"source": {"hosts": "RawData"}}, ["source: unknown entity kind 'hosts'; legal are host, ip,"]),
    "no name": ({"columns": {"rule_id": "RawData"}}, ["columns: name is missing"]),
    "a key without value is left out": ({"reads": None}, ["key 'reads' is missing"]),
    "reads is no list": ({"reads": "RawData"}, ["reads: found 'RawData'; legal: a list"]),
    "columns is no mapping": ({"columns": ["name"]}, ["columns: found ['name']; legal: names and values"]),
    "json without schema": (
        {"json": {"eve": {"column": "RawData"}}},
        ["json: eve needs exactly the keys column and schema, and may have known_by"],
    ),
    "json of a column that is not read": (
        {"json": {"eve": {"column": "Rawdata", "schema": "a string"}}},
        ["json: eve parses column 'Rawdata', which reads does not list"],
    ),
    "a schema that is no text": (
        {"json": {"eve": {"column": "RawData", "schema": 5}}},
        ["json: eve has the schema 5; legal: Spark SQL's DDL as text"],
    ),
    "a column whose name would end the SQL that it stands in": (
        {"reads": ["RawData", "a`, reflect('java.lang.System', 'getenv', 'PATH') as `b"]},
        ["reads: found \"a`, reflect('java.lang.System', 'getenv', 'PATH') as `b\"; legal: names of columns"],
    ),
    "a name that is taken": (
        {"reads": ["RawData", "rawdata"], "let": {"Site": "1", "words": "2"}},
        ["reads: rawdata is the name of another column", "let: Site is the name of another column"],
    ),
    "a format without a name": ({"format": 5}, ["format: found 5; legal: a name"]),
    "a keeper that is none": ({"kept_by": "me"}, ["kept_by: found 'me'; legal: sender, platform"]),
    "severity beyond 1": (
        {"severity_scale": {"low": 3, "high": "much"}},
        ["severity_scale: low is 3; legal are 0 to 1", "severity_scale: high is 'much'; legal are 0 to 1"],
    ),
    "values that are no expressions": (
        {"columns": {"name": ["RawData"]}, "where": {"a": 1}, "let": {"x": [[1]]}},
        ["where: found dict; legal: an SQL expression", "let.x: found list", "columns.name: found list"],
    ),
    "samples that are none": (
        {"samples": [{"row": {"RawData": "x"}}, "x", {"gives": {}}, {"row": {}, "gives": 1}]},
        [f"samples: number {n} needs names and values as row" for n in (2, 3, 4)],
    ),
    "all at once": (
        {"filter": "true", "columns": {"severity": "1", "nme": "RawData"}, "other": {"user": "array(RawData)"}},
        [
            "unknown key 'filter'",
            "columns: unknown 'nme'",
            "columns: name is missing",
            "other: unknown entity kind 'user'",
        ],
    ),
}


@pytest.mark.parametrize(("changes", "problems"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_all_that_is_wrong(tmp_path: Path, changes: dict[str, Any], problems: list[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({**SMALLEST, **changes}, sort_keys=False), encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load_format(file)

    lines = str(caught.value).splitlines()
    assert len(lines) == len(problems), lines
    for line, problem in zip(lines, problems, strict=True):
        assert line.startswith(f"{file}: {problem}")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"format: [mine", "cannot be read as YAML"),
        (b"format: \xff\xfe", "cannot be read as YAML"),
        (b"- format", "a format is a mapping, found list"),
        (b"", "a format is a mapping, found NoneType"),
        (b"format: 2026-02-30", "cannot be read as YAML"),
        (b"format: " + b"[" * 20_000, "nested too deep"),
        (b"let: &a {x: '1'}\ncolumns: *a", "found the alias .a of a list or mapping: write it out"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nsamples: [*b, *b]", "found the alias .a of a list or mapping"),
    ],
)
def test_a_file_that_is_no_format(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=words) as caught:
        load_format(file)

    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load_format(tmp_path / "nowhere.yaml")


def test_an_expression_may_stand_for_itself_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("format: mine\nreads: [RawData]\ncolumns: {name: &raw trim(RawData), product: *raw}\n", "utf-8")

    assert load_format(file).columns == {"name": "trim(RawData)", "product": "trim(RawData)"}


def test_the_smallest_format_and_what_yaml_makes_of_values(tmp_path: Path) -> None:
    """A number is an expression, `null` is none, and severity words are compared in lower case."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        "format: mine\nreads: [RawData, TimeGenerated]\ncolumns: {name: RawData, severity: 0.5}\nwhere: true\n"
        "source_zone: null\nseverity_scale: {HIGH: 1, 3: 0.3}\nlet:\n",
        encoding="utf-8",
    )

    read = load_format(file)

    assert read.columns == {"name": "RawData", "severity": "0.5"}
    assert (read.where.lower(), read.source_zone, read.let) == ("true", "null", {})
    assert read.severity_scale == {"high": 1.0, "3": 0.3}
