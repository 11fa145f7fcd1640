"""Subgraphs under a size cap, and their names: worked examples, properties on random graphs, both engines."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from incident import Row, at, connected_frame, episode_frame, grouped_frame, link_frame, story, told
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.columns import episode_id
from alertgraph_spark.components import (
    check_invariant,
    divide_links,
    find_subgraphs,
    session_links,
    still_apart,
    unite_parts,
)
from alertgraph_spark.errors import GraphInvariantError
from alertgraph_spark.graph import AlertGraph, graphframes_available
from alertgraph_spark.link_limit import LinkLimit
from alertgraph_spark.schemas import CUTS, LINKS

ENGINES = ["driver", pytest.param("graphframes", marks=pytest.mark.graphframes)]


def need(engine: str, spark: SparkSession) -> None:
    if engine == "graphframes" and not graphframes_available(spark):
        pytest.skip("GraphFrames' classes are not on the class path: name the jars in ALERTGRAPH_GRAPHFRAMES_JARS")


# --- the size cap ---------------------------------------------------------------------------------------------------

# A chain whose middle is weakest:  1 ─.9─ 2 ─.1─ 3 ─.8─ 4
CHAIN = [(1, 2, 0.9), (2, 3, 0.1), (3, 4, 0.8)]


def pair_frame(spark: SparkSession, links: list[tuple[int, int, float]], chance: float = 0.0) -> DataFrame:
    """Links between sessions as `session_links` gives them, all of one turn."""
    rows = [(src, dst, 0, weight, chance) for src, dst, weight in links]
    return spark.createDataFrame(rows, "src bigint, dst bigint, turn bigint, weight double, chance double")


@pytest.mark.parametrize("engine", ENGINES)
def test_only_what_is_above_the_cap_is_cut_and_every_cut_is_recorded(spark: SparkSession, engine: str) -> None:
    need(engine, spark)
    # The chain twice: 1 to 4 is above a cap of 3; 11 to 13 is not, and keeps its weakest link.
    links = pair_frame(spark, [*CHAIN, (11, 12, 0.9), (12, 13, 0.01)]).persist()
    ids = spark.createDataFrame([(i,) for i in (1, 2, 3, 4, 11, 12, 13)], "id bigint")
    components, cuts = find_subgraphs(AlertGraph(ids, links, engine), max_sessions=3, chance_links=1)
    assert components.dtypes == [("id", "bigint"), ("component", "bigint")]
    assert dict(components.collect()) == {1: 1, 2: 1, 3: 3, 4: 3, 11: 11, 12: 11, 13: 11}
    assert [tuple(row) for row in cuts.collect()] == [(2, 3)]


# --- links of chance ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_small_subgraph_keeps_its_doubtful_links_and_a_larger_one_does_not(spark: SparkSession, engine: str) -> None:
    need(engine, spark)
    # Three may meet by a chance of three in ten, .3 times 3 is at most 1; for a fourth it is 1.2.
    told = [(v, v + 1, 0.9 - v / 1000) for v in (1, 2, 12, 13, 14)]
    links = pair_frame(spark, told, chance=0.3)
    ids = spark.createDataFrame([(v,) for v in sorted({v for link in told for v in link[:2]})], "id bigint")
    components, cuts = find_subgraphs(AlertGraph(ids, links, engine), max_sessions=80, chance_links=1)
    assert dict(components.collect()) == {1: 1, 2: 1, 3: 1, 12: 12, 13: 12, 14: 12, 15: 15}
    assert [tuple(row) for row in cuts.collect()] == [(14, 15)]


def in_sessions(spark: SparkSession, sessions: dict[int, int], times: dict[int, int] | None = None) -> DataFrame:
    """Episodes with their session, begun so many minutes into the day, at midnight if no times are told."""
    rows = [(episode, session, at((times or {}).get(episode, 0))) for episode, session in sessions.items()]
    return spark.createDataFrame(rows, "episode bigint, session bigint, started_at timestamp")


def turn_at(minute: int) -> int:
    """The turn so many minutes into the day."""
    return int(at(minute).timestamp()) * 1_000_000


MIDNIGHT = turn_at(24 * 60)


def test_a_session_counts_once_and_its_strongest_link_holds_it(spark: SparkSession) -> None:
    # 1 and 2 are one session, so are 3 and 4; 2-3 and 1-4 join the same two, 3-4 lies inside one.
    links = link_frame(spark, [(2, 3, 0.2), (1, 4, 0.7), (3, 4, 0.9), (4, 5, 0.5)])
    pairs = session_links(links, in_sessions(spark, {1: 1, 2: 1, 3: 3, 4: 3, 5: 5}))
    assert sorted(tuple(row) for row in pairs.collect()) == [(1, 3, MIDNIGHT, 0.7, 0.0), (3, 5, MIDNIGHT, 0.5, 0.0)]


def test_of_links_as_strong_the_least_likely_by_chance_speaks(spark: SparkSession) -> None:
    links = link_frame(spark, [(2, 3, 0.7), (1, 4, 0.7)]).withColumn(
        "chance", F.when(F.col("src") == 1, 0.3).otherwise(0.1)
    )
    pairs = session_links(links, in_sessions(spark, {1: 1, 2: 1, 3: 3, 4: 3}))
    assert [tuple(row) for row in pairs.collect()] == [(1, 3, MIDNIGHT, 0.7, 0.1)]


@pytest.mark.parametrize(
    ("times", "turn"),
    [
        pytest.param({1: 0, 2: 1439}, MIDNIGHT, id="within a day a link waits for its end"),
        pytest.param(
            {1: 1439, 2: 1440}, MIDNIGHT, id="from the day before it is taken as it comes: at midnight itself"
        ),
        pytest.param({1: 1439, 2: 1500}, turn_at(25 * 60), id="an hour after midnight"),
        pytest.param({1: 1440, 2: 1500}, turn_at(2 * 24 * 60), id="both after midnight"),
    ],
)
def test_the_turn_of_a_link(spark: SparkSession, times: dict[int, int], turn: int) -> None:
    pairs = session_links(link_frame(spark, [(1, 2, 0.5)]), in_sessions(spark, {1: 1, 2: 2}, times))
    assert [row["turn"] for row in pairs.collect()] == [turn]


def test_a_link_from_an_earlier_day_speaks_before_a_stronger_one_of_the_day(spark: SparkSession) -> None:
    # One session lasts over midnight (1, 2); both of its episodes link to 3, after it.
    links = link_frame(spark, [(1, 3, 0.2), (2, 3, 0.9)])
    pairs = session_links(links, in_sessions(spark, {1: 1, 2: 1, 3: 3}, {1: 1439, 2: 1441, 3: 1450}))
    assert [tuple(row) for row in pairs.collect()] == [(1, 3, turn_at(1450), 0.2, 0.0)]


def test_a_cut_is_the_whole_link_so_that_an_analyst_can_join_again(spark: SparkSession) -> None:
    links = link_frame(spark, [(2, 3, 0.2), (1, 4, 0.7), (4, 5, 0.5)])
    sessions = in_sessions(spark, {1: 1, 2: 1, 3: 3, 4: 3, 5: 5})
    refused = spark.createDataFrame([(1, 3)], "src bigint, dst bigint")
    left, cuts = divide_links(links, sessions, refused)
    assert [(row["src"], row["dst"]) for row in left.collect()] == [(4, 5)]
    assert sorted(tuple(row) for row in cuts.collect()) == [
        ("plant", 1, 4, "pivot", "host:fs1", 1.0, 0.7, 0.0),
        ("plant", 2, 3, "pivot", "host:fs1", 1.0, 0.2, 0.0),
    ]
    assert cuts.columns == CUTS.names


# A part of two sessions, one of three and one of one.
PARTS = {1: [1, 2], 3: [3, 4, 5], 6: [6]}


def parts_frame(spark: SparkSession) -> DataFrame:
    """Sessions of one episode each, with the part that they are in; a session and its episode have one number."""
    part_of = {session: part for part, sessions in PARTS.items() for session in sessions}
    rows = story("plant", 1, *(f"{n} h{n}/it x" for n in range(len(part_of))))
    known = [{**row, "session": row["episode"], "component": part_of[row["episode"]]} for row in rows]
    return episode_frame(spark, known, "session bigint, component bigint")


def test_whole_parts_move_and_the_strongest_link_first(spark: SparkSession) -> None:
    episodes = parts_frame(spark)
    # 3 + 1 fit under the cap of 4 and come first; then 2 + 4 do not. What links inside a part changes nothing.
    united = unite_parts(episodes, link_frame(spark, [(2, 3, 0.1), (5, 6, 0.2), (3, 4, 0.9)]), 4, LinkLimit(2))
    assert {row["session"]: row["component"] for row in united.collect()} == {1: 1, 2: 1, 3: 3, 4: 3, 5: 3, 6: 3}
    assert united.columns == episodes.columns


def test_of_more_links_between_parts_than_the_driver_may_hold_the_weakest_is_left_out(spark: SparkSession) -> None:
    limit = LinkLimit(1)
    united = unite_parts(parts_frame(spark), link_frame(spark, [(2, 3, 0.1), (5, 6, 0.2)]), 80, limit)
    assert {row["session"]: row["component"] for row in united.collect()} == {1: 1, 2: 1, 3: 3, 4: 3, 5: 3, 6: 3}
    assert limit.n_left_out == 1


def test_without_links_every_part_stays_as_it_is(spark: SparkSession) -> None:
    united = unite_parts(parts_frame(spark), link_frame(spark, [(3, 4, 0.9)]), 80, LinkLimit(2))
    assert {row["session"]: row["component"] for row in united.collect()} == {1: 1, 2: 1, 3: 3, 4: 3, 5: 3, 6: 6}


def test_a_link_whose_ends_have_met_is_no_cut(spark: SparkSession) -> None:
    pairs = spark.createDataFrame([(4, 5), (2, 3), (2, 3)], "src bigint, dst bigint")
    assert [tuple(row) for row in still_apart(parts_frame(spark), pairs).collect()] == [(2, 3)]


def test_below_the_cap_nothing_is_cut_and_the_table_keeps_its_shape(spark: SparkSession) -> None:
    ids = spark.createDataFrame([(i,) for i in (1, 2, 3, 4)], "id bigint")
    components, cuts = find_subgraphs(
        AlertGraph(ids, pair_frame(spark, CHAIN), "driver"), max_sessions=4, chance_links=1
    )
    assert dict(components.collect()) == {1: 1, 2: 1, 3: 1, 4: 1}
    assert cuts.columns == ["src", "dst"]
    assert cuts.count() == 0


class AnswersWithoutEngine(AlertGraph):
    """Components as an engine without a limit of its own would give them."""

    def connected_components(self) -> DataFrame:
        return self.vertices.select("id", F.lit(1).cast("bigint").alias("component"))


def test_of_more_links_than_the_driver_may_hold_the_weakest_are_left_out(spark: SparkSession) -> None:
    ids = spark.createDataFrame([(i,) for i in (1, 2, 3, 4)], "id bigint")
    links = pair_frame(spark, CHAIN)  # three links in one component of four
    just_enough = AnswersWithoutEngine(ids, links, "driver", driver_max_links=3)
    assert find_subgraphs(just_enough, max_sessions=3, chance_links=1)[1].count() == 1
    # Of three the weakest is left out, and its ends are apart, as if it had been refused.
    limit = LinkLimit(2)
    components, cuts = find_subgraphs(just_enough, max_sessions=3, chance_links=1, limit=limit)
    assert dict(components.collect()) == {1: 1, 2: 1, 3: 3, 4: 3}
    assert limit.n_left_out == 1
    assert (2, 3) in {tuple(row) for row in cuts.collect()}  # others among them have met: `still_apart` knows
    # Where none can be held every session is by itself.
    components, _ = find_subgraphs(just_enough, max_sessions=3, chance_links=1, limit=LinkLimit(0))
    assert dict(components.collect()) == {1: 1, 2: 2, 3: 3, 4: 4}


def test_a_large_component_loses_links_before_a_small_one(spark: SparkSession) -> None:
    # A star of nine, and the chain: of seven links that may be held each has four, and the chain needs but three.
    star = [(11, 11 + i, 0.5 + i / 100) for i in range(1, 9)]
    links = pair_frame(spark, [*CHAIN, *star])
    ids = spark.createDataFrame([(i,) for i in (1, 2, 3, 4, *range(11, 20))], "id bigint")
    limit = LinkLimit(7)
    components, _ = find_subgraphs(AlertGraph(ids, links, "driver"), max_sessions=3, chance_links=1, limit=limit)
    found = dict(components.collect())
    assert {v: found[v] for v in (1, 2, 3, 4)} == {1: 1, 2: 1, 3: 3, 4: 3}
    assert [v for v in range(11, 20) if found[v] == 11] == [11, 18, 19]  # three at the most, by the strongest links
    assert limit.n_left_out == 4


def test_a_flooded_site_loses_links_before_others_and_of_its_own_the_most_prolific(spark: SparkSession) -> None:
    def row(site: str, dst: int, entity: str, weight: float) -> tuple[object, ...]:
        return (site, 1, dst, "pivot", f"host:{entity}", 1.0, weight, 0.0)

    flooded = [row("flooded", n, "hub", 0.9) for n in range(100, 200)]
    own = [row("flooded", n, f"fs{n}", 0.2) for n in range(5)]
    beside = [row("beside", n, "hub", 0.1) for n in range(6)]
    links = spark.createDataFrame([*flooded, *own, *beside], LINKS.ddl)
    limit = LinkLimit(20)
    kept = limit.by_site(links)
    assert kept.columns == LINKS.names
    left = [(r["site"], r["entity"], r["dst"]) for r in kept.collect()]
    assert sorted(dst for site, _, dst in left if site == "beside") == list(range(6))
    # Fourteen are left for the other: each entity its first, then the hub those of the lowest numbers, all being as strong.
    assert sorted(dst for site, entity, dst in left if site == "flooded" and entity != "host:hub") == list(range(5))
    assert sorted(dst for site, entity, dst in left if site == "flooded" and entity == "host:hub") == list(
        range(100, 109)
    )
    assert limit.n_left_out == len(flooded) + len(own) + len(beside) - 20

    all_of_them = LinkLimit(111)
    assert (all_of_them.by_site(links).count(), all_of_them.n_left_out) == (111, 0)


# --- names ----------------------------------------------------------------------------------------------------------


def grouped_by(
    spark: SparkSession, rows: list[Row], components: dict[int, int], absorbed: Iterable[int] = ()
) -> DataFrame:
    frame = spark.createDataFrame(list(components.items()), "id bigint, component bigint")
    return connected_frame(episode_frame(spark, rows), frame, absorbed)


def named(spark: SparkSession, rows: list[Row], components: dict[int, int]) -> dict[int, tuple[str, bool]]:
    grouped = grouped_by(spark, rows, components)
    assert set(grouped.columns) - set(episode_frame(spark, rows).columns) == {"subgraph_id", "is_linked", "role"}
    return {row["episode"]: (row["subgraph_id"], row["is_linked"]) for row in grouped.collect()}


def test_each_member_says_what_it_is_to_its_subgraph(spark: SparkSession) -> None:
    nearly_noise = {"fleet_share": 0.16}
    rows = story(
        "plant", 1,
        "0 a/it x", "5 b/it x", told("6 b/it y", **nearly_noise), told("7 c/it y", fleet_share=0.15),
        told("8 d/it y", **nearly_noise, history_hours=23.9), "9 alone/it x",
    )  # fmt: skip
    grouped = grouped_by(spark, rows, dict.fromkeys(range(1, 6), 1), absorbed=[2])
    assert {row["episode"]: row["role"] for row in grouped.collect()} == {
        1: "core",
        2: "absorbed",
        3: "context",  # seen in more than 15 % of the hours
        4: "core",
        5: "core",  # 16 % of less than a day says nothing
        6: "single",
    }


def test_a_subgraph_is_named_after_its_earliest_episode_and_keeps_the_name_when_it_grows(spark: SparkSession) -> None:
    rows = story("plant", 1, "20 b/it x", "10 a/it x", "30 c/it x", "5 d/it x", told("0 e/it x", is_chronic=True))
    # Episode 2 is the earliest of 1, 2, 3 though neither its number nor the component says so; 4 is alone; 5 is noise.
    before = named(spark, rows, {1: 1, 2: 1})
    assert before == {
        1: ("sg-0000000000000002", True),
        2: ("sg-0000000000000002", True),
        3: ("sg-0000000000000003", False),
        4: ("sg-0000000000000004", False),
    }
    # 3 joins, and the engine happens to name the component otherwise.
    after = named(spark, rows, {1: -7, 2: -7, 3: -7})
    assert after == {**before, 3: ("sg-0000000000000002", True)}


def test_two_that_begin_together_are_told_apart_by_number(spark: SparkSession) -> None:
    rows = story("plant", 7, "10 b/it x", "10 a/it x")
    assert set(named(spark, rows, {7: 8, 8: 8}).values()) == {("sg-0000000000000007", True)}


def test_an_episode_id_keeps_every_digit(spark: SparkSession) -> None:
    numbers = spark.createDataFrame([(2**63 - 1,), (-1,), (255,)], "n bigint")
    # two's complement, as Java's Long.toHexString
    assert [row[0] for row in numbers.select(episode_id(numbers["n"])).collect()] == [
        "7fffffffffffffff",
        "ffffffffffffffff",
        "00000000000000ff",
    ]


# --- the invariant --------------------------------------------------------------------------------------------------


def test_a_grouping_that_tears_a_link_apart_is_refused(spark: SparkSession) -> None:
    rows = story("plant", 1, *(f"{n} h{n}/it x" for n in range(4)))
    links = link_frame(spark, CHAIN)
    torn = grouped_frame(spark, [{**row, "subgraph_id": "sg-a" if row["episode"] < 3 else "sg-b"} for row in rows])
    sound = links.filter("src <> 2")  # 2 → 3 was cut: its ends may lie apart
    check_invariant(sound, torn)
    with pytest.raises(GraphInvariantError, match=r"1 links join two subgraphs, e\.g\. \(2, 3\)"):
        check_invariant(links, torn)
    with pytest.raises(GraphInvariantError, match=r"1 links join two subgraphs, e\.g\. \(3, 4\)"):
        check_invariant(sound, torn.filter("episode < 4"))  # an end that was lost
    check_invariant(sound, torn.filter("episode < 3"))  # a whole subgraph left out takes both ends along
