"""Apply a format's expressions to exported rows, after all of them have been judged: a typo is told before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, DataType, MapType, NullType, StructType

from alertgraph_spark.errors import ConfigError
from alertgraph_spark.source_format import Format

_SHOWN = 200
"""Characters of an expression that an error repeats."""

_NESTED = (ArrayType, MapType, StructType)


def with_expressions(raw: DataFrame, format_: Format) -> DataFrame:
    """Add what a format's expressions give, each as a column named by its key (`columns.name`, `source.ip`), of its type.

    Row grain is unchanged; the exported columns stay, the intermediate ones do not. Words of severity and names of ends are
    in lower case, without blanks around them.

    Raises
    ------
    ConfigError
        With every expression of the format that Spark refuses, or whose type its column cannot take: file, key, expression
        and what is wrong. Left to the run, such a type would be Spark's own error on the first row, or nulls in all.

    Notes
    -----
    Each expression stands in the plan once, and what reads it twice reads a column: plans of the deep formats are large
    enough for their analysis, and the code made of them, to cost more than the rows of a small export.
    """
    wanted = {key: _wanted(key, format_) for key, _ in format_.expressions()}
    try:
        found = _parsed(raw, format_).select(
            *raw.columns, *[F.expr(text).alias(key) for key, text in format_.expressions()]
        )
        types = {field.name: field.dataType for field in found.schema.fields}
        if not any(_misfit(types[key], type_) for key, type_ in wanted.items()):
            casts = {key: f"try_cast(`{key}` as {type_})" for key, type_ in wanted.items()}
            casts |= {key: f"lower(trim({cast}))" for key, cast in casts.items() if _is_plain(key, format_)}
            names = [f"`{name}`" for name in raw.columns]
            return found.selectExpr(*names, *[f"{cast} as `{key}`" for key, cast in casts.items()])
    except (PySparkException, TypeError):
        pass
    # Spark tells one fault at a time, and each expression alone costs an analysis.
    raise ConfigError("\n".join(_problems(raw, format_)))


def _parsed(raw: DataFrame, format_: Format) -> DataFrame:
    """Add the JSON columns and the `let` names, as many at a time as do not build on one another."""
    levels: list[dict[str, Column]] = [{j.name: F.from_json(j.column, j.schema) for j in format_.json}]
    level_of = {j.name: 0 for j in format_.json}
    for name, expression in format_.let.items():
        # A name that is met in a text is none; it only puts the expression a level higher.
        level = max((n + 1 for other, n in level_of.items() if _is_named(other, expression)), default=0)
        level_of[name] = level
        levels.extend({} for _ in range(level + 1 - len(levels)))
        levels[level][name] = F.expr(expression)
    for columns in filter(None, levels):
        raw = raw.withColumns(columns)
    return raw


def _is_plain(key: str, format_: Format) -> bool:
    return key.startswith(("source.", "target.")) or (key == "columns.severity" and bool(format_.severity_scale))


def _is_named(name: str, expression: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", expression, re.IGNORECASE) is not None


def _problems(raw: DataFrame, format_: Format) -> list[str]:
    """Judge each expression by itself."""
    problems = []

    def is_legal(key: str, text: str, frame: DataFrame, column: Callable[[], Column], wanted: str = "") -> bool:
        try:
            found = frame.select(column().alias("found")).schema["found"].dataType  # analyses, runs nothing
            problem = _misfit(found, wanted)
            if not problem and wanted not in ("", "boolean"):
                frame.select(F.expr(f"try_cast({text} as {wanted})"))
        except (PySparkException, TypeError) as error:
            problem = str(error).strip().splitlines()[0]
        if problem:
            shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
            problems.append(f"{format_.path}: {key}: {shown}: {problem}")
        return not problem

    parsed = raw
    for j in format_.json:
        column = partial(F.from_json, j.column, j.schema)
        if is_legal(f"json.{j.name}", j.schema, parsed, column):
            parsed = parsed.withColumn(j.name, column())
    for name, expression in format_.let.items():
        if is_legal(f"let.{name}", expression, parsed, partial(F.expr, expression)):
            parsed = parsed.withColumn(name, F.expr(expression))
    for key, expression in format_.expressions():
        is_legal(key, expression, parsed, partial(F.expr, expression), _wanted(key, format_))
    return problems


def _wanted(key: str, format_: Format) -> str:
    """The type that the expression of a key must give, or be cast to row by row."""
    if key == "where":
        return "boolean"
    if key in ("columns.tactics", "columns.techniques") or key.startswith("other."):
        return "array<string>"
    if key == "columns.observed_at":
        return "timestamp"
    is_number = key.endswith("_level") or (key == "columns.severity" and not format_.severity_scale)
    return "double" if is_number else "string"


def _misfit(found: DataType, wanted: str) -> str | None:
    """Why a type is not what its column can take, or None; `null` fits everywhere."""
    if not wanted or isinstance(found, NullType):
        return None
    if wanted == "array<string>":
        is_fit = isinstance(found, ArrayType) and not isinstance(found.elementType, _NESTED)
    elif wanted == "boolean":
        is_fit = isinstance(found, BooleanType)
    else:
        is_fit = not isinstance(found, _NESTED)
    return None if is_fit else f"gives {found.simpleString()}; wanted: {wanted}"
