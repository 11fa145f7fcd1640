"""Fold, on Spark: lines become bins and the balance of the run, in one aggregation over the normalised lines.

A million alerts are a few thousand bins, so that all later stages work on what this process holds.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.fold.episodes import MOST_ACCOUNTS
from alertgraph_spark.tables.interim_schemas import AGAIN, BIN_KEY, BINS
from alertgraph_spark.tables.rates import HOUR

_MEASURES = ("accounts", "started_at", "ended_at", "received_at", "n_alerts", "severity")
_SHARED = tuple(name for name in BINS.names if name not in _MEASURES)
"""What the alerts of one bin have in common."""

_EVIDENCE = ("row", "status", "reason", "file", "file_id", "line", "table", "unknown", "n_left_out")
_IDS = ("alert_id", "item_id", "received_at", "observed_at")


def with_bin(lines: DataFrame, gap_seconds: int) -> DataFrame:
    """Put each alert in a bin: what happens between the same two ends under one name, within a span of `gap_seconds`.

    Row grain is unchanged. The columns are those that later stages use: `accounts` stands in place of `entities`. Two alerts
    of one bin are less than the gap apart, so a bin lies in one episode whole, and the fold can work on bins.
    """
    accounts = F.transform(F.filter("entities", lambda e: e["kind"] == "account"), lambda e: e["key"])
    number = F.floor(F.unix_micros("observed_at") / (gap_seconds * 1_000_000))
    binned = lines.withColumns({"bin": number, "accounts": accounts})
    return binned.select(*_EVIDENCE, *_IDS, *_SHARED, "severity", "accounts")


def fold_lines(lines: DataFrame, repeats: DataFrame) -> DataFrame:
    """Fold lines to bins, and count what became of all of them.

    One input row is one line, as `with_bin` gives it. One output row is one bin (`interim_schemas.BINS`) of one `table` and
    `status`, with `n_alerts`, `n_unknown` and `n_left_out`; or, for lines that are no alerts or say again what another says,
    one `table`, `status` and `reason` without a bin. `status` of a repeat is `repeat of` what it would be.

    Notes
    -----
    The status is a key, not a filter: Spark would push a filter below the parse and parse each line again. Alerts are
    folded where they are read; what is shuffled is bins, so that a flood costs no more than a drip.
    """
    marked = lines.join(F.broadcast(repeats.select("row", F.lit(True).alias("is_repeat"))), on="row", how="left")
    is_seen = F.col("status").isin("alert", "history") & F.col("is_repeat").isNull()

    def of_alerts(name: str) -> Column:
        return F.when(is_seen, F.col(name)).alias(name)

    status = F.when(F.col("is_repeat"), F.concat(F.lit(AGAIN), "status")).otherwise(F.col("status"))
    # A host is named for an hour: bins longer than that are parted.
    hour = F.when(is_seen & (F.size("named") > 0), F.floor(F.unix_micros("observed_at") / HOUR))
    return (
        marked.withColumns({"own_status": status, "named_hour": hour, "is_seen": is_seen})
        .groupBy("table", F.col("own_status").alias("status"), "reason", "named_hour", *map(of_alerts, _SHARED))
        .agg(
            F.slice(F.array_sort(F.array_distinct(F.flatten(F.collect_set("accounts")))), 1, MOST_ACCOUNTS).alias(
                "accounts"
            ),
            F.min(F.when(F.col("is_seen"), F.col("observed_at"))).alias("started_at"),
            F.max(F.when(F.col("is_seen"), F.col("observed_at"))).alias("ended_at"),
            F.max(F.when(F.col("is_seen"), F.col("received_at"))).alias("received_at"),
            F.count(F.lit(1)).alias("n_alerts"),
            F.max("severity").alias("severity"),
            F.sum(F.size("unknown")).alias("n_unknown"),
            F.sum("n_left_out").alias("n_left_out"),
        )
        .drop("named_hour")
    )


def members_of(lines: DataFrame, repeats: DataFrame, bins: DataFrame) -> DataFrame:
    """The alerts of some bins; one row is one alert, with the columns that `bins` has beside `interim_schemas.BIN_KEY`.

    Notes
    -----
    The bins are broadcast. Ends may be NULL, and NULL is equal to NULL here.
    """
    alerts = lines.filter(F.col("status").isin("alert", "history")).join(
        F.broadcast(repeats.select("row")), on="row", how="left_anti"
    )
    wanted = bins.select(
        *[F.col(name).alias(f"bin_{name}") for name in BIN_KEY], *[c for c in bins.columns if c not in BIN_KEY]
    )
    same = [F.col(name).eqNullSafe(F.col(f"bin_{name}")) for name in BIN_KEY]
    return alerts.join(F.broadcast(wanted), on=same, how="inner")
