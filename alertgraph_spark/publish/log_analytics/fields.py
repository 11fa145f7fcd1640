"""Values of a row as JSON, and what of a value fits into a field of Log Analytics."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

# The service truncates a longer field, which leaves a dynamic one as broken JSON: cut it ourselves, with a mark.
MAX_FIELD_BYTES = 64 * 1024
CUT_MARK = "…[cut]"

_EPOCH = datetime(1970, 1, 1)
_SECONDS = tuple(f":{second:02}." for second in range(60))


def iso_utc(value: datetime | int) -> str:
    """Write a time as ISO 8601 in UTC, with microseconds and a `Z`.

    Parameters
    ----------
    value
        An aware datetime, or microseconds since 1970 in UTC.

    Returns
    -------
    str
        Always of the same length.

    Raises
    ------
    ValueError
        For a naive datetime: its zone would be a guess.
    """
    if isinstance(value, int):
        minutes, micros = divmod(value, 60_000_000)
        return f"{_minute(minutes)}{_SECONDS[micros // 1_000_000]}{micros % 1_000_000:06}Z"
    if value.tzinfo is None:
        raise ValueError("a datetime without a time zone cannot be posted")
    return value.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


@lru_cache(maxsize=20_000)
def _minute(minutes: int) -> str:
    """Return the minute so many after 1970 began: the times of a run share few, and `datetime` is slow to ask."""
    return (_EPOCH + timedelta(minutes=minutes)).isoformat(timespec="minutes")


def in_utf8(text: str) -> bytes:
    """A text's bytes; half of a surrogate pair, which UTF-8 does not have, is a question mark."""
    return text.encode("utf-8", "replace")


def _known(value: Any) -> Any:
    """Return what JSON can hold of a nested value that `json` does not know."""
    if isinstance(value, datetime):
        return iso_utc(value)
    raise TypeError


JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_known)


def nested(value: Any) -> str:
    """A value of lists and records as JSON, with null for what is not a number."""
    try:
        return JSON.encode(value)
    except ValueError:  # something in it is not a number
        return JSON.encode(_finite(value))


def _finite(value: Any) -> Any:
    """Return a nested value with null for each NaN and infinity in it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def cut(value: Any, field: str, limit: int) -> str:
    """Return `field`, the JSON of `value`, or what of it fits: the text's bytes count, and all those of a dynamic field."""
    counted = value if isinstance(value, str) else field
    if len(in_utf8(counted)) <= limit:
        return field
    if isinstance(value, str):
        text = in_utf8(value)[: limit - len(in_utf8(CUT_MARK))].decode("utf-8", "ignore")
        return encode_basestring(text + CUT_MARK)
    return _cut_record(value, limit) if isinstance(value, Mapping) else _cut_list(value, limit)


def _cut_list(value: Any, limit: int) -> str:
    """The elements that fit, and a mark behind them; of a first one that does not, a sentence with its ids, what fits."""
    kept: list[str] = []
    left = limit - len(in_utf8(JSON.encode([CUT_MARK])))
    for element in value if isinstance(value, (list, tuple)) else []:
        field = nested(element)
        if len(in_utf8(field)) >= left and not kept and isinstance(element, Mapping):
            field = _cut_record(element, left - 1)
        left -= len(in_utf8(field)) + 1  # the comma
        if left < 0:
            break
        kept.append(field)
    return f"[{','.join([*kept, JSON.encode(CUT_MARK)])}]"


def _cut_record(value: Mapping[str, Any], limit: int) -> str:
    """All fields of a record, the shortest whole: a fact or a score stays, where the list of ids beside it is too long."""
    left = limit - len(in_utf8(JSON.encode(dict.fromkeys(value))))
    kept: dict[str, str] = {}
    for name, inner in sorted(value.items(), key=lambda item: len(in_utf8(nested(item[1])))):
        field = nested(inner)
        if len(in_utf8(field)) > left:
            field = _cut_list(inner, left) if isinstance(inner, (list, tuple)) else JSON.encode(CUT_MARK)
        kept[name] = field
        left -= len(in_utf8(field))
    return f"{{{','.join(f'{JSON.encode(name)}:{kept[name]}' for name in value)}}}"
