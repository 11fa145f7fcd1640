"""Which earlier episode may have led to which later one, through an entity that both have in common.

A link goes from the earlier to the later episode. Its gap is bounded by chance: on an entity that is touched every few
minutes only close neighbours link, on one that never speaks a link may span days. So hubs stay in the graph but are no glue.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.earlier import Flags, Ids, count_before, nearest_before, values_of
from alertgraph_spark.link.ends import Ends, LinkKind, link_kinds
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.rates import HOUR, Numbers, micros, past_share, rate_of
from alertgraph_spark.tables.schemas import LINKS


class Timeline(NamedTuple):
    """Episodes in the order of time, as arrays.

    Times in microseconds; `first` is the place of the first episode with the same start, `level` the surprise in whole nats,
    `grade` that of the severity.
    """

    t0: Ids
    t1: Ids
    first: Ids
    level: Ids
    grade: Ids
    history_hours: Numbers


class Tried(NamedTuple):
    """Pairs of an earlier and a later end of one key that are tried; ends are places in the order of time.

    For a pivot: whether the earlier end is the nearest of a class, or of all, and whether a pivot as surprising explains the
    later end within the gap that is always allowed. What was reached a moment ago needs no older cause.
    """

    earlier: Ids
    later: Ids
    key: Ids
    gap_hours: Numbers
    is_nearest: Flags
    is_first: Flags
    is_explained: Flags

    def where(self, is_kept: Flags) -> Tried:
        """Those that are kept."""
        return Tried._make(part[is_kept] for part in self)


def find_links(engine: Engine, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Link each episode to its nearest predecessors of every kind.

    Parameters
    ----------
    episodes
        One row is one episode that is no everyday noise, in order of `started_at` and `episode`.

    Returns
    -------
    pa.Table
        One row is one ordered pair of episodes (`schemas.LINKS`), the strongest kind where several hold. The earlier starts
        strictly before the later; the gap is start minus the earlier's end, not below 0.

    Notes
    -----
    The rate of an entity is that of episodes which could have been the later end, at least as surprising as the weaker one,
    before the earlier one: from h past hours with such, `-ln(1 - (h + 1) / (H + 2))` an hour, H the site's hours before the
    later end. So two rare episodes can be linked over a host whose everyday life is busy, and over a server that many come
    to but that never acts itself.

    A patient link spans at most `p.coincidence / rate`; its weight falls with the chance that something else would have come
    in the gap, `exp(-rate * gap)`. `chance` is one less that, of a gap of at least `p.instant_hours`; it is 0 for the pivot
    from the nearest arrival within the gap that is always allowed. An episode that a pivot as surprising explains within
    that gap is linked to no older one. For each episode and kind the `p.nearest_links` nearest are tried, for a pivot as many
    of those at least as surprising and of those at least as severe. O(n log n) for each whole nat of surprise.

    The number of links is linear in that of episodes, whatever they say: by accounts alone an episode has at most
    `p.most_by_account`, the strongest, and an account that more than `p.busy_account` episodes named in the hour before links
    nothing.
    """
    line = _timeline(episodes, p)
    linked = [_linked(line, kind, p) for kind in link_kinds(episodes, p)]
    return _by_pair(engine, episodes, pa.concat_tables(linked), p)


def _timeline(episodes: pa.Table, p: RankingParameters) -> Timeline:
    t0, t1 = (micros(episodes[name]) for name in ("started_at", "ended_at"))
    grade = np.floor(p.severity_grades * pc.fill_null(episodes["severity"], 0.0).to_numpy()).astype(np.int64)
    return Timeline(
        t0=t0,
        t1=t1,
        first=np.searchsorted(t0, t0),
        level=np.floor(episodes["surprise"].to_numpy()).astype(np.int64),
        grade=np.minimum(p.severity_grades - 1, grade),
        history_hours=episodes["history_hours"].to_numpy(),
    )


def _linked(line: Timeline, kind: LinkKind, p: RankingParameters) -> pa.Table:
    """The links of one kind; one row is one pair and key, its ends as places in the order of time."""
    tried = _pivots(line, kind, p) if kind.is_ranked else _alike(line, kind, p)
    # No gap is longer than what was never seen allows: most pairs are out before their past is counted.
    never_seen = rate_of(past_share(0, line.history_hours), p)
    tried = tried.where(_may_link(kind, tried, never_seen[tried.later], p))
    rate = rate_of(past_share(_hours_seen(line, kind.seen, tried), line.history_hours[tried.later]), p)
    is_linked = _may_link(kind, tried, rate, p)
    tried, rate = tried.where(is_linked), rate[is_linked]
    alone = np.exp(-rate * tried.gap_hours)  # the chance that nothing else would have come in the gap
    least = p.nearest_pivot_weight
    follows = tried.is_nearest & (tried.gap_hours <= kind.base_gap_hours)
    nearest = np.where(tried.is_first, least + (1 - least) * alone, least)
    return pa.table(
        {
            "earlier": tried.earlier,
            "later": tried.later,
            "kind": pa.repeat(kind.name, len(rate)),
            "kind_weight": pa.repeat(kind.weight, len(rate)),
            "entity": _entity(kind, tried.key),
            "gap_minutes": tried.gap_hours * 60,
            "strength": np.where(follows, nearest, p.other_link_share * kind.weight * alone),
            "chance": np.where(follows, 0.0, 1 - np.exp(-rate * np.maximum(tried.gap_hours, p.instant_hours))),
        }
    )


