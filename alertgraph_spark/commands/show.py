"""The command `alertgraph show`: what a run found, in the terminal: its list, or one subgraph from title to evidence."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import Any

from alertgraph_spark.commands.cli import terminal_width
from alertgraph_spark.commands.show_text import list_text, subgraph_text
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.errors import ConfigError, ResultsError
from alertgraph_spark.publish import results
from alertgraph_spark.publish.one_run import LISTED, OPENED, list_subgraphs, open_subgraph

OpenRun = Callable[[str], results.RunFolder]
OpenRuns = Callable[[Settings], results.Runs]
ReadTables = Callable[[results.RunFolder, Mapping[str, Sequence[str]]], dict[str, Any]]
Say = Callable[[str], None]

NEWEST = "latest"


def add_command(commands: Any, say: Say, open_run: OpenRun, open_runs: OpenRuns, read_tables: ReadTables) -> None:
    """Add `show` to the commands of a parser.

    Parameters
    ----------
    commands
        The sub-parsers of argparse.
    say
        Prints a line.
    open_run
        Takes a path or URL and gives the folder of a run.
    open_runs
        Takes a configuration and gives its runs.
    read_tables
        Takes a folder and names, and gives its tables.
    """
    parser = commands.add_parser(
        "show",
        help="what a run found: its list, or one subgraph from title to evidence",
        description="Show what a run shows, by rank; or one subgraph: its story, its path, why it ranks there, what was"
        " unusual, what to check, and its episodes in the order of time.",
        epilog="Ends with 0, or with 2 if there is no such run or subgraph. A folder of this machine needs no Spark.",
    )
    parser.add_argument(
        "place", metavar="RUN", help=f"results.path/<run id>, or its URL; with --config a run id or `{NEWEST}`"
    )
    parser.add_argument("subgraph", metavar="SUBGRAPH", nargs="?", help="id of a subgraph, shown or not; or its rank")
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file of the job, whose results.path is meant")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of it")
    parser.add_argument("--all", dest="with_hidden", action="store_true", help="list those that are not shown too")
    parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON document; times are UTC")
    parser.set_defaults(run=lambda args: _show(args, say, open_run, open_runs, read_tables))


def _show(args: argparse.Namespace, say: Say, open_run: OpenRun, open_runs: OpenRuns, read_tables: ReadTables) -> int:
    folder = _folder(args, open_run, open_runs)
    record = results.read_run(folder)
    width = terminal_width()
    window = {bound: _plain(datetime.fromisoformat(record["window"][bound])) for bound in ("start", "end")}
    run: dict[str, Any] = {"run_id": record["run_id"], "window": window}
    document: dict[str, Any]
    if args.subgraph is not None:
        found = open_subgraph(read_tables(folder, OPENED), args.subgraph)
        document = {"run": run, "subgraph": found.row, "verdicts": found.verdicts, "evidence": found.evidence}
        document["n_episodes_left_out"] = found.n_left_out
        lines = subgraph_text(found, width)
    else:
        listed = list_subgraphs(read_tables(folder, LISTED), args.with_hidden)
        document = {"run": run, "n_subgraphs": listed.n_all, "n_shown": listed.n_shown, "subgraphs": listed.rows}
        document["n_left_out"] = listed.n_left_out
        lines = list_text(listed, width, args.with_hidden)
    if args.as_json:
        lines = iter(json.dumps(_plain(document), indent=2, allow_nan=False).splitlines())
    else:
        begin, end = (run["window"][bound][:16].replace("T", " ") for bound in ("start", "end"))
        lines = chain([f"run       {run['run_id']}, {begin} to {end} UTC", ""], lines)
    try:
        for line in lines:
            say(line)
        sys.stdout.flush()
    except (
        BrokenPipeError
    ):  # whoever reads has seen enough, as `head` has: let Python's own flush at the end go nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _folder(args: argparse.Namespace, open_run: OpenRun, open_runs: OpenRuns) -> results.RunFolder:
    """The folder that was named; with a configuration that of a run of its own, by id, or the newest that was saved whole."""
    is_id = not re.search(r"[/\\]", args.place)
    if args.config is None:
        if is_id and results.is_local(args.place) and not Path(args.place).is_dir():
            raise ConfigError(
                f"{args.place} is no folder; a run id, or {NEWEST}, needs --config with the job's YAML file"
            )
        return open_run(args.place)
    settings = load_settings(args.config, args.set)
    if not is_id:
        return open_run(args.place)
    runs = open_runs(settings)
    if args.place != NEWEST:
        return runs.open(args.place)
    newest = next(runs.saved(), None)
    if newest is None:
        raise ResultsError(f"{runs.place} holds no run that was saved whole")
    return newest.folder


def _plain(value: Any) -> Any:
    """A value as JSON has it: times in ISO 8601 as UTC, and null for a number that JSON does not know."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return None if isinstance(value, float) and not math.isfinite(value) else value
