"""Apply a format's expressions to exported rows, after all of them have been judged: a typo is told before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, DataType, MapType, NullType, StructType

from alertgraph_spark.config.source_format import Format, JsonColumn
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.normalise.columns import NO_TEXTS
from alertgraph_spark.normalise.format_functions import forbidden, short
from alertgraph_spark.normalise.json_text import SECOND, is_followed, object_in, out_of_envelope
from alertgraph_spark.normalise.severity import highest_word

LONGEST = 1 << 16
"""Characters of a text that expressions see, the service's own limit of a column: no pattern runs longer than over these."""

OF_A_LINE = ("file", "table", "site", "TimeGenerated", "_ItemId", "_corrupt_record")
"""Columns that every exported line has."""

JSON_TEXT, UNWRAPPED = "json text", "unwrapped"
"""The first JSON text of a row, which may be broken, and whether anything stood around one."""

_NESTED = (ArrayType, MapType, StructType)
_WORDS = "string or array<string>"


def with_expressions(raw: DataFrame, format_: Format) -> DataFrame:
    """Add what a format's expressions give, each as a column named by its key (`columns.name`, `source.ip`), of its type.

    Row grain is unchanged. The columns of a line stay, those that the format reads under the name that `as_exported` gives;
    `too_long` says of a text of more than `LONGEST` bytes that expressions saw it only so far (what `json` parses is read
    whole), and of two JSON objects on a line that the second is not read. Words of severity and names of ends are in lower
    case, without blanks around them; of several severities the highest stands.

    Parameters
    ----------
    raw
        One row is one exported line of the format's table.
    format_
        The format.

    Returns
    -------
    DataFrame
        The same rows.

    Raises
    ------
    ConfigError
        With every expression that does what no format may (`format_functions`), or else every one that Spark refuses or whose
        type its column cannot take: file, key, expression and what is wrong. Left to the run, such a type would end it on the
        first row, or give nulls in all.

    Notes
    -----
    Each expression stands in the plan once, and what reads it twice reads a column: plans of the deep formats are large
    enough for their analysis, and the code made of them, to cost more than the rows of a small export.
    """
    if not format_.is_shipped and (problems := forbidden(raw.sparkSession, format_)):
        raise ConfigError("\n".join(problems))
    wanted = {key: _wanted(key, format_) for key, _ in format_.expressions()}
    raw = _cut(raw, format_)
    try:
        found = _parsed(raw, format_).select(
            *OF_A_LINE,
            *[f"`{as_exported(name)}`" for name in format_.reads],
            *("too_long", JSON_TEXT, UNWRAPPED),
            *[F.expr(text).alias(key) for key, text in format_.expressions()],
        )
        types = {field.name: field.dataType for field in found.schema.fields}
        if not any(_misfit(types[key], type_) for key, type_ in wanted.items()):
            casts = {key: f"try_cast(`{key}` as {_sql_type(type_)})" for key, type_ in wanted.items()}
            casts |= {key: f"lower(trim({cast}))" for key, cast in casts.items() if _is_plain(key, format_)}
            if isinstance(types.get("columns.severity"), ArrayType):
                casts["columns.severity"] = highest_word("`columns.severity`", format_.severity_scale)
            kept = [f"`{name}`" for name in found.columns if name not in casts]
            return found.selectExpr(*kept, *[f"{cast} as `{key}`" for key, cast in casts.items()])
    except (PySparkException, TypeError):
        pass
    # Spark tells one fault at a time, and each expression alone costs an analysis.
    raise ConfigError("\n".join(_problems(raw, format_)))


def as_exported(name: str) -> str:
    """The name of an exported column as it came; under its own name expressions see no more than `LONGEST` of it."""
    return f"whole.{name}"


def _cut(raw: DataFrame, format_: Format) -> DataFrame:
    """Give expressions what they may see of the exported columns, beside the whole; adds `too_long`, an array of words."""
    is_long = {name: f"coalesce(octet_length(`{name}`) > {LONGEST}, false)" for name in format_.reads}
    # What is one JSON object is parsed whole.
    parsed = {j.column: f" and {object_in(f'`{j.column}`')} is null" for j in format_.json}
    longest = " or ".join(f"({of}{parsed.get(name, '')})" for name, of in is_long.items()) or "false"
    return raw.selectExpr(
        *[name for name in OF_A_LINE if name not in format_.reads],
        *[f"`{name}` as `{as_exported(name)}`" for name in format_.reads],
        *[f"if({of}, left(`{name}`, {LONGEST}), `{name}`) as `{name}`" for name, of in is_long.items()],
        f"if({longest}, array('text cut at 64 KB'), {NO_TEXTS}) as too_long",
    )


