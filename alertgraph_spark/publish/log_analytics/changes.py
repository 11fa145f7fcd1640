"""What of a run is new to an address: subgraphs that are new or have changed, those that are gone, and how fresh they are.

A subgraph is posted whole or not at all: its row with its members, nodes and edges, so that the rows of the run that posted
it last are the subgraph, and what it has lost is lost. Its content is the hash of all of them. The rank is left out, for
whatever comes first moves all below it; and numbers count to three decimals, as they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

import pyarrow as pa

from alertgraph_spark.publish.log_analytics.streams import STREAMS, check_shapes
from alertgraph_spark.tables.embedded import Engine, arrow_type
from alertgraph_spark.tables.run_schemas import RUNS
from alertgraph_spark.tables.table import Table

MOST_WITHDRAWN = 500
"""One run withdraws no more, the next the rest: the field of its row that lists them may have 64 KB."""

_NO_CONTENT = ("rank",)

_NESTED = {
    "contributions": "[{'term': c.term, 'value': round(c.value, 3), 'fact': c.fact} FOR c IN contributions]",
    "counterfactual": "{'cut': round(counterfactual.cut, 3), 'score': round(counterfactual.score, 3), "
    "'types': counterfactual.types, 'fact': counterfactual.fact}",
}
"""Columns with a number in them, as they are compared."""

_DIGEST = "left(sha256({}), 32)"

Key = tuple[str, str]
"""Site and id of a subgraph."""


class Told(NamedTuple):
    """One subgraph of a run: its content, and the latest receipt of one of its alerts, in microseconds since 1970."""

    content: str
    received_at: int | None


@dataclass(frozen=True)
class Delivered:
    """What an address was last sent of one subgraph.

    Attributes
    ----------
    content
        Empty where the subgraph was withdrawn.
    run_id
        The run that sent it. Ids of runs begin with the time: of two runs the later one has the greater id.
    received_at
        Latest receipt of one of its alerts, in microseconds since 1970.
    told_at
        When a run last had it, changed or not, in microseconds since 1970.
    """

    content: str
    run_id: str
    received_at: int | None
    told_at: int


@dataclass(frozen=True)
class Freshness:
    """Seconds from the receipt of a subgraph's newest row to the plan of its post, of `subgraphs` that have a new row."""

    subgraphs: int = 0
    median_seconds: float | None = None
    max_seconds: float | None = None


