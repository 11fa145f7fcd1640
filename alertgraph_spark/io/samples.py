"""Lay out a sample of a product's rows as an export rule would have, whatever kind of file a user has of them.

What comes out is read by `io.export` like any other export, so that a sample is treated as the job treats the real rows.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from alertgraph_spark.errors import SourceError

TABLE = "Sample_CL"
FOLDER = (
    "WorkspaceResourceId=/subscriptions/0/resourcegroups/0/providers/microsoft.operationalinsights/workspaces/sample"
    "/y=2000/m=01/d=01/h=00/m=00"
)
DAY = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""Folder and day that a sample is laid out in; its rows carry times of their own."""

# How the portal writes a time into a CSV or JSON download: 12/3/2020, 1:34:42.544 PM
_PORTAL_TIME = re.compile(r"\d{1,2}/\d{1,2}/\d{4}, \d{1,2}:\d{2}:\d{2}\.\d{1,6} [AP]M")
_HEADER_CELL = re.compile(r"\w[\w .\[\]()/-]*")
_BETWEEN = re.compile(r"[\s,]*")
_HEAD = 1 << 16
csv.field_size_limit(1 << 30)

_Found = tuple[str, Any, str | None]
"""Kind of file, what the record parsed to (a dict for a row), and its text where it came as a line of its own."""


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
    """Write the rows of the files as one exported blob under `root`, in order, numbered in `_ItemId`.

    Parameters
    ----------
    files
        JSON lines, JSON documents in a row, a JSON array, CSV with a header, or plain lines; also inside gzip or zip.
        Which of them is judged by content.
    reads
        Columns that the format reads.

    Raises
    ------
    SourceError
        If a file cannot be read, is of no such kind, or holds no row.

    Notes
    -----
    One pass in constant memory, but for JSON arrays and documents of several lines, which are loaded whole.
    """
    folder = root / f"am-{shape.table.lower()}" / FOLDER
    folder.mkdir(parents=True)
    known = set(reads)
    sample = Sample(received=_iso(datetime.now(timezone.utc)))
    with (folder / "PT05M.json").open("w", encoding="utf-8", newline="\n") as blob:
        for file in files:
            before = sample.n_rows
            try:
                for found in _records(file):
                    if found[0] not in sample.kinds:
                        sample.kinds.append(found[0])
                    for one in _inside(found, shape.records):
                        blob.write(_line(sample, one, known, shape.wrap) + "\n")
            except (OSError, EOFError, zipfile.BadZipFile, zlib.error, csv.Error) as error:
                raise SourceError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
            if sample.n_rows == before:
                where = f" at {shape.records}" if shape.records else ""
                raise SourceError(f"{file}: holds no row{where}")
    return sample


def write_samples(file: Path, samples: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows of a format's own samples as JSON lines."""
    file.write_text("".join(json.dumps(sample["row"]) + "\n" for sample in samples), encoding="utf-8")


def _line(sample: Sample, found: _Found, reads: set[str], wrap: str) -> str:
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


def _records(file: Path) -> Iterator[_Found]:
    """Every record of a file, through gzip and zip."""
    with file.open("rb") as stream:
        magic = stream.read(4)
        stream.seek(0)
        if magic.startswith(b"\x1f\x8b"):
            with gzip.open(stream) as inner:
                yield from _of_stream(str(file), inner)
        elif magic.startswith(b"PK"):
            with zipfile.ZipFile(stream) as archive:
                names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
                if "[Content_Types].xml" in names:
                    raise SourceError(f"{file}: is an Office document; save the sheet as CSV")
                for name in names:
                    with archive.open(name) as inner:
                        yield from _of_stream(f"{file}/{name}", inner)
        else:
            yield from _of_stream(str(file), stream)


def _of_stream(name: str, stream: Any) -> Iterator[_Found]:
    buffered = io.BufferedReader(stream, _HEAD)
    head = buffered.peek(_HEAD)[:_HEAD]
    is_wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # what PowerShell's redirection writes
    if not is_wide and b"\0" in head:
        raise SourceError(f"{name}: is binary; wanted: JSON, CSV or text, plain or in gzip or zip")
    encoding = "utf-16" if is_wide else "utf-8-sig"
    with io.TextIOWrapper(buffered, encoding=encoding, errors="replace", newline=None) as text:
        # A character cut in two at the end of the head does not matter here.
        lines = head.decode(encoding, errors="ignore").lstrip().splitlines() or [""]
        is_array = re.match(r"\[\s*([{\]]|$)", "".join(lines[:2]))
        if is_array or lines[0].startswith("{"):
            yield from _documents(name, text) if is_array or _parsed(lines[0]) is None else _json_lines(text)
        elif delimiter := _delimiter(lines[0]):
            for row in csv.DictReader(text, delimiter=delimiter):
                cells = {column: _number(cell) for column, cell in row.items() if column and cell}
                yield "CSV", cells, None
        else:
            yield from (("plain lines", None, line.rstrip("\n")) for line in text if line.strip())


def _inside(found: _Found, path: str) -> Iterator[_Found]:
    """The records inside a document; a text at the end of the path is a line of its own."""
    kind, document, _ = found
    name, _, rest = path.partition(".")
    if not name:
        yield found
    inner = document.get(name, []) if name and isinstance(document, dict) else []
    for one in inner if isinstance(inner, list) else [inner]:
        is_text = isinstance(one, str)
        yield from _inside((kind, None if is_text else one, one if is_text else None), rest)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _json_lines(text: IO[str]) -> Iterator[_Found]:
    for line in text:
        if line.strip():
            yield "JSON lines", _parsed(line), line.strip()


def _documents(name: str, text: IO[str]) -> Iterator[_Found]:
    whole, at = text.read(), 0
    while (at := _BETWEEN.match(whole, at).end()) < len(whole):  # type: ignore[union-attr]  # matches nothing, too
        try:
            found, at = json.JSONDecoder().raw_decode(whole, at)
        except ValueError as error:
            raise SourceError(f"{name}: begins as JSON but is none: {error}") from error
        if isinstance(found, list):
            yield from (("a JSON array", record, None) for record in found)
        else:
            yield "JSON documents", found, None


def _delimiter(header: str) -> str | None:
    """What separates the cells of a header line, or None where the line is no header."""
    for delimiter in (",", ";", "\t"):
        cells = next(csv.reader([header], delimiter=delimiter), [])
        is_header = len(cells) > 1 and all(_HEADER_CELL.fullmatch(cell.strip()) for cell in cells if cell)
        if is_header and not any(cell.strip().isdigit() for cell in cells):
            return delimiter
    return None


def _number(cell: str) -> Any:
    """A cell as the number that it spells: inside `RawData` a format's schema may want one. `007` stays text."""
    number = _parsed(cell) if cell[0] in "-0123456789" else None
    return number if type(number) in (int, float) and str(number) == cell else cell
