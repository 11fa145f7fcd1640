"""Tell: what happened in each subgraph that is shown, in three to six sentences, each with the alerts behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from alertgraph_spark.explain.answers import with_answers
from alertgraph_spark.explain.sentences import (
    MAX_IDS,
    Scene,
    Sentence,
    afterwords,
    host_words,
    hosts_of,
    ids_of,
    label_of,
    listed,
    sentence,
    utc,
)
from alertgraph_spark.short_text import many
from alertgraph_spark.tables.embedded import Engine, episode_id

MAX_STORIES = 5_000
"""Subgraphs that are told, by rank: what comes to the driver is so many times `MAX_EPISODES` rows at most."""

MAX_EPISODES = 200
"""Episodes of one subgraph that its sentences look at, the rarest first; how many alerts are left is said."""

FEWEST, MOST = 3, 6
"""Sentences of a story."""


def spans_of_stories(engine: Engine, spans: pa.Table, episodes: pa.Table, subgraphs: pa.Table) -> pa.Table:
    """Choose the spans that the stories of shown subgraphs need.

    Parameters
    ----------
    engine
        DuckDB in this process.
    spans
        One row is one `span` with its `episode`, `started_at` and `n_alerts`.
    episodes
        One row is one `episode` with its `subgraph_id`.
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`).

    Returns
    -------
    pa.Table
        One row is one `span` and its `episode`: the first ones of each episode, until they hold as many alerts as a
        story names.
    """
    return engine.query(
        f"""
        SELECT span, episode FROM spans JOIN episodes USING (episode)
            SEMI JOIN (SELECT subgraph_id FROM subgraphs WHERE is_shown) shown USING (subgraph_id)
        QUALIFY coalesce(sum(spans.n_alerts) OVER (
            PARTITION BY episode ORDER BY spans.started_at RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP
        ), 0) < {MAX_IDS}
        """,
        {"spans": spans, "episodes": episodes, "subgraphs": subgraphs},
    )


def with_story(engine: Engine, subgraphs: pa.Table, episodes: pa.Table, first_alerts: pa.Table) -> pa.Table:
    """Tell the story of the subgraphs that are shown.

    Parameters
    ----------
    engine
        DuckDB in this process.
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`).
    episodes
        One row is one episode with its `subgraph_id`.
    first_alerts
        One row is one `episode` of a shown subgraph with its first `alert_ids` by id, `MAX_IDS` at most.

    Returns
    -------
    pa.Table
        The same rows in the same order.

    Notes
    -----
    Of a site's shown subgraphs the first `MAX_STORIES` by rank are told, and of each the `MAX_EPISODES` rarest episodes.
    """
    told = engine.query(
        f"""
        WITH shown AS (
            SELECT subgraph_id, rank, n_alerts AS all_alerts, path FROM subgraphs
            WHERE is_shown
            QUALIFY row_number() OVER (PARTITION BY site ORDER BY rank) <= {MAX_STORIES}
        ),
        rarest AS (
            SELECT e.*, all_alerts, path, {episode_id("e.episode")} AS episode_id
            FROM episodes e JOIN shown USING (subgraph_id)
            QUALIFY row_number() OVER (
                PARTITION BY subgraph_id ORDER BY surprise DESC, started_at, e.episode
            ) <= {MAX_EPISODES}
        )
        SELECT subgraph_id, any_value(path) AS path, any_value(all_alerts) AS n_alerts, list({{
            'episode_id': episode_id, 'name': name, 'surprise': surprise, 'started_at': started_at,
            'ended_at': ended_at, 'n_alerts': n_alerts, 'tactics': tactics, 'accounts': accounts,
            'source_entity': source_entity, 'target_entity': target_entity,
            'source_zone': source_zone, 'target_zone': target_zone,
            'fleet_share': fleet_share, 'history_hours': history_hours,
            'alert_ids': coalesce(alert_ids, []::VARCHAR[])
        }} ORDER BY started_at, episode) AS episodes
        FROM rarest LEFT JOIN first_alerts USING (episode)
        GROUP BY subgraph_id
        """,
        {"subgraphs": subgraphs, "episodes": episodes, "first_alerts": first_alerts},
    ).to_pylist()
    stories = {
        one["subgraph_id"]: [
            {"sentence": said, "alert_ids": ids} for said, ids in tell(one["episodes"], one["path"], one["n_alerts"])
        ]
        for one in told
    }
    return with_answers(subgraphs, "story", stories)


def tell(episodes: Sequence[Mapping[str, Any]], path: Sequence[str], n_alerts: int) -> list[Sentence]:
    """Tell one subgraph in `FEWEST` to `MOST` sentences.

    Parameters
    ----------
    episodes
        Rows of `schemas.EPISODES` with `episode_id` and `alert_ids`, at least one.
    path
        Entities along its longest path; empty where there is none.
    n_alerts
        All its alerts; those that `episodes` leave out are said in the last sentence.

    Returns
    -------
    list of Sentence
        In the order of time, each with the ids of alerts behind it.
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
        sentences[-1] = (f"{last} {many(left, 'further alert')} of less rare episodes belong to it.", ids)
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
