"""The tables of the network that a person sees: entities and the pairs of them; the vocabulary stands in `schemas`."""

from __future__ import annotations

from alertgraph_spark.tables.table import table

NODES = table(
    "nodes",
    "one entity in one subgraph",
    ("subgraph_id", "string", "subgraph", False),
    ("site", "string", "workspace", False),
    ("node_id", "string", "entity key", False),
    ("label", "string", "the key without its kind", False),
    ("kind", "string", "host, ip, account, device, mac", False),
    ("zone", "string", "zone of the entity", False),
    ("domain", "string", "IT or OT: what the workbook colours by", False),
    ("role", "string", "role in the asset list"),
    ("n_alerts", "bigint", "alerts that name it here", False),
    ("first_seen", "timestamp", "first alert here", False),
    ("last_seen", "timestamp", "last alert here", False),
)

EDGES = table(
    "edges",
    "one ordered pair of entities in one subgraph",
    ("subgraph_id", "string", "subgraph", False),
    ("site", "string", "workspace", False),
    ("source", "string", "node_id of the source", False),
    ("target", "string", "node_id of the target; a self-loop is an alert about one host", False),
    ("names", "array<string>", "alert names on the pair, at most 10", False),
    ("n_alerts", "bigint", "alerts on the pair", False),
    ("n_episodes", "bigint", "episodes on the pair", False),
    ("max_severity", "double", "highest severity, 0 where none is given", False),
    ("first_seen", "timestamp", "first alert", False),
    ("last_seen", "timestamp", "last alert", False),
)
