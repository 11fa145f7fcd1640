"""Connect: episodes that links join are one subgraph, unless it would grow past all reading.

Components come from the graph's engine. One above the size cap is taken apart again: its links are united strongest first
(Kruskal) and a link that would join two parts to more than the cap is refused and recorded, so that an analyst can re-join.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import episode_id
from alertgraph_spark.errors import GraphEngineError, GraphInvariantError
from alertgraph_spark.graph import AlertGraph
from alertgraph_spark.schemas import CUTS, LINKS
from alertgraph_spark.table import conform

CONTEXT_SHARE = 0.15
"""Share of past hours above which a type is shown as context, not as evidence: it is nearly everyday noise."""


def find_subgraphs(graph: AlertGraph, max_sessions: int) -> tuple[DataFrame, DataFrame]:
    """Assign each linked session to one subgraph of at most `max_sessions`.

    Parameters
    ----------
    graph
        A vertex is a session (`id`), an edge a link between two (`session_graph`).
    max_sessions
        Absolute, because a share of the run's total would look ahead.

    Returns
    -------
    tuple of DataFrame
        `id`, `component` for every vertex; and the refused links, `src`, `dst`.

    Raises
    ------
    GraphEngineError
        If the components above the cap have more links than `graph.driver_max_links`.

    Notes
    -----
    Only links of components above the cap come to the driver.
    """
    components = graph.connected_components()
    size = F.count(F.lit(1)).over(Window.partitionBy("component"))
    oversized = components.withColumn("size", size).filter(F.col("size") > max_sessions)
    inside = graph.edges.join(oversized.select(F.col("id").alias("src")), on="src", how="inner")
    links = inside.select("src", "dst", "weight").limit(graph.driver_max_links + 1).toPandas()
    if len(links) > graph.driver_max_links:
        raise GraphEngineError(
            f"subgraphs above {max_sessions:,} episodes have more than {graph.driver_max_links:,} links: too many to cut on"
            " the driver. Raise graph.driver_max_links, or ranking.max_sessions, or lower ranking.coincidence"
        )
    if links.empty:
        return components, graph.edges.select("src", "dst").limit(0)
    parts, refused = unite_strongest_first(links.itertuples(index=False, name=None), max_sessions)
    spark = graph.edges.sparkSession
    split = spark.createDataFrame(list(parts.items()), "id bigint, part bigint")
    components = components.join(F.broadcast(split), on="id", how="left").select(
        "id", F.coalesce("part", "component").alias("component")
    )
    return components, spark.createDataFrame(refused, "src bigint, dst bigint")


def unite_strongest_first(
    links: Iterable[tuple[int, int, float]], max_size: int
) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Unite vertices along links, strongest first, into parts of at most `max_size`.

    Parameters
    ----------
    links
        `(src, dst, weight)`; equal weights are taken in order of `src`, `dst`, so that a rerun cuts the same links.

    Returns
    -------
    tuple
        Vertex to the smallest vertex of its part; and the refused links, whose ends lie in different parts.

    Notes
    -----
    Kruskal's order with union by size and path halving: O(m log m).

    Examples
    --------
    >>> unite_strongest_first([(1, 2, 0.9), (2, 3, 0.1), (3, 4, 0.8)], max_size=2)
    ({1: 1, 2: 1, 3: 3, 4: 3}, [(2, 3)])
    """
    ordered = sorted(links, key=lambda link: (-link[2], link[0], link[1]))
    parent: dict[int, int] = {}
    size: dict[int, int] = {}

    def root(vertex: int) -> int:
        parent.setdefault(vertex, vertex)
        size.setdefault(vertex, 1)
        while parent[vertex] != vertex:
            parent[vertex] = parent[parent[vertex]]
            vertex = parent[vertex]
        return vertex

    for src, dst, _ in ordered:
        a, b = root(src), root(dst)
        if a != b and size[a] + size[b] <= max_size:
            small, large = sorted((a, b), key=lambda v: (size[v], v))
            parent[small] = large
            size[large] += size[small]
    smallest: dict[int, int] = {}
    for vertex in sorted(parent):
        smallest.setdefault(root(vertex), vertex)
    parts = {vertex: smallest[root(vertex)] for vertex in sorted(parent)}
    return parts, sorted((src, dst) for src, dst, _ in ordered if parts[src] != parts[dst])


