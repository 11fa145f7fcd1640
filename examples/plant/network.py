"""The factory: its hosts by Purdue level, their addresses, owners and what the asset list says of them."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NETBIOS = "CORP"
HEADER = ("asset", "name", "zone", "purdue_level", "role")
# Addresses that no one owns (RFC 5737) stand for the internet, so that no alert of this set names a real machine.
INTERNET = ("198.51.100.0/24", "203.0.113.0/24")
RANGES = (
    ("10.20.0.0/16", "it", 4.0),  # office network: guests and new laptops that no list knows
    ("10.30.1.0/24", "ot", 1.0),  # cell network
    *((cidr, "external", 5.0) for cidr in INTERNET),
)
PEOPLE = (
    "a.weber",
    "h.koch",
    "t.fuchs",
    "m.richter",
    "l.wolf",
    "p.schroeder",
    "d.neumann",
    "k.braun",
    "c.hofmann",
    "e.zimmermann",
    "n.krause",
    "f.werner",
    "b.lehmann",
    "g.schulz",
    "i.maier",
    "o.koehler",
    "s.lange",
    "r.walter",
    "v.huber",
    "w.kaiser",
    "j.meyer",
    "u.peters",
    "x.lang",
    "y.scholz",
    "z.moeller",
)
SPRAYED = ("admin", "administrator", "test", "vpnuser", "support", "scan", "backup", "guest")

# name, address, zone, Purdue level, role; those without a domain are not Windows hosts
SERVERS = (
    ("fs01", "10.20.10.11", "it", 4.0, "file_server"),
    ("mail01", "10.20.10.12", "it", 4.0, "server"),
    ("dc01", "10.20.10.21", "it", 4.0, "domain_controller"),
    ("dc02", "10.20.10.22", "it", 4.0, "domain_controller"),
    ("proxy01", "10.20.10.31", "it", 4.0, "proxy"),
    ("srv-app1", "10.20.10.41", "it", 4.0, "server"),
    ("srv-app2", "10.20.10.42", "it", 4.0, "server"),
    ("srv-db1", "10.20.10.43", "it", 4.0, "server"),
    ("srv-mon1", "10.20.10.51", "it", 4.0, "server"),
    ("srv-dep1", "10.20.10.52", "it", 4.0, "server"),
    ("bkp01", "10.20.10.61", "it", 4.0, "server"),
    ("scan01", "10.20.10.71", "it", 4.0, "scanner"),
    ("vpn01", "192.0.2.2", "it", 4.0, "server"),
    ("fw-edge", "192.0.2.1", "it", 4.0, ""),
    ("fw-ot", "10.25.0.1", "dmz", 3.5, ""),
    ("ids-it", "10.20.10.81", "it", 4.0, "sensor"),
    ("jmp01", "10.25.0.11", "dmz", 3.5, "jump_host"),
    ("jmp-mnt", "10.25.0.12", "dmz", 3.5, "maintenance"),
    ("hist-mir", "10.25.0.21", "dmz", 3.5, "historian"),
    ("patch01", "10.25.0.22", "dmz", 3.5, "server"),
    ("ews-1", "10.30.3.11", "ot", 3.0, "engineering_workstation"),
    ("ews-2", "10.30.3.12", "ot", 3.0, "engineering_workstation"),
    ("hist01", "10.30.3.21", "ot", 3.0, "historian"),
    ("scada01", "10.30.3.31", "ot", 3.0, "scada_server"),
    ("ids-ot", "10.30.3.81", "ot", 3.0, "sensor"),
    ("d4i-s1", "10.30.3.82", "ot", 3.0, "sensor"),
    ("hmi-1", "10.30.1.11", "ot", 2.0, "hmi"),
    ("hmi-2", "10.30.1.12", "ot", 2.0, "hmi"),
    ("hmi-3", "10.30.1.13", "ot", 2.0, "hmi"),
)
WITHOUT_DOMAIN = {"fw-edge", "fw-ot", "vpn01", "ids-it", "ids-ot", "d4i-s1"}


@dataclass(frozen=True)
class Asset:
    """One host: canonical name in lower case, address, and the account that sits at it ('' for a server)."""

    name: str
    address: str
    zone: str
    level: float
    role: str
    domain: str = ""
    owner: str = ""

    @property
    def fqdn(self) -> str:
        """The name with its DNS domain; a device without one keeps its short name."""
        return f"{self.name}.{self.domain}" if self.domain else self.name


class Network:
    """All hosts of one site, found by name, address, role or zone."""

    def __init__(self, assets: Iterable[Asset]) -> None:
        """Index the hosts; no two share a name or an address."""
        self.assets = tuple(assets)
        self._by_name = {asset.name: asset for asset in self.assets}
        self._by_address = {asset.address: asset for asset in self.assets}

    def find(self, name_or_address: str) -> Asset | None:
        """The host of that name or address, or None for one that no list knows."""
        return self._by_name.get(name_or_address) or self._by_address.get(name_or_address)

    def address(self, name_or_address: str) -> str:
        """The address of a host; an unknown one is taken to be an address already."""
        asset = self._by_name.get(name_or_address)
        return asset.address if asset else name_or_address

    def group(self, selector: str) -> list[str]:
        """Host names that a selector means: `role:plc`, `zone:it`, or the name of one host."""
        kind, _, value = selector.partition(":")
        if kind == "role":
            return [asset.name for asset in self.assets if asset.role == value]
        if kind == "zone":
            quiet = ("sensor", "scanner")
            return [asset.name for asset in self.assets if asset.zone == value and asset.role not in quiet]
        if selector not in self._by_name:
            raise KeyError(f"no host and no selector: {selector!r}")
        return [selector]

    def write_assets(self, path: Path) -> None:
        """Write the asset list: a row for each spelling of a host (short name, full name, address) and each range."""
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(HEADER)
            for asset in self.assets:
                for spelling in dict.fromkeys((asset.name, asset.fqdn, asset.address)):
                    rows.writerow((spelling, asset.name, asset.zone, asset.level, asset.role))
            for cidr, zone, level in RANGES:
                rows.writerow((cidr, "", zone, level, ""))  # no name: an unlisted host keeps its address


def build_network(workstations: int = 25, controllers: int = 8) -> Network:
    """Lay out the plant; the two numbers let it grow without touching the hosts that the campaigns need."""
    assets = []
    for number in range(1, workstations + 1):
        owner = PEOPLE[number - 1] if number <= len(PEOPLE) else f"user{number:04d}"
        address = f"10.20.{1 + (number - 1) // 200}.{11 + (number - 1) % 200}"
        assets.append(Asset(f"ws-{number:03d}", address, "it", 4.0, "workstation", "corp.example", f"corp\\{owner}"))
    for name, address, zone, level, role in SERVERS:
        domain = "" if name in WITHOUT_DOMAIN else "corp.example" if zone == "it" else "ot.example"
        assets.append(Asset(name, address, zone, level, role, domain))
    for number in range(1, controllers + 1):
        assets.append(Asset(f"plc-{number}", f"10.30.1.{100 + number}", "ot", 1.0, "plc"))
    return Network(assets)


def internet_address(rng: random.Random) -> str:
    """An address out there; few scan a lot and many scan a little, so the draw is skewed to the low ones."""
    block = rng.choice(INTERNET).rsplit(".", 1)[0]
    return f"{block}.{1 + int(253 * rng.random() ** 2)}"


def guest_address(rng: random.Random) -> str:
    """An address of the office network that the asset list knows by its range alone."""
    return f"10.20.9.{rng.randint(20, 240)}"
