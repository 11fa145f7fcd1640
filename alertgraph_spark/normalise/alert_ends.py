"""The ends of an alert: the names that its format gives, and what the keys that are made of them say."""

from __future__ import annotations

from alertgraph_spark.clean_text import clean_sql
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.normalise.columns import NO_TEXTS
from alertgraph_spark.normalise.entities import NOBODY


def names_of(format_: Format) -> str:
    """All names that a format gives, those of each end in its order of preference, as `array<struct<end,kind,text>>`."""
    ends = [
        f"struct('{end}' as end, '{kind}' as kind, `{end}.{kind}` as text)"
        for end, kinds in (("source", format_.source), ("target", format_.target))
        for kind in kinds
    ]
    arrays = [f"array({', '.join(ends)})"] if ends else []
    for kind in format_.other:
        told = f"coalesce(`other.{kind}`, {NO_TEXTS})"
        arrays.append(f"transform({told}, v -> struct('other' as end, '{kind}' as kind, v as text))")
    if not arrays:
        return "cast(array() as array<struct<end:string,kind:string,text:string>>)"
    # Cleaned here, where one expression does it for all.
    text = f"lower(trim({clean_sql('n.text')}))"
    return f"transform(concat({', '.join(arrays)}), n -> struct(n.end, n.kind, {text} as text))"


def _end(end: str) -> str:
    return f"try_element_at(filter(keys, k -> k.end = '{end}'), 1).key as {end}_entity"


def _addresses(end: str) -> str:
    """Addresses that the row gives an end, which may also have a name: they tell whose address it is in other rows.

    One of a link is left out: another machine has it on the next.
    """
    is_one = f"k.end = '{end}' and k.place = 0 and k.kind in ('ip', 'mac') and k.key rlike '{_ADDRESS}'"
    return f"transform(filter(keys, k -> {is_one}), k -> k.key) as {end}_addresses"


_ADDRESS = "^(?:mac:|ip:(?!fe80:|169[.]254[.]))"

_OTHERS = f"""array_distinct(transform(filter(keys, k -> k.end = 'other' or k.place > 0 and k.end != '{NOBODY}'),
k -> named_struct('kind', substring_index(k.key, ':', 1), 'key', k.key, 'role', 'other')))"""
"""All further entities as `array<struct<kind,key,role>>`; of a list that an end gives those behind its first."""


DONE = f"""filter(array(
if(exists(keys, k -> k.end = '{NOBODY}' and k.kind != 'account'), 'an address or name that names nobody is left out', null),
if(exists(keys, k -> k.end = '{NOBODY}' and k.kind = 'account'), 'an account that every machine has is left out', null),
if(exists(keys, k -> k.place > 0), 'a list taken apart: its first is the end', null),
if(exists(keys, k -> k.kind = 'ip' and startswith(k.key, 'host:')), 'a name where an address belongs is a host', null),
if(exists(keys, k -> k.key like 'ip:%' and trim(k.said) != substring(k.key, 4)), 'an address in another spelling', null)
), d -> d is not null)"""
"""What was done to the names of a row, in words."""

ENDS = (
    *(text for end in ("source", "target") for text in (_end(end), _addresses(end))),
    f"{_OTHERS} as others",
)
"""The columns of an alert's ends and of all its other entities, as SQL over `keys`."""
