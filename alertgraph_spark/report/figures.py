"""The figures of a page in Bokeh: the whole network, one subgraph, its timeline. What is selected is put in by the page."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any

from bokeh.embed import json_item
from bokeh.models import (
    Arrow,
    ColumnDataSource,
    DatetimeTickFormatter,
    FactorRange,
    HoverTool,
    NormalHead,
    Range1d,
    TapTool,
)
from bokeh.plotting import figure

from alertgraph_spark.report.layout import FOLDED, bands

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
            "label": [row["label"] for row in hosts.values()],
            "site": [row["site"] for row in hosts.values()],
            "role": [row["role"] or "" for row in hosts.values()],
            "n_alerts": [row["n_alerts"] for row in hosts.values()],
            "alpha": [0.95 if row["is_shown"] else 0.45 for row in hosts.values()],
            "size": [11 if row["is_shown"] else 7 for row in hosts.values()],
            **_looks(row["zone"] for row in hosts.values()),
        },
        "pairs": {
            "x0": [place[s][0] for s, _, _ in pairs],
            "y0": [place[s][1] for s, _, _ in pairs],
            "x1": [place[t][0] for _, t, _ in pairs],
            "y1": [place[t][1] for _, t, _ in pairs],
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
    room = max(12, 110 // max(1, len([n for n in nodes if n["on_path"]])))
    return {
        "nodes": {
            **{name: [n[name] for n in nodes] for name in ("id", "x", "y", "label", "n_alerts")},
            "role": [n["role"] or "" for n in nodes],
            "size": [20 if n["on_path"] else 13 for n in nodes],
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
            "names": [", ".join(edge["names"]) for edge in edges],
            "pair": [f"{_name(nodes, edge['source'])} → {_name(nodes, edge['target'])}" for edge in edges],
        },
        "steps": {
            "x": [(edge["ends"][0][0] + edge["ends"][1][0]) / 2 for edge in steps],
            "y": [(edge["ends"][0][1] + edge["ends"][1][1]) / 2 for edge in steps],
            "text": [_short(edge["names"][0] if edge["names"] else "", room) for edge in steps],
        },
    }


def _name(nodes: list[dict[str, Any]], node: str) -> str:
    return next(str(n["label"]) for n in nodes if n["id"] == node)


def _short(text: str, n: int) -> str:
    return text if len(text) <= n else f"{text[: n - 1]}…"


def _looks(zones: Any) -> dict[str, list[Any]]:
    looks = [ZONES.get(zone, ZONES["unknown"]) for zone in zones]
    return dict(zip(("zone", "color", "marker"), ([look[i] for look in looks] for i in range(3)), strict=True))


def _tip(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    """Where an arrow ends so that its head is seen beside the node."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = hypot(dx * _WIDE, dy * _HIGH)
    part = max(0.3, 1 - 15 / length) if length else 1.0
    return start[0] + part * dx, start[1] + part * dy


def figures(network: Mapping[str, dict[str, list[Any]]]) -> dict[str, Any]:
    """Figures by name as Bokeh's JSON items, the network with its data and the others empty."""
    made = {"network": _network(network), "graph": _graph(), "timeline": _timeline()}
    return {name: json_item(plot) for name, plot in made.items()}


def _figure(height: int, **options: Any) -> Any:
    made = figure(
        height=height, sizing_mode="stretch_width", toolbar_location=None, tools="", outline_line_color=None, **options
    )
    made.background_fill_alpha = made.border_fill_alpha = 0
    made.min_border = 4
    return made


def _source(name: str, data: Mapping[str, list[Any]] | None = None, columns: str = "") -> Any:
    return ColumnDataSource(data=data or {column: [] for column in columns.split()}, name=name)


