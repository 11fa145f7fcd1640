"""Describe: what can be measured of a subgraph, each fact from its own episodes and the past."""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.attack import OT_ACTS, STAGES, TACTICS
from alertgraph_spark.columns import hour_of, hourly_rate, is_planned, n_earlier
from alertgraph_spark.schemas import FEATURES
from alertgraph_spark.table import conform

DAMPING = 0.85
"""Exponent by which the i-th distinct alert type counts less: many types of one flood must not outweigh two rare ones."""

MOST_TYPES = 16
"""Alert types of a subgraph that earn rarity, the most surprising: an attack has a dozen, names are invented without end."""

NEW_TYPES = 4
"""Never-seen names of one source and hour that earn rarity. Three things that are new may come in an hour; the fourth stands
for all that follow, since a flood of new names is one thing. What is added to a subgraph takes nothing from it."""

CROSSING = "it_ot_pivot"
"""The motif that tells of a crossing from IT into OT."""

PURDUE_DEFAULTS = {"external": 5.0, "it": 4.0, "dmz": 3.5, "ot": 2.0}
"""Purdue level of a zone whose machine has none in the asset list (ISA-95 / IEC 62443 reference model)."""

_OUTSIDE_OT = ("it", "dmz", "external")


def describe_subgraphs(
    grouped: DataFrame, motif_hits: DataFrame, paths: DataFrame, chains: Collection[str], warm_up_hours: float
) -> DataFrame:
    """Measure each subgraph.

    Parameters
    ----------
    grouped
        One row is one episode with its `subgraph_id`, `heard_hours` (`with_heard_hours`) and `is_announced`.
    motif_hits
        One row is one match (`schemas.MOTIF_HITS`).
    paths
        One row is the longest time-respecting path of one subgraph (`interim_schemas.PATHS`).
    chains
        Motifs that are chains. Hosts that poll each other all day make long paths too: a path counts where one matched.
    warm_up_hours
        A subgraph that began with less history than this is marked; everything is rare in the first hours.

    Returns
    -------
    DataFrame
        One row is one subgraph (`schemas.FEATURES`).
    """
    pivots = F.min(F.when(F.col("motif") == CROSSING, F.col("ended_at")))
    found = motif_hits.groupBy("subgraph_id").agg(
        F.array_sort(F.collect_set("motif")).alias("motifs"), pivots.alias("crossed_at")
    )
    episodes = _with_quiet(grouped).join(found.select("subgraph_id", "crossed_at"), on="subgraph_id", how="left")
    facts = (
        episodes.groupBy("subgraph_id", "site")
        .agg(*_facts(warm_up_hours))
        .join(_rarity(grouped), on="subgraph_id", how="inner")
    )
    described = facts.join(found.drop("crossed_at"), on="subgraph_id", how="left").join(
        paths, on="subgraph_id", how="left"
    )
    no_text = F.array().cast("array<string>")
    is_chain = F.coalesce(F.arrays_overlap("motifs", F.array(*map(F.lit, chains))), F.lit(False))
    has_crossed = F.array_contains(F.coalesce("motifs", no_text), CROSSING)
    return conform(
        described.withColumns(
            {
                "motifs": F.coalesce("motifs", no_text),
                "path": F.coalesce("path", no_text),
                "chain_hops": F.when(is_chain & F.col("path").isNotNull(), F.size("path") - 1.0).otherwise(0.0),
                "n_stages": _n_stages(F.col("tactics")),
                "level_drop": F.when(has_crossed, F.greatest(F.lit(0.0), F.col("level_drop"))).otherwise(F.lit(0.0)),
            }
        ),
        FEATURES,
    )


def with_heard_hours(episodes: DataFrame) -> DataFrame:
    """Add `heard_hours`: in how many earlier hours its site had an episode about the episode's target; the grain stays."""
    heard = n_earlier(("site", "target_entity"), hour_of(F.unix_micros("started_at")))
    return episodes.withColumn("heard_hours", heard.cast("bigint"))


