"""Rows of spans that an attacker adds or changes: at another time, by or on another machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.interim_schemas import SAID, SPANS

Row = Mapping[str, Any]
Names = tuple[tuple[str, str], ...]
"""What a row calls one of its ends: kind and text of each name."""

TIMES = ("started_at", "ended_at", "received_at", "known_at")
ADDED = "added-"
"""How the `span` of an added row begins."""

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def names_of(row: Row, end: str) -> Names:
    """What a row calls an end; a format asks for more names than most rows have."""
    return tuple((one["kind"], one["text"]) for one in row["names"] or () if one["end"] == end and one["text"])


def actor_of(row: Row) -> Names:
    """Who acts in a row: its source, else what it is about."""
    return names_of(row, "source") or names_of(row, "target")


def renamed(row: Row, end: str, names: Names) -> Row:
    """A row that calls one of its ends something else."""
    others = [one for one in row["names"] or () if one["end"] != end]
    added = [{"end": end, "kind": kind, "text": text} for kind, text in names]
    return {**row, "names": [*others, *added]}


def moved(row: Row, later: timedelta) -> Row:
    """A row at another time."""
    begins = row["started_at"] + later
    micros = (begins - EPOCH) // timedelta(microseconds=1)
    gap = RankingParameters().episode_gap_seconds * 1_000_000
    times = {name: row[name] + later for name in TIMES}
    return {**row, **times, "bin": micros // gap, "hour": micros // 3_600_000_000}


def at(row: Row, begins: datetime) -> Row:
    """A row that begins at a time."""
    return moved(row, begins - row["started_at"])


def with_rows(spans: pa.Table, changed: Iterable[Row] = (), added: Iterable[Row] = ()) -> pa.Table:
    """Spans of which some are changed, by their `span`, and to which others are added."""
    by_span = {row["span"]: row for row in changed}
    new = [{**row, "span": f"{ADDED}{number}"} for number, row in enumerate(added)]
    is_kept = pa.array([span not in by_span for span in spans["span"].to_pylist()])
    rows = pa.Table.from_pylist(list(map(_said, [*by_span.values(), *new])), schema=arrow_schema(SPANS))
    return pa.concat_tables([spans.filter(is_kept).cast(rows.schema), rows]).combine_chunks()


def _said(row: Row) -> Row:
    """A row with the hash of what it says now."""
    text = json.dumps([row[name] for name in SAID.names], default=str)
    return {**row, "says": hashlib.sha256(text.encode()).hexdigest()}
