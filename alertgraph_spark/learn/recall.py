"""Recall: what analysts judged of subgraphs that were like this one, as log-odds.

Plain Python over plain values: the same file is copied into the logged model, which runs where this package is not.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

DOES = "does"
"""How traits begin that say what is done, between machines of which kinds."""

TRUE = "true_positive"
BENIGN = ("benign_positive", "false_positive")


class Signature(NamedTuple):
    """By what a subgraph is recognised: `learn_schemas.SIGNATURES` as plain values, and when it was seen last."""

    subgraph_id: str
    seen_at: datetime
    traits: Mapping[str, float]
    actors: Collection[str] = ()
    crossings: Collection[str] = ()
    is_act: bool = False
    kinds: Collection[str] = ()


class Remembered(NamedTuple):
    """A subgraph that was judged: its signature, and the word that stands of it."""

    signature: Signature
    verdict: str
    judged_at: datetime
    judged_by: str | None = None
    certainty: float = 1.0


class Rule(NamedTuple):
    """How far a verdict carries, and what strength means.

    Attributes
    ----------
    slope, even
        The shipped curve: log-odds of an attack for each nat of strength, and the strength at which they are even.
    least_alike
        Likeness above which a benign verdict on one subgraph says something of another, in [0, 1).
    prior
        Verdicts that the curve is worth: so many on subgraphs like this one weigh as much as its own strength.
    half_life_days, most_log_odds
        Days after which a verdict counts half; most that memory adds or takes.
    true_alike
        As `least_alike`, for a verdict that it was an attack.
    covered
        Share of what a subgraph does, by weight, that remembered benign ones did, for it to be known whole.
    most_actors, knows_kinds
        A subgraph with more actors or steps into OT is never known; whether somebody new is known by its kind.
    """

    slope: float
    even: float
    least_alike: float
    prior: float
    half_life_days: float
    most_log_odds: float
    true_alike: float
    covered: float
    most_actors: int
    knows_kinds: bool = False


class Recalled(NamedTuple):
    """What memory says of a subgraph.

    `log_odds` are added to those of the curve. `is_known` says that remembered benign ones did what it does: only then may
    memory alone lower its rank. `like` are the remembered ones that decide, each with its likeness, the most alike first.
    """

    log_odds: float
    is_known: bool
    like: Sequence[tuple[Remembered, float]]


def as_row(one: Remembered) -> dict[str, Any]:
    """A remembered subgraph as JSON holds it."""
    signature = one.signature
    return {
        "subgraph_id": signature.subgraph_id,
        "seen_at": signature.seen_at.isoformat(),
        "traits": dict(sorted(signature.traits.items())),
        "actors": sorted(signature.actors),
        "crossings": sorted(signature.crossings),
        "is_act": signature.is_act,
        "kinds": sorted(signature.kinds),
        "verdict": one.verdict,
        "judged_at": one.judged_at.isoformat(),
        "judged_by": one.judged_by,
        "certainty": one.certainty,
    }


def remembered(row: Mapping[str, Any]) -> Remembered:
    """The remembered subgraph of a row.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    if row["verdict"] not in (TRUE, *BENIGN):
        raise ValueError(f"no verdict {row['verdict']!r}")
    judged_by = None if row["judged_by"] is None else str(row["judged_by"])
    return Remembered(signature_of(row), row["verdict"], _time(row["judged_at"]), judged_by, float(row["certainty"]))


def signature_of(row: Mapping[str, Any]) -> Signature:
    """The signature in a row as JSON holds it."""
    traits = {str(trait): float(nats) for trait, nats in row["traits"].items()}
    actors, crossings, kinds = (frozenset(map(str, row[key])) for key in ("actors", "crossings", "kinds"))
    is_act = bool(row["is_act"])
    return Signature(str(row["subgraph_id"]), _time(row["seen_at"]), traits, actors, crossings, is_act, kinds)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(timezone.utc)


