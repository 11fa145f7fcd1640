"""Absorb: what begins on a host inside the span of a strong group, and is not expected there by chance, belongs to it.

A strong group is an attack or a great stir: the lesser sessions that begin meanwhile are most often its side effects, which
no entity in common would link.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import HOUR, first_rows

STRONG_NATS = 15.0
"""Strength from which a group absorbs."""

CHANCE = 0.5
"""Sessions as strong that are expected between it and the nearest of the group, at most."""

LESSER = 1 / 3
"""A group as strong as this share of it is not absorbed: a second attack stays by itself."""

SPAN_CHANCE = 2.0
"""Sessions as strong that are expected in the group's whole span, at most: what lasts for days takes in the rarest alone."""

WEIGHT = 0.1
"""Below every other link: where a subgraph grows too large, what was absorbed goes first."""


def group_strengths(episodes: DataFrame) -> DataFrame:
    """Strength of each group: the sum of its episodes' surprise, of which the k-th of a type counts .3 / k.

    Input is one row an episode with `component` and `is_lone`; one output row is one `component`, with its site, first and
    last time (microseconds), strength in nats, and whether it has an alert about one host alone.
    """
    by_type = Window.partitionBy("component", "source", "name").orderBy(F.desc("surprise"), "episode")
    repeat = F.row_number().over(by_type)
    counted = F.when(repeat == 1, F.col("surprise")).otherwise(F.col("surprise") * 0.3 / repeat)
    return (
        episodes.withColumn("counted", counted)
        .groupBy("site", "component")
        .agg(
            F.min(F.unix_micros("started_at")).alias("begin"),
            F.max(F.unix_micros("ended_at")).alias("end"),
            F.sum("counted").alias("strength"),
            F.max("is_lone").alias("has_lone"),
        )
    )


def absorb_sessions(episodes: DataFrame, sessions: DataFrame) -> DataFrame:
    """Link each session that a strong group absorbs to the nearest of the group; one row is one link (`schemas.LINKS`).

    Parameters
    ----------
    episodes
        One row is one episode with its `session` and `component`.
    sessions
        One row is one session (`interim_schemas.SESSIONS`).

    Notes
    -----
    A group of at least 15 nats absorbs a session that begins in its span and belongs to a group less than a third as strong,
    if chance brings no such session so near: the site's rate of them times the gap to the nearest of the group, before or
    after, is at most .5, and times the whole span at most 2. Of several groups the strongest takes it, with all of its own
    group. Groups that strong are few: they are broadcast.
    """
    groups = group_strengths(episodes).filter("has_lone")
    of_session = episodes.filter("is_lone").select("session", "component").distinct()
    own = groups.select("component", F.col("strength").alias("own_strength"))
    begun = (
        sessions.select(
            "site",
            "host",
            "session",
            "site_rate",
            F.unix_micros("started_at").alias("t0"),
            F.unix_micros("ended_at").alias("t1"),
        )
        .join(of_session, on="session", how="inner")
        .join(own, on="component", how="inner")
    )
    strong = (
        groups.filter(F.col("strength") >= STRONG_NATS)
        .select("site", F.col("component").alias("group"), "begin", "end", "strength")
        .withColumn("span_hours", (F.col("end") - F.col("begin")) / HOUR)
    )
    spans = (F.col("begin") <= F.col("t0")) & (F.col("t0") <= F.col("end"))
    meets = begun.join(F.broadcast(strong), on="site", how="inner").filter(
        spans
        & (F.col("site_rate") * F.col("span_hours") <= SPAN_CHANCE)
        & (F.col("group") != F.col("component"))
        & (F.col("own_strength") < F.col("strength") * LESSER)
    )
    taken = Window.partitionBy("session").orderBy(F.desc("strength"), "group")
    meets = first_rows(meets, taken, 1)
    members = (
        episodes.select(
            F.col("component").alias("group"),
            F.col("session"),
            F.unix_micros("started_at").alias("t0"),
            F.unix_micros("ended_at").alias("t1"),
        )
        .groupBy("group", "session")
        .agg(F.min("t0").alias("t0"), F.max("t1").alias("t1"))
    )
    members = members.join(F.broadcast(strong.select("group")), on="group", how="left_semi")
    rows = members.withColumn("is_asked", F.lit(False)).unionByName(
        meets.select(*members.columns, "site_rate", "site", "host", "component", F.lit(True).alias("is_asked")),
        allowMissingColumns=True,
    )
    in_order = Window.partitionBy("group").orderBy("t0", "is_asked", "session")
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    after = in_order.rowsBetween(1, Window.unboundedFollowing)
    member, next_member = (
        F.when(~F.col("is_asked"), F.struct(F.col(end).alias("at"), "session")) for end in ("t1", "t0")
    )
    near = (
        rows.withColumn("earlier", F.max(member).over(before))
        .withColumn("later", F.min(next_member).over(after))
        .filter("is_asked")
    )
    gap_before = F.greatest(F.lit(0), F.col("t0") - F.col("earlier.at"))
    gap_after = F.greatest(F.lit(0), F.col("later.at") - F.col("t1"))
    is_after = F.col("later").isNull() | (gap_before <= gap_after)
    gap_hours = F.when(is_after, gap_before).otherwise(gap_after) / HOUR
    return near.filter(F.col("site_rate") * gap_hours <= CHANCE).select(
        F.col("component").alias("core"),
        "site",
        F.when(is_after, F.col("earlier.session")).otherwise(F.col("session")).alias("src"),
        F.when(is_after, F.col("session")).otherwise(F.col("later.session")).alias("dst"),
        F.lit("absorbed").alias("kind"),
        F.col("host").alias("entity"),
        (gap_hours * 60).alias("gap_minutes"),
        (WEIGHT * F.exp(-F.col("site_rate") * gap_hours)).alias("weight"),
        F.lit(0.0).alias("chance"),
    )
