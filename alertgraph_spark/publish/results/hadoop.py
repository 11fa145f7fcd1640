"""The folder of a run on a lake, reached through Hadoop's file system in the JVM.

What is written is made on this machine and copied there, what is read is copied here, so that no content of a table passes
through the socket between the two processes.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from alertgraph_spark.errors import ResultsError
from alertgraph_spark.publish.results.local import emptied
from alertgraph_spark.publish.results.refused import REFUSALS, reason_of, told

_TORN, _NEW = ".part", ".new"
"""What a file is called until it is whole, and then until it has taken the place of an older one."""


class HadoopFolder:
    """A folder on any file system that Hadoop reaches."""

    def __init__(self, spark: SparkSession, place: str) -> None:
        """Take the folder as it was named; it need not be there yet."""
        self.place = place
        self._jvm: Any = spark._jvm
        self._system, self._root = hadoop_path(spark, place)
        self._copies = Path(tempfile.mkdtemp(prefix="alertgraph-"))
        weakref.finalize(self, shutil.rmtree, self._copies, ignore_errors=True)

    def make(self, key: str = "results.path") -> None:
        """Make the folder and those above it."""
        try:
            _done(self._system.mkdirs(self._root))
        except REFUSALS as error:
            raise ResultsError(f"{key}: cannot make {self.place}: {reason_of(error)}") from error

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in `folder`."""
        path = self._path(folder) if folder else self._root
        with told("list", f"{self.place}/{folder}"):
            found = self._system.listStatus(path) if self._system.exists(path) else ()
            return sorted(str(status.getPath().getName()) for status in found if status.isFile())

    def read(self, name: str) -> bytes | None:
        """What a file holds."""
        with told("read", f"{self.place}/{name}"):
            for path in (self._path(name), self._path(f"{name}{_NEW}")):  # both are whole
                if self._system.exists(path):
                    stream = self._system.open(path)
                    try:
                        return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
                    finally:
                        stream.close()
        return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside its place, then move it there; where one is already, by way of a third name."""
        path, new, torn = (self._path(f"{name}{end}") for end in ("", _NEW, _TORN))
        with told("write", f"{self.place}/{name}"), tempfile.NamedTemporaryFile(dir=self._copies) as file:
            file.write(content)
            file.flush()
            self._system.copyFromLocalFile(False, True, self._local(Path(file.name)), torn)
            if self._system.exists(new):  # an earlier write was killed in its last step
                self._replace(path, new)
            if self._system.exists(path):
                _done(self._system.rename(torn, new))
                self._replace(path, new)
            else:
                _done(self._system.rename(torn, path))

    def _replace(self, path: Any, new: Any) -> None:
        self._system.delete(path, False)
        _done(self._system.rename(new, path))

    def remove(self, name: str) -> None:
        """Remove a file."""
        with told("remove", f"{self.place}/{name}"):
            self._system.delete(self._path(name), False)

    def folders(self) -> list[str]:
        """The names of the folders in it."""
        with told("list", self.place):
            found = self._system.listStatus(self._root) if self._system.exists(self._root) else ()
            return sorted(str(status.getPath().getName()) for status in found if status.isDirectory())

    def clear(self, name: str) -> None:
        """Remove a folder, and the copy of it."""
        shutil.rmtree(self._copies / name, ignore_errors=True)
        with told("remove", f"{self.place}/{name}"):
            self._system.delete(self._path(name), True)

    def file(self, name: str) -> Path | None:
        """The copy."""
        path, copy = self._path(name), self._copies / name
        torn = copy.with_name(f".{copy.name}{_TORN}")
        with told("read", f"{self.place}/{name}"):
            if not copy.is_file() and self._system.exists(path):
                self._system.copyToLocalFile(False, path, self._local(torn), True)  # without checksum files
                torn.rename(copy)
        return copy if copy.is_file() else None

    def put(self, name: str, fill: Callable[[Path], None]) -> None:
        """Fill a folder here, copy it beside the place, then move it there; the one here is kept to be read."""
        path, torn = self._path(name), self._path(f"_{name}{_TORN}")
        made, copy = self._copies / f"_{name}{_TORN}", self._copies / name
        with told("write", f"{self.place}/{name}"):
            shutil.rmtree(copy, ignore_errors=True)
            fill(emptied(made))
            self._system.delete(torn, True)
            self._system.copyFromLocalFile(False, True, self._local(made), torn)
            self._system.delete(path, True)
            _done(self._system.rename(torn, path))
            made.rename(copy)

    def here(self, name: str) -> Path | None:
        """The copy."""
        path, copy = self._path(name), self._copies / name
        torn = copy.with_name(f"_{name}{_TORN}")
        with told("read", f"{self.place}/{name}"):
            if not copy.is_dir() and self._system.exists(path):
                shutil.rmtree(torn, ignore_errors=True)
                self._system.copyToLocalFile(False, path, self._local(torn), True)  # without checksum files
                torn.rename(copy)
        return copy if copy.is_dir() else None

    def _path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self._root, name)

    def _local(self, path: Path) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path.as_uri())


def hadoop_path(spark: SparkSession, place: str) -> tuple[Any, Any]:
    """Hadoop's file system of a place, and the place as its path."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(place)
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path


def _done(is_done: bool) -> None:
    if not is_done:
        raise OSError("the file system refused")
