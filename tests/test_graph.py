"""The graph on paper: drawn graphs, worked motifs and what is refused; the driver engine answers."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark import graph as graph_module
from alertgraph_spark.driver_engine import _smallest_members, session_conf
from alertgraph_spark.errors import ConfigError, GraphEngineError, GraphInvariantError, SchemaError
from alertgraph_spark.graph import AlertGraph, choose_engine, graphframes_available
from alertgraph_spark.motif_pattern import parse_pattern

# Drawn once, read by most tests:
#
#   1 ─▶ 2 ─▶ 3 ─▶ 1      a ring
#   10 ─▶ 11, 12 ─▶ 11    two sources, one target; 10 ─▶ 11 twice, once as another kind
#   20 ─▶ 20              a self-loop and nothing else
#   30                    isolated
VERTICES = [(1, "it"), (2, "it"), (3, "it"), (10, "it"), (11, "ot"), (12, "it"), (20, "ot"), (30, "it")]
EDGES = [
    (1, 2, "pivot"),
    (2, 3, "pivot"),
    (3, 1, "session"),
    (10, 11, "pivot"),
    (10, 11, "account"),
    (12, 11, "pivot"),
    (20, 20, "session"),
]


@pytest.fixture(scope="module")
def drawn(spark: SparkSession) -> Iterator[AlertGraph]:
    vertices = spark.createDataFrame(VERTICES, "id long, zone string").persist()
    edges = spark.createDataFrame(EDGES, "src long, dst long, kind string").persist()
    yield AlertGraph(vertices, edges, "driver")
    vertices.unpersist()
    edges.unpersist()


def graph_of(
    spark: SparkSession, ids: list[int | None], edges: list[tuple[int | None, int]], cap: int = 99
) -> AlertGraph:
    vertices = spark.createDataFrame([(i,) for i in ids], "id long")
    return AlertGraph(vertices, spark.createDataFrame(edges, "src long, dst long"), "driver", driver_max_links=cap)


def ids_of(matches: DataFrame) -> list[tuple[object, ...]]:
    """Each match in short: a vertex as its id, an edge as (src, dst, kind)."""
    rows = [tuple(value[0] if len(value) == 2 else tuple(value) for value in row) for row in matches.collect()]
    return sorted(rows, key=str)


# --- components -----------------------------------------------------------------------------------------------------


def test_a_component_is_named_by_its_smallest_vertex_whatever_the_direction(drawn: AlertGraph) -> None:
    components = drawn.connected_components()
    assert components.dtypes == [("id", "bigint"), ("component", "bigint")]
    assert dict(components.collect()) == {1: 1, 2: 1, 3: 1, 10: 10, 11: 10, 12: 10, 20: 20, 30: 30}


def test_two_triangles_become_one_by_a_single_bridge(spark: SparkSession) -> None:
    triangles = [(5, 6), (6, 7), (7, 5), (-1, -2), (-2, -3), (-3, -1)]
    vertices: list[int | None] = [5, 6, 7, -1, -2, -3]
    apart: dict[int, int] = dict(graph_of(spark, vertices, [*triangles]).connected_components().collect())
    assert apart == {5: 5, 6: 5, 7: 5, -1: -3, -2: -3, -3: -3}
    joined: dict[int, int] = dict(graph_of(spark, vertices, [*triangles, (7, -1)]).connected_components().collect())
    assert set(joined.values()) == {-3}


def test_ids_at_the_ends_of_long_keep_every_digit(spark: SparkSession) -> None:
    low, high = -(2**63), 2**63 - 1  # a detour over floating point would make high and high - 1 one vertex
    members = graph_of(spark, [low, high, high - 1], [(high, low)]).connected_components().collect()
    assert dict(members) == {low: low, high: low, high - 1: high - 1}


def test_a_graph_without_links_and_one_without_vertices(spark: SparkSession) -> None:
    assert dict(graph_of(spark, [4, 3], []).connected_components().collect()) == {3: 3, 4: 4}
    assert graph_of(spark, [], []).connected_components().collect() == []


def test_components_take_one_spark_job_and_leave_local_rows(spark: SparkSession, drawn: AlertGraph) -> None:
    context = spark.sparkContext
    context.setJobGroup("components", "components of the drawn graph")
    try:
        components = drawn.connected_components()
        assert len(context.statusTracker().getJobIdsForGroup("components")) == 1
        assert components._jdf.queryExecution().optimizedPlan().nodeName() == "LocalRelation"
    finally:
        context._jsc.clearJobGroup()


@pytest.mark.parametrize(
    ("ids", "edges", "fault"),
    [
        ([1, 2, 2], [(1, 2)], "vertex id 2 occurs"),
        ([1, 2], [(1, 3)], "3, which is no vertex"),
        ([1, 2], [(1, 0)], "0, which is no vertex"),
        ([], [(1, 2)], "which is no vertex"),
        ([1, None], [], "null"),
        ([1], [(None, 1)], "null"),
    ],
)
def test_a_broken_graph_is_refused_and_not_repaired(
    spark: SparkSession, ids: list[int | None], edges: list[tuple[int | None, int]], fault: str
) -> None:
    with pytest.raises(GraphInvariantError, match=fault):
        graph_of(spark, ids, edges).connected_components()


def test_more_links_than_the_driver_may_hold_are_refused_with_the_remedy(spark: SparkSession) -> None:
    edges: list[tuple[int | None, int]] = [(1, 2), (2, 3), (3, 3)]
    at_the_cap = graph_of(spark, [1, 2, 3], edges, cap=2)  # the self-loop is no link
    assert set(dict(at_the_cap.connected_components().collect()).values()) == {1}
    for one_too_many in (
        graph_of(spark, [1, 2, 3], [*edges, (1, 3)], cap=2),
        graph_of(spark, list(range(7)), [(1, 2)], cap=2),  # 7 vertices + 1 link > 3 * 2
    ):
        with pytest.raises(GraphEngineError, match=r"2 links.*graph\.engine to graphframes.*graph\.driver_max_links"):
            one_too_many.connected_components()


def test_hooking_equals_networkx_on_a_thousand_small_graphs_and_a_shuffled_path() -> None:
    chance = random.Random(11)
    for _ in range(1000):
        n = chance.randint(1, 12)
        links = [(chance.randrange(n), chance.randrange(n)) for _ in range(chance.randint(0, n))]
        assert_hooks(n, links)
    path = chance.sample(range(5000), 5000)  # the deepest trees: neighbours on the path have unrelated ids
    assert_hooks(5000, list(pairwise(path)))


def assert_hooks(n: int, links: list[tuple[int, int]]) -> None:
    oracle = nx.Graph(links)
    oracle.add_nodes_from(range(n))
    expected = {v: min(component) for component in nx.connected_components(oracle) for v in component}
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    found = _smallest_members(n, ends[:, 0], ends[:, 1])
    assert dict(enumerate(found.tolist())) == expected, links


# --- motifs ---------------------------------------------------------------------------------------------------------


def test_a_chain_follows_the_direction_of_its_links(drawn: AlertGraph) -> None:
    chains = drawn.find("(a)-[e1]->(b); (b)-[e2]->(c)")
    assert chains.columns == ["a", "e1", "b", "e2", "c"]
    assert [field.dataType.simpleString() for field in chains.schema][:2] == [
        "struct<id:bigint,zone:string>",
        "struct<src:bigint,dst:bigint,kind:string>",
    ]
    # The ring gives three, the self-loop follows itself; 10 → 11 ← 12 is the near miss: 11 has no way out.
    assert ids_of(chains.select("a", "b", "c")) == [(1, 2, 3), (2, 3, 1), (20, 20, 20), (3, 1, 2)]


def test_names_need_not_be_distinct_until_a_filter_says_so(drawn: AlertGraph) -> None:
    pairs = drawn.find("(a)-[e1]->(c); (b)-[e2]->(c)").where("e1.kind = 'pivot' and e2.kind = 'pivot'")
    # Of 11's pivot links 10 → 11 and 12 → 11 each meets itself and the other; 2 and 3 have one pivot in-link each.
    assert ids_of(pairs.select("a", "b", "c")) == [
        (1, 1, 2),
        (10, 10, 11),
        (10, 12, 11),
        (12, 10, 11),
        (12, 12, 11),
        (2, 2, 3),
    ]
    assert ids_of(pairs.where("a.id < b.id").select("a", "b", "c")) == [(10, 12, 11)]


def test_parallel_links_give_a_match_each(drawn: AlertGraph) -> None:
    assert ids_of(drawn.find("(a)-[]->(b)").where("a.id = 10")) == [(10, 11), (10, 11)]
    both = drawn.find("(a)-[e1]->(b); (a)-[e2]->(b)").where("e1.kind < e2.kind")
    assert ids_of(both) == [(10, (10, 11, "account"), 11, (10, 11, "pivot"))]


def test_an_anonymous_end_or_link_has_no_column(drawn: AlertGraph) -> None:
    into = drawn.find("()-[e]->(b)").where("e.kind = 'account'")
    assert into.columns == ["e", "b"]
    assert ids_of(into) == [((10, 11, "account"), 11)]
    assert ids_of(drawn.find("(a)-[]->()")) == [(1,), (10,), (10,), (12,), (2,), (20,), (3,)]
    assert ids_of(drawn.find("()-[e]->()").where("e.src = 12")) == [((12, 11, "pivot"),)]


def test_a_self_loop_is_a_term_whose_ends_share_a_name(drawn: AlertGraph) -> None:
    assert ids_of(drawn.find("(a)-[e]->(a)")) == [(20, (20, 20, "session"))]


def test_a_lone_vertex_is_any_vertex_even_an_isolated_one(drawn: AlertGraph) -> None:
    assert {row[0] for row in ids_of(drawn.find("(a)"))} == {v for v, _ in VERTICES}
    assert len(ids_of(drawn.find("(a); (b)-[]->(b)"))) == len(VERTICES)  # nothing in common: every row meets every row
    assert ids_of(drawn.find("(a); (a)-[]->(a)")) == [(20,)]


def test_a_negated_term_takes_away(drawn: AlertGraph) -> None:
    # A dead end: a link into b and none out of it. The ring and the self-loop go on.
    assert ids_of(drawn.find("(a)-[]->(b); !(b)-[]->()")) == [(10, 11), (12, 11)]  # 10's two links are equal rows: one
    # Not answered: 20 → 20 answers itself; had 2 → 1 been there, (1, 2) would be missing.
    one_way = drawn.find("(a)-[e]->(b); !(b)-[]->(a)").where("e.kind <> 'account'")
    assert ids_of(one_way.select("a", "b")) == [(1, 2), (10, 11), (12, 11), (2, 3), (3, 1)]
    # A source that nothing reaches and that reaches something: 30 is the near miss.
    assert ids_of(drawn.find("(a)-[]->(); !()-[]->(a)")) == [(10,), (12,)]
    assert ids_of(drawn.find("(a); !(a)-[]->()")) == [(11,), (30,)]


def test_a_negated_term_may_stand_anywhere_and_the_columns_keep_their_order(drawn: AlertGraph) -> None:
    first = drawn.find("!(b)-[]->(a); (a)-[e]->(b)")
    last = drawn.find("(a)-[e]->(b); !(b)-[]->(a)")
    assert first.columns == ["b", "a", "e"]
    assert ids_of(first.select(*last.columns)) == ids_of(last)


def test_a_vertex_named_in_a_negated_term_alone_may_be_any(drawn: AlertGraph) -> None:
    unreached = drawn.find("(a)-[]->(a); !(a)-[]->(b)")
    assert ids_of(unreached) == [(20, v) for v in (1, 10, 11, 12, 2, 3, 30)]  # all but itself


def test_an_edge_to_no_vertex_matches_only_where_that_end_is_anonymous(spark: SparkSession) -> None:
    graph = graph_of(spark, [1], [(1, 2)])
    assert graph.find("(a)-[]->(b)").count() == 0
    assert graph.find("(a)-[]->()").count() == 1


def test_odd_column_names_pass_through(spark: SparkSession) -> None:
    vertices = spark.createDataFrame([(1, "x"), (2, "y")], "id long, `zone.name` string")
    edges = spark.createDataFrame([(1, 2, 0.5)], "src long, dst long, `a weight` double")
    match = AlertGraph(vertices, edges, "driver").find("(a)-[e]->(b)").first()
    assert match is not None
    assert match.asDict(recursive=True) == {
        "a": {"id": 1, "zone.name": "x"},
        "e": {"src": 1, "dst": 2, "a weight": 0.5},
        "b": {"id": 2, "zone.name": "y"},
    }


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("", r"character 1: expected '\(', found the end"),
        ("(a)-[e]->(b);", r"character 14: expected '\(', found the end"),
        ("(a)-[e]->(b) (c)", r"character 14: expected ';', found '\(c\)'"),
        ("(a)<-[e]-(b)", r"character 4: expected '-', found '<-\[e\]-'"),
        ("(a)-[e]-(b)", r"character 8: expected '->', found '-\(b\)'"),
        ("(a)-[e*2]->(b)", r"character 7: expected '\]', found '\*2\]->\('"),
        ("(a b)", r"character 4: expected '\)', found 'b\)'"),
        ("()", r"character 1: \(\) alone"),
        ("(a); ()-[]->()", r"character 6: \(\)-\[\]->\(\) names nothing"),
        ("(a); !()-[]->()", r"character 7: \(\)-\[\]->\(\) names nothing"),
        ("(a)-[e]->(b); !(b)-[f]->(a)", r"character 16: an edge that must be absent cannot have a name, here 'f'"),
        ("!(a)", r"character 5: expected '-', found the end"),
        ("(a)-[e]->(b); (b)-[e]->(c)", r"character 20: 'e' is already the name of edge 'e'"),
        ("(a)-[a]->(b)", r"character 6: 'a' is already the name of vertex 'a'"),
        ("(a)-[e]->(b); (e)-[]->(b)", r"character 16: 'e' is already the name of edge 'e'"),
        ("(a)-[e]->(A)", r"character 11: 'A' is already the name of vertex 'a'"),
        ("(_a)", r"character 2: expected '\)'"),
    ],
)
def test_a_bad_pattern_is_refused_with_its_position(pattern: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        parse_pattern(pattern)
    assert "allowed are terms (a)-[e]->(b), (a) and !(a)-[]->(b), separated by ';'" in str(refused.value)


def test_blanks_do_not_matter() -> None:
    assert parse_pattern(" ( a ) - [ e ] -> ( b ) ;\n !  (b)-[]->(a) ") == parse_pattern("(a)-[e]->(b);!(b)-[]->(a)")


def test_a_pattern_prints_as_graphframes_wants_it() -> None:
    assert str(parse_pattern("!(b)-[]->(c); (a)-[e]->(b)")) == "(a)-[e]->(b); (c); !(b)-[]->(c)"


# --- the choice of an engine ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_links", "is_installed", "engine", "reason"),
    [
        (1_000_000, True, "driver", "not above the crossover of 1,000,000"),
        (1_000_001, True, "graphframes", "above the crossover of 1,000,000"),
        (1_000_001, False, "driver", "above the crossover of 1,000,000, but GraphFrames is not installed"),
    ],
)
def test_auto_takes_the_driver_up_to_the_crossover(
    *,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    n_links: int,
    is_installed: bool,
    engine: str,
    reason: str,
) -> None:
    pytest.importorskip("graphframes")
    monkeypatch.setattr(graph_module, "graphframes_available", lambda _: is_installed)
    with caplog.at_level(logging.INFO, logger="alertgraph_spark.graph"):
        assert choose_engine("auto", n_links, spark) == engine
    assert caplog.messages == [f"graph engine {engine} for {n_links:,} links: {reason}"]


def test_a_request_is_never_answered_with_the_other_engine(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, drawn: AlertGraph
) -> None:
    monkeypatch.setattr(graph_module, "graphframes_available", lambda _: False)
    assert choose_engine("driver", 10**9, spark) == "driver"
    absent = AlertGraph(drawn.vertices, drawn.edges, "graphframes")
    for ask in (
        lambda: choose_engine("graphframes", 1, spark),
        absent.connected_components,
        lambda: absent.find("(a)-[]->(b)"),
    ):
        with pytest.raises(GraphEngineError, match=r"graph\.jars or ALERTGRAPH_GRAPHFRAMES_JARS"):
            ask()


def test_a_typo_in_the_engine_is_told_what_is_allowed(spark: SparkSession, drawn: AlertGraph) -> None:
    with pytest.raises(ConfigError, match="'graphframe'; allowed are auto, driver, graphframes"):
        choose_engine("graphframe", 1, spark)
    with pytest.raises(ConfigError, match="'auto' is unknown; allowed are driver, graphframes"):
        AlertGraph(drawn.vertices, drawn.edges, "auto")


def test_a_session_without_a_jvm_has_no_graphframes() -> None:
    class ConnectSession:
        pass

    assert not graphframes_available(ConnectSession())  # type: ignore[arg-type]  # stands for Spark Connect's session


def test_the_probe_sees_what_is_not_on_the_class_path(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_module, "_PROBE", "org/graphframes/NoSuchThing.class")
    assert not graphframes_available(spark)


def test_ids_of_another_type_are_refused_at_once(spark: SparkSession, drawn: AlertGraph) -> None:
    strings = spark.createDataFrame([("a", "b")], "src string, to string")
    with pytest.raises(
        SchemaError, match=r"edges\.src: want bigint, have string; edges\.dst: want bigint, have no such column"
    ):
        AlertGraph(drawn.vertices, strings, "driver")


# --- what GraphFrames is called with --------------------------------------------------------------------------------


def components_of_0_8(
    algorithm: str = "graphframes", checkpointInterval: int = 2, broadcastThreshold: int = 1000000
) -> DataFrame:
    """Supported algorithms are "graphframes" and "graphx"."""
    raise NotImplementedError


def components_of_0_12(
    *,
    algorithm: str = "graphframes",
    checkpointInterval: int = 2,
    broadcastThreshold: int = 1000000,
    useLabelsAsComponents: bool = False,
    use_local_checkpoints: bool = False,
    max_iter: int = 2 ^ 31 - 2,
    storage_level: object = None,
) -> DataFrame:
    """Supported algorithms are "two_phase", "graphframes" (deprecated alias for "two_phase") and "graphx"."""
    raise NotImplementedError


def test_an_old_graphframes_is_given_only_what_it_knows() -> None:
    arguments = graph_module._component_arguments(components_of_0_8, is_reliable=True)
    assert arguments == {"algorithm": "graphframes", "checkpointInterval": 2, "broadcastThreshold": 1_000_000}
    with pytest.raises(GraphEngineError, match=r"spark\.checkpoint\.dir"):
        graph_module._component_arguments(components_of_0_8, is_reliable=False)


def test_an_old_graphframes_of_a_platform_gives_the_components(
    spark: SparkSession, drawn: AlertGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on an ML runtime: its own module, whose method refuses each newer keyword; its numbers are never shown."""
    asked: list[dict[str, object]] = []

    class GraphFrame:
        def __init__(self, vertices: DataFrame, edges: DataFrame) -> None:
            self.graph = AlertGraph(vertices, edges, "driver")

        def connectedComponents(
            self, algorithm: str = "graphframes", checkpointInterval: int = 2, broadcastThreshold: int = 1000000
        ) -> DataFrame:
            """Supported algorithms are "graphframes" and "graphx"."""
            asked.append({"algorithm": algorithm, "broadcastThreshold": broadcastThreshold})
            found = self.graph.connected_components()
            return found.withColumn("component", F.col("component") * 7 + 1_000_000)

    monkeypatch.setattr(graph_module, "_graphframe_class", lambda _: GraphFrame)
    by_platform = AlertGraph(drawn.vertices, drawn.edges, "graphframes").connected_components()

    assert sorted(map(tuple, by_platform.collect())) == sorted(map(tuple, drawn.connected_components().collect()))
    assert asked == [{"algorithm": "graphframes", "broadcastThreshold": 1_000_000}]


