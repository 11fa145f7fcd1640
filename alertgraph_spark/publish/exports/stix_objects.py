"""STIX 2.1 objects that every bundle of ours is made of: who tells it, where, machines, addresses, accounts, techniques.

References
----------
STIX 2.1, OASIS Standard: https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from alertgraph_spark.publish.exports.cases import Case, Run
from alertgraph_spark.publish.exports.ids import shared_id, stix_id
from alertgraph_spark.publish.exports.techniques import DOMAINS, Technique
from alertgraph_spark.publish.exports.told import facts
from alertgraph_spark.publish.plain_text import label, plain

Object = dict[str, Any]

PRODUCT = "alertgraph-spark"
ALWAYS = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""When a thing without a begin of its own was made, as a machine or a technique: its first version, in every export."""

TLP_AMBER: Object = {
    "type": "marking-definition",
    "spec_version": "2.1",
    "id": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    "created": "2017-01-20T00:00:00.000Z",
    "definition_type": "tlp",
    "name": "TLP:AMBER",
    "definition": {"tlp": "amber"},
}
"""As the standard gives it: an export names machines and accounts of one company."""

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A name of a machine that DNS takes (RFC 1123, 2.1)."""

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")

_KINDS = {
    "firewall": "firewall",
    "router": "routers-switches",
    "switch": "routers-switches",
    "workstation": "workstation",
}


def instant(time: datetime) -> str:
    """A time as STIX writes it, to the millisecond.

    Examples
    --------
    >>> instant(datetime(2026, 3, 2, 10, 5, tzinfo=timezone.utc))
    '2026-03-02T10:05:00.000Z'
    """
    return f"{time.astimezone(timezone.utc).isoformat(timespec='milliseconds')[:-6]}Z"


def made(kind: str, parts: Sequence[str], run: Run, created: datetime = ALWAYS, **properties: Any) -> Object:
    """An object of a kind: `parts` tell it from others of its kind, and what is None is left out."""
    by = stix_id("identity", PRODUCT)
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": stix_id(kind, *parts),
        **({} if kind == "identity" and parts[0] == PRODUCT else {"created_by_ref": by}),
        "created": instant(created),
        "modified": instant(max(created, run.told_at)),
        **{name: value for name, value in properties.items() if value not in (None, [], "")},
        "object_marking_refs": [TLP_AMBER["id"]],
    }


def author(run: Run) -> Object:
    """Who tells it."""
    return made("identity", [PRODUCT], run, name=PRODUCT, identity_class="system")


def site_of(site: str, run: Run) -> Object:
    """The workspace whose alerts these are."""
    return made("identity", ["site", site], run, name=plain(site), identity_class="organization")


def attack_pattern(technique: Technique, run: Run) -> Object:
    """A technique of ATT&CK; a platform joins it with its own by the external id."""
    reference = {"source_name": "mitre-attack", "url": technique.url, "external_id": technique.id}
    return made(
        "attack-pattern",
        [technique.id],
        run,
        name=technique.name,
        external_references=[reference],
        labels=[DOMAINS[technique.matrix]],
    )


def relationship(
    kind: str, source: str, target: str, run: Run, created: datetime = ALWAYS, **properties: Any
) -> Object:
    """One object to another."""
    ends = {"relationship_type": kind, "source_ref": source, "target_ref": target}
    return made("relationship", [kind, source, target], run, created, **ends, **properties)


class Entities:
    """The entities of one case as objects: an observable each where STIX has one, and machines as infrastructure."""

    def __init__(self, case: Case, run: Run) -> None:
        """Make the objects."""
        self.observables: dict[str, str] = {}
        self.machines: dict[str, str] = {}
        self.objects: list[Object] = []
        for key in case.keys:
            self._add(case, run, key)

    def _add(self, case: Case, run: Run, key: str) -> None:
        kind, _, value = key.partition(":")
        observable = _observable(kind, value, case.site)
        if observable:
            self.observables[key] = observable["id"]
            self.objects.append(observable)
        if kind in ("host", "device"):
            machine = _machine(case, run, key)
            self.machines[key] = machine["id"]
            self.objects.append(machine)
            if observable:
                self.objects.append(relationship("consists-of", machine["id"], observable["id"], run))


def _machine(case: Case, run: Run, key: str) -> Object:
    node: Mapping[str, Any] = case.nodes.get(key, {})
    types = ["control-system"] if node.get("zone") == "ot" else [_KINDS.get(str(node.get("role")), "unknown")]
    return made(
        "infrastructure",
        [case.site, key],
        run,
        name=label(key),
        description=", ".join(facts(case, key)),
        infrastructure_types=types,
        labels=[f"zone:{node['zone']}"] if node else [],
    )


def _observable(kind: str, value: str, site: str) -> Object | None:
    """The observable of an entity, None where STIX has none; equal private addresses of two sites are two."""
    address = _address(value) if kind == "ip" else None
    if address is not None:
        name = f"ipv{address.version}-addr"
        found = {"type": name, "value": str(address)}
        known = shared_id(name, str(address)) if address.is_global else stix_id(name, site, value)
    elif kind == "mac" and _MAC.fullmatch(value):
        found, known = {"type": "mac-addr", "value": value}, stix_id("mac-addr", site, value)
    elif kind == "account":
        found, known = {"type": "user-account", "account_login": value}, stix_id("user-account", site, value)
    elif kind == "host" and _LABEL.fullmatch(value):
        found, known = {"type": "domain-name", "value": value}, stix_id("domain-name", site, value)
    else:
        return None
    return {**found, "spec_version": "2.1", "id": known, "object_marking_refs": [TLP_AMBER["id"]]}


def _address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return None


def bundle(form: str, run: Run, cases: Sequence[Case], objects: Iterable[Object]) -> str:
    """A bundle of objects, each once, in the order in which they came first; the same objects give the same text."""
    once: dict[str, Object] = {}
    for one in objects:
        once.setdefault(one["id"], one)
    head = {"type": "bundle", "id": stix_id("bundle", form, run.run_id, *(case.id for case in cases))}
    return json.dumps({**head, "objects": [*once.values()]}, indent=2) + "\n"
