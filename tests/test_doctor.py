"""`alertgraph doctor`: each thing that may be wrong beside the same thing in order; no check stops the others."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azurite import Emulated, running
from exported import EDR, put_lines, row_line
from pyspark.sql import SparkSession

from alertgraph_spark.__main__ import main
from alertgraph_spark.access import session
from alertgraph_spark.access.secret import Secret
from alertgraph_spark.commands.doctor import configured, exported, machine, on_spark
from alertgraph_spark.commands.doctor.findings import FAIL, OK, WARN, Finding, lines_of, run_check
from alertgraph_spark.commands.format_check import Check
from alertgraph_spark.config.format_files import load_format
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.settings import Graph, Settings, Spark
from alertgraph_spark.errors import ConfigError, SourceError
from alertgraph_spark.publish.log_analytics import stream_declarations
from alertgraph_spark.read.blob_mirror.account import open_account
from alertgraph_spark.read.export_peek import AccountPeek, FolderPeek, Peek, SparkPeek

NOW = datetime.now(timezone.utc).replace(microsecond=0)
TOKEN = "t0k3n-that-nobody-sees"


def minute(ago: timedelta = timedelta()) -> str:
    return f"{NOW - ago:%Y-%m-%dT%H:%M}"


def rows(n: int, time: str) -> list[str]:
    return [
        row_line(time, _ItemId=f"i{k}", Name="logon", Severity="0.5", Source="ws1", Target="srv1") for k in range(n)
    ]


@pytest.fixture(autouse=True)
def own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No session of a platform, whatever other tests have started in this process."""
    monkeypatch.setattr(session, "is_platform", lambda: False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """One site with rows of yesterday and of now, and the configuration that reads them."""
    (tmp_path / "edr.yaml").write_text(EDR, encoding="utf-8")
    for ago, n in ((timedelta(days=1), 30), (timedelta(), 10)):
        put_lines(tmp_path / "lake", "Edr_CL", minute(ago), rows(n, minute(ago)))
    settings = {
        "export": {"root": str(tmp_path / "lake")},
        "sources": [{"table": "Edr_CL", "format": "edr.yaml"}],
        "results": {"path": str(tmp_path / "results")},
        "tracking": {"uri": "none"},
        "spark": {"driver_memory": "1g"},
    }
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps(settings), encoding="utf-8")
    return file


def set_up(config: Path, *overrides: str) -> Settings:
    return load_settings(config, overrides)


def levels(found: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(one.level, one.what) for one in found]


# --- the command


def test_what_is_in_order_is_said_line_by_line(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(on_spark, "start", lambda *_: pytest.fail("Spark was started"))
    left = sorted(config.parent.rglob("*"))

    assert main(["doctor", "--config", str(config), "--no-spark"]) == 0

    lines = capsys.readouterr().out.splitlines()
    first = [(line[:6].strip(), line[6:33].strip()) for line in lines[:-2] if line[:6].strip()]
    assert [what for level, what in first if level == OK] == [
        *("Python", "Spark", "DuckDB", "Java", "configuration", "formats", "secrets", "results.path", "history.path"),
        *("post", "data collection rule", "notify", "MLflow", "GraphFrames", "export root", "Edr_CL", "memory", "disk"),
    ]
    assert [one for one in first if one[0] != OK] == [(WARN, "formats on rows")]
    assert lines[-1] == "18 ok, 1 warn, 0 fail"
    assert max(map(len, lines)) <= 100
    assert sorted(config.parent.rglob("*")) == left, "nothing is written"


def test_one_fail_ends_with_two_and_stops_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of = ["--set", f"export.root={config.parent}/elsewhere", "--no-spark"]

    assert main(["doctor", "--config", str(config), *of]) == 2

    lines = capsys.readouterr().out.splitlines()
    (fail,) = [n for n, line in enumerate(lines) if line.startswith(FAIL)]
    assert lines[fail].split()[1:3] == ["export", "root"]
    assert any(line.startswith("ok    disk") for line in lines[fail:])


def test_a_configuration_that_cannot_be_read_is_a_line_too(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(config), "--set", "graph.engine=motor"]) == 2

    out = capsys.readouterr().out
    assert "ok    Java" in out
    assert "fail  configuration" in out
    assert "graph.engine: found 'motor'" in out


