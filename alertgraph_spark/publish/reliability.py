"""The reliability of two models as a page: what each told, and how often it came."""

from __future__ import annotations

from alertgraph_spark.learn import Bin, Evaluation


def reliability_page(found: Evaluation) -> str:
    """A page with what the model in use and the new one told of later verdicts, and how often that came.

    One point is one bin, as large as it holds verdicts; on the diagonal what was told is what came. Without Bokeh, the
    table alone.
    """
    rows = [("in use", one) for one in found.table_before] + [("new", one) for one in found.table_after]
    table = "".join(_row(name, one) for name, one in rows)
    head = "<tr><th>model<th>told from<th>to<th>verdicts<th>told<th>seen</tr>"
    return f"<!doctype html><meta charset=utf-8><title>Reliability</title>{_plot(rows)}<table>{head}{table}</table>"


def _row(name: str, one: Bin) -> str:
    return f"<tr><td>{name}<td>{one.low:.2f}<td>{one.high:.2f}<td>{one.n}<td>{one.told:.3f}<td>{one.seen:.3f}</tr>"


def _plot(rows: list[tuple[str, Bin]]) -> str:
    try:
        from bokeh.embed import components  # noqa: PLC0415  # optional
        from bokeh.plotting import figure  # noqa: PLC0415  # optional
        from bokeh.resources import INLINE  # noqa: PLC0415  # optional
    except ImportError:
        return ""
    plot = figure(width=460, height=420, x_range=(0, 1), y_range=(0, 1), toolbar_location=None, tools="")
    plot.xaxis.axis_label, plot.yaxis.axis_label = "told", "seen"
    plot.line([0, 1], [0, 1], line_dash="dashed", line_color="gray")
    for name, color in (("in use", "#7f7f7f"), ("new", "#1f77b4")):
        of = [one for label, one in rows if label == name]
        if of:
            sizes = [min(40.0, 6 + one.n**0.5 * 2) for one in of]
            plot.scatter([one.told for one in of], [one.seen for one in of], size=sizes, color=color, legend_label=name)
    plot.legend.location = "top_left"
    script, div = components(plot)
    return f"{INLINE.render()}{script}{div}"
