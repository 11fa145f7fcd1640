"""Contacts: who answers for the hosts of a subgraph, what to do about them, and under which changes work was announced."""

from __future__ import annotations

import pyarrow as pa

from alertgraph_spark.explain.sentences import MAX_IDS
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.schemas import SUBGRAPHS

MAX_OWNERS, MAX_TICKETS = 5, 5
"""Hosts and changes that are told of one subgraph: more is no contact but a list."""


def with_contacts(
    engine: Engine, subgraphs: pa.Table, episodes: pa.Table, contacts: pa.Table, calendar: pa.Table
) -> pa.Table:
    """Say of each subgraph who answers for its hosts, and under which changes work was announced.

    It is written into `owners` and `tickets`, and among `checks` before the last. A shown subgraph has it in the last
    sentence of its story, too, which names alerts of the whole story.

    Parameters
    ----------
    engine
        DuckDB in this process.
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`), with its story.
    episodes
        One row is one episode with its `subgraph_id`.
    contacts
        `interim_schemas.CONTACTS`.
    calendar
        `interim_schemas.CALENDAR`. A change counts where the machine that acts, or that an alert without a source is about,
        begins an episode in its window, as for what is planned.

    Returns
    -------
    pa.Table
        The same rows in the same order.
    """
    if not contacts.num_rows and calendar["ticket"].null_count == calendar.num_rows:
        return subgraphs
    columns = ["subgraph_id", "site", "source_entity", "target_entity", "started_at", "n_alerts"]
    tables = {"episodes": episodes.select(columns), "contacts": contacts, "calendar": calendar}
    numbered = subgraphs.append_column("place", pa.array(range(subgraphs.num_rows), pa.int64()))
    found = engine.query(_TOLD, {**tables, "subgraphs": numbered})
    return conform_arrow(found, SUBGRAPHS)


_LABEL = "substr({0}, instr({0}, ':') + 1)"
_OWNED = f"""[{_LABEL.format("one.entity")} || ' is owned by ' || one.owner FOR one IN new_owners IF one.owner IS NOT NULL]"""
_BOOKS = f"""['The runbook of ' || {_LABEL.format("one.entity")} || ': ' || one.runbook
    FOR one IN new_owners IF one.runbook IS NOT NULL]"""
_CHANGES = """CASE WHEN len(new_tickets) = 0 THEN [] ELSE
    ['Compare it with the work that was announced: ' || array_to_string(new_tickets, ', ') || '.'] END"""
_SENTENCE = f"""CASE WHEN len({_OWNED}) > 0 THEN 'Of its hosts ' || array_to_string({_OWNED}, ', ')
        || CASE WHEN len(new_tickets) > 0 THEN '; work was announced under ' || array_to_string(new_tickets, ', ') ELSE '' END
    WHEN len(new_tickets) > 0 THEN 'Work was announced under ' || array_to_string(new_tickets, ', ') END || '.'"""

_TOLD = f"""
    WITH ends AS (
        SELECT subgraph_id, entity, sum(n_alerts) AS n FROM (
            SELECT subgraph_id, source_entity AS entity, n_alerts FROM episodes
            UNION ALL SELECT subgraph_id, target_entity, n_alerts FROM episodes
            WHERE target_entity IS DISTINCT FROM source_entity
        )
        GROUP BY subgraph_id, entity
    ),
    owners AS (
        SELECT subgraph_id, list({{'entity': entity, 'owner': owner, 'runbook': runbook}}
            ORDER BY coalesce(list_position(path, entity), 0) DESC, n DESC, entity)[1:{MAX_OWNERS}] AS new_owners
        FROM ends JOIN contacts USING (entity) JOIN (SELECT subgraph_id, path FROM subgraphs) USING (subgraph_id)
        GROUP BY subgraph_id
    ),
    tickets AS (
        SELECT subgraph_id, list_sort(list(DISTINCT ticket))[1:{MAX_TICKETS}] AS new_tickets
        FROM episodes e JOIN calendar c ON coalesce(source_entity, target_entity) = machine
            AND (c.site IS NULL OR c.site = e.site) AND c.begins <= e.started_at AND e.started_at < c.ends
        WHERE ticket IS NOT NULL
        GROUP BY subgraph_id
    ),
    known AS (
        SELECT subgraphs.*, coalesce(new_owners, []) AS new_owners, coalesce(new_tickets, []) AS new_tickets
        FROM subgraphs LEFT JOIN owners USING (subgraph_id) LEFT JOIN tickets USING (subgraph_id)
    )
    SELECT * REPLACE (
        new_owners AS owners, new_tickets AS tickets,
        checks[:-2] || [text || '.' FOR text IN {_OWNED}] || {_BOOKS} || {_CHANGES} || checks[-1:] AS checks,
        story || CASE WHEN len(story) = 0 OR {_SENTENCE} IS NULL THEN [] ELSE [{{'sentence': {_SENTENCE},
            'alert_ids': list_sort(list_distinct(flatten([part.alert_ids FOR part IN story])))[1:{MAX_IDS}]}}] END AS story
    )
    FROM known ORDER BY place
"""
