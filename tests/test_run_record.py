"""What is written down of a run: the row of `runs`, and what MLflow keeps, counted over all that was saved."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from arrows import table_of

from alertgraph_spark.normalise.balance import Balance
from alertgraph_spark.publish.run_record import first_subgraphs, run_record, run_table, tracked_run
from alertgraph_spark.ranking import Ranking
from alertgraph_spark.score import TERMS
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.health_schemas import HEALTH
from alertgraph_spark.tables.run_schemas import EXCEPTIONS, RUNS
from alertgraph_spark.tables.schemas import FEATURES, RESULTS, SUBGRAPHS

START = datetime(2026, 3, 2, tzinfo=timezone.utc)
RECORD: dict[str, Any] = {
    "run_id": "run-1",
    "window": {"start": START.isoformat(), "end": (START + timedelta(days=1)).isoformat()},
    **{"config_digest": "0123456789ab", "engine": "driver"},
    "versions": {"spark": "3.5.9"},
    "seconds": {"fold": 1.5},
    "counts": {"rows_read": 9, "subgraphs": 14},
    "rejected_by_reason": {"torn line": 2},
}
SETTINGS: dict[str, Any] = {
    "graph": {"engine": "auto"},
    "ranking": {"budget_per_day": 3},
    "post": {"endpoint": "https://x"},
}


@pytest.fixture
def tables() -> dict[str, pa.Table]:
    """Fourteen subgraphs, saved in no order of rank; all but ranks 5 and 14 are shown: twelve."""
    empty = {c.name: [] if c.type.startswith("array") else None for c in SUBGRAPHS.columns}
    ranks = [9, 14, 1, 5, *(n for n in range(1, 14) if n not in (1, 5, 9))]
    found = [
        empty
        | {"subgraph_id": f"sg-{rank:02}", "site": "plant", "rank": rank, "score": 1 - rank / 20, "n_alerts": rank}
        | {"is_shown": rank not in (5, 14), "first_seen": START, "last_seen": START, "summary": f"=Summary {rank}"}
        for rank in ranks
    ]
    numbers = dict.fromkeys((term.column for term in TERMS), 0.0)
    facts = [dict.fromkeys(FEATURES.names) | numbers | {"subgraph_id": f"sg-{n:02}", "rarity_nats": n} for n in ranks]
    return {"subgraphs": table_of(SUBGRAPHS, found), "features": table_of(FEATURES, facts)}


def test_what_is_shown_is_counted_over_all_and_not_over_the_rows_that_are_printed(tables: dict[str, pa.Table]) -> None:
    top = first_subgraphs(tables["subgraphs"], 10)
    metrics = tracked_run(RECORD, SETTINGS, tables, top)["metrics"]
    assert metrics == {
        **{"n_rows_read": 9.0, "n_subgraphs": 14.0, "n_shown": 12.0},
        **{"top_score": pytest.approx(0.95), "seconds_fold": 1.5},
    }


def test_the_first_subgraphs_are_those_of_the_least_rank_with_times_in_utc(tables: dict[str, pa.Table]) -> None:
    top = first_subgraphs(tables["subgraphs"], 10)
    assert [row["rank"] for row in top] == list(range(1, 11))
    assert (top[0]["first_seen"], top[0]["first_seen"].utcoffset()) == (START, timedelta(0))
    assert set(top[0]) == set(SUBGRAPHS.names)


def test_files_examples_and_parameters_of_a_tracked_run(tables: dict[str, pa.Table]) -> None:
    tracked = tracked_run(RECORD, SETTINGS, tables, first_subgraphs(tables["subgraphs"], 10))
    rows = list(csv.DictReader(io.StringIO(tracked["files"]["top_subgraphs.csv"])))
    assert [row["rank"] for row in rows] == [str(n) for n in range(1, 11)]
    assert (rows[0]["first_seen"], rows[0]["summary"]) == ("2026-03-02T00:00:00+00:00", "'=Summary 1"), "no formula"
    assert [row["rarity_nats"] for row in tracked["examples"]] == [1.0, 2.0, 3.0]
    assert set(tracked["examples"][0]) == {term.column for term in TERMS}
    assert tracked["parameters"] == {
        **{"engine": "driver", "spark": "3.5.9"},
        **{"graph.engine": "auto", "ranking.budget_per_day": 3},
    }, "no address"


def test_a_run_that_found_nothing(tables: dict[str, pa.Table]) -> None:
    none = {name: table.slice(0, 0) for name, table in tables.items()}
    assert first_subgraphs(none["subgraphs"], 10) == []
    tracked = tracked_run(RECORD, SETTINGS, none, [])
    assert (tracked["metrics"]["n_shown"], tracked["metrics"]["top_score"], tracked["examples"]) == (0.0, 0.0, [])


def ranking_of(sources: list[dict[str, Any]], exceptions: list[dict[str, Any]]) -> Ranking:
    tables = {"health": table_of(HEALTH, sources), "exceptions": table_of(EXCEPTIONS, exceptions)}
    return Ranking(Balance({"rows_read": 9}), "driver", {}, tables, lambda: None, lambda: None)


def test_exceptions_are_counted_and_those_to_look_at_again_are_named() -> None:
    end = START + timedelta(days=1)

    def one(id_: str, days_left: float, n: int, state: str = "in force", hidden: int = 0) -> dict[str, Any]:
        row = dict.fromkeys(EXCEPTIONS.names) | {"id": id_, "until": end + timedelta(days=days_left), "state": state}
        return row | {"n_episodes": n, "n_hidden": hidden}

    told = [
        one("hides", 200, 5, hidden=2),
        one("two weeks", 14, 1),
        one("a moment more", 14.001, 1),
        one("unused", 200, 0),
        one("tomorrow, unused", 1, 0),
        one("over", -1, 0, "ended", hidden=1),
        one("not yet", 200, 0, "not yet begun"),
    ]
    record = run_record("run-1", "0123456789ab", (START, end), ranking_of([], told), "3.5.9")["exceptions"]

    assert (record["n"], record["n_in_force"]) == (7, 5)
    assert (record["n_hiding"], record["hiding"]) == (2, ["over", "hides"])
    assert (record["n_ending_soon"], record["ending_soon"]) == (2, ["tomorrow, unused", "two weeks"])
    assert (record["n_without_a_match"], record["without_a_match"]) == (2, ["tomorrow, unused", "unused"])
    many = [one(f"{n:03}", 200, 0) for n in range(150)]
    record = run_record("run-1", "0123456789ab", (START, end), ranking_of([], many), "3.5.9")["exceptions"]
    assert (record["n_without_a_match"], len(record["without_a_match"])) == (150, 100)


def test_what_is_not_well_is_told_whole_and_the_rest_is_counted() -> None:
    told = [("a", "silent"), ("b", "slow"), ("c", "new"), ("d", "ok"), ("e", "ok")]
    sources = [
        dict.fromkeys(HEALTH.names) | {"site": site, "table": "Ids_CL", "status": status, "detail": f"why {status}"}
        for site, status in told
    ]
    ranking = ranking_of(sources, [])
    record = run_record("run-1", "0123456789ab", (START, START + timedelta(days=1)), ranking, "3.5.9")

    assert record["health"] == {
        "n_ok": 2,
        "n_new": 1,
        "unhealthy": [
            {"site": site, "table": "Ids_CL", "status": status, "detail": f"why {status}"} for site, status in told[:2]
        ],
    }
    assert run_table(record).num_rows == 1


def test_the_row_of_a_run_is_as_declared() -> None:
    table = run_table(RECORD)
    assert table.schema == arrow_schema(RUNS)
    assert table.to_pylist() == [
        {
            **{"window_start": START, "window_end": START + timedelta(days=1), "config_digest": "0123456789ab"},
            **{"engine": "driver", "versions": [{"name": "spark", "version": "3.5.9"}]},
            "counts": [{"name": "rows_read", "n": 9}, {"name": "subgraphs", "n": 14}],
            "rejected_by_reason": [{"name": "torn line", "n": 2}],
            **dict.fromkeys(("n_posted", "withdrawn", "freshness_median_seconds", "freshness_max_seconds")),
        }
    ]


def test_the_record_says_which_version_of_each_table_was_saved() -> None:
    record = run_record("run-1", "0123456789ab", (START, START + timedelta(days=1)), ranking_of([], []), "3.5.9")

    assert record["schema_versions"] == {table.name: table.version for table in RESULTS}
    assert record["schema_versions"]["subgraphs"] >= 1
