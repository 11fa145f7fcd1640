"""One YAML file in, frozen `Settings` out, or one error that lists everything that is wrong with the file.

Nothing here knows a single key: types, defaults and ranges come from the declarations in `settings`.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from alertgraph_spark.config.keys import ANY, Key, keys_of, nearest_key, split_key
from alertgraph_spark.config.settings import LISTS, Settings
from alertgraph_spark.config.shipped import nearest_words, shipped_file, shipped_formats
from alertgraph_spark.errors import ConfigError

__all__ = ["Settings", "load_settings"]

# What a secret looks like: a named one, a SAS, a token, a password in a URL, an Entra client secret, long base64.
_SECRET = re.compile(
    r"(account_?key|access_?key|accesssignature|secret|password|passwd|pwd|token)\s*=\s*\S|(^|[?&;])sig=|\bbearer\s+\S"
    r"|\beyj[\w-]{10,}\.|\bdapi[0-9a-f]{32}|-----begin|//[^/@:\s]+:[^/@\s]+@|[\w.~-]{3}\dq~[\w.~-]{31,}"
    r"|^[a-z0-9+/]{40,}={1,2}$|^(?-i:(?=.*[a-z])(?=.*[A-Z])(?=(.*\d){4}))[a-z0-9+~]{36,}$",
    re.IGNORECASE,
)
_SECRET_CONF = re.compile(r"account\.key|client\.secret|secret\.key|password|fixed\.token", re.IGNORECASE)
_NO_SECRET = "looks like a secret; a file holds references to secrets only"


def load_settings(path: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Read one YAML file, lay the overrides over it, check everything and return the settings.

    Parameters
    ----------
    path
        The file. A format or a list that it names is looked up beside it, then in the working directory.
    overrides
        `KEY=VALUE` with a dotted key (`export.root=/lake`, `sources.0.format=sigma`, `spark.conf.spark.ui.enabled=false`) and
        a value in YAML; they win over the file.

    Returns
    -------
    Settings
        Complete: every key that is not given has its default.

    Raises
    ------
    ConfigError
        With all problems at once: file, key, what was found and what is allowed. A secret is never repeated.
    """
    reader = _Reader(Path(path))
    tree = reader.parse()
    for assignment in overrides:
        reader.override(tree, assignment)
    settings: Settings = reader.section(Settings, tree, "")
    for where, text in settings.conflicts():
        reader.refuse(where, text)
    settings = reader.find_files(settings)
    if found := list(reader.problems.values()):
        raise ConfigError("\n  ".join([f"{path} has {len(found)} problem{'s' if len(found) > 1 else ''}:", *found]))
    return settings


