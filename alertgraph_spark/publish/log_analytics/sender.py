"""Delivers encoded rows to one stream of the Logs Ingestion API in bounded batches, with retries; plain Python.

The promise is at least once: a batch whose answer was lost is sent again and may be stored twice, each row with the RowId
it had, and readers fold it. Limits and statuses: Azure Monitor, "Logs Ingestion API" and its service limits.

`azure-identity` signs in; `azure-monitor-ingestion` 1.1.0 is not used, because its `LogsIngestionClient.upload`

- counts a chunk without separators, so that its chunk of 1 MiB is larger than the 1 MB that the service documents, and sends
  a row above it as it is;
- repeats 408, 429 and 502 only where the answer has Retry-After, and a 413 never in smaller parts;
- writes NaN, which is no JSON, and fails on a datetime;
- has no deadline, no rate limit and no id of a batch that a ledger could remember.
"""

from __future__ import annotations

import gzip
import itertools
import logging
import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from alertgraph_spark.errors import PublishError
from alertgraph_spark.publish.http_post import Response, Transport, is_passing, post, wait_seconds
from alertgraph_spark.publish.log_analytics.batches import (
    MAX_BODY_BYTES,
    Receipt,
    batch_body,
    batch_id_of,
    batches,
    dead_letter,
)
from alertgraph_spark.publish.log_analytics.credentials import TokenProvider
from alertgraph_spark.publish.log_analytics.rate import RateLimiter
from alertgraph_spark.publish.log_analytics.rows import EncodedRow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Api:
    """What a service is called, and what an operator can do about each status that no repetition mends."""

    name: str
    remedies: Mapping[int, str]

    def named(self, response: Response) -> str:
        """Name the service and its answer."""
        status = str(response.status) if response.status else "connection broken"
        return f"{self.name}: {status}{f' ({response.code})' if response.code else ''}"

    def remedy(self, status: int) -> str:
        """Say what can be done about a status."""
        # Any other success is refused as well: a proxy's login page answers 200 and stores nothing.
        return self.remedies.get(status, "not an answer of this service; check post.endpoint and the proxy")


LOGS_INGESTION = Api(
    "Logs Ingestion API",
    {
        400: "the data collection rule does not declare what this version sends; redeploy the rule and its tables",
        401: "the token was refused, also a fresh one; check that the identity belongs to the tenant of the rule",
        403: "the identity needs the role Monitoring Metrics Publisher on the data collection rule (allow it 30 minutes)",
        404: "no such endpoint or rule; check post.endpoint and post.dcr_id (the immutable id, not the name)",
    },
)


class _Stopped(PublishError):
    """Raised at an answer that ends the delivery: the service's status, and the rows that it was about."""

    def __init__(self, message: str, status: int, rows: list[EncodedRow]) -> None:
        super().__init__(message)
        self.status = status
        self.rows = rows


@dataclass
class Sender:
    """Sends batches one after the other and waits as often as the service asks it to.

    `known` are the ids of batches that were delivered before and are not sent again, `split` those that are to be sent in
    halves. `clock` is monotonic and `jitter` in [0, 1): both and `sleep` are parameters so that a test can take their place.
    """

    url: str
    tokens: TokenProvider
    api: Api = LOGS_INGESTION
    known: Collection[str] = frozenset()
    split: Collection[str] = frozenset()
    transport: Transport = post
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    limiter: RateLimiter = field(default_factory=RateLimiter)
    deadline_seconds: float = 300.0
    timeout_seconds: float = 60.0
    max_body_bytes: int = MAX_BODY_BYTES

    def send(self, rows: Iterable[EncodedRow]) -> Iterator[Receipt]:
        """Deliver `rows` lazily and yield a receipt for each batch, as soon as it is answered.

        At the first batch that the service refuses, or that is not delivered by the deadline, the last receipt has an
        `error` that says what to do. Of a 400 its rows are undeliverable, as they are; of anything else they are only not
        yet delivered.
        """
        for batch in batches(rows, self.max_body_bytes):
            try:
                yield from self._deliver(batch)
            except PublishError as error:
                bad = error.rows if isinstance(error, _Stopped) and error.status == 400 else []
                letters = tuple(dead_letter(row, str(error)) for row in bad)
                yield Receipt(batch_id_of(batch_body(batch)), letters=letters, error=str(error))
                return

    def _deliver(self, batch: list[EncodedRow]) -> Iterator[Receipt]:
        body = batch_body(batch)
        batch_id = batch_id_of(body)
        if batch_id in self.known:
            yield Receipt(batch_id, n_known=len(batch))
            return
        is_split = batch_id in self.split
        refusal = "" if is_split else batch[0].refusal or self._refusal(batch, body)
        if is_split or (refusal and len(batch) > 1):
            if not is_split:
                yield Receipt(batch_id, is_split=True)
            half = len(batch) // 2
            yield from self._deliver(batch[:half])
            yield from self._deliver(batch[half:])
        elif refusal:
            yield Receipt(batch_id, refused=(batch[0].row_id,), letters=(dead_letter(batch[0], refusal),))
        else:
            yield Receipt(batch_id, len(batch), len(body), sum(row.n_fields_cut for row in batch))

    def _refusal(self, batch: list[EncodedRow], body: bytes) -> str:
        """Post one body until it is taken, and return nothing, or found too large, and return who says so."""
        if len(body) > self.max_body_bytes:
            return f"not sent: over {self.max_body_bytes} bytes"
        packed = gzip.compress(body, 5, mtime=0)  # a fifth faster than 6 for 4 % more bytes; no clock in them
        give_up_at = self.clock() + self.deadline_seconds
        is_refused = is_fresh = False
        for attempt in itertools.count():
            token = self.tokens(fresh=is_refused and not is_fresh)
            is_fresh = is_refused
            self.limiter.wait(len(body))
            timeout = max(0.1, min(self.timeout_seconds, give_up_at - self.clock()))
            response = self.transport(self.url, _headers(token.reveal()), packed, timeout)
            if response.status == 204:
                return ""
            if response.status == 413 or response.code == "ReadyBody_ClientConnectionAbort":
                return self.api.named(response)
            if response.status == 401 and not is_refused:
                is_refused = True
                continue
            if not is_passing(response):
                raise _Stopped(
                    f"{self.api.named(response)}: {self.api.remedy(response.status)}", response.status, batch
                )
            wait = wait_seconds(response, attempt, self.jitter())
            if self.clock() + wait > give_up_at:
                raise PublishError(
                    f"{self.api.named(response)} after {attempt + 1} attempts; the next one, in {wait:.0f} s, would pass the "
                    f"deadline of {self.deadline_seconds:.0f} s; the results are saved: post the rest later"
                )
            logger.warning("%s, attempt %d; next in %.1f s", self.api.named(response), attempt + 1, wait)
            self.sleep(wait)
        raise AssertionError("unreachable: count() does not end")


def _headers(token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "User-Agent": "alertgraph-spark",
    }
