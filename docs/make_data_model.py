"""The page on the data model: each table of `alertgraph_spark/tables`, its grain, its columns, their types and meaning."""

from __future__ import annotations

import inspect

from alertgraph_spark.tables import history_schemas, interim_schemas, learn_schemas, schemas
from alertgraph_spark.tables.run_schemas import RUNS
from alertgraph_spark.tables.schemas import RESULTS
from alertgraph_spark.tables.table import Column, Table
from alertgraph_spark.tables.verdict_schemas import INCIDENTS

PAGE = """\
# Data model

Every table, what one row of it is, and what its columns mean. This page is made from `alertgraph_spark/tables` by `make
docs`. What to ask of a run, and which table answers, stands in [results](results.md).

## Vocabulary

{vocabulary}

Types are written as Spark writes them. A column that is marked *no* under "null" always has a value. A saved table has a
version, which `run.json` names: it is raised by one with each change of a column ([upgrade](operations.md#upgrade)).

## Which table leads to which

| by | saved tables that have it |
|---|---|
{keys}
| `item_id` | an exported row, by its `_ItemId` |

## Saved by a run

In `results.path/<run id>/`, as Parquet. Their columns are an interface: the [changes](../CHANGELOG.md) name each that
comes or goes.

{results}

## Posted beside them

{posted}

## Kept between runs

{kept}

## Between two stages

Never saved. They are told here for whoever changes a stage.

{interim}
"""

MODULES = (schemas, interim_schemas, learn_schemas, history_schemas)
"""Where the tables between stages are declared; what is also saved stands with the saved ones."""


KEYS = ("subgraph_id", "episode_id", "alert_id", "entity")
"""By which saved tables are joined, the run and the site aside."""


def data_model_page() -> str:
    """The page: saved tables in the order of the results, then posted, kept and interim ones."""
    kept = [history_schemas.KEPT]
    others = [one for module in MODULES for one in vars(module).values() if isinstance(one, Table)]
    told = {one.name for one in (*RESULTS, RUNS, *kept)}
    interim = {one.name: one for one in [INCIDENTS, *others] if one.name not in told}
    return PAGE.format(
        vocabulary=_vocabulary(),
        keys="\n".join(map(_key, KEYS)),
        results="\n".join(_section(one, is_saved=True) for one in RESULTS),
        posted=_section(RUNS, is_saved=False),
        kept="\n".join(_section(one, is_saved=False) for one in kept),
        interim="\n".join(_section(one, is_saved=False) for one in interim.values()),
    )


def _vocabulary() -> str:
    """What the docstring of the tables says behind its first sentence."""
    return (inspect.getdoc(schemas) or "").partition("Vocabulary: ")[2]


def _key(column: str) -> str:
    return f"| `{column}` | {', '.join(f'`{one.name}`' for one in RESULTS if column in one.names)} |"


def _section(one: Table, *, is_saved: bool) -> str:
    version = f" Version {one.version}." if is_saved else ""
    head = [f"### {one.name}", "", f"One row: {one.grain}.{version}", ""]
    return "\n".join([*head, "| column | type | null | meaning |", "|---|---|---|---|", *map(_row, one.columns), ""])


def _row(column: Column) -> str:
    null = "" if column.nullable else "no"
    return f"| `{column.name}` | `{column.type}` | {null} | {_cell(column.meaning)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
