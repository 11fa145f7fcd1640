"""The compiled data set: every alert of the window once, the same in JSON lines and Parquet, readable with pandas alone."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from exported import put_lines, row_line
from pyspark.sql import DataFrame, SparkSession
from test_job import JOB, write_config

from alertgraph_spark.commands.cli import exit_code
from alertgraph_spark.errors import ResultsError
from alertgraph_spark.publish.compiled import files_of, make_room, write_compiled
from alertgraph_spark.tables.schemas import ALERTS

REPO = Path(__file__).parent.parent
EXAMPLE = REPO / "examples" / "compiled_with_pandas.py"
UTC = timezone.utc


def alert(alert_id: str, minute: int, **changes: Any) -> dict[str, Any]:
    at = datetime(2026, 3, 2, 10, minute, 0, 123456, tzinfo=UTC)
    full = {
        "alert_id": alert_id,
        "site": "plant",
        "source": "gate",
        "name": "opened",
        "observed_at": at,
        "received_at": at,
    }
    return {**dict.fromkeys(ALERTS.names), "tactics": [], "techniques": [], "entities": [], **full, **changes}


def frame(spark: SparkSession, alerts: Sequence[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame([tuple(one[name] for name in ALERTS.names) for one in alerts], ALERTS.ddl)


def lines_in(file: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


ENTITY = {"kind": "host", "key": "host:g1", "role": "target"}


def test_lines_are_in_order_and_have_every_key(spark: SparkSession, tmp_path: Path) -> None:
    """By time, then by id; a null is written, also inside an entity; times are UTC to the microsecond."""
    alerts = [alert("c", 9), alert("b", 5, severity=0.5, entities=[{**ENTITY, "role": None}]), alert("a", 5)]

    told = write_compiled(frame(spark, alerts).repartition(3), str(tmp_path / "march.jsonl"))

    lines = lines_in(tmp_path / "march.jsonl")
    assert told == {"rows": 3, "json": f"{tmp_path}/march.jsonl", "parquet": f"{tmp_path}/march.parquet"}
    assert [line["alert_id"] for line in lines] == ["a", "b", "c"]
    assert [list(line) for line in lines] == [ALERTS.names] * 3
    assert lines[1]["observed_at"] == "2026-03-02T10:05:00.123456Z"
    assert [line["severity"] for line in lines] == [None, 0.5, None]
    assert lines[1]["entities"] == [{"kind": "host", "key": "host:g1", "role": None}]


def test_both_files_hold_the_same_and_nothing_lies_beside_them(spark: SparkSession, tmp_path: Path) -> None:
    write_compiled(frame(spark, [alert("b", 5), alert("a", 6, tactics=["impact"])]), str(tmp_path / "out"))

    parquet = pq.read_table(tmp_path / "out" / "alerts.parquet")
    assert str(parquet.schema.field("observed_at").type) == "timestamp[us, tz=UTC]"
    assert parquet.column_names == ALERTS.names
    as_text = [
        {**row, **{at: row[at].strftime("%Y-%m-%dT%H:%M:%S.%fZ") for at in ("observed_at", "received_at")}}
        for row in parquet.to_pylist()
    ]
    assert as_text == lines_in(tmp_path / "out" / "alerts.jsonl")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["alerts.jsonl", "alerts.parquet"]


def test_a_second_run_replaces_and_the_same_alerts_give_the_same_lines(spark: SparkSession, tmp_path: Path) -> None:
    file, two = tmp_path / "march.parquet", [alert("a", 5), alert("a", 5, site="other")]
    times = spark.conf.get("spark.sql.parquet.outputTimestampType")

    write_compiled(frame(spark, [alert("z", 1)]), str(file))
    write_compiled(frame(spark, two), str(file))
    first = (tmp_path / "march.jsonl").read_bytes()
    write_compiled(frame(spark, two[::-1]).repartition(2), str(file))

    assert (tmp_path / "march.jsonl").read_bytes() == first
    assert [line["site"] for line in lines_in(tmp_path / "march.jsonl")] == ["other", "plant"]
    assert pq.read_table(file).num_rows == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["march.jsonl", "march.parquet"]
    assert spark.conf.get("spark.sql.parquet.outputTimestampType") == times


def test_no_alert_is_two_files_without_a_row(spark: SparkSession, tmp_path: Path) -> None:
    assert write_compiled(frame(spark, []), str(tmp_path / "none.jsonl"))["rows"] == 0
    assert (tmp_path / "none.jsonl").read_text(encoding="utf-8") == ""
    assert pq.read_table(tmp_path / "none.parquet").column_names == ALERTS.names


@pytest.mark.parametrize(
    ("path", "json_file", "parquet"),
    [
        ("a/b.jsonl", "a/b.jsonl", "a/b.parquet"),
        ("a/b.json", "a/b.json", "a/b.parquet"),
        ("a/b.parquet", "a/b.jsonl", "a/b.parquet"),
        ("a.d/b", "a.d/b/alerts.jsonl", "a.d/b/alerts.parquet"),
        (
            "abfss://c@x.dfs.core.windows.net/",
            *(f"abfss://c@x.dfs.core.windows.net/alerts.{e}" for e in ("jsonl", "parquet")),
        ),
    ],
)
def test_the_path_says_where_the_files_go(path: str, json_file: str, parquet: str) -> None:
    assert files_of(path) == {"json": json_file, "parquet": parquet}


def test_a_place_that_cannot_be_written_is_known_before_the_work(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    (tmp_path / "march.jsonl").mkdir()

    with pytest.raises(ResultsError, match=r"--compile: cannot write .*/file/a.jsonl: "):
        make_room(spark, str(tmp_path / "file" / "a.jsonl"))
    with pytest.raises(ResultsError, match=r"march.jsonl: a folder has this name"):
        make_room(spark, str(tmp_path / "march.parquet"))
    with pytest.raises(ResultsError, match=r"Spark reads \* in a path as a wildcard"):
        make_room(spark, str(tmp_path / "march*"))
    with pytest.raises(ResultsError, match="--compile: cannot write nosuch://"):
        make_room(spark, "nosuch://lake/a.jsonl")


def match(title: str, time: str, item: str, **event: str) -> str:
    raw = {"timestamp": f"{time}:00", "rule_title": title, "rule_level": "high", "event": {"Hostname": "fs01", **event}}
    return row_line(time, RawData=json.dumps(raw), _ItemId=item)


@pytest.fixture(scope="module")
def done(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A lake of two days: history, a window with a row that came twice and a torn one, and a row after the window."""
    home = tmp_path_factory.mktemp("compiled")
    table, lake = "SigmaAlerts_CL", home / "lake"
    put_lines(lake, table, "2026-03-01T10:00", [match("Before", "2026-03-01T10:00", "i-0")])
    window = [match("Share", "2026-03-02T10:01", "i-2"), match("Logon", "2026-03-02T10:00", "i-1"), "torn {"]
    put_lines(lake, table, "2026-03-02T10:00", [*window, match("Share", "2026-03-02T10:01", "i-2")])
    put_lines(lake, table, "2026-03-02T12:00", [match("After", "2026-03-02T12:00", "i-3")])
    config = write_config(home, lake, [(table, "sigma")])
    window_of_run = ["--start", "2026-03-02T00:00:00Z", "--end", "2026-03-02T12:00:00Z"]
    capture, out = pytest.MonkeyPatch(), home / "out.txt"
    with out.open("w", encoding="utf-8") as stdout:
        capture.setattr(sys, "stdout", stdout)
        argv = ["--config", str(config), *window_of_run, "--compile", str(home / "march.jsonl")]
        code = exit_code(lambda: JOB.main(argv))
        capture.undo()
    (folder,) = (home / "results").iterdir()
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return code, home, record, out.read_text(encoding="utf-8"), folder


