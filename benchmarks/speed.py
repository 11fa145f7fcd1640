"""How much a run costs over the least that any Spark job on the same lake must do, as a ratio in one sitting.

    speed.py [--rounds 3] [--week | --lake FOLDER --source TABLE=FORMAT...] [--copies N]
             [--master local[2]] [--driver-memory 8g]

Without --lake it takes the four AIT-ADS networks where the real alert sets lie beside the repository (1,265,588 alerts in
4,198 files), else a large example plant; with --week a made week of 2,016 files of Suricata alerts. With --copies each
workspace stands in the lake so many times, under names of their own: eight copies of the four networks are 10 million alerts.
Three processes are timed whole, from start to exit, in turn: a bare scan, which reads every line with a fixed schema, parses
its JSON and counts rows by type and hour; reading and normalising alone, by the code of the job, counted by status; and the
whole run. Prints medians of wall and processor seconds, their ratios, and the peak memory of the run's processes together.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parent.parent
LAKES = REPO / ".lakes"
WORKSPACE = (
    "WorkspaceResourceId=/subscriptions/0/resourcegroups/soc/providers/microsoft.operationalinsights/workspaces/week"
)


def bare_scan(lake: str, master: str, driver_memory: str) -> None:
    """The floor: one scan, one parse, one small shuffle."""
    from pyspark.sql import SparkSession  # noqa: PLC0415  # only the child process that scans needs it
    from pyspark.sql import functions as F  # noqa: PLC0415

    settings = {
        "spark.driver.memory": driver_memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.files.openCostInBytes": "65536",
    }
    builder = SparkSession.builder.master(master)
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    lines = (
        spark.read.schema(
            "TimeGenerated timestamp, RawData string, _ItemId string, Type string, _corrupt_record string"
        )
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", "*.json")
        .json(lake)
    )
    body = F.from_json("RawData", "name string, alert struct<signature:string>")
    name = F.coalesce("body.name", "body.alert.signature").alias("name")
    hour = F.date_trunc("hour", "TimeGenerated").alias("hour")
    counts = lines.withColumn("body", body).groupBy("Type", name, hour).agg(F.count("_ItemId").alias("n"))
    print(counts.agg(F.sum("n")).first())


def read_and_normalise(lake: str, sources: Sequence[str], master: str, driver_memory: str) -> None:
    """The first two stages of the job, and a count by status that forces them."""
    from alertgraph_spark.access import session  # noqa: PLC0415
    from alertgraph_spark.config import format_files  # noqa: PLC0415
    from alertgraph_spark.config.loading import load_settings  # noqa: PLC0415
    from alertgraph_spark.normalise.alerts import parse_lines, with_status  # noqa: PLC0415  # only this child needs it
    from alertgraph_spark.read import export  # noqa: PLC0415
    from alertgraph_spark.read.export_layout import window_of  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(write_config(Path(folder), Path(lake), sources), ())
    formats = {source.table: format_files.load_format(source.file) for source in settings.sources}
    spark = session.start_session("read", master, driver_memory, settings.spark.conf, ())
    days = export.list_days(spark, lake, dict.fromkeys(formats))
    start, end = window_of(days, None, None)
    raw = export.read_export(spark, days, {t: f.reads for t, f in formats.items()}, start, end)
    lines = with_status(parse_lines(raw, formats), start, end)
    print(lines.groupBy("status", "name").agg({"observed_at": "max", "severity": "sum"}).count())


def write_config(folder: Path, lake: Path, sources: Sequence[str]) -> Path:
    """A configuration for a lake; what a run leaves goes into the folder."""
    config = folder / "run.yaml"
    tables = "".join(f"  - {{table: {t}, format: {f}}}\n" for t, f in (s.split("=", 1) for s in sources))
    config.write_text(
        f"export: {{root: {lake.resolve()}}}\nsources:\n{tables}results: {{path: {folder}/results}}\n"
        f"tracking: {{uri: 'sqlite:///{folder}/mlflow.db'}}\n"
    )
    return config


def week_lake(rows_a_file: int = 200) -> tuple[Path, list[str]]:
    """Seven days of 288 files of Suricata alerts each; made where it is not there yet."""
    root = LAKES / "week" / "lake"
    if not root.exists():
        part = LAKES / "week" / "part"
        folder = part / "am-suricataeve_cl" / WORKSPACE
        for bucket in range(7 * 288):
            begin = datetime(2026, 3, 2, tzinfo=timezone.utc) + timedelta(minutes=5 * bucket)
            path = folder / f"{begin:y=%Y/m=%m/d=%d/h=%H/m=%M}"
            path.mkdir(parents=True)
            rows = (eve_row(begin + timedelta(seconds=n), bucket * rows_a_file + n) for n in range(rows_a_file))
            (path / "PT05M.json").write_text("".join(row + "\n" for row in rows), encoding="utf-8")
        part.rename(root)
    return root, ["SuricataEve_CL=suricata_eve"]


def eve_row(when: datetime, number: int) -> str:
    """One exported row: one of 40 signatures between 50 hosts, by number."""
    event = {
        **{"timestamp": when.isoformat(), "event_type": "alert", "proto": "TCP", "app_proto": "http"},
        **{"src_ip": f"10.1.0.{number * 7 % 50}", "src_port": 1024 + number % 60000},
        **{"dest_ip": f"10.1.1.{number * 11 % 50}", "dest_port": 80},
        "alert": {
            **{"gid": 1, "signature_id": 2000000 + number % 40, "signature": f"EXAMPLE signature {number % 40}"},
            **{"category": "Misc activity", "severity": 1 + number % 3, "metadata": {"created_at": ["2026_01_01"]}},
        },
    }
    stamp = f"{when:%Y-%m-%dT%H:%M:%S}.0000000Z"
    row = {"TenantId": "t", "RawData": json.dumps(event), "TimeGenerated": stamp, "_ItemId": str(number)}
    return json.dumps({**row, "Computer": "sensor01", "Type": "SuricataEve_CL"})


def default_lake() -> tuple[Path, list[str]]:
    """The lake to measure on and its sources; made where it is not there yet."""
    from quality import lakes  # noqa: PLC0415  # the children that are timed do not pay for it

    if (real := lakes.ALL["ait_ads"]).is_there():
        return real.ensure() / "lake", list(real.sources)
    folder = LAKES / "plant"
    if not (folder / "lake.json").exists():
        make = ["examples/plant/generate.py", str(folder), "--alerts", "200000"]
        subprocess.run([sys.executable, *make], check=True, stdout=subprocess.DEVNULL, cwd=REPO)
    return folder / "lake", list(lakes.PLANT)


def copied(lake: Path, copies: int, folder: Path) -> Path:
    """The lake with each workspace so many times: links to its folders, under `<workspace>-<number>`."""
    for workspace in lake.glob("am-*/WorkspaceResourceId=" + "/*" * 8):
        place = folder / "copies" / workspace.relative_to(lake).parent
        place.mkdir(parents=True, exist_ok=True)
        for number in range(1, copies + 1):
            (place / f"{workspace.name}-{number}").symlink_to(workspace.resolve())
    return folder / "copies"


class Taken(NamedTuple):
    """What a process took: wall and processor seconds, with all that it started, and the peak of their memory in GiB."""

    wall: float
    processor: float
    gib: float


def measure(command: list[str]) -> Taken:
    """Run a process and all that it starts to the end.

    A JVM outlives the Python process that started it, and its time counts once it has been waited for: this process takes
    over what is left behind (`prctl(2)`, PR_SET_CHILD_SUBREAPER).
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=REPO, stdout=subprocess.DEVNULL, stderr=errors)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, tree_gib(process.pid))
            time.sleep(0.2)
        seconds = time.perf_counter() - begin
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read().decode(errors='replace')[-2000:]}")
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak)


