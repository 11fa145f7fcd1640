"""Which verdict would teach most, what is said of how much there is to read, and what of both stands in a run's record."""

from __future__ import annotations

import math
import random
from datetime import date, datetime, timezone

import pytest

from alertgraph_spark.learn import Signature
from alertgraph_spark.learn.expect import LEAST_NETWORKS, expectation, measured_curve
from alertgraph_spark.learn.questions import Candidate, Question, ask, entropy

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)


def one(
    key: str, kind: str, p: float = 0.1, *, day: date = MONDAY, is_shown: bool = False, site: str = "plant"
) -> Candidate:
    """A subgraph of a kind: all of a kind are alike."""
    return Candidate(site, day, p, is_shown, Signature(key, NOON, {f"does {kind}": 5.0}))


def test_the_chain_that_comes_again_is_asked_about() -> None:
    rounds = [one(f"sg-{n}", "round") for n in range(4)]
    found = ask([one("sg-odd", "odd"), *rounds], (), 0.1)
    assert found == [Question("sg-3", MONDAY, 3)]


def test_of_two_that_speak_of_as_many_the_one_more_open_is() -> None:
    assert ask([one("sg-a", "a", 0.1), one("sg-b", "b", 0.2)], (), 0.1) == [Question("sg-b", MONDAY, 0)]
    # .9 is as open as .1, and .5 more than both
    assert ask([one("sg-a", "a", 0.9), one("sg-b", "b", 0.5)], (), 0.1) == [Question("sg-b", MONDAY, 0)]


def test_one_a_day_at_most() -> None:
    rows = [one("sg-a", "a"), one("sg-b", "b", 0.2), one("sg-c", "c", day=TUESDAY), one("sg-d", "d", site="other")]
    assert ask(rows, (), 0.1) == [Question("sg-b", MONDAY, 0), Question("sg-c", TUESDAY, 0)]


def test_nothing_is_asked_that_is_shown_was_judged_or_is_like_a_judged_one() -> None:
    rows = [
        one("sg-shown", "a", 0.5, is_shown=True),
        one("sg-judged", "b", 0.5),
        one("sg-like", "b", 0.5),
        one("sg-c", "c"),
    ]
    assert ask(rows, {"sg-judged"}, 0.1) == [Question("sg-c", MONDAY, 0)]
    assert ask(rows[:3], {"sg-judged"}, 0.1) == []


def test_a_verdict_of_another_site_says_nothing() -> None:
    rows = [one("sg-judged", "b", site="other"), one("sg-like", "b")]
    assert ask(rows, {"sg-judged"}, 0.1) == [Question("sg-like", MONDAY, 0)]


def test_the_order_of_subgraphs_does_not_matter() -> None:
    chance = random.Random(2)
    rows = [one(f"sg-{n}", f"kind-{n % 7}", chance.random(), day=chance.choice((MONDAY, TUESDAY))) for n in range(60)]
    assert ask(chance.sample(rows, 60), (), 0.1) == ask(rows, (), 0.1)


def test_entropy_by_hand() -> None:
    assert entropy(0.5) == pytest.approx(math.log(2))
    assert entropy(1.0) == entropy(0.0) == 0.0


POINTS = [{"a_day": 1.0, "steps": 0.5, "low": 0.4, "high": 0.6}, {"a_day": 3.0, "steps": 0.7, "low": 0.6, "high": 0.9}]
CURVE = {"n_networks": 20, "level": "usual", "points": POINTS}


def test_how_much_there_is_to_read_is_said_with_its_interval() -> None:
    measured = "; measured on 20 generated networks (usual), none of them yours"
    said = "for 60 % of an attack's steps 3 subgraphs a day and site, 1 to 3 by network"
    assert expectation(0.6, CURVE) == said + measured
    said = "for 65 % of an attack's steps 3 subgraphs a day and site, 3 to more than were read by network"
    assert expectation(0.65, CURVE) == said + measured


def test_what_cannot_be_said_is_refused_with_the_number() -> None:
    few = {**CURVE, "n_networks": LEAST_NETWORKS - 1}
    assert expectation(0.6, few) == "cannot be said: the curve is of 9 networks, and it takes 10"
    assert expectation(0.8, CURVE) == "cannot be said: 3 a day, the most that were read, found 70%"


def test_the_curve_that_came_with_the_package_rises() -> None:
    points = measured_curve()["points"]
    assert [p["a_day"] for p in points] == sorted(p["a_day"] for p in points)
    assert [p["steps"] for p in points] == sorted(p["steps"] for p in points)
