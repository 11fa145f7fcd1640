"""Fold: bins of alerts become episodes, with what the past knew of their type.

Everything said of an episode uses hours before it alone: no whole-period count, no label, no future.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.fold.names import keep_aliases, keep_hosts
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.interim_schemas import BIN_KEY, EPISODES_FOLDED
from alertgraph_spark.tables.rates import HOUR

MOST_ACCOUNTS = 50
"""Accounts that an episode keeps, as many as an alert."""

_FACTS = (
    *("source_zone", "target_zone", "source_level", "target_level", "source_role", "target_role"),
    *("tactics", "techniques"),
)
_KEY = "site, source_entity, target_entity, source, name"
_NUMBER = """(((
    ('0x' || substr(sha256({text}), 1, 16))::UBIGINT::HUGEINT + 9223372036854775808) % 18446744073709551616
) - 9223372036854775808)::BIGINT"""
"""The first 64 bits of SHA-256, as a signed number."""

_IN_ORDER = f"t0, t1, tactics NULLS FIRST, techniques NULLS FIRST, {', '.join(f'{f} NULLS FIRST' for f in _FACTS[:-2])}"


class Folded(NamedTuple):
    """What the fold makes: `bins`, the key of each bin with its episode, and `episodes`
    (`interim_schemas.EPISODES_FOLDED`).
    """

    bins: pa.Table
    episodes: pa.Table


def fold_episodes(engine: Engine, bins: pa.Table, calendar: pa.Table, p: RankingParameters) -> Folded:
    """Fold bins to episodes and judge each type by the site's past.

    Parameters
    ----------
    bins
        One row is one bin and what its alerts have in common (`interim_schemas.BINS`).
    calendar
        One row is one announced window of one machine (`interim_schemas.CALENDAR`).

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
    key = ", ".join(BIN_KEY)
    engine.keep(
        "seen_bins",
        f"""
        SELECT *, epoch_us(started_at) AS t0, epoch_us(ended_at) AS t1, dense_rank() OVER (ORDER BY {key}) AS number,
            CASE WHEN epoch_us(known_at) - epoch_us(ended_at) >= {HOUR} THEN epoch_us(known_at) - epoch_us(started_at)
                ELSE 0 END AS delay
        FROM bins
        """,
        {"bins": bins},
    )
    engine.keep("bin_keys", f"SELECT DISTINCT number, {key} FROM seen_bins")
    if engine.rows("SELECT count(*) FROM seen_bins WHERE len(named) > 0")[0][0]:
        keep_aliases(engine)
        keep_hosts(engine)
    _keep_episodes(engine, p.episode_gap_seconds)
    of_bins = engine.query(
        "SELECT k.* EXCLUDE (number), e.episode"
        " FROM bin_keys k JOIN (SELECT DISTINCT number, episode FROM numbered) e USING (number)"
    )
    return Folded(of_bins, conform_arrow(_with_past(engine, calendar, p), EPISODES_FOLDED))


