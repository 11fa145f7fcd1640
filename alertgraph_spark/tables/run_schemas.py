"""The tables on a run itself: what it did, and what its exceptions hid; the vocabulary stands in `schemas`."""

from __future__ import annotations

from alertgraph_spark.tables.table import table

EXPLAINED_BY = "array<struct<id:string,owner:string,reason:string,ticket:string,until:timestamp>>"
"""The exceptions that explain a subgraph, by id: who answers for each, why, and until when."""

EXCEPTION_STATES = ("in force", "ended", "not yet begun")
"""What an exception is at the end of a run's window."""

EXCEPTIONS = table(
    "exceptions",
    "one exception of the configuration, and what it hid in one run",
    ("id", "string", "given, else made of what it names and when it begins", False),
    ("site", "string", "workspace in which it holds; null: in all"),
    ("names", "string", "what it names, in words", False),
    ("owner", "string", "who answers for it", False),
    ("reason", "string", "why it was made", False),
    ("ticket", "string", "ticket about it"),
    ("begins", "timestamp", "it explains what became known from then on", False),
    ("until", "timestamp", "it explains nothing that became known from then on", False),
    ("state", "string", f"at the end of the window: {', '.join(EXCEPTION_STATES)}", False),
    ("n_episodes", "bigint", "episodes of the run's subgraphs that it explains", False),
    ("n_hidden", "bigint", "subgraphs of the run that it hides, alone or with others", False),
)

RUNS = table(
    "runs",
    "one run, posted last: where it stands, the run's other rows have been posted",
    ("window_start", "timestamp", "first TimeGenerated that counted", False),
    ("window_end", "timestamp", "first TimeGenerated that did not count any more", False),
    ("config_digest", "string", "hash of its settings", False),
    ("engine", "string", "graph engine that was taken", False),
    ("versions", "array<struct<name:string,version:string>>", "what ran", False),
    ("counts", "array<struct<name:string,n:bigint>>", "what became of the rows read, and what was found", False),
    ("rejected_by_reason", "array<struct<name:string,n:bigint>>", "rows refused, by reason", False),
    ("n_posted", "bigint", "subgraphs that it posted, since they are new or changed; null: all"),
    ("withdrawn", "array<struct<site:string,subgraph_id:string>>", "subgraphs posted before that it did not find"),
    ("freshness_median_seconds", "double", "receipt of a new row to the posting of its subgraph; null: no new row"),
    ("freshness_max_seconds", "double", "the same, of the subgraph that waited longest"),
)
