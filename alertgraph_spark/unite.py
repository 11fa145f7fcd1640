"""Unite vertices along links, turn by turn and the strongest first, under a size cap and a limit on chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def unite_in_turn(
    links: Iterable[tuple[int, int, int, float, float]],
    max_size: int,
    chance_links: float,
    sizes: Mapping[int, int] | None = None,
) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Unite vertices along links into parts of at most `max_size`.

    Parameters
    ----------
    links
        `(turn, src, dst, weight, chance)`: by turn, then the strongest first, equal weights in order of `src`, `dst`, so that
        a rerun cuts the same links. What an earlier turn has made of its links stays, whatever comes in a later one.
    chance_links
        A link is refused where its chance times the size of both parts is above this.
    sizes
        What a vertex counts for; 1 if not given.

    Returns
    -------
    tuple
        Vertex to the smallest vertex of its part; and the refused links, whose ends lie in different parts.

    Notes
    -----
    Within one turn Kruskal's order; union by size and path halving: O(m log m).

    Examples
    --------
    >>> unite_in_turn([(0, 1, 2, 0.9, 0.0), (0, 2, 3, 0.1, 0.0), (0, 3, 4, 0.8, 0.0)], max_size=2, chance_links=1)
    ({1: 1, 2: 1, 3: 3, 4: 3}, [(2, 3)])

    The weakest of the three comes a turn before the others, and keeps its place:

    >>> unite_in_turn([(1, 1, 2, 0.9, 0.0), (0, 2, 3, 0.1, 0.0), (1, 3, 4, 0.8, 0.0)], max_size=2, chance_links=1)
    ({1: 1, 2: 2, 3: 2, 4: 4}, [(1, 2), (3, 4)])

    Four in a hundred is one chance too many for parts of 2 and 1, where so much is allowed to two alone:

    >>> unite_in_turn([(0, 1, 2, 0.9, 0.04), (0, 2, 3, 0.8, 0.04)], max_size=9, chance_links=0.1)
    ({1: 1, 2: 1, 3: 3}, [(2, 3)])
    """
    ordered = sorted(links, key=lambda link: (link[0], -link[3], link[1], link[2]))
    parent: dict[int, int] = {}
    size: dict[int, int] = {}

    def root(vertex: int) -> int:
        parent.setdefault(vertex, vertex)
        size.setdefault(vertex, sizes[vertex] if sizes else 1)
        while parent[vertex] != vertex:
            parent[vertex] = parent[parent[vertex]]
            vertex = parent[vertex]
        return vertex

    for _, src, dst, _, chance in ordered:
        a, b = root(src), root(dst)
        together = size[a] + size[b]
        if a != b and together <= max_size and chance * together <= chance_links:
            small, large = sorted((a, b), key=lambda v: (size[v], v))
            parent[small] = large
            size[large] = together
    smallest: dict[int, int] = {}
    for vertex in sorted(parent):
        smallest.setdefault(root(vertex), vertex)
    parts = {vertex: smallest[root(vertex)] for vertex in sorted(parent)}
    return parts, sorted((src, dst) for _, src, dst, *_ in ordered if parts[src] != parts[dst])
