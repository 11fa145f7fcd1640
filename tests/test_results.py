"""The results folder: only what is a contract is saved, an interrupted run is replaced, and `run.json` comes last."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrows import table_of
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.errors import ResultsError, SchemaError
from alertgraph_spark.publish.results import (
    HadoopFolder,
    LocalFolder,
    RunFolder,
    is_local,
    open_folder,
    read_frame,
    read_run,
    read_tables,
    save_run,
    save_tables,
)
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.schemas import FEATURES, MEMBERS, MOTIF_HITS, REJECTED, RESULTS

NAMES = [table.name for table in RESULTS]
T1 = datetime(2026, 3, 2, 23, 59, 59, 999_999, tzinfo=timezone.utc)
HIT: dict[str, Any] = {
    **{"subgraph_id": "sg-1", "motif": "it_ot_pivot", "episodes": ["0a", "0b"], "path": ["host:büro01", None]},
    **{"started_at": T1, "ended_at": T1 + timedelta(days=1)},
}
FEATURE: dict[str, Any] = {
    **dict.fromkeys(FEATURES.names),
    **{"subgraph_id": "sg-1", "site": "plant", "first_seen": T1, "n_alerts": 2**53 + 1, "is_warm_up": False},
    "rarest": [{"name": "Stop PLC", "seen_hours": 0, "history_hours": 0.5}],
    "quietest": {"name": "host:plc", "seen_hours": 1, "history_hours": None},
}


def empty_tables() -> dict[str, pa.Table]:
    return {table.name: table_of(table, []) for table in RESULTS}


def saved_tables(folder: RunFolder) -> dict[str, pa.Table]:
    tables = empty_tables() | {"motif_hits": table_of(MOTIF_HITS, [HIT]), "features": table_of(FEATURES, [FEATURE])}
    save_tables(tables, folder)
    return tables


# --- without Spark ---------------------------------------------------------------------------------------------------


def test_saved_tables_are_read_back_as_declared_and_a_second_save_replaces(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path / "run-1"))
    refused = table_of(
        REJECTED, [dict(zip(REJECTED.names, ("f", "torn {", "torn line", "plant", "A_CL"), strict=True))]
    )
    tables = {**empty_tables(), "links": table_of(REJECTED, [])}

    save_tables({**tables, "rejected": pa.concat_tables([refused, refused])}, folder)
    save_tables({**tables, "rejected": refused}, folder)
    read = read_tables(folder, NAMES)

    assert {path.name for path in (tmp_path / "run-1").iterdir()} == set(NAMES), "links are no contract"
    assert list(read) == NAMES
    assert all(read[table.name].schema == arrow_schema(table) for table in RESULTS)
    assert read["rejected"].to_table().to_pylist() == refused.to_pylist()
    assert read["nodes"].count_rows() == 0
    assert list(read_tables(folder, ["nodes", "of a later version"])) == ["nodes"]


def test_what_is_saved_is_read_by_arrow_pandas_and_duckdb_alike(tmp_path: Path) -> None:
    saved_tables(LocalFolder(str(tmp_path)))

    assert pq.read_table(tmp_path / "motif_hits").to_pylist() == [HIT]
    assert read_tables(LocalFolder(str(tmp_path)), ["features"])["features"].to_table().to_pylist() == [FEATURE]
    pd = pytest.importorskip("pandas")
    frame = pd.read_parquet(tmp_path / "motif_hits")
    assert (frame["started_at"][0], list(frame["episodes"][0])) == (pd.Timestamp(T1), HIT["episodes"])
    with closing(duckdb.connect()) as connection:
        found = connection.sql(f"SELECT epoch_us(ended_at), path FROM '{tmp_path}/motif_hits/*.parquet'").fetchall()
    assert found == [(int(HIT["ended_at"].timestamp()) * 1_000_000 + 999_999, HIT["path"])]


def test_a_column_is_given_its_declared_type_and_one_that_is_missing_is_an_error(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    with Engine() as engine:  # what SQL makes of whole numbers is often narrower or wider
        narrow = engine.query(
            "SELECT * REPLACE (2::INTEGER AS n_alerts, 3::HUGEINT AS n_hosts) FROM f",
            {"f": table_of(FEATURES, [FEATURE])},
        )
    save_tables(empty_tables() | {"features": narrow}, folder)
    (row,) = read_tables(folder, ["features"])["features"].to_table().to_pylist()
    assert (row["n_alerts"], row["n_hosts"], row["rarest"]) == (2, 3, FEATURE["rarest"])

    with pytest.raises(SchemaError, match="table nodes has another shape: no such column: zone"):
        save_tables(empty_tables() | {"nodes": empty_tables()["nodes"].drop_columns(["zone"])}, folder)


def test_a_table_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = LocalFolder(str(tmp_path))
    before = saved_tables(folder)

    def torn(table: pa.Table, file: Path) -> None:
        file.write_bytes(b"PAR1")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", torn)
    with pytest.raises(ResultsError, match=r"cannot write .*: No space left on device"):
        save_tables(empty_tables(), folder)
    assert read_tables(folder, ["motif_hits"])["motif_hits"].to_table() == before["motif_hits"]
    with pytest.raises(ResultsError, match=r"cannot write .*/new/subgraphs: No space left on device"):
        save_tables(empty_tables(), LocalFolder(f"{tmp_path}/new"))
    assert read_tables(LocalFolder(f"{tmp_path}/new"), NAMES) == {}


def test_the_record_is_json_at_the_top_of_the_folder_and_can_be_written_again(tmp_path: Path) -> None:
    when = datetime(2026, 3, 2, tzinfo=timezone.utc)
    folder = LocalFolder(str(tmp_path / "run-1"))
    with pytest.raises(ResultsError, match=r"run-1 holds no run\.json"):
        read_run(folder)

    for engine in ("graphframes", "driver"):
        save_run(folder, {"engine": engine, "site": "Müller → Söhne", "at": when})

    assert json.loads((tmp_path / "run-1" / "run.json").read_text(encoding="utf-8")) == read_run(folder)
    assert read_run(folder) == {"engine": "driver", "site": "Müller → Söhne", "at": "2026-03-02 00:00:00+00:00"}
    assert [path.name for path in (tmp_path / "run-1").iterdir()] == ["run.json"]


def test_a_folder_that_cannot_be_made_is_known_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match=r"results\.path: cannot make .*/file/run-1: Not a directory"):
        LocalFolder(str(tmp_path / "file" / "run-1")).make()
    LocalFolder(str(tmp_path / "a" / "run-1")).make()
    assert (tmp_path / "a" / "run-1").is_dir()


def test_what_a_path_means_without_a_session(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    for place in (str(tmp_path), f"file:{tmp_path}", f"file://{tmp_path}"):
        assert is_local(place)
        assert open_folder(place).read("run.json") == b"{}"
        assert open_folder(place).place == place, "as the operator named it"
    for place in ("abfss://soc@lake.dfs.core.windows.net/results/run-1", "dbfs:/results/run-1", "hdfs:///results"):
        assert not is_local(place)


# --- on every file system --------------------------------------------------------------------------------------------


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> str:
    """A URL that is no path of this machine, by Hadoop's view file system over a folder of this test."""
    conf: Any = spark._jsc.hadoopConfiguration()  # type: ignore[union-attr]  # none only before it starts
    conf.set("fs.viewfs.mounttable.lake.link./results", (tmp_path / "lake").as_uri())
    conf.set("fs.viewfs.impl.disable.cache", "true")  # another test is another folder
    (tmp_path / "lake").mkdir()
    return "viewfs://lake/results"


