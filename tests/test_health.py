"""The health of sources: each hit beside a near miss, worked by hand; and what must change nothing.

The window is Monday the 2nd of March 2026; what lies before it is the past.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from arrows import table_of

from alertgraph_spark.config.health import HealthParameters
from alertgraph_spark.config.keys import keys_of
from alertgraph_spark.health import judge_health
from alertgraph_spark.health.chances import flood_nats, past_refused_share, refusal_nats
from alertgraph_spark.health.words import flood_words, silent_words
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.health_schemas import HEALTH, UNHEALTHY
from alertgraph_spark.tables.interim_schemas import AGAIN, HEARD, NO_ALERT
from alertgraph_spark.tables.schemas import OWN

P = HealthParameters()
MONDAY = datetime(2026, 3, 2, tzinfo=timezone.utc)
END = MONDAY + timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
Row = dict[str, Any]


def hour_of(time: datetime) -> int:
    return (time - EPOCH) // HOUR


def lines(time: datetime | None, n: int, **columns: Any) -> Row:
    """Lines of one hour: alerts of the plant's sensor, received four minutes after they happened, if not said otherwise."""
    row: Row = {"site": "plant", "table": "Ids_CL", "status": "alert", "reason": None, "n_lines": n, "n_spans": 1}
    row |= {"n_unknown": 0, "delay_minutes": 4.0, "hour": None if time is None else hour_of(time)}
    row["received_at"] = None if time is None else time + timedelta(minutes=30)
    if columns.get("status") == "rejected":
        row |= {"delay_minutes": None, "reason": "torn line"}
    return row | columns


def hourly(n: Callable[[datetime], int], days: float, until: datetime = END, **columns: Any) -> list[Row]:
    """Alerts in each hour of some days up to a time; an hour with none has no row."""
    begin = until - timedelta(days=days)
    counts = [(time, n(time)) for time in (begin + HOUR * i for i in range(round(days * 24)))]
    return [lines(time, count, **columns) for time, count in counts if count]


def judge(
    rows: Iterable[Row], end: datetime = END, start: datetime | None = None, p: HealthParameters | None = None
) -> list[Row]:
    with Engine() as engine:
        found = judge_health(engine, table_of(HEARD, rows), start or end - timedelta(days=1), end, p)
    assert found.schema == arrow_schema(HEALTH)
    return list(found.to_pylist())


def one(rows: Iterable[Row], **window: Any) -> Row:
    (row,) = judge(rows, **window)
    return row


def steady(time: datetime) -> int:
    return 41


def at_work(time: datetime) -> int:
    """Forty alerts an hour from Monday to Friday, eight to six; none else."""
    return 40 if time.weekday() < 5 and 8 <= time.hour < 18 else 0


# --- silent ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "status"), [(3, "ok"), (4, "silent"), (7, "silent")])
def test_a_source_that_never_paused_is_silent_after_four_hours(hours: int, status: str) -> None:
    # In 31 days of past an hour of the week and the two beside it come 12 to 15 times, here never empty: a chance of 1 in 13
    # to 16 an hour. Three such hours are 7.7 to 8.3 nats, four 10.3 to 11.1; a chance of 0.0001 is 9.2.
    row = one(hourly(steady, 32 - hours / 24, until=END - HOUR * hours))

    assert row["status"] == status
    if status == "silent":
        assert row["detail"] == f"silent for {hours} h; at this time of the week 41 alerts an hour are usual"
    assert (row["n_alerts"], row["usual_alerts"]) == (41 * (24 - hours), 41 * 24)
    assert row["age_hours"] == hours + 0.5, "the newest came at half past"


