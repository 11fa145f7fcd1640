"""The odds of a link: how much better the earlier episode explains the later one than everyday life does."""

from __future__ import annotations

import numpy as np

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.candidates import Pairs, Timeline
from alertgraph_spark.link.earlier import Flags, Ids
from alertgraph_spark.tables.rates import Numbers


def log_odds(
    pairs: Pairs, line: Timeline, bursts: Numbers, p: RankingParameters, *, is_same_type: Flags, is_same_actor: Flags
) -> Numbers:
    """Give the log-odds of each pair that the earlier episode led to the later one.

    Parameters
    ----------
    pairs
        One row is one pair, with its gap in hours and its rates an hour.
    line
        The surprise of each episode, in nats.
    bursts
        `count_bursts` of each episode.
    p
        The weights `link_*`.
    is_same_type
        Of each pair, whether both are of one alert type.
    is_same_actor
        Of each pair, whether one pair of hosts, one actor or one account is behind both.

    Returns
    -------
    Numbers
        In nats, above 0 where the earlier one explains the later one better than everyday life does.

    Notes
    -----
    `l = b + g ln(gap + 1/60) + k ln type_rate + v ln any_rate + s surprise_a + t [same type] + u (burst_a + burst_b)
    + c [same actor] + m max(0, n_common - 1)`, gap in hours, the weights `RankingParameters.link_*`. A logistic regression on
    generated networks, rounded (docs/method.md).
    """
    a, b = pairs.earlier, pairs.later
    odds: Numbers = (
        p.link_base
        + p.link_gap * np.log(pairs.gap_hours + p.instant_hours)
        + p.link_type_rate * np.log(pairs.type_rate)
        + p.link_any_rate * np.log(pairs.any_rate)
        + p.link_surprise * line.surprise[a]
        + p.link_same_type * is_same_type
        + p.link_burst * (bursts[a] + bursts[b])
        + p.link_same_actor * is_same_actor
        + p.link_common * np.maximum(0, pairs.n_common - 1)
    )
    return odds


def count_bursts(line: Timeline, kind: Ids, actor: Ids, p: RankingParameters) -> Numbers:
    """`ln(1 + n)` of each episode, n those of its type by other actors that begin within `p.burst_minutes` before or after.

    A burst of one type over many hosts is the rule talking, not somebody. It can be told only when the minutes after it have
    passed; what came later still is left out. `kind` and `actor` are numbers of the type and of whoever acts, of one site
    each.
    """
    span = round(p.burst_minutes * 60e3)
    joint = kind * (int(actor.max(initial=0)) + 1) + actor
    near = _within(kind, line, span) - _within(joint, line, span)
    counted: Numbers = np.log1p(near)
    return counted


def _within(key: Ids, line: Timeline, span: int) -> Ids:
    """How many rows of its key that were there in time begin within `span` milliseconds of each row."""
    key = np.unique(key, return_inverse=True)[1].reshape(-1)
    since = (line.t0 - line.t0.min(initial=line.t0[0] if len(line.t0) else 0)) // 1000
    width = int(since.max(initial=0)) + 2 * span + 1
    marks = key * width + since + span
    in_order = np.sort(marks[~line.is_late])
    counts: Ids = np.searchsorted(in_order, marks + span, "right") - np.searchsorted(in_order, marks - span, "left")
    return counts


def probability(odds: Numbers) -> Numbers:
    """The probability that log-odds stand for, in (0, 1)."""
    share: Numbers = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    return share
