"""The main job: from exported alerts to ranked, explained, posted subgraphs.

python jobs/rank_alerts.py --config FILE [--start ISO --end ISO | --last 24h [--every 5m] | --post-only RUN_ID]
                           [--set KEY=VALUE]...
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, NamedTuple

from pyspark.sql import SparkSession

from alertgraph_spark.access import principal, session
from alertgraph_spark.access.secrets import resolve
from alertgraph_spark.commands.arguments import arguments, window_asked
from alertgraph_spark.commands.cli import Console, check_notified, check_posted, exit_code, notified_words, posted_words
from alertgraph_spark.commands.exceptions import listed_exceptions
from alertgraph_spark.commands.given import Exported, Given, formats_of, model_of, runs_of
from alertgraph_spark.commands.remarks import remarks
from alertgraph_spark.commands.ticks import keep_ticking
from alertgraph_spark.config.alert_exception import AlertException, digest_of
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.config.source_format import Asset, MaintenanceWindow
from alertgraph_spark.graph.choice import GraphOptions
from alertgraph_spark.learn import Model
from alertgraph_spark.pipeline import rank_lines
from alertgraph_spark.publish import compiled, delivery, log_analytics, notices, results, tracking
from alertgraph_spark.publish.learning_record import READ, learning_record
from alertgraph_spark.publish.model_in_use import ModelInUse
from alertgraph_spark.publish.notification import NotifyCounts
from alertgraph_spark.publish.report import TABLES, write_or_say
from alertgraph_spark.publish.run_record import first_subgraphs, run_record, tracked_run
from alertgraph_spark.publish.run_verdicts import save_verdicts
from alertgraph_spark.ranking import Method
from alertgraph_spark.read import assets, verdict_list

APP = "alertgraph-spark"

LOOKED_AT = (*TABLES, *READ)
"""Tables that the console, MLflow and the report read of what was saved."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the straight line once, or again and again; return 0, or 2 for what an operator can fix."""
    args = arguments(__doc__ or "", argv)
    console = Console()
    settings = usable_settings(args)
    if args.post_only:
        return post_again(settings, args.post_only, console)
    job = Job.ready(settings, console)
    if args.every:
        keep_ticking(args.every, console, lambda: job.rank(*window_asked(args), only_news=True))
    else:
        job.rank(*window_asked(args), compile_to=args.compile, only_news=bool(args.last))
    return 0


class Job(NamedTuple):
    """What each run of one process has in common."""

    settings: Settings
    console: Console
    spark: SparkSession
    exported: Exported
    model: ModelInUse
    assets: Sequence[Asset]
    maintenance: Sequence[MaintenanceWindow]

    @classmethod
    def ready(cls, settings: Settings, console: Console) -> Job:
        """Read what the configuration names, and start Spark."""
        formats = formats_of(settings)
        known = assets.load_assets(settings.assets_file) if settings.assets_file else []
        planned = assets.load_maintenance(settings.maintenance_file) if settings.maintenance_file else []
        listed_exceptions(settings.exceptions_file)
        verdict_list.load_verdicts(settings.verdicts_file)
        spark = signed_in_session(settings)
        model = model_of(settings, runs_of(settings, spark))
        return cls(settings, console, spark, Exported.of(settings, spark, formats), model, known, planned)

    def rank(
        self, start: datetime | None, end: datetime | None, compile_to: str | None = None, only_news: bool = False
    ) -> None:
        """Rank, save, log and post the subgraphs of one window; with `only_news` not where the last run has seen all rows."""
        begin = time.perf_counter()
        settings, spark, console = self.settings, self.spark, self.console
        # Two backfills with one configuration may start in one second.
        run_id = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{settings.digest[:8]}-{secrets.token_hex(2)}"
        console.say(f"run {run_id}")
        with console.stage("read"):
            given = self.exported.read(start, end, anew=compile_to is not None, on_part=console.on_part)
        # Of each run: both change while a session ticks.
        excepted, model = listed_exceptions(settings.exceptions_file), self.model.load()
        if only_news and given.state and (last := self.seen(given, excepted, model.name)):
            console.say(f"nothing new since run {last}; {time.perf_counter() - begin:.1f} s")
            return
        folder = results.make_folder(f"{self.exported.runs.place}/{run_id}", spark)
        if compile_to:
            compiled.make_room(spark, compile_to)
        tracker = tracking.Tracker(settings.tracking.uri, settings.tracking.experiment, settings.tracking.strict)

        def on_stage(stage: str, rows: int, seconds: float) -> None:
            console.on_stage(stage, rows, seconds)
            if stage == "normalise":
                tracker.open()  # the stages after it are short and leave a core idle

        copies = {}
        with ExitStack() as held:
            held.enter_context(session.tuned(spark, given.n_bytes, settings.spark.conf))
            ranking = rank_lines(given.lines, spark, given.told_since, on_stage, **self.method(excepted, model))
            held.callback(ranking.release)
            with console.stage("save"):
                results.save_tables(ranking.tables, folder)
                past = timedelta(hours=settings.export.history_hours)
                verdicts = save_verdicts(given.said, folder, self.exported.runs, past)
                saved = results.read_tables(folder, LOOKED_AT)
            if compile_to:
                with console.stage("compile"):
                    copies = {"compiled": compiled.write_compiled(ranking.alerts(), compile_to)}
        record = run_record(run_id, settings.digest, (given.start, given.end), ranking, spark.version) | copies
        record |= {"history": given.told} if given.told else {}
        record["exceptions"]["digest"], record["versions"]["model"] = digest_of(excepted), model.name
        record |= {"verdicts": verdicts, **learning_record(settings.ranking, model, saved)}
        results.save_run(folder, record)
        places = {"history": given.words} if given.words else {}
        places |= {name: compiled.words(told) for name, told in copies.items()}
        self.publish(Saved(folder, saved, record, begin), tracker, places)

    def publish(self, done: Saved, tracker: tracking.Tracker, places: Mapping[str, str]) -> None:
        """Log, post and notify what was saved; say what was found and where it is, then what could not be delivered."""
        settings, console, (folder, tables, record, begin) = self.settings, self.console, done
        top = first_subgraphs(tables["subgraphs"], console.ROWS)
        with console.stage("log"):
            run = tracker.log_run(tracking.RunRecord(**tracked_run(record, settings.to_dict(), tables, top)))
        with console.stage("post"):
            posted = post_saved(settings, self.exported.runs, folder, record)
        told = tell_saved(settings, self.exported.runs, folder, console)
        with console.stage("report"):
            page = write_or_say(tables, record, folder)
        found = {"results": folder.place, "MLflow": run.look if run else "not logged", **places}
        found["posted"] = posted_words(posted, settings.post.endpoint or settings.post.folder)
        found |= {"notified": notified_words(told, settings.notify.form)} if told else {}
        found["report"] = page
        console.end(top, record["counts"], [*remarks(record), *found.items()], time.perf_counter() - begin)
        check_posted(posted, record["run_id"], folder.place)
        check_notified(told, record["run_id"], settings.notify.strict)

    def method(self, excepted: Sequence[AlertException], model: Model) -> Method:
        """What decides what is found."""
        of, p = self.settings.graph, self.settings.ranking.parameters
        graph = GraphOptions(of.engine, of.driver_max_links, of.crossover_links)
        known = Method(assets=self.assets, windows=self.maintenance, exceptions=excepted, model=model)
        return known | Method(parameters=p, graph=graph)

    def seen(self, given: Given, excepted: Sequence[AlertException], model: str) -> str | None:
        """The newest run, where it saw the export as it is, asked the same of it, and all that it found was delivered."""
        found = given.said.newest.record if given.said.newest else {}
        if found.get("history", {}).get("state") != given.state or given.said.is_news:
            return None
        start, end = (datetime.fromisoformat(found["window"][bound]) for bound in ("start", "end"))
        is_same = found["config_digest"] == self.settings.digest and end - start == given.end - given.start
        is_same = is_same and found.get("exceptions", {}).get("digest") == digest_of(excepted)
        is_same = is_same and found["versions"].get("model") == model
        is_same = is_same and notices.is_told(found, self.settings.notify.url)
        return str(found["run_id"]) if is_same and delivery.is_delivered(found, self.settings.post.mode) else None


