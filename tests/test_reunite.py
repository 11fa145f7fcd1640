"""Parts that chance could have linked, and are one all the same: by hand, beside a loop written a second time."""

from __future__ import annotations

import random

import pytest
from incident import episode_frame, story
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.columns import HOUR
from alertgraph_spark.reunite import rareness, reunite_strong, still_apart, unite_parts

Group = tuple[str, int, int, int, float]


def strength_frame(spark: SparkSession, groups: list[Group]) -> DataFrame:
    """Groups from `(site, component, first hour, last hour, strength)`."""
    rows = [(site, name, begin * HOUR, end * HOUR, nats) for site, name, begin, end, nats in groups]
    return spark.createDataFrame(rows, "site string, component bigint, begin bigint, end bigint, strength double")


def rareness_of(spark: SparkSession, groups: list[Group]) -> dict[int, float]:
    return dict(rareness(strength_frame(spark, groups)).collect())


def parts_frame(spark: SparkSession, parts: dict[int, list[int]]) -> DataFrame:
    """Sessions of one episode each, by the part that they are in; a session and its episode have one number."""
    part_of = {session: part for part, sessions in parts.items() for session in sessions}
    rows = story("plant", 1, *(f"{n} h{n}/it x" for n in range(max(part_of))))
    known = [{**row, "session": row["episode"], "component": part_of[row["episode"]]} for row in rows]
    return episode_frame(spark, known, "session bigint, component bigint")


def link_rows(spark: SparkSession, *links: tuple[int, int, float]) -> DataFrame:
    """Links of sessions from `(src, dst, chance)`."""
    rows = [(src, dst, 1 - chance, chance) for src, dst, chance in links]
    return spark.createDataFrame(rows, "src bigint, dst bigint, weight double, chance double")


def parts_of(episodes: DataFrame) -> dict[int, int]:
    return {row["session"]: row["component"] for row in episodes.collect()}


# --- how rare a group is --------------------------------------------------------------------------------------------


def test_a_group_is_as_rare_as_the_past_says(spark: SparkSession) -> None:
    past = [("plant", n, n, n + 1, nats) for n, nats in enumerate([2.0, 2.0, 10.0, 30.0], 1)]
    found = rareness_of(
        spark,
        [
            *past,
            ("plant", 11, 9, 10, 10.0),  # two of four were as strong: (2 + 1) / (4 + 1)
            ("plant", 12, 9, 10, 9.8),  # a little weaker is as strong: one band, a ninth wide
            ("plant", 13, 9, 10, 12.0),  # one of four was
            ("plant", 14, 9, 10, 40.0),  # none was
            ("plant", 15, 9, 10, 1.0),  # all were
            ("mill", 16, 9, 10, 10.0),  # another site has another past: (0 + 1) / (0 + 1)
        ],
    )
    assert {n: share for n, share in found.items() if n > 10} == pytest.approx(
        {11: 3 / 5, 12: 3 / 5, 13: 2 / 5, 14: 1 / 5, 15: 1.0, 16: 1.0}
    )


@pytest.mark.parametrize(
    ("ended", "share"),
    [
        pytest.param(4, 1 / 2, id="ended before"),
        pytest.param(5, 1.0, id="ended as it began"),
        pytest.param(9, 1.0, id="was still going on"),
    ],
)
def test_only_what_had_ended_is_past(spark: SparkSession, ended: int, share: float) -> None:
    assert rareness_of(spark, [("plant", 1, 1, ended, 3.0), ("plant", 2, 5, 6, 30.0)])[2] == share


def test_rareness_by_a_loop(spark: SparkSession) -> None:
    chance = random.Random(5)
    groups: list[Group] = []
    for n in range(120):
        begin = chance.randint(1, 60)
        length = chance.choice((0, 1, 8))
        # powers of the band's width, a little above, so that no two sums of rounding differ
        groups.append(
            (chance.choice(("plant", "mill")), n, begin, begin + length, 1.001 * 0.9 ** -chance.randint(1, 30))
        )
    expected = {}
    for site, name, begin, _, nats in groups:
        past = [g for g in groups if g[0] == site and g[3] < begin]
        expected[name] = (1 + sum(g[4] >= nats * 0.999 for g in past)) / (1 + len(past))
    assert rareness_of(spark, groups) == pytest.approx(expected)