def test_a_source_that_rests_at_weekends_is_not_silent_then_and_is_on_a_monday() -> None:
    sunday = datetime(2026, 3, 1, tzinfo=timezone.utc)
    weekend = one(hourly(at_work, 30, until=sunday), end=sunday + timedelta(hours=23))
    early = one(hourly(at_work, 30, until=MONDAY), end=MONDAY + timedelta(hours=8))
    late = one(hourly(at_work, 30, until=MONDAY), end=MONDAY + timedelta(hours=15))

    assert [row["status"] for row in (weekend, early, late)] == ["ok", "ok", "silent"]
    # Silent since Friday at six: 48 + 6 + 15 hours, in seven of which forty alerts come.
    assert late["detail"] == "silent for 69 h; at this time of the week 4 alerts an hour are usual"


def test_a_weekend_in_less_than_two_weeks_of_past_is_no_silence() -> None:
    """By the hour of the day alone it is unlikely; but the one weekend before was as silent, and ten days hold one."""
    sunday = datetime(2026, 3, 1, tzinfo=timezone.utc)
    rows = hourly(at_work, 12, until=sunday)

    assert one(rows, end=sunday + timedelta(hours=20))["status"] == "ok"
    assert one(rows, end=sunday + timedelta(hours=36))["status"] == "silent", "it ought to have spoken on Monday"


def test_three_alerts_a_day_are_no_silence_after_ten_hours_and_are_after_days() -> None:
    def rare(time: datetime) -> int:
        return int((hour_of(time) * 7 + time.day) % 24 in (0, 5, 13))

    def after(hours: int) -> str:
        end = MONDAY + timedelta(hours=hours)
        return str(one(hourly(rare, 30, until=MONDAY), end=end, start=end - timedelta(days=1))["status"])

    assert [after(10), after(24 * 6)] == ["ok", "silent"]


def test_one_outage_hides_no_other_and_one_a_week_is_usual() -> None:
    def silent_after(*outages: int) -> str:
        down = {MONDAY - timedelta(days=days) + HOUR * i for days in outages for i in range(9)}
        rows = hourly(lambda time: 0 if time in down else 41, 30, until=END - HOUR * 8)
        return str(one(rows)["status"])

    assert silent_after() == silent_after(9) == "silent"
    assert silent_after(4, 9, 17, 26) == "ok", "four in 30 days are oftener than one in two weeks"


def test_a_source_that_was_silent_since_before_the_past_has_no_row_and_one_that_never_alerts_is_as_usual() -> None:
    traffic = hourly(steady, 30, table="Fw_CL", status="rejected", reason=NO_ALERT, delay_minutes=None)
    (row,) = judge(traffic)

    assert (row["table"], row["status"], row["n_lines"], row["n_alerts"], row["n_rejected"]) == (
        *("Fw_CL", "ok", 984, 0, 0),
    )
    assert judge([]) == []


def test_lines_that_come_without_an_alert_are_told() -> None:
    """The export works, and the format does not know the rows any more: the silence is one of alerts."""
    rows = hourly(steady, 30, until=END - HOUR * 8)
    rows += [lines(END - HOUR * n, 50, status="rejected", reason=NO_ALERT) for n in range(1, 9)]
    row = one(rows)

    assert row["status"] == "silent"
    assert row["detail"].startswith("silent for 8 h though 400 other lines came; ")
    assert row["age_hours"] == 0.5


def test_a_part_of_an_hour_counts_as_a_part() -> None:
    end = END + timedelta(minutes=30)
    rows = hourly(steady, 30)

    half = one(rows, end=end)
    assert half["judged_hours"] == 23.5
    assert half["usual_alerts"] == pytest.approx(41 * 23.5)
    nearly = replace(P, chance=0.05)  # 3.0 nats: an hour that was never empty has 2.6 and more, half of it 1.3
    assert one(rows, end=end, p=nearly)["status"] == "ok"
    assert one(rows, end=end + 2 * HOUR, p=nearly)["status"] == "silent"


# --- flood -----------------------------------------------------------------------------------------------------------


def peak(time: datetime) -> int:
    """Ten alerts an hour, and on Monday at nine about a thousand, in one week more than in another."""
    return 900 + 50 * (time.day % 3) if time.weekday() == 0 and time.hour == 9 else 10


