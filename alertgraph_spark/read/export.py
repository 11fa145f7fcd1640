"""Read what a Log Analytics data export rule wrote: JSON lines in 5-minute folders of UTC TimeGenerated.

The layout names the month and the minute alike, `y=/m=/d=/h=/m=/`, so Spark's partition discovery fails on it. We hand
Spark day folders, and hour folders where the window ends inside a day, with `recursiveFileLookup`: six times faster than
a list of files, and no partition columns.

References
----------
https://learn.microsoft.com/azure/azure-monitor/logs/logs-data-export
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.errors import SourceError
from alertgraph_spark.read.export_layout import (
    BUCKET,
    DayFolder,
    container_of,
    container_url,
    day_folder,
    days_inside,
    midnight,
    spellings,
)
from alertgraph_spark.read.listing import list_paths

log = logging.getLogger("alertgraph_spark.export")  # beside the stages: which container served is for the job's own log

# /subscriptions/<id>/resourcegroups/<name>/providers/microsoft.operationalinsights/workspaces/<name>, in any case of letters
WORKSPACES = "WorkspaceResourceId=" + "/*" * 8
_HOUR = re.compile(r"/h=(\d{2})/?$")


def list_days(
    spark: SparkSession,
    root: str,
    tables: Mapping[str, str | None],
    workspaces: Sequence[str] | str = "all",
    *,
    may_be_absent: bool = False,
) -> list[DayFolder]:
    """List the day folders of the export.

    One glob a table over any file system that Hadoop knows (file, abfss); the driver lists folders only, never files.

    Parameters
    ----------
    spark
        The session.
    root
        The setting `export.root`, with or without `{container}`.
    tables
        Table to the container that holds it; None for the one that is named after the table.
    workspaces
        Names of the workspaces to read, in any case of letters. A site is a workspace's name in lower case.
    may_be_absent
        Give no folder where there is none, in place of an error.

    Returns
    -------
    list of DayFolder
        In order of table, site and day.

    Raises
    ------
    SourceError
        If the root cannot be listed, or no table has any folder; says what was looked for, and what is there.
    """
    wanted = None if workspaces == "all" else {w.lower() for w in workspaces}
    is_asked = "{container}" in root  # a storage account lists no containers to a file system, so each is asked for
    have = [] if is_asked else list_containers(spark, root)
    found = []
    looked_for = []
    for table, named in tables.items():
        expected = named or container_of(table, have)
        for container in spellings(expected) if is_asked and not named else (expected,):
            pattern = f"{container_url(root, container)}/{WORKSPACES}/y=*/m=*/d=*"
            looked_for.append(pattern)
            folders = [day for path in list_paths(spark, pattern, is_asked) if (day := day_folder(table, path))]
            found += folders
            if folders:
                log.info("table %s is read from the container %s", table, container)
                break
    chosen = [d for d in found if wanted is None or d.site in wanted]
    if not found and not may_be_absent:
        there = f"; the root holds {', '.join(sorted(have))}" if have else ""
        raise SourceError(f"the export holds no alerts: no folder matches any of {', '.join(looked_for)}{there}")
    if not chosen and not may_be_absent:
        sites = ", ".join(sorted({d.site for d in found}))
        raise SourceError(f"no alerts of the workspaces {', '.join(sorted(wanted or ()))}: the export holds {sites}")
    return sorted(chosen, key=lambda d: (d.table, d.site, d.day))


def list_containers(spark: SparkSession, root: str) -> list[str]:
    """The names of the containers that a root lists, in order; none where it is no folder.

    Raises
    ------
    SourceError
        If the root cannot be listed.
    """
    return sorted(path.rsplit("/", 1)[1] for path in list_paths(spark, container_url(root, "am-*")))


def read_export(
    spark: SparkSession, days: Sequence[DayFolder], columns: Mapping[str, Sequence[str]], start: datetime, end: datetime
) -> dict[str, DataFrame]:
    """Read every exported line whose folder lies in the window, table by table.

    Parameters
    ----------
    spark
        The session.
    days
        What `list_days` found.
    columns
        Table name to the exported columns in use. All are read as text: a number, a boolean or an object where text is
        expected stays text, so that a drift of the schema loses nothing.
    start
        Begin of the window, aware; folders of the hours that the window touches are read. Rows are not filtered here.
    end
        End of the window, aware and not in it.

    Returns
    -------
    dict
        Table to its lines, but for blank ones: `file`, `table`, `site`, `TimeGenerated`, `_ItemId`, `_corrupt_record`
        (the line, where it is not one JSON object) and the table's own columns. A table without a folder has no rows: a
        site that never had an OT alert is read by the same formats.

    Raises
    ------
    SourceError
        If no folder lies in the window; says which days there are.
    """
    days_inside(days, start, end)
    paths = {
        table: _paths(spark, [d for d in days if d.table == table], start - BUCKET, end + BUCKET) for table in columns
    }
    if not any(paths.values()):
        raise SourceError(f"no alerts between {start.isoformat()} and {end.isoformat()}: no hour folder lies there")
    for table in columns:
        if not paths[table]:
            log.warning("table %s has no folder in the window", table)
    return {table: read_folders(spark, table, paths[table], names) for table, names in columns.items()}


def bytes_of(frames: Iterable[DataFrame]) -> int:
    """Bytes of the files that some frames read, as they were listed; no file is opened."""
    total = 0
    for frame in frames:
        plan: Any = frame
        leaves = plan._jdf.queryExecution().analyzed().collectLeaves()
        total += sum(int(leaves.apply(n).stats().sizeInBytes()) for n in range(leaves.size()))
    return total


def _paths(spark: SparkSession, days: Sequence[DayFolder], start: datetime, end: datetime) -> list[str]:
    """Day folders that lie in the window whole, and the hour folders of the days that it cuts."""
    paths = []
    for day in days:
        begin = midnight(day.day)
        if start <= begin and begin + timedelta(days=1) <= end:
            paths.append(day.path)
        elif start < begin + timedelta(days=1) and begin < end:
            for path in list_paths(spark, f"{day.path}/h=*"):
                hour = _HOUR.search(path)
                at = begin + timedelta(hours=int(hour[1])) if hour else None
                if at and at < end and start < at + timedelta(hours=1):
                    paths.append(path)
    return paths


def read_folders(spark: SparkSession, table: str, paths: Sequence[str], columns: Sequence[str]) -> DataFrame:
    """Read the lines of one table in some folders, as `read_export` gives them; no rows where there is no folder.

    Parsed here: Spark's JSON reader loses a second object on a line, and an empty array.
    """
    names = dict.fromkeys(["TimeGenerated", "_ItemId", *columns, "_corrupt_record"])
    schema = ", ".join(f"`{name}` string" for name in names)
    if not paths:
        return spark.createDataFrame([], f"file string, table string, site string, {schema}")
    text = (
        spark.read.option("recursiveFileLookup", "true")
        .option("pathGlobFilter", "*.json")
        .option("lineSep", "\n")  # else a carriage return would end a line too
        .text(list(paths))
    )
    line = _trimmed(F.col("value"))
    is_blank = ~line.startswith("{") & ~line.rlike(r"\S")  # the first is cheap, and true of nearly no line
    row = F.from_json(line, schema, {"columnNameOfCorruptRecord": "_corrupt_record"})
    file = F.col("_metadata.file_path")
    site = F.lower(_workspace_of(file))
    lines = text.filter(~is_blank).select(line.alias("value"), file.alias("file"), site.alias("site"), row.alias("row"))
    corrupt = F.when(_is_one_object(F.col("value")), F.col("row._corrupt_record")).otherwise(F.col("value"))
    return lines.select(
        "file",
        F.lit(table).alias("table"),
        "site",
        *[F.col(f"row.`{name}`") for name in names if name != "_corrupt_record"],
        corrupt.alias("_corrupt_record"),
    )


def _workspace_of(file: Column) -> Column:
    """The folder behind `/workspaces/` in a path; a pattern that ignores case is dear, and hardly ever needed."""
    inner = F.substring_index(F.substring_index(file, "/workspaces/", -1), "/", 1)
    return F.when(file.contains("/workspaces/"), inner).otherwise(F.regexp_extract(file, "(?i)/workspaces/([^/]+)/", 1))


_NOT_SEEN = r"[\x{0}\t\r\n \x{feff}]"
AROUND_A_LINE = rf"^{_NOT_SEEN}++|(?<!{_NOT_SEEN}){_NOT_SEEN}++$"


def _trimmed(line: Column) -> Column:
    """A line without what files bring along: a byte order mark, NULs where a disk was full or a copy broke off, returns."""
    is_bare = line.startswith("{") & line.endswith("}")
    return F.when(is_bare, line).otherwise(F.regexp_replace(line, AROUND_A_LINE, ""))


_STRINGS = r'(?<!\\)"[^"\\]*+(?:\\.[^"\\]*+)*+"'
"""A JSON string; possessive, since Java's regular expressions recurse on anything that may be given back. In a torn line no
escaped quote begins one, else each would be followed to the end of the line."""


def _is_one_object(line: Column) -> Column:
    """Whether a line that parses holds nothing but one object; exact, and cheap for a line that clearly does."""
    is_plain = line.startswith("{") & line.endswith("}") & ~line.contains("}{") & ~line.contains("} {")
    without_strings = F.regexp_replace(F.regexp_replace(line, _STRINGS, ""), r"\s", "")
    is_object = without_strings.startswith("{") & without_strings.endswith("}") & ~without_strings.contains("}{")
    return F.when(is_plain, F.lit(True)).otherwise(is_object)