def _facts(warm_up_hours: float) -> list[Column]:
    entities = F.array_distinct(F.flatten(F.collect_list(F.array_compact(F.array("source_entity", "target_entity")))))
    in_order = F.array_sort(F.collect_list(F.struct("started_at", "tactics")))
    tactics = F.array_distinct(F.flatten(F.transform(in_order, lambda e: e["tactics"])))
    is_ot_act = (F.col("target_zone") == "ot") & F.arrays_overlap("tactics", F.array(*map(F.lit, OT_ACTS)))
    after_crossing = is_ot_act & (F.col("started_at") >= F.col("crossed_at"))
    # Whoever raises an alert says the name of the machine that acts: no name alone silences a way into OT.
    crosses = F.col("crossed_at").isNotNull() | (is_ot_act & F.col("source_zone").isin(*_OUTSIDE_OT))
    is_planned_here = is_planned() & ~F.coalesce(crosses, F.lit(False))
    outer = F.greatest(_outer_level("source"), _outer_level("target"))
    inner = F.when(F.col("target_zone") == "ot", F.coalesce("target_level", F.lit(PURDUE_DEFAULTS["ot"])))
    return [
        F.min("started_at").alias("first_seen"),
        F.max("ended_at").alias("last_seen"),
        F.sum("n_alerts").alias("n_alerts"),
        F.count(F.lit(1)).alias("n_episodes"),
        F.size(entities).cast("bigint").alias("n_hosts"),
        tactics.alias("tactics"),
        (F.min("history_hours") < warm_up_hours).alias("is_warm_up"),
        F.max("quiet_nats").alias("quiet_nats"),
        F.max(F.when(F.col("target_entity").isNotNull(), F.struct("quiet_nats", "quiet")))["quiet"].alias("quietest"),
        F.coalesce(F.max("severity"), F.lit(0.0)).alias("severity"),
        F.coalesce(F.max(outer) - F.min(inner), F.lit(0.0)).alias("level_drop"),
        F.coalesce(F.max(after_crossing.cast("double")), F.lit(0.0)).alias("ot_action"),
        F.max(F.when(after_crossing, F.struct("surprise", "name")))["name"].alias("act_name"),
        F.avg((is_planned_here | F.col("is_announced")).cast("double")).alias("planned_share"),
    ]


def _outer_level(end: str) -> Column:
    """Purdue level of an end that is not in OT."""
    zone, level = F.col(f"{end}_zone"), F.col(f"{end}_level")
    default = F.coalesce(*[F.when(zone == z, F.lit(v)) for z, v in PURDUE_DEFAULTS.items()])
    return F.when(zone.isin(*_OUTSIDE_OT), F.coalesce(level, default))


def _with_quiet(episodes: DataFrame) -> DataFrame:
    """Add `quiet_nats`, -ln of the hourly rate at which the episode's target was heard of in the past, not below 0; and
    `quiet`, the target with the counts behind it.

    Rate `-ln(1 - (h + 1) / (H + 3))` from h distinct past hours with an episode about the target that was no everyday noise,
    of H. 0 for a target outside: an address of the Internet is new each time.
    """
    rate = hourly_rate(F.col("heard_hours"), F.col("history_hours"), prior=3)
    quiet = F.struct(F.col("target_entity").alias("name"), F.col("heard_hours").alias("seen_hours"), "history_hours")
    nats = F.when(F.col("target_zone") == "external", 0.0).otherwise(F.greatest(F.lit(0.0), -F.log(rate)))
    return episodes.withColumns({"quiet_nats": nats, "quiet": quiet})


def _rarity(grouped: DataFrame) -> DataFrame:
    """`rarity_nats`, `n_types` and `rarest` of each subgraph: its distinct types, the most surprising first.

    At most `MOST_TYPES` earn rarity, and of those that the site had never seen `NEW_TYPES` of one source and hour.
    """
    seen_hours = F.round(F.col("fleet_share") * (F.col("history_hours") + 2) - 1).cast("bigint")
    types = grouped.groupBy("subgraph_id", "source", "name").agg(
        F.max("surprise").alias("surprise"),
        F.min(F.struct(seen_hours.alias("seen_hours"), "history_hours")).alias("past"),  # before the first of them
        F.min(hour_of(F.unix_micros("started_at"))).alias("hour"),
    )
    is_new = F.col("past.seen_hours") <= 0
    of_hour = Window.partitionBy("subgraph_id", "source", "hour", is_new).orderBy(F.desc("surprise"), F.desc("name"))
    earns = ~is_new | (F.row_number().over(of_hour) <= NEW_TYPES)
    marked = types.repartition("subgraph_id").withColumn("earns", earns)  # one shuffle for the window and the groups
    ranked = F.sort_array(F.collect_list(F.struct("surprise", "name", "past", "earns")), asc=False)
    earning = F.slice(F.filter("ranked", lambda t: t["earns"]), 1, MOST_TYPES)
    damped = F.transform(earning, lambda t, i: t["surprise"] / F.pow(i + 1, F.lit(DAMPING)))
    return (
        marked.groupBy("subgraph_id")
        .agg(ranked.alias("ranked"))
        .select(
            "subgraph_id",
            F.aggregate(damped, F.lit(0.0), lambda total, c: total + c).alias("rarity_nats"),
            F.size("ranked").cast("bigint").alias("n_types"),
            F.transform(
                F.slice("ranked", 1, 3),
                lambda t: F.struct(t["name"].alias("name"), t["past"]["seen_hours"], t["past"]["history_hours"]),
            ).alias("rarest"),
        )
    )


def _n_stages(tactics: Column) -> Column:
    """Number of distinct super-stages that an array of canonical tactics covers."""
    by_stage = {stage: [t for t, s in TACTICS.items() if s == stage] for stage in STAGES}
    has_stage = [F.arrays_overlap(tactics, F.array(*map(F.lit, ts))).cast("double") for ts in by_stage.values()]
    return F.coalesce(reduce(Column.__add__, has_stage), F.lit(0.0))
