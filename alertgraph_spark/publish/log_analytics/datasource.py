"""A table posted by `frame.write`, where Spark has Python data sources: from 4.0 on, and on Databricks.

    from alertgraph_spark.publish.log_analytics.datasource import LogAnalyticsSource

    spark.dataSource.register(LogAnalyticsSource)
    to = {"table": "nodes", "run_id": "…", "endpoint": "https://…", "dcr_id": "dcr-…", "credential": "default"}
    nodes.write.format("alertgraph_log_analytics").mode("append").options(**to).save()

For a notebook that posts a table by itself: the sender and the checks are those of `post_results`, which is what the job
uses, because it alone remembers what has arrived. A commit cannot take back a request: a task that Spark runs again sends its
rows again, with the RowIds they had, and readers fold them. Options besides those above:

- `time_generated`: the run's time in ISO 8601 with a zone, now where it is missing. Give it to post a run again.
- `tasks`: how many tasks may post at a time, 8 where it is missing; each keeps to its part of the service's limits, so write
  no more partitions than that. All rows of one key must be in one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import pyarrow as pa
from pyspark.sql.types import StructType

try:
    from pyspark.sql.datasource import DataSource, DataSourceArrowWriter, WriterCommitMessage
except ImportError:
    raise ImportError("Python data sources came with Spark 4.0; on 3.5 post with `post_results`") from None

from alertgraph_spark.errors import ConfigError, PublishError, SchemaError
from alertgraph_spark.publish.log_analytics.batches import MAX_BODY_BYTES
from alertgraph_spark.publish.log_analytics.rows import RowEncoder
from alertgraph_spark.publish.log_analytics.streams import STREAMS
from alertgraph_spark.publish.log_analytics.target import Target
from alertgraph_spark.publish.log_analytics.tasks import Delivery
from alertgraph_spark.tables.frames import differences

_NEEDED = ("table", "run_id", "endpoint", "dcr_id")


class LogAnalyticsSource(DataSource):
    """The format `alertgraph_log_analytics`: it can be written, not read."""

    @classmethod
    def name(cls) -> str:
        """Return what the format is called."""
        return "alertgraph_log_analytics"

    def writer(self, schema: StructType, overwrite: bool) -> LogAnalyticsWriter:
        """Return what posts the rows.

        Raises
        ------
        ConfigError
            With every option that is missing or wrong, before a row is evaluated.
        SchemaError
            With every column that is missing or of another type, before a row is evaluated.
        """
        given = {name: str(self.options.get(name, "")) for name in (*_NEEDED, "time_generated")}
        credential, tasks = self.options.get("credential", "default"), str(self.options.get("tasks", 8))
        stream = next((s for s in STREAMS if s.table.name == given["table"]), None)
        problems = ["Log Analytics takes rows and replaces none: write with mode append"] if overwrite else []
        problems += [f"option {name} is missing" for name in _NEEDED if not given[name]]
        if stream is None:
            problems.append(f"option table: one of {', '.join(s.table.name for s in STREAMS)}")
        if not tasks.isdecimal() or int(tasks) == 0:
            problems.append("option tasks: a whole number from 1")
        try:
            when = datetime.fromisoformat(
                given["time_generated"].replace("Z", "+00:00") or f"{datetime.now(timezone.utc)}"
            )
        except ValueError:
            when = datetime.min
        if when.tzinfo is None:
            problems.append("option time_generated: ISO 8601 with a zone")
        target = Target("logs_ingestion", given["endpoint"], given["dcr_id"], credential)
        problems += target.problems() if given["endpoint"] and given["dcr_id"] else []
        if problems or stream is None:
            raise ConfigError("; ".join(problems))
        if wrong := differences(schema, stream.table):
            raise SchemaError(f"nothing was posted: {wrong}")
        delivery = target.delivery(RowEncoder(stream, given["run_id"], when), frozenset(), frozenset(), MAX_BODY_BYTES)
        return LogAnalyticsWriter(replace(delivery, share=1 / int(tasks)))


@dataclass(frozen=True)
class Posted(WriterCommitMessage):
    """What became of one task's rows."""

    n_sent: int
    n_refused: int
    error: str


@dataclass(frozen=True)
class LogAnalyticsWriter(DataSourceArrowWriter):
    """Posts each task's rows, and fails at the end where not all were taken."""

    delivery: Delivery

    def write(self, iterator: Iterator[pa.RecordBatch]) -> Posted:
        """Post one task's rows in the order of their keys, so that a task that is run again makes the same batches.

        A refusal is told to `commit`: raised here, it would have Spark run the task again, and send what was taken.
        """
        stream = self.delivery.encoder.stream
        batches = list(iterator)
        rows = pa.Table.from_batches(batches) if batches else pa.table({})
        for source, _, kind in stream.columns if batches else ():
            if kind == "datetime":  # microseconds since 1970 mean the same in every session time zone
                rows = rows.set_column(rows.schema.get_field_index(source), source, rows[source].cast(pa.int64()))
        if stream.keys and batches:
            rows = rows.sort_by([(key, "ascending") for key in stream.keys])
        receipts = list(self.delivery.receipts(self.delivery.encoder.encode_all(rows.to_pylist())))
        error = next((receipt.error for receipt in receipts if receipt.error), "")
        return Posted(sum(r.n_rows for r in receipts), sum(len(r.refused) for r in receipts), error)

    def commit(self, messages: Sequence[Posted | None]) -> None:
        """End the write.

        Raises
        ------
        PublishError
            If rows were not taken: what the service answered, and how many rows were.
        """
        posted = [message for message in messages if message]
        n_sent, n_refused = sum(p.n_sent for p in posted), sum(p.n_refused for p in posted)
        errors = [p.error for p in posted if p.error]
        errors += [f"{n_refused} rows are too large or not of their columns' types"] if n_refused else []
        if errors:
            raise PublishError(f"{errors[0]}; {n_sent} rows were delivered")
