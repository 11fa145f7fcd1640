"""What is written down of a run: `run.json`, and the parameters and metrics of its MLflow run."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark import __version__
from alertgraph_spark.io.safe_csv import csv_text
from alertgraph_spark.ranking import Ranking
from alertgraph_spark.schemas import RUNS
from alertgraph_spark.scoring import TERMS, scorer_weights

_CSV_COLUMNS = ("rank", "subgraph_id", "site", "score", "is_shown", "first_seen", "last_seen", "n_alerts", "summary")


def run_record(
    run_id: str, digest: str, window: tuple[datetime, datetime], ranking: Ranking, spark_version: str
) -> dict[str, Any]:
    """The contents of `run.json`: window, digest, versions, engine, seconds a stage, and counts that balance.

    `rows_read = alerts + duplicates + out_of_window + rejected`; `history` is the part of `out_of_window` that lies before
    the window and taught what is usual. `unknown_words` are severities, tactics and techniques that no table knows, and
    `silent` the tables without a row in the window, with their rows before it.
    """
    start, end = window
    return {
        "run_id": run_id,
        "window": {"start": start.isoformat(), "end": end.isoformat()},
        "config_digest": digest,
        "versions": {"alertgraph_spark": __version__, "spark": spark_version, "python": platform.python_version()},
        "engine": ranking.engine,
        "seconds": dict(ranking.seconds),
        "counts": dict(ranking.counts),
        "rejected_by_reason": dict(ranking.balance.rejected_by_reason),
        "unknown_words": dict(ranking.balance.unknown_words),
        "silent": dict(ranking.balance.silent),
    }


def run_frame(spark: SparkSession, record: Mapping[str, Any]) -> DataFrame:
    """The table `schemas.RUNS` of one run, from its `run.json`: one row, an expression, so that no Python starts for it."""
    lists = {"versions": "version", "counts": "n", "rejected_by_reason": "n"}
    row = {
        **{"window_start": record["window"]["start"], "window_end": record["window"]["end"]},
        **{"config_digest": record["config_digest"], "engine": record["engine"]},
        **{key: [{"name": name, value: what} for name, what in record[key].items()] for key, value in lists.items()},
    }
    return spark.range(1).select(F.from_json(F.lit(json.dumps(row)), RUNS.ddl).alias("run")).select("run.*")


def tracked_run(
    record: Mapping[str, Any], settings: Mapping[str, Any], ranking: Ranking, top: Sequence[Any]
) -> dict[str, Any]:
    """The fields of the run that is logged: flat parameters, metrics, files, the scorer's weights and example rows."""
    columns = [t.column for t in TERMS]
    ids = [row["subgraph_id"] for row in top[:3]]
    features = ranking.tables["features"]
    examples = features.filter(features["subgraph_id"].isin(ids)).select(*columns).collect() if ids else []
    return {
        "name": record["run_id"],
        "parameters": {"engine": ranking.engine, **record["versions"], **dict(_flat(settings))},
        "metrics": {
            **{f"n_{name}": float(n) for name, n in ranking.counts.items()},
            "n_shown": float(sum(row["is_shown"] for row in top)),
            "top_score": float(top[0]["score"]) if top else 0.0,
            **{f"seconds_{stage}": s for stage, s in ranking.seconds.items()},
        },
        "files": {"run.json": json.dumps(record, indent=2, default=str), "top_subgraphs.csv": _csv(top)},
        "weights": dict(scorer_weights()),
        "examples": [row.asDict() for row in examples],
    }


def _flat(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Settings as dotted keys; only sections that decide what is found, so that no address is logged as a parameter."""
    return [(f"{section}.{key}", value) for section in ("graph", "ranking") for key, value in settings[section].items()]


def _csv(top: Sequence[Any]) -> str:
    return csv_text([{c: _utc(row[c]) for c in _CSV_COLUMNS} for row in top])


def _utc(value: Any) -> Any:
    """A timestamp as UTC text: Spark hands it over in the zone of this process."""
    return value.astimezone(timezone.utc).isoformat() if isinstance(value, datetime) else value
