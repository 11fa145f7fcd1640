"""Train a model on what analysts judged, and make it the champion if it tells later verdicts better."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from alertgraph_spark.commands.given import model_of
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.learn import (
    Bin,
    Evaluation,
    Judged,
    Model,
    calibration_error,
    decide,
    digest,
    evaluate,
    fit,
    to_json,
)
from alertgraph_spark.learn.apply import rule_of
from alertgraph_spark.learn.evaluation import told_of
from alertgraph_spark.learn.recall import as_row
from alertgraph_spark.publish import results
from alertgraph_spark.publish.judged import Training, read_judged
from alertgraph_spark.publish.registry import CHAMPION, Registry
from alertgraph_spark.publish.reliability import reliability_page
from alertgraph_spark.publish.tracking import RunRecord
from alertgraph_spark.score import TERMS, scorer_weights

Say = Callable[[str], None]


def add_command(commands: Any, say: Say, open_runs: Callable[[Settings], results.Runs]) -> None:
    """Add `train` to the commands of a parser.

    Parameters
    ----------
    commands
        The sub-parsers of argparse.
    say
        Prints a line.
    open_runs
        Takes a configuration and gives its runs.
    """
    one = commands.add_parser(
        "train",
        help="learn from verdicts, and promote what tells later ones better",
        description="Fit what each site's verdicts teach (which chains are benign, how likely a subgraph is an attack), try"
        " it on later verdicts against the model in use, log it to MLflow and register it as a version.",
        epilog="Ends with 0, or with 2 if there is nothing to learn from or the registry refuses. A model that is not"
        " promoted is no error.",
    )
    one.add_argument("--config", metavar="FILE", type=Path, required=True, help="the configuration of the runs")
    one.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="another value for a key")
    one.add_argument(
        "--promote",
        action="store_true",
        help=f"make it the {CHAMPION} if it ranks no worse and tells better beyond chance",
    )
    one.add_argument(
        "--share-memory",
        action="store_true",
        help="each site remembers what was judged on any of them, not its own alone",
    )
    one.add_argument(
        "--roll-back", action="store_true", help=f"train nothing: make the {CHAMPION} before this one it again"
    )
    one.set_defaults(run=lambda args: run(args, say, open_runs))


def run(args: argparse.Namespace, say: Say, open_runs: Callable[[Settings], results.Runs]) -> int:
    """Train, or roll back; return 0."""
    settings = load_settings(args.config, args.set)
    tracked, p = settings.tracking, settings.ranking.parameters
    registry = Registry(tracked.uri, tracked.model)
    if args.roll_back:
        now, before = registry.roll_back()
        say(f"champion  {tracked.model}: version {before or 'none'}, which was before {now}")
        return 0
    runs = open_runs(settings)
    given = read_judged(runs, p)
    for line in _read(given):
        say(line)
    if not given.judged:
        raise ConfigError("no subgraph of a run was judged true, benign or false: nothing to learn from")
    current = model_of(settings, runs).load()
    found = evaluate(given.judged, current, p, share=args.share_memory)
    for line in _tried(found, current.name):
        say(line)
    model = replace(fit(given.judged, p, tracked.model, share=args.share_memory), tried=told_of(found, current.name))
    registered = registry.register(tracked.experiment, record_of(model, given.judged, found, current.name, p))
    say(f"model     {registered.address}; {registered.look}")
    is_better, why = decide(found)
    if args.promote and is_better:
        before = registry.promote(registered.version)
        say(f"promoted  {CHAMPION}, before it {f'version {before}' if before else 'none'}: {why}")
        if settings.ranking.model == "shipped":
            say(f"          runs use it with ranking.model: models:/{tracked.model}@{CHAMPION}")
    else:
        say(f"{'not promoted' if args.promote else 'promote'}  {why if not is_better else f'--promote would: {why}'}")
    return 0


def record_of(
    model: Model, judged: Sequence[Judged], found: Evaluation, current: str, p: RankingParameters
) -> RunRecord:
    """What of a trained model is logged: data digest, parameters, metrics, reliability, the model, and what it takes."""
    learned = {**json.loads(to_json(model)), "rule": rule_of(p)._asdict()}
    n_true = sum(one.is_true for one in judged)
    metrics = {
        **{"n_verdicts": float(len(judged)), "n_true": float(n_true), "n_later": float(found.n_later)},
        **{"log_loss_before": found.loss_before, "log_loss": found.loss_after, "log_loss_change": found.change},
        **{"log_loss_change_low": found.low, "log_loss_change_high": found.high},
        **{"auc_before": found.auc_before, "auc": found.auc_after},
        **{"calibration_error_before": calibration_error(found.table_before)},
        **{"calibration_error": calibration_error(found.table_after)},
    }
    columns = {term.column for term in TERMS}
    example = {name: 0.0 for name in columns} | {"site": judged[-1].site}
    example["signature"] = json.dumps({k: v for k, v in as_row(judged[-1].word).items() if k in _SIGNATURE})
    return RunRecord(
        name=f"train-{digest(judged)}",
        parameters={
            **{"data_digest": digest(judged), "model_in_use": current, "sites": len(model.sites)},
            **{f"ranking.{name}": value for name, value in asdict(p).items()},
        },
        metrics=metrics,
        files={"reliability.html": reliability_page(found), "learned.json": json.dumps(learned, indent=1)},
        weights={**scorer_weights(p), "learned": learned},
        examples=[example],
    )


_SIGNATURE = ("subgraph_id", "seen_at", "traits", "actors", "crossings", "is_act", "kinds")


def _read(given: Training) -> Iterator[str]:
    n_true = sum(one.is_true for one in given.judged)
    sites = len({one.site for one in given.judged})
    n = len(given.judged)
    yield f"verdicts  {n:,} on subgraphs of {sites:,} sites: {n_true:,} attacks, {n - n_true:,} benign or false"
    for count, why in (
        (given.n_undetermined, "undetermined or reopened"),
        (given.n_lost, "on subgraphs that no run holds any more"),
        (given.n_weak, "on subgraphs too weak for a signature"),
    ):
        if count:
            yield f"left out  {count:,} {why}"


def _tried(found: Evaluation, current: str) -> Iterator[str]:
    yield f"tried on  the last {found.n_later:,} of them by time, {found.n_true:,} attacks; in use: {current}"
    for name, loss, auc, table in (
        ("in use", found.loss_before, found.auc_before, found.table_before),
        ("new", found.loss_after, found.auc_after, found.table_after),
    ):
        ranks = "AUC not known: all of one kind" if auc is None else f"AUC {auc:.3f}"
        yield f"{name:<9} log loss {loss:.3f}, {ranks}, calibration error {calibration_error(table):.3f}"
        for one in table:
            yield f"          told {one.low:.2f} to {one.high:.2f}: {_bin(one)}"


def _bin(one: Bin) -> str:
    return f"{one.n:,}, told {one.told:.3f} on average, seen {one.seen:.3f}"
