"""The tables on what analysts judged; the vocabulary stands in `schemas`."""

from __future__ import annotations

from alertgraph_spark.tables.table import table

STANDING = ("true_positive", "benign_positive", "false_positive", "undetermined")
"""What an analyst can say of an incident: the four values of `Classification` in the table SecurityIncident
(learn.microsoft.com/azure/azure-monitor/reference/tables/securityincident)."""

REOPENED = "reopened"
"""The verdict of an incident that was closed and is worked on again: what was said of it does not stand."""

INCIDENTS = table(
    "incidents",
    "one change of one incident, as Sentinel exports it",
    ("site", "string", "workspace", False),
    ("incident", "string", "number of the incident; null where the row has none"),
    ("status", "string", "New, Active or Closed"),
    ("classification", "string", "what the analyst said of it"),
    ("classification_reason", "string", "which of Sentinel's reasons"),
    ("comment", "string", "the analyst's words"),
    ("modified_by", "string", "who made this change"),
    ("owner", "string", "to whom it is assigned, as JSON"),
    ("modified_at", "timestamp", "when it was changed"),
    ("closed_at", "timestamp", "when it was closed; null where it is open"),
    ("alert_ids", "string", "SystemAlertId of its alerts, as a JSON list"),
    ("labels", "string", "its tags, as JSON"),
)

VERDICTS = table(
    "verdicts",
    "one word of an analyst on one subgraph, or on an incident in which no subgraph is known",
    ("site", "string", "workspace; null where a list does not say it"),
    ("subgraph_id", "string", "subgraph; null where none is known"),
    ("verdict", "string", f"{', '.join(STANDING)}; or {REOPENED}: what was said before does not stand", False),
    ("is_latest", "boolean", "it is what stands of the subgraph now", False),
    ("certainty", "double", "that the subgraph is what was judged, in (0, 1]; 0 where none is known", False),
    ("judged_by", "string", "who said it"),
    ("judged_at", "timestamp", "when", False),
    ("reason", "string", "why, in the analyst's words and Sentinel's"),
    ("source", "string", "the incident, as `incident 42`, or the name of the list", False),
    ("matched_by", "string", "by what the subgraph is known: our alert, its alerts, its id; null where none is known"),
    ("unmatched", "string", "why none is known; null where one is"),
)


def verdict_of(word: str | None) -> str | None:
    """The verdict that a word means in any spelling; None where it means none.

    Examples
    --------
    >>> [verdict_of(word) for word in ("TruePositive", "benign positive", "False_Positive", "maybe")]
    ['true_positive', 'benign_positive', 'false_positive', None]
    """
    bare = "".join(sign for sign in (word or "").lower() if sign.isalpha())
    return next((verdict for verdict in STANDING if verdict.replace("_", "") == bare), None)
