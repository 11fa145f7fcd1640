"""The compiled alerts with pandas alone: no Spark, no Java, no part of this project.

    python jobs/rank_alerts.py --config examples/plant.yaml --compile .demo/alerts.jsonl
    python examples/compiled_with_pandas.py .demo/alerts.jsonl

Prints the alerts of each tactic on both sides of the plant, the hosts that most alerts act upon, and the busiest hours.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

TIMES = ["observed_at", "received_at"]


def load_alerts(path: str | Path) -> pd.DataFrame:
    """One row is one alert; times are UTC, and `side` says whether an end of it lies in OT."""
    alerts = pd.read_json(
        path, lines=True, convert_dates=False, dtype={"alert_id": str, "item_id": str, "rule_id": str}
    )
    for column in TIMES:
        alerts[column] = pd.to_datetime(alerts[column], utc=True, format="ISO8601")
    is_ot = (alerts["source_zone"] == "ot") | (alerts["target_zone"] == "ot")
    return alerts.assign(side=is_ot.map({True: "OT", False: "IT"}))


def per_tactic(alerts: pd.DataFrame) -> pd.DataFrame:
    """Alerts a tactic and side, most frequent first; an alert of two tactics counts for both."""
    named = alerts.explode("tactics").fillna({"tactics": "(none)"})
    counts = pd.crosstab(named["tactics"], named["side"])
    return counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def per_host(alerts: pd.DataFrame, top: int = 10) -> pd.DataFrame:
    """The targets of most alerts: how many, of how many names, how severe, since when."""
    hosts = alerts.groupby(["site", "target_entity"]).agg(
        alerts=("alert_id", "size"),
        names=("name", "nunique"),
        severity=("severity", "max"),
        first=("observed_at", "min"),
    )
    return hosts.sort_values("alerts", ascending=False, kind="stable").head(top)


def per_hour(alerts: pd.DataFrame) -> pd.DataFrame:
    """Alerts an hour and side, hours without any included."""
    return (
        alerts.groupby([pd.Grouper(key="observed_at", freq="h"), "side"])
        .size()
        .unstack(fill_value=0)
        .asfreq("h", fill_value=0)
    )


def printed(value: object) -> object:
    """A text as a terminal may show it, with what commands one escaped: alerts are written by whoever attacks."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in value)


def main(path: str) -> int:
    """Print what an analyst asks first."""
    alerts = load_alerts(path)
    hours, times = per_hour(alerts), alerts["observed_at"]
    print(f"{len(alerts):,} alerts, {times.min():%Y-%m-%d %H:%M} to {times.max():%Y-%m-%d %H:%M} UTC")
    print("\nper tactic", per_tactic(alerts), sep="\n")
    print("\nper target", per_host(alerts).rename(index=printed).to_string(), sep="\n")
    print("\nbusiest hours", hours.loc[hours.sum(axis=1).nlargest(5).index], sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
