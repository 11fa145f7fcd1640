"""The JSON that a text holds, whatever stands around it, as SQL: one mechanism for every format that reads JSON.

Before an object may stand a syslog header (RFC 3164 or 5424, with structured data, a program's name, `@cee:`), a byte order
mark, NULs and blanks; around it a string or another object, as forwarders and indexes write (`{"message": "{...}"}`,
`{"_source": {...}}`). An object that has one of the keys that the format looks for is the alert itself, whatever an
attacker may have put inside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from alertgraph_spark.normalise.columns import sql_text

_BRACKETS = r'\[(?:[^{}\[\]"]++|"(?:[^"\\]++|\\.)*+")*+\]'
_HEADER = rf'(?s)^[^{{="\[]*+(?:{_BRACKETS}[^{{="\[]*+){{0,20}}+(\{{.*)$'
"""A header in which no key has a value but in brackets: `msg={...}` is a value of a line, not a line behind a header."""

_IS_ARRAY = r"^\[\s*+[{\]]"
"""An array of objects, or an empty one; in other brackets stands what a program says of itself: `[suricata] {...}`."""

ENVELOPES = ("_source", "message", "log", "event", "_raw", "MESSAGE", "RawData", "msg", "result")
"""Keys under which OpenSearch, Logstash, Filebeat, Docker, Splunk, journald and Azure's own agents keep the whole line."""

_MAY_BE_ENVELOPE = rf'"(?:{"|".join(ENVELOPES)})"\s*+:\s*+(?:\{{|"(?:[^"\\{{]|\\u[0-9a-fA-F]{{4}}){{0,300}}+\{{)'


def object_in(text: str, is_list: bool = False) -> str:
    """SQL for the JSON object or array that a text holds, perhaps torn; null where it holds none.

    A text that begins with one costs two looks at its first character. What `is_list` is an array of anything.
    """
    array = f"startswith({text}, '[')" if is_list else f"{text} rlike r'{_IS_ARRAY}'"
    return (
        f"case when startswith({text}, '{{') or {array} then {text}"
        f""" when startswith({text}, '"{{') then get_json_object({text}, '$')"""
        f" else nullif(regexp_extract({text}, r'{_HEADER}', 1), '') end"
    )


def out_of_envelope(text: str, keys: Sequence[str]) -> str:
    """SQL for the object inside another one that has none of `keys` at its top; any other text stays as it is.

    What is inside has one of them, or is an envelope again. A key counts in any case, with or without marks (`alert_name`,
    `alertName`).
    """
    if not keys:
        return text
    known = ", ".join(sql_text(re.sub("[^a-z0-9]", "", key.lower())) for key in keys)

    def is_alert(one: str) -> str:
        said = f"transform(json_object_keys({one}), k -> lower(regexp_replace(k, '[^A-Za-z0-9]', '')))"
        return f"arrays_overlap({said}, array({known}))"

    may_hold = f"rlike r'{_MAY_BE_ENVELOPE}'"
    # Without a second brace there is nothing inside; the pattern alone costs more than the parse of the line.
    may_be = f"{_holds_a_brace(text)} and {text} {may_hold}"
    inner = ", ".join(f"get_json_object({text}, '$.{name}')" for name in ENVELOPES)
    is_held = f"startswith(v, '{{') and (v {may_hold} or {is_alert('v')})"
    held = f"try_element_at(filter(transform(array({inner}), v -> {object_in('v')}), v -> {is_held}), 1)"
    is_envelope = f"{may_be} and not coalesce({is_alert(text)}, true)"
    return f"if({is_envelope}, coalesce({held}, {text}), {text})"


def _holds_a_brace(text: str) -> str:
    """SQL for whether a brace stands behind those with which a text begins; the cheapest look at a whole text."""
    return f"contains(trim(leading '{{' from {text}), '{{')"


SECOND = "a second JSON object on the line, which is not read"
"""What is said of a text for which `is_followed` holds."""


def is_followed(text: str) -> str:
    """SQL for whether behind the first object of a text another one begins, or in an array of objects: joined lines.

    Braces inside a string are none: what stands before the last pair of braces must begin with an object that is whole.
    """
    first = f"regexp_extract({text}, r'{_JOINED}', 1)"
    brace = f"{_holds_a_brace(text)}"
    joined = f"{brace} and {text} rlike r'\\}}[,\\s]*+\\{{' and json_object_keys({first}) is not null"
    return f"coalesce(if(startswith({text}, '['), json_array_length({text}) > 1, {joined}), false)"


_JOINED = r"(?s)^(.*\})[,\s]*+\{"


def is_broken(text: str) -> str:
    """SQL for whether a text begins an object and is none: torn on its way, or malformed. It reads the whole text."""
    is_open = f"not rlike({text}, r'\\}}[\\x00-\\x20]{{0,100}}$')"
    return f"coalesce(startswith({text}, '{{') and ({is_open} or json_object_keys({text}) is null), false)"
