"""The driver engine: components in the driver's memory, motifs by DataFrame joins; no jar, fit for Spark Connect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.errors import GraphEngineError, GraphInvariantError
from alertgraph_spark.motif_pattern import EdgeTerm, MotifPattern

Ids = npt.NDArray[np.int64]
_ARROW = {"spark.sql.execution.arrow.pyspark.enabled": "true"}  # off by default before Spark 4.2, and 50 times slower


def components_on_driver(vertices: DataFrame, edges: DataFrame, max_links: int) -> DataFrame:
    """Compute connected components in the driver's memory; one row is a vertex, `id` and `component`.

    `component` is the smallest vertex id of the component. One Spark job fetches vertices and links, self-loops left out,
    as pairs of ids; the result is a local relation.

    Raises
    ------
    GraphEngineError
        If there are more than `max_links` links; no more than three times that many rows are ever fetched.
    GraphInvariantError
        If a vertex id is null or occurs twice, or an edge ends at an id that is no vertex.
    """
    spark = vertices.sparkSession
    itself = vertices.select(F.col("id").alias("src"), F.col("id").alias("dst"))
    # No distinct: the shuffle costs more than the parallel links that it saves. A link brings two vertices at most.
    most = 3 * max_links
    with session_conf(spark, _ARROW):
        pairs = itself.union(link_ends(edges)).limit(most + 1).toPandas()
        if pairs.isna().to_numpy().any():
            raise GraphInvariantError("a vertex id or the end of a link is null")
        src, dst = (pairs[name].to_numpy(dtype=np.int64) for name in ("src", "dst"))
        is_link = src != dst
        n_links = int(is_link.sum())
        if n_links > max_links or len(pairs) > most:
            raise GraphEngineError(
                f"the graph has more than {max_links:,} links, or {most:,} vertices and links: too big for the driver engine."
                " Set graph.engine to graphframes, or raise graph.driver_max_links (about 200 bytes of driver memory each)"
            )
        ids = np.sort(src[~is_link])
        if (twice := ids[1:][ids[1:] == ids[:-1]]).size:
            raise GraphInvariantError(f"vertex id {twice[0]} occurs more than once")
        component = ids[_smallest_members(len(ids), _positions(ids, src[is_link]), _positions(ids, dst[is_link]))]
        members = pd.DataFrame({"id": ids, "component": component})
        return spark.createDataFrame(members, "id long, component long")


@contextmanager
def session_conf(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Set session settings for a while; what was not set before is unset again."""
    before = {key: spark.conf.get(key, None) for key in settings}
    try:
        for key, value in settings.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, old in before.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)


def link_ends(edges: DataFrame) -> DataFrame:
    """Both ends of every edge that is no self-loop; a null end is kept, so that it is refused and not lost."""
    return edges.select("src", "dst").where(F.coalesce(F.col("src") != F.col("dst"), F.lit(True)))


def _positions(ids: Ids, ends: Ids) -> Ids:
    """Where each end stands among the sorted vertex ids."""
    at = np.searchsorted(ids, ends)
    unknown = ends[(at == len(ids)) | (np.append(ids, 0)[at] != ends)]
    if unknown.size:
        raise GraphInvariantError(f"a link ends at {unknown[0]}, which is no vertex")
    return at


def _smallest_members(n: int, a: Ids, b: Ids) -> Ids:
    """For each of n vertices the smallest vertex of its component; links are pairs of positions.

    Notes
    -----
    Union by hooking: in each round every root that is linked to a smaller one hangs itself below the smallest, then all
    paths are halved until they are flat. Of two rounds a root hooks, or is hooked to, in one, so O(log n) rounds over the
    links that still join two trees (Shiloach and Vishkin 1982, https://doi.org/10.1016/0196-6774(82)90008-6). Over arrays a
    million links take 0.4 s, the look-up of their positions included.
    """
    parent = np.arange(n, dtype=np.int64)
    while len(a):
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(parent, grandparent := parent[parent]):
            parent = grandparent
        a, b = parent[a], parent[b]
        is_open = a != b
        a, b = a[is_open], b[is_open]
    return parent


def match_by_joins(pattern: MotifPattern, vertices: DataFrame, edges: DataFrame) -> DataFrame:
    """Find every match of a pattern with DataFrame joins alone.

    One row is one match; each named element is a struct of all columns of `vertices` or `edges`, in order of first
    mention. An edge whose named end is no vertex matches nothing; an anonymous end is not looked up, which saves its
    join. Parallel edges give a match each; a negated term folds equal rows, as GraphFrames' EXCEPT does.

    Notes
    -----
    Lazy. Columns stay flat (`a.id`, `e1.kind`) until the last projection, so that Spark prunes what a filter on the
    result does not read. Terms meet by equi-joins on vertex ids; terms without a common vertex, and a vertex named in
    negated terms alone, by a cross join. A hub costs its in-degree times its out-degree: match after the size cap, with
    slim columns.
    """
    matches: DataFrame | None = None
    seen: set[str] = set()
    for term in pattern.edges:
        found = _ends(term, edges, with_attributes=bool(term.edge))
        for name in term.vertices:
            if name not in seen:
                found = _joined(found, _flat(vertices, name))
        seen.update(term.vertices)
        matches = _joined(matches, found)
    for name in pattern.lone_vertices:
        matches = _joined(matches, _flat(vertices, name))
    assert matches is not None  # the parser refuses an empty pattern and gives every negated vertex a lone term
    for term in pattern.negated:
        absent = _ends(term, edges, with_attributes=False)
        matches = matches.join(absent, on=absent.columns, how="left_anti")
    if pattern.negated:
        matches = matches.distinct()
    edge_names = {term.edge for term in pattern.edges}
    return matches.select(*[_struct(name, edges if name in edge_names else vertices) for name in pattern.names])


def _column(name: str, attribute: str) -> str:
    return f"{name}.{attribute}"


def _quoted(name: str) -> Column:
    """A column by its exact name, dots and all."""
    return F.col("`" + name.replace("`", "``") + "`")


def _flat(frame: DataFrame, name: str) -> DataFrame:
    return frame.select(*[_quoted(c).alias(_column(name, c)) for c in frame.columns])


def _struct(name: str, frame: DataFrame) -> Column:
    return F.struct(*[_quoted(_column(name, c)).alias(c) for c in frame.columns]).alias(name)


def _ends(term: EdgeTerm, edges: DataFrame, with_attributes: bool) -> DataFrame:
    """The edges that can stand for a term: the ids of its named ends, and the edge's columns where they are wanted."""
    columns = []
    if term.source:
        columns.append(F.col("src").alias(_column(term.source, "id")))
    if term.target and term.target != term.source:
        columns.append(F.col("dst").alias(_column(term.target, "id")))
    if with_attributes:
        columns += [_quoted(c).alias(_column(term.edge, c)) for c in edges.columns]
    is_loop = bool(term.source) and term.source == term.target
    return (edges.where(F.col("src") == F.col("dst")) if is_loop else edges).select(*columns)


def _joined(left: DataFrame | None, right: DataFrame) -> DataFrame:
    """Join on the ids that both sides name; without one, every row meets every row."""
    if left is None:
        return right
    shared = [c for c in left.columns if c in set(right.columns)]
    return left.join(right, on=shared, how="inner") if shared else left.crossJoin(right)
