"""Meet: two strong groups that begin close together and have a host in common are one, if chance brings none so soon.

Two rare things on one host within hours are rarely two things, even where no alert of one explains an alert of the other.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.rates import HOUR


class Group(NamedTuple):
    """A strong group: its first and last time and when they were known, in microseconds; `strength` in nats; hours of
    history before it; the session of its first episode and the host that this is about; the `hosts` of all, those inside.
    """

    site: str
    t0: int
    t1: int
    known_from: int
    known_until: int
    component: int
    strength: float
    history_hours: float
    is_warm_up: bool
    session: int
    host: str
    hosts: frozenset[str]


def meet_groups(engine: Engine, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Link strong groups that meet.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with its `session` and `component`.
    p
        The numbers `meet_*`.

    Returns
    -------
    pa.Table
        One row is one link (`schemas.LINKS`) between the sessions that begin two groups.

    Notes
    -----
    The strength of a group is its damped rarity: the surprise of its distinct types, the i-th divided by i to the power of
    `p.damping`. Of groups of at least `p.meet_nats` that have a host in common, addresses outside left aside, a later one
    joins the earlier one with the least `rate * wait`, if that is at most `p.meet_chance`; the wait is from start to start,
    at most `p.meet_hours`. The rate is -ln(1 - (n + 1) / (H + 2)) an hour, n the groups about as strong as the weaker of both
    that had ended before. A loop over pairs within `p.meet_hours`.
    """
    rows = engine.rows(_groups_sql(p), {"episodes": episodes})
    groups = [Group._make((*row[:-1], frozenset(row[-1]))) for row in rows]
    found = []
    for site, of_site in groupby(groups, attrgetter("site")):
        for earlier, later, rate in _meetings(list(of_site), p):
            wait = (later.t0 - earlier.t0) / HOUR
            found.append(
                {
                    "site": site,
                    "src": earlier.session,
                    "dst": later.session,
                    "kind": "meeting",
                    "entity": later.host,
                    "gap_minutes": wait * 60,
                    "weight": p.meet_weight * math.exp(-rate * wait),
                    "chance": 1 - math.exp(-rate * wait),
                    "log_odds": 0.0,
                }
            )
    return pa.Table.from_pylist(found, _SCHEMA)


_SCHEMA = pa.schema(
    [
        *[
            ("site", pa.string()),
            ("src", pa.int64()),
            ("dst", pa.int64()),
            ("kind", pa.string()),
            ("entity", pa.string()),
        ],
        *[(name, pa.float64()) for name in ("gap_minutes", "weight", "chance", "log_odds")],
    ]
)


def _meetings(groups: list[Group], p: RankingParameters) -> Iterator[tuple[Group, Group, float]]:
    """The groups of one site that meet, with the rate of groups as strong; `groups` are in order of start."""
    starts = [group.t0 for group in groups]
    ending = iter(sorted(groups, key=attrgetter("known_until")))
    next_end = next(ending, None)
    ended: list[float] = []  # strengths of those that were known to have ended, ascending
    for later in sorted(groups, key=attrgetter("known_from")):
        while next_end and next_end.known_until < later.known_from:
            insort(ended, next_end.strength)
            next_end = next(ending, None)
        best: tuple[bool, float, int, float] | None = None
        near = range(bisect_left(starts, later.t0 - p.meet_hours * HOUR), bisect_left(starts, later.t0))
        for place in near:
            earlier = groups[place]
            if earlier.is_warm_up != later.is_warm_up or earlier.hosts.isdisjoint(later.hosts):
                continue
            least = p.meet_like_share * min(earlier.strength, later.strength)
            n = len(ended) - bisect_left(ended, least) - (earlier.known_until < later.known_from)
            rate = -math.log(1 - min(p.max_share, (n + 1) / (later.history_hours + 2)))
            expected = rate * (later.t0 - earlier.t0) / HOUR
            if expected <= p.meet_chance:  # what was known goes before what came afterwards
                tried = (earlier.known_from > later.known_from, expected, place, rate)
                best = min(best, tried) if best else tried
        if best:
            yield groups[best[2]], later, best[3]


def _groups_sql(p: RankingParameters) -> str:
    return f"""
        WITH types AS (
            SELECT component, max(surprise) AS surprise FROM episodes GROUP BY component, source, name
        ),
        placed AS (
            SELECT component, surprise, row_number() OVER (PARTITION BY component ORDER BY surprise DESC) AS place FROM types
        ),
        strong AS (
            SELECT component, sum(surprise / place ** {p.damping!r}::DOUBLE ORDER BY place) AS strength
            FROM placed GROUP BY component HAVING strength >= {p.meet_nats!r}::DOUBLE
        )
        SELECT any_value(site) AS site, epoch_us(min(started_at)) AS t0, epoch_us(max(ended_at)) AS t1,
            epoch_us(min(known_at)) AS known_from, epoch_us(greatest(max(ended_at), max(known_at))) AS known_until, component,
            any_value(strength) AS strength, min(history_hours) AS history_hours,
            min(history_hours) < {p.warm_up_hours!r}::DOUBLE AS is_warm_up,
            arg_min(session, {{'t0': started_at, 'episode': episode}}) AS session,
            coalesce(arg_min(coalesce(target_entity, source_entity), {{'t0': started_at, 'episode': episode}}), '') AS host,
            list_distinct(coalesce(list(target_entity) FILTER (target_zone <> 'external'), [])
                || coalesce(list(source_entity) FILTER (source_zone <> 'external'), [])) AS hosts
        FROM episodes JOIN strong USING (component)
        GROUP BY component ORDER BY site, t0, component
        """
