"""The alert graph and its two engines, which give the same two answers.

Vertices are episodes, edges are links: `connected_components` finds incidents, `find` finds motifs. The engine `driver`
computes components in the driver's memory and motifs by joins, `graphframes` asks GraphFrames for both.
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.driver_engine import components_on_driver, link_ends, match_by_joins, session_conf
from alertgraph_spark.errors import ConfigError, GraphEngineError, GraphInvariantError, SchemaError
from alertgraph_spark.motif_pattern import parse_pattern

logger = logging.getLogger(__name__)

ENGINES = ("driver", "graphframes")
CROSSOVER_LINKS = 1_000_000
"""Links up to which `auto` takes the driver: the largest graph measured, where the driver still won clearly.

Wall seconds of this module, warm, on two cores with Spark 3.5.9 and GraphFrames built from its source of May 2026: 20 k
vertices and 30 k links 0.4 against 11; 500 k vertices and 1 M links, one star of 100 k among them, 2.5 against 30.
"""
_LINKS_PER_PARTITION = 200_000
_PROBE = "org/graphframes/GraphFrame.class"


@dataclass(frozen=True)
class AlertGraph:
    """A directed graph of episodes and links, and the engine that answers questions about it.

    Parameters
    ----------
    vertices
        One row is a vertex: `id` (long, unique, never null) and slim attributes, since `find` carries all of them.
    edges
        One row is an edge: `src` and `dst` (long, ids of vertices) and slim attributes. Parallel edges and self-loops
        may occur. Persist both frames where their lineage is long: each term of a pattern reads the edges once.
    engine
        `driver` or `graphframes`, as `choose_engine` says.
    driver_max_links
        Links above which the driver engine refuses the components.

    Raises
    ------
    ConfigError, SchemaError
        If the engine is unknown; if an id is missing or no long.
    """

    vertices: DataFrame
    edges: DataFrame
    engine: str
    driver_max_links: int = 5_000_000

    def __post_init__(self) -> None:
        """Refuse an unknown engine and ids of another type at once."""
        if self.engine not in ENGINES:
            raise ConfigError(f"graph engine {self.engine!r} is unknown; allowed are {', '.join(ENGINES)}")
        wanted = ((self.vertices, "vertices", "id"), (self.edges, "edges", "src"), (self.edges, "edges", "dst"))
        types = [(f"{table}.{name}", dict(frame.dtypes).get(name, "no such column")) for frame, table, name in wanted]
        wrong = [f"{column}: want bigint, have {found}" for column, found in types if found != "bigint"]
        if wrong:
            raise SchemaError(f"the graph has another shape: {'; '.join(wrong)}")

    def connected_components(self) -> DataFrame:
        """Assign every vertex to its connected component, whatever the direction of the edges.

        One row is a vertex: `id` and `component`, the smallest vertex id of the component, so that both engines and every
        run give the same rows. An isolated vertex is its own component.

        Raises
        ------
        GraphEngineError
            If the graph has more than `driver_max_links`, or GraphFrames is not there; names the remedy.
        GraphInvariantError
            If a vertex id is null or occurs twice, or an edge ends at an id that is no vertex.

        Notes
        -----
        driver: one Spark job fetches the ids (16 bytes a vertex or link), O(m log n) on the driver, and the result is a
        local relation. graphframes: about a hundred jobs, faster with a checkpoint folder set, and the result is a local
        checkpoint, whose blocks Spark drops once the frame is no longer referenced.
        """
        if self.engine == "driver":
            return components_on_driver(self.vertices, self.edges, self.driver_max_links)
        return _graphframes_components(self.vertices, self.edges)

    def find(self, pattern: str) -> DataFrame:
        """Find every match of a motif pattern; the grammar is that of `motif_pattern`.

        One row is one match, one struct column a named element, in order of first mention. Names need not be distinct:
        `a` and `c` of a chain may be one vertex. Lazy in both engines.

        Raises
        ------
        ConfigError, GraphEngineError
            If the pattern is not of the grammar, with the position; if GraphFrames is not there.
        """
        motif = parse_pattern(pattern)
        if self.engine == "driver":
            return match_by_joins(motif, self.vertices, self.edges)
        matches: DataFrame = _graphframe_class(self.vertices.sparkSession)(self.vertices, self.edges).find(str(motif))
        return matches.select(*motif.names)


def graphframes_available(spark: SparkSession) -> bool:
    """Whether GraphFrames' package can be imported and its classes are on the driver's class path; never on Connect."""
    jvm: Any = getattr(spark, "_jvm", None)
    if jvm is None or importlib.util.find_spec("graphframes") is None:
        return False
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    return loader.getResource(_PROBE) is not None


def choose_engine(requested: str, n_links: int, spark: SparkSession, crossover: int = CROSSOVER_LINKS) -> str:
    """Choose `driver` or `graphframes`, and say in one log line which and why.

    `auto` takes the driver up to `crossover` links, and above it GraphFrames where it is installed. A request is never
    answered with the other engine.

    Raises
    ------
    ConfigError, GraphEngineError
        If `requested` is neither auto, graphframes nor driver; if it is graphframes and that is not there.
    """
    if requested not in ("auto", *ENGINES):
        raise ConfigError(f"graph.engine is {requested!r}; allowed are auto, {', '.join(ENGINES)}")
    if requested != "auto":
        engine, reason = requested, "as requested"
    elif n_links <= crossover:
        engine, reason = "driver", f"not above the crossover of {crossover:,}"
    elif graphframes_available(spark):
        engine, reason = "graphframes", f"above the crossover of {crossover:,}"
    else:
        engine, reason = "driver", f"above the crossover of {crossover:,}, but GraphFrames is not installed"
    if engine == "graphframes":
        _graphframe_class(spark)
    logger.info("graph engine %s for %s links: %s", engine, f"{n_links:,}", reason)
    return engine


def _graphframe_class(spark: SparkSession) -> Any:
    """GraphFrames' GraphFrame: imported here alone, and only when it is asked for."""
    if not graphframes_available(spark):
        raise GraphEngineError(
            "graph.engine is graphframes, but its classes are not on the driver's class path or its Python package is not"
            " installed. Name both jars (graphframes and graphframes-graphx) in graph.jars or ALERTGRAPH_GRAPHFRAMES_JARS,"
            " or attach them to the pool or cluster, and install graphframes-py; or set graph.engine to driver"
        )
    from graphframes import GraphFrame  # noqa: PLC0415 - optional: the driver engine must run without it

    return GraphFrame


