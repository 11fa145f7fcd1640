"""What runs where the rows are sent: on an executor inside `mapInArrow`, or on the driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from alertgraph_spark.errors import PublishError
from alertgraph_spark.io.log_analytics.credentials import TokenProvider, token_provider
from alertgraph_spark.io.log_analytics.rows import RowEncoder
from alertgraph_spark.io.log_analytics.sender import Receipt, Sender

RECEIPT_DDL = "batch_id string, n_rows bigint, n_bytes bigint, n_fields_cut bigint, refused array<string>, error string"

_RECEIPT_ARROW = pa.schema(
    [
        ("batch_id", pa.string()),
        ("n_rows", pa.int64()),
        ("n_bytes", pa.int64()),
        ("n_fields_cut", pa.int64()),
        ("refused", pa.list_(pa.string())),
        ("error", pa.string()),
    ]
)


@dataclass(frozen=True)
class Delivery:
    """All that a task needs to send: plain values, and the credential's reference for the process that sends."""

    encoder: RowEncoder
    url: str
    credential: str
    scope: str

    def receipts(self, rows: Iterable[Mapping[str, Any]], tokens: TokenProvider | None = None) -> Iterator[Receipt]:
        """Send `rows` and yield a receipt for each batch; if the service refuses, the last one says why.

        `tokens` is what the driver has resolved; it is no field, since fields travel to the executors.
        """
        try:
            sender = Sender(self.url, tokens or token_provider(self.credential, self.scope))
            yield from sender.send(map(self.encoder.encode, rows))
        except PublishError as error:
            yield Receipt("", error=str(error))


def send_batches(delivery: Delivery, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Send one partition and return its receipts; the sender's batches span those of Arrow, which end where they like."""
    rows = (row for batch in batches for row in batch.to_pylist())
    for receipt in delivery.receipts(rows):
        yield pa.RecordBatch.from_pylist([asdict(receipt)], schema=_RECEIPT_ARROW)


def encode_batches(encoder: RowEncoder, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Return the rows of one partition as JSON lines in a column `value`."""
    for batch in batches:
        lines = [encoder.encode(row).body.decode() for row in batch.to_pylist()]
        yield pa.RecordBatch.from_pydict({"value": lines})
