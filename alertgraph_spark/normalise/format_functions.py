"""What a format's expressions may do: call the functions listed here, over the values of their own row, and nothing else.

A format is configuration that acts like code: a user may have it from somebody, and Spark SQL can read files, variables of
the environment and secrets, call Java, and on some platforms the network. So Spark's own parser reads each expression, and
what is not listed is refused, also what a later version of Spark brings.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from alertgraph_spark.config.source_format import Format
from alertgraph_spark.errors import ConfigError

FUNCTIONS: dict[str, str] = {
    "choice": "between coalesce equal_null greatest if ifnull isnan isnotnull isnull least nanvl nullif nvl nvl2",
    "text": (
        "ascii base64 bit_length btrim char char_length character_length chr concat concat_ws contains elt endswith"
        " find_in_set format_number initcap instr lcase left len length levenshtein locate lower lpad ltrim mask"
        " octet_length overlay parse_url position regexp regexp_count regexp_extract regexp_extract_all regexp_instr"
        " regexp_like regexp_replace regexp_substr replace reverse right rlike rpad rtrim soundex split split_part"
        " startswith string substr substring substring_index translate trim ucase unbase64 upper url_decode"
    ),
    "number": (
        "abs bigint bin boolean bround ceil ceiling conv crc32 decimal double exp float floor hash hex int ln log log10"
        " log2 md5 mod negative pmod positive pow power rint round sha sha1 sha2 shiftleft shiftright sign signum"
        " smallint sqrt tinyint to_number try_add try_divide try_multiply try_subtract try_to_number unhex xxhash64"
    ),
    "time": (
        "add_months date date_add date_diff date_format date_from_unix_date date_part date_sub date_trunc datediff"
        " datepart day dayofmonth dayofweek dayofyear extract from_unixtime from_utc_timestamp hour last_day make_date"
        " make_timestamp minute month months_between next_day quarter second timestamp timestamp_micros"
        " timestamp_millis timestamp_seconds to_date to_timestamp to_unix_timestamp to_utc_timestamp trunc"
        " try_to_timestamp unix_date unix_micros unix_millis unix_seconds weekday weekofyear year"
    ),
    "array, map and object": (
        "aggregate array array_append array_compact array_contains array_distinct array_except array_insert"
        " array_intersect array_join array_max array_min array_position array_prepend array_remove array_size array_sort"
        " array_union arrays_overlap arrays_zip cardinality element_at exists filter flatten forall get map map_concat"
        " map_contains_key map_entries map_filter map_from_arrays map_from_entries map_keys map_values map_zip_with"
        " named_struct reduce size slice sort_array str_to_map struct transform transform_keys transform_values"
        " try_element_at zip_with"
    ),
    "JSON": "from_json get_json_object json_array_length json_object_keys to_json",
}
"""Functions that an expression may call, by what they are about. Left out on purpose: all that sees more than its arguments
(`reflect`, `secret`, `input_file_name`, `current_user`), gives another value each time (`rand`, `now`), ends the run
(`raise_error`), makes far more than it is given (`repeat`, `sequence`), or takes other rows (`max`, `explode`)."""

_NODES = """
UnresolvedAttribute UnresolvedExtractValue UnresolvedFunction UnresolvedNamedLambdaVariable LambdaFunction Literal Alias
CreateNamedStruct Cast CaseWhen And Or Not EqualTo EqualNullSafe LessThan LessThanOrEqual GreaterThan GreaterThanOrEqual
ILike In IsNull IsNotNull Like LikeAny LikeAll NotLikeAny NotLikeAll RLike Lower Add Subtract Multiply Divide IntegralDivide
Remainder UnaryMinus UnaryPositive BitwiseAnd BitwiseOr BitwiseXor BitwiseNot Concat StringTrim StringTrimLeft
StringTrimRight Substring StringLocate Overlay TimestampAdd TimestampDiff
"""
"""Kinds of node that an operator, a value or the call of a function becomes: those of Spark 3.5 and of 4.1 together."""

_BARE = """
current_catalog current_database current_date current_schema current_time current_timestamp current_user localtimestamp
session_user user
"""
"""Functions that are called by their bare name where no column has it."""


_ALLOWED = frozenset(name for names in FUNCTIONS.values() for name in names.split())
_ALLOWED_NODES, _BARE_NAMES = frozenset(_NODES.split()), frozenset(_BARE.split())


def forbidden(spark: SparkSession, format_: Format) -> list[str]:
    """Find what a format's expressions do that no format may.

    Nothing runs: each expression is parsed, not analysed. One that is no SQL does nothing, and is not told here.

    Parameters
    ----------
    spark
        The session whose parser is asked.
    format_
        The format.

    Returns
    -------
    list of str
        One message a fault, with file, key, expression and function.

    Raises
    ------
    ConfigError
        If the session has no parser to ask (Spark Connect, and what is built on it): such a format is not used unread.
    """
    parser = _parser(spark, format_)
    names = {name.lower() for name in (*format_.reads, *format_.let, *(j.name for j in format_.json))}
    found = []
    for key, text in (*((f"let.{name}", text) for name, text in format_.let.items()), *format_.expressions()):
        try:
            nodes = json.loads(parser.parseExpression(text).toJSON())
            problems = dict.fromkeys(_problems(nodes, names))
        except PySparkException:
            continue  # no SQL does nothing; whoever analyses the format tells it beside all else that is wrong
        found += [f"{format_.path}: {key}: {short(text)}: {problem}" for problem in problems]
    return found


def short(text: str) -> str:
    """An expression as an error repeats it: at most 200 characters."""
    return text if len(text) <= 200 else text[:200] + "…"


def _parser(spark: SparkSession, format_: Format) -> Any:
    try:
        return spark._jsparkSession.sessionState().sqlParser()
    except (
        Exception
    ) as error:  # of four kinds, by who forbids it: Spark Connect, py4j, a platform's guard, no attribute
        raise ConfigError(
            f"{format_.path}: this session cannot parse SQL without running it, so the format cannot be checked;"
            " use a format that comes with the package, or a cluster of one user alone"
        ) from error


def _problems(nodes: list[dict[str, Any]], names: set[str]) -> Iterator[str]:
    """What is not allowed of the nodes of one expression; `names` are those of columns and of `let`, in lower case."""
    for node in nodes:
        kind = node["class"].rpartition(".")[2]
        parts = node.get("nameParts", "[]")[1:-1]
        name = parts.lower()
        if kind.endswith(("Subquery", "Exists", "ListQuery")):
            yield "asks a table; an expression sees its own row alone"
        elif kind not in _ALLOWED_NODES:
            yield f"{kind} is not among what an expression may do"
        elif kind == "UnresolvedFunction" and name not in _ALLOWED:
            close = difflib.get_close_matches(name.rpartition(", ")[2], sorted(_ALLOWED), 1)
            nearest = f"; did you mean {close[0]}?" if close else ""
            yield f"{parts.replace(', ', '.')}() is not among the functions that a format may call{nearest}"
        elif kind in ("UnresolvedAttribute", "UnresolvedNamedLambdaVariable") and name in _BARE_NAMES - names:
            yield f"{parts} is not among the functions that a format may call"
