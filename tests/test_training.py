"""Training: what is fitted, how it is tried on later verdicts, and when it is promoted."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import (
    Bin,
    Evaluation,
    Judged,
    Model,
    Remembered,
    Signature,
    calibration_error,
    curve,
    decide,
    digest,
    evaluate,
    fit,
    from_json,
    memory_of,
    to_json,
)
from alertgraph_spark.learn.apply import rule_of
from alertgraph_spark.learn.evaluation import auc, interval, reliability
from alertgraph_spark.learn.recall import as_row

P = RankingParameters()
DAY = timedelta(days=1)
BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)


def judged(day: float, verdict: str, kind: str, z: float = 20.0, site: str = "plant", **more: Any) -> Judged:
    """A subgraph of a day, judged the same evening; all of a kind are alike, those of two kinds are not."""
    at = BEGIN + timedelta(days=day)
    signature = Signature(f"sg-{site}-{kind}-{day}", at, {f"does {kind}": 5.0}, frozenset({f"host:{kind}"}))
    return Judged(site, z, Remembered(signature, verdict, at + timedelta(hours=8), "ana", **more))


def rounds(n: int, site: str = "plant") -> list[Judged]:
    """A benign chain that comes again day after day."""
    return [judged(day, "benign_positive", "round", site=site) for day in range(n)]


# fit


def test_a_site_remembers_what_was_judged_there() -> None:
    model = fit([*rounds(3), judged(1, "true_positive", "attack", site="other")], P, "m")
    assert {site: of.n_verdicts for site, of in model.sites.items()} == {"plant": 3, "other": 1}
    assert [one.signature.subgraph_id for one in model.of("other").memory] == ["sg-other-attack-1"]
    assert model.of("other").log_odds > 0 > model.of("plant").log_odds
    assert model.trained_until == BEGIN + timedelta(days=2, hours=8)


def test_the_order_of_verdicts_does_not_matter() -> None:
    rows = [*rounds(4), judged(2, "true_positive", "attack", z=30.0)]
    mixed = random.Random(1).sample(rows, len(rows))
    assert digest(mixed) == digest(rows)
    assert to_json(fit(rows, P, "m")) == to_json(fit(mixed, P, "m"))
    assert evaluate(rows, Model(), P) == evaluate(mixed, Model(), P)


def test_another_verdict_is_another_digest() -> None:
    rows = rounds(3)
    other = [*rows[:2], rows[2]._replace(word=rows[2].word._replace(verdict="true_positive"))]
    assert digest(rows) != digest(other)


def test_an_offset_is_what_memory_does_not_tell_already() -> None:
    """Ten rounds that are alike teach memory; of ten that are not, each is news, and the site's curve sinks further."""
    strangers = [judged(day, "benign_positive", f"kind-{day}") for day in range(10)]
    alike, apart = (fit(rows, P, "m").of("plant").log_odds for rows in (rounds(10), strangers))
    assert apart < alike < 0


def test_memory_is_shared_by_choice_alone() -> None:
    here, new = rounds(3), judged(9, "benign_positive", "round", site="elsewhere").word.signature
    own, shared = fit(here, P, "m"), fit(here, P, "m", share=True)
    assert memory_of(new, 20.0, own.of("elsewhere"), P) is None
    found = memory_of(new, 20.0, shared.of("elsewhere"), P)
    assert found
    assert found.nats < -1
    assert shared.of("plant").memory == own.of("plant").memory
    assert to_json(from_json(to_json(shared), "m")) == to_json(shared)
    twice = [*here, *(judged(day, "benign_positive", "round", site="elsewhere") for day in (4, 4.1, 4.2))]
    assert evaluate(twice, Model(), P, share=True).loss_after < evaluate(twice, Model(), P).loss_after


# evaluate


def test_no_verdict_is_told_by_itself_or_by_a_later_one() -> None:
    """The last three of nine are tried; what comes on one day only is told by the curve and the offset alone."""
    strangers = [judged(day, "benign_positive", f"kind-{day}") for day in range(9)]
    found = evaluate(strangers, Model(), P)
    assert (found.n_earlier, found.n_later, found.n_true) == (6, 3, 0)
    offsets = [fit(strangers[:n], P, "m").of("plant").log_odds for n in (6, 7, 8)]
    told = [1 / (1 + pow(2.718281828459045, -(curve(20.0, P) + offset))) for offset in offsets]
    assert found.table_after == [Bin(0.03, 0.1, 3, pytest.approx(sum(told) / 3), 0.0)]


def test_what_was_judged_in_the_evening_does_not_tell_the_morning() -> None:
    one = judged(1.0, "benign_positive", "round")
    same_day = judged(1.1, "benign_positive", "round")  # 2.4 hours later: the first is judged after 8
    next_day = judged(2.0, "benign_positive", "round")
    alone, together = (evaluate([one, second, second], Model(), P).loss_after for second in (same_day, next_day))
    assert together < alone == pytest.approx(evaluate([one, one, same_day], Model(), P).loss_before)


def test_the_model_in_use_is_asked_only_what_it_could_know() -> None:
    rows = rounds(30)
    champion = fit(rows, P, "models:/x/1")
    found = evaluate(rows, champion, P)
    assert found.loss_before == pytest.approx(found.loss_after, rel=0.2), "it learned from the same verdicts"
    assert evaluate(rows, Model(), P).loss_before > 5 * found.loss_before