def _network(data: Mapping[str, dict[str, list[Any]]]) -> Any:
    bottom = min(data["bands"]["bottom"], default=-1.0)
    n_rows = round(-bottom)
    plot = _figure(
        max(240, min(640, 60 + 40 * n_rows)), x_range=Range1d(-0.075, 1.005), y_range=Range1d(bottom - 0.1, 0.1)
    )
    plot.axis.visible = False
    plot.grid.visible = False
    areas = _source("network_bands", data["bands"])
    plot.quad(left=-0.075, right=1.005, top="top", bottom="bottom", color="color", alpha=0.09, source=areas)
    plot.text(
        x=-0.07, y="top", text="name", x_offset=4, y_offset=6, source=areas, text_baseline="top",
        text_font_size="13px", text_font_style="bold", name="ink",
    )  # fmt: skip
    lines = {"x0": "x0", "y0": "y0", "x1": "x1", "y1": "y1", "line_width": "width", "line_alpha": "alpha"}
    plot.segment(**lines, source=_source("network_pairs", data["pairs"]), name="ink")
    plot.segment(**lines, source=_source("network_selected", columns="x0 y0 x1 y1 width alpha"), name="accent")
    hosts = plot.scatter(
        "x", "y", marker="marker", size="size", fill_color="color", fill_alpha="alpha", line_alpha="alpha",
        source=_source("network_hosts", data["hosts"]), name="outline",
    )  # fmt: skip
    hosts.nonselection_glyph = hosts.selection_glyph = None
    plot.scatter(
        "x", "y", marker="marker", size=15, fill_color="color", line_width=2.5, name="accent",
        source=_source("network_ring", columns="x y marker color"),
    )  # fmt: skip
    plot.text(
        "x", "y", "label", y_offset="lift", source=_source("network_labels", columns="x y label lift"),
        text_align="center", text_baseline="middle", text_font_size="11px", name="ink",
    )  # fmt: skip
    tips = [("host", "@label"), ("zone", "@zone"), ("role", "@role"), ("alerts", "@n_alerts{0,0}"), ("site", "@site")]
    plot.add_tools(HoverTool(renderers=[hosts], tooltips=tips), TapTool(renderers=[hosts]))
    return plot


def _graph() -> Any:
    plot = _figure(370, x_range=Range1d(-0.03, 1.03), y_range=Range1d(-1.3, 1.3))
    plot.axis.visible = False
    plot.grid.visible = False
    edges = _source("graph_edges", columns="x0 y0 x1 y1 width alpha n_alerts names pair")
    lines = plot.segment(
        "x0", "y0", "x1", "y1", line_width="width", line_alpha="alpha", source=edges, name="ink"
    )  # fmt: skip
    head = NormalHead(size=9, line_color=None, name="ink")
    plot.add_layout(
        Arrow(
            x_start="x0", y_start="y0", x_end="x1", y_end="y1", source=edges, line_color=None, end=head, level="glyph"
        )
    )
    nodes = plot.scatter(
        "x", "y", marker="marker", size="size", fill_color="color", line_width="line_width", name="outline",
        source=_source("graph_nodes", columns="id x y label n_alerts role size line_width zone color marker"),
    )  # fmt: skip
    plot.text(
        "x", "y", "label", source=nodes.data_source, y_offset=13, text_align="center", text_baseline="top",
        text_font_size="12px", name="ink",
    )  # fmt: skip
    plot.text(
        "x", "y", "text", source=_source("graph_steps", columns="x y text"), y_offset=-8, text_align="center",
        text_baseline="bottom", text_font_size="11px", text_font_style="italic", name="ink",
    )  # fmt: skip
    host_tips = [("host", "@label"), ("zone", "@zone"), ("role", "@role"), ("alerts", "@n_alerts{0,0}")]
    edge_tips = [("pair", "@pair"), ("alerts", "@n_alerts{0,0}"), ("what", "@names")]
    plot.add_tools(
        HoverTool(renderers=[nodes], tooltips=host_tips),
        HoverTool(renderers=[lines], tooltips=edge_tips, line_policy="interp"),
    )
    return plot


def _timeline() -> Any:
    plot = _figure(220, x_range=Range1d(0, 1), y_range=FactorRange(factors=["-"]), x_axis_type="datetime")
    hours = "%d %b %H:%M"
    plot.xaxis.formatter = DatetimeTickFormatter(
        **dict.fromkeys(("seconds", "minsec", "minutes", "hourmin", "hours", "days"), hours)
    )
    plot.xaxis.ticker.desired_num_ticks = 7
    plot.yaxis.major_label_text_font_size = plot.xaxis.major_label_text_font_size = "12px"
    plot.yaxis.major_tick_line_color = None
    events = _source("timeline", columns="started ended tactic name hosts n_alerts size zone color marker")
    plot.segment("started", "tactic", "ended", "tactic", line_width=4, line_alpha=0.6, source=events, name="ink")
    dots = plot.scatter(
        "started",
        "tactic",
        marker="marker",
        size="size",
        fill_color="color",
        fill_alpha=0.85,
        source=events,
        name="outline",
    )
    tips = [
        ("", "@name"),
        ("", "@hosts"),
        ("alerts", "@n_alerts{0,0}"),
        ("from", "@started{%F %T} UTC"),
        ("zone", "@zone"),
    ]
    plot.add_tools(HoverTool(renderers=[dots], tooltips=tips, formatters={"@started": "datetime"}))
    return plot
