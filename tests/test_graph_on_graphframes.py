"""The graph on Spark: GraphFrames gives what the engine in this process gives; what it is called with, and what is left.

Those marked `graphframes` need its real classes.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from random_graphs import GRAPHS, LITTLE, MATCHES, Loops, edge_table, expected, tables, vertex_table
from test_match_motifs import told_graph

from alertgraph_spark.errors import ConfigError, GraphEngineError, GraphInvariantError, SchemaError
from alertgraph_spark.graph import choice, in_process, on_graphframes
from alertgraph_spark.graph.choice import choose_engine
from alertgraph_spark.match import match_motifs
from alertgraph_spark.match.records import FACTS, LINK_FACTS, MOTIFS, Motif
from alertgraph_spark.tables.embedded import Engine


@pytest.fixture
def classes(spark: SparkSession) -> SparkSession:
    if not on_graphframes.graphframes_available(spark):
        pytest.skip("GraphFrames' classes are not on the class path: name the jars in ALERTGRAPH_GRAPHFRAMES_JARS")
    return spark


def ends(
    spark: SparkSession, ids: list[int | None], edges: list[tuple[int, int | None]]
) -> tuple[DataFrame, DataFrame]:
    return spark.createDataFrame([(i,) for i in ids], "id long"), spark.createDataFrame(edges, "src long, dst long")


# --- one answer -----------------------------------------------------------------------------------------------------


@pytest.mark.graphframes
def test_components_equal_networkx_and_those_of_this_process(classes: SparkSession) -> None:
    vertices, edges = tables(GRAPHS)
    found = on_graphframes.find_components(classes, vertices, edges)
    assert found == in_process.find_components(vertices, edges)
    of = dict(zip(found["id"].to_pylist(), found["component"].to_pylist(), strict=True))
    for small in GRAPHS:
        assert {v: of[v] for v, _ in small.vertices} == small.components, f"seed {small.seed}: {small.edges}"


@pytest.mark.graphframes
@pytest.mark.parametrize(("pattern", "where", "loops"), MATCHES, ids=[loops.__name__ for *_, loops in MATCHES])
def test_matches_equal_enumeration(classes: SparkSession, pattern: str, where: str, loops: Loops) -> None:
    found = on_graphframes.find_matches(classes, pattern, where, *tables(LITTLE))
    assert Counter(zip(*found.to_pydict().values(), strict=True)) == expected(loops)
    assert set(found.schema.types) == {pa.int64()}


@pytest.mark.graphframes
def test_every_motif_is_found_where_this_process_finds_it(classes: SparkSession) -> None:
    """In the stories of the catalogue, through the real stages."""
    graph = told_graph()
    with Engine() as engine:
        found = match_motifs(
            engine, graph.episodes, graph.links, find_matches=partial(on_graphframes.find_matches, classes)
        )
    assert found == graph.hits()
    assert found.num_rows > 20


@pytest.mark.graphframes
def test_no_vertices_and_no_edges_give_no_rows(classes: SparkSession) -> None:
    nothing = vertex_table([]), edge_table([])
    assert on_graphframes.find_components(classes, *nothing).num_rows == 0
    found = on_graphframes.find_matches(classes, "(a)-[e]->(b)", "array_contains(a.tags, 'it')", *nothing)
    assert (found.column_names, found.num_rows) == (["a", "b"], 0)


@pytest.mark.parametrize("motif", MOTIFS, ids=lambda m: m.id)
def test_spark_reads_every_condition_of_the_catalogue(spark: SparkSession, motif: Motif) -> None:
    """Without GraphFrames: over a match as it gives one, a struct for each name. DuckDB reads them in `test_match_motifs`."""
    types = {"tactics": "array<string>", "victims": "array<string>", "t0": "bigint", "gap_minutes": "double"}
    vertex = ", ".join(f"{fact}: {types.get(fact, 'string')}" for fact in ("id", *FACTS))
    edge = ", ".join(f"{fact}: {types.get(fact, 'string')}" for fact in LINK_FACTS)
    way = on_graphframes.read_pattern(motif.pattern)
    columns = [f"{name} struct<{vertex}>" for name in way.vertices] + [f"{name} struct<{edge}>" for name in way.edges]
    nothing = spark.createDataFrame([], ", ".join(columns))
    assert nothing.where(motif.where).columns == [*way.vertices, *way.edges]  # analysed at once


# --- what is left, and what is refused --------------------------------------------------------------------------------


@pytest.mark.graphframes
def test_the_session_is_left_as_it_was(classes: SparkSession) -> None:
    context: Any = classes.sparkContext
    folder = context.getCheckpointDir().rpartition("/")[0]
    base = context._jvm.org.apache.hadoop.fs.Path(folder)
    disk = base.getFileSystem(context._jsc.hadoopConfiguration())
    keys = ("spark.sql.shuffle.partitions", "spark.sql.adaptive.enabled", "spark.sql.maxPlanStringLength")
    before = [classes.conf.get(key) for key in keys]
    cache = classes._jsparkSession.sharedState().cacheManager()
    n_cached = cache.cachedData().size()

    graph = ends(classes, list(range(6)), [(4, 1), (1, 4), (1, 2), (5, 5)])
    components = on_graphframes.connected_components(*graph)

    assert [classes.conf.get(key) for key in keys] == before
    assert cache.cachedData().size() == n_cached
    assert context.getCheckpointDir().startswith(folder)
    written = [file.getPath().toString() for file in disk.listStatus(base)]
    assert not [path for path in written if "alertgraph-" in path]
    assert disk.getContentSummary(base).getFileCount() == 0
    # The rows outlive the files and the cached frames that they were made from.
    assert dict(components.collect()) == {0: 0, 1: 1, 2: 1, 3: 3, 4: 1, 5: 5}


@pytest.mark.graphframes
def test_it_runs_without_a_checkpoint_folder(classes: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(classes.sparkContext), "getCheckpointDir", lambda _: None)
    components = on_graphframes.connected_components(*ends(classes, [3, 2, 9], [(3, 2)]))
    assert dict(components.collect()) == {2: 2, 3: 2, 9: 9}


@pytest.mark.graphframes
@pytest.mark.parametrize(
    ("ids", "edges", "fault"),
    [
        ([1, 1], [], "id 1 is null or"),
        ([1, None], [], "id None is"),
        ([1], [(1, 2)], "id 2 ends"),
        ([1], [(1, None)], "None ends"),
    ],
)
def test_a_broken_graph_is_refused_too(
    classes: SparkSession, ids: list[int | None], edges: list[tuple[int, int | None]], fault: str
) -> None:
    with pytest.raises(GraphInvariantError, match=fault):
        on_graphframes.connected_components(*ends(classes, ids, edges))


def test_ids_of_another_type_are_refused_at_once(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_graphframes, "_graphframe_class", lambda _: None)
    vertices = spark.createDataFrame([(1,)], "id long")
    strings = spark.createDataFrame([("a", "b")], "src string, to string")
    shape = r"edges\.src: want bigint, have string; edges\.dst: want bigint, have no such column"
    with pytest.raises(SchemaError, match=shape):
        on_graphframes.connected_components(vertices, strings)
    with pytest.raises(SchemaError, match=shape):
        on_graphframes.matches("(a)-[e]->(b)", "true", vertices, strings)


# --- the choice of an engine ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_links", "is_installed", "engine", "reason"),
    [
        (1_000_000, True, "driver", "not above the crossover of 1,000,000"),
        (1_000_001, True, "graphframes", "above the crossover of 1,000,000"),
        (1_000_001, False, "driver", "above the crossover of 1,000,000, but GraphFrames is not installed"),
    ],
)
def test_auto_takes_this_process_up_to_the_crossover(
    *,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    n_links: int,
    is_installed: bool,
    engine: str,
    reason: str,
) -> None:
    for module in (choice, on_graphframes):
        monkeypatch.setattr(module, "graphframes_available", lambda _: is_installed)
    with caplog.at_level(logging.INFO, logger="alertgraph_spark.graph.choice"):
        assert choose_engine("auto", n_links, spark) == engine
    assert caplog.messages == [f"graph engine {engine} for {n_links:,} links: {reason}"]


@pytest.mark.graphframes
def test_graphframes_is_taken_where_it_is_installed(classes: SparkSession) -> None:
    assert choose_engine("graphframes", 1, classes) == "graphframes"
    assert choose_engine("auto", 2, classes, crossover=1) == "graphframes"
    assert choose_engine("auto", 1, classes, crossover=1) == "driver"


def test_a_request_is_never_answered_with_the_other_engine(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_graphframes, "graphframes_available", lambda _: False)
    assert choose_engine("driver", 10**9, spark) == "driver"
    graph = vertex_table([(1, "it")]), edge_table([(1, 1, "pivot")])
    for ask in (
        lambda: choose_engine("graphframes", 1, spark),
        lambda: on_graphframes.find_components(spark, *graph),
        lambda: on_graphframes.find_matches(spark, "(a)-[e]->(b)", "true", *graph),
    ):
        with pytest.raises(GraphEngineError, match=r"graph\.jars or ALERTGRAPH_GRAPHFRAMES_JARS"):
            ask()


def test_a_typo_in_the_engine_is_told_what_is_allowed(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match="'graphframe'; allowed are auto, driver, graphframes"):
        choose_engine("graphframe", 1, spark)


def test_a_session_without_a_jvm_has_no_graphframes() -> None:
    class ConnectSession:
        pass

    assert not on_graphframes.graphframes_available(ConnectSession())  # type: ignore[arg-type]  # stands for Spark Connect's


def test_the_probe_sees_what_is_not_on_the_class_path(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_graphframes, "_PROBE", "org/graphframes/NoSuchThing.class")
    assert not on_graphframes.graphframes_available(spark)


# --- what GraphFrames is called with ----------------------------------------------------------------------------------


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
    arguments = on_graphframes._component_arguments(components_of_0_8, is_reliable=True)
    assert arguments == {"algorithm": "graphframes", "checkpointInterval": 2, "broadcastThreshold": 1_000_000}
    with pytest.raises(GraphEngineError, match=r"spark\.checkpoint\.dir"):
        on_graphframes._component_arguments(components_of_0_8, is_reliable=False)


def test_an_old_graphframes_of_a_platform_gives_the_components(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on an ML runtime: its own module, whose method refuses each newer keyword; its numbers are never shown."""
    asked: list[dict[str, object]] = []

    class GraphFrame:
        def __init__(self, vertices: DataFrame, edges: DataFrame) -> None:
            self.vertices, self.edges = vertices, edges

        def connectedComponents(
            self, algorithm: str = "graphframes", checkpointInterval: int = 2, broadcastThreshold: int = 1000000
        ) -> DataFrame:
            """Supported algorithms are "graphframes" and "graphx"."""
            asked.append({"algorithm": algorithm, "broadcastThreshold": broadcastThreshold})
            assert sorted(map(tuple, self.edges.collect())) == [(2, 1), (3, 2)]  # each once, and no self-loop
            of = F.when(F.col("id") <= 3, 1_000_007).otherwise(F.col("id") * 7 + 1_000_000)
            return self.vertices.select("id", of.cast("bigint").alias("component"))

    monkeypatch.setattr(on_graphframes, "_graphframe_class", lambda _: GraphFrame)
    edges = edge_table([(3, 2, "pivot"), (2, 1, "pivot"), (2, 1, "pivot"), (9, 9, "pivot")])
    by_platform = on_graphframes.find_components(spark, vertex_table([(i, "it") for i in (9, 3, 1, 2)]), edges)

    assert by_platform.to_pydict() == {"id": [1, 2, 3, 9], "component": [1, 1, 1, 9]}
    assert asked == [{"algorithm": "graphframes", "broadcastThreshold": 1_000_000}]


def test_a_recent_graphframes_is_given_every_argument() -> None:
    arguments = on_graphframes._component_arguments(components_of_0_12, is_reliable=False)
    assert set(arguments) == set(components_of_0_12.__annotations__) - {"return"}
    assert arguments["algorithm"] == "two_phase"
    assert arguments["broadcastThreshold"] == -1
    assert arguments["use_local_checkpoints"] is True
    assert arguments["max_iter"] == 2147483646  # not 2 ^ 31 - 2, which is 31
    assert on_graphframes._component_arguments(components_of_0_12, is_reliable=True)["use_local_checkpoints"] is False
