"""Two models compared on verdicts that neither was fitted on: how well each tells, how well it ranks, which is to be used."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

LATER_SHARE = 1 / 3
"""Share of the verdicts, the last by time, that a model is tried on."""

LEAST_LATER = 10
"""Later verdicts that it takes to say that one model tells better than another."""

DRAWS = 2000
"""Draws of the interval."""

BINS = (0.0, 0.03, 0.1, 0.2, 0.4, 1.0)
"""Bounds of a reliability table."""


class Bin(NamedTuple):
    """One line of a reliability table: of `n` told between `low` and `high`, on average `told`, the share `seen` was true."""

    low: float
    high: float
    n: int
    told: float
    seen: float


class Evaluation(NamedTuple):
    """Two models on the later verdicts, which neither was fitted on.

    Attributes
    ----------
    n_earlier, n_later, n_true
        Verdicts before, those tried on, and how many of the latter were attacks.
    loss_before, loss_after
        Mean log loss of the model in use, and of the new one, in nats.
    low, high
        Interval of the change, 5 to 95 %.
    auc_before, auc_after
        How often a true one ranks above another; None where the later ones are all true, or none is.
    table_before, table_after
        Reliability of what was told.
    """

    n_earlier: int
    n_later: int
    n_true: int
    loss_before: float = 0.0
    loss_after: float = 0.0
    low: float = 0.0
    high: float = 0.0
    auc_before: float | None = None
    auc_after: float | None = None
    table_before: Sequence[Bin] = ()
    table_after: Sequence[Bin] = ()

    @property
    def change(self) -> float:
        """What the new model adds to the log loss: below 0 it tells better."""
        return self.loss_after - self.loss_before


def told_of(found: Evaluation, before: str) -> dict[str, Any]:
    """Write an evaluation down as a model keeps it.

    Parameters
    ----------
    found
        The new model and the one in use, on the later verdicts.
    before
        Name of the model in use.

    Returns
    -------
    dict
        On how many verdicts both were tried, their mean log losses in nats, and their tables of reliability.
    """
    return {
        **{"before": before, "n_later": found.n_later, "n_true": found.n_true},
        **{"log_loss_before": found.loss_before, "log_loss": found.loss_after},
        **{"reliability_before": [one._asdict() for one in found.table_before]},
        **{"reliability": [one._asdict() for one in found.table_after]},
    }


def decide(found: Evaluation) -> tuple[bool, str]:
    """Say whether the new model is to be promoted, and why or why not, with the number of verdicts that are missing.

    It is only if it ranks later verdicts no worse, and if its log loss is lower by more than chance: the whole interval of
    the change lies below 0.
    """
    if found.n_later < LEAST_LATER:
        missing = round((LEAST_LATER - found.n_later) / LATER_SHARE)
        return (
            False,
            f"too few verdicts to tell: {found.n_later} later ones of {LEAST_LATER}; about {missing:,} are missing",
        )
    said = f"log loss {found.loss_before:.3f} -> {found.loss_after:.3f} on {found.n_later:,} later verdicts"
    if found.auc_before is not None and found.auc_after is not None and found.auc_after < found.auc_before - 1e-9:
        return False, f"it ranks later verdicts worse: AUC {found.auc_before:.3f} -> {found.auc_after:.3f}; {said}"
    if found.change >= 0:
        return False, f"it tells later verdicts no better: {said}; more verdicts may teach it"
    if found.high >= 0:
        spread = found.high - found.change
        missing = max(1, round(((spread / found.change) ** 2 - 1) * found.n_later / LATER_SHARE))
        interval = f"[{found.low:+.3f}, {found.high:+.3f}]"
        return False, f"{said}, which may be chance: {interval} holds 0; about {missing:,} more verdicts are missing"
    return True, f"{said}, a change of {found.change:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def auc(values: Sequence[float], trues: Sequence[bool]) -> float | None:
    """How often a true one has a higher value than another, half of those that are equal; None where there is but one kind.

    Examples
    --------
    >>> auc([3.0, 2.0, 1.0], [True, False, True])
    0.5
    """
    yes = [value for value, true in zip(values, trues, strict=True) if true]
    no = [value for value, true in zip(values, trues, strict=True) if not true]
    if not yes or not no:
        return None
    return sum((a > b) + 0.5 * (a == b) for a in yes for b in no) / (len(yes) * len(no))


def reliability(told: Iterable[float], trues: Sequence[bool]) -> list[Bin]:
    """How often what was told as so probable was true; the bins of `BINS` that hold anything."""
    pairs = list(zip(told, trues, strict=True))
    found = []
    for low, high in pairwise(BINS):
        inside = [(p, true) for p, true in pairs if low <= p < high or (high == BINS[-1] and p == high)]
        if inside:
            n = len(inside)
            found.append(Bin(low, high, n, sum(p for p, _ in inside) / n, sum(true for _, true in inside) / n))
    return found


def calibration_error(table: Sequence[Bin]) -> float:
    """The expected calibration error: the mean distance of told and seen, by bin (Naeini et al. 2015)."""
    n = sum(one.n for one in table)
    return sum(one.n * abs(one.told - one.seen) for one in table) / n if n else 0.0


def interval(changes: Sequence[float]) -> tuple[float, float]:
    """5 to 95 % of the mean, by a bootstrap; the same numbers each time."""
    chance = random.Random(0)
    n = len(changes)
    means = sorted(sum(chance.choices(changes, k=n)) / n for _ in range(DRAWS))
    return means[int(0.05 * DRAWS)], means[int(0.95 * DRAWS) - 1]
