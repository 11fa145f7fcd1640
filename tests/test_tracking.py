"""Tracking: what a run leaves in MLflow, a scorer that stands alone, and servers that do not answer."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")  # mlflow-skinny has no store of its own

from alertgraph_spark.errors import TrackingError  # noqa: E402  # after the skips
from alertgraph_spark.publish import tracking  # noqa: E402
from alertgraph_spark.publish.logged_model import log_model  # noqa: E402
from alertgraph_spark.publish.safe_csv import csv_text  # noqa: E402
from alertgraph_spark.publish.scorer import score_frame  # noqa: E402

WEIGHTS: dict[str, Any] = {
    "terms": [
        {"term": "rarity", "column": "rarity_nats", "weight": 1.0},
        {"term": "quiet", "column": "quiet_nats", "weight": 2.0},
        {"term": "planned", "column": "planned_share", "weight": -10.0},
    ],
    "half_score": 20.0,
}

# The subgraphs that every test below scores.
FEATURES = pd.DataFrame(
    {
        "rarity_nats": [10.0, 4.0, None, 10.0],
        "quiet_nats": [5.0, 0.0, 2.5, 0.0],
        "planned_share": [0.0, 1.0, 0.25, 1.0],
    },
    index=["attack", "maintenance", "faint", "nothing"],
)
SCORED = {
    # z = 1·10 + 2·5 - 10·0 = 20: the half score. Parts 10 / (20 + 20) and 10 / (20 + 20).
    "attack": [0.5, 0.25, 0.25, 0.0],
    # z = 4 + 0 - 10 = -6: below nothing, so no score and nothing to explain.
    "maintenance": [0.0, 0.0, 0.0, 0.0],
    # z = 0 + 2·2.5 - 10·0.25 = 2.5; score 2.5 / 22.5, parts 0, 5 / 22.5 and -2.5 / 22.5.
    "faint": [1 / 9, 0.0, 2 / 9, -1 / 9],
    # z = 10 - 10 = 0: the near miss.
    "nothing": [0.0, 0.0, 0.0, 0.0],
}
COLUMNS = ["score", "contribution_rarity", "contribution_quiet", "contribution_planned"]


def record(**changes: Any) -> tracking.RunRecord:
    base: dict[str, Any] = {"name": "run-1", "parameters": {"graph.engine": "driver"}, "metrics": {"n_alerts": 5}}
    return tracking.RunRecord(**{**base, **changes})


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite store, made once: the migrations take 5 s."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    tracking.warm_up(f"sqlite:///{file}")
    return file


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Iterator[str]:
    """The URI of a store of its own."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    yield f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow.set_tracking_uri(None)


def logged(store: str, **changes: Any) -> tuple[tracking.TrackedRun, Any]:
    """A run that was logged, and how MLflow shows it."""
    run = tracking.Tracker(store, "alertgraph", strict=True).log_run(record(**changes))
    assert run is not None
    return run, mlflow.MlflowClient(tracking_uri=store).get_run(run.run_id)


# --- the scorer


def test_scores_and_contributions_by_hand() -> None:
    expected = pd.DataFrame.from_dict(SCORED, orient="index", columns=COLUMNS)

    pd.testing.assert_frame_equal(score_frame(FEATURES, WEIGHTS), expected, rtol=0, atol=1e-12)


def test_contributions_sum_to_the_score_and_more_points_never_score_less() -> None:
    random = np.random.default_rng(7)
    features = pd.DataFrame(random.exponential(15, size=(2000, 3)), columns=list(FEATURES.columns))
    features["planned_share"] = random.uniform(0, 1, 2000)

    scored = score_frame(features, WEIGHTS)

    assert (scored[COLUMNS[1:]].sum(axis=1) - scored["score"]).abs().max() < 1e-9
    assert scored["score"].between(0, 1, inclusive="left").all()
    z = features["rarity_nats"] + 2 * features["quiet_nats"] - 10 * features["planned_share"]
    assert scored["score"].iloc[z.argsort()].is_monotonic_increasing
    assert ((scored["score"] > 0) == (z > 0)).all()


def test_no_subgraph_gives_no_row() -> None:
    assert list(score_frame(FEATURES.iloc[:0], WEIGHTS).columns) == COLUMNS
    assert score_frame(FEATURES.iloc[:0], WEIGHTS).empty


