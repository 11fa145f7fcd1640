"""KQL in tests: Microsoft's own language service reads it, and a translation to DuckDB runs it on rows.

`make test` puts both into the environment where they can be had; a test that needs one is skipped, visibly, without it. The
translation knows a part of KQL, which our texts keep to; of the service's own functions it lacks `ingestion_time`, for which
a column stands in.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from alertgraph_spark.publish.log_analytics.streams import RUN_COLUMNS, STREAMS

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO / "deploy"))  # a folder of scripts, no part of the wheel

from incident_rule import HEALTH_FILE, rule_yaml  # noqa: E402 - needs the line above
from mcp_tools import declared, parameters_in, tool_query  # noqa: E402
from one_step import TEXT_COLUMNS, TEXT_LOGS  # noqa: E402
from posted_tables import functions  # noqa: E402
from workbook import QUERIES, TEXT_TABLES, query_text  # noqa: E402

CHECKER = REPO / "tests" / "kql" / "check.cjs"
SERVICE = Path(sys.prefix) / "kusto" / "node_modules"

_OF_SENTINEL = {  # columns of the service's own tables that we read, as its table reference has them
    "SecurityAlert": "TimeGenerated SystemAlertId ProductName AlertName AlertSeverity Description ExtendedProperties _ItemId"
    " Type",
    "SecurityIncident": "TimeGenerated LastModifiedTime IncidentNumber Title Status Classification ClassificationReason"
    " Labels AlertIds",
    "Usage": "TimeGenerated DataType",
    "CommonSecurityLog": "TimeGenerated DeviceProduct Activity LogSeverity Message _ItemId Type",
}
_TYPES = {**dict.fromkeys(("TimeGenerated", "LastModifiedTime"), "datetime"), "IncidentNumber": "int"}
_TYPES |= dict.fromkeys(("Labels", "AlertIds"), "dynamic")
TABLES: dict[str, dict[str, str]] = {
    **{s.table_name: dict((*RUN_COLUMNS, *(c[1:] for c in s.columns))) for s in STREAMS},
    **{table: {name: _TYPES.get(name, "string") for name in names.split()} for table, names in _OF_SENTINEL.items()},
    **{
        log["table"]: {name: kind for name, (kind, _) in TEXT_COLUMNS.items()} | {"_ItemId": "string", "Type": "string"}
        for log in TEXT_LOGS
    },
}

CHOICES = {"Site": "'*'", "Scope": "shown", "TextTables": TEXT_TABLES, "SubgraphId": "sg-1", "RunId": "run-1"}
"""What a workbook puts in the place of its parameters."""


def with_choices(text: str, **choices: str) -> str:
    """A query of the workbook as it is sent."""
    for name, value in (CHOICES | choices).items():
        text = text.replace(f"{{{name}}}", value)
    return text


def texts() -> dict[str, str]:
    """Every query that is deployed beside the functions: the workbook's parts, the rules and the tools of an agent."""
    parts = {file.stem: with_choices(query_text(file.stem)) for file in sorted(QUERIES.glob("*.kql"))}
    rules = {"incident_rule": str(rule_yaml()["query"]), "health_rule": str(rule_yaml(HEALTH_FILE)["query"])}
    return parts | rules | {f"tool_{name}": tool_asked(name) for name in declared()}


def tool_asked(name: str, **given: str) -> str:
    """The query of an agent's tool as it is sent: what is not given is empty."""
    text = tool_query(name)
    for parameter in parameters_in(text):
        text = text.replace(f"{{{parameter}}}", given.get(parameter, ""))
    return text


@dataclass(frozen=True)
class Judged:
    """What the language service says of a text."""

    problems: list[str]
    columns: dict[str, str]


