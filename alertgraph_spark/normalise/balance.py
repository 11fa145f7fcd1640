"""The balance of a run: what became of every line that was read, and what was said that no table knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from alertgraph_spark.tables.interim_schemas import AGAIN
from alertgraph_spark.tables.schemas import TORN, UNFINISHED

MOST_UNKNOWN = 20
"""Unknown words that are told, the most frequent first: a broken format can bring as many as rows."""


@dataclass
class Balance:
    """Counts with `rows_read = alerts + duplicates + out_of_window + rejected`.

    `counts["history"]` is the part of `out_of_window` before the window that teaches what is usual, `counts["rows_TABLE"]`
    the lines of a table in the window, refused ones too. `unknown_words` are severities, tactics and techniques that no table
    knows, with the number of alerts that say them; `n_unknown` how often any was said. `n_spans` are the spans to which the
    alerts fold, `n_repeats` the rows that say an alert again, those of the past too.
    """

    counts: dict[str, int] = field(default_factory=dict)
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    unknown_words: dict[str, int] = field(default_factory=dict)
    n_unknown: int = 0
    n_spans: int = 0
    n_repeats: int = 0

    def tell_unknown(self, words: pa.Table) -> None:
        """Note the words that no table knows; one row is one `word`, of some sites, with the number of alerts that say it."""
        told = Counter[str]()
        for row in words.to_pylist():
            told[row["word"]] += row["n_alerts"]
        self.n_unknown = told.total()
        self.unknown_words = dict(sorted(told.items(), key=lambda one: (-one[1], one[0]))[:MOST_UNKNOWN])

    def tell_unfinished(self, n_unfinished: int) -> None:
        """Tell apart, among the torn lines, those that are not yet written to their end."""
        n_torn = self.rejected_by_reason.pop(TORN, 0) - n_unfinished
        self.rejected_by_reason |= {reason: n for reason, n in ((TORN, n_torn), (UNFINISHED, n_unfinished)) if n}


def count_lines(heard: pa.Table, tables: Iterable[str] = ()) -> Balance:
    """Count lines by status and reason, and those of each table.

    Parameters
    ----------
    heard
        `interim_schemas.HEARD`, of all lines.
    tables
        The tables that are to be read; one that has no line is counted too.

    Returns
    -------
    Balance
        The counts of a run.
    """
    by_status, by_reason, inside, again = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    n_spans = 0
    groups = heard.group_by(["table", "status", "reason"]).aggregate([("n_lines", "sum"), ("n_spans", "sum")])
    for row in groups.sort_by([("table", "ascending"), ("status", "ascending"), ("reason", "ascending")]).to_pylist():
        status, n = row["status"].removeprefix(AGAIN), row["n_lines_sum"]
        by_status[status] += n
        if row["status"] != status:
            again[status] += n
        elif status in ("alert", "history"):
            n_spans += row["n_spans_sum"]
        if row["reason"]:
            by_reason[row["reason"]] += n
        if status in ("alert", "rejected"):
            inside[row["table"]] += n
    return Balance(
        counts={
            "rows_read": by_status.total(),
            "alerts": by_status["alert"] - again["alert"],
            "duplicates": again["alert"],
            "out_of_window": by_status["out_of_window"] + by_status["history"],
            "rejected": by_status["rejected"],
            "history": by_status["history"] - again["history"],
            **{f"rows_{table}": inside[table] for table in tables},
        },
        rejected_by_reason=dict(by_reason),
        n_spans=n_spans,
        n_repeats=again.total(),
    )
