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
    """The saved tables of a run by name: what is posted is what was saved."""
    return {table.name: spark.read.parquet(f"{folder}/{table.name}") for table in RESULTS}


def save_run(spark: SparkSession, folder: str, record: Mapping[str, Any]) -> None:
    """Write `run.json` last: a results folder without it is of a run that did not finish.

    Goes through Hadoop's file system, so that a lake path works like a local one.
    """
    system, path = _hadoop(spark, f"{folder}/run.json")
    stream = system.create(path, True)
    try:
        stream.write(bytearray(json.dumps(record, indent=2, default=str).encode()))
    finally:
        stream.close()


def _hadoop(spark: SparkSession, place: str) -> tuple[Any, Any]:
    """Hadoop's file system of a place, and the place as its path."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(place)
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path
