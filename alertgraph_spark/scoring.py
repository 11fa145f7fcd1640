"""Score: an additive score whose every part is a row in `contributions`, a rank, and a budget of what is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TypedDict

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from alertgraph_spark import words
from alertgraph_spark.columns import DAY, rate_of
from alertgraph_spark.schemas import SUBGRAPHS
from alertgraph_spark.table import conform
from alertgraph_spark.words import label, labels, many, seen_before

_TYPES = {column.name: column.type for column in SUBGRAPHS.columns}

LIKE = 0.9
"""Share of a score from which on an earlier subgraph counts as one like it."""


@dataclass(frozen=True)
class Term:
    """One term of the score: weight times a numeric column of `schemas.FEATURES`.

    `words` is a SQL expression that says the fact to an analyst.
    """

    name: str
    column: str
    weight: float
    words: str


TERMS: tuple[Term, ...] = (
    Term(
        *("rarity", "rarity_nats", 1.0),
        f"concat({many('n_types', 'alert type')}, if(n_types = 1, ', “', '; the rarest, “'), get(rarest, 0).name,"
        " '”, seen ',"
        f" {seen_before('get(rarest, 0)')})",
    ),
    Term(
        *("quiet_host", "quiet_nats", 1.0),
        f"coalesce(concat({label('quietest.name')}, ' is rarely heard of: alerts about it ', {seen_before('quietest')}),"
        " 'one of its hosts is rarely heard of')",
    ),
    Term("severity", "severity", 2.0, "concat('highest severity ', round(severity, 2), ' of 1')"),
    Term(
        *("kill_chain", "n_stages", 1.0),
        "concat(int(n_stages), ' of 4 stages of an attack: ', replace(array_join(tactics, ', '), '-', ' '))",
    ),
    Term(
        *("chain", "chain_hops", 1.0),
        f"concat({many('int(chain_hops)', 'hop')}, ' forward in time: ', array_join({labels('path')}, ' → '))",
    ),
    Term("crossing", "level_drop", 1.0, "concat('reaches ', round(level_drop, 1), ' Purdue levels down into OT')"),
    Term("ot_action", "ot_action", 3.0, "'acts on the process after the crossing'"),
    Term(
        *("planned", "planned_share", -15.0),
        "concat(int(round(100 * planned_share)), ' % of it planned: a scanner, a maintenance host or an announced window')",
    ),
)
"""Weights in nats; reference/design values, to be learned from labels where there are any."""

HALF_SCORE = 20.0
"""Nats that give a score of 0.5. A constant, never a run's own maximum: that would be the future."""


class TermWeight(TypedDict):
    """One term of a scorer as JSON holds it."""

    term: str
    column: str
    weight: float


class Weights(TypedDict):
    """A scorer as JSON holds it: linear terms and the nats of half a score."""

    terms: list[TermWeight]
    half_score: float


def scorer_weights(terms: Sequence[Term] = TERMS, half_score: float = HALF_SCORE) -> Weights:
    """The scorer as plain data, for the model that is logged."""
    return {
        "terms": [{"term": t.name, "column": t.column, "weight": t.weight} for t in terms],
        "half_score": half_score,
    }


def score_subgraphs(
    features: DataFrame,
    budget_per_day: int,
    show_exceedance: float,
    titles: Mapping[str, str],
    *,
    asks: Mapping[str, str],
    since: datetime | None = None,
    terms: Sequence[Term] = TERMS,
    half_score: float = HALF_SCORE,
) -> DataFrame:
    """Score, rank and explain subgraphs, and mark the few that are shown; one row is one subgraph (`schemas.SUBGRAPHS`).

    Parameters
    ----------
    budget_per_day
        Shown subgraphs a site and day of first_seen.
    show_exceedance
        Most earlier subgraphs a day of the site with at least 0.9 of its score for a subgraph to be shown: their rate, by
        the share of earlier days that brought one.
    titles
        Motif id to what people call it, the most telling first.
    asks
        Motif id to what to check next where it is found.
    since
        Subgraphs that ended before it are history: they count for the exceedance and are not in the output.

    Notes
    -----
    `z` is the sum of weight times column, `score = z / (z + half_score)` for z > 0, else 0; each contribution is its part of
    z times score / z, so that contributions sum to the score. The order is total: score, then first_seen, then id.
    """
    parts = [F.lit(t.weight) * F.col(t.column) for t in terms]
    scored = with_score(features, terms, half_score)
    share = F.when(F.col("z") > 0, F.col("score") / F.col("z")).otherwise(F.lit(0.0))
    contributions = F.array(
        *[
            F.struct((part * share).alias("value"), F.lit(t.name).alias("term"), F.expr(t.words).alias("fact"))
            for t, part in zip(terms, parts, strict=True)
        ]
    )
    largest_first = F.sort_array(F.filter(contributions, lambda c: c["value"] != 0), asc=False)
    explained = scored.withColumn(
        "contributions",
        F.transform(
            largest_first,
            lambda c: F.struct(c["term"].alias("term"), c["value"].alias("value"), c["fact"].alias("fact")),
        ),
    )
    judged = _with_shown(explained, budget_per_day, show_exceedance, since)
    rank = F.row_number().over(Window.orderBy(*_best_first())).cast("bigint")
    told = {
        "rank": rank,
        "title": words.title(titles),
        "summary": words.summary(titles),
        "reasons": F.transform("contributions", lambda c: c["fact"]),
        "unusual": words.unusual(),
        "checks": words.checks(asks),
        "story": F.array().cast(_TYPES["story"]),
        "counterfactual": F.when(
            F.col("is_shown"), F.from_json(F.lit("{}"), _TYPES["counterfactual"]).withField("cut", F.col("cut"))
        ),
    }
    return conform(judged.withColumns(told), SUBGRAPHS)


