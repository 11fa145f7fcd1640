"""Exceptions: what the rows of a list mean, all that is wrong with them, and the keys that alerts give to what they name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from ipaddress import IPv4Network
from typing import Any

import pyarrow as pa

from alertgraph_spark.clean_text import NAME_LIMIT, clean
from alertgraph_spark.config.alert_exception import (
    ANY_END,
    COLUMNS,
    CONDITIONS,
    ENDS,
    LONGEST,
    NEEDED,
    AlertException,
    ListedRow,
)
from alertgraph_spark.config.source_format import ENTITY_KINDS, Asset
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.interpret.asset_list import AssetList, End, asset_list_of
from alertgraph_spark.interpret.entities import key_of
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.interim_schemas import EXCEPTION_KEYS

FEWEST_LETTERS = 4
"""Characters of an alert's name before `ANY_END`: a shorter beginning would be that of half of all alerts."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_FRACTION = re.compile(r"([.]\d{6})\d+")


def understand(rows: Iterable[ListedRow], motifs: Collection[str]) -> list[AlertException]:
    """Turn the rows of a list into exceptions, in their order.

    Parameters
    ----------
    rows
        As `read.exceptions.load_exceptions` gives them.
    motifs
        Ids of the motifs that there are.

    Returns
    -------
    list of AlertException
        In the order of the rows.

    Raises
    ------
    ConfigError
        With every problem of every row, each with its file and line.
    """
    found: dict[str, tuple[str, AlertException]] = {}
    problems: list[str] = []
    for row in rows:
        said = {name.strip(): cell.strip() for name, cell in row.cells.items()}
        wrong = list(_problems(said, motifs))
        if not wrong:
            one = _exception(said)
            place, _ = found.setdefault(one.id, (row.place, one))
            if place != row.place:
                wrong = [
                    f"id {one.id} is that of {place}: both name the same from the same time on, or were given one id"
                ]
        problems += [f"{row.place}: {problem}" for problem in wrong]
    if problems:
        raise ConfigError("\n".join(problems))
    return [one for _, one in found.values()]


def _problems(said: Mapping[str, str], motifs: Collection[str]) -> Iterator[str]:
    if "" in said:
        yield "has more cells than the header"
    # A name that is mistyped would leave its condition out, and the exception would explain more than was meant.
    if unknown := [name for name in said if name and name not in COLUMNS]:
        yield f"no such column: {', '.join(unknown)}; legal are {', '.join(COLUMNS)}"
    if missing := [name for name in NEEDED if not clean(said.get(name, ""))]:
        yield f"without {', '.join(missing)}"
    if not any(said.get(name) for name in CONDITIONS):
        yield f"names nothing; wanted is one of {', '.join(CONDITIONS)}"
    if said.get("id") and not _ID.fullmatch(said["id"]):
        yield f"id is {said['id']!r}; legal are up to 64 letters, digits and ._-"
    yield from _time_problems(said)
    for name in (*ENDS, "account"):
        if said.get(name) and _key(name, said[name]) is None:
            yield f"{name} is {said[name]!r}, which names nobody: wanted is a name, an address, or kind:value"
    alert = said.get("alert", "")
    if alert and (not clean(alert) or (alert.endswith(ANY_END) and len(alert) <= FEWEST_LETTERS)):
        yield f"alert is {alert!r}; before {ANY_END} stand at least {FEWEST_LETTERS} letters"
    if said.get("motif") and said["motif"].lower() not in motifs:
        yield f"motif is {said['motif']!r}; legal are {', '.join(sorted(motifs))}"


def _time_problems(said: Mapping[str, str]) -> Iterator[str]:
    times = {name: _time(said[name]) for name in ("from", "until") if said.get(name)}
    for name, when in times.items():
        if when is None:
            yield f"{name} is {said[name]!r}, no day and no ISO 8601 time with an offset, such as 2026-03-02T22:00:00Z"
    begins, until = times.get("from"), times.get("until")
    if begins and until and begins >= until:
        yield f"from {said['from']} is not before until {said['until']}"
    elif begins and until and until - begins > LONGEST:
        yield f"from {said['from']} until {said['until']} is more than a year: look at it again in between"


