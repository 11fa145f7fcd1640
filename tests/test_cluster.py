"""Executors in processes of their own, with the package shipped as a zip: what they post is what was saved."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from faults import DCR_ID, TOKEN, TOKEN_VARIABLE, LogsIngestionEmulator, compare, saved_rows, watch_batches

from alertgraph_spark.io.session import find_java

REPO = Path(__file__).parent.parent
N_ROWS = 400

# Not in a folder that holds the package, and without PYTHONPATH: executors have the zip alone.
DRIVER = f"""
import pickle, sys
from datetime import datetime, timezone
from pathlib import Path
from pyspark.sql import SparkSession
import alertgraph_spark
from alertgraph_spark.io.log_analytics import post_results
from alertgraph_spark.schemas import EDGES, MEMBERS, NODES, RUNS, SUBGRAPHS

assert ".zip" in alertgraph_spark.__file__, alertgraph_spark.__file__
spark = SparkSession.builder.getOrCreate()
saved = pickle.loads(Path("saved.pickle").read_bytes())
now = datetime.now(timezone.utc)
saved["runs"] = [dict(zip(RUNS.names, (now, now, "0", "driver", [], [], [])))]
tables = {{
    t.name: spark.createDataFrame([tuple(r[n] for n in t.names) for r in saved.get(t.name, [])], t.ddl)
    for t in (MEMBERS, NODES, EDGES, SUBGRAPHS, RUNS)
}}
where = spark.sparkContext.parallelize(range(8), 8).mapPartitions(
    lambda _: [__import__("alertgraph_spark").__file__]
).collect()
assert all(".zip" in file for file in where), where
done = post_results(
    tables, mode="logs_ingestion", run_id="run-7", time_generated=now, endpoint=sys.argv[1],
    dcr_id="{DCR_ID}", credential="env:{TOKEN_VARIABLE}", max_body_bytes=3000,
)
assert all(counts.is_complete for counts in done.values()), done
print("batches", sum(counts.n_batches for counts in done.values()))
"""


@pytest.mark.slow
def test_executors_of_a_cluster_post_with_the_package_as_a_zip(tmp_path: Path) -> None:
    find_java()
    package = tmp_path / "alertgraph_spark.zip"
    with zipfile.ZipFile(package, "w") as zipped:
        for file in (REPO / "alertgraph_spark").rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                zipped.write(file, file.relative_to(REPO))
    saved = saved_rows(random.Random(0), N_ROWS)
    (tmp_path / "saved.pickle").write_bytes(pickle.dumps(saved))
    (tmp_path / "driver.py").write_text(DRIVER, encoding="utf-8")
    submit = shutil.which("spark-submit", path=str(Path(sys.executable).parent))
    assert submit
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    environment.pop("PYTHONPATH", None)
    with LogsIngestionEmulator(tmp_path / "rows.sqlite", TOKEN) as emulator:
        arrived = watch_batches(emulator)
        command = [submit, "--master", "local-cluster[2,1,1024]", "--conf", "spark.ui.enabled=false"]
        # A task that fails is tried again, and a slow one is started twice: neither may add a row.
        command += ["--conf", "spark.speculation=true", "--conf", "spark.executor.memory=512m"]
        command += ["--py-files", str(package), str(tmp_path / "driver.py"), emulator.url]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, timeout=300
        )
        n_requests, _ = emulator.traffic

    assert done.returncode == 0, done.stderr[-3000:]
    assert f"batches {len(set(arrived))}" in done.stdout
    assert n_requests >= len(set(arrived)) > 20
    found = compare(tmp_path / "rows.sqlite", saved)
    assert found.is_clean, str(found)
    assert found.saved == N_ROWS * 3 // 2
