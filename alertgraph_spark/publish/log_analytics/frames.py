"""What Spark does to deliver a large table: cut it into partitions, send them from the executors, or write them to a folder.

Rows leave from the executors through `mapInArrow`, which returns a receipt for each batch: it works on Spark 3.5, 4.x
and Connect alike, whereas `foreachPartition` hands nothing back but accumulators, which Connect lacks. The map is lazy
and would send again with every action, so its receipts are fetched once, and the frame is kept by nobody. They are fetched
partition by partition, a few batches each, and marked in the ledger before the one after the next is begun: that many, at
most, a killed driver does not know of. A refusal by the service comes back as a receipt too: raised in the task, it would
make Spark run the task again and send its first batches twice.

The plan carries the credential's reference only. The token is resolved in the process that sends and never leaves it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.errors import PublishError
from alertgraph_spark.publish.log_analytics.batches import Receipt
from alertgraph_spark.publish.log_analytics.ledger import PostCounts, TablePlan
from alertgraph_spark.publish.log_analytics.rows import EncodedRow, RowEncoder
from alertgraph_spark.publish.log_analytics.streams import Stream
from alertgraph_spark.publish.log_analytics.tasks import (
    ENCODED_DDL,
    RECEIPT_DDL,
    Delivery,
    Edges,
    encode_batches,
    send_batches,
)

logger = logging.getLogger(__name__)

BATCHES_A_PARTITION = 4
"""What one partition holds, and so what is marked at a time: fewer cost more jobs, more are sent again after a kill."""

_PARTITIONS_AT_A_TIME = 2

_ROWS_A_FILE = 50_000


def of_keys(frame: DataFrame, keys: pa.Table) -> DataFrame:
    """The rows of a table whose site and subgraph are among `keys`."""
    rows = [tuple(row.values()) for row in keys.to_pylist()]
    wanted = frame.sparkSession.createDataFrame(rows, "site string, subgraph_id string")
    return frame.join(F.broadcast(wanted), ["site", "subgraph_id"], "left_semi").select(*frame.columns)


def n_partitions(frame: DataFrame, max_body_bytes: int) -> int:
    """Measure a table as JSON, in one job, and return into how many partitions of a few batches it is cut."""
    n_bytes = frame.agg(F.sum(F.length(F.to_json(F.struct(*frame.columns))))).collect()[0][0]
    return 1 + int(n_bytes) // (BATCHES_A_PARTITION * max_body_bytes)


def _sorted_rows(frame: DataFrame, stream: Stream, n_partitions: int) -> DataFrame:
    """Put the rows into partitions by key, sorted by key: the same rows make the same batches in every attempt.

    Rows of one key, which should not be, are sorted by all they hold.
    """
    names = stream.table.names
    keyed = frame.withColumn("_order", F.xxhash64(*names))
    spread = keyed.repartition(n_partitions, *stream.keys) if n_partitions > 1 else keyed.coalesce(1)
    return spread.sortWithinPartitions(*stream.keys, "_order").select(
        *[_posted_col(source, kind) for source, _, kind in stream.columns]
    )


def _posted_col(name: str, kind: str) -> Column:
    # Microseconds since 1970 mean the same in Arrow, in a Row and in every session time zone; a timestamp does not.
    return F.unix_micros(name).alias(name) if kind == "datetime" else F.col(name)


def sent(frame: DataFrame, delivery: Delivery, plan: TablePlan, edges: Edges | None = None) -> Iterator[Receipt]:
    """Send a table and yield a receipt for each batch, partition by partition; with `edges` it leaves from the driver."""
    rows = _sorted_rows(frame, delivery.encoder.stream, plan.n_partitions)
    if edges is not None:
        # Encoded where they lie: what comes to the driver as a Row has its nested times in the driver's own zone.
        encoded = rows.mapInArrow(partial(encode_batches, delivery.encoder), ENCODED_DDL).toLocalIterator()
        yield from delivery.receipts(
            (EncodedRow(**row.asDict() | {"body": bytes(row["body"])}) for row in encoded), edges
        )
        return
    _warn_of_speculation(rows)
    sender = replace(delivery, share=1 / _PARTITIONS_AT_A_TIME)
    receipts = rows.mapInArrow(partial(send_batches, sender), RECEIPT_DDL)
    for row in receipts.toLocalIterator(prefetchPartitions=plan.n_partitions > 1):
        yield Receipt(**row.asDict())


def _warn_of_speculation(frame: DataFrame) -> None:
    try:
        is_on = frame.sparkSession.conf.get("spark.speculation", "false")
    except PySparkException:  # a platform that does not show the setting
        return
    if str(is_on).lower() == "true":
        logger.warning("spark.speculation is on: a second copy of a slow task posts its rows again; set it to false")


def written(frame: DataFrame, encoder: RowEncoder, path: str) -> PostCounts:
    """Write a table's rows as JSON lines, in place of what is there.

    Parameters
    ----------
    frame
        The rows of one posted table.
    encoder
        Makes JSON of a row.
    path
        Folder or URL that Spark can write.

    Returns
    -------
    PostCounts
        All rows count as sent.

    Raises
    ------
    PublishError
        If the folder cannot be written.
    """
    n_rows = frame.count()
    lines = _sorted_rows(frame, encoder.stream, 1 + n_rows // _ROWS_A_FILE)
    whole = F.when(F.col("refusal") == "", F.decode("body", "UTF-8")).otherwise(F.raise_error("refusal"))
    lines = lines.mapInArrow(partial(encode_batches, encoder), ENCODED_DDL).select(whole.alias("value"))
    try:
        lines.write.mode("overwrite").text(path)
    except (PySparkException, Py4JJavaError) as error:
        java = getattr(error, "java_exception", None)  # says more than the name of its wrapper
        reason = type(error).__name__ if java is None else java.getClass().getSimpleName()
        raise PublishError(
            f"post.folder: {path} cannot be written ({reason}); check the path and the rights"
        ) from error
    return PostCounts(n_rows, n_sent=n_rows)
