"""The features of a subgraph: counts, stages, rarity, its quietest host, its crossing into OT and what was planned."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.describe.rarity import rarity_sql
from alertgraph_spark.tables.attack import ACTS_ON_PROCESS, TACTICS
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.roles import acts_as_planned
from alertgraph_spark.tables.schemas import FEATURES

CROSSING = "it_ot_pivot"
"""The motif that tells of a crossing from IT into OT."""


def describe_subgraphs(
    engine: Engine,
    episodes: pa.Table,
    motif_hits: pa.Table,
    paths: pa.Table,
    p: RankingParameters,
    *,
    chains: Collection[str],
) -> pa.Table:
    """Measure each subgraph.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode (`interim_schemas.EPISODES_FOLDED`) with its `subgraph_id`, and `heard_hours`: in how many
        earlier hours its site had an episode about its target that was no everyday noise.
    motif_hits
        One row is one match (`schemas.MOTIF_HITS`).
    paths
        One row is the longest time-respecting path of one subgraph (`interim_schemas.PATHS`).
    p
        A subgraph that began with less than `warm_up_hours` of history is marked: everything is rare in the first hours.
    chains
        Motifs that are chains. Hosts that poll each other all day make long paths too: a path counts where one matched.

    Returns
    -------
    pa.Table
        One row is one subgraph (`schemas.FEATURES`), in no order.

    Notes
    -----
    `quiet_nats` of an episode is -ln of the hourly rate at which its target was heard of in the past, not below 0. From h
    past hours of H the rate is `-ln(1 - (h + 1) / (H + quiet_prior))`: Laplace's rule of succession, as the rate of a
    Poisson process. It is 0 for a target outside, since an address of the Internet is new each time.

    Cost is linear in episodes but for the sort of each subgraph's alert types.
    """
    tables = {
        "episodes": episodes.append_column("is_planned", acts_as_planned(episodes)),
        "motif_hits": motif_hits,
        "paths": paths,
        "motifs": _motifs(motif_hits, chains),
        "known": pa.table({"tactic": list(TACTICS), "stage": list(TACTICS.values())}),
    }
    return conform_arrow(engine.query(_features_sql(p), tables), FEATURES)


def _motifs(motif_hits: pa.Table, chains: Collection[str]) -> pa.Table:
    """One row is one motif that was found: whether it is a chain, and whether it tells of a crossing into OT."""
    found = motif_hits["motif"].unique().to_pylist()
    columns = {
        "motif": pa.array(found, pa.string()),
        "is_chain": pa.array([motif in chains for motif in found], pa.bool_()),
        "is_crossing": pa.array([motif == CROSSING for motif in found], pa.bool_()),
    }
    return pa.table(columns)


def _features_sql(p: RankingParameters) -> str:
    rate = f"-ln(1 - least({p.max_share}, (heard_hours + 1) / (history_hours + {p.quiet_prior})))"
    outer = f"greatest({_outer_level('source', p)}, {_outer_level('target', p)})"
    return f"""
        WITH found AS (
            SELECT subgraph_id, list_sort(list(DISTINCT motif)) AS motifs, bool_or(is_chain) AS is_chain,
                min(ended_at) FILTER (is_crossing) AS crossed_at
            FROM motif_hits JOIN motifs USING (motif) GROUP BY subgraph_id
        ),
        measured AS (
            SELECT e.*, crossed_at,
                CASE WHEN target_zone = 'external' THEN 0 ELSE greatest(0, -ln({rate})) END AS quiet_nats,
                {{'name': target_entity, 'seen_hours': heard_hours, 'history_hours': history_hours}} AS quiet,
                {ACTS_ON_PROCESS} AS is_ot_act
            FROM episodes e LEFT JOIN found USING (subgraph_id)
        ),
        marked AS (
            SELECT *, is_ot_act AND coalesce(started_at >= crossed_at, false) AS acts_after_crossing,
                -- Whoever raises an alert says the name of the machine that acts: no name alone silences a way into OT.
                is_planned AND crossed_at IS NULL
                    AND NOT (is_ot_act AND coalesce(source_zone IN ('it', 'dmz', 'external'), false)) AS is_planned_here
            FROM measured
        ),
        facts AS (
            SELECT subgraph_id, site, min(started_at) AS first_seen, max(ended_at) AS last_seen,
                max(received_at) AS last_received,
                sum(n_alerts)::BIGINT AS n_alerts, count(*) AS n_episodes,
                min(history_hours) < {p.warm_up_hours} AS is_warm_up,
                max(quiet_nats) AS quiet_nats,
                max({{'nats': quiet_nats, 'quiet': quiet}}) FILTER (target_entity IS NOT NULL) AS quietest,
                coalesce(max(severity), 0) AS severity,
                max({outer}) - min(
                    CASE WHEN target_zone = 'ot' THEN coalesce(target_level, {p.ot_level}) END
                ) AS level_drop,
                max(acts_after_crossing::DOUBLE) AS ot_action,
                max({{'surprise': surprise, 'name': name}}) FILTER (acts_after_crossing) AS act,
                avg((is_planned_here OR is_announced)::DOUBLE) AS planned_share,
                avg(coalesce(source_zone = 'external', false)::DOUBLE) AS outside_share
            FROM marked GROUP BY subgraph_id, site
        ),
        hosts AS (
            SELECT subgraph_id, count(host) AS n_hosts
            FROM (
                SELECT subgraph_id, source_entity AS host FROM episodes
                UNION SELECT subgraph_id, target_entity FROM episodes
            )
            GROUP BY subgraph_id
        ),
        told AS (
            SELECT subgraph_id, started_at, tactics, unnest(tactics) AS tactic, generate_subscripts(tactics, 1) AS place
            FROM episodes
        ),
        tactics AS (
            SELECT subgraph_id, [one['tactic'] FOR one IN list_sort(list({{'first': first, 'tactic': tactic}}))] AS tactics,
                count(DISTINCT stage)::DOUBLE AS n_stages
            FROM (
                SELECT subgraph_id, tactic, min({{'at': started_at, 'among': tactics, 'place': place}}) AS first
                FROM told GROUP BY subgraph_id, tactic
            ) LEFT JOIN known USING (tactic)
            GROUP BY subgraph_id
        ),
        {rarity_sql(p)}
        SELECT facts.* REPLACE (
                quietest.quiet AS quietest,
                CASE WHEN crossed_at IS NULL THEN 0 ELSE greatest(0, coalesce(level_drop, 0)) END AS level_drop
            ),
            act.name AS act_name, n_hosts, ln(greatest(1, n_hosts)) AS ln_hosts, rarity_nats, n_types, rarest,
            coalesce(motifs, []::VARCHAR[]) AS motifs, coalesce(path, []::VARCHAR[]) AS path,
            CASE WHEN is_chain AND path IS NOT NULL THEN len(path) - 1 ELSE 0 END AS chain_hops,
            coalesce(tactics.tactics, []::VARCHAR[]) AS tactics, coalesce(n_stages, 0) AS n_stages, 0 AS memory_nats
        FROM facts JOIN hosts USING (subgraph_id) JOIN rarity USING (subgraph_id) LEFT JOIN found USING (subgraph_id)
            LEFT JOIN tactics USING (subgraph_id) LEFT JOIN paths USING (subgraph_id)
        """


def _outer_level(end: str, p: RankingParameters) -> str:
    """Purdue level of an end that is not in OT, in SQL."""
    return f"""CASE {end}_zone
        WHEN 'external' THEN coalesce({end}_level, {p.external_level})
        WHEN 'it' THEN coalesce({end}_level, {p.it_level})
        WHEN 'dmz' THEN coalesce({end}_level, {p.dmz_level})
    END"""
