#!/usr/bin/env python3
"""Make up one factory: three days of alerts from office and operations, two attacks hidden in them, and the truth.

    generate.py OUT [--seed 7] [--days 3] [--alerts 5000] [--site plant-north]

OUT/lake/            the alerts as Log Analytics exports them, in four tables
OUT/assets.csv       the site's asset list: names, addresses, zones, Purdue levels, roles
OUT/maintenance.csv  the windows that operations announce
OUT/truth.csv.gz     what each row was: '-' or the attack's step; no row of the lake holds any of it
OUT/lake.json        rows and time span of each table

The same seed gives the same bytes. Only the standard library is used. Times are UTC.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import sys
from pathlib import Path

from campaigns import CAMPAIGNS, campaign_alerts, with_lenient_windows
from lake import Item, write_lake
from network import Network, build_network
from noise import everyday_alerts, occasional_alerts
from planned import maintenance_alerts, scan_alerts, write_calendar
from products import RULES, write_rows
from rules import Alert

START = dt.datetime(2026, 3, 2, tzinfo=dt.timezone.utc)  # a Monday


def make_alerts(network: Network, days: list[dt.datetime], wanted: int, seed: int) -> list[Alert]:
    """Everything that happens on the days: everyday noise fills up what the rest leaves of the wanted number."""
    alerts = [*scan_alerts(network, days, seed), *maintenance_alerts(days, seed)]
    alerts += occasional_alerts(network, days, seed)
    for campaign in CAMPAIGNS:
        alerts += campaign_alerts(campaign, days, seed)
    return [*everyday_alerts(network, days, wanted - len(alerts), seed), *alerts]


def make_items(network: Network, alerts: list[Alert], ends: dt.datetime, seed: int) -> list[Item]:
    """Let each product write its rows; a row that arrives after the last day is not part of the export."""
    rng = random.Random(f"{seed}/products")
    items = []
    for alert, lenient in with_lenient_windows(alerts):
        host = network.find(alert.target)
        about = host.name if host else alert.target or alert.account
        for row in write_rows(alert, network, rng):
            if row.received < ends:
                items.append(Item(row, about, RULES[alert.rule].name, alert.label, lenient))
    return items


def generate(
    out: Path, seed: int = 7, n_days: int = 3, wanted: int = 5000, site: str = "plant-north"
) -> dict[str, object]:
    """Write the whole set under `out` and return the note of `lake.json`.

    Raises
    ------
    ValueError
        If there is not a single day, or so few alerts are wanted that everyday noise would no longer be everyday.
    FileExistsError
        If `out` holds anything already: two runs must not mix.
    """
    if n_days < 1:
        raise ValueError(f"{n_days} days: at least 1")
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: name a new folder")
    days = [START + dt.timedelta(days=number) for number in range(n_days)]
    network = build_network()
    alerts = make_alerts(network, days, wanted, seed)
    out.mkdir(parents=True, exist_ok=True)
    network.write_assets(out / "assets.csv")
    write_calendar(out / "maintenance.csv", days, site)
    return write_lake(out, site, make_items(network, alerts, days[-1] + dt.timedelta(days=1), seed), seed)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; 2 means that the caller can put it right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="new or empty folder")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=3, help="attacks need 3; fewer days hold noise alone")
    parser.add_argument("--alerts", type=int, default=5000, help="about so many; more means more everyday noise")
    parser.add_argument("--site", default="plant-north", help="name of the workspace")
    args = parser.parse_args(argv)
    try:
        note = generate(args.out, args.seed, args.days, args.alerts, args.site)
    except (ValueError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(note, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
