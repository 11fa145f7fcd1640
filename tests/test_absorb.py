"""What a strong group takes in: by hand, with a near miss beside each."""

from __future__ import annotations

import math
from typing import Any

import pytest
from incident import Row, at, episode_frame, told
from pyspark.sql import SparkSession

from alertgraph_spark.absorb import absorb_sessions, group_strengths
from alertgraph_spark.interim_schemas import SESSIONS
from alertgraph_spark.schemas import LINKS

RATE = 0.2


def core(*minutes: float, surprise: float = 8.0) -> list[tuple[str, Row]]:
    """A group of one session an hour or so, each of a type of its own."""
    return [("core", told(f"{m} fs{i}/it rare {i}", surprise=surprise)) for i, m in enumerate(minutes, 1)]


def absorbed(spark: SparkSession, episodes: list[tuple[str, Row]], rate: float = RATE) -> dict[tuple[int, int], Any]:
    """The links that absorption adds, as episodes by number; each episode is a session, its group is named."""
    names = sorted({group for group, _ in episodes})
    rows = [
        {**row, "episode": n, "session": n, "component": names.index(group), "is_lone": row["source_entity"] is None}
        for n, (group, row) in enumerate(episodes, 1)
    ]
    frame = episode_frame(spark, rows, "session bigint, component bigint, is_lone boolean")
    sessions = [
        (
            row["site"], row["target_entity"], row["session"], row["started_at"], row["ended_at"], row["history_hours"],
            row["surprise"], 0, rate, rate,
        )
        for row in rows if row["is_lone"]
    ]  # fmt: skip
    links = absorb_sessions(frame, spark.createDataFrame(sessions, SESSIONS.ddl))
    assert links.columns == ["core", *LINKS.names]
    found = links.collect()
    assert all(names[row["core"]] != "core" for row in found)
    return {(row["src"], row["dst"]): row for row in found}


def test_the_strength_of_a_group_counts_repeats_less(spark: SparkSession) -> None:
    rows = [
        {**told(f"{m} fs1/it {name}", surprise=s), "episode": n, "component": 7, "is_lone": True}
        for n, (m, name, s) in enumerate([(0, "x", 4.0), (60, "x", 5.0), (90, "y", 3.0), (95, "x", 4.0)])
    ]
    frame = episode_frame(spark, rows, "component bigint, is_lone boolean")
    (group,) = group_strengths(frame).collect()
    # x: 5 + 4 * .3 / 2 + 4 * .3 / 3, y: 3
    assert group["strength"] == pytest.approx(5 + 0.6 + 0.4 + 3)
    assert (group["begin"], group["end"]) == tuple(int(at(m).timestamp() * 1e6) for m in (0, 95))


def test_what_begins_inside_joins_its_nearest(spark: SparkSession) -> None:
    links = absorbed(spark, [*core(0, 100), ("lesser", told("30 db1/it odd", surprise=3.0))])
    # 16 nats from 0 to 100; 30 minutes after the first, 70 before the second: .2 / 2 = .1 <= .5
    assert set(links) == {(1, 3)}
    link = links[1, 3]
    assert (link["kind"], link["entity"], link["gap_minutes"]) == ("absorbed", "host:db1", 30.0)
    assert link["weight"] == pytest.approx(0.1 * math.exp(-RATE / 2))


def test_the_nearest_may_come_after(spark: SparkSession) -> None:
    links = absorbed(spark, [*core(0, 100), ("lesser", told("80 db1/it odd", surprise=3.0))])
    assert set(links) == {(3, 2)}
    assert links[3, 2]["gap_minutes"] == 20.0


@pytest.mark.parametrize(
    ("group", "lesser", "rate"),
    [
        pytest.param(
            core(0, 100, surprise=7.4), told("30 db1/it odd", surprise=3.0), RATE, id="14.8 nats are not strong"
        ),
        pytest.param(core(0, 100), told("101 db1/it odd", surprise=3.0), RATE, id="after the last"),
        pytest.param(core(5, 100), told("0 db1/it odd", surprise=3.0), RATE, id="before the first"),
        pytest.param(core(0, 100), told("30 db1/it odd", surprise=5.4), RATE, id="more than a third as strong"),
        # 1.1 an hour: half an hour is .55; the span of 100 minutes is 1.8, within two.
        pytest.param(core(0, 100), told("30 db1/it odd", surprise=3.0), 1.1, id="expected in the gap"),
        # .4 an hour: 5 minutes are next to nothing, the span of 6 hours is 2.4.
        pytest.param(core(0, 360), told("5 db1/it odd", surprise=3.0), 0.4, id="expected in the span"),
        pytest.param(core(0, 100), told("30 db1/it odd", surprise=3.0, site="other"), RATE, id="another site"),
        pytest.param(core(0, 100), told("30 ws1/it -> db1/it odd", surprise=3.0), RATE, id="what names two ends"),
    ],
)
def test_near_misses(spark: SparkSession, group: list[tuple[str, Row]], lesser: Row, rate: float) -> None:
    assert absorbed(spark, [*group, ("lesser", lesser)], rate) == {}


def test_each_of_these_misses_is_near(spark: SparkSession) -> None:
    assert absorbed(spark, [*core(0, 100, surprise=7.5), ("lesser", told("30 db1/it odd", surprise=3.0))])
    assert absorbed(spark, [*core(0, 100), ("lesser", told("100 db1/it odd", surprise=3.0))])
    assert absorbed(spark, [*core(0, 100), ("lesser", told("30 db1/it odd", surprise=5.3))])
    assert absorbed(spark, [*core(0, 100), ("lesser", told("30 db1/it odd", surprise=3.0))], rate=1.0)
    assert absorbed(spark, [*core(0, 300), ("lesser", told("5 db1/it odd", surprise=3.0))], rate=0.4)


def test_the_strongest_of_two_takes_it(spark: SparkSession) -> None:
    other = [("other", told(f"{m} ot{m}/it stir {m}", surprise=20.0)) for m in (10, 110)]
    links = absorbed(spark, [*core(0, 100), *other, ("lesser", told("30 db1/it odd", surprise=3.0))])
    # The lesser goes to the other group; so does the core's second, at 100, whose 16 nats are more than a third of 40.
    assert set(links) == {(3, 5)}


def test_lone_alerts_alone_absorb(spark: SparkSession) -> None:
    pairs = [("core", told(f"{m} ws{m}/it -> fs1/it rare {m}", surprise=8.0)) for m in (0, 100)]
    assert absorbed(spark, [*pairs, ("lesser", told("30 db1/it odd", surprise=3.0))]) == {}
