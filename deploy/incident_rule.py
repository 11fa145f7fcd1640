"""The analytic rules as resources, made from their YAML, which is what the Azure-Sentinel repository takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).resolve().parent / "sentinel" / "incident_rule.yaml"
HEALTH_FILE = FILE.with_name("health_rule.yaml")
"""The rule that makes an incident of each shown subgraph, and the one that tells of each source that is not well."""

API = "2025-07-01-preview"
"""A preview, for only previews declare `sentinelEntitiesMappings`; here alone, should it go."""

CORRELATION = ("#DONT_CORR#", "#INC_CORR#", "")
"""What the Defender portal reads at the start of a rule's description: left out of its correlation of incidents, taken into
it, or as the tenant has it. One subgraph or source is one incident, so the first is ours.
"""

OPERATORS = {"gt": "GreaterThan", "lt": "LessThan", "eq": "Equal", "ne": "NotEqual"}
SAME = (
    *("severity", "query", "triggerThreshold", "tactics", "entityMappings", "sentinelEntitiesMappings"),
    *("eventGroupingSettings", "customDetails", "alertDetailsOverride"),
)


def rule_text(file: Path = FILE) -> str:
    """A rule as YAML, as it is kept."""
    return file.read_text(encoding="utf-8")


def rule_yaml(file: Path = FILE) -> dict[str, Any]:
    """A rule as its YAML says."""
    rule: dict[str, Any] = yaml.safe_load(rule_text(file))
    return rule


def rule_description(file: Path = FILE) -> str:
    """What a rule's description says, without the tag in front of it."""
    return str(rule_yaml(file)["description"]).removeprefix(f"{CORRELATION[0]} ")


def iso_duration(short: str) -> str:
    """`90m` as PT90M, `3d` as P3D.

    Raises
    ------
    ValueError
        For anything else.
    """
    match = re.fullmatch(r"(\d+)([mhd])", short)
    if match is None:
        raise ValueError(f"{short!r} is no duration such as 90m, 1h or 3d")
    number, unit = match.groups()
    return f"P{number}D" if unit == "d" else f"PT{number}{unit.upper()}"


def rule_properties(file: Path = FILE) -> dict[str, Any]:
    """The properties of a rule as the resource takes them, but for its description and whether it is enabled."""
    rule = rule_yaml(file)
    incidents = rule["incidentConfiguration"]
    grouping = incidents["groupingConfiguration"]
    return {
        "displayName": rule["name"],
        **{key: rule[key] for key in SAME if key in rule},
        "techniques": rule["relevantTechniques"],
        "queryFrequency": iso_duration(rule["queryFrequency"]),
        "queryPeriod": iso_duration(rule["queryPeriod"]),
        "triggerOperator": OPERATORS[rule["triggerOperator"]],
        "suppressionEnabled": False,
        "suppressionDuration": "PT5H",
        "incidentConfiguration": incidents
        | {"groupingConfiguration": grouping | {"lookbackDuration": iso_duration(grouping["lookbackDuration"])}},
    }
