"""Figures of what was learned, each with its interval over networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from quality.bootstrap import Figure, over_networks, ratio
from quality.reading import BINS

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import curve, log_loss, probability
from learning.analysts import Seen

Networks = Mapping[str, Sequence[Seen]]
"""What was seen of each network, by name."""


def since(seen: Sequence[Seen], n_verdicts: int) -> list[Seen]:
    """What was seen from the day on that knew so many verdicts; nothing where none did."""
    return [one for one in seen if one.n_verdicts >= n_verdicts]


def figures(networks: Networks, p: RankingParameters) -> dict[str, Figure]:
    """All figures of networks, each from the day on that counts.

    bearing, bearing shipped    share of what is shown that bears an attack
    gain                        their ratio
    steps                       attack steps found, of those that the shipped model finds
    again, again shipped        share that is shown of strong subgraphs whose routines were all judged benign before
    hidden, hidden crossing     share that memory hides of the attack-bearing subgraphs that the shipped model shows
    displaced                   share of them whose place of the day another took
    loss, loss shipped          log loss of what is told of shown subgraphs, in nats
    error, error shipped        its expected calibration error
    """
    found = {
        "bearing": _share(networks, lambda one: one.is_shown, lambda one: one.is_attack),
        "bearing shipped": _share(networks, lambda one: one.was_shown, lambda one: one.is_attack),
        "gain": gain(networks),
        "steps": ratio({name: (len(_steps(of, True)), len(_steps(of, False))) for name, of in networks.items()}),
        "again": _share(networks, lambda one: is_strong_again(one, p), lambda one: one.is_shown),
        "again shipped": _share(networks, lambda one: is_strong_again(one, p), lambda one: one.was_shown),
        **hidden(networks),
    }
    for name, tells in (("", told), (" shipped", told_shipped(p))):
        found[f"loss{name}"] = log_losses(networks, tells)
        found[f"error{name}"] = calibration_error(networks, tells)
    return found


def hidden(networks: Networks) -> dict[str, Figure]:
    """Share that is not shown of the attack-bearing subgraphs that the shipped model shows.

    Those that memory has lowered are `hidden`, of attacks that cross into OT `hidden crossing`; those whose place of the day
    another took are `displaced`.
    """
    return {
        "hidden": _share(networks, is_shown_attack, is_hidden),
        "hidden crossing": _share(networks, lambda one: is_shown_attack(one) and one.subgraph.crosses, is_hidden),
        "displaced": _share(networks, is_shown_attack, lambda one: not one.is_shown and not is_hidden(one)),
    }


def is_shown_attack(one: Seen) -> bool:
    """Whether the shipped model shows an attack here."""
    return one.was_shown and one.is_attack


def is_hidden(one: Seen) -> bool:
    """Whether a subgraph is not shown, and memory has lowered it."""
    return not one.is_shown and one.z < one.subgraph.z


def counts(networks: Networks, p: RankingParameters) -> dict[str, int]:
    """What the figures are of: `shown`, `attacks` and `crossings` that the shipped model shows, `again`."""
    seen = [one for of in networks.values() for one in of]
    attacks = [one for one in seen if is_shown_attack(one)]
    return {
        "shown": _n_shown(seen),
        "attacks": len(attacks),
        "crossings": sum(one.subgraph.crosses for one in attacks),
        "again": sum(is_strong_again(one, p) for one in seen),
    }


def is_strong_again(one: Seen, p: RankingParameters) -> bool:
    """Whether a subgraph holds but routines that were judged benign, and is strong enough to be shown without memory."""
    return one.is_again and one.subgraph.z >= p.show_nats


def gain(networks: Networks) -> Figure:
    """How many times the share that bears an attack is that of the shipped model."""

    def times(names: Sequence[str]) -> float:
        seen = [one for name in names for one in networks[name]]
        ours, theirs = (
            [one.is_attack for one in seen if (one.is_shown if is_ours else one.was_shown)] for is_ours in (True, False)
        )
        return (sum(ours) / len(ours)) / (sum(theirs) / len(theirs)) if ours and any(theirs) else math.nan

    return over_networks(times, list(networks))


def log_losses(networks: Networks, told: Callable[[Seen], float]) -> Figure:
    """Mean log loss of what is told of shown subgraphs, in nats."""
    losses = {
        name: [log_loss(told(one), one.is_attack) for one in seen if one.is_shown] for name, seen in networks.items()
    }
    return ratio({name: (sum(ones), len(ones)) for name, ones in losses.items()})


def calibration_error(networks: Networks, told: Callable[[Seen], float]) -> Figure:
    """Expected calibration error of what is told of shown subgraphs.

    Notes
    -----
    Σ n |share that bears an attack - mean told| / N, over the bins of the reliability table.
    """
    sums = {name: _sums(of, told) for name, of in networks.items()}

    def error(names: Sequence[str]) -> float:
        total = sum((sums[name] for name in names), np.zeros((len(BINS), 3)))
        n = total[:, 2].sum()
        return float(np.abs(total[:, 0] - total[:, 1]).sum() / n) if n else math.nan

    return over_networks(error, list(networks))


def reliability(networks: Networks, told: Callable[[Seen], float]) -> list[tuple[Figure, float, int]]:
    """Of each of `BINS`: the share of shown subgraphs that bears an attack, what was told on the mean, and how many."""
    sums = {name: _sums(of, told) for name, of in networks.items()}
    rows = []
    for number in range(len(BINS)):
        of_bin = {name: total[number] for name, total in sums.items() if total[number][2]}
        tells, _, n = sum(of_bin.values(), np.zeros(3))
        shares = ratio({name: (float(total[1]), float(total[2])) for name, total in of_bin.items()})
        rows.append((shares, float(tells / n) if n else math.nan, int(n)))
    return rows


def told(one: Seen) -> float:
    """The log-odds that the job tells."""
    return one.log_odds


def told_shipped(p: RankingParameters) -> Callable[[Seen], float]:
    """The log-odds that the shipped model tells."""
    return lambda one: curve(one.subgraph.z, p)


def _sums(seen: Sequence[Seen], told: Callable[[Seen], float]) -> np.ndarray:
    """Of shown subgraphs by bin: the sum of what is told, the attacks, and how many."""
    sums = np.zeros((len(BINS), 3))
    for one in seen:
        if one.is_shown:
            likely = probability(told(one))
            sums[sum(likely >= low for low, _ in BINS) - 1] += (likely, one.is_attack, 1)
    return sums


def _share(networks: Networks, of: Callable[[Seen], bool], has: Callable[[Seen], bool]) -> Figure:
    """Of the subgraphs of which one thing is true, the share of which another is."""
    kept = {name: [one for one in seen if of(one)] for name, seen in networks.items()}
    return ratio({name: (sum(map(has, ones)), len(ones)) for name, ones in kept.items()})


def _steps(seen: Iterable[Seen], is_ours: bool) -> set[str]:
    """The attack steps in what is shown, or in what the shipped model shows."""
    shown = (one.subgraph.steps for one in seen if (one.is_shown if is_ours else one.was_shown))
    return {step for steps in shown for step in steps}


def _n_shown(seen: Iterable[Seen]) -> int:
    return sum(one.is_shown for one in seen)