def _time(text: str) -> datetime | None:
    """An ISO time with an offset; a day alone is its beginning in UTC."""
    if _DATE.fullmatch(text):
        text += "T00:00:00+00:00"
    try:
        when = datetime.fromisoformat(_FRACTION.sub(r"\1", text.replace("Z", "+00:00")))
    except ValueError:
        return None
    return when.astimezone(timezone.utc) if when.tzinfo else None


def _key(name: str, text: str) -> str | None:
    """The key of a machine or account, or a block of addresses as it is written best; None for what names nobody."""
    if name in ENDS and "/" in text:
        try:
            return str(IPv4Network(text, strict=False))
        except ValueError:
            return None
    kind, colon, value = text.partition(":")
    if colon and kind.lower() in ENTITY_KINDS:
        return key_of(kind.lower(), clean(value) or "") if name in ENDS or kind.lower() == name else None
    return key_of("account" if name == "account" else "host", clean(text) or "")


def _exception(said: Mapping[str, str]) -> AlertException:
    named = {name: said[name] for name in CONDITIONS if said.get(name)}
    keys = {name: _key(name, text) for name, text in named.items() if name in (*ENDS, "account")}
    if "alert" in named:
        keys["alert"] = clean(named["alert"], NAME_LIMIT)
    if "motif" in named:
        keys["motif"] = named["motif"].lower()
    if "site" in named:
        keys["site"] = named["site"]
    times = {"begins": _time(said["from"]), "until": _time(said["until"])}
    texts = {name: clean(said.get(name, "")) for name in ("owner", "reason", "ticket")}
    whole: dict[str, Any] = {"id": said.get("id") or _id(keys, said), **texts, **times, **keys}
    return AlertException(**whole)


def _id(keys: Mapping[str, str | None], said: Mapping[str, str]) -> str:
    """`ex-` and 48 bits of SHA-256 over what is named and the beginning: what else a row says may change."""
    parts = [*((keys.get(name) or "").lower() for name in CONDITIONS), str(_time(said["from"]))]
    # Each part behind its length: two lists of parts never make one text.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return f"ex-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def exception_keys(exceptions: Sequence[AlertException], assets: Sequence[Asset]) -> pa.Table:
    """Give exceptions the keys that alerts give to what they name.

    Parameters
    ----------
    exceptions
        What somebody has explained.
    assets
        The asset list. An address to which it gives a name is that host, as it is in alerts.

    Returns
    -------
    pa.Table
        One row is one exception (`interim_schemas.EXCEPTION_KEYS`).
    """
    known = asset_list_of(tuple(assets))
    rows = []
    for one in exceptions:
        row = {name: getattr(one, name) for name in ("id", "site", "owner", "reason", "ticket", "begins", "until")}
        alert = one.alert or ""
        is_beginning = alert.endswith(ANY_END)
        row |= {"names": one.names, "account": one.account, "motif": one.motif, "is_beginning": is_beginning}
        row["alert"] = (alert[: -len(ANY_END)] if is_beginning else alert) or None
        for end in ENDS:
            row |= _end(end, getattr(one, end), known)
        rows.append(row)
    return pa.Table.from_pylist(rows, arrow_schema(EXCEPTION_KEYS))


def _end(end: str, key: str | None, known: AssetList) -> dict[str, Any]:
    if key is None or "/" not in key:
        return {end: known.resolved(End(key)).entity if key else None, f"{end}_block": None, f"{end}_bits": None}
    block = IPv4Network(key)
    bits = 32 - block.prefixlen
    return {end: None, f"{end}_block": int(block.network_address) >> bits, f"{end}_bits": bits}
