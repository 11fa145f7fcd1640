"""What analysts judged, with what the runs knew of it: what a model is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.learn import Judged, Remembered, signatures_of
from alertgraph_spark.learn.recall import BENIGN, TRUE
from alertgraph_spark.publish import results
from alertgraph_spark.score import with_score
from alertgraph_spark.tables.embedded import Engine, arrow_schema, conform_arrow
from alertgraph_spark.tables.schemas import FEATURES
from alertgraph_spark.verdicts import standing_verdicts

Row = dict[str, Any]


class Training(NamedTuple):
    """What a model is trained on: the judged subgraphs, how many words say neither, and how many subgraphs no run has."""

    judged: list[Judged]
    n_undetermined: int
    n_lost: int
    n_weak: int


def read_judged(runs: results.Runs, p: RankingParameters) -> Training:
    """Read the verdicts that stand, and of each subgraph what the newest run that told it knew.

    Parameters
    ----------
    runs
        All saved runs.
    p
        The numbers of the method, by which strength is computed again.

    Returns
    -------
    Training
        The subgraphs that were judged, and how many verdicts were left out.

    Raises
    ------
    ConfigError
        If there is no run.

    Notes
    -----
    The newest run has all verdicts. Runs are opened from the newest on, until all judged subgraphs are found: so each as it
    was when it was told last. Strength is by the parameters given, whatever they were then, and without memory.
    """
    saved = runs.saved()
    newest = next(saved, None)
    if newest is None:
        raise ConfigError(f"{runs.place} holds no run that was saved whole: nothing to learn from")
    standing = standing_in(newest.folder)
    said = {key: row for key, row in standing.items() if row["verdict"] in (TRUE, *BENIGN)}
    wanted, found = dict(said), dict[str, Judged]()
    n_weak = 0
    for run in chain([newest], saved):
        if not wanted:
            break
        of_run = results.read_tables(run.folder, ["features", "signatures"])
        if len(of_run) < 2:
            continue  # of a version that signed nothing
        told = conform_arrow(of_run["features"].to_table(filter=_among(wanted)), FEATURES)
        signatures = of_run["signatures"].to_table(filter=_among(wanted))
        found |= {one.word.signature.subgraph_id: one for one in judged_of(told, signatures, wanted, p)}
        for key in told["subgraph_id"].to_pylist():
            n_weak += key not in found
            del wanted[key]
    judged = sorted(found.values(), key=lambda one: (one.word.judged_at, one.word.signature.subgraph_id))
    return Training(judged, len(standing) - len(said), len(wanted), n_weak)


def standing_in(folder: results.RunFolder) -> dict[str, Row]:
    """What stands of each subgraph, as a run knew it; nothing in a run of a version without verdicts."""
    tables = results.read_tables(folder, ["verdicts"])
    return standing_verdicts(tables["verdicts"].to_table()) if tables else {}


def _among(keys: Iterable[str]) -> pc.Expression:
    return pc.field("subgraph_id").isin(pa.array(keys, pa.string()))


def without_memory(features: pa.Table) -> pa.Table:
    """Features as if nothing were remembered."""
    at = features.schema.get_field_index("memory_nats")
    field = arrow_schema(FEATURES).field("memory_nats")
    return features.set_column(at, field, pa.array([0.0] * features.num_rows, pa.float64()))


def judged_of(
    features: pa.Table, signatures: pa.Table, said: Mapping[str, Row], p: RankingParameters
) -> Iterator[Judged]:
    """Join features, signatures and verdicts; one is one subgraph that has all three."""
    with Engine() as engine:
        scored = with_score(engine, without_memory(features), p).select(["subgraph_id", "z", "last_seen"]).to_pydict()
    z, seen_at = (dict(zip(scored["subgraph_id"], scored[column], strict=True)) for column in ("z", "last_seen"))
    known: Mapping[str, datetime] = seen_at
    for site, signature in signatures_of(signatures.filter(_among(known)), known):
        row = said[signature.subgraph_id]
        word = Remembered(signature, row["verdict"], row["judged_at"], row["judged_by"], row["certainty"])
        yield Judged(site, z[signature.subgraph_id], word)
