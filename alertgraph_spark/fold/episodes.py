"""Fold: bins of alerts become episodes, with what the past knew of their type.

Everything said of an episode uses hours before it alone: no whole-period count, no label, no future.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.fold.bins import FACTS, KEY, MOST_ACCOUNTS
from alertgraph_spark.fold.names import keep_aliases, keep_hosts
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.interim_schemas import EPISODES_FOLDED
from alertgraph_spark.tables.rates import HOUR

_NUMBER = """(((
    ('0x' || substr(sha256({text}), 1, 16))::UBIGINT::HUGEINT + 9223372036854775808) % 18446744073709551616
) - 9223372036854775808)::BIGINT"""
"""The first 64 bits of SHA-256, as a signed number."""


class Folded(NamedTuple):
    """What the fold makes: `bins`, each `said_key` and `bin` with its `episode`, and `episodes`
    (`interim_schemas.EPISODES_FOLDED`).
    """

    bins: pa.Table
    episodes: pa.Table


def fold_episodes(engine: Engine, calendar: pa.Table, p: RankingParameters) -> Folded:
    """Fold the bins that `bins.keep_bins` has kept to episodes, and judge each type by the site's past.

    Parameters
    ----------
    engine
        Holds the tables of `bins.keep_bins`.
    calendar
        One row is one announced window of one machine (`interim_schemas.CALENDAR`).
    p
        `episode_gap_seconds`, and what is everyday noise.

    Returns
    -------
    Folded
        A new episode begins after a pause of more than `p.episode_gap_seconds`. Its facts, tactics and techniques are those
        of its first bin, since alerts of one type between the same entities share them; its accounts are the first
        `MOST_ACCOUNTS`.

    Notes
    -----
    The number of an episode is made of its key, as it now is, and the microsecond at which it began: the first 64 bits of
    SHA-256 over a text in which each value stands behind its length in bytes and a colon (a netstring,
    https://cr.yp.to/proto/netstrings.txt), NULL as `-`. So no two keys make one text. By chance two of a million numbers are
    one in 37 million runs (n^2 / 2^65), and nobody can aim at one but by trying 2^64 names.

    `fleet_share` is (distinct past hours with the type + 1) / (past hours + 2), `actor_share` the same of the type by whoever
    acts: the source, else the host that it is about. Nearly every pair is new to a site, so rarity backs off from the pair to
    the end that acts: what a deployment server does to one more machine is no news. All that is outside is one actor, since
    an address of the Internet is new each time. Distinct hours, so that a flood counts once, counted over the hours that
    episodes touch. What was received an hour after it happened, or later, counts from then on: nobody knew of it before.
    `surprise` is the mean of both negative logarithms, in nats. `is_new_pair` tells that no earlier hour had
    this type between whoever acts and this target.

    A type is everyday noise where the site saw it in at least `p.chronic_share` of its past hours, once it has
    `p.warm_up_hours` of history; and a routine where at least `p.periodic_days` past days, and `p.periodic_share` of all,
    brought it within an hour of this time of the day.
    """
    if engine.rows("SELECT count(*) FROM meanings WHERE len(named) > 0")[0][0]:
        keep_aliases(engine)
        keep_hosts(engine)
    _keep_episodes(engine, p.episode_gap_seconds)
    of_bins = engine.query("SELECT DISTINCT said_key, bin, episode FROM numbered")
    return Folded(of_bins, conform_arrow(_with_past(engine, calendar, p), EPISODES_FOLDED))


def _keep_episodes(engine: Engine, gap_seconds: int) -> None:
    """Keep `numbered`, the bins with their episode, and `folded`, one row an episode."""
    window = "PARTITION BY key ORDER BY t0, t1, facts"
    said = [f"coalesce(strlen({value}) || ':' || {value}, '-')" for value in (*KEY.split(", "), "beginning::VARCHAR")]
    engine.keep(
        "opened",
        f"""
        WITH paused AS (
            -- Facts may differ inside a bin, and then its rows overlap in time: the pause is from the latest end so far.
            SELECT *, t0 - max(t1) OVER ({window} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS pause
            FROM bins
        )
        SELECT * EXCLUDE (pause), max(
            CASE WHEN pause IS NULL OR pause > {gap_seconds * 1_000_000} THEN t0 END
        ) OVER ({window} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS beginning
        FROM paused
        """,
    )
    engine.keep(
        "numbered",
        f"""
        WITH begun AS (SELECT key, beginning FROM opened GROUP BY key, beginning),
        of_key AS (SELECT DISTINCT key, {KEY} FROM meanings),
        numbers AS (
            SELECT key, beginning, {_NUMBER.format(text=" || ".join(said))} AS episode FROM begun JOIN of_key USING (key)
        )
        SELECT * FROM opened JOIN numbers USING (key, beginning)
        """,
    )
    # Accounts by the bin in which they are named: those of later alerts put none out.
    engine.keep(
        "accounts",
        f"""
        WITH once AS (
            SELECT episode, account, min(bin) AS bin
            FROM accounts_said JOIN (SELECT DISTINCT said_key, bin, episode FROM numbered) USING (said_key, bin)
            GROUP BY episode, account
        )
        SELECT episode, list(account ORDER BY account) AS accounts
        FROM (
            SELECT * FROM once
            QUALIFY row_number() OVER (PARTITION BY episode ORDER BY bin, account) <= {MOST_ACCOUNTS}
        )
        GROUP BY episode
        """,
    )
    engine.keep(
        "folded",
        """
        SELECT key, episode, arg_min(meaning, (t0, t1, facts)) AS meaning, min(t0) AS t0, max(t1) AS t1,
            min(t0 + delay) AS known, max(received_at) AS received_at, sum(n_alerts)::BIGINT AS n_alerts,
            max(severity) AS severity
        FROM numbered GROUP BY key, episode
        """,
    )


def _with_past(engine: Engine, calendar: pa.Table, p: RankingParameters) -> pa.Table:
    """The episodes with what the past knew of their type, and whether they were announced."""
    sites = "(SELECT site, dense_rank() OVER (ORDER BY site) AS place FROM meanings GROUP BY site)"
    engine.keep(
        "asked",
        f"""
        SELECT f.*, known // {HOUR} AS hour, type, actor, target, place
        FROM folded f JOIN meanings USING (meaning) JOIN {sites} USING (site)
        """,
    )
    engine.keep(
        "hourly",
        f"""
        SELECT DISTINCT place, type, actor, unnest(range(b.begins // {HOUR}, b.ends // {HOUR} + 1)) AS hour
        FROM asked JOIN (SELECT episode, t0 + delay AS begins, t1 + delay AS ends FROM numbered) b USING (episode)
        """,
    )

    def counted(key: str, moment: str, rows: str) -> str:
        """How often a key had been there, at each moment at which it was."""
        number = f"row_number() OVER (PARTITION BY {key} ORDER BY {moment})"
        return f"SELECT *, {number} AS n FROM (SELECT DISTINCT {key}, {moment} FROM {rows})"

    hours = "SELECT type, unnest([hour - 1, hour, hour + 1]) AS near FROM hourly"
    near = f"(SELECT type, near % 24 AS clock, near // 24 AS day FROM ({hours}))"
    return engine.query(
        f"""
        WITH fleet AS ({counted("type", "hour", "hourly")}),
        actors AS ({counted("type, actor", "hour", "hourly")}),
        days AS ({counted("type, clock", "day", near)}),
        begun AS (SELECT place, min(hour) AS site_hour FROM hourly GROUP BY place),
        announced AS (
            SELECT DISTINCT e.episode
            FROM meanings m JOIN calendar c ON coalesce(m.source_entity, m.target_entity) = c.machine
            AND (c.site IS NULL OR c.site = m.site)
            JOIN asked e ON e.meaning = m.meaning AND epoch_us(c.begins) <= e.t0 AND e.t0 < epoch_us(c.ends)
        ),
        seen AS (
            SELECT e.*, (e.hour - begun.site_hour)::DOUBLE AS history_hours, coalesce(fleet.n, 0) AS fleet_seen,
                coalesce(actors.n, 0) AS actor_seen, coalesce(days.n, 0) AS days_seen
            FROM asked e JOIN begun USING (place)
            ASOF LEFT JOIN fleet ON e.type = fleet.type AND e.hour > fleet.hour
            ASOF LEFT JOIN actors ON e.type = actors.type AND e.actor = actors.actor AND e.hour > actors.hour
            ASOF LEFT JOIN days ON e.type = days.type AND e.hour % 24 = days.clock AND e.hour // 24 > days.day
        ),
        shares AS (
            SELECT *, (fleet_seen + 1) / (history_hours + 2) AS fleet_share,
                (actor_seen + 1) / (history_hours + 2) AS actor_share
            FROM seen
        )
        SELECT shares.*, {KEY}, {", ".join(FACTS)}, coalesce(accounts.accounts, []::VARCHAR[]) AS accounts,
            make_timestamptz(t0) AS started_at, make_timestamptz(t1) AS ended_at, make_timestamptz(known) AS known_at,
            -ln(fleet_share) / 2 - ln(actor_share) / 2 AS surprise,
            (fleet_share >= {p.chronic_share} AND history_hours >= {p.warm_up_hours})
                OR (days_seen >= {p.periodic_days} AND days_seen >= {p.periodic_share} * history_hours / 24) AS is_chronic,
            announced.episode IS NOT NULL AS is_announced,
            min(hour) OVER (PARTITION BY shares.type, shares.actor, shares.target) >= hour AS is_new_pair
        FROM shares JOIN meanings m ON m.meaning = shares.meaning LEFT JOIN announced USING (episode)
            LEFT JOIN accounts USING (episode)
        """,
        {"calendar": calendar},
    )
