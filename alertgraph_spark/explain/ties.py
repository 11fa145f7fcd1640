"""Ties: in words, which alert followed which, after how long, where, and how rarely chance does that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from alertgraph_spark.explain.answers import with_answers
from alertgraph_spark.explain.sentences import label_of
from alertgraph_spark.short_text import QUOTED, WORD, short
from alertgraph_spark.tables.embedded import Engine

MOST_TIES = 8
"""Ties told of a subgraph: of each later alert type the surest, and of these the rarest by chance."""

_WHERE = {
    "coincidence": "on {entity}, where nothing but the time joins them",
    "meeting": "on {entity}, where both strong groups have a host in common",
    "absorbed": "on {entity}, inside the span of what is told",
    "account": "by the account {entity}",
    "same_source": "by {entity}, which acts both times",
    "answer": "back to {entity}",
}


def with_ties(engine: Engine, subgraphs: pa.Table, episodes: pa.Table, links: pa.Table) -> pa.Table:
    """Say of each subgraph that is shown what holds it together.

    Parameters
    ----------
    engine
        DuckDB in this process.
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`).
    episodes
        One row is one episode with its `subgraph_id`.
    links
        The links inside subgraphs (`schemas.LINKS`).

    Returns
    -------
    pa.Table
        The same rows in the same order.
    """
    told = engine.rows(
        f"""
        WITH ends AS (
            SELECT episode, name, subgraph_id, started_at FROM episodes
            SEMI JOIN (SELECT subgraph_id FROM subgraphs WHERE is_shown) AS shown USING (subgraph_id)
        ),
        surest AS (
            SELECT b.subgraph_id, a.name AS earlier, b.name AS later, links.*, a.started_at AS since
            FROM links JOIN ends AS a ON a.episode = src JOIN ends AS b ON b.episode = dst
            QUALIFY row_number() OVER (PARTITION BY b.subgraph_id, b.name ORDER BY weight DESC, chance, src, dst) = 1
        ),
        rarest AS (
            SELECT * FROM surest
            QUALIFY row_number() OVER (PARTITION BY subgraph_id ORDER BY chance, weight DESC, src, dst) <= {MOST_TIES}
        )
        SELECT subgraph_id, earlier, later, kind, entity, gap_minutes, chance
        FROM rarest ORDER BY subgraph_id, since, src, dst
        """,
        {"subgraphs": subgraphs, "episodes": episodes, "links": links},
    )
    said: dict[str, list[str]] = {}
    names = ("earlier", "later", "kind", "entity", "gap_minutes", "chance")
    for key, *facts in told:
        said.setdefault(key, []).append(tie(dict(zip(names, facts, strict=True))))
    return with_answers(subgraphs, "ties", said)


def tie(link: Mapping[str, Any]) -> str:
    """One link in words.

    Examples
    --------
    >>> tie({"earlier": "RDP logon", "later": "New service", "kind": "pivot", "entity": "host:fs01",
    ...      "gap_minutes": 12.4, "chance": 1 / 190})
    '“New service” follows “RDP logon” after 12 minutes at fs01; by chance it comes so soon there in 1 of 190 cases'
    """
    where = _WHERE.get(link["kind"], "at {entity}").format(entity=short(label_of(link["entity"]), WORD))
    later, earlier = (short(link[name], QUOTED) for name in ("later", "earlier"))
    follows = f"“{later}” follows “{earlier}” {_after(link['gap_minutes'])}"
    return f"{follows} {where}; by chance it comes so soon there {_how_often(link['chance'])}"


def _after(minutes: float) -> str:
    if minutes < 1:
        return "within a minute"
    if minutes < 90:
        return f"after {minutes:.0f} minute{'' if round(minutes) == 1 else 's'}"
    hours = minutes / 60
    return f"after {hours:.0f} hours" if hours < 48 else f"after {hours / 24:.0f} days"


def _how_often(chance: float) -> str:
    if chance >= 0.5:
        return "as often as not"
    return f"in 1 of {round(1 / max(chance, 1e-6)):,} cases"
