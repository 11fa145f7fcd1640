"""Subgraphs under a size cap, and their names: worked examples, properties on random graphs, both engines."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import networkx as nx
import pytest
from incident import Row, connected_frame, episode_frame, grouped_frame, link_frame, story, told
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.columns import episode_id
from alertgraph_spark.components import (
    check_invariant,
    divide_links,
    find_subgraphs,
    session_links,
    unite_strongest_first,
)
from alertgraph_spark.errors import GraphEngineError, GraphInvariantError
from alertgraph_spark.graph import AlertGraph, graphframes_available
from alertgraph_spark.schemas import CUTS

ENGINES = ["driver", pytest.param("graphframes", marks=pytest.mark.graphframes)]
WeightedLink = tuple[int, int, float]


def need(engine: str, spark: SparkSession) -> None:
    if engine == "graphframes" and not graphframes_available(spark):
        pytest.skip("GraphFrames' classes are not on the class path: name the jars in ALERTGRAPH_GRAPHFRAMES_JARS")


def sure(links: Iterable[WeightedLink]) -> list[tuple[int, int, float, float]]:
    """Links of which none is left to chance."""
    return [(*link, 0.0) for link in links]


# --- the size cap ---------------------------------------------------------------------------------------------------

# A chain whose middle is weakest:  1 ─.9─ 2 ─.1─ 3 ─.8─ 4
CHAIN: list[WeightedLink] = [(1, 2, 0.9), (2, 3, 0.1), (3, 4, 0.8)]


@pytest.mark.parametrize(
    ("links", "cap", "parts", "refused"),
    [
        pytest.param(CHAIN, 4, {1: 1, 2: 1, 3: 1, 4: 1}, [], id="at the cap nothing is cut"),
        # 2 + 2 > 3: the weakest goes, though 1-2-3 would have fitted
        pytest.param(CHAIN, 3, {1: 1, 2: 1, 3: 3, 4: 3}, [(2, 3)], id="one above the cap"),
        pytest.param(CHAIN, 1, {1: 1, 2: 2, 3: 3, 4: 4}, [(1, 2), (2, 3), (3, 4)], id="a cap of one cuts all"),
        # .9 takes 1-2, .8 takes 3 to them, .7 would make four
        pytest.param(
            [(1, 2, 0.9), (1, 3, 0.8), (1, 4, 0.7)],
            3,
            {1: 1, 2: 1, 3: 1, 4: 4},
            [(1, 4)],
            id="a hub keeps its strongest",
        ),
        # equal weights in order of src, dst: 1-2 first, then 3 is one too many for 2-3 and alone
        pytest.param([(2, 3, 0.5), (1, 2, 0.5)], 2, {1: 1, 2: 1, 3: 3}, [(2, 3)], id="a tie is cut the same each time"),
        # the closing link of a ring joins what is joined already and costs no place
        pytest.param([(1, 2, 0.9), (2, 3, 0.8), (1, 3, 0.1)], 3, {1: 1, 2: 1, 3: 1}, [], id="a ring"),
        # a refused link does not block the weaker one after it
        pytest.param(
            [(1, 2, 0.9), (3, 4, 0.8), (2, 3, 0.7), (4, 5, 0.1)],
            3,
            {1: 1, 2: 1, 3: 3, 4: 3, 5: 3},
            [(2, 3)],
            id="the next weaker still joins",
        ),
        pytest.param([], 3, {}, [], id="no links"),
    ],
)
def test_links_are_united_strongest_first(
    links: list[WeightedLink], cap: int, parts: dict[int, int], refused: list[tuple[int, int]]
) -> None:
    assert unite_strongest_first(sure(links), cap, 1) == (parts, refused)


def random_links(seed: int) -> list[WeightedLink]:
    """Each pair at most once, the earlier first; weights of few values, so that ties are common."""
    chance = random.Random(seed)
    n = chance.randint(2, 40)
    pairs = {tuple(sorted(chance.sample(range(n), 2))) for _ in range(chance.randint(1, 3 * n))}
    return [(src, dst, chance.choice((0.1, 0.5, 0.5, 0.9))) for src, dst in sorted(pairs)]


def test_properties_of_the_cap_on_random_graphs() -> None:
    for seed in range(300):
        links = random_links(seed)
        cap = random.Random(seed).choice((1, 2, 3, 5, 12, 99))
        parts, refused = unite_strongest_first(sure(links), cap, 1)
        shuffled = random.Random(seed + 1).sample(links, len(links))
        assert unite_strongest_first(sure(shuffled), cap, 1) == (parts, refused), (
            f"seed {seed}: the order of links matters"
        )

        kept = nx.Graph([(src, dst) for src, dst, _ in links if (src, dst) not in set(refused)])
        kept.add_nodes_from(parts)
        members = {min(part): part for part in nx.connected_components(kept)}
        assert {v: smallest for smallest, part in members.items() for v in part} == parts, f"seed {seed}"
        assert max(map(len, members.values())) <= cap, f"seed {seed}"
        for src, dst in refused:  # no cut without need: the two parts would not fit together
            assert parts[src] != parts[dst], f"seed {seed}"
            assert len(members[parts[src]]) + len(members[parts[dst]]) > cap, f"seed {seed}"


@pytest.mark.parametrize("engine", ENGINES)
def test_only_what_is_above_the_cap_is_cut_and_every_cut_is_recorded(spark: SparkSession, engine: str) -> None:
    need(engine, spark)
    # The chain twice: 1 to 4 is above a cap of 3; 11 to 13 is not, and keeps its weakest link.
    links = link_frame(spark, [*CHAIN, (11, 12, 0.9), (12, 13, 0.01)]).persist()
    ids = spark.createDataFrame([(i,) for i in (1, 2, 3, 4, 11, 12, 13)], "id bigint")
    components, cuts = find_subgraphs(AlertGraph(ids, links, engine), max_sessions=3, chance_links=1)
    assert components.dtypes == [("id", "bigint"), ("component", "bigint")]
    assert dict(components.collect()) == {1: 1, 2: 1, 3: 3, 4: 3, 11: 11, 12: 11, 13: 11}
    assert [tuple(row) for row in cuts.collect()] == [(2, 3)]


# --- links of chance ------------------------------------------------------------------------------------------------


def as_likely(n: int, chance: float) -> list[tuple[int, int, float, float]]:
    """A chain of n vertices, each link weaker than the one before."""
    return [(v, v + 1, 0.9 - v / 1000, chance) for v in range(1, n)]


@pytest.mark.parametrize(
    ("links", "refused"),
    [
        # .3 times 2 and 3 is at most 1; times 4 it is 1.2
        pytest.param(as_likely(3, 0.3), [], id="three may meet by three in ten"),
        pytest.param(as_likely(4, 0.3), [(3, 4)], id="a fourth may not"),
        # 1-2, 3-4 and 5-6 are surely together; two twos make four, and .25 times 4 is just 1; with the third it is 1.5
        pytest.param(
            [(1, 2, 1.0, 0.0), (3, 4, 1.0, 0.0), (5, 6, 1.0, 0.0), (2, 3, 0.8, 0.25), (4, 5, 0.7, 0.25)],
            [(4, 5)],
            id="both parts count",
        ),
        pytest.param([*as_likely(4, 0.3)[:2], (3, 4, 0.1, 0.0)], [], id="what passed another test joins at any size"),
        pytest.param([(1, 2, 0.9, 0.3), (2, 3, 0.8, 0.3), (1, 3, 0.1, 0.9)], [], id="inside a part no link is refused"),
    ],
)
def test_the_larger_a_part_the_surer_a_link_must_be(
    links: list[tuple[int, int, float, float]], refused: list[tuple[int, int]]
) -> None:
    assert unite_strongest_first(links, 80, 1)[1] == refused


def test_chance_alone_makes_no_giant() -> None:
    # A thousand sessions, each linked to two others by a chance of one in ten, two more than it takes to hang together.
    chance = random.Random(7)
    links = [(v, w, chance.random(), 0.1) for v in range(1000) for w in chance.sample(range(1000), 2) if v != w]
    graph = nx.Graph([link[:2] for link in links])
    assert max(map(len, nx.connected_components(graph))) > 900
    parts, _ = unite_strongest_first(links, 10_000, 1)
    sizes = Counter(parts.values())
    assert max(sizes.values()) == 10  # .1 times 10 is one link


@pytest.mark.parametrize("engine", ENGINES)
def test_a_small_subgraph_keeps_its_doubtful_links_and_a_larger_one_does_not(spark: SparkSession, engine: str) -> None:
    need(engine, spark)
    told = [*as_likely(3, 0.3), *((11 + s, 11 + d, w, p) for s, d, w, p in as_likely(4, 0.3))]
    links = spark.createDataFrame(told, "src bigint, dst bigint, weight double, chance double")
    ids = spark.createDataFrame([(v,) for v in sorted({v for link in told for v in link[:2]})], "id bigint")
    components, cuts = find_subgraphs(AlertGraph(ids, links, engine), max_sessions=80, chance_links=1)
    assert dict(components.collect()) == {1: 1, 2: 1, 3: 1, 12: 12, 13: 12, 14: 12, 15: 15}
    assert [tuple(row) for row in cuts.collect()] == [(14, 15)]


def in_sessions(spark: SparkSession, sessions: dict[int, int]) -> DataFrame:
    return spark.createDataFrame(list(sessions.items()), "episode bigint, session bigint")


def test_a_session_counts_once_and_its_strongest_link_holds_it(spark: SparkSession) -> None:
    # 1 and 2 are one session, so are 3 and 4; 2-3 and 1-4 join the same two, 3-4 lies inside one.
    links = link_frame(spark, [(2, 3, 0.2), (1, 4, 0.7), (3, 4, 0.9), (4, 5, 0.5)])
    pairs = session_links(links, in_sessions(spark, {1: 1, 2: 1, 3: 3, 4: 3, 5: 5}))
    assert sorted(tuple(row) for row in pairs.collect()) == [(1, 3, 0.7, 0.0), (3, 5, 0.5, 0.0)]


def test_of_several_links_between_two_sessions_the_least_likely_by_chance_speaks(spark: SparkSession) -> None:
    links = link_frame(spark, [(2, 3, 0.2), (1, 4, 0.7)]).withColumn(
        "chance", F.when(F.col("src") == 1, 0.3).otherwise(0.1)
    )
    pairs = session_links(links, in_sessions(spark, {1: 1, 2: 1, 3: 3, 4: 3}))
    assert [tuple(row) for row in pairs.collect()] == [(1, 3, 0.7, 0.1)]


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


def test_below_the_cap_nothing_is_cut_and_the_table_keeps_its_shape(spark: SparkSession) -> None:
    ids = spark.createDataFrame([(i,) for i in (1, 2, 3, 4)], "id bigint")
    components, cuts = find_subgraphs(
        AlertGraph(ids, link_frame(spark, CHAIN), "driver"), max_sessions=4, chance_links=1
    )
    assert dict(components.collect()) == {1: 1, 2: 1, 3: 1, 4: 1}
    assert cuts.columns == ["src", "dst"]
    assert cuts.count() == 0


class AnswersWithoutEngine(AlertGraph):
    """Components as an engine without a limit of its own would give them."""

    def connected_components(self) -> DataFrame:
        return self.vertices.select("id", F.lit(1).cast("bigint").alias("component"))


def test_more_links_than_the_driver_may_hold_are_not_brought_to_it(spark: SparkSession) -> None:
    ids = spark.createDataFrame([(i,) for i in (1, 2, 3, 4)], "id bigint")
    links = link_frame(spark, CHAIN)  # three links in one component of four
    just_enough = AnswersWithoutEngine(ids, links, "driver", driver_max_links=3)
    assert find_subgraphs(just_enough, max_sessions=3, chance_links=1)[1].count() == 1
    with pytest.raises(GraphEngineError, match=r"more than 2 links.*driver_max_links"):
        find_subgraphs(AnswersWithoutEngine(ids, links, "driver", driver_max_links=2), max_sessions=3, chance_links=1)


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
