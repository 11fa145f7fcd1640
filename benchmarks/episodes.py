"""What the stages after the fold cost for many episodes, in one process: processor seconds by stage, and the peak of memory.

    episodes.py [--sites 28] [--periods 10]

The alerts of the example plant are read and folded by Spark; what they say is repeated for so many sites, and for so many
periods of three days one after another. 28 sites of 10 periods are a million episodes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.access import session
from alertgraph_spark.config import format_files
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.graph.choice import Answers
from alertgraph_spark.interpret import AssetList, calendar_of, exception_keys
from alertgraph_spark.lines import read_lines
from alertgraph_spark.pipeline import Known, rank_sites
from alertgraph_spark.ranking import Stages
from alertgraph_spark.read import export
from alertgraph_spark.read.assets import load_assets
from alertgraph_spark.read.export_layout import window_of
from alertgraph_spark.tables.frames import collect_arrow

REPO = Path(__file__).resolve().parent.parent
DAYS = 3
TIMES = ("started_at", "ended_at", "received_at", "known_at")


def spans_of_plant(folder: Path) -> tuple[pa.Table, AssetList]:
    """What the alerts of the example plant say, and its asset list."""
    make = [sys.executable, "examples/plant/generate.py", str(folder / "plant"), "--days", str(DAYS)]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=REPO)
    root = str(folder / "plant" / "lake")
    settings = load_settings(REPO / "examples/plant.yaml", [f"export.root={root}"])
    formats = {source.table: format_files.load_format(source.file) for source in settings.sources}
    spark = session.start_session("episodes", "local[2]", "2g", settings.spark.conf, ())
    days = export.list_days(spark, root, dict.fromkeys(formats))
    start, end = window_of(days, None, None)
    raw = export.read_export(spark, days, {table: one.reads for table, one in formats.items()}, start, end)
    spans = collect_arrow(
        read_lines(raw, formats, start, end, gap_seconds=RankingParameters().episode_gap_seconds).spans
    )
    spark.stop()
    return spans, AssetList(load_assets(folder / "plant" / "assets.csv"))


def repeated(spans: pa.Table, site: int, period: int) -> pa.Table:
    """The spans of another site, so many periods later."""
    hours = 24 * DAYS * period
    bins = hours * 3600 // RankingParameters().episode_gap_seconds
    moved = {"bin": pc.add(spans["bin"], bins), "hour": pc.add(spans["hour"], hours)}
    for name in TIMES:
        later = pc.add(pc.cast(spans[name], pa.int64()), hours * 3_600_000_000)
        moved[name] = pc.cast(later, pa.timestamp("us", "UTC"))
    moved["site"] = pc.binary_join_element_wise(spans["site"], str(site), "-")
    moved["span"] = pc.binary_join_element_wise(spans["span"], f"{site}-{period}", "-")
    return pa.table({name: moved.get(name, spans[name]) for name in spans.column_names})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=28)
    parser.add_argument("--periods", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one, assets = spans_of_plant(Path(folder))
    spans = pa.concat_tables(repeated(one, s, p) for s in range(args.sites) for p in range(args.periods))
    print(f"{spans.num_rows:,} spans, {spans.nbytes / 2**20:,.0f} MiB")
    begin, last = time.process_time(), time.process_time()

    def told(stage: str, rows: int, seconds: float) -> None:
        nonlocal last
        now = time.process_time()
        print(f"  {stage:<10}{rows:>12,} rows{now - last:>8.1f} s")
        last = now

    rank_sites(
        spans.combine_chunks(),
        Known(assets, calendar_of((), ()), exception_keys((), ())),
        RankingParameters(),
        since=datetime(1990, 1, 1, tzinfo=timezone.utc),
        stages=Stages(told),
        ask=lambda n_links: Answers(),
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  {'all':<10}{'':>17}{time.process_time() - begin:>8.1f} s of the processor; {peak:.1f} GiB at the peak")


if __name__ == "__main__":
    main()
