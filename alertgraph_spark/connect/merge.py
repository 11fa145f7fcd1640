"""Merge vertices along links, round by round and the strongest first, under a size cap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from alertgraph_spark.graph.in_process import find_roots


class Merged(NamedTuple):
    """The `parts`, one row a vertex (`id`, ascending, and `component`, the smallest vertex of its part); and the links
    `refused`, one row a link (`src`, `dst`) whose ends lie in different parts.
    """

    parts: pa.Table
    refused: pa.Table


def merge_components(links: pa.Table, max_size: int, sizes: Mapping[int, int] | None = None) -> Merged:
    """Merge vertices along links into parts of at most `max_size`.

    Parameters
    ----------
    links
        One row is one link: `merge_round`, `src`, `dst` and `weight`. They are taken by round, then the strongest
        first, equal weights in order of `src`, `dst`, so that a rerun refuses the same. What an earlier round has made of its
        links stays, whatever comes in a later one.
    max_size
        Most that the vertices of a part count for together.
    sizes
        What a vertex counts for; 1 if not given.

    Returns
    -------
    Merged
        The part of each vertex, and the links that were refused.

    Notes
    -----
    Within a round Kruskal's order; union by size and path halving: O(m log m), about a second for a million links.

    Examples
    --------
    >>> names = ["merge_round", "src", "dst", "weight"]
    >>> links = pa.table([[0, 0, 0], [1, 2, 3], [2, 3, 4], [0.9, 0.1, 0.8]], names=names)
    >>> merge_components(links, max_size=2).refused.to_pylist()
    [{'src': 2, 'dst': 3}]

    The weakest of the three comes a round before the others, and keeps its place:

    >>> links = links.set_column(0, "merge_round", pa.array([1, 0, 1]))
    >>> merge_components(links, max_size=2).refused.to_pylist()
    [{'src': 1, 'dst': 2}, {'src': 3, 'dst': 4}]
    """
    src, dst = (links[name].to_numpy() for name in ("src", "dst"))
    order = np.lexsort((dst, src, -links["weight"].to_numpy(), links["merge_round"].to_numpy()))
    ids, place = np.unique(np.concatenate([src, dst]), return_inverse=True)
    a, b = place.reshape(2, -1)
    in_order = zip(*(part[order].tolist() for part in (a, b)), strict=True)
    size = [sizes[vertex] if sizes else 1 for vertex in ids.tolist()]
    parent = find_roots(np.array(_parents(in_order, size, max_size), dtype=np.int64))
    _, smallest, part = np.unique(parent, return_index=True, return_inverse=True)
    is_refused = parent[a] != parent[b]
    refused = pa.table({"src": src[is_refused], "dst": dst[is_refused]})
    return Merged(
        pa.table({"id": ids, "component": ids[smallest[part.reshape(-1)]]}),
        refused.sort_by([("src", "ascending"), ("dst", "ascending")]),
    )


def _parents(links: Iterable[tuple[int, int]], size: list[int], max_size: int) -> list[int]:
    """The forest that links grow, each vertex with its parent; a link is two vertices, numbers from 0."""
    parent = list(range(len(size)))
    for src, dst in links:
        a, b = src, dst
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        while parent[b] != b:
            parent[b] = b = parent[parent[b]]
        together = size[a] + size[b]
        if a != b and together <= max_size:
            small, large = (a, b) if (size[a], a) < (size[b], b) else (b, a)
            parent[small] = large
            size[large] = together
    return parent