def _keep_episodes(engine: Engine, gap_seconds: int) -> None:
    """Keep `numbered`, the bins with their episode, and `folded`, one row an episode."""
    window = f"PARTITION BY {_KEY} ORDER BY {_IN_ORDER}"
    said = [f"coalesce(strlen({value}) || ':' || {value}, '-')" for value in (*_KEY.split(", "), "beginning::VARCHAR")]
    engine.keep(
        "numbered",
        f"""
        WITH paused AS (
            -- Facts may differ inside a bin, and then its rows overlap in time: the pause is from the latest end so far.
            SELECT *, t0 - max(t1) OVER ({window} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS pause
            FROM seen_bins
        ),
        opened AS (
            SELECT * EXCLUDE (pause), last_value(
                CASE WHEN pause IS NULL OR pause > {gap_seconds * 1_000_000} THEN t0 END IGNORE NULLS
            ) OVER ({window} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS beginning
            FROM paused
        )
        SELECT *, {_NUMBER.format(text=" || ".join(said))} AS episode FROM opened
        """,
    )
    facts = "{" + ", ".join(f"'{fact}': {fact}" for fact in _FACTS) + "}"
    # Accounts by the bin in which they are named: those of later alerts put none out.
    engine.keep(
        "accounts",
        f"""
        WITH named AS (SELECT episode, bin, unnest(accounts) AS account FROM numbered),
        once AS (SELECT episode, account, min(bin) AS bin FROM named GROUP BY episode, account)
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
        f"""
        WITH grouped AS (
            -- All facts in one: each aggregate with an order sorts by itself.
            SELECT {_KEY}, episode, first({facts} ORDER BY {_IN_ORDER}) AS facts, min(t0) AS t0, max(t1) AS t1,
                min(t0 + delay) AS known, max(received_at) AS received_at,
                sum(n_alerts)::BIGINT AS n_alerts, max(severity) AS severity
            FROM numbered GROUP BY {_KEY}, episode
        )
        SELECT * EXCLUDE (facts), unnest(facts) FROM grouped
        """,
    )


def _with_past(engine: Engine, calendar: pa.Table, p: RankingParameters) -> pa.Table:
    """The episodes with what the past knew of their type, and whether they were announced."""
    types = "site, source, name"
    engine.keep(
        "asked",
        f"""
        SELECT *, known // {HOUR} AS hour, coalesce(source_entity, target_entity) AS machine,
            coalesce(
                CASE WHEN CASE WHEN source_entity IS NULL THEN target_zone ELSE source_zone END = 'external'
                THEN 'external' ELSE coalesce(source_entity, target_entity) END, ''
            ) AS actor
        FROM folded
        """,
    )
    engine.keep(
        "hourly",
        f"""
        SELECT DISTINCT {types}, actor, unnest(range(b.begins // {HOUR}, b.ends // {HOUR} + 1)) AS hour
        FROM asked JOIN (SELECT episode, t0 + delay AS begins, t1 + delay AS ends FROM numbered) b USING (episode)
        """,
    )

    def counted(key: str, moment: str, rows: str) -> str:
        """How often a key had been there, at each moment at which it was."""
        number = f"row_number() OVER (PARTITION BY {key} ORDER BY {moment})"
        return f"SELECT *, {number} AS n FROM (SELECT DISTINCT {key}, {moment} FROM {rows})"

    hours = f"SELECT {types}, unnest([hour - 1, hour, hour + 1]) AS near FROM hourly"
    near = f"(SELECT {types}, near % 24 AS clock, near // 24 AS day FROM ({hours}))"
    same_type = " AND ".join(f"e.{c} = past.{c}" for c in ("site", "source", "name"))
    return engine.query(
        f"""
        WITH fleet AS ({counted(types, "hour", "hourly")}),
        actors AS ({counted(f"{types}, actor", "hour", "hourly")}),
        days AS ({counted(f"{types}, clock", "day", near)}),
        begun AS (SELECT site, min(hour) AS site_hour FROM hourly GROUP BY site),
        announced AS (
            SELECT DISTINCT e.episode FROM asked e JOIN calendar c ON e.machine = c.machine
            AND (c.site IS NULL OR c.site = e.site) AND epoch_us(c.begins) <= e.t0 AND e.t0 < epoch_us(c.ends)
        ),
        seen AS (
            SELECT e.*, (e.hour - begun.site_hour)::DOUBLE AS history_hours, coalesce(fleet.n, 0) AS fleet_seen,
                coalesce(actors.n, 0) AS actor_seen, coalesce(days.n, 0) AS days_seen
            FROM asked e JOIN begun USING (site)
            ASOF LEFT JOIN fleet ON {same_type.replace("past", "fleet")} AND e.hour > fleet.hour
            ASOF LEFT JOIN actors ON {same_type.replace("past", "actors")} AND e.actor = actors.actor
                AND e.hour > actors.hour
            ASOF LEFT JOIN days ON {same_type.replace("past", "days")} AND e.hour % 24 = days.clock
                AND e.hour // 24 > days.day
        ),
        shares AS (
            SELECT *, (fleet_seen + 1) / (history_hours + 2) AS fleet_share,
                (actor_seen + 1) / (history_hours + 2) AS actor_share
            FROM seen
        )
        SELECT shares.*, coalesce(accounts.accounts, []::VARCHAR[]) AS accounts,
            make_timestamptz(t0) AS started_at, make_timestamptz(t1) AS ended_at, make_timestamptz(known) AS known_at,
            -ln(fleet_share) / 2 - ln(actor_share) / 2 AS surprise,
            (fleet_share >= {p.chronic_share} AND history_hours >= {p.warm_up_hours})
                OR (days_seen >= {p.periodic_days} AND days_seen >= {p.periodic_share} * history_hours / 24) AS is_chronic,
            announced.episode IS NOT NULL AS is_announced,
            min(hour) OVER (PARTITION BY site, source, name, actor, target_entity) >= hour AS is_new_pair
        FROM shares LEFT JOIN announced USING (episode) LEFT JOIN accounts USING (episode)
        """,
        {"calendar": calendar},
    )
