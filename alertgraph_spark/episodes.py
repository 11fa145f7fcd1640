"""Fold: alerts of one type between the same entities become episodes, with what the past knew of their type.

Everything said of an episode uses hours before it alone: no whole-period count, no label, no future.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import content_id, first_rows, hour_of, n_earlier
from alertgraph_spark.schemas import EPISODES
from alertgraph_spark.table import conform

PERIODIC_SHARE = 0.5
"""Share of past days that brought a type about this time of the day from which it is a routine: a backup, a nightly scan."""

PERIODIC_DAYS = 3
"""Days that it takes at least to know a routine."""

MOST_ACCOUNTS = 50
"""Accounts that an episode keeps, as many as an alert: the first, so that those of later alerts put none out."""

_TYPE = ("site", "source", "name")
_FOLD_KEY = ("site", "source_entity", "target_entity", "source", "name")
_END_FACTS = ("source_zone", "target_zone", "source_level", "target_level", "source_role", "target_role")


def with_bin(lines: DataFrame, gap_seconds: int) -> DataFrame:
    """Put each alert in a bin: its fold key (site, both ends, format, name) as an id, and a span of `gap_seconds`.

    Row grain is unchanged. The columns are those that later stages use: `accounts` stands in place of `entities`. Two alerts
    of one bin are less than the gap apart, so a bin lies in one episode whole, and the fold can work on bins.
    """
    accounts = F.transform(F.filter("entities", lambda e: e["kind"] == "account"), lambda e: e["key"])
    return lines.select(
        *("row", "status", "reason", "file", "file_id", "line", "table", "unknown", "named", "n_left_out"),
        *("alert_id", "item_id", "received_at", "observed_at"),
        *_FOLD_KEY,
        *_END_FACTS,
        *("severity", "tactics", "techniques"),
        accounts.alias("accounts"),
        content_id(*map(F.col, _FOLD_KEY)).alias("fold_key"),
        F.floor(F.unix_micros("observed_at") / (gap_seconds * 1_000_000)).alias("bin"),
    )


def fold_bins(alerts: DataFrame) -> DataFrame:
    """Fold alerts to bins, with their key, facts, first and last time, number of alerts and highest severity.

    Input is one row an alert, as `with_bin` gives it, repeats left out; one output row is one bin.

    Notes
    -----
    Alerts are folded where they are read; what is shuffled is bins, so that a flood costs no more than a drip.
    """
    return alerts.groupBy("fold_key", "bin", *_FOLD_KEY, *_END_FACTS, "tactics", "techniques").agg(
        F.min("observed_at").alias("started_at"),
        F.max("observed_at").alias("ended_at"),
        F.count(F.lit(1)).alias("n_alerts"),
        F.max("severity").alias("severity"),
    )


def with_episode(bins: DataFrame, gap_seconds: int) -> DataFrame:
    """Number each bin's episode: a new one begins after a pause of more than `gap_seconds`.

    Row grain is unchanged; adds `episode`, the `content_id` of the key, as it now is, and of the microsecond at which the
    episode began.
    """
    # Facts may differ inside a bin, and then its rows overlap in time: the pause is from the latest end so far.
    in_order = Window.partitionBy(*_FOLD_KEY).orderBy("started_at", "ended_at", "tactics", "techniques")
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    pause = F.unix_micros("started_at") - F.unix_micros(F.max("ended_at").over(before))
    opens = F.coalesce(pause > gap_seconds * 1_000_000, F.lit(True))
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    beginning = F.last(F.when(F.col("opens"), F.col("started_at")), ignorenulls=True).over(so_far)
    numbered = bins.withColumn("opens", opens).withColumn("beginning", beginning)
    episode = content_id(*map(F.col, _FOLD_KEY), F.unix_micros("beginning"))
    return numbered.withColumn("episode", episode).drop("opens", "beginning")


def episode_of_bin(bins: DataFrame) -> DataFrame:
    """Which episode each bin lies in; one row is one `fold_key` and `bin`, whose rows differ in facts alone."""
    return bins.select("fold_key", "bin", "episode").distinct()


def fold_episodes(bins: DataFrame, alerts: DataFrame, chronic_share: float, warm_up_hours: float) -> DataFrame:
    """Fold bins to episodes and judge each type by the site's past.

    Input is what `with_episode` returns, and the alerts for their accounts; one output row is one episode
    (`schemas.EPISODES`). Facts, tactics and techniques are those of its first bin, since alerts of one type between the same
    entities share them; accounts are the first `MOST_ACCOUNTS`.

    Parameters
    ----------
    chronic_share
        A type that the site saw in at least this share of its past hours is everyday noise.
    warm_up_hours
        Before that much history nothing is called chronic: in the first hour everything is frequent.

    Notes
    -----
    `fleet_share` is (distinct past hours with the type + 1) / (past hours + 2), `actor_share` the same of the type by whoever
    acts: the source, else the host that it is about. Nearly every pair is new to a site, so rarity backs off from the pair to
    the end that acts: what a deployment server does to one more machine is no news. All that is outside is one actor, since
    an address of the Internet is new each time. Distinct hours, so that a flood counts once, counted over the hours that
    episodes touch: every hour inside an episode holds an alert as long as the fold's gap is below an hour.
    `surprise` is the mean of both negative logarithms, in nats.

    A routine is rare by the hour, and noise all the same: a type is chronic, too, where at least three past days, and half of
    all, brought it within an hour of this time of the day.
    """
    facts = F.struct(*_END_FACTS, "tactics", "techniques")
    episodes = bins.groupBy("episode", *_FOLD_KEY).agg(
        F.min_by(facts, F.struct("started_at", "ended_at", "tactics", "techniques")).alias("facts"),
        F.min("started_at").alias("started_at"),
        F.max("ended_at").alias("ended_at"),
        F.sum("n_alerts").alias("n_alerts"),
        F.max("severity").alias("severity"),
    )
    # Two keys of one id take 2^32 tries at names of one's own: their alerts are one episode, and no vertex comes twice.
    of_one_id = Window.partitionBy("episode").orderBy(F.desc("severity"), *_FOLD_KEY)
    episodes = first_rows(episodes, of_one_id, 1).select("facts.*", *[c for c in episodes.columns if c != "facts"])
    episodes = episodes.join(_accounts(bins, alerts), on="episode", how="left")
    episodes = episodes.withColumn("accounts", F.coalesce("accounts", F.array().cast("array<string>")))
    return conform(_with_past(episodes, chronic_share, warm_up_hours), EPISODES)


def _accounts(bins: DataFrame, alerts: DataFrame) -> DataFrame:
    """The first accounts of each episode, by the bin in which they are named and then by name."""
    named = alerts.filter(F.size("accounts") > 0).select("fold_key", "bin", F.explode("accounts").alias("account"))
    each = named.distinct().join(episode_of_bin(bins), on=["fold_key", "bin"], how="inner")
    once = each.groupBy("episode", "account").agg(F.min("bin").alias("bin"))
    first = first_rows(once, Window.partitionBy("episode").orderBy("bin", "account"), MOST_ACCOUNTS)
    return first.groupBy("episode").agg(F.array_sort(F.collect_set("account")).alias("accounts"))


def _actor() -> Column:
    """Who acts, as the past is asked about him: one name for all that is outside."""
    entity, zone = (
        F.when(F.col("source_entity").isNull(), F.col(f"target_{of}")).otherwise(F.col(f"source_{of}"))
        for of in ("entity", "zone")
    )
    return F.when(zone == "external", zone).otherwise(entity)


def _with_past(episodes: DataFrame, chronic_share: float, warm_up_hours: float) -> DataFrame:
    first_hour, last_hour = (hour_of(F.unix_micros(end)) for end in ("started_at", "ended_at"))
    hourly = episodes.withColumn("first_hour", first_hour).withColumn(
        "hour", F.explode(F.sequence(first_hour, last_hour))
    )
    beginning = hourly.groupBy("site").agg(F.min("hour").alias("site_hour"))
    seen = hourly.withColumn("fleet_seen", n_earlier(_TYPE, "hour")).withColumn(
        "actor_seen", n_earlier([*_TYPE, _actor()], "hour")
    )
    # Each hour also speaks for the one before and the one after; a day counts once.
    seen = seen.withColumn("near_hour", F.explode(F.sequence(F.col("hour") - 1, F.col("hour") + 1)))
    clock, day = F.pmod("near_hour", F.lit(24)), F.floor(F.col("near_hour") / 24)
    seen = seen.withColumn("days_seen", n_earlier([*_TYPE, clock], day))
    seen = seen.filter("hour = first_hour and near_hour = hour").join(F.broadcast(beginning), on="site", how="inner")
    past_hours = (F.col("hour") - F.col("site_hour")).cast("double")
    shares = seen.withColumn("history_hours", past_hours).withColumns(
        {f"{of}_share": (F.col(f"{of}_seen") + 1) / (past_hours + 2) for of in ("fleet", "actor")}
    )
    is_frequent = (F.col("fleet_share") >= chronic_share) & (F.col("history_hours") >= warm_up_hours)
    is_periodic = (F.col("days_seen") >= PERIODIC_DAYS) & (
        F.col("days_seen") >= PERIODIC_SHARE * F.col("history_hours") / 24
    )
    is_chronic = is_frequent | is_periodic
    return shares.withColumn("surprise", -F.log("fleet_share") / 2 - F.log("actor_share") / 2).withColumn(
        "is_chronic", is_chronic
    )
