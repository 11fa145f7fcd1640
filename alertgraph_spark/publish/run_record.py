"""What is written down of a run: `run.json`, and the parameters and metrics of its MLflow run."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from alertgraph_spark import __version__
from alertgraph_spark.config.alert_exception import ENDS_SOON
from alertgraph_spark.config.parameters import parameters_in
from alertgraph_spark.publish.safe_csv import csv_text
from alertgraph_spark.ranking import Ranking
from alertgraph_spark.score import TERMS, scorer_weights
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.health_schemas import UNHEALTHY
from alertgraph_spark.tables.run_schemas import RUNS
from alertgraph_spark.tables.schemas import RESULTS

_CSV_COLUMNS = (
    "rank",
    "subgraph_id",
    "site",
    "score",
    "probability",
    "is_shown",
    "first_seen",
    "last_seen",
    "n_alerts",
    "summary",
)


def run_record(
    run_id: str, digest: str, window: tuple[datetime, datetime], ranking: Ranking, spark_version: str
) -> dict[str, Any]:
    """Give the contents of `run.json`: window, digest, versions, engine, seconds of each stage, and counts that
    balance.

    Parameters
    ----------
    run_id
        Id of the run.
    digest
        Of the configuration.
    window
        Its begin and its end, by TimeGenerated.
    ranking
        What the run found.
    spark_version
        Version of Spark.

    Returns
    -------
    dict
        `rows_read = alerts + duplicates + out_of_window + rejected`. `history` is the part of `out_of_window` before
        the window. `unknown_words` are severities, tactics and techniques that no table knows. `health` has the number
        of sources that are as before and of new ones, and each that is not well, the worst first. `exceptions` has the
        ids of those that hide something, end soon, or match nothing. `schema_versions` has the version of each saved
        table.
    """
    start, end = window
    return {
        "run_id": run_id,
        "window": {"start": start.isoformat(), "end": end.isoformat()},
        "config_digest": digest,
        "versions": {"alertgraph_spark": __version__, "spark": spark_version, "python": platform.python_version()},
        "schema_versions": {table.name: table.version for table in RESULTS},
        "engine": ranking.engine,
        "seconds": dict(ranking.seconds),
        "counts": dict(ranking.counts),
        "rejected_by_reason": dict(ranking.balance.rejected_by_reason),
        "unknown_words": dict(ranking.balance.unknown_words),
        "health": _health(ranking.tables["health"]),
        "exceptions": _exceptions(ranking.tables["exceptions"], end),
    }


def _health(sources: pa.Table) -> dict[str, Any]:
    """What of `schemas.HEALTH` stands in `run.json`."""
    told = sources.select(["site", "table", "status", "detail"]).to_pylist()
    of = Counter(row["status"] for row in told)
    return {"n_ok": of["ok"], "n_new": of["new"], "unhealthy": [row for row in told if row["status"] in UNHEALTHY]}


MOST_LISTED = 100
"""Exceptions of which `run.json` has more than a number; the table `exceptions` has all."""


def _exceptions(told: pa.Table, end: datetime) -> dict[str, Any]:
    """What of `run_schemas.EXCEPTIONS` stands in `run.json`: how many there are, and the ids of those to look at again."""
    rows = told.sort_by([("until", "ascending"), ("id", "ascending")]).to_pylist()
    live = [row for row in rows if row["state"] == "in force"]
    found = {
        "hiding": [row["id"] for row in rows if row["n_hidden"]],
        "ending_soon": [row["id"] for row in live if row["until"] - end <= ENDS_SOON],
        "without_a_match": [row["id"] for row in live if not row["n_episodes"]],
    }
    counts = {f"n_{name}": len(ids) for name, ids in found.items()}
    return {
        "n": len(rows),
        "n_in_force": len(live),
        **counts,
        **{name: ids[:MOST_LISTED] for name, ids in found.items()},
    }


def run_table(record: Mapping[str, Any]) -> pa.Table:
    """The table `run_schemas.RUNS` of one run, from its `run.json`: one row."""
    lists = {"versions": "version", "counts": "n", "rejected_by_reason": "n"}
    row = {
        **{f"window_{end}": datetime.fromisoformat(record["window"][end]) for end in ("start", "end")},
        **{"config_digest": record["config_digest"], "engine": record["engine"]},
        **{key: [{"name": name, value: what} for name, what in record[key].items()] for key, value in lists.items()},
    }
    return pa.Table.from_pylist([row], schema=arrow_schema(RUNS))


def first_subgraphs(subgraphs: pa.Table, n_rows: int) -> list[dict[str, Any]]:
    """Give the first subgraphs by rank.

    Parameters
    ----------
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`), as an Arrow table or dataset.
    n_rows
        How many.

    Returns
    -------
    list of dict
        Times are aware, in UTC.
    """
    with Engine() as engine:
        first = engine.query(f"SELECT * FROM subgraphs ORDER BY rank LIMIT {n_rows}", {"subgraphs": subgraphs})
    return list(first.to_pylist())


def tracked_run(
    record: Mapping[str, Any],
    settings: Mapping[str, Any],
    tables: Mapping[str, pa.Table],
    top: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Give the fields of the run that is logged to MLflow.

    Parameters
    ----------
    record
        What its `run.json` holds.
    settings
        The configuration as it was used.
    tables
        `subgraphs` and `features` as they were saved, as Arrow tables or datasets.
    top
        The first subgraphs by rank: a file of the run, and the examples.

    Returns
    -------
    dict
        Flat parameters, metrics, files, the scorer's weights and example rows.
    """
    columns = ", ".join(dict.fromkeys(t.column for t in TERMS))
    first = pa.table({"subgraph_id": pa.array([row["subgraph_id"] for row in top[:3]], pa.string())})
    with Engine() as engine:
        ((n_shown,),) = engine.rows("SELECT count(*) FROM subgraphs WHERE is_shown", {"subgraphs": tables["subgraphs"]})
        examples = engine.query(
            f"SELECT {columns} FROM features SEMI JOIN first USING (subgraph_id) ORDER BY subgraph_id",
            {"features": tables["features"], "first": first},
        ).to_pylist()
    return {
        "name": record["run_id"],
        "parameters": {"engine": record["engine"], **record["versions"], **dict(_flat(settings))},
        "metrics": {
            **{f"n_{name}": float(n) for name, n in record["counts"].items()},
            "n_shown": float(n_shown),
            "top_score": float(top[0]["score"]) if top else 0.0,
            **{f"seconds_{stage}": s for stage, s in record["seconds"].items()},
        },
        "files": {"run.json": json.dumps(record, indent=2, default=str), "top_subgraphs.csv": _csv(top)},
        "weights": dict(scorer_weights(parameters_in(settings["ranking"]))),
        "examples": examples,
    }


def _flat(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Settings as dotted keys; only sections that decide what is found, so that no address is logged as a parameter."""
    return [(f"{section}.{key}", value) for section in ("graph", "ranking") for key, value in settings[section].items()]


def _csv(top: Sequence[Mapping[str, Any]]) -> str:
    return csv_text([{c: _text(row[c]) for c in _CSV_COLUMNS} for row in top])


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
