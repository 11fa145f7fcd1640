"""What an address has had over all runs: files that runs replace, at one time too, and forget."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from alertgraph_spark.publish.files import MemoryFiles
from alertgraph_spark.publish.log_analytics.changes import Delivered, Key
from alertgraph_spark.publish.log_analytics.memory import Memory
from alertgraph_spark.publish.results import HadoopFolder, LocalFolder

NOW = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
LOOK_BACK = timedelta(hours=48)
A, B, C = (("plant", name) for name in ("sg-a", "sg-b", "sg-ç"))


def row(content: str, run_id: str, told: datetime = NOW) -> Delivered:
    return Delivered(content, run_id, None, round(told.timestamp() * 1e6))


def memory(files: MemoryFiles, address: str = "https://x dcr-1") -> Memory:
    return Memory.open(files, address, LOOK_BACK)


def kept(files: MemoryFiles, rows: dict[Key, Delivered], run_id: str, now: datetime = NOW) -> None:
    opened = memory(files)
    opened.delivered()
    opened.keep(rows, run_id, now)


def test_a_run_replaces_the_file_of_the_one_before_and_another_address_has_its_own() -> None:
    files = MemoryFiles()
    kept(files, {A: row("1", "run-1")}, "run-1")
    kept(files, {A: row("1", "run-1"), C: row("2", "run-2")}, "run-2")

    assert memory(files).delivered() == {A: row("1", "run-1"), C: row("2", "run-2")}
    assert [name.rpartition("/")[2] for name in files.content] == ["delivered-run-2.json"]
    assert memory(files, "https://x dcr-2").delivered() == {}


def test_of_two_runs_at_one_time_neither_spoils_the_others() -> None:
    """Both have read the same file; each writes its own and removes that one; the next run reads both."""
    files = MemoryFiles()
    before = {A: row("1", "run-1"), B: row("1", "run-1")}
    kept(files, before, "run-1")
    first, second = memory(files), memory(files)
    assert first.delivered() == second.delivered() == before
    later = NOW + timedelta(minutes=5)
    second.keep(before | {B: row("3", "run-3"), A: row("1", "run-1", later)}, "run-3", NOW)
    first.keep(before | {A: row("2", "run-2"), C: row("", "run-2")}, "run-2", NOW)

    third = memory(files)
    both = third.delivered()
    assert both == {A: row("2", "run-2", later), B: row("3", "run-3"), C: row("", "run-2")}
    third.keep(both, "run-4", NOW)
    assert len(files.content) == 1
    assert memory(files).delivered() == both


def test_a_file_that_goes_while_it_is_read_has_left_a_newer_one() -> None:
    @dataclass
    class Replaced(MemoryFiles):
        left: int = 1
        other: MemoryFiles = field(default_factory=MemoryFiles)

        def read(self, name: str) -> bytes | None:
            if self.left:
                self.left -= 1
                self.content = self.other.content
            return super().read(name)

    older, newer = MemoryFiles(), MemoryFiles()
    kept(older, {A: row("1", "run-1")}, "run-1")
    kept(newer, {A: row("2", "run-2")}, "run-2")

    assert memory(Replaced(older.content, other=newer)).delivered() == {A: row("2", "run-2")}


def test_what_no_run_has_told_for_the_look_back_and_three_days_is_forgotten() -> None:
    files = MemoryFiles()
    oldest = NOW - LOOK_BACK - timedelta(days=3)
    kept(files, {A: row("1", "run-1", oldest), B: row("1", "run-1", oldest - timedelta(seconds=1))}, "run-2")
    assert set(memory(files).delivered()) == {A}

    for day in range(60):  # a new one each day, told on that day alone: five days and today are kept
        now = NOW + timedelta(days=1 + day)
        opened = memory(files)
        opened.keep(opened.delivered() | {("plant", f"sg-{day}"): row("1", "r", now)}, f"run-{day:02}", now)
    assert len(memory(files).delivered()) == 6
    assert len(files.content) == 1


def test_a_file_that_cannot_be_read_is_told_and_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    files = MemoryFiles()
    kept(files, {A: row("1", "run-1")}, "run-1")
    (name,) = files.content
    files.content[name] = files.content[name][:-3]
    caplog.set_level(logging.WARNING)

    opened = memory(files)
    assert opened.delivered() == {}
    assert "delivered-run-1.json cannot be read" in caplog.text
    opened.keep({}, "run-2", NOW)
    assert [name.rpartition("/")[2] for name in files.content] == ["delivered-run-2.json"]


def test_what_a_lake_calls_a_file_until_it_is_in_its_place_is_told_apart() -> None:
    files = MemoryFiles()
    opened = memory(files)
    for name in ("delivered-run-1.json.part", "delivered-run-2.json.new", "begun-run-3.json.part"):
        files.write(f"{opened.place}/{name}", b"[]")

    assert opened._names("delivered-") == ["delivered-run-2.json"], "torn, and whole"
    assert opened.begun() == []


def test_what_has_begun_stands_there_until_it_ends() -> None:
    opened = memory(MemoryFiles())
    opened.begin("run-2")
    opened.begin("run-1")
    assert opened.begun() == ["run-1", "run-2"]
    assert opened.delivered() == {}
    opened.end("run-1")
    opened.end("run-1")
    assert opened.begun() == ["run-2"]


def test_on_a_lake_as_on_this_machine(spark: SparkSession, tmp_path: Path) -> None:
    for folder in (HadoopFolder(spark, str(tmp_path / "lake")), LocalFolder(str(tmp_path / "here"))):
        opened = Memory.open(folder, "https://x dcr-1", LOOK_BACK)
        assert (opened.begun(), opened.delivered()) == ([], {})
        opened.begin("run-1")
        opened.keep({C: row("1", "run-1")}, "run-1", NOW)
        again = Memory.open(folder, "https://x dcr-1", LOOK_BACK)
        assert (again.begun(), again.delivered()) == (["run-1"], {C: row("1", "run-1")})
        again.keep(again.delivered() | {A: row("2", "run-2")}, "run-2", NOW)
        again.end("run-1")
        assert folder.names(again.place) == ["delivered-run-2.json"]
