"""A lake of hubs: a domain controller that up to 100,000 addresses talk to, and chains through it once it is compromised.

A third of the addresses set off one everyday type; the others come in waves of one hour, each with a type of its own, so that
their episodes are no noise that a filter takes away. A chain is reach, leave and reach again: three alerts within the hour.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

DEGREES = (100, 1_000, 10_000, 100_000)
CHAINS, DAYS, WAVES = 20, 8, 60
BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
CONTROLLER = "10.0.0.10"
REACH = ("ET EXPLOIT Netlogon privilege", "ET EXPLOIT Kerberos forged ticket", "ET EXPLOIT LDAP relay")
LEAVE = ("ET POLICY PsExec service created", "ET LATERAL WMI process create", "ET LATERAL DCOM execution")
WORKSPACES = (
    "WorkspaceResourceId=/subscriptions/0/resourcegroups/hubs/providers/microsoft.operationalinsights/workspaces"
)
DAY = 86_400.0
Row = tuple[float, str, str, str, int, str]


def rows(degree: int, rng: np.random.Generator) -> Iterator[Row]:
    """Seconds since the begin, source, target, signature, Suricata's severity, chain and step or -."""
    for number in range(degree):
        source = f"10.{1 + number // 60_000}.{number % 60_000 // 240}.{10 + number % 240}"
        wave = int(rng.integers(WAVES * 3 // 2))
        if wave < WAVES:
            at, name = 1.1 * DAY + wave * (DAYS - 1.2) * DAY / WAVES + 3600 * rng.random(), f"SITE wave {wave:02d}"
        else:
            at, name = DAYS * DAY * rng.random(), "SITE everyday logon"
        yield at, source, CONTROLLER, name, 3, "-"
    for chain in range(CHAINS):
        at = (1.5 + (DAYS - 2) * rng.random()) * DAY
        entry, first, second = (f"10.9.{chain}.{octet}" for octet in rng.choice(200, 3, replace=False) + 10)
        path = ((entry, CONTROLLER), (CONTROLLER, first), (first, second))
        for step, (source, target) in enumerate(path):
            yield at, source, target, str(rng.choice(LEAVE if step else REACH)), 1, f"chain{chain:02d}/{step + 1}"
            at += 60 * rng.uniform(5, 20)


def make(folder: Path) -> None:
    """Write the lake: one site a degree."""
    folder.mkdir(parents=True)
    n = 0
    with gzip.open(folder / "truth.csv.gz", "wt", newline="", encoding="utf-8") as file:
        truth = csv.writer(file)
        truth.writerow(("item_id", "network", "time", "host", "name", "strict", "lenient"))
        for degree in DEGREES:
            site, days = f"hub-{degree}", dict[str, list[str]]()
            for at, source, target, name, severity, mark in sorted(rows(degree, np.random.default_rng(degree))):
                when, n = BEGIN + timedelta(seconds=at), n + 1
                stamp, item_id = f"{when:%Y-%m-%dT%H:%M:%S.%f}0Z", f"hubs/{n:07d}"
                days.setdefault(f"{when:y=%Y/m=%m/d=%d}", []).append(
                    _line(stamp, item_id, (source, target, name, severity))
                )
                truth.writerow((item_id, site, stamp, target, name, mark, mark))
            for day, lines in days.items():
                blob = folder / "lake" / "am-suricataeve_cl" / WORKSPACES / site / day / "h=00" / "m=00" / "PT05M.json"
                blob.parent.mkdir(parents=True)
                blob.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "lake.json").write_text(json.dumps({"rows": n, "degrees": DEGREES}) + "\n", encoding="utf-8")


def _line(stamp: str, item_id: str, facts: tuple[str, str, str, int]) -> str:
    source, target, name, severity = facts
    event = {
        **{"timestamp": f"{stamp[:26]}+0000", "event_type": "alert", "proto": "TCP"},
        **{"src_ip": source, "dest_ip": target, "src_port": 40_000, "dest_port": 445},
        "alert": {"signature": name, "severity": severity, "category": "Misc activity"},
    }
    row = {"RawData": json.dumps(event), "Computer": "sensor01", "TimeGenerated": stamp, "_ItemId": item_id}
    return json.dumps({**row, "Type": "SuricataEve_CL"})