# --- which parts are one --------------------------------------------------------------------------------------------

# A part of two and a part of three, and a doubtful link between them.
TWO_AND_THREE = {1: [1, 2], 3: [3, 4, 5]}


def reunited(spark: SparkSession, chance: float, nats: tuple[float, float], cap: int = 80) -> dict[int, int]:
    """What becomes of both parts where nine groups of 10 nats went before them, and half a link by chance is allowed."""
    past: list[Group] = [("plant", 100 + n, n, n + 1, 10.0) for n in range(9)]
    strengths = strength_frame(spark, [*past, ("plant", 1, 20, 21, nats[0]), ("plant", 3, 22, 23, nats[1])])
    episodes = parts_frame(spark, TWO_AND_THREE)
    return parts_of(reunite_strong(episodes, strengths, link_rows(spark, (2, 3, chance)), cap, 0.5))


WHOLE, APART = dict.fromkeys(range(1, 6), 1), {1: 1, 2: 1, 3: 3, 4: 3, 5: 3}


@pytest.mark.parametrize(
    ("chance", "nats", "cap", "parts"),
    [
        # 1 of 10 and 1 of 11 (the first has ended, and is weaker than the second): .3 * .1 * 5 = .15
        pytest.param(0.3, (40.0, 50.0), 80, WHOLE, id="two of a strength that is a rarity"),
        # all ten that went before are as strong: .3 * 1 * 5 = 1.5
        pytest.param(0.3, (40.0, 10.0), 80, APART, id="the weaker is nothing new"),
        pytest.param(0.3, (10.0, 50.0), 80, APART, id="nor may it be the earlier"),
        pytest.param(0.1, (10.0, 10.0), 80, WHOLE, id="a link so sure asks for no strength"),
        pytest.param(0.11, (10.0, 10.0), 80, APART, id="one a little less sure does"),
        pytest.param(0.3, (40.0, 50.0), 5, WHOLE, id="up to the cap"),
        pytest.param(0.3, (40.0, 50.0), 4, APART, id="not above it"),
    ],
)
def test_strong_parts_are_one_over_a_doubtful_link(
    spark: SparkSession, chance: float, nats: tuple[float, float], cap: int, parts: dict[int, int]
) -> None:
    assert reunited(spark, chance, nats, cap) == parts


def test_parts_without_a_link_stay_apart_however_strong(spark: SparkSession) -> None:
    strengths = strength_frame(spark, [("plant", 1, 20, 21, 40.0), ("plant", 3, 22, 23, 50.0)])
    none = link_rows(spark, (2, 3, 0.1)).limit(0)
    assert parts_of(reunite_strong(parts_frame(spark, TWO_AND_THREE), strengths, none, 80, 0.5)) == APART


def test_whole_parts_move_and_the_surest_link_first(spark: SparkSession) -> None:
    episodes = parts_frame(spark, {1: [1, 2], 3: [3, 4, 5], 6: [6]})
    # 3 + 1 fit under the cap of 4 and are sure; then 2 + 4 do not. What links inside a part changes nothing.
    links = link_rows(spark, (2, 3, 0.02), (5, 6, 0.01), (3, 4, 0.0))
    united = unite_parts(episodes, links, 4, 1)
    assert parts_of(united) == {1: 1, 2: 1, 3: 3, 4: 3, 5: 3, 6: 3}
    assert united.columns == episodes.columns


def test_a_link_whose_ends_have_met_is_no_cut(spark: SparkSession) -> None:
    pairs = spark.createDataFrame([(1, 2), (2, 3), (2, 3)], "src bigint, dst bigint")
    apart = still_apart(parts_frame(spark, TWO_AND_THREE), pairs)
    assert [tuple(row) for row in apart.collect()] == [(2, 3)]
