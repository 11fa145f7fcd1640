"""The command `alertgraph`: what is asked of the product beside the job.

alertgraph init --root FOLDER                look at an export, and write the configuration that ranks it
alertgraph formats check FORMAT SAMPLE...    what a format makes of your rows
alertgraph doctor --config FILE              whether a run with a configuration can work here, checked one by one
alertgraph show RUN [SUBGRAPH]               what a run found: its list, or one subgraph from title to evidence
alertgraph report RESULTS_FOLDER             the page of a run, made anew from its tables
alertgraph compare RUN_A RUN_B               what entered, left and moved from one run to the other, and why
alertgraph export RUN --as FORM              subgraphs as Attack Flow, STIX, Navigator layer or OCSF
alertgraph train --config FILE               learn from verdicts, and promote what tells later ones better
alertgraph replay --config FILE              what another model, weights or exceptions would have shown in past runs
alertgraph exceptions try FILE RUN...        what a list of exceptions would have hidden in past runs
alertgraph history status|fold|verify|prune  what is kept of the export, made, checked against it, and forgotten
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from alertgraph_spark.access import session
from alertgraph_spark.clean_text import printed
from alertgraph_spark.commands import doctor, exceptions, exporting, init, kept, replay, samples, show, train
from alertgraph_spark.commands.cli import exit_code
from alertgraph_spark.commands.format_check import check_rows, lines_of
from alertgraph_spark.commands.format_report import columns_text, rows_text, samples_text, summary_text
from alertgraph_spark.commands.trial import check_samples, laid_out, told_as_the_formats
from alertgraph_spark.config import format_files
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.config.shipped import shipped_formats
from alertgraph_spark.errors import ConfigError, ResultsError
from alertgraph_spark.publish import results
from alertgraph_spark.publish.compare import COMPARED, compare_runs, comparison_text
from alertgraph_spark.publish.report import NAME, NO_BOKEH, TABLES, write_report


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; return 0 done, 2 what the caller can fix, 1 anything else."""
    args = _parser().parse_args(argv)
    return exit_code(partial(args.run, args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alertgraph", description="Tools beside the ranking job, jobs/rank_alerts.py."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    init.add_command(commands, _say, _small_session)
    _add_runs(commands)
    doctor.add_command(commands, _say)
    show.add_command(commands, _say, _run_folder, _runs, _saved)
    exporting.add_command(commands, _run_folder, _saved)
    train.add_command(commands, _say, _runs)
    replay.add_command(commands, _say, _runs, _saved)
    kept.add_commands(commands, _say)
    exceptions.add_commands(commands, _say, _run_folder, _saved)
    formats = commands.add_parser("formats", help="what rows of a product mean").add_subparsers(
        required=True, metavar="COMMAND"
    )
    check = formats.add_parser(
        "check",
        help="show what a format makes of your rows",
        description="Show what a format makes of your rows: each as the alert that it gives, or why it was refused; then"
        " counts, the share of alerts that fill each field, and whether the format's own samples hold.",
        epilog="Ends with 0, or with 2 if the format or a file cannot be used or one of the format's own samples fails.",
    )
    check.add_argument("format", metavar="FORMAT", help=f"{', '.join(shipped_formats())}, or a YAML file")
    check.add_argument(
        "sample",
        metavar="SAMPLE",
        type=Path,
        nargs="+",
        help="JSON lines, a JSON array, CSV as the portal exports it, or plain lines; also in .gz or .zip",
    )
    check.add_argument(
        "--as",
        dest="wrap",
        choices=("rows", "raw"),
        default="auto",
        help="rows: a record is a row of the table; raw: a record or line is the RawData of one. Without it, a record is"
        " wrapped if the format reads RawData and none of the record's columns; a plain line always is",
    )
    check.add_argument(
        "--records", default="", metavar="PATH", help="where in a JSON document its records are: value, logs.entries"
    )
    check.add_argument("--rows", type=_count, default=10, metavar="N", help="rows to show, default 10")
    check.set_defaults(run=check_format)
    return parser


def _add_runs(commands: Any) -> None:
    """The commands that read the results folders of runs."""
    page = commands.add_parser(
        "report",
        help="make the page of a run anew from its tables",
        description=f"Write {NAME} into the results folder of a run: one file to read offline.",
    )
    page.add_argument("folder", metavar="RESULTS_FOLDER", help="results.path/<run id>, or its URL")
    page.set_defaults(run=make_report)
    compare = commands.add_parser(
        "compare",
        help="what entered, left and moved from one run to another, and why",
        description="Compare two runs over the same alerts, as after a change of weights or motifs: which subgraphs are shown"
        " now and were not, or were and are not, which moved, and by which term of the score.",
    )
    compare.add_argument("a", metavar="RUN_A", help="results folder of the run before")
    compare.add_argument("b", metavar="RUN_B", help="results folder of the run after")
    compare.add_argument(
        "--rows", type=_count, default=20, metavar="N", help="how far down the ranks to look, default 20"
    )
    compare.add_argument("--format", dest="shape", choices=("text", "json"), default="text", help="default text")
    compare.set_defaults(run=compare_folders)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 10000")
    return int(text)


def check_format(args: argparse.Namespace) -> int:
    """Print what a format makes of rows; return 2 if one of the format's own samples does not hold."""
    format_ = format_files.load_format(format_files.find_format(args.format))
    spark = _small_session()
    shape = samples.Shape(args.wrap, args.records)
    with laid_out(spark, format_, args.sample, shape) as (sample, raw), told_as_the_formats(spark, format_):
        check = check_rows(lines_of(raw, format_, shape.table, sample.received), args.rows)
        differences = check_samples(spark, format_)
    for line in _report_head(args, sample):
        _say(line)
    if args.rows:
        for line in ("", *rows_text(check.shown)):
            _say(line)
    for line in (
        "",
        *summary_text(check),
        *columns_text(check, format_.reads, sample.columns),
        *samples_text(differences),
    ):
        _say(line)
    return 2 if any(differences) else 0


def make_report(args: argparse.Namespace) -> int:
    """Write the page of a saved run into its folder."""
    folder = _run_folder(args.folder)
    record, tables = results.read_run(folder), _saved(folder, TABLES)
    if not write_report(tables, record, folder):
        raise ConfigError(f"report {NO_BOKEH}")
    _say(f"report    {folder.place}/{NAME}")
    return 0


def compare_folders(args: argparse.Namespace) -> int:
    """Print what changed from one saved run to another."""
    folders = [_run_folder(place) for place in (args.a, args.b)]
    records = [results.read_run(folder) for folder in folders]
    runs = [_saved(folder, COMPARED) for folder in folders]
    found = compare_runs(runs[0], runs[1], args.rows)
    if args.shape == "json":
        both = {"run_a": records[0]["run_id"], "run_b": records[1]["run_id"], **found}
        sys.stdout.write(json.dumps(both, indent=2) + "\n")  # JSON escapes by itself
        return 0
    for name, record in zip("AB", records, strict=True):
        window = " to ".join(str(record["window"][end])[:16] for end in ("start", "end"))
        _say(f"run {name}     {record['run_id']}, {window} UTC, {record['counts']['subgraphs']:,} subgraphs")
    for line in comparison_text(found, args.rows):
        _say(line)
    return 0


def _small_session() -> SparkSession:
    return session.start_session("alertgraph", None, "2g", {"spark.sql.shuffle.partitions": "2"}, [])


def _run_folder(place: str) -> results.RunFolder:
    """The folder of a run. Spark starts only where it is not a folder of this machine: a URL, or a path of a cluster."""
    place = place.rstrip("/")
    return results.open_folder(place, _needed_session(place))


def _runs(settings: Settings) -> results.Runs:
    """All runs of a configuration."""
    place = settings.results.path.rstrip("/")
    return results.Runs(place, _needed_session(place))


def _needed_session(place: str) -> SparkSession | None:
    is_here = results.is_local(place) and not (session.is_platform() and results.open_folder(place).here("") is None)
    return None if is_here else _small_session()


LATER = ("verdicts",)
"""Tables that a version before this one did not save, and that can be done without."""


def _saved(folder: results.RunFolder, wanted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The tables of a run that are wanted, with the columns that are."""
    tables = results.read_tables(folder, wanted)
    lacks = [name for name in wanted if name not in tables and name not in LATER]
    if lacks:
        raise ResultsError(f"{folder.place} has no table {', '.join(lacks)}: saved by an older version; rank it again")
    lacks = [f"{name}.{c}" for name in tables for c in wanted[name] if c not in tables[name].schema.names]
    if lacks:
        raise ResultsError(f"{folder.place} has no column {', '.join(lacks)}: saved by an older version; rank it again")
    return tables


def _say(line: str) -> None:
    sys.stdout.write(printed(line) + "\n")


def _report_head(args: argparse.Namespace, sample: samples.Sample) -> Iterator[str]:
    """What was read, and what had to be done to it."""
    yield f"format    {args.format}"
    yield f"sample    {', '.join(map(str, args.sample))}: {', '.join(sample.kinds)}"
    if sample.n_wrapped:
        yield f"          {sample.n_wrapped:,} of {sample.n_rows:,} wrapped as RawData"
    if sample.n_portal_times:
        yield f"          {sample.n_portal_times:,} times written as the portal does, taken as UTC"
    if sample.n_without_time:
        yield f"          {sample.n_without_time:,} without TimeGenerated, shown at the time that the format gives them"


def cli() -> None:
    """Entry point."""
    session.keep_files_private()
    sys.exit(main())


if __name__ == "__main__":
    cli()
