"""The registry of models: a trained model becomes a version of a name, one version is the champion, and one is fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from alertgraph_spark.errors import ConfigError, TrackingError
from alertgraph_spark.publish.tracking import PLATFORM, RunRecord, Tracker, reason_of, warm_up

CHAMPION = "champion"
"""The alias of the version that runs use."""

_BEFORE = "champion_before"
"""The tag of a version that tells which was the champion before it."""


class Registered(NamedTuple):
    """A version of a model: its name and number, and in `look` what to type or open to see its run."""

    name: str
    version: str
    look: str

    @property
    def address(self) -> str:
        """Its address, as `ranking.model` takes it."""
        return f"models:/{self.name}/{self.version}"


class Registry:
    """The models of one MLflow store under one name.

    All methods raise `TrackingError` where the registry refuses or cannot be reached.
    """

    def __init__(self, uri: str, name: str) -> None:
        """Take note of where it is."""
        if uri == "none":
            raise ConfigError("tracking.uri is none: a model needs an MLflow store that keeps it")
        self._uri, self._name = uri, name

    def register(self, experiment: str, record: RunRecord) -> Registered:
        """Log a trained model as a run of an experiment, and register it as the next version of the name."""
        run = Tracker(self._uri, experiment, strict=True, limit_seconds=300.0).log_run(record)
        if run is None or run.model_uri is None:
            raise TrackingError("the model was not logged")
        mlflow = self._mlflow()
        with _told(f"model {self._name} cannot be registered"):
            version = mlflow.register_model(run.model_uri, self._name)
        return Registered(self._name, str(version.version), run.look)

    def champion(self) -> str | None:
        """The version that is the champion, None where there is none."""
        with _told(f"model {self._name} cannot be asked for"):
            return _version_of(self._mlflow(), self._name, CHAMPION)

    def promote(self, version: str) -> str | None:
        """Make a version the champion; return the one before, which `roll_back` goes back to."""
        client, before = self._mlflow().MlflowClient(), self.champion()
        with _told(f"version {version} of {self._name} cannot be promoted"):
            if before and before != version:
                client.set_model_version_tag(self._name, version, _BEFORE, before)
            client.set_registered_model_alias(self._name, CHAMPION, version)
        return before

    def roll_back(self) -> tuple[str, str | None]:
        """Make the champion before this one the champion again; without one there is none any more.

        Returns the version that was the champion, and the one that is.
        """
        client, now = self._mlflow().MlflowClient(), self.champion()
        if now is None:
            raise ConfigError(f"model {self._name} has no champion: nothing to roll back")
        with _told(f"model {self._name} cannot be rolled back"):
            before = client.get_model_version(self._name, now).tags.get(_BEFORE)
            if before:
                client.set_registered_model_alias(self._name, CHAMPION, before)
            else:
                client.delete_registered_model_alias(self._name, CHAMPION)
        return now, before

    def _mlflow(self) -> Any:
        return _mlflow_at(self._uri)


def fetch(uri: str, address: str, known: str = "") -> tuple[str, str | None]:
    """Fetch the weights of a model.

    Parameters
    ----------
    uri
        Of the MLflow store.
    address
        `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/RUN_ID/PATH`.
    known
        The address of a version that the caller has: it is not fetched again.

    Returns
    -------
    tuple
        The address with the number of the version, and the JSON of its weights, None where it is the `known` one; no
        address where no version has the alias.

    Raises
    ------
    TrackingError
        If the store cannot be reached, or has no such model.
    """
    mlflow = _mlflow_at(uri)
    with _told(f"model {address} cannot be had"), TemporaryDirectory() as folder:
        name, at, alias = address.removeprefix("models:/").partition("@")
        if address.startswith("models:/") and at:
            version = _version_of(mlflow, name, alias)
            if version is None:
                return "", None
            address = f"models:/{name}/{version}"
        if address == known:
            return address, None
        found = Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=folder))
        return address, (found / "artifacts" / "weights.json").read_text(encoding="utf-8")


def learned_text(weights: str, address: str) -> str:
    """Read what a model has learned from the weights that were logged with it.

    Parameters
    ----------
    weights
        A document in JSON.
    address
        Address of the model, for messages.

    Returns
    -------
    str
        A document in JSON, as `learn.from_json` takes it.

    Raises
    ------
    ConfigError
        If it has learned nothing: `alertgraph train` has not made it.
    """
    learned = json.loads(weights).get("learned")
    if learned is None:
        raise ConfigError(f"model {address} was not trained on verdicts: alertgraph train makes one")
    return json.dumps(learned)


def _version_of(mlflow: Any, name: str, alias: str) -> str | None:
    """The version with an alias; None where none has it."""
    try:
        return str(mlflow.MlflowClient().get_model_version_by_alias(name, alias).version)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code == "INVALID_PARAMETER_VALUE" or "alias" in str(error).lower():
            return None
        raise


def _mlflow_at(uri: str) -> Any:
    with _told(f"the registry at {uri} cannot be opened"):
        warm_up(uri)
        import mlflow  # noqa: PLC0415  # optional, and takes 3 s

        if uri != PLATFORM:
            mlflow.set_tracking_uri(uri)
    return mlflow


@contextmanager
def _told(problem: str) -> Iterator[None]:
    """Tell whatever MLflow, its server or its storage raises as a `TrackingError`."""
    try:
        yield
    except (TrackingError, ConfigError):
        raise
    except Exception as error:
        raise TrackingError(f"MLflow refuses, {problem}: {reason_of(error)}") from error
