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


def find_subgraphs(graph: AlertGraph, max_episodes: int) -> tuple[DataFrame, DataFrame]:
    """Assign each linked episode to one subgraph of at most `max_episodes`.

    Parameters
    ----------
    graph
        A vertex is an episode (`id`), an edge a link (`schemas.LINKS`).
    max_episodes
        Absolute, because a share of the run's total would look ahead.

    Returns
    -------
    tuple of DataFrame
        `id`, `component` for every vertex; and the refused links (`schemas.CUTS`).

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
    oversized = components.withColumn("size", size).filter(F.col("size") > max_episodes)
    inside = graph.edges.join(oversized.select(F.col("id").alias("src")), on="src", how="inner")
    links = inside.select("src", "dst", "weight").limit(graph.driver_max_links + 1).toPandas()
    if len(links) > graph.driver_max_links:
        raise GraphEngineError(
            f"subgraphs above {max_episodes:,} episodes have more than {graph.driver_max_links:,} links: too many to cut on"
            " the driver. Raise graph.driver_max_links, or ranking.max_episodes, or lower ranking.coincidence"
        )
    if links.empty:
        return components, conform(graph.edges.limit(0), CUTS)
    parts, refused = unite_strongest_first(links.itertuples(index=False, name=None), max_episodes)
    spark = graph.edges.sparkSession
    split = spark.createDataFrame(list(parts.items()), "id bigint, part bigint")
    components = components.join(F.broadcast(split), on="id", how="left").select(
        "id", F.coalesce("part", "component").alias("component")
    )
    cut = spark.createDataFrame(refused, "src bigint, dst bigint")
    return components, conform(graph.edges.join(F.broadcast(cut), on=["src", "dst"], how="inner"), CUTS)


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


def with_subgraph(episodes: DataFrame, components: DataFrame) -> DataFrame:
    """Name each episode's subgraph after its earliest episode; a lone episode is a subgraph of its own.

    Row grain is unchanged, chronic episodes are left out; adds `subgraph_id` and `is_linked`. The name comes from content,
    so it stays when the subgraph grows.
    """
    active = episodes.filter(~F.col("is_chronic")).join(
        components.withColumnRenamed("id", "episode"), on="episode", how="left"
    )
    grouped = active.withColumn("is_linked", F.col("component").isNotNull()).withColumn(
        "component", F.coalesce("component", "episode")
    )
    earliest = Window.partitionBy("component").orderBy("started_at", "episode")
    first = F.first("episode").over(earliest.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing))
    return grouped.withColumn("subgraph_id", F.concat(F.lit("sg-"), episode_id(first))).drop("component")


def links_left(links: DataFrame, cuts: DataFrame) -> DataFrame:
    """The links that were not cut; one row is one link (`schemas.LINKS`)."""
    return conform(links.join(cuts.select("src", "dst"), on=["src", "dst"], how="left_anti"), LINKS)


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
