"""A case: what a run saved of one subgraph, together, for whoever takes it elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa

from alertgraph_spark.errors import ResultsError
from alertgraph_spark.publish.exports.techniques import Technique, technique
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.network_schemas import NODES
from alertgraph_spark.tables.schemas import CAUSES, EVIDENCE, FEATURES, MEMBERS, SUBGRAPHS

TABLES: dict[str, Sequence[str]] = {
    **{table.name: table.names for table in (SUBGRAPHS, EVIDENCE, CAUSES, NODES)},
    FEATURES.name: ("subgraph_id", "last_received"),
    MEMBERS.name: ("subgraph_id", "alert_id", "episode_id"),
}
"""What an export is made of: tables of a run and their columns."""

MAX_IDS = 100
"""Alert ids of one episode, the first by id; its number of alerts is told beside them."""

MAX_NAMED = 10
"""Subgraphs that an error names."""

Row = Mapping[str, Any]


class Run(NamedTuple):
    """The run that an export is of: its id, the version of this package, and when it told what it found."""

    run_id: str
    version: str
    told_at: datetime


class Case:
    """One subgraph: its row, its episodes in the order of time, what led to which, and its entities."""

    def __init__(self, row: Row, episodes: Sequence[Row], causes: Sequence[Row], nodes: Sequence[Row]) -> None:
        """Take rows of `schemas.SUBGRAPHS`, `EVIDENCE` with `alert_ids`, `CAUSES` and `NODES`."""
        self.row, self.episodes, self.causes = row, episodes, causes
        self.nodes = {node["node_id"]: node for node in nodes}

    @property
    def id(self) -> str:
        """The subgraph's id."""
        return str(self.row["subgraph_id"])

    @property
    def site(self) -> str:
        """The workspace."""
        return str(self.row["site"])

    @cached_property
    def keys(self) -> list[str]:
        """The keys of all its entities, each once: those of its network, then those that episodes name besides."""
        return [*dict.fromkeys([*self.nodes, *(key for row in self.episodes for key in entities_of(row))])]

    @cached_property
    def effects(self) -> dict[str, list[str]]:
        """Episode id to the ids of the episodes that it led to, in the order of time."""
        found: dict[str, list[str]] = {}
        for cause in self.causes:
            found.setdefault(cause["cause_id"], []).append(cause["episode_id"])
        return found

    @cached_property
    def led(self) -> dict[str, list[str]]:
        """Episode id to the ids of the episodes that led to it."""
        found: dict[str, list[str]] = {}
        for cause in self.causes:
            found.setdefault(cause["episode_id"], []).append(cause["cause_id"])
        return found

    @cached_property
    def levels(self) -> dict[str, float]:
        """Entity key to the Purdue level that an episode gives it."""
        ends = [(row[f"{end}_entity"], row[f"{end}_level"]) for row in self.episodes for end in ("source", "target")]
        return {key: level for key, level in ends if key is not None and level is not None}

    @cached_property
    def techniques(self) -> dict[Technique, list[Row]]:
        """Technique to the episodes that bear it, in the order of time."""
        found: dict[Technique, list[Row]] = {}
        for row in self.episodes:
            for one in techniques_of(row):
                found.setdefault(one, []).append(row)
        return found

    @cached_property
    def crossings(self) -> list[Row]:
        """The episodes that come from elsewhere into OT, in the order of time."""
        return [row for row in self.episodes if is_crossing(row)]


def is_crossing(episode: Row) -> bool:
    """Whether an episode comes from a machine outside OT to one of OT."""
    return episode["target_zone"] == "ot" and episode["source_zone"] not in ("ot", "unknown", None)


def techniques_of(episode: Row) -> list[Technique]:
    """The techniques of an episode, each once."""
    return [one for one in map(technique, dict.fromkeys(episode["techniques"] or ())) if one]


def entities_of(episode: Row) -> list[str]:
    """The keys of the entities of an episode: source, target, accounts."""
    ends = (episode["source_entity"], episode["target_entity"])
    return [*dict.fromkeys(key for key in (*ends, *(episode["accounts"] or ())) if key)]


def read_cases(tables: Mapping[str, pa.Table], record: Row, wanted: Sequence[str] = ()) -> tuple[Run, list[Case]]:
    """Collect the subgraphs of a run that are shown, or those that are named, best first.

    Parameters
    ----------
    tables
        Of a run as it was saved, with the columns of `TABLES`, as Arrow tables or datasets.
    record
        What its `run.json` holds.
    wanted
        Ids of subgraphs; none means all that are shown.

    Returns
    -------
    tuple
        The run, and its subgraphs by rank.

    Raises
    ------
    ResultsError
        If the run has not each of the subgraphs that are named; says which it shows.
    """
    with Engine() as engine:
        known = dict(engine.rows("SELECT subgraph_id, is_shown FROM subgraphs ORDER BY rank", tables))
        if unknown := [name for name in dict.fromkeys(wanted) if name not in known]:
            shown = [name for name, is_shown in known.items() if is_shown][:MAX_NAMED]
            raise ResultsError(
                f"the run has no subgraph {', '.join(unknown)}; it shows {', '.join(shown) if shown else 'none'}"
            )
        names = [name for name, is_shown in known.items() if (name in wanted if wanted else is_shown)]
        chosen = {"chosen": pa.table({"subgraph_id": pa.array(names, pa.string())})}
        of = {name: _by_subgraph(engine.query(sql, {**tables, **chosen})) for name, sql in _ROWS.items()}
    told_at = _told_at(record, [one["last_received"] for found in of["features"].values() for one in found])
    run = Run(str(record["run_id"]), str(record.get("versions", {}).get("alertgraph_spark", "")), told_at)
    parts = ("evidence", "causes", "nodes")
    return run, [Case(of["subgraphs"][key][0], *(of[name].get(key, []) for name in parts)) for key in names]


_ROWS = {
    "subgraphs": "SELECT * FROM subgraphs SEMI JOIN chosen USING (subgraph_id)",
    "evidence": f"""
        WITH ids AS (
            SELECT subgraph_id, episode_id, min(alert_id, {MAX_IDS}) AS alert_ids
            FROM members SEMI JOIN chosen USING (subgraph_id) GROUP BY subgraph_id, episode_id
        )
        SELECT evidence.*, alert_ids FROM evidence SEMI JOIN chosen USING (subgraph_id)
            LEFT JOIN ids USING (subgraph_id, episode_id)
        ORDER BY started_at, ended_at, episode_id
        """,
    "causes": """
        SELECT causes.* FROM causes SEMI JOIN chosen USING (subgraph_id)
            JOIN evidence USING (subgraph_id, episode_id)
        ORDER BY started_at, episode_id, cause_id
        """,
    "nodes": "SELECT * FROM nodes SEMI JOIN chosen USING (subgraph_id) ORDER BY first_seen, node_id",
    "features": "SELECT subgraph_id, last_received FROM features SEMI JOIN chosen USING (subgraph_id)",
}


def _by_subgraph(found: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Rows by subgraph, in their order; times are aware, UTC."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in found.to_pylist():
        rows.setdefault(row["subgraph_id"], []).append(row)
    return rows


def _told_at(record: Row, received: Sequence[datetime]) -> datetime:
    """When the run was made, by its id; of one that is named otherwise when its last alert had been received."""
    if found := re.match(r"(\d{8}T\d{6})-", str(record["run_id"])):
        return datetime.strptime(f"{found[1]}+0000", "%Y%m%dT%H%M%S%z")
    return max(received, default=datetime(1970, 1, 1, tzinfo=timezone.utc))
