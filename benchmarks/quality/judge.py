"""The shared judge's figures for one ranking, and the rows behind its AP, from which a bootstrap draws networks."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from quality.lakes import SHARED

TOP = 5
TOOL = SHARED / "tools" / "score_ranking.py"


class Ranking(NamedTuple):
    """Ranked subgraphs (`subgraph_id, site, score, is_shown, first_seen`) and their alerts (`subgraph_id, item_id`).

    The job's have a `probability` as well, and the `related` ones.
    """

    subgraphs: pd.DataFrame
    members: pd.DataFrame


def load(results: Path) -> Ranking:
    """Read both tables of a results folder."""
    columns = ["subgraph_id", "site", "score", "probability", "is_shown", "first_seen", "related"]
    subgraphs = pd.read_parquet(results / "subgraphs", columns=columns)
    members = pd.read_parquet(results / "members", columns=["subgraph_id", "item_id"])
    return Ranking(subgraphs, members)


def save(ranking: Ranking, results: Path) -> None:
    """Write both tables as a results folder, so that anybody can hand it to the judge."""
    for name, table in ranking._asdict().items():
        (results / name).mkdir(parents=True, exist_ok=True)
        table.to_parquet(results / name / "part-0.parquet", index=False)


def read_truth(lake: Path) -> pd.DataFrame:
    """The truth as the judge reads it, and each row's time as `at`."""
    truth = pd.read_csv(lake / "truth.csv.gz", dtype=str, keep_default_na=False)
    return truth.assign(at=pd.to_datetime(truth["time"], utc=True, format="ISO8601"))


def tool() -> ModuleType:
    """The judge itself, from the folder beside the repository."""
    found = importlib.util.spec_from_file_location("score_ranking", TOOL)
    if found is None or found.loader is None:
        raise FileNotFoundError(TOOL)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def judge(truth: pd.DataFrame, ranking: Ranking, warm_up_hours: float) -> dict[str, Any]:
    """What `score_ranking.py --json` writes for this ranking."""
    subgraphs = ranking.subgraphs[["subgraph_id", "score", "is_shown"]]
    report: dict[str, Any] = tool().judge(truth, subgraphs, ranking.members, TOP, warm_up_hours)
    return report


def judged_rows(truth: pd.DataFrame, ranking: Ranking, warm_up_hours: float) -> pd.DataFrame:
    """The subgraphs that the judge ranks, after the warm-up: `network, score, positive`; one row is one subgraph."""
    facts = truth[["item_id", "network", "at"]].assign(positive=truth["strict"].ne("-"))
    held = ranking.members.drop_duplicates().merge(facts, on="item_id")
    rows = held.groupby("subgraph_id").agg(
        network=("network", "first"), positive=("positive", "max"), begins=("at", "min")
    )
    rows = rows.join(ranking.subgraphs.set_index("subgraph_id")["score"].astype(float))
    first = truth.groupby("network")["at"].min()
    return rows[rows["begins"] >= rows["network"].map(first) + pd.Timedelta(hours=warm_up_hours)]


def average_precision(positive: np.ndarray, score: np.ndarray) -> float:
    """AP as the judge computes it: of one score, the negatives come first."""
    return float(tool().average_precision(positive, score))
