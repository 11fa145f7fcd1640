"""What a run leaves: its result, and the stages that it went through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import pyarrow as pa
from pyspark.sql import DataFrame

from alertgraph_spark.config.alert_exception import AlertException
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.config.source_format import Asset, MaintenanceWindow
from alertgraph_spark.graph.choice import GraphOptions
from alertgraph_spark.learn import Model
from alertgraph_spark.normalise.balance import Balance

OnStage = Callable[[str, int, float], None]
"""Told of each stage: name, rows, seconds."""


class Method(TypedDict, total=False):
    """What of the configuration decides what is found; as `rank_subgraphs` takes it."""

    assets: Sequence[Asset]
    windows: Sequence[MaintenanceWindow]
    exceptions: Sequence[AlertException]
    parameters: RankingParameters
    graph: GraphOptions | None
    model: Model


@dataclass
class Done:
    """A stage that ran: its name, its rows, its seconds, and how many rows were left out for a limit."""

    stage: str
    rows: int = 0
    seconds: float = 0.0
    left_out: int = 0


class Stages:
    """The stages of a run, each with its rows and its own seconds, told to a listener as they end."""

    def __init__(self, on_stage: OnStage = lambda stage, rows, seconds: None) -> None:
        """Tell `on_stage`."""
        self.done: list[Done] = []
        self._on_stage = on_stage

    @contextmanager
    def __call__(self, stage: str) -> Iterator[Done]:
        """Time a stage; the block sets `rows`."""
        begin = time.perf_counter()
        done = Done(stage)
        yield done
        done.seconds = time.perf_counter() - begin
        self._tell(done)

    @property
    def table(self) -> pa.Table:
        """The stages that have ended, as a worker gives them back; one row is one stage."""
        return pa.Table.from_pylist([vars(done) for done in self.done])

    def add(self, of_workers: pa.Table) -> None:
        """Note the stages that workers ran, each with the sum of what it took and gave on all of them."""
        total: dict[str, Done] = {}
        for row in of_workers.to_pylist():
            done = total.setdefault(row["stage"], Done(row["stage"]))
            done.rows, done.seconds = done.rows + row["rows"], done.seconds + row["seconds"]
            done.left_out += row["left_out"]
        for done in total.values():
            self._tell(done)

    def _tell(self, done: Done) -> None:
        self.done.append(done)
        self._on_stage(done.stage, done.rows, round(done.seconds, 3))

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage, in order."""
        return {done.stage: round(done.seconds, 3) for done in self.done}

    def rows(self, stage: str) -> int:
        """The rows of a stage that has ended."""
        return sum(done.rows for done in self.done if done.stage == stage)

    def left_out(self, stage: str) -> int:
        """How many rows a stage left out for a limit."""
        return sum(done.left_out for done in self.done if done.stage == stage)


class Found(NamedTuple):
    """What is found of some sites before it is explained.

    Each span with its episode (`spans`); episodes with their subgraph, the past that is not told again among them; the links
    that were kept, those of them that are causes, motif hits, features, subgraphs, the episodes that exceptions explain
    (`matched`), cuts, signatures; words that no table knows (`unknown`) with the number of alerts that say each; the `stages`
    that ran, and the graph's engine.
    """

    spans: pa.Table
    episodes: pa.Table
    links: pa.Table
    causes: pa.Table
    motif_hits: pa.Table
    features: pa.Table
    subgraphs: pa.Table
    matched: pa.Table
    cuts: pa.Table
    signatures: pa.Table
    unknown: pa.Table
    stages: pa.Table
    engine: str = "driver"

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The tables alone, by name."""
        return {name: found for name, found in self._asdict().items() if name != "engine"}


@dataclass
class Ranking:
    """What a run found: tables by name, counts that balance, the engine that was taken, and seconds a stage.

    Small tables are Arrow tables; those of alert size may be frames over lines that are held until `release` is called.
    `alerts` gives the window's alerts (`schemas.ALERTS`), all, or those of a frame of `alert_id` and `site`; their lines are
    read anew.
    """

    balance: Balance
    engine: str
    seconds: dict[str, float]
    tables: dict[str, DataFrame | pa.Table]
    alerts: Callable[..., DataFrame]
    release: Callable[[], None]

    @property
    def counts(self) -> dict[str, int]:
        """What became of the lines, and how much was found in them."""
        return self.balance.counts
