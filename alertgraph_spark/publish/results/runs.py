"""All runs that one configuration has saved: a folder each, below `results.path`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyspark.sql import SparkSession

from alertgraph_spark.publish.results.folder import RunFolder, open_folder


class SavedRun(NamedTuple):
    """The folder of a run that was saved whole, and what its `run.json` holds."""

    folder: RunFolder
    record: dict[str, Any]


@dataclass(frozen=True)
class Runs:
    """The runs below a folder; `place` is its path or URL, without a slash at its end."""

    place: str
    spark: SparkSession | None = None

    @property
    def folder(self) -> RunFolder:
        """The folder that holds all runs."""
        return open_folder(self.place, self.spark)

    def open(self, run_id: str) -> RunFolder:
        """The folder of one run."""
        return open_folder(f"{self.place}/{run_id}", self.spark)

    def ids(self) -> list[str]:
        """The ids of runs, the newest first: they begin with their time."""
        return sorted(self.folder.folders(), reverse=True)

    def saved(self, ids: Iterable[str] | None = None) -> Iterator[SavedRun]:
        """Those of some runs that were saved whole, in the order of `ids`; of all runs, the newest first.

        Each is opened when it is asked for.
        """
        for run_id in self.ids() if ids is None else ids:
            folder = self.open(run_id)
            if text := folder.read("run.json"):
                yield SavedRun(folder, json.loads(text))
