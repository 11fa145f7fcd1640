"""Two saved runs held against each other: what is the same, and what is not although it looks like it."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO / "benchmarks"))

import same_tables  # noqa: E402

FIRST = {
    "subgraph_id": "sg-1",
    "rank": 1,
    "score": 0.75,
    "is_shown": True,
    "contributions": [{"term": "chain", "value": 0.5}, {"term": "rarity", "value": 0.25}],
    "title": "Port scan of plc-3",
}
SECOND = {**FIRST, "subgraph_id": "sg-2", "rank": 2, "score": 0.5, "is_shown": False}
TORN = {"file": "PT05M.json", "line": "{", "reason": "torn line"}


def saved(folder: Path, run_id: str = "run-1", n_read: int = 9, **tables: list[dict[str, Any]]) -> Path:
    """A results folder with one run; `subgraphs` and `rejected` unless others are named."""
    run = folder / run_id
    for name, rows in ({"subgraphs": [FIRST, SECOND], "rejected": [TORN, TORN]} | tables).items():
        (run / name).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), run / name / "part-0.parquet")
    record = {"run_id": run_id, "seconds": {"read": len(run_id)}, "counts": {"rows_read": n_read}}
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def compared(before: Path, after: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = same_tables.main([str(before), str(after)])
    return code, capsys.readouterr().out


def test_rows_in_another_order_and_a_score_in_another_last_digit_are_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = saved(tmp_path / "a")
    after = saved(tmp_path / "b", "run-22", subgraphs=[SECOND, FIRST | {"score": 0.75 + 1e-12}])
    code, out = compared(before, after, capsys)
    assert code == 0
    assert out.splitlines() == [
        "rejected           2 rows, 0 missing, 0 extra, 0 different",
        "run.json           1 counts, 0 different",
        "subgraphs          2 rows, 0 missing, 0 extra, 0 different",
    ]


def test_a_time_is_the_same_whether_spark_or_arrow_wrote_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = saved(tmp_path / "a"), saved(tmp_path / "b")
    time = datetime(2026, 3, 2, 18, 34, 12, 857000)
    for folder, type_ in ((before, pa.timestamp("ns")), (after, pa.timestamp("us", tz="UTC"))):
        (folder / "run-1" / "cuts").mkdir()
        pq.write_table(pa.table({"at": pa.array([time], type_)}), folder / "run-1" / "cuts" / "part-0.parquet")
    code, out = compared(before, after, capsys)
    assert code == 0, out

    later = pa.table({"at": pa.array([time + timedelta(microseconds=1)], type_)})
    pq.write_table(later, after / "run-1" / "cuts" / "part-0.parquet")
    assert compared(before, after, capsys)[0] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rank": 2}, "sg-1 rank: 1 → 2"),
        ({"score": 0.75 + 1e-6}, "sg-1 score: 0.75 → 0.750001"),
        ({"is_shown": False}, "sg-1 is_shown: True → False"),
        ({"title": "Port scan of plc-30"}, "sg-1 title: 'Port scan of plc-3' → 'Port scan of plc-30'"),
        ({"contributions": FIRST["contributions"][::-1]}, "sg-1 contributions: "),
        ({"score": None}, "sg-1 score: 0.75 → None"),
    ],
)
def test_a_value_that_differs_is_told_with_its_row(
    change: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    after = saved(tmp_path / "b", subgraphs=[FIRST | change, SECOND])
    code, out = compared(saved(tmp_path / "a"), after, capsys)
    assert code == 1
    assert "2 rows, 0 missing, 0 extra, 1 different\n" in out
    assert f"    {told}" in out


def test_another_id_is_one_row_missing_and_one_extra(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after = saved(tmp_path / "b", subgraphs=[FIRST, SECOND | {"subgraph_id": "sg-3"}])
    code, out = compared(saved(tmp_path / "a"), after, capsys)
    assert code == 1
    assert "2 rows, 1 missing, 1 extra, 0 different\n    missing sg-2\n    extra sg-3\n" in out


def test_one_of_two_equal_lines_may_not_be_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = compared(saved(tmp_path / "a"), saved(tmp_path / "b", rejected=[TORN]), capsys)
    assert code == 1
    assert "2 rows, 1 missing, 0 extra, 0 different\n    missing PT05M.json { torn line\n" in out


def test_a_table_that_only_one_run_has_is_a_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after = saved(tmp_path / "b", cuts=[{"site": "plant", "src": 1, "dst": 2, "kind": "pivot"}])
    code, out = compared(saved(tmp_path / "a"), after, capsys)
    assert code == 1
    assert "no such table in" in out


def test_a_column_of_another_type_is_a_difference_although_its_rows_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = saved(tmp_path / "a"), saved(tmp_path / "b")
    for folder, type_ in ((before, pa.int64()), (after, pa.string())):
        (folder / "run-1" / "cuts").mkdir()
        pq.write_table(pa.table({"src": pa.array([], type_)}), folder / "run-1" / "cuts" / "part-0.parquet")
    code, out = compared(before, after, capsys)
    assert code == 1
    assert "    src: bigint → string\n" in out


def test_a_count_of_the_run_that_differs_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = compared(saved(tmp_path / "a"), saved(tmp_path / "b", n_read=10), capsys)
    assert code == 1
    assert "    counts.rows_read: 9 → 10\n" in out


def test_of_several_runs_the_newest_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = saved(tmp_path / "a")
    after = saved(saved(tmp_path / "b", "run-1", n_read=10), "run-2")
    assert compared(before, after, capsys)[0] == 0


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no run\.json"):
        same_tables.main([str(saved(tmp_path / "a")), str(tmp_path / "none")])
