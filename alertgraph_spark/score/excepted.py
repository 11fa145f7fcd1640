"""Which episodes an exception explains: each condition is an equality, so that the cost is that of a few joins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from alertgraph_spark.config.alert_exception import ENDS
from alertgraph_spark.tables.attack import ACTS_ON_PROCESS
from alertgraph_spark.tables.embedded import Engine, episode_id

_ACTOR = "coalesce(source_entity, target_entity)"
_KEY = {"entity": _ACTOR, "source": "source_entity", "target": "target_entity"}

_IPV4 = r"ip:[0-9]{1,3}([.][0-9]{1,3}){3}"


def _number(key: str) -> str:
    """An IPv4 address as a number, in SQL; null for any other key."""
    octets = (f"(split_part(substr({key}, 4), '.', {place + 1})::BIGINT << {24 - 8 * place})" for place in range(4))
    return f"CASE WHEN regexp_full_match({key}, '{_IPV4}') THEN {' + '.join(octets)} END"


STEP_INTO_OT = f"""((coalesce(target_zone = 'ot', false)
    AND source_entity IS NOT NULL AND coalesce(source_zone, 'unknown') <> 'ot') OR {ACTS_ON_PROCESS})"""
"""Whether an episode crosses into OT, from whatever is not known to be of it, or acts on the process; in SQL."""

_PREPARED = f"""
    SELECT subgraph_id, lower(site) AS site, episode, lower(name) AS name, target_entity, source_entity,
        {", ".join(f"{_KEY[end]} AS {end}, {_number(_KEY[end])} AS {end}_number" for end in ENDS)},
        CASE WHEN len(list_distinct(accounts)) = 1 THEN accounts[1] END AS account,
        {STEP_INTO_OT} AS is_step_into_ot, known_at, received_at
    FROM episodes
"""

_AIMED = """(x.target IS NOT NULL OR x.target_block IS NOT NULL
    OR (e.source_entity IS NULL AND (x.entity IS NOT NULL OR x.entity_block IS NOT NULL)))"""
"""It names at whom the alert is aimed: where nobody acts, that is whom the alert is about."""

_MAY_EXPLAIN = f"(NOT e.is_step_into_ot OR (x.alert IS NOT NULL AND NOT x.is_beginning AND {_AIMED}))"

_STATE = (
    """CASE WHEN e.known_at < x.begins THEN 'before' WHEN e.received_at < x.until THEN 'in force' ELSE 'ended' END"""
)


def match_exceptions(engine: Engine, episodes: pa.Table, motif_hits: pa.Table, exceptions: pa.Table) -> pa.Table:
    """Find the episodes that exceptions name.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode with its `subgraph_id` and `known_at` (`interim_schemas.EPISODES_FOLDED`).
    motif_hits
        One row is one match (`schemas.MOTIF_HITS`).
    exceptions
        `interim_schemas.EXCEPTION_KEYS`.

    Returns
    -------
    pa.Table
        One row is one `episode` of one subgraph and the `id` of one exception, with its `subgraph_id`. `state` says
        whether the exception was in force when the episode became known: `in force` from its first alert to the last
        that has come, `ended` where one has come after its end, `before` where one had come before it began.

    Notes
    -----
    Exceptions that name the same kinds of things are joined at once, by equal keys: a name as it is or as many letters of it,
    an address without as many bits. Linear in episodes and in what is found, times the kinds that there are.
    """
    shapes: dict[tuple[str, ...], list[str]] = {}
    for row in exceptions.to_pylist():
        shapes.setdefault(tuple(_equalities(row)), []).append(row["id"])
    engine.keep("prepared", _PREPARED, {"episodes": episodes})
    engine.keep(
        "in_motifs",
        f"""SELECT DISTINCT hits.subgraph_id, motif, episode
        FROM (SELECT subgraph_id, motif, unnest(episodes) AS hex FROM motif_hits) hits
            JOIN episodes ON hex = {episode_id("episode")} AND hits.subgraph_id = episodes.subgraph_id""",
        {"motif_hits": motif_hits, "episodes": episodes.select(["subgraph_id", "episode"])},
    )
    parts = [engine.query(_NOTHING, {"exceptions": exceptions})]
    for equalities, ids in shapes.items():
        of_shape = {"exceptions": exceptions, "wanted": pa.table({"id": pa.array(ids, pa.string())})}
        parts.append(engine.query(_matches_sql(equalities), of_shape))
    return pa.concat_tables(parts)


def _matches_sql(equalities: Iterable[str]) -> str:
    conditions = " AND ".join([*equalities, _MAY_EXPLAIN])
    motifs = "LEFT JOIN in_motifs m ON m.subgraph_id = e.subgraph_id AND m.episode = e.episode"
    return f"""
        SELECT DISTINCT e.subgraph_id, e.episode, x.id, {_STATE} AS state
        FROM prepared e {motifs if any("m.motif" in one for one in equalities) else ""}
            JOIN (SELECT * FROM exceptions SEMI JOIN wanted USING (id)) x ON {conditions}
    """


_NOTHING = f"SELECT e.subgraph_id, e.episode, x.id, {_STATE} AS state FROM prepared e, exceptions x WHERE false"


def _equalities(row: Mapping[str, Any]) -> Iterator[str]:
    """What must be equal for one exception, in SQL: all that name the same kinds of things have the same."""
    if row["alert"] is not None:
        n = len(row["alert"].lower())
        yield f"left(e.name, {n}) = lower(x.alert)" if row["is_beginning"] else "e.name = lower(x.alert)"
    for end in ENDS:
        if row[f"{end}_block"] is not None:
            yield f"e.{end}_number >> {row[f'{end}_bits']} = x.{end}_block AND x.{end}_bits = {row[f'{end}_bits']}"
        elif row[end] is not None:
            yield f"e.{end} = x.{end}"
    if row["account"] is not None:
        yield "e.account = x.account"
    if row["motif"] is not None:
        yield "m.motif = x.motif"
    if row["site"] is not None:
        yield "e.site = lower(x.site)"