class Saved(NamedTuple):
    """A run as it was saved: its folder, its tables and `run.json`; and when it began, by `time.perf_counter`."""

    folder: results.RunFolder
    tables: Mapping[str, Any]
    record: dict[str, Any]
    begin: float


def post_again(settings: Settings, run_id: str, console: Console) -> int:
    """Post what of a saved run has not been delivered, and tell what has not been told; nothing is computed."""
    console.say(f"run {run_id}")
    runs = runs_of(settings, signed_in_session(settings))
    folder = runs.open(run_id)
    record = results.read_run(folder)
    with console.stage("post"):
        posted = post_saved(settings, runs, folder, record)
    told = tell_saved(settings, runs, folder, console)
    console.say(f"posted    {posted_words(posted, settings.post.endpoint or settings.post.folder)}")
    if told:
        console.say(f"notified  {notified_words(told, settings.notify.form)}")
    check_posted(posted, run_id, folder.place)
    check_notified(told, run_id, settings.notify.strict)
    return 0


def usable_settings(args: argparse.Namespace) -> Settings:
    """The settings of the run; refused here, and not after the work, where its rows could not be posted."""
    settings = load_settings(session.sent_along(args.config, APP), args.set)
    log_analytics.Target.of(resolve, **asdict(settings.post)).check()
    return settings


def signed_in_session(settings: Settings) -> SparkSession:
    """Start Spark, then ask for the secrets that the end of the run needs: a vault that refuses is told before the work."""
    spark = session.start_session(APP, jars=settings.graph.jars, **asdict(settings.spark))
    post, tracked = settings.post, settings.tracking
    if log_analytics.Target.of(resolve, **asdict(post)).token():
        resolve(post.credential)
    if webhook := notices.webhook_of(asdict(settings.notify), resolve):
        webhook.url()
    principal.sign_in_for_tracking(tracked.uri, tracked.strict, post.principal, partial(resolve, post.credential))
    return spark


def post_saved(
    settings: Settings, runs: results.Runs, folder: results.RunFolder, record: Mapping[str, Any]
) -> dict[str, log_analytics.PostCounts]:
    """Post of a run as it was saved what has changed, and add to its `run.json` what became of the rows."""
    posting = delivery.Delivery(runs, asdict(settings.post), settings.export.look_back_hours, resolve)
    return posting.post_run(folder, record)


def tell_saved(
    settings: Settings, runs: results.Runs, folder: results.RunFolder, console: Console
) -> NotifyCounts | None:
    """Tell of a run as it was saved what has not been told; None where nobody is to be told."""
    webhook = notices.webhook_of(asdict(settings.notify), resolve)
    if webhook is None:
        return None
    with console.stage("notify"):
        return notices.tell_run(webhook, folder, runs)


def cli() -> None:
    """Entry point: exit code 0 done, 2 what an operator can fix, 1 anything else."""
    session.keep_files_private()
    if code := exit_code(main):  # a wheel task of Databricks may take SystemExit, even of 0, for a failure
        sys.exit(code)


if __name__ == "__main__":
    cli()
