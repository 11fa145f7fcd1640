"""Which alert types are left out of a subgraph to see what decides, and which answer is told."""

from __future__ import annotations

from typing import Any

import pytest

from alertgraph_spark.explain.ablations import ABLATIONS, list_ablations, rarest_and_busiest, smallest_ablation


def typed(*n_alerts: int) -> list[dict[str, Any]]:
    return [{"source": "edr", "name": f"t{i}", "n_alerts": n} for i, n in enumerate(n_alerts)]


@pytest.mark.parametrize(
    ("scores", "told_indexes"),
    [
        ({(0,): 0.4, (1,): 0.3}, (1,)),  # 2 alerts, not 3, though both would do
        ({(0,): 0.5, (1,): 0.6, (0, 1): 0.2}, (0, 1)),  # at the cut it would still be shown
        ({(0,): 0.4, (1, 2): 0.4}, (0,)),  # 3 alerts each: fewer types
        ({(2,): 0.4, (3,): 0.3}, (3,)),  # 1 alert each: the lower score
        ({(2,): 0.3, (3,): 0.3}, (2,)),  # all alike: the earlier place
    ],
)
def test_the_fewest_alerts_then_types_then_the_lower_score(scores: dict[Any, float], told_indexes: Any) -> None:
    types = typed(3, 2, 1, 1)
    assert smallest_ablation(0.5, types, scores).types == [types[index] for index in told_indexes]


def test_where_no_choice_is_enough() -> None:
    one = smallest_ablation(0.5, typed(1, 1), {(0,): 0.61, (1,): 0.502})
    assert (one.score, one.types) == (None, None)
    assert one.fact == (
        "no choice of its alert types that was tried is enough:"
        " what is left would score 0.502 at the least, not below the 0.500 needed to be shown"
    )


def test_of_many_types_the_sentence_names_three() -> None:
    one = smallest_ablation(0.5, typed(1, 2, 3, 4, 5), {(0, 1, 2, 3, 4): 0.4999})
    assert one.fact == (
        "without “t0” (1 alert), “t1” (2 alerts), “t2” (3 alerts) and 2 more it would score 0.4999,"
        " below the 0.5000 needed to be shown"
    )


def test_the_most_surprising_and_the_most_in_chains_come_rarest_and_busiest() -> None:
    rows = [
        {"source": "edr", "name": name, "surprise": surprise, "n_hits": n_hits}
        for name, surprise, n_hits in (("hop", 1.0, 9), ("rare", 8.0, 0), ("odd", 7.0, 2), ("usual", 0.5, 0))
    ]
    assert [row["name"] for row in rarest_and_busiest(rows)] == ["rare", "hop", "odd", "usual"]
    assert rarest_and_busiest(rows[::-1]) == rarest_and_busiest(rows)


def test_every_set_of_the_first_six_is_tried_once() -> None:
    assert len(ABLATIONS) == len(set(ABLATIONS)) < 100
    assert len([indexes for indexes in ABLATIONS if max(indexes) < 6]) == 2**6 - 1
    assert list_ablations(1, 1) == [(0,)]
