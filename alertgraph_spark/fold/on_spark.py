"""Fold, on Spark: alerts that say the same become spans, in one aggregation over the parsed lines, with the run's balance.

A million alerts are a few thousand spans, so that all later stages work on what this process holds.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.tables.frames import conform
from alertgraph_spark.tables.interim_schemas import AGAIN, HEARD, SAID, SPANS
from alertgraph_spark.tables.rates import HOUR

_EVIDENCE = ("row", "status", "reason", "file", "file_id", "line")
_IDS = ("alert_id", "item_id", "received_at", "observed_at")
_WHERE = ("table", "site", "source")
_SPAN = (*_WHERE, "status", "hour", "bin", "said")
"""What the alerts of one span have in common: they say the same, within a bin."""
_FOLDER = "y=([0-9]{4})/m=([0-9]{2})/d=([0-9]{2})/h=([0-9]{2})"
_FOLDER_TIME = (
    f"try_cast(regexp_replace(regexp_extract(file, '{_FOLDER}', 0), '{_FOLDER}', '$1-$2-$3T$4:00:00Z') as timestamp)"
)


def slim(lines: DataFrame) -> DataFrame:
    """The columns that later stages use, what is interpreted of a row as one column `said`; row grain is unchanged.

    `lines` is what `normalise.alerts.parse_lines` gives, with a status.
    """
    said = F.struct(*SAID.names)
    return lines.select(*_EVIDENCE, *_WHERE, *_IDS, "severity", F.when(F.col("reason").isNull(), said).alias("said"))


def with_bin(lines: DataFrame, gap_seconds: int) -> DataFrame:
    """Put each alert in an hour and in a bin.

    Two alerts of one bin are less than the gap apart, so what one type does between two ends in one bin lies in one
    episode whole.

    Parameters
    ----------
    lines
        One row is one line with `is_repeat`, whether another stands for it.
    gap_seconds
        Length of a bin: the pause that ends an episode, in seconds.

    Returns
    -------
    DataFrame
        The same rows with `hour`, `bin` and `is_seen`, whether the line is an alert that no other stands for;
        `is_repeat` is dropped. The `hour` of any other line is that of its receipt, else that of its file's folder.
    """
    is_repeat = F.col("is_repeat")
    is_seen = F.col("status").isin("alert", "history") & ~is_repeat
    came = F.coalesce("received_at", F.expr(_FOLDER_TIME))
    return lines.withColumns(
        {
            "hour": F.floor(F.unix_micros(F.when(is_seen, F.col("observed_at")).otherwise(came)) / HOUR),
            "bin": F.floor(F.unix_micros("observed_at") / (gap_seconds * 1_000_000)),
            "status": F.when(is_repeat, F.concat(F.lit(AGAIN), "status")).otherwise(F.col("status")),
            "is_seen": is_seen,
        }
    ).drop("is_repeat")


def fold_lines(lines: DataFrame) -> DataFrame:
    """Fold lines that say the same, and count what became of all of them.

    One input row is one line, as `with_bin` gives it. One output row is the alerts of one `table`, `site`, `source` and
    `status` that say the same (`said`) in one `bin` and `hour`, with times, `n_alerts` and the highest `severity`; or, for
    lines that are no alerts or say again what another says, those of one `table`, `site`, `status`, `reason` and `hour` of
    receipt. `status` of a repeat is `repeat of` what it would be; `span` tells one span from another, `says` what one says
    from what another does.

    Notes
    -----
    The status is a key, not a filter: Spark would push a filter below the parse and parse each line again. Alerts are
    folded where they are read; what is shuffled is far less, so that a flood costs no more than a drip.
    """
    is_seen = F.col("is_seen")

    def of_alerts(name: str) -> Column:
        return F.when(is_seen, F.col(name))

    keys = [of_alerts(name).alias(name) for name in ("source", "bin", "said")]
    folded = lines.groupBy("table", "site", "status", "reason", "hour", *keys).agg(
        F.min(of_alerts("observed_at")).alias("started_at"),
        F.max(of_alerts("observed_at")).alias("ended_at"),
        F.max("received_at").alias("received_at"),
        F.min(of_alerts("known_at")).alias("known_at"),
        F.count(F.lit(1)).alias("n_alerts"),
        F.max("severity").alias("severity"),
    )
    # JSON tells all values apart, and nobody finds two texts of one SHA-256.
    folded = folded.withColumn("says", F.sha2(F.to_json("said"), 256))
    where = F.struct(*[name for name in _SPAN if name != "said"], "says")
    return folded.withColumn("span", F.sha2(F.to_json(where), 256))


def seen_spans(folded: DataFrame) -> DataFrame:
    """The spans of alerts, of the window and of the past (`interim_schemas.SPANS`)."""
    seen = folded.filter(F.col("status").isin("alert", "history"))
    return conform(seen.select(*[c for c in seen.columns if c != "said"], "said.*"), SPANS)


def heard_in(folded: DataFrame) -> DataFrame:
    """Who was heard when, of all lines that `fold_lines` has folded (`interim_schemas.HEARD`).

    Notes
    -----
    The alerts of a span stand together in the hour in which the first of their rows was received; a span is minutes long.
    """
    delay = F.unix_micros("known_at") - F.unix_micros("started_at")
    received_in = F.floor(F.unix_micros("known_at") / HOUR)
    is_doubted = F.coalesce(F.size("said.unknown") > 0, F.lit(False))
    rows = folded.withColumns(
        {"hour": F.coalesce(received_in, "hour"), "delay": delay / 60_000_000, "is_doubted": is_doubted}
    )
    heard = rows.groupBy("site", "table", "status", "reason", "hour").agg(
        F.sum("n_alerts").alias("n_lines"),
        F.count(F.lit(1)).alias("n_spans"),
        F.sum(F.when(F.col("is_doubted"), F.col("n_alerts")).otherwise(0)).alias("n_unknown"),
        F.expr("percentile(delay, 0.5, n_alerts)").alias("delay_minutes"),
        F.max("received_at").alias("received_at"),
    )
    return conform(heard, HEARD)


def members_of(lines: DataFrame, folded: DataFrame, wanted: DataFrame, *, few: bool) -> DataFrame:
    """Find the alerts of some spans.

    Parameters
    ----------
    lines
        As `with_bin` gives them.
    folded
        What `fold_lines` makes of them.
    wanted
        One row is one `span`, with further columns.
    few
        Whether `wanted` is small enough to be broadcast.

    Returns
    -------
    DataFrame
        One row is one alert, with the further columns of `wanted`.

    Notes
    -----
    What the wanted spans say is broadcast where they are few, else Spark joins as it sees fit: half a kilobyte each would
    fill a driver.
    """
    more = [name for name in wanted.columns if name != "span"]
    said = folded.join(F.broadcast(wanted) if few else wanted, on="span", how="inner").select(*_SPAN, *more)
    return lines.filter("is_seen").join(F.broadcast(said) if few else said, on=list(_SPAN), how="inner")