@pytest.mark.parametrize(
    ("features", "weights", "words"),
    [
        (FEATURES.drop(columns="quiet_nats"), WEIGHTS, "features lack quiet_nats; found rarity_nats, planned_share"),
        (FEATURES.assign(quiet_nats=np.inf), WEIGHTS, "finite"),
        (FEATURES, {**WEIGHTS, "half_score": 0.0}, "half_score above 0"),
        (FEATURES, {**WEIGHTS, "terms": WEIGHTS["terms"][:1] * 2}, "each term once"),
    ],
)
def test_what_cannot_be_scored(features: pd.DataFrame, weights: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        score_frame(features, weights)


# --- what a run leaves


def test_a_run_leaves_parameters_metrics_and_files(store: str, tmp_path: Path) -> None:
    run, seen = logged(
        store,
        parameters={f"p{number:03}": number for number in range(120)} | {"weird key(%)": "v", "long": "x" * 900},
        metrics={"n_alerts": 5, "seconds.fold": 1.5, "ap": float("nan"), "worst": float("inf"), "none": None},
        files={"run.json": '{"engine": "driver"}', "top_subgraphs.csv": "rank\n1\n"},
    )

    assert seen.info.status == "FINISHED"
    assert seen.info.run_name == "run-1"
    assert seen.data.params["p119"] == "119"
    assert seen.data.params["weird key___"] == "v"  # MLflow refuses ( % ) in a name
    assert seen.data.params["long"] == "x" * 500
    assert seen.data.metrics == {"n_alerts": 5.0, "seconds.fold": 1.5}  # what is no number is left out
    assert run.model_uri is None
    folder = tmp_path / "mlruns"  # beside the database, wherever the job was started
    assert [file.read_text() for file in folder.rglob("run.json")] == ['{"engine": "driver"}']
    assert [file.read_text() for file in folder.rglob("top_subgraphs.csv")] == ["rank\n1\n"]


def test_runs_share_the_experiment_and_say_where_to_look(store: str) -> None:
    tracker = tracking.Tracker(store, "alertgraph", strict=True)
    first, second = tracker.log_run(record()), tracker.log_run(record(name="run-2"))

    assert first is not None and second is not None and first.run_id != second.run_id
    client = mlflow.MlflowClient(tracking_uri=store)
    assert sorted(one.name for one in client.search_experiments()) == ["Default", "alertgraph"]
    assert first.look == f"mlflow ui --backend-store-uri {store}"


def test_the_model_scores_without_this_package_and_without_spark(store: str, tmp_path: Path) -> None:
    run, _ = logged(store, weights=WEIGHTS, examples=[{"rarity_nats": 10.0, "quiet_nats": None, "planned_share": 0.0}])
    FEATURES.assign(subgraph_id=FEATURES.index).to_json(tmp_path / "features.json")  # with a column that is no feature
    code = (
        "import sys\n"
        "for absent in ('alertgraph_spark', 'pyspark'):\n"
        "    sys.modules[absent] = None\n"
        "import mlflow, pandas\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        "model = mlflow.pyfunc.load_model(sys.argv[2])\n"
        "print(model.predict(pandas.read_json(sys.argv[3])).to_json())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, store, str(run.model_uri), str(tmp_path / "features.json")],
        capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    scored = pd.DataFrame(json.loads(done.stdout.splitlines()[-1])).T.to_dict("list")
    assert {name: pytest.approx(values) for name, values in SCORED.items()} == scored


def test_the_model_says_what_it_takes_and_what_it_needs(store: str) -> None:
    run, _ = logged(store, weights=WEIGHTS, examples=[{"rarity_nats": 10.0, "quiet_nats": None, "planned_share": 0.0}])

    model = mlflow.pyfunc.load_model(run.model_uri)

    assert model.metadata.get_input_schema().input_names() == ["rarity_nats", "quiet_nats", "planned_share"]
    assert model.metadata.get_output_schema().input_names() == COLUMNS
    folder = Path(mlflow.artifacts.download_artifacts(run.model_uri))
    assert json.loads((folder / "input_example.json").read_text())["data"] == [[10.0, 0.0, 0.0]]
    requirements = (folder / "requirements.txt").read_text().split()
    assert f"mlflow=={mlflow.__version__}" in requirements
    assert f"pandas=={pd.__version__}" in requirements
    assert all("==" in line for line in requirements)
    with pytest.raises(mlflow.exceptions.MlflowException, match="quiet_nats"):
        model.predict(FEATURES.drop(columns="quiet_nats"))


def test_an_older_server_gets_the_model_as_a_folder_of_the_run(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str | None = None, **parts: Any) -> None:
        raise mlflow.exceptions.RestException({"error_code": "ENDPOINT_NOT_FOUND", "message": "/logged-models"})

    monkeypatch.setattr(mlflow.pyfunc, "log_model", refuse)
    run, seen = logged(store, weights=WEIGHTS)

    assert run.model_uri == f"runs:/{run.run_id}/scorer"
    assert seen.info.status == "FINISHED"
    assert mlflow.pyfunc.load_model(run.model_uri).predict(FEATURES)["score"].tolist() == [
        0.5,
        0.0,
        pytest.approx(1 / 9),
        0.0,
    ]


def test_azure_ml_is_never_asked_for_logged_models(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str | None = None, **parts: Any) -> None:
        raise AssertionError("log_model was called")

    monkeypatch.setattr(mlflow.pyfunc, "log_model", refuse)
    mlflow.set_tracking_uri(store)
    with mlflow.start_run(experiment_id=tracking._experiment_id(mlflow.MlflowClient(), store, "alertgraph")) as run:
        uri = log_model("azureml://westeurope.api.azureml.ms/mlflow", run.info.run_id, WEIGHTS, [])

    assert mlflow.pyfunc.load_model(uri).predict(FEATURES)["score"].tolist() == [0.5, 0.0, pytest.approx(1 / 9), 0.0]


def test_mlflow_2_is_given_an_artifact_path(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Logged:
        model_uri = "runs:/x/scorer"

    def log_model(artifact_path: str, **parts: Any) -> Logged:
        assert artifact_path == "scorer"
        assert {"python_model", "artifacts", "signature", "input_example", "pip_requirements"} == set(parts)
        return Logged()

    monkeypatch.setattr(mlflow.pyfunc, "log_model", log_model)

    assert logged(store, weights=WEIGHTS)[0].model_uri == "runs:/x/scorer"


def test_a_refused_model_leaves_a_failed_run_and_a_warning(
    store: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(name: str | None = None, **parts: Any) -> None:
        raise mlflow.exceptions.MlflowException("no space left\nwith a second line")

    monkeypatch.setattr(mlflow.pyfunc, "log_model", refuse)

    assert tracking.Tracker(store, "alertgraph").log_run(record(weights=WEIGHTS)) is None
    assert "not fully, logged to sqlite:///" in caplog.text
    assert "no space left; the results are saved all the same" in caplog.text
    client = mlflow.MlflowClient(tracking_uri=store)
    runs = client.search_runs([client.get_experiment_by_name("alertgraph").experiment_id])
    assert [(run.info.status, run.data.metrics) for run in runs] == [("FAILED", {"n_alerts": 5.0})]


def test_default_is_the_store_that_the_platform_has_set(store: str) -> None:
    mlflow.set_tracking_uri(store)

    run = tracking.Tracker("default", "alertgraph").log_run(record())

    assert run is not None
    assert (run.uri, run.look) == (store, f"mlflow ui --backend-store-uri {store}")
    assert mlflow.MlflowClient(tracking_uri=store).get_run(run.run_id).info.status == "FINISHED"


# --- servers that do not answer


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_server_that_is_down_costs_a_warning(closed_port: str, caplog: pytest.LogCaptureFixture) -> None:
    begin = time.monotonic()

    assert tracking.Tracker(closed_port, "alertgraph").log_run(record(weights=WEIGHTS)) is None

    assert time.monotonic() - begin < 10
    warnings = [line for line in caplog.messages if "the results are saved all the same" in line]
    assert len(warnings) == 1
    assert closed_port in warnings[0] and "Connection refused" in warnings[0] and "\n" not in warnings[0]


def test_a_server_that_is_down_fails_a_strict_run(closed_port: str) -> None:
    begin = time.monotonic()

    with pytest.raises(TrackingError, match=r"Connection refused; tracking\.strict makes that an error"):
        tracking.Tracker(closed_port, "alertgraph", strict=True).log_run(record())

    assert time.monotonic() - begin < 10


def test_a_server_that_never_answers_is_left_alone_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")  # the threads of this test end soon after it
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        tracker = tracking.Tracker(f"http://127.0.0.1:{silent.getsockname()[1]}", "x", strict=True, limit_seconds=0.5)
        begin = time.monotonic()

        with pytest.raises(TrackingError, match=r"no answer within 0\.5 s"):
            tracker.log_run(record())

        assert time.monotonic() - begin < 2


def test_a_password_in_the_address_is_not_repeated(closed_port: str, caplog: pytest.LogCaptureFixture) -> None:
    tracker = tracking.Tracker(closed_port.replace("http://", "http://soc:hunter2@"), "alertgraph")

    assert tracker.log_run(record()) is None
    assert f"logged to {closed_port}: " in caplog.text
    assert "hunter2" not in caplog.text


def test_mlflow_that_is_not_installed_costs_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)

    assert tracking.Tracker("sqlite:///mlflow.db", "alertgraph").log_run(record()) is None
    assert "mlflow" in caplog.text and "tracking.uri: none turns this off" in caplog.text


def test_none_logs_nothing_and_imports_nothing() -> None:
    code = (
        "import sys, threading\n"
        "from alertgraph_spark.publish import tracking\n"
        "tracker = tracking.Tracker('none', 'alertgraph', strict=True)\n"
        "assert threading.active_count() == 1\n"
        "assert tracker.log_run(tracking.RunRecord('run-1', {}, {})) is None\n"
        "heavy = {'mlflow', 'pandas', 'pyspark'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr


# --- how it behaves towards its host


def test_a_process_that_ends_amid_the_migrations_leaves_no_half_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(uri: str) -> None:
        Path(uri.removeprefix("sqlite:///")).write_text("half migrated")
        raise KeyboardInterrupt

    monkeypatch.setattr(tracking, "_open", die)
    with pytest.raises(KeyboardInterrupt):
        tracking.warm_up(f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}")

    assert list((tmp_path / "new").iterdir()) == []


def test_a_store_that_is_there_is_opened_in_place(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(tracking, "_open", opened.append)

    tracking.warm_up(store)

    assert opened == [store]


def test_what_the_operator_has_set_stays(empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "33")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)

    tracking.warm_up(f"sqlite:///{empty_store}")

    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "33"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_root_logger_stays_the_jobs_own(empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)

    def take_over(*_: Any, **__: Any) -> None:  # as alembic does under MLflow 2
        root.handlers[:] = [logging.NullHandler()]
        root.setLevel(logging.CRITICAL)

    monkeypatch.setattr(mlflow.MlflowClient, "search_experiments", take_over)
    tracking.warm_up(f"sqlite:///{empty_store}")

    assert (root.handlers, root.level) == before


@pytest.mark.parametrize(
    ("uri", "look"),
    [
        ("https://soc:x@mlflow.example.com/", "https://mlflow.example.com/#/experiments/1/runs/r"),
        ("databricks", "Databricks, Experiments, /Shared/alertgraph"),
        ("azureml://westeurope.api.azureml.ms/mlflow", "Azure Machine Learning studio, Jobs, /Shared/alertgraph"),
        ("sqlite:///mlflow.db", "mlflow ui --backend-store-uri sqlite:///mlflow.db"),
    ],
)
def test_where_to_look(uri: str, look: str) -> None:
    assert tracking._look(uri, "/Shared/alertgraph", "1", "r") == look


# --- CSV


def test_csv_runs_nothing_in_a_spreadsheet() -> None:
    rows = [
        {"rank": 1, "score": -0.5, "summary": "=HYPERLINK(\"http://evil\")", "motifs": ["pivot"], "path": None},
        {"rank": 2, "score": 0.5, "summary": "a-b, c", "motifs": [], "path": None},
    ]  # fmt: skip

    assert csv_text(rows) == (
        '"rank","score","summary","motifs","path"\n'
        '"1","-0.5","\'=HYPERLINK(""http://evil"")","[""pivot""]",""\n'
        '"2","0.5","a-b, c","[]",""\n'
    )  # fmt: skip
    assert csv_text([]) == ""
