"""Incidents as text: what a test tells in lines becomes the rows that the stages read.

    0 ws1/it -> fs1/it smb        minute 0: ws1, a machine of zone it, acts on fs1; the alert is called smb
    10 fs1/it new service         an alert about one host has no arrow
    20 fs1/it copied #collection @meyer    its tactics and accounts, at the end of the line

One row is one episode. Minutes count from `DAY`; every column that the line does not tell has a default here, and a test
says what it needs otherwise.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from alertgraph_spark.tables.schemas import EPISODES

DAY = datetime(2026, 3, 2, tzinfo=timezone.utc)

Row = dict[str, Any]


def at(minute: float) -> datetime:
    """The time so many minutes into the day of the incident."""
    return DAY + timedelta(minutes=minute)


def told(line: str, lasts: float = 0, **columns: Any) -> Row:
    """One episode as a line tells it; `lasts` in minutes, `columns` in place of the defaults."""
    minute, _, rest = line.partition(" ")
    first, _, rest = rest.partition(" ")
    source, target = None, first
    if rest.startswith("-> "):
        source, (target, _, rest) = first, rest[3:].partition(" ")
    words = rest.split(" ")
    row: Row = {
        "site": "plant",
        "source": "edr",
        "name": " ".join(word for word in words if word[:1] not in ("#", "@")),
        "severity": 0.5,
        "tactics": [word[1:] for word in words if word.startswith("#")],
        "techniques": [],
        "started_at": at(float(minute)),
        "ended_at": at(float(minute) + lasts),
        "received_at": at(float(minute) + lasts),
        "n_alerts": 1,
        **dict.fromkeys(("source_level", "target_level", "source_role", "target_role")),
        "accounts": [f"account:{word[1:]}" for word in words if word.startswith("@")],
        "fleet_share": 0.01,
        "actor_share": 0.01,
        "history_hours": 200.0,  # an entity that never spoke before: -ln(1 - 1/202) = 0.005 an hour
        "surprise": 4.6,  # 4 whole nats
        "is_chronic": False,
    }
    for end, text in (("source", source), ("target", target)):
        host, _, zone = (text or "").partition("/")
        row[f"{end}_entity"] = f"host:{host}" if host else None
        row[f"{end}_zone"] = zone or None
    if unknown := set(columns) - {*EPISODES.names, "known_at"}:
        raise ValueError(f"no columns of an episode: {unknown}")
    return {**row, **columns}


def story(site: str, first: int, *episodes: str | Row) -> list[Row]:
    """Episodes of one site, numbered from `first` in the order in which they are told."""
    rows = [told(e) if isinstance(e, str) else e for e in episodes]
    return [{**row, "site": site, "episode": first + i} for i, row in enumerate(rows)]