# --- a check that does not end well


def test_what_a_check_raises_is_a_line_and_no_secret_of_it() -> None:
    def check() -> Iterator[Finding]:
        yield Finding(OK, "first", "fine")
        raise RuntimeError("https://ann:hunter2@lake/x?sig=abc refused\n  at line 7")

    first, second = run_check("export root", check, 5)

    assert first == Finding(OK, "first", "fine")
    assert second[:3] == (FAIL, "export root", "RuntimeError: https://lake/x?… refused")


def test_what_an_operator_can_mend_is_told_as_it_is() -> None:
    def check() -> Iterator[Finding]:
        raise ConfigError("env:KEPT: is empty")
        yield

    assert run_check("secrets", check, 5) == [Finding(FAIL, "secrets", "env:KEPT: is empty")]


def test_a_check_that_hangs_is_left_with_what_it_found() -> None:
    go_on = threading.Event()

    def check() -> Iterator[Finding]:
        yield Finding(OK, "first", "fine")
        go_on.wait(30)
        yield Finding(OK, "late", "too late")

    found = run_check("MLflow", check, 0.2)
    go_on.set()

    assert levels(found) == [(OK, "first"), (FAIL, "MLflow")]
    assert found[1].said == "no answer within 0.2 s"


def test_a_line_is_as_wide_as_the_terminal_and_does_nothing_to_it() -> None:
    told = Finding(FAIL, "name\x1b[2J" * 9, "what\nwas \u202efound " * 30, "this " * 40)

    lines = list(lines_of(told, 60))

    assert max(map(len, lines)) <= 60
    assert all(line.isprintable() for line in lines)
    assert [line.strip()[:8] for line in lines if "do:" in line] == ["do: this"]


# --- the configuration


