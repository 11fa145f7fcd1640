"""Link: which earlier episode may have led to which later one.

A link goes from the earlier to the later episode through something both have in common. Its gap is bounded by chance: on
an entity that is touched every few minutes only close neighbours link, on one that never speaks a link may span days.
So hubs stay in the graph but are no glue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import HOUR, hour_of, hourly_rate, is_planned, with_past_hours
from alertgraph_spark.schemas import LINKS
from alertgraph_spark.table import conform

FOLLOWS = 0.95
"""Least weight of a pivot from the nearest arrival within the gap that is always allowed: the last to cut."""

LESSER = 0.9
"""What every other link weighs of its kind's weight, so that it stays below."""

INSTANT_HOURS = 1 / 60
"""Shortest gap that is asked about: on a busy entity something else is always there within a minute."""

NEAREST = 3
"""Predecessors by start that are tried for each episode: the nearest alone can hide an older one that still runs."""

MOST_BY_ACCOUNT = 9
"""Earlier episodes to which an episode is linked by accounts alone, at most: as many as a pivot may try. Each of its accounts
has three, and whoever writes an alert may name fifty."""

BUSY_ACCOUNT = 60
"""Episodes an hour that name an account from which it is no glue: one a minute, when something is always there (see
`INSTANT_HOURS`). A person is in a handful; what is above is a service that is everywhere, or a flood."""

_GRADES = 1000
"""Classes from here on are grades of severity, below it levels of surprise."""

_KEY = ("site", "kind", "way", "key", "is_planned")


@dataclass(frozen=True)
class LinkKind:
    """One way in which two episodes can be linked: through an equal `left` key of the earlier and `right` key of the later.

    `way` tells two kinds of one name apart. `weight` in (0, 1] says how telling the relation is, `base_gap_minutes` what is
    always allowed. `is_patient` kinds may span more: up to the gap in which less than `coincidence` other episodes of the
    entity are expected by chance. Right ends for which `may_follow` is false make the entity busy, and are not linked.
    """

    name: str
    way: str
    left: Column
    right: Column
    weight: float
    base_gap_minutes: float
    is_patient: bool
    may_follow: Column = field(default_factory=lambda: F.lit(True))


