"""What the site does to itself and knows of: vulnerability scans by night, maintenance through its own jump host.

Both look like attacks and neither is one. A scan is a flood of signatures from one host to all others; a maintenance
window walks the same way from IT into OT that an attacker would. Every alert of theirs has a known cause.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path

from network import Network
from rules import Alert

SCANNER = "scan01"
SWEEP = (
    "ids.nse_agent",
    "ids.nmap_agent",
    "ids.nmap_os",
    "ids.mysql",
    "ids.postgres",
    "ids.mssql",
    "ids.oracle",
    "ids.vnc_59",
    "ids.vnc_58",
    "ids.ssh_scan",
    "ids.rdp_reset",
    "ids.snmp_public",
    "ids.c_share",
    "ids.bind_version",
)
SERVER_ONLY = {"ids.bind_version", "ids.snmp_public", "ids.ssh_scan"}

PLANNER, JUMP, STATION = "ws-012", "jmp-mnt", "ews-1"
ACCOUNT = "corp\\mnt.rota"
# minutes after the window opens, rule, source, target, account
WINDOW: tuple[tuple[float, str, str, str, str], ...] = (
    (0, "fw.rdp_to_dmz", PLANNER, JUMP, ACCOUNT),
    (0.3, "ids.rdp_admin", PLANNER, JUMP, ""),
    (1, "sigma.rdp_operations", PLANNER, JUMP, ACCOUNT),
    (6, "ids.rdp_admin", JUMP, "ews-1", ""),
    (7, "sigma.rdp_operations", JUMP, "ews-1", ACCOUNT),
    (9, "d4iot.remote_service", JUMP, "ews-1", ""),
    (10, "sigma.service_installed", "", "ews-1", ACCOUNT),
    (15, "d4iot.config_read", JUMP, "plc-1", ""),
    (17, "d4iot.config_read", JUMP, "plc-2", ""),
    (24, "d4iot.programming", JUMP, "plc-1", ""),
    (25, "ids.modbus_write", JUMP, "plc-1", ""),
    (26, "ids.modbus_write", JUMP, "plc-1", ""),
    (28, "d4iot.mode_changed", "ews-1", "plc-1", ""),
    (39, "d4iot.programming", JUMP, "plc-2", ""),
    (40, "ids.modbus_write", JUMP, "plc-2", ""),
    (43, "d4iot.mode_changed", "ews-1", "plc-2", ""),
    (55, "d4iot.function_code", JUMP, "plc-1", ""),
)


def scan_alerts(network: Network, days: list[dt.datetime], seed: int) -> Iterator[Alert]:
    """The sweep of the office zone, half past midnight, from the second night on: host after host, port after port."""
    hosts = [h for h in network.group("zone:it") if not h.startswith("fw-")]
    for number, day in enumerate(days[1:], 1):
        rng = random.Random(f"{seed}/scan/{number}")
        order = list(hosts)
        rng.shuffle(order)
        at = day + dt.timedelta(minutes=30 + rng.uniform(-5, 5))
        pause = 7000 / len(order)  # the whole sweep takes about two hours, whatever the size of the site
        for host in order:
            asset = network.find(host)
            is_server = asset is not None and asset.role != "workstation"
            moment = at
            for rule in SWEEP:
                if (is_server or rule not in SERVER_ONLY) and rng.random() < (0.65 if is_server else 0.45):
                    moment += dt.timedelta(seconds=rng.uniform(0.5, pause / len(SWEEP)))
                    yield Alert(moment, rule, host, SCANNER, has_known_cause=True)
            at += dt.timedelta(seconds=pause * rng.uniform(0.8, 1.2))


def maintenance_alerts(days: list[dt.datetime], seed: int) -> Iterator[Alert]:
    """The daily maintenance window at about noon, from the planner's desk over its own jump host to the controllers."""
    for number, day in enumerate(days):
        rng = random.Random(f"{seed}/maintenance/{number}")
        opens = day + dt.timedelta(hours=12, minutes=rng.uniform(-12, 12))
        pace = rng.uniform(0.9, 1.2)
        for minutes, rule, source, target, account in WINDOW:
            at = opens + dt.timedelta(minutes=minutes * pace, seconds=rng.uniform(0, 15))
            yield Alert(at, rule, target, source, account, has_known_cause=True)


def write_calendar(path: Path, days: list[dt.datetime], site: str) -> None:
    """Write what operations announce: a window each noon for the machines that the work is done from."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("asset", "from", "to", "site", "what"))
        for day in days:
            begins, ends = (day + dt.timedelta(hours=hours) for hours in (11.5, 13.5))
            for asset in (PLANNER, JUMP, STATION):
                rows.writerow((asset, begins.isoformat(), ends.isoformat(), site, "controllers 1 and 2"))
