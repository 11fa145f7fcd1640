"""Forest: each episode takes at most one cause, so that what everyday life explains as well holds nothing together.

Nearest-neighbour declustering, as seismology tells an earthquake's aftershocks from those that would have come anyway
(Zaliapin and Ben-Zion, Earthquake clusters in southern California I, J. Geophys. Res. 118, 2013,
https://doi.org/10.1002/jgrb.50179). Trees do not grow together by one weak link too many: there are none but causes.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.graph.in_process import find_roots
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.rates import micros


def choose_causes(engine: Engine, links: pa.Table, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Choose the cause of each later episode.

    Parameters
    ----------
    engine
        DuckDB in this process.
    links
        One row is one link (`schemas.LINKS`).
    episodes
        One row is one episode, with `started_at`, `known_at` and `history_hours`.
    p
        The numbers of the method.

    Returns
    -------
    pa.Table
        Some of `links`, one at most for each later episode.

    Notes
    -----
    The cause is the likeliest link above `p.link_least`, and of equal ones that from the lower number. What was known
    when the later one came goes before what came afterwards, so that a late alert takes nothing out of a subgraph that
    was told. No cause leads out of the first `p.warm_up_hours` of a site: what began there is never shown, and must not
    hide what comes later. During the warm-up nothing can be judged by its rarity: the nearest pivot within
    `p.pivot_gap_minutes` goes before.
    """
    return engine.query(
        f"""
        WITH ends AS (
            SELECT episode, epoch_us(started_at) AS t0, epoch_us(known_at) AS known,
                history_hours < {p.warm_up_hours!r}::DOUBLE AS is_warm_up
            FROM episodes
        ),
        told AS (
            SELECT links.*, a.t0, a.known <= b.known AS is_known,
                log_odds > {p.link_least!r}::DOUBLE AS is_likely,
                b.is_warm_up AND kind = 'pivot'
                    AND gap_minutes <= {p.pivot_gap_minutes!r}::DOUBLE AS is_early_pivot
            FROM links JOIN ends AS a ON a.episode = src JOIN ends AS b ON b.episode = dst
            WHERE a.is_warm_up = b.is_warm_up
        )
        SELECT * EXCLUDE (t0, is_known, is_likely, is_early_pivot)
            REPLACE (
                CASE WHEN is_early_pivot THEN greatest(weight, {p.early_pivot_weight!r}::DOUBLE) ELSE weight END AS weight
            )
        FROM told
        WHERE is_likely OR is_early_pivot
        QUALIFY row_number() OVER (
            PARTITION BY dst
            ORDER BY is_known DESC, is_early_pivot DESC, CASE WHEN is_early_pivot THEN t0 ELSE log_odds END DESC, src
        ) = 1
        ORDER BY dst
        """,
        {"links": links, "episodes": episodes.select(["episode", "started_at", "known_at", "history_hours"])},
        joins_as_written=True,
    )


def link_roots(links: pa.Table, causes: pa.Table, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Choose the cause of each tree that has none at its root, among the likely links into its opening act.

    Parameters
    ----------
    links
        One row is one link (`schemas.LINKS`).
    causes
        Those of them that are causes.
    episodes
        One row is one episode.
    p
        `pivot_gap_minutes` and `link_least`.

    Returns
    -------
    pa.Table
        Some of `links`, at most one a tree.

    Notes
    -----
    Several alerts that one actor raises at once are one act, and their order says little: what led to one of them led to all.
    The opening act of a tree is what its root's actor does within `p.pivot_gap_minutes` of the root. The cause begins before
    the root, so trees stay a forest.
    """
    order = np.argsort(episodes["episode"].to_numpy())
    numbers = episodes["episode"].to_numpy()[order]
    t0, known = (micros(episodes[name])[order] for name in ("started_at", "known_at"))
    is_warm_up = (episodes["history_hours"].to_numpy() < p.warm_up_hours)[order]
    acting = pc.coalesce(episodes["source_entity"], episodes["target_entity"]).combine_chunks()
    actor = pc.dictionary_encode(acting).indices.to_numpy(zero_copy_only=False)[order]
    parent = np.arange(len(numbers))
    src, dst = (np.searchsorted(numbers, causes[name].to_numpy()) for name in ("src", "dst"))
    parent[dst] = src
    root = find_roots(parent)
    likely = links.filter(pc.greater(links["log_odds"], p.link_least))
    a, b = (np.searchsorted(numbers, likely[name].to_numpy()) for name in ("src", "dst"))
    first = root[b]
    opens = (
        (t0[b] <= t0[first] + p.pivot_gap_minutes * 60e6)
        & (actor[b] == actor[first])
        & (t0[a] < t0[first])
        & (is_warm_up[a] == is_warm_up[first])
        & (root[a] != first)
    )
    found, first = likely.filter(pa.array(opens)), first[opens]
    is_unknown = known[a[opens]] > known[first]
    best = np.lexsort((found["src"].to_numpy(), -found["log_odds"].to_numpy(), is_unknown, first))
    is_best = np.diff(first[best], prepend=-1) != 0
    return found.take(pa.array(best[is_best]))
