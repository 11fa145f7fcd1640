"""How many subgraphs a day it takes to find a share of an attack's steps: measured, never promised."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

LEAST_NETWORKS = 10
"""Networks that it takes to say anything: with fewer the interval over networks is not worth its name."""


def measured_curve() -> dict[str, Any]:
    """The curve that came with this package: `points`, each with `a_day`, `steps`, `low` and `high`, and how it was made."""
    text = resources.files("alertgraph_spark.learn").joinpath("measured_curve.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def expectation(steps: float, curve: Mapping[str, Any]) -> str:
    """Say how many subgraphs a day and site have to be read for so many of an attack's steps, with the interval.

    Parameters
    ----------
    steps
        Share of the steps, in (0, 1].
    curve
        As `measured_curve` gives it: of `n_networks`, the share of steps found (`steps`, and 5 to 95 % over networks) by so
        many subgraphs read a day and site, each more than the one before.

    Returns
    -------
    str
        One sentence, with the interval of 5 to 95 % over networks; or why it cannot be said.
    """
    if curve["n_networks"] < LEAST_NETWORKS:
        return f"cannot be said: the curve is of {curve['n_networks']} networks, and it takes {LEAST_NETWORKS}"
    points: Sequence[Mapping[str, float]] = curve["points"]
    needed, least, most = (
        next((p["a_day"] for p in points if p[name] >= steps), None) for name in ("steps", "high", "low")
    )
    if needed is None:
        return (
            f"cannot be said: {points[-1]['a_day']:.2g} a day, the most that were read, found {points[-1]['steps']:.0%}"
        )
    many = f"{least or 0:.2g} to {f'{most:.2g}' if most is not None else 'more than were read'} by network"
    where = f"measured on {curve['n_networks']} generated networks ({curve['level']}), none of them yours"
    return f"for {steps:.0%} of an attack's steps {needed:.2g} subgraphs a day and site, {many}; {where}".replace(
        "%", " %"
    )
