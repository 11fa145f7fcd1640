"""From what somebody does on the network to the alerts that this site's sensors make of it, or to silence.

Intrusions and benign routines both come through here, so that no alert tells by its type, fields or host which it was.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from plantbench.catalogue import Rule
from plantbench.site import Site

HOST_PRODUCTS = ("edr", "sigma")
OT_PRODUCTS = ("d4iot", "claroty", "nozomi")
NETWORK_PRODUCTS = ("ids", "fw")
AGAIN = 0.15  # a sensor repeats itself now and then


class Act(NamedTuple):
    """Somebody does something: seconds since the start, hosts by index (-1: none), account by index (-1: none)."""

    at: float
    kind: str
    source: int
    target: int
    account: int


@dataclass
class Alerts:
    """Alerts as columns; `step` is the number of the attack step that made the alert, or -1."""

    at: list[float] = field(default_factory=list)
    rule: list[int] = field(default_factory=list)
    source: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    account: list[int] = field(default_factory=list)
    step: list[int] = field(default_factory=list)

    def extend(self, other: Alerts) -> None:
        """Take the alerts of another batch behind these."""
        for name, column in vars(self).items():
            column.extend(getattr(other, name))

    def __len__(self) -> int:
        """How many alerts."""
        return len(self.at)


class Watch:
    """The detection of one site: which types are deployed, since when, and what each sensor can see."""

    def __init__(self, site: Site, rules: tuple[Rule, ...], rng: np.random.Generator) -> None:
        """Deploy most types of the site's products; a tenth comes in, and a few go, in the middle of the period."""
        self.site, self.rules = site, rules
        n = len(rules)
        owned = np.array([rule.product in site.products for rule in rules])
        self.deployed = owned & (rng.random(n) < 0.85)
        change = rng.uniform(0.15, 0.95, n) * site.span
        fate = rng.random(n)
        self.begins = np.where(fate < 0.1, change, 0.0)
        self.ends = np.where(fate > 0.96, change, np.inf)
        self._by_act: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number in np.flatnonzero(self.deployed):
            for act, chance in rules[number].acts.items():
                self._by_act[act].append((int(number), chance))
        self._silent: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for sensor, begin, end in site.silences:
            self._silent[sensor].append((begin, end))

    def sensor(self, rule: int, source: int, target: int) -> str:
        """The sensor that would report it, '' if none sees these ends."""
        product, hosts = self.rules[rule].product, self.site.hosts
        ends = [hosts[end] for end in (target, source) if end >= 0]
        if product in HOST_PRODUCTS:
            host = ends[0] if ends else None
            has = host is not None and (host.agent if product == "edr" else host.logs)
            return f"{product}/{host.name}" if host and has else ""
        if product in NETWORK_PRODUCTS and min(source, target) < 0:  # what is on one machine passes no network
            return ""
        inside = [host for host in ends if host.zone == "ot"]
        cell = next((max(host.cell, 0) for host in inside), None)
        if product in OT_PRODUCTS:
            return "" if cell is None else f"ot-{cell}"
        if product == "ids":
            return "ids-it" if cell is None else f"ids-{cell}"
        if product == "fw":
            return "fw-edge" if all(host.zone in ("it", "external") for host in ends) else "fw-ot"
        return product

    def speaks(self, rule: int, source: int, target: int) -> bool:
        """Whether a protocol's type fits the controllers that are involved."""
        protocol = self.rules[rule].protocol
        cells = {self.site.hosts[end].cell for end in (source, target) if end >= 0} - {-1}
        return not protocol or any(self.site.protocols[cell] == protocol for cell in cells)

    def hears(self, rule: int, source: int, target: int, at: float) -> bool:
        """Whether an alert comes of it: type deployed at the time, sensor there and not silent, hosts on the network."""
        if not (self.deployed[rule] and self.begins[rule] <= at < self.ends[rule]) or not self.speaks(
            rule, source, target
        ):
            return False
        if any(at < self.site.hosts[end].joined for end in (source, target) if end >= 0):
            return False
        sensor = self.sensor(rule, source, target)
        return bool(sensor) and not any(begin <= at < end for begin, end in self._silent.get(sensor, ()))

    def alerts(self, act: Act, step: int, rng: np.random.Generator) -> Alerts:
        """What the sensors report of one act."""
        found = Alerts()
        for rule, chance in self._by_act.get(act.kind, ()):
            draw, again = rng.random(2)
            if draw >= chance:
                continue
            source, target = self._ends(rule, act)
            for _ in range(2 if again < AGAIN else 1):
                at = act.at + float(rng.exponential(8.0))
                if at < self.site.span and self.hears(rule, source, target, at):
                    found.extend(Alerts([at], [rule], [source], [target], [act.account], [step]))
        return found

    def _ends(self, rule: int, act: Act) -> tuple[int, int]:
        """A host product is about one machine; a cloud product knows where an account came from."""
        product, hosts = self.rules[rule].product, self.site.hosts
        if product in HOST_PRODUCTS:
            outside = act.target < 0 or not hosts[act.target].windows
            about, other = (act.source, -1) if outside else (act.target, act.source)
            return (other if self.rules[rule].noise_from else -1), about
        if product == "signin":
            return act.source, -1
        if product in OT_PRODUCTS and not self.rules[rule].noise_to:  # about one device alone
            return (act.target if act.target >= 0 else act.source), -1
        return act.source, act.target
