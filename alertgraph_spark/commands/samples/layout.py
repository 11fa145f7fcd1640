"""Lay out the rows of files as an export rule would have: what comes out is read like any other export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from alertgraph_spark.commands.samples.records import UNREADABLE, Found, records
from alertgraph_spark.errors import SourceError

TABLE = "Sample_CL"
FOLDER = (
    "WorkspaceResourceId=/subscriptions/0/resourcegroups/0/providers/microsoft.operationalinsights/workspaces/sample"
    "/y=2000/m=01/d=01/h=00/m=00"
)
DAY = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""Folder and day that a sample is laid out in; its rows carry times of their own."""

# How the portal writes a time into a CSV or JSON download: 12/3/2020, 1:34:42.544 PM
_PORTAL_TIME = re.compile(r"\d{1,2}/\d{1,2}/\d{4}, \d{1,2}:\d{2}:\d{2}\.\d{1,6} [AP]M", re.ASCII)

ROW_LIMIT = 10_000_000
"""Rows of a file: a line of two bytes is a row of a hundred."""


@dataclass
class Sample:
    """What was laid out: kinds of file found, rows, and what had to be done to them.

    Attributes
    ----------
    received
        TimeGenerated that rows without one were given, as text.
    columns
        Names of the rows' columns as laid out, at most a thousand.
    """

    received: str
    kinds: list[str] = field(default_factory=list)
    n_rows: int = 0
    columns: set[str] = field(default_factory=set)
    n_wrapped: int = 0
    n_without_time: int = 0
    n_portal_times: int = 0


@dataclass(frozen=True)
class Shape:
    """How the records of a file become rows.

    Attributes
    ----------
    wrap
        `rows`: a record is the exported row; `raw`: a record or line is the text of `RawData`; `auto`: it is wrapped if the
        format reads `RawData` and no column of the record. A line that is no record is wrapped always.
    records
        Where in a JSON document its records are, as a dotted path (`value`, `logs.entries`); lists on the way are opened.
    table
        Table that the rows are laid out as.
    """

    wrap: str = "auto"
    records: str = ""
    table: str = TABLE


def lay_out(files: Sequence[Path], reads: Iterable[str], root: Path, shape: Shape) -> Sample:
    """Write the rows of files as one exported blob, in order, numbered in `_ItemId`.

    Parameters
    ----------
    files
        JSON lines, JSON documents in a row, a JSON array, CSV with a header, or plain lines; also inside gzip or zip.
        Which of them is judged by content.
    reads
        Columns that the format reads.
    root
        The folder of the export.
    shape
        How the rows are wrapped.

    Returns
    -------
    Sample
        What was found in the files.

    Raises
    ------
    SourceError
        If a file cannot be read, is of no such kind, holds no row, or passes a limit of size.

    Notes
    -----
    One pass in constant memory, but for JSON arrays and documents of several lines, which are loaded whole. A sample may
    come from anyone: lines, files, members and rows are bounded, and what JSON allows but a row cannot be (half a surrogate
    pair, a nesting without end) is a question mark or a line that is refused.
    """
    folder = root / f"am-{shape.table.lower()}" / FOLDER
    folder.mkdir(parents=True)
    known = set(reads)
    sample = Sample(received=_iso(datetime.now(timezone.utc)))
    with (folder / "PT05M.json").open("w", encoding="utf-8", errors="replace", newline="\n") as blob:
        for file in files:
            before = sample.n_rows
            try:
                for found in records(file):
                    if found[0] not in sample.kinds:
                        sample.kinds.append(found[0])
                    for one in _inside(found, shape.records):
                        blob.write(_line(sample, one, known, shape.wrap) + "\n")
                    if sample.n_rows - before > ROW_LIMIT:
                        raise SourceError(f"{file}: has more than {ROW_LIMIT:,} rows; take a part of it")
            except UNREADABLE as error:
                raise SourceError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
            if sample.n_rows == before:
                where = f" at {shape.records}" if shape.records else ""
                raise SourceError(f"{file}: holds no row{where}")
    return sample


def write_samples(file: Path, samples: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows of a format's own samples as JSON lines."""
    file.write_text("".join(json.dumps(sample["row"], default=str) + "\n" for sample in samples), encoding="utf-8")


def _line(sample: Sample, found: Found, reads: set[str], wrap: str) -> str:
    """One exported line of a record; a line of JSON that is none stays as it is, and is refused as in an export."""
    kind, record, text = found
    sample.n_rows += 1
    is_row = isinstance(record, dict)
    if kind != "plain lines" and not is_row and wrap != "raw":
        return text if text is not None else json.dumps(record)
    row = {name.removesuffix(" [UTC]"): value for name, value in record.items()} if is_row else {}
    if not is_row or wrap == "raw" or (wrap == "auto" and "RawData" in reads and not reads & set(row)):
        sample.n_wrapped += 1
        row = {"RawData": text if text is not None else json.dumps(record, ensure_ascii=False)}
    for name, value in row.items():
        if isinstance(value, str) and _PORTAL_TIME.fullmatch(value):
            with suppress(ValueError):  # the 45th is no day: it stays text
                row[name] = _iso(datetime.strptime(value, "%m/%d/%Y, %I:%M:%S.%f %p"))
                sample.n_portal_times += 1
    if len(sample.columns) < 1000:
        sample.columns.update(row)
    if not row.get("TimeGenerated"):
        sample.n_without_time += 1
        row["TimeGenerated"] = sample.received
    return json.dumps({**row, "_ItemId": str(sample.n_rows)}, ensure_ascii=False)


def _iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _inside(found: Found, path: str) -> Iterator[Found]:
    """The records inside a document; a text at the end of the path is a line of its own."""
    kind, document, _ = found
    name, _, rest = path.partition(".")
    if not name:
        yield found
    inner = document.get(name, []) if name and isinstance(document, dict) else []
    for one in inner if isinstance(inner, list) else [inner]:
        is_text = isinstance(one, str)
        yield from _inside((kind, None if is_text else one, one if is_text else None), rest)
