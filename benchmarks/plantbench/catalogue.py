"""The alert types: one JSON object a line in `catalogue.jsonl`, so that adding one touches one line.

A type has the name, id and severity that its product writes, ATT&CK tactics and techniques, the fields its product adds
(`detail`), the acts that may set it off with their probability (`acts`), and how it goes off without an attack (`noise`):
a class (C chatty, M now and then, R rare), a rhythm and a pair `from>to` of host groups. A `protocol` ties it to
controllers that speak it. Every type goes off without an attack, and no type is a campaign's own.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("catalogue.jsonl")
PRODUCTS = ("ids", "fw", "av", "sigma", "edr", "signin", "identity", "d4iot", "claroty", "nozomi")
TABLES = {"ids": "SuricataEve_CL", "sigma": "SigmaAlerts_CL", "fw": "CommonSecurityLog", "av": "CommonSecurityLog"}
TABLES |= {product: "CommonSecurityLog" for product in ("claroty", "nozomi")}
TABLES |= {product: "SecurityAlert" for product in ("edr", "signin", "identity", "d4iot")}


@dataclass(frozen=True)
class Rule:
    """One alert type; `severity` is in the product's own scale, `noise_from` and `noise_to` are host groups or ''."""

    product: str
    name: str
    rule_id: str
    severity: str | int
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    detail: Mapping[str, str | int]
    acts: Mapping[str, float]
    protocol: str
    frequency: str
    rhythm: str
    noise_from: str
    noise_to: str

    @property
    def is_severe(self) -> bool:
        """Whether the shipped formats read its severity as .8 or more."""
        if self.product == "ids":
            return self.severity == 1
        word = str(self.severity).lower()
        if word.isdigit():
            return int(word) >= 8
        return word == "critical" or (word == "high" and self.product != "sigma")  # Sigma's high is .75

    @property
    def table(self) -> str:
        """The exported table that holds this product's rows."""
        return TABLES[self.product]


def load_rules(path: Path = FILE) -> tuple[Rule, ...]:
    """Read the catalogue in its order; the part of a key before the dot is the product.

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
        frequency, rhythm, pair = record["noise"].split()
        rules[key] = Rule(
            product,
            name,
            record.get("id") or str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
            record["severity"],
            tuple(record.get("tactics", ())),
            tuple(record.get("techniques", ())),
            record["detail"],
            record["acts"],
            record.get("protocol", ""),
            frequency,
            rhythm,
            *pair.split(">"),
        )
    return tuple(rules.values())