def _may_link(kind: LinkKind, tried: Tried, rate: Numbers, p: RankingParameters) -> Flags:
    """Whether a gap is one that is always allowed, or one in which chance brings little at such a rate."""
    is_short = tried.gap_hours <= kind.base_gap_hours
    if not kind.is_patient:
        return is_short
    return is_short | (~tried.is_explained & (tried.gap_hours <= np.minimum(p.max_gap_hours, p.coincidence / rate)))


def _alike(line: Timeline, kind: LinkKind, p: RankingParameters) -> Tried:
    """The nearest earlier ends of each later one."""
    (asked,) = kind.asked
    earlier, later, key, _ = _nearest(line, asked.earlier, asked.later, p)
    no = np.zeros(len(key), dtype=bool)
    return Tried(earlier, later, key, _gap_hours(line, earlier, later), no, no, no)


def _pivots(line: Timeline, kind: LinkKind, p: RankingParameters) -> Tried:
    """The nearest earlier ends of each later one: of all, of those as surprising, and of those as severe; each pair once."""
    found = []
    for earlier, later in kind.asked:
        found.append(_nearest(line, earlier, later, p))
        for ranks in (line.level, line.grade):
            for least in values_of(ranks[later.at]):
                if least > 0:  # to be in the lowest class asks for nothing
                    strong = earlier.where(ranks[earlier.at] >= least)
                    found.append(_nearest(line, strong, later.where(ranks[later.at] == least), p))
    early, late, _, is_nearest = (np.concatenate(part) for part in zip(*found, strict=True))
    n = len(line.t0)
    pairs = np.sort((late * n + early) * 2 + is_nearest)
    pairs = pairs[np.diff(pairs // 2, append=-1) != 0]  # once each, as the nearest if it is that in any class
    late, early = np.divmod(pairs // 2, n)
    key = np.zeros(n, dtype=np.int64)
    key[kind.seen.at] = kind.seen.key
    gap_hours = _gap_hours(line, early, late)
    explains = (gap_hours <= kind.base_gap_hours) & (line.level[early] >= line.level[late])
    is_explained = np.zeros(n, dtype=bool)
    is_explained[late[explains]] = True
    is_first = np.diff(late, append=-1) != 0  # pairs ascend: the last of a later end is its nearest of all
    return Tried(early, late, key[late], gap_hours, pairs % 2 == 1, is_first, is_explained[late])


def _nearest(line: Timeline, earlier: Ends, later: Ends, p: RankingParameters) -> tuple[Ids, Ids, Ids, Flags]:
    """The nearest earlier ends of each later one: earlier, later, their key, and whether it is the nearest of these."""
    n = len(line.t0)
    asked = later.key * n + line.first[later.at]
    who, mark, is_nearest = nearest_before(earlier.key * n + earlier.at, asked, n, p.nearest_links)
    return earlier.at[mark], later.at[who], later.key[who], is_nearest


def _gap_hours(line: Timeline, earlier: Ids, later: Ids) -> Numbers:
    gap: Numbers = np.maximum(0, line.t0[later] - line.t1[earlier]) / HOUR
    return gap


def _hours_seen(line: Timeline, seen: Ends, tried: Tried) -> Ids:
    """Hours before that of the earlier end in which the key had a later end as strong as the weaker of both."""
    hour = line.t0 // HOUR
    hour = hour - hour[:1].sum()  # from the first on, if there is one
    width = int(hour.max(initial=0)) + 1
    return count_before(
        seen.key * width + hour[seen.at],
        line.level[seen.at],
        tried.key * width + hour[tried.earlier],
        np.minimum(line.level[tried.earlier], line.level[tried.later]),
        width,
    )


def _entity(kind: LinkKind, key: Ids) -> pa.ChunkedArray:
    """What a key is the number of, in words."""
    place = np.zeros(1 + kind.seen.key.max(initial=0), dtype=np.int64)
    place[kind.seen.key] = np.arange(len(kind.seen.key))
    parts = [column.take(pa.array(place[key])) for column in kind.entity]
    return pc.binary_join_element_wise(*parts, kind.between, null_handling="skip")


def _by_pair(engine: Engine, episodes: pa.Table, linked: pa.Table, p: RankingParameters) -> pa.Table:
    """One row a pair. Where several kinds hold, the most telling names the link, the strongest weighs it, the least of chance
    speaks for it.
    """
    pairs = engine.query(
        f"""
        WITH pairs AS (
            SELECT earlier, later, max(strength) AS weight, min(chance) AS chance, arg_max(
                {{'kind': kind, 'entity': entity, 'gap_minutes': gap_minutes}},
                {{'kind_weight': kind_weight, 'strength': strength, 'kind': kind, 'entity': entity}}
            ) AS named
            FROM linked GROUP BY earlier, later
        )
        SELECT * FROM pairs
        QUALIFY named.kind <> 'account' OR row_number() OVER (
            PARTITION BY later, named.kind = 'account' ORDER BY weight DESC, earlier DESC
        ) <= {p.most_by_account}
        ORDER BY later, earlier
        """,
        {"linked": linked},
    )
    named = pc.struct_field
    return conform_arrow(
        pa.table(
            {
                "site": episodes["site"].take(pairs["later"]),
                "src": episodes["episode"].take(pairs["earlier"]),
                "dst": episodes["episode"].take(pairs["later"]),
                **{name: named(pairs["named"], name) for name in ("kind", "entity", "gap_minutes")},
                "weight": pairs["weight"],
                "chance": pairs["chance"],
            }
        ),
        LINKS,
    )
