"""A model applied to the subgraphs of a run: what it remembers of each, in nats and in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import recall
from alertgraph_spark.learn.model import Model, SiteModel
from alertgraph_spark.learn.recall import Memory, Rule, Signature
from alertgraph_spark.learn.traits import MOST_ACTORS
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.learn_schemas import RECALLED


def rule_of(p: RankingParameters) -> Rule:
    """How far a verdict carries, by the parameters."""
    carries = (p.memory_least_alike, p.memory_prior, p.memory_half_life_days, p.memory_most_log_odds)
    known = (p.memory_true_alike, p.memory_covered, MOST_ACTORS, p.memory_knows_kinds)
    return Rule(p.nats_slope, p.even_nats, *carries, *known)


def signatures_of(signatures: pa.Table, seen_at: Mapping[str, datetime]) -> Iterator[tuple[str, Signature]]:
    """Read signatures as plain values.

    Parameters
    ----------
    signatures
        One row is one subgraph (`learn_schemas.SIGNATURES`).
    seen_at
        Id of a subgraph to when it was seen last.

    Yields
    ------
    tuple
        The site and the signature of each row.
    """
    for row in signatures.to_pylist():
        traits = {one["trait"]: one["nats"] for one in row["traits"]}
        actors, crossings, kinds = (frozenset(row[key]) for key in ("actors", "crossings", "kinds"))
        key = row["subgraph_id"]
        yield row["site"], Signature(key, seen_at[key], traits, actors, crossings, row["is_act"], kinds)


def apply_model(signatures: pa.Table, scored: pa.Table, model: Model, p: RankingParameters) -> pa.Table:
    """Say what a model remembers of subgraphs.

    Parameters
    ----------
    signatures
        `learn_schemas.SIGNATURES`.
    scored
        One row is one subgraph: `subgraph_id`, `last_seen`, and `z` without memory.
    model
        What was learned. The shipped one remembers nothing.
    p
        The numbers of the method.

    Returns
    -------
    pa.Table
        One row is one subgraph of which something is remembered (`learn_schemas.RECALLED`).

    Notes
    -----
    Cost: signatures times remembered subgraphs of their site, times their traits.
    """
    rows = [] if model.is_shipped else list(_rows(signatures, scored, model, p))
    return pa.Table.from_pylist(rows, schema=arrow_schema(RECALLED))


def _rows(signatures: pa.Table, scored: pa.Table, model: Model, p: RankingParameters) -> Iterator[dict[str, Any]]:
    of = scored.select(["subgraph_id", "z", "last_seen"]).to_pydict()
    z, seen_at = (dict(zip(of["subgraph_id"], of[column], strict=True)) for column in ("z", "last_seen"))
    of_site = {site: model.of(site) for site in signatures["site"].unique().to_pylist()}
    for site, signature in signatures_of(signatures, seen_at):
        key = signature.subgraph_id
        if (told := memory_of(signature, z[key], of_site[site], p)) is not None:
            words = {"memory_nats": told.nats, "memory_log_odds": told.log_odds, "memory_fact": told.fact}
            yield {"subgraph_id": key, **words}


def memory_of(signature: Signature, z: float, of_site: SiteModel, p: RankingParameters) -> Memory | None:
    """What a site remembers of a subgraph of strength `z`; see `recall.memory_of`."""
    return recall.memory_of(signature, z, of_site.log_odds, of_site.memory, rule_of(p))


def offsets_of(model: Model, sites: Iterable[str]) -> pa.Table:
    """Give what is added to the log-odds of the curve at each site.

    Parameters
    ----------
    model
        What was learned.
    sites
        Workspaces, in any order and more than once.

    Returns
    -------
    pa.Table
        One row is one `site` with its `log_odds`, by name.
    """
    names = sorted(set(sites))
    values = [model.of(site).log_odds for site in names]
    return pa.table({"site": pa.array(names, pa.string()), "log_odds": pa.array(values, pa.float64())})
