"""Lines: what was read, normalised and folded on Spark; what later stages ask of the lines is asked here.

Each line is parsed once: what later stages use of it is held, slim, until the tables have been saved. A million alerts
fold to a few thousand bins, and these leave Spark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.config.source_format import Asset, Format
from alertgraph_spark.fold.bins import fold_lines, members_of, slim, with_bin
from alertgraph_spark.normalise.alerts import (
    find_unfinished,
    normalise_alerts,
    rejected_lines,
    with_status,
)
from alertgraph_spark.normalise.balance import MOST_UNKNOWN, Balance, count_lines
from alertgraph_spark.normalise.repeats import find_repeats, mark_repeats
from alertgraph_spark.tables.frames import as_held, collect_arrow, conform, frame_of
from alertgraph_spark.tables.interim_schemas import BIN_KEY, BINS
from alertgraph_spark.tables.schemas import MEMBERS, TORN

_TYPES = {column.name: column.type for column in BINS.columns}
_BIN_KEY_DDL = ", ".join(f"`{name}` {_TYPES[name]}" for name in BIN_KEY)
_FIRST_ALERTS = pa.schema([("episode", pa.int64()), ("alert_ids", pa.list_(pa.string()))])


@dataclass
class Lines:
    """The lines of a run: `whole` as they were normalised, lazy; `binned` as `fold.bins.with_bin` gives them.

    `repeats` are the rows of alerts that are told more than once, `folded` what `fold.bins.fold_lines` makes of all lines,
    `unfinished` the torn last lines of files. `held` is what is persisted until all has been asked.
    """

    whole: DataFrame
    binned: DataFrame
    repeats: DataFrame
    folded: DataFrame
    unfinished: DataFrame
    balance: Balance
    held: list[DataFrame]

    @property
    def bins(self) -> DataFrame:
        """The bins of the alerts, of the window and of the past; one row is one bin (`interim_schemas.BINS`)."""
        return conform(self.folded.filter(F.col("status").isin("alert", "history")), BINS)

    @property
    def alerts(self) -> DataFrame:
        """The window's alerts, repeats left out (`schemas.ALERTS` and more); read anew when asked for."""
        alerts = self.whole.filter("status = 'alert'")
        return mark_repeats(alerts, self.repeats).filter("not is_repeat").drop("is_repeat", "known_at")

    @property
    def rejected(self) -> DataFrame:
        """The lines that were refused (`schemas.REJECTED`)."""
        return rejected_lines(self.binned, self.unfinished)

    def members(self, bins: pa.Table) -> DataFrame:
        """The alerts of some bins, lazily; one row is one alert (`schemas.MEMBERS`).

        `bins` has `interim_schemas.BIN_KEY`, `subgraph_id`, `episode_id` and `role`.
        """
        more = ("subgraph_id", "episode_id", "role")
        ddl = ", ".join([_BIN_KEY_DDL, *(f"`{name}` string" for name in more)])
        return conform(self._of(bins.select([*BIN_KEY, *more]), ddl), MEMBERS)

    def first_alerts(self, bins: pa.Table, most: int) -> pa.Table:
        """The first alerts by id of some episodes; one row is one `episode` with its `alert_ids`, at most `most`.

        `bins` has `interim_schemas.BIN_KEY` and the number of the `episode`.
        """
        if not bins.num_rows:  # nothing is shown: no job for nothing
            return _FIRST_ALERTS.empty_table()
        alerts = self._of(bins.select([*BIN_KEY, "episode"]), f"{_BIN_KEY_DDL}, `episode` bigint")
        by_id = Window.partitionBy("episode").orderBy("alert_id", "row")
        first = alerts.withColumn("place", F.row_number().over(by_id)).filter(F.col("place") <= most)
        return collect_arrow(first.groupBy("episode").agg(F.sort_array(F.collect_list("alert_id")).alias("alert_ids")))

    def _of(self, bins: pa.Table, ddl: str) -> DataFrame:
        return members_of(self.binned, frame_of(self.binned.sparkSession, bins, ddl))


def read_lines(
    raw_alerts: Mapping[str, DataFrame],
    formats: Mapping[str, Format],
    start: datetime,
    end: datetime,
    *,
    assets: Sequence[Asset],
    gap_seconds: int,
) -> Lines:
    """Normalise, fold and count exported lines.

    Parameters
    ----------
    raw_alerts, formats
        Table name to its exported lines, and to their format; shapes as `alerts.normalise_alerts` takes them.
    start, end
        The window, by TimeGenerated, half-open. Lines before it are history.
    gap_seconds
        Pause that ends an episode.

    Notes
    -----
    The lines are read once. Of alerts a number each is shuffled, to find repeats; else bins alone. Where nothing is
    repeated, torn or unknown nothing else is asked.
    """
    held: list[DataFrame] = []

    def hold(frame: DataFrame, level: StorageLevel) -> DataFrame:
        held.append(frame.persist(level))
        return as_held(held[-1])

    whole = with_status(normalise_alerts(raw_alerts, formats, assets), start, end)
    lines = hold(slim(whole), StorageLevel.DISK_ONLY)
    by_id = [format_.name for format_ in formats.values() if format_.kept_by == "platform"]
    repeats = hold(find_repeats(lines, by_id), StorageLevel.MEMORY_AND_DISK)
    binned = with_bin(mark_repeats(lines, repeats), gap_seconds)
    folded = hold(fold_lines(binned), StorageLevel.MEMORY_AND_DISK)
    balance = count_lines(collect_arrow(_groups(folded)), formats)
    if balance.n_unknown:
        words = lines.filter("reason is null").select(F.explode("unknown").alias("word")).groupBy("word").count()
        found = words.orderBy(F.desc("count"), "word").take(MOST_UNKNOWN)
        balance.unknown_words = {row["word"]: row["count"] for row in found}
    unfinished = lines.select("row").limit(0)
    if balance.rejected_by_reason.get(TORN):
        unfinished = find_unfinished(lines)
        balance.tell_unfinished(unfinished.count())
    return Lines(whole, binned, repeats, folded, unfinished, balance, held)


def _groups(folded: DataFrame) -> DataFrame:
    """Lines by `table`, `status` and `reason`: their number, and how many words were unknown and entities left out."""
    totals = [F.sum(name).cast("bigint").alias(name) for name in ("n_alerts", "n_unknown", "n_left_out")]
    return folded.groupBy("table", "status", "reason").agg(*totals, F.count(F.lit(1)).alias("n_bins"))
