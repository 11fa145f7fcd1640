"""Executors in processes of their own, with the package shipped as a zip: what they post is what was saved."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from faults import (
    DCR_ID,
    KILLS,
    TOKEN,
    TOKEN_VARIABLE,
    Fault,
    FaultPlan,
    LogsIngestionEmulator,
    compare,
    saved_rows,
    watch_batches,
)

from alertgraph_spark.access.session import find_java

REPO = Path(__file__).parent.parent
N_ROWS = 400
SAVED = saved_rows(random.Random(0), N_ROWS)

# Not in a folder that holds the package, and without PYTHONPATH: executors have the zip alone.
DRIVER = f"""
import pickle, sys
from datetime import datetime, timezone
from pathlib import Path
import pyarrow as pa
from pyspark.sql import SparkSession
import alertgraph_spark
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.publish.log_analytics import post_results
from alertgraph_spark.tables.health_schemas import HEALTH
from alertgraph_spark.tables.verdict_schemas import VERDICTS
from alertgraph_spark.tables.network_schemas import EDGES, NODES
from alertgraph_spark.tables.run_schemas import RUNS
from alertgraph_spark.tables.schemas import MEMBERS, SUBGRAPHS

assert ".zip" in alertgraph_spark.__file__, alertgraph_spark.__file__
spark = SparkSession.builder.getOrCreate()
saved = pickle.loads(Path("saved.pickle").read_bytes())
now = datetime.now(timezone.utc)
saved["runs"] = [dict(zip(RUNS.names, (now, now, "0", "driver", [], [], [], *[None] * 4)))]
posted = {{t.name: t for t in (MEMBERS, NODES, EDGES, SUBGRAPHS, VERDICTS, HEALTH, RUNS)}}
tables = {{
    name: pa.Table.from_pylist([{{n: r[n] for n in t.names}} for r in saved.get(name, [])], schema=arrow_schema(t))
    for name, t in posted.items()
}}
where = spark.sparkContext.parallelize(range(8), 8).mapPartitions(
    lambda _: [__import__("alertgraph_spark").__file__]
).collect()
assert all(".zip" in file for file in where), where
done = post_results(
    tables, read_frame=lambda name: spark.createDataFrame(saved[name], posted[name].ddl),
    mode="logs_ingestion", run_id="run-7", time_generated=now, endpoint=sys.argv[1],
    dcr_id="{DCR_ID}", credential="env:{TOKEN_VARIABLE}", max_body_bytes=3000,
)
assert all(counts.is_complete for counts in done.values()), done
print("batches", sum(counts.n_batches for counts in done.values()))
"""


def submitted(tmp_path: Path, emulator: LogsIngestionEmulator, master: str, *conf: str) -> subprocess.Popen[str]:
    """Start the driver by spark-submit, with the package as a zip and the saved rows beside it."""
    find_java()
    package = tmp_path / "alertgraph_spark.zip"
    with zipfile.ZipFile(package, "w") as zipped:
        for file in (REPO / "alertgraph_spark").rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                zipped.write(file, file.relative_to(REPO))
    (tmp_path / "saved.pickle").write_bytes(pickle.dumps(SAVED))
    (tmp_path / "driver.py").write_text(DRIVER, encoding="utf-8")
    submit = shutil.which("spark-submit", path=str(Path(sys.executable).parent))
    assert submit
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    environment.pop("PYTHONPATH", None)
    settings = ["spark.ui.enabled=false", "spark.executor.memory=512m", *conf]
    command = [submit, "--master", master, *(word for setting in settings for word in ("--conf", setting))]
    command += ["--py-files", str(package), str(tmp_path / "driver.py"), emulator.url]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def kill_workers(session: int) -> None:
    """Kill every Python worker of a driver: those of its session that are no JVM and not the driver itself."""
    for process in Path("/proc").iterdir():
        try:
            is_ours = process.name.isdecimal() and os.getsid(int(process.name)) == session
            if is_ours and b"pyspark.daemon" in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:  # gone by now
            continue


def ended(driver: subprocess.Popen[str]) -> str:
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, err[-3000:]
    return out


@pytest.mark.slow
def test_executors_of_a_cluster_post_with_the_package_as_a_zip(tmp_path: Path) -> None:
    """A task whose worker dies is tried again, and a slow one is started twice: neither may add a row."""
    slow = Fault("slow", seconds=6)
    with LogsIngestionEmulator(tmp_path / "rows.sqlite", TOKEN) as emulator:
        arrived = watch_batches(emulator)
        plan = emulator.faults = FaultPlan([*[None] * 5, slow, *[None] * 9, KILLS[1], *[None] * 9, KILLS[0]])
        speculation = ["spark.speculation=true", "spark.speculation.interval=100ms"]
        speculation += ["spark.speculation.task.duration.threshold=1s"]
        driver = submitted(tmp_path, emulator, "local-cluster[2,1,1024]", *speculation)
        plan.kill = partial(kill_workers, driver.pid)
        out = ended(driver)

    assert plan.struck == {"slow": 1, "killed before storing": 1, "killed after storing": 1}
    assert f"batches {len(set(arrived))}" in out, "whoever sends them, the batches are the same"
    assert len(arrived) > len(set(arrived)) > 20
    found = compare(tmp_path / "rows.sqlite", SAVED)
    assert found.is_clean, str(found)
    assert found.saved == N_ROWS * 3 // 2
    assert found.twice > 0


@pytest.mark.slow
def test_two_tasks_post_at_a_time_however_many_could(tmp_path: Path) -> None:
    """Each has half of what the service takes in a minute."""
    at_once, most, lock = 0, 0, threading.Lock()
    with LogsIngestionEmulator(tmp_path / "rows.sqlite", TOKEN) as emulator:
        answer = emulator.service.answer

        def counted(target: str, headers: Mapping[str, str], body: bytes) -> Any:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            time.sleep(0.05)
            with lock:
                at_once -= 1
            return answer(target, headers, body)

        emulator.service.answer = counted  # type: ignore[method-assign]
        ended(submitted(tmp_path, emulator, "local[4]"))

    assert most == 2
    assert compare(tmp_path / "rows.sqlite", SAVED).is_clean
