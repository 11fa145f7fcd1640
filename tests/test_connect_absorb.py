"""What a strong group takes in: by hand, with a near miss beside each."""

from __future__ import annotations

import math
from typing import Any

import pytest
from arrows import episode_table, table_of
from incident import Row, at, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.absorb import absorb_sessions, group_strengths
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.interim_schemas import SESSIONS
from alertgraph_spark.tables.schemas import LINKS

RATE = 0.2


def core(*minutes: float, surprise: float = 8.0) -> list[tuple[str, Row]]:
    """A group of one session an hour or so, each of a type of its own."""
    return [("core", told(f"{m} fs{i}/it rare {i}", surprise=surprise)) for i, m in enumerate(minutes, 1)]


GROUPED = {"session": "bigint", "component": "bigint", "is_lone": "boolean"}


def absorbed(episodes: list[tuple[str, Row]], rate: float = RATE) -> dict[tuple[int, int], Any]:
    """The links that absorption adds, as episodes by number; each episode is a session, its group is named."""
    names = sorted({group for group, _ in episodes})
    rows = [
        {**row, "episode": n, "session": n, "component": names.index(group), "is_lone": row["source_entity"] is None}
        for n, (group, row) in enumerate(episodes, 1)
    ]
    sessions = [
        {**row, "host": row["target_entity"], "strength": row["surprise"], "band": 0, "site_rate": rate}
        for row in rows if row["is_lone"]
    ]  # fmt: skip
    with Engine() as engine:
        links = absorb_sessions(engine, episode_table(rows, GROUPED), table_of(SESSIONS, sessions), RankingParameters())
    assert links.column_names == ["core", *LINKS.names]
    found = links.to_pylist()
    assert all(names[row["core"]] != "core" for row in found)
    return {(row["src"], row["dst"]): row for row in found}


def test_the_strength_of_a_group_counts_repeats_less() -> None:
    rows = [
        {**told(f"{m} fs1/it {name}", surprise=s), "episode": n, "session": n, "component": 7, "is_lone": True}
        for n, (m, name, s) in enumerate([(0, "x", 4.0), (60, "x", 5.0), (90, "y", 3.0), (95, "x", 4.0)])
    ]
    with Engine() as engine:
        (group,) = group_strengths(engine, episode_table(rows, GROUPED), RankingParameters()).to_pylist()
    # x: 5 + 4 * .3 / 2 + 4 * .3 / 3, y: 3
    assert group["strength"] == pytest.approx(5 + 0.6 + 0.4 + 3)
    assert (group["t0"], group["t1"]) == tuple(int(at(m).timestamp() * 1e6) for m in (0, 95))


def test_what_begins_inside_joins_its_nearest() -> None:
    links = absorbed([*core(0, 100), ("lesser", told("30 db1/it odd", surprise=3.0))])
    # 16 nats from 0 to 100; 30 minutes after the first, 70 before the second: .2 / 2 = .1 <= .5
    assert set(links) == {(1, 3)}
    link = links[1, 3]
    assert (link["kind"], link["entity"], link["gap_minutes"]) == ("absorbed", "host:db1", 30.0)
    assert link["weight"] == pytest.approx(0.1 * math.exp(-RATE / 2))


def test_the_nearest_may_come_after() -> None:
    links = absorbed([*core(0, 100), ("lesser", told("80 db1/it odd", surprise=3.0))])
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
        pytest.param(
            core(0, 100),
            told("30 db1/it odd", surprise=3.0, history_hours=23.9),
            RATE,
            id="one of the warm-up, it is not",
        ),
    ],
)
def test_near_misses(group: list[tuple[str, Row]], lesser: Row, rate: float) -> None:
    assert absorbed([*group, ("lesser", lesser)], rate) == {}


def test_each_of_these_misses_is_near() -> None:
    assert absorbed([*core(0, 100, surprise=7.5), ("lesser", told("30 db1/it odd", surprise=3.0))])
    assert absorbed([*core(0, 100), ("lesser", told("100 db1/it odd", surprise=3.0))])
    assert absorbed([*core(0, 100), ("lesser", told("30 db1/it odd", surprise=5.3))])
    assert absorbed([*core(0, 100), ("lesser", told("30 db1/it odd", surprise=3.0))], rate=1.0)
    assert absorbed([*core(0, 300), ("lesser", told("5 db1/it odd", surprise=3.0))], rate=0.4)


def test_within_the_warm_up_it_absorbs_too() -> None:
    young = [(name, {**row, "history_hours": 23.9}) for name, row in core(0, 100)]
    assert absorbed([*young, ("lesser", told("30 db1/it odd", surprise=3.0, history_hours=23.9))])
    assert absorbed([*young, ("lesser", told("30 db1/it odd", surprise=3.0))]) == {}


def test_the_strongest_of_two_takes_it() -> None:
    other = [("other", told(f"{m} ot{m}/it stir {m}", surprise=20.0)) for m in (10, 110)]
    links = absorbed([*core(0, 100), *other, ("lesser", told("30 db1/it odd", surprise=3.0))])
    # The lesser goes to the other group; so does the core's second, at 100, whose 16 nats are more than a third of 40.
    assert set(links) == {(3, 5)}


def test_lone_alerts_alone_absorb() -> None:
    pairs = [("core", told(f"{m} ws{m}/it -> fs1/it rare {m}", surprise=8.0)) for m in (0, 100)]
    assert absorbed([*pairs, ("lesser", told("30 db1/it odd", surprise=3.0))]) == {}


def test_a_group_that_lasts_over_midnight_absorbs_on_both_days() -> None:
    both = [
        *core(23 * 60, 25 * 60),
        ("before", told("1390 db1/it odd", surprise=3.0)),
        ("after", told("1450 db2/it odd", surprise=3.0)),
    ]
    assert set(absorbed(both)) == {(1, 3), (4, 2)}
    assert absorbed([*core(23 * 60, 25 * 60), ("next day", told("1501 db2/it odd", surprise=3.0))]) == {}
