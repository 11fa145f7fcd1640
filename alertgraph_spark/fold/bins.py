"""Fold, on Spark: lines become bins and the balance of the run, in one aggregation over the normalised lines.

A million alerts are a few thousand bins, so that all later stages work on what this process holds.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.fold.episodes import MOST_ACCOUNTS
from alertgraph_spark.tables.frames import ACCOUNTS
from alertgraph_spark.tables.interim_schemas import AGAIN, BIN_KEY, BINS
from alertgraph_spark.tables.rates import HOUR

_MEASURES = ("accounts", "started_at", "ended_at", "received_at", "known_at", "n_alerts", "severity")
_SHARED = tuple(name for name in BINS.names if name not in _MEASURES)
"""What the alerts of one bin have in common."""

_OF_LINES = tuple(name for name in _SHARED if name != "bin")

_EVIDENCE = ("row", "status", "reason", "file", "file_id", "line", "table", "unknown", "n_left_out")
_IDS = ("alert_id", "item_id", "received_at", "observed_at")


def slim(lines: DataFrame) -> DataFrame:
    """The columns that later stages use, with `accounts` in place of `entities`; row grain is unchanged."""
    return lines.selectExpr(*_EVIDENCE, *_IDS, *_OF_LINES, "severity", f"{ACCOUNTS} as accounts")


def with_bin(lines: DataFrame, gap_seconds: int) -> DataFrame:
    """Put each alert in a bin: what happens between the same two ends under one name, within a span of `gap_seconds`.

    One row is one line with `is_repeat`, whether another stands for it, which is dropped. Row grain is unchanged; adds `bin`
    and `is_seen`, whether the line is an alert that no other stands for. Two alerts of one bin are less than the gap apart,
    so a bin lies in one episode whole, and the fold can work on bins.
    """
    is_repeat = F.col("is_repeat")
    return lines.withColumns(
        {
            "bin": F.floor(F.unix_micros("observed_at") / (gap_seconds * 1_000_000)),
            "status": F.when(is_repeat, F.concat(F.lit(AGAIN), "status")).otherwise(F.col("status")),
            "is_seen": F.col("status").isin("alert", "history") & ~is_repeat,
        }
    ).drop("is_repeat")


def fold_lines(lines: DataFrame) -> DataFrame:
    """Fold lines to bins, and count what became of all of them.

    One input row is one line, as `with_bin` gives it. One output row is one bin (`interim_schemas.BINS`) of one `table` and
    `status`, with `n_alerts`, `n_unknown` and `n_left_out`; or, for lines that are no alerts or say again what another says,
    one `table`, `status` and `reason` without a bin. `status` of a repeat is `repeat of` what it would be.

    Notes
    -----
    The status is a key, not a filter: Spark would push a filter below the parse and parse each line again. Alerts are
    folded where they are read; what is shuffled is bins, so that a flood costs no more than a drip.
    """
    is_seen = F.col("is_seen")

    def of_alerts(name: str) -> Column:
        return F.when(is_seen, F.col(name)).alias(name)

    # A host is named for an hour: bins longer than that are parted.
    hour = F.when(is_seen & (F.size("named") > 0), F.floor(F.unix_micros("observed_at") / HOUR))
    accounts = F.array_sort(F.array_distinct(F.flatten(F.collect_set("accounts"))))
    return (
        lines.withColumn("named_hour", hour)
        .groupBy("table", "status", "reason", "named_hour", *map(of_alerts, _SHARED))
        .agg(
            F.slice(accounts, 1, MOST_ACCOUNTS).alias("accounts"),
            F.min(F.when(is_seen, F.col("observed_at"))).alias("started_at"),
            F.max(F.when(is_seen, F.col("observed_at"))).alias("ended_at"),
            F.max(F.when(is_seen, F.col("received_at"))).alias("received_at"),
            F.min(F.when(is_seen, F.col("known_at"))).alias("known_at"),
            F.count(F.lit(1)).alias("n_alerts"),
            F.max("severity").alias("severity"),
            F.sum(F.size("unknown")).alias("n_unknown"),
            F.sum("n_left_out").alias("n_left_out"),
        )
        .drop("named_hour")
    )


def members_of(lines: DataFrame, bins: DataFrame) -> DataFrame:
    """The alerts of some bins; one row is one alert, with the columns that `bins` has beside `interim_schemas.BIN_KEY`.

    Notes
    -----
    The bins are broadcast. Ends may be NULL, and NULL is equal to NULL here.
    """
    wanted = bins.select(
        *[F.col(name).alias(f"bin_{name}") for name in BIN_KEY], *[c for c in bins.columns if c not in BIN_KEY]
    )
    same = [F.col(name).eqNullSafe(F.col(f"bin_{name}")) for name in BIN_KEY]
    return lines.filter("is_seen").join(F.broadcast(wanted), on=same, how="inner")
