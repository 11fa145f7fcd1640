"""Fold: alerts of one type between the same entities become episodes, with what the past knew of their type.

Everything said of an episode uses hours before it alone: no whole-period count, no label, no future.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.schemas import EPISODES, conform

HOUR = 3_600_000_000
"""Microseconds in an hour. Window frames need numbers, and whole seconds would lose the order of alerts."""

_TYPE = ("site", "source", "name")
_FOLD_KEY = ("site", "source_entity", "target_entity", "source", "name")


def with_episode(lines: DataFrame, gap_seconds: int) -> DataFrame:
    """Number each alert's episode: a new one begins after a pause of more than `gap_seconds` in one fold key.

    One input and one output row is one exported line with its `status`; alerts and history get `episode` (bigint) and
    `is_first` (whether the alert opens it), other lines null. The key is site, source, target, format and name.

    Notes
    -----
    One shuffle and sort, no join: the opening alert's id is carried forward along the sorted key.
    """
    is_kept = F.col("status").isin("alert", "history")
    in_order = Window.partitionBy(is_kept, *_FOLD_KEY).orderBy("observed_at", "alert_id")
    gap = F.unix_micros("observed_at") - F.unix_micros(F.lag("observed_at").over(in_order))
    is_first = is_kept & F.coalesce(gap > gap_seconds * 1_000_000, F.lit(True))
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    opening = F.last(F.when(F.col("is_first"), F.col("alert_id")), ignorenulls=True).over(so_far)
    return lines.withColumn("is_first", is_first).withColumn(
        "episode", F.when(is_kept, F.xxhash64(F.col("site"), opening))
    )


def fold_episodes(folded: DataFrame, chronic_share: float, warm_up_hours: float) -> DataFrame:
    """Fold alerts to episodes and judge each type by the site's past.

    Input is what `with_episode` returns; one output row is one episode (`schemas.EPISODES`). Ends, tactics and techniques
    are those of its opening alert, since alerts of one type between the same entities share them; accounts are all.

    Parameters
    ----------
    chronic_share
        A type that the site saw in at least this share of its past hours is everyday noise.
    warm_up_hours
        Before that much history nothing is called chronic: in the first hour everything is frequent.

    Notes
    -----
    `fleet_share` is (distinct past hours with the type + 1) / (past hours + 2), `host_share` the same at one target;
    distinct hours, so that a flood counts once. Counted by `dense_rank` over the hours that episodes touch: every hour
    inside an episode holds an alert as long as the fold's gap is below an hour. `surprise` is the mean of both negative
    logarithms, in nats.
    """
    spans = (
        folded.filter(F.col("episode").isNotNull())
        .groupBy("episode")
        .agg(
            F.min("observed_at").alias("started_at"),
            F.max("observed_at").alias("ended_at"),
            F.count(F.lit(1)).alias("n_alerts"),
            F.max("severity").alias("severity"),
        )
    )
    opening = folded.filter("is_first").select(
        "episode", *_FOLD_KEY, "tactics", "techniques",
        *[f"{end}_{what}" for end in ("source", "target") for what in ("zone", "level", "role")],
    )  # fmt: skip
    episodes = opening.join(spans, on="episode", how="inner").join(_accounts(folded), on="episode", how="left")
    episodes = episodes.withColumn("accounts", F.coalesce("accounts", F.array().cast("array<string>")))
    return conform(_with_past(episodes, chronic_share, warm_up_hours), EPISODES)


def _accounts(folded: DataFrame) -> DataFrame:
    named = folded.filter(F.col("episode").isNotNull() & F.exists("entities", lambda e: e["kind"] == "account"))
    keys = F.transform(F.filter("entities", lambda e: e["kind"] == "account"), lambda e: e["key"])
    each = named.select("episode", F.explode(keys).alias("account"))
    return each.groupBy("episode").agg(F.array_sort(F.collect_set("account")).alias("accounts"))


def _with_past(episodes: DataFrame, chronic_share: float, warm_up_hours: float) -> DataFrame:
    first_hour, last_hour = _hour("started_at"), _hour("ended_at")
    hourly = episodes.withColumn("first_hour", first_hour).withColumn(
        "hour", F.explode(F.sequence(first_hour, last_hour))
    )
    beginning = hourly.groupBy("site").agg(F.min("hour").alias("site_hour"))
    fleet_seen = F.dense_rank().over(Window.partitionBy(*_TYPE).orderBy("hour")) - 1
    host_seen = F.dense_rank().over(Window.partitionBy(*_TYPE, "target_entity").orderBy("hour")) - 1
    seen = hourly.withColumn("fleet_seen", fleet_seen).withColumn("host_seen", host_seen)
    seen = seen.filter("hour = first_hour").join(F.broadcast(beginning), on="site", how="inner")
    past_hours = (F.col("hour") - F.col("site_hour")).cast("double")
    shares = seen.withColumn("history_hours", past_hours).withColumns(
        {f"{of}_share": (F.col(f"{of}_seen") + 1) / (past_hours + 2) for of in ("fleet", "host")}
    )
    is_chronic = (F.col("fleet_share") >= chronic_share) & (F.col("history_hours") >= warm_up_hours)
    return shares.withColumn("surprise", -F.log("fleet_share") / 2 - F.log("host_share") / 2).withColumn(
        "is_chronic", is_chronic
    )


def _hour(column: str) -> Column:
    return F.floor(F.unix_micros(column) / HOUR).cast("bigint")
