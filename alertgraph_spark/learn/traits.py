"""Signatures: by what a subgraph can be recognised when it comes again.

A benign chain that recurs does the same things: the same alert types, by machines of the same kind on machines of the same
kind, often the very same machines and accounts, in the same order. Each of these is a trait. What is rare on the site says
more about what a subgraph is than what is everyday, so a trait weighs the surprise of its alerts.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn.recall import DOES
from alertgraph_spark.tables.attack import ACTS_ON_PROCESS
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.learn_schemas import SIGNATURES
from alertgraph_spark.tables.roles import CONTROLLER_LEVEL, CONTROLLER_ROLES

MOST_TRAITS = 64
"""Traits of a signature, the heaviest first: what is left out weighs little beside them."""

MOST_ACTORS = 200
"""Actors and steps of a signature. One that has more is never taken for known: see `recall`."""

_OF_CHAIN = "role IN ('core', 'single')"
"""What holds the chain together. Who acts in what it merely absorbed, or in what is nearly everyday, is no actor of it."""

_LOOKS = ("reconnaissance", "discovery", "collection")
"""Tactics by which somebody looks at a controller and does nothing to it."""

_ACTS_AS = ("initial-access", "execution", "persistence", "privilege-escalation", "lateral-movement")
"""Tactics in which the account of an alert is that of whoever acts; in others it may be the one that is tried."""

_PART = "chr(31)"
"""Between the parts of a trait: no cleaned text has it, so that no name can pass for another trait."""


def sign_subgraphs(engine: Engine, episodes: pa.Table, scored: pa.Table, p: RankingParameters) -> pa.Table:
    """Give the traits of the subgraphs that are nearly strong enough to be shown.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with its `subgraph_id` and `role`.
    scored
        One row is one subgraph with its `z`.
    p
        `recall_nats`, the least `z` of what is signed; `trait_host`, what it weighs that a machine or account is the same,
        beside 1 for the same alert between machines of the same kind; `trait_order`, the same for what follows what.

    Returns
    -------
    pa.Table
        One row is one subgraph (`learn_schemas.SIGNATURES`).

    Notes
    -----
    Who acts is the source; where there is none the account, else the host that the alert is about. An account acts beside the
    source in what nobody can do without one.

    Linear in the episodes of these subgraphs. Traits of equal weight come by name, so that the order of rows does not matter.
    """
    controllers, acts_as, looks = map(_listed, (CONTROLLER_ROLES, _ACTS_AS, _LOOKS))
    found = engine.query(
        f"""
        WITH asked AS (SELECT subgraph_id FROM scored WHERE z >= {p.recall_nats!r}::DOUBLE),
        of_asked AS (
            SELECT e.*, source || {_PART} || name AS kind,
                coalesce(len(accounts) BETWEEN 1 AND {p.most_accounts}, false) AS has_account,
                coalesce(source_role, source_zone, '') || {_PART} || coalesce(target_role, target_zone, '') AS parties,
                coalesce(target_zone = 'ot', false) AS is_on_ot,
                coalesce(target_role IN ({controllers}), false) OR coalesce(target_level <= {CONTROLLER_LEVEL}, false)
                    AS is_on_controller
            FROM episodes e SEMI JOIN asked USING (subgraph_id)
        ),
        types AS (
            SELECT subgraph_id, kind, max(surprise) AS nats, min((started_at, episode)) AS first
            FROM of_asked GROUP BY subgraph_id, kind
        ),
        steps AS (
            SELECT subgraph_id, kind, lead(kind) OVER w AS after, nats, lead(nats) OVER w AS next_nats
            FROM types WINDOW w AS (PARTITION BY subgraph_id ORDER BY first)
        ),
        traits AS (
            SELECT subgraph_id, '{DOES}' || {_PART} || kind || {_PART} || parties AS trait, surprise AS nats FROM of_asked
            UNION ALL
            SELECT subgraph_id, 'from' || {_PART} || kind || {_PART} || source_entity, {p.trait_host!r} * surprise
            FROM of_asked WHERE source_entity IS NOT NULL
            UNION ALL
            SELECT subgraph_id, 'on' || {_PART} || kind || {_PART} || target_entity, {p.trait_host!r} * surprise
            FROM of_asked WHERE target_entity IS NOT NULL
            UNION ALL
            SELECT subgraph_id, 'as' || {_PART} || account, {p.trait_host!r} * surprise
            FROM (SELECT subgraph_id, surprise, unnest(accounts) AS account FROM of_asked WHERE has_account)
            UNION ALL
            SELECT subgraph_id, 'then' || {_PART} || kind || {_PART} || after, {p.trait_order!r} * least(nats, next_nats)
            FROM steps WHERE after IS NOT NULL
        ),
        weighed AS (
            SELECT subgraph_id, list({{'trait': trait, 'nats': nats}} ORDER BY nats DESC, trait)[1:{MOST_TRAITS}] AS traits
            FROM (SELECT subgraph_id, trait, max(nats) AS nats FROM traits GROUP BY ALL HAVING max(nats) > 0)
            GROUP BY subgraph_id
        ),
        named AS (
            SELECT subgraph_id, list_sort(list(DISTINCT name))[1:{MOST_ACTORS} + 1] AS actors
            FROM (
                SELECT subgraph_id, unnest(
                    CASE WHEN source_entity IS NOT NULL AND has_account AND list_has_any(tactics, [{acts_as}])
                        THEN [source_entity] || accounts
                    WHEN source_entity IS NOT NULL THEN [source_entity]
                    WHEN has_account THEN accounts ELSE [target_entity] END
                ) AS name
                FROM of_asked WHERE {_OF_CHAIN}
            )
            WHERE name IS NOT NULL GROUP BY subgraph_id
        ),
        facts AS (
            SELECT subgraph_id, any_value(site) AS site,
                coalesce(list_sort(list(DISTINCT coalesce(source_entity, '') || {_PART} || target_entity) FILTER (
                    is_on_ot AND (source_entity IS NULL OR coalesce(source_zone, 'unknown') <> 'ot')
                ))[1:{MOST_ACTORS} + 1], []) AS crossings,
                bool_or(
                    is_on_controller AND source_entity IS NOT NULL
                        AND (len(tactics) = 0 OR NOT list_has_all([{looks}], tactics))
                    OR {ACTS_ON_PROCESS}
                ) AS is_act,
                coalesce(list_sort(list(DISTINCT coalesce(source_role, source_zone, 'unknown'))
                    FILTER (source_entity IS NOT NULL AND {_OF_CHAIN})), []) AS kinds
            FROM of_asked GROUP BY subgraph_id
        )
        SELECT facts.*, coalesce(traits, []) AS traits, coalesce(actors, []) AS actors
        FROM facts LEFT JOIN weighed USING (subgraph_id) LEFT JOIN named USING (subgraph_id)
        ORDER BY subgraph_id
        """,
        {"episodes": episodes, "scored": scored},
    )
    return conform_arrow(found, SIGNATURES)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)
