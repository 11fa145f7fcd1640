"""Sessions of a host: where one ends, how strong it is, and how rare."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from typing import Any

import pytest
from arrows import episode_table
from incident import Row, at, story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link import Linked, link_episodes
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.interim_schemas import SESSIONS


def linked_of(rows: list[Row]) -> Linked:
    with Engine() as engine:
        return link_episodes(engine, episode_table(rows), RankingParameters())


def sessions_of(rows: list[Row]) -> dict[int, int]:
    found = linked_of(rows).episodes
    return dict(zip(found["episode"].to_pylist(), found["session"].to_pylist(), strict=True))


def test_a_pause_ends_a_session() -> None:
    rows = story("plant", 1, "0 fs1/it a", "10 fs1/it b", "20.1 fs1/it c", "5 fs2/it a")
    # 10 minutes are no pause, 10.1 are; fs2 is another host.
    assert sessions_of(rows) == {1: 1, 2: 1, 3: 3, 4: 4}


def test_a_long_episode_covers_short_ones() -> None:
    # b ends at 6, but a runs until 60, so c at 65 begins 5 minutes after what was there last.
    rows = story("plant", 1, told("0 fs1/it a", lasts=60), "6 fs1/it b", "65 fs1/it c")
    assert sessions_of(rows) == {1: 1, 2: 1, 3: 1}


def test_a_session_of_the_warm_up_ends_with_it() -> None:
    # What began in it is never shown, and must not hide what comes after; beside it the same a day later, whole.
    early, late = {"history_hours": 23.9}, {"history_hours": 24.0}
    rows = story("plant", 1, told("0 fs1/it a", **early), told("5 fs1/it b", **late), told("9 fs1/it c", **late))
    assert sessions_of(rows) == {1: 1, 2: 2, 3: 2}


def test_what_names_two_ends_is_a_session_of_its_own_and_noise_is_in_none() -> None:
    rows = story("plant", 1, "0 fs1/it a", "1 ws1/it -> fs1/it smb", "2 fs1/it b", told("3 fs1/it c", is_chronic=True))
    assert sessions_of(rows) == {1: 1, 2: 2, 3: 1}


@pytest.mark.parametrize(("strength", "band"), [(0.0, 0), (1.0, 0), (1.11, 0), (1.12, 1), (10.0, 21)])
def test_bands_begin_a_ninth_apart(strength: float, band: int) -> None:
    # ln 1.12 / ln(1/.9) = 1.0756, ln 10 / ln(1/.9) = 21.85
    assert measured(story("plant", 1, told("0 fs1/it x", surprise=strength)))[1]["band"] == band


def measured(rows: list[Row]) -> dict[int, Any]:
    found = linked_of(rows).sessions
    assert found.schema == arrow_schema(SESSIONS)
    return {row["session"]: row for row in found.to_pylist()}


def test_a_session_in_numbers() -> None:
    # Past: at hour 0 a session of 8 nats on fs2, at hour 2 one of 2 nats on fs1. At hour 10 one of 5 + 3 on fs1: the type
    # x came twice, its higher surprise counts.
    rows = story(
        "plant", 1,
        told("0 fs2/it x", surprise=8.0, history_hours=0.0),
        told("120 fs1/it x", surprise=2.0, history_hours=2.0),
        told("600 fs1/it x", surprise=4.0, history_hours=10.0),
        told("602 fs1/it y", surprise=3.0, history_hours=10.0),
        told("605 fs1/it x", surprise=5.0, history_hours=10.0, lasts=4),
    )  # fmt: skip
    session = measured(rows)[3]
    assert (session["host"], session["started_at"], session["ended_at"]) == (
        "host:fs1",
        at(600),
        at(609),
    )
    assert session["strength"] == pytest.approx(8.0)
    # One of ten hours had a session as strong, on another host.
    assert session["site_rate"] == pytest.approx(-math.log(1 - 2 / 12))


def test_only_what_had_ended_in_an_earlier_hour_is_past() -> None:
    rows = story(
        "plant", 1,
        told("0 fs2/it x", lasts=119, history_hours=0.0),  # ends in hour 1
        told("90 fs1/it x", history_hours=1.0),  # while it runs
        told("125 fs3/it x", history_hours=2.0),
    )  # fmt: skip
    found = measured(rows)
    assert found[2]["site_rate"] == pytest.approx(-math.log(1 - 1 / 3))  # h = 0, H = 1
    assert found[3]["site_rate"] == pytest.approx(-math.log(1 - 2 / 4))  # both ended in hour 1: one hour


def test_rates_equal_loops() -> None:
    chance = random.Random(3)
    rows = story(
        "plant", 1,
        *(
            told(
                f"{m} {chance.choice('abcd')}/it {chance.choice(('x', 'y', 'z'))}",
                surprise=chance.choice((1.0, 2.5, 6.0)),
                history_hours=float(m // 60),
                lasts=chance.choice((0, 0, 30, 100)),
            )
            for m in sorted(chance.sample(range(3000), 80))
        ),
    )  # fmt: skip
    found = measured(rows)
    past: dict[int, Any] = defaultdict(lambda: None)
    for number, one in found.items():
        hour = one["started_at"].replace(minute=0, second=0)
        before = [
            o
            for o in found.values()
            if o["ended_at"].replace(minute=0, second=0) < hour and o["band"] >= one["band"] - 1
        ]
        hours = {o["ended_at"].replace(minute=0, second=0) for o in before}
        share = min(0.98, (len(hours) + 1) / (one["history_hours"] + 2))
        assert one["site_rate"] == pytest.approx(-math.log(1 - share)), number
        past[len(hours)] = True
    assert len(past) > 3


def random_rows(seed: int, site: str) -> list[Row]:
    chance = random.Random(seed)
    return story(
        site, 1000 * seed + 1,
        *(
            told(
                f"{chance.randrange(6000)} {chance.choice('abcdefgh')}/it {chance.choice('xyz')}",
                surprise=chance.choice((1.0, 2.5, 6.0, 6.1)),
                lasts=chance.choice((0, 0, 9, 100)),
                history_hours=float(chance.choice((100, 400))),
            )
            for _ in range(80)
        ),
    )  # fmt: skip


def test_neither_the_order_of_rows_nor_other_sites_matter() -> None:
    sites = [random_rows(seed, f"site {seed}") for seed in range(5)]
    rows = [row for site in sites for row in site]
    together = linked_of(rows)
    shuffled = linked_of(random.Random(1).sample(rows, len(rows)))
    assert shuffled.sessions.equals(together.sessions)
    assert shuffled.links.equals(together.links)
    assert together.links.num_rows > 100
    for site in sites:
        alone = linked_of(site)
        for one, of_all in ((alone.sessions, together.sessions), (alone.links, together.links)):
            assert one.to_pylist() == [row for row in of_all.to_pylist() if row["site"] == site[0]["site"]]


def test_episodes_are_handed_on_in_order_of_time_with_all_their_columns() -> None:
    rows = story(
        "plant", 1, "20 fs1/it a @meyer", "0 fs1/it b", "20 ws1/it -> fs1/it c", told("1 fs1/it d", is_chronic=True)
    )
    found = linked_of(list(reversed(rows))).episodes
    assert found["episode"].to_pylist() == [2, 1, 3]
    assert found["is_lone"].to_pylist() == [True, True, False]
    assert found["accounts"].to_pylist() == [[], ["account:meyer"], []]
    assert found.column_names == [*rows_columns(), "is_lone", "session"]


def rows_columns() -> list[str]:
    return episode_table([]).column_names
