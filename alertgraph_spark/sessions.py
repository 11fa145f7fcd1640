"""Sessions: what happens on one host without a pause, and which sessions meet too closely in time to be chance.

An alert about one host alone says nobody's name: what led to it can be told by time only. So the alerts about a host are
taken together as long as no pause parts them, and a session is linked to another when one so unusual is not expected to
come that soon. An episode that names two ends is a session of its own: links through entities speak for it.
"""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import HOUR, hour_of, rate_of, with_past_hours
from alertgraph_spark.interim_schemas import SESSIONS
from alertgraph_spark.schemas import LINKS
from alertgraph_spark.table import conform

STRONG_RATE = 0.2
"""Sessions as strong that the site has an hour, at most, for one to be linked by time: one in five hours."""

CHANCE_ELSEWHERE, CHANCE_HERE = 0.03, 0.3
"""Sessions as strong that are expected in the gap, at most: for another host any of the site would do, so less."""

MAX_HOURS_ELSEWHERE, MAX_HOURS_HERE = 3.0, 12.0
"""Longest gap of a link by time: who goes on to another host is soon there; who has a host may come back that day. Less than
a day, so that what a host does every day at one time does not hang together before it is known for a routine."""

WEIGHT = 0.9
"""Weight of a link by time at a gap of 0: below a pivot, which names what both have in common."""

NEAREST = 3
_BAND = -math.log(0.9)


def band_of(strength: Column) -> Column:
    """The class of strength: each begins a ninth above the one before."""
    return F.greatest(F.lit(0), F.floor(F.log(F.greatest(F.lit(1.0), strength)) / _BAND)).cast("int")


def with_session(episodes: DataFrame, gap_seconds: float) -> DataFrame:
    """Number each episode's session; chronic episodes are left out.

    Row grain is unchanged; adds `session`, the episode that begins it. A new one begins on a host after a pause of more than
    `gap_seconds`, told from the latest end so far, since a long episode covers short ones that come later.
    """
    active = episodes.filter(~F.col("is_chronic")).withColumn("is_lone", F.col("source_entity").isNull())
    in_order = Window.partitionBy("site", "is_lone", "target_entity").orderBy("started_at", "episode")
    ends_before = F.max("ended_at").over(in_order.rowsBetween(Window.unboundedPreceding, -1))
    pause = F.unix_micros("started_at") - F.unix_micros(ends_before)
    opens = ~F.col("is_lone") | F.coalesce(pause > gap_seconds * 1e6, F.lit(True))
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    opened = active.withColumn("opens", opens)
    session = F.last(F.when(F.col("opens"), F.col("episode")), ignorenulls=True).over(so_far)
    return opened.withColumn("session", F.when(F.col("is_lone"), session).otherwise(F.col("episode"))).drop("opens")


def describe_sessions(episodes: DataFrame) -> DataFrame:
    """Measure the sessions of hosts; one row is one session (`interim_schemas.SESSIONS`), input what `with_session` gives.

    Notes
    -----
    The strength is the sum over its alert types of their highest surprise, in nats. The rates are those of sessions about
    as strong or stronger (of its band, or the one below), which had ended in an earlier hour: what came after tells nothing.
    From h such hours of H, `-ln(1 - (h + 1) / (H + 2))` an hour for the site; for the host, of n hosts so far,
    `p = (h + 4 q / n) / (H + 6)` with the site's share q, so that a host without a past has the site's rate by host.
    """
    types = (
        episodes.filter("is_lone")
        .groupBy("site", "target_entity", "session", "source", "name")
        .agg(
            F.max("surprise").alias("surprise"),
            F.min("started_at").alias("started_at"),
            F.max("ended_at").alias("ended_at"),
            F.min("history_hours").alias("history_hours"),
        )
    )
    sessions = types.groupBy("site", F.col("target_entity").alias("host"), "session").agg(
        F.min("started_at").alias("started_at"),
        F.max("ended_at").alias("ended_at"),
        F.min("history_hours").alias("history_hours"),
        F.sum("surprise").alias("strength"),
    )
    sessions = sessions.withColumn("band", band_of(F.col("strength")))
    return conform(_with_rates(sessions), SESSIONS)


