"""Without: the fewest alerts found without which a shown subgraph would not be shown, each choice scored as real ones are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import episode_id, first_rows, hour_of, with_past_hours
from alertgraph_spark.explain.ablations import ABLATIONS as CHOICES
from alertgraph_spark.explain.ablations import MAX_TYPES, Row
from alertgraph_spark.explain.ablations import TypeIndexes as Places
from alertgraph_spark.explain.ablations import rarest_and_busiest as in_turn
from alertgraph_spark.explain.ablations import smallest_ablation as fewest
from alertgraph_spark.explain.sentences import MAX_IDS
from alertgraph_spark.schemas import SUBGRAPHS
from alertgraph_spark.table import conform

MAX_ASKED = 1_000
"""Subgraphs that are asked about, by rank; each is scored once for each of `CHOICES`."""

_COUNTERFACTUAL = next(column.type for column in SUBGRAPHS.columns if column.name == "counterfactual")
_OF_TYPE = ["subgraph_id", "source", "name"]


class Pieces(NamedTuple):
    """What a score is made of: episodes with their `subgraph_id` and `heard_hours`, links that were not cut, motif hits."""

    episodes: DataFrame
    links: DataFrame
    motif_hits: DataFrame


Rescore = Callable[[Pieces], DataFrame]
"""Gives `subgraph_id` and `score`, as the line does."""


def with_counterfactual(
    subgraphs: DataFrame, whole: Pieces, members: DataFrame, rescore: Rescore, hold: Callable[[DataFrame], DataFrame]
) -> DataFrame:
    """Say of each subgraph that is shown what it takes to be shown; one row is one subgraph (`schemas.SUBGRAPHS`).

    What is left out is whole alert types of one subgraph, since a repeat earns nothing. The rest is scored as one subgraph
    by the code that scored the real ones, with its own longest path and its own past: of what is left out nobody had heard.
    All other subgraphs stay as they are. Of the choices that score below the `cut`, or nothing, the one with the fewest
    alerts is told, then the fewest types, then the lowest score.

    Parameters
    ----------
    subgraphs
        What `scoring.score_subgraphs` gives, with `cut` alone in `counterfactual`; materialised, since it is read twice.
    whole
        What their scores were made of; of hits those of chains, since of these, unlike of those that count, one stays as
        long as its episodes do.
    members
        One row is one alert with its `episode_id` (`schemas.MEMBERS`), of which only those of shown subgraphs are read.
    hold
        Materialises a frame that is read more than once.

    Notes
    -----
    What comes to the driver are alert types and scores, one for each of `MAX_ASKED` subgraphs and `CHOICES` at most. Where
    nothing is shown, no job is started but the one that finds that.
    """
    spark = subgraphs.sparkSession
    shown = subgraphs.filter("is_shown").orderBy("rank").limit(MAX_ASKED)
    cuts = {row["subgraph_id"]: row["cut"] for row in shown.select("subgraph_id", "counterfactual.cut").collect()}
    if not cuts:
        return subgraphs
    is_asked = F.col("subgraph_id").isin(list(cuts))
    chain_hits = whole.motif_hits.filter(is_asked)
    unordered: dict[str, list[Row]] = {}
    for row in _types(whole.episodes.filter(is_asked), chain_hits).collect():
        unordered.setdefault(row["subgraph_id"], []).append(row.asDict())
    types = {key: in_turn(found) for key, found in unordered.items()}

    marks = spark.createDataFrame(
        _marks(types), "subgraph_id string, source string, name string, bit bigint, rest bigint"
    )
    left = _left(whole._replace(motif_hits=chain_hits), marks)
    scores: dict[str, dict[Places, float]] = {key: {} for key in cuts}
    for row in rescore(left._replace(episodes=hold(left.episodes))).select("subgraph_id", "score").collect():
        key, _, number = row["subgraph_id"].rpartition("#")
        scores[key][CHOICES[int(number)]] = row["score"]
    found = {key: fewest(cut, types[key], scores[key]) for key, cut in cuts.items()}

    absent = [(key, t["source"], t["name"]) for key, one in found.items() for t in one.types or ()]
    ids: dict[tuple[str, ...], list[str]] = {}
    if absent:
        named = spark.createDataFrame(absent, "subgraph_id string, source string, name string")
        of_absent = whole.episodes.join(F.broadcast(named), on=_OF_TYPE, how="inner")
        ids = {tuple(row[c] for c in _OF_TYPE): row["alert_ids"] for row in _ids(of_absent, members).collect()}
    told = [(key, (cuts[key], one.score, _with_ids(key, one.types, ids), one.fact)) for key, one in found.items()]
    frame = spark.createDataFrame(told, f"subgraph_id string, told {_COUNTERFACTUAL}")
    joined = subgraphs.join(F.broadcast(frame), on="subgraph_id", how="left")
    return conform(joined.withColumn("counterfactual", F.coalesce("told", "counterfactual")), SUBGRAPHS)


def _with_ids(
    key: str, types: Sequence[Row] | None, ids: Mapping[tuple[str, ...], list[str]]
) -> list[tuple[str, str, int, list[str]]] | None:
    if types is None:
        return None
    return [(t["source"], t["name"], t["n_alerts"], ids.get((key, t["source"], t["name"]), [])) for t in types]


def _types(episodes: DataFrame, chain_hits: DataFrame) -> DataFrame:
    """The alert types of some subgraphs: surprise, alerts, and the chains that they take part in."""
    of_episode = chain_hits.select(F.explode("episodes").alias("hex")).groupBy("hex").agg(F.count("hex").alias("hits"))
    joined = episodes.withColumn("hex", episode_id(F.col("episode"))).join(of_episode, on="hex", how="left")
    return joined.groupBy(*_OF_TYPE).agg(
        F.max("surprise").alias("surprise"),
        F.sum("n_alerts").alias("n_alerts"),
        F.coalesce(F.sum("hits"), F.lit(0)).alias("n_hits"),
    )


def _marks(types: Mapping[str, Sequence[Row]]) -> list[tuple[str, str, str, int, int]]:
    """The `bit` of each alert type, 0 where it is never left out, and in `rest` the bits of all types of its subgraph."""
    return [
        (key, t["source"], t["name"], (1 << place) % (1 << MAX_TYPES), (1 << min(len(found), MAX_TYPES + 1)) - 1)
        for key, found in types.items()
        for place, t in enumerate(found)
    ]


def _with_other_hours(episodes: DataFrame) -> DataFrame:
    """Add what the `heard_hours` of a variant are made of: `other_hours`, those that other subgraphs have filled too, and
    whether the episode's own `is_own_hour`, which is empty without its subgraph.
    """
    of_hour = Window.partitionBy("site", "target_entity", "hour")
    heard = (
        episodes.repartition("site", "target_entity")  # all windows are of parts of it: one shuffle, not four
        .withColumn("hour", hour_of(F.unix_micros("started_at")))
        .withColumn("is_own_hour", F.min("subgraph_id").over(of_hour) == F.max("subgraph_id").over(of_hour))
    )
    own = with_past_hours(heard, "own_hours", ["site", "target_entity", "subgraph_id"], F.col("is_own_hour"))
    return own.withColumn("other_hours", F.col("heard_hours") - F.col("own_hours")).drop("own_hours")


def _left(whole: Pieces, marks: DataFrame) -> Pieces:
    """What is left of each subgraph without each of the choices, under an id of its own and by numbers of its own.

    Columns are those of the real ones, so that Spark takes the code that it has compiled for these.
    """
    masks = [(number, sum(1 << place for place in places)) for number, places in enumerate(CHOICES)]
    sets = F.broadcast(marks.sparkSession.createDataFrame(masks, "variant int, absent bigint"))
    is_some = F.col("absent") < F.col("rest")  # types of its own, and not all of them
    key = F.concat_ws("#", "subgraph_id", "variant")

    def number(episode: str) -> Column:
        return F.xxhash64(episode, "variant")

    def tried(frame: DataFrame) -> DataFrame:
        return frame.crossJoin(sets).filter(is_some & (F.col("absent").bitwiseAND(F.col("bit")) == 0))

    marked = _with_other_hours(whole.episodes).join(F.broadcast(marks), on=_OF_TYPE, how="inner")
    varied = tried(marked).withColumns({"subgraph_id": key, "episode": number("episode")})
    own = with_past_hours(
        varied.repartition("subgraph_id"), "own_hours", ["subgraph_id", "target_entity"], F.col("is_own_hour")
    )
    episodes = own.withColumn("heard_hours", F.col("other_hours") + F.col("own_hours"))

    bits = F.broadcast(whole.episodes.join(F.broadcast(marks), on=_OF_TYPE).select("episode", "bit", "rest"))
    links = (
        whole.links.join(bits.toDF("src", "src_bit", "rest"), on="src", how="inner")
        .join(bits.drop("rest").toDF("dst", "dst_bit"), on="dst", how="inner")
        .withColumn("bit", F.col("src_bit").bitwiseOR(F.col("dst_bit")))
    )
    hits = (
        whole.motif_hits.withColumn("hex", F.explode("episodes"))
        .join(bits.withColumn("hex", episode_id(F.col("episode"))), on="hex", how="inner")
        .groupBy(*whole.motif_hits.columns, "rest")
        .agg(F.bit_or("bit").alias("bit"))
    )
    return Pieces(
        episodes.select(whole.episodes.columns),
        tried(links).withColumns({"src": number("src"), "dst": number("dst")}).select(whole.links.columns),
        tried(hits).withColumn("subgraph_id", key).select(whole.motif_hits.columns),
    )


def _ids(episodes: DataFrame, members: DataFrame) -> DataFrame:
    """The first alerts by id of each alert type."""
    of_types = F.broadcast(episodes.select(*_OF_TYPE, episode_id(F.col("episode")).alias("episode_id")))
    alerts = members.select("episode_id", "alert_id").join(of_types, on="episode_id", how="inner")
    first = first_rows(alerts, Window.partitionBy(*_OF_TYPE).orderBy("alert_id"), MAX_IDS)
    return first.groupBy(*_OF_TYPE).agg(F.array_sort(F.collect_list("alert_id")).alias("alert_ids"))
