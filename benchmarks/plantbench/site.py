"""One network: hosts by Purdue level, addresses that change hands, and the sensors with their blind spots.

Everything about it is drawn from the seed: how many desks, servers, cells and controllers, which products watch it, how
long a DHCP lease lasts, which cells hide behind address translation, which sensors fall silent and when.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

HOUR, DAY = 3600.0, 86400.0
PROTOCOLS = ("modbus", "s7", "dnp3", "cip", "iec104")
LEVEL = {"it": 4.0, "dmz": 3.5, "external": 5.0}
OT_LEVEL = {"plc": 1.0, "hmi": 2.0}
# name of a role, zone, how many: (least, most), runs Windows
FIXED = (
    ("domain_controller", "it", (1, 4), True),
    ("file_server", "it", (1, 4), True),
    ("server", "it", (6, 40), True),
    ("proxy", "it", (1, 2), False),
    ("vpn", "it", (1, 2), False),
    ("scanner", "it", (1, 2), False),
    ("deployment", "it", (1, 2), True),
    ("backup", "it", (1, 2), True),
    ("jump_host", "dmz", (1, 3), True),
    ("maintenance", "dmz", (1, 2), True),
    ("historian_mirror", "dmz", (1, 1), True),
    ("patch_server", "dmz", (1, 1), True),
)
CELL = (("plc", (3, 14)), ("hmi", (1, 3)), ("scada_server", (1, 1)), ("engineering_workstation", (1, 2)))
SHORT = {
    "domain_controller": "dc",
    "file_server": "fs",
    "server": "srv",
    "deployment": "dep",
    "backup": "bkp",
    "scanner": "scan",
    "jump_host": "jmp",
    "maintenance": "mnt",
    "historian_mirror": "histm",
    "historian": "hist",
    "patch_server": "patch",
    "engineering_workstation": "ews",
    "scada_server": "scada",
    "workstation": "ws",
}
GROUPS = {
    "ws": ("workstation",),
    "srv": ("server", "file_server", "deployment", "backup", "domain_controller"),
    "dc": ("domain_controller",),
    "it": ("workstation", "server", "file_server", "domain_controller", "backup", "deployment"),
    "dmz": ("jump_host", "historian_mirror", "patch_server", "maintenance"),
    "jump": ("jump_host", "maintenance"),
    "ext": ("external",),
    "ot": ("plc", "hmi", "engineering_workstation", "scada_server", "historian"),
    "ot_win": ("hmi", "engineering_workstation", "scada_server", "historian"),
    "scada": ("scada_server",),
    "hist": ("historian",),
    "ews": ("engineering_workstation",),
    "dmz_server": ("historian_mirror", "patch_server"),
}


@dataclass
class Host:
    """One machine; `cell` is -1 outside operations, `pool` says whether its address is leased."""

    name: str
    role: str
    zone: str
    level: float
    address: str
    cell: int = -1
    windows: bool = True
    pool: bool = False
    agent: bool = False  # has Defender for Endpoint
    logs: bool = False  # its Windows events reach the Sigma engine
    joined: float = 0.0
    owner: str = ""
    domain: str = ""

    @property
    def fqdn(self) -> str:
        """The name with its DNS domain, as agents report it."""
        return f"{self.name}.{self.domain}" if self.domain else self.name


@dataclass
class Site:
    """A network for `span` seconds; `silences` are (sensor, from, to) in seconds since the start."""

    name: str
    span: float
    hosts: list[Host]
    products: frozenset[str]
    protocols: list[str]  # of each cell
    translated: set[int]  # cells whose controllers show one address outside
    leases: np.ndarray  # epoch x pool position -> address number
    lease_seconds: float
    pool_at: dict[int, int]  # host -> pool position
    proxied: bool
    offset_hours: float  # of local time to UTC
    silences: list[tuple[str, float, float]]
    groups: dict[str, np.ndarray] = field(default_factory=dict)
    octet: int = 0

    def address(self, host: int, at: float) -> str:
        """The address of a host at a time: a leased one changes hands from lease to lease."""
        place = self.pool_at.get(host)
        if place is None:
            return self.hosts[host].address
        epoch = min(int(at // self.lease_seconds), len(self.leases) - 1)
        number = int(self.leases[max(epoch, 0), place])
        return f"10.{self.octet}.{100 + number // 240}.{10 + number % 240}"

    def group(self, name: str) -> np.ndarray:
        """Indexes of the hosts that a group or role means."""
        if name not in self.groups:
            roles = GROUPS.get(name, (name,))
            self.groups[name] = np.array([i for i, h in enumerate(self.hosts) if h.role in roles], dtype=np.int64)
        return self.groups[name]


def _leases(rng: np.random.Generator, n: int, epochs: int, churn: float) -> np.ndarray:
    """At each renewal some hosts were away, and find their address taken by another."""
    table = np.empty((epochs, n), dtype=np.int32)
    table[0] = rng.permutation(n)
    for epoch in range(1, epochs):
        table[epoch] = table[epoch - 1]
        moved = np.flatnonzero(rng.random(n) < churn)
        table[epoch, moved] = table[epoch - 1, rng.permutation(moved)]
    return table


def _office(rng: np.random.Generator, prefix: str, octet: int, desks: int, span: float) -> list[Host]:
    domain = f"{prefix}.example"
    agents, leased, late = rng.uniform(0.6, 0.97), rng.uniform(0.7, 1.0), rng.uniform(0.02, 0.12)
    hosts = []
    for number in range(desks):
        host = Host(
            f"{prefix}-ws{number + 1:04d}", "workstation", "it", 4.0, f"10.{octet}.{number // 240}.{10 + number % 240}"
        )
        host.pool, host.agent, host.logs = rng.random() < leased, rng.random() < agents, rng.random() < agents
        host.joined = rng.uniform(0.1, 0.95) * span if rng.random() < late else 0.0
        host.owner, host.domain = f"user{int(rng.integers(1000, 9999))}.{number + 1}", domain
        hosts.append(host)
    for role, zone, (least, most), windows in FIXED:
        for number in range(int(rng.integers(least, most + 1))):
            place = sum(h.role != "workstation" for h in hosts)
            net = f"10.{octet}.60" if zone == "it" else f"10.{octet}.65"
            host = Host(
                f"{prefix}-{SHORT.get(role, role)}{number + 1:02d}", role, zone, LEVEL[zone], f"{net}.{10 + place}"
            )
            host.windows = windows
            host.agent, host.logs = windows and rng.random() < agents, windows and rng.random() < agents
            host.domain = domain if windows else ""
            host.joined = rng.uniform(0.2, 0.9) * span if role == "server" and rng.random() < late else 0.0
            hosts.append(host)
    return hosts


def _plant(rng: np.random.Generator, prefix: str, octet: int, cells: int) -> list[Host]:
    watched = rng.uniform(0.0, 0.5)
    hosts = [
        Host(f"{prefix}-hist01", "historian", "ot", 3.0, f"10.{octet}.70.10", domain=f"ot.{prefix}.example", logs=True)
    ]
    for cell in range(cells):
        place = 20
        for role, (least, most) in CELL:
            for number in range(int(rng.integers(least, most + 1))):
                place += 1
                name = f"{prefix}-{SHORT.get(role, role)}{cell + 1}{number + 1:02d}"
                host = Host(name, role, "ot", OT_LEVEL.get(role, 3.0), f"10.{octet}.{71 + cell}.{place}", cell)
                host.windows = role != "plc"
                host.logs = host.windows and rng.random() < watched
                host.domain = f"ot.{prefix}.example" if host.windows else ""
                hosts.append(host)
    return hosts


def _silences(rng: np.random.Generator, cells: int, span: float) -> list[tuple[str, float, float]]:
    """Some sensors never report, others miss hours or days."""
    sensors = [f"{kind}-{cell}" for cell in range(cells) for kind in ("ot", "ids")] + ["ids-it", "fw-edge", "fw-ot"]
    found = []
    for sensor in sensors:
        if sensor not in ("ids-it", "ids-0", "ot-0") and rng.random() < 0.12:
            found.append((sensor, 0.0, span))
        elif rng.random() < 0.3:
            begin = rng.uniform(0.1, 0.9) * span
            found.append((sensor, begin, min(span, begin + rng.exponential(0.5) * DAY)))
    return found


def build_site(rng: np.random.Generator, number: int, span: float, desks: int | None = None) -> Site:
    """Draw one network; `number` keeps names and addresses of several sites apart, so that one asset list serves all."""
    prefix = f"{'abcdefghijklmnopqrstuvwxyz'[int(rng.integers(26))]}{number:02d}"
    octet, cells = 10 + number * 2 % 240, int(rng.integers(1, 7))
    n = desks or int(np.clip(rng.lognormal(4.0, 1.0), 8, 900))
    hosts = _office(rng, prefix, octet, n, span) + _plant(rng, prefix, octet, cells)
    for place in range(int(rng.integers(40, 400))):  # RFC 2544 and RFC 5737: addresses that belong to nobody
        block = ("198.51.100", "203.0.113", "192.0.2", "198.18.0", "198.19.7")[place % 5]
        hosts.append(
            Host(f"{block}.{1 + place // 5}", "external", "external", 5.0, f"{block}.{1 + place // 5}", windows=False)
        )
    ot_product = ("d4iot", "d4iot", "claroty", "nozomi")[int(rng.integers(4))]
    products = {"ids", "fw", ot_product, "edr"}
    products |= {
        p for p, chance in (("sigma", 0.8), ("identity", 0.7), ("signin", 0.8), ("av", 0.5)) if rng.random() < chance
    }
    lease = float(rng.choice([8, 12, 24, 72, 192])) * HOUR
    pool = [i for i, host in enumerate(hosts) if host.pool]
    translate = rng.uniform(0, 0.6)
    return Site(
        name=f"plant-{prefix}",
        span=span,
        hosts=hosts,
        products=frozenset(products),
        protocols=[str(rng.choice(PROTOCOLS)) for _ in range(cells)],
        translated={cell for cell in range(cells) if rng.random() < translate},
        leases=_leases(rng, len(pool), int(span // lease) + 2, rng.uniform(0.02, 0.3)),
        lease_seconds=lease,
        pool_at={host: place for place, host in enumerate(pool)},
        proxied=bool(rng.random() < 0.6),
        offset_hours=float(rng.integers(-7, 9)),
        silences=_silences(rng, cells, span),
        octet=octet,
    )
