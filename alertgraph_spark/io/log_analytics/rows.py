"""Turns the rows of a results table into the JSON objects that are posted, and checks each on the way."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from alertgraph_spark.errors import SchemaError
from alertgraph_spark.io.log_analytics.streams import Stream

# The service truncates a longer field, which leaves a dynamic one as broken JSON: cut it ourselves, with a mark.
MAX_FIELD_BYTES = 64 * 1024
CUT_MARK = "…[cut]"

_EPOCH = date(1970, 1, 1)


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
    parts = ",".join(map(_JSON.encode, (run_id, table, *keys)))
    return hashlib.sha256(_bytes(f"[{parts}]")).hexdigest()


def iso_utc(value: datetime | int) -> str:
    """Return an aware datetime, or microseconds since 1970 UTC, as ISO 8601 in UTC with microseconds and a `Z`.

    Raises
    ------
    ValueError
        For a naive datetime: its zone would be a guess.
    """
    if isinstance(value, int):
        seconds, micros = divmod(value, 1_000_000)
        days, seconds = divmod(seconds, 86_400)
        return f"{_date(days)}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}Z"
    if value.tzinfo is None:
        raise ValueError("a datetime without a time zone cannot be posted")
    return value.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


@lru_cache(maxsize=1024)
def _date(days: int) -> str:
    """Return the date so many days after 1970 began; a table has few, and asking `datetime` costs half of encoding a row."""
    return (_EPOCH + timedelta(days=days)).isoformat()


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
                text = json.dumps(dict(row), ensure_ascii=False, default=str)
                yield EncodedRow(self._row_id(keys, repeat), _bytes(text), refusal=str(error))

    def encode(self, row: Mapping[str, Any], repeat: int = 0) -> EncodedRow:
        """Return `row`, keyed by the names in `schemas`, as one JSON object of the stream's columns in their order.

        Raises
        ------
        SchemaError
            If a value does not have its column's type, which the service would store as null without a word. Names the
            column and both types, never the value.
        """
        key = self._row_id([row[name] for name in self.stream.keys], repeat)
        parts = [self._head, key, '"']
        cut: list[str] = []
        for source, target, kind, named, write in self._columns:
            value = row[source]
            parts.append(named)
            try:
                parts.append("null" if value is None else write(value, self.max_field_bytes, cut))
            except (TypeError, ValueError, OverflowError) as error:
                raise SchemaError(f"{target}: {type(value).__name__} is no {kind}") from error
        parts.append("}")
        return EncodedRow(key, _bytes("".join(parts)), len(cut))

    @cached_property
    def _head(self) -> str:
        """What every row of the run begins with, up to its RowId."""
        run = {"TimeGenerated": iso_utc(self.time_generated), "RunId": self.run_id, "RowId": ""}
        return _JSON.encode(run).removesuffix('"}')

    @cached_property
    def _columns(self) -> tuple[tuple[str, str, str, str, _Writer], ...]:
        """Each column as (source, target, kind, its name in the object, what writes it): found once, not for every row."""
        return tuple((s, t, kind, f",{_JSON.encode(t)}:", _WRITERS[kind]) for s, t, kind in self.stream.columns)

    def _row_id(self, keys: list[Any], repeat: int) -> str:
        return row_id(self.run_id, self.stream.table.name, [*keys, repeat] if repeat else keys)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # half of a surrogate pair is no UTF-8


def _nested(value: Any) -> Any:
    """Return what JSON can hold of a value that `json` does not know."""
    if isinstance(value, datetime):
        return iso_utc(value)
    raise TypeError


_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_nested)

# A value that is not null, the most bytes that a field may have, and a list that gets what was cut -> JSON.
_Writer = Callable[[Any, int, list[str]], str]


def _string(value: Any, limit: int, cut: list[str]) -> str:
    if not isinstance(value, str):
        raise TypeError
    if 4 * len(value) > limit:  # no character has more than 4 bytes
        encoded = _bytes(value)
        if len(encoded) > limit:
            kept = encoded[: limit - len(CUT_MARK.encode())]
            value = kept.decode("utf-8", "ignore") + CUT_MARK
            cut.append(value)
    return _JSON.encode(value)


def _whole(value: Any, half: int) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    if not -half <= value < half:
        raise OverflowError
    return str(value)


def _int(value: Any, limit: int, cut: list[str]) -> str:
    return _whole(value, 1 << 31)


def _long(value: Any, limit: int, cut: list[str]) -> str:
    return _whole(value, 1 << 63)


def _real(value: Any, limit: int, cut: list[str]) -> str:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError
    return repr(value) if math.isfinite(value) else "null"


def _boolean(value: Any, limit: int, cut: list[str]) -> str:
    if not isinstance(value, bool):
        raise TypeError
    return "true" if value else "false"


def _datetime(value: Any, limit: int, cut: list[str]) -> str:
    if not isinstance(value, (datetime, int)) or isinstance(value, bool):
        raise TypeError
    return f'"{iso_utc(value)}"'


def _dynamic(value: Any, limit: int, cut: list[str]) -> str:
    if not isinstance(value, (list, tuple, Mapping, str, int, float)):
        raise TypeError
    try:
        text = _JSON.encode(value)
    except ValueError:  # something in it is not a number
        value = _finite(value)
        text = _JSON.encode(value)
    if 4 * len(text) <= limit or len(_bytes(text)) <= limit:
        return text
    kept: list[str] = []
    size = len(_bytes(_JSON.encode([CUT_MARK])))
    for element in value if isinstance(value, (list, tuple)) else []:
        encoded = _JSON.encode(element)
        size += len(_bytes(encoded)) + 1  # the comma
        if size > limit:
            break
        kept.append(encoded)
    cut.append(text)
    return f"[{','.join([*kept, _JSON.encode(CUT_MARK)])}]"


def _finite(value: Any) -> Any:
    """Return a nested value with null for each NaN and infinity in it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value


_WRITERS: Mapping[str, _Writer] = {
    "string": _string,
    "int": _int,
    "long": _long,
    "real": _real,
    "boolean": _boolean,
    "datetime": _datetime,
    "dynamic": _dynamic,
}