@pytest.fixture(params=["this machine", "the same by Hadoop", "a lake"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], RunFolder]:
    if request.param == "this machine":
        return lambda name: LocalFolder(str(tmp_path / name))
    spark = request.getfixturevalue("spark")
    root = str(tmp_path) if "same" in request.param else request.getfixturevalue("lake")
    return lambda name: HadoopFolder(spark, f"{root}/{name}")


def test_the_folder_of_a_run_keeps_files_whole(place: Callable[[str], RunFolder]) -> None:
    folder = place("run-1")

    assert folder.names("posted/x") == folder.names() == []
    assert folder.read("posted/x/plan.json") is None
    for content in (b"one", "zwölf \x00".encode()):
        folder.write("posted/x/plan.json", content)
        assert folder.read("posted/x/plan.json") == content
    folder.write("posted/x/b", b"")
    assert folder.names("posted/x") == ["b", "plan.json"]
    assert folder.names("posted") == [], "folders are none of its files"
    folder.remove("posted/x/b")
    folder.remove("posted/x/b")
    assert folder.names("posted/x") == ["plan.json"]


def test_a_table_on_any_file_system_is_saved_read_and_replaced(place: Callable[[str], RunFolder]) -> None:
    folder = place("run-1")
    folder.make()
    saved_tables(folder)
    for reader in (folder, place("run-1")):  # the one that wrote, and another run of the program
        assert read_tables(reader, ["motif_hits"])["motif_hits"].to_table().to_pylist() == [HIT]
        assert read_tables(reader, ["links"]) == {}
    save_tables(empty_tables(), folder)
    for reader in (folder, place("run-1")):
        assert read_tables(reader, ["motif_hits"])["motif_hits"].count_rows() == 0


