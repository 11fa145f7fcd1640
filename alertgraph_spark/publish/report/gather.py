"""Gather what a page shows from the tables of a run: bounded, whatever the run's size, with a count of what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa

from alertgraph_spark.config.alert_exception import ENDS_SOON
from alertgraph_spark.tables.embedded import Engine

MAX_SHOWN, MAX_NEXT, MAX_HIDDEN = 40, 20, 20
"""Subgraphs on a page: those that are shown, those that come next by rank, and those that exceptions hide."""

MAX_QUESTIONS = 10
"""Subgraphs on a page whose verdict would teach most, those of the last days."""

MAX_EXCEPTIONS = 100
"""Exceptions on a page that somebody should look at again."""

MAX_WORDS = 10
"""Words of analysts on one subgraph."""

MAX_EVIDENCE = 100
"""Episodes of one subgraph on a page, the rarest first."""

MAX_IDS = 5
"""Alert ids in a row of the evidence."""

MAX_ACCOUNTS = 3
"""Accounts in a row of the evidence; an alert may name thousands."""

MAX_EDGES = 400
"""Pairs of one subgraph that its drawing looks at, those with most alerts first; it draws 40 hosts at most."""

MAX_HOSTS, MAX_PAIRS = 54, 900
"""Of the whole run: hosts of one zone and pairs in the overall network, those of shown subgraphs first, then those with most
alerts."""

Rows = list[dict[str, Any]]
Gathered = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# In each query below `chosen` holds the subgraphs of the page, by `subgraph_id`, and whether each `is_shown`.

_CHOSEN = f"""
    WITH first AS (
    (SELECT * FROM subgraphs WHERE is_shown ORDER BY rank LIMIT {MAX_SHOWN})
    UNION ALL
    (SELECT * FROM subgraphs WHERE NOT is_shown AND score > 0 AND len(suppressed_by) = 0 ORDER BY rank LIMIT {MAX_NEXT})
    UNION ALL
    (SELECT * FROM subgraphs WHERE len(suppressed_by) > 0 ORDER BY rank LIMIT {MAX_HIDDEN})
    )
    SELECT * FROM first
    UNION ALL SELECT * FROM subgraphs SEMI JOIN asked USING (subgraph_id) ANTI JOIN first USING (subgraph_id)
    ORDER BY rank
"""


def evidence_of_chosen(most: int = MAX_EVIDENCE) -> str:
    """SQL for the `most` rarest episodes of each subgraph in the order of time, with their first alerts by id."""
    return f"""
    WITH rarest AS (
        SELECT * FROM evidence SEMI JOIN chosen USING (subgraph_id)
        QUALIFY row_number() OVER (PARTITION BY subgraph_id ORDER BY surprise DESC, started_at, episode_id) <= {most}
    ), first_alerts AS (
        SELECT subgraph_id, episode_id, min(alert_id, {MAX_IDS}) AS alert_ids
        FROM members SEMI JOIN chosen USING (subgraph_id)
        GROUP BY subgraph_id, episode_id
    )
    SELECT rarest.* REPLACE (accounts[1:{MAX_ACCOUNTS}] AS accounts), coalesce(len(accounts), 0) AS n_accounts,
        first_alerts.alert_ids
    FROM rarest LEFT JOIN first_alerts USING (subgraph_id, episode_id)
    ORDER BY started_at, episode_id
"""


_EDGES = f"""
    SELECT * FROM edges SEMI JOIN chosen USING (subgraph_id)
    QUALIFY row_number() OVER (PARTITION BY subgraph_id ORDER BY n_alerts DESC, first_seen, source, target) <= {MAX_EDGES}
    ORDER BY first_seen, source, target
"""

# The hosts of each subgraph, those that most alerts name first, and how many there are. Accounts are no hosts.
_NODES = f"""
    WITH ends AS (SELECT subgraph_id, unnest([source, target]) AS node_id FROM edges SEMI JOIN chosen USING (subgraph_id))
    SELECT *, count(*) OVER (PARTITION BY subgraph_id) AS n_all
    FROM nodes SEMI JOIN ends USING (subgraph_id, node_id)
    QUALIFY row_number() OVER (PARTITION BY subgraph_id ORDER BY n_alerts DESC, node_id) <= {MAX_EDGES}
    ORDER BY subgraph_id, n_alerts DESC, node_id
"""

_HOSTS = f"""
    WITH ends AS (SELECT subgraph_id, unnest([source, target]) AS node_id FROM edges),
    shown AS (SELECT subgraph_id FROM chosen WHERE is_shown),
    hosts AS (
        SELECT site, node_id, label,
            bool_or(subgraph_id IN (FROM shown)) AS is_shown,
            sum(n_alerts)::BIGINT AS n_alerts,
            coalesce(max(zone) FILTER (zone <> 'unknown'), max(zone)) AS zone,
            max(role) AS role
        FROM nodes SEMI JOIN ends USING (subgraph_id, node_id)
        GROUP BY site, node_id, label
    )
    SELECT *, count(*) OVER (PARTITION BY zone) AS n_zone
    FROM hosts
    QUALIFY row_number() OVER (PARTITION BY zone ORDER BY is_shown DESC, n_alerts DESC, site, node_id) <= {MAX_HOSTS}
    ORDER BY is_shown DESC, n_alerts DESC, site, node_id
