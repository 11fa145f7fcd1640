"""One path for every MLflow: each client that is named logs to each server that is there, and its model is loaded back.

`ALERTGRAPH_MLFLOW_PYTHONS` names Python interpreters, parted by `:`, each with an MLflow of its own: 2.18 skinny as Synapse
has it, 2.22 as Fabric has it, and so on. One that is no skinny one is also a server. The environment of the tests is always
both; without the variable the other versions are skipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")  # mlflow-skinny has no server
pytestmark = pytest.mark.slow

REPO = Path(__file__).parent.parent
VARIABLE = "ALERTGRAPH_MLFLOW_PYTHONS"
CLIENTS = [sys.executable, *filter(None, os.environ.get(VARIABLE, "").split(":"))]

# In each client's own environment: no Spark, no test, only what the job calls.
LOG_AND_LOAD = """
import json, sys
import mlflow, pandas as pd
from alertgraph_spark.publish import tracking
weights = {
    "terms": [
        {"term": "rarity", "column": "rarity_nats", "weight": 1.0},
        {"term": "quiet", "column": "quiet_nats", "weight": 2.0},
    ],
    "half_score": 20.0,
}
record = tracking.RunRecord(
    "run-7", {f"parameter.{n}": n for n in range(120)}, {"n_alerts": 5.0, "absent": None}, {"run.json": "{}"}, weights,
    [{"rarity_nats": 10.0, "quiet_nats": 5.0}],
)
run = tracking.Tracker(sys.argv[1], "alertgraph", strict=True).log_run(record)
features = pd.DataFrame({"rarity_nats": [10.0, 0.0], "quiet_nats": [5.0, 0.0]})
loaded_by = "its address"
try:
    folder = mlflow.artifacts.download_artifacts(f"runs:/{run.run_id}/scorer")
    model = mlflow.pyfunc.load_model(f"runs:/{run.run_id}/scorer")
except mlflow.exceptions.MlflowException:
    loaded_by = "its folder"
    artifacts = mlflow.MlflowClient().get_run(run.run_id).info.artifact_uri
    folder = mlflow.artifacts.download_artifacts(artifact_uri=f"{artifacts}/scorer")
    model = mlflow.pyfunc.load_model(folder)
try:  # what Databricks' registry asks of a model before it takes it
    from mlflow.store._unity_catalog.registry.rest_store import UcModelRegistryStore
    UcModelRegistryStore._validate_model_signature(None, folder)
    unity = "taken"
except ImportError:
    unity = "not installed"
seen = mlflow.MlflowClient(tracking_uri=sys.argv[1]).get_run(run.run_id)
print(json.dumps({
    "model_uri": run.model_uri, "loaded_by": loaded_by, "status": seen.info.status, "n_parameters": len(seen.data.params),
    "metrics": seen.data.metrics, "scores": model.predict(features)["score"].tolist(),
    "inputs": model.metadata.get_input_schema().input_names(), "unity": unity,
}))
"""


@cache
def version_of(python: str) -> tuple[str, bool]:
    """Version of MLflow in an environment, and whether it can be a server."""
    code = (
        "import importlib.util, json; from importlib.metadata import version;"
        "print(json.dumps([version('mlflow-skinny'), importlib.util.find_spec('sqlalchemy') is not None]))"
    )
    version, is_server = json.loads(subprocess.run([python, "-c", code], check=True, capture_output=True).stdout)
    return version, is_server


SERVERS = [python for python in CLIENTS if version_of(python)[1]]


@contextlib.contextmanager
def serving(python: str, home: Path) -> Iterator[str]:
    """A tracking server that also takes artifacts; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--artifacts-destination", str(home / "kept")]
    path = f"{Path(python).parent}:{os.environ['PATH']}"  # MLflow 2 starts gunicorn by its name
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PATH": path}
    with (home / "server.txt").open("w") as log:
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            for _ in range(180):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                assert server.poll() is None, (home / "server.txt").read_text()[-2000:]
                time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


@pytest.fixture(scope="module", params=SERVERS, ids=lambda python: f"server {version_of(python)[0]}")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and version of a server."""
    with serving(request.param, tmp_path_factory.mktemp("server")) as address:
        yield address, version_of(request.param)[0]


def logged_by(python: str, uri: str, home: Path) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-c", LOG_AND_LOAD, uri], cwd=home, env=os.environ | {"PYTHONPATH": str(REPO)},
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize("client", CLIENTS, ids=lambda python: f"client {version_of(python)[0]}")
def test_a_client_logs_to_a_server_and_loads_its_model(client: str, server: tuple[str, str], tmp_path: Path) -> None:
    address, served = server
    told = logged_by(client, address, tmp_path)

    assert told["status"] == "FINISHED"
    assert (told["n_parameters"], told["metrics"]) == (120, {"n_alerts": 5.0})
    # z = 1·10 + 2·5 = 20 is the half score; nothing gives nothing.
    assert told["scores"] == [pytest.approx(0.5), 0.0]
    assert told["inputs"] == ["rarity_nats", "quiet_nats"]
    # Of a server that knows no logged models MLflow 3.0 itself can load no runs:/ address; later ones can.
    is_first_3 = version_of(client)[0].startswith("3.0.") and served.startswith("2.")
    assert told["loaded_by"] == ("its folder" if is_first_3 else "its address")
    assert told["unity"] in ("taken", "not installed")
    both_know_logged_models = all(int(version.split(".")[0]) >= 3 for version in (version_of(client)[0], served))
    assert told["model_uri"].startswith("models:/m-" if both_know_logged_models else "runs:/")


@pytest.mark.parametrize("client", SERVERS, ids=lambda python: f"client {version_of(python)[0]}")
def test_a_client_logs_to_a_sqlite_file(client: str, tmp_path: Path) -> None:
    told = logged_by(client, f"sqlite:///{tmp_path}/mlflow.db", tmp_path)

    assert told["scores"] == [pytest.approx(0.5), 0.0]
    assert told["unity"] == "taken"
    assert not (tmp_path / "mlruns" / "0").exists() or (tmp_path / "mlflow.db").exists()


def test_the_versions_of_the_platforms_were_there() -> None:
    if len(CLIENTS) == 1:
        pytest.skip(f"{VARIABLE} names no other MLflow; only {version_of(sys.executable)[0]} was tried")
    tried = {version_of(python)[0].rsplit(".", 1)[0] for python in CLIENTS}

    assert tried >= {"2.18", "2.22", "3.17"}
