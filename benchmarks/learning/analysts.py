"""Analysts who judge what they are shown: day after day, what is shown next depends on what they have said."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import NamedTuple

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import Remembered, SiteModel, curve, fit_offset, memory_of
from learning.networks import ATTACK, CHAIN, Network, Subgraph

TAKES = timedelta(hours=8)
"""From the last alert of a subgraph to its verdict."""


class Seen(NamedTuple):
    """One subgraph on its day, as the job sees it.

    Attributes
    ----------
    z, log_odds
        Strength with memory, and what the job tells of it being an attack.
    n_verdicts
        Verdicts on its site that the job knows.
    is_shown, was_shown
        Whether the job shows it, and whether the shipped model, which learns nothing, would.
    is_again
        Whether it holds benign chains alone, whose routines were all judged benign before.
    """

    subgraph: Subgraph
    z: float
    log_odds: float
    n_verdicts: int
    is_shown: bool
    was_shown: bool
    is_again: bool

    @property
    def is_attack(self) -> bool:
        """Whether it bears an attack."""
        return self.subgraph.what == ATTACK


class Verdict(NamedTuple):
    """What an analyst said of a subgraph."""

    subgraph: Subgraph
    remembered: Remembered
    is_true: bool


def watch(network: Network, p: RankingParameters, *, wrong: float = 0.0, seed: int = 0) -> list[Seen]:
    """Show the subgraphs of a network and judge what is shown, day after day.

    Parameters
    ----------
    p
        How many a day are shown, and how verdicts carry.
    wrong
        Share of the verdicts that are turned round.
    seed
        Decides which.

    Notes
    -----
    A day knows the verdicts that were given before its first subgraph began. A job that ranks every five minutes knows more.
    """
    found: list[Seen] = []
    said: list[Verdict] = []
    chance = random.Random(seed)
    for of_day in _days(network.subgraphs):
        known = [one for one in said if one.remembered.judged_at <= of_day[0].first_seen]
        site = learned(known, p)
        benign = {routine for one in known if not one.is_true for routine in one.subgraph.chains}
        memory = {one.subgraph_id: recalled(one, site, p) for one in of_day}
        strength = {one.subgraph_id: one.z + memory[one.subgraph_id][0] for one in of_day}
        shown = _best(of_day, strength, p)
        bare = _best(of_day, {one.subgraph_id: one.z for one in of_day}, p)
        for one in of_day:
            z = strength[one.subgraph_id]
            is_again = one.what == CHAIN and one.chains <= benign
            places = (one.subgraph_id in shown, one.subgraph_id in bare)
            found.append(
                Seen(
                    one, z, curve(z, p) + site.log_odds + memory[one.subgraph_id][1], site.n_verdicts, *places, is_again
                )
            )
            if one.subgraph_id in shown:
                said.append(_verdict(one, (one.what == ATTACK) != (chance.random() < wrong)))
    return found


def learned(said: Sequence[Verdict], p: RankingParameters) -> SiteModel:
    """What a site has learned: its memory, and the offset of its curve."""
    etas, trues = [curve(one.subgraph.z, p) for one in said], [one.is_true for one in said]
    offset = fit_offset(etas, trues, [1.0] * len(said), p.site_variance)
    return SiteModel(offset, len(said), tuple(one.remembered for one in said))


def recalled(one: Subgraph, site: SiteModel, p: RankingParameters) -> tuple[float, float]:
    """What a site remembers of a subgraph: nats of its strength, and log-odds of its probability beside them."""
    told = memory_of(one.signature, one.z, site, p) if site.memory else None
    return (told.nats, told.log_odds) if told else (0.0, 0.0)


def _days(subgraphs: Sequence[Subgraph]) -> Iterator[list[Subgraph]]:
    """The subgraphs of each day, in order of time."""
    in_time = sorted(subgraphs, key=lambda one: (one.first_seen, one.subgraph_id))
    yield from (list(of_day) for _, of_day in groupby(in_time, key=lambda one: one.day))


def _best(of_day: Sequence[Subgraph], strength: dict[str, float], p: RankingParameters) -> set[str]:
    """What is shown of a day."""
    order = sorted(of_day, key=lambda one: (-strength[one.subgraph_id], one.first_seen, one.subgraph_id))
    strong = [one.subgraph_id for one in order if strength[one.subgraph_id] >= p.show_nats]
    return set(strong[: p.budget_per_day])


def _verdict(one: Subgraph, is_true: bool) -> Verdict:
    word = "true_positive" if is_true else "benign_positive" if one.what == CHAIN else "false_positive"
    return Verdict(one, Remembered(one.signature._replace(seen_at=one.last_seen), word, one.last_seen + TAKES), is_true)
