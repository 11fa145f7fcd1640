"""How much the whole run costs over the least that any Spark job on the same lake must do, as a ratio in one sitting.

    speed.py [--rounds 3] [--lake FOLDER --source TABLE=FORMAT]... [--master local[2]] [--driver-memory 8g]

Without --lake it takes the four AIT-ADS networks where the real alert sets lie beside the repository (1,265,588 alerts in
4,198 files), else a large example plant. Both processes are timed whole, from start to exit, alternating; the bare scan
reads every line with a fixed schema, parses its JSON and counts rows by type and hour. Prints medians, their ratio, and
the peak memory of the run's processes together.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared"
LAKES = REPO / ".lakes"
NETWORKS = ("fox", "russellmitchell", "santos", "wheeler")
PLANT_SOURCES = [
    "SecurityAlert=security_alert",
    "CommonSecurityLog=common_security_log",
    "SuricataEve_CL=suricata_eve",
    "SigmaAlerts_CL=sigma",
]


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


def default_lake() -> tuple[Path, list[str]]:
    """The lake to measure on and its sources; made where it is not there yet."""
    if (SHARED / "tools/make_lake.py").exists():
        folder, sources = LAKES / "ait_ads", ["AitAds_CL=benchmarks/formats/ait_ads.yaml"]
        make = [str(SHARED / "tools/make_lake.py"), str(folder), *[f"ait_ads/{network}" for network in NETWORKS]]
    else:
        folder, sources = LAKES / "plant", PLANT_SOURCES
        make = ["examples/plant/generate.py", str(folder), "--alerts", "200000"]
    if not (folder / "lake.json").exists():
        subprocess.run([sys.executable, *make], check=True, stdout=subprocess.DEVNULL, cwd=REPO)
    return folder / "lake", sources


def measure(command: list[str]) -> tuple[float, float]:
    """Wall seconds of a whole process, and the peak of its and its children's resident memory in GiB."""
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
    return seconds, peak


def tree_gib(root: int) -> float:
    """Resident memory of a process and all its descendants, in GiB."""
    rows = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    table = [tuple(map(int, row.split())) for row in rows.splitlines()]
    family = {root}
    while grown := {pid for pid, parent, _ in table if parent in family} - family:
        family |= grown
    return sum(rss for pid, _, rss in table if pid in family) / 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lake", type=Path)
    parser.add_argument("--source", action="append", default=[], metavar="TABLE=FORMAT")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--driver-memory", default="8g")
    parser.add_argument("--bare-scan", metavar="LAKE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.bare_scan:
        return bare_scan(args.bare_scan, args.master, args.driver_memory)
    lake, sources = (args.lake, args.source) if args.lake else default_lake()
    spark = [f"--set=spark.master={args.master}", f"--set=spark.driver_memory={args.driver_memory}"]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "run.yaml")
        tables = "".join(f"  - {{table: {t}, format: {f}}}\n" for t, f in (s.split("=", 1) for s in sources))
        config.write_text(
            f"export: {{root: {lake.resolve()}}}\nsources:\n{tables}results: {{path: {folder}/results}}\n"
            f"tracking: {{uri: 'sqlite:///{folder}/mlflow.db'}}\n"
        )
        run = [sys.executable, "jobs/rank_alerts.py", "--config", str(config), *spark]
        floor = [sys.executable, __file__, "--bare-scan", str(lake), "--master", args.master]
        floor += ["--driver-memory", args.driver_memory]
        runs, floors = [], []
        for number in range(args.rounds):
            floors.append(measure(floor))
            runs.append(measure(run))
            print(f"round {number + 1}: bare scan {floors[-1][0]:.1f} s, whole run {runs[-1][0]:.1f} s", flush=True)
    scan, whole = statistics.median(s for s, _ in floors), statistics.median(s for s, _ in runs)
    peak = max(gib for _, gib in runs)
    print(f"{lake}: median whole run {whole:.1f} s / bare scan {scan:.1f} s = {whole / scan:.2f}, peak {peak:.1f} GiB")
    return None


if __name__ == "__main__":
    main()