def test_a_word_said_later_is_nothing_that_the_model_in_use_knew() -> None:
    """Two of a kind on the last two days: the champion remembers both, and may tell the second by the first alone."""
    rows = [
        *(judged(day, "benign_positive", f"kind-{day}") for day in range(4)),
        *(judged(4 + n, "benign_positive", "new") for n in (0, 1)),
    ]
    champion = fit(rows, P, "models:/x/1")
    first, second = evaluate(rows, champion, P).table_before
    assert (first.n, second.n) == (1, 1), "one is told by memory, the other by the curve"


def test_a_subgraph_that_was_judged_while_it_grew_is_not_told_by_its_own_verdict() -> None:
    strangers = [judged(day, "benign_positive", f"kind-{day}") for day in range(9)]
    late = strangers[-1]
    grown = late._replace(
        word=late.word._replace(signature=late.word.signature._replace(seen_at=late.word.judged_at + DAY))
    )
    assert evaluate([*strangers[:-1], grown], Model(), P) == evaluate(strangers, Model(), P)


# promote


def test_a_chain_that_recurs_is_told_better_and_promoted() -> None:
    found = evaluate(rounds(36), Model(), P)
    is_better, why = decide(found)
    assert is_better, why
    assert why.startswith("log loss 0.061 -> 0.00")
    assert "on 12 later verdicts, a change of -0.05" in why


def test_too_few_verdicts_say_how_many_are_missing() -> None:
    assert decide(evaluate(rounds(12), Model(), P)) == (
        False,
        "too few verdicts to tell: 4 later ones of 10; about 18 are missing",
    )
    assert decide(evaluate([], Model(), P))[1].startswith("too few verdicts to tell: 0 later ones of 10")


def told(n: int = 40, **more: Any) -> Evaluation:
    """An evaluation of 40 later verdicts, by which the new model is better beyond chance."""
    known = {"loss_before": 0.5, "loss_after": 0.4, "low": -0.15, "high": -0.05, "auc_before": 0.7, "auc_after": 0.7}
    return Evaluation(80, n, 10, **{**known, **more})


def test_a_model_that_ranks_worse_is_not_promoted() -> None:
    assert decide(told())[0]
    assert decide(told(auc_after=0.69)) == (
        False,
        "it ranks later verdicts worse: AUC 0.700 -> 0.690; log loss 0.500 -> 0.400 on 40 later verdicts",
    )
    assert decide(told(auc_before=None, auc_after=None))[0], "all of one kind: nothing is ranked"


def test_what_may_be_chance_is_not_promoted() -> None:
    # The change is -.1, its interval reaches .2 further: it takes 4 times as many, 120 later ones more, of 3 in all
    is_better, why = decide(told(high=0.1))
    assert not is_better
    assert why.endswith("which may be chance: [-0.150, +0.100] holds 0; about 360 more verdicts are missing")
    assert decide(told(loss_after=0.5))[1].startswith("it tells later verdicts no better")


# figures


def test_auc_by_hand() -> None:
    assert auc([3.0, 2.0, 2.0, 1.0], [True, True, False, False]) == (1 + 1 + 0.5 + 1) / 4
    assert auc([1.0], [True]) is None


def test_a_reliability_table_by_hand() -> None:
    table = reliability([0.01, 0.02, 0.5, 1.0], [False, True, True, True])
    assert table == [Bin(0.0, 0.03, 2, 0.015, 0.5), Bin(0.4, 1.0, 2, 0.75, 1.0)]
    assert calibration_error(table) == pytest.approx((2 * 0.485 + 2 * 0.25) / 4)


def test_an_interval_is_the_same_each_time_and_holds_the_mean() -> None:
    changes = [0.1, -0.4, 0.2, -0.3, -0.1] * 8
    assert interval(changes) == interval(changes)
    low, high = interval(changes)
    assert low < sum(changes) / len(changes) < high
    assert interval([-0.5] * 9) == (-0.5, -0.5)


# the logged scorer tells what the job tells


def test_the_scorer_remembers_as_the_job_does() -> None:
    pytest.importorskip("mlflow")
    from alertgraph_spark.publish.scorer import score_frame  # noqa: PLC0415  # after the skip
    from alertgraph_spark.score import TERMS, scorer_weights  # noqa: PLC0415

    model = fit(rounds(3), P, "m")
    learned = {**json.loads(to_json(model)), "rule": rule_of(P)._asdict()}
    new = judged(9, "benign_positive", "round")
    signature = json.dumps({name: value for name, value in as_row(new.word).items() if name not in ("verdict",)})
    row = {term.column: 0.0 for term in TERMS} | {"rarity_nats": 20.0}
    frame = pd.DataFrame(
        [row | {"site": "plant", "signature": signature}, row | {"site": "plant", "signature": ""}, row]
    )
    scored = score_frame(frame, {**scorer_weights(P), "learned": learned})
    said = memory_of(new.word.signature, 20.0, model.of("plant"), P)
    assert said
    z = [20.0 + said.nats, 20.0, 20.0]
    assert scored["score"].tolist() == pytest.approx([one / (one + P.half_score) for one in z])
    offset = model.of("plant").log_odds
    odds = [curve(one, P) + of for one, of in zip(z, (offset, offset, 0.0), strict=True)]
    assert scored["probability"].tolist() == pytest.approx([1 / (1 + 2.718281828459045**-one) for one in odds])
    bare = score_frame(frame.drop(columns=["site", "signature"]), {**scorer_weights(P), "learned": learned})
    assert bare["contribution_memory"].tolist() == [0.0] * 3