def _with_rates(sessions: DataFrame) -> DataFrame:
    """Add `site_rate` and `host_rate`: of each band up to its own a session is seen in the hour in which it ends."""
    kept = ("site", "host", "session", "started_at", "ended_at", "history_hours", "strength", "band")
    seen = sessions.select(
        "site", "host", hour_of(F.unix_micros("ended_at")).alias("hour"),
        F.explode(F.sequence(F.lit(0), F.col("band"))).alias("level"),
        F.lit(None).cast("bigint").alias("asked"),
    ).distinct()  # fmt: skip
    asked = sessions.select(
        "site", "host", hour_of(F.unix_micros("started_at")).alias("hour"),
        F.greatest(F.lit(0), F.col("band") - 1).alias("level"),
        F.col("session").alias("asked"),
    )  # fmt: skip
    found, is_seen = seen.unionByName(asked), F.col("asked").isNull()
    found = with_past_hours(found, "site_hours", ("site", "level"), is_seen)
    found = with_past_hours(found, "host_hours", ("site", "host", "level"), is_seen)
    hours = found.filter("asked is not null").select(F.col("asked").alias("session"), "site_hours", "host_hours")
    first_heard = Window.partitionBy("site", "host").orderBy("started_at", "session")
    so_far = Window.partitionBy("site").orderBy("started_at", "session")
    counted = sessions.withColumn("is_new", (F.row_number().over(first_heard) == 1).cast("int")).withColumn(
        "n_hosts", F.sum("is_new").over(so_far)
    )
    share = F.least(F.lit(0.98), (F.col("site_hours") + 1) / (F.col("history_hours") + 2))
    host_share = (F.col("host_hours") + 4 * share / F.col("n_hosts")) / (F.col("history_hours") + 6)
    return counted.join(hours, on="session", how="inner").select(
        *kept, rate_of(share).alias("site_rate"), rate_of(host_share).alias("host_rate")
    )


def link_sessions(sessions: DataFrame) -> DataFrame:
    """Link strong sessions that follow each other sooner than chance allows; one row is one link (`schemas.LINKS`).

    Input is one row a session. The link goes between the episodes that begin them, the earlier first; its kind is
    `coincidence`, its entity the later host, its weight .9 times the chance that no other as strong came in the gap.

    Notes
    -----
    The weaker of both decides: `rate * gap <= chance`, the site's rate and .03 between two hosts, the host's and .3 on one.
    Tried are the three nearest before and after that are at least as strong: where a farther one is within reach, so is the
    nearer, and it has the same reach to both, so nothing falls apart. A window over bands, no join of all pairs.
    """
    strong = sessions.filter(F.col("site_rate") <= STRONG_RATE).select(
        "site", "host", "session", "band", "site_rate", "host_rate",
        F.unix_micros("started_at").alias("t0"), F.unix_micros("ended_at").alias("t1"),
    )  # fmt: skip
    by_level = strong.withColumn("level", F.explode(F.sequence(F.lit(0), F.col("band"))))
    one = F.struct("t0", "session", "host", "t1", "site_rate", "host_rate")  # in the order of time
    links = []
    for key in (("site",), ("site", "host")):
        in_order = Window.partitionBy(*key, "level").orderBy("t0", "session")
        near = F.array(*[step(one, n).over(in_order) for step in (F.lag, F.lead) for n in range(1, NEAREST + 1)])
        tried = by_level.withColumn("near", near).filter("level = band")
        links.append(tried.select("site", one.alias("a"), F.explode("near").alias("b")).filter("a.t0 <> b.t0"))
    pairs = links[0].unionByName(links[1])
    pairs = pairs.select("site", F.least("a", "b").alias("src"), F.greatest("a", "b").alias("dst")).distinct()
    is_here = F.col("src.host") == F.col("dst.host")
    rate = F.when(is_here, F.greatest("src.host_rate", "dst.host_rate")).otherwise(
        F.greatest("src.site_rate", "dst.site_rate")
    )
    gap_hours = F.greatest(F.lit(0), F.col("dst.t0") - F.col("src.t1")) / HOUR
    chance = F.when(is_here, F.lit(CHANCE_HERE)).otherwise(F.lit(CHANCE_ELSEWHERE))
    longest = F.when(is_here, F.lit(MAX_HOURS_HERE)).otherwise(F.lit(MAX_HOURS_ELSEWHERE))
    return conform(
        pairs.filter((gap_hours <= longest) & (rate * gap_hours <= chance)).select(
            "site",
            F.col("src.session").alias("src"),
            F.col("dst.session").alias("dst"),
            F.lit("coincidence").alias("kind"),
            F.col("dst.host").alias("entity"),
            (gap_hours * 60).alias("gap_minutes"),
            (WEIGHT * F.exp(-rate * gap_hours)).alias("weight"),
            F.lit(0.0).alias("chance"),
        ),
        LINKS,
    )
