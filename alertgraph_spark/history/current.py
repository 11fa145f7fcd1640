"""Bring the history up to date: what the export holds by now is folded, as far as it is not yet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from alertgraph_spark.errors import SourceError
from alertgraph_spark.history.fold import OnPart, fold_units, merge_parts
from alertgraph_spark.history.plan import plan_units
from alertgraph_spark.history.reader import Reader
from alertgraph_spark.history.store import Part, Store
from alertgraph_spark.read.changes import list_hours
from alertgraph_spark.read.export_layout import BUCKET, DayFolder, days_inside, midnight

_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

Tune = Callable[[int], AbstractContextManager[None]]
"""Sets Spark up for an input of so many bytes."""


@dataclass(frozen=True)
class Current:
    """The parts of a run, and what was done to have them.

    `hours` are the first hour since 1970 of the export's folders that the run reads and the first after them, `state` is a
    hash of what the export holds in them. Of the parts `n_kept` were there, `n_merged` were made of hours that were there and
    `n_folded` of exported lines, of `n_bytes`; `anew` are the days whose files have changed after they had closed.
    """

    parts: list[Part]
    hours: tuple[int, int]
    state: str
    n_kept: int
    n_merged: int
    n_folded: int
    n_bytes: int
    anew: list[str]

    @property
    def closed_until(self) -> dict[str, datetime]:
        """Site to the end of its newest closed day."""
        days = sorted((part.day, part.site) for part in self.parts if part.hour is None)
        return {site: midnight(day) + timedelta(days=1) for day, site in days}

    @property
    def told(self) -> dict[str, Any]:
        """What `run.json` says of it."""
        counts = {"n_kept": self.n_kept, "n_merged": self.n_merged, "n_folded": self.n_folded, "n_bytes": self.n_bytes}
        return {"state": self.state, **counts, "anew": self.anew}

    @property
    def words(self) -> str:
        """What was done, for a person."""
        said = [f"{self.n_kept:,} parts there"]
        if self.n_folded:
            said.append(f"{self.n_folded:,} folded of {self.n_bytes / 1e6:,.1f} MB")
        if self.n_merged:
            said.append(f"{self.n_merged:,} closed")
        if self.anew:
            more = f" and {len(self.anew) - 3} more" if len(self.anew) > 3 else ""
            said.append(f"folded anew, since their files have changed: {', '.join(self.anew[:3])}{more}")
        return "; ".join(said)


def export_hours(start: datetime, end: datetime) -> tuple[int, int]:
    """The hours since 1970 of the export's folders that may hold rows of a span of time; the last is excluded."""
    return (start - BUCKET - _EPOCH) // _HOUR, -((_EPOCH - end - BUCKET) // _HOUR)


def bring_up_to_date(
    reader: Reader,
    store: Store,
    days: Sequence[DayFolder],
    span: tuple[datetime, datetime],
    *,
    look_back: timedelta,
    tune: Tune,
    on_part: OnPart = lambda unit: None,
) -> Current:
    """Have a part of all that the export holds in a span of time.

    Parameters
    ----------
    reader
        Reads what is not folded yet.
    store
        The history.
    days
        What `export.list_days` found.
    span
        First time of the past that is read, and the end of the window.
    look_back
        How long after its end a day may still get rows.
    tune
        Takes a size in bytes, and sets Spark up for it in a `with` block.
    on_part
        Told of each unit once its part is there.

    Returns
    -------
    Current
        The parts of the span, and what was done for them.

    Raises
    ------
    SourceError
        If no folder lies in the span; says which days there are.
    """
    hours = export_hours(*span)
    touched = _EPOCH + hours[0] * _HOUR, _EPOCH + hours[1] * _HOUR
    listed = list_hours(reader.spark, days_inside(days, *touched))
    plan = plan_units(listed, store.parts(), store.key, touched, look_back)
    parts = [*plan.use]
    for unit, of in plan.merge:
        parts.append(merge_parts(store, unit, of))
        on_part(unit)
    if not (plan.use or plan.merge or plan.fold):
        raise SourceError(
            f"no alerts between {span[0].isoformat()} and {span[1].isoformat()}: no hour folder lies there"
        )
    n_bytes = sum(unit.n_bytes for unit in plan.fold)
    if plan.fold:
        with tune(n_bytes):
            parts += fold_units(reader, store, plan.fold, on_part)
    store.clear_old(plan.useless)
    state = hashlib.sha256("\n".join(sorted(f"{p.site} {p.day} {p.hour} {p.fingerprint}" for p in parts)).encode())
    return Current(
        parts,
        hours,
        state.hexdigest()[:16],
        n_kept=len(plan.use),
        n_merged=len(plan.merge),
        n_folded=len(plan.fold),
        n_bytes=n_bytes,
        anew=[f"{unit.site} {unit.day}" for unit in plan.anew],
    )
