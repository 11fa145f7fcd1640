"""Tells of a saved run: reads what it shows, calls the webhook, and adds to its `run.json` what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.publish import notification, results
from alertgraph_spark.publish.notification import NotifyCounts, Webhook

logger = logging.getLogger(__name__)


def tell_run(webhook: Webhook, folder: results.RunFolder, runs: results.Runs) -> NotifyCounts:
    """Tell of a run as it was saved, and add what came of it to its `run.json`."""
    record = results.read_run(folder)
    tables = results.read_tables(folder, notification.TABLES)
    counts = notification.tell(webhook, tables, record["run_id"], runs.folder)
    results.save_run(folder, {**record, "notified": asdict(counts)})
    if counts.n_missing:
        logger.warning("%d subgraphs were not told: %s", counts.n_missing, counts.error)
    return counts


def webhook_of(notify: Mapping[str, Any], resolve: Callable[[str], Secret]) -> Webhook | None:
    """The webhook that the settings below `notify` name, None where they name none."""
    if notify["url"] is None:
        return None
    return Webhook(notify["url"], notify["form"], resolve, notify["host"], notify["link"])


def is_told(record: Mapping[str, Any], url: str | None) -> bool:
    """Whether all that a run shows was told, but for what the receiver refuses; `record` is its `run.json`."""
    if url is None:
        return True
    found = record.get("notified")
    return found is not None and (counts := NotifyCounts(**found)).n_missing == counts.n_refused
