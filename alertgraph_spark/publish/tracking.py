"""Log a run to MLflow, or nowhere: its parameters, its metrics, the scorer as a model and a few small files.

A tracking server that is down costs a warning and a bounded time, never the run; in strict mode it is an error. MLflow is
imported in a background thread, since the import takes 3 s and the first opening of a SQLite store another 4 to 6 s.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from alertgraph_spark.errors import TrackingError, at_root
from alertgraph_spark.publish.logged_model import log_model

log = logging.getLogger(__name__)

PLATFORM = "default"  # the store that the platform, or MLFLOW_TRACKING_URI, has set
_ILLEGAL = re.compile(r"[^\w./ -]")  # in the name of a parameter or metric

# Set where the operator has set nothing else.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # MLflow's own 7 retries of 120 s would hold a finished run for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing about a SOC's runs leaves its network
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",  # a cluster without git would be told so in 20 lines
}


@dataclass(frozen=True)
class RunRecord:
    """What a run leaves: `files` are texts by name, `examples` a few rows of features that show what the model takes."""

    name: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float | None]
    files: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, Any] | None = None
    examples: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class TrackedRun:
    """A run that was logged, and in `look` what to type or open to see it."""

    run_id: str
    uri: str
    model_uri: str | None
    look: str


class Tracker:
    """Logs finished runs to one experiment of one MLflow store; for `none` nowhere, and MLflow is not even imported."""

    def __init__(self, uri: str, experiment: str, strict: bool = False, limit_seconds: float = 60.0) -> None:
        """Take note of where to log; an answer that takes longer than the limit counts as none."""
        self._uri, self._experiment = uri, experiment
        self._strict = strict
        self._limit_seconds = limit_seconds
        self._warm: Future[None] | None = None

    def open(self) -> None:
        """Begin to open the store in the background, so that `log_run` is cheap; call it when a core is idle."""
        if self._warm is None and self._uri != "none":
            self._warm = in_background(warm_up, self._uri)

    def log_run(self, record: RunRecord) -> TrackedRun | None:
        """Log one run within the time limit.

        Parameters
        ----------
        record
            The fields of the run.

        Returns
        -------
        TrackedRun or None
            None if it was not logged.

        Raises
        ------
        TrackingError
            In strict mode, if anything of the run could not be logged; otherwise that is a warning.
        """
        self.open()
        if self._warm is None:
            return None
        logged: Future[TrackedRun] = in_background(_log, self._warm, self._uri, self._experiment, record)
        wait([logged], self._limit_seconds)
        error = logged.exception() if logged.done() else TimeoutError(f"no answer within {self._limit_seconds:g} s")
        if error is None:
            return logged.result()
        # Whatever the server, its storage or its SDK raises ends here: a run whose results are saved has succeeded.
        problem = f"the run is not, or not fully, logged to {_without_password(self._uri)}: {reason_of(error)}"
        if self._strict:
            raise TrackingError(f"{problem}; tracking.strict makes that an error") from error
        log.warning("%s; the results are saved all the same (tracking.uri: none turns this off)", problem)
        return None


def warm_up(uri: str) -> None:
    """Import MLflow and open the store, so that logging is cheap later: 7 to 10 s for a new SQLite store, then under 2 s.

    A new SQLite store is made aside and moved into place, since a process that ends amid the migrations, such as a run
    whose export is not there, would leave one that no later run can open.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    file = _sqlite_file(uri)
    if file and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent, prefix=".mlflow-") as folder:
            _open(f"sqlite:///{folder}/{file.name}")
            if not file.exists():  # another run was first
                Path(folder, file.name).replace(file)
    _open(uri)


def _open(uri: str) -> None:
    import mlflow.pyfunc  # noqa: PLC0415  # optional, and takes 3 s

    # A new store reports its migrations, and mlflow-skinny warns for each model that it could not serve it.
    for name, least in (("mlflow", "WARNING"), ("alembic", "WARNING"), ("mlflow.models.model", "ERROR")):
        logging.getLogger(name).setLevel(least)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        mlflow.MlflowClient(tracking_uri=None if uri == PLATFORM else uri).search_experiments(max_results=1)
    finally:
        if not set(handlers) <= set(root.handlers):  # MLflow before 3.1 lets alembic take the root logger over
            root.handlers[:] = handlers
            root.setLevel(level)


def _log(warm: Future[None], uri: str, experiment: str, record: RunRecord) -> TrackedRun:
    warm.exception()  # waits; what went wrong there goes wrong here again, or has passed
    import mlflow  # noqa: PLC0415  # optional, and takes 3 s

    mlflow.set_tracking_uri(uri := mlflow.get_tracking_uri() if uri == PLATFORM else uri)
    experiment_id = _experiment_id(mlflow.MlflowClient(), uri, experiment)
    parameters = [(_ILLEGAL.sub("_", name), str(value)[:500]) for name, value in record.parameters.items()]
    finite = {name: value for name, value in record.metrics.items() if value is not None and math.isfinite(value)}
    # Nested under a run that is active already, such as a notebook's; otherwise a run of its own.
    with mlflow.start_run(experiment_id=experiment_id, run_name=record.name, nested=True) as run:
        for first in range(0, len(parameters), 100):  # the limit of one request
            mlflow.log_params(dict(parameters[first : first + 100]))
        mlflow.log_metrics({_ILLEGAL.sub("_", name): float(value) for name, value in finite.items()})
        for name, text in record.files.items():
            mlflow.log_text(text, name)
        run_id = run.info.run_id
        model_uri = log_model(uri, run_id, record.weights, record.examples) if record.weights else None
    return TrackedRun(run_id, _without_password(uri), model_uri, _look(uri, experiment, experiment_id, run_id))


def _experiment_id(client: Any, uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    file = _sqlite_file(uri)  # artifacts beside their database, not in whatever the working directory is
    folder = file.with_name("mlruns").as_uri() if file else None
    return str(client.create_experiment(name, artifact_location=folder))


def in_background(work: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Run work in a daemon thread, which cannot hold up the end of the process as a pool's thread would."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work(*arguments))
        except Exception as error:
            log.debug("tracking failed", exc_info=True)
            future.set_exception(error)

    Thread(target=run, name="tracking", daemon=True).start()
    return future


def _sqlite_file(uri: str) -> Path | None:
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    return Path(path).resolve() if uri.startswith("sqlite:///") and path not in ("", ":memory:") else None


def _look(uri: str, experiment: str, experiment_id: str, run_id: str) -> str:
    if uri.startswith(("http://", "https://")):
        return f"{_without_password(uri).rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"
    portals = {"databricks": "Databricks, Experiments", "azureml": "Azure Machine Learning studio, Jobs"}
    portal = portals.get(uri.partition(":")[0])
    return f"{portal}, {experiment}" if portal else f"mlflow ui --backend-store-uri {_without_password(uri)}"


def _without_password(uri: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//", uri)


def reason_of(error: BaseException) -> str:
    """Say in one line what went wrong: the refused connection rather than what each layer above it says."""
    told = at_root(error)
    return _without_password((str(told).partition("\n")[0] or type(told).__name__)[:300])
