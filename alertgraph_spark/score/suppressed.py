"""Which subgraphs the exceptions hide: those that are explained whole, and have brought nothing that counts since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.score.excepted import STEP_INTO_OT, match_exceptions
from alertgraph_spark.score.shown import least_score
from alertgraph_spark.tables.embedded import Engine, arrow_schema, arrow_type, conform_arrow, episode_id
from alertgraph_spark.tables.run_schemas import EXCEPTIONS, EXPLAINED_BY
from alertgraph_spark.tables.schemas import MOTIF_HITS

Rescore = Callable[[pa.Table, pa.Table, pa.Table], pa.Table]
"""Of episodes, links and motif hits `subgraph_id` and `score`, as the line gives them."""

_NOISE = "context"
"""The role of an episode that is nearly everyday: it needs no exception."""


class Suppressed(NamedTuple):
    """What exceptions hide.

    `subgraphs` has one row for each that they explain whole: `suppressed_by`, empty where it is not hidden, and its `claim`,
    the score of what they do not explain, null where all is. `matched` has a row for each episode of a subgraph that an
    exception explains: `subgraph_id` and the exception's `id`.
    """

    subgraphs: pa.Table
    matched: pa.Table


NOTHING = Suppressed(
    pa.schema(
        [("subgraph_id", pa.string()), ("suppressed_by", arrow_type(EXPLAINED_BY)), ("claim", pa.float64())]
    ).empty_table(),
    pa.schema([("subgraph_id", pa.string()), ("id", pa.string())]).empty_table(),
)
"""What no exceptions hide."""


def suppress_subgraphs(
    engine: Engine,
    episodes: pa.Table,
    links: pa.Table,
    motif_hits: pa.Table,
    exceptions: pa.Table,
    *,
    rescore: Rescore,
    p: RankingParameters,
) -> Suppressed:
    """Hide the subgraphs that exceptions explain.

    A subgraph is explained where each of its episodes is, but for those that are nearly everyday (`context`), and where
    each of its steps into OT is, whatever its role. An exception explains an episode if it names it and was in force
    from its first alert to its last. An episode that came after an exception had ended is news, whole. The subgraph
    stays hidden until the news alone has `show_nats`. It then takes its place by the score of the news, so that what
    was hidden does not come back with the end of the exception.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with its `subgraph_id`, `role` and `known_at`.
    links
        The links inside subgraphs.
    motif_hits
        One row is one match (`schemas.MOTIF_HITS`).
    exceptions
        `interim_schemas.EXCEPTION_KEYS`.
    rescore
        Scores the news.
    p
        `show_nats`, the least strength of what is shown.

    Returns
    -------
    Suppressed
        Which subgraphs are hidden and why, and which exceptions have matched.

    Notes
    -----
    Time is when rows became known, never the clock: a run of an old window hides what it hid then.
    """
    if not exceptions.num_rows:
        return NOTHING
    matches = match_exceptions(engine, episodes, motif_hits, exceptions)
    judged = judge_episodes(engine, episodes, matches)
    news = engine.query(
        "SELECT episodes.* FROM episodes SEMI JOIN (SELECT * FROM judged WHERE is_news AND is_whole) news USING (episode)",
        {"episodes": episodes, "judged": judged},
    )
    claims = pa.table({"subgraph_id": pa.array([], pa.string()), "score": pa.array([], pa.float64())})
    if news.num_rows:
        claims = rescore(news, *_inside(engine, news, links, motif_hits)).select(["subgraph_id", "score"])
    listed = "{'id': id, 'owner': owner, 'reason': reason, 'ticket': ticket, 'until': until}"
    subgraphs = engine.query(
        f"""
        WITH whole AS (
            SELECT subgraph_id, score AS claim FROM (
                SELECT subgraph_id FROM judged WHERE is_whole GROUP BY subgraph_id HAVING bool_or(counts AND is_covered)
            ) LEFT JOIN claims USING (subgraph_id)
        ),
        named AS (
            SELECT subgraph_id, list({listed} ORDER BY id) AS suppressed_by
            FROM (SELECT DISTINCT subgraph_id, id FROM matches WHERE state = 'in force') JOIN exceptions USING (id)
            GROUP BY subgraph_id
        )
        SELECT subgraph_id,
            CASE WHEN claim >= {least_score(p)!r}::DOUBLE THEN [] ELSE suppressed_by END AS suppressed_by, claim
        FROM whole JOIN named USING (subgraph_id)
        """,
        {"claims": claims, "exceptions": exceptions, "judged": judged, "matches": matches},
    )
    matched = engine.query("SELECT subgraph_id, id FROM matches WHERE state = 'in force'", {"matches": matches})
    return Suppressed(subgraphs.cast(NOTHING.subgraphs.schema), matched.cast(NOTHING.matched.schema))


def judge_episodes(engine: Engine, episodes: pa.Table, matches: pa.Table) -> pa.Table:
    """Judge each episode of each subgraph by the exceptions that name it.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with its `subgraph_id` and `role`.
    matches
        As `excepted.match_exceptions` gives them.

    Returns
    -------
    pa.Table
        One row is one `episode` of one `subgraph_id`. It `counts` where it is no noise, or is a step into OT. It
        `is_covered` where an exception in force explains it. It `is_news` where an exception would explain it that has
        ended before. `is_whole` says that each episode of its subgraph that counts is covered or news.
    """
    return engine.query(_JUDGED, {"episodes": episodes, "matches": matches})


_JUDGED = f"""
    WITH found AS (
        SELECT episode, bool_or(state = 'in force') AS is_covered, bool_or(state = 'ended') AS is_late
        FROM matches GROUP BY episode
    ),
    judged AS (
        SELECT subgraph_id, episode, role <> '{_NOISE}' OR {STEP_INTO_OT} AS counts,
            coalesce(is_covered, false) AS is_covered, coalesce(is_late AND NOT is_covered, false) AS is_news
        FROM episodes LEFT JOIN found USING (episode)
    )
    SELECT *, bool_and(NOT counts OR is_covered OR is_news) OVER (PARTITION BY subgraph_id) AS is_whole FROM judged
