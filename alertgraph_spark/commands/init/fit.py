"""Which format reads a table, and how well: each is tried on the same sample of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import SparkSession

from alertgraph_spark.commands.format_report import share
from alertgraph_spark.commands.init.survey import SAMPLE_ROWS, Sample
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.read import export

GENERAL = "custom_text"
"""The format of any product's text: it takes what a product's own format takes, and knows less of it."""

LEAST_SHARE = 0.01
"""Share of rows that are alerts from which on a format fits: a sensor's table may be traffic in the main."""

FILLED = ("severity", "source", "target", "tactic")
"""What is counted as filled of an alert, beside its name."""


@dataclass
class Fit:
    """What one format makes of a sample: rows that became alerts, what these fill, why others did not, who is in them."""

    format: str
    n_rows: int = 0
    n_alerts: int = 0
    filled: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    entities: Counter[str] = field(default_factory=Counter)

    @property
    def is_fit(self) -> bool:
        """Whether rows of this table are alerts to the format."""
        return self.n_alerts > 0 and self.n_alerts >= LEAST_SHARE * self.n_rows

    @property
    def words(self) -> str:
        """How well it fits, in words."""
        said = f"{share(self.n_alerts, self.n_rows)} of {self.n_rows:,} rows are alerts"
        if not self.n_alerts:
            return f"{said}: {self.refused.most_common(1)[0][0]}" if self.refused else said
        return f"{said}; " + ", ".join(f"{name} {share(self.filled[name], self.n_alerts)}" for name in FILLED)


def try_formats(spark: SparkSession, sample: Sample, formats: Mapping[str, Format]) -> list[Fit]:
    """Try each format that reads a column which the sample has; the best comes first.

    A product's own format comes before `GENERAL` wherever it fits: which of two products a table is for, nobody can count.

    Notes
    -----
    One job of Spark for all formats of a table: each reads the sample for itself, since names of columns may differ in case.
    """
    tried = {name: one for name, one in formats.items() if sample.columns.intersection(_needed(one))}
    if not tried:
        return []
    # In place of the table stands the format: one frame holds what each of them makes of a row.
    rows = {
        name: export.read_folders(spark, name, sample.folders, one.reads).limit(SAMPLE_ROWS)
        for name, one in tried.items()
    }
    told = normalise_alerts(rows, tried).selectExpr(
        *("table", "reason", "severity", "size(tactics) > 0 as has_tactic", "source_entity", "target_entity")
    )
    fits = {name: Fit(name) for name in tried}
    for row in told.collect():
        _count(fits[row["table"]], row.asDict())
    return sorted(fits.values(), key=_order)


def _needed(format_: Format) -> set[str]:
    """Columns of which a row has one at least: those with its JSON, or else any that the format reads."""
    return {one.column for one in format_.json} or set(format_.reads)


def _count(fit: Fit, row: Mapping[str, object]) -> None:
    fit.n_rows += 1
    if row["reason"] is not None:
        fit.refused[str(row["reason"])] += 1
        return
    fit.n_alerts += 1
    ends = {name: row[f"{name}_entity"] for name in ("source", "target")}
    facts = {**ends, "severity": row["severity"], "tactic": row["has_tactic"] or None}
    fit.filled.update(name for name, value in facts.items() if value is not None)
    fit.entities.update({str(end) for end in ends.values() if end is not None})


def _order(fit: Fit) -> tuple[bool, bool, int, int, str]:
    return not fit.is_fit, fit.format == GENERAL, -fit.n_alerts, -fit.filled.total(), fit.format


def choices(fits: Sequence[Fit]) -> list[Fit]:
    """The formats that fit, the best first."""
    return [fit for fit in fits if fit.is_fit]
