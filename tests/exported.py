"""Exported rows as a test writes them: a dict a row becomes the frame that `read.export` gives, or a lake on disk.

Only what a test is about stands in the row; the rest has a default here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

RECEIVED = "2026-03-10T00:00:00.0000000Z"
"""TimeGenerated of a row that does not say it."""

EDR = """
format: edr
reads: [Name, Severity, Source, Target]
columns: {name: Name, severity: cast(Severity as double)}
source: {host: Source}
target: {host: Target}
samples:
  - row: {TimeGenerated: "2026-03-02T10:00:00Z", Name: logon, Severity: "0.5", Source: ws1, Target: srv1}
    gives: {name: logon, severity: 0.5, source_entity: "host:ws1", target_entity: "host:srv1"}
"""
"""A format whose columns are the table's own."""

Row = Mapping[str, Any]


def raw_tables(spark: SparkSession, rows: Sequence[Row], columns: Iterable[str]) -> dict[str, DataFrame]:
    """Rows as `read_export` gives them, by table: every exported column as text, what is no text as JSON.

    `table`, `site` and `file` may stand in a row; a row with `_corrupt_record` has no other column.
    """
    exported = {name.lower(): name for name in ["TimeGenerated", "_ItemId", *columns, "_corrupt_record"]}
    names = ["file", "table", "site", *exported.values()]
    ddl = ", ".join(f"`{name}` string" for name in names)
    shaped: dict[str, list[tuple[str | None, ...]]] = {}
    for row in rows:
        received = {} if "_corrupt_record" in row else {"TimeGenerated": RECEIVED}
        full = {"file": "file:/lake/PT05M.json", "table": "Alerts_CL", "site": "plant", **received, **row}
        if unknown := {name for name in full if name.lower() not in {"file", "table", "site", *exported}}:
            raise ValueError(f"no columns that are read: {sorted(unknown)}")
        full = {exported.get(name.lower(), name): value for name, value in full.items()}
        shaped.setdefault(str(full["table"]), []).append(tuple(_text(full.get(name)) for name in names))
    empty = spark.createDataFrame([], ddl)
    return defaultdict(lambda: empty, {table: spark.createDataFrame(of, ddl) for table, of in shaped.items()})


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def workspace(site: str) -> str:
    """The folders between a container and its years, as an export rule writes them."""
    return (
        "WorkspaceResourceId=/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/soc"
        f"/providers/microsoft.operationalinsights/workspaces/{site}"
    )


def put_lines(
    root: Path, table: str, time: str, lines: Sequence[str], *, site: str = "plant", name: str = "PT05M.json"
) -> Path:
    """Write lines into the five-minute folder of `time` (`2026-03-10T04:57`), and return the file."""
    day, clock = time.split("T")
    year, month, date = day.split("-")
    hour, minute = clock.split(":")[:2]
    floor = int(minute) // 5 * 5
    folder = root / f"am-{table.lower()}" / workspace(site) / f"y={year}/m={month}/d={date}/h={hour}/m={floor:02}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return file


def row_line(time: str, **columns: Any) -> str:
    """One exported row as a line of JSON, received at `time`."""
    return json.dumps({"TimeGenerated": f"{time}:00.0000000Z", **columns})
