"""Look at an export without reading it: its day folders, the files of a day with their sizes, and the end of a file.

A folder of this machine is looked at by this process, a storage account by its own client, and what only Hadoop reaches by
a session of Spark.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from alertgraph_spark.errors import SourceError
from alertgraph_spark.read.blob_mirror.account import Account
from alertgraph_spark.read.export import WORKSPACES, list_days
from alertgraph_spark.read.export_layout import DayFolder, container_of, container_url, day_folder, spellings


class ExportedFile(NamedTuple):
    """One file of a day folder: where it is, and its size in bytes."""

    path: str
    n_bytes: int


class Peek(Protocol):
    """An export, wherever it is. What is refused is raised as `SourceError`, with the place and the reason."""

    def days(self, tables: Mapping[str, str | None], workspaces: Sequence[str] | str) -> list[DayFolder]:
        """The day folders of some tables, in order of table, site and day; none of a table that is not exported."""

    def files(self, folder: DayFolder) -> list[ExportedFile]:
        """The files of a day in the order of time."""

    def tail(self, file: ExportedFile, most: int) -> bytes:
        """The last bytes of a file, at most so many."""


@dataclass(frozen=True)
class FolderPeek:
    """An export in a folder of this machine."""

    root: str

    def days(self, tables: Mapping[str, str | None], workspaces: Sequence[str] | str) -> list[DayFolder]:
        """The day folders of some tables."""
        is_asked = "{container}" in self.root  # as Hadoop's own lister does: each spelling is tried
        have = [] if is_asked else [path.name for path in _matching(Path(self.root), "am-*")]
        found: list[DayFolder] = []
        for table, named in tables.items():
            expected = named or container_of(table, have)
            for container in spellings(expected) if is_asked and not named else (expected,):
                paths = _matching(Path(container_url(self.root, container)), f"{WORKSPACES}/y=*/m=*/d=*")
                if folders := [day for path in paths if (day := day_folder(table, path.as_posix()))]:
                    found += folders
                    break
        return _chosen(found, workspaces)

    def files(self, folder: DayFolder) -> list[ExportedFile]:
        """The files of a day."""
        with _told(folder.path):
            walked = os.walk(folder.path, onerror=_refuse)
            files = [Path(place, name) for place, _, names in walked for name in names if name.endswith(".json")]
            return sorted(ExportedFile(str(file), file.stat().st_size) for file in files)

    def tail(self, file: ExportedFile, most: int) -> bytes:
        """The end of a file."""
        with _told(file.path), Path(file.path).open("rb") as opened:
            opened.seek(max(0, file.n_bytes - most))
            return opened.read(most)


@dataclass(frozen=True)
class AccountPeek:
    """An export in a storage account, which is not mirrored for it; a path is a blob behind its container."""

    account: Account

    def days(self, tables: Mapping[str, str | None], workspaces: Sequence[str] | str) -> list[DayFolder]:
        """The day folders of some tables."""
        found = []
        for table, container in self.account.containers(tables).items():
            prefixes = self.account.days(container, workspaces, "0000-00-00", "9999-99-99")
            found += [day for prefix in prefixes if (day := day_folder(table, f"{container}/{prefix}"))]
        return _chosen(found, "all")

    def files(self, folder: DayFolder) -> list[ExportedFile]:
        """The files of a day."""
        container, _, prefix = folder.path.partition("/")
        return sorted(ExportedFile(f"{container}/{b.name}", b.size) for b in self.account.blobs(container, prefix))

    def tail(self, file: ExportedFile, most: int) -> bytes:
        """The end of a blob."""
        container, _, name = file.path.partition("/")
        begin = max(0, file.n_bytes - most)
        with self.account.in_words(container):
            blob = self.account.client.get_blob_client(container, name)
            return bytes(blob.download_blob(offset=begin, length=file.n_bytes - begin).readall())


@dataclass(frozen=True)
class SparkPeek:
    """An export on any file system that Hadoop reaches."""

    spark: SparkSession
    root: str

    def days(self, tables: Mapping[str, str | None], workspaces: Sequence[str] | str) -> list[DayFolder]:
        """The day folders of some tables."""
        return list_days(self.spark, self.root, tables, workspaces, may_be_absent=True)

    def files(self, folder: DayFolder) -> list[ExportedFile]:
        """The files of a day."""
        with _told(folder.path):
            system, path = self._opened(folder.path)
            listed = system.listFiles(path, True)
            found = []
            while listed.hasNext():
                status = listed.next()
                if (name := status.getPath().toString()).endswith(".json"):
                    found.append(ExportedFile(name, status.getLen()))
        return sorted(found)

    def tail(self, file: ExportedFile, most: int) -> bytes:
        """The end of a file."""
        jvm: Any = self.spark._jvm
        with _told(file.path):
            system, path = self._opened(file.path)
            stream = system.open(path)
            try:
                stream.seek(max(0, file.n_bytes - most))
                return bytes(jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
            finally:
                stream.close()

    def _opened(self, place: str) -> tuple[Any, Any]:
        jvm: Any = self.spark._jvm
        path = jvm.org.apache.hadoop.fs.Path(place)
        return path.getFileSystem(self.spark._jsc.hadoopConfiguration()), path


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Name what could not be looked at, and why."""
    try:
        yield
    except (Py4JJavaError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.java_exception.getMessage()
        raise SourceError(f"cannot look at {place}: {reason}") from error


def _chosen(found: list[DayFolder], workspaces: Sequence[str] | str) -> list[DayFolder]:
    wanted = None if workspaces == "all" else {name.lower() for name in workspaces}
    kept = [day for day in found if wanted is None or day.site in wanted]
    return sorted(kept, key=lambda day: (day.table, day.site, day.day))


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    """Folders that match a pattern, part by part; `glob` would leave out without a word what may not be listed."""
    part, _, rest = pattern.partition("/")
    with _told(str(folder)):
        below = (
            sorted(p for p in folder.iterdir() if fnmatchcase(p.name, part) and p.is_dir()) if folder.is_dir() else []
        )
    for found in below:
        yield from _matching(found, rest) if rest else [found]


def _refuse(error: OSError) -> None:
    raise error
