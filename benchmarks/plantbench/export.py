"""What is written: the export folders, the truth, the campaigns, the asset list, the announced windows, the run's file.

Rows are written in the order of their arrival and a folder at a time, so that memory holds columns, never the rows.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from plantbench.catalogue import Rule
from plantbench.site import DAY, Host, Site
from plantbench.unfold import Campaign

START = np.datetime64("2026-03-02T00:00:00", "us")  # a Monday
WORKSPACES = (
    "WorkspaceResourceId=/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/plantbench"
    "/providers/microsoft.operationalinsights/workspaces"
)
TENANT = "11111111-1111-1111-1111-111111111111"
TRUTH = ("item_id", "network", "time", "host", "name", "strict", "lenient")
ROUTINES = ("item_id", "network", "chain", "crosses")
ASSETS = ("asset", "name", "zone", "purdue_level", "role")
WINDOWS = ("site", "from", "to", "asset", "what")
ROLES = {
    "deployment": "server",
    "backup": "server",
    "patch_server": "server",
    "historian_mirror": "historian",
    "vpn": "server",
}
RUN = """# How to rank this set: python jobs/rank_alerts.py --config {out}/run.yaml
export: {{root: "{out}/lake", history_hours: 720}}
sources:
  - {{table: SecurityAlert, format: security_alert}}
  - {{table: CommonSecurityLog, format: common_security_log}}
  - {{table: SuricataEve_CL, format: suricata_eve}}
  - {{table: SigmaAlerts_CL, format: sigma}}
assets: "{out}/assets.csv"
maintenance: "{out}/maintenance.csv"
results: {{path: "{out}/results"}}
tracking: {{uri: none}}
post: {{mode: none}}
spark: {{master: "local[2]", driver_memory: 4g}}
"""


def stamps(seconds: np.ndarray) -> list[str]:
    """Seconds since the start as ISO times with six digits of fraction."""
    texts: list[str] = np.datetime_as_string(START + (seconds * 1e6).astype("timedelta64[us]"), unit="us").tolist()
    return texts


def stamp(seconds: float) -> str:
    """One time as the export writes it."""
    return stamps(np.array([seconds]))[0] + "0Z"


def guids(rng: np.random.Generator, n: int) -> Iterator[str]:
    """Random GUIDs that the seed decides."""
    block = rng.bytes(16 * n)
    return (str(uuid.UUID(bytes=block[16 * i : 16 * i + 16], version=4)) for i in range(n))


@contextmanager
def packed_table(path: Path, header: tuple[str, ...]) -> Iterator[csv.writer]:  # type: ignore[valid-type]
    """A CSV writer of a compressed table; the compressed file carries no time of its own."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(header)
        yield rows


class Folders:
    """Five-minute folders of one site; lines are flushed when time moves on to the next folder."""

    def __init__(self, out: Path, site: str) -> None:
        """Write under `out`/lake."""
        self.out, self.site, self.files = out, site.lower(), 0
        self._lines: dict[str, list[str]] = defaultdict(list)
        self._folder = ""

    def add(self, table: str, when: str, line: str) -> None:
        """Take one line of an arrival time (ISO) that is not before the last one's."""
        folder = f"y={when[:4]}/m={when[5:7]}/d={when[8:10]}/h={when[11:13]}/m={int(when[14:16]) // 5 * 5:02d}"
        if folder != self._folder:
            self.flush()
            self._folder = folder
        self._lines[table].append(line)

    def flush(self) -> None:
        """Write the folder at hand."""
        for table, lines in self._lines.items():
            path = self.out / "lake" / f"am-{table.lower()}" / WORKSPACES / self.site / self._folder
            path.mkdir(parents=True, exist_ok=True)
            (path / "PT05M.json").write_text("\n".join(lines) + "\n", encoding="utf-8")
            self.files += 1
        self._lines.clear()


def export_line(table: str, columns: dict[str, object], when: str, item_id: str) -> str:
    """One exported row; empty columns are left out."""
    kept = {key: value for key, value in columns.items() if value != ""}
    row = {"TenantId": TENANT, "TimeGenerated": f"{when}0Z", **kept, "_ItemId": item_id, "Type": table}
    return json.dumps(row, ensure_ascii=False)


