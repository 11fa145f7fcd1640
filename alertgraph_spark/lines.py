"""Lines: what was read, normalised and folded on Spark; what later stages ask of the lines is asked here.

Each line is parsed once: what later stages use of it is held, slim, until the tables have been saved. A million alerts
fold to a few thousand spans, and these leave Spark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.config.source_format import Asset, Format
from alertgraph_spark.fold.on_spark import fold_lines, heard_in, members_of, seen_spans, slim, with_bin
from alertgraph_spark.interpret import AssetList, interpret
from alertgraph_spark.normalise.alerts import find_unfinished, parse_lines, rejected_lines, with_status
from alertgraph_spark.normalise.balance import Balance, count_lines
from alertgraph_spark.normalise.repeats import find_repeats, mark_repeats
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.frames import as_held, collect_arrow, conform, frame_of
from alertgraph_spark.tables.interim_schemas import NORMALISED, SAID
from alertgraph_spark.tables.schemas import ALERTS, MEMBERS, TORN
from alertgraph_spark.tables.table import Table

BROADCAST_SPANS = 100_000
"""Spans below which what they say is broadcast: some 50 MB."""

_OF_SUBGRAPH = "span string, subgraph_id string, episode_id string, role string"
_FIRST_ALERTS = pa.schema([("episode", pa.int64()), ("alert_ids", pa.list_(pa.string()))])


def normalise_alerts(
    raw_alerts: Mapping[str, DataFrame], formats: Mapping[str, Format], assets: Sequence[Asset] = ()
) -> DataFrame:
    """Give every exported line the shape of an alert, and a reason where it is none.

    One input and one output row is one exported line. No line is dropped.

    Parameters
    ----------
    raw_alerts
        Table name to its exported lines, as `normalise.alerts.parse_lines` takes them.
    formats
        Table name to the format that reads it.
    assets
        The asset list; it resolves addresses to hosts and knows zones, Purdue levels and roles.

    Returns
    -------
    DataFrame
        `NORMALISED`, lazy.

    Notes
    -----
    Narrow. Each line is interpreted by itself, in Python workers; a run interprets what its lines say, which is far less.
    """
    return _interpreted(parse_lines(raw_alerts, formats), assets, NORMALISED)


def _interpreted(lines: DataFrame, assets: Sequence[Asset], wanted: Table, is_wanted: str = "true") -> DataFrame:
    """Interpret parsed lines, each by itself; the result has the columns of `wanted`, of the lines that SQL says are wanted.

    Notes
    -----
    The wanted lines are told apart behind Spark's plan: Spark would write the expressions of the parse into a filter.
    """
    asset_list, schema = AssetList(assets), arrow_schema(wanted)

    def meant(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            rows = interpret(rows.filter(rows["is_wanted"]), asset_list)
            yield from rows.select(wanted.names).cast(schema).to_batches()

    asked = [f"`{name}`" for name in lines.columns if name in {*wanted.names, *SAID.names}]
    return lines.selectExpr(*asked, f"{is_wanted} as is_wanted").mapInArrow(meant, wanted.ddl)


class AnyLines(Protocol):
    """What the pipeline asks of lines, those that were just read (`Lines`) or those of the history."""

    balance: Balance
    window: tuple[datetime, datetime]
    heard: pa.Table
    closed_until: Mapping[str, datetime]

    @property
    def spans(self) -> DataFrame | pa.Table:
        """What alerts say, those of the window and of the past; one row is one span (`interim_schemas.SPANS`)."""

    @property
    def rejected(self) -> DataFrame | pa.Table:
        """The lines that were refused (`schemas.REJECTED`)."""

    def alerts(self, assets: Sequence[Asset] = (), only: DataFrame | None = None) -> DataFrame:
        """The window's alerts (`schemas.ALERTS`), those of `only` alone where it is given."""

    def members(self, spans: pa.Table) -> DataFrame | pa.Table:
        """The alerts of some spans; one row is one alert (`schemas.MEMBERS`)."""

    def first_alerts(self, spans: pa.Table, most: int) -> pa.Table:
        """The first alerts of some episodes; one row is one `episode` with its `alert_ids`, at most `most`."""

    def release(self) -> None:
        """Give back what is held; called when the tables have been saved."""