def test_files_and_folders_of_a_folder_are_listed_copied_here_and_removed(place: Callable[[str], RunFolder]) -> None:
    folder = place("history")
    assert (folder.folders(), folder.file("part"), folder.here("folding-1")) == ([], None, None)
    folder.make("history.path")
    folder.write("part", b"rows")
    folder.write("folding-1/rows", b"more")
    folder.write("other/rows", b"")
    assert (folder.names(), folder.folders()) == (["part"], ["folding-1", "other"])
    for _ in range(2):  # a copy is made once
        here, inside = folder.file("part"), folder.here("folding-1")
        assert here is not None
        assert inside is not None
        assert (here.read_bytes(), [file.name for file in inside.iterdir()]) == (b"rows", ["rows"])
    for _ in range(2):
        folder.clear("folding-1")
        folder.remove("part")
    assert (folder.names(), folder.folders(), folder.here("folding-1")) == ([], ["other"], None)
    assert place("history").file("part") is None


# --- beside Spark ----------------------------------------------------------------------------------------------------


def test_with_a_session_hadoop_says_what_is_this_machine(spark: SparkSession, tmp_path: Path, lake: str) -> None:
    here, there = open_folder(str(tmp_path), spark), open_folder(f"{lake}/run-1", spark)
    assert (type(here), here.place) == (LocalFolder, str(tmp_path))
    assert (type(there), there.place) == (HadoopFolder, f"{lake}/run-1")
    spark._jsc.hadoopConfiguration().set("fs.defaultFS", "viewfs://lake")  # type: ignore[union-attr]
    try:
        assert type(open_folder("/results/run-1", spark)) is HadoopFolder, "a cluster's own paths"
    finally:
        spark._jsc.hadoopConfiguration().unset("fs.defaultFS")  # type: ignore[union-attr]


def test_tables_of_spark_and_of_arrow_make_one_folder(spark: SparkSession, lake: str) -> None:
    member = ("sg-1", "a-1", None, "plant", "0" * 16, "core")
    by_spark: dict[str, Any] = {
        "members": spark.createDataFrame([member], MEMBERS.ddl),
        "motif_hits": spark.createDataFrame([tuple(HIT.values())], MOTIF_HITS.ddl),
    }
    folder = open_folder(f"{lake}/run-1", spark)
    folder.make()
    save_tables({**empty_tables(), **by_spark, "features": table_of(FEATURES, [FEATURE])}, folder)
    for table in RESULTS:
        fields = read_frame(spark, folder, table.name).schema.fields
        assert [(f.name, f.dataType.simpleString()) for f in fields] == [(c.name, c.type) for c in table.columns]
    read = read_tables(folder, NAMES)
    assert read["members"].to_table().to_pylist() == [dict(zip(MEMBERS.names, member, strict=True))]
    assert read["motif_hits"].to_table().to_pylist() == [HIT], "Spark's own form of a time is UTC too"


def test_spark_reads_from_what_was_saved_without_it_what_it_would_have_saved(
    spark: SparkSession, tmp_path: Path
) -> None:
    saved_tables(LocalFolder(str(tmp_path / "arrow")))
    by_spark: DataFrame = spark.createDataFrame([tuple(HIT.values())], MOTIF_HITS.ddl)
    by_spark.write.parquet(str(tmp_path / "spark"))
    one, other = (spark.read.parquet(str(tmp_path / p)).collect() for p in ("arrow/motif_hits", "spark"))
    assert one == other
    (row,) = spark.read.parquet(str(tmp_path / "arrow" / "features")).collect()
    assert (row["n_alerts"], row["quietest"]["seen_hours"], row["rarest"][0]["name"]) == (2**53 + 1, 1, "Stop PLC")


def test_a_file_that_hadoop_wrote_is_written_anew_and_read_by_both(spark: SparkSession, tmp_path: Path) -> None:
    by_hadoop, here = HadoopFolder(spark, str(tmp_path)), LocalFolder(str(tmp_path))
    stream = by_hadoop._system.create(by_hadoop._path("run.json"), True)  # as versions before this one did
    stream.write(bytearray(b"{}"))
    stream.close()
    assert (tmp_path / ".run.json.crc").exists()
    here.write("run.json", b"[]")
    assert (by_hadoop.read("run.json"), here.read("run.json")) == (b"[]", b"[]"), "a stale checksum would be an error"


