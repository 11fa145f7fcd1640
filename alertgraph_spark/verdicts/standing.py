"""Which of several words on a subgraph stands: the latest of those that are about it, and not about much else besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

SURE_ENOUGH = 0.5
"""A word stands only if it is at least this share as certain as the most certain one: an incident that holds one alert of a
subgraph does not overrule the incident that is about it."""

Row = dict[str, Any]


def with_latest(rows: Iterable[Row]) -> list[Row]:
    """Say in `is_latest` which row of each subgraph stands; rows of `verdict_schemas.VERDICTS`, in order of time."""
    rows = [row | {"is_latest": False} for row in rows]
    surest: dict[str, float] = {}
    for row in rows:
        if row["subgraph_id"]:
            surest[row["subgraph_id"]] = max(row["certainty"], surest.get(row["subgraph_id"], 0.0))
    latest: dict[str, Row] = {}
    for row in rows:
        if row["subgraph_id"] and row["certainty"] >= SURE_ENOUGH * surest[row["subgraph_id"]]:
            latest[row["subgraph_id"]] = row
    for row in latest.values():
        row["is_latest"] = True
    return rows


def standing_verdicts(verdicts: pa.Table) -> dict[str, Row]:
    """What stands of each subgraph, as a row of `verdict_schemas.VERDICTS`, by its id."""
    return {row["subgraph_id"]: row for row in verdicts.to_pylist() if row["is_latest"]}
