"""Resolve: which host an address belonged to, where the alerts themselves have said so.

One product names a host, another its address: without the rows that name both, an attack falls in two. Leases end, and a
proxy speaks for many, so what a row says of an address holds for a while. And a row may be forged: a word holds while most of
what was said agrees. One that says otherwise proves nothing, two in a row do.
"""

from __future__ import annotations

from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.rates import HOUR

VALID_HOURS = 24
"""How long a row's word on an address holds. Shorter than a usual lease, since a machine that raises an alert a day is
named a day later, while a wrong name joins two machines."""

MOST_HOSTS = 4
"""Hosts that an address is given in one hour; where they are more, it is shared, or a flood, and the hour names nobody."""


def keep_aliases(engine: Engine) -> None:
    """Keep `aliases`: the spans of time in which an address belonged to one host, from `seen_bins`.

    One row is a site, address and hour in which it was named, with `valid_from` and `valid_until` in microseconds.

    What is said of an address in one hour is one word for each host that is named. At a word the address is the host's of
    which at least two thirds of the words of the last `VALID_HOURS` are, if one of the last two words is. That holds until
    the next word, and no longer than `VALID_HOURS` after the host was named.

    Notes
    -----
    Past only: what holds at a time was said by then. A forged row is one word of many: it takes an alias away only where the
    host itself was named no more than once. An address that moves loses its old host with the second word for the new one,
    however long the old one had it; one that two share by turns is nobody's from the fourth word on. Of one hour no more than
    `MOST_HOSTS` words are kept, so that a flood of them costs no more.
    """

    def holds(said: str) -> str:
        own = f"[host FOR host IN recent IF host = {said}.host]"
        return f"{said}.host <> '' AND 3 * len({own}) >= 2 * len(recent)"

    engine.keep(
        "aliases",
        f"""
        WITH said AS (SELECT site, t0, unnest(named) AS said FROM seen_bins),
        hourly AS (
            SELECT site, said.address AS address, t0 // {HOUR} AS hour, said.host AS host, min(t0) AS valid_from
            FROM said GROUP BY site, said.address, said.host, t0 // {HOUR}
        ),
        counted AS (
            SELECT *, count(*) OVER of_hour AS n_hosts, min(valid_from) OVER of_hour AS first_from
            FROM hourly WINDOW of_hour AS (PARTITION BY site, address, hour)
        ),
        words AS (
            SELECT site, address, host, valid_from FROM counted WHERE n_hosts <= {MOST_HOSTS}
            UNION ALL
            SELECT DISTINCT site, address, '', first_from FROM counted WHERE n_hosts > {MOST_HOSTS}
        ),
        heard AS (
            SELECT site, address, {{'host': host, 'valid_from': valid_from}} AS latest, valid_from,
                lag({{'host': host, 'valid_from': valid_from}}) OVER in_order AS earlier,
                lead(valid_from) OVER in_order AS next_from,
                list(host) OVER (
                    PARTITION BY site, address ORDER BY valid_from // 1000000
                    RANGE BETWEEN {VALID_HOURS * 3600} PRECEDING AND CURRENT ROW
                ) AS recent
            FROM words WINDOW in_order AS (PARTITION BY site, address ORDER BY valid_from, host)
        ),
        held AS (
            SELECT *, CASE WHEN {holds("latest")} THEN latest WHEN {holds("earlier")} THEN earlier END AS holder
            FROM heard
        )
        SELECT site, address, holder.host AS host, valid_from,
            least(holder.valid_from + {VALID_HOURS * HOUR}, next_from) AS valid_until
        FROM held
        WHERE holder IS NOT NULL AND valid_from < least(holder.valid_from + {VALID_HOURS * HOUR}, next_from)
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
