"""The embedded engine: SQL over Arrow tables in this process, by DuckDB, in bounded memory.

The stages after the fold are functions from Arrow tables to Arrow tables. What is relational in them is a query here. One
engine lives as long as the work on one site or one run: what a query made stays in its memory under a name until then.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from alertgraph_spark.errors import SchemaError
from alertgraph_spark.tables.table import Table, type_differences

MEMORY = "2GB"
"""What DuckDB holds before it spills to its temporary folder."""

THREADS = 2

_TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a Spark type as `simpleString` writes it; times are UTC, in microseconds.

    Examples
    --------
    >>> arrow_type("array<struct<name:string,n:bigint>>")
    ListType(list<item: struct<name: string, n: int64>>)
    """
    if name in _TYPES:
        return _TYPES[name]
    outer, _, inner = name.partition("<")
    inner = inner.removesuffix(">")
    if outer == "array":
        return pa.list_(arrow_type(inner))
    fields = _top_level(inner)
    return pa.struct([(one.partition(":")[0], arrow_type(one.partition(":")[2])) for one in fields])


def type_name(kind: pa.DataType) -> str:
    """The Spark type of an Arrow type, as `simpleString` writes it: what `arrow_type` turns back, but for a time's unit.

    Examples
    --------
    >>> type_name(pa.list_(pa.struct([("name", pa.string()), ("at", pa.timestamp("ns"))])))
    'array<struct<name:string,at:timestamp>>'
    """
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_list(kind):
        return f"array<{type_name(kind.value_type)}>"
    if pa.types.is_struct(kind):
        fields = (kind.field(at) for at in range(kind.num_fields))
        return f"struct<{','.join(f'{field.name}:{type_name(field.type)}' for field in fields)}>"
    return next((name for name, arrow in _TYPES.items() if arrow == kind), str(kind))


def _top_level(text: str) -> list[str]:
    """The parts between the commas that stand in no angle brackets."""
    parts, depth, begin = [], 0, 0
    for at, sign in enumerate(text):
        depth += (sign == "<") - (sign == ">")
        if sign == "," and not depth:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table of the line, columns in its order."""
    return pa.schema([pa.field(column.name, arrow_type(column.type)) for column in table.columns])


def arrow_differences(schema: pa.Schema, table: Table) -> str:
    """Say which columns of a table an Arrow schema lacks or has with another type.

    Parameters
    ----------
    schema
        What was found.
    table
        What is asked for.

    Returns
    -------
    str
        A message, or nothing where all columns are there.
    """
    return type_differences({field.name: type_name(field.type) for field in schema}, table)


def conform_arrow(found: pa.Table, table: Table) -> pa.Table:
    """Select exactly the columns of a table, in its order and of its types.

    Parameters
    ----------
    found
        Has these columns, and perhaps others.
    table
        What is asked for.

    Returns
    -------
    pa.Table
        The same rows.

    Raises
    ------
    SchemaError
        If columns are missing, or a column holds what its type cannot.
    """
    if missing := [name for name in table.names if name not in found.column_names]:
        raise SchemaError(f"table {table.name} has another shape: no such column: {', '.join(missing)}")
    try:
        return found.select(table.names).cast(arrow_schema(table))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise SchemaError(f"table {table.name} has another shape: {error}") from error


def episode_id(number: str) -> str:
    """An episode's number as 16 hexadecimal digits, in SQL: a bigint loses its last digits in JSON readers.

    Examples
    --------
    >>> with Engine() as engine:
    ...     engine.rows(f"SELECT {episode_id('(-1)::BIGINT')}, {episode_id('255::BIGINT')}")
    [('ffffffffffffffff', '00000000000000ff')]
    """
    return f"lpad(lower(to_hex({number})), 16, '0')"


def quoted(text: str) -> str:
    """A text as a literal of the engine's SQL.

    Examples
    --------
    >>> quoted("the file's end")
    "'the file''s end'"
    """
    return "'" + text.replace("'", "''") + "'"


def parquet(files: Sequence[str], *options: str) -> str:
    """The rows of some Parquet files of this machine, as the engine's SQL names a table.

    Examples
    --------
    >>> parquet(["a.parquet", "b.parquet"], "filename = true")
    "read_parquet(['a.parquet', 'b.parquet'], filename = true)"
    """
    listed = ", ".join(map(quoted, files))
    return f"read_parquet({', '.join([f'[{listed}]', *options])})"


class Engine:
    """A DuckDB database in memory, closed at the end of a `with` block; times are UTC.

    Parameters
    ----------
    memory
        Most memory that DuckDB holds, as `2GB`; above it spills to a temporary folder, which is removed.
    threads
        Threads of its own.
    """

    def __init__(self, memory: str = MEMORY, threads: int = THREADS) -> None:
        """Open the database and its temporary folder."""
        self._folder = tempfile.TemporaryDirectory(prefix="alertgraph-")
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "threads": str(threads),
            "temp_directory": self._folder.name,
        }
        self._connection = duckdb.connect(":memory:", config=config)
        self._connection.execute("SET timezone = 'UTC'")
        # What is kept lies below what a query is given: two stages may call two tables by one name.
        self._connection.execute("CREATE SCHEMA kept")
        self._connection.execute("SET search_path = 'main,kept'")

    def __enter__(self) -> Engine:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the database, and remove what it spilled."""
        self._connection.close()
        self._folder.cleanup()

    def query(self, sql: str, tables: Mapping[str, pa.Table] | None = None, joins_as_written: bool = False) -> pa.Table:
        """Run one SELECT over Arrow tables, by the names given, and return its rows as an Arrow table.

        Row order is what the query's own ORDER BY says; without one it is open. Of an Arrow table DuckDB does not know how
        many values a column has, so a condition over columns of few values may look to it like a good join:
        `joins_as_written` keeps to the order of the query.
        """
        tables = tables or {}
        for name, table in tables.items():
            self._connection.register(name, table)
        try:
            if joins_as_written:
                self._connection.execute("SET disabled_optimizers = 'join_order'")
            return self._connection.sql(sql).to_arrow_table()
        finally:
            self._connection.execute("SET disabled_optimizers = ''")
            for name in tables:
                self._connection.unregister(name)

    def keep(self, name: str, sql: str, tables: Mapping[str, pa.Table] | None = None) -> None:
        """Run one SELECT over Arrow tables and keep its rows in the engine, as the table `name`, for later queries."""
        tables = tables or {}
        for given, table in tables.items():
            self._connection.register(given, table)
        try:
            self._connection.execute(f"CREATE OR REPLACE TABLE kept.{name} AS {sql}")
        finally:
            for given in tables:
                self._connection.unregister(given)

    def rows(self, sql: str, tables: Mapping[str, pa.Table] | None = None) -> list[tuple[Any, ...]]:
        """The rows of one SELECT as tuples; for what is a loop in Python."""
        return list(zip(*self.query(sql, tables).to_pydict().values(), strict=True))
