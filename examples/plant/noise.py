"""The everyday noise of the plant: who emits what, how often, in which rhythm.

An `Emitter` is everyday noise: it fires on day one already and in most hours of its rhythm, so a filter that knows the past
alone can learn it. An `Occasion` is the rest of a normal week: single events on single hosts, many of them of the very
types that an attacker would cause too, and some that come up for the first time on the second or third day.
Adding noise is adding a record with a random stream of its own. A new occasion at the end of the list changes no other
alert; a new emitter takes its share of the wanted number from the others.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from network import SPRAYED, Network, guest_address, internet_address
from occasions import OCCASIONS, Occasion
from rules import Alert

# Share of a day's events in each UTC hour; the office opens at 6 and empties at 17, the shifts change at 5, 13 and 21.
RHYTHMS: dict[str, tuple[float, ...]] = {
    "steady": (1.0,) * 24,
    "office": (0.1,) * 5 + (0.5, 3, 6, 7, 6, 5, 3, 4, 6, 6, 5, 3, 1) + (0.2,) * 6,
    "shifts": (1, 1, 1, 1, 2, 5, 3, 1, 1, 1, 1, 1, 2, 5, 3, 1, 1, 1, 1, 1, 2, 5, 3, 1),
    "periodic": (),  # a machine's clock: equal gaps, a little jitter
}
WEEKEND = {"office": 0.15}  # the rest of the plant runs through
MIN_BURSTS_A_DAY = 12  # fewer, and an everyday type might be missing from four fifths of the hours


@dataclass(frozen=True)
class Emitter:
    """Everyday noise: `per_day` alerts at the nominal size, in bursts of `burst` on average."""

    rule: str
    rhythm: str
    per_day: float
    target: str
    source: str = ""
    account: str = ""
    burst: float = 1.0


EVERYDAY: tuple[Emitter, ...] = (
    Emitter("ids.ipc_share", "office", 130, "fs01", "role:workstation", burst=2),
    Emitter("ids.curl", "steady", 60, "internet", "role:server", burst=2),
    Emitter("ids.apt", "steady", 40, "internet", "srv-mon1"),
    Emitter("ids.invalid_ack", "steady", 120, "proxy01", "zone:it", burst=3),
    Emitter("ids.one_direction", "steady", 60, "internet", "proxy01"),
    Emitter("ids.snmp_public", "periodic", 96, "role:server", "srv-mon1"),
    Emitter("ids.ping", "steady", 70, "zone:it", "srv-mon1"),
    Emitter("ids.dropbox", "office", 40, "internet", "role:workstation"),
    Emitter("ids.modbus_unsolicited", "steady", 110, "scada01", "role:plc", burst=3),
    Emitter("ids.modbus_mismatch", "steady", 80, "role:plc", "hist01", burst=2),
    Emitter("ids.modbus_read", "periodic", 72, "role:plc", "hist01"),
    Emitter("fw.local_deny", "steady", 260, "fw-edge", "internet", burst=2),
    Emitter("fw.webfilter", "office", 70, "internet", "role:workstation", "owner", burst=2),
    Emitter("fw.vpn_fail", "steady", 90, "vpn01", "internet", "sprayed", burst=3),
    Emitter("fw.deny", "steady", 50, "scada01", "hist-mir"),
    Emitter("sigma.failed_logon", "office", 90, "role:domain_controller", "role:workstation", "owner", burst=2),
    Emitter("sigma.rc4", "steady", 50, "dc01", "srv-app1", "corp\\svc_erp"),
    Emitter("sigma.password_policy", "steady", 40, "role:domain_controller"),
    Emitter("av.pattern", "shifts", 90, "role:workstation"),
    Emitter("edr.pua", "office", 32, "role:workstation", "", "owner"),
    Emitter("signin.unfamiliar", "office", 32, "", "internet", "anyone"),
    Emitter("d4iot.exception", "periodic", 72, "scada01", "plc-5"),
    Emitter("d4iot.bandwidth", "steady", 32, "hist-mir", "hist01"),
    Emitter("d4iot.illegal_modbus", "shifts", 36, "plc-6", "hmi-2"),
)


class Ends:
    """Draws both ends of an alert; in a group some hosts are far noisier than others, as in life."""

    def __init__(self, network: Network, record: Emitter | Occasion, rng: random.Random) -> None:
        """Rank the hosts of the record's groups by how noisy they are going to be."""
        self._network, self._record, self._rng = network, record, rng
        self._groups = {s: self._ranked(s) for s in (record.source, record.target) if ":" in s}

    def _ranked(self, selector: str) -> list[str]:
        hosts = self._network.group(selector)
        self._rng.shuffle(hosts)
        return hosts

    def _host(self, selector: str) -> str:
        if selector in self._groups:
            hosts = self._groups[selector]
            return self._rng.choices(hosts, [1 / rank for rank in range(1, len(hosts) + 1)])[0]
        if selector == "internet":
            return internet_address(self._rng)
        if selector == "guest":
            return guest_address(self._rng)
        return self._network.address(selector) if selector[:1].isdigit() else selector

    def _account(self, source: str, target: str) -> str:
        if self._record.account == "owner":
            owners = (self._network.find(end) for end in (source, target) if end)
            return next((asset.owner for asset in owners if asset and asset.owner), "")
        if self._record.account == "anyone":
            return self._rng.choice([asset.owner for asset in self._network.assets if asset.owner])
        return self._rng.choice(SPRAYED) if self._record.account == "sprayed" else self._record.account

    def draw(self, at: dt.datetime) -> Alert:
        """One alert of the record at a time."""
        source = self._host(self._record.source)
        target = self._host(self._record.target)
        return Alert(at, self._record.rule, target, source, self._account(source, target))


