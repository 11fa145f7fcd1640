"""Groups become subgraphs: with a name that stays, a role for each episode, and the links that hold them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.errors import GraphInvariantError
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.rates import HOUR
from alertgraph_spark.tables.schemas import CUTS, LINKS


def with_subgraph(engine: Engine, episodes: pa.Table, absorbed: pa.Table, p: RankingParameters) -> pa.Table:
    """Name each episode's subgraph after its earliest episode, and say what it is to it.

    Parameters
    ----------
    episodes
        One row is one episode with its `component` and the `core`, the component before anything was absorbed.
    absorbed
        The cores that a stronger one absorbed; one row is one `core`.

    Returns
    -------
    pa.Table
        The same rows in the same order, with `subgraph_id`, `is_linked` and `role` in place of what connecting alone needs.
        The name comes from content, so it stays when the subgraph grows.

    Notes
    -----
    An episode is context, not evidence, where its type was seen in more than `p.context_share` of the past hours. With less
    history than `p.warm_up_hours` every type is, and none is context.
    """
    facts = ["episode", "started_at", "component", "core", "fleet_share", "history_hours"]
    found = engine.query(
        f"""
        WITH named AS (
            SELECT component, count(*) > 1 AS is_linked, 'sg-' || lpad(lower(to_hex(
                arg_min(episode, {{'started_at': started_at, 'episode': episode}})
            )), 16, '0') AS subgraph_id
            FROM facts GROUP BY component
        ),
        taken AS (SELECT DISTINCT core, true AS is_absorbed FROM absorbed)
        SELECT is_linked, subgraph_id, CASE
            WHEN NOT is_linked THEN 'single'
            WHEN fleet_share > {p.context_share!r}::DOUBLE AND history_hours >= {p.warm_up_hours!r}::DOUBLE THEN 'context'
            WHEN is_absorbed THEN 'absorbed'
            ELSE 'core' END AS role
        FROM facts JOIN named USING (component) LEFT JOIN taken USING (core) ORDER BY place
        """,
        {
            "facts": episodes.select(facts).append_column("place", pa.array(np.arange(len(episodes)))),
            "absorbed": absorbed,
        },
    )
    kept = episodes.drop_columns(["component", "core", "is_lone", "session"])
    for name in found.column_names:
        kept = kept.append_column(name, found[name])
    return kept


def with_heard_hours(engine: Engine, episodes: pa.Table) -> pa.Table:
    """Add `heard_hours`: in how many earlier hours its site had an episode about the episode's target. Rows stay."""
    narrow = episodes.select(["site", "target_entity", "started_at"])
    heard = engine.query(
        f"""
        SELECT dense_rank() OVER (
            PARTITION BY site, target_entity ORDER BY epoch_us(started_at) // {HOUR}
        ) - 1 AS heard_hours
        FROM narrow ORDER BY place
        """,
        {"narrow": narrow.append_column("place", pa.array(np.arange(len(narrow))))},
    )
    return episodes.append_column("heard_hours", heard["heard_hours"])


def divide_links(engine: Engine, links: pa.Table, episodes: pa.Table, refused: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The links that were not cut, and those that were (`schemas.LINKS`, `schemas.CUTS`); one row is one link.

    `episodes` has one row an episode with its `session`; `refused` one row a pair of sessions that were not joined, so that
    an analyst can join them again.
    """
    marked = engine.query(
        """
        WITH ends AS (SELECT episode, session FROM episodes)
        SELECT l.place, r.src IS NOT NULL AS is_cut
        FROM links AS l JOIN ends AS a ON a.episode = l.src JOIN ends AS b ON b.episode = l.dst
            LEFT JOIN refused AS r ON r.src = a.session AND r.dst = b.session
        ORDER BY place
        """,
        {
            "links": links.select(["src", "dst"]).append_column("place", pa.array(np.arange(len(links)))),
            "episodes": episodes.select(["episode", "session"]),
            "refused": refused,
        },
    )
    ordered, is_cut = links.take(marked["place"]), marked["is_cut"].to_numpy()
    kept, cuts = (ordered.filter(pa.array(mask)) for mask in (~is_cut, is_cut))
    return conform_arrow(kept, LINKS), conform_arrow(cuts, CUTS)


def check_invariant(engine: Engine, kept: pa.Table, episodes: pa.Table) -> None:
    """Prove that the ends of every link that is kept are in one subgraph.

    Raises
    ------
    GraphInvariantError
        With the number of links that break it and one example.

    Notes
    -----
    Graph engines have been silently wrong before (GraphFrames issues 759 and 892).
    """
    broken, src, dst = engine.rows(
        """
        WITH ends AS (SELECT episode, subgraph_id FROM episodes)
        SELECT count(*), min(src), arg_min(dst, src)
        FROM kept LEFT JOIN ends AS a ON a.episode = src LEFT JOIN ends AS b ON b.episode = dst
        WHERE a.subgraph_id IS DISTINCT FROM b.subgraph_id
        """,  # a subgraph left out takes both ends along
        {"kept": kept.select(["src", "dst"]), "episodes": episodes.select(["episode", "subgraph_id"])},
    )[0]
    if broken:
        raise GraphInvariantError(f"{broken} links join two subgraphs, e.g. {(src, dst)}")