def _with_json_texts(raw: DataFrame, format_: Format) -> DataFrame:
    """Add the text that each JSON column is parsed from, as `json.NAME`, `JSON_TEXT` and `UNWRAPPED`."""
    if not format_.json:
        return raw.selectExpr("*", f"cast(null as string) as `{JSON_TEXT}`", f"false as {UNWRAPPED}")
    bare = [f"{object_in(f'`{as_exported(j.column)}`', _is_array(j))} as `json.{j.name}`" for j in format_.json]
    taken = [out_of_envelope(f"`json.{j.name}`", _keys(j, format_)) for j in format_.json]
    found = [f"{text} as `json.{j.name}`" for j, text in zip(format_.json, taken, strict=True)]
    names = [f"`{name}`" for name in raw.columns]
    texts = ", ".join(f"`json.{j.name}`" for j in format_.json)
    # The first character decides: a text is as long as what stood around it.
    other = [f"octet_length(`json.{j.name}`) != octet_length(`{as_exported(j.column)}`)" for j in format_.json]
    is_other = " or ".join(f"coalesce({o}, false)" for o in other)
    # Where an array is what the format reads, its objects are no further lines.
    alone = [f"`json.{j.name}`" for j in format_.json if not _is_array(j)]
    # A forwarder's envelope in that of another; of nearly every row nothing was taken off.
    again = [
        f"if({is_off}, {text}, `json.{j.name}`) as `json.{j.name}`"
        for j, text, is_off in zip(format_.json, taken, other, strict=True)
    ]
    followed = is_followed(f"coalesce({', '.join([*alone, 'null'])})") if alone else "false"
    return (
        raw.selectExpr(*names, *bare)
        .selectExpr(*names, *found)
        .selectExpr(*names, *again)
        .selectExpr("*", f"coalesce({texts}, null) as `{JSON_TEXT}`", f"{is_other} as {UNWRAPPED}")
        .withColumn("too_long", F.expr(f"if({followed}, array_append(too_long, '{SECOND}'), too_long)"))
    )


def _keys(column: JsonColumn, format_: Format) -> list[str]:
    """The keys at the top of a JSON object by which the format knows an alert; without, those that it asks."""
    if column.known_by:
        return list(column.known_by)
    asked = f"{format_.where} {format_.columns['name']}"
    names = "|".join(map(re.escape, (column.name, *format_.let)))
    return list(dict.fromkeys(re.findall(rf"(?<![\w.])(?:{names})\.`?(\w+)", asked)))


def _parsed(raw: DataFrame, format_: Format) -> DataFrame:
    """Add the JSON columns and the `let` names, as many at a time as do not build on one another."""
    raw = _with_json_texts(raw, format_)
    levels: list[dict[str, Column]] = [{j.name: _from_json(j) for j in format_.json}]
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


def _is_array(column: JsonColumn) -> bool:
    return column.schema.strip().lower().startswith("array")


def _from_json(column: JsonColumn) -> Column:
    # What stands for a tab or a line end in a string may be the character itself: agents do not escape.
    text = F.expr(
        f"if(startswith(`json.{column.name}`, '['), get_json_object(`json.{column.name}`, '$[0]'), `json.{column.name}`)"
    )
    text = F.col(f"`json.{column.name}`") if _is_array(column) else text
    return F.from_json(text, column.schema, {"allowUnquotedControlChars": "true"})


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
                frame.select(F.expr(f"try_cast({text} as {_sql_type(wanted)})"))
        except (PySparkException, TypeError) as error:
            problem = str(error).strip().splitlines()[0]
        if problem:
            problems.append(f"{format_.path}: {key}: {short(text)}: {problem}")
        return not problem

    parsed = _with_json_texts(raw, format_)
    for j in format_.json:
        column = partial(_from_json, j)
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
    if key in ("where", "own", "acts", "broken"):
        return "boolean"
    if key in ("doubts", "columns.tactics", "columns.techniques") or key.startswith("other."):
        return "array<string>"
    if key == "columns.observed_at":
        return "timestamp"
    if key == "columns.severity" and format_.severity_scale:
        return _WORDS
    is_number = key.endswith("_level") or key == "columns.severity"
    return "double" if is_number else "string"


def _sql_type(wanted: str) -> str:
    return "string" if wanted == _WORDS else wanted


def _misfit(found: DataType, wanted: str) -> str | None:
    """Why a type is not what its column can take, or None; `null` fits everywhere."""
    if not wanted or isinstance(found, NullType):
        return None
    if wanted == "array<string>" or (wanted == _WORDS and isinstance(found, ArrayType)):
        is_fit = isinstance(found, ArrayType) and not isinstance(found.elementType, _NESTED)
    elif wanted == "boolean":
        is_fit = isinstance(found, BooleanType)
    else:
        is_fit = not isinstance(found, _NESTED)
    return None if is_fit else f"gives {found.simpleString()}; wanted: {wanted}"
