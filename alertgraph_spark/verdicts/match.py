"""Match what was judged to subgraphs: by our own alert in the incident, else by the alerts that both hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.verdict_schemas import VERDICTS
from alertgraph_spark.verdicts.changes import Judged
from alertgraph_spark.verdicts.own_alerts import Key
from alertgraph_spark.verdicts.standing import with_latest

Row = dict[str, Any]

NO_ALERTS = "the incident has no alert"
NO_SUBGRAPH = "none of its alerts is in a subgraph"


BY_OWN, BY_ID = "our alert", "its id"
"""By what a subgraph is known."""

_Word = tuple[str | None, str, datetime, str]
"""Site, source, when, and what was said."""


class _Held(NamedTuple):
    """The alerts of an incident that a subgraph holds too, and how many the subgraph has."""

    alerts: frozenset[str]
    n: int


class _Match(NamedTuple):
    subgraph_id: str
    certainty: float
    matched_by: str


def match_verdicts(
    judged: Sequence[Judged],
    own: Mapping[Key, str],
    members: Iterable[pa.Table],
    earlier: pa.Table | None = None,
) -> pa.Table:
    """Say which subgraph each word of an analyst is about.

    Parameters
    ----------
    judged
        What was said, in order of time.
    own
        Site and id of each of our own alerts, to its subgraph.
    members
        `schemas.MEMBERS` of runs, the newest first, as Arrow tables or datasets; they are asked one after the other, and no
        further than there are incidents of which no subgraph is known.
    earlier
        The table `verdicts` of the run before: what it knows stays, also of incidents that are no longer read.

    Returns
    -------
    pa.Table
        `verdict_schemas.VERDICTS`, in order of time.

    Notes
    -----
    `certainty` is 1 for a word on a subgraph itself, and for an incident that our rule raised and nobody merged. Of a merged
    incident each subgraph of which it holds our alert has one part, and so has each alert that is in none of them: with our
    alerts of two subgraphs and one foreign alert each subgraph has 1/3. Where an incident holds only alerts that a subgraph
    holds too, it is their number over that of all alerts of either (Jaccard's index).
    """
    told: dict[_Word, dict[str | None, Row]] = defaultdict(dict)
    for row in earlier.to_pylist() if earlier else []:
        if row["matched_by"] != BY_ID:  # a list is read whole each time
            told[row["site"], row["source"], row["judged_at"], row["verdict"]][row["subgraph_id"]] = row
    asked = [one for one in judged if one.subgraph_id is None]
    found = _matches(asked, own, members, lambda one: _word(one) not in told)
    for one in judged:
        matches = [_Match(one.subgraph_id, 1.0, BY_ID)] if one.subgraph_id else found.get(_word(one), [])
        rows = told[_word(one)]
        if any(match.matched_by == BY_OWN for match in matches):
            rows.clear()  # no other subgraph is meant
        if matches:
            rows.pop(None, None)
        rows.update({match.subgraph_id: _row(one, match) for match in matches})
        if not rows:
            rows[None] = _row(one, None)
    every = [row for rows in told.values() for row in rows.values()]
    every.sort(key=lambda row: (row["judged_at"], row["site"] or "", row["source"], row["subgraph_id"] or ""))
    return pa.Table.from_pylist(with_latest(every), schema=arrow_schema(VERDICTS))


def _word(one: Judged) -> _Word:
    return one.site, one.source, one.judged_at, one.verdict


def _row(one: Judged, match: _Match | None) -> Row:
    why = None if match else NO_SUBGRAPH if one.alert_ids else NO_ALERTS
    return {
        **{"site": one.site, "subgraph_id": match and match.subgraph_id, "verdict": one.verdict, "is_latest": False},
        **{"certainty": match.certainty if match else 0.0, "judged_by": one.judged_by, "judged_at": one.judged_at},
        **{"reason": one.reason, "source": one.source, "matched_by": match and match.matched_by, "unmatched": why},
    }


def _matches(
    judged: Sequence[Judged], own: Mapping[Key, str], members: Iterable[pa.Table], is_new: Callable[[Judged], bool]
) -> dict[_Word, list[_Match]]:
    """The subgraphs of each incident as it was judged."""
    incidents = {_word(one): one for one in judged if one.alert_ids}
    ours = {
        key: {alert: own[one.site, alert] for alert in one.alert_ids if (one.site, alert) in own}
        for key, one in incidents.items()
    }
    held: dict[_Word, dict[str, _Held]] = defaultdict(dict)
    unknown = incidents
    for table in members if incidents else ():
        for key, subgraph, shared in _shared(unknown, table):
            held[key][subgraph] = shared
        # An earlier run is asked only of what it may know: an incident that it did not know is not asked for in each run.
        unknown = {key: one for key, one in incidents.items() if is_new(one) and not ours[key] and not held[key]}
        if not unknown:
            break
    return {key: _of_incident(one, ours[key], held[key]) for key, one in incidents.items()}


def _shared(incidents: Mapping[_Word, Judged], members: pa.Table) -> list[tuple[_Word, str, _Held]]:
    """Incident, subgraph, and what both hold."""
    words = list(incidents)
    asked = [
        {"word": n, "site": word[0], "alert_id": alert}
        for n, word in enumerate(words)
        for alert in incidents[word].alert_ids
    ]
    schema = pa.schema([("word", pa.int64()), ("site", pa.string()), ("alert_id", pa.string())])
    with Engine() as engine:
        rows = engine.rows(
            """
            WITH shared AS (
                SELECT a.word, m.site, m.subgraph_id, list(DISTINCT m.alert_id) AS alerts
                FROM asked a JOIN members m ON m.site = a.site AND m.alert_id = a.alert_id GROUP BY ALL
            ),
            sizes AS (
                SELECT site, subgraph_id, count(DISTINCT alert_id) AS n FROM members
                SEMI JOIN shared USING (site, subgraph_id) GROUP BY ALL
            )
            SELECT word, subgraph_id, alerts, n FROM shared JOIN sizes USING (site, subgraph_id)
            """,
            {"asked": pa.Table.from_pylist(asked, schema=schema), "members": members},
        )
    return [(words[word], subgraph, _Held(frozenset(alerts), n)) for word, subgraph, alerts, n in rows]


def _of_incident(one: Judged, ours: Mapping[str, str], held: Mapping[str, _Held]) -> list[_Match]:
    """The subgraphs of one incident: those of our alerts in it, or else those with which it shares alerts."""
    if not ours:
        return [
            _Match(subgraph, len(shared) / (len(one.alert_ids) + n - len(shared)), "its alerts")
            for subgraph, (shared, n) in sorted(held.items())
        ]
    named = sorted(set(ours.values()))
    theirs = [held[subgraph].alerts for subgraph in named if subgraph in held]
    n_foreign = len(set(one.alert_ids).difference(ours, *theirs))
    return [_Match(subgraph, 1 / (len(named) + n_foreign), BY_OWN) for subgraph in named]