def asset_rows(site: Site, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """What the site believes of its hosts: some are missing, some out of date; leased addresses are not listed."""
    missing, wrong = rng.uniform(0.02, 0.15), rng.uniform(0.0, 0.05)
    listed = [host for host in site.hosts if host.role != "external"]
    for host in listed:
        lost, stale = rng.random(2)
        role = ROLES.get(host.role, host.role)
        if lost < missing and role not in ("domain_controller", "scanner"):
            continue
        zone, level = host.zone, host.level
        if stale < wrong:
            old = listed[int(rng.integers(len(listed)))]  # the machine that once had this name
            zone, level, role = old.zone, old.level, ROLES.get(old.role, old.role)
        facts = (host.name, zone, level, role)
        for spelling in dict.fromkeys((host.name, host.fqdn, *(() if host.pool else (host.address,)))):
            yield spelling, *facts
    octet = site.octet
    yield f"10.{octet}.0.0/17", "", "it", 4.0, ""
    yield f"10.{octet}.65.0/24", "", "dmz", 3.5, ""
    for third in range(69, 72 + len(site.protocols)):
        yield f"10.{octet}.{third}.0/24", "", "ot", 2.0, ""


OUTSIDE = tuple(
    (f"{block}.0/24", "", "external", 5.0, "")
    for block in ("198.51.100", "203.0.113", "192.0.2", "198.18.0", "198.19.7")
)


def write_csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """A CSV with unix line ends."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def announced(site: Site, chains: list[Campaign], rng: np.random.Generator) -> Iterator[tuple[str, ...]]:
    """The windows that operations announced: most of those that happened, and some that never did.

    A window names the machines that the work is done from, as a change request does, in whole minutes.
    """

    def rows(chain: Campaign, later: float) -> Iterator[tuple[str, ...]]:
        acts = [act for step in chain.steps for act in step.acts if min(act.source, act.target) >= 0]
        begin, end = (min(at + later, site.span) for at in (max(chain.span[0] - 1800, 0), chain.span[1] + 3600))
        if end - begin < 60:
            return  # after the last day
        for host in sorted({site.hosts[act.source].name for act in acts if site.hosts[act.source].zone != "external"}):
            yield site.name, f"{stamp(begin)[:16]}:00Z", f"{stamp(end)[:16]}:00Z", host, chain.story.name

    for chain in chains:
        told, phantom = rng.random(2)
        if chain.story.announced and told < 0.85:
            yield from rows(chain, 0)
        if chain.story.announced and phantom < 0.1:
            yield from rows(chain, DAY)


def campaign_note(
    name: str, campaign: Campaign, site: Site, labels: list[str], counts: dict[str, int]
) -> dict[str, object]:
    """What `campaigns.json` tells of one campaign; `alerts` counts exported rows, `dwell_hours` first to last act."""
    begin, end = campaign.span

    def named(hosts: Iterable[int]) -> list[str]:
        return [_name(site.hosts[host]) for host in hosts]

    steps = [
        {
            "label": label,
            "name": step.name,
            "technique": step.technique,
            "way": step.way,
            "from": stamp(step.windows[0][0]),
            "to": stamp(step.windows[-1][1]),
            "windows": [[stamp(a), stamp(b)] for a, b in step.windows],
            "hosts": named(step.hosts),
            "alerts": counts.get(label, 0),
        }
        for label, step in zip(labels, campaign.steps, strict=True)
    ]
    return {
        "campaign": name,
        "kind": campaign.story.name,
        "family": campaign.story.family,
        "source": campaign.story.source,
        "site": site.name,
        "path": [step.name for step in campaign.steps],
        "from": stamp(begin),
        "to": stamp(end),
        "dwell_hours": round((end - begin) / 3600, 3),
        "alerts": sum(counts.get(label, 0) for label in labels),
        "hosts": sorted({host for step in campaign.steps for host in named(step.hosts)}),
        "steps": steps,
    }


def _name(host: Host) -> str:
    return host.name


def site_note(site: Site, rules: tuple[Rule, ...], deployed: np.ndarray) -> dict[str, object]:
    """The character of a network, for whoever asks why two seeds differ."""
    return {
        "site": site.name,
        "hosts": {role: sum(h.role == role for h in site.hosts) for role in dict.fromkeys(h.role for h in site.hosts)},
        "products": sorted(site.products),
        "protocols": site.protocols,
        "types": int(deployed.sum()),
        "lease_hours": site.lease_seconds / 3600,
        "translated_cells": sorted(site.translated),
        "proxied": site.proxied,
        "utc_offset_hours": site.offset_hours,
        "silences": [[sensor, stamp(begin), stamp(end)] for sensor, begin, end in site.silences],
    }
