"""Whole sites, from what their alerts say to subgraphs with a score: the part of the line that needs no Spark session."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect import connect_episodes
from alertgraph_spark.describe import describe_subgraphs
from alertgraph_spark.explain import Inputs
from alertgraph_spark.fold import fold_spans
from alertgraph_spark.graph.choice import Answers
from alertgraph_spark.graph.limit import links_of_sites
from alertgraph_spark.interpret import AssetList, interpret_each
from alertgraph_spark.learn import Model, apply_model, offsets_of, sign_subgraphs
from alertgraph_spark.link import link_episodes
from alertgraph_spark.match import find_paths, match_motifs
from alertgraph_spark.match.records import CHAINS, CHECKS, MOTIFS, TITLES
from alertgraph_spark.ranking import Found, Stages
from alertgraph_spark.score import score_subgraphs, suppress_subgraphs, with_memory, with_score
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.interim_schemas import SPANS


class Known(NamedTuple):
    """What is known beside the alerts.

    The asset list, the `calendar` of announced maintenance (`interim_schemas.CALENDAR`), what is `excepted`
    (`interim_schemas.EXCEPTION_KEYS`), and what was learned from verdicts.
    """

    assets: AssetList
    calendar: pa.Table
    excepted: pa.Table
    model: Model = Model()  # frozen


def rank_sites(
    spans: pa.Table,
    known: Known,
    p: RankingParameters,
    *,
    since: datetime,
    stages: Stages,
    ask: Callable[[int], Answers],
) -> Found:
    """Interpret and fold what the alerts of whole sites say, and find and score their subgraphs.

    Parameters
    ----------
    spans
        One row is one span (`interim_schemas.SPANS`). A site is in it whole.
    known
        What is known beside the alerts.
    p
        The numbers of the method.
    since
        Subgraphs without an alert received since then are left out.
    stages
        Takes the rows and the seconds of each stage.
    ask
        Takes a number of links and gives the engine for a graph of that size.

    Returns
    -------
    Found
        The tables of these sites, and what the stages took.
    """
    assets, calendar, excepted, model = known
    with Engine() as engine:
        with stages("fold") as stage:
            said = conform_arrow(spans, SPANS)
            meant = interpret_each(said, assets)
            of_spans, folded, unknown, stage.left_out = fold_spans(engine, said, meant, calendar, p)
            stage.rows = folded.num_rows
        with stages("link") as stage:
            linked = link_episodes(engine, folded, p)
            stage.rows = linked.links.num_rows
        with stages("connect") as stage:
            answers = ask(linked.links.num_rows)
            held, n_left_out = links_of_sites(engine, linked.links, answers.most_links)
            connected = connect_episodes(engine, linked._replace(links=held), p, answers.components, answers.max_links)
            stage.rows, stage.left_out = connected.episodes.num_rows, n_left_out + connected.n_left_out
        episodes, links, causes, cuts, _ = connected
        with stages("match") as stage:
            hits = match_motifs(engine, episodes, links, MOTIFS, answers.find_matches)
            stage.rows = hits.num_rows
        with stages("describe") as stage:
            inputs = Inputs(episodes, links, hits)
            features = _describe(engine, p, inputs)
            stage.rows = features.num_rows
        with stages("score") as stage:
            scored = with_score(engine, features, p)
            signatures = sign_subgraphs(engine, episodes, scored, p)
            recalled = apply_model(signatures, scored, model, p)
            features = with_memory(engine, features, recalled)
            rescore = partial(score_anew, engine, p, recalled)
            hidden, matched = suppress_subgraphs(engine, *inputs, excepted, rescore=rescore, p=p)
            learned = {"recalled": recalled, "offsets": offsets_of(model, features["site"].unique().to_pylist())}
            subgraphs = score_subgraphs(
                engine, features, p, since, titles=TITLES, checks=CHECKS, suppressed=hidden, **learned
            )
            stage.rows = subgraphs.num_rows
    found = (of_spans, episodes, links, causes, hits, features, subgraphs, matched, cuts, signatures)
    return Found(*found, unknown, stages.table, answers.engine)


def _describe(engine: Engine, p: RankingParameters, inputs: Inputs) -> pa.Table:
    """The features of subgraphs, those of the run and those of which something was left out."""
    paths = find_paths(engine, inputs.episodes, inputs.links, p)
    return describe_subgraphs(engine, inputs.episodes, inputs.motif_hits, paths, p, chains=CHAINS)


def score_anew(engine: Engine, p: RankingParameters, recalled: pa.Table, *inputs: pa.Table) -> pa.Table:
    """What is left of subgraphs, or what is new of them, scored as subgraphs are; what is remembered of the whole stays."""
    return with_score(engine, with_memory(engine, _describe(engine, p, Inputs(*inputs)), recalled), p)
