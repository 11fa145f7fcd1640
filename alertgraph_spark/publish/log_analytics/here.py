"""What this process does to deliver a table, without a Spark job: put its rows in order, encode, send or write them.

A table of some thousand rows is sent before Spark has planned its first task.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.errors import PublishError, ResultsError
from alertgraph_spark.publish.files import Files
from alertgraph_spark.publish.log_analytics.batches import Receipt
from alertgraph_spark.publish.log_analytics.ledger import PostCounts
from alertgraph_spark.publish.log_analytics.rows import EncodedRow, RowEncoder
from alertgraph_spark.publish.log_analytics.streams import Stream
from alertgraph_spark.publish.log_analytics.tasks import Delivery, Edges

_ROWS_AT_A_TIME = 1000
_ROWS_A_FILE = 50_000


def count(table: pa.Table) -> int:
    """The rows of an Arrow table, or of a dataset: those of a Parquet file stand in its footer."""
    return int(table.num_rows if isinstance(table, pa.Table) else table.count_rows())


def sent(table: pa.Table, delivery: Delivery, edges: Edges) -> Iterator[Receipt]:
    """Send a table and yield a receipt for each batch."""
    return delivery.receipts(delivery.encoder.encode_all(sorted_rows(table, delivery.encoder.stream)), edges)


def written(table: pa.Table, encoder: RowEncoder, files: Files, folder: str) -> PostCounts:
    """Write a table's rows as JSON lines, in place of what is in `folder`.

    Parameters
    ----------
    table
        The rows of one posted table, as an Arrow table or dataset.
    encoder
        Makes JSON of a row.
    files
        The file system.
    folder
        The folder in it.

    Returns
    -------
    PostCounts
        All rows count as sent.

    Raises
    ------
    PublishError
        If the folder cannot be written, or a row has no form in JSON.
    """
    rows = encoder.encode_all(sorted_rows(table, encoder.stream))
    n_rows = n_files = 0
    try:
        for name in files.names(folder):
            files.remove(f"{folder}/{name}")
        part = list(islice(rows, _ROWS_A_FILE))
        while part or not n_files:  # a table without rows is a file without lines
            files.write(f"{folder}/part-{n_files:05}.txt", b"".join(map(_line, part)))
            n_rows, n_files = n_rows + len(part), n_files + 1
            part = list(islice(rows, _ROWS_A_FILE))
    except ResultsError as error:
        raise PublishError(f"post.folder: {error}; check the path and the rights") from error
    return PostCounts(n_rows, n_sent=n_rows)


def _line(row: EncodedRow) -> bytes:
    if row.refusal:
        raise PublishError(f"post.mode file: row {row.row_id} cannot be written: {row.refusal}")
    return row.body + b"\n"


def sorted_rows(table: pa.Table, stream: Stream) -> Iterator[dict[str, Any]]:
    """The rows of a table by key: the same rows make the same batches in every attempt; times in microseconds since 1970.

    Rows of one key, which should not be, are sorted by all they hold.
    """
    names = stream.table.names
    rows = table.select(names) if isinstance(table, pa.Table) else table.to_table(columns=names)
    rows = rows.combine_chunks()
    for name, _, kind in stream.columns:
        if kind == "datetime":
            micros = rows[name].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
            rows = rows.set_column(rows.schema.get_field_index(name), name, micros)
    if stream.keys:
        order = pc.sort_indices(rows.select(stream.keys), sort_keys=[(key, "ascending") for key in stream.keys])
        rows = rows.take(order)
    plain = (row for batch in rows.to_batches(max_chunksize=_ROWS_AT_A_TIME) for row in batch.to_pylist())
    for _, alike in groupby(plain, key=lambda row: [row[key] for key in stream.keys]):
        same = list(alike)
        yield from sorted(same, key=repr) if len(same) > 1 else same
