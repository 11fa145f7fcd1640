"""Sessions: what happens on one host without a pause, and which sessions meet too closely in time to be chance.

An alert about one host alone says nobody's name: what led to it can be told by time only. So the alerts about a host are
taken together as long as no pause parts them, and a session is linked to another when one so unusual is not expected to
come that soon. An episode that names two ends is a session of its own: links through entities speak for it.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.earlier import Ids, count_before, number_rows
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.interim_schemas import SESSIONS
from alertgraph_spark.tables.rates import HOUR, micros, past_share, rate_of
from alertgraph_spark.tables.schemas import LINKS


def with_session(engine: Engine, episodes: pa.Table, p: RankingParameters) -> pa.Table:
    """Number each episode's session.

    Parameters
    ----------
    episodes
        One row is one episode that is no everyday noise, in order of `started_at` and `episode`.

    Returns
    -------
    pa.Table
        The same rows in the same order, with `is_lone`, whether it is about one host alone, and `session`, the episode that
        begins its session. A new one begins on a host after a pause of more than `p.session_gap_seconds`, told from the
        latest end so far, since a long episode covers short ones that come later.
    """
    host = number_rows(episodes["site"], episodes["target_entity"])
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
    The strength is the sum over its alert types of their highest surprise, in nats. The rates are those of sessions about
    as strong or stronger (of its band, or the one below), which had ended in an earlier hour: what came after tells nothing.
    From h such hours of H, `-ln(1 - (h + 1) / (H + 2))` an hour for the site; for the host, of n hosts so far, the share is
    `(h + w q / n) / (H + 2 + w)` with the site's share q, as if the host had had w = `p.host_prior_hours` of the site's life
    before: a host without a past has the site's rate by host.
    """
    sessions = engine.query(
        f"""
        WITH types AS (
            SELECT session, max(surprise) AS surprise, any_value(site) AS site, any_value(target_entity) AS host,
                min(started_at) AS started_at, max(ended_at) AS ended_at, min(history_hours) AS history_hours
            FROM episodes WHERE is_lone GROUP BY session, source, name
        ),
        measured AS (
            SELECT any_value(site) AS site, any_value(host) AS host, session, min(started_at) AS started_at,
                max(ended_at) AS ended_at, min(history_hours) AS history_hours,
                sum(surprise ORDER BY surprise) AS strength
            FROM types GROUP BY session
        ),
        begun AS (
            SELECT *, (row_number() OVER (PARTITION BY site, host ORDER BY started_at, session) = 1)::INT AS is_new
            FROM measured
        )
        SELECT * EXCLUDE (is_new), sum(is_new) OVER (PARTITION BY site ORDER BY started_at, session)::BIGINT AS n_hosts,
            greatest(0, floor(ln(greatest(1, strength)) / {-math.log(p.band_step)!r}::DOUBLE))::INT AS band
        FROM begun ORDER BY site, started_at, session
        """,
        {"episodes": episodes},
    )
    return conform_arrow(_with_rates(sessions, p), SESSIONS)


def _with_rates(sessions: pa.Table, p: RankingParameters) -> pa.Table:
    """Add `site_rate` and `host_rate`: of each band up to its own a session is seen in the hour in which it ends."""
    ended, asked = (micros(sessions[name]) // HOUR for name in ("ended_at", "started_at"))
    first = min(asked, default=0)
    width = int(max(ended, default=0) - first) + 1
    band = sessions["band"].to_numpy().astype(np.int64)

    def hours_of(key: Ids) -> Ids:
        at, level = key * width - first, np.maximum(0, band - 1)
        return count_before(at + ended, band, at + asked, level, width)

    history_hours, n_hosts = (sessions[name].to_numpy() for name in ("history_hours", "n_hosts"))
    share = np.minimum(p.max_share, past_share(hours_of(number_rows(sessions["site"])), history_hours))
    prior = p.host_prior_hours
    of_host = hours_of(number_rows(sessions["site"], sessions["host"]))
    host_share = (of_host + prior * share / n_hosts) / (history_hours + 2 + prior)
    return sessions.append_column("site_rate", pa.array(rate_of(share, p))).append_column(
        "host_rate", pa.array(rate_of(host_share, p))
    )


def link_sessions(engine: Engine, sessions: pa.Table, p: RankingParameters) -> pa.Table:
    """Link strong sessions that follow each other sooner than chance allows; one row is one link (`schemas.LINKS`).

    Input is one row a session. The link goes between the episodes that begin them, the earlier first; its kind is
    `coincidence`, its entity the later host, its weight `p.time_weight` times the chance that no other as strong came in the
    gap.

    Notes
    -----
    The weaker of both decides: `rate * gap <= chance`, the site's rate and `p.chance_elsewhere` between two hosts, the
    host's and `p.chance_here` on one. Tried are the nearest three before and after that are at least as strong: where a
    farther one is within reach, so is the nearer, and it has the same reach to both, so nothing falls apart. A window over
    bands, no join of all pairs. Who goes on to another host is soon there; who has a host may come back that day.
    """
    one = "{'t0': t0, 'session': session, 'host': host, 't1': t1, 'site_rate': site_rate, 'host_rate': host_rate}"
    steps = [f"{step}({one}, {n}) OVER near" for step in ("lag", "lead") for n in range(1, p.nearest_sessions + 1)]

    def tried(key: str) -> str:
        return f"""
            SELECT site, a, unnest(near) AS b FROM (
                SELECT site, level, band, {one} AS a, [{", ".join(steps)}] AS near
                FROM by_level WINDOW near AS (PARTITION BY {key}, level ORDER BY t0, session)
            ) WHERE level = band"""

    links = engine.query(
        f"""
        WITH strong AS (
            SELECT *, epoch_us(started_at) AS t0, epoch_us(ended_at) AS t1
            FROM sessions WHERE site_rate <= {p.strong_rate!r}::DOUBLE
        ),
        by_level AS (SELECT *, unnest(range(0, band + 1)) AS level FROM strong),
        near AS ({tried("site")} UNION ALL {tried("site, host")}),
        pairs AS (
            SELECT DISTINCT site, least(a, b) AS src, greatest(a, b) AS dst
            FROM near WHERE b IS NOT NULL AND a.t0 <> b.t0
        ),
        measured AS (
            SELECT *, coalesce(src.host = dst.host, false) AS is_here,
                CASE WHEN src.host = dst.host THEN greatest(src.host_rate, dst.host_rate)
                ELSE greatest(src.site_rate, dst.site_rate) END AS rate,
                greatest(0, dst.t0 - src.t1) / {HOUR} AS gap_hours
            FROM pairs
        )
        SELECT site, src.session AS src, dst.session AS dst, 'coincidence' AS kind, dst.host AS entity,
            gap_hours * 60 AS gap_minutes, {p.time_weight!r}::DOUBLE * exp(-rate * gap_hours) AS weight,
            0::DOUBLE AS chance
        FROM measured
        WHERE gap_hours <= CASE WHEN is_here THEN {p.max_hours_here!r}::DOUBLE ELSE {p.max_hours_elsewhere!r} END
            AND rate * gap_hours <= CASE WHEN is_here THEN {p.chance_here!r}::DOUBLE ELSE {p.chance_elsewhere!r} END
        ORDER BY site, src, dst
        """,
        {"sessions": sessions},
    )
    return conform_arrow(links, LINKS)
