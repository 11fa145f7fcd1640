"""Render: one HTML file that holds all it needs and asks no network for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from typing import Any

from bokeh.resources import Resources

from alertgraph_spark.publish.report.figures import figures
from alertgraph_spark.publish.report.layout import drawn
from alertgraph_spark.publish.report.looks import ZONES, graph_data, network_data
from alertgraph_spark.short_text import CELL, HEADING, SENTENCE, WORD, short
from alertgraph_spark.tables.attack import TACTICS

_NO_TACTIC = "no tactic named"
_KEPT = (
    *(
        "subgraph_id",
        "site",
        "score",
        "probability",
        "rank",
        "is_shown",
        "first_seen",
        "last_seen",
        "n_alerts",
        "n_episodes",
        "n_hosts",
    ),
    *("tactics", "motifs", "severity", "path"),
)


def render(gathered: Mapping[str, Any]) -> str:
    """Render what `gather` collected as HTML.

    Notes
    -----
    Names of hosts and alerts are written by whoever attacks: they stand in a data block that no browser runs, with `<`
    escaped, and reach the page as text. A content security policy lets run only the scripts whose hash it holds, and lets
    nothing be fetched.
    """
    network = network_data(gathered["network"])
    found = [_subgraph(row) for row in gathered["subgraphs"]]
    data = {
        "run": gathered["run"],
        "network": {"n_hosts": gathered["network"]["n_hosts"]},
        "subgraphs": found,
        "n_hidden": gathered["n_hidden"],
        "exceptions": [_exception(row) for row in gathered["exceptions"]],
        "figures": figures(network),
        "zones": {
            zone: {"name": name, "color": color, "marker": marker} for zone, (name, color, marker) in ZONES.items()
        },
    }
    library, script = _library(), _file("page.js")
    title = f"alertgraph {gathered['run'].get('run_id', '')}".strip()
    return _filled(
        _file("page.html"),
        title=escape(title),
        policy=_policy([library, script]),
        style=_file("page.css"),
        data=_block(data),
        library=library,
        script=script,
    )


def _filled(template: str, **parts: str) -> str:
    pieces = template.split("@@")  # text and names in turn
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def _file(name: str) -> str:
    return resources.files("alertgraph_spark.publish.report").joinpath(name).read_text(encoding="utf-8")


def _library() -> str:
    return str(Resources(mode="inline", components=["bokeh"]).js_raw[0])


def _policy(scripts: Iterable[str]) -> str:
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _block(data: Mapping[str, Any]) -> str:
    text = json.dumps(_finite(data), ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _finite(value: Any) -> Any:
    """A value with null for each number that JSON does not have: one NaN would be the end of the whole page."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def _subgraph(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a page keeps of one subgraph: its row, its drawing, its evidence and its timeline."""
    drawing = drawn(row)
    evidence = [_line(episode) for episode in row["evidence"]]
    return {
        **{name: row[name] for name in _KEPT},
        **_words(row),
        "graph": graph_data(drawing),
        "n_folded": drawing["n_folded"],
        "pairs": [[edge["source"], edge["target"]] for edge in row["edges"]],
        "hosts": list(row["nodes"].get("of", {})),
        "evidence": evidence,
        "tactic_order": [t for t in (*TACTICS, _NO_TACTIC) if any(t == line["tactic"] for line in evidence)],
    }


def _words(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a subgraph, as far as there is room for it; the tables have it whole."""

    def said(text: str | None) -> str:
        return short(text or "", SENTENCE)

    return {
        "title": short(row["title"], HEADING),
        "summary": said(row["summary"]),
        "site_shown": short(row["site"], WORD),
        "unusual": list(map(said, row["unusual"])),
        "checks": list(map(said, row["checks"])),
        "ties": list(map(said, row["ties"])),
        "related": [{**part, "fact": said(part["fact"])} for part in row["related"]],
        "contributions": [{**part, "fact": said(part["fact"])} for part in row["contributions"]],
        "story": [{**part, "sentence": said(part["sentence"])} for part in row["story"]],
        "owners": [_owner(one) for one in row["owners"]],
        "tickets": [short(ticket, WORD) for ticket in row["tickets"]],
        "suppressed_by": [_exception(one) for one in row["suppressed_by"]],
        "verdicts": [_verdict(one) for one in row["verdicts"]],
        "without": said((row.get("counterfactual") or {}).get("fact", "")),
    }


def _owner(row: Mapping[str, Any]) -> dict[str, Any]:
    """Who answers for a host; a runbook that is an address stays whole."""
    book = row["runbook"] or ""
    book = book if book.startswith("https://") else short(book, SENTENCE)
    return {"entity": _label(row["entity"]), "owner": short(row["owner"] or "", CELL), "runbook": book}


def _exception(row: Mapping[str, Any]) -> dict[str, Any]:
    """One exception as a page tells it."""
    rooms = {"names": HEADING, "owner": WORD, "reason": CELL, "ticket": WORD, "site": WORD}
    return {**row, **{name: short(row[name], room) for name, room in rooms.items() if row.get(name)}}


def _verdict(row: Mapping[str, Any]) -> dict[str, Any]:
    """One word of an analyst as a page tells it."""
    rooms = {"judged_by": WORD, "reason": CELL, "source": WORD}
    kept = {name: row[name] for name in ("verdict", "is_latest", "certainty", "judged_at")}
    return {**kept, **{name: short(row[name], room) if row[name] else "" for name, room in rooms.items()}}


def _line(episode: Mapping[str, Any]) -> dict[str, Any]:
    """One episode as a row of the evidence and a dot of the timeline."""
    seen = max(0, round(episode["fleet_share"] * (episode["history_hours"] + 2) - 1))
    order = list(TACTICS)
    tactics = sorted(episode["tactics"] or (), key=lambda t: order.index(t) if t in order else len(order))
    return {
        **{name: episode[name] for name in ("started_at", "ended_at", "n_alerts", "severity", "techniques")},
        "name": short(episode["name"], CELL),
        "tactics": tactics,
        "tactic": next((t for t in reversed(tactics) if t in TACTICS), _NO_TACTIC),
        "source": _label(episode["source_entity"]),
        "target": _label(episode["target_entity"]),
        "zone": episode["target_zone"] if episode["target_zone"] in ZONES else "unknown",
        "accounts": [_label(a) for a in episode["accounts"] or ()],
        "n_accounts": episode["n_accounts"],
        "seen": seen,
        "hours": int(episode["history_hours"]),
        "alert_ids": episode["alert_ids"] or [],
    }


def _label(key: str | None) -> str:
    return short((key or "").partition(":")[2] or (key or ""), WORD)
