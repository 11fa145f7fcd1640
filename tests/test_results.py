"""The results folder: only what is a contract is saved, an interrupted run is replaced, and `run.json` comes last."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.errors import ResultsError
from alertgraph_spark.io.results import RunFolder, read_run, read_tables, save_run, save_tables
from alertgraph_spark.schemas import RESULTS


def empty_tables(spark: SparkSession) -> dict[str, DataFrame]:
    return {table.name: spark.createDataFrame([], table.ddl) for table in RESULTS}


def test_saved_tables_are_read_back_as_declared_and_a_second_save_replaces(spark: SparkSession, tmp_path: Path) -> None:
    folder = str(tmp_path / "run-1")
    tables = empty_tables(spark)
    (line,) = [table for table in RESULTS if table.name == "rejected"]
    refused = spark.createDataFrame([("f", "torn {", "torn line", "plant", "Alerts_CL")], line.ddl)

    save_tables({**tables, "rejected": refused.unionByName(refused), "links": tables["cuts"]}, folder)
    save_tables({**tables, "rejected": refused}, folder)
    read = read_tables(spark, folder)

    assert {path.name for path in Path(folder).iterdir()} == {table.name for table in RESULTS}, "links are no contract"
    assert list(read) == [table.name for table in RESULTS]
    assert all(read[table.name].columns == table.names for table in RESULTS)
    assert read["rejected"].collect() == refused.collect()
    assert read["nodes"].count() == 0


def test_the_record_is_json_at_the_top_of_the_folder_and_can_be_written_again(
    spark: SparkSession, tmp_path: Path
) -> None:
    when = datetime(2026, 3, 2, tzinfo=timezone.utc)

    for engine in ("graphframes", "driver"):
        save_run(spark, str(tmp_path / "run-1"), {"engine": engine, "site": "Müller → Söhne", "at": when})

    assert json.loads((tmp_path / "run-1" / "run.json").read_text(encoding="utf-8")) == {
        **{"engine": "driver", "site": "Müller → Söhne"},
        "at": "2026-03-02 00:00:00+00:00",
    }


def test_the_folder_of_a_run_keeps_files_whole(spark: SparkSession, tmp_path: Path) -> None:
    folder = RunFolder(spark, str(tmp_path / "run-1"))

    assert folder.names("posted/x") == []
    assert folder.read("posted/x/plan.json") is None
    for content in (b"one", "zwölf \x00".encode()):
        folder.write("posted/x/plan.json", content)
        assert folder.read("posted/x/plan.json") == content
    folder.write("posted/x/b", b"")
    assert sorted(folder.names("posted/x")) == ["b", "plan.json"]
    assert folder.names("posted") == [], "folders are none of its files"
    folder.remove("posted/x/b")
    folder.remove("posted/x/b")
    assert folder.names("posted/x") == ["plan.json"]


def test_a_record_is_never_lost_while_it_is_replaced(spark: SparkSession, tmp_path: Path) -> None:
    folder = str(tmp_path / "run-1")
    with pytest.raises(ResultsError, match=r"run-1 holds no run\.json"):
        read_run(spark, folder)
    save_run(spark, folder, {"run_id": "run-1"})
    assert read_run(spark, folder) == {"run_id": "run-1"}
    (tmp_path / "run-1" / "run.json").rename(tmp_path / "run-1" / "run.json.new")  # killed between delete and rename
    (tmp_path / "run-1" / ".run.json.crc").unlink(missing_ok=True)
    assert read_run(spark, folder) == {"run_id": "run-1"}


class Killed(Exception):
    """What stands for SIGKILL."""


class Mortal:
    """A file system that makes so many changes and no more; a file that is being written then is left torn."""

    def __init__(self, system: Any, lives: int) -> None:
        self.system, self.lives = system, lives

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            done = getattr(self.system, name)(*arguments) if self.lives > 0 or name not in CHANGES else None
            if name in CHANGES:
                self.lives -= 1
            if self.lives >= 0:
                return done
            if name == "create":
                stream = self.system.create(*arguments)
                stream.write(bytearray(b"{"))
                stream.close()
            raise Killed

        return call


CHANGES = ("create", "rename", "delete")


def test_a_kill_at_any_moment_of_a_write_leaves_the_old_or_the_new_file_and_never_a_torn_one(
    spark: SparkSession, tmp_path: Path
) -> None:
    def killed(name: str, content: bytes, lives: int) -> bool:
        folder = RunFolder(spark, str(tmp_path))
        folder._system = Mortal(folder._system, lives)
        try:
            folder.write(name, content)
        except Killed:
            return True
        return False

    def read(name: str) -> bytes | None:
        return RunFolder(spark, str(tmp_path)).read(name)

    moments = 0
    for first in range(9):
        for second in range(9):
            name = f"run-{first}-{second}.json"
            is_killed = killed(name, b"old", first)
            assert read(name) in ({None, b"old"} if is_killed else {b"old"}), (first, second)
            before = read(name)
            is_killed |= killed(name, b"new", second)
            assert read(name) in ({before, b"new"} if is_killed else {b"new"}), (first, second)
            RunFolder(spark, str(tmp_path)).write(name, b"last")
            assert read(name) == b"last"
            moments += is_killed
    assert 20 < moments < 60, "some were killed, some were not"