def with_score(features: DataFrame, terms: Sequence[Term] = TERMS, half_score: float = HALF_SCORE) -> DataFrame:
    """Add `z`, the sum of weight times column, and `score`, `z / (z + half_score)` or 0; the grain stays."""
    z = reduce(Column.__add__, [F.lit(t.weight) * F.col(t.column) for t in terms])
    score = F.when(F.col("z") > 0, F.col("z") / (F.col("z") + half_score)).otherwise(F.lit(0.0))
    return features.withColumn("z", z).withColumn("score", score)


def _best_first() -> list[Column]:
    """The total order of subgraphs."""
    return [F.desc("score"), F.col("first_seen"), F.col("subgraph_id")]


def _site_day() -> WindowSpec:
    return Window.partitionBy("site", F.to_date("first_seen"))


def _with_shown(scored: DataFrame, budget_per_day: int, show_exceedance: float, since: datetime | None) -> DataFrame:
    """Mark as shown: within the day's budget, after the warm-up, and unlike what the site's past keeps bringing.

    Add `n_like`, of what is shown: how many of its site and day that are not shown score like it. What ended before `since`
    is dropped once it has been counted. `cut` is, of what is shown, the score below which it would not be, all others as they
    are: that of the next of its site and day, or one that the past has brought too often.

    Notes
    -----
    What is usual comes day after day: from n of the days before (of 24 hours, back from the candidate) that brought one like
    it, of D since the site began, the rate is `-ln(1 - (n + 1/2) / (D + 1))` a day. Days, since whoever can make one decoy
    can make forty; and none of the last 24 hours, since a burst may run past midnight.
    """
    of_day = Window.partitionBy("site", F.to_date("first_seen"), "is_warm_up")
    placed = scored.withColumn("place", F.row_number().over(of_day.orderBy(*_best_first())))
    next_score = F.max(F.when(F.col("place") > budget_per_day, F.col("score"))).over(of_day)
    judged = placed.withColumn("next_score", next_score)
    is_candidate = (F.col("place") <= budget_per_day) & ~F.col("is_warm_up") & (F.col("score") > 0)
    begin = judged.groupBy("site").agg(F.min("first_seen").alias("site_begin"))
    past = judged.select(
        F.col("site").alias("past_site"), F.col("score").alias("past_score"), F.col("first_seen").alias("past_seen")
    )
    told = judged if since is None else judged.filter(F.col("last_seen") >= F.lit(since))
    days = (F.unix_timestamp("first_seen") - F.unix_timestamp("site_begin")) / 86400
    candidates = told.filter(is_candidate).join(F.broadcast(begin), on="site", how="inner")
    is_earlier = (F.col("past_site") == F.col("site")) & (
        F.col("past_seen") <= F.col("first_seen") - F.expr("INTERVAL 24 HOURS")
    )
    days_ago = F.floor((F.unix_micros("first_seen") - F.unix_micros("past_seen")) / DAY)
    best_first = Window.partitionBy("subgraph_id").orderBy(F.desc("past_score"))

    def is_too_many(n_days: Column) -> Column:
        return rate_of((n_days + 0.5) / (F.col("days") + 1)) > show_exceedance

    usual = (
        candidates.select("subgraph_id", "site", "first_seen", "score", "next_score", days.alias("days"))
        .join(past, on=is_earlier, how="left")
        .groupBy("subgraph_id", "score", "next_score", "days", days_ago)
        .agg(F.max("past_score").alias("past_score"))
        .withColumn("usual_score", F.when(is_too_many(F.row_number().over(best_first)), F.col("past_score")))
        .groupBy("subgraph_id", "score", "next_score", "days")
        .agg(F.max("usual_score").alias("usual_score"))  # with all days above it, one too many
    )
    is_usual = is_too_many(F.lit(0)) | F.coalesce(F.col("usual_score") >= LIKE * F.col("score"), F.lit(False))
    cut = F.coalesce(F.greatest("next_score", F.col("usual_score") / LIKE), F.lit(0.0))
    shown = usual.select("subgraph_id", cut.alias("cut"), (~is_usual).alias("is_shown"))
    marked = told.join(F.broadcast(shown), on="subgraph_id", how="left").withColumn(
        "is_shown", F.coalesce("is_shown", F.lit(False))
    )
    # In SQL, since frames of the Python interface are whole numbers: of scores from LIKE times its own upwards.
    n_like = F.expr(
        "sum(int(not is_shown)) over (partition by site, to_date(first_seen) order by if(score > 0, ln(score), null)"
        f" range between {-math.log(LIKE)}D preceding and unbounded following)"
    )
    return marked.withColumn("n_like", F.when(F.col("is_shown"), n_like).otherwise(0))


def count_crowded(subgraphs: DataFrame) -> int:
    """How many subgraphs are not shown and score like one of their site and day that is; one row is one subgraph.

    Notes
    -----
    One small job. The budget hides them, and whoever can make one better decoy a day makes use of that.
    """
    least_shown = F.min(F.when(F.col("is_shown"), F.col("score"))).over(_site_day())
    is_crowded = ~F.col("is_shown") & (F.col("score") >= LIKE * least_shown)
    return subgraphs.select(is_crowded.alias("is_crowded")).filter("is_crowded").count()
