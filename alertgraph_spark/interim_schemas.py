"""Tables that live between two stages and are never saved; those that a run saves stand in `schemas`, with the vocabulary."""

from __future__ import annotations

from alertgraph_spark.table import table

ALIASES = table(
    "aliases",
    "a span of time in which an address belonged to one host, by the word of a row that names both",
    ("site", "string", "workspace", False),
    ("address", "string", "entity key of the address: ip or mac", False),
    ("host", "string", "entity key of the host", False),
    ("valid_from", "timestamp", "first alert of the hour that names both", False),
    ("valid_until", "timestamp", "when this ceases to hold", False),
)

SESSIONS = table(
    "sessions",
    "what happens on one host without a pause, told by alerts about that host alone",
    ("site", "string", "workspace", False),
    ("host", "string", "entity key of the host", False),
    ("session", "bigint", "the episode that begins it", False),
    ("started_at", "timestamp", "start of its first episode", False),
    ("ended_at", "timestamp", "end of its last episode", False),
    ("history_hours", "double", "hours of history that the site had before it", False),
    ("strength", "double", "sum of the surprise of its alert types, in nats", False),
    ("band", "int", "class of strength: each begins a ninth above the one before", False),
    ("site_rate", "double", "past sessions as strong, an hour, at the site", False),
    ("host_rate", "double", "the same at the host", False),
)

PATHS = table(
    "paths",
    "the longest time-respecting path of one subgraph",
    ("subgraph_id", "string", "subgraph", False),
    ("path", "array<string>", "entities along it, in the order of time, none twice; null where there is none"),
)
