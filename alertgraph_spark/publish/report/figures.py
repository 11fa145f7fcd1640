"""The figures of a page in Bokeh: the whole network, one subgraph, its timeline. What is selected is put in by the page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
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


def figures(network: Mapping[str, dict[str, list[Any]]]) -> dict[str, Any]:
    """Figures by name as Bokeh's JSON items, the network with its data and the others empty."""
    return {"network": json_item(_network(network)), **_empty()}


@cache
def _empty() -> dict[str, Any]:
    """The figures that every page begins with: a session that ticks writes a page every five minutes."""
    return {"graph": json_item(_graph()), "timeline": json_item(_timeline())}


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
    lines = {
        **{name: name for name in ("x0", "y0", "x1", "y1", "cx", "cy")},
        "line_width": "width",
        "line_alpha": "alpha",
    }
    plot.quadratic(**lines, source=_source("network_pairs", data["pairs"]), name="ink")
    plot.quadratic(**lines, source=_source("network_selected", columns="x0 y0 x1 y1 cx cy width alpha"), name="accent")
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
        source=_source("graph_nodes", columns="id x y label lift n_alerts role size line_width zone color marker"),
    )  # fmt: skip
    plot.text(
        "x", "y", "label", source=nodes.data_source, y_offset="lift", text_align="center", text_baseline="middle",
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
