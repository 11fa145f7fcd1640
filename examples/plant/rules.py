"""What a detection rule is, and what an alert is before a product has written it down.

The rules are data: one JSON object a line in `catalogue.jsonl`, so that adding one touches one line. A rule has the name, id
and severity that the product itself would write, ATT&CK tactics and techniques in one spelling (`lateral-movement`,
`T1021.002`), and the few fields that the product adds. Names of signatures, Sigma rules and alerts are those that the
products themselves use, where one is known; rules that a site writes for itself ("... Operations Host") are made up.
How a product spells a row is the business of `products` and `security_alert`; who sets a rule off, and when, that of
`noise`, `planned` and `campaigns`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

CATALOGUE = Path(__file__).with_name("catalogue.jsonl")
PRODUCTS = ("ids", "fw", "av", "sigma", "edr", "signin", "identity", "d4iot")


@dataclass(frozen=True)
class Rule:
    """One rule of one product; `severity` is in the product's own scale, `detail` holds its own fields."""

    product: str
    name: str
    rule_id: str
    severity: str | int
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    detail: Mapping[str, str | int]

    def text(self, field: str) -> str:
        """A field of the product as text, '' where the rule has none."""
        return str(self.detail.get(field, ""))


@dataclass(frozen=True)
class Alert:
    """One alert before any product has written it down.

    `source` and `target` are host names of the network or bare addresses; an empty source means that the product names
    only the host it is about. `label` is the campaign's step or '-'. `has_known_cause` marks what the site itself can
    explain (scanner, maintenance, a failing device): such an alert is never counted to an attack, not even by its time.
    """

    at: datetime
    rule: str
    target: str
    source: str = ""
    account: str = ""
    label: str = "-"
    has_known_cause: bool = False


def load_rules(path: Path = CATALOGUE) -> dict[str, Rule]:
    """Read the catalogue; the part of a key before the dot is the product.

    Raises
    ------
    ValueError
        If a key occurs twice or names no product.
    """
    rules: dict[str, Rule] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        record = json.loads(line)
        key, name = record["key"], record["name"]
        product = key.partition(".")[0]
        if key in rules or product not in PRODUCTS:
            raise ValueError(f"{path.name}, line {number}: key {key!r} is taken or names none of {', '.join(PRODUCTS)}")
        rules[key] = Rule(
            product,
            name,
            record.get("id") or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{product}:{name}")),
            record["severity"],
            tuple(record.get("tactics", ())),
            tuple(record.get("techniques", ())),
            record.get("detail", {}),
        )
    return rules
