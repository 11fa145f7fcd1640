"""The changes of an incident become what was said of it: each classification once, and that it was opened again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import pyarrow as pa

from alertgraph_spark.clean_text import NAME_LIMIT, VALUE_LIMIT, clean
from alertgraph_spark.tables.verdict_schemas import REOPENED, verdict_of

Row = Mapping[str, Any]

REDIRECTED = '"Redirected"'
"""The tag of an incident that Defender closed since it moved its alerts into another: nobody judged it
(learn.microsoft.com/defender-xdr/alerts-incidents-correlation)."""


class Judged(NamedTuple):
    """One word of an analyst on one incident, or, with `subgraph_id`, on one subgraph."""

    site: str | None
    verdict: str
    judged_by: str | None
    judged_at: datetime
    reason: str | None
    source: str
    alert_ids: tuple[str, ...] = ()
    subgraph_id: str | None = None


def judged_incidents(incidents: pa.Table, earlier: pa.Table | None = None) -> tuple[list[Judged], Counter[str]]:
    """Say what was said of each incident, in order of time.

    Parameters
    ----------
    incidents
        `verdict_schemas.INCIDENTS`, in any order; a change may be there twice.
    earlier
        `verdict_schemas.VERDICTS` as an earlier run had it: what was said before the changes that are given.

    Returns
    -------
    list of Judged
        A word for each time an incident was closed with another classification than before, and for each time it was opened
        again. One that was never closed has none, nor has one that was merged into another. The alerts are those that the
        incident held then.
    Counter
        Rows that could not be read, by reason.
    """
    refused: Counter[str] = Counter()
    rows = list(_readable(incidents.to_pylist(), refused))
    rows.sort(key=lambda row: (row["site"], row["incident"], row["modified_at"], _closed(row)))
    before = _last_words(earlier)
    found: list[Judged] = []
    for (site, incident), of in groupby(rows, key=lambda row: (row["site"], row["incident"])):
        changes = list(of)
        found += _words(changes, before.get((site, _source(incident))), refused)
    return sorted(found, key=lambda word: (word.judged_at, word.site or "", word.source)), refused


def _readable(rows: Iterable[Row], refused: Counter[str]) -> Iterator[Row]:
    for row in rows:
        if not row["incident"]:
            refused["an incident without a number"] += 1
        elif row["modified_at"] is None:
            refused["an incident without the time of its change"] += 1
        elif _closed(row) and row["classification"] and verdict_of(row["classification"]) is None:
            refused["a classification that Sentinel does not have"] += 1
        elif not (_closed(row) and REDIRECTED in (row["labels"] or "")):
            yield row


def _closed(row: Row) -> bool:
    return str(row["status"]).lower() == "closed"


def _source(incident: str) -> str:
    return f"incident {incident}"


def _last_words(earlier: pa.Table | None) -> dict[tuple[str, str], tuple[datetime, str]]:
    """When something was said last of each incident, and what."""
    found: dict[tuple[str, str], tuple[datetime, str]] = {}
    for row in earlier.to_pylist() if earlier else []:
        key, said = (row["site"], row["source"]), (row["judged_at"], row["verdict"])
        found[key] = max(said, found.get(key, said))
    return found


def _words(changes: list[Row], before: tuple[datetime, str] | None, refused: Counter[str]) -> Iterator[Judged]:
    """The words of one incident, its changes given in order of time; `before` is when the last was said before, and what."""
    last = before[1] if before and before[0] <= changes[0]["modified_at"] else None
    for row in changes:
        verdict = (verdict_of(row["classification"]) or "undetermined") if _closed(row) else None
        if verdict is None and last in (None, REOPENED):
            continue
        verdict = verdict or REOPENED
        if verdict == last:
            continue
        is_first = last in (None, REOPENED)  # an incident that is classified anew keeps the time at which it was closed
        at = row["closed_at"] if is_first and row["closed_at"] and verdict != REOPENED else row["modified_at"]
        last = verdict
        reason = None if verdict == REOPENED else _reason(row)
        ids = _alert_ids(row["alert_ids"], refused)
        yield Judged(row["site"], verdict, _who(row), at, reason, _source(row["incident"]), ids)


def _who(row: Row) -> str | None:
    """Who made the change; Sentinel writes itself where a rule or the portal made it for somebody: then the owner."""
    if row["modified_by"] and "@" in row["modified_by"]:
        return clean(row["modified_by"], VALUE_LIMIT)
    try:
        owner = json.loads(row["owner"] or "{}")
    except ValueError:
        owner = {}
    named = (
        [owner.get(name) for name in ("assignedTo", "userPrincipalName", "email")] if isinstance(owner, dict) else []
    )
    who = next((name for name in named if isinstance(name, str) and name), row["modified_by"])
    return clean(who, VALUE_LIMIT) if who else None


def _reason(row: Row) -> str | None:
    said = [clean(text, NAME_LIMIT) for text in (row["comment"], row["classification_reason"]) if text]
    return " · ".join(text for text in said if text) or None


def _alert_ids(text: str | None, refused: Counter[str]) -> tuple[str, ...]:
    try:
        found = json.loads(text or "[]")
        found = json.loads(found) if isinstance(found, str) else found
    except ValueError:
        found = None
    if not isinstance(found, list):
        refused["an incident whose AlertIds are no list"] += 1
        return ()
    cleaned = [clean(one, VALUE_LIMIT) for one in found if isinstance(one, str)]
    return tuple(dict.fromkeys(one for one in cleaned if one))