def _weight(rhythm: str, day: dt.datetime) -> float:
    return WEEKEND.get(rhythm, 1.0) if day.weekday() >= 5 else 1.0


def _starts(rhythm: str, day: dt.datetime, count: int, rng: random.Random) -> Iterator[dt.datetime]:
    """Times of `count` bursts on one day."""
    if rhythm == "periodic":
        period = dt.timedelta(days=1) / count
        for number in range(count):
            yield day + period * (number + rng.uniform(0.4, 0.6))
        return
    for hour in rng.choices(range(24), RHYTHMS[rhythm], k=count):
        yield day + dt.timedelta(hours=hour, seconds=rng.uniform(0, 3600))


def everyday_alerts(network: Network, days: list[dt.datetime], budget: int, seed: int) -> Iterator[Alert]:
    """About `budget` alerts of everyday noise over the days, shared out by each emitter's nominal rate.

    Raises
    ------
    ValueError
        If the budget is so small that everyday types would no longer be everyday; names the budget that is needed.
    """
    scale = budget / sum(e.per_day * _weight(e.rhythm, day) for e in EVERYDAY for day in days)
    rarest = min(e.per_day / e.burst for e in EVERYDAY)
    if scale * rarest < MIN_BURSTS_A_DAY:
        needed = round(budget * MIN_BURSTS_A_DAY / (scale * rarest))
        raise ValueError(f"{budget} everyday alerts are too few for {len(days)} days: at least {needed}")
    for emitter in EVERYDAY:
        rng = random.Random(f"{seed}/everyday/{emitter.rule}")
        ends = Ends(network, emitter, rng)
        for day in days:
            wanted = emitter.per_day * scale * _weight(emitter.rhythm, day)
            for start in _starts(emitter.rhythm, day, max(1, round(wanted / emitter.burst)), rng):
                first = ends.draw(start)
                yield first
                yield from _repeats(first, emitter.burst, rng)


def _repeats(first: Alert, burst: float, rng: random.Random) -> Iterator[Alert]:
    """The rest of a burst: the same pair again within seconds, geometric in number around the mean."""
    at = first.at
    while rng.random() < 1 - 1 / burst:
        at += dt.timedelta(seconds=rng.expovariate(1 / 8))
        yield Alert(at, first.rule, first.target, first.source, first.account)


def occasional_alerts(network: Network, days: list[dt.datetime], seed: int) -> Iterator[Alert]:
    """The single events of a normal week, spread over the days so that none becomes everyday."""
    for number, occasion in enumerate(OCCASIONS):
        rng = random.Random(f"{seed}/occasion/{number}/{occasion.rule}")
        ends = Ends(network, occasion, rng)
        open_days = days[occasion.from_day :]
        rng.shuffle(open_days)
        count = max(1, round(occasion.times * len(open_days) / max(1, 3 - occasion.from_day)))
        for day in islice(cycle(open_days), count):
            yield ends.draw(next(_starts(occasion.rhythm, day, 1, rng)))
