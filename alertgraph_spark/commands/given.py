"""What a run is given: the lines of its window and of the past that it needs, and what analysts have said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from pyspark.sql import SparkSession

from alertgraph_spark import history
from alertgraph_spark.access import session
from alertgraph_spark.access.secrets import resolve
from alertgraph_spark.config import format_files
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.lines import AnyLines, read_lines
from alertgraph_spark.publish import results
from alertgraph_spark.publish.model_in_use import ModelInUse
from alertgraph_spark.publish.run_verdicts import Said, hear, read_from
from alertgraph_spark.read import blob_mirror, export, verdict_list
from alertgraph_spark.read.export_layout import DayFolder, past_from, window_of
from alertgraph_spark.read.incidents import NO_INCIDENTS, Incidents


class Given(NamedTuple):
    """What a run is given: how its lines are had, its window, and since when subgraphs are told again.

    `said` is what analysts have said, `n_bytes` are read by Spark. `state` is a hash of what the export held, `words` and
    `told` say what the history gave.
    """

    lines: Callable[[], AnyLines]
    start: datetime
    end: datetime
    told_since: datetime
    said: Said
    n_bytes: int
    state: str = ""
    words: str = ""
    told: Mapping[str, Any] = MappingProxyType({})


def formats_of(settings: Settings) -> dict[str, Format]:
    """The format of each table that is read."""
    return {source.table: format_files.load_format(source.file) for source in settings.sources}


def runs_of(settings: Settings, spark: SparkSession) -> results.Runs:
    """Open all runs that a configuration has saved.

    Parameters
    ----------
    settings
        The configuration.
    spark
        The session.

    Returns
    -------
    results.Runs
        Nothing is read yet.
    """
    return results.Runs(settings.results.path.rstrip("/"), spark)


def model_of(settings: Settings, runs: results.Runs) -> ModelInUse:
    """Give the model that a configuration names.

    Parameters
    ----------
    settings
        The configuration.
    runs
        All saved runs, beside which a copy of the model lies.

    Returns
    -------
    ModelInUse
        Nothing is loaded yet.
    """
    return ModelInUse(settings.ranking.model, settings.tracking.uri, runs, strict=settings.tracking.strict)


def days_of(
    spark: SparkSession, settings: Settings, since: datetime | None, end: datetime | None, *, beside: str | None = None
) -> tuple[str, list[DayFolder]]:
    """The root of the export as Spark can read it, and the day folders there of the tables that are read.

    Of an account that is mirrored only the days from `since` until `end` are brought, and of these the table `beside` too.
    """
    exported = settings.export
    tables = {source.table: source.container for source in settings.sources}
    mirror = blob_mirror.Mirror(spark, exported.credential, exported.staging, resolve)
    mirrored = tables | ({beside: None} if beside else {})
    root = mirror.readable_root(exported.root, mirrored, exported.workspaces, since, end)
    return root, export.list_days(spark, root, tables, exported.workspaces)


class Exported(NamedTuple):
    """The export of one configuration, and what has been kept of it."""

    settings: Settings
    spark: SparkSession
    formats: Mapping[str, Format]
    store: history.Store | None
    reader: history.Reader
    held: history.Held
    runs: results.Runs
    incidents: Incidents

    @classmethod
    def of(cls, settings: Settings, spark: SparkSession, formats: Mapping[str, Format]) -> Exported:
        """Open what has been kept."""
        place = history.place_of(settings.history.path, settings.results.path)
        store = None
        if place:
            key = history.history_key(settings.export.root, formats)
            store = history.Store(results.make_folder(place, spark, "history.path"), key)
        reader, held, runs = history.Reader(spark, formats), history.Held(), runs_of(settings, spark)
        return cls(settings, spark, formats, store, reader, held, runs, Incidents(spark))

    def read(
        self, start: datetime | None, end: datetime | None, *, anew: bool, on_part: Callable[[history.Unit], None]
    ) -> Given:
        """Find the lines of a window and of the past that it needs: in the history, or `anew` in the export.

        `on_part` is told of each part of the history once it is there.
        """
        exported, spark = self.settings.export, self.spark
        look_back = timedelta(hours=exported.look_back_hours)
        past = timedelta(hours=max(exported.history_hours, exported.look_back_hours))
        told = None if exported.incidents == "none" else exported.incidents
        root, days = days_of(spark, self.settings, start and past_from(start, past), end, beside=told)
        start, end = window_of(days, start, end)
        span = past_from(start, past), end
        said = self._said(root, told, span)
        gap = self.settings.ranking.episode_gap_seconds
        if self.store is None or anew:
            columns = {table: format_.reads for table, format_ in self.formats.items()}
            raw = export.read_export(spark, days, columns, *span)
            lines = partial(read_lines, raw, self.formats, start, end, gap_seconds=gap)
            return Given(lines, start, end, start - look_back, said, n_bytes=export.bytes_of(raw.values()))
        tune = partial(session.tuned, spark, conf=self.settings.spark.conf)
        kept = history.bring_up_to_date(
            self.reader, self.store, days, span, look_back=look_back, tune=tune, on_part=on_part
        )
        files = {str(self.store.file(part)): part for part in kept.parts}
        by_id = [format_.name for format_ in self.formats.values() if format_.kept_by == "platform"]
        asked: dict[str, Any] = {
            "tables": self.formats,
            "by_id": by_id,
            "gap_seconds": gap,
            "closed": [file for file, part in files.items() if part.hour is None],
            "closed_until": kept.closed_until,
            "held": self.held,
        }
        lines_kept = partial(history.KeptLines, [*files], start, end, kept.hours, **asked)
        return Given(lines_kept, start, end, start - look_back, said, kept.n_bytes, kept.state, kept.words, kept.told)

    def _said(self, root: str, table: str | None, span: tuple[datetime, datetime]) -> Said:
        """What analysts have said; of incidents what has changed since the newest run, and not before the span."""
        exported = self.settings.export
        listed = verdict_list.load_verdicts(self.settings.verdicts_file)
        newest = next(self.runs.saved(), None)
        if table is None:
            return hear(newest, NO_INCIDENTS, listed)
        since = read_from(newest, span[0], timedelta(hours=exported.look_back_hours))
        until = max(span[1], datetime.now(timezone.utc))
        return hear(newest, self.incidents.read(root, table, exported.workspaces, since, until), listed)