def judge(queries: Mapping[str, str], **functions_instead: str) -> dict[str, Judged]:
    """Read and bind queries, and the functions, against the declared tables; skip where the service is not installed."""
    node = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if node is None or not SERVICE.is_dir():
        pytest.skip("the Kusto language service is not in the environment: `make test` puts it there where npm answers")
    request = {
        "tables": {
            table: f"({', '.join(f'{name}:{_KUSTO.get(kind, kind)}' for name, kind in columns.items())})"
            for table, columns in TABLES.items()
        },
        "functions": [
            {"name": name, "parameters": "()", "body": body} for name, body in (functions() | functions_instead).items()
        ],
        "queries": dict(queries),
    }
    done = subprocess.run(
        [node, str(CHECKER), str(SERVICE)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return {
        name: Judged(said["problems"], {column: kind for column, kind in said["columns"]})
        for name, said in json.loads(done.stdout).items()
    }


_KUSTO = {"boolean": "bool"}
_DUCK = {
    **{"string": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "real": "DOUBLE", "boolean": "BOOLEAN"},
    **{"datetime": "TIMESTAMP", "dynamic": "JSON"},
}
ARRIVED = "ArrivedAtService"


@dataclass
class Workspace:
    """Tables in DuckDB that KQL can be asked of; rows are added as they would arrive."""

    connection: Any = field(default_factory=lambda: pytest.importorskip("duckdb_kql").connect())

    def __post_init__(self) -> None:
        """Make every table, empty."""
        for table, columns in TABLES.items():
            declared = ", ".join(f'"{name}" {_DUCK[kind]}' for name, kind in columns.items())
            self.connection.execute(f'CREATE TABLE "{table}" ({declared}, "{ARRIVED}" TIMESTAMP)')

    def add(self, table: str, rows: Sequence[Mapping[str, Any]], arrived: str = "2026-03-05 12:00:00") -> None:
        """Add rows; a column that is not given is null, one that does not exist an error."""
        columns = TABLES[table]
        for row in rows:
            unknown = set(row) - set(columns)
            assert not unknown, f"{table} has no {unknown}"
        marks = ", ".join("?" * (len(columns) + 1))
        values = [[_stored(row.get(name), kind) for name, kind in columns.items()] + [arrived] for row in rows]
        if values:
            self.connection.executemany(f'INSERT INTO "{table}" VALUES ({marks})', values)

    def add_posted(self, db: Path) -> datetime:
        """Add what an emulator was posted by one run, as arrived when it was posted; returns that time."""
        with closing(sqlite3.connect(db)) as posted:
            posted.row_factory = sqlite3.Row
            return self._add_run(lambda table: [dict(row) for row in posted.execute(f"SELECT * FROM {table}")])

    def add_files(self, folder: Path) -> datetime:
        """The same of a run that was posted to files."""

        def rows_of(table: str) -> list[dict[str, Any]]:
            files = sorted((folder / table).glob("[!._]*"))
            return [json.loads(line) for file in files for line in file.open(encoding="utf-8")]

        return self._add_run(rows_of)

    def _add_run(self, rows_of: Callable[[str], list[dict[str, Any]]]) -> datetime:
        rows = {stream.table_name: rows_of(stream.table_name) for stream in STREAMS}
        (time,) = {row["TimeGenerated"] for row in rows[STREAMS[-1].table_name]}
        for table, of_table in rows.items():
            self.add(table, of_table, arrived=_stored(time, "datetime"))
        return datetime.fromisoformat(time.replace("Z", "+00:00"))

    def ask(self, text: str, now: str | None = None, **choices: str) -> list[dict[str, Any]]:
        """The rows that a query gives; with `now`, at that time."""
        import duckdb_kql  # noqa: PLC0415 - an extra, behind the skip

        asked = with_choices(text, **choices).replace("ingestion_time()", ARRIVED)
        if now:
            asked = re.sub(r"ago\(([^()]+)\)", rf"datetime({now}) - (\1)", asked).replace("now()", f"datetime({now})")
        declared = [f"function {name}() {{\n{body}\n}}" for name, body in functions().items()]
        found = duckdb_kql.query(self.connection, asked, functions=declared)
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    def part(self, name: str, **choices: str) -> list[dict[str, Any]]:
        """The rows of one part of the workbook."""
        return self.ask(query_text(name), **choices)


def _stored(value: Any, kind: str) -> Any:
    if kind == "dynamic" and value is not None and not isinstance(value, str):
        return json.dumps(value)
    if kind == "datetime" and value is not None:
        return str(value).replace("Z", "").replace("T", " ")
    return bool(value) if kind == "boolean" and value is not None else value


def walk(items: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every item of a workbook, those in groups too."""
    for item in items:
        yield item
        yield from walk(item["content"].get("items", ()))
