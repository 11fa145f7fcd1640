"""Which parts a run needs, which of them are there, and which must be folded from the export first."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

from alertgraph_spark.history.store import Part
from alertgraph_spark.read.changes import ExportHour
from alertgraph_spark.read.export_layout import midnight

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Unit:
    """What one part holds: a closed day of a site, or one hour of an open one (`hour`, else None)."""

    site: str
    day: date
    hour: int | None
    fingerprint: str
    hours: tuple[ExportHour, ...]

    @property
    def span(self) -> tuple[int, int]:
        """Its first hour since 1970, and the first after it."""
        first = (self.day - date(1970, 1, 1)).days * 24 + (self.hour or 0)
        return first, first + (24 if self.hour is None else 1)

    @property
    def n_bytes(self) -> int:
        """Bytes of its files."""
        return sum(hour.n_bytes for hour in self.hours)


@dataclass
class Plan:
    """The parts of a run: `use` are there, `merge` can be made of parts that are there, `fold` must be read.

    `anew` are days of which the export's files have changed since they were folded, and `useless` the parts that none of
    these needs any more.
    """

    use: list[Part] = field(default_factory=list)
    merge: list[tuple[Unit, list[Part]]] = field(default_factory=list)
    fold: list[Unit] = field(default_factory=list)
    anew: list[Unit] = field(default_factory=list)
    useless: list[Part] = field(default_factory=list)


def plan_units(
    hours: Sequence[ExportHour], parts: Iterable[Part], key: str, span: tuple[datetime, datetime], look_back: timedelta
) -> Plan:
    """Decide which parts a run needs, and how each is had.

    Parameters
    ----------
    hours
        All hours of the days that the run touches, as they are now.
    parts
        The parts that are there.
    key
        The key of the history, as `store.history_key` gives it.
    span
        First and last time of the export's folders that the run reads, the last excluded. A closed day is taken whole.
    look_back
        How long after its end a day may still get rows; it is counted from the newest hour of the site.

    Returns
    -------
    Plan
        The parts that are used, and the units that must be read.

    Notes
    -----
    What an export job wrote of a day is used where no rule has exported it.
    """
    newest: dict[str, datetime] = {}
    by_day: dict[tuple[str, date], list[ExportHour]] = defaultdict(list)
    for hour in hours:
        by_day[hour.site, hour.day].append(hour)
        newest[hour.site] = max(newest.get(hour.site, _begin(hour) + _HOUR), _begin(hour) + _HOUR)
    have: dict[tuple[str, date], list[Part]] = defaultdict(list)
    plan = Plan()
    for part in parts:
        if not part.is_job:
            have[part.site, part.day].append(part)
        elif part.key == key and (part.site, part.day) not in by_day and _is_touched(part.day, span):
            plan.use.append(part)
    for (site, day), of_day in by_day.items():
        there = have[site, day]
        wanted: list[Unit]
        if midnight(day) + timedelta(days=1) + look_back <= newest[site]:
            wanted = [day_unit(of_day)]
        else:
            inside = [hour for hour in of_day if _begin(hour) < span[1] and span[0] < _begin(hour) + _HOUR]
            wanted = [Unit(site, day, hour.hour, hour.fingerprint, (hour,)) for hour in inside]
        needed = [_take(plan, unit, [part for part in there if part.key == key]) for unit in wanted]
        used = {part for found in needed for part in found}
        plan.useless += [part for part in there if _is_superseded(part, used, of_day, key)]
    return plan


def _is_touched(day: date, span: tuple[datetime, datetime]) -> bool:
    return midnight(day) < span[1] and span[0] < midnight(day) + timedelta(days=1)


def _begin(hour: ExportHour) -> datetime:
    return datetime(hour.day.year, hour.day.month, hour.day.day, hour.hour, tzinfo=timezone.utc)


def day_unit(hours: Sequence[ExportHour]) -> Unit:
    """The unit of a whole day, of all its hours."""
    said = hashlib.sha256("".join(f"{hour.hour} {hour.fingerprint}\n" for hour in hours).encode())
    return Unit(hours[0].site, hours[0].day, None, said.hexdigest()[:16], tuple(hours))


def _take(plan: Plan, unit: Unit, there: Sequence[Part]) -> list[Part]:
    """Put one unit where it belongs; return the parts that it needs."""
    same = [part for part in there if part.hour == unit.hour]
    if exact := [part for part in same if part.fingerprint == unit.fingerprint]:
        plan.use.append(exact[0])
        return exact[:1]
    if unit.hour is None:
        state = {(hour.hour, hour.fingerprint): hour for hour in unit.hours}
        hourly = {part.hour: part for part in reversed(there) if (part.hour, part.fingerprint) in state}
        if len(hourly) == len(unit.hours):
            found = [hourly[hour.hour] for hour in unit.hours]
            plan.merge.append((unit, found))
            return found
        if same:
            plan.anew.append(unit)
    plan.fold.append(unit)
    return []


def _is_superseded(part: Part, used: set[Part], hours: Sequence[ExportHour], key: str) -> bool:
    """Whether a part of a day can be of no use to any run with this key: of another key it may be to somebody else."""
    if part.key != key or part in used:
        return False
    now = {hour.hour: hour.fingerprint for hour in hours}
    is_there_twice = any(one.hour in (None, part.hour) for one in used)
    return part.hour is None or is_there_twice or now.get(part.hour) != part.fingerprint
