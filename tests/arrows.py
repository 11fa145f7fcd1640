"""Rows of an incident as Arrow tables: what the stages after the fold read, made without Spark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from alertgraph_spark.fold.bins import keep_bins
from alertgraph_spark.tables.embedded import Engine, arrow_schema, arrow_type
from alertgraph_spark.tables.interim_schemas import MEANT, SAID, SPANS
from alertgraph_spark.tables.schemas import EPISODES, LINKS
from alertgraph_spark.tables.table import Table

Row = Mapping[str, Any]

_BARE_SPANS = Table("bare_spans", SPANS.grain, tuple(c for c in SPANS.columns if c.name not in SAID.names))
"""Spans without what they say."""


def table_of(table: Table, rows: Iterable[Row], extra: Mapping[str, str] | None = None) -> pa.Table:
    """Rows as a table of the line, with columns that later stages have added (`extra`, name to Spark type)."""
    schema = arrow_schema(table)
    for name, type_ in (extra or {}).items():
        schema = schema.append(pa.field(name, arrow_type(type_)))
    return pa.Table.from_pylist([{name: row[name] for name in schema.names} for row in rows], schema=schema)


def episode_table(rows: Iterable[Row], extra: Mapping[str, str] | None = None) -> pa.Table:
    """`schemas.EPISODES` from rows as `incident.told` and `incident.story` make them, known when they began if not told."""
    known = [{"known_at": row["started_at"], **row} for row in rows]
    return table_of(EPISODES, known, {"known_at": "timestamp", **(extra or {})})


def grouped_table(rows: Sequence[Row]) -> pa.Table:
    """Episodes with a subgraph: that of the row, else one for each site, named after the site."""
    assumed = {"is_linked": True, "is_announced": False, "is_new_pair": True}
    named = [{"subgraph_id": f"sg-{row['site']}", **assumed, **row} for row in rows]
    return episode_table(named, {"subgraph_id": "string", **dict.fromkeys(assumed, "boolean")})


def link_table(links: Iterable[tuple[int, int, float]], site: str = "plant") -> pa.Table:
    """`schemas.LINKS` from `(src, dst, weight)`, all of them likely."""
    alike = dict(site=site, kind="pivot", entity="host:fs1", gap_minutes=1.0, chance=0.0, log_odds=0.0)
    return table_of(LINKS, [{**alike, "src": src, "dst": dst, "weight": weight} for src, dst, weight in links])


def bin_row(at: datetime, **columns: Any) -> dict[str, Any]:
    """One bin of one alert of the plant, and what a test says otherwise."""
    row: dict[str, Any] = dict.fromkeys((*_BARE_SPANS.names, *MEANT.names, "accounts"))
    row |= {
        "site": "plant",
        "source": "edr",
        "name": "usb",
        "target_entity": "host:ws1",
        "severity": 0.5,
        "n_alerts": 1,
    }
    row |= {"started_at": at, "ended_at": at, "received_at": at, "known_at": at, "bin": int(at.timestamp()) // 300}
    row |= {name: [] for name in ("tactics", "techniques", "named", "accounts")}
    if unknown := set(columns) - set(row):
        raise ValueError(f"no columns of a bin: {unknown}")
    return {**row, **columns}


def keep_bin_rows(engine: Engine, rows: Iterable[Row]) -> None:
    """Keep the bins of rows as `bin_row` makes them: each is a span of its own that means what the row says."""
    spans, meant = [], []
    for number, row in enumerate(rows):
        hour = int(row["started_at"].timestamp()) // 3600
        spans.append({**row, "span": f"{number}", "says": f"{number}", "status": "alert", "hour": hour})
        accounts = [{"kind": "account", "key": key, "role": "other"} for key in row["accounts"]]
        meant.append({**row, "says": f"{number}", "entities": accounts, "unknown": [], "n_left_out": 0})
    keep_bins(engine, table_of(_BARE_SPANS, spans), table_of(MEANT, meant, {"says": "string"}))


def described_table(rows: Sequence[Row]) -> pa.Table:
    """Episodes with a subgraph and `heard_hours`, counted anew: the earlier hours of its site that name its target."""
    named: dict[tuple[Any, Any], set[int]] = {}
    for row in rows:
        named.setdefault((row["site"], row["target_entity"]), set()).add(_hour(row))
    heard = [
        {**row, "heard_hours": sum(h < _hour(row) for h in named[row["site"], row["target_entity"]])} for row in rows
    ]
    with_subgraph = grouped_table(heard)
    hours = pa.array([row["heard_hours"] for row in heard], pa.int64())
    return with_subgraph.append_column("heard_hours", hours)


def _hour(row: Row) -> int:
    return int(row.get("known_at", row["started_at"]).timestamp() // 3600)


def span_table(rows: Iterable[Row]) -> pa.Table:
    """Rows of `bin_row` as what alerts say: each end by its key's kind and name."""
    said = []
    for number, row in enumerate(rows):
        ends = {end: row[f"{end}_entity"].split(":", 1) for end in ("source", "target") if row[f"{end}_entity"]}
        names = [{"end": end, "kind": kind, "text": text} for end, (kind, text) in ends.items()]
        hour = int(row["started_at"].timestamp()) // 3600
        said.append(
            {
                **{**row, "span": f"{number}", "says": f"{number}", "status": "alert", "hour": hour},
                **{"names": names, "n_more": 0, "acts": False, "unknown": []},
            }
        )
    return table_of(SPANS, said)
