"""Which episodes can be the two ends of a link: for each kind, those with one key in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.earlier import Flags, Ids, number_rows
from alertgraph_spark.tables.rates import HOUR, micros
from alertgraph_spark.tables.roles import acts_as_planned

MINUTES, SECONDS = 60, 3600
"""In an hour."""


class Ends(NamedTuple):
    """Ends of links, by key and then by time: the place of an episode in the order of time, and the number of its key."""

    at: Ids
    key: Ids

    def where(self, is_kept: Flags) -> Ends:
        """Those that are kept."""
        return Ends(self.at[is_kept], self.key[is_kept])


def _sorted(at: Ids, key: Ids) -> tuple[Ends, Ids]:
    """Ends that come in the order of time, and the order in which they are then."""
    order = np.argsort(key, kind="stable")
    return Ends(at[order], key[order]), order


class Asked(NamedTuple):
    """Later ends that are linked to the nearest earlier ones of the same key."""

    earlier: Ends
    later: Ends


@dataclass(frozen=True)
class LinkKind:
    """One way in which two episodes can be linked.

    Parameters
    ----------
    name
        As in `schemas.LINKS`.
    weight
        How telling the relation is, in (0, 1].
    base_gap_hours
        Gap that is always allowed.
    asked
        Who is linked to whom.
    seen
        All later ends, linked or not: what makes a key busy.
    entity
        Columns that say what each of `seen` has for a key, to be joined by `between`.
    is_patient
        Whether a link may span more: up to the gap in which `p.coincidence` other episodes of the key are expected.
    is_ranked
        Whether the nearest as surprising, and as severe, are tried beside the nearest of all.
    """

    name: str
    weight: float
    base_gap_hours: float
    asked: tuple[Asked, ...]
    seen: Ends
    entity: tuple[pa.ChunkedArray, ...]
    between: str = ""
    is_patient: bool = True
    is_ranked: bool = False


def link_kinds(episodes: pa.Table, p: RankingParameters) -> Iterator[LinkKind]:
    """The kinds of link, one after the other, so that the ends of one are held at a time.

    One input row is one episode. An episode about one host acts from and arrives at that host. A key is of one site, and
    either all planned or not at all: planned work links among itself only.
    """
    every = np.arange(len(episodes), dtype=np.int64)
    of_key = [episodes["site"], acts_as_planned(episodes)]
    source, target = episodes["source_entity"], episodes["target_entity"]
    has_source, has_target = pc.is_valid(source).to_numpy(), pc.is_valid(target).to_numpy()

    twice = [pa.chunked_array([*c.chunks, *c.chunks], c.type) for c in of_key]
    acting = pc.coalesce(source, target)
    key = number_rows(*twice, pa.chunked_array([*target.chunks, *acting.chunks], target.type))
    arrive, _ = _sorted(every[has_target], key[: len(every)][has_target])
    act, order = _sorted(every[has_source | has_target], key[len(every) :][has_source | has_target])
    pivots = (
        Asked(arrive.where(has_source[arrive.at]), act),
        # Two alerts about one host alone are no pivot: sessions join them.
        Asked(arrive.where(~has_source[arrive.at]), act.where(has_source[act.at])),
    )
    entity = (acting.drop_null().take(pa.array(order)),)
    yield LinkKind("pivot", p.pivot_weight, p.pivot_gap_minutes / MINUTES, pivots, act, entity, is_ranked=True)

    session_hours = p.session_gap_seconds / SECONDS

    def alike(at: Ids, *columns: pa.ChunkedArray) -> tuple[tuple[Asked, ...], Ends, tuple[pa.ChunkedArray, ...]]:
        ends, order = _sorted(at, number_rows(*[column.take(pa.array(at)) for column in of_key], *columns))
        return (Asked(ends, ends),), ends, tuple(column.take(pa.array(order)) for column in columns)

    n_accounts = pc.fill_null(pc.list_value_length(episodes["accounts"]), 0).to_numpy()
    naming, accounts = np.repeat(every, n_accounts), pc.list_flatten(episodes["accounts"])
    is_quiet = ~_is_busy(episodes, naming, accounts, p.busy_account)
    by_account = alike(naming[is_quiet], accounts.filter(pa.array(is_quiet)))
    yield LinkKind("account", p.account_weight, session_hours, *by_account)

    two_ends, at = episodes.filter(pa.array(has_source)), every[has_source]
    by_pair = alike(at, two_ends["source_entity"], two_ends["target_entity"])
    yield LinkKind("same_pair", p.pair_weight, session_hours, *by_pair, " > ")

    by_type = alike(at, two_ends["source_entity"], two_ends["source"], two_ends["name"])
    yield LinkKind("same_source", p.source_weight, session_hours / 2, *by_type, " ! ", is_patient=False)


def _is_busy(episodes: pa.Table, at: Ids, names: pa.ChunkedArray, most: int) -> Flags:
    """Whether more than `most` episodes of a site named a name in the hour before one that does (`at`, its place in time)."""
    key = number_rows(episodes["site"].take(pa.array(at)), names)
    order = np.argsort(key, kind="stable")
    key, t0 = key[order], micros(episodes["started_at"])[at[order]]
    is_busy = np.zeros(len(at), dtype=bool)
    is_busy[order[most:]] = (key[most:] == key[:-most]) & (t0[most:] - t0[:-most] <= HOUR)
    return is_busy
