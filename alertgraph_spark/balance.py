"""The balance of a run: what became of every line that was read, and what was said that no table knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.schemas import TORN, UNFINISHED

MOST_UNKNOWN = 20
"""Unknown words that are told, the most frequent first: a broken format can bring as many as rows."""


@dataclass
class Balance:
    """Counts with `rows_read = alerts + duplicates + out_of_window + rejected`.

    `counts["history"]` is the part of `out_of_window` before the window that teaches what is usual, `counts["rows_TABLE"]`
    the lines of a table in the window, refused ones too. `silent` are the tables that say nothing in the window, with their
    lines before it. `unknown_words` are severities, tactics and techniques that no table knows, with the number of lines
    that say them.
    """

    counts: dict[str, int] = field(default_factory=dict)
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    unknown_words: dict[str, int] = field(default_factory=dict)
    silent: dict[str, int] = field(default_factory=dict)

    def tell_unfinished(self, n_unfinished: int) -> None:
        """Tell apart, among the torn lines, those that are not yet written to their end."""
        n_torn = self.rejected_by_reason.pop(TORN, 0) - n_unfinished
        self.rejected_by_reason |= {reason: n for reason, n in ((TORN, n_torn), (UNFINISHED, n_unfinished)) if n}


def count_lines(lines: DataFrame, repeats: DataFrame, tables: Iterable[str] = ()) -> Balance:
    """Count lines by status and reason, and those of each table.

    Parameters
    ----------
    lines
        One row is one line, with `table`, `status`, `reason`, `unknown` and `n_left_out`.
    repeats
        `row` and `status` of the lines that say again what another says.
    tables
        The tables that are to be read; one that has no line is counted too.

    Notes
    -----
    One job over the lines and one over the few repeats; one more where there are unknown words.
    """
    n_unknown = F.sum(F.size("unknown")).alias("n_unknown")
    n_left_out = F.sum("n_left_out").alias("n_left_out")
    rows = lines.groupBy("table", "status", "reason").agg(F.count(F.lit(1)).alias("n"), n_unknown, n_left_out).collect()
    again = {row["status"]: row["count"] for row in repeats.groupBy("status").count().collect()}
    by_status, by_reason = Counter[str](), Counter[str]()
    inside, before = Counter[str](), Counter[str]()
    for row in sorted(rows, key=str):
        by_status[row["status"]] += row["n"]
        if row["reason"]:
            by_reason[row["reason"]] += row["n"]
        if row["status"] in ("alert", "rejected"):
            inside[row["table"]] += row["n"]
        elif row["status"] == "history":
            before[row["table"]] += row["n"]
    unknown_words = {}
    if any(row["n_unknown"] for row in rows):
        words = lines.filter("reason is null").select(F.explode("unknown").alias("word")).groupBy("word").count()
        unknown_words = {r["word"]: r["count"] for r in words.orderBy(F.desc("count"), "word").take(MOST_UNKNOWN)}
    return Balance(
        counts={
            "rows_read": by_status.total(),
            "alerts": by_status["alert"] - again.get("alert", 0),
            "duplicates": again.get("alert", 0),
            "out_of_window": by_status["out_of_window"] + by_status["history"],
            "rejected": by_status["rejected"],
            "entities_left_out": sum(row["n_left_out"] for row in rows if row["status"] == "alert"),
            "history": by_status["history"] - again.get("history", 0),
            **{f"rows_{table}": inside[table] for table in tables},
        },
        rejected_by_reason=dict(by_reason),
        unknown_words=unknown_words,
        silent={table: before[table] for table in tables if not inside[table]},
    )
