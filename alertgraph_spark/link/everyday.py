"""Everyday life: how often a type of alert comes at an entity, by what the site's past knew before each episode.

All episodes count, the chronic among them. What is outside is one entity here, since an address of the Internet is new each
time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.earlier import Flags, Ids, hours_before, number_rows
from alertgraph_spark.tables.rates import HOUR, Numbers, micros, past_share

SOURCE, TARGET, ACCOUNT = 0, 1, 2
"""What an entity is to an episode."""


class Ends(NamedTuple):
    """Entities that episodes name; one row is one entity of one episode, by episode.

    `at` is the place of the episode in the order of time, `key` the number of site and entity, `role` one of the three above;
    of an entity in two roles the first stands. `type_rate` is how often an hour brings this type at the entity, `any_rate`
    anything at it, both in (0, 1).
    """

    at: Ids
    key: Ids
    role: Ids
    type_rate: Numbers
    any_rate: Numbers

    def where(self, kept: Flags | Ids) -> Ends:
        """Those that are kept, or at these places."""
        return Ends._make(part[kept] for part in self)


def name_ends(episodes: pa.Table, p: RankingParameters) -> tuple[Ends, list[str]]:
    """List the entities of episodes with their everyday rates.

    Parameters
    ----------
    episodes
        One row is one episode, everyday noise among them, in order of `started_at` and `episode`.
    p
        The numbers of the method.

    Returns
    -------
    tuple
        One row for each entity of an episode, and the name of each key.

    Notes
    -----
    With h past hours of H that had it (k the type, v the entity):
    `any_rate = (h_v + 1) / (H + 2)`, Laplace's rule of succession;
    `type_rate = (h_k + 1) / (H + 2) * (h_vk + w * share) / (h_k + w)` with w = `p.entity_prior_hours`: the type's own rate,
    times the share of the entity in its past, backed off to the entity's share of all that the site had,
    `share = (h_v + 1) / (hours of all entities so far + entities so far)`.

    Accounts of an episode that names more than `p.most_accounts` are left out: a list is no acquaintance.
    """
    n = len(episodes)
    at, names, role, is_outside = _named(episodes, p)
    site = number_rows(episodes["site"])
    key = number_rows(pa.chunked_array([pa.array(site[at])]), pa.chunked_array([names]))
    first = np.unique(np.stack([at, key]), axis=1, return_index=True)[1]  # of two roles the first
    order = first[np.lexsort((first, role[first], at[first]))]
    at, key, role, is_outside = at[order], key[order], role[order], is_outside[order]
    begins, key = _by_appearance(key)
    titles: list[str] = names.take(pa.array(order[begins])).to_pylist()
    hour = micros(episodes["known_at"]) // HOUR
    hour -= hour.min(initial=hour[0] if n else 0)
    width = int(hour.max(initial=0)) + 1
    # One key for all that is outside, of each site, beyond those of entities.
    met = np.where(is_outside, len(titles) + site[at], key)
    n_keys = len(titles) + int(site.max(initial=0)) + 1
    kind = number_rows(episodes["site"], episodes["source"], episodes["name"])
    own_hour = hour[at]
    h_v = hours_before(met, own_hour, width)
    h_vk = hours_before(kind[at] * n_keys + met, own_hour, width)
    history, fleet_share = episodes["history_hours"].to_numpy()[at], episodes["fleet_share"].to_numpy()[at]
    h_k = np.maximum(0, fleet_share * (history + 2) - 1)
    order = np.lexsort((at, own_hour, site[at]))
    share = (h_v + 1) / (_so_far(site[at], met * width + own_hour, order) + _so_far(site[at], met, order))
    prior = p.entity_prior_hours
    type_rate = fleet_share * (h_vk + prior * share) / (h_k + prior)
    return Ends(at, key, role, type_rate, past_share(h_v, history)), titles


def _by_appearance(key: Ids) -> tuple[Ids, Ids]:
    """Where each key first stands, and the keys numbered in that order: which of two is the lower no other site decides."""
    begins, number = np.unique(key, return_index=True, return_inverse=True)[1:]
    in_order = np.argsort(begins)
    place = np.empty_like(begins)
    place[in_order] = np.arange(len(begins))
    return begins[in_order], place[number.reshape(-1)]


def _named(episodes: pa.Table, p: RankingParameters) -> tuple[Ids, pa.Array, Ids, Flags]:
    """Entities of episodes, with the place of the episode, their role and whether they are outside, in no order."""
    every = np.arange(len(episodes), dtype=np.int64)
    parts: list[tuple[Ids, pa.ChunkedArray, int, Flags]] = []
    for role, end in ((SOURCE, "source"), (TARGET, "target")):
        entity = episodes[f"{end}_entity"]
        there = pc.is_valid(entity).to_numpy()
        is_outside = pc.fill_null(pc.equal(episodes[f"{end}_zone"], "external"), False).to_numpy()
        parts.append((every[there], entity.drop_null(), role, is_outside[there]))
    n_accounts = pc.fill_null(pc.list_value_length(episodes["accounts"]), 0).to_numpy()
    few = n_accounts <= p.most_accounts
    accounts = pc.list_flatten(episodes["accounts"].filter(pa.array(few)))
    naming = np.repeat(every, np.where(few, n_accounts, 0))
    parts.append((naming, accounts, ACCOUNT, np.zeros(len(naming), dtype=bool)))
    names = pa.concat_arrays([chunk.cast(pa.string()) for _, entity, _, _ in parts for chunk in entity.chunks])
    at: Ids = np.concatenate([where for where, *_ in parts])
    roles: Ids = np.repeat([role for _, _, role, _ in parts], [len(where) for where, *_ in parts])
    return at, names, roles, np.concatenate([is_outside for *_, is_outside in parts])


def _so_far(site: Ids, value: Ids, order: Ids) -> Ids:
    """How many distinct values a site has had up to each row, its own among them; `order` is by site and knowledge."""
    is_new = np.zeros(len(value), dtype=np.int64)
    is_new[np.unique(value[order], return_index=True)[1]] = 1
    total = np.cumsum(is_new)
    begin = np.searchsorted(site[order], site[order])
    counts = np.empty_like(total)
    counts[order] = total - (total - is_new)[begin]
    return counts
