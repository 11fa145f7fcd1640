"""Follow: the longest way that somebody may have gone through a subgraph, host after host and forward in time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.match.vertices import list_vertices
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.interim_schemas import PATHS

Episode = tuple[int, int]
"""Start in microseconds, and id: in the order of time."""


Walk = tuple[int, int, tuple[Episode, ...], tuple[str, ...]]
"""A walk from host to host, forward in time: less one for each host; the sum of -ln(weight) of its links, each in whole
thousandths of a nat; its episodes; its hosts. So of two walks the better is the smaller."""

Hop = tuple[Episode, Episode, tuple[str, ...], str, int]
"""A `pivot` link: its later episode; its earlier one; the hosts of that; where the later one arrives; the cost."""


def find_paths(engine: Engine, episodes: pa.Table, links: pa.Table, p: RankingParameters) -> pa.Table:
    """Find the best time-respecting path of each subgraph.

    A walk is a row of two or more episodes, each joined to the next by a `pivot` link: it acts from where the one
    before arrived, and starts strictly later. Its hosts are the origin of the first episode and the destination of
    every episode. An episode that ends where the one before ended (an alert about the host itself) adds none. A walk
    that comes back to a host that it had left is no path, nor is one on a single host. So hops are hosts less one.
    Links of other kinds say that episodes belong together, not that somebody moved.

    The best path has the most hosts; then the surest links, by the least sum of `-ln(weight)` in whole thousandths of a
    nat; then the earliest episodes, compared one by one from the first by start and id.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with `subgraph_id` and `is_linked`.
    links
        The links that were not cut.
    p
        `path_width`: walks kept for each episode. No path is missed as long as no episode is reached over more than so many
        different sets of hosts; beyond, the longest and surest go on.

    Returns
    -------
    pa.Table
        One row is one subgraph with `pivot` links (`interim_schemas.PATHS`).

    Notes
    -----
    To find the longest path without a repeated host is NP-hard, so it is exact up to `path_width`. Links are taken in the
    order of their later episodes; a link lengthens the walks kept for its earlier one, and of those that went over the same
    hosts only the best goes on, since all that follows is open to both alike. That is linear in links, at most `path_width`
    walks a link. Subgraphs in which every alert is about one and the same host are not searched.
    """
    hops = engine.rows(
        """
        WITH hops AS (
            SELECT a.subgraph_id, b.t0 AS later_start, b.id AS later, a.t0 AS earlier_start, a.id AS earlier,
                a.origin, a.destination AS via, b.destination,
                CAST(round(-1000 * ln(e.weight)) AS BIGINT) AS cost,
                a.origin <> a.destination OR a.destination <> b.destination AS moves_on
            FROM edges AS e JOIN vertices AS a ON a.id = e.src JOIN vertices AS b ON b.id = e.dst
            WHERE e.kind = 'pivot' AND a.t0 < b.t0
        )
        SELECT * EXCLUDE (moves_on)
        FROM hops SEMI JOIN (SELECT DISTINCT subgraph_id FROM hops WHERE moves_on) USING (subgraph_id)
        ORDER BY ALL
        """,
        {"vertices": list_vertices(engine, episodes), "edges": links},
    )
    found = []
    for subgraph_id, rows in groupby(hops, itemgetter(0)):
        in_order = (
            ((t1, later), (t0, earlier), (origin,) if origin == via else (origin, via), destination, cost)
            for _, t1, later, t0, earlier, origin, via, destination, cost in rows
        )
        found.append({"subgraph_id": subgraph_id, "path": longest_path(in_order, p.path_width)})
    return pa.Table.from_pylist(found, schema=arrow_schema(PATHS))


def longest_path(hops: Iterable[Hop], width: int) -> tuple[str, ...] | None:
    """The hosts of the best walk over the hops of one subgraph, given in order; None where nobody moved."""
    reached: dict[Episode, list[Walk]] = {}
    for later, earlier, begin, destination, cost in hops:
        rivals = reached.get(later, []).copy()
        for _, cost_before, episodes, hosts in ((0, 0, (earlier,), begin), *reached.get(earlier, ())):
            is_there = hosts[-1] == destination
            if is_there or destination not in hosts:
                grown = hosts if is_there else (*hosts, destination)
                rivals.append((-len(grown), cost_before + cost, (*episodes, later), grown))
        reached[later] = _best_of_each_set(rivals)[:width] if len(rivals) > 1 else rivals
    walks = (walk for kept in reached.values() for walk in kept if len(walk[3]) > 1)
    best = min(walks, default=None)
    return best[3] if best else None


def _best_of_each_set(walks: list[Walk]) -> list[Walk]:
    """Of walks to one episode, the best for each set of hosts, best first."""
    best: dict[frozenset[str], Walk] = {}
    for walk in sorted(walks):
        best.setdefault(frozenset(walk[3]), walk)
    return list(best.values())
