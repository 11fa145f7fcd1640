"""The job as a cluster runs it: spark-submit, executors of their own, the package as a zip, its files by `--files`.

Two executors of one core and 1 GB each, 4 GB for the driver, and no package, checkout or configuration beside the job: what
was built by `make dist` and what was sent along is all that there is.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from exported import put_lines, row_line
from faults import DCR_ID, TOKEN, TOKEN_VARIABLE, LogsIngestionEmulator

from alertgraph_spark.access.session import find_java

REPO = Path(__file__).parent.parent
pytestmark = pytest.mark.slow

# An intrusion in three steps of minutes, and beside it an alert between two that take no part in it.
STEPS = [
    ("2026-03-02T10:00", "Brute force", "10.0.0.1", "10.0.0.2"),
    ("2026-03-02T10:05", "Remote service started", "10.0.0.2", "10.0.0.3"),
    ("2026-03-02T10:09", "Unauthorized PLC programming", "10.0.0.3", "10.0.0.4"),
    ("2026-03-02T10:07", "Port scan", "10.9.0.1", "10.9.0.2"),
]
FORMAT = {
    "format": "flows",
    "reads": ["AlertName", "FromIP", "ToIP"],
    "columns": {"name": "AlertName", "severity": "0.6"},
    "source": {"ip": "FromIP"},
    "target": {"ip": "ToIP"},
}
ASSETS = "asset,name,zone,purdue_level,role\n10.0.0.4,plc-1,ot,1,\n"


@dataclass(frozen=True)
class Site:
    """A folder with everything that is sent along, and an address that takes what is posted."""

    home: Path
    emulator: Any

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What the finished runs wrote down, oldest first."""
        return [json.loads(file.read_text()) for file in sorted(self.home.glob("results/*/run.json"))]

    def ranked(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        rows = pq.read_table(self.home / "results" / run["run_id"] / "subgraphs").to_pylist()
        return sorted(rows, key=lambda row: row["rank"])

    def posted(self, table: str) -> list[tuple[str, int]]:
        with closing(sqlite3.connect(self.home / "posted.sqlite")) as workspace:
            found = workspace.execute(f"SELECT RunId, count(*) FROM {table} GROUP BY RunId ORDER BY RunId").fetchall()
        return [(run_id, n) for run_id, n in found]

    def command(self, *arguments: str) -> list[str]:
        submit = shutil.which("spark-submit", path=str(Path(sys.executable).parent))
        assert submit
        sent = ",".join(str(self.home / "sent" / name) for name in ("run.yaml", "flows.yaml", "assets.csv"))
        (package,) = (self.home / "dist").glob("*.zip")
        command = [submit, "--master", "local-cluster[2,1,1024]", "--driver-memory", "4g"]
        command += ["--conf", "spark.ui.enabled=false", "--py-files", str(package), "--files", sent]
        return [*command, str(self.home / "dist" / "rank_alerts.py"), *arguments]

    @contextmanager
    def submitted(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Submit in an empty folder; whatever is left of it ends with the block."""
        environment = os.environ | {
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            TOKEN_VARIABLE: TOKEN,
        }
        environment.pop("PYTHONPATH", None)
        (self.home / "empty").mkdir(exist_ok=True)
        process = subprocess.Popen(
            self.command(*arguments),
            **{"cwd": self.home / "empty", "env": environment, "text": True, "start_new_session": True},
            stdout=subprocess.PIPE,
            stderr=(self.home / "stderr.txt").open("w"),
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def submit(self, *arguments: str) -> tuple[int, str]:
        """Exit code of a run from its start to its end, and what the job said: Spark prints both of its outputs as one."""
        with self.submitted(*arguments) as process:
            out, _ = process.communicate(timeout=900)
        return process.returncode, out


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    find_java()
    home = tmp_path_factory.mktemp("submit")
    built = [sys.executable, str(REPO / "deploy" / "make_dist.py"), "--out", str(home / "dist")]
    done = subprocess.run(built, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"make dist: {done.stderr.strip()[-300:]}")
    for number, (time, name, source, target) in enumerate(STEPS):
        row = row_line(time, _ItemId=f"i-{number}", AlertName=name, FromIP=source, ToIP=target)
        put_lines(home / "lake", "Flows_CL", time, [row], name=f"PT05M_{number}.json")
    with LogsIngestionEmulator(home / "posted.sqlite", TOKEN) as emulator:
        sent = {
            "export": {"root": str(home / "lake")},
            "sources": [{"table": "Flows_CL", "format": "flows.yaml"}],
            "assets": "assets.csv",
            "results": {"path": str(home / "results")},
            "tracking": {"uri": f"sqlite:///{home}/mlflow.db", "strict": True},
            "post": {
                "mode": "logs_ingestion",
                "endpoint": emulator.url,
                "dcr_id": DCR_ID,
                "credential": f"env:{TOKEN_VARIABLE}",
            },
            "spark": {"conf": {"spark.sql.shuffle.partitions": 2}},
        }
        (home / "sent").mkdir()
        (home / "sent" / "run.yaml").write_text(json.dumps(sent))
        (home / "sent" / "flows.yaml").write_text(json.dumps(FORMAT))
        (home / "sent" / "assets.csv").write_text(ASSETS)
        yield Site(home, emulator)


def test_it_ranks_posts_and_ends_with_0_and_after_a_kill_it_does_so_again(site: Site) -> None:
    code, out = site.submit("--config", "run.yaml")

    assert code == 0, out[-3000:]
    (first,) = site.runs
    assert first["counts"]["rows_read"] == first["counts"]["alerts"] == 4
    ranked = site.ranked(first)
    assert [row["n_alerts"] for row in ranked] == [3, 1], "three steps are one intrusion, and the scan stands alone"
    assert "10.0.0.1 → 10.0.0.2 → 10.0.0.3 → plc-1" in ranked[0]["summary"], "the asset list was found"
    assert f"run {first['run_id']}" in out
    assert site.posted("AlertGraphMembers_CL") == [(first["run_id"], 4)]

    with site.submitted("--config", "run.yaml") as killed:
        assert killed.stdout
        for line in killed.stdout:
            if line.startswith("  link"):
                break
        os.killpg(killed.pid, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(site.home.glob("results/*-*"))) == 2
    assert site.runs == [first], "a folder without run.json is of a run that did not finish"

    code, out = site.submit("--config", "run.yaml")

    assert code == 0, out[-3000:]
    _, again = site.runs
    assert [(row["subgraph_id"], row["score"]) for row in site.ranked(again)] == [
        (row["subgraph_id"], row["score"]) for row in ranked
    ]
    assert site.posted("AlertGraphMembers_CL") == [(first["run_id"], 4)], "nothing has changed"
    assert site.posted("AlertGraphRuns_CL") == [(first["run_id"], 1), (again["run_id"], 1)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "ran.yaml"], "ConfigError: ran.yaml cannot be read"),
        (["--config", "run.yaml", "--set", "ranking.budget_per_days=2"], "did you mean ranking.budget_per_day?"),
    ],
    ids=["a file that was not sent", "a typo"],
)
def test_what_an_operator_can_fix_ends_with_2_and_one_message(site: Site, arguments: list[str], says: str) -> None:
    code, out = site.submit(*arguments)

    assert code == 2, out[-3000:]
    assert says in out
    assert "Traceback" not in out
