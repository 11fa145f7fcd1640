"""The shape of alert sets side by side: is a generated set like real ones, or a toy?

    shape.py LAKE... [--real LAKE...] [--csv FILE]

LAKE is a folder with `lake/` and `truth.csv.gz`, generated here or laid out from a real set in the same form. Every
network (workspace) is one column of the table. With --real the table is short instead: the range over all networks on
either side, and whether the ranges meet. Nothing here knows how a set was made.

| row | meaning |
|---|---|
| alerts a day | rows by the span between the first and the last |
| types | distinct alert names; `types for 90 %` of the rows, `top type share` of the most frequent |
| hosts | distinct hosts of the truth file; `gini` of their rows (0: all alike, 1: one has all) |
| burstiness | (s - m)/(s + m) of the gaps of one type, median over types of at least 20 rows: -1 clock, 0 Poisson, 1 bursts |
| gap median, gap p90 | seconds between the rows of one host, over all hosts |
| pairs, degree | distinct source-target pairs; distinct peers of an end: median, 99th part of a hundred, largest |
| night share | rows from 20 to 6 o'clock UTC, by chance 42 %; `weekend ratio`: rows a weekend day by rows a weekday |
| late types | share of the types first seen after the first third of the span |
| new a host-day | benign rows a host and day, after that third, that are the first of their type at their host |
| attack share | rows with a strict label, in per cent; `alerts a step`: median and largest |
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

Ends = tuple[str, str]


def _suricata(row: dict[str, str]) -> tuple[str, Ends]:
    event = json.loads(row["RawData"])
    return event["alert"]["signature"], (event.get("src_ip", ""), event.get("dest_ip", ""))


def _sigma(row: dict[str, str]) -> tuple[str, Ends]:
    match = json.loads(row["RawData"])
    event = match["event"]
    return match["rule_title"], (event.get("IpAddress", ""), event.get("Hostname") or event.get("Computer", ""))


def _cef(row: dict[str, str]) -> tuple[str, Ends]:
    name = row["DeviceEventClassID"] if row.get("Activity") in (None, "", "None") else row["Activity"]
    return name, (row.get("SourceIP", ""), row.get("DestinationIP") or row.get("DestinationMACAddress", ""))


def _security(row: dict[str, str]) -> tuple[str, Ends]:
    extra = json.loads(row.get("ExtendedProperties") or "{}")
    ends = extra.get("SourceDeviceAddress", ""), extra.get("DestinationDeviceAddress", "")
    if not any(ends):
        entities = json.loads(row.get("Entities") or "[]")
        addresses = [e.get("Address", "") for e in entities if e.get("Type") == "ip"]
        ends = next(iter(addresses), ""), row.get("CompromisedEntity", "")
    return row.get("AlertName") or row.get("DisplayName", ""), ends


def _ait(row: dict[str, str]) -> tuple[str, Ends]:
    return json.loads(row["RawData"])["name"], ("", "")


READERS = {
    "SuricataEve_CL": _suricata,
    "SigmaAlerts_CL": _sigma,
    "CommonSecurityLog": _cef,
    "SecurityAlert": _security,
    "AitAds_CL": _ait,
}


def _rows(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    for blob in sorted((folder / "lake").rglob("PT05M.json")):
        with blob.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                name, (source, target) = READERS[row["Type"]](row)
                yield row["_ItemId"], name, source, target


def load(folder: Path) -> pd.DataFrame:
    """One row an alert: network, time (seconds), host, name as the product writes it, both ends, strict label."""
    truth = pd.read_csv(folder / "truth.csv.gz", dtype=str, keep_default_na=False)
    seen = pd.DataFrame(_rows(folder), columns=["item_id", "title", "source", "target"])
    both = truth.merge(seen.drop_duplicates("item_id"), on="item_id")
    both["at"] = pd.to_datetime(both["time"], utc=True, format="ISO8601")
    both["seconds"] = both["at"].astype("int64") / 1e9
    return both.sort_values(["network", "seconds"], kind="stable")


def gini(counts: np.ndarray) -> float:
    """Inequality of positive counts: 0 if all are alike, towards 1 if one has nearly all."""
    ordered = np.sort(counts.astype(float))
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum()))


def burstiness(seconds: np.ndarray) -> float:
    """(s - m)/(s + m) of the gaps between ordered times (Goh and Barabasi 2008)."""
    gaps = np.diff(np.sort(seconds))
    total = gaps.std() + gaps.mean()
    return float((gaps.std() - gaps.mean()) / total) if total else 0.0


def shape(alerts: pd.DataFrame) -> dict[str, float]:
    """The figures of one network, as the module describes them."""
    span = max((alerts["seconds"].iloc[-1] - alerts["seconds"].iloc[0]) / 86400, 1e-9)
    types, hosts = alerts["title"].value_counts(), alerts["host"].value_counts()
    by_type = [burstiness(g.to_numpy()) for _, g in alerts.groupby("title")["seconds"] if len(g) >= 20]
    gaps = alerts.groupby("host")["seconds"].diff().dropna()
    known = (alerts["source"] != "") & (alerts["target"] != "") & (alerts["source"] != alerts["target"])
    pairs = alerts.loc[known, ["source", "target"]].drop_duplicates()
    degree = pd.concat([pairs["source"], pairs["target"]]).value_counts()
    hour, day = alerts["at"].dt.hour, alerts["at"].dt.dayofweek
    days = alerts["at"].dt.date.groupby(day >= 5).nunique()
    weekend = (day >= 5).sum() / max(days.get(True, 0), 1) / max((day < 5).sum() / max(days.get(False, 0), 1), 1e-9)
    first = alerts.groupby("title")["seconds"].min()
    steps = alerts.loc[alerts["strict"] != "-", "strict"].value_counts()
    benign, late = alerts["lenient"] == "-", alerts["seconds"] > alerts["seconds"].iloc[0] + span * 86400 / 3
    new = benign & late & ~alerts.duplicated(["host", "title"])
    nothing = float("nan")
    return {
        "alerts": len(alerts),
        "days": span,
        "alerts a day": len(alerts) / span,
        "types": len(types),
        "types for 90 %": int(types.cumsum().lt(0.9 * len(alerts)).sum()) + 1,
        "top type share": types.iloc[0] / len(alerts),
        "hosts": len(hosts),
        "gini": gini(hosts.to_numpy()),
        "burstiness": float(np.median(by_type)) if by_type else nothing,
        "gap median s": gaps.median(),
        "gap p90 s": gaps.quantile(0.9),
        "pairs": len(pairs),
        "degree median": degree.median() if len(degree) else nothing,
        "degree p99": degree.quantile(0.99) if len(degree) else nothing,
        "degree max": degree.max() if len(degree) else nothing,
        "night share": ((hour < 6) | (hour >= 20)).mean(),
        "weekend ratio": weekend if days.get(True, 0) and days.get(False, 0) else nothing,
        "late types": (first > alerts["seconds"].iloc[0] + span * 86400 / 3).mean(),
        "new a host-day": new.sum() / len(hosts) / (span * 2 / 3) if (benign & late).any() else nothing,
        "attack share %": 100 * (alerts["strict"] != "-").mean(),
        "steps": len(steps),
        "alerts a step": steps.median() if len(steps) else nothing,
        "alerts a step max": steps.max() if len(steps) else nothing,
    }


def report(folders: list[Path]) -> pd.DataFrame:
    """One column a network, named after its folder and the network where the folder holds several."""
    columns = {}
    for folder in folders:
        for network, alerts in load(folder).groupby("network"):
            name = str(network) if str(network) == folder.name else f"{folder.name}/{network}"
            columns[name] = shape(alerts)
    return pd.DataFrame(columns)


def ranges(ours: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """Smallest, median and largest figure of either side as text, and whether the ranges meet."""

    def told(values: pd.Series) -> str:
        known = values.dropna()
        return " / ".join(map(_cell, (known.min(), known.median(), known.max()))) if len(known) else "-"

    both = [(ours.loc[row].dropna(), real.loc[row].dropna()) for row in ours.index]
    meet = [
        "-" if a.empty or b.empty else "yes" if a.min() <= b.max() and b.min() <= a.max() else "no" for a, b in both
    ]
    return pd.DataFrame(
        {
            f"generated ({len(ours.columns)})": [told(a) for a, _ in both],
            f"real ({len(real.columns)})": [told(b) for _, b in both],
            "ranges meet": meet,
        },
        index=ours.index,
    )


def _cell(value: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def as_markdown(table: pd.DataFrame) -> str:
    """The report as a Markdown table."""
    lines = ["| | " + " | ".join(table.columns) + " |", "|---" * (len(table.columns) + 1) + "|"]
    lines += [
        f"| {row} | " + " | ".join(v if isinstance(v, str) else _cell(v) for v in values) + " |"
        for row, values in table.iterrows()
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table; 2 if a folder is no lake."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lakes", nargs="+", type=Path, metavar="LAKE")
    parser.add_argument("--real", nargs="+", type=Path, default=[], metavar="LAKE", help="real sets in the same form")
    parser.add_argument("--csv", type=Path, help="write the figures of every network unrounded as well")
    args = parser.parse_args(argv)
    for folder in [*args.lakes, *args.real]:
        if not (folder / "truth.csv.gz").is_file():
            print(f"{folder} holds no truth.csv.gz", file=sys.stderr)
            return 2
    ours, real = report(args.lakes), report(args.real)
    if args.csv:
        pd.concat([ours, real], axis=1).to_csv(args.csv)
    print(as_markdown(ranges(ours, real) if args.real else ours))
    return 0


if __name__ == "__main__":
    sys.exit(main())
