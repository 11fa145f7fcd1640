"""Which earlier episodes are tried for a later one: the nearest, the strong ones behind a crowd, and who had just arrived."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from arrows import episode_table
from incident import Row, story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link import in_order
from alertgraph_spark.link.candidates import NOWHERE, Timeline, find_candidates
from alertgraph_spark.link.earlier import number_rows
from alertgraph_spark.link.everyday import TARGET, name_ends
from alertgraph_spark.tables.rates import HOUR, micros
from alertgraph_spark.tables.roles import acts_as_planned

Found = dict[tuple[int, int], dict[str, Any]]
DULL: dict[str, Any] = {"surprise": 2.0}
"""Below each class: nothing is sought for it but the nearest."""


def tried(*lines: str | Row, **parameters: Any) -> Found:
    """The pairs between episodes in order of telling, from 1; `entity` is what names one, without its kind."""
    p = RankingParameters(**parameters)
    episodes = in_order(episode_table(story("plant", 1, *lines)))
    ends, names = name_ends(episodes, p)
    arrives_at = np.full(len(episodes), -1)
    arrives_at[ends.at[ends.role == TARGET]] = ends.key[ends.role == TARGET]
    t0 = micros(episodes["started_at"])
    columns = (episodes[name].to_numpy() for name in ("surprise", "fleet_share", "history_hours"))
    is_chronic = np.array(episodes["is_chronic"].to_pylist(), dtype=bool)
    is_planned = np.array(acts_as_planned(episodes).to_pylist(), dtype=bool)
    hour = t0 // HOUR
    line = Timeline(
        t0,
        micros(episodes["ended_at"]),
        np.searchsorted(t0, t0),
        number_rows(episodes["site"]),
        *columns,
        hour - hour.min(),
        arrives_at,
        ~is_chronic,
        is_planned,
        micros(episodes["known_at"]) > t0,
    )
    pairs = find_candidates(line, ends, p)
    number = episodes["episode"].to_pylist()
    found: Found = {}
    for row in zip(*(part.tolist() for part in pairs), strict=True):
        one = dict(zip(pairs._fields, row, strict=True))
        one["entity"] = None if one["key"] == NOWHERE else names[one["key"]].partition(":")[2]
        pair = number[one["earlier"]], number[one["later"]]
        assert pair not in found, "each pair once"
        found[pair] = one
    return found


def before(later: int, found: Found) -> set[int]:
    return {a for a, b in found if b == later}


# --- at an entity ---------------------------------------------------------------------------------------------------


def crowd(first: int, n: int, **columns: Any) -> list[Row]:
    """So many come to fs1, one a quarter of an hour, each from a desk of its own."""
    return [told(f"{first + 15 * i} ws{first + i}/it -> fs1/it smb", **columns) for i in range(n)]


def test_the_three_nearest_at_an_entity() -> None:
    found = tried(*crowd(0, 5, **DULL), told("200 fs1/it -> dc1/it rdp", **DULL))
    assert before(6, found) == {3, 4, 5}
    assert before(6, tried(*crowd(0, 5, **DULL), told("200 fs1/it -> dc1/it rdp", **DULL), nearest_links=4)) == {
        2,
        3,
        4,
        5,
    }
    assert before(6, tried(*crowd(0, 5, **DULL), told("200 fs2/it -> dc1/it rdp", **DULL))) == set()


@pytest.mark.parametrize(
    ("strong", "crowd_of", "is_seen"),
    [(2.9, 2.0, False), (3.0, 2.0, True), (3.9, 3.0, False), (4.0, 3.0, True), (5.0, 4.9, True), (9.0, 5.0, False)],
)
def test_a_strong_one_is_seen_past_a_crowd(strong: float, crowd_of: float, is_seen: bool) -> None:
    # Three nearest of each class, from 3, 4 and 5 nats on: the crowd takes the places of its own class alone.
    rows = [told("0 evil/it -> fs1/it exploit", surprise=strong), *crowd(500, 4, surprise=crowd_of)]
    found = tried(*rows, told("900 fs1/it -> dc1/it rdp", **DULL))
    assert before(6, found) == {3, 4, 5} | ({1} if is_seen else set())


def test_an_account_and_an_address_outside_are_entities_too() -> None:
    found = tried(
        told("0 a/it x @meyer", **DULL), told("60 b/it x @meyer", **DULL),
        told("0 c2/external -> e/it x", **DULL), told("60 f/it -> c2/external x", **DULL),
        told("0 other/external -> g/it x", **DULL),
    )  # fmt: skip
    assert {pair: one["entity"] for pair, one in found.items()} == {(1, 2): "meyer", (3, 4): "c2"}


@pytest.mark.parametrize(
    ("minute", "hours"),
    [pytest.param(336 * 60 + 20, 336.0, id="a fortnight"), pytest.param(336 * 60 + 21, None, id="more")],
)
def test_the_gap_begins_where_the_earlier_ends_and_is_a_fortnight_at_most(minute: int, hours: float | None) -> None:
    found = tried(told("0 ws1/it -> fs1/it smb", lasts=20), told(f"{minute} fs1/it -> dc1/it rdp"))
    assert [one["gap_hours"] for one in found.values()] == ([] if hours is None else [hours])


def test_the_gap_is_none_while_the_earlier_lasts() -> None:
    ((pair, one),) = tried(told("0 ws1/it -> fs1/it smb", lasts=60), told("10 fs1/it -> dc1/it rdp")).items()
    assert (pair, one["gap_hours"]) == ((1, 2), 0.0)


def test_the_earlier_starts_before_the_later() -> None:
    at_once = [told("10 ws1/it -> fs1/it smb"), told("10 fs1/it -> dc1/it rdp"), told("10 fs1/it new service")]
    assert tried(*at_once) == {}
    # They take no places either: the crowd before is seen.
    assert before(4, tried(*crowd(0, 3, **DULL), told("99 fs1/it x", **DULL), *(told("99 fs1/it y", **DULL),) * 3)) == {
        1,
        2,
        3,
    }


def test_everyday_noise_is_no_candidate_and_takes_no_place() -> None:
    noise = crowd(600, 4, is_chronic=True, **DULL)
    found = tried(*crowd(0, 3, **DULL), *noise, told("700 fs1/it -> dc1/it rdp", **DULL))
    assert before(8, found) == {1, 2, 3}
    assert {n for pair in found for n in pair} == {1, 2, 3, 8}


def test_planned_work_is_tried_with_planned_work_and_hides_nothing() -> None:
    # A scanner comes by four times after somebody has come to fs1; over the site it is as surprising.
    scans = [told(f"{10 + n} scan/it -> fs1/it probe {n}", source_role="scanner") for n in range(4)]
    found = tried("0 ws1/it -> fs1/it smb", *scans, "15 fs1/it -> dc1/it rdp")
    assert before(6, found) == {1}
    assert before(5, found) == {2, 3, 4}
    assert before(
        6, tried("0 ws1/it -> fs1/it smb", *({**row, "source_role": None} for row in scans), "45 fs1/it -> a/it x")
    ) == {3, 4, 5}


def test_entities_in_common_are_counted() -> None:
    def common(earlier: str, later: str) -> int:
        return int(tried(told(earlier, **DULL), told(later, **DULL))[1, 2]["n_common"])

    assert common("0 ws1/it -> fs1/it smb", "60 fs1/it -> dc1/it rdp") == 1
    assert common("0 ws1/it -> fs1/it smb @meyer", "60 fs1/it -> dc1/it rdp @meyer") == 2
    assert common("0 ws1/it -> fs1/it smb @meyer @svc", "60 fs1/it -> ws1/it rdp @meyer @svc") == 4
    # Who names four accounts names nobody.
    assert common("0 ws1/it -> fs1/it smb @meyer", "60 fs1/it -> dc1/it rdp @meyer @a @b @c") == 1


def test_the_entity_where_it_is_rarest_names_the_pair() -> None:
    # rdp is everyday on dc1 and new on ws1: what ws1 does tells more. Turned round, dc1 names it.
    def named(busy: str) -> dict[str, Any]:
        past = [told(f"{60 * h} {busy}/it rdp", is_chronic=True, history_hours=float(h)) for h in range(9)]
        last = [told(f"{m} ws1/it -> dc1/it rdp", history_hours=10.0, fleet_share=10 / 12, **DULL) for m in (600, 605)]
        return tried(*past, *last)[10, 11]

    assert (named("dc1")["entity"], named("ws1")["entity"]) == ("ws1", "dc1")
    # dc1 was heard of in nine hours of ten, ws1 in none.
    assert (named("dc1")["any_rate"], named("ws1")["any_rate"]) == (1 / 12, 1 / 12)
    assert named("dc1")["n_common"] == 2


# --- who had just arrived -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minute", "is_seen"), [(30, True), (14 * 24 * 60, True), (14 * 24 * 60 + 1, False)])
def test_an_arrival_is_seen_past_all_that_the_host_did_since(minute: float, is_seen: bool) -> None:
    # fs1 acts five times after it was reached; for the last of them these are nearer, at fs1 and by all classes.
    acts = [told(f"{10 + n} fs1/it -> h{n}/it smb", **DULL) for n in range(4)]
    found = tried(told("0 ws1/it -> fs1/it smb", **DULL), *acts, told(f"{minute} fs1/it -> dc1/it rdp", **DULL))
    assert before(6, found) == {3, 4, 5} | ({1} if is_seen else set())


def test_an_alert_about_the_host_itself_acts_too_but_two_such_are_a_session() -> None:
    about = [told(f"{10 + n} fs1/it thing {n}", **DULL) for n in range(4)]
    found = tried(told("0 ws1/it -> fs1/it smb", **DULL), *about, told("15 fs1/it -> dc1/it rdp", **DULL))
    assert before(2, found) == {1}
    # It is the arrival of ws1 that counts for what fs1 does: of the alerts about fs1 the three nearest.
    assert before(6, found) == {3, 4, 5}
    assert before(5, found) == {2, 3, 4}


def test_an_alert_about_a_host_is_told_from_who_arrived_there_not_from_another_such() -> None:
    acts = [told(f"{10 + n} fs1/it -> h{n}/it smb", **DULL) for n in range(4)]
    came = tried(told("0 ws1/it -> fs1/it smb", **DULL), *acts, told("20 fs1/it new service", **DULL))
    assert before(6, came) == {1, 3, 4, 5}
    lone = tried(told("0 fs1/it log cleared", **DULL), *acts, told("20 fs1/it new service", **DULL))
    assert before(6, lone) == {3, 4, 5}


def test_what_the_host_is_reached_by_is_not_what_it_does() -> None:
    arrivals = [told(f"{n} ws{n}/it -> fs1/it smb", **DULL) for n in range(4)]
    found = tried(*arrivals, told("9 ws9/it -> fs1/it smb", **DULL))
    assert before(5, found) == {2, 3, 4}, "three, and none more for having arrived"


# --- over the site --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minute", "one", "other", "is_seen"),
    [
        pytest.param(370, 2.5, 2.5, True, id="both surprising, within six hours of its end"),
        pytest.param(370.1, 2.5, 2.5, False, id="just over six hours"),
        pytest.param(370, 2.4, 9.0, False, id="the earlier is not surprising"),
        pytest.param(370, 9.0, 2.4, False, id="the later is not"),
    ],
)
def test_without_an_entity_in_common(minute: float, one: float, other: float, is_seen: bool) -> None:
    found = tried(told("0 a/it x", lasts=10, surprise=one), told(f"{minute} b/it y", surprise=other))
    assert [(pair, row["entity"], row["n_common"]) for pair, row in found.items()] == (
        [((1, 2), None, 0)] if is_seen else []
    )


def test_over_the_site_the_three_nearest_of_each_class() -> None:
    rows = [told(f"{n} h{n}/it x{n}", surprise=s) for n, s in enumerate((5.0, 4.5, 2.6, 2.6, 2.6, 2.6))]
    assert before(7, tried(*rows, told("9 z/it y", surprise=5.0))) == {1, 2, 4, 5, 6}
    # One of 3 nats asks in the classes of 2.5 and 3 alone; from 3 on there are but the two strong ones.
    assert before(7, tried(*rows, told("9 z/it y", surprise=3.0))) == {1, 2, 4, 5, 6}
    assert before(7, tried(*rows, told("9 z/it y", surprise=2.9))) == {4, 5, 6}


@pytest.mark.parametrize("least", [2.5, 3.0, 3.5, 4.0, 4.5, 5.0])
def test_over_the_site_a_strong_one_is_seen_past_a_crowd(least: float) -> None:
    def seen(surprise: float) -> set[int]:
        strong = told("0 evil/it x", surprise=surprise)
        rest = [told(f"{n + 1} h{n}/it x{n}", surprise=least - 0.1) for n in range(4)]
        return before(6, tried(strong, *rest, told("9 z/it y", surprise=9.0)))

    assert 1 in seen(least)
    assert 1 not in seen(least - 0.1)


def test_an_entity_names_a_pair_before_the_site_does() -> None:
    # An everyday type at fs1 hours later tells little, and two such things over the site would be rare: yet they have fs1.
    found = tried("0 ws1/it -> fs1/it smb", told("300 fs1/it -> dc1/it rdp", fleet_share=0.5))
    assert [(one["entity"], one["n_common"]) for one in found.values()] == [("fs1", 1)]


def test_how_often_the_site_brings_such_a_thing() -> None:
    # Hours 0, 1 and 2 had one of 2.5 nats, hours 1 and 2 one of 4, hour 2 alone one of 5; all between strangers.
    rows = [told(f"{60 * h} h{h}/it x{h}", surprise=s) for h, s in enumerate((2.6, 4.0, 5.0))]
    asked = {"history_hours": 3.0, "fleet_share": 0.2}
    found = tried(*rows, told("180 z/it y", surprise=4.0, **asked))
    # The rarest class in which both stand: that of 2.5 nats, (3 + 1) / (3 + 2); that of 4, (2 + 1) / 5.
    assert {pair: row["any_rate"] for pair, row in found.items() if pair[1] == 4} == {
        (1, 4): pytest.approx(4 / 5),
        (2, 4): pytest.approx(3 / 5),
        (3, 4): pytest.approx(3 / 5),
    }
    assert {row["type_rate"] for pair, row in found.items() if pair[1] == 4} == {0.2}
    stronger = tried(*rows, told("180 z/it y", surprise=5.0, **asked))
    assert stronger[3, 4]["any_rate"] == pytest.approx(2 / 5)


def test_a_site_where_it_is_always_so_is_not_surer_than_the_cap() -> None:
    rows = [told(f"{60 * h} h{h}/it x{h}") for h in range(60)]
    found = tried(*rows, told("3600 z/it y", history_hours=60.0))
    assert {row["any_rate"] for pair, row in found.items() if pair[1] == 61} == {0.98}  # not 61 / 62
