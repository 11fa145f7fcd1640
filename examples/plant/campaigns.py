"""The stories: two attacks and one fault, each a sequence of steps with a cast of hosts.

A `Campaign` is told with parts ("patient", "files"), and its cast says which host plays each, so the same story can be
staged again on other hosts and days. Times are those of a wall clock on a day of the set (the first day is 1).
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from rules import Alert
from stories import FAULT, PIVOT, RANSOM, Step

__all__ = ["CAMPAIGNS", "Campaign", "campaign_alerts", "with_lenient_windows"]


@dataclass(frozen=True)
class Campaign:
    """One story with its cast; a story that is no attack leaves no label."""

    name: str
    steps: tuple[Step, ...]
    cast: Mapping[str, str]
    is_attack: bool = True

    @property
    def last_day(self) -> int:
        """The day on which it ends; a shorter set leaves the whole campaign out rather than half of it."""
        return max(step.day for step in self.steps)


CAMPAIGNS: tuple[Campaign, ...] = (
    Campaign(
        "pivot",
        PIVOT,
        {
            "attacker": "203.0.113.199",
            "patient": "ws-017",
            "user": "corp\\s.lange",
            "stolen": "corp\\j.meyer",
            "files": "fs01",
            "jump": "jmp01",
            "station": "ews-2",
            "controller": "plc-3",
            "second controller": "plc-4",
        },
    ),
    Campaign(
        "ransom",
        RANSOM,
        {
            "attacker": "198.51.100.213",
            "gateway": "vpn01",
            "entry": "ws-008",
            "user": "corp\\k.braun",
            "application": "srv-app2",
            "database": "srv-db1",
        },
    ),
    Campaign("fault", FAULT, {"controller": "plc-7", "scada": "scada01", "hmi": "hmi-1"}, is_attack=False),
)


def campaign_alerts(campaign: Campaign, days: list[dt.datetime], seed: int) -> Iterator[Alert]:
    """All alerts of a campaign, labelled `<campaign>.<step>`; none if it would not end within the days."""
    if campaign.last_day > len(days):
        return
    rng = random.Random(f"{seed}/campaign/{campaign.name}")
    for step in campaign.steps:
        opens = days[step.day - 1] + dt.timedelta(hours=step.hour, minutes=step.minute + rng.uniform(-3, 3))
        label = f"{campaign.name}.{step.name}" if campaign.is_attack else "-"
        for act in step.acts:
            at = opens + dt.timedelta(minutes=act.after)
            for _ in range(act.times):
                source, target, account = (campaign.cast.get(p, p) for p in (act.source, act.target, act.account))
                moment = at + dt.timedelta(seconds=rng.uniform(0, 20))
                yield Alert(moment, act.rule, target, source, account, label, has_known_cause=not campaign.is_attack)
                at += dt.timedelta(minutes=act.every * rng.uniform(0.7, 1.3))


def with_lenient_windows(alerts: Iterable[Alert]) -> list[tuple[Alert, str]]:
    """Each alert with its lenient label: its own, else that of the step whose time window it falls into, else '-'.

    A step's window reaches from its first to its last alert. Where two windows overlap the one that opened first counts.
    What the site can explain itself stays '-' also inside a window.
    """
    told = sorted(alerts, key=lambda alert: (alert.at, alert.rule, alert.source, alert.target, alert.account))
    windows: dict[str, tuple[dt.datetime, dt.datetime]] = {}
    for alert in told:
        if alert.label != "-":
            opened, _ = windows.get(alert.label, (alert.at, alert.at))
            windows[alert.label] = (opened, alert.at)
    ordered = sorted(windows.items(), key=lambda window: window[1])
    return [(alert, _lenient(alert, ordered)) for alert in told]


def _lenient(alert: Alert, windows: list[tuple[str, tuple[dt.datetime, dt.datetime]]]) -> str:
    if alert.label != "-" or alert.has_known_cause:
        return alert.label
    return next((label for label, (opened, closed) in windows if opened <= alert.at <= closed), "-")


def recast(campaign: Campaign, name: str, cast: Mapping[str, str]) -> Campaign:
    """The same story under another name and with other hosts: how one plant grows into many incidents.

    Raises
    ------
    ValueError
        If the new cast leaves a part of the story without a host.
    """
    missing = sorted(set(campaign.cast) - set(cast))
    if missing:
        raise ValueError(f"campaign {name}: no host for {', '.join(missing)}")
    return replace(campaign, name=name, cast=dict(cast))
