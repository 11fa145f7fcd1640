"""Bins: spans that mean the same within a span of the episode gap, whatever they say, are one; what they mean stands once.

A site means the same few thousand things all month. So each is numbered, and what is done for every bin is done with numbers.
"""

from __future__ import annotations

import pyarrow as pa

from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.rates import HOUR
from alertgraph_spark.tables.schemas import ALERT_ENDS

MOST_ACCOUNTS = 50
"""Accounts that an episode keeps, as many as an alert."""

KEY = "site, source_entity, target_entity, source, name"
"""What the alerts of one episode have in common."""

FACTS = (*(name for name, *_ in ALERT_ENDS if not name.endswith("_entity")), "tactics", "techniques")
"""What else alerts may mean."""

_FACTS_IN_ORDER = ", ".join(f"{fact} NULLS FIRST" for fact in ("tactics", "techniques", *FACTS[:-2]))
_MEANING = f"{KEY}, {', '.join(FACTS)}, named"


def keep_bins(engine: Engine, spans: pa.Table, meant: pa.Table) -> None:
    """Fold spans to bins, and number what these mean.

    Parameters
    ----------
    engine
        DuckDB in this process; takes the tables.
    spans
        One row is one span with `says`, a hash of what it says (`interim_schemas.SPANS`; other columns may be missing).
    meant
        One row is what one `says` means (`interim_schemas.MEANT`).

    Notes
    -----
    Kept are four tables: `meanings` (see `keep_meanings`); `worded`, the meaning of each `says` at a site and source; `bins`;
    and `accounts_said`, one row an account that is named in a bin.

    One row of `bins` is a `meaning` in a `bin`. It has the `key` of its meaning, also as `said_key`, and `facts`; `t0` and
    `t1`, the first and last of its alerts in microseconds, and by how much later than `t0` the first was received, `delay`,
    0 below an hour; `received_at`, `n_alerts` and `severity`. A bin of which rows name the host of an address is one hour's:
    a name holds from then on.
    """
    told = "[e.key FOR e IN entities IF e.kind = 'account']"
    engine.keep(
        "words",
        f"""
        SELECT says, {_MEANING}, {told} AS accounts
        FROM (SELECT DISTINCT site, source, says FROM spans) JOIN meant USING (says)
        """,
        {"spans": spans, "meant": meant},
    )
    keep_meanings(engine, f"SELECT DISTINCT {_MEANING} FROM words")
    same = " AND ".join(f"w.{name} IS NOT DISTINCT FROM m.{name}" for name in _MEANING.split(", "))
    engine.keep(
        "worded",
        f"SELECT w.site, w.source, w.says, w.accounts, m.meaning, m.key, m.facts, len(m.named) > 0 AS is_named"
        f" FROM words w JOIN meanings m ON {same}",
    )
    engine.keep(
        "bins",
        f"""
        WITH told AS (
            SELECT meaning, key, facts, bin, CASE WHEN is_named THEN hour END AS named_hour, epoch_us(started_at) AS t0,
                epoch_us(ended_at) AS t1, epoch_us(known_at) AS known, received_at, n_alerts, severity
            FROM spans JOIN worded USING (site, source, says)
        ),
        grouped AS (
            SELECT meaning, key, facts, bin, named_hour, min(t0) AS t0, max(t1) AS t1, min(known) AS known,
                max(received_at) AS received_at, sum(n_alerts)::BIGINT AS n_alerts, max(severity) AS severity
            FROM told GROUP BY ALL
        )
        SELECT * EXCLUDE (named_hour, known), key AS said_key,
            CASE WHEN known - t1 >= {HOUR} THEN known - t0 ELSE 0 END AS delay
        FROM grouped
        """,
        {"spans": spans},
    )
    engine.keep(
        "accounts_said",
        """
        SELECT DISTINCT key AS said_key, bin, unnest(accounts) AS account
        FROM spans JOIN (SELECT * FROM worded WHERE len(accounts) > 0) USING (site, source, says)
        """,
        {"spans": spans},
    )


def keep_meanings(engine: Engine, rows: str) -> None:
    """Keep `meanings`, one row for each of some rows that are what alerts mean, which SQL gives.

    Beside what `rows` has are the numbers `meaning`, `key` (of `KEY`) and `facts` (of the rest, in an order that has a
    meaning); and for what the past knows `type` (of site, source and name), `actor` and `target`. Whoever acts is the source,
    else the host that it is about; all that is outside is one.
    """
    engine.keep(
        "meanings",
        f"""
        WITH asked AS (
            SELECT *, coalesce(
                CASE WHEN CASE WHEN source_entity IS NULL THEN target_zone ELSE source_zone END = 'external'
                THEN 'external' ELSE coalesce(source_entity, target_entity) END, ''
            ) AS acts
            FROM ({rows})
        )
        SELECT * EXCLUDE (acts), row_number() OVER () AS meaning, dense_rank() OVER (ORDER BY {KEY}) AS key,
            dense_rank() OVER (ORDER BY {_FACTS_IN_ORDER}) AS facts,
            dense_rank() OVER (ORDER BY site, source, name) AS type,
            dense_rank() OVER (ORDER BY acts) AS actor, dense_rank() OVER (ORDER BY target_entity) AS target
        FROM asked
        """,
    )
