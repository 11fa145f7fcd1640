"""What the figures show, column by column: places, zones as colour and shape, sizes and words."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any

from alertgraph_spark.publish.report.layout import FOLDED, bands
from alertgraph_spark.short_text import CELL, LABEL, short

ZONES: dict[str, tuple[str, str, str]] = {
    "it": ("IT", "#0072B2", "circle"),
    "ot": ("OT", "#E69F00", "square"),
    "dmz": ("DMZ", "#009E73", "triangle"),
    "external": ("External", "#CC79A7", "diamond"),
    "unknown": ("Unknown", "#8C8C8C", "hex"),
    FOLDED: ("Not drawn", "#8C8C8C", "circle_cross"),
}
"""Zone to name, colour and shape: colours that the colour-blind tell apart (Okabe and Ito, 2008), and never colour alone."""

_WIDE, _HIGH = 1150, 130
"""Pixels of one unit of a subgraph's drawing on a laptop, to end an arrow at the edge of its node."""


def network_data(network: Mapping[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """The data of the overall network: `hosts`, `pairs` and `bands`, column by column."""

    def key(row: Mapping[str, Any], end: str = "node_id") -> str:
        return f"{row['site']}\n{row[end]}"

    hosts = {key(row): row for row in network["hosts"]}
    pairs = [(key(p, "source"), key(p, "target"), p) for p in network["pairs"]]
    place, edges = bands({k: row["zone"] for k, row in hosts.items()}, [p[:2] for p in pairs])
    return {
        "hosts": {
            "key": list(hosts),
            "x": [place[k][0] for k in hosts],
            "y": [place[k][1] for k in hosts],
            "label": [short(row["label"], LABEL) for row in hosts.values()],
            "site": [short(row["site"], CELL) for row in hosts.values()],
            "role": [row["role"] or "" for row in hosts.values()],
            "n_alerts": [row["n_alerts"] for row in hosts.values()],
            "alpha": [0.95 if row["is_shown"] else 0.45 for row in hosts.values()],
            "size": [(12 if row["is_shown"] else 8) * _larger(row["zone"]) for row in hosts.values()],
            **_looks(row["zone"] for row in hosts.values()),
        },
        "pairs": {
            "x0": [place[s][0] for s, _, _ in pairs],
            "y0": [place[s][1] for s, _, _ in pairs],
            "x1": [place[t][0] for _, t, _ in pairs],
            "y1": [place[t][1] for _, t, _ in pairs],
            "cx": [(place[s][0] + place[t][0]) / 2 for s, t, _ in pairs],
            "cy": [bend(place[s], place[t]) for s, t, _ in pairs],
            "width": [1.6 if p["is_shown"] else 0.8 for *_, p in pairs],
            "alpha": [0.55 if p["is_shown"] else 0.22 for *_, p in pairs],
        },
        "bands": {
            "top": [top for _, top, _ in edges],
            "bottom": [bottom for *_, bottom in edges],
            "color": [ZONES[zone][1] for zone, *_ in edges],
            "name": [ZONES[zone][0] for zone, *_ in edges],
        },
    }


def graph_data(drawing: Mapping[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """The data of one subgraph's drawing, as `layout.drawn` gives it: `nodes`, `edges` and `steps`, the words on its path."""
    nodes, edges = drawing["nodes"], drawing["edges"]
    ends = [edge["ends"] for edge in edges]
    tips = [_tip(*pair) for pair in ends]
    steps = [edge for edge in edges if edge["on_path"]]
    room = max(12, 165 // max(1, len([n for n in nodes if n["on_path"]])))
    return {
        "nodes": {
            **{name: [n[name] for n in nodes] for name in ("id", "x", "y", "n_alerts")},
            "label": [short(n["label"], LABEL) for n in nodes],
            "role": [n["role"] or "" for n in nodes],
            "size": [(20 if n["on_path"] else 13) * _larger(n["zone"]) for n in nodes],
            "lift": [-19 * n["lift"] for n in nodes],
            "line_width": [2.5 if n["on_path"] else 1 for n in nodes],
            **_looks(n["zone"] for n in nodes),
        },
        "edges": {
            "x0": [a[0] for a, _ in ends],
            "y0": [a[1] for a, _ in ends],
            "x1": [tip[0] for tip in tips],
            "y1": [tip[1] for tip in tips],
            "width": [3.0 if edge["on_path"] else 1.2 for edge in edges],
            "alpha": [0.95 if edge["on_path"] else 0.5 for edge in edges],
            "n_alerts": [edge["n_alerts"] for edge in edges],
            "names": [", ".join(short(name, CELL) for name in edge["names"]) for edge in edges],
            "pair": [f"{_name(nodes, edge['source'])} → {_name(nodes, edge['target'])}" for edge in edges],
        },
        "steps": {
            "x": [(edge["ends"][0][0] + edge["ends"][1][0]) / 2 for edge in steps],
            "y": [(edge["ends"][0][1] + edge["ends"][1][1]) / 2 for edge in steps],
            "text": [short(edge["names"][0] if edge["names"] else "", room) for edge in steps],
        },
    }


def bend(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The y of the control point of a line: one within a row bows over the hosts between its ends."""
    return (a[1] + b[1]) / 2 + (0.8 if abs(a[1] - b[1]) < 0.5 else 0.0)


def _larger(zone: str) -> float:
    """Triangles and diamonds fill less of their square than a circle does."""
    return {"dmz": 1.25, "external": 1.35}.get(zone, 1.0)


def _name(nodes: list[dict[str, Any]], node: str) -> str:
    return next(short(str(n["label"]), LABEL) for n in nodes if n["id"] == node)


def _looks(zones: Any) -> dict[str, list[Any]]:
    looks = [ZONES.get(zone, ZONES["unknown"]) for zone in zones]
    return dict(zip(("zone", "color", "marker"), ([look[i] for look in looks] for i in range(3)), strict=True))


def _tip(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    """Where an arrow ends so that its head is seen beside the node."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = hypot(dx * _WIDE, dy * _HIGH)
    part = max(0.3, 1 - 15 / length) if length else 1.0
    return start[0] + part * dx, start[1] + part * dy
