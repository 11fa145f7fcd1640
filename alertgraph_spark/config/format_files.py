"""Read format files: YAML records that say what a source's rows mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from alertgraph_spark.config.shipped import is_shipped, nearest_words, shipped_file, shipped_formats
from alertgraph_spark.config.source_format import ENTITY_KINDS, KEEPERS, Format, JsonColumn
from alertgraph_spark.errors import ConfigError

COLUMNS = ("alert_id", "product", "name", "rule_id", "observed_at", "severity", "tactics", "techniques")
_OF_A_LINE = ("file", "table", "site", "timegenerated", "_itemid", "_corrupt_record")
"""Columns that every exported line has, in lower case."""

_LISTS = ("reads", "samples")
_MAPPINGS = ("json", "let", "columns", "severity_scale", "source", "target", "other")
_END_FACTS = ("source_zone", "target_zone", "source_level", "target_level")
_EXPRESSIONS = {
    "where": "true",
    "own": "false",
    "own_details": "null",
    "acts": "false",
    "broken": "false",
    "doubts": "null",
    **dict.fromkeys(_END_FACTS, "null"),
}
"""Keys that are one expression, to what stands where a file leaves them out."""

_KEYS = {*_LISTS, *_MAPPINGS, *_EXPRESSIONS, "format", "kept_by"}


class _Loader(yaml.SafeLoader):
    """YAML as `safe_load` reads it, but without collections that stand for themselves again and again.

    A few aliases of aliases are a text of many gigabytes where it is written out.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent) and isinstance(node, yaml.CollectionNode):
            problem = f"found the alias *{event.anchor} of a list or mapping: write it out"
            raise yaml.composer.ComposerError(None, None, problem, mark)
        return node


def find_format(name: str) -> Path:
    """Find the file of a format.

    Parameters
    ----------
    name
        The name of a shipped format, or the path of a file.

    Returns
    -------
    Path
        A shipped format comes first.

    Raises
    ------
    ConfigError
        If it is neither. The message lists the shipped formats and the nearest name.
    """
    if name in shipped_formats():
        return shipped_file(name)
    if Path(name).is_file():
        return Path(name)
    known = ", ".join(shipped_formats())
    raise ConfigError(f"{name}: no such file and no shipped format ({known}){nearest_words(name)}")


def load_format(path: Path) -> Format:
    """Read one format file.

    Parameters
    ----------
    path
        A file in YAML.

    Returns
    -------
    Format
        Its expressions are known to be well-formed, not yet to run.

    Raises
    ------
    ConfigError
        With every problem of the file: unreadable YAML, unknown keys, columns or entity kinds, a missing name, values of
        another shape. A key that is there without a value counts as left out.
    """
    try:
        text = path.read_text(encoding="utf-8")
        record = yaml.load(text, _Loader)  # a safe loader, too
    except (
        OSError,
        ValueError,
        RecursionError,
        yaml.YAMLError,
    ) as error:  # ValueError: no UTF-8, or a date that is none
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise ConfigError(f"{path}: cannot be read as YAML: {reason}") from error
    if not isinstance(record, dict):
        raise ConfigError(f"{path}: a format is a mapping, found {type(record).__name__}")
    record = {key: value for key, value in record.items() if value is not None}
    problems = list(_problems(record))
    if problems:
        raise ConfigError("\n".join(f"{path}: {p}" for p in problems))
    return Format(
        name=record["format"],
        path=str(path),
        reads=tuple(record["reads"]),
        json=tuple(
            JsonColumn(name, j["column"], j["schema"], tuple(j.get("known_by", ())))
            for name, j in record.get("json", {}).items()
        ),
        let=_expressions(record, "let"),
        columns=_expressions(record, "columns"),
        severity_scale={str(k).lower(): float(v) for k, v in record.get("severity_scale", {}).items()},
        source=_expressions(record, "source"),
        target=_expressions(record, "target"),
        other=_expressions(record, "other"),
        **{key: str(record.get(key, default)) for key, default in _EXPRESSIONS.items()},
        kept_by=record.get("kept_by", "sender"),
        samples=tuple(record.get("samples", ())),
        is_shipped=is_shipped(record["format"], text),
    )


def _expressions(record: dict[str, Any], key: str) -> dict[str, str]:
    """A mapping of names to Spark SQL; a bare number or a `null` is an expression too."""
    return {name: "null" if value is None else str(value) for name, value in record.get(key, {}).items()}


