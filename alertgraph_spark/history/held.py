"""What a session holds between its runs: the lines of parts that are settled, folded once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from alertgraph_spark.history.kept_tables import Parts, keep_settled
from alertgraph_spark.tables.embedded import Engine


class Held:
    """An engine with the lines of settled parts; other parts, or another fold, have it load them anew."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._engine: Engine | None = None
        self._asked: tuple[tuple[str, ...], tuple[str, ...], int] | None = None

    def engine(self, settled: Parts, by_id: Collection[str], gap_seconds: int) -> Engine:
        """The engine that holds some settled parts, as `kept_tables.keep_settled` keeps them."""
        files = () if settled.none else (*settled.files,)
        asked = files, (*sorted(by_id),), gap_seconds
        if self._engine is None or asked != self._asked:
            self.release()
            self._engine = Engine()
            keep_settled(self._engine, settled, by_id, gap_seconds)
            self._asked = asked
        return self._engine

    def release(self) -> None:
        """Give back memory and files."""
        if self._engine:
            self._engine.__exit__(None, None, None)
        self._engine = self._asked = None


class Divided(NamedTuple):
    """The parts of a run: the `settled`, the `recent`, and `all` of them."""

    settled: Parts
    recent: Parts
    all: Parts


def divide(files: Sequence[str], closed: Collection[str], start: datetime, hours: tuple[int, int]) -> Divided:
    """Tell which parts are settled: of closed days those that lie before a window, and within some hours, whole."""
    settled = {file for file in set(files).intersection(closed) if _is_settled(_span_of(file), start, hours)}
    in_order = sorted(files, key=lambda file: (file not in settled, file))  # stable numbers for those that stay
    every = Parts({file: number for number, file in enumerate(in_order)}, hours)
    return Divided(every.only(range(len(settled))), every.only(range(len(settled), len(files))), every)


Span = tuple[int, int, datetime | None]


def _is_settled(span: Span | None, start: datetime, hours: tuple[int, int]) -> bool:
    if span is None:
        return False
    first, last, newest = span
    return hours[0] <= first and last < hours[1] and (newest is None or newest < start)


@lru_cache(maxsize=4096)
def _span_of(file: str) -> Span | None:
    """First and last hour of a part's folders, and when its newest row was received; None where its footer does not say."""
    said = pq.read_metadata(file)
    ends: dict[str, list[Any]] = {"export_hour": [], "received_at": []}
    for group in map(said.row_group, range(said.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema not in ends:
                continue
            told = column.statistics
            if told is not None and told.has_min_max:
                ends[column.path_in_schema] += [told.min, told.max]
            elif told is None or told.null_count != column.num_values:
                return None
    hours, times = ends.values()
    return (min(hours), max(hours), max(times, default=None)) if hours else None
