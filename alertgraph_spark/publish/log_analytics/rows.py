"""Turns the rows of a results table into the JSON objects that are posted, and checks each on the way."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from alertgraph_spark.errors import SchemaError
from alertgraph_spark.publish.log_analytics.fields import JSON, MAX_FIELD_BYTES, cut, in_utf8, iso_utc, nested
from alertgraph_spark.publish.log_analytics.streams import Stream


class EncodedRow(NamedTuple):
    """One row ready to post: its id, its JSON in UTF-8, and how many of its fields were cut.

    A row with a `refusal` did not pass the check and is not posted; its body is what there is of it.
    """

    row_id: str
    body: bytes
    n_fields_cut: int = 0
    refusal: str = ""


def row_id(run_id: str, table: str, keys: list[Any]) -> str:
    """Return the sha256, in hex, of the run, the table and the row's key.

    A repeated post of a run gives the same ids, so `arg_max(TimeGenerated, *) by RowId` folds doubled rows. The parts
    are hashed as one JSON array: joined by a bare separator, keys that contain it could collide.
    """
    return _hash(map(JSON.encode, (run_id, table, *keys)))


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256(in_utf8(f"[{','.join(parts)}]")).hexdigest()


@dataclass(frozen=True)
class RowEncoder:
    """Encodes the rows of one stream in one run: the same row gives the same bytes.

    Nulls are kept, NaN and infinities (which JSON lacks) become null, and a field over 64 KB of UTF-8 is cut with a
    mark: text at a character, an array after the last element that fits.
    """

    stream: Stream
    run_id: str
    time_generated: datetime
    max_field_bytes: int = MAX_FIELD_BYTES

    def encode_all(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[EncodedRow]:
        """Encode rows that are sorted by key; rows of one key are told apart by their number in it.

        A row that fails the check becomes one with a refusal: it must not take the others with it.
        """
        before, repeat = None, 0
        for row in rows:
            keys = [row[name] for name in self.stream.keys]
            repeat = repeat + 1 if keys == before else 0
            before = keys
            try:
                yield self.encode(row, repeat)
            except SchemaError as error:
                key = row_id(self.run_id, self.stream.table.name, [*keys, repeat] if repeat else keys)
                text = json.dumps(dict(row), ensure_ascii=False, default=str)
                yield EncodedRow(key, in_utf8(text), refusal=str(error))

    def encode(self, row: Mapping[str, Any], repeat: int = 0) -> EncodedRow:
        """Write a row as one JSON object with the stream's columns in their order.

        Parameters
        ----------
        row
            Values by the names in `schemas`.
        repeat
            How many rows of the same key came right before; it tells their RowIds apart.

        Returns
        -------
        EncodedRow
            Its key, its text in UTF-8, and how many values were cut.

        Raises
        ------
        SchemaError
            If a value does not have its column's type, which the service would store as null without a word. The
            message names the column and both types, never the value.
        """
        form, columns, key_fields, key_head = self._compiled
        try:
            fields = ["null" if (value := row[source]) is None else write(value) for source, write in columns]
        except _MISFITS as error:
            raise SchemaError(self._misfit(row)) from error
        parts = [*key_head, *[fields[i] for i in key_fields]]
        key = _hash([*parts, str(repeat)] if repeat else parts)
        text = form % (key, *fields)
        if 4 * len(text) <= self.max_field_bytes:  # no character has more than 4 bytes: no field can be too long
            return EncodedRow(key, in_utf8(text))
        whole = fields.copy()
        for i, (source, _, kind) in enumerate(self.stream.columns):
            if kind in ("string", "dynamic"):
                fields[i] = cut(row[source], whole[i], self.max_field_bytes)
        n_cut = sum(field is not before for field, before in zip(fields, whole, strict=True))
        return EncodedRow(key, in_utf8(form % (key, *fields)), n_cut)

    def _misfit(self, row: Mapping[str, Any]) -> str:
        """Say which of the row's values is the first that is not of its column's type."""
        for source, target, kind in self.stream.columns:
            value = row[source]
            try:
                _ = value is None or _WRITERS[kind](value)
            except _MISFITS:
                return f"{target}: {type(value).__name__} is no {kind}"
        return ""

    @cached_property
    def _compiled(self) -> tuple[str, tuple[tuple[str, Callable[[Any], str]], ...], tuple[int, ...], tuple[str, str]]:
        """What is the same for all rows.

        The object with a gap for each value, what fills the gap from which column, which of these are the key, and what
        stands before them in the RowId.
        """
        run = {"TimeGenerated": iso_utc(self.time_generated), "RunId": self.run_id, "RowId": "%s"}
        gaps = {name: "%s" for _, name, _ in self.stream.columns}
        form = JSON.encode(run)[:-1] + "," + JSON.encode(gaps)[1:].replace('"%s"', "%s")
        sources = [source for source, _, _ in self.stream.columns]
        columns = tuple((source, _WRITERS[kind]) for source, _, kind in self.stream.columns)
        head = (JSON.encode(self.run_id), JSON.encode(self.stream.table.name))
        return form, columns, tuple(map(sources.index, self.stream.keys)), head


def _int(value: Any) -> str:
    return _long(value, 1 << 31)


def _long(value: Any, half: int = 1 << 63) -> str:
    if type(value) is not int:  # a flag would be an instance
        raise TypeError
    if not -half <= value < half:
        raise OverflowError
    return str(value)


def _real(value: Any) -> str:
    if type(value) not in (float, int):
        raise TypeError
    return repr(value) if math.isfinite(value) else "null"


def _boolean(value: Any) -> str:
    if type(value) is not bool:
        raise TypeError
    return "true" if value else "false"


def _datetime(value: Any) -> str:
    if type(value) not in (int, datetime):
        raise TypeError
    return f'"{iso_utc(value)}"'


def _dynamic(value: Any) -> str:
    if not isinstance(value, (list, tuple, Mapping, str, int, float)):
        raise TypeError
    return nested(value)


_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "string": encode_basestring,  # refuses what is no text by itself
    "int": _int,
    "long": _long,
    "real": _real,
    "boolean": _boolean,
    "datetime": _datetime,
    "dynamic": _dynamic,
}
"""What turns a value that is not null into JSON; of another type, it raises one of `_MISFITS`."""

_MISFITS = (TypeError, ValueError, OverflowError)
