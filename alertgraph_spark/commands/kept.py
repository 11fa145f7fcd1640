"""What is asked of the history beside the job: what it holds, days to be folded, whether it is right, what may go."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

from pyspark.sql import SparkSession

from alertgraph_spark import history
from alertgraph_spark.access import session
from alertgraph_spark.clean_text import printed
from alertgraph_spark.commands.given import days_of, formats_of
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.errors import ConfigError, ResultsError
from alertgraph_spark.history.fold import packed_units
from alertgraph_spark.history.plan import Unit, day_unit, plan_units
from alertgraph_spark.publish import results
from alertgraph_spark.read.changes import ExportHour, list_hours
from alertgraph_spark.read.export_job import read_export_job
from alertgraph_spark.read.export_layout import DayFolder, midnight

Say = Callable[[str], None]

EVER = datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)

_DAY = timedelta(days=1)
_KINDS = {(False, True): "closed days", (False, False): "open hours", (True, True): "export jobs"}


class Kept(NamedTuple):
    """The history of one configuration: its store, and what its parts are made of. Spark starts where it is asked for."""

    settings: Settings
    formats: dict[str, Format]
    store: history.Store

    @classmethod
    def of(cls, settings: Settings) -> Kept:
        """Open the history that a configuration names.

        Raises
        ------
        ConfigError
            If it keeps none.
        """
        formats = formats_of(settings)
        place = history.place_of(settings.history.path, settings.results.path)
        if place is None:
            raise ConfigError("history.path is none: each run reads all lines anew, and nothing is kept")
        spark = None if results.is_local(place) and not session.is_platform() else _session(settings)
        key = history.history_key(settings.export.root, formats)
        return cls(settings, formats, history.Store(results.open_folder(place, spark), key))

    def days(self, spark: SparkSession, first: date | None, last: date | None) -> list[DayFolder]:
        """The day folders of the export in a span of days, both included."""
        since, until = midnight(first) if first else None, midnight(last) + _DAY if last else None
        _, found = days_of(spark, self.settings, since, until)
        return [day for day in found if (not first or first <= day.day) and (not last or day.day <= last)]


def status(kept: Kept, say: Say) -> int:
    """Say which days and hours of which site are there, and how large they are."""
    sizes: dict[tuple[str, str], list[int]] = defaultdict(list)
    days: dict[tuple[str, str], set[date]] = defaultdict(set)
    say(f"history   {kept.store.files.place}")
    for part in kept.store.parts():
        kind = "other settings" if part.key != kept.store.key else _KINDS[part.is_job, part.hour is None]
        sizes[part.site, kind].append(kept.store.file(part).stat().st_size)
        days[part.site, kind].add(part.day)
    for (site, kind), of in sorted(sizes.items()):
        first, last = min(days[site, kind]), max(days[site, kind])
        say(f"{site:<24}{kind:<16}{len(of):>6,} parts {sum(of) / 1e6:>9,.1f} MB   {first} to {last}")
    if not sizes:
        say("          nothing yet: a run, or `alertgraph history fold`, makes it")
    return 0


def fold(kept: Kept, first: date | None, last: date | None, say: Say) -> int:
    """Fold the days of the export that are closed and not there yet, day after day; what is done stays done."""
    spark = _session(kept.settings)
    look_back = timedelta(hours=kept.settings.export.look_back_hours)
    # Which days are closed the days after them say.
    listed = list_hours(spark, kept.days(spark, first, last and last + look_back + _DAY))
    if not listed:
        raise ResultsError("the export has no day in this span")
    plan = plan_units(listed, kept.store.parts(), kept.store.key, EVER, look_back)
    units = [unit for unit in plan.fold if unit.hour is None and (not last or unit.day <= last)]
    units.sort(key=lambda unit: (unit.day, unit.site))
    n_bytes = sum(unit.n_bytes for unit in units)
    with _progress(n_bytes, say) as done, session.tuned(spark, n_bytes, kept.settings.spark.conf):
        history.fold_units(history.Reader(spark, kept.formats), kept.store, units, done)
    n_there = sum(part.hour is None and not part.is_job and (not last or part.day <= last) for part in plan.use)
    say(f"days folded: {len(units):,}, there before: {n_there:,}; the runs themselves fold the open days")
    return 0


def fold_export_job(kept: Kept, folder: str, table: str, site: str, say: Say) -> int:
    """Fold the rows of one table that an export job wrote: they count on days that no rule has exported.

    Raises
    ------
    ConfigError
        If no source reads the table.
    """
    names = {name.lower(): name for name in kept.formats}
    if table.lower() not in names:
        raise ConfigError(f"no source reads the table {table}; there are {', '.join(kept.formats)}")
    table, site = names[table.lower()], site.lower()
    format_ = kept.formats[table]
    fingerprint = hashlib.sha256(f"{folder.rstrip('/')}\n{table}".encode()).hexdigest()[:16]
    before = [one for one in kept.store.parts() if one.is_job and (one.site, one.fingerprint) == (site, fingerprint)]
    rows = read_export_job(_session(kept.settings), folder, table, site, format_.reads)
    made = history.fold_job(rows, format_, kept.store, table=table, site=site, fingerprint=fingerprint)
    for part in before:
        kept.store.files.remove(part.name)
    span = f", {min(part.day for part in made)} to {max(part.day for part in made)}" if made else ""
    say(f"days folded: {len(made):,} of {site}{span}; they count where no rule has exported the day")
    return 0


def verify(kept: Kept, n_sampled: int, say: Say) -> int:
    """Fold some days that are there from the export again, and compare; return 2 if one differs."""
    mine = (part for part in kept.store.parts() if part.key == kept.store.key)
    there = {part[:2]: part for part in mine if part.hour is None and not part.is_job}
    if not there:
        raise ResultsError(f"{kept.store.files.place} holds no closed day that these settings have made")
    sampled = sorted(random.Random().sample(sorted(there), min(n_sampled, len(there))))
    spark = _session(kept.settings)
    span = min(day for _, day in sampled), max(day for _, day in sampled)
    hours: dict[tuple[str, date], list[ExportHour]] = defaultdict(list)
    for hour in list_hours(spark, [one for one in kept.days(spark, *span) if (one.site, one.day) in sampled]):
        hours[hour.site, hour.day].append(hour)
    units = []
    for key in sampled:
        unit = day_unit(hours[key]) if key in hours else None
        if unit is None:
            say(f"{key[0]} {key[1]}  the export does not hold it any more")
        elif unit.fingerprint != there[key].fingerprint:
            say(f"{key[0]} {key[1]}  the export's files have changed since: the next run folds it anew")
        else:
            units.append(unit)
    n_wrong = 0
    for unit, content in packed_units(history.Reader(spark, kept.formats), kept.store, units):
        part = there[unit.site, unit.day]
        is_same = kept.store.file(part).read_bytes() == content
        n_wrong += not is_same
        say(f"{unit.site} {unit.day}  {'as the export has it' if is_same else f'DIFFERS: remove {part.name}'}")
    return 2 if n_wrong else 0


def prune(kept: Kept, before: date | None, say: Say) -> int:
    """Remove parts of days before a date, and parts that other settings or an earlier version have made."""
    gone = [part for part in kept.store.parts() if part.key != kept.store.key or (before and part.day < before)]
    n_bytes = sum(kept.store.file(part).stat().st_size for part in gone)
    n_gone = kept.store.clear_old(gone)
    say(
        f"parts removed: {n_gone:,} of {len(gone):,} ({n_bytes / 1e6:,.1f} MB in all); what is young stays: a run may read it"
    )
    return 0


def add_commands(commands: Any, say: Say) -> None:
    """Add `history` and what it does to the commands of a parser."""
    asked = commands.add_parser("history", help="what is kept of the export").add_subparsers(
        required=True, metavar="COMMAND"
    )

    def add(name: str, does: str, run: Callable[[Kept, argparse.Namespace], int]) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = asked.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
        parser.add_argument("--config", required=True, type=Path, help="YAML file of the job")
        parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of it")
        parser.set_defaults(run=lambda args: run(Kept.of(load_settings(args.config, args.set)), args))
        return parser

    add("status", "say which days and hours are there", lambda of, args: status(of, say))
    does = "fold the closed days of the export that are not there yet; can be stopped and goes on where it was"
    days = add("fold", does, lambda of, args: fold(of, args.first, args.last, say))
    days.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY", help="first day, as 2026-03-02")
    days.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY", help="last day")
    does = "fold what an export job wrote of one table: Parquet, of days before the export rule"
    job = add("fold-job", does, lambda of, args: fold_export_job(of, args.folder, args.table, args.site, say))
    job.add_argument("folder", metavar="FOLDER", help="workspaceId/<id>/jobId/<id> in its container, or a URL of it")
    job.add_argument("--table", required=True, help="the table, as a source of the configuration names it")
    job.add_argument("--site", required=True, help="the workspace's name")
    does = "fold some closed days from the export again and compare; ends with 2 if one differs"
    some = add("verify", does, lambda of, args: verify(of, args.sample, say))
    some.add_argument("--sample", type=int, default=3, metavar="N", help="days, drawn at random; default 3")
    does = "remove what other settings or an earlier version have made, and days before a date"
    gone = add("prune", does, lambda of, args: prune(of, args.before, say))
    gone.add_argument("--before", type=date.fromisoformat, metavar="DAY", help="first day that stays")


def _session(settings: Settings) -> SparkSession:
    spark = settings.spark
    return session.start_session("alertgraph", spark.master, spark.driver_memory, spark.conf, settings.graph.jars)


@contextmanager
def _progress(n_bytes: int, say: Say) -> Iterator[Callable[[Unit], None]]:
    """A bar where somebody looks at a terminal, else a line a day."""
    bar: Any = None
    if sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
        # A cluster has no terminal, and need not have it.
        bar = importlib.import_module("tqdm").tqdm(total=n_bytes, unit="B", unit_scale=True)

    def done(unit: Unit) -> None:
        if bar is None:
            say(f"folded    {unit.site} {unit.day}")
        else:
            bar.set_description(f"{printed(unit.site)} {unit.day}")
            bar.update(unit.n_bytes)

    try:
        yield done
    finally:
        if bar is not None:
            bar.close()
