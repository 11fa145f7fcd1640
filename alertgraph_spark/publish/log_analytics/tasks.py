"""What runs where the rows are sent: on an executor inside `mapInArrow`, or on the driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import pyarrow as pa

from alertgraph_spark.publish.http_post import Transport, post
from alertgraph_spark.publish.log_analytics.batches import MAX_BODY_BYTES, Receipt, batches
from alertgraph_spark.publish.log_analytics.credentials import TokenProvider, token_provider
from alertgraph_spark.publish.log_analytics.rate import process_limiter
from alertgraph_spark.publish.log_analytics.rows import EncodedRow, RowEncoder
from alertgraph_spark.publish.log_analytics.sender import LOGS_INGESTION, Api, Sender

RECEIPT_DDL = (
    "batch_id string, n_rows bigint, n_bytes bigint, n_fields_cut bigint, n_known bigint, refused array<string>, "
    "letters array<string>, is_split boolean, error string"
)

_RECEIPT_ARROW = pa.schema(
    [
        ("batch_id", pa.string()),
        *((name, pa.int64()) for name in ("n_rows", "n_bytes", "n_fields_cut", "n_known")),
        *((name, pa.list_(pa.string())) for name in ("refused", "letters")),
        ("is_split", pa.bool_()),
        ("error", pa.string()),
    ]
)

ENCODED_DDL = "row_id string, body binary, n_fields_cut bigint, refusal string"

_ENCODED_ARROW = pa.schema(
    [("row_id", pa.string()), ("body", pa.binary()), ("n_fields_cut", pa.int64()), ("refusal", pa.string())]
)


@dataclass(frozen=True)
class Edges:
    """What the driver has resolved, where it sends by itself; no part of a `Delivery`, which travels to the executors."""

    tokens: TokenProvider | None = None
    transport: Transport = post
    api: Api = LOGS_INGESTION


@dataclass(frozen=True)
class Delivery:
    """All that a task needs to send: plain values, and the credential's reference for the process that sends.

    `known` and `split` are what the ledger says of the table's batches, `share` the part of the service's limits that is
    this process's.
    """

    encoder: RowEncoder
    url: str
    credential: str
    scope: str
    known: frozenset[str] = frozenset()
    split: frozenset[str] = frozenset()
    share: float = 1.0
    max_body_bytes: int = MAX_BODY_BYTES

    def receipts(self, rows: Iterable[EncodedRow], edges: Edges = Edges()) -> Iterator[Receipt]:
        """Send `rows` and yield a receipt for each batch; the last may have an error."""
        sender = Sender(
            self.url,
            edges.tokens or token_provider(self.credential, self.scope),
            api=edges.api,
            transport=edges.transport,
            known=self.known,
            split=self.split,
            limiter=process_limiter(self.share),
            max_body_bytes=self.max_body_bytes,
        )
        yield from sender.send(rows)


def send_batches(delivery: Delivery, arrow: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Send one partition and return its receipts; the sender's batches span those of Arrow, which end where they like."""
    for receipt in delivery.receipts(_encoded(delivery.encoder, arrow)):
        yield pa.RecordBatch.from_pylist([asdict(receipt)], schema=_RECEIPT_ARROW)


def encode_batches(encoder: RowEncoder, arrow: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Return the rows of one partition, encoded; as many at a time as a request would hold."""
    for batch in batches(_encoded(encoder, arrow)):
        yield pa.RecordBatch.from_pylist([row._asdict() for row in batch], schema=_ENCODED_ARROW)


def _encoded(encoder: RowEncoder, arrow: Iterable[pa.RecordBatch]) -> Iterator[EncodedRow]:
    return encoder.encode_all(row for batch in arrow for row in batch.to_pylist())
