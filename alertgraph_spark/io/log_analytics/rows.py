"""Turns the rows of a results table into the JSON objects that are posted, and checks each on the way."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

from alertgraph_spark.errors import SchemaError
from alertgraph_spark.io.log_analytics.streams import Stream

# The service truncates a longer field, which leaves a dynamic one as broken JSON: cut it ourselves, with a mark.
MAX_FIELD_BYTES = 64 * 1024
CUT_MARK = "…[cut]"

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class EncodedRow:
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
    return hashlib.sha256(_json([run_id, table, *keys])).hexdigest()


def iso_utc(value: datetime | int) -> str:
    """Return an aware datetime, or microseconds since 1970 UTC, as ISO 8601 in UTC with microseconds and a `Z`.

    Raises
    ------
    ValueError
        For a naive datetime: its zone would be a guess.
    """
    moment = _EPOCH + timedelta(microseconds=value) if isinstance(value, int) else value
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone cannot be posted")
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


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
                text = json.dumps(dict(row), ensure_ascii=False, default=str).encode("utf-8", "replace")
                yield EncodedRow(self._row_id(keys, repeat), text, refusal=str(error))

    def encode(self, row: Mapping[str, Any], repeat: int = 0) -> EncodedRow:
        """Return `row`, keyed by the names in `schemas`, as one JSON object of the stream's columns in their order.

        Raises
        ------
        SchemaError
            If a value does not have its column's type, which the service would store as null without a word. Names the
            column and both types, never the value.
        """
        key = self._row_id([row[name] for name in self.stream.keys], repeat)
        record: dict[str, Any] = {"TimeGenerated": self._run_time, "RunId": self.run_id, "RowId": key}
        n_cut = 0
        for source, target, kind in self.stream.columns:
            try:
                value, is_cut = _field(row[source], kind, self.max_field_bytes)
            except (TypeError, ValueError, OverflowError) as error:
                raise SchemaError(f"{target}: {type(row[source]).__name__} is no {kind}") from error
            record[target] = value
            n_cut += is_cut
        return EncodedRow(key, _json(record), n_cut)

    @cached_property
    def _run_time(self) -> str:
        return iso_utc(self.time_generated)

    def _row_id(self, keys: list[Any], repeat: int) -> str:
        return row_id(self.run_id, self.stream.table.name, [*keys, repeat] if repeat else keys)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


_PYTHON_TYPES: Mapping[str, tuple[Any, ...]] = {
    "string": (str,),
    "int": (int,),
    "long": (int,),
    "real": (int, float),
    "boolean": (bool,),
    "datetime": (datetime, int),
    "dynamic": (list, tuple, Mapping, str, int, float),
}
_BITS = {"int": 32, "long": 64}


def _field(value: Any, kind: str, limit: int) -> tuple[Any, bool]:
    """Return the JSON value of a field and whether it was cut; TypeError or ValueError if it is none of this kind."""
    if value is None:
        return None, False
    _check_type(value, kind)
    if kind == "datetime":
        return iso_utc(value), False
    if kind == "string":
        return _cut_text(value, limit)
    if kind == "dynamic":
        return _cut_dynamic(_plain(value), limit)
    return _plain(value), False


def _check_type(value: Any, kind: str) -> None:
    is_flag = isinstance(value, bool) and kind not in ("boolean", "dynamic")
    if is_flag or not isinstance(value, _PYTHON_TYPES[kind]):
        raise TypeError
    half = 1 << _BITS.get(kind, 1) - 1
    if kind in _BITS and not -half <= value < half:
        raise OverflowError


def _plain(value: Any) -> Any:
    """Return a nested value with nothing in it that JSON cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return iso_utc(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if value is not None and not isinstance(value, (str, int, float)):
        raise TypeError
    return value


def _cut_text(value: str, limit: int) -> tuple[str, bool]:
    encoded = value.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return value, False
    kept = encoded[: limit - len(CUT_MARK.encode())]
    return kept.decode("utf-8", "ignore") + CUT_MARK, True


def _cut_dynamic(value: Any, limit: int) -> tuple[Any, bool]:
    if len(_json(value)) <= limit:
        return value, False
    kept: list[Any] = []
    size = len(_json([CUT_MARK]))
    for element in value if isinstance(value, list) else []:
        size += len(_json(element)) + 1  # the comma
        if size > limit:
            break
        kept.append(element)
    return [*kept, CUT_MARK], True
