"""What `run.json` says of learning: the model, what a verdict would teach, and how much there is to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.config.settings import Ranking
from alertgraph_spark.learn import Model, signatures_of
from alertgraph_spark.learn.expect import expectation, measured_curve
from alertgraph_spark.learn.questions import Candidate, ask

READ = ("features", "signatures")
"""Tables of a run that are read, beside those of the report."""

_COLUMNS = ["subgraph_id", "site", "first_seen", "last_seen", "probability", "is_shown", "suppressed_by"]


def learning_record(asked: Ranking, model: Model, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Give what `run.json` says of learning, as far as it is asked for.

    Parameters
    ----------
    asked
        The settings below `ranking`.
    model
        The model that the run used.
    tables
        The run's tables as they were saved, as datasets.

    Returns
    -------
    dict
        `learned`, of a model that was trained: until when, on how many verdicts, and how it was tried. `questions` and
        `expected`, where the settings ask for them.
    """
    told: dict[str, Any] = {}
    if not model.is_shipped:
        n_verdicts = sum(of.n_verdicts for of in model.sites.values())
        until = model.trained_until and model.trained_until.isoformat()
        told["learned"] = {"name": model.name, "n_verdicts": n_verdicts, "trained_until": until, "tried": model.tried}
    if asked.questions:
        told["questions"] = questions_of(tables, asked.parameters)
    if asked.expect is not None:
        told["expected"] = expectation(asked.expect, measured_curve())
    return told


def questions_of(tables: Mapping[str, Any], p: RankingParameters) -> list[dict[str, Any]]:
    """Choose the questions of a run.

    Parameters
    ----------
    tables
        `subgraphs`, `signatures`, `features` and `verdicts` as they were saved, as datasets.
    p
        The numbers of the method.

    Returns
    -------
    list of dict
        `subgraph_id`, `day` and `n_like` of each, by day, as `run.json` holds them.
    """
    judgeable = set(
        tables["features"].to_table(columns=["subgraph_id"], filter=~pc.field("is_warm_up"))["subgraph_id"].to_pylist()
    )
    rows = {
        row["subgraph_id"]: row
        for row in tables["subgraphs"].to_table(columns=_COLUMNS).to_pylist()
        if row["subgraph_id"] in judgeable and not row["suppressed_by"]
    }
    signatures = tables["signatures"].to_table()
    seen_at = {key: row["last_seen"] for key, row in rows.items()}
    known = signatures.filter(pc.is_in(signatures["subgraph_id"], value_set=pa.array(seen_at, pa.string())))
    candidates = [
        Candidate(site, row["first_seen"].date(), row["probability"], row["is_shown"], signature)
        for site, signature in signatures_of(known, seen_at)
        if (row := rows[signature.subgraph_id])
    ]
    judged = {key for key in tables["verdicts"].to_table(columns=["subgraph_id"])["subgraph_id"].to_pylist() if key}
    found = ask(candidates, judged, p.memory_least_alike)
    return [{"subgraph_id": one.subgraph_id, "day": one.day.isoformat(), "n_like": one.n_like} for one in found]
