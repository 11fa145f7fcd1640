"""Sessions that causes join are one group, unless it would grow past all reading.

Components come from the graph's engine. One above the size cap is taken apart again: its links merge sessions day by day,
the likeliest first (Kruskal), and a link is refused where it would join two parts to more than the cap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.merge import merge_components
from alertgraph_spark.graph.limit import keep_fairly
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.rates import DAY

Components = Callable[[pa.Table, pa.Table], pa.Table]
"""Finds connected components: `id` of each vertex, `src` and `dst` of each edge in; `id` and `component`, the smallest id of
its component, out."""


class Grouped(NamedTuple):
    """The `groups`, one row a linked session (`id`, `component`); the links `refused`, one row a pair (`src`, `dst`), those
    that were left out for the limit among them; and how many of these there are.
    """

    groups: pa.Table
    refused: pa.Table
    n_left_out: int


class United(NamedTuple):
    """The `episodes` with `component` of the whole, and how many links were left out for the limit."""

    episodes: pa.Table
    n_left_out: int


def session_links(engine: Engine, links: pa.Table, episodes: pa.Table) -> pa.Table:
    """The likeliest link between two sessions: `src`, `dst`, its `merge_round` and `weight`; one row is one pair.

    `links` are causes, `episodes` has one row an episode with its `session`. What is one session is together already.

    Notes
    -----
    The round (microseconds) is when a link can be judged, should the size cap ask for it. One that comes from an earlier day
    (UTC) is taken as it comes; those within a day wait for its end, and the likeliest of them go first. So nothing that comes
    later changes a subgraph that ended a day ago.
    """
    return engine.query(
        f"""
        WITH ends AS (SELECT episode, session, epoch_us(started_at) AS t0 FROM episodes),
        joined AS (
            SELECT a.session AS src, b.session AS dst, weight, a.t0 AS src_at, b.t0 AS dst_at,
                b.t0 - b.t0 % {DAY} AS midnight
            FROM links JOIN ends AS a ON a.episode = src JOIN ends AS b ON b.episode = dst
            WHERE a.session <> b.session
        ),
        judged AS (
            SELECT src, dst, weight, CASE WHEN src_at < midnight THEN dst_at ELSE midnight + {DAY} END AS merge_round
            FROM joined
        )
        SELECT src, dst, merge_round, weight FROM judged
        QUALIFY row_number() OVER (PARTITION BY src, dst ORDER BY merge_round, weight DESC) = 1
        ORDER BY src, dst
        """,
        {"links": links.select(["src", "dst", "weight"]), "episodes": episodes},
    )


def find_groups(
    engine: Engine, pairs: pa.Table, p: RankingParameters, components: Components, max_links: int
) -> Grouped:
    """Assign each linked session to one group of at most `p.max_sessions`.

    Parameters
    ----------
    engine
        DuckDB in this process.
    pairs
        One row is one link between two sessions (`session_links`): those of an earlier round are merged first.
    p
        `max_sessions` is absolute, because a share of the run's total would look ahead.
    components
        Finds connected components of vertices and links.
    max_links
        Links of groups that are taken apart, at most: of the largest groups the weakest are left out.

    Returns
    -------
    Grouped
        The group of each session, the links that were refused, and how many were left out.
    """
    vertices = engine.query("SELECT DISTINCT unnest([src, dst]) AS id FROM pairs ORDER BY id", {"pairs": pairs})
    found = components(vertices, pairs.select(["src", "dst"])).sort_by("id")
    too_large = engine.query(
        f"""
        WITH large AS (SELECT component FROM found GROUP BY component HAVING count(*) > {p.max_sessions})
        SELECT merge_round, src, dst, weight, component
        FROM pairs JOIN found ON id = src SEMI JOIN large USING (component)
        """,
        {"found": found, "pairs": pairs},
    )
    held = keep_fairly(engine, too_large, max_links, "component", "weight DESC, src, dst")
    merged = merge_components(held.rows, p.max_sessions)
    if not held.n_left_out:
        return Grouped(_renamed(found, found["id"], merged.parts), merged.refused, 0)
    # A session all of whose links were left out is by itself.
    alone = engine.query(
        "SELECT DISTINCT id, id AS component FROM (SELECT unnest([src, dst]) AS id FROM too_large) ORDER BY id",
        {"too_large": too_large},
    )
    parts = _renamed(_renamed(found, found["id"], alone), found["id"], merged.parts)
    return Grouped(parts, too_large.select(["src", "dst"]), held.n_left_out)


def unite_groups(engine: Engine, episodes: pa.Table, links: pa.Table, p: RankingParameters, max_links: int) -> United:
    """Unite groups along links between their sessions, the strongest first.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with its `site`, `session` and `component`.
    links
        One row is one link (`src`, `dst`, `weight`) between two sessions: those by which strong groups meet or absorb.
    p
        `max_sessions`, which a group never exceeds.
    max_links
        Links, at most: of the sites with most the weakest are left out.

    Returns
    -------
    United
        The episodes with their new `component`, and how many links were left out.
    """
    between = engine.query(
        """
        WITH sized AS (SELECT component, count(DISTINCT session) AS size FROM episodes GROUP BY component),
        parts AS (SELECT DISTINCT site, session, component, size FROM episodes JOIN sized USING (component))
        SELECT a.component AS src, b.component AS dst, weight, 0 AS merge_round,
            a.size AS src_size, b.size AS dst_size, a.site AS site
        FROM links JOIN parts AS a ON a.session = src JOIN parts AS b ON b.session = dst
        WHERE a.component <> b.component
        """,
        {
            "episodes": episodes.select(["site", "session", "component"]),
            "links": links.select(["src", "dst", "weight"]),
        },
    )
    between, n_left_out = keep_fairly(engine, between, max_links, "site", "weight DESC, src, dst")
    sizes = {
        part: size
        for end in ("src", "dst")
        for part, size in zip(between[end].to_pylist(), between[f"{end}_size"].to_pylist(), strict=True)
    }
    whole, _ = merge_components(between, p.max_sessions, sizes)
    return United(_renamed(episodes, episodes["component"], whole), n_left_out)


def with_component(episodes: pa.Table, groups: pa.Table) -> pa.Table:
    """Add `component` to each episode: that of its session, or the session itself where nothing links it. Rows stay."""
    return _renamed(episodes.append_column("component", episodes["session"]), episodes["session"], groups)


def _renamed(rows: pa.Table, ids: pa.ChunkedArray, names: pa.Table) -> pa.Table:
    """The rows with another `component` where their id has one in `names` (`id`, ascending, and `component`)."""
    known, component = (names[name].to_numpy() for name in ("id", "component"))
    if not len(known):
        return rows
    asked = ids.to_numpy()
    at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    renamed = np.where(known[at] == asked, component[at], rows["component"].to_numpy())
    return rows.set_column(rows.schema.get_field_index("component"), "component", pa.array(renamed))
