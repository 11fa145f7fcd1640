"""The tables of what is learned from verdicts."""

from __future__ import annotations

from alertgraph_spark.tables.table import table

SIGNATURES = table(
    "signatures",
    "one subgraph by which another can be recognised as like it; of those alone that are nearly strong enough to be shown",
    ("subgraph_id", "string", "subgraph", False),
    ("site", "string", "workspace", False),
    (
        "traits",
        "array<struct<trait:string,nats:double>>",
        "what it does, who takes part and what follows what, each with what it weighs; the rarest first",
        False,
    ),
    ("actors", "array<string>", "entities that act in it, and accounts", False),
    ("crossings", "array<string>", "its steps into OT: who on whom", False),
    ("is_act", "boolean", "it acts on the process, or on a controller", False),
    ("kinds", "array<string>", "roles, else zones, of the machines that act in it", False),
)

RECALLED = table(
    "recalled",
    "one subgraph that is like some that analysts have judged",
    ("subgraph_id", "string", "subgraph", False),
    ("memory_nats", "double", "by how much these raise or lower its strength, in nats", False),
    ("memory_log_odds", "double", "by how much these raise or lower its probability alone, as log-odds", False),
    ("memory_fact", "string", "which ones, how alike, judged what, by whom and when", False),
)
