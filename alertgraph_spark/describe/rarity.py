"""The rarity of a subgraph: the surprise of its distinct alert types, each next one counting less."""

from __future__ import annotations

from alertgraph_spark.parameters import RankingParameters


def rarity_sql(p: RankingParameters) -> str:
    """The tables `types`, `ranked` and `rarity` of a WITH over `episodes`: of `rarity` one row is one subgraph.

    `n_types` are its distinct alert types, `rarest` the first three, and `rarity_nats` is the sum of their surprise, the most
    surprising first and the i-th divided by i to the power of `damping`: many types of one flood must not outweigh two rare
    ones.
    """
    return f"""
        types AS (
            SELECT subgraph_id, source, name, max(surprise) AS surprise,
                -- What the past knew before the first of them.
                min({{'seen_hours': round(fleet_share * (history_hours + 2) - 1)::BIGINT, 'history_hours': history_hours}})
                    AS past
            FROM episodes GROUP BY subgraph_id, source, name
        ),
        ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY subgraph_id ORDER BY surprise DESC, name DESC, past DESC, source
            ) AS place
            FROM types
        ),
        rarity AS (
            -- Parts fall with their place, so that sorted they are in its order: the sum is the same whatever comes first.
            SELECT subgraph_id, count(*) AS n_types,
                list_sum(list_reverse_sort(list(surprise / pow(place, {p.damping})))) AS rarity_nats,
                [
                    {{'name': one['name'], 'seen_hours': one['past']['seen_hours'],
                        'history_hours': one['past']['history_hours']}}
                    FOR one IN list_sort(list({{'place': place, 'name': name, 'past': past}}) FILTER (place <= 3))
                ] AS rarest
            FROM ranked GROUP BY subgraph_id
        )"""
