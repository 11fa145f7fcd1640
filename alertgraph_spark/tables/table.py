"""What a table is: columns with a type and a meaning, and how one differs from what it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: name, Spark type as `simpleString` writes it, meaning, and whether it may be null."""

    name: str
    type: str
    meaning: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """One table: its name, what one row is, and its columns in order.

    `version` is raised by one with each change of a saved table: a column that comes or goes, or has another type or meaning.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    version: int = 1

    @property
    def ddl(self) -> str:
        """The table as Spark DDL, for `createDataFrame(rows, table.ddl)`."""
        return ", ".join(f"`{c.name}` {c.type}" for c in self.columns)

    @property
    def names(self) -> list[str]:
        """The column names in order."""
        return [c.name for c in self.columns]


def table(
    name: str, grain: str, *columns: tuple[str, str, str] | tuple[str, str, str, bool], version: int = 1
) -> Table:
    """Declare a table from its name, its grain and its columns as tuples of `Column`."""
    return Table(name, grain, tuple(Column(*c) for c in columns), version)


def type_differences(have: Mapping[str, str], table: Table) -> str:
    """Say which columns of `table` are missing or of another type; `have` is name to type, as `simpleString` writes it."""
    wrong = [
        f"{c.name}: want {c.type}, have {have.get(c.name, 'no such column')}"
        for c in table.columns
        if have.get(c.name) != c.type
    ]
    return f"table {table.name} has another shape: {'; '.join(wrong)}" if wrong else ""
