"""The history as its user meets it: ticks of one session, a schedule with nothing new, and `alertgraph history`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from exported import EDR, put_lines, row_line
from pyspark.sql import SparkSession

from alertgraph_spark.__main__ import main as alertgraph
from alertgraph_spark.commands.cli import exit_code
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.history import store as stores
from alertgraph_spark.publish import delivery
from jobs import rank_alerts

REPO = Path(__file__).resolve().parent.parent


def put(lake: Path, time: datetime, *ends: tuple[str, str], name: str = "PT05M.json") -> Path:
    text = f"{time:%Y-%m-%dT%H:%M}"
    rows = [
        row_line(text, _ItemId=f"{text} {name} {n}", Name="logon", Severity="0.5", Source=a, Target=b)
        for n, (a, b) in enumerate(ends)
    ]
    return put_lines(lake, "Edr_CL", text, rows, name=name)


@pytest.fixture
def config(spark: SparkSession, tmp_path: Path) -> Path:
    """Four days of one site, the last one with a chain of three logons, and the configuration that ranks them."""
    (tmp_path / "edr.yaml").write_text(EDR, encoding="utf-8")
    begin = datetime(2026, 3, 2, 10, tzinfo=timezone.utc)
    for day in range(4):
        put(tmp_path / "lake", begin + timedelta(days=day), ("ws1", "srv1"), ("ws2", "srv1"))
    put(tmp_path / "lake", begin + timedelta(days=3, hours=2), ("ws1", "jump"), ("jump", "hist"), ("hist", "plc"))
    settings = {
        "export": {"root": str(tmp_path / "lake"), "look_back_hours": 24},
        "sources": [{"table": "Edr_CL", "format": "edr.yaml"}],
        "results": {"path": str(tmp_path / "results")},
        "tracking": {"uri": "none"},
    }
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps(settings), encoding="utf-8")
    return file


def runs(config: Path) -> list[dict[str, object]]:
    """What `run.json` holds of each run, in order."""
    return [json.loads(file.read_text()) for file in sorted((config.parent / "results").glob("*/run.json"))]


def told(config: Path, command: str, *more: str) -> list[str]:
    return [command, "--config", str(config), *more]


def test_ticks_rank_what_is_new_and_nothing_else(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = config.parent / "lake"
    said: list[str] = []

    def ticking(every: timedelta, console: object, tick: Callable[[], object]) -> int:
        assert every == timedelta(minutes=5)
        for news in (None, None, (datetime(2026, 3, 5, 12, 5, tzinfo=timezone.utc), ("plc", "plc2")), None):
            if news:
                put(lake, *news)
            tick()
            said.append(capsys.readouterr().out)
        return 4

    monkeypatch.setattr(rank_alerts, "keep_ticking", ticking)
    assert exit_code(lambda: rank_alerts.main(["--config", str(config), "--every", "5m"])) == 0
    first, last = runs(config)
    assert ["nothing new since run" in text for text in said] == [False, True, False, True]
    assert f"nothing new since run {last['run_id']}" in said[3]
    assert [run["counts"]["alerts"] for run in (first, last)] == [11, 12]  # type: ignore[index]
    # Two closed days and three hours of the open ones; then the last of these has grown.
    assert [run["history"]["n_folded"] for run in (first, last)] == [5, 1]  # type: ignore[index]
    assert last["history"]["n_kept"] == 4  # type: ignore[index]


def test_a_changed_list_of_exceptions_is_news_though_the_export_is_the_same(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = config.parent / "known.csv"
    head = "id,alert,owner,reason,from,until\n"
    lists = [head, head, f"{head}logons,logon,soc,known,2026-03-01,2026-04-01\n", f"{head}logons,logon,soc\n"]
    said: list[str] = []

    def ticking(every: timedelta, console: object, tick: Callable[[], object]) -> int:
        for text in lists:
            listed.write_text(text)
            if text == lists[-1]:
                with pytest.raises(ConfigError, match=r"known.csv:2: without reason, from, until"):
                    tick()
            else:
                tick()
                said.append(capsys.readouterr().out)
        return len(lists)

    listed.write_text(head)
    monkeypatch.setattr(rank_alerts, "keep_ticking", ticking)
    asked = ["--config", str(config), "--every", "5m", "--set", "exceptions=known.csv"]
    assert exit_code(lambda: rank_alerts.main(asked)) == 0
    assert ["nothing new since run" in text for text in said] == [False, True, False]
    first, last = runs(config)
    assert [run["counts"]["suppressed"] for run in (first, last)] == [0, last["counts"]["subgraphs"]]  # type: ignore[index]
    assert last["exceptions"]["hiding"] == ["logons"]  # type: ignore[index]
    assert "subgraphs by exceptions: logons" in said[2]


def test_a_list_of_exceptions_that_is_wrong_ends_the_job_before_the_work(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "known.csv").write_text("alert,owner\nlogon,soc\n,soc\n")

    assert exit_code(lambda: rank_alerts.main(["--config", str(config), "--set", "exceptions=known.csv"])) == 2
    error = capsys.readouterr().err
    assert "known.csv:2: without reason, from, until" in error
    assert "known.csv:3: names nothing" in error
    assert runs(config) == []


def test_a_longer_window_is_news_though_the_export_is_the_same(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime(2026, 3, 5, 13, tzinfo=timezone.utc)
    monkeypatch.setattr(rank_alerts, "window_asked", lambda args: (now - args.last, now))
    said = []
    for span in ("24h", "24h", "3d"):
        assert exit_code(lambda span=span: rank_alerts.main(["--config", str(config), "--last", span])) == 0  # type: ignore[misc]
        said.append("nothing new since run" in capsys.readouterr().out)
    assert said == [False, True, False]


def test_a_window_that_is_asked_for_is_ranked_though_nothing_is_new(config: Path) -> None:
    window = ["--start", "2026-03-05T00:00:00Z", "--end", "2026-03-06T00:00:00Z"]
    assert [exit_code(lambda: rank_alerts.main(["--config", str(config), *window])) for _ in range(2)] == [0, 0]
    assert len(runs(config)) == 2


def test_a_run_that_was_not_delivered_is_no_reason_to_do_nothing(config: Path) -> None:
    assert exit_code(lambda: rank_alerts.main(["--config", str(config)])) == 0
    (done,) = runs(config)
    assert delivery.is_delivered(done, "none")
    sent = {"n_rows": 3, "n_sent": 2, "n_before": 1, "error": ""}
    assert [
        delivery.is_delivered({**done, "posted": posted}, "logs_ingestion")
        for posted in ({}, {"runs": sent}, {"runs": {**sent, "n_before": 0}}, {"runs": {**sent, "error": "refused"}})
    ] == [False, True, False, False]


def test_the_history_is_made_shown_checked_and_forgotten(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(command: str, *more: str, code: int = 0) -> str:
        assert alertgraph(["history", *told(config, command, *more)]) == code
        out, err = capsys.readouterr()
        return out + err

    assert "nothing yet" in said("status")
    assert "holds no closed day" in said("verify", code=2)
    assert "days folded: 1, there before: 0" in said("fold", "--to", "2026-03-02")
    assert "days folded: 1, there before: 1" in said("fold")  # the last two are open: rows of them may still come
    assert "2 parts" in said("status")
    assert said("verify", "--sample", "9").count("as the export has it") == 2

    kept = stores.Store(rank_alerts.results.open_folder(str(config.parent / "results-history")), "")
    first, second = kept.parts()
    content = kept.file(second).read_bytes()
    kept.file(second).write_bytes(kept.file(first).read_bytes())
    assert f"2026-03-03  DIFFERS: remove {second.name}" in said("verify", "--sample", "9", code=2)
    kept.file(second).write_bytes(content)
    put(config.parent / "lake", datetime(2026, 3, 3, 11, tzinfo=timezone.utc), ("ws3", "srv1"))
    assert "2026-03-03  the export's files have changed" in said("verify", "--sample", "9")

    assert exit_code(lambda: rank_alerts.main(["--config", str(config)])) == 0
    assert "folded anew, since their files have changed: plant 2026-03-03" in capsys.readouterr().out
    assert "parts removed: 0 of 1" in said("prune", "--before", "2026-03-03"), "a run may be reading them"
    monkeypatch.setattr(stores.Store.clear_old, "__defaults__", (timedelta(seconds=-1),))
    assert "parts removed: 1 of 1" in said("prune", "--before", "2026-03-03")
    assert "open hours" in said("status")
    other = config.with_name("other.yaml")
    other.write_text(config.read_text().replace("lake", "lake/../lake"), encoding="utf-8")
    assert alertgraph(["history", "status", "--config", str(other)]) == 0
    assert "other settings" in capsys.readouterr().out
    assert "history.path is none" in said("status", "--set", "history.path=none", code=2)


def test_days_before_the_export_come_from_an_export_job_and_give_way_to_the_export(
    spark: SparkSession, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = config.parent / "workspaceId/0/jobId/1"
    rows = [
        (datetime(2026, 2, 28, 9, n), f"old-{n}", "logon", 0.5, f"ws{n}", {"host": "srv1"}) for n in (1, 2)
    ]  # the day before yesterday of the export's first day; a severity and a target with types of their own
    rows.append((datetime(2026, 3, 2, 9), "late", "logon", 0.5, "ws9", {"host": "srv1"}))
    ddl = "TimeGenerated timestamp, _ItemId string, Name string, severity double, Source string, Target struct<host:string>"
    spark.createDataFrame(rows, ddl).write.parquet(str(job / "timestamp=2026-02-28T09"))

    def said(*more: str, code: int = 0) -> str:
        assert alertgraph(["history", "fold-job", str(job), *told(config, "--site")[1:], *more]) == code
        out, err = capsys.readouterr()
        return out + err

    to = ["--site", "Plant", "--table", "edr_cl"]
    assert "days folded: 2 of plant, 2026-02-28 to 2026-03-02" in said(*to)
    assert "days folded: 2" in said(*to), "once more: the same rows stand once"
    assert "no source reads the table Other_CL; there are Edr_CL" in said("--site", "x", "--table", "Other_CL", code=2)
    assert exit_code(lambda: rank_alerts.main(["--config", str(config)])) == 0
    (done,) = runs(config)
    counts: dict[str, int] = done["counts"]  # type: ignore[assignment]
    # The rule has exported 2 March: its day stands as exported, and the job's row of it does not count.
    assert (counts["rows_read"], counts["alerts"], counts["history"]) == (13, 11, 2)
    assert "export jobs" in (alertgraph(["history", *told(config, "status")]), capsys.readouterr().out)[1]


def ticking(config: Path) -> subprocess.Popen[str]:
    """A process that ranks every minute, with a Spark of its own."""
    command = [sys.executable, str(REPO / "jobs/rank_alerts.py"), "--config", str(config), "--every", "1m"]
    spark = ["--set", "spark.driver_memory=1g", "--set", "spark.master=local[2]"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYSPARK_GATEWAY")}
    return subprocess.Popen(
        [*command, *spark],
        cwd=config.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def until(process: subprocess.Popen[str], word: str) -> str:
    """The next line of a process that begins with a word; fails where it ends before."""
    assert process.stdout
    for line in process.stdout:
        if line.startswith(word):
            return line
    raise AssertionError(f"it ended with {process.wait()} before it said {word!r}")


@pytest.mark.slow
def test_a_process_that_is_killed_goes_on_with_the_next_start_and_ends_when_it_is_asked_to(config: Path) -> None:
    first = ticking(config)
    until(first, "  save")  # the tables are there, run.json is about to be
    first.kill()
    first.wait()
    second = ticking(config)
    until(second, "run ")
    assert "there" in until(second, "history")  # what the first one had folded
    third = put(config.parent / "lake", datetime(2026, 3, 5, 12, 5, tzinfo=timezone.utc), ("plc", "plc2"))
    assert third.exists()
    until(second, "run ")
    until(second, "history")
    second.send_signal(signal.SIGTERM)
    assert "SIGTERM" in until(second, "SIGTERM")
    assert second.wait(60) == 0
    *_, before, last = runs(config)
    assert [run["counts"]["alerts"] for run in (before, last)] == [11, 12]  # type: ignore[index]
    assert last["history"]["n_folded"] == 1  # type: ignore[index]
