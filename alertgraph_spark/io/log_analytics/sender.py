"""Delivers encoded rows to one stream of the Logs Ingestion API in bounded batches, with retries; plain Python.

The promise is at least once: a batch that was repeated after a broken connection may be stored twice, and readers fold
it by RowId. Limits and statuses: Azure Monitor, "Logs Ingestion API" and its service limits.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from alertgraph_spark.errors import PublishError
from alertgraph_spark.io.log_analytics.credentials import TokenProvider
from alertgraph_spark.io.log_analytics.rows import EncodedRow
from alertgraph_spark.io.log_analytics.transport import Response, Transport, post

logger = logging.getLogger(__name__)

# The service takes 1 MB a call, and its pages leave open whether that is counted before or after compression.
MAX_BODY_BYTES = 900_000

_FIRST_WAIT_SECONDS = 1.0
_MAX_WAIT_SECONDS = 60.0

_REMEDIES = {
    400: "the data collection rule does not declare what this version sends; redeploy the rule and its tables",
    401: "the token was refused, also a fresh one; check that the identity belongs to the tenant of the rule",
    403: "the identity needs the role Monitoring Metrics Publisher on the data collection rule (allow it 30 minutes)",
    404: "no such endpoint or rule; check post.endpoint and post.dcr_id (the immutable id, not the name)",
}


@dataclass(frozen=True)
class Receipt:
    """What became of one batch: rows and uncompressed bytes delivered, fields cut, ids of rows too large to deliver.

    `batch_id` depends on the rows' ids alone. A receipt with an `error` stands for a batch that was not delivered; none
    was tried after it.
    """

    batch_id: str
    n_rows: int = 0
    n_bytes: int = 0
    n_fields_cut: int = 0
    refused: tuple[str, ...] = ()
    error: str | None = None


def batches(rows: Iterable[EncodedRow], limit: int = MAX_BODY_BYTES) -> Iterator[list[EncodedRow]]:
    """Group rows, in their order, so that `[` + rows joined by `,` + `]` has at most `limit` bytes.

    A row that is too large by itself comes as a batch of its own.
    """
    batch: list[EncodedRow] = []
    size = 1  # the opening bracket; each row then adds itself and a comma, the last a bracket
    for row in rows:
        added = len(row.body) + 1
        if batch and size + added > limit:
            yield batch
            batch, size = [], 1
        batch.append(row)
        size += added
    if batch:
        yield batch


def batch_body(batch: list[EncodedRow]) -> bytes:
    """Return the batch as one JSON array in UTF-8."""
    return b"[" + b",".join(row.body for row in batch) + b"]"


@dataclass
class Sender:
    """Sends to one stream, one request at a time.

    `deadline_seconds` bounds one batch with all its repetitions. The first batch that fails ends the sending, so an
    outage costs one deadline, not one a batch.
    """

    url: str
    tokens: TokenProvider
    transport: Transport = post
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    deadline_seconds: float = 300.0
    timeout_seconds: float = 60.0
    max_body_bytes: int = MAX_BODY_BYTES

    def send(self, rows: Iterable[EncodedRow]) -> Iterator[Receipt]:
        """Deliver `rows` lazily and yield a receipt for each batch.

        Raises
        ------
        PublishError
            At the first batch that the service refuses or that is not delivered by the deadline; says what to do.
        """
        for batch in batches(rows, self.max_body_bytes):
            yield from self._deliver(batch)

    def _deliver(self, batch: list[EncodedRow]) -> Iterator[Receipt]:
        body = batch_body(batch)
        batch_id = hashlib.sha256("\n".join(row.row_id for row in batch).encode()).hexdigest()
        if len(body) <= self.max_body_bytes and self._is_taken(body):
            yield Receipt(batch_id, len(batch), len(body), sum(row.n_fields_cut for row in batch))
        elif len(batch) == 1:
            yield Receipt(batch_id, refused=(batch[0].row_id,))
        else:
            half = len(batch) // 2
            yield from self._deliver(batch[:half])
            yield from self._deliver(batch[half:])

    def _is_taken(self, body: bytes) -> bool:
        """Post one body until it is taken (True) or found too large (False)."""
        packed = gzip.compress(body, mtime=0)  # no clock in the bytes
        give_up_at = self.clock() + self.deadline_seconds
        token, is_fresh = self.tokens(), False
        for attempt in itertools.count():
            timeout = max(1.0, min(self.timeout_seconds, give_up_at - self.clock()))
            response = self.transport(self.url, _headers(token.reveal()), packed, timeout)
            if response.status == 204:
                return True
            if response.status == 413 or response.code == "ReadyBody_ClientConnectionAbort":
                return False
            if response.status == 401 and not is_fresh:
                token, is_fresh = self.tokens(fresh=True), True
                continue
            if not _is_passing(response):
                raise PublishError(f"{_named(response)}: {_remedy(response.status)}")
            wait = self._wait_seconds(response, attempt)
            if self.clock() + wait > give_up_at:
                raise PublishError(
                    f"{_named(response)} after {attempt + 1} attempts; the next one, in {wait:.0f} s, would pass the "
                    f"deadline of {self.deadline_seconds:.0f} s; the results are saved: post them again later"
                )
            logger.warning("%s, attempt %d; next in %.1f s", _named(response), attempt + 1, wait)
            self.sleep(wait)
        raise AssertionError("unreachable: count() does not end")

    def _wait_seconds(self, response: Response, attempt: int) -> float:
        """Return what the service asked for and up to a tenth more, else a doubling wait, half of it by chance.

        The chance keeps several senders from coming back in the same moment.
        """
        asked = retry_after_seconds(response.headers)
        if asked is not None:
            return asked * (1 + self.jitter() / 10)
        ceiling = min(_MAX_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(attempt, 10))
        return ceiling * (1 + self.jitter()) / 2


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for, or None where there is none that can be read.

    A date is measured against the answer's own Date header, so this machine's clock does not matter (RFC 9110, 10.2.3).
    """
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (TypeError, ValueError):
        return None


def _headers(token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "User-Agent": "alertgraph-spark",
    }


def _is_passing(response: Response) -> bool:
    """Tell whether the same request may succeed later: throttling, a fault of the service, a broken connection."""
    return response.status in {0, 408, 429} or 500 <= response.status < 600


def _named(response: Response) -> str:
    status = str(response.status) if response.status else "connection broken"
    return f"Logs Ingestion API: {status}{f' ({response.code})' if response.code else ''}"


def _remedy(status: int) -> str:
    # Any other success is refused as well: a proxy's login page answers 200 and stores nothing.
    return _REMEDIES.get(status, "not an answer of this service, which says 204; check post.endpoint and the proxy")
