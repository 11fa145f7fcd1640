"""What-if: what another model, other weights or other exceptions would have shown in past runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from alertgraph_spark.commands.arguments import time_of
from alertgraph_spark.commands.exceptions import TRIED, listed_exceptions, try_exceptions
from alertgraph_spark.commands.given import model_of
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.publish import results
from alertgraph_spark.publish.compare import COMPARED, compare_runs, comparison_text
from alertgraph_spark.publish.judged import standing_in
from alertgraph_spark.publish.replayed import REPLAYED, Outcome, outcome_of, replay_run
from alertgraph_spark.read.assets import load_assets
from alertgraph_spark.tables.embedded import Engine

Say = Callable[[str], None]
Read = Callable[[results.RunFolder, Mapping[str, Sequence[str]]], dict[str, Any]]


def add_command(commands: Any, say: Say, open_runs: Callable[[Settings], results.Runs], read: Read) -> None:
    """Add `replay` to the commands of a parser.

    Parameters
    ----------
    commands
        The sub-parsers of argparse.
    say
        Prints a line.
    open_runs
        Takes a configuration and gives its runs.
    read
        Takes the folder of a run and gives its tables.
    """
    one = commands.add_parser(
        "replay",
        help="what another model, weights or exceptions would have shown in past runs",
        description="Score the subgraphs of past runs anew, and say what would have been shown, against what was and against"
        " verdicts. Nothing is read, linked or posted anew, and no run is changed.",
        epilog="Ends with 0, or with 2 if a true attack that was shown would not have been.",
    )
    one.add_argument("--config", metavar="FILE", type=Path, required=True, help="the configuration of the runs")
    one.add_argument(
        "--model", metavar="ADDRESS", help="as ranking.model takes it; that of the configuration if not given"
    )
    one.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="another weight: ranking.KEY=VALUE"
    )
    one.add_argument("--exceptions", metavar="FILE", type=Path, help="a list of exceptions, as if each were in force")
    one.add_argument("--from", dest="begin", metavar="ISO", type=time_of, help="runs whose window ends later")
    one.add_argument("--to", dest="end", metavar="ISO", type=time_of, help="runs whose window begins earlier")
    one.add_argument("--rows", type=int, default=5, metavar="N", help="moved subgraphs told of each run, default 5")
    one.set_defaults(run=lambda args: run(args, say, open_runs, read))


def run(args: argparse.Namespace, say: Say, open_runs: Callable[[Settings], results.Runs], read: Read) -> int:
    """Replay runs; return 0, or 2 where a true attack would be lost."""
    model_set = [f"ranking.model={args.model}"] if args.model else []
    settings = load_settings(args.config, [*args.set, *model_set])
    runs, p = open_runs(settings), settings.ranking.parameters
    model = model_of(settings, runs).load()
    listed = listed_exceptions(args.exceptions)
    assets = load_assets(settings.assets_file) if settings.assets_file else []
    chosen = [one for one in runs.saved() if _is_asked(one.record, args.begin, args.end)]
    if not chosen:
        raise ConfigError(f"{runs.place} holds no run of that time")
    verdicts = results.read_tables(chosen[0].folder, ["verdicts"])
    said = {key: row["verdict"] for key, row in standing_in(chosen[0].folder).items()}
    say(f"model     {model.name}")
    shown: tuple[set[str], set[str]] = (set(), set())
    for one in reversed(chosen):
        tables = {**read(one.folder, {**COMPARED, **REPLAYED, **(TRIED if listed else {})}), **verdicts}
        with Engine() as engine:
            hidden = _still_hidden(engine, tables["subgraphs"])
            if listed:
                tried = try_exceptions(tables, listed, assets).hidden
                hidden = {row["subgraph_id"]: _named(row["ids"], listed) for row in tried}
            after = {**tables, "subgraphs": replay_run(tables, model, p, hidden)}
            for keys, found in zip(shown, (tables, after), strict=True):
                keys.update(_shown(engine, found["subgraphs"]))
        say("")
        say(f"run       {one.record['run_id']}: A as it was shown, B as it would have been")
        for line in comparison_text(compare_runs(tables, after, 50), args.rows):
            say(line)
    say("")
    for line in _summary(*(outcome_of(keys, said) for keys in shown)):
        say(line)
    lost = sorted(key for key in shown[0] - shown[1] if said.get(key) == "true_positive")
    for key in lost:
        say(f"lost      {key}: a true attack that was shown")
    return 2 if lost else 0


def _is_asked(record: Mapping[str, Any], begin: datetime | None, end: datetime | None) -> bool:
    first, last = (datetime.fromisoformat(record["window"][bound]) for bound in ("start", "end"))
    return (begin is None or last > begin) and (end is None or first < end)


def _shown(engine: Engine, subgraphs: Any) -> set[str]:
    return {key for (key,) in engine.rows("SELECT subgraph_id FROM subgraphs WHERE is_shown", {"subgraphs": subgraphs})}


def _still_hidden(engine: Engine, subgraphs: Any) -> dict[str, list[Any]]:
    """What exceptions hid in the run."""
    hidden = "SELECT subgraph_id, suppressed_by FROM subgraphs WHERE len(suppressed_by) > 0"
    found = engine.query(hidden, {"subgraphs": subgraphs}).to_pylist()
    return {row["subgraph_id"]: row["suppressed_by"] for row in found}


def _named(ids: Sequence[str], listed: Sequence[Any]) -> list[dict[str, Any]]:
    names = ("id", "owner", "reason", "ticket", "until")
    return [{name: getattr(one, name) for name in names} for one in listed if one.id in ids]


def _summary(before: Outcome, after: Outcome) -> Iterator[str]:
    yield f"in all    {before.n:,} shown in A, {after.n:,} in B"
    for words, name in (("judged attacks", "n_true"), ("judged benign or false", "n_benign"), ("not judged", "n_open")):
        yield f"          {words}: {getattr(before, name):,} in A, {getattr(after, name):,} in B"
