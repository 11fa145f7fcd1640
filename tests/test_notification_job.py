"""Notification as its user meets it: ticks of one session, `--post-only`, an exit code, and a secret that stays one."""

from __future__ import annotations

import json
import secrets
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from test_history_job import REPO, config, runs  # noqa: F401  # the fixture

from alertgraph_spark.commands.cli import exit_code
from alertgraph_spark.publish.notification import telling
from jobs import rank_alerts

sys.path.insert(0, str(REPO / "examples"))  # the examples are no part of the wheel

from emulator.faults import Fault, FaultPlan
from emulator.server import LogsIngestionEmulator

VARIABLE = "ALERTGRAPH_TEST_NOTIFY_URL"
TOKEN = secrets.token_hex(16)
EASY = ("ranking.show_nats=0", "ranking.warm_up_hours=0", "ranking.budget_per_day=2")


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogsIngestionEmulator]:
    monkeypatch.setattr(telling, "SPACING_SECONDS", 0.0)
    with LogsIngestionEmulator(tmp_path / "posted.sqlite", TOKEN) as running:
        monkeypatch.setenv(VARIABLE, running.webhook("slack"))
        yield running


def heard(tmp_path: Path) -> list[str]:
    with closing(sqlite3.connect(tmp_path / "posted.sqlite")) as connection:
        return [json.loads(body)["text"] for (body,) in connection.execute("SELECT Body FROM Notified")]


def job(file: Path, *more: str, **notify: object) -> int:
    told = {"url": f"env:{VARIABLE}", "form": "slack"} | notify
    keys = [*EASY, *(f"notify.{name}={json.dumps(value)}" for name, value in told.items())]
    sets = [part for key in keys for part in ("--set", key)]
    return exit_code(lambda: rank_alerts.main(["--config", str(file), *sets, *more]))


def test_a_tick_tells_once_and_again_only_what_was_not_told(
    config: Path,  # noqa: F811
    emulator: LogsIngestionEmulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = []

    def ticking(every: timedelta, console: object, tick: Callable[[], object]) -> int:
        for faults in ([Fault("404", status=404)], [], []):
            emulator.faults = FaultPlan(faults)
            tick()
            said.append(capsys.readouterr().out)
        return 3

    monkeypatch.setattr(rank_alerts, "keep_ticking", ticking)
    assert job(config, "--every", "5m") == 0, "a chat that is away ends no run"
    first, second = runs(config)
    n = first["notified"]["n_shown"]  # type: ignore[index]
    assert n >= 2
    assert f"notified  0 of {n} shown, by slack; {n} NOT told: webhook: 404: no such webhook" in said[0]
    assert f"notified  {n} of {n} shown, by slack\n" in said[1]
    assert f"nothing new since run {second['run_id']}" in said[2]
    assert len(heard(config.parent)) == n
    left = [file.read_bytes() for file in (config.parent / "results").rglob("*") if file.is_file()]
    assert not [content for content in left if TOKEN.encode() in content]
    assert TOKEN not in "".join(said)

    assert job(config, "--post-only", str(first["run_id"])) == 0
    assert f"notified  0 of {n} shown, by slack; {n} had been before" in capsys.readouterr().out
    assert len(heard(config.parent)) == n


def test_strict_ends_with_2_after_all_is_saved_and_post_only_tells_the_rest(
    config: Path,  # noqa: F811
    emulator: LogsIngestionEmulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    emulator.faults = FaultPlan([Fault("410", status=410)])
    assert job(config, strict=True) == 2
    error = capsys.readouterr().err
    (run,) = runs(config)
    assert "subgraphs were not told: webhook: 410: the webhook or its channel is gone" in error
    assert f"--post-only {run['run_id']} tells the rest" in error
    assert (config.parent / "results" / str(run["run_id"]) / "report.html").exists()

    assert job(config, "--post-only", str(run["run_id"]), strict=True) == 0
    (run,) = runs(config)
    assert run["notified"]["n_told"] == run["notified"]["n_shown"] == len(heard(config.parent))  # type: ignore[index]


def test_an_address_that_will_not_do_is_told_before_the_work(
    config: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(VARIABLE, "https://evil.example/services/S3CRET")
    assert job(config) == 2
    said = capsys.readouterr()
    assert f"notify.url: what env:{VARIABLE} names is no https address of an incoming webhook" in said.err
    assert "S3CRET" not in said.out + said.err
    monkeypatch.delenv(VARIABLE)
    assert job(config) == 2
    assert f"the environment variable {VARIABLE} is not set" in capsys.readouterr().err
    assert runs(config) == []
