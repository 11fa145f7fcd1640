"""The scorer as an MLflow model: what it is made of, and how each kind of server takes it."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

log = logging.getLogger(__name__)

MODEL = "scorer"

TEXTS = ("site", "signature")
"""Columns that a model reads, beside the numbers, which was trained on verdicts."""


def log_model(uri: str, run_id: str, weights: Mapping[str, Any], examples: Sequence[Mapping[str, Any]]) -> str:
    """Log the scorer with its weights to a run that is active.

    Parameters
    ----------
    uri
        Where MLflow tracks.
    run_id
        The run of MLflow.
    weights
        As `scorer.score_frame` takes them.
    examples
        A few rows of what it takes.

    Returns
    -------
    str
        Address of the model.

    Raises
    ------
    mlflow.exceptions.MlflowException
        If the server refuses it.
    """
    import mlflow.pyfunc  # noqa: PLC0415  # optional, and takes 3 s

    has_logged_models = "name" in inspect.signature(mlflow.pyfunc.log_model).parameters  # MLflow 3
    with TemporaryDirectory() as folder:
        parts = _model_parts(Path(folder), weights, examples)
        # Azure ML, and servers older than MLflow 3, know no logged models: there the model is a folder of the run.
        if not (has_logged_models and uri.startswith("azureml")):
            place = {"name" if has_logged_models else "artifact_path": MODEL}
            try:
                return str(mlflow.pyfunc.log_model(**place, **parts).model_uri)
            except mlflow.exceptions.MlflowException as error:
                if error.error_code != "ENDPOINT_NOT_FOUND":
                    raise
                log.info("the tracking server knows no logged models; the model goes into the run's artifacts")
        described = mlflow.models.Model(artifact_path=MODEL, run_id=run_id)
        mlflow.pyfunc.save_model(path=str(Path(folder, MODEL)), mlflow_model=described, **parts)
        mlflow.log_artifacts(str(Path(folder, MODEL)), MODEL)
    return f"runs:/{run_id}/{MODEL}"


def _model_parts(folder: Path, weights: Mapping[str, Any], examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415  # the run itself needs neither
    import pandas as pd  # noqa: PLC0415  # the run itself needs neither
    from mlflow.models import ModelSignature  # noqa: PLC0415  # optional
    from mlflow.types import ColSpec, Schema  # noqa: PLC0415  # optional

    columns = list(dict.fromkeys(term["column"] for term in weights["terms"]))
    results = ["score", *(f"contribution_{term['term']}" for term in weights["terms"])]
    texts = list(TEXTS) if "learned" in weights else []
    # Copied, since the package may lie in a zip.
    for name, code in {"scorer.py": "publish/scorer.py", "alertgraph_recall.py": "learn/recall.py"}.items():
        Path(folder, name).write_bytes((resources.files("alertgraph_spark") / code).read_bytes())
    Path(folder, "weights.json").write_text(json.dumps(weights, indent=1), encoding="utf-8")
    rows = [{name: row.get(name) or 0.0 for name in columns} for row in examples] or [dict.fromkeys(columns, 0.0)]
    frame = pd.DataFrame(rows, columns=columns, dtype="float64")
    for name in texts:
        frame[name] = [str(row.get(name) or "") for row in examples] or [""]
    results += ["probability"] if texts else []
    optional = [ColSpec("string", name, required=False) for name in texts]
    schemas = [Schema([ColSpec("double", name) for name in names]) for names in (columns, results)]
    schemas[0] = Schema([*schemas[0].inputs, *optional])
    bundled = {"code_paths": [str(folder / "alertgraph_recall.py")]} if texts else {}
    return {
        **bundled,
        "python_model": str(folder / "scorer.py"),
        "artifacts": {"weights": str(folder / "weights.json")},
        "signature": ModelSignature(*schemas),
        "input_example": frame,
        # MLflow adds itself; the list that it would infer takes it 15 s.
        "pip_requirements": [f"numpy=={np.__version__}", f"pandas=={pd.__version__}"],
    }
