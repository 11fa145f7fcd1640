"""The main job: from exported alerts to ranked, explained, posted subgraphs.

python jobs/rank_alerts.py --config FILE [--start ISO --end ISO | --last 24h | --post-only RUN_ID] [--set KEY=VALUE]...
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.access import principal, session
from alertgraph_spark.access.secrets import resolve
from alertgraph_spark.commands.cli import Console, arguments, check_posted, exit_code, posted_words, remarks
from alertgraph_spark.config import format_files
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.graph.choice import GraphOptions
from alertgraph_spark.pipeline import rank_subgraphs
from alertgraph_spark.publish import compiled, delivery, log_analytics, results, tracking
from alertgraph_spark.publish.report import TABLES, write_or_say
from alertgraph_spark.publish.run_record import first_subgraphs, run_record, tracked_run
from alertgraph_spark.read import assets, blob_mirror, export
from alertgraph_spark.read.export_layout import window_of

APP = "alertgraph-spark"

LOOKED_AT = (*TABLES, "features")
"""Tables that the console, MLflow and the report read of what was saved."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the straight line once; return 0, or 2 for what an operator can fix."""
    begin = time.perf_counter()
    args = arguments(__doc__ or "", argv)
    console = Console()
    settings = usable_settings(args)
    if args.post_only:
        return post_again(settings, args.post_only, console)
    # Two backfills with one configuration may start in one second.
    run_id = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{settings.digest[:8]}-{secrets.token_hex(2)}"
    console.say(f"run {run_id}")
    formats = {source.table: format_files.load_format(source.file) for source in settings.sources}
    known = assets.load_assets(settings.assets_file) if settings.assets_file else []
    planned = assets.load_maintenance(settings.maintenance_file) if settings.maintenance_file else []
    spark = signed_in_session(settings)
    tracker = tracking.Tracker(settings.tracking.uri, settings.tracking.experiment, settings.tracking.strict)
    with console.stage("read"):
        raw, start, end = read_alerts(spark, settings, formats, args.start, args.end)
    folder = results.make_folder(f"{settings.results.path.rstrip('/')}/{run_id}", spark)
    if args.compile:
        compiled.make_room(spark, args.compile)

    def on_stage(stage: str, rows: int, seconds: float) -> None:
        console.on_stage(stage, rows, seconds)
        if stage == "normalise":
            tracker.open()  # the stages after it are short and leave a core idle

    told_since = start - timedelta(hours=settings.export.look_back_hours)
    graph = GraphOptions(settings.graph.engine, settings.graph.driver_max_links, settings.graph.crossover_links)
    method: dict[str, Any] = {"assets": known, "windows": planned, "parameters": settings.ranking, "graph": graph}
    copies = {}
    with session.tuned(spark, export.bytes_of(raw.values()), settings.spark.conf):
        ranking = rank_subgraphs(raw, formats, start, end, **method, told_since=told_since, on_stage=on_stage)
        with console.stage("save"):
            results.save_tables(ranking.tables, folder)
            saved = results.read_tables(folder, LOOKED_AT)
        if args.compile:
            with console.stage("compile"):
                copies = {"compiled": compiled.write_compiled(ranking.alerts(), args.compile)}
    top = first_subgraphs(saved["subgraphs"], console.ROWS)
    record = run_record(run_id, settings.digest, (start, end), ranking, spark.version) | copies
    results.save_run(folder, record)
    with console.stage("log"):
        run = tracker.log_run(tracking.RunRecord(**tracked_run(record, settings.to_dict(), saved, top)))
    with console.stage("post"):
        posted = post_saved(spark, settings, folder, record)
    with console.stage("report"):
        page = write_or_say(saved, record, folder)
    ranking.release()
    target = settings.post.endpoint or settings.post.folder
    places = {"results": folder.place, "MLflow": run.look if run else "not logged"}
    places |= {"posted": posted_words(posted, target), "report": page}
    places |= {name: compiled.words(told) for name, told in copies.items()}
    console.end(top, record["counts"], remarks(record) | places, time.perf_counter() - begin)
    check_posted(posted, run_id, folder.place)
    return 0


def post_again(settings: Settings, run_id: str, console: Console) -> int:
    """Post what of a saved run has not been delivered; nothing is computed."""
    console.say(f"run {run_id}")
    spark = signed_in_session(settings)
    folder = results.open_folder(f"{settings.results.path.rstrip('/')}/{run_id}", spark)
    record = results.read_run(folder)
    with console.stage("post"):
        posted = post_saved(spark, settings, folder, record)
    console.say(f"posted    {posted_words(posted, settings.post.endpoint or settings.post.folder)}")
    check_posted(posted, run_id, folder.place)
    return 0


def usable_settings(args: argparse.Namespace) -> Settings:
    """The settings of the run; refused here, and not after the work, where its rows could not be posted."""
    settings = load_settings(session.sent_along(args.config, APP), args.set)
    log_analytics.Target.of(resolve, **asdict(settings.post)).check()
    return settings


def signed_in_session(settings: Settings) -> SparkSession:
    """Start Spark, then ask for the secret that the end of the run needs: a vault that refuses is told before the work."""
    spark = session.start_session(APP, jars=settings.graph.jars, **asdict(settings.spark))
    post, tracked = settings.post, settings.tracking
    if log_analytics.Target.of(resolve, **asdict(post)).token():
        resolve(post.credential)
    principal.sign_in_for_tracking(tracked.uri, tracked.strict, post.principal, partial(resolve, post.credential))
    return spark


def post_saved(
    spark: SparkSession, settings: Settings, folder: results.RunFolder, record: Mapping[str, Any]
) -> dict[str, log_analytics.PostCounts]:
    """Post of a run as it was saved what has changed, and add to its `run.json` what became of the rows."""
    place, look_back = settings.results.path.rstrip("/"), settings.export.look_back_hours
    return delivery.Delivery(spark, asdict(settings.post), place, look_back, resolve).post_run(folder, record)


def read_alerts(
    spark: SparkSession, settings: Settings, formats: Mapping[str, Format], start: datetime | None, end: datetime | None
) -> tuple[dict[str, DataFrame], datetime, datetime]:
    """Read the exported lines of the window and of the past that it needs; return them with the window's bounds."""
    exported = settings.export
    past = timedelta(hours=max(exported.history_hours, exported.look_back_hours))
    containers = {source.table: source.container for source in settings.sources}
    mirror = blob_mirror.Mirror(spark, exported.credential, exported.staging, resolve)
    root = mirror.readable_root(exported.root, containers, exported.workspaces, start and start - past, end)
    days = export.list_days(spark, root, containers, exported.workspaces)
    start, end = window_of(days, start, end)
    columns = {table: format_.reads for table, format_ in formats.items()}
    return export.read_export(spark, days, columns, start - past, end), start, end


def cli() -> None:
    """Entry point: exit code 0 done, 2 what an operator can fix, 1 anything else."""
    session.keep_files_private()
    if code := exit_code(main):  # a wheel task of Databricks may take SystemExit, even of 0, for a failure
        sys.exit(code)


if __name__ == "__main__":
    cli()
