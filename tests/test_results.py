"""The results folder: only what is a contract is saved, an interrupted run is replaced, and `run.json` comes last."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

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
    RunFolder(spark, folder).write("run.json.new", b'{"run_id": "torn')  # killed while the first was written
    with pytest.raises(ResultsError, match=r"run-1 holds no run\.json"):
        read_run(spark, folder)
    save_run(spark, folder, {"run_id": "run-1"})
    assert read_run(spark, folder) == {"run_id": "run-1"}
    (tmp_path / "run-1" / "run.json").rename(tmp_path / "run-1" / "run.json.new")  # killed between delete and rename
    (tmp_path / "run-1" / ".run.json.crc").unlink(missing_ok=True)
    assert read_run(spark, folder) == {"run_id": "run-1"}
