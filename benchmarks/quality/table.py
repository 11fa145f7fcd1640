"""Rows of figures as text and as a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quality.bootstrap import Figure

COLUMNS = ("ours", "count", "severity", "random", "RT-KCSM", "risk sum", "damped risk", "informed")
HEADER = ("on", "measure", "aim", *COLUMNS)


@dataclass(frozen=True)
class Measure:
    """One measure: what it is called, the figure's key, what is to be reached, and how a figure is written."""

    key: str
    words: str
    aim: str = "-"
    style: str = ".3f"


@dataclass(frozen=True)
class Row:
    """One line of the table: figures by column; `note` takes their place where there are none."""

    on: str
    measure: Measure
    figures: Mapping[str, Figure]
    note: str = ""


def cells(row: Row) -> list[str]:
    """The cells of one line."""
    written = [written_figure(row.figures.get(column), row.measure.style) for column in COLUMNS]
    if row.note:
        written = [row.note, *["-"] * (len(COLUMNS) - 1)]
    return [row.on, row.measure.words, row.measure.aim, *written]


def written_figure(figure: Figure | None, style: str) -> str:
    """A figure and its interval; `-` where it was not measured, `none` where there was nothing to measure."""
    if figure is None:
        return "-"
    if math.isnan(figure.value):
        return "none"
    text = format(figure.value, style)
    return text if math.isnan(figure.low) else f"{text} [{figure.low:{style}}, {figure.high:{style}}]"


def as_markdown(rows: Sequence[Row]) -> str:
    """The table of a page."""
    lines = [HEADER, ("---",) * len(HEADER), *map(cells, rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def as_text(rows: Sequence[Row]) -> str:
    """The table of a terminal."""
    lines = [list(HEADER), *map(cells, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEADER))]
    return "".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines)
