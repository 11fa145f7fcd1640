"""What is posted: one stream for each of seven tables, made from `schemas` alone, as are the files in `deploy/`.

Names: the parts of a snake_case name are joined, the first letter of each in upper case (`subgraph_id` is `SubgraphId`,
`n_alerts` is `NAlerts`). A name that Log Analytics keeps for itself gets the suffix `Value` (`type` is `TypeValue`).

The service replaces a TimeGenerated older than 2 days or over 1 day ahead, so that one is the run's time, and the times of
what happened stand in columns of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from alertgraph_spark.errors import SchemaError
from alertgraph_spark.tables.embedded import arrow_differences
from alertgraph_spark.tables.health_schemas import HEALTH
from alertgraph_spark.tables.network_schemas import EDGES, NODES
from alertgraph_spark.tables.run_schemas import RUNS
from alertgraph_spark.tables.schemas import MEMBERS, SUBGRAPHS
from alertgraph_spark.tables.table import Table
from alertgraph_spark.tables.verdict_schemas import VERDICTS

# Names that a custom table may not use, in lower case: Azure Monitor, "Create a custom table".
_RESERVED = frozenset({"_resourceid", "id", "_subscriptionid", "tenantid", "type", "uniqueid", "title"})

_TYPES = {
    "string": "string",
    "int": "int",
    "bigint": "long",
    "float": "real",
    "double": "real",
    "boolean": "boolean",
    "timestamp": "datetime",
}

_MAX_COLUMNS = 500
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,44}")

# Every stream begins with these: the run's time, the run, and the key by which readers fold what was delivered twice.
RUN_COLUMNS = (("TimeGenerated", "datetime"), ("RunId", "string"), ("RowId", "string"))


def column_name(name: str) -> str:
    """Return the Log Analytics name of a snake_case column or table."""
    pascal = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return f"{pascal}Value" if pascal.lower() in _RESERVED else pascal


def column_type(spark_type: str) -> str:
    """Give the type of a stream's column that holds a Spark type.

    Parameters
    ----------
    spark_type
        As `simpleString` writes it.

    Returns
    -------
    str
        `dynamic` for arrays and structs.

    Raises
    ------
    SchemaError
        If Log Analytics has no such type.
    """
    if re.match(r"(array|struct)<", spark_type) and "map<" not in spark_type:  # Arrow hands a map over as pairs
        return "dynamic"
    if spark_type not in _TYPES:
        raise SchemaError(f"Log Analytics has no type for {spark_type}; allowed: {', '.join(_TYPES)}, array, struct")
    return _TYPES[spark_type]


@dataclass(frozen=True)
class Stream:
    """One posted table and the columns that tell its rows apart within a run."""

    table: Table
    keys: tuple[str, ...]

    @property
    def is_of_subgraphs(self) -> bool:
        """Whether each of its rows belongs to one subgraph, and is posted with it."""
        return "subgraph_id" in self.table.names

    @property
    def table_name(self) -> str:
        """The Log Analytics table that the rows end in."""
        return f"AlertGraph{column_name(self.table.name)}_CL"

    @property
    def name(self) -> str:
        """The stream in the data collection rule."""
        return f"Custom-{self.table_name}"

    @cached_property
    def columns(self) -> tuple[tuple[str, str, str], ...]:
        """Each column of the table as (its name in `schemas`, its name in the stream, its type in the stream)."""
        return tuple((c.name, column_name(c.name), column_type(c.type)) for c in self.table.columns)

    def check(self, declared: Mapping[str, str] | None = None) -> list[str]:
        """Find what of this stream the service would refuse or drop.

        Parameters
        ----------
        declared
            Columns and types that the deployed rule declares, by default those made from `schemas`.

        Returns
        -------
        list of str
            One message a fault.
        """
        columns = [*RUN_COLUMNS, *(c[1:] for c in self.columns)]
        names = [name for name, _ in columns]
        problems = [f"{n}: not a legal column name" for n in names if not _NAME.fullmatch(n) or n.lower() in _RESERVED]
        if len({name.lower() for name in names}) < len(names):
            problems.append("two columns have one name")
        if len(names) > _MAX_COLUMNS:
            problems.append(f"{len(names)} columns; {_MAX_COLUMNS} are allowed")
        have = dict(columns) if declared is None else declared
        for name, kind in columns:
            if name not in have:
                problems.append(f"{name}: not declared, the service would drop it")
            elif have[name] != kind:
                problems.append(f"{name}: declared as {have[name]}, sent as {kind}")
        return [f"{self.name}: {problem}" for problem in problems]


# What a rule or a workbook sees first, it can also follow: members, nodes and edges are there before their subgraph, and all
# that is of a run before the run.
STREAMS = (
    Stream(MEMBERS, ("site", "subgraph_id", "alert_id")),
    Stream(NODES, ("site", "subgraph_id", "node_id")),
    Stream(EDGES, ("site", "subgraph_id", "source", "target")),
    Stream(SUBGRAPHS, ("site", "subgraph_id")),
    Stream(VERDICTS, ("site", "subgraph_id", "source", "judged_at", "verdict")),
    Stream(HEALTH, ("site", "table")),
    Stream(RUNS, ()),
)


def stream_declarations() -> dict[str, dict[str, list[dict[str, str]]]]:
    """Return the `streamDeclarations` of the data collection rule: stream name to its columns with name and type."""
    return {
        stream.name: {
            "columns": [{"name": name, "type": kind} for name, kind in (*RUN_COLUMNS, *(c[1:] for c in stream.columns))]
        }
        for stream in STREAMS
    }


def undeclared(rule: Any = None) -> list[str]:
    """Find what the service would refuse or drop, of all streams.

    Parameters
    ----------
    rule
        The data collection rule as parsed JSON: a template, as in `deploy/`, or what `az monitor data-collection rule
        show` prints. Without it, that which `schemas` would give.

    Returns
    -------
    list of str
        One message a fault.
    """
    declarations = stream_declarations() if rule is None else _declarations_in(rule)
    problems: list[str] = []
    for stream in STREAMS:
        if stream.name in declarations:
            columns = declarations[stream.name]["columns"]
            problems += stream.check({column["name"]: column["type"] for column in columns})
        else:
            problems.append(f"{stream.name}: the rule does not declare this stream")
    return problems


def check_declared(rule: Any = None) -> None:
    """Refuse a post of which the service would drop anything.

    Parameters
    ----------
    rule
        As `undeclared` takes it.

    Raises
    ------
    SchemaError
        With every column that would be dropped, has another type or may not be named so, of all streams.
    """
    if problems := undeclared(rule):
        raise SchemaError(f"nothing was posted: {'; '.join(problems)}; redeploy the rule and its tables from deploy/")


def check_shapes(tables: Mapping[str, pa.Table]) -> None:
    """Check that every posted table is there, with its columns.

    Parameters
    ----------
    tables
        Arrow tables or datasets by name.

    Raises
    ------
    SchemaError
        With every difference of all posted tables.
    """
    problems = []
    for stream in STREAMS:
        name = stream.table.name
        if name not in tables:
            problems.append(f"table {name} is missing; given: {', '.join(sorted(tables)) or 'none'}")
        elif wrong := arrow_differences(tables[name].schema, stream.table):
            problems.append(wrong)
    if problems:
        raise SchemaError(f"nothing was posted: {'; '.join(problems)}")


def _declarations_in(rule: Any) -> Mapping[str, Any]:
    """Return the `streamDeclarations` at whatever depth they stand; a template and `az` nest them differently."""
    if isinstance(rule, Mapping):
        declared = rule.get("streamDeclarations")
        if isinstance(declared, Mapping):
            return declared
        rule = list(rule.values())
    found = (_declarations_in(inner) for inner in rule) if isinstance(rule, list) else ()
    return next(filter(None, found), {})
