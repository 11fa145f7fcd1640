"""Links: of the pairs that may be linked, those that are likely, and those that are near enough to tell who moved where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.candidates import NOWHERE, Pairs, Timeline, find_candidates
from alertgraph_spark.link.earlier import Flags, Ids, number_rows
from alertgraph_spark.link.everyday import ACCOUNT, TARGET, name_ends
from alertgraph_spark.link.odds import count_bursts, log_odds, probability
from alertgraph_spark.tables.embedded import conform_arrow
from alertgraph_spark.tables.rates import HOUR, Numbers, micros, rate_of
from alertgraph_spark.tables.roles import acts_as_planned
from alertgraph_spark.tables.schemas import LINKS

KINDS = ("same_pair", "pivot", "account", "same_source", "same_target", "answer", "coincidence")
"""What two linked episodes have in common: the first that holds."""

PIVOT, ACCOUNTS = KINDS.index("pivot"), KINDS.index("account")


def find_links(episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Link episodes to earlier ones that may have led to them.

    Parameters
    ----------
    episodes
        One row is one episode, everyday noise among them: it is counted and never linked; in order of `started_at` and
        `episode`.
    p
        The weights of the odds and `link_least`, in nats; gaps in hours.

    Returns
    -------
    pa.Table
        One row is one ordered pair of episodes (`schemas.LINKS`), by later and earlier place. The earlier starts strictly
        before the later. Those with `log_odds` above `p.link_least` may be the cause of the later one; others are kept where
        they tell of a way: a pivot, or one pair or account within `p.session_gap_seconds`.

    Notes
    -----
    Planned work is linked to planned work only. Nothing of one site is seen by another.
    """
    if not len(episodes):
        return conform_arrow(pa.table({name: [] for name in LINKS.names}), LINKS)
    ends, names = name_ends(episodes, p)
    line = _timeline(episodes, _first_of(ends.at, ends.key, ends.role == TARGET, len(episodes)))
    pairs = find_candidates(line, ends, p)
    kind, is_same_actor = _kinds(episodes, pairs)
    odds = _odds(episodes, line, pairs, p, is_pivot=kind == PIVOT, is_same_actor=is_same_actor)
    wait = np.select([kind == PIVOT, kind <= ACCOUNTS], [p.max_gap_hours, p.session_gap_seconds / 3600], -1.0)
    kept = (odds > p.link_least) | (pairs.gap_hours <= wait)
    pairs, kind, odds = pairs.where(kept), kind[kept], odds[kept]
    by_chance = 1 - np.exp(-rate_of(pairs.type_rate, p) * np.maximum(pairs.gap_hours, p.instant_hours))
    facts = {
        "entity": _entity(episodes, pairs, kind, names),
        "gap_minutes": pairs.gap_hours * HOUR / 60e6,
        "weight": probability(odds),
        "chance": by_chance,
        "log_odds": odds,
    }
    return conform_arrow(_ends_of(episodes, pairs, kind, facts), LINKS)


def _first_of(at: Ids, key: Ids, is_asked: Flags, n: int) -> Ids:
    found = np.full(n, -1, dtype=np.int64)
    found[at[is_asked]] = key[is_asked]
    return found


def _timeline(episodes: pa.Table, arrives_at: Ids) -> Timeline:
    t0, known_hour = micros(episodes["started_at"]), micros(episodes["known_at"]) // HOUR
    return Timeline(
        t0=t0,
        t1=micros(episodes["ended_at"]),
        first=np.searchsorted(t0, t0).astype(np.int64),
        site=number_rows(episodes["site"]),
        surprise=episodes["surprise"].to_numpy(),
        type_share=episodes["fleet_share"].to_numpy(),
        history_hours=episodes["history_hours"].to_numpy(),
        known_hour=known_hour - known_hour.min(),
        arrives_at=arrives_at,
        is_active=~_flags(episodes["is_chronic"]),
        is_planned=_flags(acts_as_planned(episodes)),
        is_late=micros(episodes["known_at"]) > t0,
    )


def _flags(column: pa.ChunkedArray) -> Flags:
    flags: Flags = column.to_numpy(zero_copy_only=False).astype(bool)
    return flags


def _kinds(episodes: pa.Table, pairs: Pairs) -> tuple[Ids, Flags]:
    """The place of each pair's kind in `KINDS`, and whether one pair of hosts, one actor or one account is behind both."""
    n = len(episodes)
    source, target = episodes["source_entity"], episodes["target_entity"]
    both = number_rows(pa.chunked_array([*source.chunks, *target.chunks], source.type))
    has = pc.is_valid(pa.chunked_array([*source.chunks, *target.chunks], source.type)).to_numpy()
    both = np.where(has, both, -1)
    src, dst = both[:n], both[n:]
    acts = np.where(src < 0, dst, src)
    a, b = pairs.earlier, pairs.later
    is_there = dst[a] >= 0
    same_target = (dst[a] == dst[b]) & is_there
    same_pair = (src[a] == src[b]) & (src[a] >= 0) & same_target
    is_lone = (src[a] < 0) & (src[b] < 0)
    pivot = is_there & (dst[a] == acts[b]) & ~is_lone
    same_account = pairs.role == ACCOUNT
    same_source = (acts[a] == acts[b]) & (acts[a] >= 0) & ~same_target
    answer = (acts[a] == dst[b]) & (acts[a] >= 0)
    found = [same_pair, pivot, same_account, same_source, same_target, answer]
    return np.select(found, range(len(found)), len(found)), same_pair | same_account | same_source


def _odds(
    episodes: pa.Table, line: Timeline, pairs: Pairs, p: RankingParameters, *, is_pivot: Flags, is_same_actor: Flags
) -> Numbers:
    of_type = number_rows(episodes["site"], episodes["source"], episodes["name"])
    acting = pc.coalesce(episodes["source_entity"], episodes["target_entity"])
    actor = number_rows(episodes["site"], acting)
    bursts = count_bursts(line, of_type, actor, p)
    # Who goes on from host to host often raises one alert again and again; over many hosts at once it is the rule talking.
    is_same_type = (of_type[pairs.earlier] == of_type[pairs.later]) & ~is_pivot
    return log_odds(pairs, line, bursts, p, is_same_type=is_same_type, is_same_actor=is_same_actor)


def _entity(episodes: pa.Table, pairs: Pairs, kind: Ids, names: list[str]) -> pa.Array:
    """What each pair has in common, in words: of a pivot the host that acts, where there is nothing the later host."""
    later = pa.array(pairs.later)
    acting = pc.coalesce(episodes["source_entity"], episodes["target_entity"]).take(later)
    here = pa.array(names, pa.string()).take(pa.array(pairs.key, mask=pairs.key == NOWHERE))
    at_hand = pc.coalesce(here, episodes["target_entity"].take(later).combine_chunks(), pa.scalar(""))
    return pc.if_else(pa.array(kind == PIVOT), acting.combine_chunks(), at_hand)


def _ends_of(episodes: pa.Table, pairs: Pairs, kind: Ids, facts: Mapping[str, Any]) -> pa.Table:
    later = pa.array(pairs.later)
    ends = {
        "site": episodes["site"].take(later),
        "src": episodes["episode"].take(pa.array(pairs.earlier)),
        "dst": episodes["episode"].take(later),
        "kind": pa.array(KINDS).take(pa.array(kind)),
    }
    return pa.table(ends | dict(facts))
