"""What is exported, without Spark where none is needed: its tables and days, how much of it, and its newest rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from alertgraph_spark.commands.doctor.findings import FAIL, OK, WARN, Finding
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.read.export_layout import DayFolder
from alertgraph_spark.read.export_peek import ExportedFile, Peek
from alertgraph_spark.short_text import many

NEWEST_DAYS = 3
"""Days of a table whose files are listed: how much comes in a day."""

MOST_FOLDERS = 30
"""Day folders of a table whose files are listed, where there are many sites."""

TAIL_BYTES, TAIL_ROWS, TAIL_FILES = 1 << 20, 200, 60
"""The newest rows that are looked at: so many, from the ends of so many files at most."""

STALE = timedelta(days=1)
"""Age of the newest row from which on the export may have stopped."""


@dataclass(frozen=True)
class Volume:
    """How much is exported of one table: bytes and rows a day, all sites together, and its days."""

    n_days: int
    bytes_a_day: float
    rows_a_day: float


@dataclass
class Seen:
    """What was seen of the export so far: its day folders, and of each table its volume and its newest lines.

    `peek` is what looks at it, once it is opened.
    """

    peek: Peek | None = None
    days: list[DayFolder] = field(default_factory=list)
    volumes: dict[str, Volume] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)

    def n_rows(self, most_days: float) -> float | None:
        """About how many rows the last days hold, so many at most; None where nothing is known."""
        of = [volume.rows_a_day * min(volume.n_days, most_days) for volume in self.volumes.values()]
        return sum(of) if of else None

    def n_bytes(self, most_days: float) -> float:
        """About how many bytes they hold."""
        return sum(volume.bytes_a_day * min(volume.n_days, most_days) for volume in self.volumes.values())


def root(settings: Settings, open_peek: Callable[[], Peek], seen: Seen) -> Iterator[Finding]:
    """The root can be listed, and holds day folders of the tables and workspaces that are named."""
    export = settings.export
    seen.peek = open_peek()
    seen.days = seen.peek.days({one.table: one.container for one in settings.sources}, export.workspaces)
    if not seen.days:
        where = "" if export.workspaces == "all" else f" of the workspaces {', '.join(export.workspaces)}"
        todo = "export.root holds the `am-<table>` folders; check it, export.workspaces, and the right to list"
        yield Finding(FAIL, "export root", f"{export.root} holds no day folder of any source{where}", todo)
        return
    sites, days = {one.site for one in seen.days}, {one.day for one in seen.days}
    n = f"{len({one.table for one in seen.days})} of {many(len(settings.sources), 'table')}"
    n += f", {many(len(sites), 'site')}, {many(len(days), 'day')}"
    yield Finding(OK, "export root", f"{export.root}: {n}, {min(days)} to {max(days)}")


def table(name: str, format_: Format | None, seen: Seen, now: Callable[[], datetime]) -> Iterator[Finding]:
    """The newest days of a table can be read, its newest rows are JSON and have columns that its format reads."""
    folders = [one for one in seen.days if one.table == name]
    if seen.peek is None or not folders:
        todo = "add it to the data export rule, name its container by the key `container` of its source, or take it out"
        yield Finding(WARN, name, "no container, or no day folder in it", todo)
        return
    days = sorted({one.day for one in folders})
    newest = sorted((one for one in folders if one.day in days[-NEWEST_DAYS:]), key=lambda one: one.day, reverse=True)
    looked_at = newest[:MOST_FOLDERS]
    files = [(one.day, file) for one in looked_at for file in seen.peek.files(one) if file.n_bytes]
    if not files:
        yield Finding(
            WARN, name, f"the folders of its newest days, to {days[-1]}, hold no rows", "see what the next days hold"
        )
        return
    files.sort(key=lambda one: (one[0], _clock(one[1])), reverse=True)
    lines: list[str] = []
    for _, file in files[:TAIL_FILES]:
        if len(lines) < TAIL_ROWS:
            lines += reversed(last_lines(seen.peek.tail(file, TAIL_BYTES), file.n_bytes <= TAIL_BYTES))
    lines = lines[:TAIL_ROWS]
    n_bytes = sum(file.n_bytes for _, file in files)
    bytes_a_day = n_bytes / len(looked_at) * len(newest) / len(days[-NEWEST_DAYS:])
    bytes_a_row = sum(len(line.encode()) + 1 for line in lines) / max(1, len(lines))
    rows_a_day = bytes_a_day / bytes_a_row if lines else 0.0
    seen.volumes[name] = Volume(len(days), bytes_a_day, rows_a_day)
    seen.lines[name] = lines
    yield _judged(name, format_, lines, f"about {rows_a_day:,.0f} rows and {bytes_a_day / 1e6:,.1f} MB a day", now())


def _judged(name: str, format_: Format | None, lines: Sequence[str], volume: str, now: datetime) -> Finding:
    rows = [row for line in lines if (row := _row(line)) is not None]
    if not rows:
        todo = "export.root must be what a data export rule wrote: one JSON object a line"
        return Finding(FAIL, name, f"{volume}; none of the newest {len(lines)} lines is a JSON object", todo)
    has = {column.lower() for row in rows for column in row}
    if format_ and format_.reads and not any(column.lower() in has for column in format_.reads):
        todo = f"{format_.name} reads {', '.join(format_.reads[:5])}: take the format of this table, or write one"
        return Finding(FAIL, name, f"{volume}; its newest rows have no column that its format reads", todo)
    times = [time for row in rows if (time := _time(row.get("TimeGenerated")))]
    said = f"{volume}; {len(rows)} of the newest {len(lines)} lines are JSON objects"
    said += f", the last of {max(times):%Y-%m-%d %H:%M} UTC" if times else ", none with a TimeGenerated"
    if not times:
        return Finding(FAIL, name, said, "export the table by a data export rule: each row has its TimeGenerated")
    if len(rows) < len(lines):
        todo = "lines that are none are refused, and stand in the table rejected: look who writes them"
        return Finding(WARN, name, said, todo)
    if now - max(times) > STALE:
        return Finding(WARN, name, said, "nothing for a day: docs/operations.md, where it stops")
    return Finding(OK, name, said)


def last_lines(tail: bytes, is_whole: bool) -> list[str]:
    """The last lines of a file, of the end of it; a line that was cut in front is left out, and one still being written.

    Examples
    --------
    >>> last_lines(b'"a": 1}\\n{"b": 2}\\n{"c": 3}\\n{"d', is_whole=False)
    ['{"b": 2}', '{"c": 3}']
    """
    lines = tail.decode("utf-8", errors="replace").split("\n")
    lines = lines if is_whole else lines[1:]
    if lines and lines[-1].strip() and _row(lines[-1]) is None:
        lines = lines[:-1]
    return [line for line in lines if line.strip()]


def _row(line: str) -> dict[str, Any] | None:
    with suppress(ValueError, RecursionError):
        found = json.loads(line)
        return found if isinstance(found, dict) else None
    return None


def _time(text: object) -> datetime | None:
    """A time as the export writes it, to the second."""
    with suppress(ValueError):
        return datetime.fromisoformat(str(text)[:19]).replace(tzinfo=timezone.utc)
    return None


def _clock(file: ExportedFile) -> str:
    """The hour and the minute in the path of a file: what comes after its day."""
    return file.path.partition("/d=")[2]
