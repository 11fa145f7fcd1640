"""The odds of a link, worked by hand, and the bursts that speak against it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from incident import at

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.candidates import Pairs, Timeline
from alertgraph_spark.link.odds import count_bursts, log_odds, probability

P = RankingParameters()


def timeline(*minutes: float, surprise: float = 4.0) -> Timeline:
    """Episodes of one site, one a minute that is told."""
    t0 = np.array([round(at(minute).timestamp() * 1e6) for minute in minutes], dtype=np.int64)
    alike = np.full(len(t0), surprise)
    zeros = np.zeros_like(t0)
    return Timeline(
        t0, t0, np.searchsorted(t0, t0), zeros, alike, alike, alike, zeros, zeros, zeros == 0, zeros == 1, zeros == 1
    )


def odds(
    bursts: tuple[float, float] = (0, 0), is_same_type: bool = False, is_same_actor: bool = False, **pair: Any
) -> float:
    """The log-odds of one pair of episodes, half an hour apart at a host where little comes."""
    facts = {"earlier": 0, "later": 1, "key": 5, "role": 0, "gap_hours": 0.5, "type_rate": 0.01, "any_rate": 0.1}
    facts |= {"n_common": 1, **pair}
    pairs = Pairs(*(np.array([facts[name]]) for name in Pairs._fields))
    flags = {"is_same_type": np.array([is_same_type]), "is_same_actor": np.array([is_same_actor])}
    (found,) = log_odds(pairs, timeline(0, 30), np.array(bursts), P, **flags).tolist()
    return float(found)


# ln(.5 + 1/60) = -.66036, ln .01 = -4.60517, ln .1 = -2.30259
# -8 - .9 * -.66036 - .33 * -4.60517 - .53 * -2.30259 + .35 * 4 = -8 + .59432 + 1.51971 + 1.22037 + 1.4
PLAIN = -3.26560


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param({}, PLAIN, id="plain"),
        pytest.param({"gap_hours": 0.0}, PLAIN - 0.59432 + 0.9 * math.log(60), id="at once is a minute"),
        pytest.param({"gap_hours": 24 - 1 / 60}, PLAIN - 0.59432 - 0.9 * math.log(24), id="a day later"),
        pytest.param({"type_rate": 0.1}, PLAIN - 0.33 * math.log(10), id="ten times as usual a type"),
        pytest.param({"any_rate": 0.01}, PLAIN + 0.53 * math.log(10), id="a host a tenth as busy"),
        pytest.param({"is_same_type": True}, PLAIN - 3, id="both of one type"),
        pytest.param({"is_same_actor": True}, PLAIN + 2.1, id="one actor"),
        pytest.param({"n_common": 3}, PLAIN + 1.8, id="two entities more in common"),
        pytest.param({"n_common": 0}, PLAIN, id="none in common takes nothing"),
        pytest.param({"bursts": (math.log(3), 0)}, PLAIN - 1.85 * math.log(3), id="the earlier in a burst of three"),
        pytest.param({"bursts": (0, math.log(2))}, PLAIN - 1.85 * math.log(2), id="the later in a burst of two"),
        # -3.26560 - 1.85 * 1.09861 + 2.1 + .9
        pytest.param(
            {"bursts": (math.log(3), 0), "is_same_actor": True, "n_common": 2}, -2.29803, id="all of these together"
        ),
    ],
)
def test_the_odds_of_one_pair(told: dict[str, Any], expected: float) -> None:
    assert odds(**told) == pytest.approx(expected, abs=1e-5)


def test_the_surprise_of_the_earlier_counts() -> None:
    pairs = Pairs(*(np.array([value]) for value in (0, 1, 5, 0, 0.5, 0.01, 0.1, 1)))
    line = timeline(0, 30)._replace(surprise=np.array([6.0, 1.0]))
    no = np.array([False])
    assert log_odds(pairs, line, np.zeros(2), P, is_same_type=no, is_same_actor=no)[0] == pytest.approx(
        PLAIN + 0.35 * 2, abs=1e-5
    )


def test_probability() -> None:
    found = probability(np.array([0.0, -2.5, math.log(3), 1e9, -1e9]))
    assert found[:3] == pytest.approx([0.5, 1 / (1 + math.e**2.5), 0.75])
    assert ((found > 0) & (found <= 1)).all()


# --- bursts ---------------------------------------------------------------------------------------------------------


def bursts(*told: tuple[float, str, str]) -> list[int]:
    """How many others each stands among, of minute, type and actor; the logarithm is undone."""
    kinds, actors = (sorted({row[i] for row in told}) for i in (1, 2))
    kind, actor = (np.array([names.index(row[i]) for row in told]) for i, names in ((1, kinds), (2, actors)))
    counted = count_bursts(timeline(*(row[0] for row in told)), kind, actor, P)
    assert [round(math.exp(n) - 1, 9) for n in counted] == [round(math.exp(n)) - 1 for n in counted]
    return [round(math.exp(n)) - 1 for n in counted]


@pytest.mark.parametrize(
    ("told", "others"),
    [
        pytest.param([(0, "x", "a"), (10, "x", "b"), (20, "x", "c")], [1, 2, 1], id="ten minutes before and after"),
        pytest.param([(0, "x", "a"), (10.01, "x", "b")], [0, 0], id="just over ten minutes"),
        pytest.param([(0, "x", "a"), (1, "x", "a"), (2, "x", "a")], [0, 0, 0], id="one actor at work"),
        pytest.param([(0, "x", "a"), (1, "x", "a"), (2, "x", "b")], [1, 1, 2], id="its own do not count, others' do"),
        pytest.param([(0, "x", "a"), (1, "y", "b")], [0, 0], id="another type"),
        pytest.param([(5, "x", "a"), (5, "x", "b")], [1, 1], id="in one moment"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_a_burst_of_one_type_over_many(told: list[tuple[float, str, str]], others: list[int]) -> None:
    assert bursts(*told) == others
