"""Who was heard when: every line, in the hour in which it was received, by what became of it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from exported import Row, raw_tables, workspace
from incident import DAY, at
from pyspark.sql import SparkSession

from alertgraph_spark.config.source_format import Format
from alertgraph_spark.lines import read_lines
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.interim_schemas import HEARD

FORMAT = Format(
    name="ids",
    path="ids.yaml",
    reads=("Id", "Name", "Host", "When", "Level"),
    columns={"alert_id": "Id", "name": "Name", "observed_at": "cast(When as timestamp)", "severity": "Level"},
    severity_scale={"high": 0.8},
    target={"host": "Host"},
    where="Name <> 'traffic'",
    kept_by="platform",
)
EPOCH_HOUR = round(DAY.timestamp()) // 3600
START, END = at(24 * 60), at(48 * 60)
FILE = f"file:/lake/am-ids-cl/{workspace('plant')}/y=2026/m=03/d=03/h=05/m=10/PT05M.json"
assert f"{DAY:%Y-%m-%d}" == "2026-03-02"


def row(item: str, minutes: float, late: float = 4.0, **columns: Any) -> Row:
    """A row of an alert that happened so many minutes after midnight, and was received `late` minutes after it happened."""
    alert = {"Id": item, "Name": "port scan", "Host": "ws1", "When": f"{at(minutes):%Y-%m-%dT%H:%M:%SZ}"}
    return {**alert, "_ItemId": item, "TimeGenerated": f"{at(minutes + late):%Y-%m-%dT%H:%M:%S.0000000Z}", **columns}


def heard(spark: SparkSession, rows: list[Row]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What was heard, by status, reason and hour after midnight; without a number where the row has none."""
    raw = raw_tables(spark, rows, FORMAT.reads)
    lines = read_lines(raw, {"Alerts_CL": FORMAT}, START, END, gap_seconds=300)
    table: pa.Table = lines.heard
    for frame in lines.held:
        frame.unpersist()
    assert table.schema == arrow_schema(HEARD)
    assert {(one["site"], one["table"]) for one in table.to_pylist()} <= {("plant", "Alerts_CL")}
    return {
        (one["status"], one["reason"], None if one["hour"] is None else one["hour"] - EPOCH_HOUR): one
        for one in table.to_pylist()
    }


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The window is the second day, 24 to 48."""
    rows = [
        *(row(f"past-{n}", 60 * 5 + n, late=2.0) for n in range(3)),
        *(
            row(f"now-{n}", 60 * 30 + n, late=late, Level="urgent" if n else "high")
            for n, late in enumerate((1, 2, 90))
        ),
        row("late", 60 * 29 + 50, late=30, Level="high", Host="ws2"),
        # Told again by its product a day later: it was heard of in hour 6.
        *(row("told", 60 * 6, late=late, Host="ws3") for late in (3, 60 * 25)),
        row("after", 60 * 48),
        row("traffic", 60 * 31, Name="traffic"),
        {"_corrupt_record": "torn {", "file": FILE},
        {"_corrupt_record": "torn too {", "file": FILE},
        {"_corrupt_record": "nobody knows when {", "file": "file:/lake/PT05M.json"},
    ]
    return heard(spark, rows)


def test_every_line_is_heard_once_in_the_hour_of_its_receipt(found: dict[tuple[Any, ...], dict[str, Any]]) -> None:
    assert {key: one["n_lines"] for key, one in found.items()} == {
        ("history", None, 5): 3,
        ("alert", None, 30): 4,  # that of 29:50 was received at 30:20
        ("alert", None, 6): 1,
        ("repeat of history", None, 6): 1,
        ("out_of_window", None, 48): 1,
        ("rejected", "not an alert", 31): 1,
        ("rejected", "not one JSON object", 29): 2,  # by the folder of their file: the second day at five
        ("rejected", "not one JSON object", None): 1,
    }


def test_how_late_alerts_come_is_the_median_by_their_number(found: dict[tuple[Any, ...], dict[str, Any]]) -> None:
    # The three of 30:00 say two things, two of them with a severity that is not known: a span of one, 1 min late, and one of
    # two, 2 min late, when its first was received. That of 29:50 was 30 min late.
    assert found["alert", None, 30]["delay_minutes"] == 2.0
    assert found["history", None, 5]["delay_minutes"] == 2.0
    assert found["alert", None, 6]["delay_minutes"] == 3.0, "not when it was told again"
    assert found["rejected", "not an alert", 31]["delay_minutes"] is None


def test_doubts_are_counted_by_alerts_and_times_are_kept(found: dict[tuple[Any, ...], dict[str, Any]]) -> None:
    assert {key: one["n_unknown"] for key, one in found.items() if one["n_unknown"]} == {("alert", None, 30): 2}
    assert found["alert", None, 30]["received_at"] == at(60 * 30 + 2 + 90)
    assert found["rejected", "not an alert", 31]["received_at"] == at(60 * 31 + 4)
    assert found["rejected", "not one JSON object", None]["received_at"] is None


def test_where_nothing_was_read_nobody_was_heard(spark: SparkSession) -> None:
    assert heard(spark, []) == {}