@dataclass
class Lines:
    """The lines of a run: `parsed` as they were read, lazy; `binned` as `fold.on_spark.with_bin` gives them.

    `repeats` are the rows of alerts that are told more than once, `folded` what `fold.on_spark.fold_lines` makes of all
    lines, `unfinished` the torn last lines of files; None where there are none. `heard` tells who was heard when
    (`interim_schemas.HEARD`). `held` is what is persisted until all has been asked.
    """

    parsed: DataFrame
    binned: DataFrame
    repeats: DataFrame | None
    folded: DataFrame
    unfinished: DataFrame | None
    balance: Balance
    heard: pa.Table
    window: tuple[datetime, datetime]
    held: list[DataFrame]
    closed_until: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def spans(self) -> DataFrame:
        """What alerts say, those of the window and of the past; one row is one span (`interim_schemas.SPANS`)."""
        return seen_spans(self.folded)

    def alerts(self, assets: Sequence[Asset] = (), only: DataFrame | None = None) -> DataFrame:
        """The window's alerts, repeats left out (`schemas.ALERTS`); lazy: read anew, and interpreted each by itself.

        Of `only`, rows of `alert_id` and `site`, those alone are interpreted.
        """
        lines = mark_repeats(self.parsed, self.repeats)
        if only is not None:
            lines = lines.join(F.broadcast(only), on=["alert_id", "site"], how="left_semi")
        return _interpreted(lines, assets, ALERTS, "status = 'alert' and not is_repeat")

    @property
    def rejected(self) -> DataFrame:
        """The lines that were refused (`schemas.REJECTED`)."""
        return rejected_lines(self.binned, self.unfinished)

    def members(self, spans: pa.Table) -> DataFrame:
        """The alerts of some spans, lazily; one row is one alert (`schemas.MEMBERS`).

        `spans` has `span`, `subgraph_id`, `episode_id` and `role`.
        """
        return conform(self._of(spans, _OF_SUBGRAPH), MEMBERS)

    def first_alerts(self, spans: pa.Table, most: int) -> pa.Table:
        """The first alerts of some episodes in some spans; one row is one `episode` with its `alert_ids`, at most `most`.

        `spans` has `span` and the number of the `episode`.
        """
        if not spans.num_rows:  # nothing is shown: no job for nothing
            return _FIRST_ALERTS.empty_table()
        alerts = self._of(spans, "span string, episode bigint")
        in_order = Window.partitionBy("episode").orderBy("observed_at", "alert_id")
        first = alerts.withColumn("place", F.row_number().over(in_order)).filter(F.col("place") <= most)
        return collect_arrow(first.groupBy("episode").agg(F.sort_array(F.collect_list("alert_id")).alias("alert_ids")))

    def release(self) -> None:
        """Give back what is persisted."""
        while self.held:
            self.held.pop().unpersist()

    def _of(self, spans: pa.Table, ddl: str) -> DataFrame:
        wanted = spans.select([field.split()[0] for field in ddl.split(", ")])
        frame = frame_of(self.binned.sparkSession, wanted, ddl)
        return members_of(self.binned, self.folded, frame, few=wanted.num_rows < BROADCAST_SPANS)


def read_lines(
    raw_alerts: Mapping[str, DataFrame],
    formats: Mapping[str, Format],
    start: datetime,
    end: datetime,
    *,
    gap_seconds: int,
) -> Lines:
    """Normalise, fold and count exported lines.

    Parameters
    ----------
    raw_alerts
        Table name to its exported lines, as `normalise.alerts.parse_lines` takes them.
    formats
        Table name to the format that reads it.
    start
        Begin of the window by TimeGenerated. Lines before it are history.
    end
        End of the window, not in it.
    gap_seconds
        Pause that ends an episode, in seconds.

    Returns
    -------
    Lines
        What they say is persisted until `release`.

    Notes
    -----
    The lines are read once. Of alerts a number each is shuffled, to find repeats; else what was folded. Where nothing is
    repeated or torn nothing else is asked.
    """
    held: list[DataFrame] = []

    def hold(frame: DataFrame, level: StorageLevel) -> DataFrame:
        held.append(frame.persist(level))
        return as_held(held[-1])

    parsed = with_status(parse_lines(raw_alerts, formats), start, end)
    lines = hold(slim(parsed), StorageLevel.DISK_ONLY)
    by_id = [format_.name for format_ in formats.values() if format_.kept_by == "platform"]
    repeats: DataFrame | None = hold(find_repeats(lines.select("*", "said.name"), by_id), StorageLevel.MEMORY_AND_DISK)
    binned = with_bin(mark_repeats(lines, repeats), gap_seconds)
    folded = hold(fold_lines(binned), StorageLevel.MEMORY_AND_DISK)
    heard = collect_arrow(heard_in(folded))
    balance = count_lines(heard, formats)
    if not balance.n_repeats:
        repeats, binned = None, with_bin(mark_repeats(lines, None), gap_seconds)
    unfinished = None
    if balance.rejected_by_reason.get(TORN):
        unfinished = find_unfinished(lines)
        balance.tell_unfinished(unfinished.count())
    return Lines(parsed, binned, repeats, folded, unfinished, balance, heard, (start, end), held)
