"""What the asset list knows of the ends of an alert: which host an address is, its zone, Purdue level and role."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

import pyarrow as pa

from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.interpret.entities import key_of
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.interim_schemas import CONTACTS

_IPV4 = re.compile(r"^ip:([0-9]{1,3}(?:\.[0-9]{1,3}){3})$")
_FIELDS = ("zone", "purdue_level", "role")

CONTACT = ("owner", "runbook")
"""What the list says to people alone."""


class End(NamedTuple):
    """One end of an alert: its entity, the addresses that the row gives it beside a name, and what is known of it."""

    entity: str | None
    addresses: Sequence[str] = ()
    zone: str | None = None
    level: float | None = None
    role: str | None = None


class AssetList:
    """The asset list by entity key; of two rows with one key the first counts, and the narrowest block that holds an address.

    Parameters
    ----------
    assets
        Its rows: host names, addresses and IPv4 blocks.
    """

    def __init__(self, assets: Sequence[Asset] = ()) -> None:
        """Look up the keys of all rows."""
        self._hosts: dict[str, str | None] = {}
        self._facts: dict[str, Asset] = {}
        self._blocks = sorted(
            ((IPv4Network(a.asset, strict=False), a) for a in assets if "/" in a.asset),
            key=lambda one: -one[0].prefixlen,
        )
        for asset in (a for a in assets if "/" not in a.asset):
            key = key_of("host", asset.asset)
            if key and key not in self._facts:
                self._facts[key], self._hosts[key] = asset, key_of("host", asset.name or asset.asset)
        # An episode knows a host by its name; what the list says may stand with one of its addresses.
        self._rows_of: dict[str | None, list[str]] = {}
        for key, host in self._hosts.items():
            self._rows_of.setdefault(host, []).append(key)
        self._has_contacts = any(getattr(asset, field) for asset in assets for field in CONTACT)

    def resolved(self, end: End) -> End:
        """An end as the list knows it. What the list says comes before what the row says.

        A name with an address that the list gives a machine of another name has no role: whoever raises an alert writes the
        name, and a scanner's may speak from anywhere.
        """
        if end.entity is None or not (self._facts or self._blocks):
            return end
        said = {"zone": end.zone, "purdue_level": end.level, "role": None}
        zone, level, role = (self._fact(end.entity, field, said[field]) for field in _FIELDS)
        host = self._hosts.get(end.entity) or end.entity
        owners = [self._hosts.get(address) for address in end.addresses]
        if any(owner and owner.startswith("host:") and owner != host for owner in owners):
            role = None
        return End(host, end.addresses, zone, level, role)

    def contacts(self, episodes: pa.Table) -> pa.Table:
        """Who answers for the ends of some episodes, and what to do about each.

        One row is one end of which the list says either (`interim_schemas.CONTACTS`).
        """
        rows = []
        ends = {
            end for name in ("source_entity", "target_entity") for end in episodes[name].unique().to_pylist() if end
        }
        for entity in sorted(ends) if self._has_contacts else ():
            said = {field: self._said(entity, field) for field in CONTACT}
            if any(said.values()):
                rows.append({"entity": entity, **said})
        return pa.Table.from_pylist(rows, arrow_schema(CONTACTS))

    def _said(self, entity: str, field: str) -> Any:
        """What the list says of an entity under its own key, else under that of one of its addresses."""
        keys = dict.fromkeys((entity, *self._rows_of.get(entity, ())))
        return next((value for key in keys if (value := self._fact(key, field, None))), None)

    def _fact(self, entity: str, field: str, said: Any) -> Any:
        listed = getattr(self._facts[entity], field) if entity in self._facts else None
        if listed is not None:
            return listed
        found = _IPV4.match(entity) if self._blocks else None
        if found:
            address = IPv4Address(found.group(1))
            for block, asset in self._blocks:
                if address in block and (value := getattr(asset, field)) is not None:
                    return value
        return said


@lru_cache(maxsize=1)
def asset_list_of(assets: tuple[Asset, ...]) -> AssetList:
    """The asset list of some rows: equal rows give the same list, which knows by then what alerts mean."""
    return AssetList(assets)
