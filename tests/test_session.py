"""The session: the platform's is used as it is, and one of our own is refused before Java starts where it could not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from alertgraph_spark.access.session import JARS_VARIABLE, LOCAL, RUN_TIME, sent_along, start_session
from alertgraph_spark.errors import ConfigError

ZONE = "spark.sql.session.timeZone"
OPEN_COST = "spark.sql.files.openCostInBytes"
MEMORY = "spark.executor.memory"


@pytest.fixture
def platform(spark: SparkSession) -> Iterator[SparkSession]:
    """The tests' own session stands for a platform's; what is set in it is put back."""
    before = {key: spark.conf.get(key, None) for key in [*RUN_TIME, "spark.sql.shuffle.partitions"]}
    yield spark
    for key, value in before.items():
        if value is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, value)


def test_a_running_session_is_taken_and_told_utc(platform: SparkSession) -> None:
    platform.conf.set(ZONE, "America/New_York")

    session = start_session("job", "local[9]", "99g", {}, [])

    assert session is platform
    assert session.conf.get(ZONE) == "UTC"
    assert session.sparkContext.master == "local[2]", "master and memory are the platform's"


def test_what_cannot_be_set_in_a_running_session_is_left_alone(platform: SparkSession) -> None:
    start_session("job", None, "8g", {MEMORY: "77g", "spark.sql.shuffle.partitions": "3"}, [])

    assert platform.conf.get(MEMORY, None) != "77g"
    assert platform.conf.get("spark.sql.shuffle.partitions") == "3"


def test_a_running_session_gets_what_reading_small_files_needs(platform: SparkSession) -> None:
    platform.conf.unset(OPEN_COST)

    start_session("job", None, "8g", {}, [])

    assert platform.conf.get(OPEN_COST) == RUN_TIME[OPEN_COST]


def test_a_checkpoint_folder_is_set_where_none_is(platform: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    context = platform.sparkContext
    asked: list[str] = []
    monkeypatch.setattr(context, "setCheckpointDir", asked.append)

    start_session("job", None, "8g", {"spark.checkpoint.dir": "/there"}, [])
    assert asked == [], "the tests' session has one, and what is set stands"

    monkeypatch.setattr(context, "getCheckpointDir", lambda: None)
    start_session("job", None, "8g", {}, [])
    start_session("job", None, "8g", {"spark.checkpoint.dir": "/there"}, [])
    assert asked == ["/there"]


def test_a_file_that_was_sent_along_is_found_where_spark_put_it(
    platform: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tmp_path / "sent" / "run.yaml"
    sent.parent.mkdir()
    sent.write_text("export: {}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    assert sent_along(Path("run.yaml"), "job") == Path("run.yaml"), "no spark-submit: the caller tells what is missing"

    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    monkeypatch.setattr("alertgraph_spark.access.session.SparkFiles.get", lambda name: str(sent.parent / name))
    assert sent_along(Path("conf/run.yaml"), "job") == sent
    assert sent_along(Path("other.yaml"), "job") == Path("other.yaml")
    assert sent_along(sent, "job") is sent, "what is there under its own name is taken"


@pytest.mark.parametrize("named_by", ["settings", "environment"])
def test_a_jar_that_is_not_there_is_refused_before_java_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named_by: str
) -> None:
    there, missing = tmp_path / "there.jar", tmp_path / "missing.jar"
    there.touch()
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setattr(SparkSession, "getActiveSession", classmethod(lambda cls: None))
    monkeypatch.setenv(JARS_VARIABLE, str(missing) if named_by == "environment" else "")
    jars = [str(there)] + ([str(missing)] if named_by == "settings" else [])

    with pytest.raises(ConfigError) as caught:
        start_session("job", None, "1g", {}, jars)

    assert str(caught.value) == f"graph.jars or {JARS_VARIABLE} name files that are not there: {missing}"


def test_a_local_session_listens_on_loopback_alone() -> None:
    assert {LOCAL[key] for key in ("spark.driver.host", "spark.driver.bindAddress")} == {"127.0.0.1"}
    assert LOCAL["spark.ui.enabled"] == "false"


def test_no_sql_reads_a_file_in_a_session_of_our_own() -> None:
    assert LOCAL["spark.sql.runSQLOnFiles"] == "false"