def _problems(record: dict[str, Any]) -> list[str]:
    """All that is wrong with a format's record, in words."""
    found = [f"unknown key {key!r}; legal are {', '.join(sorted(_KEYS))}" for key in record if key not in _KEYS]
    found += [f"key {key!r} is missing" for key in ("format", "reads", "columns") if key not in record]
    shapes = _shape_problems(record)
    return found + (shapes or _content_problems(record))


def _shape_problems(record: dict[str, Any]) -> list[str]:
    """Keys whose value is no list or no mapping where one belongs; what is inside is judged when these are right."""
    found = []
    for key, value in record.items():
        kind = list if key in _LISTS else dict if key in _MAPPINGS else None
        if kind and not isinstance(value, kind):
            words = "a list" if kind is list else "names and values"
            found.append(f"{key}: found {value!r}; legal: {words}")
    return found


def _content_problems(record: dict[str, Any]) -> list[str]:
    reads = record.get("reads", [])
    found = [
        f"reads: found {name!r}; legal: names of columns"
        for name in reads
        if not isinstance(name, str) or "`" in name  # which would end the name in the SQL that it stands in
    ]
    if "format" in record and (not isinstance(record["format"], str) or not record["format"].strip()):
        found.append(f"format: found {record['format']!r}; legal: a name")
    taken = set(_OF_A_LINE)
    for key in ("reads", "json", "let"):
        for name in map(str, record.get(key, ())):
            # Spark compares names without case, and a second column of a name would stand in the first one's place.
            if name.lower() in taken and not (key == "reads" and name in ("TimeGenerated", "_ItemId")):
                found.append(f"{key}: {name} is the name of another column; legal: a name that is free")
            taken.add(name.lower())
    found += [*_expression_problems(record), *_sample_problems(record)]
    found += [
        f"kept_by: found {keeper!r}; legal: {', '.join(KEEPERS)}"
        for keeper in (record.get("kept_by", "sender"),)
        if keeper not in KEEPERS
    ]
    columns = record.get("columns", {})
    found += [f"columns: unknown {c!r}; legal are {', '.join(COLUMNS)}" for c in columns if c not in COLUMNS]
    if "name" not in columns:
        found.append("columns: name is missing; an alert without a name cannot be ranked")
    for end in ("source", "target", "other"):
        kinds = record.get(end, {})
        found += [
            f"{end}: unknown entity kind {k!r}; legal are {', '.join(ENTITY_KINDS)}"
            for k in kinds
            if k not in ENTITY_KINDS
        ]
    found += _json_problems(record)
    for word, degree in record.get("severity_scale", {}).items():
        if type(degree) not in (int, float) or not 0 <= degree <= 1:
            found.append(f"severity_scale: {word} is {degree!r}; legal are 0 to 1")
    return found


def _json_problems(record: dict[str, Any]) -> Iterator[str]:
    for name, j in record.get("json", {}).items():
        if not isinstance(j, dict) or set(j) - {"known_by"} != {"column", "schema"}:
            yield f"json: {name} needs exactly the keys column and schema, and may have known_by"
        elif not _is_texts(j.get("known_by", [])):
            yield f"json: {name} is known by {j['known_by']!r}; legal: a list of keys"
        elif not isinstance(j["schema"], str):
            yield f"json: {name} has the schema {j['schema']!r}; legal: Spark SQL's DDL as text"
        elif j["column"] not in record.get("reads", []):
            yield f"json: {name} parses column {j['column']!r}, which reads does not list"


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _expression_problems(record: dict[str, Any]) -> Iterator[str]:
    """Values that are no text, number or truth where an SQL expression belongs: a list would be taken for its spelling."""
    given = {key: record[key] for key in _EXPRESSIONS if key in record}
    for part in ("let", "columns", "source", "target", "other"):
        given |= {f"{part}.{name}": value for name, value in record.get(part, {}).items() if value is not None}
    for key, value in given.items():
        if not isinstance(value, str | int | float):
            yield f"{key}: found {type(value).__name__}; legal: an SQL expression as text"


def _sample_problems(record: dict[str, Any]) -> Iterator[str]:
    for number, sample in enumerate(record.get("samples", ()), 1):
        parts = [sample.get("row"), sample.get("gives", {})] if isinstance(sample, dict) else [None]
        if not all(isinstance(part, dict) for part in parts):
            yield f"samples: number {number} needs names and values as row, and may have such as gives"