"""

_PAIRS = f"""
    WITH shown AS (SELECT subgraph_id FROM chosen WHERE is_shown)
    SELECT site, source, target,
        bool_or(subgraph_id IN (FROM shown)) AS is_shown,
        sum(n_alerts)::BIGINT AS n_alerts
    FROM edges
    WHERE source <> target
    GROUP BY site, source, target
    ORDER BY is_shown DESC, n_alerts DESC, site, source, target
    LIMIT {MAX_PAIRS}
"""

VERDICTS_OF_CHOSEN = f"""
    SELECT * FROM verdicts SEMI JOIN chosen USING (subgraph_id)
    QUALIFY row_number() OVER (PARTITION BY subgraph_id ORDER BY is_latest DESC, judged_at DESC, source) <= {MAX_WORDS}
    ORDER BY subgraph_id, is_latest DESC, judged_at DESC, source
"""
"""What stands of each subgraph first, then what was said before it, the latest first."""

# What is in force at the window's end, and ends soon or explains nothing.
_EXCEPTIONS = f"""
    SELECT * EXCLUDE (state) FROM exceptions
    WHERE state = 'in force'
        AND (n_episodes = 0 OR until <= TIMESTAMPTZ '{{end}}' + INTERVAL {ENDS_SOON.days} DAYS)
    ORDER BY until, id LIMIT {MAX_EXCEPTIONS}
"""


def gather(tables: Mapping[str, pa.Table], record: Mapping[str, Any]) -> Gathered:
    """Collect what a page shows.

    Parameters
    ----------
    tables
        Of a run as it was saved: `subgraphs`, `members`, `evidence`, `nodes`, `edges`, `exceptions` and `verdicts` of
        `schemas.RESULTS`, as Arrow tables or datasets. `members`, of the size of the alerts, is read once, a part at a time.
    record
        What its `run.json` holds.

    Returns
    -------
    dict
        `run`; `subgraphs`, best first, each with its `evidence`, `edges`, `verdicts` and counts; `network`; `n_hidden`, how
        many exceptions hide; and the `exceptions` that end soon or explain nothing. An episode has the first of its accounts,
        and `n_accounts`. Times are milliseconds since 1970, UTC.
    """
    with Engine() as engine:

        def rows(sql: str, *names: str) -> Rows:
            found = engine.query(sql, {name: known[name] for name in names}).to_pylist()
            return [{name: _value(value) for name, value in row.items()} for row in found]

        known = dict(tables)
        asked = [one["subgraph_id"] for one in record.get("questions", [])[-MAX_QUESTIONS:]]
        known["asked"] = pa.table({"subgraph_id": pa.array(asked, pa.string())})
        subgraphs = rows(_CHOSEN, "subgraphs", "asked")
        known["chosen"] = _chosen(subgraphs)
        evidence = _by_subgraph(rows(evidence_of_chosen(), "evidence", "members", "chosen"))
        edges = _by_subgraph(rows(_EDGES, "edges", "chosen"))
        nodes = _by_subgraph(rows(_NODES, "nodes", "edges", "chosen"))
        ((n_hidden,),) = engine.rows(
            "SELECT count(*) FROM subgraphs WHERE len(suppressed_by) > 0", {"subgraphs": known["subgraphs"]}
        )
        end = datetime.fromisoformat(record["window"]["end"]).isoformat()
        # A version before this one saved none.
        verdicts = _by_subgraph(rows(VERDICTS_OF_CHOSEN, "verdicts", "chosen")) if "verdicts" in known else {}
        exceptions = rows(_EXCEPTIONS.format(end=end), "exceptions")
        network = _network(rows(_HOSTS, "nodes", "edges", "chosen"), rows(_PAIRS, "edges", "chosen"))
    for row in subgraphs:
        key = row["subgraph_id"]
        row |= {"evidence": evidence.get(key, []), "edges": edges.get(key, []), "nodes": _hosts(nodes.get(key, []))}
        row["verdicts"] = verdicts.get(key, [])
    told = {"n_hidden": n_hidden, "exceptions": exceptions}
    return {"run": dict(record), "subgraphs": subgraphs, "network": network, **told}


def _chosen(subgraphs: Rows) -> pa.Table:
    kinds = {"subgraph_id": pa.string(), "is_shown": pa.bool_()}
    return pa.table({name: pa.array([row[name] for row in subgraphs], kind) for name, kind in kinds.items()})


def _hosts(nodes: Rows) -> dict[str, Any]:
    """The hosts of one subgraph by key, and how many there are; nothing where there is none."""
    return {"n_all": nodes[0]["n_all"], "of": {row["node_id"]: row for row in nodes}} if nodes else {}


def _network(hosts: Rows, pairs: Rows) -> dict[str, Any]:
    """Hosts and pairs of the whole run, those of the shown subgraphs first; and how many hosts there are."""
    known = {(row["site"], row["node_id"]) for row in hosts}
    lines = [row for row in pairs if {(row["site"], row["source"]), (row["site"], row["target"])} <= known]
    n_hosts = sum({row["zone"]: row["n_zone"] for row in hosts}.values())
    return {"hosts": hosts, "pairs": lines, "n_hosts": n_hosts}


def _by_subgraph(rows: Sequence[dict[str, Any]]) -> dict[str, Rows]:
    of_subgraph: dict[str, Rows] = {}
    for row in rows:
        of_subgraph.setdefault(row["subgraph_id"], []).append(row)
    return of_subgraph


def _value(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, dict):
        return {name: _value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_value(inner) for inner in value]
    return (value - _EPOCH) // timedelta(milliseconds=1) if isinstance(value, datetime) else value
