"""Candidates: the earlier episodes that may have led to a later one, a few for each.

Through an entity that both name the nearest, also the nearest of those as surprising, so that a strong one is seen past a
crowd; and over the site, without an entity, the nearest where both are surprising.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.earlier import Flags, Ids, hours_before, nearest_before
from alertgraph_spark.link.everyday import SOURCE, TARGET, Ends
from alertgraph_spark.tables.rates import HOUR, Numbers, past_share

NOWHERE = -1
"""The key of a pair that has no entity in common."""


class Timeline(NamedTuple):
    """Episodes in the order of time, as arrays: times in microseconds; `first` is the place of the first episode with the
    same start, `site` a number, `surprise` in nats, `type_share` the share of past hours that had the type, `known_hour` the
    hour from which it was known, counted from the first, `arrives_at` the key of the target, -1 where there is none;
    `is_active` is what is no everyday noise, `is_planned` planned work, `is_late` what was received an hour late or more.
    """

    t0: Ids
    t1: Ids
    first: Ids
    site: Ids
    surprise: Numbers
    type_share: Numbers
    history_hours: Numbers
    known_hour: Ids
    arrives_at: Ids
    is_active: Flags
    is_planned: Flags
    is_late: Flags


class Pairs(NamedTuple):
    """An earlier and a later episode, by later and earlier place; each pair once.

    `key` and `role` are the entity that speaks most for it, and what it is to the later episode; `n_common` how many they
    have in common, `type_rate` and `any_rate` those of the later one there.
    """

    earlier: Ids
    later: Ids
    key: Ids
    role: Ids
    gap_hours: Numbers
    type_rate: Numbers
    any_rate: Numbers
    n_common: Ids

    def where(self, kept: Flags | Ids) -> Pairs:
        """Those that are kept, or at these places."""
        return Pairs._make(part[kept] for part in self)


def find_candidates(line: Timeline, ends: Ends, p: RankingParameters) -> Pairs:
    """Find the pairs of episodes that may be linked: for each later episode a few at most at each place and class of
    surprise.

    Parameters
    ----------
    line
        When each episode was, and what is known of it.
    ends
        Entities of all episodes; of those that are no everyday noise pairs are made.
    p
        How many pairs are tried, and over which gaps.

    Returns
    -------
    Pairs
        One row is one pair. No pair comes twice.

    Notes
    -----
    At the host that acts the `p.nearest_links` nearest that arrived there, and at each entity the nearest in any role: of
    all, and of those from each of `ENTITY_CLASSES` nats of surprise on, at most `p.max_gap_hours` before. Over the site the
    nearest where both reach one of `SITE_CLASSES`, at most `p.max_site_gap_hours` before. The entity with the highest
    `-ln type_rate - ln gap` names a pair. Planned work is tried with planned work only: a scanner's many episodes take no
    places; nor does what came late. O(n log n) in entities of episodes.
    """
    ends, search_key = _by_search_key(line, ends.where(line.is_active[ends.at]))
    found = [
        *_arrivals(line, ends, search_key, p),
        *_at_entities(line, ends, search_key, p),
        *_over_sites(line, p),
    ]
    tried = Pairs._make(np.concatenate(parts) for parts in zip(*found, strict=True))
    limit = np.where(tried.key == NOWHERE, p.max_site_gap_hours, p.max_gap_hours)
    return _by_pair(tried.where((tried.gap_hours <= limit) & (tried.earlier != tried.later)), p)


ENTITY_CLASSES = (0.0, 3.0, 4.0, 5.0)
SITE_CLASSES = (2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
"""Least surprise of the classes in which the nearest are sought, in nats."""


def _arrivals(line: Timeline, ends: Ends, search_key: Ids, p: RankingParameters) -> list[Pairs]:
    """The nearest that arrived at a host before it acts."""
    has_source = np.zeros(len(line.t0), dtype=bool)
    has_source[ends.at[ends.role == SOURCE]] = True
    acts = np.flatnonzero((ends.role == SOURCE) | ((ends.role == TARGET) & ~has_source[ends.at]))
    arrives = np.flatnonzero(line.arrives_at[ends.at] == ends.key)
    found = _nearest_of_classes(line, ends, search_key, p, seen=arrives, asked=acts)
    return [pairs.where(has_source[pairs.earlier] | has_source[pairs.later]) for pairs in found]


def _at_entities(line: Timeline, ends: Ends, search_key: Ids, p: RankingParameters) -> list[Pairs]:
    every = np.arange(len(search_key))
    return _nearest_of_classes(line, ends, search_key, p, seen=every, asked=every)


def _by_search_key(line: Timeline, ends: Ends) -> tuple[Ends, Ids]:
    """The ends by search key and time, and the key of each: its entity, planned work apart."""
    search_key = ends.key * 2 + line.is_planned[ends.at]
    order = np.lexsort((ends.at, search_key))
    return ends.where(order), search_key[order]


def _nearest_of_classes(
    line: Timeline, ends: Ends, search_key: Ids, p: RankingParameters, *, seen: Ids, asked: Ids
) -> list[Pairs]:
    """Of each class the nearest of those in `seen` before each in `asked`, which are positions in `ends`."""
    n = len(line.t0)
    moments = search_key[asked] * n + line.first[ends.at[asked]]
    later_ends = ends.where(asked)
    found = []
    is_late = line.is_late[ends.at[seen]]
    for least, are_late in product(ENTITY_CLASSES, (False, True)):
        strong = seen[(line.surprise[ends.at[seen]] >= least) & (is_late == are_late)]
        who, mark = nearest_before(search_key[strong] * n + ends.at[strong], moments, n, p.nearest_links)
        earlier, later = ends.at[strong[mark]], later_ends.where(who)
        gap = gap_hours(line, earlier, later.at)
        rates = later.type_rate, later.any_rate
        found.append(Pairs(earlier, later.at, later.key, later.role, gap, *rates, np.ones_like(later.at)))
    return found


def _over_sites(line: Timeline, p: RankingParameters) -> list[Pairs]:
    n = len(line.t0)
    width = int(line.known_hour.max(initial=0)) + 1
    search_key = line.site * 2 + line.is_planned
    in_order = np.argsort(search_key, kind="stable")
    found = []
    for least in SITE_CLASSES:
        at = in_order[(line.is_active & (line.surprise >= least))[in_order]]
        hours = hours_before(line.site[at], line.known_hour[at], width)
        share = np.minimum(p.max_share, past_share(hours, line.history_hours[at]))
        for are_late in (False, True):
            seen = at[line.is_late[at] == are_late]
            who, mark = nearest_before(
                search_key[seen] * n + seen, search_key[at] * n + line.first[at], n, p.nearest_links
            )
            earlier, later = seen[mark], at[who]
            nowhere = np.full(len(later), NOWHERE)
            rates = line.type_share[later], share[who]
            found.append(Pairs(earlier, later, nowhere, nowhere, gap_hours(line, earlier, later), *rates, nowhere * 0))
    return found


def gap_hours(line: Timeline, earlier: Ids, later: Ids) -> Numbers:
    """From the end of the earlier to the start of the later, in hours, not below 0."""
    gap: Numbers = np.maximum(0, line.t0[later] - line.t1[earlier]) / HOUR
    return gap


def _by_pair(tried: Pairs, p: RankingParameters) -> Pairs:
    """One row a pair, of the entity that speaks most for it: any before none, the rarest class of those over the site."""
    speaks = -np.log(tried.type_rate) - np.log(tried.gap_hours + p.instant_hours)
    speaks = np.where(tried.key == NOWHERE, -np.log(tried.any_rate), speaks)
    order = np.lexsort((tried.key, -speaks, tried.key == NOWHERE, tried.earlier, tried.later))
    tried = tried.where(order)
    pair = tried.later * (int(tried.later.max(initial=0)) + 1) + tried.earlier
    is_first = np.diff(pair, prepend=-1) != 0
    entity = np.unique(np.stack([np.cumsum(is_first) - 1, tried.key]), axis=1)
    n_common = np.bincount(entity[0][entity[1] != NOWHERE], minlength=int(is_first.sum()))
    return tried.where(is_first)._replace(n_common=n_common)
