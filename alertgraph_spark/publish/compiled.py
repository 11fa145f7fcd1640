"""The compiled data set: all alerts of a window as one file of JSON lines and one of Parquet, for work outside Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.errors import ResultsError
from alertgraph_spark.tables.frames import conform
from alertgraph_spark.tables.schemas import ALERTS

ORDER = ("observed_at", "alert_id", "site", "source")
"""An alert's id is unique within a site and a format: the same alerts give the same file."""

_JSON_SUFFIXES = (".jsonl", ".json")
_TIMES = "spark.sql.parquet.outputTimestampType"


def files_of(path: str) -> dict[str, str]:
    """Where the two files go: `json` and `parquet`.

    Examples
    --------
    >>> files_of("out/march.jsonl")
    {'json': 'out/march.jsonl', 'parquet': 'out/march.parquet'}
    >>> files_of("out/march.parquet")
    {'json': 'out/march.jsonl', 'parquet': 'out/march.parquet'}
    >>> files_of("abfss://soc@lake.dfs.core.windows.net/march/")["json"]
    'abfss://soc@lake.dfs.core.windows.net/march/alerts.jsonl'
    """
    stem, dot, suffix = path.rpartition(".")
    if dot + suffix in _JSON_SUFFIXES:
        return {"json": path, "parquet": f"{stem}.parquet"}
    if dot + suffix == ".parquet":
        return {"json": f"{stem}.jsonl", "parquet": path}
    folder = path.rstrip("/")
    return {"json": f"{folder}/alerts.jsonl", "parquet": f"{folder}/alerts.parquet"}


def words(compiled: Mapping[str, Any]) -> str:
    """What `write_compiled` told, in words."""
    return f"{compiled['rows']:,} alerts in {compiled['json']} and {compiled['parquet']}"


def make_room(spark: SparkSession, path: str) -> None:
    """Make the folder of the two files before the work, so that a place that cannot be written is known early.

    Parameters
    ----------
    spark
        The session, which knows the file systems.
    path
        As `files_of` takes it.

    Raises
    ------
    ResultsError
        If it cannot be made, or a folder stands where a file is to be written. The message names the place and the
        reason.
    """
    if wild := set(path) & set("*?[]{}"):
        raise ResultsError(f"--compile: cannot write {path}: Spark reads {min(wild)} in a path as a wildcard")
    for file in files_of(path).values():
        try:
            system, place = _hadoop(spark, file)
            is_made = system.mkdirs(place.getParent())
            is_folder = system.exists(place) and system.getFileStatus(place).isDirectory()
        except Py4JJavaError as error:
            raise ResultsError(f"--compile: cannot write {file}: {error.java_exception.getMessage()}") from error
        if not is_made or is_folder:
            reason = "a folder has this name" if is_folder else "the file system refused its folder"
            raise ResultsError(f"--compile: cannot write {file}: {reason}")


def write_compiled(alerts: DataFrame, path: str) -> dict[str, Any]:
    """Write alerts as two files with the same rows and columns, JSON lines and Parquet.

    In JSON times are ISO 8601 in UTC to the microsecond. A null is written, so that every line has every key. An
    earlier file of that name is replaced when the new one is whole.

    Parameters
    ----------
    alerts
        One row is one alert, with all columns of `schemas.ALERTS`.
    path
        As `files_of` takes it.

    Returns
    -------
    dict
        `rows`, their number, and the paths `json` and `parquet`. Rows are in order of `ORDER`.

    Notes
    -----
    Alerts are sorted in one task, which spills to disk: one file is what is asked for. JSON is made from the Parquet file.
    """
    spark, files = alerts.sparkSession, files_of(path)
    before = str(spark.conf.get(_TIMES))
    # Spark's own default, INT96, is read without its time zone elsewhere.
    spark.conf.set(_TIMES, "TIMESTAMP_MICROS")
    try:
        in_one_file = conform(alerts, ALERTS).repartition(1).sortWithinPartitions(*ORDER)
        _publish(spark, files["parquet"], in_one_file.write.parquet)
    finally:
        spark.conf.set(_TIMES, before)
    saved = spark.read.parquet(files["parquet"])
    lines = (
        saved.repartition(1)
        .sortWithinPartitions(*ORDER)
        .write.option("ignoreNullFields", "false")
        .option("timestampFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX")
        .option("timeZone", "UTC")
        .option("compression", "none")
    )
    _publish(spark, files["json"], lines.json)
    return {"rows": saved.count(), **files}


def _publish(spark: SparkSession, file: str, write: Callable[[str], None]) -> None:
    """Write into a folder beside the file, then rename its one part: nobody ever reads half a file."""
    system, place = _hadoop(spark, file)
    jvm: Any = spark._jvm
    folder = jvm.org.apache.hadoop.fs.Path(place.getParent(), f"_{place.getName()}.{uuid4().hex}")
    try:
        write(folder.toString())
        written = (status.getPath() for status in system.listStatus(folder))
        (part,) = (path for path in written if path.getName().startswith("part-"))
        # A rename replaces a file on a local disk; other file systems refuse that.
        if not system.rename(part, place):
            system.delete(place, False)
            if not system.rename(part, place):
                raise ResultsError(f"--compile: cannot write {file}: the file system refused to rename {part}")
        # On a local disk Hadoop takes the part's checksum along.
        system.delete(jvm.org.apache.hadoop.fs.Path(place.getParent(), f".{place.getName()}.crc"), False)
    finally:
        system.delete(folder, True)


def _hadoop(spark: SparkSession, place: str) -> tuple[Any, Any]:
    """Hadoop's file system of a place, and the place as its whole path."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(place)
    system = path.getFileSystem(spark._jsc.hadoopConfiguration())
    return system, system.makeQualified(path)
