"""Meet: two strong groups of one site that begin close together are one, if chance does not bring such a group so soon.

An attacker leaves traces on hosts that nothing links. Two rare things within hours are rarely two things.
"""

from __future__ import annotations

import heapq
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

ABOUT_AS_STRONG = 0.9
"""Share of a group's strength from which on another is one like it."""


class Group(NamedTuple):
    """A strong group: first and last time in microseconds, `strength` in nats, hours of history before it, its first episode
    and the session of that, and the host that it is about.
    """

    site: str
    t0: int
    t1: int
    component: int
    strength: float
    history_hours: float
    is_warm_up: bool
    session: int
    host: str
    hosts: frozenset[str]


def meet_groups(engine: Engine, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Link strong groups that meet; one input row is one episode with its `session` and `component`.

    Returns
    -------
    pa.Table
        One row is one link (`schemas.LINKS`) between the sessions that begin two groups.

    Notes
    -----
    The strength of a group is its damped rarity: the surprise of its distinct types, the i-th divided by i to the power
    of `p.damping`. Of groups of at least `p.meet_nats` a later one joins the earlier one with the least `rate *
    wait`, if that is at most `p.meet_chance`, or `p.meet_chance_here` where they have a host in common; the wait is
    from start to start, at most `p.meet_hours`. The rate is -ln(1 - (n + 1) / (H + 2)) an hour, n the others about as
    strong as the weaker of both that had ended before. A loop over pairs within `p.meet_hours`.
    """
    rows = engine.rows(_groups_sql(p), {"episodes": episodes})
    groups = [Group._make((*facts, frozenset(hosts))) for *facts, hosts in rows]
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
        ("site", pa.string()),
        *[(name, pa.int64()) for name in ("src", "dst")],
        *[(name, pa.string()) for name in ("kind", "entity")],
        *[(name, pa.float64()) for name in ("gap_minutes", "weight", "chance", "log_odds")],
    ]
)


def _meetings(groups: list[Group], p: RankingParameters) -> Iterator[tuple[Group, Group, float]]:
    """The groups of one site that meet, with the rate of groups as strong; `groups` are in order of start."""
    open_ones: list[tuple[int, int]] = []  # end and place of the groups that have begun
    ended: list[float] = []  # strengths of those that have ended, ascending
    begin = 0
    for place, later in enumerate(groups):
        while open_ones and open_ones[0][0] < later.t0:
            insort(ended, groups[heapq.heappop(open_ones)[1]].strength)
        while later.t0 - groups[begin].t0 > p.meet_hours * HOUR:
            begin += 1
        best: tuple[float, int, float] | None = None
        for other in range(begin, place):
            earlier = groups[other]
            if earlier.is_warm_up != later.is_warm_up or earlier.t0 == later.t0:
                continue
            least = ABOUT_AS_STRONG * min(earlier.strength, later.strength)
            n = len(ended) - bisect_left(ended, least) - (earlier.t1 < later.t0)
            rate = -math.log(1 - min(p.max_share, (n + 1) / (later.history_hours + 2)))
            expected = rate * (later.t0 - earlier.t0) / HOUR
            most = p.meet_chance if earlier.hosts.isdisjoint(later.hosts) else p.meet_chance_here
            if expected <= most and (best is None or expected < best[0]):
                best = (expected, other, rate)
        if best:
            yield groups[best[1]], later, best[2]
        heapq.heappush(open_ones, (later.t1, place))


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
        SELECT any_value(site) AS site, epoch_us(min(started_at)) AS t0, epoch_us(max(ended_at)) AS t1, component,
            any_value(strength) AS strength, min(history_hours) AS history_hours,
            min(history_hours) < {p.warm_up_hours!r}::DOUBLE AS is_warm_up,
            arg_min(session, {{'t0': started_at, 'episode': episode}}) AS session,
            coalesce(arg_min(coalesce(target_entity, source_entity), {{'t0': started_at, 'episode': episode}}), '') AS host,
            list_distinct(coalesce(list(target_entity) FILTER (target_zone <> 'external'), [])
                || coalesce(list(source_entity) FILTER (source_zone <> 'external'), [])) AS hosts
        FROM episodes JOIN strong USING (component)
        GROUP BY component ORDER BY site, t0, component
        """