def session_links(links: DataFrame, episodes: DataFrame) -> DataFrame:
    """Links between sessions: `src` and `dst` are those of both ends, `weight` that of the strongest; one row is one pair.

    `episodes` has one row an episode with its `session`. What is one session is together already.
    """
    ends = episodes.select("episode", "session")
    of_sessions = links.join(ends.toDF("src", "src_session"), on="src", how="inner").join(
        ends.toDF("dst", "dst_session"), on="dst", how="inner"
    )
    pairs = of_sessions.filter(F.col("src_session") != F.col("dst_session"))
    return pairs.groupBy(F.col("src_session").alias("src"), F.col("dst_session").alias("dst")).agg(
        F.max("weight").alias("weight")
    )


def with_component(episodes: DataFrame, components: DataFrame) -> DataFrame:
    """Add `component` to each episode: that of its session, or the session itself where nothing links it. Grain unchanged."""
    joined = episodes.join(components.withColumnRenamed("id", "session"), on="session", how="left")
    return joined.withColumn("component", F.coalesce("component", "session"))


def with_subgraph(episodes: DataFrame, absorbed: DataFrame, warm_up_hours: float) -> DataFrame:
    """Name each episode's subgraph after its earliest episode, and say what it is to it.

    Row grain is unchanged; adds `subgraph_id`, `is_linked` and `role`. The name comes from content, so it stays when the
    subgraph grows.

    Parameters
    ----------
    episodes
        One row is one episode with its `component` and the `core` that it had before anything was absorbed.
    absorbed
        The cores that a stronger one absorbed; one row is one `core`.
    warm_up_hours
        With less history than that every type is seen in a large share of the hours, and none is context.
    """
    whole = Window.partitionBy("component")
    first = F.min(F.struct("started_at", "episode")).over(whole)["episode"]
    marked = episodes.join(
        F.broadcast(absorbed.select("core").distinct().withColumn("is_absorbed", F.lit(True))), on="core", how="left"
    )
    role = (
        F.when(~F.col("is_linked"), "single")
        .when((F.col("fleet_share") > CONTEXT_SHARE) & (F.col("history_hours") >= warm_up_hours), "context")
        .when(F.col("is_absorbed"), "absorbed")
        .otherwise("core")
    )
    return (
        marked.withColumn("is_linked", F.count(F.lit(1)).over(whole) > 1)
        .withColumn("subgraph_id", F.concat(F.lit("sg-"), episode_id(first)))
        .withColumn("role", role)
        .drop("component", "core", "is_absorbed", "is_lone", "session")
    )


def divide_links(links: DataFrame, episodes: DataFrame, refused: DataFrame) -> tuple[DataFrame, DataFrame]:
    """The links that were not cut, and those that were (`schemas.LINKS`, `schemas.CUTS`); one row is one link.

    `episodes` has one row an episode with its `session`; `refused` one row a pair of sessions that were not joined.
    """
    ends = episodes.select("episode", "session")
    marked = refused.toDF("src_session", "dst_session").withColumn("is_cut", F.lit(True))
    divided = (
        links.join(ends.toDF("src", "src_session"), on="src", how="inner")
        .join(ends.toDF("dst", "dst_session"), on="dst", how="inner")
        .join(F.broadcast(marked), on=["src_session", "dst_session"], how="left")
    )
    return conform(divided.filter("is_cut is null"), LINKS), conform(divided.filter("is_cut"), CUTS)


def check_invariant(left: DataFrame, grouped: DataFrame) -> None:
    """Prove that the ends of every link that is left are in one subgraph.

    Raises
    ------
    GraphInvariantError
        With the number of links that break it and one example.

    Notes
    -----
    One small job; graph engines have been silently wrong before (GraphFrames issues 759 and 892).
    """
    ends = grouped.select("episode", "subgraph_id")
    broken = (
        left.join(ends.toDF("src", "src_subgraph"), on="src", how="left")
        .join(ends.toDF("dst", "dst_subgraph"), on="dst", how="left")
        .filter(~F.col("src_subgraph").eqNullSafe(F.col("dst_subgraph")))  # a subgraph left out takes both ends along
    )
    example = broken.agg(F.count(F.lit(1)).alias("n"), F.min(F.struct("src", "dst")).alias("link")).first()
    if example and example["n"]:
        raise GraphInvariantError(f"{example['n']} links join two subgraphs, e.g. {tuple(example['link'])}")