def test_a_run_compiles_the_alerts_that_it_counts(done: Any) -> None:
    code, home, record, out, folder = done
    lines = lines_in(home / "march.jsonl")

    assert code == 0
    assert [(line["item_id"], line["name"]) for line in lines] == [("i-1", "Logon"), ("i-2", "Share")]
    assert record["counts"] | {"alerts": 2, "duplicates": 1, "out_of_window": 2, "rejected": 1} == record["counts"]
    assert record["compiled"] == {"rows": 2, "json": f"{home}/march.jsonl", "parquet": f"{home}/march.parquet"}
    assert pq.read_table(home / "march.parquet").num_rows == record["counts"]["alerts"]
    assert f"compiled  2 alerts in {home}/march.jsonl and {home}/march.parquet" in out.splitlines()
    assert not (folder / "alerts").exists(), "the results folder is a contract"


def test_an_alert_is_whole(done: Any) -> None:
    """What the ranking leaves aside is there: product, rule, entities."""
    line = lines_in(done[1] / "march.jsonl")[0]

    assert line["product"] == "Sigma"
    assert line["severity"] > 0
    assert line["target_entity"] == "host:fs01"
    assert {"kind": "host", "key": "host:fs01", "role": "target"} in line["entities"]


def test_a_run_that_cannot_compile_ends_with_2_before_the_work(
    done: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "march.jsonl").mkdir()
    argv = ["--config", str(done[1] / "run.yaml"), "--compile", str(tmp_path / "march.jsonl")]

    assert exit_code(lambda: JOB.main(argv)) == 2

    out, err = capsys.readouterr()
    assert "ResultsError: --compile: cannot write" in err
    assert "normalise" not in out


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("compiled_with_pandas", EXAMPLE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_needs_pandas_alone() -> None:
    tree = ast.parse(EXAMPLE.read_text(encoding="utf-8"))
    imports = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imports += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]

    assert set(imports) == {"__future__", "pathlib", "sys", "pandas"}