def test_a_recent_graphframes_is_given_every_argument() -> None:
    arguments = graph_module._component_arguments(components_of_0_12, is_reliable=False)
    assert set(arguments) == set(components_of_0_12.__annotations__) - {"return"}
    assert arguments["algorithm"] == "two_phase"
    assert arguments["broadcastThreshold"] == -1
    assert arguments["use_local_checkpoints"] is True
    assert arguments["max_iter"] == 2147483646  # not 2 ^ 31 - 2, which is 31
    assert graph_module._component_arguments(components_of_0_12, is_reliable=True)["use_local_checkpoints"] is False


def test_session_settings_are_put_back_even_after_a_failure(spark: SparkSession) -> None:
    spark.conf.set("spark.sql.shuffle.partitions", "3")
    try:
        with (
            pytest.raises(ZeroDivisionError),
            session_conf(spark, {"spark.sql.shuffle.partitions": "7", "spark.sql.broadcastTimeout": "11"}),
        ):
            assert (spark.conf.get("spark.sql.shuffle.partitions"), spark.conf.get("spark.sql.broadcastTimeout")) == (
                "7",
                "11",
            )
            _ = 1 / 0
        assert spark.conf.get("spark.sql.shuffle.partitions") == "3"
        assert spark.conf.get("spark.sql.broadcastTimeout", None) is None  # was not set: unset again
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "2")
