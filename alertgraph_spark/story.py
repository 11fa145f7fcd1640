"""Tell: what happened in each subgraph that is shown, in three to six sentences, each with the alerts behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import episode_id, first_rows
from alertgraph_spark.schemas import SUBGRAPHS
from alertgraph_spark.sentences import (
    MAX_IDS,
    Scene,
    Sentence,
    afterwords,
    host_words,
    hosts_of,
    ids_of,
    label_of,
    listed,
    many_words,
    sentence,
    utc,
)
from alertgraph_spark.table import conform

MAX_STORIES = 5_000
"""Subgraphs that are told, by rank: what comes to the driver is so many times `MAX_EPISODES` rows at most."""

MAX_EPISODES = 200
"""Episodes of one subgraph that its sentences look at, the rarest first; how many alerts are left is said."""

FEWEST, MOST = 3, 6
"""Sentences of a story."""

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


def tell(episodes: Sequence[Mapping[str, Any]], path: Sequence[str], n_alerts: int) -> list[Sentence]:
    """Tell one subgraph in `FEWEST` to `MOST` sentences in the order of time, each with the ids of alerts behind it.

    Parameters
    ----------
    episodes
        Rows of `schemas.EPISODES` with `episode_id` and `alert_ids`, at least one.
    path
        Entities along its longest path; empty where there is none.
    n_alerts
        All its alerts; those that `episodes` leave out are said in the last sentence.
    """
    in_order = sorted(episodes, key=lambda e: (utc(e["started_at"]), e["episode_id"]))
    scenes = _along(in_order, path) if path else _pairs(in_order)
    while len(scenes) > MOST:
        scenes = _with_two_joined(scenes)
    while len(scenes) < FEWEST and any(len(s.episodes) > 1 for s in scenes):
        scenes = _with_one_split(scenes)
    sentences = [
        (sentence(scene, before), ids_of(scene.episodes))
        for scene, before in zip(scenes, [None, *scenes], strict=False)
    ]
    sentences += list(afterwords(in_order))[: max(0, FEWEST - len(sentences))]
    left = n_alerts - sum(e["n_alerts"] for e in in_order)
    if left > 0:
        last, ids = sentences[-1]
        sentences[-1] = (f"{last} {many_words(left, 'further alert')} of less rare episodes belong to it.", ids)
    return sentences


def _along(episodes: Sequence[Mapping[str, Any]], path: Sequence[str]) -> list[Scene]:
    """One scene for each host of the path: how it was reached, and what was seen there; and one for what lies beside."""
    place = {key: i for i, key in enumerate(path)}
    at: dict[int, list[Mapping[str, Any]]] = {}
    for episode in episodes:
        ends = (episode["source_entity"], episode["target_entity"])
        i = place.get(ends[1], place.get(ends[0], -1))
        at.setdefault(i, []).append(episode)
    scenes = []
    for i, found in at.items():
        zone = next((e["target_zone"] for e in found if e["target_entity"] == path[i]), None) if i >= 0 else None
        host = host_words(path[i], zone) if i >= 0 else ""
        came = any(e["source_entity"] in path and place.get(e["target_entity"]) == i != 0 for e in found)
        if i < 0:
            head = f"beside the way, on {listed(hosts_of(found), 3)}"
        elif i == 0 or not came:
            head = f"on {host}"
        else:
            head = f"from {label_of(path[i - 1])} to {host}"
        scenes.append(Scene(head, tuple(found)))
    return sorted(scenes, key=lambda s: s.began)


def _pairs(episodes: Sequence[Mapping[str, Any]]) -> list[Scene]:
    """One scene for each pair of ends."""
    of_pair: dict[tuple[str | None, str | None], list[Mapping[str, Any]]] = {}
    for episode in episodes:
        of_pair.setdefault((episode["source_entity"], episode["target_entity"]), []).append(episode)
    return [Scene(_pair_head(source, target, found), tuple(found)) for (source, target), found in of_pair.items()]


def _pair_head(source: str | None, target: str | None, found: Sequence[Mapping[str, Any]]) -> str:
    if source and target and source != target:
        return f"from {host_words(source, found[0]['source_zone'])} to {host_words(target, found[0]['target_zone'])}"
    end = target or source
    return (
        f"on {host_words(end, found[0]['target_zone'] if target else found[0]['source_zone'])}"
        if end
        else "on no named host"
    )


def _with_two_joined(scenes: Sequence[Scene]) -> list[Scene]:
    """The same with the two neighbours joined that have the fewest episodes; the first and the last tell most."""
    inner = range(1, max(2, len(scenes) - 2))
    i = min(inner, key=lambda i: (len(scenes[i].episodes) + len(scenes[i + 1].episodes), i))
    episodes = sorted(
        (*scenes[i].episodes, *scenes[i + 1].episodes), key=lambda e: (utc(e["started_at"]), e["episode_id"])
    )
    joined = Scene(f"on {listed(hosts_of(episodes), 4)}", tuple(episodes))
    return [*scenes[:i], joined, *scenes[i + 2 :]]


def _with_one_split(scenes: Sequence[Scene]) -> list[Scene]:
    """The same with the scene of most episodes split at its longest pause."""
    i = max(range(len(scenes)), key=lambda i: (len(scenes[i].episodes), -i))
    scene = scenes[i]
    starts = [utc(e["started_at"]) for e in scene.episodes]
    cut = max(range(1, len(starts)), key=lambda k: (starts[k] - starts[k - 1], -k))
    parts = (Scene(scene.head, scene.episodes[:cut]), Scene(scene.head, scene.episodes[cut:]))
    return sorted([*scenes[:i], *parts, *scenes[i + 1 :]], key=lambda s: s.began)
