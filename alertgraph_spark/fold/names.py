"""Resolve: which host an address belonged to, where the alerts themselves have said so.

One product names a host, another its address: without the rows that name both, an attack falls in two. Leases end, and a
proxy speaks for many, so what a row says of an address holds for a while. And a row may be forged: a word holds while most of
what was said agrees. One that says otherwise proves nothing, two in a row do.
"""

from __future__ import annotations

from alertgraph_spark.fold.bins import keep_meanings
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.rates import HOUR

VALID_HOURS = 24
"""How long a row's word on an address holds. Shorter than a usual lease, since a machine that raises an alert a day is
named a day later, while a wrong name joins two machines."""

MOST_HOSTS = 4
"""Hosts that an address is given in one hour; where they are more, it is shared, or a flood, and the hour names nobody."""


def keep_aliases(engine: Engine) -> None:
    """Keep `aliases`: the spans of time in which an address belonged to one host, from `bins` and `meanings`.

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
        WITH said AS (
            SELECT site, t0, unnest(named) AS said FROM bins JOIN meanings USING (meaning) WHERE len(named) > 0
        ),
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
    """Replace an address by the host, in the bins of which it held the first alert: `bins` and `meanings` are replaced.

    The rows of one bin are treated alike. A bin whose two ends are then one machine is about that machine: it has no source.
    """
    engine.keep("addresses", "SELECT site, address, row_number() OVER () AS number FROM aliases GROUP BY site, address")
    engine.keep(
        "holders",
        "SELECT number AS address, host, valid_from, valid_until FROM aliases JOIN addresses USING (site, address)",
    )
    engine.keep(
        "renamed",
        """
        WITH addressed AS (
            SELECT meaning, s.number AS source, t.number AS target FROM meanings m
            LEFT JOIN addresses s ON s.site = m.site AND s.address = m.source_entity
            LEFT JOIN addresses t ON t.site = m.site AND t.address = m.target_entity
            WHERE s.number IS NOT NULL OR t.number IS NOT NULL
        ),
        begun AS (SELECT key, bin, min(t0) AS first FROM bins GROUP BY key, bin),
        b AS (
            SELECT DISTINCT meaning, bin, first, source, target
            FROM bins JOIN addressed USING (meaning) JOIN begun USING (key, bin)
        )
        SELECT meaning, bin, CASE WHEN first < s.valid_until THEN s.host END AS source_host,
            CASE WHEN first < t.valid_until THEN t.host END AS target_host
        FROM b ASOF LEFT JOIN holders s ON s.address = b.source AND b.first >= s.valid_from
            ASOF LEFT JOIN holders t ON t.address = b.target AND b.first >= t.valid_from
        """,
    )
    without = ", ".join(
        f"CASE WHEN source_entity = target_entity THEN NULL ELSE source_{what} END AS source_{what}"
        for what in ("entity", "zone", "level", "role")
    )
    numbers = "meaning, key, facts, type, actor, target"
    keep_meanings(
        engine,
        f"""
        WITH hosts AS (
            SELECT DISTINCT meaning, source_host, target_host FROM renamed
            UNION SELECT meaning, NULL, NULL FROM meanings
        ),
        named AS (
            SELECT m.* EXCLUDE ({numbers}) REPLACE (coalesce(source_host, source_entity) AS source_entity,
                    coalesce(target_host, target_entity) AS target_entity),
                meaning AS was, source_host, target_host
            FROM hosts JOIN meanings m USING (meaning)
        )
        SELECT * REPLACE ({without}) FROM named
        """,
    )
    engine.keep(
        "bins",
        """
        SELECT b.* REPLACE (m.meaning AS meaning, m.key AS key, m.facts AS facts)
        FROM bins b LEFT JOIN renamed r USING (meaning, bin) JOIN meanings m ON m.was = b.meaning
            AND m.source_host IS NOT DISTINCT FROM r.source_host AND m.target_host IS NOT DISTINCT FROM r.target_host
        """,
    )
