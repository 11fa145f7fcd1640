"""Strong groups that meet: by hand, with a near miss beside each, and against the rule as a loop over all pairs."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple

import pytest
from arrows import episode_table
from incident import Row, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.meet import meet_groups
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.schemas import LINKS

P = RankingParameters()
Links = dict[tuple[str, str], dict[str, Any]]


class Group(NamedTuple):
    """A group of one alert, or of one more of each strength that is told; `hours` into the day, of a site of `history`."""

    name: str
    hours: float
    strength: float = 10.0
    lasts: float = 0.0
    history: float = 401.0
    host: str = "fs1"
    site: str = "plant"
    zone: str = "it"
    more: tuple[float, ...] = ()

    def rows(self) -> list[Row]:
        lines = [f"{60 * self.hours} {self.host}/{self.zone} {self.name} {i}" for i in range(1 + len(self.more))]
        strengths = (self.strength, *self.more)
        return [
            told(line, lasts=60 * self.lasts, surprise=s, history_hours=self.history, site=self.site)
            for line, s in zip(lines, strengths, strict=True)
        ]


def met(*groups: Group, **parameters: float) -> Links:
    """The links by which groups meet, by their names, the earlier first; numbers of episodes rise in order of telling."""
    rows = []
    first: dict[int, str] = {}
    for group in groups:
        number = len(rows) + 1
        first[number] = group.name
        rows += [
            {**row, "episode": number + i, "session": number + i, "component": number}
            for i, row in enumerate(group.rows())
        ]
    with Engine() as engine:
        table = episode_table(rows, {"session": "bigint", "component": "bigint"})
        links = meet_groups(engine, table, RankingParameters(**parameters))
    assert links.column_names == LINKS.names
    return {(first[row["src"]], first[row["dst"]]): row for row in links.to_pylist()}


# Of 401 hours none ended a group as strong: -ln(1 - 1/403) = .0024845 an hour, and in five hours .01242.
QUIET = -math.log(1 - 1 / 403)


def test_two_strong_groups_of_a_quiet_site_meet() -> None:
    found = met(Group("a", 0, host="fs9"), Group("b", 5, host="fs9"))
    link = found["a", "b"]
    assert (link["kind"], link["entity"], link["site"], link["gap_minutes"]) == ("meeting", "host:fs9", "plant", 300.0)
    assert link["chance"] == pytest.approx(1 - math.exp(-5 * QUIET))
    assert link["weight"] == pytest.approx(0.5 * math.exp(-5 * QUIET))
    assert link["log_odds"] == 0.0


def frequent(n: int, strength: float) -> list[Group]:
    """Groups that came and went before, a day apart."""
    return [Group(f"past {i}", -24 * (i + 2), strength) for i in range(n)]


@pytest.mark.parametrize(
    ("groups", "do_meet"),
    [
        # Within the 5 hours -ln(1 - (n + 1) / 403) * 5 <= .1 holds for n + 1 = 7, .0876, and not for 8, .1003.
        pytest.param([*frequent(6, 10.0), Group("a", 0), Group("b", 5)], True, id="six as strong in the past"),
        pytest.param([*frequent(7, 10.0), Group("a", 0), Group("b", 5)], False, id="seven as strong"),
        pytest.param([*frequent(9, 8.9), Group("a", 0), Group("b", 5)], True, id="nine that are not as strong"),
        pytest.param([*frequent(9, 9.0), Group("a", 0), Group("b", 5)], False, id="nine of nine tenths"),
        # The weaker of both decides.
        pytest.param([*frequent(9, 8.9), Group("a", 0, 9.8), Group("b", 5, 30.0)], False, id="about as strong as the weaker"),
        pytest.param([*frequent(9, 8.9), Group("a", 0, 30.0), Group("b", 5, 9.8)], False, id="whichever that is"),
        # The more history the rarer: of 1,000 hours nineteen are -ln(1 - 20 / 1002) * 5 = .1008.
        pytest.param([*frequent(18, 10.0), Group("a", 0), Group("b", 5, history=1000)], True, id="a long past"),
        pytest.param([*frequent(19, 10.0), Group("a", 0), Group("b", 5, history=1000)], False, id="and just too much in it"),
        pytest.param([Group("a", 0, host="x"), Group("b", 1, host="y")], False, id="no host in common"),
        pytest.param(
            [*(Group(n, h, host="x", zone="external") for n, h in (("a", 0), ("b", 5)))],
            False, id="what is outside is no host in common",
        ),
        pytest.param([Group("a", 0), Group("b", 12)], True, id="twelve hours"),
        pytest.param([Group("a", 0), Group("b", 12.01)], False, id="more than twelve hours"),
        # From start to start: what lasts all week meets nothing for that.
        pytest.param([Group("a", 0, lasts=12), Group("b", 12.01)], False, id="while it lasts"),
        pytest.param([Group("a", 0), Group("b", 0)], False, id="at the same time"),
        pytest.param([Group("a", 0, 8.0), Group("b", 5, 8.0)], True, id="just strong"),
        pytest.param([Group("a", 0, 7.9), Group("b", 5)], False, id="the earlier is not"),
        pytest.param([Group("a", 0), Group("b", 5, 7.9)], False, id="the later is not"),
        # 6 + 4 / 2^.85 = 8.22; and with 3.5 it is 7.94.
        pytest.param([Group("a", 0, 6.0, more=(4.0,)), Group("b", 5)], True, id="strong by two types"),
        pytest.param([Group("a", 0, 6.0, more=(3.5,)), Group("b", 5)], False, id="not by these"),
        pytest.param([Group("a", 0), Group("b", 5, site="other")], False, id="another site"),
        pytest.param([Group("a", 0, history=23.9), Group("b", 5, history=28.9)], False, id="across the warm-up's end"),
        pytest.param([Group("a", 0, history=20), Group("b", .5, history=20.5)], True, id="within the warm-up"),
        # Of 20 hours -ln(1 - 1/22.5) is .0455 an hour: within 2.2 hours.
        pytest.param([Group("a", 0, history=20), Group("b", 2.3, history=20.5)], False, id="there it is soon too long"),
    ],
)  # fmt: skip
def test_two_groups(groups: list[Group], do_meet: bool) -> None:
    # Those of the past begin a day apart: they meet nobody.
    assert list(met(*groups)) == ([("a", "b")] if do_meet else [])


def test_only_what_has_ended_is_past_and_the_earlier_itself_is_not() -> None:
    lasting = [group._replace(lasts=24 * 30) for group in frequent(7, 10.0)]
    assert list(met(*lasting, Group("a", 0), Group("b", 5))) == [("a", "b")]
    # Six as strong have ended; the earlier of both has too, and is not one of the others.
    assert list(met(*frequent(6, 10.0), Group("a", 0, lasts=1), Group("b", 5))) == [("a", "b")]


def test_of_several_the_one_that_is_least_to_be_expected() -> None:
    # b is nearer, but as strong as it were three in the past and a: 5/403 an hour for 1.5 hours, against 1/403 for 4 hours.
    past = frequent(3, 8.5)
    found = met(*past, Group("a", 0, 20.0), Group("b", 2.5, 8.5), Group("c", 4, 20.0))
    assert set(found) == {("a", "c"), ("a", "b")}
    assert found["a", "c"]["gap_minutes"] == 240.0
    # Without such a past, only a: 2/403 for 1.5 hours.
    assert set(met(Group("a", 0, 20.0), Group("b", 2.5, 8.5), Group("c", 4, 20.0))) == {("a", "b"), ("b", "c")}


def test_a_link_leads_to_the_sessions_that_begin_both() -> None:
    # A group's first episode need not have the lowest number; the host is that of the later one's first.
    rows = [
        {**told(line, surprise=9.0, history_hours=400.0), "episode": n, "session": 10 * n, "component": component}
        for n, (line, component) in enumerate(
            [("30 b/it x", 1), ("0 a/it -> d/it y", 1), ("200 d/it x", 3), ("190 c/it -> d/it y", 3)], 1
        )
    ]
    with Engine() as engine:
        table = episode_table(rows, {"session": "bigint", "component": "bigint"})
        (link,) = meet_groups(engine, table, P).to_pylist()
    assert (link["src"], link["dst"], link["entity"], link["gap_minutes"]) == (20, 40, "host:d", 190.0)


def test_without_groups_nobody_meets() -> None:
    assert met() == {}


# --- against a second writing ---------------------------------------------------------------------------------------


def meetings_by_loops(groups: list[Group]) -> set[tuple[str, str]]:
    found = set()
    for later in groups:
        tried = []
        for place, earlier in enumerate(groups):
            wait = later.hours - earlier.hours
            is_apart = (earlier.history < 24) != (later.history < 24)
            if (earlier.site, earlier.host) != (later.site, later.host) or is_apart or not 0 < wait <= 12:
                continue
            least = 0.9 * min(earlier.strength, later.strength)
            ended = [
                one for one in groups
                if one.site == later.site and one is not earlier and one.hours + one.lasts < later.hours
                and one.strength >= least
            ]  # fmt: skip
            rate = -math.log(1 - min(0.98, (len(ended) + 1) / (later.history + 2)))
            if rate * wait <= 0.1:
                tried.append((rate * wait, earlier.hours, place, earlier.name))
        if tried:
            found.add((min(tried)[-1], later.name))
    return found


def test_meetings_equal_loops() -> None:
    n_met = 0
    for seed in range(20):
        chance = random.Random(seed)
        starts = sorted(chance.sample(range(4000), 40))
        groups = [
            Group(
                f"g{n}", minute / 60, chance.choice((8.0, 9.0, 12.0, 20.0)), chance.choice((0, 0, 1, 30)),
                chance.choice((12.0, 100.0, 1000.0)), chance.choice(("x", "y")), chance.choice(("north", "south")),
            )
            for n, minute in enumerate(starts)
        ]  # fmt: skip
        found = set(met(*groups))
        assert found == meetings_by_loops(groups), f"seed {seed}"
        n_met += len(found)
    assert n_met > 100
