"""Runs written by hand: what a run saves of subgraphs that a test names, its `run.json`, and a process that posts it."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
from arrows import table_of

from alertgraph_spark.publish import results
from alertgraph_spark.publish.delivery import Delivery
from alertgraph_spark.publish.log_analytics import PostCounts
from alertgraph_spark.publish.results import LocalFolder
from alertgraph_spark.tables.schemas import FEATURES, RESULTS, SUBGRAPHS

START = datetime(2026, 3, 2, tzinfo=timezone.utc)
END = START + timedelta(days=1)
MIDDAY = START + timedelta(hours=12)


@dataclass(frozen=True)
class Subgraph:
    """One subgraph: its alerts, the hosts on its way, when the newest alert was received, and more of its row."""

    alerts: str
    hosts: Sequence[str] = ("ws1", "fs1")
    received: datetime = MIDDAY
    site: str = "plant"
    row: Mapping[str, Any] = field(default_factory=dict)


def tables_of(subgraphs: Mapping[str, Subgraph]) -> dict[str, pa.Table]:
    """The tables of a run that found these, in this order of rank."""
    rows: dict[str, list[dict[str, Any]]] = {table.name: [] for table in RESULTS}
    times = {"first_seen": START, "last_seen": MIDDAY}
    for rank, (subgraph_id, told) in enumerate(subgraphs.items(), 1):
        key = {"site": told.site, "subgraph_id": subgraph_id}
        plain = {"score": 0.5, "probability": 0.3, "rank": rank, "is_shown": True, "n_alerts": len(told.alerts)}
        plain |= {
            "n_episodes": 1,
            "n_hosts": len(told.hosts),
            "severity": 0.5,
            "summary": subgraph_id,
            "title": subgraph_id,
        }
        lists = (
            "suppressed_by",
            "tactics",
            "motifs",
            "contributions",
            "path",
            "reasons",
            "unusual",
            "checks",
            "owners",
            "tickets",
            "ties",
            "related",
            "story",
        )
        rows["subgraphs"].append(
            dict.fromkeys(SUBGRAPHS.names) | {name: [] for name in lists} | times | plain | key | told.row
        )
        rows["features"].append(dict.fromkeys(FEATURES.names) | key | {"last_received": told.received})
        alike = {"role": "core", "episode_id": f"{subgraph_id:0>16}"}
        rows["members"] += [{**key, **alike, "alert_id": alert, "item_id": f"i-{alert}"} for alert in told.alerts]
        alike = {"kind": "host", "zone": "it", "domain": "IT", "role": None, "n_alerts": 1, **times}
        rows["nodes"] += [{**key, **alike, "node_id": f"host:{host}", "label": host} for host in told.hosts]
        alike = {"names": ["Logon"], "n_alerts": 1, "n_episodes": 1, "max_severity": 0.5, **times}
        ends = zip(told.hosts, told.hosts[1:], strict=False)
        rows["edges"] += [{**key, **alike, "source": f"host:{a}", "target": f"host:{b}"} for a, b in ends]
    return {table.name: table_of(table, rows[table.name]) for table in RESULTS}


def record_of(run_id: str, n_subgraphs: int, window: tuple[datetime, datetime] = (START, END)) -> dict[str, Any]:
    """What the `run.json` of such a run holds."""
    counts = {"rows_read": 9, "alerts": 9, "duplicates": 0, "out_of_window": 0, "rejected": 0, "subgraphs": n_subgraphs}
    return {
        **{"run_id": run_id, "window": {"start": window[0].isoformat(), "end": window[1].isoformat()}},
        **{"config_digest": "0", "engine": "driver", "versions": {}, "counts": counts, "rejected_by_reason": {}},
    }


def post_saved(home: Path, post: Mapping[str, Any], run_id: str) -> dict[str, PostCounts]:
    """Post a saved run, as the job does and as `--post-only` does; no table is so large that Spark is asked."""
    delivery = Delivery(results.Runs(str(home)), post, 48.0, lambda reference: None)  # type: ignore[arg-type,return-value]
    folder = LocalFolder(str(home / run_id))
    return delivery.post_run(folder, results.read_run(folder))


def post_and_be_killed(home: Path, post: Mapping[str, Any], run_id: str, step: int, moment: str) -> None:
    """Be a process that posts a run and is killed `before` or `after` so many changes of its files; never with step 0."""
    left = step

    def counting(change: Callable[..., None]) -> Callable[..., None]:
        def changed(self: LocalFolder, name: str, *content: bytes) -> None:
            nonlocal left
            left -= 1
            if left == 0 and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            change(self, name, *content)
            if left == 0 and moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)

        return changed

    logging.disable()
    LocalFolder.write = counting(LocalFolder.write)  # type: ignore[method-assign]
    LocalFolder.remove = counting(LocalFolder.remove)  # type: ignore[method-assign]
    post_saved(home, post, run_id)
