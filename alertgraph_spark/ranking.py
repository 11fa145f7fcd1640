"""What a run of the line knows and leaves: its knobs, its result, and how stages are run one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from alertgraph_spark.balance import Balance
from alertgraph_spark.graph import CROSSOVER_LINKS

OnStage = Callable[[str, int, float], None]
"""Told of each stage: name, rows, seconds."""


@dataclass(frozen=True)
class Knobs:
    """What an operator may turn: see `conf/README.md` for meaning and range of each."""

    budget_per_day: int = 1
    warm_up_hours: float = 24
    episode_gap_seconds: int = 300
    chronic_share: float = 0.2
    session_gap_seconds: float = 600
    pivot_gap_minutes: float = 30
    max_gap_hours: float = 336
    coincidence: float = 0.3
    max_sessions: int = 80
    chance_links: float = 12
    show_exceedance: float = 1.0
    engine: str = "auto"
    driver_max_links: int = 5_000_000
    crossover_links: int = CROSSOVER_LINKS


@dataclass
class Ranking:
    """What a run found: tables by name, counts that balance, the engine that was taken, and seconds a stage."""

    tables: dict[str, DataFrame] = field(default_factory=dict)
    balance: Balance = field(default_factory=Balance)
    engine: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    _held: list[DataFrame] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """What became of the lines, and how much was found in them."""
        return self.balance.counts

    def release(self) -> None:
        """Give back what was persisted; call it when the tables have been saved."""
        while self._held:
            self._held.pop().unpersist()


class Line:
    """Runs stages: materialises a stage's frame, counts it, times it and tells the listener.

    The small frames after the fold are checkpointed, not cached: a cache keeps its plan, plans of nested caches repeat each
    other, and by the sixth stage Spark spends minutes on printing them. Without a checkpoint folder the checkpoint is local:
    lost with an executor, and the run is then repeated.
    """

    def __init__(self, ranking: Ranking, on_stage: OnStage) -> None:
        """Run for `ranking`, and tell `on_stage`."""
        self.ranking = ranking
        self.on_stage = on_stage

    def hold(self, frame: DataFrame) -> DataFrame:
        """Keep what is used more than once until the tables have been saved."""
        held = frame.persist(StorageLevel.MEMORY_AND_DISK)
        self.ranking._held.append(held)
        return held

    def cut(self, frame: DataFrame) -> DataFrame:
        """Checkpoint a frame: its rows stay, its plan does not."""
        has_folder = frame.sparkSession.sparkContext.getCheckpointDir() is not None
        return frame.checkpoint() if has_folder else frame.localCheckpoint()

    def run(self, stage: str, frame: DataFrame) -> tuple[DataFrame, int]:
        """Make a stage's frame; return it cut, and its rows."""
        begin = time.perf_counter()
        cut = self.cut(frame)
        rows = cut.count()
        self.done(stage, rows, begin)
        return cut, rows

    def done(self, stage: str, rows: int, begin: float) -> None:
        """Note a stage that began at `begin`, and tell the listener."""
        self.ranking.seconds[stage] = round(time.perf_counter() - begin, 3)
        self.on_stage(stage, rows, self.ranking.seconds[stage])
