"""The main job: from exported alerts to ranked, explained, posted subgraphs.

python jobs/rank_alerts.py --config FILE [--start ISO --end ISO | --last 24h] [--set KEY=VALUE]...
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta, timezone

from alertgraph_spark.cli import Console, arguments, exit_code, posted_words
from alertgraph_spark.config import load_settings
from alertgraph_spark.io import assets, blob_mirror, export, format_files, log_analytics, results, session, tracking
from alertgraph_spark.io.secrets import resolve
from alertgraph_spark.pipeline import Knobs, rank_subgraphs
from alertgraph_spark.run_record import run_record, tracked_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the straight line once; return 0, or 2 for what an operator can fix."""
    begin = time.perf_counter()
    args = arguments(__doc__ or "", argv)
    console = Console()
    settings = load_settings(args.config, args.set)
    run_id = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{settings.digest[:8]}"
    console.say(f"run {run_id}")
    formats = {source.table: format_files.load_format(source.file) for source in settings.sources}
    known = assets.load_assets(settings.assets_file) if settings.assets_file else []
    spark = session.start_session("alertgraph-spark", jars=settings.graph.jars, **asdict(settings.spark))
    tracker = tracking.Tracker(settings.tracking.uri, settings.tracking.experiment, settings.tracking.strict)
    source = settings.export
    past = timedelta(hours=max(source.history_hours, source.look_back_hours))
    with console.stage("read"):
        mirror = blob_mirror.Mirror(spark, source.credential, source.staging, resolve)
        since = args.start and args.start - past
        root = mirror.readable_root(source.root, formats, source.workspaces, since, args.end)
        days = export.list_days(spark, root, formats, source.workspaces)
        start, end = export.window_of(days, args.start, args.end)
        raw = export.read_export(spark, days, {t: f.reads for t, f in formats.items()}, start - past, end)
    folder = f"{settings.results.path.rstrip('/')}/{run_id}"
    results.make_folder(spark, folder)
    engine = {key: value for key, value in asdict(settings.graph).items() if key != "jars"}
    knobs = Knobs(**asdict(settings.ranking), **engine)

    def on_stage(stage: str, rows: int, seconds: float) -> None:
        console.on_stage(stage, rows, seconds)
        if stage == "normalise":
            tracker.open()  # the stages after it are short and leave a core idle

    ranking = rank_subgraphs(raw, formats, start, end, assets=known, knobs=knobs, on_stage=on_stage)
    with console.stage("save"):
        results.save_tables(ranking.tables, folder)
    top = ranking.tables["subgraphs"].orderBy("rank").limit(console.ROWS).collect()
    record = run_record(run_id, settings.digest, (start, end), ranking, spark.version)
    results.save_run(spark, folder, record)
    with console.stage("log"):
        run = tracker.log_run(tracking.RunRecord(**tracked_run(record, settings.to_dict(), ranking, top)))
    with console.stage("post"):
        now = datetime.now(timezone.utc)
        saved = results.read_tables(spark, folder) if settings.post.mode != "none" else {}
        posted = log_analytics.post_results(
            saved, run_id=run_id, time_generated=now, resolve=resolve, **asdict(settings.post)
        )
    ranking.release()
    target = settings.post.endpoint or settings.post.folder
    places = {"results": folder, "MLflow": run.look if run else "not logged", "posted": posted_words(posted, target)}
    console.end(top, record["counts"], places, time.perf_counter() - begin)
    return 0


def cli() -> None:
    """Entry point: exit code 0 done, 2 what an operator can fix, 1 anything else."""
    sys.exit(exit_code(main))


if __name__ == "__main__":
    cli()
