"""What is posted: one stream for each of the tables `nodes`, `edges` and `subgraphs`, made from `schemas` alone.

Names: the parts of a snake_case name are joined, the first letter of each in upper case (`subgraph_id` is `SubgraphId`,
`n_alerts` is `NAlerts`). A name that Log Analytics keeps for itself gets the suffix `Value` (`type` is `TypeValue`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from alertgraph_spark.errors import SchemaError
from alertgraph_spark.schemas import EDGES, NODES, SUBGRAPHS
from alertgraph_spark.table import Table

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

# Every stream begins with these: the run's time, the run, and the key by which readers fold what was delivered twice.
RUN_COLUMNS = (("TimeGenerated", "datetime"), ("RunId", "string"), ("RowId", "string"))


def column_name(name: str) -> str:
    """Return the Log Analytics name of a snake_case column or table."""
    pascal = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return f"{pascal}Value" if pascal.lower() in _RESERVED else pascal


def column_type(spark_type: str) -> str:
    """Return the stream type of a Spark type as `simpleString` writes it; arrays, structs and maps are `dynamic`.

    Raises
    ------
    SchemaError
        If Log Analytics has no such type.
    """
    if re.match(r"(array|struct|map)<", spark_type):
        return "dynamic"
    if spark_type not in _TYPES:
        raise SchemaError(
            f"Log Analytics has no type for {spark_type}; allowed: {', '.join(_TYPES)}, array, struct, map"
        )
    return _TYPES[spark_type]


@dataclass(frozen=True)
class Stream:
    """One posted table and the columns that tell its rows apart within a run."""

    table: Table
    keys: tuple[str, ...]

    @property
    def table_name(self) -> str:
        """The Log Analytics table that the rows end in."""
        return f"AlertGraph{column_name(self.table.name)}_CL"

    @property
    def name(self) -> str:
        """The stream in the data collection rule."""
        return f"Custom-{self.table_name}"

    @property
    def columns(self) -> tuple[tuple[str, str, str], ...]:
        """Each column of the table as (its name in `schemas`, its name in the stream, its type in the stream)."""
        return tuple((c.name, column_name(c.name), column_type(c.type)) for c in self.table.columns)


# Subgraphs last: once a rule or a workbook sees a subgraph, its nodes and edges have been posted.
STREAMS = (
    Stream(NODES, ("site", "subgraph_id", "node_id")),
    Stream(EDGES, ("site", "subgraph_id", "source", "target")),
    Stream(SUBGRAPHS, ("site", "subgraph_id")),
)


def stream_declarations() -> dict[str, dict[str, list[dict[str, str]]]]:
    """Return the `streamDeclarations` of the data collection rule: stream name to its columns with name and type.

    The service drops a column that is not declared without a word, so rule, tables and posted rows all come from here.
    """
    return {
        stream.name: {
            "columns": [{"name": name, "type": kind} for name, kind in (*RUN_COLUMNS, *(c[1:] for c in stream.columns))]
        }
        for stream in STREAMS
    }
