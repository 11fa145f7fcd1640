"""Which parts a run needs: closed days whole, open hours one by one, and never one whose files have changed since."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from alertgraph_spark.history.plan import Plan, plan_units
from alertgraph_spark.history.store import Part
from alertgraph_spark.read.changes import ExportHour

LOOK_BACK = timedelta(hours=48)
ALL = datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc)


def hour(day: int, at: int, state: str = "a", site: str = "plant") -> ExportHour:
    return ExportHour(site, date(2026, 3, day), at, state * 16, 1, 100, (("Alerts_CL", (f"/lake/d={day}/h={at}",)),))


def part(day: int, at: int | None, fingerprint: str, key: str = "key", site: str = "plant") -> Part:
    made = datetime(2026, 3, 9, tzinfo=timezone.utc)
    return Part(site, date(2026, 3, day), at, key, fingerprint, made, f"{site} {day} {at} {key} {fingerprint}")


def planned(
    hours: list[ExportHour], parts: list[Part], span: tuple[datetime, datetime] = ALL, look_back: timedelta = LOOK_BACK
) -> Plan:
    return plan_units(hours, parts, "key", span, look_back)


def units(plan: Plan) -> list[tuple[int, int | None]]:
    return [(unit.day.day, unit.hour) for unit in plan.fold]


def made(plan: Plan) -> list[Part]:
    """The parts of what a plan folds or merges, as they lie there afterwards."""
    every = [*plan.fold, *(unit for unit, _ in plan.merge)]
    return [part(unit.day.day, unit.hour, unit.fingerprint) for unit in every]


@pytest.mark.parametrize(
    ("newest", "is_closed"),
    [
        ((4, 23), True),
        ((4, 22), False),
    ],  # the newest row may be of 24:00 or 23:00: 48 hours after the end of day 2, or 47
)
def test_a_day_is_closed_when_no_late_row_can_change_it(newest: tuple[int, int], is_closed: bool) -> None:
    plan = planned([hour(2, 7), hour(2, 8), hour(*newest)], [])
    assert units(plan) == ([(2, None), newest] if is_closed else [(2, 7), (2, 8), newest])


def test_each_site_has_a_newest_row_of_its_own() -> None:
    # A site that has been silent for a week may have rows on their way; the other's do not close its days.
    plan = planned([hour(2, 7, site="ward"), hour(2, 7), hour(9, 7)], [])
    assert {(unit.site, unit.hour) for unit in plan.fold if unit.day.day == 2} == {("ward", 7), ("plant", None)}


def test_what_is_there_is_not_folded_again() -> None:
    hours = [hour(2, 7), hour(2, 8), hour(6, 1), hour(6, 2)]
    parts = made(planned(hours, []))
    plan = planned(hours, parts)
    assert (plan.fold, plan.merge, plan.useless, sorted(plan.use)) == ([], [], [], sorted(parts))


def test_an_open_hour_that_grew_is_folded_and_its_neighbour_is_not() -> None:
    parts = made(planned([hour(6, 1), hour(6, 2)], []))
    plan = planned([hour(6, 1), hour(6, 2, "b")], parts)
    assert (units(plan), plan.use, plan.useless, plan.anew) == ([(6, 2)], parts[:1], parts[1:], [])


def test_a_day_that_closes_is_made_of_its_hours() -> None:
    hours = [hour(2, 7), hour(2, 8)]
    parts = made(planned([*hours, hour(3, 0)], []))[:2]
    plan = planned([*hours, hour(6, 0)], parts)
    assert [of for _, of in plan.merge] == [parts]
    assert (units(plan), plan.anew, plan.useless) == ([(6, 0)], [], [])  # the hours go when the day is there
    after = planned([*hours, hour(6, 0)], [*parts, *made(plan)])
    assert (after.fold, after.merge, after.useless) == ([], [], parts)


def test_a_day_that_closes_and_has_changed_is_read() -> None:
    parts = made(planned([hour(2, 7), hour(2, 8)], []))
    plan = planned([hour(2, 7), hour(2, 8, "b"), hour(6, 0)], parts)
    assert (plan.merge, units(plan)) == ([], [(2, None), (6, 0)])


@pytest.mark.parametrize(
    "changed",
    [
        [hour(2, 7, "b"), hour(2, 8)],  # a file grew
        [hour(2, 7), hour(2, 8), hour(2, 9)],  # an hour was exported after all
        [hour(2, 8)],  # one has gone
    ],
)
def test_a_closed_day_whose_files_change_is_folded_anew_and_told(changed: list[ExportHour]) -> None:
    before = made(planned([hour(2, 7), hour(2, 8), hour(9, 0)], []))
    plan = planned([*changed, hour(9, 0)], before)
    assert (units(plan), [unit.day.day for unit in plan.anew]) == ([(2, None)], [2])
    assert plan.useless == [one for one in before if one.day.day == 2]


def test_parts_of_another_key_are_neither_used_nor_removed() -> None:
    hours = [hour(2, 7), hour(9, 0)]
    other = [one._replace(key="other") for one in made(planned(hours, []))]
    plan = planned(hours, other)
    assert (units(plan), plan.useless, plan.anew) == ([(2, None), (9, 0)], [], [])


def test_of_an_open_day_only_the_hours_of_the_window_are_folded_and_of_a_closed_one_all() -> None:
    span = datetime(2026, 3, 2, 8, tzinfo=timezone.utc), datetime(2026, 3, 9, 1, tzinfo=timezone.utc)
    hours = [hour(2, 7), hour(2, 8), hour(9, 0), hour(9, 1)]
    plan = planned(hours, [], span)
    assert units(plan) == [(2, None), (9, 0)]
    assert [one.hour for one in plan.fold[0].hours] == [7, 8]


def test_of_two_runs_that_made_the_same_part_one_is_read() -> None:
    one = made(planned([hour(6, 1)], []))[0]
    twin = one._replace(name=one.name + "-twin")
    plan = planned([hour(6, 1)], [one, twin])
    assert (plan.use, plan.useless) == ([one], [twin])
