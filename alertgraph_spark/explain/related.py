"""Related: other subgraphs of the site that have a rare entity in common with a shown one, and were not joined to it.

Steps of one intrusion that lie days apart on different hosts are seldom joined: no link is likely enough. A person who reads
the one can still look at the other.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from alertgraph_spark.explain.answers import with_answers
from alertgraph_spark.explain.sentences import label_of, listed, quoted
from alertgraph_spark.short_text import many
from alertgraph_spark.tables.embedded import Engine

MOST_RELATED = 3
"""Related subgraphs told of a shown one."""

RARE = 5
"""Subgraphs of a site that may have an entity in common: what more have is everyday, such as a domain controller."""


def with_related(engine: Engine, subgraphs: pa.Table, episodes: pa.Table) -> pa.Table:
    """Name beside each subgraph that is shown those that share a rare host, address or account with it.

    Parameters
    ----------
    engine
        DuckDB in this process.
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`).
    episodes
        One row is one episode with its `subgraph_id`. Those of the past are among them: an attack may have begun there.

    Returns
    -------
    pa.Table
        The same rows in the same order.

    Notes
    -----
    An entity weighs ln(N / n), with N subgraphs on the site of which n have it (its inverse document frequency: Spärck
    Jones 1972, doi:10.1108/eb026526), and only if n is `RARE` at most. Of all related ones the `MOST_RELATED` with the
    largest sum are named; of equal ones the nearest in time.
    """
    found = engine.rows(
        f"""
        WITH entities AS (
            SELECT site, subgraph_id, unnest([source_entity, target_entity] || accounts) AS entity FROM episodes
        ),
        rare AS (
            SELECT *, count(*) OVER (PARTITION BY site, entity) AS n
            FROM (SELECT DISTINCT * FROM entities WHERE entity IS NOT NULL) QUALIFY n BETWEEN 2 AND {RARE}
        ),
        shown AS (
            SELECT * FROM rare SEMI JOIN (SELECT subgraph_id FROM subgraphs WHERE is_shown) AS s USING (subgraph_id)
        ),
        spans AS (
            SELECT site, subgraph_id, epoch(min(started_at)) AS t0, epoch(max(ended_at)) AS t1,
                sum(n_alerts)::BIGINT AS n_alerts, arg_max(name, (surprise, -episode)) AS rarest
            FROM episodes GROUP BY site, subgraph_id
        ),
        sizes AS (
            SELECT site, count(*) AS n_subgraphs FROM spans GROUP BY site
        ),
        shared AS (
            SELECT here.subgraph_id, other.subgraph_id AS other,
                sum(ln(n_subgraphs / here.n) ORDER BY here.n) AS nats,
                list(here.entity ORDER BY here.n, here.entity) AS entities
            FROM shown AS here JOIN sizes USING (site) JOIN rare AS other
                ON here.site = other.site AND here.entity = other.entity AND here.subgraph_id <> other.subgraph_id
            GROUP BY here.subgraph_id, other.subgraph_id
        )
        SELECT shared.subgraph_id, other, entities, there.n_alerts, there.rarest,
            greatest(there.t0 - here.t1, 0) - greatest(here.t0 - there.t1, 0) AS wait
        FROM shared JOIN spans AS here ON here.subgraph_id = shared.subgraph_id
            JOIN spans AS there ON there.subgraph_id = other
        QUALIFY row_number() OVER (PARTITION BY shared.subgraph_id ORDER BY nats DESC, abs(wait), other) <= {MOST_RELATED}
        ORDER BY shared.subgraph_id, nats DESC, abs(wait), other
        """,
        {"subgraphs": subgraphs, "episodes": episodes},
    )
    said: dict[str, list[dict[str, Any]]] = {}
    for key, other, entities, n_alerts, rarest, wait in found:
        said.setdefault(key, []).append({"subgraph_id": other, "fact": relation(entities, wait, n_alerts, rarest)})
    return with_answers(subgraphs, "related", said)


def relation(entities: list[str], wait: float, n_alerts: int, rarest: str) -> str:
    """What a subgraph has in common with another, how long it lies behind it (in seconds; negative: before), and what it is.

    Examples
    --------
    >>> relation([r"account:corp\\meyer", "host:fs01"], 3 * 86_400, 12, "New service")
    'account corp\\\\meyer, host fs01 in common; 3 days later; 12 alerts, rarest “New service”'
    """
    named = [f"{kind} {label_of(key)}" for key in entities if (kind := key.partition(":")[0])]
    return f"{listed(named, 3)} in common; {_wait(wait)}; {many(n_alerts, 'alert')}, rarest {quoted(rarest)}"


def _wait(seconds: float) -> str:
    if not seconds:
        return "at the same time"
    hours = abs(seconds) / 3600
    units = ((hours / 24, "days", 2), (hours, "hours", 2), (hours * 60, "minutes", 0))
    n, unit = next((n, unit) for n, unit, least in units if n >= least)
    return f"{n:.0f} {unit} {'later' if seconds > 0 else 'before'}"
