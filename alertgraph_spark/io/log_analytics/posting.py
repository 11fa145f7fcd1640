"""Posts the results tables from Spark, one after the other: nodes, edges, subgraphs.

Rows leave from the executors through `mapInArrow`, which returns a receipt for each batch: it works on Spark 3.5, 4.x
and Connect alike, whereas `foreachPartition` hands nothing back but accumulators, which Connect lacks. The map is lazy
and would send again with every action, so its receipts are collected once, at once, and the frame is kept by nobody.
A refusal by the service comes back as a receipt too: raised in the task, it would make Spark run the task again and
send its first batches twice.

The plan carries the credential's reference only. The token is resolved in the process that sends and never leaves it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.errors import ConfigError, PublishError, SchemaError
from alertgraph_spark.io.log_analytics.credentials import StoredToken, check_credential, token_scope
from alertgraph_spark.io.log_analytics.rows import RowEncoder
from alertgraph_spark.io.log_analytics.sender import Receipt
from alertgraph_spark.io.log_analytics.streams import STREAMS, Stream
from alertgraph_spark.io.log_analytics.tasks import RECEIPT_DDL, Delivery, encode_batches, send_batches
from alertgraph_spark.io.log_analytics.transport import ingestion_url
from alertgraph_spark.secret import Secret, parse_reference
from alertgraph_spark.table import conform

logger = logging.getLogger(__name__)

MODES = ("logs_ingestion", "file", "none")

# Few senders: each is sequential, so together they stay far below the rule's 12,000 requests a minute.
_ROWS_PER_SENDER = 50_000
_MAX_SENDERS = 4


@dataclass(frozen=True)
class PostCounts:
    """What became of one table: `n_rows` = `n_sent` + `n_refused`.

    A refused row is too large for the service even with its fields cut. `n_batches` and `n_fields_cut` are 0 for a
    folder.
    """

    n_rows: int
    n_sent: int
    n_refused: int = 0
    n_batches: int = 0
    n_fields_cut: int = 0


def post_results(
    tables: Mapping[str, DataFrame],
    *,
    mode: str,
    run_id: str,
    time_generated: datetime,
    endpoint: str | None = None,
    dcr_id: str | None = None,
    credential: str = "default",
    folder: str | None = None,
    from_driver: bool = False,
    resolve: Callable[[str], Secret] | None = None,
) -> dict[str, PostCounts]:
    """Post the tables `nodes`, `edges` and `subgraphs` of one run and return what became of each.

    Give the tables as read back from the saved results: each is evaluated twice (counted, then sent), and a post that
    failed can be repeated with the same `run_id`, which gives every row the same RowId.

    Parameters
    ----------
    tables
        Tables by name; others than the three are left alone.
    mode
        `logs_ingestion` posts, `file` writes the same rows as JSON lines to `folder/run_id/<Log Analytics table>/`
        (overwritten by a repetition), `none` does nothing and returns nothing.
    run_id
        Letters, digits, `.`, `_` and `-`.
    time_generated
        The run's time, aware. The service replaces one older than 2 days or over 1 day ahead by the time of receipt.
    endpoint, dcr_id
        Address of the data collection endpoint (or of the rule itself) and immutable id of the rule.
    credential
        `default` for azure-identity's DefaultAzureCredential or `env:NAME` for a token in an environment variable, both
        resolved where the rows are sent; or what `resolve` turns into a token on the driver, which then sends.
    folder
        Folder or URL that Spark can write.
    from_driver
        Send from the driver, for clusters where only the driver has an identity. One sender, rows streamed through it.

    Raises
    ------
    ConfigError
        With every setting that is missing or wrong, before a row is evaluated.
    SchemaError
        With every table and column that is missing or of another type, before a row is evaluated.
    PublishError
        If rows could not be delivered; says what to do about it and how many rows had been delivered before.
    """
    problems = [] if mode in MODES else [f"post.mode is {mode!r}; allowed: {', '.join(MODES)}"]
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", run_id):
        problems.append(f"run_id is {run_id!r}; allowed: letters, digits, `.`, `_` and `-`")
    if time_generated.tzinfo is None:
        problems.append("time_generated has no time zone")
    if mode == "file" and not folder:
        problems.append("post.folder is missing")
    if mode == "logs_ingestion":
        problems += _check_address(endpoint, dcr_id, credential, can_resolve=resolve is not None)
    if problems:
        raise ConfigError("; ".join(problems))
    if mode == "none":
        return {}
    reference = parse_reference(credential)
    stored = StoredToken(credential, resolve) if resolve and reference and reference.is_for_the_driver else None
    frames = _conformed(tables)
    counts: dict[str, PostCounts] = {}
    for stream in STREAMS:
        started = time.monotonic()
        frame = frames[stream.table.name]
        n_rows = frame.count()
        rows = _sorted_rows(frame, stream, n_rows)
        encoder = RowEncoder(stream, run_id, time_generated)
        if mode == "file":
            done = _write(rows, encoder, f"{str(folder).rstrip('/')}/{run_id}/{stream.table_name}", n_rows)
        else:
            url = ingestion_url(str(endpoint), str(dcr_id), stream.name)
            delivery = Delivery(encoder, url, credential, token_scope(str(endpoint)))
            done = _send(rows, delivery, n_rows, from_driver, stored)
        counts[stream.table.name] = done
        logger.info(
            "post %s: %d of %d rows in %d batches, %d refused, %d fields cut, %.1f s",
            *(stream.table.name, done.n_sent, n_rows, done.n_batches, done.n_refused, done.n_fields_cut),
            time.monotonic() - started,
        )
    return counts


def _check_address(endpoint: str | None, dcr_id: str | None, credential: str, can_resolve: bool) -> list[str]:
    """Return what is wrong with where the rows go and who sends them."""
    problems = [f"post.{k} is missing" for k, v in (("endpoint", endpoint), ("dcr_id", dcr_id)) if not v]
    checks: list[Callable[[], object]] = [partial(check_credential, credential, can_resolve)]
    if endpoint and dcr_id:
        checks.append(partial(ingestion_url, endpoint, dcr_id, STREAMS[0].name))
    for check in checks:
        try:
            check()
        except ConfigError as error:
            problems.append(str(error))
    return problems


def _conformed(tables: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """Return the posted tables with exactly their declared columns, or raise with every difference of all of them."""
    frames, problems = {}, []
    for stream in STREAMS:
        name = stream.table.name
        if name not in tables:
            problems.append(f"table {name} is missing; given: {', '.join(sorted(tables)) or 'none'}")
            continue
        try:
            frames[name] = conform(tables[name], stream.table)
        except SchemaError as error:
            problems.append(str(error))
    if problems:
        raise SchemaError(f"nothing was posted: {'; '.join(problems)}")
    return frames


def _sorted_rows(frame: DataFrame, stream: Stream, n_rows: int) -> DataFrame:
    """Put the rows into a few partitions by key, sorted by key: the same rows make the same batches in every run."""
    n_senders = min(_MAX_SENDERS, 1 + n_rows // _ROWS_PER_SENDER)
    columns = [_posted_col(source, kind) for source, _, kind in stream.columns]
    return frame.select(*columns).repartition(n_senders, *stream.keys).sortWithinPartitions(*stream.keys)


def _posted_col(name: str, kind: str) -> Column:
    # Microseconds since 1970 mean the same in Arrow, in a Row and in every session time zone; a timestamp does not.
    return F.unix_micros(name).alias(name) if kind == "datetime" else F.col(name)


def _send(
    rows: DataFrame, delivery: Delivery, n_rows: int, from_driver: bool, stored: StoredToken | None
) -> PostCounts:
    if n_rows == 0:
        return PostCounts(0, 0)
    if from_driver or stored:
        receipts = list(delivery.receipts((row.asDict(recursive=True) for row in rows.toLocalIterator()), stored))
    else:
        _warn_of_speculation(rows)
        sent = rows.mapInArrow(partial(send_batches, delivery), RECEIPT_DDL)
        receipts = [Receipt(**row.asDict()) for row in sent.collect()]
    return count_receipts(receipts, delivery.encoder.stream.table.name, n_rows)


def count_receipts(receipts: list[Receipt], table: str, n_rows: int) -> PostCounts:
    """Add up the receipts of one table of `n_rows` rows.

    Raises
    ------
    PublishError
        If a batch was not delivered, no row was, or rows are missing from the sum.
    """
    n_sent = sum(receipt.n_rows for receipt in receipts)
    refused = sorted(row_id for receipt in receipts for row_id in receipt.refused)
    error = next((receipt.error for receipt in receipts if receipt.error), None)
    if error is None and n_sent == 0:
        error = "every row is too large for the service, or something before it refuses every body"
    if error is None and n_sent + len(refused) != n_rows:
        error = "the table changed between counting and sending; post it from the saved results"
    if error is not None:
        raise PublishError(f"table {table}: {error} ({n_sent} of {n_rows} rows were delivered)")
    if refused:
        logger.warning("post %s: %d rows are too large, first RowIds: %s", table, len(refused), ", ".join(refused[:5]))
    n_cut = sum(receipt.n_fields_cut for receipt in receipts)
    return PostCounts(n_rows, n_sent, len(refused), sum(receipt.n_rows > 0 for receipt in receipts), n_cut)


def _warn_of_speculation(frame: DataFrame) -> None:
    try:
        is_on = frame.sparkSession.conf.get("spark.speculation", "false")
    except PySparkException:  # a platform that does not show the setting
        return
    if str(is_on).lower() == "true":
        logger.warning("spark.speculation is on: a second copy of a slow task posts its rows again; set it to false")


def _write(rows: DataFrame, encoder: RowEncoder, path: str, n_rows: int) -> PostCounts:
    lines = rows.mapInArrow(partial(encode_batches, encoder), "value string")
    try:
        lines.write.mode("overwrite").text(path)
    except (PySparkException, Py4JJavaError) as error:
        java = getattr(error, "java_exception", None)  # says more than the name of its wrapper
        reason = type(error).__name__ if java is None else java.getClass().getSimpleName()
        raise PublishError(
            f"post.folder: {path} cannot be written ({reason}); check the path and the rights"
        ) from error
    return PostCounts(n_rows, n_rows)
