"""What is shown: strong enough, within the day's budget, after the warm-up; if quiet, unlike what the past keeps bringing."""

from __future__ import annotations

from datetime import datetime

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.tables.rates import DAY

BEST_FIRST = "score DESC, first_seen, subgraph_id"
"""The total order of subgraphs."""

CLAIM_FIRST = "claim DESC, first_seen, subgraph_id"
"""The order in which they are given the places of a day: the claim is the score, but of what an exception hid before."""


def least_score(p: RankingParameters) -> float:
    """The least score of what is shown: that of `show_nats`."""
    return p.show_nats / (p.show_nats + p.half_score)


def shown_sql(p: RankingParameters, since: datetime | None) -> str:
    """The tables of a WITH over `scored` that end in `marked`: what is told, with `rank`, `is_shown`, `cut` and `n_like`.

    What has no alert received since `since` is dropped once it has been counted. What is suppressed takes no place and is not
    counted as like what is shown; its score is of the past like any other. `cut` is, of what is shown, the score
    below which it would not be, all others as they are: that of `show_nats`, that of the next of its site and day, or, where
    `quiet`, one that the past has brought too often.
    `n_like` is, of what is shown, how many of its site and day that are not shown score like it.

    Notes
    -----
    What is usual comes day after day: from n of the days before (of 24 hours, back from the candidate) that brought one like
    it, of D since the site began, the rate is `-ln(1 - (n + 1/2) / (D + 1))` a day. Days, since whoever can make one decoy
    can make forty; and none of the last 24 hours, since a burst may run past midnight.

    Each candidate asks for the best score of each day before it: one window over the subgraphs and what is asked, so that
    the cost is that of a sort of subgraphs and of candidates times days.
    """
    is_told = "true" if since is None else f"epoch_us(last_received) >= {round(since.timestamp() * 1e6)}"
    least = least_score(p)

    def is_too_many(n_days: str) -> str:
        if not p.quiet:
            return "false"
        return f"-ln(1 - least({p.max_share}, ({n_days} + 0.5) / (days + 1))) > {p.show_exceedance}"

    return f"""
        placed AS (
            SELECT subgraph_id, site, score, claim, is_suppressed, first_seen, last_received, is_warm_up,
                epoch_us(first_seen) AS moment, epoch_us(first_seen) // {DAY} AS day,
                row_number() OVER (
                    PARTITION BY site, epoch_us(first_seen) // {DAY}, is_warm_up, is_suppressed ORDER BY {CLAIM_FIRST}
                ) AS place,
                min(epoch_us(first_seen)) OVER (PARTITION BY site) AS begun
            FROM scored
        ),
        told AS (
            SELECT *, (moment // 1000000 - begun // 1000000) / 86400 AS days,
                max(CASE WHEN place > {p.budget_per_day} THEN claim END) OVER (
                    PARTITION BY site, day, is_warm_up, is_suppressed
                ) AS next_score
            FROM placed
            QUALIFY {is_told}
        ),
        candidates AS (
            SELECT * FROM told
            WHERE place <= {p.budget_per_day} AND NOT is_warm_up AND NOT is_suppressed
                AND claim > 0 AND claim >= {least!r}::DOUBLE
        ),
        asked AS (
            SELECT site, subgraph_id, days, moment - {DAY} * unnest(range(1, (moment - begun) // {DAY} + 1)) AS moment,
                NULL AS score
            FROM candidates
            UNION ALL SELECT site, NULL, NULL, moment, score FROM placed
        ),
        daily AS (
            SELECT subgraph_id, days, max(score) OVER (
                PARTITION BY site ORDER BY moment RANGE BETWEEN {DAY - 1} PRECEDING AND CURRENT ROW
            ) AS past_score
            FROM asked
            QUALIFY subgraph_id IS NOT NULL
        ),
        usual AS (
            SELECT subgraph_id, max(past_score) FILTER ({is_too_many("n_days")}) AS usual_score  -- with all days above it
            FROM (
                SELECT *, row_number() OVER (PARTITION BY subgraph_id ORDER BY past_score DESC) AS n_days
                FROM daily WHERE past_score IS NOT NULL
            )
            GROUP BY subgraph_id
        ),
        judged AS (
            SELECT subgraph_id,
                greatest({least!r}::DOUBLE, coalesce(greatest(next_score, usual_score / {p.like_share}), 0)) AS cut,
                NOT ({is_too_many("0")}) AND coalesce(usual_score < {p.like_share} * claim, true) AS is_shown
            FROM candidates LEFT JOIN usual USING (subgraph_id)
        ),
        decided AS (
            SELECT told.*, cut, coalesce(is_shown, false) AS is_shown FROM told LEFT JOIN judged USING (subgraph_id)
        ),
        crowds AS (
            SELECT shown.subgraph_id, count(*) AS n_like
            FROM decided shown JOIN decided other USING (site, day)
            WHERE shown.is_shown AND NOT other.is_shown AND NOT other.is_suppressed
                AND other.score >= {p.like_share} * shown.score
            GROUP BY shown.subgraph_id
        ),
        marked AS (
            SELECT subgraph_id, is_shown, cut, coalesce(n_like, 0) AS n_like,
                row_number() OVER (ORDER BY {BEST_FIRST}) AS rank
            FROM decided LEFT JOIN crowds USING (subgraph_id)
        )"""
