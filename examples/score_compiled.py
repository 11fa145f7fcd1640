"""The scorer on the compiled alerts, outside Spark: loaded from MLflow, with no Java and no part of this project.

    python jobs/rank_alerts.py --config examples/plant.yaml --compile .demo/alerts.jsonl
    python examples/score_compiled.py --tracking-uri sqlite:///.demo/mlflow.db \\
        --model runs:/RUN/scorer --alerts .demo/alerts.jsonl --results .demo/results/RUN_ID [--out scored.csv]

Scores the run's subgraphs anew with the model that is named, and lays the score of its subgraph on each compiled alert.
Prints the alerts of the highest scores and how far the scores are from those of the run: nothing, if it is the run's own
model. Needs mlflow, pandas and pyarrow.

Loading a model runs the code that was logged with it: name one only from a tracking store whose writers you trust as you
trust whoever may change this script.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd

SHOWN = ["score", "site", "observed_at", "name", "source_entity", "target_entity", "subgraph_id"]


def score_subgraphs(model: mlflow.pyfunc.PyFuncModel, features: pd.DataFrame) -> pd.DataFrame:
    """One row is one subgraph: its id, `score` in [0, 1) and a column for each contribution."""
    columns = model.metadata.get_input_schema().input_names()
    scored: pd.DataFrame = model.predict(features[columns].astype("float64"))
    return pd.concat([features["subgraph_id"], scored], axis=1)


def score_alerts(alerts: pd.DataFrame, members: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """One row is one compiled alert with the score of its subgraph, highest first; an alert of none has no score."""
    keys = ["site", "alert_id"]
    subgraph_of = members[[*keys, "subgraph_id"]].drop_duplicates(keys)  # an alert is in one subgraph
    joined = alerts.merge(subgraph_of, on=keys, how="left").merge(scored, on="subgraph_id", how="left")
    return joined.sort_values(["score", "subgraph_id", "observed_at"], ascending=[False, True, True])


def read_alerts(path: Path) -> pd.DataFrame:
    """The compiled data set, from its JSON lines or its Parquet file."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_json(path, lines=True, convert_dates=False, dtype={"alert_id": str, "item_id": str, "rule_id": str})


def printed(value: Any) -> Any:
    """A text as a terminal may show it, with what commands one escaped: alerts are written by whoever attacks."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in value)


def safe_cell(value: Any) -> Any:
    """A text with an apostrophe before each sign that a formula begins with, where a cell begins; any other value as it is.

    A cell begins with the text, behind a line end or tab, and behind `;`, which separates cells where `,` is the decimal
    point; blanks in front count as nothing. Signs are `=`, `+`, `-`, `@` and their full-width forms.

    References
    ----------
    https://owasp.org/www-community/attacks/CSV_Injection
    """

    def guarded(match: re.Match[str]) -> str:
        gap, sign = match.groups()
        begins_cell = match.start() == 0 or not set(";\t\r\n").isdisjoint(gap)
        return f"{gap}'{sign}" if begins_cell and sign in tuple("=+-@＝＋－＠") else match[0]

    # Whole runs of blanks at a time, with whatever stands behind: what looks behind each blank anew is quadratic.
    return re.sub(r"(^[;\s]*|[;\s]+)(.?)", guarded, value) if isinstance(value, str) else value


def each_cell(frame: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    """The frame with each cell changed; by columns, since `DataFrame.map` came with pandas 2.1 and platforms have 1.5."""
    changed: pd.DataFrame = frame.apply(lambda column: column.map(change))
    return changed


def main(argv: Sequence[str] | None = None) -> int:
    """Print what the model makes of the alerts; return 2 if a model that is the run's own scores in another way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="runs:/RUN/scorer, models:/NAME/VERSION or a folder")
    parser.add_argument("--tracking-uri", help="where MLflow looks, if the environment does not say it")
    parser.add_argument("--alerts", required=True, type=Path, help="what --compile wrote: .jsonl or .parquet")
    parser.add_argument("--results", required=True, type=Path, help="the run's results folder")
    parser.add_argument("--out", type=Path, help="CSV of all alerts with their scores, without formulas")
    args = parser.parse_args(argv)
    if args.tracking_uri:
        mlflow.set_tracking_uri(args.tracking_uri)
    model = mlflow.pyfunc.load_model(args.model)  # runs the code that is logged with the model
    features, members, ranked = (pd.read_parquet(args.results / name) for name in ("features", "members", "subgraphs"))
    scored = score_subgraphs(model, features)
    alerts = score_alerts(read_alerts(args.alerts), members, scored)
    before = scored.merge(ranked[["subgraph_id", "score"]], on="subgraph_id", suffixes=("", "_of_run"))
    difference = (before["score"] - before["score_of_run"]).abs().max() if len(before) else 0.0
    print(each_cell(alerts[SHOWN].head(10), printed).to_string(index=False))
    print(f"\n{len(alerts):,} alerts in {len(scored):,} subgraphs; largest difference to the run: {difference:.9f}")
    if args.out:
        each_cell(alerts, safe_cell).to_csv(args.out, index=False, quoting=csv.QUOTE_ALL)
    is_own = model.metadata.run_id is not None and args.model.startswith("runs:/")
    return 2 if is_own and difference > 1e-9 else 0


if __name__ == "__main__":
    sys.exit(main())
