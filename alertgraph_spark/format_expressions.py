"""Apply a format's expressions to exported rows, after all of them have been judged: a typo is told before anything runs."""

from __future__ import annotations

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
    """Add the JSON columns and the `let` names of a format; row grain is unchanged.

    Raises
    ------
    ConfigError
        With every expression of the format that Spark refuses, or whose type its column cannot take: file, key, expression
        and what is wrong. Left to the run, such a type would be Spark's own error on the first row, or nulls in all.
    """
    try:
        parsed = _parsed(raw, format_)
        wanted = {key: _wanted(key, format_) for key, _ in format_.expressions()}
        casts = [
            f"try_cast({text} as {wanted[key]})" for key, text in format_.expressions() if wanted[key] != "boolean"
        ]
        found = parsed.select(*[F.expr(text).alias(key) for key, text in format_.expressions()], *map(F.expr, casts))
        is_legal = not any(_misfit(found.schema[key].dataType, type_) for key, type_ in wanted.items())
    except (PySparkException, TypeError):
        is_legal = False
    if not is_legal:  # Spark tells one fault at a time, and each expression alone costs an analysis
        raise ConfigError("\n".join(_problems(raw, format_)))
    return parsed


def _parsed(raw: DataFrame, format_: Format) -> DataFrame:
    for j in format_.json:
        raw = raw.withColumn(j.name, F.from_json(j.column, j.schema))
    for name, expression in format_.let.items():
        raw = raw.withColumn(name, F.expr(expression))
    return raw


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
