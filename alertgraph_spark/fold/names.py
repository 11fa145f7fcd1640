"""Resolve: which host an address belonged to, where the alerts themselves have said so.

One product names a host, another its address: without the rows that name both, an attack falls in two. Leases end, and a
proxy speaks for many, so what a row says of an address holds for a while, and only while all rows agree.
"""

from __future__ import annotations

from alertgraph_spark.embedded import Engine

VALID_HOURS = 24
"""How long a row's word on an address holds. Shorter than a usual lease, since a machine that raises an alert a day is
named a day later, while a wrong name joins two machines."""

_HOUR = 3_600_000_000


def keep_aliases(engine: Engine) -> None:
    """Keep `aliases`: the spans of time in which an address belonged to one host, from `seen_bins`.

    One row is a site, address and hour in which it was named, with `valid_from` and `valid_until` in microseconds. A span
    begins when a row names the host and ends with the next row of the address, or after `VALID_HOURS`; there is none while
    another host had the address within `VALID_HOURS` before.

    Notes
    -----
    Past only: what holds at a time was said by then.
    """
    engine.keep(
        "aliases",
        f"""
        WITH said AS (SELECT site, t0, unnest(named) AS said FROM seen_bins),
        hourly AS (
            SELECT site, said.address AS address, said.host AS host, min(t0) AS valid_from
            FROM said GROUP BY site, said.address, said.host, t0 // {_HOUR}
        ),
        spans AS (
            SELECT *,
                count(DISTINCT host) OVER (
                    PARTITION BY site, address ORDER BY valid_from // 1000000
                    RANGE BETWEEN {VALID_HOURS * 3600} PRECEDING AND CURRENT ROW
                ) AS n_hosts,
                least(
                    valid_from + {VALID_HOURS * _HOUR},
                    lead(valid_from) OVER (PARTITION BY site, address ORDER BY valid_from, host)
                ) AS valid_until
            FROM hourly
        )
        SELECT site, address, host, valid_from, valid_until FROM spans WHERE n_hosts = 1 AND valid_from < valid_until
        """,
    )


def keep_hosts(engine: Engine) -> None:
    """Replace `seen_bins` by the same rows with the host in place of an address, where its span holds the bin's first alert.

    The rows of one bin are treated alike. A bin whose two ends are then one machine is about that machine: it has no source.
    """
    joins = "\n".join(
        f"ASOF LEFT JOIN aliases {end} ON {end}.site = b.site AND {end}.address = b.{end}_entity"
        f" AND b.first >= {end}.valid_from"
        for end in ("source", "target")
    )
    named = {
        end: f"CASE WHEN b.first < {end}.valid_until THEN {end}.host ELSE b.{end}_entity END"
        for end in ("source", "target")
    }
    without = ", ".join(
        f"CASE WHEN NOT is_loop THEN source_{what} END AS source_{what}" for what in ("entity", "zone", "level", "role")
    )
    engine.keep(
        "seen_bins",
        f"""
        WITH b AS (SELECT *, min(t0) OVER (PARTITION BY number) AS first FROM seen_bins),
        n AS (
            SELECT b.* REPLACE ({named["source"]} AS source_entity, {named["target"]} AS target_entity)
            FROM b {joins}
        ),
        l AS (SELECT *, coalesce(source_entity = target_entity, false) AS is_loop FROM n)
        SELECT * EXCLUDE (first, is_loop) REPLACE ({without}) FROM l
        """,
    )
