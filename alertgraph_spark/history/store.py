"""The store: one file a part, named by what it holds, written whole or not at all, and never changed."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime, timedelta, timezone
from importlib import resources
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote, unquote

from alertgraph_spark.config.source_format import Format
from alertgraph_spark.errors import ResultsError

OLD = timedelta(hours=6)
"""How long a part stays after another has taken its place: no run that may still read it takes longer."""

_NAME = re.compile(
    r"part~(?P<site>.+)~(?P<day>\d{4}-\d{2}-\d{2})~(?P<unit>day|job|\d{2})"
    r"~(?P<key>[0-9a-f]{12})~(?P<fingerprint>[0-9a-f]{16})~(?P<made>\d{8}T\d{6})-[0-9a-f]{8}\.parquet"
)
_FOLDING = re.compile(r"folding-(?P<made>\d{8}T\d{6})-[0-9a-f]{8}")
_MADE = "%Y%m%dT%H%M%S"

_MADE_BY = (
    "normalise",
    "history/fold.py",
    "history/pack.py",
    "history/reader.py",
    "read/export.py",
    "clean_text.py",
    "tables/history_schemas.py",
)
"""The code that makes a part of exported lines."""


class Part(NamedTuple):
    """One part: the lines of a day of a site, or of one hour where the day is still open (`hour`, else None).

    `key` is what made it (`history_key`), `fingerprint` the state of the export's files of which it was made. `is_job`: it
    holds rows of one table that an export job wrote, which count where no rule has exported the day.
    """

    site: str
    day: date
    hour: int | None
    key: str
    fingerprint: str
    made: datetime
    name: str
    is_job: bool = False


class Files(Protocol):
    """The folder of the store, wherever it is; a name is that of a file in it."""

    place: str

    def names(self, folder: str = "") -> list[str]:
        """The names of the files."""

    def folders(self) -> list[str]:
        """The names of the folders."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""

    def file(self, name: str) -> Path | None:
        """The file as one of this machine; None where there is none."""

    def here(self, name: str) -> Path | None:
        """A folder as one of this machine; None where there is none."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""

    def clear(self, name: str) -> None:
        """Remove a folder with what is in it, if it is there."""


class Store:
    """The parts that are there, in a folder that other runs use at the same time.

    Each part has a name that no other run gives, so that two runs that make the same part disturb each other in nothing: both
    hold the same rows, and the one with the first name is read.
    """

    def __init__(self, files: Files, key: str) -> None:
        """Take the store's folder, and the key of the parts that this run can use."""
        self.files = files
        self.key = key

    def parts(self) -> list[Part]:
        """All parts that are there, of any key, in order of site, day and hour; other files are none."""
        found = (_part(name) for name in self.files.names())
        return sorted(
            (part for part in found if part), key=lambda p: (p.site, p.day, -1 if p.hour is None else p.hour, p.name)
        )

    def file(self, part: Part) -> Path:
        """Give a part as a file of this machine.

        Parameters
        ----------
        part
            A part of this history.

        Returns
        -------
        Path
            The file, or a copy of it.

        Raises
        ------
        ResultsError
            If it is gone.
        """
        found = self.files.file(part.name)
        if found is None:
            raise ResultsError(f"history.path: {self.files.place}/{part.name} is gone; run again, and it is made anew")
        return found

    def keep(
        self, site: str, day: date, hour: int | None, fingerprint: str, content: bytes, *, is_job: bool = False
    ) -> Part:
        """Write one part; in a moment it is there whole."""
        unit = "job" if is_job else "day" if hour is None else f"{hour:02}"
        name = f"part~{quote(site, safe='')}~{day}~{unit}~{self.key}~{fingerprint}~{_now()}.parquet"
        self.files.write(name, content)
        part = _part(name)
        assert part
        return part

    def new_folding(self) -> str:
        """A name for the folder of lines that are being folded."""
        return f"folding-{_now()}"

    def clear_old(self, useless: Iterable[Part], age: timedelta = OLD) -> int:
        """Remove parts that nobody can use any more, and what runs that were killed have left; return how many parts.

        Those younger than `age` stay: another run may be reading them.
        """
        before = datetime.now(timezone.utc) - age
        gone = [part for part in useless if part.made < before]
        for part in gone:
            self.files.remove(part.name)
        for name in self.files.folders():
            if (match := _FOLDING.fullmatch(name)) and _time(match["made"]) < before:
                self.files.clear(name)
        return len(gone)


def _part(name: str) -> Part | None:
    if not (match := _NAME.fullmatch(name)):
        return None
    hour = int(match["unit"]) if match["unit"].isdecimal() else None
    where = unquote(match["site"]), date.fromisoformat(match["day"]), hour
    is_job = match["unit"] == "job"
    return Part(*where, match["key"], match["fingerprint"], _time(match["made"]), name, is_job)


def _now() -> str:
    return f"{datetime.now(timezone.utc):{_MADE}}-{secrets.token_hex(4)}"


def _time(text: str) -> datetime:
    return datetime.strptime(text, _MADE).replace(tzinfo=timezone.utc)


def place_of(path: str, results: str) -> str | None:
    """Find the folder of the history.

    Parameters
    ----------
    path
        The setting `history.path`: a folder, `default` (beside the results) or `none`.
    results
        The setting `results.path`.

    Returns
    -------
    str or None
        None where nothing is kept.

    Examples
    --------
    >>> place_of("default", "abfss://soc@lake.dfs.core.windows.net/runs/")
    'abfss://soc@lake.dfs.core.windows.net/runs-history'
    >>> place_of("default", "abfss://soc@lake.dfs.core.windows.net/")
    'abfss://soc@lake.dfs.core.windows.net/history'
    """
    if path != "default":
        return None if path == "none" else path.rstrip("/")
    place = results.rstrip("/")
    is_bare = "://" in place and "/" not in place.split("://")[1]
    return f"{place}/history" if is_bare else f"{place}-history"


def history_key(root: str, formats: Mapping[str, Format]) -> str:
    """Give a digest of what decides the content of a part: the export, the formats, and the code that reads.

    The asset list is not in it: a part keeps what rows say, and each run interprets that again.

    Parameters
    ----------
    root
        The setting `export.root`.
    formats
        Table name to the format that reads it.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    said = hashlib.sha256(root.encode())
    said.update(json.dumps({name: asdict(one) for name, one in sorted(formats.items())}, default=str).encode())
    package = resources.files("alertgraph_spark")
    for name in _MADE_BY:
        place = package / name
        files = sorted(place.iterdir(), key=lambda one: one.name) if place.is_dir() else [place]
        for file in files:
            if file.name.endswith(".py"):
                said.update(file.read_bytes())
    return said.hexdigest()[:12]
