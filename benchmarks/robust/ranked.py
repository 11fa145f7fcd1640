"""One site ranked without Spark, and what of its attacks is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import NamedTuple

import pyarrow as pa
from learning.analysts import TAKES

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.graph.choice import Answers
from alertgraph_spark.learn import Model, Remembered, Signature, SiteModel, curve, fit_offset, signatures_of
from alertgraph_spark.pipeline import rank_sites
from alertgraph_spark.ranking import Stages
from robust.rows import ADDED
from robust.spans import Site

ALL = datetime(1990, 1, 1, tzinfo=timezone.utc)
"""Since when subgraphs are told."""


class Ranked(NamedTuple):
    """What the job finds on a site.

    Attributes
    ----------
    subgraph_of
        The subgraph of each span.
    strength
        Of each subgraph, in nats.
    shown
        Subgraphs that are shown.
    signatures
        By subgraph, of those that have one.
    """

    subgraph_of: Mapping[str, str]
    strength: Mapping[str, float]
    shown: frozenset[str]
    signatures: Mapping[str, Signature]


def rank(site: Site, spans: pa.Table, p: RankingParameters, model: Model) -> Ranked:
    """Rank a site as the job does, where its alerts say this."""
    known = site.known._replace(model=model)
    found = rank_sites(spans, known, p, since=ALL, stages=Stages(), ask=lambda n_links: Answers())
    of_episode = dict(zip(*(found.episodes[name].to_pylist() for name in ("episode", "subgraph_id")), strict=True))
    pairs = zip(*(found.spans[name].to_pylist() for name in ("span", "episode")), strict=True)
    rows = found.subgraphs.select(["subgraph_id", "score", "is_shown", "last_seen"]).to_pylist()
    seen = {row["subgraph_id"]: row["last_seen"] for row in rows}
    return Ranked(
        {span: of_episode[episode] for span, episode in pairs if episode in of_episode},
        {row["subgraph_id"]: p.half_score * row["score"] / (1 - row["score"]) for row in rows},
        frozenset(row["subgraph_id"] for row in rows if row["is_shown"]),
        {one.subgraph_id: one for _, one in signatures_of(found.signatures, seen)},
    )


def steps_shown(site: Site, ranked: Ranked) -> frozenset[str]:
    """The attack steps with an alert in what is shown."""
    held = zip(site.steps["span"], site.steps["step"], strict=True)
    return frozenset(step for span, step in held if ranked.subgraph_of.get(span) in ranked.shown)


def is_noticed(ranked: Ranked) -> bool:
    """Whether anything that an attacker has added is shown."""
    return any(span.startswith(ADDED) and one in ranked.shown for span, one in ranked.subgraph_of.items())


def attacked(site: Site, ranked: Ranked) -> frozenset[str]:
    """The subgraphs that bear an attack."""
    return frozenset(ranked.subgraph_of[span] for span in site.steps["span"] if span in ranked.subgraph_of)


def judged_benign(site: Site, ranked: Ranked, p: RankingParameters) -> Model:
    """What is learned where analysts judge all that is shown and no attack as benign."""
    benign = sorted(ranked.shown - attacked(site, ranked))
    return taught(site.name, [ranked.signatures[one] for one in benign], [ranked.strength[one] for one in benign], p)


def taught(site: str, signatures: Iterable[Signature], strength: Iterable[float], p: RankingParameters) -> Model:
    """A model of one site that knows these as benign."""
    memory = tuple(Remembered(one, "benign_positive", one.seen_at + TAKES) for one in signatures)
    etas = [curve(z, p) for z in strength]
    offset = fit_offset(etas, [False] * len(etas), [1.0] * len(etas), p.site_variance)
    return Model({site: SiteModel(offset, len(memory), memory)}, "benign")