def link_kinds(pivot_gap_minutes: float, session_gap_seconds: float) -> tuple[LinkKind, ...]:
    """The kinds of link, most telling first. An episode about one host acts from and arrives at that host.

    Weights follow the roles of the design's reference: pivot 1, same pair .9, account .8, same source
    .5; an equal weight would let the name of a link depend on the spelling of its kind.
    """
    origin, destination = F.coalesce("source_entity", "target_entity"), F.col("target_entity")
    has_source = F.col("source_entity").isNotNull()
    pair = F.when(has_source, F.concat_ws(" > ", origin, destination))
    burst = F.when(has_source, F.concat_ws(" ! ", origin, "source", "name"))
    arrives, stays = F.when(has_source, destination), F.when(~has_source, destination)
    session_minutes = session_gap_seconds / 60
    return (
        # Two alerts about one host alone are no pivot: sessions join them.
        LinkKind("pivot", "arrives", arrives, origin, 1.0, pivot_gap_minutes, True),
        LinkKind("pivot", "leaves", stays, origin, 1.0, pivot_gap_minutes, True, has_source),
        LinkKind("account", "", F.col("account"), F.col("account"), 0.8, session_minutes, True),
        LinkKind("same_pair", "", pair, pair, 0.9, session_minutes, True),
        LinkKind("same_source", "", burst, burst, 0.5, session_minutes / 2, False),
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
    The rate of an entity is that of episodes which could have been the later end, at least as surprising as the weaker one,
    before the earlier one: from h past hours with such, `-ln(1 - (h + 1) / (H + 2))` an hour, H the site's hours before the
    later end. So two rare episodes can be linked over a host whose everyday life is busy, and over a server that many come
    to but that never acts itself.

    A patient link spans at most `coincidence / rate`; its weight falls with the chance that something else would have come
    in the gap, `exp(-rate * gap)`. `chance` is one less that, of a gap of at least a minute; it is 0 for the pivot from the
    nearest arrival within the gap that is always allowed. An episode that a pivot as surprising explains within that gap is
    linked to no older one. No range join: arrivals are numbered in time, so that a predecessor is an equality, and strength
    is counted in whole nats. At most 3 candidates for each episode, kind and key, of a pivot 9; narrow frames throughout.

    The number of links is linear in that of episodes, whatever they say: by accounts alone an episode has at most
    `MOST_BY_ACCOUNT`, the strongest, and an account that more than `BUSY_ACCOUNT` episodes named in the hour before links
    nothing.
    """
    kinds = link_kinds(pivot_gap_minutes, session_gap_seconds)
    ends = _ends(episodes, kinds)
    candidates = _nearest_predecessors(ends).join(_hours_seen(ends), on=[*_KEY, "src", "level"], how="inner")
    rate = hourly_rate(F.col("hours_seen"), F.col("history_hours"))
    gap_hours = F.greatest(F.lit(0), F.col("t0") - F.col("left_end")) / HOUR
    is_pivot = F.col("kind") == "pivot"
    in_order = Window.partitionBy("site", "dst").orderBy(F.desc(is_pivot), F.desc("left_start"), F.desc("src"))
    candidates = candidates.withColumn("place", F.row_number().over(in_order))
    # What was reached a moment ago by something as surprising needs no older cause.
    is_short = gap_hours <= F.col("base_gap_minutes") / 60
    explains = is_pivot & is_short & (F.col("left_level") >= F.col("right_level"))
    is_explained = is_pivot & F.max(explains).over(Window.partitionBy("site", "dst"))
    reach = F.when(F.col("is_patient") & ~is_explained, F.least(F.lit(max_gap_hours), coincidence / rate)).otherwise(
        F.lit(0.0)
    )
    linked = (
        candidates.withColumn("gap_minutes", gap_hours * 60)
        .withColumn("reach", reach)
        .filter(is_short | (gap_hours <= F.col("reach")))
    )
    alone = F.exp(-rate * F.col("gap_minutes") / 60)  # the chance that nothing else would have come in the gap
    follows = is_pivot & is_short
    strength = (
        F.when(follows & (F.col("place") == 1), FOLLOWS + (1 - FOLLOWS) * alone)
        .when(follows & F.col("is_nearest"), F.lit(FOLLOWS))
        .otherwise(LESSER * F.col("kind_weight") * alone)
    )
    chance = F.when(follows & F.col("is_nearest"), F.lit(0.0)).otherwise(
        1 - F.exp(-rate * F.greatest(gap_hours, F.lit(INSTANT_HOURS)))
    )
    # Where several kinds hold, the most telling names the link, the strongest weighs it, the least of chance speaks for it.
    named = F.max_by(
        F.struct("kind", F.col("key").alias("entity"), "gap_minutes"), F.struct("kind_weight", strength, "kind", "key")
    )
    pairs = linked.groupBy("site", "src", "dst").agg(
        F.max(strength).alias("weight"), F.min(chance).alias("chance"), named.alias("named")
    )
    by_account = F.col("named.kind") == "account"
    strongest = Window.partitionBy("site", "dst", by_account).orderBy(F.desc("weight"), F.desc("src"))
    kept = pairs.withColumn("place", F.row_number().over(strongest)).filter(
        ~by_account | (F.col("place") <= MOST_BY_ACCOUNT)
    )
    return conform(kept.select("site", "src", "dst", "weight", "chance", "named.*"), LINKS)


def _nearest_predecessors(ends: DataFrame) -> DataFrame:
    """Pairs of a left and a later right end of one key; `level` is the strength of the weaker episode in whole nats.

    The three nearest of all are tried, and for a ranked kind the three nearest of those at least as surprising as the later
    end, and of those at least as severe. `is_nearest` marks the first of each. An end is written once for each class that it
    is in: a class is a least level, or a least grade of severity.
    """
    grades = F.transform(F.sequence(F.lit(0), F.col("grade")), lambda grade: _GRADES + grade)
    classes = F.concat(F.sequence(F.lit(0), F.col("level")), grades)
    own = F.array(F.lit(0), F.col("level"), _GRADES + F.col("grade"))
    classed = ends.withColumn("own", own).withColumn(
        "class", F.explode(F.when(F.col("is_ranked"), classes).otherwise(F.array(F.lit(0))))
    )
    entity = Window.partitionBy(*_KEY, "class")
    earlier = entity.orderBy("t0").rangeBetween(Window.unboundedPreceding, -1)
    numbered = classed.withColumns(
        {
            "n_before": F.count(F.when(F.col("is_left"), True)).over(earlier),
            "number": F.sum(F.col("is_left").cast("int")).over(entity.orderBy("t0", "episode", "is_left")),
        }
    )
    lefts = numbered.filter("is_left").select(
        *_KEY,
        "class",
        "number",
        F.col("episode").alias("src"),
        F.col("t0").alias("left_start"),
        F.col("t1").alias("left_end"),
        F.col("level").alias("left_level"),
    )
    nearest = F.sequence(F.greatest(F.lit(1), F.col("n_before") - NEAREST + 1), F.col("n_before"))
    asking = numbered.filter("is_right and may_follow and n_before > 0 and array_contains(own, class)")
    rights = asking.select(
        *(*_KEY, "class", "n_before", "t0", "history_hours", "kind_weight", "base_gap_minutes", "is_patient"),
        F.col("episode").alias("dst"),
        F.col("level").alias("right_level"),
        F.explode(nearest).alias("number"),
    )
    pairs = rights.join(lefts, on=[*_KEY, "class", "number"], how="inner")
    is_nearest = F.max(F.col("number") == F.col("n_before")).alias("is_nearest")
    once = pairs.groupBy(*[c for c in pairs.columns if c not in ("class", "number", "n_before")]).agg(is_nearest)
    return once.withColumn("level", F.least("right_level", "left_level"))


def _hours_seen(ends: DataFrame) -> DataFrame:
    """For each left end and each level up to its own: hours before its own in which the key had a right end that strong."""
    by_level = ends.withColumn("level", F.explode(F.sequence(F.lit(0), F.col("level"))))
    by_level = by_level.withColumn("hour", hour_of(F.col("t0")))
    seen = with_past_hours(by_level, "hours_seen", (*_KEY, "level"), F.col("is_right"))
    return seen.filter("is_left").select(*_KEY, F.col("episode").alias("src"), "level", "hours_seen")


def _ends(episodes: DataFrame, kinds: tuple[LinkKind, ...]) -> DataFrame:
    """One row for each episode, kind and key: whether the episode can be left (earlier) or right (later) end there."""
    active = episodes.filter(~F.col("is_chronic")).select(
        "site", "episode", "source", "name", "source_entity", "target_entity", "history_hours", "accounts",
        F.floor("surprise").cast("int").alias("level"),
        F.floor(4 * F.least(F.lit(0.99), F.coalesce("severity", F.lit(0.0)))).cast("int").alias("grade"),
        F.unix_micros("started_at").alias("t0"),
        F.unix_micros("ended_at").alias("t1"),
        is_planned().alias("is_planned"),
    )  # fmt: skip
    named = active.withColumn("account", F.explode("accounts"))
    in_order = Window.partitionBy("site", "account").orderBy("t0", "episode")
    nth_before = F.lag("t0", BUSY_ACCOUNT).over(in_order)
    is_busy = F.coalesce(F.col("t0") - nth_before <= HOUR, F.lit(False))
    by_account = named.withColumn("is_busy", is_busy).filter("not is_busy")
    return reduce(DataFrame.unionByName, [_of_kind(by_account if k.name == "account" else active, k) for k in kinds])


def _of_kind(episodes: DataFrame, kind: LinkKind) -> DataFrame:
    sides = [
        F.struct(key.alias("key"), F.lit(left).alias("is_left"), F.lit(not left).alias("is_right"))
        for key, left in ((kind.left, True), (kind.right, False))
    ]
    return episodes.select(
        *("site", "episode", "t0", "t1", "level", "grade", "is_planned", "history_hours"),
        F.lit(kind.name).alias("kind"),
        F.lit(kind.way).alias("way"),
        F.lit(kind.weight).alias("kind_weight"),
        F.lit(kind.base_gap_minutes).alias("base_gap_minutes"),
        F.lit(kind.is_patient).alias("is_patient"),
        kind.may_follow.alias("may_follow"),
        F.lit(kind.name == "pivot").alias("is_ranked"),
        F.inline(F.array(*sides)),
    ).filter("key is not null")
