"""Groups become subgraphs: with a name that stays, a role for each episode, and the links that hold them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.errors import GraphInvariantError
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.rates import HOUR
from alertgraph_spark.tables.schemas import CUTS, LINKS


def with_subgraph(engine: Engine, episodes: pa.Table, absorbed: pa.Table, p: RankingParameters) -> pa.Table:
    """Name each episode's subgraph after its earliest episode, and say what it is to it.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with its `component` and the `core`, the component before anything was absorbed.
    absorbed
        The cores that a stronger one absorbed; one row is one `core`.
    p
        `context_share` and `warm_up_hours`.

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
    narrow = episodes.select(["site", "target_entity", "known_at"])
    heard = engine.query(
        f"""
        SELECT dense_rank() OVER (
            PARTITION BY site, target_entity ORDER BY epoch_us(known_at) // {HOUR}
        ) - 1 AS heard_hours
        FROM narrow ORDER BY place
        """,
        {"narrow": narrow.append_column("place", pa.array(np.arange(len(narrow))))},
    )
    return episodes.append_column("heard_hours", heard["heard_hours"])


def divide_links(
    engine: Engine, links: pa.Table, episodes: pa.Table, refused: pa.Table, p: RankingParameters
) -> tuple[pa.Table, pa.Table]:
    """The links inside a subgraph, and the likely ones between two (`schemas.LINKS`, `schemas.CUTS`); one row is one link.

    `episodes` has one row an episode with its `session` and `component`; `refused` one row a pair of sessions that the size
    cap kept apart. Nothing else keeps apart what meets or is absorbed.
    """
    marked = engine.query(
        f"""
        WITH ends AS (
            SELECT episode, session, component, history_hours < {p.warm_up_hours!r}::DOUBLE AS is_warm_up FROM episodes
        )
        SELECT l.place, a.component = b.component AS is_kept, CASE
            WHEN r.src IS NOT NULL OR kind IN ('meeting', 'absorbed') THEN 'size cap'
            WHEN a.is_warm_up <> b.is_warm_up THEN 'it leads out of the warm-up'
            ELSE 'another cause explains it better' END AS reason
        FROM links AS l JOIN ends AS a ON a.episode = l.src JOIN ends AS b ON b.episode = l.dst
            LEFT JOIN refused AS r ON r.src = a.session AND r.dst = b.session
        WHERE a.component = b.component OR log_odds > {p.link_least!r}::DOUBLE OR r.src IS NOT NULL
        ORDER BY place
        """,
        {
            "links": links.select(["src", "dst", "kind", "log_odds"]).append_column(
                "place", pa.array(np.arange(len(links)))
            ),
            "episodes": episodes.select(["episode", "session", "component", "history_hours"]),
            "refused": refused,
        },
    )
    ordered, is_kept = links.take(marked["place"]).append_column("reason", marked["reason"]), marked["is_kept"]
    return conform_arrow(ordered.filter(is_kept), LINKS), conform_arrow(ordered.filter(pc.invert(is_kept)), CUTS)


def check_invariant(engine: Engine, causes: pa.Table, episodes: pa.Table, refused: pa.Table) -> None:
    """Check that the ends of every cause that was not refused are in one component.

    Parameters
    ----------
    engine
        DuckDB in this process.
    causes
        One row is one link that was chosen.
    episodes
        One row is one episode with its `session` and `component`.
    refused
        Links between sessions that were refused.

    Raises
    ------
    GraphInvariantError
        With the number of causes that break it and one example.

    Notes
    -----
    Graph engines have been silently wrong before (GraphFrames issues 759 and 892).
    """
    broken, src, dst = engine.rows(
        """
        WITH ends AS (SELECT episode, session, component FROM episodes)
        SELECT count(*), min(causes.src), arg_min(causes.dst, causes.src)
        FROM causes LEFT JOIN ends AS a ON a.episode = causes.src LEFT JOIN ends AS b ON b.episode = causes.dst
            ANTI JOIN refused ON refused.src = a.session AND refused.dst = b.session
        WHERE a.component IS DISTINCT FROM b.component
        """,  # an episode left out takes both ends along
        {
            "causes": causes.select(["src", "dst"]),
            "episodes": episodes.select(["episode", "session", "component"]),
            "refused": refused,
        },
    )[0]
    if broken:
        raise GraphInvariantError(f"{broken} links join two subgraphs, e.g. {(src, dst)}")
