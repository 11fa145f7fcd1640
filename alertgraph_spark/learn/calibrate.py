"""How likely a site's subgraphs are attacks, beside what the shipped curve says: one number, learned from its verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from alertgraph_spark.config.parameters import RankingParameters

_ENOUGH = 1e-9


def curve(z: float, p: RankingParameters) -> float:
    """The log-odds that a subgraph of this strength, in nats, is an attack, by the shipped curve."""
    return p.nats_slope * (z - p.even_nats)


def probability(log_odds: float) -> float:
    """The probability of log-odds; exact in both tails.

    Examples
    --------
    >>> probability(0.0), probability(-800.0)
    (0.5, 0.0)
    """
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    odds = math.exp(max(log_odds, -745.2))
    return odds / (1 + odds)


def log_loss(log_odds: float, is_true: bool) -> float:
    """-ln of the probability that was given to what came, in nats."""
    signed = log_odds if is_true else -log_odds
    return math.log1p(math.exp(-signed)) if signed > -700 else -signed


def fit_offset(log_odds: Sequence[float], is_true: Sequence[bool], weights: Sequence[float], variance: float) -> float:
    """Fit what is added to the log-odds of a site's subgraphs.

    Parameters
    ----------
    log_odds
        Of each judged subgraph, by the curve and by memory.
    is_true
        Whether each was judged an attack.
    weights
        How sure each verdict is, in [0, 1].
    variance
        Variance of the prior, a normal distribution about 0: what is known of a site before its first verdict.

    Returns
    -------
    float
        The most likely offset: 0 without verdicts, and never more than `variance` times the number of verdicts away from it.

    Notes
    -----
    The maximum of Σ w ln σ(±(η + o)) - o² / 2v, which is concave: Newton's steps, each halved as long as it does not climb.
    Verdicts are on what was shown alone. That does not bend the fit: it is conditional on η, by which it was shown.
    """
    rows = list(zip(log_odds, is_true, weights, strict=True))

    def value(o: float) -> float:
        return -sum(w * log_loss(eta + o, true) for eta, true, w in rows) - o * o / (2 * variance)

    offset = 0.0
    for _ in range(100):
        shares = [probability(eta + offset) for eta, _, _ in rows]
        slope = sum(w * (true - share) for (_, true, w), share in zip(rows, shares, strict=True)) - offset / variance
        bend = sum(w * share * (1 - share) for (_, _, w), share in zip(rows, shares, strict=True)) + 1 / variance
        step = slope / bend
        while abs(step) > _ENOUGH and value(offset + step) < value(offset):
            step /= 2
        offset += step
        if abs(step) <= _ENOUGH:
            break
    return offset