def test_a_secret_is_asked_for_where_it_is_needed_and_never_shown(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPT", TOKEN)
    monkeypatch.delenv("LOST", raising=False)
    of = ("post.endpoint=https://x.ingest.monitor.azure.com", "post.dcr_id=dcr-0123456789abcdef0123456789abcdef")
    posts = ("post.mode=logs_ingestion", *of)

    def secrets(*overrides: str) -> list[Finding]:
        return list(configured.secrets(set_up(config, *overrides)))

    assert levels(secrets("post.credential=env:KEPT", *posts)) == [(OK, "secret of post.credential")]
    assert levels(secrets("post.credential=env:LOST", *posts)) == [(FAIL, "secret of post.credential")]
    assert levels(secrets("post.credential=env:LOST")) == [(OK, "secrets")]  # nothing is posted
    assert levels(secrets("notify.url=env:LOST")) == [(FAIL, "secret of notify.url")]
    everything = secrets("post.credential=env:KEPT", *posts) + list(
        configured.posting(set_up(config, "post.credential=env:KEPT", *posts))
    )
    assert TOKEN not in repr(everything)
    with pytest.raises(ConfigError, match=r"post\.dcr_id must be the immutable id"):
        list(configured.posting(set_up(config, *posts, "post.credential=env:KEPT", "post.dcr_id=my rule")))


def test_the_rule_as_it_is_deployed_declares_what_is_posted(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "rule.json"
    of = ("post.mode=logs_ingestion", "post.endpoint=https://x.ingest.monitor.azure.com", "post.dcr_id=dcr-1")
    declared = {"properties": {"streamDeclarations": stream_declarations()}}

    def judged() -> Finding:
        (one,) = run_check("rule", lambda: configured.rule(set_up(config, *of, f"post.rule={file}")), 5)
        return one

    file.write_text(json.dumps(declared))
    assert judged().level == OK
    columns = declared["properties"]["streamDeclarations"]["Custom-AlertGraphSubgraphs_CL"]["columns"]
    columns[:] = [column for column in columns if column["name"] != "Probability"]
    file.write_text(json.dumps(declared))
    assert (judged().level, judged().said) == (
        FAIL,
        "Custom-AlertGraphSubgraphs_CL: Probability: not declared, the service would drop it",
    )
    file.write_text("{")
    assert judged().said == f"post.rule: {file} cannot be read as JSON (JSONDecodeError)"
    assert [one.level for one in configured.rule(set_up(config, *of))] == [WARN]  # nobody has saved it
    assert [one.level for one in configured.rule(set_up(config))] == [OK]  # nothing is posted


def test_lists_and_formats_are_read_as_a_run_reads_them(config: Path) -> None:
    for name, text in (
        ("good.csv", "asset,name\n10.0.0.7,hist01\n"),
        ("wide.csv", "asset,colour\n10.0.0.7,red\n"),
        ("bad.csv", "asset,zone\n10.0.0.7,moon\n"),
    ):
        (config.parent / name).write_text(text)
    (config.parent / "bad.yaml").write_text("format: bad\nreads: [X]\n")

    def judged(name: str) -> list[Finding]:
        return run_check("lists", lambda: configured.lists(set_up(config, f"assets={name}.csv")), 5)

    assert [(one.level, one.said) for one in judged("good")] == [(OK, f"{config.parent}/good.csv: 1 row")]
    assert [one.level for one in judged("wide")] == [OK, WARN]  # a column that is not read
    assert "not read: the columns colour" in judged("wide")[1].said
    assert [one.level for one in judged("bad")] == [FAIL]
    assert levels(configured.formats(set_up(config))) == [(OK, "formats")]
    assert levels(configured.formats(set_up(config, "sources.0.format=bad.yaml"))) == [(FAIL, "format")]


def test_a_folder_that_cannot_be_written_is_found(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(configured.results_folder(set_up(config))) == [(OK, "results.path"), (OK, "history.path")]
    of_a_file = set_up(config, f"results.path={config}/runs", "history.path=none")
    assert [one.said for one in configured.results_folder(of_a_file)] == [f"{config} is no folder"]
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert [one.level for one in configured.results_folder(set_up(config))] == [FAIL, FAIL]


def test_the_store_of_mlflow_is_looked_at_and_not_made(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"

    def judged(*more: str) -> list[str]:
        return [one.level for one in configured.track(set_up(config, f"tracking.uri=sqlite:///{file}", *more))]

    assert judged() == [OK]
    assert not file.exists()
    file.write_text("no database " * 90)
    assert judged() == [WARN]
    assert judged("tracking.strict=true") == [FAIL]


# --- the machine


@pytest.mark.parametrize(
    ("java", "spark", "level"),
    [
        *((17, (3, 5), OK), (11, (3, 5), OK), (8, (3, 5), WARN), (7, (3, 5), FAIL), (21, (3, 5), WARN)),
        *((17, (4, 1), OK), (11, (4, 1), FAIL), (21, (4, 1), WARN)),
    ],
)
def test_java_fits_spark(java: int, spark: tuple[int, int], level: str) -> None:
    assert machine.judge_java(java, spark, "/usr/bin/java").level == level


def test_a_java_home_without_java_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.session, "find_java", lambda: None)

    assert [one.level for one in machine.java({"JAVA_HOME": str(tmp_path)})] == [FAIL]
    assert [one.said for one in machine.java({"PYSPARK_GATEWAY_PORT": "1"})] == ["the platform's own"]
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.9\"' >&2\n")
    java.chmod(0o755)
    (found,) = machine.java({"JAVA_HOME": str(tmp_path)})
    assert found[:3] == (OK, "Java", f"17, {java}")


def test_graphframes_is_asked_for_as_the_configuration_asks(tmp_path: Path) -> None:
    jar = tmp_path / "graphframes.jar"
    jar.touch()

    def judged(engine: str, *jars: str) -> list[str]:
        return [one.level for one in machine.graphframes(Graph(engine=engine, jars=jars), {})]

    assert judged("driver") == judged("auto") == judged("auto", str(jar)) == [OK]
    assert judged("graphframes", str(jar)) == [OK]
    assert judged("graphframes") == judged("auto", f"{jar}x") == [FAIL]
    assert judged("driver", f"{jar}x") == [OK]


def test_memory_and_disk_are_measured_against_the_volume(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: 16 * machine.GIB)

    def memory(given: str, n_alerts: float | None) -> list[str]:
        return [one.level for one in machine.memory(Spark(driver_memory=given), n_alerts)]

    assert memory("8g", None) == memory("8g", 10e6) == [OK]
    assert memory("8g", 60e6) == [WARN]
    assert memory("14g", 1e6) == [WARN]
    assert memory("17g", 1e6) == [FAIL]

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10 * machine.GIB))
    sizes = {5: OK, 12: WARN, 30: FAIL}  # GiB, and 2 more for temporary files
    for size, level in sizes.items():
        place = ("results.path", str(tmp_path / "runs"), size * machine.GIB)
        assert level in [one.level for one in machine.disk([place])]


