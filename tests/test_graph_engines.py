"""Two engines, one answer: random graphs against networkx and against enumeration by hand-written loops.

Two dozen random graphs stand side by side in one Spark graph, each in its own range of ids: one run answers for all.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import pytest
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.errors import GraphInvariantError
from alertgraph_spark.graph import AlertGraph, choose_engine, graphframes_available

Vertex = tuple[int, str]
Edge = tuple[int, int, str]
Match = tuple[Vertex | Edge, ...]

ENGINES = ["driver", pytest.param("graphframes", marks=pytest.mark.graphframes)]


@dataclass
class Small:
    """One random graph: vertices (id, zone), edges (src, dst, kind), some of them parallel, equal or self-loops."""

    seed: int
    n: int
    vertices: list[Vertex] = field(init=False)
    edges: list[Edge] = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        first = self.seed * 1_000_000 - 2**45  # far from 0, so that an id squeezed into 32 bits would show
        ids = [first + 7 * i for i in range(self.n)]
        self.vertices = [(i, chance.choice(("it", "ot"))) for i in ids]
        active = ids[: max(1, self.n * 3 // 4)]  # the rest stays isolated
        n_edges = int(len(active) * chance.choice((0.4, 0.8, 1.2)))
        self.edges = [
            (chance.choice(active), chance.choice(active), chance.choice(("pivot", "session"))) for _ in range(n_edges)
        ]
        hub = chance.choice(active)
        spokes = [
            (hub, v, "pivot") if chance.random() < 0.5 else (v, hub, "pivot") for v in active[:: chance.choice((2, 9))]
        ]
        self.edges += spokes + self.edges[:3]  # three links come twice, equal in every column
        chance.shuffle(self.edges)

    @property
    def components(self) -> dict[int, int]:
        oracle = nx.Graph([(src, dst) for src, dst, _ in self.edges])
        oracle.add_nodes_from(v for v, _ in self.vertices)
        return {v: min(component) for component in nx.connected_components(oracle) for v in component}


SIZES = (1, 2, 3, 5, 8, 8, 12, 12, 16, 16, 20, 24, 28, 32, 40, 50, 60, 80, 100, 120, 150, 180, 200, 200)
GRAPHS = [Small(seed, n) for seed, n in enumerate(SIZES)]
LITTLE = [small for small in GRAPHS if small.n <= 32]  # for motifs: a hub costs its degree squared


def frames(spark: SparkSession, graphs: list[Small]) -> tuple[DataFrame, DataFrame]:
    vertices = [v for small in graphs for v in small.vertices]
    edges = [e for small in graphs for e in small.edges]
    random.Random(0).shuffle(edges)
    return (
        spark.createDataFrame(vertices, "id long, zone string").persist(),
        spark.createDataFrame(edges, "src long, dst long, kind string").persist(),
    )


@pytest.fixture(scope="module")
def many(spark: SparkSession) -> Iterator[tuple[DataFrame, DataFrame]]:
    vertices, edges = frames(spark, GRAPHS)
    yield vertices, edges
    vertices.unpersist()
    edges.unpersist()


@pytest.fixture(scope="module")
def little(spark: SparkSession) -> Iterator[tuple[DataFrame, DataFrame]]:
    vertices, edges = frames(spark, LITTLE)
    yield vertices, edges
    vertices.unpersist()
    edges.unpersist()


def need(engine: str, spark: SparkSession) -> None:
    if engine == "graphframes" and not graphframes_available(spark):
        pytest.skip("GraphFrames' classes are not on the class path: name the jars in ALERTGRAPH_GRAPHFRAMES_JARS")


# --- components -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_components_equal_networkx(spark: SparkSession, many: tuple[DataFrame, DataFrame], engine: str) -> None:
    need(engine, spark)
    components = AlertGraph(*many, engine).connected_components()
    assert components.dtypes == [("id", "bigint"), ("component", "bigint")]
    rows = components.collect()
    found: dict[int, int] = dict(rows)
    assert len(rows) == len(found) == sum(SIZES)
    for small in GRAPHS:
        assert {v: found[v] for v, _ in small.vertices} == small.components, f"seed {small.seed}: {small.edges}"


@pytest.mark.graphframes
def test_graphframes_leaves_the_session_as_it_was(spark: SparkSession) -> None:
    need("graphframes", spark)
    context: Any = spark.sparkContext
    folder = context.getCheckpointDir().rpartition("/")[0]
    base = context._jvm.org.apache.hadoop.fs.Path(folder)
    disk = base.getFileSystem(context._jsc.hadoopConfiguration())
    keys = ("spark.sql.shuffle.partitions", "spark.sql.adaptive.enabled", "spark.sql.maxPlanStringLength")
    before = [spark.conf.get(key) for key in keys]
    cache = spark._jsparkSession.sharedState().cacheManager()
    n_cached = cache.cachedData().size()

    vertices = spark.createDataFrame([(i,) for i in range(6)], "id long")
    edges = spark.createDataFrame([(4, 1), (1, 4), (1, 2), (5, 5)], "src long, dst long")
    components = AlertGraph(vertices, edges, "graphframes").connected_components()

    assert [spark.conf.get(key) for key in keys] == before
    assert cache.cachedData().size() == n_cached
    assert context.getCheckpointDir().startswith(folder)
    written = [file.getPath().toString() for file in disk.listStatus(base)]
    assert not [path for path in written if "alertgraph-" in path]
    assert disk.getContentSummary(base).getFileCount() == 0
    # The rows outlive the files and the cached frames that they were made from.
    assert dict(components.collect()) == {0: 0, 1: 1, 2: 1, 3: 3, 4: 1, 5: 5}


@pytest.mark.graphframes
def test_graphframes_runs_without_a_checkpoint_folder(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    need("graphframes", spark)
    monkeypatch.setattr(type(spark.sparkContext), "getCheckpointDir", lambda _: None)
    vertices = spark.createDataFrame([(3,), (2,), (9,)], "id long")
    edges = spark.createDataFrame([(3, 2)], "src long, dst long")
    components = AlertGraph(vertices, edges, "graphframes").connected_components()
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
def test_graphframes_refuses_a_broken_graph_too(
    spark: SparkSession, ids: list[int | None], edges: list[tuple[int, int | None]], fault: str
) -> None:
    need("graphframes", spark)
    vertices = spark.createDataFrame([(i,) for i in ids], "id long")
    broken = AlertGraph(vertices, spark.createDataFrame(edges, "src long, dst long"), "graphframes")
    with pytest.raises(GraphInvariantError, match=fault):
        broken.connected_components()


@pytest.mark.graphframes
def test_graphframes_is_taken_where_it_is_installed(spark: SparkSession) -> None:
    need("graphframes", spark)
    assert choose_engine("graphframes", 1, spark) == "graphframes"
    assert choose_engine("auto", 2, spark, crossover=1) == "graphframes"
    assert choose_engine("auto", 1, spark, crossover=1) == "driver"


# --- motifs ---------------------------------------------------------------------------------------------------------


def chain(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    return [(vs[e[0]], e, vs[e[1]], f, vs[f[1]]) for e in es for f in es if e[1] == f[0]]


def convergence(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    return [(vs[e[0]], e, vs[e[1]], vs[f[0]], f) for e in es for f in es if e[1] == f[1]]


def relay_between_strangers(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    return [(e, vs[e[1]]) for e in es for f in es if e[1] == f[0]]


def triangle(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    n_between = Counter((src, dst) for src, dst, _ in es)
    rings = [(a, b, c) for a, b in n_between for c in vs if (b, c) in n_between and (c, a) in n_between]
    return [
        (vs[a], vs[b], vs[c]) for a, b, c in rings for _ in range(n_between[a, b] * n_between[b, c] * n_between[c, a])
    ]


def same_pair(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    return [(vs[e[0]], e, vs[e[1]], f) for e in es for f in es if e[:2] == f[:2]]


def self_loop(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    return [(vs[e[0]], e) for e in es if e[0] == e[1]]


def one_way(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    linked = {e[:2] for e in es}
    return [(vs[e[0]], e, vs[e[1]]) for e in set(es) if (e[1], e[0]) not in linked]


def dead_end(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    sources = {e[0] for e in es}
    return list({(vs[e[0]], vs[e[1]]) for e in es if e[1] not in sources})


def open_chain(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    linked = {e[:2] for e in es}
    return list(
        {(vs[e[0]], vs[e[1]], f, vs[f[1]]) for e in es for f in es if e[1] == f[0] and (e[0], f[1]) not in linked}
    )


def silent(vs: dict[int, Vertex], es: list[Edge]) -> list[Match]:
    return [(v,) for v in vs.values() if all(v[0] not in e[:2] for e in es)]


MOTIFS: list[tuple[str, Callable[[dict[int, Vertex], list[Edge]], list[Match]]]] = [
    ("(a)-[e1]->(b); (b)-[e2]->(c)", chain),
    ("(a)-[e1]->(c); (b)-[e2]->(c)", convergence),
    ("()-[e]->(b); (b)-[]->()", relay_between_strangers),
    ("(a)-[]->(b); (b)-[]->(c); (c)-[]->(a)", triangle),
    ("(a)-[e1]->(b); (a)-[e2]->(b)", same_pair),
    ("(a)-[e]->(a)", self_loop),
    ("(a)-[e]->(b); !(b)-[]->(a)", one_way),
    ("(a)-[]->(b); !(b)-[]->()", dead_end),
    ("!(a)-[]->(c); (a)-[]->(b); (b)-[e]->(c)", open_chain),
    ("(a); !(a)-[]->(); !()-[]->(a)", silent),
]
ORDER: dict[str, tuple[int, ...]] = {"open_chain": (0, 3, 1, 2)}  # the negated term names a and c first


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("pattern", "enumerate_by_hand"), MOTIFS, ids=[oracle.__name__ for _, oracle in MOTIFS])
def test_motifs_equal_enumeration(
    spark: SparkSession,
    little: tuple[DataFrame, DataFrame],
    engine: str,
    pattern: str,
    enumerate_by_hand: Callable[[dict[int, Vertex], list[Edge]], list[Match]],
) -> None:
    need(engine, spark)
    found = Counter(tuple(tuple(part) for part in row) for row in AlertGraph(*little, engine).find(pattern).collect())
    expected: Counter[Match] = Counter()
    for small in LITTLE:
        matches = enumerate_by_hand({v[0]: v for v in small.vertices}, small.edges)
        order = ORDER.get(enumerate_by_hand.__name__, range(len(matches[0]) if matches else 0))
        expected.update(tuple(match[i] for i in order) for match in matches)
    assert len(expected) > 5, "a motif that hardly occurs proves nothing"
    assert found == expected, f"missing {expected - found}, too many {found - expected}"


@pytest.mark.graphframes
def test_both_engines_give_the_same_columns(spark: SparkSession, little: tuple[DataFrame, DataFrame]) -> None:
    need("graphframes", spark)
    for pattern, _ in MOTIFS:
        driver, graphframes = (AlertGraph(*little, engine).find(pattern).dtypes for engine in ("driver", "graphframes"))
        assert driver == graphframes, pattern
