"""Training: what verdicts teach of each site, tried on later verdicts beside the model in use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn.apply import memory_of
from alertgraph_spark.learn.calibrate import curve, fit_offset, log_loss, probability
from alertgraph_spark.learn.evaluation import LATER_SHARE, Evaluation, auc, interval, reliability
from alertgraph_spark.learn.model import EVERY_SITE, Model, SiteModel
from alertgraph_spark.learn.recall import TRUE, Remembered, as_row


class Judged(NamedTuple):
    """A subgraph that was judged, as it stood when it was told last: its site, its strength without memory, and the word."""

    site: str
    z: float
    word: Remembered

    @property
    def is_true(self) -> bool:
        """Whether it was an attack."""
        return self.word.verdict == TRUE


class Told(NamedTuple):
    """What a model says of judged subgraphs: log-odds that each is an attack, and the strength by which it ranks."""

    log_odds: list[float]
    z: list[float]


def fit(judged: Sequence[Judged], p: RankingParameters, name: str, *, share: bool = False) -> Model:
    """Fit a model on all verdicts: what each site remembers, and the offset of its curve.

    The offset is fitted on what would have been told of each subgraph with what had been judged before it was seen.

    Parameters
    ----------
    judged
        One item is one subgraph that was judged, in any order.
    p
        The numbers of the method.
    name
        Name of the model.
    share
        Whether all sites remember what was judged on any of them, for one who answers for all.

    Returns
    -------
    Model
        A site without a verdict has no part in it.
    """
    judged = _in_order(judged)
    told = [of.log_odds for of in _rolled(judged, p, share)]
    sites = {}
    for site in sorted({one.site for one in judged}):
        own = [(one, eta) for one, eta in zip(judged, told, strict=True) if one.site == site]
        offset = _offset([one for one, _ in own], [eta for _, eta in own], p)
        sites[site] = SiteModel(offset, len(own), () if share else tuple(one.word for one, _ in own))
    if share:
        sites[EVERY_SITE] = SiteModel(memory=tuple(one.word for one in judged))
    until = max((one.word.judged_at for one in judged), default=None)
    return Model(sites, name, until)


def evaluate(judged: Sequence[Judged], current: Model, p: RankingParameters, *, share: bool = False) -> Evaluation:
    """Try what verdicts teach against the model in use, on the last third of the verdicts by time.

    What is told of a verdict's subgraph uses what had been judged before it was seen last, and never its own verdict.
    That holds for the model in use, too.

    Parameters
    ----------
    judged
        One item is one subgraph that was judged, in any order.
    current
        The model in use.
    p
        The numbers of the method.
    share
        Whether all sites remember what was judged on any of them.

    Returns
    -------
    Evaluation
        Without figures where the last third has no verdict.
    """
    rows = _in_order(judged)
    n_later = int(len(rows) * LATER_SHARE)
    n_earlier = len(rows) - n_later
    later = rows[n_earlier:]
    n_true = sum(one.is_true for one in later)
    if not later:
        return Evaluation(n_earlier, 0, 0)
    before = _told_by(later, current, p)
    after = _told_anew(rows, p, n_earlier, share)
    losses = [
        [log_loss(eta, one.is_true) for eta, one in zip(told.log_odds, later, strict=True)] for told in (before, after)
    ]
    low, high = interval([b - a for a, b in zip(*losses, strict=True)])
    trues = [one.is_true for one in later]
    tables = [reliability(map(probability, told.log_odds), trues) for told in (before, after)]
    return Evaluation(
        n_earlier,
        n_later,
        n_true,
        loss_before=sum(losses[0]) / n_later,
        loss_after=sum(losses[1]) / n_later,
        low=low,
        high=high,
        auc_before=auc(before.z, trues),
        auc_after=auc(after.z, trues),
        table_before=tables[0],
        table_after=tables[1],
    )


def digest(judged: Sequence[Judged]) -> str:
    """Twelve hexadecimal digits of what a model is trained on, whatever the order of its rows."""
    rows = sorted(json.dumps([one.site, one.z, as_row(one.word)], sort_keys=True) for one in judged)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]


def _in_order(judged: Iterable[Judged]) -> list[Judged]:
    return sorted(judged, key=lambda one: (one.word.judged_at, one.word.signature.subgraph_id))


class _Rolled(NamedTuple):
    log_odds: float
    z: float


def _rolled(judged: Sequence[Judged], p: RankingParameters, share: bool) -> list[_Rolled]:
    """What memory would have told of each subgraph with what had been judged on its site before it was seen last."""
    found = []
    for one in judged:
        earlier = [row.word for row in judged if (share or row.site == one.site) and _is_before(row, one)]
        recalled = memory_of(one.word.signature, one.z, SiteModel(memory=tuple(earlier)), p)
        z = one.z + (recalled.nats if recalled else 0.0)
        found.append(_Rolled(curve(z, p) + (recalled.log_odds if recalled else 0.0), z))
    return found


def _is_before(row: Judged, one: Judged) -> bool:
    return row.word.judged_at <= one.word.signature.seen_at


def _told_anew(rows: Sequence[Judged], p: RankingParameters, first: int, share: bool) -> Told:
    """What models would have told of the rows from `first` on, each fitted on what had been judged before."""
    rolled = _rolled(rows, p, share)
    log_odds = []
    for at in range(first, len(rows)):
        one = rows[at]
        earlier = [n for n, row in enumerate(rows) if row.site == one.site and _is_before(row, one) and n != at]
        offset = _offset([rows[n] for n in earlier], [rolled[n].log_odds for n in earlier], p)
        log_odds.append(rolled[at].log_odds + offset)
    return Told(log_odds, [of.z for of in rolled[first:]])


def _told_by(rows: Sequence[Judged], model: Model, p: RankingParameters) -> Told:
    """What a model tells of rows; of its memory what had been judged before each was seen."""
    log_odds, values = [], []
    for one in rows:
        of = model.of(one.site)
        memory = tuple(word for word in of.memory if word.judged_at <= one.word.signature.seen_at)
        recalled = memory_of(one.word.signature, one.z, replace(of, memory=memory), p)
        z = one.z + (recalled.nats if recalled else 0.0)
        values.append(z)
        log_odds.append(curve(z, p) + of.log_odds + (recalled.log_odds if recalled else 0.0))
    return Told(log_odds, values)


def _offset(rows: Sequence[Judged], log_odds: Sequence[float], p: RankingParameters) -> float:
    certain = [row.word.certainty for row in rows]
    return fit_offset(log_odds, [row.is_true for row in rows], certain, p.site_variance)
