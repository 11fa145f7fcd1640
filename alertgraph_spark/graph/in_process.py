"""The graph in this process: components by arrays, matches of a motif by joins."""

from __future__ import annotations

from itertools import pairwise

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from alertgraph_spark.errors import ConfigError, GraphEngineError, GraphInvariantError
from alertgraph_spark.graph.pattern import read_pattern
from alertgraph_spark.tables.embedded import Engine

MAX_LINKS = 5_000_000
"""Links above which components are refused, about 200 bytes of memory each."""

Ids = npt.NDArray[np.int64]


def find_components(vertices: pa.Table, edges: pa.Table, max_links: int = MAX_LINKS) -> pa.Table:
    """Assign every vertex to its connected component, whatever the direction of the edges.

    Parameters
    ----------
    vertices
        One row is a vertex: `id`, int64.
    edges
        One row is an edge: `src` and `dst`, ids of vertices. Parallel edges and self-loops may occur.
    max_links
        Most edges that are no self-loops.

    Returns
    -------
    pa.Table
        One row is a vertex: `id`, ascending, and `component`, the smallest vertex id of its component.

    Raises
    ------
    GraphEngineError
        If there are more than `max_links`; names the remedy.
    GraphInvariantError
        If a vertex id is null or occurs twice, or an edge ends at an id that is no vertex.
    """
    if vertices["id"].null_count + edges["src"].null_count + edges["dst"].null_count:
        raise GraphInvariantError("a vertex id or the end of a link is null")
    ids, src, dst = (column.to_numpy() for column in (vertices["id"], edges["src"], edges["dst"]))
    is_link = src != dst
    if (n_links := int(is_link.sum())) > max_links:
        raise GraphEngineError(
            f"the graph has {n_links:,} links, more than {max_links:,}: too big for the driver engine. Set graph.engine to"
            " graphframes, or raise graph.driver_max_links (about 200 bytes of driver memory each)"
        )
    ids = np.sort(ids)
    if (twice := ids[1:][ids[1:] == ids[:-1]]).size:
        raise GraphInvariantError(f"vertex id {twice[0]} occurs more than once")
    smallest = _smallest_members(len(ids), _positions(ids, src[is_link]), _positions(ids, dst[is_link]))
    return pa.table({"id": ids, "component": ids[smallest]})


def _positions(ids: Ids, ends: Ids) -> Ids:
    """Where each end stands among the sorted vertex ids."""
    at = np.searchsorted(ids, ends)
    unknown = ends[(at == len(ids)) | (np.append(ids, 0)[at] != ends)]
    if unknown.size:
        raise GraphInvariantError(f"a link ends at {unknown[0]}, which is no vertex")
    return at


def find_roots(parent: Ids) -> Ids:
    """The root of each vertex of a forest, given its parent, of a root itself; paths are halved until they are flat."""
    while not np.array_equal(parent, grandparent := parent[parent]):
        parent = grandparent
    return parent


def _smallest_members(n: int, a: Ids, b: Ids) -> Ids:
    """For each of n vertices the smallest vertex of its component; links are pairs of positions.

    Notes
    -----
    Union by hooking: in each round every root that is linked to a smaller one hangs itself below the smallest, then all
    paths are made flat. Of two rounds a root hooks, or is hooked to, in one, so O(log n) rounds over the
    links that still join two trees (Shiloach and Vishkin 1982, https://doi.org/10.1016/0196-6774(82)90008-6). Over arrays a
    million links take 0.4 s, the look-up of their positions included.
    """
    parent = np.arange(n, dtype=np.int64)
    while len(a):
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        parent = find_roots(parent)
        a, b = parent[a], parent[b]
        is_open = a != b
        a, b = a[is_open], b[is_open]
    return parent


def find_matches(engine: Engine, pattern: str, where: str, vertices: pa.Table, edges: pa.Table) -> pa.Table:
    """Find every place where a pattern and a condition hold.

    Parameters
    ----------
    engine
        DuckDB in this process.
    pattern
        As `pattern.read_pattern` takes it.
    where
        SQL predicate over the columns of the named vertices and edges, as `a.zone = 'ot' and e.kind = 'pivot'`.
    vertices
        One row is a vertex: `id` and attributes.
    edges
        One row is an edge: `src`, `dst` and attributes. Parallel edges give a match each.

    Returns
    -------
    pa.Table
        One row is a match, in open order: for each vertex of the pattern, in its order, the id of the vertex there. Two of
        them may be one and the same.

    Raises
    ------
    ConfigError
        If the pattern or the condition cannot be read, or names a column that is not there.

    Notes
    -----
    Equi-joins along the pattern, whatever else the condition compares: a hub costs its in-degree times its out-degree.
    """
    way = read_pattern(pattern)
    joins = [f"vertices AS {way.vertices[0]}"]
    for edge, (source, target) in zip(way.edges, pairwise(way.vertices), strict=True):
        joins.append(f"JOIN edges AS {edge} ON {edge}.src = {source}.id")
        joins.append(f"JOIN vertices AS {target} ON {target}.id = {edge}.dst")
    ids = ", ".join(f"{name}.id AS {name}" for name in way.vertices)
    try:
        sql = f"SELECT {ids} FROM {' '.join(joins)} WHERE ({where}\n)"  # the condition may end in a comment
        return engine.query(sql, {"vertices": vertices, "edges": edges}, joins_as_written=True)
    except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException) as error:
        raise ConfigError(f"motif pattern {pattern!r}, condition {where!r}: {error}") from error
