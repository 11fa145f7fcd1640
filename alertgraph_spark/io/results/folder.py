"""The folder of one run: files and folders of files, each written whole or not at all.

On this machine it needs no Spark. A lake is reached through Hadoop's file system, in the JVM: what is written is made here
and copied there, what is read is copied here, so that no content of a table passes through the socket between the two.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from alertgraph_spark.errors import ResultsError

_TORN, _NEW = ".part", ".new"
"""What a file is called until it is whole, and then until it has taken the place of an older one."""


class RunFolder(Protocol):
    """The folder of a run, wherever it is; names are relative to it, with `/` between their parts.

    What a file system refuses is raised as `ResultsError`, with the place and its reason.
    """

    place: str
    """The folder as it was named: a path or a URL."""

    def make(self) -> None:
        """Make the folder, so that one that cannot be written is known before the work, not after it."""

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in `folder`, in order; none where there is no such folder."""

    def read(self, name: str) -> bytes | None:
        """What a file holds, None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole: at every moment the old or the new content can be read, none where there was none."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""

    def put(self, name: str, fill: Callable[[Path], None]) -> None:
        """Write a folder of files whole, in place of an older one: `fill` makes the files in a new folder of this machine."""

    def here(self, name: str) -> Path | None:
        """A folder of this machine that holds the files of `name`, None where there is no such folder.

        From another machine they are copied once, into a folder that goes when nobody holds this one any more.
        """


def is_local(place: str) -> bool:
    """Tell whether a path or URL means this machine by its writing alone.

    Examples
    --------
    >>> is_local("results/run-1"), is_local("file:///results/run-1"), is_local("abfss://soc@lake/results/run-1")
    (True, True, False)
    """
    scheme, colon, _ = place.partition(":/")
    return not colon or scheme == "file"


def open_folder(place: str, spark: SparkSession | None = None) -> RunFolder:
    """The folder at a path or URL. What a path without scheme means is up to Hadoop where there is a session."""
    if spark is None:
        return LocalFolder(place, Path(re.sub(r"^file:(//)?(?=/)", "", place)))
    system, path = _hadoop(spark, place)
    uri = system.makeQualified(path).toUri()
    if uri.getScheme() == "file":
        return LocalFolder(place, Path(uri.getPath()))
    return HadoopFolder(spark, place)


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, place: str, path: Path | None = None) -> None:
        """Take the folder as it was named, and its path where that is another text; it need not be there yet."""
        self.place = place
        self._path = path or Path(place)

    def make(self) -> None:
        """Make the folder and those above it."""
        with _told(f"results.path: cannot make {self.place}"):
            self._path.mkdir(parents=True, exist_ok=True)

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in `folder`; what begins with a dot is a file system's own, or not whole."""
        path = self._path / folder
        found = path.iterdir() if path.is_dir() else ()
        return sorted(file.name for file in found if file.is_file() and not file.name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """What a file holds."""
        path = self._path / name
        with _told(f"cannot read {self.place}/{name}"):
            return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside its place, then move it there."""
        path = self._path / name
        torn = path.with_name(f".{path.name}{_TORN}")
        with _told(f"cannot write {self.place}/{name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            torn.write_bytes(content)
            _checksum(path).unlink(missing_ok=True)
            torn.replace(path)

    def remove(self, name: str) -> None:
        """Remove a file and its checksum."""
        path = self._path / name
        with _told(f"cannot remove {self.place}/{name}"):
            for file in (_checksum(path), path):
                file.unlink(missing_ok=True)

    def put(self, name: str, fill: Callable[[Path], None]) -> None:
        """Fill a folder beside the place, then move it there."""
        path = self._path / name
        torn = path.with_name(f"_{path.name}{_TORN}")
        with _told(f"cannot write {self.place}/{name}"):
            _emptied(torn)
            fill(torn)
            shutil.rmtree(path, ignore_errors=True)
            torn.rename(path)

    def here(self, name: str) -> Path | None:
        """The folder itself."""
        path = self._path / name
        return path if path.is_dir() else None


class HadoopFolder:
    """A folder on any file system that Hadoop reaches."""

    def __init__(self, spark: SparkSession, place: str) -> None:
        """Take the folder as it was named; it need not be there yet."""
        self.place = place
        self._jvm: Any = spark._jvm
        self._system, self._root = _hadoop(spark, place)
        self._copies = Path(tempfile.mkdtemp(prefix="alertgraph-"))
        weakref.finalize(self, shutil.rmtree, self._copies, ignore_errors=True)

    def make(self) -> None:
        """Make the folder and those above it."""
        with _told(f"results.path: cannot make {self.place}"):
            _done(self._system.mkdirs(self._root))

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in `folder`."""
        path = self._path(folder) if folder else self._root
        with _told(f"cannot list {self.place}/{folder}"):
            found = self._system.listStatus(path) if self._system.exists(path) else ()
            return sorted(str(status.getPath().getName()) for status in found if status.isFile())

    def read(self, name: str) -> bytes | None:
        """What a file holds."""
        with _told(f"cannot read {self.place}/{name}"):
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
        with _told(f"cannot write {self.place}/{name}"), tempfile.NamedTemporaryFile(dir=self._copies) as file:
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
        with _told(f"cannot remove {self.place}/{name}"):
            self._system.delete(self._path(name), False)

    def put(self, name: str, fill: Callable[[Path], None]) -> None:
        """Fill a folder here, copy it beside the place, then move it there; the one here is kept to be read."""
        path, torn = self._path(name), self._path(f"_{name}{_TORN}")
        made = self._copies / name
        with _told(f"cannot write {self.place}/{name}"):
            _emptied(made)
            fill(made)
            self._system.delete(torn, True)
            self._system.copyFromLocalFile(False, True, self._local(made), torn)
            self._system.delete(path, True)
            _done(self._system.rename(torn, path))

    def here(self, name: str) -> Path | None:
        """The copy."""
        path, copy = self._path(name), self._copies / name
        with _told(f"cannot read {self.place}/{name}"):
            if not copy.is_dir() and self._system.exists(path):
                self._system.copyToLocalFile(False, path, self._local(copy), True)  # without checksum files
        return copy if copy.is_dir() else None

    def _path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self._root, name)

    def _local(self, path: Path) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path.as_uri())


def _hadoop(spark: SparkSession, place: str) -> tuple[Any, Any]:
    """Hadoop's file system of a place, and the place as its path."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(place)
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path


def _checksum(path: Path) -> Path:
    """Where Hadoop keeps the checksum of a file of this machine: one that is out of date makes the file unreadable to it."""
    return path.with_name(f".{path.name}.crc")


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _done(is_done: bool) -> None:
    if not is_done:
        raise OSError("the file system refused")


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Raise what a file system says as an error that an operator can act on."""
    try:
        yield
    except Py4JJavaError as error:
        raise ResultsError(f"{what}: {error.java_exception.getMessage()}") from error
    except OSError as error:
        raise ResultsError(f"{what}: {error.strerror or error}") from error
