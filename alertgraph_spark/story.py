"""Tell: what happened in each subgraph that is shown, in three to six sentences, each with the alerts behind it."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import episode_id, first_rows
from alertgraph_spark.explain.sentences import MAX_IDS
from alertgraph_spark.explain.story import MAX_EPISODES, MAX_STORIES, tell
from alertgraph_spark.schemas import SUBGRAPHS
from alertgraph_spark.table import conform

_STORY = next(column.type for column in SUBGRAPHS.columns if column.name == "story")


def with_story(subgraphs: DataFrame, grouped: DataFrame, members: DataFrame) -> DataFrame:
    """Tell the story of the subgraphs that are shown; one row is one subgraph (`schemas.SUBGRAPHS`).

    Parameters
    ----------
    subgraphs
        What `scoring.score_subgraphs` gives; materialised, since it is read twice.
    grouped
        One row is one episode with its `subgraph_id`.
    members
        One row is one alert with its `episode_id` (`schemas.MEMBERS`), of which only those of shown subgraphs are read.

    Notes
    -----
    Sentences are made on the driver, where English is easier than in expressions. What comes there is bounded by
    `MAX_STORIES`, `MAX_EPISODES` and `MAX_IDS`, whatever the size of the run.
    """
    shown = subgraphs.filter("is_shown").orderBy("rank").limit(MAX_STORIES)
    told = {row["subgraph_id"]: row for row in shown.select("subgraph_id", "n_alerts", "path").collect()}
    episodes = _episodes(grouped, list(told)).collect() if told else []
    alerts = _alerts(members, list(told)).collect() if told else []
    ids = {row["episode_id"]: row["alert_ids"] for row in alerts}
    of_subgraph: dict[str, list[dict[str, Any]]] = {}
    for row in episodes:
        known = row.asDict(recursive=True) | {"alert_ids": ids.get(row["episode_id"], [])}
        of_subgraph.setdefault(row["subgraph_id"], []).append(known)
    stories = [(key, tell(found, told[key]["path"], told[key]["n_alerts"])) for key, found in of_subgraph.items()]
    frame = subgraphs.sparkSession.createDataFrame(stories, f"subgraph_id string, told {_STORY}")
    joined = subgraphs.join(F.broadcast(frame), on="subgraph_id", how="left")
    return conform(joined.withColumn("story", F.coalesce("told", "story")), SUBGRAPHS)


def _episodes(grouped: DataFrame, ids: list[str]) -> DataFrame:
    """The rarest episodes of some subgraphs."""
    rarest = Window.partitionBy("subgraph_id").orderBy(F.desc("surprise"), "started_at", "episode")
    first = first_rows(grouped.filter(F.col("subgraph_id").isin(ids)), rarest, MAX_EPISODES)
    return first.withColumn("episode_id", episode_id(F.col("episode")))


def _alerts(members: DataFrame, ids: list[str]) -> DataFrame:
    """The first alerts by id of each episode of some subgraphs; one row is one episode."""
    by_id = Window.partitionBy("episode_id").orderBy("alert_id")
    of_episode = first_rows(members.filter(F.col("subgraph_id").isin(ids)), by_id, MAX_IDS).groupBy("episode_id")
    return of_episode.agg(F.array_sort(F.collect_list("alert_id")).alias("alert_ids"))
