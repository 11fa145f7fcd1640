"""What is sent at a time: batches that are exact to the byte, their ids, and the receipt that each leaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alertgraph_spark.publish.log_analytics.rows import EncodedRow

# The service takes 1 MB a call, and its pages leave open whether that is 1,000,000 bytes or 1,048,576, and counted before or
# after compression. Every byte is counted here, before: the strictest of these, and a hundredth less.
MAX_BODY_BYTES = 990_000


@dataclass(frozen=True)
class Receipt:
    """What became of one batch.

    Attributes
    ----------
    batch_id
        Hash of the batch's bytes: the same rows in the same order have the same id in every attempt.
    n_rows, n_bytes, n_fields_cut
        Rows delivered now, their bytes before compression, and their fields that were cut.
    n_known
        Rows that the ledger knew to be delivered: not sent.
    refused
        RowIds of rows that cannot be delivered.
    letters
        A JSON line for each row that the service will not have: what it answered, and the row.
    is_split
        The batch was too large for the service; receipts of its halves follow.
    error
        Why this batch was not delivered; none was tried after it.
    """

    batch_id: str
    n_rows: int = 0
    n_bytes: int = 0
    n_fields_cut: int = 0
    n_known: int = 0
    refused: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    is_split: bool = False
    error: str | None = None


def batches(rows: Iterable[EncodedRow], limit: int = MAX_BODY_BYTES) -> Iterator[list[EncodedRow]]:
    """Group rows, in their order, so that `[` + rows joined by `,` + `]` has at most `limit` bytes.

    A row that is too large by itself, or was refused by the check, comes as a batch of its own.
    """
    batch: list[EncodedRow] = []
    size = 1  # the opening bracket; each row then adds itself and a comma, the last a bracket
    for row in rows:
        added = len(row.body) + 1
        if batch and (size + added > limit or row.refusal or batch[0].refusal):
            yield batch
            batch, size = [], 1
        batch.append(row)
        size += added
    if batch:
        yield batch


def batch_body(batch: list[EncodedRow]) -> bytes:
    """Return the batch as one JSON array in UTF-8."""
    return b"[" + b",".join(row.body for row in batch) + b"]"


def batch_id_of(body: bytes) -> str:
    """Return the id of a batch: it depends on its bytes alone."""
    return hashlib.sha256(body).hexdigest()[:32]


def dead_letter(row: EncodedRow, answer: str) -> str:
    """Return the line that a row leaves in the dead-letter file, as JSON."""
    return f'{{"RowId":"{row.row_id}","answer":{json.dumps(answer)},"row":{row.body.decode()}}}'
