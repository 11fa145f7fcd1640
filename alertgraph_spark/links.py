"""Link: which earlier episode may have led to which later one.

A link goes from the earlier to the later episode through something both have in common. Its gap is bounded by chance: on
an entity that is touched every few minutes only close neighbours link, on one that never speaks a link may span days.
So hubs stay in the graph but are no glue.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.schemas import LINKS, conform

HOUR = 3_600_000_000
"""Microseconds in an hour."""

PLANNED_ROLES = ("scanner", "maintenance")
"""Roles of the asset list whose activity is planned: it links among itself, never to what was not planned."""

NEAREST = 3
"""Predecessors by start that are tried for each episode: the nearest alone can hide an older one that still runs."""


@dataclass(frozen=True)
class LinkKind:
    """One way in which two episodes can be linked: through an equal `left` key of the earlier and `right` key of the later.

    `weight` in (0, 1] says how telling the relation is, `base_gap_minutes` what is always allowed. `is_patient` kinds may
    span more: up to the gap in which less than `coincidence` other episodes of the entity are expected by chance.
    """

    name: str
    left: Column
    right: Column
    weight: float
    base_gap_minutes: float
    is_patient: bool


def link_kinds(pivot_gap_minutes: float, session_gap_seconds: float) -> tuple[LinkKind, ...]:
    """The kinds of link, most telling first. An episode about one host acts from and arrives at that host.

    Weights follow the roles of the design's reference: pivot 1, same pair .9, same source .5 (measured on CPTC-2017).
    """
    origin, destination = F.coalesce("source_entity", "target_entity"), F.col("target_entity")
    pair = F.when(F.col("source_entity").isNotNull(), F.concat_ws(" > ", origin, destination))
    burst = F.when(F.col("source_entity").isNotNull(), F.concat_ws(" ! ", origin, "source", "name"))
    session_minutes = session_gap_seconds / 60
    return (
        LinkKind("pivot", destination, origin, 1.0, pivot_gap_minutes, True),
        LinkKind("account", F.col("account"), F.col("account"), 0.9, session_minutes, True),
        LinkKind("same_pair", pair, pair, 0.9, session_minutes, False),
        LinkKind("same_source", burst, burst, 0.5, session_minutes / 2, False),
    )


def find_links(
    episodes: DataFrame,
    pivot_gap_minutes: float,
    session_gap_seconds: float,
    coincidence: float,
    max_gap_hours: float,
) -> DataFrame:
    """Link each episode to its nearest predecessors of every kind.

    One input row is one episode; chronic ones take no part. One output row is one ordered pair of episodes (`schemas.LINKS`),
    the strongest kind where several hold. The earlier starts strictly before the later; the gap is start minus the
    earlier's end, not below 0.

    Notes
    -----
    With seen hours h of the entity and H past hours of the site, its rate is `-ln(1 - (h + 1) / (H + 2))` an hour; a patient
    link spans at most `coincidence / rate`, and its weight falls with the chance that something else would have come in
    the gap, `exp(-rate * gap)`. No range join: arrivals are numbered in time, so that a predecessor is an equality. At most
    3 candidates for each episode and kind; two shuffles over a narrow frame.
    """
    kinds = link_kinds(pivot_gap_minutes, session_gap_seconds)
    ends = _ends(episodes, kinds)
    entity = Window.partitionBy("site", "kind", "key", "is_planned")
    earlier = entity.orderBy("t0").rangeBetween(Window.unboundedPreceding, -1)
    ends = ends.withColumns(
        {
            "n_before": F.count(F.when(F.col("is_left"), True)).over(earlier),
            "number": F.sum(F.col("is_left").cast("int")).over(entity.orderBy("t0", "episode", "is_left")),
            "hours_seen": F.dense_rank().over(entity.orderBy(F.floor(F.col("t0") / HOUR))) - 1,
        }
    )
    key = ["site", "kind", "key", "is_planned", "number"]
    lefts = ends.filter("is_left").select(*key, F.col("episode").alias("src"), F.col("t1").alias("left_end"))
    rights = ends.filter("is_right and n_before > 0").withColumn(
        "number", F.explode(F.sequence(F.greatest(F.lit(1), F.col("n_before") - NEAREST + 1), F.col("n_before")))
    )
    candidates = rights.withColumnRenamed("episode", "dst").join(lefts, on=key, how="inner")
    rate = -F.log(1 - F.least(F.lit(0.98), (F.col("hours_seen") + 1) / (F.col("history_hours") + 2)))
    gap_hours = F.greatest(F.lit(0), F.col("t0") - F.col("left_end")) / HOUR
    reach = F.when(F.col("is_patient"), F.least(F.lit(max_gap_hours), coincidence / rate)).otherwise(F.lit(0.0))
    linked = candidates.withColumn("gap_minutes", gap_hours * 60).filter(
        gap_hours <= F.greatest(F.col("base_gap_minutes") / 60, reach)
    )
    strength = F.col("kind_weight") * F.exp(-rate * gap_hours)
    best = F.max(F.struct(strength.alias("weight"), "kind", F.col("key").alias("entity"), "gap_minutes")).alias("best")
    return conform(linked.groupBy("site", "src", "dst").agg(best).select("site", "src", "dst", "best.*"), LINKS)


def _ends(episodes: DataFrame, kinds: tuple[LinkKind, ...]) -> DataFrame:
    """One row for each episode, kind and key: whether the episode can be left (earlier) or right (later) end there."""
    planned = F.coalesce("source_role", F.when(F.col("source_entity").isNull(), F.col("target_role")), F.lit(""))
    active = episodes.filter(~F.col("is_chronic")).select(
        "site", "episode", "source", "name", "source_entity", "target_entity", "history_hours", "accounts",
        F.unix_micros("started_at").alias("t0"),
        F.unix_micros("ended_at").alias("t1"),
        planned.isin(*PLANNED_ROLES).alias("is_planned"),
    )  # fmt: skip
    by_account = active.withColumn("account", F.explode("accounts"))
    return reduce(DataFrame.unionByName, [_of_kind(by_account if k.name == "account" else active, k) for k in kinds])


def _of_kind(episodes: DataFrame, kind: LinkKind) -> DataFrame:
    sides = (
        F.struct(kind.left.alias("key"), F.lit(True).alias("is_left"), F.lit(False).alias("is_right")),
        F.struct(kind.right.alias("key"), F.lit(False).alias("is_left"), F.lit(True).alias("is_right")),
    )
    return episodes.select(
        *("site", "episode", "t0", "t1", "is_planned", "history_hours"),
        F.lit(kind.name).alias("kind"),
        F.lit(kind.weight).alias("kind_weight"),
        F.lit(kind.base_gap_minutes).alias("base_gap_minutes"),
        F.lit(kind.is_patient).alias("is_patient"),
        F.inline(F.array(*sides)),
    ).filter("key is not null")
