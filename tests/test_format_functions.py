"""A format is something that somebody wrote: its expressions call listed functions over their own row, or it is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from exported import raw_tables
from pyspark.sql import SparkSession

from alertgraph_spark.__main__ import main
from alertgraph_spark.config.format_files import load_format
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.normalise.format_expressions import with_expressions
from alertgraph_spark.normalise.format_functions import FUNCTIONS, forbidden

REPO = Path(__file__).parent.parent
FILES = sorted(
    file
    for folder in ("alertgraph_spark/formats", "benchmarks/formats", "examples/formats")
    for file in (REPO / folder).glob("*.yaml")
)
MINE = Format(name="mine", path="mine.yaml", reads=("RawData", "user"), columns={"name": "RawData"})

LISTED = "is not among the functions that a format may call"
TABLE = "asks a table; an expression sees its own row alone"

# What an attacker would write, and what is told of it.
ATTACKS = {
    "reflect('java.lang.System', 'getenv', 'SECRET')": f"reflect() {LISTED}",
    "java_method('java.lang.System', 'getProperty', 'user.home')": f"java_method() {LISTED}",
    "try_reflect('java.lang.System', 'exit', 0)": f"try_reflect() {LISTED}",
    "(select max(value) from text.`/etc/passwd`)": TABLE,
    "(select 1)": TABLE,
    "exists(select * from json.`/data`)": TABLE,
    "RawData in (select value from text.`/etc/passwd`)": TABLE,
    "transform(array(RawData), x -> concat(x, (select max(value) from text.`/etc/passwd`)))": TABLE,
    "if(RawData = '', (select 1), 'none')": TABLE,
    "transform(array(1), x -> reflect('java.lang.System', 'getenv', 'SECRET'))": f"reflect() {LISTED}",
    "case when true then upper(reflect('a', 'b')) end": f"reflect() {LISTED}",
    "`reflect`('java.lang.System', 'getenv', 'SECRET')": f"reflect() {LISTED}",
    "ReFlect('java.lang.System', 'getenv', 'SECRET')": f"ReFlect() {LISTED}",
    "reflect/**/('java.lang.System', 'getenv', 'SECRET')": f"reflect() {LISTED}",
    "system.builtin.reflect('java.lang.System', 'getenv', 'SECRET')": f"system.builtin.reflect() {LISTED}",
    "`system`.`builtin`.`lower`(RawData)": f"system.builtin.lower() {LISTED}; did you mean lower?",
    "spark_catalog.default.lower(RawData)": f"spark_catalog.default.lower() {LISTED}; did you mean lower?",
    "identifier('reflect')('java.lang.System', 'getenv', 'SECRET')": "ExpressionWithUnresolvedIdentifier",
    "secret('scope', 'key')": f"secret() {LISTED}",
    "ai_query('model', RawData)": f"ai_query() {LISTED}",
    "http_request(conn => 'c', method => 'GET')": f"http_request() {LISTED}",
    "read_files('/data')": f"read_files() {LISTED}",
    "input_file_name()": f"input_file_name() {LISTED}",
    "current_user()": f"current_user() {LISTED}",
    "CURRENT_USER": f"CURRENT_USER {LISTED}",
    "filter(array(RawData), x -> x = current_user)": f"current_user {LISTED}",
    "session_user": f"session_user {LISTED}",
    "now()": f"now() {LISTED}",
    "uuid()": f"uuid() {LISTED}",
    "rand()": f"rand() {LISTED}",
    "raise_error('stop')": f"raise_error() {LISTED}",
    "assert_true(false)": f"assert_true() {LISTED}",
    "repeat('a', 2000000000)": f"repeat() {LISTED}",
    "xpath_string(RawData, '/a')": f"xpath_string() {LISTED}",
    "warehouse_udf(RawData)": f"warehouse_udf() {LISTED}",
    "explode(array(1))": f"explode() {LISTED}",
    "max(RawData)": f"max() {LISTED}",
    "max(RawData) over ()": "WindowExpression is not among what an expression may do",
    "first(RawData) ignore nulls": f"first() {LISTED}",
    "*": "UnresolvedStar is not among what an expression may do",
    "lowr(RawData)": f"lowr() {LISTED}; did you mean lower?",
}

# What only looks like it.
HARMLESS = (
    "'reflect('",
    r"'it\'s (select 1)'",
    '"current_user" || RawData',
    "r'reflect(\\'",
    "user",  # a column of this format
    "RawData.current_user",
    "`TimeGenerated` -- reflect('a')",
    "/* (select 1) */ RawData",
    "LOWER(RawData)",
    "exists(array(1), x -> x = 1)",
    "cast(RawData as double) between 0 and 1",
    "trim(both '\"' from RawData)",
    "substring(RawData from 1 for 2) like 'a%' and RawData not rlike 'b'",
    "case RawData when 'a' then 1 else -1 end % 2",
    "filter(split(RawData, ','), (x, i) -> i > 0 and x ilike 'a%')[0]",
    "extract(year from to_timestamp(RawData))",
    "from_json(RawData, 'a struct<b: string>').a.b",
    "named_struct('a', RawData).a <=> null or RawData is not null",
    "timestamp '2026-03-02 10:00:00' + interval 3 days",
)


def test_the_attacks_are_refused_with_key_expression_and_function(spark: SparkSession) -> None:
    told = forbidden(spark, replace(MINE, let={f"n{n}": text for n, text in enumerate(ATTACKS)}))

    for n, (text, problem) in enumerate(ATTACKS.items()):
        of_this = [line for line in told if line.startswith(f"mine.yaml: let.n{n}: {text}: ")]
        assert any(line.removeprefix(f"mine.yaml: let.n{n}: {text}: ").startswith(problem) for line in of_this), text


@pytest.mark.parametrize("text", ["1; drop table alerts", "1) as x, reflect('a', 'b'"])
def test_what_is_no_sql_is_refused_with_all_else_that_is_wrong(spark: SparkSession, text: str) -> None:
    lines = raw_tables(spark, [{"RawData": "a"}], MINE.reads)["Alerts_CL"]

    with pytest.raises(ConfigError, match=re.escape(f"let.n: {text}: [PARSE_SYNTAX_ERROR]")):
        with_expressions(lines, replace(MINE, let={"n": text}))


def test_what_only_looks_like_one_is_taken(spark: SparkSession) -> None:
    assert forbidden(spark, replace(MINE, let={f"n{n}": text for n, text in enumerate(HARMLESS)})) == []


KEYS: dict[str, dict[str, Any]] = {
    "let.a": {"let": {"a": "{}"}},
    "where": {"where": "{} = ''"},
    "own": {"own": "{} = ''"},
    "doubts": {"doubts": "array({})"},
    "columns.name": {"columns": {"name": "{}"}},
    "columns.severity": {"columns": {"name": "RawData", "severity": "{}"}},
    "source.ip": {"source": {"ip": "{}"}},
    "target.host": {"target": {"host": "{}"}},
    "other.account": {"other": {"account": "array({})"}},
    "target_zone": {"target_zone": "{}"},
    "source_level": {"source_level": "{}"},
}


def put(folder: Path, changes: dict[str, Any]) -> Path:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({"format": "mine", "reads": ["RawData"], "columns": {"name": "RawData"}, **changes}))
    return file


def filled(value: Any, attack: str) -> Any:
    if isinstance(value, dict):
        return {key: filled(one, attack) for key, one in value.items()}
    return value.replace("{}", attack)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_that_becomes_sql_is_held_to_it(spark: SparkSession, tmp_path: Path, key: str) -> None:
    attack = "reflect('java.lang.System', 'getenv', 'PATH')"
    file = put(tmp_path, filled(KEYS[key], attack))
    raw = raw_tables(spark, [{"RawData": "x"}], ["RawData"])

    with pytest.raises(ConfigError) as caught:
        normalise_alerts(raw, {"Alerts_CL": load_format(file)})

    assert str(caught.value).startswith(f"{file}: {key}: ")
    assert f"reflect() {LISTED}" in str(caught.value)


def test_a_schema_is_a_schema_and_no_expression(spark: SparkSession, tmp_path: Path) -> None:
    schema = "a string default reflect('java.lang.System', 'getenv', 'PATH')"
    file = put(tmp_path, {"json": {"j": {"column": "RawData", "schema": schema}}})

    with pytest.raises(ConfigError, match=r"json\.j: "):
        normalise_alerts(raw_tables(spark, [{"RawData": "{}"}], ["RawData"]), {"Alerts_CL": load_format(file)})


def test_the_check_of_a_format_reads_no_secret_either(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("pass-phrase-17")
    file = put(tmp_path, {"columns": {"name": f"(select max(value) from text.`{secret}`)"}})
    sample = tmp_path / "rows.jsonl"
    sample.write_text('{"RawData": "x"}\n')

    code = main(["formats", "check", str(file), str(sample)])

    out, err = capsys.readouterr()
    assert code == 2
    assert TABLE in err
    assert "pass-phrase-17" not in out + err


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_formats_that_come_with_this_keep_to_it(spark: SparkSession, file: Path) -> None:
    one = load_format(file)

    assert forbidden(spark, one) == []
    assert one.is_shipped == (file.parent.parent.name == "alertgraph_spark")


def test_a_changed_copy_of_a_shipped_format_is_no_shipped_one(tmp_path: Path) -> None:
    copy = tmp_path / "sigma.yaml"
    text = (REPO / "alertgraph_spark/formats/sigma.yaml").read_text(encoding="utf-8")

    copy.write_text(text, encoding="utf-8")
    assert load_format(copy).is_shipped
    copy.write_text(text + "where: reflect('a', 'b') = ''\n", encoding="utf-8")
    assert not load_format(copy).is_shipped


def test_what_cannot_be_read_before_it_runs_is_not_used() -> None:
    """Spark Connect has no parser to ask; what comes with the package was read by the tests."""
    with pytest.raises(ConfigError, match=r"mine\.yaml: this session cannot parse SQL without running it"):
        forbidden(cast("SparkSession", SimpleNamespace()), MINE)


def test_no_function_is_listed_twice() -> None:
    names = " ".join(FUNCTIONS.values()).split()

    assert len(names) == len(set(names))
    assert all(text.split() == sorted(text.split()) for text in FUNCTIONS.values())
