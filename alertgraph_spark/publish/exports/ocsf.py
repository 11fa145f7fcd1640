"""A subgraph as an Incident Finding of the Open Cybersecurity Schema Framework, version 1.8.0.

References
----------
Incident Finding (2005): https://schema.ocsf.io/1.8.0/classes/incident_finding
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from alertgraph_spark.publish.exports.cases import Case, Row, Run, techniques_of
from alertgraph_spark.publish.exports.stix_objects import PRODUCT, instant
from alertgraph_spark.publish.exports.techniques import ENTERPRISE, ICS, VERSION, Technique, tactic
from alertgraph_spark.publish.exports.told import heading, sections, sentence
from alertgraph_spark.publish.plain_text import label, plain
from alertgraph_spark.short_text import QUOTED

OCSF = "1.8.0"
"""The version of the schema."""

SEVERITIES = ((0.85, 5, "Critical"), (0.65, 4, "High"), (0.4, 3, "Medium"), (0.2, 2, "Low"), (0.0, 1, "Informational"))
"""Least severity, its id and its name; the steps of the incident rule, and one above them."""

CONFIDENCES = ((2 / 3, 3, "High"), (1 / 3, 2, "Medium"), (0.0, 1, "Low"))

OBSERVABLES = {"host": (1, "Hostname"), "ip": (2, "IP Address"), "mac": (3, "MAC Address"), "account": (4, "User Name")}
"""Kind of an entity to the type of an observable; any other is `Other`."""

UNMAPPED = (
    *("score", "probability", "rank", "is_shown", "suppressed_by", "motifs", "path", "contributions"),
    *("counterfactual", "related"),
)
"""Columns of `schemas.SUBGRAPHS` for which the schema has no place."""

ENDS = ("source_entity", "target_entity", "source_zone", "target_zone", "source_level", "target_level", "accounts")
"""Columns of `schemas.EVIDENCE` that say between whom an episode is, and of which network and level they are."""

ANALYTIC = {"name": PRODUCT, "type_id": 99, "type": "Graph of alerts"}


def incident_findings(run: Run, cases: Sequence[Case]) -> str:
    """Subgraphs as events, one JSON object a line; without a subgraph no line."""
    return "".join(json.dumps(_event(run, case)) + "\n" for case in cases)


def _event(run: Run, case: Case) -> dict[str, Any]:
    row = case.row
    severity_id, severity = _step(SEVERITIES, row["severity"]) if row["severity"] else (0, "Unknown")
    confidence_id, confidence = _step(CONFIDENCES, row["probability"])
    return {
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2005,
        "class_name": "Incident Finding",
        "type_uid": 200501,
        "type_name": "Incident Finding: Create",
        "time": _millis(run.told_at),
        "start_time": _millis(row["first_seen"]),
        "end_time": _millis(row["last_seen"]),
        "count": row["n_alerts"],
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "confidence_id": confidence_id,
        "confidence": confidence,
        "confidence_score": round(100 * row["probability"]),
        "message": heading(case),
        "desc": plain(row["summary"]),
        "assignee_group": {"name": "unassigned"},
        "attacks": _attacks([*case.techniques], row["tactics"]),
        "finding_info_list": [_whole(run, case), *(_finding(case, one) for one in case.episodes)],
        "observables": [*_observables(case)],
        "metadata": {
            "version": OCSF,
            "uid": f"{run.run_id}/{case.id}",
            "correlation_uid": case.id,
            "tenant_uid": plain(case.site),
            "profiles": ["incident"],
            "product": _product(run),
        },
        "unmapped": {
            **{name: _plain_values(row[name]) for name in UNMAPPED},
            "told": dict(sections(case)),
        },
    }


def _whole(run: Run, case: Case) -> dict[str, Any]:
    """The subgraph itself as a finding: the graph of what led to what, an episode a node."""
    nodes = [
        {
            "uid": one["episode_id"],
            "name": plain(one["name"], QUOTED),
            "desc": sentence(one),
            "data": {name: _plain_values(one[name]) for name in ENDS},
        }
        for one in case.episodes
    ]
    edges = [
        {
            "uid": f"{one['cause_id']}-{one['episode_id']}",
            "name": "leads to",
            "source": one["cause_id"],
            "target": one["episode_id"],
            "relation": one["kind"],
            "is_directed": True,
            "data": {"entity": plain(one["entity"]), "gap_minutes": one["gap_minutes"], "weight": one["weight"]},
        }
        for one in case.causes
    ]
    return {
        "uid": case.id,
        "title": heading(case),
        "desc": plain(case.row["summary"]),
        "types": ["Subgraph"],
        "first_seen_time": _millis(case.row["first_seen"]),
        "last_seen_time": _millis(case.row["last_seen"]),
        "created_time": _millis(run.told_at),
        "analytic": ANALYTIC,
        "product": _product(run),
        "attack_graph": {
            "uid": case.id,
            "name": "In causal order",
            "is_directed": True,
            "nodes": nodes,
            "edges": edges,
        },
    }


def _finding(case: Case, row: Row) -> dict[str, Any]:
    """An episode as a finding, with the alerts behind it."""
    attacks = _attacks(techniques_of(row), row["tactics"], ICS if row["target_zone"] == "ot" else ENTERPRISE)
    events = [{"uid": plain(one), "title": plain(row["name"], QUOTED)} for one in row["alert_ids"] or ()]
    return {
        "uid": row["episode_id"],
        "title": plain(row["name"], QUOTED),
        "desc": sentence(row),
        "types": ["Episode"],
        "first_seen_time": _millis(row["started_at"]),
        "last_seen_time": _millis(row["ended_at"]),
        "data_sources": [row["source"]],
        **({"attacks": attacks} if attacks else {}),
        **({"related_events": events} if events else {}),
        "related_events_count": row["n_alerts"],
    }


def _attacks(techniques: Sequence[Technique], tactics: Sequence[str], matrix: str = ENTERPRISE) -> list[dict[str, Any]]:
    """Techniques, each with the technique above it; then the tactics, for an alert does not say which is whose."""
    found: list[dict[str, Any]] = []
    for one in techniques:
        parent, _, below = one.id.partition(".")
        names = one.name.split(": ", 1)
        said: dict[str, Any] = {
            "technique": {"uid": parent, "name": names[0], "src_url": Technique(parent, "", "").url}
        }
        if below:
            said["sub_technique"] = {"uid": one.id, "name": names[-1], "src_url": one.url}
        found.append({**said, "version": VERSION})
    named = dict.fromkeys(tactic(name, matrix) for name in tactics)
    return [*found, *({"tactic": {"uid": one.id, "name": one.name}, "version": VERSION} for one in named)]


def _observables(case: Case) -> Iterator[dict[str, Any]]:
    for key in case.keys:
        kind = key.partition(":")[0]
        type_id, name = OBSERVABLES.get(kind, (99, plain(kind)))
        yield {"type_id": type_id, "type": name, "value": label(key)}


def _product(run: Run) -> dict[str, Any]:
    return {"name": PRODUCT, "vendor_name": PRODUCT, **({"version": run.version} if run.version else {})}


def _plain_values(value: Any) -> Any:
    """A value with every text in it made plain, and a time as ISO 8601."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, dict):
        return {name: _plain_values(one) for name, one in value.items()}
    return [_plain_values(one) for one in value] if isinstance(value, list) else value


def _step(steps: Sequence[tuple[float, int, str]], value: float) -> tuple[int, str]:
    return next((number, name) for least, number, name in steps if value >= least)


def _millis(time: datetime) -> int:
    return int(time.timestamp() * 1000)
