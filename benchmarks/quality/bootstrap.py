"""Intervals of 5 to 95 % over networks: alerts and subgraphs of one network are not independent, networks are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000


@dataclass(frozen=True)
class Figure:
    """One figure; `low` and `high` bound it, NaN where there is but one network to draw from."""

    value: float
    low: float = math.nan
    high: float = math.nan


def over_networks(stat: Callable[[Sequence[str]], float], networks: Sequence[str], draws: int = DRAWS) -> Figure:
    """Figure of all networks, with the interval of `stat` over networks drawn with replacement.

    `stat` takes names of networks, some of them several times. Draws in which it is NaN (no network has what it measures)
    are left out.
    """
    names = sorted(networks)
    value = stat(names) if names else math.nan
    if len(names) < 2:
        return Figure(value)
    seen: dict[tuple[str, ...], float] = {}
    rng = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        drawn = tuple(sorted(names[n] for n in rng.integers(0, len(names), len(names))))
        if drawn not in seen:
            seen[drawn] = stat(drawn)
        found.append(seen[drawn])
    kept = [one for one in found if not math.isnan(one)]
    if not kept:
        return Figure(value)
    low, high = np.quantile(kept, [0.05, 0.95])
    return Figure(value, float(low), float(high))


def ratio(parts: Mapping[str, tuple[float, float]]) -> Figure:
    """Sum of numerators over sum of denominators, each network's (numerator, denominator) by name."""

    def stat(names: Sequence[str]) -> float:
        above, below = (sum(parts[name][place] for name in names) for place in (0, 1))
        return above / below if below else math.nan

    return over_networks(stat, list(parts))


def worst(values: Mapping[str, float]) -> Figure:
    """The largest of the networks' values."""
    return over_networks(lambda names: max(values[name] for name in names), list(values))
