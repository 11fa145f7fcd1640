"""The scorer outside Spark: loaded from MLflow, laid on the compiled alerts, and told apart from the run's own."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")  # mlflow-skinny has no store of its own

from alertgraph_spark.config.parameters import RankingParameters  # noqa: E402
from alertgraph_spark.publish import tracking  # noqa: E402  # after the skips
from alertgraph_spark.score import scorer_weights  # noqa: E402
from alertgraph_spark.tables.schemas import FEATURES, SUBGRAPHS  # noqa: E402

REPO = Path(__file__).parent.parent

WEIGHTS: dict[str, Any] = {
    "terms": [
        {"term": "rarity", "column": "rarity_nats", "weight": 1.0},
        {"term": "chain", "column": "chain_hops", "weight": 5.0},
    ],
    "half_score": 20.0,
}
# z = 10 + 5·2 = 20: the half score. z = 5 + 0: 5 / 25.
SUBGRAPHS_OF_RUN = [("sg-1", 10.0, 2.0, 0.5), ("sg-2", 5.0, 0.0, 0.2)]
ALERTS = [
    # alert, subgraph, minute; a4 is in none, and a1 of another site is another alert
    ("north", "a1", "sg-1", 1),
    ("north", "a2", "sg-1", 0),
    ("north", "a3", "sg-2", 2),
    ("north", "a4", None, 3),
    ("south", "a1", "sg-2", 4),
]


def load_script() -> Any:
    spec = importlib.util.spec_from_file_location("score_compiled", REPO / "examples" / "score_compiled.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[list[str]]:
    """What a run leaves, and the arguments that lead to it."""
    features = pd.DataFrame(SUBGRAPHS_OF_RUN, columns=["subgraph_id", "rarity_nats", "chain_hops", "score"])
    members = pd.DataFrame(ALERTS, columns=["site", "alert_id", "subgraph_id", "minute"]).dropna()
    for name, frame in (
        ("features", features.drop(columns="score")),
        ("members", pd.concat([members, members])),  # a member may be told by two of its episodes
        ("subgraphs", features[["subgraph_id", "score"]]),
    ):
        (tmp_path / "run" / name).mkdir(parents=True)
        (tmp_path / "run" / name / "_SUCCESS").touch()  # as Spark leaves it
        frame.to_parquet(tmp_path / "run" / name / "part-0.parquet")
    lines = [
        {"site": site, "alert_id": alert, "name": "Port scan", "observed_at": f"2026-03-02T10:0{minute}:00.000000Z"}
        | {"source_entity": "host:a", "target_entity": "host:b", "item_id": None, "rule_id": None}
        for site, alert, _, minute in ALERTS
    ]
    (tmp_path / "alerts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    pd.DataFrame(lines).to_parquet(tmp_path / "alerts.parquet")
    store = f"sqlite:///{tmp_path}/mlflow.db"
    record = tracking.RunRecord("run-1", {}, {}, weights=WEIGHTS)
    logged = tracking.Tracker(store, "alertgraph", strict=True).log_run(record)
    assert logged is not None
    arguments = ["--tracking-uri", store, "--model", f"runs:/{logged.run_id}/scorer"]
    yield [*arguments, "--alerts", str(tmp_path / "alerts.jsonl"), "--results", str(tmp_path / "run")]
    mlflow.set_tracking_uri(None)


def test_each_alert_gets_the_score_of_its_subgraph(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = SCRIPT.main([*run, "--out", str(tmp_path / "scored.csv")])

    out = capsys.readouterr().out
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert code == 0
    assert "5 alerts in 2 subgraphs; largest difference to the run: 0.000000000" in out
    found = scored[["site", "alert_id", "score", "contribution_chain"]].astype(object)
    assert found.where(found.notna(), None).to_numpy().tolist() == [
        ["north", "a2", 0.5, 0.25],
        ["north", "a1", 0.5, 0.25],
        ["north", "a3", 0.2, 0.0],
        ["south", "a1", 0.2, 0.0],
        ["north", "a4", None, None],
    ]


def test_the_parquet_file_gives_the_same(run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SCRIPT.main(run)
    from_json = capsys.readouterr().out

    SCRIPT.main([text.replace("alerts.jsonl", "alerts.parquet") for text in run])

    assert capsys.readouterr().out == from_json


def test_scores_that_are_not_those_of_the_run_end_with_2_unless_the_model_is_another(
    run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run[3]
    folder = Path(mlflow.artifacts.download_artifacts(model, dst_path=str(tmp_path / "model")))
    weights = WEIGHTS | {"half_score": 5.0}
    (folder / "artifacts" / "weights.json").write_text(json.dumps(weights), encoding="utf-8")
    other = [str(folder) if text == model else text for text in run]

    assert SCRIPT.main(other) == 0
    # z = 5 of sg-2 is now the half score: 0.5 against 0.2; z = 20 gives 0.8 against 0.5.
    assert "largest difference to the run: 0.300000000" in capsys.readouterr().out

    changed = pd.DataFrame([("sg-1", 0.5), ("sg-2", 0.25)], columns=["subgraph_id", "score"])
    changed.to_parquet(tmp_path / "run" / "subgraphs" / "part-0.parquet")
    assert SCRIPT.main(run) == 2
    assert "largest difference to the run: 0.050000000" in capsys.readouterr().out


def test_what_attackers_wrote_runs_nowhere(run: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A compiled file of an older version holds names as they came."""
    file = tmp_path / "alerts.jsonl"
    hostile = json.dumps("=cmd|' /C calc'!A0;=1\x1b[2J\u202e\r\nforged")
    file.write_text(file.read_text(encoding="utf-8").replace('"Port scan"', hostile), encoding="utf-8")

    assert SCRIPT.main([*run, "--out", str(tmp_path / "scored.csv")]) == 0

    out = capsys.readouterr().out
    assert [ascii(c) for c in out if not c.isprintable() and c != "\n"] == []
    assert not any(line.startswith("forged") for line in out.splitlines())
    assert set(pd.read_csv(tmp_path / "scored.csv")["name"]) == {"'=cmd|' /C calc'!A0;'=1\x1b[2J\u202e\r\nforged"}
    assert "\"'=cmd" in (tmp_path / "scored.csv").read_text(encoding="utf-8")


def test_it_runs_on_the_oldest_pandas_of_a_platform(
    run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Databricks 15.4 ML has 1.5, whose frames have no `map`."""
    monkeypatch.delattr(pd.DataFrame, "map", raising=False)
    assert SCRIPT.main([*run, "--out", str(tmp_path / "scored.csv")]) == 0


def test_the_columns_that_it_takes_are_those_that_a_run_saves() -> None:
    assert {term["column"] for term in scorer_weights(RankingParameters())["terms"]} <= set(FEATURES.names)
    assert {"subgraph_id", "score"} <= set(SUBGRAPHS.names)
