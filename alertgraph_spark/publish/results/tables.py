"""What stands in the folder of a run: its tables and `run.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.errors import ResultsError
from alertgraph_spark.publish.results.folder import RunFolder
from alertgraph_spark.tables.embedded import arrow_type, conform_arrow
from alertgraph_spark.tables.schemas import RESULTS
from alertgraph_spark.tables.table import Table

PARALLEL_WRITES = 4
"""Tables written at a time: most are small, and their cost is planning, not data."""

PART = "part-00000.parquet"
"""The one file of a table that is written here."""


def save_tables(tables: Mapping[str, DataFrame | pa.Table], folder: RunFolder) -> None:
    """Write the results tables of a run as Parquet, each to the folder of its name.

    What an interrupted run left there is replaced. An Arrow table is written by this process as one file, without a
    Spark job. A DataFrame is written by Spark, from where its rows are. Times of the former are UTC in microseconds;
    those of the latter are as Spark is set up.

    Parameters
    ----------
    tables
        By name. Only tables of `schemas.RESULTS` are written; their names are a contract.
    folder
        The folder of the run.

    Raises
    ------
    SchemaError
        If an Arrow table has not the columns of its declaration.
    ResultsError
        If the folder cannot be written.
    """

    def write(table: Table) -> None:
        found = tables[table.name]
        if isinstance(found, pa.Table):
            rows = conform_arrow(found, table)
            folder.put(table.name, lambda path: pq.write_table(rows, path / PART))
        else:
            found.write.mode("overwrite").parquet(f"{folder.place}/{table.name}")

    with ThreadPoolExecutor(PARALLEL_WRITES) as pool:
        list(pool.map(write, [table for table in RESULTS if table.name in tables]))


def read_tables(folder: RunFolder, names: Iterable[str]) -> dict[str, ds.Dataset]:
    """Open the saved tables of a run.

    Parameters
    ----------
    folder
        The folder of the run.
    names
        Names of tables. One that an older version did not save is left out.

    Returns
    -------
    dict
        Datasets by name, with the columns that were saved; times are UTC in microseconds, whoever wrote them. Of a
        folder on this machine nothing is read until it is asked for.
    """
    found = {name: folder.here(name) for name in names}
    return {name: _dataset(path) for name, path in found.items() if path}


def _dataset(path: Path) -> ds.Dataset:
    form = ds.ParquetFileFormat(coerce_int96_timestamp_unit="us")
    saved = ds.dataset(path, format=form).schema
    utc = arrow_type("timestamp")  # Spark's own form of a time is read without its zone
    fields = [field.with_type(utc) if pa.types.is_timestamp(field.type) else field for field in saved]
    return ds.dataset(path, format=form, schema=pa.schema(fields))


def read_frame(spark: SparkSession | None, folder: RunFolder, name: str) -> DataFrame:
    """A saved table of a run as Spark reads it, for what is too large for this process; without one, the active session."""
    return (spark or SparkSession.active()).read.parquet(f"{folder.place}/{name}")


def save_run(folder: RunFolder, record: Mapping[str, Any]) -> None:
    """Write `run.json`, which comes last: a results folder without it is of a run that did not finish.

    Parameters
    ----------
    folder
        The folder of the run.
    record
        What `run.json` is to hold.
    """
    folder.write("run.json", json.dumps(record, indent=2, default=str).encode())


def read_run(folder: RunFolder) -> dict[str, Any]:
    """Read what `run.json` holds.

    Parameters
    ----------
    folder
        The folder of the run.

    Returns
    -------
    dict
        As `save_run` took it.

    Raises
    ------
    ResultsError
        If the folder is not that of a run that was saved, or cannot be read, or if a newer version saved one of its
        tables.
    """
    try:
        record: dict[str, Any] = json.loads(folder.read("run.json") or b"")
    except ValueError:
        raise ResultsError(
            f"{folder.place} holds no run.json: no such run, or one whose results were not saved"
        ) from None
    # Of an older version what is missing is told by whoever wants it; what is newer may mean something else.
    saved = record.get("schema_versions", {})
    if newer := [table.name for table in RESULTS if saved.get(table.name, 0) > table.version]:
        raise ResultsError(f"{folder.place}: {', '.join(newer)} saved by a newer version; update alertgraph-spark")
    return record
