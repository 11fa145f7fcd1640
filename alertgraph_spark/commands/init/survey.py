"""What an export holds: its tables, sites and days, and a sample of each table; nothing is asked of whoever calls."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import NamedTuple

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.errors import SourceError
from alertgraph_spark.read import export
from alertgraph_spark.read.changes import ExportHour, list_hours
from alertgraph_spark.read.export_layout import DayFolder, container_of

KNOWN = ("SecurityAlert", "CommonSecurityLog", "SecurityIncident", "Corelight_CL")
"""Tables whose name Microsoft or a product has chosen; all others are somebody's own."""

DAYS = 8
"""Day folders of a table whose sizes are read: weekdays and a weekend, of several sites."""

SAMPLE_BYTES = 2_000_000
"""Bytes of a table that are looked at: some thousand rows."""

SAMPLE_ROWS = 2000
"""Rows of a table that are looked at, where one hour alone has more bytes."""

MOST_COLUMNS = 1000
"""Columns of a table that are told apart: Log Analytics has 500 at most."""

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


@dataclass(frozen=True)
class ExportedTable:
    """One table of the export, and where it is; `folders` are its days, one a site and day."""

    name: str
    container: str
    folders: tuple[DayFolder, ...]

    @property
    def sites(self) -> list[str]:
        """The workspaces that have it."""
        return sorted({folder.site for folder in self.folders})

    @property
    def days(self) -> list[date]:
        """The days on which any site has it."""
        return sorted({folder.day for folder in self.folders})


class Sample(NamedTuple):
    """A sample of a table: the folders that hold it, the columns that its rows have, and an estimate of the rows of a day.

    `called` is the table's name as its rows give it, None where they give none; all sites count to a day.
    """

    folders: list[str]
    columns: frozenset[str]
    rows_a_day: float
    called: str | None


def list_tables(spark: SparkSession, root: str, asked: Sequence[str]) -> list[ExportedTable]:
    """List the tables of an export. One that no row names is named after its container.

    Parameters
    ----------
    spark
        The session.
    root
        The setting `export.root`.
    asked
        Tables to ask for beside `KNOWN` where the root lists no containers: one with `{container}`.

    Returns
    -------
    list of ExportedTable
        In order of their containers.

    Raises
    ------
    SourceError
        If the root cannot be listed, or no container in it has the folder of a day.
    """
    if "{container}" in root:
        names = dict.fromkeys((*KNOWN, *asked))
        days = export.list_days(spark, root, dict.fromkeys(names), may_be_absent=True)
        wanted = f"asked for were {', '.join(names)}; name others by --table"
    else:
        containers = export.list_containers(spark, root)
        days = export.list_days(spark, root, {name: name for name in containers}, may_be_absent=True)
        wanted = f"it holds {', '.join(containers) or 'no container am-…'}"
    if not days:
        raise SourceError(f"{root}: no folder of a day, am-TABLE/WorkspaceResourceId=…/y=…/m=…/d=…, is there; {wanted}")
    found = []
    for table, of in groupby(days, key=lambda day: day.table):
        folders = tuple(of)
        container = _container_in(folders[0].path)
        found.append(ExportedTable(table if "{container}" in root else _named(container), container, folders))
    return found


def _container_in(path: str) -> str:
    """The part of a path that names the container: `am-securityalert`, also where an account stands behind it."""
    above = path.partition("/WorkspaceResourceId=")[0]
    parts = [part.partition("@")[0] for part in above.split("/")]
    return next(part for part in reversed(parts) if part.lower().startswith("am-"))


def _named(container: str) -> str:
    """A table's name by its container alone, whose letters are all small."""
    for name in KNOWN:
        if container_of(name, [container]) == container:
            return name
    plain = re.sub(r"[^a-z0-9_]", "_", container.lower().removeprefix("am-"))
    named = re.sub(r"_?cl$", "_CL", plain)
    return named if _NAME.fullmatch(named) else f"Table_{named}"


def take_sample(spark: SparkSession, table: ExportedTable) -> Sample:
    """Take some hours of some days of a table, and look at their lines as they stand."""
    some = spread(table.folders, DAYS)
    hours = list_hours(spark, some)
    folders = list(_paths(hours))
    if not folders:
        return Sample([], frozenset(), 0.0, None)
    lines = (
        spark.read.option("recursiveFileLookup", "true")
        .option("pathGlobFilter", "*.json")
        .text(folders)
        .filter(r"value rlike '\\S'")
        .limit(SAMPLE_ROWS)
        .selectExpr("octet_length(value) + 1 as size", "value", "get_json_object(value, '$.Type') as type")
    )
    (told,) = lines.agg(F.avg("size").alias("size"), F.mode("type").alias("type")).collect()
    columns = lines.selectExpr("explode(json_object_keys(value)) as name").distinct().limit(MOST_COLUMNS).collect()
    a_day = sum(hour.n_bytes for hour in hours) / len(some) * len(table.folders) / len(table.days)
    size = told["size"] or float("inf")  # files without a line
    return Sample(folders, frozenset(row["name"] for row in columns), a_day / size, told["type"])


def spread(folders: Sequence[DayFolder], most: int) -> list[DayFolder]:
    """At most so many of some folders, evenly over sites and days."""
    step = max(1.0, len(folders) / most)
    return [folders[int(number * step)] for number in range(min(most, len(folders)))]


def _paths(hours: Sequence[ExportHour]) -> Iterator[str]:
    """Folders of hours drawn at random, the same each time, as far as `SAMPLE_BYTES` go; one at least."""
    left = SAMPLE_BYTES
    for hour in random.Random(0).sample(hours, len(hours)):
        if left < SAMPLE_BYTES and hour.n_bytes > left:
            continue
        left -= hour.n_bytes
        for _, paths in hour.paths:
            yield from paths


def renamed(table: ExportedTable, name: str | None) -> ExportedTable:
    """The table under the name that its rows give it in `Type`, where that is the name of this container's table."""
    if name and _NAME.fullmatch(name) and container_of(name, [table.container]) == table.container:
        return ExportedTable(name, table.container, table.folders)
    return table
