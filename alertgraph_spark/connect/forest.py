"""Forest: each episode takes at most one cause, so that what everyday life explains as well holds nothing together.

Nearest-neighbour declustering, as seismology tells an earthquake's aftershocks from those that would have come anyway
(Zaliapin and Ben-Zion, Earthquake clusters in southern California I, J. Geophys. Res. 118, 2013,
https://doi.org/10.1002/jgrb.50179). Trees do not grow together by one weak link too many: there are none but causes.
"""

from __future__ import annotations

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.tables.embedded import Engine


def choose_causes(engine: Engine, links: pa.Table, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Choose the cause of each later episode; one input row is one link (`schemas.LINKS`), and the output is some of them.

    Parameters
    ----------
    episodes
        One row is one episode, with `started_at` and `history_hours`.

    Notes
    -----
    The likeliest link above `p.link_least`; of equal ones that from the lower number. None leads out of the first
    `p.warm_up_hours` of a site: what began there is never shown, and must not hide what comes later. While they last nothing
    can be judged by its rarity: the nearest pivot within `p.pivot_gap_minutes` goes before.
    """
    return engine.query(
        f"""
        WITH ends AS (
            SELECT episode, epoch_us(started_at) AS t0,
                history_hours < {p.warm_up_hours!r}::DOUBLE AS is_warm_up
            FROM episodes
        ),
        told AS (
            SELECT links.*, a.t0,
                log_odds > {p.link_least!r}::DOUBLE AS is_likely,
                b.is_warm_up AND kind = 'pivot'
                    AND gap_minutes <= {p.pivot_gap_minutes!r}::DOUBLE AS is_early_pivot
            FROM links JOIN ends AS a ON a.episode = src JOIN ends AS b ON b.episode = dst
            WHERE a.is_warm_up::INT + b.is_warm_up::INT <> 1  -- not `=`: the engine would join by it
        )
        SELECT * EXCLUDE (t0, is_likely, is_early_pivot)
            REPLACE (CASE WHEN is_early_pivot THEN greatest(weight, .95) ELSE weight END AS weight)
        FROM told
        WHERE is_likely OR is_early_pivot
        QUALIFY row_number() OVER (
            PARTITION BY dst
            ORDER BY is_early_pivot DESC, CASE WHEN is_early_pivot THEN t0 ELSE log_odds END DESC, src
        ) = 1
        ORDER BY dst
        """,
        {"links": links, "episodes": episodes.select(["episode", "started_at", "history_hours"])},
    )
