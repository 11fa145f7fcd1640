"""How many subgraphs a day must be read to find so many of the attack steps: the curve of the shipped model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from quality.bootstrap import Figure, ratio
from quality.lakes import REPO

from learning.networks import Network

DATA = REPO / "alertgraph_spark" / "learn" / "measured_curve.json"
"""The curve as the package holds it."""

BUDGETS = (1, 2, 3, 5, 10, 20, 50, 100)
"""Subgraphs a day, the strongest of each day, however weak."""

LEVEL = "usual"
"""The level that the package tells; `hard` is made to be hard."""


class Point(NamedTuple):
    """Of a budget: the subgraphs read a day and site on the mean, and the share of attack steps in them."""

    a_day: float
    steps: Figure


def curve_of(networks: Sequence[Network], budgets: Sequence[int] = BUDGETS) -> list[Point]:
    """Measure the curve on networks."""
    return [_point({one.name: one for one in networks}, budget) for budget in budgets]


def as_json(points: Sequence[Point], n_networks: int, day: str) -> str:
    """The curve as a document."""
    rows = [
        {"a_day": round(a_day, 2), "steps": round(of.value, 3), "low": round(of.low, 3), "high": round(of.high, 3)}
        for a_day, of in points
    ]
    told = {"made_by": "make bench-learning", "date": day, "level": LEVEL, "n_networks": n_networks, "points": rows}
    return json.dumps(told, indent=1) + "\n"


def write(points: Sequence[Point], n_networks: int, day: str, file: Path = DATA) -> None:
    """Put the curve into the package."""
    file.write_text(as_json(points, n_networks, day), encoding="utf-8")


def _point(networks: Mapping[str, Network], budget: int) -> Point:
    read = {name: _read(one, budget) for name, one in networks.items()}
    steps = {
        name: (float(len(found & networks[name].steps)), float(len(networks[name].steps)))
        for name, (_, found) in read.items()
    }
    days = sum(one.n_days for one in networks.values())
    return Point(sum(n for n, _ in read.values()) / days, ratio(steps))


def _read(network: Network, budget: int) -> tuple[int, frozenset[str]]:
    """How many subgraphs are read, and the steps in them."""
    n, found = 0, set()
    order = sorted(network.ranked, key=lambda one: (one[0], -one[1]))
    for _, of_day in groupby(order, key=lambda one: one[0]):
        best = list(of_day)[:budget]
        n += len(best)
        found |= {step for _, _, steps in best for step in steps}
    return n, frozenset(found)