# --- the export


def looked_at(config: Path, peek: Peek | None = None, *overrides: str) -> tuple[list[Finding], exported.Seen]:
    settings, seen = set_up(config, *overrides), exported.Seen()
    found = list(exported.root(settings, lambda: peek or FolderPeek(settings.export.root), seen))
    for source in settings.sources:
        found += exported.table(source.table, load_format(source.file), seen, lambda: NOW)
    return found, seen


def test_an_export_is_measured(config: Path) -> None:
    found, seen = looked_at(config)

    assert levels(found) == [(OK, "export root"), (OK, "Edr_CL")]
    assert "1 of 1 table, 1 site, 2 days" in found[0].said
    assert found[1].said.startswith(
        "about 20 rows and 0.0 MB a day; 40 of the newest 40 lines are JSON objects, the last"
    )
    assert seen.n_rows(30) == pytest.approx(40, rel=0.1)
    assert seen.n_rows(1) == pytest.approx(20, rel=0.1)


def test_a_table_that_is_not_exported_or_has_stopped_is_told(config: Path) -> None:
    lake = config.parent / "lake"
    (found, _) = looked_at(
        config, None, "sources=[{table: Other_CL, format: edr.yaml}, {table: Edr_CL, format: edr.yaml}]"
    )
    assert levels(found) == [(OK, "export root"), (WARN, "Other_CL"), (OK, "Edr_CL")]

    shutil.rmtree(lake)
    put_lines(lake, "Edr_CL", minute(timedelta(days=2)), rows(3, minute(timedelta(days=2))))
    assert [one.level for one in looked_at(config)[0]] == [OK, WARN]
    assert levels(looked_at(config, None, "export.workspaces=[office]")[0]) == [(FAIL, "export root"), (WARN, "Edr_CL")]


def test_rows_that_are_none_or_of_another_table_are_told(config: Path) -> None:
    def last(*lines: str) -> Finding:
        put_lines(config.parent / "lake", "Edr_CL", minute(), lines)
        return looked_at(config)[0][1]

    good = rows(3, minute())
    assert last(*good).level == OK
    torn = last(good[0], '{"TimeGenerated": ', good[1])
    assert (torn.level, torn.said.split("; ")[1][:42]) == (WARN, "32 of the newest 33 lines are JSON objects")
    assert last(row_line(minute(), EventVendor="x")).level == OK  # the rows of yesterday have the columns

    shutil.rmtree(config.parent / "lake")
    assert last(row_line(minute(), EventVendor="x")).level == FAIL
    assert last("time,name", "10:00,logon").level == FAIL
    assert last('{"Name": "logon"}').level == FAIL


