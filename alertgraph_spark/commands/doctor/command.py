"""The command itself: which checks there are, in which order, and what is said of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from alertgraph_spark.access import session
from alertgraph_spark.access.secrets import resolve
from alertgraph_spark.commands.cli import terminal_width
from alertgraph_spark.commands.doctor import configured, exported, machine, on_spark
from alertgraph_spark.commands.doctor.findings import FAIL, OK, WARN, Check, Finding, lines_of, run_check, summary_of
from alertgraph_spark.config import format_files
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.errors import AlertGraphError
from alertgraph_spark.publish import results
from alertgraph_spark.read.blob_mirror.account import is_account, open_account
from alertgraph_spark.read.export_peek import AccountPeek, FolderPeek, Peek, SparkPeek

HISTORY_SHARE = 0.05
"""What the history keeps of the exported bytes (docs/operations.md)."""

RESULT_BYTES = 150
"""Bytes of saved results for each alert of a run; 100 were measured, with 107,000 alerts."""

RUNS_A_MONTH = 30

Say = Callable[[str], None]


def add_command(commands: Any, say: Say) -> None:
    """Add `doctor` to the commands of a parser.

    Parameters
    ----------
    commands
        The sub-parsers of argparse.
    say
        Prints a line.
    """
    parser = commands.add_parser(
        "doctor",
        help="check whether a run with a configuration can work here",
        description="Check one by one what a run needs: versions, Java, memory and disk; the export, its tables and its"
        " newest rows; formats on these rows; lists, secrets, results, the data collection rule, the webhook and MLflow."
        " Nothing is ranked, posted or told. No secret is shown.",
        epilog="Ends with 0, or with 2 if a check fails. A check that raises or gives no answer fails; the next one runs.",
    )
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="YAML file of the job")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of it")
    parser.add_argument(
        "--no-spark",
        action="store_true",
        help="start no Spark: formats are not tried on rows, nor places that it alone reaches",
    )
    parser.add_argument(
        "--timeout", type=float, default=120.0, metavar="SECONDS", help="how long one check may take, default 120"
    )
    parser.set_defaults(run=lambda args: doctor(args, say))


def doctor(args: argparse.Namespace, say: Say) -> int:
    """Run all checks and say what each found; return 2 if one fails."""
    width = terminal_width()
    found: list[Finding] = []
    for one in _findings(args):
        found.append(one)
        for line in lines_of(one, width):
            say(line)
        sys.stdout.flush()  # the next check may take a while
    say("")
    say(summary_of(found))
    return 2 if any(one.level == FAIL for one in found) else 0


def _findings(args: argparse.Namespace) -> Iterator[Finding]:
    def check(what: str, work: Check) -> Iterator[Finding]:
        yield from run_check(what, work, args.timeout)

    yield from check("versions", machine.versions)
    yield from check("Java", machine.java)
    try:
        settings = load_settings(args.config, args.set)
    except AlertGraphError as error:
        yield Finding(FAIL, "configuration", str(error), "mend what it names; the other checks need it")
        return
    yield Finding(OK, "configuration", f"{args.config}: {len(settings.sources)} sources, digest {settings.digest}")
    for what, work in (
        ("lists", configured.lists),
        ("formats", configured.formats),
        ("secrets", configured.secrets),
        ("results", configured.results_folder),
        ("post", configured.posting),
        ("data collection rule", configured.rule),
        ("notify", configured.notification),
        ("MLflow", configured.track),
    ):
        yield from check(what, partial(work, settings))
    yield from check("GraphFrames", partial(machine.graphframes, settings.graph))
    yield from _looked_at(args, settings, check)


def _looked_at(
    args: argparse.Namespace, settings: Settings, check: Callable[[str, Check], Iterator[Finding]]
) -> Iterator[Finding]:
    """The export, and what depends on its size; Spark comes last, or before where nothing else reaches the export."""
    formats = _formats(settings)
    seen = exported.Seen()
    running: list[SparkSession] = []

    def spark() -> Iterator[Finding]:
        running.append(on_spark.start(settings))
        yield Finding(OK, "Spark session", f"{running[0].version}, {running[0].sparkContext.master}")

    def export(open_peek: Callable[[], Peek]) -> Iterator[Finding]:
        yield from check("export root", partial(exported.root, settings, open_peek, seen))
        for source in settings.sources if seen.days else ():
            of = formats.get(source.table)
            yield from check(source.table, partial(exported.table, source.table, of, seen, _now))

    needs_spark = not _is_here(settings.export.root)
    if not needs_spark:
        yield from export(partial(_peek, settings))
    elif args.no_spark:
        yield Finding(
            WARN, "export root", f"not looked at: Spark alone reaches {settings.export.root}", "leave out --no-spark"
        )
    else:
        yield from check("Spark session", spark)
        for session_ in running:
            yield from export(partial(SparkPeek, session_, settings.export.root))
    days = settings.export.history_hours / 24
    yield from check("memory", partial(machine.memory, settings.spark, seen.n_rows(days)))
    yield from check("disk", partial(machine.disk, _written(settings, seen, days)))
    if args.no_spark:
        yield Finding(WARN, "formats on rows", "not tried: --no-spark", "leave out --no-spark once")
        return
    if not running and not needs_spark:
        yield from check("Spark session", spark)
    for session_ in running:
        for key, place in configured.written_places(settings).items():
            if not results.is_local(place):
                yield from check(key, partial(on_spark.place, key, place, session_))
        yield from check("GraphFrames on Spark", partial(on_spark.graphframes, settings, session_))
        for table, lines in seen.lines.items():
            if table in formats:
                yield from check(f"rows of {table}", partial(on_spark.rows, table, formats[table], lines, session_))


def _formats(settings: Settings) -> dict[str, Format]:
    """The formats that can be read; the others have their own line."""
    found = {}
    for source in settings.sources:
        try:
            found[source.table] = format_files.load_format(source.file)
        except AlertGraphError:
            continue
    return found


def _is_here(root: str) -> bool:
    """Whether an export can be looked at without Spark: a storage account, or a folder of this machine."""
    if is_account(root):
        return True
    is_there = not session.is_platform() or Path(configured.local_path(root)).is_dir()
    return results.is_local(root) and is_there


def _peek(settings: Settings) -> Peek:
    root = settings.export.root
    if is_account(root):
        return AccountPeek(open_account(root, settings.export.credential, resolve))
    return FolderPeek(configured.local_path(root))


def _written(settings: Settings, seen: exported.Seen, days: float) -> list[tuple[str, str, float]]:
    """Places of this machine that grow: name, folder, and the bytes of a month of daily runs."""
    month = RUNS_A_MONTH * RESULT_BYTES * (seen.n_rows(1) or 0)
    sizes = {"results.path": month, "history.path": HISTORY_SHARE * seen.n_bytes(days), "post.folder": month}
    found = [
        (key, configured.local_path(place), sizes[key])
        for key, place in configured.written_places(settings).items()
        if results.is_local(place)
    ]
    if is_account(settings.export.root):
        staging = settings.export.staging or "~/.cache"
        found += [("export.staging", staging, seen.n_bytes(days))] if results.is_local(staging) else []
    return found


def _now() -> datetime:
    return datetime.now(timezone.utc)
