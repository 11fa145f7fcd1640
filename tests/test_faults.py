"""Fifty of the faults of `make faults`, twenty kills of one run, and the proof that the comparison sees what it looks for."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from faults import KILLS, Found, compare, run_case, run_spark, run_until, saved_rows


def test_fifty_faults_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    cases = list(run_until(50, tmp_path))
    total = sum((found for _, found in cases), Found())

    assert [seed for seed, found in cases if not found.is_clean] == []
    assert total.saved > 100
    assert total.faults.total() >= 50
    assert len(total.faults) > 10, "of many kinds"
    assert total.twice > 0, "rows arrived twice, and were folded"


def test_a_run_that_is_killed_twenty_times_ends_with_equal_tables(tmp_path: Path) -> None:
    found = run_case(3, tmp_path, most=20, faults=KILLS, n_rows=800)

    assert {name: n > 0 for name, n in found.faults.items()} == {fault.name: True for fault in KILLS}
    assert found.faults.total() == 20
    assert found.is_clean
    assert found.saved == found.delivered == 1200
    assert found.twice > 0


def test_the_comparison_sees_a_row_that_is_lost_doubled_or_changed(tmp_path: Path) -> None:
    assert run_case(1, tmp_path, most=0, n_rows=40).is_clean
    db, saved = tmp_path / "1.sqlite", saved_rows(random.Random(1), 40)

    def after(*statements: str) -> Found:
        with closing(sqlite3.connect(db)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        return compare(db, saved)

    first = "NodeId = 'ip:00000'"
    again = after(f"INSERT INTO AlertGraphNodes_CL SELECT * FROM AlertGraphNodes_CL WHERE {first}")
    assert (again.is_clean, again.twice) == (True, 1), "the same RowId: folded"
    changed = after(f"UPDATE AlertGraphNodes_CL SET Zone = 'dmz' WHERE {first}")
    assert (changed.is_clean, changed.differing) == (False, 1)
    lost = after(f"DELETE FROM AlertGraphNodes_CL WHERE {first}")
    assert (lost.is_clean, lost.lost, lost.delivered) == (False, 1, lost.saved - 1)
    other = after(
        "CREATE TEMP TABLE t AS SELECT * FROM AlertGraphEdges_CL LIMIT 1",
        "UPDATE t SET RowId = 'another'",
        "INSERT INTO AlertGraphEdges_CL SELECT * FROM t",
    )
    assert other.doubled == 1


@pytest.mark.slow
def test_a_driver_on_spark_that_is_killed_ends_with_equal_tables(tmp_path: Path) -> None:
    found = run_spark(2, tmp_path)

    assert found.faults == {"driver and executors killed by SIGKILL": 1, "driver killed by SIGKILL": 1}
    assert found.is_clean
    assert found.saved == 1800
