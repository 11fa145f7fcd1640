"""How a key of the configuration file is declared, read back, named in a message and put in a table.

A key is a field of a frozen dataclass: the field's type and default, and a `Rule` with its meaning and range.
"""

from __future__ import annotations

import difflib
import json
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any

_WORDS = {str: "text", bool: "true, false", int: "whole number", float: "number"}


@dataclass(frozen=True)
class Rule:
    """What a key means and which values it may take: `within` an interval such as `(0, 1]`, `like` a regular expression."""

    meaning: str
    within: str = ""
    choices: tuple[str, ...] = ()
    like: str = ""
    like_words: str = ""
    is_reference: bool = False  # to a secret: its value is never shown

    def allows(self, value: Any) -> bool:
        """Tell whether a value of the right type is allowed; text is never empty."""
        if isinstance(value, str):
            is_like = re.fullmatch(self.like or r".*\S.*", value, re.DOTALL) is not None
            return is_like and (not self.choices or value in self.choices)
        if not self.within:
            return True
        low, high = (float(bound) for bound in self.within[1:-1].split(","))
        is_above = low < value if self.within.startswith("(") else low <= value
        is_below = value < high if self.within.endswith(")") else value <= high
        return bool(is_above and is_below)


@dataclass(frozen=True)
class Key:
    """One declared key, as read from its dataclass; `kinds` are its types without None."""

    name: str
    kinds: tuple[Any, ...]
    is_optional: bool
    is_required: bool
    default: Any
    rule: Rule

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return " or ".join(self._words(kind) for kind in self.kinds)

    def hint(self, wrong: Any) -> str:
        """Say what was probably meant by a refused value, or nothing."""
        if isinstance(wrong, str):
            close = difflib.get_close_matches(wrong.lower(), self.rule.choices, 1, 0.5)
            return f"; did you mean {close[0]}?" if close else ""
        is_text_without_quotes = isinstance(wrong, bool | int | float) and str in self.kinds and not self.rule.choices
        return "; put it in quotes" if is_text_without_quotes else ""

    def _words(self, kind: Any) -> str:
        if typing.get_origin(kind) is tuple:
            return "list" if is_dataclass(typing.get_args(kind)[0]) else "list of text"
        if typing.get_origin(kind) is Mapping:
            return "names and values"
        if self.rule.choices or self.rule.like_words:
            return self.rule.like_words or ", ".join(f"`{choice}`" for choice in self.rule.choices)
        word = _WORDS.get(kind, "names and values")
        return f"{word} in {self.rule.within}" if self.rule.within else word


ANY = Rule("")


def key(meaning: str, default: Any = MISSING, **limits: Any) -> Any:
    """Declare a key in a dataclass: no default makes it required, an empty dict is made anew for each instance."""
    if default == {}:
        return field(default_factory=dict, metadata={"rule": Rule(meaning, **limits)})
    return field(default=default, metadata={"rule": Rule(meaning, **limits)})


def keys_of(section: Any) -> dict[str, Key]:
    """Read the declared keys of a section, in order; fields that the loader fills in are none."""
    hints = typing.get_type_hints(section)
    found = {}
    for one in fields(section):
        rule = one.metadata.get("rule", Rule(""))
        hint = hints[one.name]
        if not rule.meaning and not is_dataclass(hint):
            continue
        arms = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        kinds = tuple(arm for arm in arms if arm is not types.NoneType)
        default = one.default
        if default is MISSING:
            default = () if typing.get_origin(kinds[0]) is tuple else None
        if one.default_factory is not MISSING:
            default = one.default_factory()
        is_required = one.default is MISSING and one.default_factory is MISSING
        found[one.name] = Key(one.name, kinds, types.NoneType in arms, is_required, default, rule)
    return found


def all_keys(section: Any, prefix: str = "") -> Iterator[tuple[str, Key]]:
    """Yield every key under its dotted name; an item of a list stands as `N`."""
    for name, one in keys_of(section).items():
        if one.rule.meaning:
            yield prefix + name, one
        kind = one.kinds[0]
        items = typing.get_args(kind)[:1] if typing.get_origin(kind) is tuple else ()
        if is_dataclass(kind):
            yield from all_keys(kind, f"{prefix}{name}.")
        elif items and is_dataclass(items[0]):
            yield from all_keys(items[0], f"{prefix}{name}.N.")


def keys_table(section: Any) -> str:
    """Return the Markdown table of all keys, as it stands in `conf/README.md`; one row is one key."""
    lines = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for name, one in all_keys(section):
        default = "required" if one.is_required else "none" if one.default is None else f"`{_as_yaml(one.default)}`"
        lines.append(f"| `{name}` | {default} | {one.allowed} | {one.rule.meaning} |")
    return "\n".join(lines) + "\n"


def nearest_key(wrong: str, prefix: str, names: Iterable[str], section: Any) -> str:
    """Say which legal key is the nearest to a wrong one, in its own section or anywhere, else list the section's keys."""
    here = difflib.get_close_matches(wrong.lower(), names, 1)
    anywhere = {name.split(".")[-1]: name for name, _ in all_keys(section)}
    there = difflib.get_close_matches(wrong.lower(), anywhere, 1, 0.8)
    if here or there:
        return f"did you mean {prefix + here[0] if here else anywhere[there[0]]}?"
    return f"allowed: {', '.join(prefix + name for name in names)}"


def split_key(name: str, section: Any) -> list[str]:
    """Split a dotted key; what stands below a key of free names, such as `spark.conf`, is one name with dots in it."""
    for free in (name for name, key in all_keys(section) if typing.get_origin(key.kinds[0]) is Mapping):
        if name.startswith(f"{free}."):
            return [*free.split("."), name.removeprefix(f"{free}.")]
    return name.split(".")


def _as_yaml(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)