def likeness(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Weighted Jaccard index of two signatures: what both have over what either has, by weight; 0 where one has nothing.

    Notes
    -----
    J = Σ min(x, y) / Σ max(x, y) (Ioffe 2010, doi:10.1109/ICDM.2010.80).
    """
    if len(other) < len(one):
        one, other = other, one
    both = sum(min(nats, other[trait]) for trait, nats in one.items() if trait in other)
    either = sum(one.values()) + sum(other.values()) - both
    return both / either if either > 0 else 0.0


NEW_IN_IT = "; its rank stays: someone or something in it is new, or it acts on the process"

_TRIFLE = -1e-9
"""What stays at its rank has this part, in nats: it is told among the others."""


class Memory(NamedTuple):
    """What a site remembers of a subgraph.

    `nats` are added to its strength, and with it to its probability; `log_odds` to its probability alone. `fact` says why.
    """

    nats: float
    log_odds: float
    fact: str


def memory_of(signature: Signature, z: float, offset: float, memory: Sequence[Remembered], rule: Rule) -> Memory | None:
    """Say what a site remembers of a subgraph of strength `z`; None where it remembers nothing.

    Likeness alone lowers the rank of nothing but what is known whole: see `is_known`. Its probability it lowers. `offset` is
    added to the log-odds of the curve.
    """
    found = recall(signature, rule.slope * (z - rule.even) + offset, memory, rule)
    if found is None:
        return None
    if found.log_odds < 0 and not found.is_known:
        return Memory(_TRIFLE, found.log_odds, fact(found) + NEW_IN_IT)
    return Memory(found.log_odds / rule.slope, 0.0, fact(found))


def recall(signature: Signature, log_odds: float, memory: Sequence[Remembered], rule: Rule) -> Recalled | None:
    """Say what was judged of remembered subgraphs that are like this one; None where none is.

    Parameters
    ----------
    signature
        Of the subgraph.
    log_odds
        That it is an attack, by the curve of its site alone.
    memory
        What was judged on its site. A subgraph is no precedent of itself.

    Notes
    -----
    With P by the curve, and n true and m benign verdicts on ones like it, each counted by age and certainty,
    P' = (prior P + n) / (prior + n + m): the mean of a Beta distribution after so many trials, with the curve as its prior.
    """
    like = [(one, likeness(signature.traits, one.signature.traits)) for one in memory]
    like = [
        (one, alike)
        for one, alike in like
        if alike > (rule.true_alike if one.verdict == TRUE else rule.least_alike)
        and one.signature.subgraph_id != signature.subgraph_id
    ]
    counts = {True: 0.0, False: 0.0}
    for one, _ in like:
        counts[one.verdict == TRUE] += weight(one, signature.seen_at, rule)
    n_true, n_benign = counts[True], counts[False]
    if n_true + n_benign <= 0:
        return None
    prior = 1 / (1 + math.exp(-min(max(log_odds, -30.0), 30.0)))
    after = (rule.prior * prior + n_true) / (rule.prior + n_true + n_benign)
    change = math.log(after / (1 - after)) - math.log(prior / (1 - prior))
    change = min(max(change, -rule.most_log_odds), rule.most_log_odds)
    like.sort(key=lambda pair: (-pair[1], pair[0].judged_at, pair[0].signature.subgraph_id))
    benign = [one.signature for one, _ in like if one.verdict != TRUE]
    return Recalled(change, is_known(signature, benign, rule), like)


def weight(one: Remembered, at: datetime, rule: Rule) -> float:
    """How much a verdict counts for a subgraph that was seen last at this time; in [0, 1]."""
    age = max(0.0, (at - one.judged_at) / timedelta(days=1))
    return one.certainty * math.pow(0.5, age / rule.half_life_days)


def is_known(signature: Signature, benign: Sequence[Signature], rule: Rule) -> bool:
    """Whether remembered benign ones did nearly all that it does, nobody in it is new, and no step into OT is.

    What acts on the process is never known.
    """
    if signature.is_act or max(len(signature.actors), len(signature.crossings)) > rule.most_actors:
        return False
    does = {trait: nats for trait, nats in signature.traits.items() if trait.startswith(DOES)}
    done = {trait for one in benign for trait in one.traits}
    if sum(nats for trait, nats in does.items() if trait in done) < rule.covered * sum(does.values()):
        return False
    if not set(signature.crossings) <= {step for one in benign for step in one.crossings}:
        return False
    if rule.knows_kinds:
        return set(signature.kinds) <= {kind for one in benign for kind in one.kinds}
    return set(signature.actors) <= {actor for one in benign for actor in one.actors}


def fact(found: Recalled) -> str:
    """Say to an analyst what is remembered."""
    n_true = sum(one.verdict == TRUE for one, _ in found.like)
    n = len(found.like)
    words = {True: "an attack", False: "benign"}
    decides = [pair for pair in found.like if (pair[0].verdict == TRUE) == (found.log_odds > 0)] or list(found.like)
    nearest, alike = decides[0]
    mixed = f"; {n_true} of them an attack" if 0 < n_true < n else ""
    who = f" by {nearest.judged_by}" if nearest.judged_by else ""
    when = f"{nearest.judged_at.day} {nearest.judged_at:%B %Y}"
    said = f"judged {words[nearest.verdict == TRUE]}{who} on {when}"
    return f"like {n:,} earlier one{'s' * (n > 1)} ({round(100 * alike)} % alike), {said}{mixed}"
