"""Posts the results tables one after the other, small ones from here, large ones by Spark; remembers what has arrived."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.publish.files import Files, MemoryFiles
from alertgraph_spark.publish.log_analytics import frames, here
from alertgraph_spark.publish.log_analytics.batches import MAX_BODY_BYTES, Receipt
from alertgraph_spark.publish.log_analytics.changes import Changes
from alertgraph_spark.publish.log_analytics.ledger import Ledger, PostCounts, TablePlan
from alertgraph_spark.publish.log_analytics.rows import RowEncoder
from alertgraph_spark.publish.log_analytics.streams import STREAMS, Stream, check_declared, check_shapes
from alertgraph_spark.publish.log_analytics.target import NETWORK_MODES, Target
from alertgraph_spark.publish.log_analytics.tasks import Delivery, Edges
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.frames import conform

logger = logging.getLogger(__name__)

MODES = (*NETWORK_MODES, "file", "none")

SMALL_ROWS = 10_000
"""A table of so many rows leaves from this process: that takes a second, and to start a task of Spark as long."""

ReadFrame = Callable[[str], DataFrame]


def post_results(
    tables: Mapping[str, pa.Table],
    *,
    read_frame: ReadFrame | None = None,
    open_folder: Callable[[str], Files] | None = None,
    mode: str,
    run_id: str,
    time_generated: datetime,
    endpoint: str | None = None,
    dcr_id: str | None = None,
    credential: str = "default",
    tenant_id: str | None = None,
    client_id: str | None = None,
    folder: str | None = None,
    rule: str | None = None,
    from_driver: bool = False,
    resolve: Callable[[str], Secret] | None = None,
    files: Files | None = None,
    changes: Changes | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> dict[str, PostCounts]:
    """Post the tables of one run that are in `streams.STREAMS`.

    Give the tables as read back from the saved results. A post that failed or was killed is taken up with the same
    `run_id` and `files`: what the ledger knows is not sent again, and every row has the RowId it had. A table that
    cannot be delivered ends the post; those after it are counted and not tried.

    Parameters
    ----------
    tables
        Arrow tables or datasets by name; others than those of `STREAMS` are left alone.
    read_frame
        Reads a saved table by name, to send over 10,000 rows from the executors; else all leave from here.
    open_folder
        Opens `folder` for mode `file`.
    mode
        `logs_ingestion` posts. `data_collector` posts from the driver, to the API that is out of support. `file` writes
        the same rows as JSON lines to `folder/run_id/<Log Analytics table>/`, anew if repeated. `none` does nothing.
    run_id
        Letters, digits, `.`, `_` and `-`.
    time_generated
        The run's time, aware; a post taken up keeps its first. Replaced if 2 days old or 1 day ahead.
    endpoint
        Address of the data collection endpoint, or of the rule itself.
    dcr_id
        Immutable id of the rule.
    credential
        A reference: to the secret of the service principal, or without its ids to a token, or `default`. The latter and
        `env:NAME` are resolved where rows are sent. For `data_collector` it is the workspace's key.
    tenant_id
        Tenant of the service principal.
    client_id
        Its application.
    folder
        Folder or URL that `open_folder` and Spark can write.
    rule
        File that holds the rule as it is deployed, as JSON; without it, that which `schemas` would give.
    from_driver
        Send from the driver, for clusters where only the driver has an identity. One sender, rows streamed through it.
    resolve
        Looks up a secret in this process. Rows that are sent with such a secret leave from here.
    files
        The run's folder, with the ledger and the dead letters; else nothing is remembered.
    changes
        What is posted of the tables that have a subgraph; without it all rows are.
    max_body_bytes
        Longest body of one request, in bytes.

    Returns
    -------
    dict
        Table name to what became of its rows.

    Raises
    ------
    ConfigError
        With every setting that is missing or wrong, before a row is evaluated.
    SchemaError
        With every table and column that is missing, of another type or not declared by the rule, before a row is evaluated.
    PublishError
        If the folder of mode `file` cannot be written. What a service refuses is told in the counts.
    """
    problems = [] if mode in MODES else [f"post.mode is {mode!r}; allowed: {', '.join(MODES)}"]
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", run_id):
        problems.append(f"run_id is {run_id!r}; allowed: letters, digits, `.`, `_` and `-`")
    if time_generated.tzinfo is None:
        problems.append("time_generated has no time zone")
    if mode == "file" and not folder:
        problems.append("post.folder is missing")
    elif mode == "file" and open_folder is None:
        problems.append("post.mode is file, and nothing opens post.folder")
    place = {"endpoint": endpoint, "dcr_id": dcr_id, "folder": folder}
    ids = {"tenant_id": tenant_id, "client_id": client_id}
    target = Target.of(resolve, mode=mode, credential=credential, **place, **ids)
    problems += target.problems()
    if problems:
        raise ConfigError("; ".join(problems))
    if mode == "none":
        return {}
    check_declared(read_rule(rule) if rule else None)
    check_shapes(tables)
    keys = changes.keys() if changes else None
    told = {**tables, "runs": changes.told_in(tables["runs"])} if changes else tables
    posts = {stream.table.name: _Table(stream, told[stream.table.name], read_frame, keys) for stream in STREAMS}
    ledger = Ledger.open(files or MemoryFiles(), target.name)
    ledger.clear_letters()
    planned = ledger.plan()
    if planned is None:
        planned = time_generated, {name: post.plan(max_body_bytes) for name, post in posts.items()}
        ledger.save_plan(*planned, run_id=run_id, endpoint=endpoint, dcr_id=dcr_id)
    time_generated, plans = planned
    if mode == "file" and open_folder:
        folder = f"{str(folder).rstrip('/')}/{run_id}"
        files = open_folder(folder)
        return {
            name: replace(
                post.written(RowEncoder(post.stream, run_id, time_generated), files, folder),
                n_unchanged=plans[name].n_unchanged,
            )
            for name, post in posts.items()
        }
    edges_of = target.edges(from_driver)
    counts: dict[str, PostCounts] = {}
    for stream in STREAMS:
        name, plan = stream.table.name, plans[stream.table.name]
        if any(not done.is_complete and done.error for done in counts.values()):
            counts[name] = PostCounts(
                plan.n_rows, n_unchanged=plan.n_unchanged, error="not tried after the one before it"
            )
            continue
        encoder = RowEncoder(stream, run_id, time_generated)
        delivery = target.delivery(encoder, frozenset(ledger.known), frozenset(ledger.split), max_body_bytes)
        started = time.monotonic()
        receipts = posts[name].sent(delivery, plan, edges_of(stream)) if plan.n_rows else ()
        done = counts[name] = replace(ledger.record_all(name, plan.n_rows, receipts), n_unchanged=plan.n_unchanged)
        logger.info(
            "post %s: %d of %d rows in %d batches, %d unchanged, %d before, %d refused, %d fields cut, %.1f s",
            *(name, done.n_sent, done.n_rows, done.n_batches, done.n_unchanged, done.n_before, done.n_refused),
            *(done.n_fields_cut, time.monotonic() - started),
        )
    return counts


def read_rule(file: str) -> Any:
    """The data collection rule in a file, as parsed JSON."""
    try:
        return json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"post.rule: {file} cannot be read as JSON ({type(error).__name__})") from None


@dataclass(frozen=True)
class _Table:
    """One table that is posted: by this process where it is small, else by Spark, which reads it anew.

    Of a table that has a subgraph only rows of those in `keys` are posted, where there are `keys`.
    """

    stream: Stream
    saved: pa.Table
    read_frame: ReadFrame | None
    keys: pa.Table | None = None

    def rows(self) -> pa.Table:
        """The rows that are posted."""
        if self.keys is None or not self.stream.is_of_subgraphs:
            return self.saved
        return conform_arrow(self._of_keys("saved.*"), self.stream.table)

    def frame(self, is_large: bool) -> DataFrame | None:
        """The rows that are posted for Spark, None where they leave from here, as that of the run does."""
        if self.read_frame is None or not is_large or not self.stream.keys:
            return None
        frame = conform(self.read_frame(self.stream.table.name), self.stream.table)
        has_all = self.keys is None or not self.stream.is_of_subgraphs
        return frame if has_all else frames.of_keys(frame, self.keys)

    def count(self) -> int:
        """How many rows are posted."""
        if self.keys is None or not self.stream.is_of_subgraphs:
            return here.count(self.saved)
        return int(self._of_keys("count(*) AS n")["n"][0].as_py())

    def plan(self, max_body_bytes: int) -> TablePlan:
        """How many rows it has, and into how many partitions it is cut; one leaves from here."""
        n_rows = self.count()
        frame = self.frame(n_rows > SMALL_ROWS * max_body_bytes / MAX_BODY_BYTES)
        n_partitions = 1 if frame is None else frames.n_partitions(frame, max_body_bytes)
        return TablePlan(n_rows, n_partitions, here.count(self.saved) - n_rows)

    def sent(self, delivery: Delivery, plan: TablePlan, edges: Edges | None) -> Iterator[Receipt]:
        """Send it as it was planned, and yield a receipt for each batch."""
        frame = self.frame(plan.n_partitions > 1)
        if frame is None:
            return here.sent(self.rows(), delivery, edges or Edges())
        return frames.sent(frame, delivery, plan, edges)

    def written(self, encoder: RowEncoder, files: Files, place: str) -> PostCounts:
        """Write it as JSON lines to the folder of its Log Analytics table in `place`, which `files` is."""
        folder = self.stream.table_name
        frame = self.frame(self.count() > SMALL_ROWS)
        if frame is None:
            return here.written(self.rows(), encoder, files, folder)
        return frames.written(frame, encoder, f"{place}/{folder}")

    def _of_keys(self, what: str) -> pa.Table:
        with Engine() as engine:
            sql = f"SELECT {what} FROM saved SEMI JOIN keys USING (site, subgraph_id)"
            return engine.query(sql, {"saved": self.saved, "keys": self.keys})
