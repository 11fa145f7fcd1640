"""What a motif and a path see of an episode."""

from __future__ import annotations

import pyarrow as pa

from alertgraph_spark.tables.embedded import Engine


def list_vertices(engine: Engine, episodes: pa.Table) -> pa.Table:
    """List the vertices of the graph; one row is one linked episode: `id`, `subgraph_id`, `started_at` and `records.FACTS`.

    An alert about one host begins and ends there: `origin` is `destination`. `victims` are the accounts that it names, else
    its `destination`; `t0` is its start in microseconds since 1970.
    """
    return engine.query(
        """
        SELECT episode AS id, subgraph_id, source, name, tactics, started_at, epoch_us(started_at) AS t0,
            coalesce(source_entity, target_entity) AS origin, target_entity AS destination,
            CASE WHEN source_entity IS NULL THEN target_zone ELSE source_zone END AS origin_zone,
            target_zone AS destination_zone,
            CASE WHEN len(accounts) > 0 THEN accounts ELSE [target_entity] END AS victims
        FROM episodes
        WHERE is_linked
        """,
        {"episodes": episodes},
    )
