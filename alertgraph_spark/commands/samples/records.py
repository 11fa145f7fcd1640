"""The records of a file, whatever kind it is: JSON, CSV or plain lines, also inside gzip or zip, within limits of size."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from alertgraph_spark.clean_text import printed
from alertgraph_spark.errors import SourceError

LINE_LIMIT = 1 << 24
"""Characters of a line, and of a cell of CSV: a row of Log Analytics has 1 MB at most."""

DOCUMENT_LIMIT = 1 << 28
"""Characters of a JSON array or of documents over several lines, which are in memory whole."""

FILE_LIMIT = 1 << 30
"""Bytes of one file, unpacked: a few hundred kilobytes of gzip may hold many gigabytes."""

MEMBER_LIMIT = 1_000
"""Members of a zip."""

UNREADABLE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, csv.Error),
    *(ValueError, RuntimeError),  # a password, a method of zip that nobody has, a nesting without end
)
"""What reading a file raises that is not what it seems to be."""

Found = tuple[str, Any, str | None]
"""Kind of file, what the record parsed to (a dict for a row), and its text where it came as a line of its own."""

_HEADER_CELL = re.compile(r"\w[\w .\[\]()/-]*")
_BETWEEN = re.compile(r"[\s,]*")
_HEAD = 1 << 16

csv.field_size_limit(LINE_LIMIT)


class _Bounded(io.RawIOBase):
    """A stream that ends in an error behind the limit of a file; `left` is what its earlier members left of it."""

    def __init__(self, name: str, inner: Any, left: int) -> None:
        self.name, self._inner, self.left = name, inner, left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        n = int(self._inner.readinto(buffer))
        self.left -= n
        if self.left < 0:
            raise SourceError(f"{self.name}: has more than {FILE_LIMIT >> 20:,} MiB, unpacked; take a part of it")
        return n


def records(file: Path) -> Iterator[Found]:
    """Read every record of a file, also inside gzip and zip.

    Parameters
    ----------
    file
        The file.

    Yields
    ------
    Found
        One record.

    Raises
    ------
    SourceError
        If it is of no kind that is known, or passes a limit.
    """
    with file.open("rb") as stream:
        magic = stream.read(4)
        stream.seek(0)
        if magic.startswith(b"\x1f\x8b"):
            with gzip.open(stream) as inner:
                yield from _of_stream(_Bounded(str(file), inner, FILE_LIMIT))
        elif magic.startswith(b"PK"):
            with zipfile.ZipFile(stream) as archive:
                names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
                if "[Content_Types].xml" in names:
                    raise SourceError(f"{file}: is an Office document; save the sheet as CSV")
                if len(names) > MEMBER_LIMIT:
                    raise SourceError(f"{file}: has {len(names):,} members; at most {MEMBER_LIMIT:,}")
                left = FILE_LIMIT
                for name in names:
                    with archive.open(name) as inner:
                        member = _Bounded(f"{file}/{printed(name)}", inner, left)
                        yield from _of_stream(member)
                        left = member.left
        else:
            yield from _of_stream(_Bounded(str(file), stream, FILE_LIMIT))


def _of_stream(stream: _Bounded) -> Iterator[Found]:
    name = stream.name
    buffered = io.BufferedReader(stream, _HEAD)
    head = buffered.peek(_HEAD)[:_HEAD]
    is_wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # what PowerShell's redirection writes
    if not is_wide and b"\0" in head:
        raise SourceError(f"{name}: is binary; wanted: JSON, CSV or text, plain or in gzip or zip")
    encoding = "utf-16" if is_wide else "utf-8-sig"
    with io.TextIOWrapper(buffered, encoding=encoding, errors="replace", newline=None) as whole:
        text = _lines(name, whole)
        # A character cut in two at the end of the head does not matter here.
        lines = head.decode(encoding, errors="ignore").lstrip().splitlines() or [""]
        is_array = re.match(r"\[\s*([{\]]|$)", "".join(lines[:2]))
        if is_array or lines[0].startswith("{"):
            yield from _documents(name, whole) if is_array or _parsed(lines[0]) is None else _json_lines(text)
        elif delimiter := _delimiter(lines[0]):
            for row in csv.DictReader(text, delimiter=delimiter):
                cells = {column: _number(cell) for column, cell in row.items() if column and cell}
                yield "CSV", cells, None
        else:
            yield from (("plain lines", None, line.rstrip("\n")) for line in text if line.strip())


def _lines(name: str, text: IO[str]) -> Iterator[str]:
    while line := text.readline(LINE_LIMIT + 1):
        if len(line) > LINE_LIMIT:
            raise SourceError(f"{name}: has a line of more than {LINE_LIMIT >> 20} MiB")
        yield line


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _json_lines(text: Iterable[str]) -> Iterator[Found]:
    for line in text:
        if line.strip():
            yield "JSON lines", _parsed(line), line.strip()


def _documents(name: str, text: IO[str]) -> Iterator[Found]:
    whole, at = text.read(DOCUMENT_LIMIT + 1), 0
    if len(whole) > DOCUMENT_LIMIT:
        raise SourceError(f"{name}: is JSON of more than {DOCUMENT_LIMIT >> 20} MiB; write a record a line")
    while (at := _BETWEEN.match(whole, at).end()) < len(whole):  # type: ignore[union-attr]  # matches nothing, too
        try:
            found, at = json.JSONDecoder().raw_decode(whole, at)
        except RecursionError as error:
            raise SourceError(f"{name}: begins as JSON but is nested too deep") from error
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
