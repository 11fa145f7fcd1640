"""Read format files: YAML records that say what a source's rows mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from alertgraph_spark.errors import ConfigError
from alertgraph_spark.source_format import ENTITY_KINDS, Format, JsonColumn

COLUMNS = ("alert_id", "product", "name", "rule_id", "observed_at", "severity", "tactics", "techniques")
_KEYS = {
    *("format", "reads", "json", "let", "where", "columns", "severity_scale"),
    *("source", "target", "other", "source_zone", "target_zone", "samples"),
}


def load_format(path: Path) -> Format:
    """Read one format file.

    Raises
    ------
    ConfigError
        With every problem of the file: unreadable YAML, unknown keys, columns or entity kinds, a missing name.
    """
    try:
        text = path.read_text(encoding="utf-8")
        record = yaml.safe_load(text)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(record, dict):
        raise ConfigError(f"{path}: a format is a mapping, found {type(record).__name__}")
    problems = list(_problems(record))
    if problems:
        raise ConfigError("\n".join(f"{path}: {p}" for p in problems))
    return Format(
        name=record["format"],
        path=str(path),
        reads=tuple(record["reads"]),
        json=tuple(JsonColumn(name, j["column"], j["schema"]) for name, j in record.get("json", {}).items()),
        let=record.get("let", {}),
        where=str(record.get("where", "true")),
        columns=record["columns"],
        severity_scale={str(k).lower(): float(v) for k, v in record.get("severity_scale", {}).items()},
        source=record.get("source", {}),
        target=record.get("target", {}),
        other=record.get("other", {}),
        source_zone=str(record.get("source_zone", "null")),
        target_zone=str(record.get("target_zone", "null")),
        samples=tuple(record.get("samples", ())),
    )


def _problems(record: dict[str, Any]) -> list[str]:
    """All that is wrong with a format's record, in words."""
    found = [f"unknown key {key!r}; legal are {', '.join(sorted(_KEYS))}" for key in record if key not in _KEYS]
    found += [f"key {key!r} is missing" for key in ("format", "reads", "columns") if key not in record]
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
    for name, j in record.get("json", {}).items():
        if not isinstance(j, dict) or set(j) != {"column", "schema"}:
            found.append(f"json: {name} needs exactly the keys column and schema")
    return found