"""


def _inside(engine: Engine, news: pa.Table, links: pa.Table, motif_hits: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The links and the motif hits of which all episodes are among the news."""
    tables = {"news": news.select(["episode"]), "links": links, "hits": motif_hits}
    kept = engine.query(
        "SELECT links.* FROM links SEMI JOIN news a ON links.src = a.episode SEMI JOIN news b ON links.dst = b.episode",
        tables,
    )
    hits = engine.query(
        f"""
        WITH numbered AS (SELECT *, row_number() OVER () AS n FROM hits),
        inside AS (
            SELECT n FROM (SELECT n, unnest(episodes) AS hex FROM numbered)
                LEFT JOIN (SELECT {episode_id("episode")} AS hex, true AS is_news FROM news) USING (hex)
            GROUP BY n HAVING bool_and(coalesce(is_news, false))
        )
        SELECT numbered.* FROM numbered SEMI JOIN inside USING (n)
        """,
        tables,
    )
    return kept.cast(links.schema), conform_arrow(hits, MOTIF_HITS)


def tell_exceptions(
    engine: Engine, exceptions: pa.Table, matched: pa.Table, subgraphs: pa.Table, end: datetime
) -> pa.Table:
    """Tell what each exception did in a run.

    Parameters
    ----------
    engine
        DuckDB in this process.
    exceptions
        One row is one exception (`interim_schemas.EXCEPTION_KEYS`).
    matched
        As `Suppressed` has it, of all sites; those of `subgraphs` are counted.
    subgraphs
        The run's (`schemas.SUBGRAPHS`).
    end
        End of the window, aware.

    Returns
    -------
    pa.Table
        One row is one exception (`run_schemas.EXCEPTIONS`), in order of id.
    """
    if not exceptions.num_rows:
        return arrow_schema(EXCEPTIONS).empty_table()
    now = round(end.timestamp() * 1e6)
    told = engine.query(
        f"""
        WITH episodes AS (
            SELECT id, count(*) AS n FROM matched SEMI JOIN subgraphs USING (subgraph_id) GROUP BY id
        ),
        hidden AS (
            SELECT one.id AS id, count(*) AS n
            FROM (SELECT unnest(suppressed_by) AS one FROM subgraphs) GROUP BY one.id
        )
        SELECT x.*, coalesce(episodes.n, 0) AS n_episodes, coalesce(hidden.n, 0) AS n_hidden, CASE
            WHEN epoch_us(x.begins) >= {now} THEN 'not yet begun' WHEN epoch_us(x.until) <= {now} THEN 'ended'
            ELSE 'in force' END AS state
        FROM exceptions x LEFT JOIN episodes USING (id) LEFT JOIN hidden USING (id)
        ORDER BY x.id
        """,
        {"exceptions": exceptions, "matched": matched, "subgraphs": subgraphs},
    )
    return conform_arrow(told, EXCEPTIONS)
