"""Analysts who judge what they are shown: day after day, what is shown next depends on what they have said."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from learning.networks import ATTACK, CHAIN, Network, Subgraph

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import Remembered, SiteModel, curve, fit_offset, memory_of, probability

TAKES = timedelta(hours=8)
"""From the last alert of a subgraph to its verdict."""


@dataclass
class Shown:
    """One subgraph that was shown: when, its strength with memory, the probability it was told, and what it was."""

    day: int
    subgraph: Subgraph
    z: float
    told: float
    n_verdicts: int


@dataclass
class Watched:
    """What was shown of one network, in order of time; `hidden` are those that only memory kept from being shown."""

    network: Network
    shown: list[Shown] = field(default_factory=list)
    hidden: list[Shown] = field(default_factory=list)


def watch(
    network: Network, p: RankingParameters, *, learns: bool, wrong: float = 0.0, until: int | None = None, seed: int = 0
) -> Watched:
    """Show and judge the subgraphs of a network, day after day.

    Parameters
    ----------
    learns
        Whether verdicts are remembered.
    wrong
        Share of the verdicts that are turned round.
    until
        Verdicts after which no more are given; None for any number.
    """
    found, said = Watched(network), []
    chance = random.Random(seed)
    for day, of_day in _by_day(network.subgraphs):
        begin = min(one.first_seen for one in of_day)
        site = learned([one for one in said if one[0].judged_at <= begin], p) if learns else SiteModel()
        scored = []
        for one in of_day:
            recalled = memory_of(one.signature, one.z, site, p) if site.memory else None
            z = one.z + (recalled[0] if recalled else 0.0)
            scored.append(Shown(day, one, z, probability(curve(z, p) + site.log_odds), site.n_verdicts))
        scored.sort(key=lambda s: (-s.z, s.subgraph.first_seen, s.subgraph.subgraph_id))
        shown = [one for one in scored if one.z >= p.show_nats][: p.budget_per_day]
        bare = sorted(scored, key=lambda s: (-s.subgraph.z, s.subgraph.first_seen, s.subgraph.subgraph_id))
        would = [one for one in bare if one.subgraph.z >= p.show_nats][: p.budget_per_day]
        keys = {one.subgraph.subgraph_id for one in shown}
        found.shown += shown
        found.hidden += [one for one in would if one.subgraph.subgraph_id not in keys]
        for one in shown:
            if until is not None and len(said) >= until:
                break
            is_true = (one.subgraph.what == ATTACK) != (chance.random() < wrong)
            said.append((_verdict(one.subgraph, is_true), curve(one.z, p), is_true))
    return found


def _by_day(subgraphs: Sequence[Subgraph]) -> Iterator[tuple[int, list[Subgraph]]]:
    days: dict[int, list[Subgraph]] = {}
    for one in subgraphs:
        days.setdefault(one.day, []).append(one)
    yield from sorted(days.items())


def _verdict(one: Subgraph, is_true: bool) -> Remembered:
    verdict = "true_positive" if is_true else "benign_positive" if one.what == CHAIN else "false_positive"
    return Remembered(one.signature._replace(seen_at=one.last_seen), verdict, one.last_seen + TAKES)


def learned(said: Sequence[tuple[Remembered, float, bool]], p: RankingParameters) -> SiteModel:
    """What a site has learned: its memory, and the offset of its curve."""
    etas, trues = [eta for _, eta, _ in said], [is_true for _, _, is_true in said]
    offset = fit_offset(etas, trues, [1.0] * len(said), p.site_variance)
    return SiteModel(offset, len(said), tuple(one for one, _, _ in said))
