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
    """Tell a webhook of a saved run, and add what came of it to its `run.json`.

    Parameters
    ----------
    webhook
        Who is told.
    folder
        Folder of the run.
    runs
        All saved runs; the ledger lies beside them.

    Returns
    -------
    NotifyCounts
        How many subgraphs were told, refused and missed.
    """
    record = results.read_run(folder)
    tables = results.read_tables(folder, notification.TABLES)
    counts = notification.tell(webhook, tables, record["run_id"], runs.folder)
    results.save_run(folder, {**record, "notified": asdict(counts)})
    if counts.n_missing:
        logger.warning("%d subgraphs were not told: %s", counts.n_missing, counts.error)
    return counts


def webhook_of(notify: Mapping[str, Any], resolve: Callable[[str], Secret]) -> Webhook | None:
    """Give the webhook that the settings name.

    Parameters
    ----------
    notify
        The settings below `notify`.
    resolve
        Looks up a secret.

    Returns
    -------
    Webhook or None
        None where no address is named.
    """
    if notify["url"] is None:
        return None
    return Webhook(notify["url"], notify["form"], resolve, notify["host"], notify["link"])


def is_told(record: Mapping[str, Any], url: str | None) -> bool:
    """Tell whether all that a run shows was told, but for what the receiver refuses.

    Parameters
    ----------
    record
        What its `run.json` holds.
    url
        The setting `notify.url`.

    Returns
    -------
    bool
        True where nobody is to be told.
    """
    if url is None:
        return True
    found = record.get("notified")
    return found is not None and (counts := NotifyCounts(**found)).n_missing == counts.n_refused