def _graphframes_components(vertices: DataFrame, edges: DataFrame) -> DataFrame:
    """Compute connected components with GraphFrames, on long ids alone, and name each by its smallest member."""
    spark = vertices.sparkSession
    graphframe = _graphframe_class(spark)
    with _own_checkpoints(spark) as is_reliable:
        # Each round repeats the plan it starts from: with the lineage of the links in it a tiny graph fills the driver.
        slim = (vertices.select("id"), link_ends(edges).distinct())
        ids, links = (frame.checkpoint() if is_reliable else frame.localCheckpoint() for frame in slim)
        _check_ends(ids, links)
        n_partitions = max(spark.sparkContext.defaultParallelism, links.count() // _LINKS_PER_PARTITION)
        settings = {
            # The rounds are cached, and a cached frame keeps its partitions: 20 k links in 200 of them take minutes.
            "spark.sql.shuffle.partitions": str(n_partitions),
            "spark.sql.adaptive.enabled": "true",  # the threshold of -1 leaves joins and hubs to it
            "spark.sql.maxPlanStringLength": "1000",
        }
        with session_conf(spark, settings):
            components = graphframe(ids, links).connectedComponents
            found = components(**_component_arguments(components, is_reliable))
            try:
                smallest = found.groupBy("component").agg(F.min("id").alias("smallest"))
                named = found.join(smallest, on="component", how="inner")
                members: DataFrame = named.select("id", F.col("smallest").alias("component")).localCheckpoint()
            finally:
                found.unpersist()
    return members


def _component_arguments(method: Callable[..., DataFrame], is_reliable: bool) -> dict[str, object]:
    """Every argument of `connectedComponents` by name, as far as the installed version knows it.

    Versions before 0.10 (some Databricks ML runtimes) know neither local checkpoints nor a threshold of -1, which is
    several times faster. `two_phase` is the name since 0.11 of what was `graphframes`. `max_iter` is given because the
    default of 0.10 to 0.12.2, 2 ^ 31 - 2, is 31.
    """
    known = inspect.signature(method).parameters
    is_recent = "use_local_checkpoints" in known
    if not (is_recent or is_reliable):
        raise GraphEngineError(
            "this version of GraphFrames needs a checkpoint folder: name one by spark.checkpoint.dir under spark.conf, or use"
            " graphframes-py 0.12.3 or later, or set graph.engine to driver"
        )
    wanted: dict[str, object] = {
        "algorithm": "two_phase" if "two_phase" in (method.__doc__ or "") else "graphframes",
        "checkpointInterval": 2,
        "broadcastThreshold": -1 if is_recent else 1_000_000,
        "useLabelsAsComponents": True,
        "use_local_checkpoints": not is_reliable,
        "max_iter": 2**31 - 2,
        "storage_level": StorageLevel.MEMORY_AND_DISK_DESER,
    }
    return {name: value for name, value in wanted.items() if name in known}


def _check_ends(ids: DataFrame, links: DataFrame) -> None:
    """Refuse what GraphFrames would answer with doubled, lost or invented rows."""
    is_bad = F.col("id").isNull() | (F.col("count") > 1)
    bad = ids.groupBy("id").count().where(is_bad).select("id", F.lit("is null or occurs twice").alias("fault"))
    ends = links.select(F.explode(F.array("src", "dst")).alias("id")).join(ids, on="id", how="left_anti")
    dangling = ends.select("id", F.lit("ends a link and is no vertex").alias("fault"))
    for row in bad.union(dangling).take(1):
        raise GraphInvariantError(f"vertex id {row['id']} {row['fault']}")


@contextmanager
def _own_checkpoints(spark: SparkSession) -> Iterator[bool]:
    """Put reliable checkpoints into a folder of their own and delete it afterwards; False where no folder is set.

    Spark deletes none by itself. What another thread of the same context checkpoints meanwhile is deleted with ours.
    """
    context: Any = spark.sparkContext
    usual = context.getCheckpointDir()
    if usual is None:
        yield False
        return
    base = usual.rpartition("/")[0]  # Spark has added a folder of its own to what was set, and will again
    context.setCheckpointDir(f"{base}/alertgraph-{uuid.uuid4().hex}")
    own = context._jvm.org.apache.hadoop.fs.Path(context.getCheckpointDir()).getParent()
    try:
        yield True
    finally:
        context.setCheckpointDir(base)
        own.getFileSystem(context._jsc.hadoopConfiguration()).delete(own, True)