def tree_gib(root: int) -> float:
    """Resident memory of a process and all its descendants, in GiB.

    A JVM that starts a command (Hadoop sets a file's rights by `chmod`) stands in the table twice for a moment, with the same
    memory, until the child is that command: such a double is not counted.
    """
    command = ["ps", "-A", "-o", "pid=,ppid=,rss=,args="]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    table = {int(pid): (int(parent), int(rss), args) for pid, parent, rss, args in map(_fields, rows.splitlines())}
    family = {root}
    while grown := {pid for pid, (parent, _, _) in table.items() if parent in family} - family:
        family |= grown
    return sum(table[pid][1] for pid in family & table.keys() if not _is_double(pid, table)) / 2**20


def _fields(row: str) -> list[str]:
    return [*row.split(None, 3), ""][:4]


def _is_double(pid: int, table: dict[int, tuple[int, int, str]]) -> bool:
    parent, rss, args = table[pid]
    return parent in table and args == table[parent][2] and "java" in args and rss > 0.9 * table[parent][1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lake", type=Path)
    parser.add_argument("--source", action="append", default=[], metavar="TABLE=FORMAT")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--driver-memory", default="8g")
    parser.add_argument("--week", action="store_true")
    parser.add_argument("--copies", type=int, default=1, metavar="N")
    parser.add_argument("--normalise", metavar="LAKE", help=argparse.SUPPRESS)
    parser.add_argument("--bare-scan", metavar="LAKE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.bare_scan:
        return bare_scan(args.bare_scan, args.master, args.driver_memory)
    if args.normalise:
        return read_and_normalise(args.normalise, args.source, args.master, args.driver_memory)
    lake, sources = (args.lake, args.source) if args.lake else week_lake() if args.week else default_lake()
    limits = ["--master", args.master, "--driver-memory", args.driver_memory]
    of_sources = [f"--source={source}" for source in sources]
    with tempfile.TemporaryDirectory() as folder:
        if args.copies > 1:
            lake = copied(lake, args.copies, Path(folder))
        config = str(write_config(Path(folder), lake, sources))
        spark = [f"--set=spark.master={args.master}", f"--set=spark.driver_memory={args.driver_memory}"]
        commands = {
            "bare scan": [__file__, "--bare-scan", str(lake), *limits],
            "read and normalise": [__file__, "--normalise", str(lake), *of_sources, *limits],
            "whole run": ["jobs/rank_alerts.py", "--config", config, *spark],
        }
        taken: dict[str, list[Taken]] = {name: [] for name in commands}
        for number in range(args.rounds):
            for name, command in commands.items():
                taken[name].append(measure([sys.executable, *command]))
            last = ", ".join(f"{name} {taken[name][-1].wall:.1f} s" for name in commands)
            print(f"round {number + 1}: {last}", flush=True)
    print(f"{lake}: medians of {args.rounds}, and of the scan's")
    print(f"  {'':<20}{'wall':>9}{'':>7}{'processor':>11}{'':>7}{'peak':>10}")
    floor = Taken(*map(statistics.median, zip(*taken["bare scan"], strict=True)))
    for name, times in taken.items():
        wall, processor, _ = map(statistics.median, zip(*times, strict=True))
        peak = max(one.gib for one in times)
        print(
            f"  {name:<20}{wall:>7.1f} s{wall / floor.wall:>7.2f}{processor:>9.1f} s{processor / floor.processor:>7.2f}"
            f"{peak:>6.1f} GiB"
        )
    return None


if __name__ == "__main__":
    main()
