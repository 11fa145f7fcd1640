"""Motifs: where a pattern of attack holds, and what counts as one match of it. The patterns are in `records`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import pyarrow as pa

from alertgraph_spark.graph import in_process
from alertgraph_spark.match.records import FACTS, LINK_FACTS, MOTIFS, Motif
from alertgraph_spark.match.vertices import list_vertices
from alertgraph_spark.tables.embedded import Engine, arrow_schema, conform_arrow, episode_id
from alertgraph_spark.tables.schemas import MOTIF_HITS

FindMatches = Callable[[str, str, pa.Table, pa.Table], pa.Table]
"""Pattern, condition, vertices and edges to the ids of each match, as `graph.in_process.find_matches` gives them."""


def match_motifs(
    engine: Engine,
    episodes: pa.Table,
    links: pa.Table,
    motifs: Sequence[Motif] = MOTIFS,
    find_matches: FindMatches | None = None,
) -> pa.Table:
    """Find every match of every motif.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with `subgraph_id` and `is_linked`. Those without a link are in no match.
    links
        The links that were not cut, so that a match lies inside one subgraph.
    motifs
        The patterns that are looked for.
    find_matches
        The graph engine; the one in this process if not given.

    Returns
    -------
    pa.Table
        One row is one match (`schemas.MOTIF_HITS`), in order of subgraph, motif and episodes.

    Raises
    ------
    ConfigError
        If a motif's pattern or condition cannot be read.

    Notes
    -----
    What counts gives a row a hub, however many its spokes; else a match is one way through its episodes, and comes to no
    entity twice. A motif costs its pattern's joins and one pass over what they found.
    """
    find_matches = find_matches or partial(in_process.find_matches, engine)
    vertices = list_vertices(engine, episodes)
    facts, edges = vertices.select(["id", *FACTS]), links.select(["src", "dst", *LINK_FACTS])
    hits = [arrow_schema(MOTIF_HITS).empty_table()]
    for motif in motifs:
        found = find_matches(motif.pattern, motif.where, facts, edges)
        if not found.num_rows:
            continue
        sql = _hub_sql(motif, vertices.schema) if motif.hub else _chain_sql(motif)
        matched = engine.query(sql, {"found": found, "vertices": vertices})
        hits.append(conform_arrow(matched.append_column("motif", pa.repeat(motif.id, matched.num_rows)), MOTIF_HITS))
    in_order = "SELECT * FROM hits ORDER BY subgraph_id, motif, episodes, path"
    return conform_arrow(engine.query(in_order, {"hits": pa.concat_tables(hits)}), MOTIF_HITS)


def _chain_sql(motif: Motif) -> str:
    """Matches from the ids found: an answer on the way back is no further hop, so a path that comes back is no match."""
    first, last = motif.chain[0], motif.chain[-1]
    stops = [f"{first}.origin", *(f"{name}.destination" for name in motif.chain)]
    # A host that is named twice in a row (an alert about itself) is one stop of the path.
    new = [f"CASE WHEN {stop} <> {before} THEN {stop} END" for before, stop in pairwise(stops)]
    joins = [f"JOIN vertices AS {name} ON {name}.id = found.{name}" for name in motif.chain]
    ids = ", ".join(episode_id(f"{name}.id") for name in motif.chain)
    return f"""
        WITH stopped AS (
            SELECT {first}.subgraph_id, [{ids}] AS episodes, [{", ".join([stops[0], *new])}] AS stops,
                {first}.started_at, {last}.started_at AS ended_at
            FROM found {" ".join(joins)}
        ),
        gone AS (SELECT *, [stop FOR stop IN stops IF stop IS NOT NULL] AS path FROM stopped)
        SELECT * FROM gone WHERE len(list_distinct(path)) = len(path) AND len(path) >= {motif.fewest_stops}
        """


def _hub_sql(motif: Motif, schema: pa.Schema) -> str:
    """Matches from the ids found: the episodes of a hub with enough spokes; the path is who acts, then who is acted upon."""
    n_spokes = f"count(DISTINCT {motif.spokes})"
    if pa.types.is_list(schema.field(motif.spokes).type):
        n_spokes = f"len(list_distinct(flatten(list({motif.spokes}))))"
    regular = f"""
        SEMI JOIN (
            SELECT hub
            FROM (
                SELECT hub, t0 - lag(t0) OVER (PARTITION BY hub ORDER BY t0) AS gap
                FROM (SELECT DISTINCT hub, t0 FROM parts)
            )
            GROUP BY hub
            HAVING 1 - mad(gap) / median(gap) >= {motif.regularity}
        ) USING (hub)
        """
    return f"""
        WITH hubs AS MATERIALIZED (
            SELECT row_number() OVER () AS hub, ids
            FROM (
                SELECT list(id) AS ids
                FROM vertices SEMI JOIN found ON found.{motif.chain[0]} = vertices.id
                GROUP BY subgraph_id, {", ".join(motif.hub)}
                HAVING {n_spokes} >= {motif.at_least}
            )
        ),
        parts AS (
            SELECT hub, vertices.*
            FROM (SELECT hub, unnest(ids) AS id FROM hubs) JOIN vertices USING (id)
        ),
        hits AS (
            SELECT hub, any_value(subgraph_id) AS subgraph_id,
                list({episode_id("id")} ORDER BY t0, id) AS episodes,
                list_sort(list_distinct(list(origin))) AS origins,
                list_sort(list_distinct(list(destination))) AS destinations,
                min(started_at) AS started_at, max(started_at) AS ended_at
            FROM parts
            GROUP BY hub
        )
        SELECT *, origins || [name FOR name IN destinations IF NOT list_contains(origins, name)] AS path
        FROM hits {regular if motif.regularity else ""}
        """
