"""What an attacker gains: how much less of his attack is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from quality.bootstrap import Figure, over_networks, ratio

AIM = 0.10
"""Most that may be lost, as a share of all steps; of decoys nothing on the mean."""


class Change(NamedTuple):
    """What is shown of the attacks on one network: of steps and of campaigns before, after, and all that left an alert.

    `kept` are steps shown both before and after. `is_noticed` says whether something is shown that the attacker has added.
    """

    network: str
    steps: tuple[int, int, int]
    campaigns: tuple[int, int, int]
    kept: int
    is_noticed: bool = False

    @property
    def drop(self) -> float:
        """The share of its steps that is shown no longer, less what is shown anew."""
        before, after, of = self.steps
        return (before - after) / of if of else 0.0


class Figures(NamedTuple):
    """Over networks: shares of steps and campaigns shown before and after, the drop, the worst, what stayed."""

    steps: tuple[Figure, Figure]
    campaigns: tuple[Figure, Figure]
    drop: Figure
    worst: tuple[float, str]
    kept: Figure
    n_noticed: int


def change(
    network: str,
    before: AbstractSet[str],
    after: AbstractSet[str],
    counted: AbstractSet[str],
    is_noticed: bool = False,
) -> Change:
    """Count what is shown of the steps that left an alert, before and after."""

    def campaigns(steps: AbstractSet[str]) -> int:
        return len({step.partition("/")[0] for step in steps})

    return Change(
        network,
        (len(before), len(after), len(counted)),
        (campaigns(before), campaigns(after), campaigns(counted)),
        len(before & after),
        is_noticed,
    )


def figures(changes: Sequence[Change]) -> Figures:
    """Figures of one attacker, with intervals over networks."""
    of = {one.network: one for one in changes}
    worst = max(changes, key=lambda one: (one.drop, one.network))

    def share(parts: Callable[[Change], tuple[int, int]]) -> Figure:
        return ratio({name: (float(parts(one)[0]), float(parts(one)[1])) for name, one in of.items()})

    def mean_drop(names: Sequence[str]) -> float:
        return sum(of[name].drop for name in names) / len(names) if names else math.nan

    return Figures(
        (share(lambda one: one.steps[::2]), share(lambda one: one.steps[1:])),
        (share(lambda one: one.campaigns[::2]), share(lambda one: one.campaigns[1:])),
        over_networks(mean_drop, list(of)),
        (worst.drop, worst.network),
        share(lambda one: (one.kept, one.steps[0])),
        sum(one.is_noticed for one in changes),
    )
