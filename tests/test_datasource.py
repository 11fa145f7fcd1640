"""`frame.write.format("alertgraph_log_analytics")`: what it posts is what `post_results` would, or it says what is wrong."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

pytest.importorskip("pyspark.sql.datasource", reason="Python data sources came with Spark 4.0")

from faults import DCR_ID, TOKEN, TOKEN_VARIABLE, LogsIngestionEmulator, compare, saved_rows
from pyspark.errors import PySparkException
from pyspark.serializers import CloudPickleSerializer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.publish.log_analytics.datasource import LogAnalyticsSource
from alertgraph_spark.publish.log_analytics.rows import row_id
from alertgraph_spark.tables.schemas import NODES

SAVED = saved_rows(random.Random(3), 300)
WHEN = datetime.now(timezone.utc).replace(microsecond=0)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[LogsIngestionEmulator]:
    with LogsIngestionEmulator(tmp_path / "rows.sqlite", TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def nodes(spark: SparkSession) -> DataFrame:
    spark.dataSource.register(LogAnalyticsSource)
    rows = [tuple(row[name] for name in NODES.names) for row in SAVED["nodes"]]
    return spark.createDataFrame(rows, NODES.ddl).repartition(3, "node_id").orderBy(F.rand(1))


def save(frame: DataFrame, emulator: LogsIngestionEmulator, mode: str = "append", **changes: str) -> None:
    options = {"table": "nodes", "run_id": "run-7", "time_generated": WHEN.isoformat(), "endpoint": emulator.url}
    options |= {"dcr_id": DCR_ID, "credential": f"env:{TOKEN_VARIABLE}"} | changes
    frame.write.format("alertgraph_log_analytics").mode(mode).options(**options).save()


def test_every_row_arrives_as_it_is_and_with_the_row_id_of_the_run(
    nodes: DataFrame, emulator: LogsIngestionEmulator, tmp_path: Path
) -> None:
    save(nodes, emulator)

    saved = {"nodes": SAVED["nodes"]}
    found = compare(tmp_path / "rows.sqlite", saved)
    assert (found.is_clean, found.saved, found.twice) == (True, 300, 0)
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as connection:
        stored = dict(connection.execute("SELECT NodeId, RowId FROM AlertGraphNodes_CL"))
    first = SAVED["nodes"][0]
    key = [first[name] for name in ("site", "subgraph_id", "node_id")]
    assert stored[first["node_id"]] == row_id("run-7", "nodes", key)

    save(nodes.repartition(5), emulator)
    again = compare(tmp_path / "rows.sqlite", saved)
    assert (again.is_clean, again.twice) == (True, 300), "posted again, folded"


@pytest.mark.parametrize(
    ("mode", "changes", "said"),
    [
        ("append", {"table": "alerts"}, "option table: one of members, nodes, edges, subgraphs, runs"),
        ("append", {"dcr_id": ""}, "option dcr_id is missing"),
        ("append", {"endpoint": "http://example.org"}, r"post\.endpoint must be the https address"),
        ("append", {"credential": "hunter2"}, r"post\.credential must be"),
        ("append", {"time_generated": "2026-11-24"}, "option time_generated: ISO 8601 with a zone"),
        ("append", {"tasks": "0"}, "option tasks: a whole number from 1"),
        ("append", {"table": "edges"}, "table edges has another shape: source: want string, have no such column"),
        ("overwrite", {}, "write with mode append"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_byte(
    nodes: DataFrame, emulator: LogsIngestionEmulator, mode: str, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(PySparkException, match=said) as caught:
        save(nodes, emulator, mode, **changes)
    assert "hunter2" not in str(caught.value)
    assert emulator.traffic == (0, 0)


def test_a_refusal_fails_the_write_with_its_remedy_and_is_not_tried_by_a_second_task(
    nodes: DataFrame, emulator: LogsIngestionEmulator
) -> None:
    emulator.service.token = "another"
    with pytest.raises(PySparkException, match=r"403.*Monitoring Metrics Publisher.*; 0 rows were delivered") as caught:
        save(nodes.coalesce(1), emulator)
    assert TOKEN not in str(caught.value)
    assert emulator.traffic[0] == 1


def test_a_row_that_does_not_fit_is_told_and_the_others_are_delivered(
    nodes: DataFrame, emulator: LogsIngestionEmulator, tmp_path: Path
) -> None:
    control = F.expr("repeat(chr(1), 60000)")  # six bytes each in JSON: three such fields are over 990,000
    huge = nodes.limit(1).withColumns({"label": control, "zone": control, "kind": control, "node_id": F.lit("huge")})
    with pytest.raises(PySparkException, match=r"1 rows are too large.*; 300 rows were delivered"):
        save(nodes.unionByName(huge), emulator)
    assert compare(tmp_path / "rows.sqlite", {"nodes": SAVED["nodes"]}).is_clean


def test_a_frame_without_rows_is_posted(nodes: DataFrame, emulator: LogsIngestionEmulator) -> None:
    save(nodes.limit(0), emulator)
    assert emulator.traffic == (0, 0)


def test_the_writer_travels_with_the_reference_and_not_the_token(nodes: DataFrame) -> None:
    options = {"table": "nodes", "run_id": "r", "endpoint": "http://127.0.0.1:1", "dcr_id": DCR_ID}
    source = LogAnalyticsSource(options | {"credential": f"env:{TOKEN_VARIABLE}"})
    writer = source.writer(nodes.schema, overwrite=False)
    assert writer.delivery.share == 1 / 8, "of the service's limits, for each of the tasks"
    pickled = CloudPickleSerializer().dumps(writer)
    assert TOKEN_VARIABLE.encode() in pickled
    assert TOKEN.encode() not in pickled
