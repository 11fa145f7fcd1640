"""A past run as another model, other weights or other exceptions would have shown it: nothing is linked or described anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import Model, apply_model, offsets_of
from alertgraph_spark.learn.recall import BENIGN, TRUE
from alertgraph_spark.match.records import CHECKS, TITLES
from alertgraph_spark.publish.judged import without_memory
from alertgraph_spark.score import score_subgraphs, with_memory, with_score
from alertgraph_spark.score.suppressed import NOTHING
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.learn_schemas import SIGNATURES
from alertgraph_spark.tables.schemas import FEATURES

Tables = Mapping[str, Any]

REPLAYED = {
    "features": FEATURES.names,
    "signatures": SIGNATURES.names,
}
"""Tables of a run that are replayed, and their columns."""


def replay_run(tables: Tables, model: Model, p: RankingParameters, hidden: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Score the subgraphs of a saved run again.

    Parameters
    ----------
    tables
        `features` and `signatures` as they were saved, as Arrow tables or datasets.
    model
        What was learned.
    p
        The numbers of the method.
    hidden
        The subgraphs that exceptions hide, each with these (`run_schemas.EXPLAINED_BY`).

    Returns
    -------
    pa.Table
        One row is one subgraph (`schemas.SUBGRAPHS`), without its story.

    Notes
    -----
    A subgraph that the run did not tell takes no place of a day here. At the beginning of the window more may be shown.
    """
    with Engine() as engine:
        features = without_memory(conform_arrow(_all(engine, tables["features"]), FEATURES))
        signatures = conform_arrow(_all(engine, tables["signatures"]), SIGNATURES)
        recalled = apply_model(signatures, with_score(engine, features, p), model, p)
        rows = [{"subgraph_id": key, "suppressed_by": list(by), "claim": None} for key, by in hidden.items()]
        return score_subgraphs(
            engine,
            with_memory(engine, features, recalled),
            p,
            titles=TITLES,
            checks=CHECKS,
            suppressed=pa.Table.from_pylist(rows, schema=NOTHING.subgraphs.schema),
            recalled=recalled,
            offsets=offsets_of(model, features["site"].unique().to_pylist()),
        )


def _all(engine: Engine, table: Any) -> pa.Table:
    return engine.query("SELECT * FROM saved", {"saved": table})


class Outcome(NamedTuple):
    """What is shown of some runs: the subgraphs, and how many of them were judged what."""

    n: int
    n_true: int
    n_benign: int

    @property
    def n_open(self) -> int:
        """Those that nobody has judged."""
        return self.n - self.n_true - self.n_benign


def outcome_of(shown: Collection[str], verdicts: Mapping[str, str]) -> Outcome:
    """Count what is shown by the verdict on it.

    Parameters
    ----------
    shown
        Ids of subgraphs that are shown.
    verdicts
        Id of a subgraph to its verdict.

    Returns
    -------
    Outcome
        All, the true ones and the benign ones.
    """
    words = Counter(verdicts.get(key) for key in shown)
    return Outcome(len(shown), words[TRUE], sum(words[word] for word in BENIGN))
