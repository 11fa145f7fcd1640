"""The balance of a run: what became of every line that was read, and what was said that no table knows."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.schemas import TORN, UNFINISHED

MOST_UNKNOWN = 20
"""Unknown words that are told, the most frequent first: a broken format can bring as many as rows."""


@dataclass
class Balance:
    """Counts with `rows_read = alerts + duplicates + out_of_window + rejected`.

    `counts["history"]` is the part of `out_of_window` before the window that teaches what is usual. `unknown_words` are
    severities, tactics and techniques that no table knows, with the number of lines that say them.
    """

    counts: dict[str, int] = field(default_factory=dict)
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    unknown_words: dict[str, int] = field(default_factory=dict)

    def tell_unfinished(self, n_unfinished: int) -> None:
        """Tell apart, among the torn lines, those that are not yet written to their end."""
        n_torn = self.rejected_by_reason.pop(TORN, 0) - n_unfinished
        self.rejected_by_reason |= {reason: n for reason, n in ((TORN, n_torn), (UNFINISHED, n_unfinished)) if n}


def count_lines(lines: DataFrame, repeats: DataFrame) -> Balance:
    """Count lines by status and reason.

    Parameters
    ----------
    lines
        One row is one line, with `status`, `reason` and `unknown`.
    repeats
        `row` and `status` of the lines that say again what another says.

    Notes
    -----
    One job over the lines and one over the few repeats; one more where there are unknown words.
    """
    n_unknown = F.sum(F.size("unknown")).alias("n_unknown")
    rows = lines.groupBy("status", "reason").agg(F.count(F.lit(1)).alias("n"), n_unknown).collect()
    again = {row["status"]: row["count"] for row in repeats.groupBy("status").count().collect()}
    by_status: dict[str, int] = {}
    for row in rows:
        by_status[row["status"]] = by_status.get(row["status"], 0) + row["n"]
    unknown_words = {}
    if any(row["n_unknown"] for row in rows):
        words = lines.filter("reason is null").select(F.explode("unknown").alias("word")).groupBy("word").count()
        unknown_words = {r["word"]: r["count"] for r in words.orderBy(F.desc("count"), "word").take(MOST_UNKNOWN)}
    return Balance(
        counts={
            "rows_read": sum(by_status.values()),
            "alerts": by_status.get("alert", 0) - again.get("alert", 0),
            "duplicates": again.get("alert", 0),
            "out_of_window": by_status.get("out_of_window", 0) + by_status.get("history", 0),
            "rejected": by_status.get("rejected", 0),
            "history": by_status.get("history", 0) - again.get("history", 0),
        },
        rejected_by_reason={r["reason"]: r["n"] for r in sorted(rows, key=str) if r["reason"]},
        unknown_words=unknown_words,
    )
