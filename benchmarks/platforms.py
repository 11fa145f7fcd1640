"""The job in an environment of each platform: made, run, checked, and written as a table into docs/platforms.md.

    platforms.py --cache FOLDER [--only KEY]... [--java 11=HOME]... [--jars 3=JAR,JAR]... [--dist FOLDER] [--write]

For each entry of platforms.yaml: an environment with the versions that the platform brings, without the development tools.
In it the package is imported whole from the zip of `make dist`; one day of the example plant is ranked, with ANSI on, started
as the platform would start it; the run is logged to a tracking server of this machine, and the model is loaded back without
Spark. Every platform has to give the same ranking. A GraphFrames jar, named by Spark's major version, is used where the job
is submitted. An environment stays in the cache until its requirements change. With --only the other lines of the table
stay as they are.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

REPO = Path(__file__).resolve().parent.parent
PAGE = REPO / "docs" / "platforms.md"
BEGIN, END = "<!-- measured: benchmarks/platforms.py -->", "<!-- end of measured -->"
HEAD = ("platform", "Spark", "Python", "Java", "MLflow", "pandas, pyarrow, DuckDB", "started as", "engine", "commit")
CHECKS = ("imports", "job", "ranking", "model")
UNKNOWN = "not verified here"
NAMES = ("pyspark", "mlflow-skinny", "pandas", "pyarrow", "duckdb")
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import alertgraph_spark
names = [m.name for m in pkgutil.walk_packages(alertgraph_spark.__path__, "alertgraph_spark.")]
without = []
for name in names:
    try:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "bokeh":  # the only one that a run does without: the report is then not written
            raise
        without.append(name)
assert ".zip" in alertgraph_spark.__file__
print(len(names), "modules" + f", {len(without)} want bokeh" * bool(without))
"""


@dataclass
class Row:
    """One line of the table: an environment on one Java, and what each check gave."""

    platform: Mapping[str, Any]
    java: str
    engine: str = "driver"
    commit: str = "?"
    versions: dict[str, str] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether every check was made and held."""
        return all(self.checks.get(check, "").startswith("ok") for check in CHECKS)

    def cells(self) -> list[str]:
        """The texts of the line, in the order of the header."""
        v = self.versions
        libraries = ", ".join(v.get(name, "?") for name in ("pandas", "pyarrow", "duckdb"))
        start = {"submit": "`spark-submit`, zip", "wheel": "command of the wheel"}[self.platform["start"]]
        head = [self.platform["name"], v.get("pyspark", "?"), v.get("python", self.platform["python"]), self.java]
        unknown = self.platform["unknown"] + ("" if self.engine == "graphframes" else "; GraphFrames")
        checks = [self.checks.get(check, "not run") for check in CHECKS]
        return [*head, v.get("mlflow-skinny", "?"), libraries, start, self.engine, self.commit, *checks, unknown]


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run a command and return what it says; what it said of its failure is the error."""
    done = subprocess.run(
        list(map(str, command)), check=False, capture_output=True, text=True, env=env, cwd=cwd, timeout=timeout
    )
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).strip().splitlines() if " INFO " not in line]
        raise RuntimeError(f"ended with {done.returncode}: {' / '.join(said[-3:])[-300:]}")
    return done.stdout


def find_python(version: str) -> str | None:
    """A Python of this version, on the path or as pyenv installs it."""
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return shutil.which(f"python{version}") if not pyenv else str(pyenv[-1])


