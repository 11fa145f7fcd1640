"""Save a run: its tables as Parquet, then `run.json`, which says that they are complete."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.errors import ResultsError
from alertgraph_spark.schemas import RESULTS

_TORN, _NEW = ".part", ".new"
"""What a file is called until it is whole, and then until it has taken the place of an older one."""

PARALLEL_WRITES = 4
"""Tables written at a time: most are small, and their cost is planning, not data."""


def make_folder(spark: SparkSession, folder: str) -> None:
    """Make the results folder of a run, so that one that cannot be written is known before the work, not after it.

    Raises
    ------
    ResultsError
        With the folder and the file system's reason.
    """
    try:
        system, path = _hadoop(spark, folder)
        is_made = system.mkdirs(path)
    except Py4JJavaError as error:
        raise ResultsError(f"results.path: cannot make {folder}: {error.java_exception.getMessage()}") from error
    if not is_made:
        raise ResultsError(f"results.path: cannot make {folder}: the file system refused")


def save_tables(tables: Mapping[str, DataFrame], folder: str) -> None:
    """Write each results table to `folder/<name>` as Parquet, replacing what an interrupted run left there.

    Only the tables of `schemas.RESULTS` are written; their names are a contract.
    """

    def write(name: str) -> None:
        tables[name].write.mode("overwrite").parquet(f"{folder}/{name}")

    with ThreadPoolExecutor(PARALLEL_WRITES) as pool:
        list(pool.map(write, (table.name for table in RESULTS)))


def read_tables(spark: SparkSession, folder: str) -> dict[str, DataFrame]:
    """The saved tables of a run by name: what is posted is what was saved. One that an older version did not save is not
    there.
    """
    system, root = _hadoop(spark, folder)
    jvm: Any = spark._jvm
    names = [t.name for t in RESULTS if system.exists(jvm.org.apache.hadoop.fs.Path(root, t.name))]
    return {name: spark.read.parquet(f"{folder}/{name}") for name in names}


class RunFolder:
    """The folder of one run through Hadoop's file system, so that a lake path works like a local one."""

    def __init__(self, spark: SparkSession, folder: str) -> None:
        """Take the run's folder, which need not be there yet."""
        self._jvm: Any = spark._jvm
        self._system, self._root = _hadoop(spark, folder)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in `folder` below the run's; none where there is no such folder."""
        path = self._path(folder)
        if not self._system.exists(path):
            return []
        return [str(status.getPath().getName()) for status in self._system.listStatus(path) if status.isFile()]

    def read(self, name: str) -> bytes | None:
        """Return what a file holds, None where there is none."""
        for path in (self._path(name), self._path(f"{name}{_NEW}")):  # both are whole
            if self._system.exists(path):
                stream = self._system.open(path)
                try:
                    return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
                finally:
                    stream.close()
        return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole: at every moment the old or the new content can be read, none where there was none."""
        path, new, torn = (self._path(f"{name}{end}") for end in ("", _NEW, _TORN))
        stream = self._system.create(torn, True)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()
        if self._system.exists(new):  # an earlier write was killed in its last step
            self._replace(path, new)
        if self._system.exists(path):
            self._system.rename(torn, new)
            self._replace(path, new)
        else:
            self._system.rename(torn, path)

    def _replace(self, path: Any, new: Any) -> None:
        self._system.delete(path, False)
        self._system.rename(new, path)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        self._system.delete(self._path(name), False)

    def _path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self._root, name)


def save_run(spark: SparkSession, folder: str, record: Mapping[str, Any]) -> None:
    """Write `run.json` last: a results folder without it is of a run that did not finish."""
    RunFolder(spark, folder).write("run.json", json.dumps(record, indent=2, default=str).encode())


def read_run(spark: SparkSession, folder: str) -> dict[str, Any]:
    """Return what `run.json` holds.

    Raises
    ------
    ResultsError
        If the folder is not that of a run that was saved.
    """
    try:
        record: dict[str, Any] = json.loads(RunFolder(spark, folder).read("run.json") or b"")
    except (Py4JJavaError, ValueError):
        raise ResultsError(f"{folder} holds no run.json: no such run, or one whose results were not saved") from None
    return record


def _hadoop(spark: SparkSession, place: str) -> tuple[Any, Any]:
    """Hadoop's file system of a place, and the place as its path."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(place)
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path