def test_a_flood_in_the_usual_peak_is_none_and_the_same_at_another_time_is_one() -> None:
    past = hourly(peak, 30, until=MONDAY)

    def at(hour: int, n: int) -> Row:
        rest = hourly(lambda time: n if time.hour == hour else 10, 1)
        return one(past + rest)

    assert at(9, 1100)["status"] == at(10, 1100)["status"] == "ok", "also where it comes an hour late"
    flood = at(3, 1100)
    assert flood["status"] == "flood"
    assert flood["detail"] == (
        "1,100 alerts in the hour from 2026-03-02 03:00 UTC; at this time of the week 10 alerts an hour are usual"
    )
    assert at(3, 29)["status"] == "ok", "not three times the usual"
    assert at(3, 99)["status"] == "ok", "below a hundred alerts an hour nothing is flooded"


def test_a_flood_is_no_reason_to_miss_the_next_and_one_a_week_is_usual() -> None:
    def flooded(*days: int) -> str:
        times = {MONDAY - timedelta(days=days_before) + HOUR * 5 for days_before in days}
        rows = hourly(lambda time: 9000 if time in times else 20 + time.hour % 5, 30, until=MONDAY)
        return str(one(rows + hourly(lambda time: 4000 if time.hour == 14 else 20, 1))["status"])

    assert flooded() == flooded(6) == flooded(6, 17) == "flood"
    assert flooded(3, 8, 17, 24) == "ok", "four in 30 days"


def test_what_comes_in_bursts_floods_only_beyond_its_bursts() -> None:
    """A hundred and twenty at once, about once a day at any time: a mean of five an hour, but 150 are no flood."""
    chance = random.Random(7)
    rows = hourly(lambda time: 120 if chance.random() < 1 / 24 else 1, 30, until=MONDAY)

    def burst(n: int) -> str:
        return str(one(rows + hourly(lambda time: n if time.hour == 14 else 1, 1))["status"])

    assert [burst(150), burst(5000)] == ["ok", "flood"]


def test_the_bound_of_a_flood_is_above_the_chance_and_near_it() -> None:
    def tail(n: int, mean: float, dispersion: float) -> float:
        """P(N >= n) of the negative binomial, term by term."""
        r = 1 / dispersion
        logs = (
            math.lgamma(k + r) - math.lgamma(r) - math.lgamma(k + 1)
            + r * math.log(r / (r + mean)) + k * math.log(mean / (r + mean))
            for k in range(n)
        )  # fmt: skip
        return 1 - sum(map(math.exp, logs))

    for n, mean, dispersion in [(40, 10.0, 0.1), (30, 10.0, 0.02), (12, 1.0, 2.0)]:
        exact, bound = tail(n, mean, dispersion), math.exp(-flood_nats(n, mean, dispersion))
        assert exact < bound < 30 * exact
    assert flood_nats(40, 10, 1e-12) == pytest.approx(40 * math.log(4) - 30), "Poisson"
    assert flood_nats(40, 10, 1e-6) == pytest.approx(40 * math.log(4) - 30, rel=1e-3)


# --- slow ------------------------------------------------------------------------------------------------------------


def delayed(minutes: float) -> list[Row]:
    """Four to eight minutes in the past, and so many in the window."""
    past = [row | {"delay_minutes": 4.0 + row["hour"] % 5} for row in hourly(steady, 30, until=MONDAY)]
    return past + hourly(steady, 1, delay_minutes=minutes)


@pytest.mark.parametrize(("minutes", "status"), [(35.9, "ok"), (36.1, "slow"), (95, "slow"), (-3, "ok")])
def test_a_source_is_slow_half_an_hour_above_its_usual_delay(minutes: float, status: str) -> None:
    row = one(delayed(minutes))

    assert (row["status"], row["delay_minutes"], row["usual_delay_minutes"]) == (status, minutes, 6.0)
    if minutes == 95:
        assert row["detail"] == "half of the alerts come 95 min or more after they happened; 6 min are usual"


