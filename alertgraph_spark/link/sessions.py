"""Sessions: what happens on one host without a pause, and how often such a thing happens.

An alert about one host alone says nobody's name: what led to it can be told by time only. So the alerts about a host are
taken together as long as no pause parts them. An episode that names two ends is a session of its own.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.earlier import count_before, number_rows
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.interim_schemas import SESSIONS
from alertgraph_spark.tables.rates import HOUR, micros, past_share, rate_of


def with_session(engine: Engine, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Number each episode's session.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode that is no everyday noise, in order of `started_at` and `episode`.
    p
        `session_gap_seconds` and `warm_up_hours`.

    Returns
    -------
    pa.Table
        The same rows in the same order, with `is_lone`, whether it is about one host alone, and `session`, the episode that
        begins its session. A new one begins on a host after a pause of more than `p.session_gap_seconds`, told from the
        latest end so far, since a long episode covers short ones that come later; and at the end of the warm-up, since what
        began in it is never shown.
    """
    is_warm_up = pc.less(episodes["history_hours"], p.warm_up_hours)
    host = number_rows(episodes["site"], episodes["target_entity"], is_warm_up)
    narrow = episodes.select(["episode", "source_entity", "started_at", "ended_at"])
    found = engine.query(
        f"""
        WITH ends AS (
            SELECT place, host, episode, source_entity IS NULL AS is_lone,
                epoch_us(started_at) AS t0, epoch_us(ended_at) AS t1
            FROM narrow
        ),
        paused AS (
            SELECT place, host, episode, t0 - max(t1) OVER (
                PARTITION BY host ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS pause
            FROM ends WHERE is_lone
        ),
        lone AS (
            SELECT place, last_value(
                CASE WHEN pause IS NULL OR pause > {p.session_gap_seconds} * 1e6 THEN episode END IGNORE NULLS
            ) OVER (PARTITION BY host ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS session
            FROM paused
        )
        SELECT is_lone, coalesce(session, episode) AS session FROM ends LEFT JOIN lone USING (place) ORDER BY place
        """,
        {"narrow": narrow.append_column("host", pa.array(host)).append_column("place", pa.array(np.arange(len(host))))},
    )
    return episodes.append_column("is_lone", found["is_lone"]).append_column("session", found["session"])


def describe_sessions(engine: Engine, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Measure the sessions of hosts; one row is one session (`interim_schemas.SESSIONS`), input what `with_session` gives.

    Notes
    -----
    The strength is the sum over its alert types of their highest surprise, in nats. The rate is that of sessions about
    as strong or stronger (of its band, or the one below), which had ended in an earlier hour: what came after tells nothing.
    From h such hours of H, `-ln(1 - (h + 1) / (H + 2))` an hour.
    """
    sessions = engine.query(
        f"""
        WITH types AS (
            SELECT session, max(surprise) AS surprise, any_value(site) AS site, any_value(target_entity) AS host,
                min(started_at) AS started_at, max(ended_at) AS ended_at, min(history_hours) AS history_hours,
                min(known_at) AS known_from, greatest(max(ended_at), max(known_at)) AS known_until
            FROM episodes WHERE is_lone GROUP BY session, source, name
        ),
        measured AS (
            SELECT any_value(site) AS site, any_value(host) AS host, session, min(started_at) AS started_at,
                max(ended_at) AS ended_at, min(history_hours) AS history_hours, min(known_from) AS known_from,
                max(known_until) AS known_until, sum(surprise ORDER BY surprise) AS strength
            FROM types GROUP BY session
        )
        SELECT *, greatest(0, floor(ln(greatest(1, strength)) / {-math.log(p.band_step)!r}::DOUBLE))::INT AS band
        FROM measured ORDER BY site, started_at, session
        """,
        {"episodes": episodes},
    )
    return conform_arrow(_with_rate(sessions, p), SESSIONS)


def _with_rate(sessions: pa.Table, p: RankingParameters) -> pa.Table:
    """Add `site_rate`: of each band up to its own a session is seen in the hour in which it was known to have ended."""
    ended, asked = (micros(sessions[name]) // HOUR for name in ("known_until", "known_from"))
    first = min(asked, default=0)
    width = int(max(ended, default=0) - first) + 1
    band = sessions["band"].to_numpy().astype(np.int64)
    at, level = number_rows(sessions["site"]) * width - first, np.maximum(0, band - 1)
    hours = count_before(at + ended, band, at + asked, level, width)
    rate = rate_of(past_share(hours, sessions["history_hours"].to_numpy()), p)
    return sessions.append_column("site_rate", pa.array(rate))