class _Reader:
    """Collects every problem while it turns what the YAML says into settings; a refused value becomes the default."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: dict[str, str] = {}  # by key, the first problem of each
        self.overridden: list[str] = []

    def refuse(self, where: str, text: str) -> None:
        pairs = ((f"{where}.", f"{name}.") for name in self.overridden)
        is_override = any(place.startswith(name) or name.startswith(place) for place, name in pairs)
        self.problems.setdefault(where, f"{'--set' if is_override else f'{self.file}:'} {where}: {text}")

    def parse(self) -> dict[str, Any]:
        try:
            tree = _load(self.file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"{self.file} cannot be read from {Path.cwd()}: {reason}") from error
        except ConfigError as error:
            raise ConfigError(f"{self.file} is not YAML: {error}") from None
        if tree is not None and not isinstance(tree, dict):
            raise ConfigError(f"{self.file}: found {_shown(tree)}; allowed: keys and values, such as `export:`")
        return tree or {}

    def override(self, tree: dict[str, Any], assignment: str) -> None:
        name, sign, text = assignment.partition("=")
        if not (name and sign):
            self.problems[assignment] = f"--set: found {_shown(assignment)}; allowed: KEY=VALUE"
            return
        self.overridden.append(name)
        try:
            value = _load(text)
        except ConfigError as error:
            self.refuse(name, f"the value is not YAML: {error}")
            return
        *parents, last = split_key(name, Settings)
        node: Any = tree
        for part in parents:
            if isinstance(node, dict):
                node[part] = {} if node.get(part) is None else node[part]
                node = node[part]
            else:
                node = node[int(part)] if _is_place(node, part) else None
        if isinstance(node, dict):
            node[last] = value
        elif _is_place(node, last):
            node[int(last)] = value
        else:
            self.refuse(name, "no such key, nor a place in a list")

    def section(self, cls: Any, raw: Any, where: str) -> Any:
        """Turn a mapping into the dataclass `cls`."""
        is_readable = isinstance(raw, dict | None)
        if not is_readable:
            self.refuse(where, f"found {_shown(raw)}; allowed: names and values")
        raw = raw if isinstance(raw, dict) else {}
        prefix = f"{where}." if where else ""
        keys = keys_of(cls)
        for name in raw:
            if name not in keys:
                self.refuse(f"{prefix}{name}", f"no such key; {nearest_key(str(name), prefix, keys, Settings)}")
        values = {}
        for name, key in keys.items():
            if is_dataclass(key.kinds[0]):
                values[name] = self.section(key.kinds[0], raw.get(name), prefix + name)
            elif name in raw:
                values[name] = self.value(key, raw[name], prefix + name)
            else:
                values[name] = key.default
                if key.is_required and is_readable:
                    self.refuse(prefix + name, f"required: {key.rule.meaning}")
        return cls(**values)

    def value(self, key: Key, raw: Any, where: str) -> Any:
        """Turn one value into the type of its key, or refuse it and return the default."""
        if raw is None:
            if not key.is_optional:
                way_out = "" if key.is_required else ", or leave the key out for its default"
                self.refuse(where, f"empty; allowed: {key.allowed}{way_out}")
            return key.default
        for kind in key.kinds:
            of, *_ = typing.get_args(kind) or (kind,)
            origin = typing.get_origin(kind)
            if origin is tuple and isinstance(raw, list):
                return self.items(key, of, raw, where)
            if origin is Mapping and isinstance(raw, dict):
                return {str(name): self.setting(str(name), item, f"{where}.{name}") for name, item in raw.items()}
            is_kind = type(raw) is kind or (kind is float and type(raw) is int)
            if is_kind and key.rule.allows(raw) and not _SECRET.search(str(raw)):
                return kind(raw)
        found = _NO_SECRET if _SECRET.search(str(raw)) else f"found {_shown(raw, key.rule.is_reference)}"
        self.refuse(where, f"{found}; allowed: {key.allowed}{key.hint(raw)}")
        return key.default

    def items(self, key: Key, of: Any, raw: list[Any], where: str) -> tuple[Any, ...]:
        """Turn a list into a tuple of sections or of plain values."""
        places = [(item, f"{where}.{number}") for number, item in enumerate(raw)]
        if is_dataclass(of):
            return tuple(self.section(of, item, place) for item, place in places)
        plain = replace(key, kinds=(of,), is_optional=False, rule=ANY)
        return tuple(self.value(plain, item, place) for item, place in places)

    def setting(self, name: str, raw: Any, where: str) -> str:
        """Turn one Spark setting into text."""
        if _SECRET_CONF.search(name) or _SECRET.search(str(raw)):
            self.refuse(
                where, f"{_NO_SECRET}, and every job can read Spark settings; let the platform's identity sign in"
            )
        elif not isinstance(raw, str | int | float):
            self.refuse(where, f"found {_shown(raw)}; allowed: text, a number, true or false")
        return str(raw).lower() if isinstance(raw, bool) else str(raw)

    def find_files(self, settings: Settings) -> Settings:
        """Find every file that the settings name: beside the configuration, then in the working directory."""
        shipped = shipped_formats()
        known = f"; shipped formats: {', '.join(shipped) or 'none'}"
        sources = list(settings.sources)
        for number, source in enumerate(sources):
            file = source.file
            if source.format in shipped:
                file = shipped_file(source.format)
            elif source.format:  # else it is refused already
                hint = known + nearest_words(source.format)
                file = self.look_up(source.format, f"sources.{number}.format", hint)
            sources[number] = replace(source, file=file)
        lists: dict[str, Any] = {}
        for name in LISTS:
            file = getattr(settings, name)
            lists[f"{name}_file"] = self.look_up(file, name) if file else None
        return replace(settings, sources=tuple(sources), **lists)

    def look_up(self, name: str | None, where: str, hint: str = "") -> Path:
        """Return the first place where a file of this name is, or refuse the key."""
        places = [folder / (name or "") for folder in (self.file.parent, Path())]
        for place in places:
            with suppress(OSError):  # a name too long, a folder without right of entry
                if place.is_file():
                    return place
        looked = " and ".join(dict.fromkeys(str(place.absolute()) for place in places))
        self.refuse(where, f"found {_shown(name)}; no such file, looked for {looked}{hint}")
        return Path()


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice; YAML would keep the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode):
                if name.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"key {name.value} stands twice", problem_mark=name.start_mark)
                seen.add(name.value)
        return super().construct_mapping(node, deep)


def _load(text: str) -> Any:
    try:
        return yaml.load(text, _UniqueKeys)
    except yaml.YAMLError as error:
        # str(error) would repeat the lines around the mistake, and a secret with them
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None)
        raise ConfigError(place + (problem or type(error).__name__)) from None
    except ValueError as error:  # PyYAML makes dates itself, and 2026-99-99 is none
        raise ConfigError(f"a value that is no date: {error}") from None


def _shown(raw: Any, is_secret: bool = False) -> str:
    if is_secret or _SECRET.search(str(raw)):
        return "a value that is not shown"
    if isinstance(raw, dict | list):
        return "a list" if isinstance(raw, list) else "names and values"
    text = str(raw).lower() if isinstance(raw, bool) else repr(raw)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_place(node: Any, part: str) -> bool:
    return isinstance(node, list) and part.isdigit() and int(part) < len(node)