def environment(platform: Mapping[str, Any], cache: Path, wheel: Path) -> Path:
    """The platform's environment, made where it is not there or is of other requirements; returns its `bin`."""
    home: Path = cache / platform["key"]
    pip: list[str | Path] = [home / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    digest = hashlib.sha256(json.dumps([platform["python"], platform["requirements"]]).encode()).hexdigest()
    stamp = home / "requirements.sha256"
    if not stamp.exists() or stamp.read_text() != digest:
        python = find_python(platform["python"])
        if python is None:
            raise RuntimeError(f"no Python {platform['python']} here")
        run([python, "-m", "venv", home])
        run([*pip, "setuptools", "wheel"])  # PySpark is built from source
        run([*pip, *platform["requirements"]])
        stamp.write_text(digest)
    run([*pip, "--no-index", "--no-deps", "--force-reinstall", wheel])
    return home / "bin"


def versions_in(binaries: Path) -> dict[str, str]:
    """Versions of Python and of what decides, in an environment."""
    code = (
        "import json, platform; from importlib.metadata import version;"
        f"print(json.dumps({{'python': platform.python_version(), **{{n: version(n) for n in {NAMES}}}}}))"
    )
    found: dict[str, str] = json.loads(run([binaries / "python", "-c", code]))
    return found


def commit_of(dist: Path) -> str:
    """The commit that a build says it is of, with a `+` if there was more than that."""
    (bill,) = dist.glob("*.cdx.json")
    component = json.loads(bill.read_text(encoding="utf-8"))["metadata"]["component"]
    said: str = next(p["value"] for p in component["properties"] if p["name"] == "alertgraph:commit")
    commit, _, more = said.partition(" ")
    return commit[:7] + ("+" if more else "")


def java_at(home: str | None) -> str:
    """The major version of a Java."""
    binary = f"{home}/bin/java" if home else "java"
    said = subprocess.run([binary, "-version"], check=False, capture_output=True, text=True).stderr
    found = re.search(r'version "(\d+)', said)
    return found[1] if found else "?"


@contextlib.contextmanager
def tracking_server(folder: Path) -> Iterator[str]:
    """An MLflow tracking server of this machine, which also takes artifacts; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "kept")]
    with (folder / "server.txt").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            for _ in range(120):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def job_command(row: Row, binaries: Path, dist: Path, config: Path, jars: str) -> list[str | Path]:
    """How the platform would start the job."""
    arguments: list[str | Path] = ["--config", config, "--compile", config.with_name("alerts.jsonl")]
    if row.platform["start"] == "wheel":
        return [binaries / "alertgraph-rank", *arguments]
    (package,) = dist.glob("*.zip")
    command: list[str | Path] = [binaries / "spark-submit", "--master", "local[2]", "--driver-memory", "2g"]
    command += ["--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=4"]
    command += ["--jars", jars] if jars else []
    return [*command, "--py-files", package, dist / "rank_alerts.py", *arguments]


def ranking_of(folder: Path) -> str:
    """A digest of what a run ranks how: ids, ranks, what is shown, and scores to nine places."""
    rows = pq.read_table(folder / "subgraphs").to_pylist()
    told = sorted((r["rank"], r["subgraph_id"], r["is_shown"], f"{r['score']:.9f}") for r in rows)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Bench:
    """What all platforms share: a folder for environments, what `make dist` built, the plant, and the tracking server."""

    cache: Path
    dist: Path
    plant: Path
    server: str


def check(row: Row, bench: Bench, java: str | None, jars: str) -> None:
    """Make the environment, and note in the row what each check gave; the first that fails ends it."""
    cache, dist, plant, server = bench.cache, bench.dist, bench.plant, bench.server
    home = cache / "runs" / f"{row.platform['key']}-java{row.java}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (wheel,), (package,) = dist.glob("*.whl"), dist.glob("*.zip")
    step = "imports"
    try:
        binaries = environment(row.platform, cache, wheel)
        row.versions = versions_in(binaries)
        own = os.environ | {"PYSPARK_PYTHON": str(binaries / "python"), "SPARK_LOCAL_IP": "127.0.0.1"}
        own |= {"JAVA_HOME": java} if java else {}
        own.pop("PYTHONPATH", None)
        said = run([binaries / "python", "-I", "-c", IMPORT_ALL, package], env=own, cwd=home)
        row.checks[step] = f"ok, {said.strip()}"
        step = "job"
        config = home / "run.yaml"
        settings = yaml.safe_load((REPO / "examples" / "plant.yaml").read_text(encoding="utf-8"))
        settings |= {
            "export": {"root": str(plant / "lake")},
            "assets": str(plant / "assets.csv"),
            "maintenance": str(plant / "maintenance.csv"),
            "results": {"path": str(home / "results")},
            "graph": {"engine": row.engine},
            "tracking": {"uri": server, "experiment": home.name + f"-{time.time():.0f}", "strict": True},
            "post": {"mode": "file", "folder": str(home / "posted")},
            "spark": {"master": "local[2]", "driver_memory": "2g", "conf": {"spark.sql.ansi.enabled": True}},
        }
        config.write_text(json.dumps(settings), encoding="utf-8")
        begin = time.perf_counter()
        said = run(job_command(row, binaries, dist, config, jars), env=own, cwd=home, timeout=1800)
        row.checks[step] = f"ok, {time.perf_counter() - begin:.0f} s"
        step = "ranking"
        (record,) = (home / "results").glob("*/run.json")
        row.checks[step] = f"ok, {ranking_of(record.parent)}"
        step = "model"
        model = f"runs:/{re.findall(r'/runs/([0-9a-f]{32})', said)[-1]}/scorer"
        score: list[str | Path] = [binaries / "python", REPO / "examples/score_compiled.py"]
        score += ["--tracking-uri", server, "--model", model]
        score += ["--alerts", home / "alerts.jsonl", "--results", record.parent]
        run(score, env=own, cwd=home)
        row.checks[step] = "ok"
    except (RuntimeError, OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        row.checks[step] = f"**failed**: {str(error)[:300]}".replace("|", "/").replace("\n", " ")


def compare(rows: Sequence[Row], others: Sequence[str] = ()) -> None:
    """Fail each ranking that is not the first one; `others` are digests of earlier runs, which count first."""
    made = [row for row in rows if row.checks.get("ranking", "").startswith("ok, ")]
    digests = [*others, *(row.checks["ranking"].removeprefix("ok, ") for row in made)]
    for row in made:
        if row.checks["ranking"] != f"ok, {digests[0]}":
            row.checks["ranking"] = row.checks["ranking"].replace("ok, ", "**differs**: ")


def table(lines: Sequence[Sequence[str]]) -> str:
    """The cells of each line as a table in Markdown."""
    head = [*HEAD, *CHECKS, UNKNOWN]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines))


def lines_of(page: str) -> list[list[str]]:
    """The cells of each line of the table that a page has."""
    inside = page.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in inside if line.startswith("| ")][2:]


def with_table(page: str, text: str) -> str:
    """The page with another table between the marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


def named(pairs: Sequence[str]) -> dict[str, str]:
    """`11=/usr/lib/jvm/11` as key and value."""
    return dict(pair.split("=", 1) for pair in pairs)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the matrix; return 1 if a check failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="folder for environments and runs; 1 GB each")
    parser.add_argument("--only", action="append", default=[], metavar="KEY")
    parser.add_argument("--java", action="append", default=[], metavar="MAJOR=HOME")
    parser.add_argument("--jars", action="append", default=[], metavar="SPARK=JAR,JAR")
    parser.add_argument("--dist", type=Path, help="what `make dist` built, if it is not to be built anew")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    args = parser.parse_args(argv)
    cache: Path = args.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    dist, plant = args.dist or cache / "dist", cache / "plant"
    if not args.dist:
        run([sys.executable, REPO / "deploy/make_dist.py", "--out", dist])
    shutil.rmtree(plant, ignore_errors=True)
    run([sys.executable, REPO / "examples/plant/generate.py", plant, "--days", "1", "--alerts", "1000"])
    homes, jars = named(args.java), named(args.jars)
    usual = java_at(os.environ.get("JAVA_HOME"))
    platforms = yaml.safe_load((REPO / "benchmarks" / "platforms.yaml").read_text(encoding="utf-8"))
    wanted = [platform for platform in platforms if not args.only or platform["key"] in args.only]
    rows = []
    server_home = cache / "tracking"
    shutil.rmtree(server_home, ignore_errors=True)
    server_home.mkdir()
    with tracking_server(server_home) as server:
        for platform in wanted:
            there = [str(v) for v in platform["java"] if str(v) in homes or str(v) == usual] or [usual]
            for java in there:
                spark = re.search(r"pyspark==(\d)", " ".join(platform["requirements"]))
                mine = jars.get(spark[1] if spark else "", "") if platform["start"] == "submit" else ""
                row = Row(platform, java, "graphframes" if mine else "driver", commit_of(dist))
                check(row, Bench(cache, dist, plant, server), homes.get(java), mine)
                rows.append(row)
                print(" | ".join(row.cells()), flush=True)
    page = PAGE.read_text(encoding="utf-8")
    ran = {platform["name"] for platform in wanted}
    kept = [cells for cells in lines_of(page) if cells[0] not in ran]
    place = (*HEAD, *CHECKS).index("ranking")
    compare(rows, [cells[place].removeprefix("ok, ") for cells in kept if cells[place].startswith("ok, ")])
    order = [platform["name"] for platform in platforms]
    lines = sorted([*kept, *(row.cells() for row in rows)], key=lambda cells: order.index(cells[0]))
    print(table(lines))
    if args.write:
        PAGE.write_text(with_table(page, table(lines)), encoding="utf-8")
    return 0 if all(row.is_good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
