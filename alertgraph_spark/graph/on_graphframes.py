"""The graph on Spark, asked of GraphFrames: vertices and edges as DataFrames, beyond one machine.

`connected_components` and `matches` go from frames to frames; `find_components` and `find_matches` take and give Arrow
tables, as `in_process` does.
"""

from __future__ import annotations

import importlib.util
import inspect
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_type

from alertgraph_spark.access.session_conf import session_conf
from alertgraph_spark.errors import GraphEngineError, GraphInvariantError, SchemaError
from alertgraph_spark.graph.pattern import read_pattern
from alertgraph_spark.tables.frames import collect_arrow, frame_of

_LINKS_PER_PARTITION = 200_000
_PROBE = "org/graphframes/GraphFrame.class"


def find_components(spark: SparkSession, vertices: pa.Table, edges: pa.Table) -> pa.Table:
    """Assign every vertex to its connected component; tables and errors as of `in_process.find_components`, but no limit."""
    ids, links = _frame(spark, vertices.select(["id"])), _frame(spark, edges.select(["src", "dst"]))
    return collect_arrow(connected_components(ids, links)).sort_by("id")


def find_matches(spark: SparkSession, pattern: str, where: str, vertices: pa.Table, edges: pa.Table) -> pa.Table:
    """Find every place where a pattern and a condition hold; tables as of `in_process.find_matches`."""
    return collect_arrow(matches(pattern, where, _frame(spark, vertices), _frame(spark, edges)))


def _frame(spark: SparkSession, table: pa.Table) -> DataFrame:
    types = [(field.name, from_arrow_type(field.type).simpleString()) for field in table.schema]
    return frame_of(spark, table, ", ".join(f"`{name}` {type_}" for name, type_ in types))


def connected_components(vertices: DataFrame, edges: DataFrame) -> DataFrame:
    """Assign every vertex to its connected component, whatever the direction of the edges.

    Parameters
    ----------
    vertices
        One row is a vertex: `id` (long, unique, never null).
    edges
        One row is an edge: `src` and `dst` (long, ids of vertices). Parallel edges and self-loops may occur.

    Returns
    -------
    DataFrame
        One row is a vertex: `id` and `component`, the smallest vertex id of its component, so that every engine and every
        run gives the same rows. A local checkpoint, whose blocks Spark drops once the frame is no longer referenced.

    Raises
    ------
    GraphEngineError
        If GraphFrames is not there; names the remedy.
    GraphInvariantError, SchemaError
        If a vertex id is null or occurs twice, or an edge ends at an id that is no vertex; if an id is no long.

    Notes
    -----
    About a hundred Spark jobs; faster with a checkpoint folder set.
    """
    spark = vertices.sparkSession
    graphframe = _graphframe_class(spark)
    _check_types(vertices, edges)
    with _own_checkpoints(spark) as is_reliable:
        # Each round repeats the plan it starts from: with the lineage of the links in it a tiny graph fills the driver.
        slim = (vertices.select("id"), _link_ends(edges).distinct())
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


def matches(pattern: str, where: str, vertices: DataFrame, edges: DataFrame) -> DataFrame:
    """Find every place where a pattern and a condition hold, lazily.

    Parameters
    ----------
    pattern
        As `pattern.read_pattern` takes it.
    where
        A condition in SQL, as `in_process.find_matches` takes it.
    vertices
        One row is a vertex: `id` (long) and slim attributes.
    edges
        One row is an edge: `src`, `dst` (long) and slim attributes. Persist both where their lineage is long: each step of
        a pattern reads the edges once.

    Returns
    -------
    DataFrame
        One row is a match: for each vertex of the pattern, in its order, the id of the vertex there.

    Raises
    ------
    ConfigError
        If the pattern cannot be read.
    GraphEngineError
        If GraphFrames is not installed.
    SchemaError
        If an id is no long.
    """
    way = read_pattern(pattern)
    _check_types(vertices, edges)
    found: DataFrame = _graphframe_class(vertices.sparkSession)(vertices, edges).find(str(way))
    return found.where(where).select(*[F.col(f"{name}.id").alias(name) for name in way.vertices])


def graphframes_available(spark: SparkSession) -> bool:
    """Whether GraphFrames' package can be imported and its classes are on the driver's class path; never on Connect."""
    jvm: Any = getattr(spark, "_jvm", None)
    if jvm is None or importlib.util.find_spec("graphframes") is None:
        return False
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    return loader.getResource(_PROBE) is not None


def require_graphframes(spark: SparkSession) -> None:
    """Refuse a session on which GraphFrames cannot run.

    Parameters
    ----------
    spark
        The session.

    Raises
    ------
    GraphEngineError
        If its classes or its Python package are not there. The message says how to install them.
    """
    if not graphframes_available(spark):
        raise GraphEngineError(
            "graph.engine is graphframes, but its classes are not on the driver's class path or its Python package is not"
            " installed. Name both jars (graphframes and graphframes-graphx) in graph.jars or ALERTGRAPH_GRAPHFRAMES_JARS,"
            " or attach them to the pool or cluster, and install graphframes-py; or set graph.engine to driver"
        )


def _graphframe_class(spark: SparkSession) -> Any:
    """GraphFrames' GraphFrame: imported here alone, and only when it is asked for."""
    require_graphframes(spark)
    from graphframes import GraphFrame  # noqa: PLC0415 - optional: the other engine must run without it

    return GraphFrame


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


def _check_types(vertices: DataFrame, edges: DataFrame) -> None:
    wanted = ((vertices, "vertices", "id"), (edges, "edges", "src"), (edges, "edges", "dst"))
    types = [(f"{table}.{name}", dict(frame.dtypes).get(name, "no such column")) for frame, table, name in wanted]
    if wrong := [f"{column}: want bigint, have {found}" for column, found in types if found != "bigint"]:
        raise SchemaError(f"the graph has another shape: {'; '.join(wrong)}")


def _link_ends(edges: DataFrame) -> DataFrame:
    """Both ends of every edge that is no self-loop; a null end is kept, so that it is refused and not lost."""
    return edges.select("src", "dst").where(F.coalesce(F.col("src") != F.col("dst"), F.lit(True)))


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
