"""Questions: which subgraph that is not shown should be judged, for its verdict would teach most."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import NamedTuple

from alertgraph_spark.learn.recall import Signature, likeness

MOST_COMPARED = 300
"""Subgraphs of a site that are compared with each other, the strongest first: each with each."""


class Candidate(NamedTuple):
    """A subgraph that is signed: its site, the day of its begin, the probability that it is told, and whether it is shown."""

    site: str
    day: date
    probability: float
    is_shown: bool
    signature: Signature


class Question(NamedTuple):
    """A subgraph whose verdict would teach most on its day: `n_like` others of the site are like it, none of them judged."""

    subgraph_id: str
    day: date
    n_like: int


def ask(candidates: Iterable[Candidate], judged: Collection[str], least_alike: float) -> list[Question]:
    """Choose which subgraphs to ask an analyst about, one a day at most.

    A subgraph is left out if it is shown, was judged, or is like a judged one. A verdict teaches by how open it is, and
    by how many it speaks of: h(P) (1 + n), with the entropy h of its probability and n others of its site that are
    alike and were not judged either.

    Parameters
    ----------
    candidates
        Subgraphs with a signature, of all sites.
    judged
        Ids of subgraphs that were judged.
    least_alike
        Likeness above which a verdict on one says something of the other, in [0, 1).

    Returns
    -------
    list of Question
        In the order of days.

    Notes
    -----
    Uncertainty sampling, weighted by density (Settles 2009, Active Learning Literature Survey, section 3.6). Quadratic in
    the `MOST_COMPARED` strongest of each site.
    """
    of_site: dict[str, list[Candidate]] = {}
    for one in sorted(candidates, key=lambda one: (-one.probability, one.signature.subgraph_id)):
        of_site.setdefault(one.site, []).append(one)
    best: dict[date, tuple[float, str, int]] = {}
    for site in sorted(of_site):
        compared = of_site[site][:MOST_COMPARED]
        known = [one for one in compared if one.signature.subgraph_id in judged]
        rest = [one for one in compared if one.signature.subgraph_id not in judged]
        for one in rest:
            if one.is_shown or _n_like(one, known, least_alike):
                continue
            n = _n_like(one, rest, least_alike)
            worth = (entropy(one.probability) * (1 + n), one.signature.subgraph_id, n)
            best[one.day] = max(worth, best.get(one.day, worth))
    return [Question(key, day, n) for day, (_, key, n) in sorted(best.items())]


def _n_like(one: Candidate, others: Sequence[Candidate], least_alike: float) -> int:
    traits = one.signature.traits
    return sum(other is not one and likeness(traits, other.signature.traits) > least_alike for other in others)


def entropy(probability: float) -> float:
    """How open a yes or no is, in nats: ln 2 at one half.

    Examples
    --------
    >>> round(entropy(0.5), 3), entropy(0.0)
    (0.693, 0.0)
    """
    return -sum(p * math.log(p) for p in (probability, 1 - probability) if p > 0)
