"""What the export holds hour by hour, and whether it is what it was: files, their sizes and their times; none is opened."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from pyspark.sql import SparkSession

from alertgraph_spark.read.export_layout import DayFolder
from alertgraph_spark.tables.frames import collect_arrow

_HOUR = re.compile(r"h=([01]\d|2[0-3])/")
_IN_A_DAY = re.compile(r"/y=\d{4}/m=\d{2}/d=\d{2}/(.+)$")


@dataclass(frozen=True)
class ExportHour:
    """What the export holds of one hour of one site, in all tables.

    `fingerprint` is a hash of the names, sizes and times of its `n_files` files: one that is appended to has another. `paths`
    are the folders of the hour by table. A file that lies in no hour's folder counts to the first hour of its day.
    """

    site: str
    day: date
    hour: int
    fingerprint: str
    n_files: int
    n_bytes: int
    paths: tuple[tuple[str, tuple[str, ...]], ...]


class _File(NamedTuple):
    """A file of a day's folder: its path from there, its size in bytes and when it was written."""

    path: str
    n_bytes: int
    written: int


def list_hours(spark: SparkSession, days: Sequence[DayFolder]) -> list[ExportHour]:
    """List the hours of some day folders.

    Parameters
    ----------
    spark
        The session.
    days
        What `export.list_days` found, or some of it.

    Returns
    -------
    list of ExportHour
        In order of site, day and hour.

    Notes
    -----
    Only names, sizes and times are read: on a disk of this machine by this process, elsewhere by one job of Spark.
    """
    found: dict[tuple[str, date, int], list[tuple[str, str, _File]]] = defaultdict(list)
    for folder, files in _files_of(spark, days):
        for file in files:
            hour = _HOUR.match(file.path)
            within = hour[0] if hour else file.path
            at = int(hour[1]) if hour else 0
            found[folder.site, folder.day, at].append((folder.table, f"{folder.path}/{within}".rstrip("/"), file))
    return [_hour(*key, found[key]) for key in sorted(found)]


def _hour(site: str, day: date, hour: int, files: Iterable[tuple[str, str, _File]]) -> ExportHour:
    said = hashlib.sha256()
    paths: dict[str, dict[str, None]] = defaultdict(dict)
    n_files = n_bytes = 0
    for table, path, file in sorted(files):
        said.update(f"{table}\n{file.path}\n{file.n_bytes} {file.written}\n".encode())
        paths[table][path] = None
        n_files += 1
        n_bytes += file.n_bytes
    by_table = tuple((table, tuple(of)) for table, of in sorted(paths.items()))
    return ExportHour(site, day, hour, said.hexdigest()[:16], n_files, n_bytes, by_table)


def _files_of(spark: SparkSession, days: Sequence[DayFolder]) -> Iterator[tuple[DayFolder, list[_File]]]:
    here = {folder: path for folder in days if (path := _on_this_machine(folder.path))}
    for folder, path in here.items():
        yield folder, list(_walked(path, ""))
    elsewhere = {folder.path: folder for folder in days if folder not in here}
    if not elsewhere:
        return
    frame = (
        spark.read.format("binaryFile")
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", "*.json")
        .load(list(elsewhere))
        .select("path", "length", "modificationTime")
    )
    found: dict[str, list[_File]] = defaultdict(list)
    for path, length, written in zip(*collect_arrow(frame).to_pydict().values(), strict=True):
        if inside := _IN_A_DAY.search(path):
            found[path[: inside.start(1) - 1]].append(_File(inside[1], length, round(written.timestamp() * 1e6)))
    for path, folder in elsewhere.items():
        yield folder, found.get(path, [])


def _on_this_machine(path: str) -> str | None:
    """A path of Hadoop's as one of this machine; None where it is elsewhere."""
    scheme, colon, rest = path.partition(":")
    if not colon or "/" in scheme:
        return path
    return re.sub("^/{2,}", "/", rest) if scheme == "file" else None


def _walked(folder: str, inside: str) -> Iterator[_File]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "_")):  # Spark reads none of these
                continue
            if entry.is_dir():
                yield from _walked(entry.path, f"{inside}{entry.name}/")
            elif entry.name.endswith(".json"):
                told = entry.stat()
                yield _File(f"{inside}{entry.name}", told.st_size, told.st_mtime_ns // 1000)