def test_the_example_counts_what_stands_in_the_file(spark: SparkSession, tmp_path: Path, example: Any) -> None:
    """Three alerts: one of two tactics that reaches into OT, two of none in IT, an hour apart."""
    alerts = [
        alert("a", 5, tactics=["impact", "discovery"], target_zone="ot", target_entity="host:plc"),
        alert("b", 6, target_entity="host:web", source_zone="it", name="scan"),
        alert("c", 7, target_entity="host:web", severity=0.5, observed_at=datetime(2026, 3, 2, 12, tzinfo=UTC)),
    ]
    file = write_compiled(frame(spark, alerts), str(tmp_path))["json"]

    loaded = example.load_alerts(file)

    assert list(loaded["side"]) == ["OT", "IT", "IT"]
    assert loaded["observed_at"][0] == pd.Timestamp("2026-03-02T10:05:00.123456Z")
    assert example.per_tactic(loaded).to_dict("index") == {
        "(none)": {"IT": 2, "OT": 0},
        "discovery": {"IT": 0, "OT": 1},
        "impact": {"IT": 0, "OT": 1},
    }
    hosts = example.per_host(loaded, top=1)
    assert (hosts.index[0], hosts["alerts"].iloc[0], hosts["names"].iloc[0]) == (("plant", "host:web"), 2, 2)
    assert example.per_hour(loaded).to_dict("list") == {"IT": [1, 0, 1], "OT": [1, 0, 0]}


def test_the_example_prints_what_a_run_compiled(done: Any) -> None:
    shown = subprocess.run(
        [sys.executable, str(EXAMPLE), str(done[1] / "march.jsonl")],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout

    assert shown.startswith("2 alerts, 2026-03-02 10:00 to 2026-03-02 10:01 UTC\n")
    assert "host:fs01" in shown
