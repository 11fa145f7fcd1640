"""Tells a webhook of the subgraphs of a run that it has not been told of yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

import pyarrow as pa

from alertgraph_spark.errors import ConfigError
from alertgraph_spark.publish.files import Files
from alertgraph_spark.publish.notification.forms import body_of
from alertgraph_spark.publish.notification.ledger import Ledger
from alertgraph_spark.publish.notification.notice import Notice, notices_of
from alertgraph_spark.publish.notification.webhook import Webhook

SPACING_SECONDS = 1.0
"""Between two calls: Slack takes one a second for a channel, Teams four."""


@dataclass(frozen=True)
class NotifyCounts:
    """What became of the `n_shown` subgraphs that are shown.

    `n_told` were told now, `n_before` by an earlier run; the receiver has refused `n_refused` as they are. `error` is why the
    rest was not told, or the first refusal.
    """

    n_shown: int
    n_told: int = 0
    n_before: int = 0
    n_refused: int = 0
    error: str = ""

    @property
    def n_missing(self) -> int:
        """How many have not been told."""
        return self.n_shown - self.n_told - self.n_before


def tell(webhook: Webhook, tables: Mapping[str, pa.Table], run_id: str, files: Files) -> NotifyCounts:
    """Call a webhook once for each subgraph that a run shows and the webhook has not been told of.

    The best subgraph comes first. One that has grown since, or has gone and come back, is not told again. What the
    receiver refuses of one message does not keep it from the others. An address that does not answer, or refuses any
    message, ends the telling. What is left is told by the next run that shows it, or by this one again.

    Parameters
    ----------
    webhook
        Who is told.
    tables
        Those of `notice.TABLES` as they were saved.
    run_id
        Id of the run.
    files
        The folder that holds all runs: there is the ledger.

    Returns
    -------
    NotifyCounts
        How many subgraphs were told, refused and missed.
    """
    notices = notices_of(tables, run_id, webhook.link)
    ledger = Ledger.open(files, webhook.reference, _now())
    new = [notice for notice in notices if notice.key not in ledger.told]
    n_before = len(notices) - len(new)
    try:
        n_told, n_refused, error = _told(webhook, new, ledger) if new else (0, 0, "")
    finally:
        ledger.close(_now())
    return NotifyCounts(len(notices), n_told, n_before, n_refused, error)


def _told(webhook: Webhook, notices: list[Notice], ledger: Ledger) -> tuple[int, int, str]:
    """How many were told, how many were refused, and why not all were."""
    n_told, n_refused, first_error = 0, 0, ""
    try:
        url = webhook.url()
    except ConfigError as error:  # it was right when the run began: the vault is away
        return 0, 0, str(error)
    for number, notice in enumerate(notices):
        if number:
            webhook.sleep(SPACING_SECONDS)
        error_, is_of_message = webhook.send(url, body_of(notice, webhook.form))
        if not error_:
            ledger.mark(notice.key, _now())
            n_told += 1
            continue
        first_error = first_error or error_
        if not is_of_message:
            return n_told, n_refused, error_
        n_refused += 1
    return n_told, n_refused, first_error


def _now() -> datetime:
    return datetime.now(timezone.utc)
