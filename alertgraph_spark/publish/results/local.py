"""The folder of a run on this machine; it needs no Spark."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from alertgraph_spark.errors import ResultsError
from alertgraph_spark.publish.results.refused import reason_of, told

_TORN = ".part"
"""What a file is called until it is whole."""


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, place: str, path: Path | None = None) -> None:
        """Take the folder as it was named, and its path where that is another text; it need not be there yet."""
        self.place = place
        self._path = path or Path(place)

    def make(self, key: str = "results.path") -> None:
        """Make the folder and those above it."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(f"{key}: cannot make {self.place}: {reason_of(error)}") from error

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in `folder`; what begins with a dot is a file system's own, or not whole."""
        path = self._path / folder
        found = path.iterdir() if path.is_dir() else ()
        return sorted(file.name for file in found if file.is_file() and not file.name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """What a file holds."""
        path = self._path / name
        with told("read", f"{self.place}/{name}"):
            return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside its place, then move it there."""
        path = self._path / name
        torn = path.with_name(f".{path.name}{_TORN}")
        with told("write", f"{self.place}/{name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            torn.unlink(missing_ok=True)
            with torn.open("xb") as file:  # never through a link that somebody has put there
                file.write(content)
            _checksum(path).unlink(missing_ok=True)
            torn.replace(path)

    def remove(self, name: str) -> None:
        """Remove a file and its checksum."""
        path = self._path / name
        with told("remove", f"{self.place}/{name}"):
            for file in (_checksum(path), path):
                file.unlink(missing_ok=True)

    def folders(self) -> list[str]:
        """The names of the folders in it."""
        found = self._path.iterdir() if self._path.is_dir() else ()
        return sorted(path.name for path in found if path.is_dir())

    def clear(self, name: str) -> None:
        """Remove a folder."""
        shutil.rmtree(self._path / name, ignore_errors=True)

    def file(self, name: str) -> Path | None:
        """The file itself."""
        path = self._path / name
        return path if path.is_file() else None

    def put(self, name: str, fill: Callable[[Path], None]) -> None:
        """Fill a folder beside the place, then move it there."""
        path = self._path / name
        torn = path.with_name(f"_{path.name}{_TORN}")
        with told("write", f"{self.place}/{name}"):
            fill(emptied(torn))
            shutil.rmtree(path, ignore_errors=True)
            torn.rename(path)

    def here(self, name: str) -> Path | None:
        """The folder itself."""
        path = self._path / name
        return path if path.is_dir() else None


def _checksum(path: Path) -> Path:
    """Where Hadoop keeps the checksum of a file of this machine: one that is out of date makes the file unreadable to it."""
    return path.with_name(f".{path.name}.crc")


def emptied(folder: Path) -> Path:
    """Make a folder that holds nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
