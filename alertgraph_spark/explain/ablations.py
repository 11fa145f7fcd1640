"""Ablations: which alert types are left out of a subgraph to see what decides, and which of these sets is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, combinations, zip_longest
from typing import Any, NamedTuple

from alertgraph_spark.explain.sentences import listed, quoted
from alertgraph_spark.short_text import many

MAX_TYPES, ALL_SETS_OF = 16, 6
"""Alert types of one subgraph that may be left out; and how many of these in any combination."""

MAX_NAMED = 3
"""Alert types that the sentence names; all stand in `types`."""

Row = Mapping[str, Any]
TypeIndexes = tuple[int, ...]
"""The alert types that are left out, by their places in `rarest_and_busiest`."""


class Counterfactual(NamedTuple):
    """What is left scores, and what was left out; neither where nothing that was tried would do."""

    score: float | None
    types: Sequence[Row] | None
    fact: str


def list_ablations(n: int = MAX_TYPES, all_sets_of: int = ALL_SETS_OF) -> list[TypeIndexes]:
    """List the sets that are tried; all sets would be two to the power of n.

    Any set of the first few, any type alone, and the first so many: of all, and of every second, since the most surprising
    types and those of most chains stand in turn (`rarest_and_busiest`).

    Examples
    --------
    >>> list_ablations(4, all_sets_of=2)
    [(0,), (1,), (2,), (3,), (0, 1), (0, 2), (1, 3), (0, 1, 2), (0, 1, 2, 3)]
    """
    of_few = {indexes for size in range(1, all_sets_of + 1) for indexes in combinations(range(all_sets_of), size)}
    alone = {(index,) for index in range(n)}
    orders = [range(n), range(0, n, 2), range(1, n, 2)]
    together = {tuple(order[:size]) for order in orders for size in range(1, len(order) + 1)}
    return sorted(of_few | alone | together, key=lambda indexes: (len(indexes), indexes))


ABLATIONS = list_ablations()


def rarest_and_busiest(types: Sequence[Row]) -> list[Row]:
    """Alert types of one subgraph in the order of their indexes: in turn the most surprising and that of most chains.

    What makes a score is what is rare, or the way that somebody took, which may be one of usual alerts.
    """
    rarest = sorted(types, key=lambda t: (-t["surprise"], t["source"], t["name"]))
    busiest = sorted((t for t in rarest if t["n_hits"]), key=lambda t: -t["n_hits"])
    both = chain.from_iterable(zip_longest(rarest, busiest))
    return list({(t["source"], t["name"]): t for t in both if t}.values())


def smallest_ablation(cut: float, types: Sequence[Row], scores: Mapping[TypeIndexes, float]) -> Counterfactual:
    """Choose what to tell of one subgraph: the fewest alerts, then the fewest types, then the lowest score.

    Parameters
    ----------
    cut
        The score below which it would not be shown.
    types
        Its alert types in the order of their indexes, each with `n_alerts`.
    scores
        The score of the rest, by the indexes of the types that are left out.

    Returns
    -------
    Counterfactual
        Its `fact` says in words why there is none, where there is none.
    """
    found = []
    for indexes, score in scores.items():
        if score < cut or score == 0:
            absent = [types[index] for index in indexes]
            found.append((sum(t["n_alerts"] for t in absent), len(absent), score, indexes, absent))
    if found:
        *_, score, _, absent = min(found)
        names = [f"{quoted(t['name'])} ({many(t['n_alerts'], 'alert')})" for t in absent]
        words = " and ".join(names) if len(names) == 2 else listed(names, MAX_NAMED)
        said, needed = _apart(score, cut)
        below = f", below the {needed} needed to be shown" if score else " and not be shown"
        return Counterfactual(score, absent, f"without {words} it would score {said}{below}")
    if cut == 0:
        fact = "nothing else stands against it: any part of it that scores at all would be shown"
        return Counterfactual(None, None, fact)
    if not scores:
        return Counterfactual(None, None, "it has one alert type, and without it nothing is left")
    said, needed = _apart(min(scores.values()), cut)
    least = f"what is left would score {said} at the least, not below the {needed} needed to be shown"
    return Counterfactual(None, None, f"no choice of its alert types that was tried is enough: {least}")


def _apart(score: float, cut: float) -> tuple[str, str]:
    """Two numbers with as many decimals as it takes to tell them apart, two at least."""
    pairs = ((f"{score:.{n}f}", f"{cut:.{n}f}") for n in range(2, 16))
    return next((pair for pair in pairs if pair[0] != pair[1]), (f"{score:.2f}", f"{cut:.2f}"))
