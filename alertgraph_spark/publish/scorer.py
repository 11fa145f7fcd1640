"""The scorer as an MLflow model: a file that loads and scores where neither this package nor Spark is installed.

`tracking` logs this file as it stands (models from code), with the weights beside it as JSON:
`{"terms": [{"term": "rarity", "column": "rarity_nats", "weight": 1.0}, ...], "half_score": 20.0}`. A model that was trained
on verdicts has `learned` beside them, and `learn/recall.py` as `alertgraph_recall.py`.
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

        Where there is `learned`, the columns `site` and `signature` of the features are read too: a subgraph as JSON, with
        the columns of the table `signatures`, its traits by name, and `seen_at`. One without a signature has no memory.

    Returns
    -------
    pandas.DataFrame
        `score` in [0, 1) and a column `contribution_<term>` for each term, which sum to the score. Where the points are not
        above 0, all are 0. Where there is `learned`, also `probability`, that it is an attack.

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
    learned = weights.get("learned")
    if learned:
        memory = columns.index("memory_nats")
        points[:, memory] = 0.0
        nats, beside = remembered(features, points.sum(axis=1), learned)
        points[:, memory] = nats * float(terms[memory]["weight"])
    if not np.isfinite(points).all():
        raise ValueError("features and weights need to be finite")
    whole = points.sum(axis=1)
    z = np.maximum(whole, 0.0)
    shares = np.where(z[:, None] > 0, points, 0.0) / (z + half_score)[:, None]
    scored: pd.DataFrame = pd.DataFrame(shares, columns=names, index=features.index)
    scored.insert(0, "score", z / (z + half_score))
    if learned:
        scored["probability"] = _probability(features, whole, learned, beside)
    return scored


def remembered(features: pd.DataFrame, z: np.ndarray, learned: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """What the model remembers of each subgraph: nats of its strength, and log-odds of its probability beside them.

    `z` is its strength without memory.

    `learned` has `rule`, as `recall.Rule`, and by site in `sites` the `log_odds` of its curve and its `memory`.
    """
    try:
        import alertgraph_recall as recall  # noqa: PLC0415  # beside the model
    except ImportError:
        from alertgraph_spark.learn import recall  # noqa: PLC0415

    rule, memory = recall.Rule(**learned["rule"]), {}
    nats, log_odds = np.zeros(len(features)), np.zeros(len(features))
    if not {"site", "signature"} <= set(features.columns):
        return nats, log_odds
    for at, (site, text) in enumerate(zip(features["site"], features["signature"], strict=True)):
        if not isinstance(text, str) or not text:
            continue
        of = learned["sites"].get(site, {"log_odds": 0.0, "memory": []})
        if site not in memory:
            rows = [*of["memory"], *learned["sites"].get("*", {"memory": []})["memory"]]
            memory[site] = [recall.remembered(row) for row in rows]
        signature = recall.signature_of(json.loads(text))
        said = recall.memory_of(signature, float(z[at]), float(of["log_odds"]), memory[site], rule)
        if said:
            nats[at], log_odds[at] = said.nats, said.log_odds
    return nats, log_odds


def _probability(features: pd.DataFrame, z: np.ndarray, learned: Mapping[str, Any], beside: np.ndarray) -> np.ndarray:
    sites = features["site"] if "site" in features.columns else [None] * len(features)
    offsets = np.array([float(learned["sites"].get(site, {"log_odds": 0.0})["log_odds"]) for site in sites])
    rule = learned["rule"]
    log_odds = rule["slope"] * (z - rule["even"]) + offsets + beside
    probabilities: np.ndarray = 1 / (1 + np.exp(np.clip(-log_odds, -700, 700)))
    return probabilities


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
