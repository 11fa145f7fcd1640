"""Explain: what a person reads of a shown subgraph, what it takes to be shown, and the network that it is drawn as."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from alertgraph_spark.explain.contacts import with_contacts
from alertgraph_spark.explain.counterfactual import Rescore, with_counterfactual
from alertgraph_spark.explain.network import Network, draw_network
from alertgraph_spark.explain.related import with_related
from alertgraph_spark.explain.story import spans_of_stories, with_story
from alertgraph_spark.explain.ties import with_ties
from alertgraph_spark.explain.variants import Inputs
from alertgraph_spark.tables.embedded import Engine

__all__ = ["Inputs", "Network", "Rescore", "draw_network", "explain_subgraphs", "spans_of_stories", "with_contacts"]


def explain_subgraphs(
    engine: Engine,
    subgraphs: pa.Table,
    scored: Inputs,
    first_alerts: pa.Table,
    rescore: Rescore,
    *,
    chains: Collection[str],
) -> pa.Table:
    """Explain each subgraph that is shown: what happened, what ties it together, what is related to it, and what it
    takes to be shown.

    Parameters
    ----------
    engine
        DuckDB in this process.
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`), with `cut` alone in `counterfactual`.
    scored
        What their scores were made of: all episodes of their sites, links that were not cut, motif hits.
    first_alerts
        One row is one `episode` of a shown subgraph with its first `alert_ids` by id, `sentences.MAX_IDS` at most.
    rescore
        Takes episodes, links and motif hits of variants, and gives `subgraph_id` and `score` of each.
    chains
        Motifs that are chains.

    Returns
    -------
    pa.Table
        The same rows, with story, ties, related and counterfactual.
    """
    asked = with_counterfactual(engine, subgraphs, scored, first_alerts, rescore, chains=chains)
    tied = with_ties(engine, asked, scored.episodes, scored.links)
    related = with_related(engine, tied, scored.episodes)
    return with_story(engine, related, scored.episodes, first_alerts)