def test_a_record_is_never_lost_while_it_is_replaced(spark: SparkSession, tmp_path: Path) -> None:
    folder = HadoopFolder(spark, str(tmp_path / "run-1"))
    with pytest.raises(ResultsError, match=r"run-1 holds no run\.json"):
        read_run(folder)
    save_run(folder, {"run_id": "run-1"})
    assert read_run(folder) == {"run_id": "run-1"}
    (tmp_path / "run-1" / "run.json").rename(tmp_path / "run-1" / "run.json.new")  # killed between delete and rename
    (tmp_path / "run-1" / ".run.json.crc").unlink(missing_ok=True)
    assert read_run(folder) == {"run_id": "run-1"}


@pytest.mark.parametrize("call", ["copyFromLocalFile", "rename", "copyToLocalFile"])
def test_a_table_whose_copy_breaks_off_is_not_there_and_is_copied_again(
    call: str, spark: SparkSession, tmp_path: Path
) -> None:
    folder = HadoopFolder(spark, str(tmp_path / "run-1"))
    saved_tables(HadoopFolder(spark, str(tmp_path / "run-1")))
    system = folder._system

    class Broken:
        def __getattr__(self, name: str) -> Any:
            if name != call:
                return getattr(system, name)

            def fail(*arguments: Any) -> None:
                if call == "copyToLocalFile":
                    Path(arguments[2].toUri().getPath()).mkdir()
                raise OSError(104, "Connection reset by peer")

            return fail

    folder._system = Broken()
    with pytest.raises(ResultsError, match=r"cannot (read|write) .*: Connection reset by peer"):
        if call == "copyToLocalFile":
            folder.here("motif_hits")
        else:
            save_tables(empty_tables(), folder)
    folder._system = system
    if call != "rename":  # the old one gives way just before
        assert read_tables(folder, ["motif_hits"])["motif_hits"].to_table().to_pylist() == [HIT]
    save_tables(empty_tables(), folder)
    assert read_tables(folder, ["motif_hits"])["motif_hits"].count_rows() == 0


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
            if name == "copyFromLocalFile":
                Path(arguments[-1].toUri().getPath()).write_bytes(b"{")
            raise Killed

        return call


CHANGES = ("copyFromLocalFile", "rename", "delete")


def test_a_kill_at_any_moment_of_a_write_leaves_the_old_or_the_new_file_and_never_a_torn_one(
    spark: SparkSession, tmp_path: Path
) -> None:
    def killed(name: str, content: bytes, lives: int) -> bool:
        folder = HadoopFolder(spark, str(tmp_path))
        folder._system = Mortal(folder._system, lives)
        try:
            folder.write(name, content)
        except Killed:
            return True
        return False

    def read(name: str) -> bytes | None:
        return HadoopFolder(spark, str(tmp_path)).read(name)

    moments = 0
    for first in range(7):
        for second in range(7):
            name = f"run-{first}-{second}.json"
            is_killed = killed(name, b"old", first)
            assert read(name) in ({None, b"old"} if is_killed else {b"old"}), (first, second)
            before = read(name)
            is_killed |= killed(name, b"new", second)
            assert read(name) in ({before, b"new"} if is_killed else {b"new"}), (first, second)
            HadoopFolder(spark, str(tmp_path)).write(name, b"last")
            assert read(name) == b"last"
            moments += is_killed
    assert 20 < moments < 60, "some were killed, some were not"


@pytest.mark.parametrize("step", ["open", "unlink", "replace"])
def test_so_on_this_machine(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = LocalFolder(str(tmp_path))
    folder.write("run.json", b"old")

    def kill(path: Path, *_: Any, **__: Any) -> None:
        if step == "open":
            os.close(os.open(path, os.O_CREAT))  # torn: it is there, and holds nothing
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, kill)
        with pytest.raises(Killed):
            folder.write("run.json", b"new")
    assert (folder.read("run.json"), folder.names()) == (b"old", ["run.json"])
    (tmp_path / ".run.json.part").unlink(missing_ok=True)
    (tmp_path / ".run.json.part").symlink_to(tmp_path / "of another")  # no write goes through a link
    folder.write("run.json", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