@dataclass(frozen=True)
class Changes:
    """What is posted of a run: decided once, when its post is planned; without it all is posted."""

    changed: frozenset[Key]
    withdrawn: tuple[Key, ...] = ()
    freshness: Freshness = field(default_factory=Freshness)

    def keys(self) -> pa.Table:
        """Site and id of the subgraphs that are posted."""
        names = ("site", "subgraph_id")
        rows = [dict(zip(names, key, strict=True)) for key in sorted(self.changed)]
        return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))

    def told_in(self, runs: pa.Table) -> pa.Table:
        """The table `run_schemas.RUNS` of the run, which says what was posted with it."""
        told = {
            "n_posted": len(self.changed),
            "withdrawn": [{"site": site, "subgraph_id": subgraph_id} for site, subgraph_id in self.withdrawn],
            "freshness_median_seconds": self.freshness.median_seconds,
            "freshness_max_seconds": self.freshness.max_seconds,
        }
        types = {column.name: arrow_type(column.type) for column in RUNS.columns}
        for name, value in told.items():
            values = pa.array([value] * runs.num_rows, types[name])
            runs = runs.set_column(runs.schema.get_field_index(name), name, values)
        return runs

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        plain = {"changed": sorted(self.changed), "withdrawn": self.withdrawn}
        return {**plain, "freshness": asdict(self.freshness)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Changes:
        """Read what `to_json` has written."""
        changed, withdrawn = ([(site, name) for site, name in found[part]] for part in ("changed", "withdrawn"))
        return cls(frozenset(changed), tuple(withdrawn), Freshness(**found["freshness"]))


def told_subgraphs(tables: Mapping[str, pa.Table]) -> dict[Key, Told]:
    """Find every subgraph that has a row in a posted table of a run.

    Parameters
    ----------
    tables
        The posted tables, and `features`, which knows when alerts were received; Arrow tables or datasets by name.

    Returns
    -------
    dict
        Site and id of each to a digest of its content and when its newest alert was received.

    Raises
    ------
    SchemaError
        With every table and column that is missing or of another type.
    """
    check_shapes(tables)
    posted = [stream.table for stream in STREAMS if stream.is_of_subgraphs]
    digests = {table.name: _DIGEST.format(f"'{table.name}' || to_json({_compared(table)})") for table in posted}
    rows = " UNION ALL ".join(f"SELECT site, subgraph_id, {row} AS row FROM {name}" for name, row in digests.items())
    given = {table.name: tables[table.name] for table in posted}
    received = "NULL::BIGINT AS received_at FROM told"
    if "features" in tables and "last_received" in tables["features"].schema.names:
        given["features"] = tables["features"]
        received = "epoch_us(last_received) AS received_at FROM told LEFT JOIN features USING (site, subgraph_id)"
    with Engine() as engine:
        found = engine.rows(
            f"""WITH told AS (
                SELECT site, subgraph_id, {_DIGEST.format("string_agg(row, '' ORDER BY row)")} AS content
                FROM ({rows}) WHERE site IS NOT NULL AND subgraph_id IS NOT NULL GROUP BY ALL)
            SELECT site, subgraph_id, content, {received}""",
            given,
        )
    return {(site, subgraph_id): Told(*told) for site, subgraph_id, *told in found}


def _compared(table: Table) -> str:
    """A row as a struct of what is compared, in SQL."""
    columns = [column for column in table.columns if column.name not in _NO_CONTENT]
    said = {column.name: f"round({column.name}, 3)" for column in columns if column.type == "double"} | _NESTED
    return "{" + ", ".join(f"'{column.name}': {said.get(column.name, column.name)}" for column in columns) + "}"


def changes_of(
    told: Mapping[Key, Told],
    delivered: Mapping[Key, Delivered],
    run_id: str,
    received: tuple[datetime, datetime],
    now: datetime,
) -> Changes:
    """Compare what a run tells with what an address has had.

    What a later run has sent stays. A subgraph is gone where the run does not have it although its newest alert was received
    in the time that the run tells of; of a site of which the run tells nothing, nothing is gone.

    Parameters
    ----------
    told
        What the run has, as `told_subgraphs` gives it.
    delivered
        What the address has had, by site and id.
    run_id
        Id of the run.
    received
        From when to when an alert was received for the run to tell of its subgraph, half-open.
    now
        When its rows are posted.

    Returns
    -------
    Changes
        What is to be posted, and what is to be withdrawn.
    """
    since, until, at = (round(time.timestamp() * 1e6) for time in (*received, now))
    sites = {site for site, _ in told}
    none = Delivered("", "", None, 0)
    changed, waits = set(), []
    for key, (content, received_at) in told.items():
        last = delivered.get(key, none)
        if last.run_id > run_id or last.content == content:
            continue
        changed.add(key)
        if received_at is not None and (last.received_at is None or received_at > last.received_at):
            waits.append((at - received_at) / 1e6)
    gone = [
        key
        for key, last in delivered.items()
        if key not in told and key[0] in sites and last.content and last.run_id < run_id
        if last.received_at is not None and since <= last.received_at < until
    ]
    fresh = Freshness(len(waits), median(waits), max(waits)) if waits else Freshness()
    return Changes(frozenset(changed), tuple(sorted(gone)[:MOST_WITHDRAWN]), fresh)


def delivered_after(
    delivered: Mapping[Key, Delivered],
    told: Mapping[Key, Told],
    changes: Changes | None,
    *,
    run_id: str,
    now: datetime,
    refused: frozenset[Key] = frozenset(),
) -> dict[Key, Delivered]:
    """What an address has had once the rows of a run are there; without `changes` all of them were sent.

    Of a `refused` subgraph a row is not there, so it is as it was before.
    """
    at = round(now.timestamp() * 1e6)
    after = dict(delivered)
    for key, row in told.items():
        last = delivered.get(key)
        is_sent = changes is None or key in changes.changed
        if is_sent and key not in refused and (last is None or last.run_id <= run_id):
            after[key] = Delivered(row.content, run_id, row.received_at, at)
        elif last is not None:
            after[key] = replace(last, told_at=max(at, last.told_at))
    for key in changes.withdrawn if changes else ():
        if key in after and after[key].run_id < run_id:
            after[key] = Delivered("", run_id, after[key].received_at, at)
    return after
