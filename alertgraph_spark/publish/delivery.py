"""Posts a saved run: first what a post that was killed has left, then of the run what has changed since it was posted last.

The results are read from the folder of their run, what an address has had from the folder that holds all runs. Its memory is
written after the rows have arrived: a kill in between leaves the run begun, and whoever posts next finds in its ledger that
nothing of it is left to be sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property, partial
from typing import Any

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import AlertGraphError
from alertgraph_spark.publish import log_analytics, results
from alertgraph_spark.publish.log_analytics import Ledger, Memory, PostCounts
from alertgraph_spark.publish.run_record import run_table

logger = logging.getLogger(__name__)

Posted = dict[str, PostCounts]


@dataclass(frozen=True)
class Delivery:
    """Where saved runs are posted.

    Attributes
    ----------
    runs
        All runs, as a Spark session opens them.
    post
        The settings below `post`, by their names.
    look_back_hours
        How long before its window an alert was received for a run to tell of its subgraph.
    resolve
        Turns the reference to a credential into the secret.
    """

    runs: results.Runs
    post: Mapping[str, Any]
    look_back_hours: float
    resolve: Callable[[str], Secret]

    def post_run(self, folder: results.RunFolder, record: Mapping[str, Any]) -> Posted:
        """Post a run as it was saved, and add to its `run.json` what became of the rows; nothing with `mode` none.

        A run that has begun to be posted and was killed is ended before; where that fails, this one is not tried.
        """
        if self.post["mode"] == "none":
            return {}
        for run_id in self._memory.begun():
            if run_id != record["run_id"] and (error := self._ended(run_id)):
                told = f"not tried, for run {run_id}, which was posted in part, cannot be ended: {error}"
                tables = results.read_tables(folder, log_analytics.POSTED).items()
                n_rows = {name: rows.count_rows() for name, rows in tables} | {"runs": 1}
                return {name: PostCounts(n, error=told) for name, n in n_rows.items()}
        return self._posted(folder, record)

    def _ended(self, run_id: str) -> str:
        """End the post of an earlier run; return why that must be tried again, and nothing where it is done or hopeless.

        What it could not deliver is in the next run's post, if it still stands: a row that the service will not have, or
        results that are gone, hold up nothing.
        """
        logger.warning("run %s was posted in part: its rest is posted first", run_id)
        folder = self.runs.open(run_id)
        try:
            posted = self._posted(folder, results.read_run(folder))
        except AlertGraphError as refusal:
            logger.warning("run %s is left as it is: %s", run_id, refusal)
            posted = {}
        said = next((counts.error for counts in posted.values() if counts.error), "")
        if said and not Ledger.open(folder, self._address).refused():
            return said
        self._memory.end(run_id)
        return ""

    def _posted(self, folder: results.RunFolder, record: Mapping[str, Any]) -> Posted:
        run_id, now = record["run_id"], datetime.now(timezone.utc)
        tables = results.read_tables(folder, (*log_analytics.POSTED, "features")) | {"runs": run_table(record)}
        told = log_analytics.told_subgraphs(tables)
        ledger, delivered = Ledger.open(folder, self._address), self._memory.delivered()
        if ledger.plan() is None:
            start, end = (datetime.fromisoformat(record["window"][bound]) for bound in ("start", "end"))
            received = start - timedelta(hours=self.look_back_hours), end
            ledger.save_changes(log_analytics.changes_of(told, delivered, run_id, received, now))
        changes = ledger.changes()  # none of a run that an earlier version has begun to post: it goes on with all rows
        self._memory.begin(run_id)
        posted = log_analytics.post_results(
            tables,
            read_frame=partial(results.read_frame, self.runs.spark, folder),
            open_folder=partial(results.open_folder, spark=self.runs.spark),
            run_id=run_id,
            time_generated=now,
            resolve=self.resolve,
            files=folder,
            changes=changes,
            **self.post,
        )
        if not any(counts.error for counts in posted.values()):
            done = {"run_id": run_id, "now": now, "refused": ledger.refused()}
            after = log_analytics.delivered_after(delivered, told, changes, **done)
            self._memory.keep(after, run_id, now)
            self._memory.end(run_id)
        fresh = {"freshness": asdict(changes.freshness)} if changes else {}
        outcome = {name: asdict(counts) for name, counts in posted.items()}
        results.save_run(folder, {**record, **fresh, "posted": outcome})
        return posted

    @property
    def _address(self) -> str:
        return log_analytics.Target.of(self.resolve, **self.post).name

    @cached_property
    def _memory(self) -> Memory:
        return Memory.open(self.runs.folder, self._address, timedelta(hours=self.look_back_hours))


def is_delivered(record: Mapping[str, Any], mode: str) -> bool:
    """Tell whether all rows of a run were posted that were to be.

    Parameters
    ----------
    record
        What its `run.json` holds.
    mode
        The setting `post.mode`.

    Returns
    -------
    bool
        True where nothing is to be posted.
    """
    if mode == "none":
        return True
    posted = record.get("posted", {})
    return bool(posted) and all(PostCounts(**counts).is_complete for counts in posted.values())