def test_a_line_that_is_being_written_is_no_torn_one() -> None:
    assert exported.last_lines(b'{"a": 1}\n{"b"', is_whole=True) == ['{"a": 1}']
    assert exported.last_lines(b'{"a": 1}\n{"b": 2}', is_whole=True) == ['{"a": 1}', '{"b": 2}']
    assert exported.last_lines(b'torn\n{"b": 2}\n', is_whole=True) == ["torn", '{"b": 2}']
    assert exported.last_lines(b'torn\n{"b": 2}\n', is_whole=False) == ['{"b": 2}']


def test_a_folder_that_may_not_be_listed_is_no_empty_one(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)

    with pytest.raises(SourceError, match=f"cannot look at {config.parent}/lake: Permission denied"):
        FolderPeek(str(config.parent / "lake")).days({"Edr_CL": None}, "all")


def test_a_root_that_spark_alone_reaches_is_left_out_without_it(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = "export.root=abfss://{container}@lake.dfs.core.windows.net"

    assert main(["doctor", "--config", str(config), "--set", root, "--no-spark"]) == 0
    assert "warn  export root" in capsys.readouterr().out


def seen_by(peek: Peek) -> list[Any]:
    days = peek.days({"Edr_CL": None, "Other_CL": None}, "all")
    files = [file for day in days for file in peek.files(day)]
    return [[(day.table, day.site, day.day) for day in days], [(f.n_bytes, peek.tail(f, 50)) for f in files]]


def test_spark_sees_what_this_process_sees(spark: SparkSession, config: Path) -> None:
    root = str(config.parent / "lake")

    here = seen_by(FolderPeek(root))

    assert len(here[1]) == 2
    assert seen_by(SparkPeek(spark, root)) == here
    assert seen_by(FolderPeek(f"{config.parent}/lake/{{container}}")) == here


@pytest.fixture(scope="module")
def azurite() -> Iterator[Emulated]:
    with running() as emulated:
        yield emulated


def test_an_account_is_looked_at_as_a_folder_is(azurite: Emulated, config: Path) -> None:
    for ago, n in ((timedelta(days=1), 30), (timedelta(), 10)):
        azurite.append_rows("Edr_CL", minute(ago), rows(n, minute(ago)), container="am-edr-cl")
    account = open_account(azurite.url, "env:KEPT", lambda _: Secret(azurite.connection_string))

    assert seen_by(AccountPeek(account)) == seen_by(FolderPeek(str(config.parent / "lake")))


# --- formats on rows


@pytest.mark.parametrize(
    ("check", "level"),
    [
        (Check(100, 100), OK),
        (Check(100, 97, {"no alert name": (3, 1)}), OK),
        (Check(100, 90, {"no alert name": (10, 1)}), WARN),
        (Check(100, 0, {"no alert name": (100, 1)}), FAIL),
        (Check(100, 1, {"not an alert": (99, 1)}), OK),  # a sensor's flows
        (Check(100, 0, {"not an alert": (100, 1)}), WARN),
        (Check(100, 100, unknown={"severity": {"sev0": 1}}), WARN),
    ],
)
def test_what_a_format_makes_of_rows_is_judged(check: Check, level: str) -> None:
    assert on_spark.judge_rows("rows of Edr_CL", "edr", check).level == level


def test_a_format_is_tried_on_the_newest_rows(spark: SparkSession, config: Path) -> None:
    format_ = load_format(config.parent / "edr.yaml")
    good = rows(8, minute())

    (found,) = on_spark.rows("Edr_CL", format_, good, spark)
    (other,) = on_spark.rows("Edr_CL", format_, [*good[:4], *[row_line(minute(), Severity="0.5")] * 4], spark)

    assert found.level == OK
    assert found.said == (
        "edr: 8 of 8 are alerts; filled: time 0 %, name 100 %, severity 100 %, source 100 %, target 100 %, tactic 0 %"
    )
    assert (other.level, other.said.partition(";")[0]) == (WARN, "edr: 4 of 8 are alerts")
    assert "4 refused: no alert name" in other.said
    assert [one.level for one in on_spark.rows("Edr_CL", format_, [], spark)] == [WARN]
