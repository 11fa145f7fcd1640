"""The model that runs use: from the registry, or the last copy; and a model that is promoted and rolled back."""

from __future__ import annotations

import json
import logging
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")  # mlflow-skinny has no store of its own

from alertgraph_spark.commands.train import record_of  # noqa: E402
from alertgraph_spark.config.parameters import RankingParameters  # noqa: E402  # after the skips
from alertgraph_spark.errors import ConfigError, TrackingError  # noqa: E402
from alertgraph_spark.learn import Judged, Model, Remembered, Signature, evaluate, fit  # noqa: E402
from alertgraph_spark.publish import model_in_use, results, tracking  # noqa: E402
from alertgraph_spark.publish.model_in_use import COPY, ModelInUse  # noqa: E402
from alertgraph_spark.publish.registry import Registry  # noqa: E402

P = RankingParameters()
BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
CHAMPION = "models:/soc@champion"


def rounds(n: int) -> list[Judged]:
    rows = []
    for day in range(n):
        at = BEGIN + timedelta(days=day)
        signature = Signature(f"sg-{day}", at, {"does round": 5.0}, frozenset({"host:adm"}))
        rows.append(Judged("plant", 20.0, Remembered(signature, "benign_positive", at + timedelta(hours=8), "ana")))
    return rows


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry with three versions, the second of which is the champion after the first; the third was trained on more."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    registry = Registry(uri, "soc")
    for n in (3, 4, 5):
        rows = rounds(n)
        registry.register("alertgraph", record_of(fit(rows, P, "soc"), rows, evaluate(rows, Model(), P), "shipped", P))
    assert registry.champion() is None
    assert registry.promote("1") is None
    assert registry.promote("2") == "1"
    return uri


def in_use(home: Path, uri: str, asked: str = CHAMPION, *, strict: bool = False) -> ModelInUse:
    return ModelInUse(asked, uri, results.Runs(str(home)), strict=strict)


def test_the_champion_is_the_version_that_bears_the_alias(store: str, tmp_path: Path) -> None:
    model = in_use(tmp_path, store).load()
    assert (model.name, model.of("plant").n_verdicts) == ("models:/soc/2", 4)


def test_a_version_and_a_run_can_be_asked_for(store: str, tmp_path: Path) -> None:
    assert in_use(tmp_path, store, "models:/soc/3").load().of("plant").n_verdicts == 5
    run = mlflow.MlflowClient(store).get_model_version("soc", "1").run_id
    assert in_use(tmp_path, store, f"runs:/{run}/scorer").load().of("plant").n_verdicts == 3


def test_shipped_asks_nobody(tmp_path: Path) -> None:
    assert in_use(tmp_path, "http://127.0.0.1:9", "shipped").load() == Model()


def test_a_session_that_ticks_sees_the_next_champion(store: str, tmp_path: Path) -> None:
    model, registry = in_use(tmp_path, store), Registry(store, "soc")
    first = model.load()
    assert model.load() is first, "what has not changed is not fetched again"
    registry.promote("3")
    assert model.load().name == "models:/soc/3"
    assert registry.roll_back() == ("3", "2")
    assert model.load().name == "models:/soc/2"


def test_a_registry_that_is_away_gives_the_last_copy(
    store: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = in_use(tmp_path, store).load()
    away = "http://127.0.0.1:9"
    with caplog.at_level(logging.WARNING):
        assert in_use(tmp_path, away).load() == found
    assert "the last copy beside the results is used: models:/soc/2" in caplog.text
    with pytest.raises(TrackingError, match=r"tracking\.strict makes that an error"):
        in_use(tmp_path, away, strict=True).load()
    with pytest.raises(TrackingError, match="there is no copy of it beside the results"):
        in_use(tmp_path / "elsewhere", away).load()
    with pytest.raises(TrackingError, match="there is no copy of it"):
        in_use(tmp_path, away, "models:/other@champion").load()
    monkeypatch.setattr(model_in_use, "LIMIT_SECONDS", 0.0)
    monkeypatch.setattr(model_in_use, "fetch", lambda *of: time.sleep(5))
    with caplog.at_level(logging.WARNING):
        assert in_use(tmp_path, away).load() == found
    assert "no answer of the registry within 0 s" in caplog.text


def test_no_model_of_that_name_is_told(store: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="model models:/nobody/1 cannot be had"):
        in_use(tmp_path, store, "models:/nobody/1").load()


def test_a_scorer_of_a_run_has_learned_nothing(store: str, tmp_path: Path) -> None:
    weights = {"terms": [{"term": "rarity", "column": "rarity_nats", "weight": 1.0}], "half_score": 20.0}
    record = tracking.RunRecord("run", {}, {}, {}, weights, [])
    run = tracking.Tracker(store, "alertgraph", strict=True).log_run(record)
    assert run
    with pytest.raises(ConfigError, match="was not trained on verdicts: alertgraph train makes one"):
        in_use(tmp_path, store, f"runs:/{run.run_id}/scorer").load()


def test_after_the_first_champion_is_rolled_back_nothing_learned_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    uri, rows = f"sqlite:///{tmp_path}/mlflow.db", rounds(3)
    registry = Registry(uri, "soc")
    registry.register("alertgraph", record_of(fit(rows, P, "soc"), rows, evaluate(rows, Model(), P), "shipped", P))
    with pytest.raises(ConfigError, match="model soc has no champion: nothing to roll back"):
        registry.roll_back()
    registry.promote("1")
    model = in_use(tmp_path / "runs", uri)
    assert model.load().of("plant").n_verdicts == 3
    assert registry.roll_back() == ("1", None)
    with caplog.at_level(logging.WARNING):
        assert model.load().is_shipped
    assert "no version of models:/soc@champion: nothing that was learned is used" in caplog.text


def test_a_model_needs_a_store() -> None:
    with pytest.raises(ConfigError, match=r"tracking\.uri is none"):
        Registry("none", "soc")


def test_the_copy_holds_no_more_than_what_was_learned(store: str, tmp_path: Path) -> None:
    in_use(tmp_path, store).load()
    copy = json.loads((tmp_path / COPY).read_text(encoding="utf-8"))
    assert (copy["asked"], copy["name"]) == (CHAMPION, "models:/soc/2")
    assert set(copy["learned"]) == {"version", "trained_until", "tried", "sites", "rule"}


def test_what_is_logged_of_a_training(store: str) -> None:
    client = mlflow.MlflowClient(store)
    run = client.get_run(client.get_model_version("soc", "3").run_id)
    assert run.data.params["model_in_use"] == "shipped"
    assert len(run.data.params["data_digest"]) == 12
    assert run.data.metrics["n_verdicts"] == 5
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"reliability.html", "learned.json"}
    mlflow.set_tracking_uri(store)
    schema = mlflow.pyfunc.load_model("models:/soc/3").metadata.get_input_schema()
    assert schema.required_input_names()[0] == "rarity_nats"
    assert schema.optional_input_names() == ["site", "signature"]
