"""Draw: a subgraph as people see it, entities as nodes and alerts between them as edges, and the episodes behind it."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.tables.embedded import Engine, conform_arrow, episode_id
from alertgraph_spark.tables.network_schemas import EDGES, NODES
from alertgraph_spark.tables.schemas import EVIDENCE

MAX_NAMES = 10
"""Alert names kept on an edge."""


class Network(NamedTuple):
    """The tables `schemas.NODES`, `schemas.EDGES` and `schemas.EVIDENCE`."""

    nodes: pa.Table
    edges: pa.Table
    evidence: pa.Table


def draw_network(engine: Engine, episodes: pa.Table) -> Network:
    """Draw subgraphs as entities and the arrows between them.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with its `subgraph_id`.

    Returns
    -------
    Network
        Nodes, edges, and the alerts behind each edge.
    """
    return Network(_nodes(engine, episodes), _edges(engine, episodes), _evidence(engine, episodes))


def _nodes(engine: Engine, episodes: pa.Table) -> pa.Table:
    """One row is one entity in one subgraph.

    Accounts are nodes of their own; their zone is that of the target. An
    account that is an end itself is counted once. The zone is any that is known, OT before it.
    """
    seen = "subgraph_id, site, started_at, ended_at, n_alerts"
    nodes = engine.query(
        f"""
        WITH named AS (
            SELECT {seen}, source_entity AS node_id, source_zone AS zone, source_role AS role FROM episodes
            UNION ALL SELECT {seen}, target_entity, target_zone, target_role FROM episodes
            UNION ALL SELECT {seen}, account, zone, NULL FROM (
                SELECT {seen}, source_entity, target_entity, target_zone AS zone, unnest(list_distinct(accounts)) AS account
                FROM episodes
            )
            WHERE account IS DISTINCT FROM source_entity AND account IS DISTINCT FROM target_entity
        )
        SELECT subgraph_id, site, node_id, substr(node_id, instr(node_id, ':') + 1) AS label,
            split_part(node_id, ':', 1) AS kind,
            coalesce(max(zone) FILTER (zone <> 'unknown'), 'unknown') AS zone,
            CASE WHEN max(zone) FILTER (zone <> 'unknown') = 'ot' THEN 'OT' ELSE 'IT' END AS domain,
            max(role) AS role, sum(n_alerts)::BIGINT AS n_alerts,
            min(started_at) AS first_seen, max(ended_at) AS last_seen
        FROM named
        WHERE node_id IS NOT NULL
        GROUP BY subgraph_id, site, node_id
        """,
        {"episodes": episodes},
    )
    return conform_arrow(nodes, NODES)


def _edges(engine: Engine, episodes: pa.Table) -> pa.Table:
    """One row is one ordered pair of entities in one subgraph.

    An alert about one host is a loop. Names are the most surprising.
    """
    pair = "subgraph_id, site, source, target"
    edges = engine.query(
        f"""
        WITH types AS (
            SELECT subgraph_id, site, coalesce(source_entity, target_entity) AS source, target_entity AS target, name,
                max(surprise) AS surprise, sum(n_alerts) AS n_alerts, count(*) AS n_episodes, max(severity) AS severity,
                min(started_at) AS started_at, max(ended_at) AS ended_at
            FROM episodes
            WHERE target_entity IS NOT NULL
            GROUP BY ALL
        )
        SELECT {pair},
            [one['name'] FOR one IN list_reverse_sort(list({{'surprise': surprise, 'name': name}}))[1:{MAX_NAMES}]] AS names,
            sum(n_alerts)::BIGINT AS n_alerts, sum(n_episodes)::BIGINT AS n_episodes,
            coalesce(max(severity), 0) AS max_severity, min(started_at) AS first_seen, max(ended_at) AS last_seen
        FROM types
        GROUP BY {pair}
        """,
        {"episodes": episodes},
    )
    return conform_arrow(edges, EDGES)


def _evidence(engine: Engine, episodes: pa.Table) -> pa.Table:
    """One row is one episode in one subgraph, in the order given."""
    evidence = engine.query(f"SELECT *, {episode_id('episode')} AS episode_id FROM episodes", {"episodes": episodes})
    return conform_arrow(evidence, EVIDENCE)
