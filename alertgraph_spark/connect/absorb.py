"""Absorb: what begins on a host inside the span of a strong group, and is not expected there by chance, belongs to it.

A strong group is an attack or a great stir: the lesser sessions that begin meanwhile are most often its side effects, which
no entity in common would link.
"""

from __future__ import annotations

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.rates import DAY, HOUR


def group_strengths(engine: Engine, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Strength of each group that has an alert about one host alone: the sum of its episodes' surprise.

    Of a type the first counts whole, the k-th `p.repeat_share` / k. Input is one row an episode with `component` and
    `is_lone`; one output row is one `component`, with its site, `t0` and `t1`, its first and last time in microseconds,
    `strength` in nats, and `is_warm_up`.
    """
    return engine.query(
        f"""
        WITH hosts AS (SELECT DISTINCT component FROM episodes WHERE is_lone),
        repeated AS (
            SELECT component, site, started_at, ended_at, history_hours, surprise, row_number() OVER (
                PARTITION BY component, source, name ORDER BY surprise DESC, episode
            ) AS k
            FROM episodes SEMI JOIN hosts USING (component)
        ),
        counted AS (
            SELECT *, CASE WHEN k = 1 THEN surprise ELSE surprise * {p.repeat_share!r}::DOUBLE / k END AS nats FROM repeated
        )
        SELECT site, component, epoch_us(min(started_at)) AS t0, epoch_us(max(ended_at)) AS t1,
            sum(nats ORDER BY nats) AS strength, min(history_hours) < {p.warm_up_hours!r}::DOUBLE AS is_warm_up
        FROM counted GROUP BY site, component ORDER BY component
        """,
        {"episodes": episodes},
    )


def absorb_sessions(engine: Engine, episodes: pa.Table, sessions: pa.Table, p: RankingParameters) -> pa.Table:
    """Link each session that a strong group absorbs to the nearest of the group.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with its `session` and `component`.
    sessions
        One row is one session (`interim_schemas.SESSIONS`).
    p
        The numbers `absorb_*`.

    Returns
    -------
    pa.Table
        One row is one link (`schemas.LINKS`), and `core`, the component of the session that is absorbed.

    Notes
    -----
    A group of at least `p.absorb_nats` absorbs a session that begins in its span and belongs to a group less than
    `p.absorb_share` as strong, if chance brings no such session so near: the site's rate of them times the gap to the nearest
    of the group, before or after, is at most `p.absorb_chance`, and times the whole span at most `p.absorb_span_chance`. Of
    several groups the strongest takes it, with all of its own group. Spans meet sessions day by day, so that there is no join
    of all pairs.
    """
    strengths = group_strengths(engine, episodes, p)
    return engine.query(
        f"""
        WITH strong AS (
            SELECT site, component AS taker, t0, t1, strength, is_warm_up, (t1 - t0) / {HOUR} AS span_hours
            FROM strengths WHERE strength >= {p.absorb_nats!r}::DOUBLE
        ),
        days AS (SELECT *, unnest(range(t0 // {DAY}, t1 // {DAY} + 1)) AS day FROM strong),
        owned AS (SELECT DISTINCT session, component FROM episodes WHERE is_lone),
        begun AS (
            SELECT s.site, host, s.session, site_rate, epoch_us(started_at) AS t0, epoch_us(ended_at) AS t1,
                epoch_us(started_at) // {DAY} AS day, component, own.strength AS own_strength,
                own.is_warm_up
            FROM sessions AS s JOIN owned USING (session) JOIN strengths AS own USING (component)
        ),
        taken AS (
            SELECT taker, b.* FROM begun AS b JOIN days AS d ON b.site = d.site AND b.day = d.day
                AND b.is_warm_up = d.is_warm_up
                AND b.t0 BETWEEN d.t0 AND d.t1
                AND site_rate * span_hours <= {p.absorb_span_chance!r}::DOUBLE
                AND own_strength < strength * {p.absorb_share!r}::DOUBLE
            QUALIFY row_number() OVER (PARTITION BY session ORDER BY strength DESC, taker) = 1
        ),
        members AS (
            SELECT component AS taker, session, epoch_us(min(started_at)) AS t0, epoch_us(max(ended_at)) AS t1
            FROM episodes WHERE component IN (SELECT taker FROM taken)
            GROUP BY component, session
        ),
        sought AS (
            SELECT taker, session, t0, t1, false AS is_asked FROM members
            UNION ALL SELECT taker, session, t0, t1, true FROM taken
        ),
        near AS (
            SELECT session, is_asked,
                max(CASE WHEN NOT is_asked THEN {{'time': t1, 'session': session}} END) OVER (
                    in_order ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) AS earlier,
                min(CASE WHEN NOT is_asked THEN {{'time': t0, 'session': session}} END) OVER (
                    in_order ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                ) AS later
            FROM sought WINDOW in_order AS (PARTITION BY taker ORDER BY t0, is_asked, session)
        ),
        gaps AS (
            SELECT taken.*, earlier, later, greatest(0, t0 - earlier.time) AS before, greatest(0, later.time - t1) AS after
            FROM taken JOIN near USING (session) WHERE is_asked
        ),
        nearest AS (
            SELECT *, later IS NULL OR before <= after AS is_after,
                (CASE WHEN later IS NULL OR before <= after THEN before ELSE after END) / {HOUR} AS gap_hours
            FROM gaps
        )
        SELECT component AS core, site, CASE WHEN is_after THEN earlier.session ELSE session END AS src,
            CASE WHEN is_after THEN session ELSE later.session END AS dst, 'absorbed' AS kind, host AS entity,
            gap_hours * 60 AS gap_minutes, {p.absorb_weight!r}::DOUBLE * exp(-site_rate * gap_hours) AS weight,
            1 - exp(-site_rate * gap_hours) AS chance, 0::DOUBLE AS log_odds
        FROM nearest WHERE site_rate * gap_hours <= {p.absorb_chance!r}::DOUBLE
        ORDER BY src, dst
        """,
        {
            "strengths": strengths,
            "sessions": sessions,
            "episodes": episodes.select(["session", "component", "is_lone", "started_at", "ended_at"]),
        },
        joins_as_written=True,
    )
