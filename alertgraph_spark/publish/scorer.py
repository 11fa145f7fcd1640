"""The scorer as an MLflow model: a file that loads and scores where neither this package nor Spark is installed.

`tracking` logs this file as it stands (models from code), with the weights beside it as JSON:
`{"terms": [{"term": "rarity", "column": "rarity_nats", "weight": 1.0}, ...], "half_score": 20.0}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import set_model


def score_frame(features: pd.DataFrame, weights: Mapping[str, Any]) -> pd.DataFrame:
    """Score subgraphs and split each score into the contributions of its terms.

    One input row is one subgraph with the numeric columns that the weights name; other columns are ignored. One output row
    is the same subgraph, under the same index.

    Parameters
    ----------
    features
        Features, a missing value counts 0.
    weights
        `terms`, each with `term`, `column` and `weight` in points a unit of the column, and `half_score` above 0: the
        points at which the score is one half.

    Returns
    -------
    pandas.DataFrame
        `score` in [0, 1) and a column `contribution_<term>` for each term, which sum to the score. Where the points are not
        above 0, all are 0.

    Raises
    ------
    ValueError
        If a column is missing, a value is infinite, a term stands twice or `half_score` is not above 0.

    Notes
    -----
    z = Σ weight · column, score = z / (z + half_score), contribution = weight · column / (z + half_score). The half score is
    a constant and never the best of the run, which would be the future.
    """
    terms = weights["terms"]
    half_score = float(weights["half_score"])
    names = [f"contribution_{term['term']}" for term in terms]
    columns = [term["column"] for term in terms]
    missing = sorted(set(columns) - set(features.columns))
    if missing:
        raise ValueError(f"features lack {', '.join(missing)}; found {', '.join(map(str, features.columns))}")
    if len(set(names)) < len(names) or not half_score > 0:
        raise ValueError("weights need each term once and a half_score above 0")
    points = features[columns].astype("float64").fillna(0.0).to_numpy() * [float(term["weight"]) for term in terms]
    if not np.isfinite(points).all():
        raise ValueError("features and weights need to be finite")
    z = np.maximum(points.sum(axis=1), 0.0)
    shares = np.where(z[:, None] > 0, points, 0.0) / (z + half_score)[:, None]
    scored: pd.DataFrame = pd.DataFrame(shares, columns=names, index=features.index)
    scored.insert(0, "score", z / (z + half_score))
    return scored


class SubgraphScorer(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow is not typed in every supported version
    """Scores a frame of subgraph features with the weights that were logged beside it."""

    def load_context(self, context: Any) -> None:
        """Read the weights of the logged model."""
        self.weights = json.loads(Path(context.artifacts["weights"]).read_text(encoding="utf-8"))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return `score` and the contributions, one row a subgraph; see `score_frame`."""
        return score_frame(model_input, self.weights)


if (
    __name__ != "alertgraph_spark.publish.scorer"
):  # MLflow runs the file under a name of its own, and asks it for its model
    set_model(SubgraphScorer())
