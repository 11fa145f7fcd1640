"""The rarity of a subgraph: the surprise of its distinct alert types by severity, each next one counting less."""

from __future__ import annotations

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.tables.rates import HOUR


def rarity_sql(p: RankingParameters) -> str:
    """The tables `types`, `earning` and `rarity` of a WITH over `marked`: of `rarity` one row is one subgraph.

    `n_types` are its distinct alert types, `rarest` the three most surprising. `rarity_nats` sums what its types weigh,
    the highest first and the i-th divided by i to the power of `damping`: many types of one flood must not outweigh
    two rare ones. A type weighs the most of its episodes, `surprise * (severity_base + severity)`, times
    `known_pair_share` where the site had seen it between these two ends; what was planned weighs nothing. At most
    `rarity_types` earn rarity, and of those that the site had never seen `new_types_an_hour` of one source and hour:
    what is added to a subgraph takes nothing from it.
    """
    damping = ", ".join(repr(place**-p.damping) for place in range(1, p.rarity_types + 1))
    weight = f"""CASE WHEN is_planned_here OR is_announced THEN 0 ELSE
        surprise * ({p.severity_base!r}::DOUBLE + coalesce(severity, {p.unknown_severity!r}::DOUBLE))
        * CASE WHEN is_new_pair THEN 1 ELSE {p.known_pair_share!r}::DOUBLE END END"""
    return f"""
        types AS (
            SELECT subgraph_id, source, name, max(surprise) AS surprise, max({weight}) AS nats,
                min(epoch_us(started_at)) // {HOUR} AS hour,
                -- What the past knew before the first of them.
                min({{'seen_hours': round(fleet_share * (history_hours + 2) - 1)::BIGINT, 'history_hours': history_hours}})
                    AS past
            FROM marked GROUP BY subgraph_id, source, name
        ),
        earning AS (
            SELECT subgraph_id, {{'surprise': surprise, 'name': name, 'past': past}} AS type, nats,
                past.seen_hours > 0 OR row_number() OVER (
                    PARTITION BY subgraph_id, source, hour, past.seen_hours <= 0 ORDER BY nats DESC, name DESC
                ) <= {p.new_types_an_hour} AS earns
            FROM types
        ),
        sorted AS (
            SELECT subgraph_id, count(*) AS n_types, list_reverse_sort(list(type))[1:3] AS types,
                list_reverse_sort(list(nats) FILTER (earns))[1:{p.rarity_types}] AS weights
            FROM earning GROUP BY subgraph_id
        ),
        rarity AS (
            SELECT subgraph_id, n_types,
                list_inner_product(weights, ([{damping}]::DOUBLE[])[1:len(weights)]) AS rarity_nats,
                [
                    {{'name': one['name'], 'seen_hours': one['past']['seen_hours'],
                        'history_hours': one['past']['history_hours']}}
                    FOR one IN types
                ] AS rarest
            FROM sorted
        )"""