def test_a_source_whose_alerts_often_come_late_is_not_slow_when_they_do() -> None:
    past = [row | {"delay_minutes": 60.0 if row["hour"] % 10 == 0 else 4.0} for row in hourly(steady, 30, until=MONDAY)]

    assert one(past + hourly(steady, 1, delay_minutes=100.0))["status"] == "ok", (
        "an hour in ten has 60: 120 is twice it"
    )
    assert one(past + hourly(steady, 1, delay_minutes=130.0))["status"] == "slow"


@pytest.mark.parametrize(("n", "status"), [(2, "ok"), (3, "slow")])
def test_two_late_alerts_are_no_slow_source(n: int, status: str) -> None:
    past = hourly(lambda time: int(time.hour == 9), 30, until=MONDAY)

    assert one([*past, lines(MONDAY + HOUR * 9, n, delay_minutes=600.0)])["status"] == status


# --- refuses ---------------------------------------------------------------------------------------------------------


def refused(n_past: int, n_now: int) -> list[Row]:
    """Of 10,000 lines of the past day by day, and of 10,000 of the window, so many are refused."""
    days = [(MONDAY - timedelta(days=n), n_past) for n in range(1, 31)] + [(MONDAY, n_now)]
    alerts = [lines(day + HOUR * h, (10_000 - n) // 20) for day, n in days for h in range(20)]
    return alerts + [lines(day, n, status="rejected") for day, n in days if n]


@pytest.mark.parametrize(
    ("n_past", "n_now", "status"), [(0, 400, "ok"), (0, 600, "refuses"), (2000, 2400, "ok"), (2000, 2600, "refuses")]
)
def test_a_source_refuses_five_points_above_its_past(n_past: int, n_now: int, status: str) -> None:
    row = one(refused(n_past, n_now))

    assert (row["status"], row["n_rejected"], row["n_lines"]) == (status, n_now, 10_000)
    assert (row["rejected_share"], row["usual_rejected_share"]) == (n_now / 10_000, n_past / 10_000)
    if (n_past, n_now) == (2000, 2600):
        assert row["detail"] == "2,600 of 10,000 lines were refused, 26.0%; 20.0% are usual"


@pytest.mark.parametrize(("n", "of", "status"), [(9, 20, "ok"), (10, 90, "ok"), (10, 40, "refuses")])
def test_a_few_refused_lines_may_be_chance(n: int, of: int, status: str) -> None:
    # Three in a hundred were refused. Ten of ninety are 6 nats, ten of forty 13; a chance of 0.0001 is 9.2.
    past = [lines(MONDAY - timedelta(days=day), 97) for day in range(1, 31)]
    past += [lines(MONDAY - timedelta(days=day), 3, status="rejected") for day in range(1, 31)]

    assert one([*past, lines(MONDAY, of - n), lines(MONDAY, n, status="rejected")])["status"] == status


def test_what_is_no_alert_or_our_own_is_not_refused() -> None:
    for reason, status in ((NO_ALERT, "ok"), (OWN, "ok"), ("torn line", "refuses")):
        other = [lines(MONDAY + HOUR * 3, 500, status="rejected", reason=reason)]
        assert one(hourly(steady, 30) + other)["status"] == status


def test_a_refused_line_without_a_time_counts_as_of_now() -> None:
    row = one([*hourly(steady, 30), lines(None, 500, status="rejected")])

    assert (row["status"], row["n_rejected"]) == ("refuses", 500)


def test_a_source_that_is_refused_whole_is_told_both_ways_and_a_new_one_too() -> None:
    changed = hourly(steady, 30, until=END - HOUR * 8) + hourly(steady, 1 / 3, status="rejected")
    row = one(changed)
    new = one(hourly(steady, 1 / 3, status="rejected"))

    assert row["status"] == "silent", "the worst first"
    assert "; 328 of 984 lines were refused, 33.3%; 0.0% are usual" in row["detail"]
    assert (new["status"], new["detail"]) == (
        *("refuses", "328 of 328 lines were refused, 100.0%; there is no past to compare with"),
    )


def test_the_bound_of_a_refusal_is_above_the_chance() -> None:
    exact = sum(math.comb(50, k) * 0.1**k * 0.9 ** (50 - k) for k in range(15, 51))

    assert exact < math.exp(-refusal_nats(15, 50, 0.1)) < 30 * exact
    assert refusal_nats(5, 50, 0.1) == 0.0
    assert (past_refused_share(0, 0), past_refused_share(1, 98)) == (0.5, 0.02)


# --- new, ok ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("past", "status"), [(23, "new"), (24, "silent")])
def test_a_source_is_new_until_it_has_a_day_of_past(past: int, status: str) -> None:
    row = one(hourly(steady, (past + 16) / 24, until=END - HOUR * 8))

    assert (row["status"], row["past_hours"]) == (status, past)
    if status == "new":
        assert row["detail"] == (
            "too little past to judge by: first heard of 47 h before the window's end; it takes 24 h of past"
        )
        assert row["usual_alerts"] is None


def test_what_stands_in_a_row_that_is_well() -> None:
    again = lines(MONDAY + HOUR * 5, 3, status=f"{AGAIN}alert", delay_minutes=None)
    doubted = lines(MONDAY + HOUR * 6, 0, n_unknown=2) | {"n_lines": 2}

    assert one([*hourly(steady, 30), again, doubted]) == {
        **{"site": "plant", "table": "Ids_CL", "status": "ok", "detail": "986 alerts in 24 h; 984 usual"},
        **{"judged_hours": 24.0, "judged_until": END, "past_hours": 29 * 24, "n_lines": 989, "n_alerts": 986},
        **{"usual_alerts": 984.0, "n_rejected": 0, "rejected_share": 0.0, "usual_rejected_share": 0.0, "n_unknown": 2},
        **{"newest_received_at": END - HOUR / 2, "age_hours": 0.5, "delay_minutes": 4.0, "usual_delay_minutes": 4.0},
        "store_lag_hours": None,
    }


def test_the_history_lags_by_the_hours_since_its_newest_closed_day_ended() -> None:
    heard = [*hourly(steady, 30), *[row | {"site": "ward"} for row in hourly(steady, 30)]]
    with Engine() as engine:
        table = judge_health(
            engine, table_of(HEARD, heard), END - HOUR * 24, END, closed_until={"plant": END - HOUR * 50, "other": END}
        )

    assert {row["site"]: row["store_lag_hours"] for row in table.to_pylist()} == {"plant": 50.0, "ward": None}


def test_a_long_window_is_judged_by_its_last_day_and_a_short_one_whole() -> None:
    rows = hourly(steady, 30)

    long, short = (one(rows, start=END - HOUR * n) for n in (72, 1))
    assert (long["judged_hours"], long["n_alerts"], long["past_hours"]) == (24, 984, 29 * 24)
    assert (short["judged_hours"], short["n_alerts"], short["past_hours"]) == (1, 41, 30 * 24 - 1)


# --- what changes nothing --------------------------------------------------------------------------------------------


def four_sources() -> list[Row]:
    """One of each kind: silent, flooded, refusing, well."""
    burst = [lines(MONDAY + HOUR * 7, 3000, site="flooded")]
    torn = [lines(MONDAY + HOUR * 7, 400, site="refusing", status="rejected")]
    rows = hourly(steady, 30, until=END - HOUR * 9, site="silent") + burst + torn
    return rows + [row for site in ("flooded", "refusing", "well") for row in hourly(steady, 30, site=site)]


def test_the_worst_come_first() -> None:
    found = [(row["status"], row["site"]) for row in judge(four_sources())]

    assert found == [("silent", "silent"), ("refuses", "refusing"), ("flood", "flooded"), ("ok", "well")]
    assert UNHEALTHY == ("silent", "refuses", "flood", "slow")


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_and_how_they_are_split_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    rows = four_sources()
    split = [
        part
        for row in rows
        for n in [chance.randrange(1, row["n_lines"])]
        for part in (row | {"n_lines": n, "status": "history"} if row["status"] == "alert" else row | {"n_lines": n},
                     row | {"n_lines": row["n_lines"] - n})
    ]  # fmt: skip
    chance.shuffle(split)

    assert judge(split) == judge(rows)


@pytest.mark.parametrize("seed", range(5))
def test_nor_does_it_change_the_last_digit_of_what_is_usual(seed: int) -> None:
    chance, end = random.Random(seed), END - timedelta(minutes=13)
    rows = [
        row | {"delay_minutes": chance.uniform(0, 9)}
        for table in ("Ids_CL", "Edr_CL")
        for row in hourly(lambda _: max(0, chance.randrange(7) - 4), 4, end, table=table)
    ]
    rows += [row | {"n_lines": chance.randrange(1, 5), "delay_minutes": chance.uniform(0, 9)} for row in rows]
    expected = judge(rows, end)

    for _ in range(8):
        chance.shuffle(rows)
        assert judge(rows, end) == expected


def test_other_sources_change_nothing() -> None:
    rows = four_sources()
    together = {(row["site"], row["table"]): row for row in judge(rows)}

    for key, row in together.items():
        assert one([r for r in rows if (r["site"], r["table"]) == key]) == row
    elsewhere = [row | {"table": "Edr_CL", "n_lines": 5} for row in rows]
    assert [row for row in judge(rows + elsewhere) if row["table"] == "Ids_CL"] == list(together.values())


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_after_the_window_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    later = [
        lines(END + HOUR * chance.randrange(100), chance.randrange(1, 5000), status=status, site=site)
        for site in ("silent", "flooded", "refusing", "well", "later")
        for status in ("out_of_window", "rejected")
    ]

    assert judge(four_sources() + later) == judge(four_sources())


def test_the_judgement_of_a_day_is_the_same_whether_or_not_the_next_is_known() -> None:
    """The past ends where the judged hours begin: a window that was judged on Monday is judged so on Tuesday, too."""
    rows = four_sources()
    known = [row for row in rows if row["hour"] < hour_of(MONDAY + HOUR * 12)]
    noon = {"end": MONDAY + HOUR * 12, "start": MONDAY}
    later = [row | ({"status": "out_of_window"} if row["hour"] >= hour_of(noon["end"]) else {}) for row in rows]

    assert judge(known, **noon) == judge(later, **noon)


# --- words and numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usual", "period", "said"),
    [
        (41, 168, "at this time of the week 41 alerts an hour are usual"),
        (1, 24, "at this time of the day 1 alert an hour is usual"),
        (3 / 24, 1, "3 alerts a day are usual"),
        (2 / 168, 1, "2 alerts a week are usual"),
        (0.001, 1, "fewer than one alert a week is usual"),
    ],
)
def test_what_is_usual_is_told_by_the_unit_that_fits(usual: float, period: int, said: str) -> None:
    assert silent_words(10, usual * 10, period, 0) == f"silent for 10 h; {said}"
    several = flood_words(1240, MONDAY, usual, period, 3)
    assert several == f"1,240 alerts in the hour from 2026-03-02 00:00 UTC, one of 3 such hours; {said}"
    assert silent_words(7, 7, 1, 1).startswith("silent for 7 h though 1 other line came; ")


def test_every_number_has_a_meaning_and_lies_in_its_range() -> None:
    for name, key in keys_of(HealthParameters).items():
        assert len(key.rule.meaning) > 15, name
        assert key.rule.allows(getattr(P, name)), name


def test_a_thousand_sources_fit_in_memory_and_seconds() -> None:
    table = pa.concat_tables([table_of(HEARD, hourly(steady, 60, site=f"s{n}")) for n in range(4)])
    with Engine(memory="500MB") as engine:
        found = judge_health(engine, table, END - timedelta(days=1), END)

    assert found.num_rows == 4
    assert set(found["past_hours"].to_pylist()) == {8 * 168}, "eight weeks at most"
