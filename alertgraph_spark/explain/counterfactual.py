"""Without: the fewest alerts found without which a shown subgraph would not be shown, each choice scored as real ones are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

from alertgraph_spark.explain.ablations import (
    ABLATIONS,
    MAX_TYPES,
    Row,
    TypeIndexes,
    rarest_and_busiest,
    smallest_ablation,
)
from alertgraph_spark.explain.answers import with_answers
from alertgraph_spark.explain.sentences import MAX_IDS
from alertgraph_spark.explain.variants import Inputs, ablate, number_episodes
from alertgraph_spark.tables.embedded import Engine, episode_id

MAX_ASKED = 1_000
"""Subgraphs of a site that are asked about, by rank; each is scored once for each of `ABLATIONS`."""

AT_ONCE = 40
"""Subgraphs whose variants are in memory together: of the largest, with a thousand links each, some millions of rows."""

Rescore = Callable[[Inputs], pa.Table]
"""Gives `subgraph_id` and `score`, as the line does."""


def with_counterfactual(
    engine: Engine,
    subgraphs: pa.Table,
    scored: Inputs,
    first_alerts: pa.Table,
    rescore: Rescore,
    *,
    chains: Collection[str],
) -> pa.Table:
    """Say of each subgraph that is shown what it takes to be shown.

    Whole alert types of one subgraph are left out, since a repeat earns nothing. The rest is scored as one subgraph by
    the code that scored the real ones. It has its own longest path and its own past, in which what is left out did not
    occur. All other subgraphs stay as they are. Of the ablations that score below the `cut`, or nothing, the one with
    the fewest alerts is told, then the fewest types, then the lowest score.

    Parameters
    ----------
    engine
        DuckDB in this process.
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`), by rank, with `cut` alone in `counterfactual`.
    scored
        What their scores were made of: all episodes of their sites, links that were not cut, motif hits.
    first_alerts
        One row is one `episode` of a shown subgraph with its first `alert_ids` by id, `MAX_IDS` at most.
    rescore
        Takes episodes, links and motif hits of variants, and gives `subgraph_id` and `score` of each.
    chains
        Motifs that are chains. Of these, unlike of those that count, a hit stays as long as its episodes do; others are not
        looked at.

    Returns
    -------
    pa.Table
        The same rows in the same order.

    Notes
    -----
    Alert types and scores come to Python, one for each of `MAX_ASKED` subgraphs of a site and `ABLATIONS` at most. Where
    nothing is shown, nothing is scored.
    """
    shown = engine.query(
        f"""
        SELECT subgraph_id, counterfactual.cut AS cut FROM subgraphs
        WHERE is_shown
        QUALIFY row_number() OVER (PARTITION BY site ORDER BY rank) <= {MAX_ASKED}
        ORDER BY rank
        """,
        {"subgraphs": subgraphs},
    )
    if not shown.num_rows:
        return subgraphs
    cuts = dict(zip(*shown.to_pydict().values(), strict=True))
    of_asked = _of_asked(engine, scored, shown, chains)
    types = _types(engine, of_asked)
    numbered = number_episodes(engine, of_asked.episodes, scored.episodes, _indexes(types))
    scores: dict[str, dict[TypeIndexes, float]] = {key: {} for key in cuts}
    for begin in range(0, shown.num_rows, AT_ONCE):
        of_few = engine.query(
            "SELECT * FROM numbered SEMI JOIN few USING (subgraph_id)",
            {"numbered": numbered, "few": shown.slice(begin, AT_ONCE)},
        )
        rescored = rescore(ablate(engine, of_few, of_asked)).select(["subgraph_id", "score"])
        for variant, score in zip(*rescored.to_pydict().values(), strict=True):
            key, _, number = variant.rpartition("#")
            scores[key][ABLATIONS[int(number)]] = score
    found = {key: smallest_ablation(cut, types[key], scores[key]) for key, cut in cuts.items()}
    ids = _alert_ids(engine, of_asked.episodes, first_alerts)
    told = {
        key: {
            "cut": cut,
            "score": found[key].score,
            "types": _with_ids(key, found[key].types, ids),
            "fact": found[key].fact,
        }
        for key, cut in cuts.items()
    }
    return with_answers(subgraphs, "counterfactual", told)


def _of_asked(engine: Engine, scored: Inputs, shown: pa.Table, chains: Collection[str]) -> Inputs:
    """What the scores of some subgraphs were made of; of hits those of chains."""
    episodes = engine.query(
        "SELECT * FROM episodes SEMI JOIN shown USING (subgraph_id)", {"episodes": scored.episodes, "shown": shown}
    )
    links = engine.query(
        "SELECT links.* FROM links SEMI JOIN episodes ON links.src = episodes.episode",
        {"links": scored.links, "episodes": episodes},
    )
    hits = engine.query(
        "SELECT * FROM hits SEMI JOIN shown USING (subgraph_id) SEMI JOIN chains USING (motif)",
        {
            "hits": scored.motif_hits,
            "shown": shown,
            "chains": pa.table({"motif": pa.array(sorted(chains), pa.string())}),
        },
    )
    return Inputs(episodes, links, hits)


def _types(engine: Engine, of_asked: Inputs) -> dict[str, list[Row]]:
    """The alert types of each subgraph in the order of their indexes, with the chains that they take part in."""
    found = engine.query(
        f"""
        WITH hits AS (
            SELECT hex, count(*) AS n_hits FROM (SELECT unnest(episodes) AS hex FROM motif_hits) GROUP BY hex
        )
        SELECT subgraph_id, source, name, max(surprise) AS surprise, sum(n_alerts)::BIGINT AS n_alerts,
            coalesce(sum(n_hits), 0)::BIGINT AS n_hits
        FROM episodes LEFT JOIN hits ON hits.hex = {episode_id("episode")}
        GROUP BY subgraph_id, source, name
        """,
        of_asked._asdict(),
    )
    of_subgraph: dict[str, list[Row]] = {}
    for row in found.to_pylist():
        of_subgraph.setdefault(row["subgraph_id"], []).append(row)
    return {key: rarest_and_busiest(rows) for key, rows in of_subgraph.items()}


def _indexes(types: Mapping[str, Sequence[Row]]) -> pa.Table:
    """One row is one alert type: its `bit`, 0 where it is never left out, and in `rest` the bits of all of its subgraph."""
    rows = [
        {
            "subgraph_id": key,
            "source": row["source"],
            "name": row["name"],
            "bit": (1 << index) % (1 << MAX_TYPES),
            "rest": (1 << min(len(found), MAX_TYPES + 1)) - 1,
        }
        for key, found in types.items()
        for index, row in enumerate(found)
    ]
    return pa.Table.from_pylist(rows)


def _alert_ids(engine: Engine, episodes: pa.Table, first_alerts: pa.Table) -> dict[tuple[str, str, str], list[str]]:
    """The first alerts by id of each alert type: they are among the first of its episodes."""
    rows = engine.rows(
        f"""
        SELECT subgraph_id, source, name, list_sort(flatten(list(alert_ids)))[1:{MAX_IDS}] AS alert_ids
        FROM episodes JOIN first_alerts USING (episode)
        GROUP BY subgraph_id, source, name
        """,
        {"episodes": episodes, "first_alerts": first_alerts},
    )
    return {(key, source, name): ids for key, source, name, ids in rows}


def _with_ids(
    key: str, types: Sequence[Row] | None, ids: Mapping[tuple[str, str, str], list[str]]
) -> list[dict[str, Any]] | None:
    if types is None:
        return None
    return [
        {
            **{name: t[name] for name in ("source", "name", "n_alerts")},
            "alert_ids": ids.get((key, t["source"], t["name"]), []),
        }
        for t in types
    ]
