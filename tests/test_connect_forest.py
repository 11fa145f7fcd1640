"""The cause of each episode: one at most, the likeliest, and none that leads out of the warm-up."""

from __future__ import annotations

import random
from typing import Any

import networkx as nx
import pytest
from arrows import episode_table, table_of
from incident import story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.forest import choose_causes
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.schemas import LINKS

P = RankingParameters()
YOUNG, OLD = 23.9, 24.0
Pair = tuple[int, int]


def link(src: int, dst: int, log_odds: float, kind: str = "pivot", gap_minutes: float = 1.0) -> dict[str, Any]:
    alike = dict(site="plant", entity="host:fs1", chance=0.5, weight=0.25)
    return {**alike, "src": src, "dst": dst, "log_odds": log_odds, "kind": kind, "gap_minutes": gap_minutes}


def causes_of(links: list[dict[str, Any]], history: list[float]) -> dict[Pair, float]:
    """The causes with their weight; episodes are numbered from 1, a minute apart, with so many hours before each."""
    rows = story("plant", 1, *(told(f"{n} h{n}/it x", history_hours=hours) for n, hours in enumerate(history)))
    table = table_of(LINKS, links)
    with Engine() as engine:
        causes = choose_causes(engine, table, episode_table(rows), P)
    assert causes.column_names == table.column_names
    found = causes.to_pylist()
    assert [row["dst"] for row in found] == sorted({row["dst"] for row in found}), "one cause an episode, in order"
    return {(row["src"], row["dst"]): row["weight"] for row in found}


@pytest.mark.parametrize(
    ("links", "causes"),
    [
        pytest.param([link(1, 3, 0.5), link(2, 3, 0.4)], [(1, 3)], id="the likeliest, though another is nearer"),
        pytest.param([link(2, 3, 0.5), link(1, 3, 0.5)], [(1, 3)], id="of equal ones that from the lower number"),
        pytest.param([link(1, 2, -2.4999)], [(1, 2)], id="just likely"),
        pytest.param([link(1, 2, -2.5)], [], id="not above the least"),
        pytest.param([link(1, 2, 1.0), link(1, 3, 1.0), link(1, 4, 1.0)], [(1, 2), (1, 3), (1, 4)], id="many of one"),
        pytest.param([], [], id="none"),
    ],
)
def test_the_cause_of_an_episode(links: list[dict[str, Any]], causes: list[Pair]) -> None:
    assert causes_of(links, [OLD] * 4) == dict.fromkeys(causes, 0.25)


# --- the warm-up ----------------------------------------------------------------------------------------------------


def test_nothing_leads_out_of_the_warm_up() -> None:
    # 3 begins as the warm-up ends. Its likeliest would be 2, within it: the one that is left is taken.
    links = [link(1, 2, 1.0), link(2, 3, 9.0), link(3, 4, 1.0), link(1, 4, 9.0)]
    assert set(causes_of(links, [YOUNG, YOUNG, OLD, OLD])) == {(1, 2), (3, 4)}
    assert set(causes_of(links, [OLD] * 4)) == {(1, 2), (2, 3), (1, 4)}


@pytest.mark.parametrize(
    ("early", "is_taken"),
    [
        pytest.param(link(2, 3, -9.0), True, id="a pivot, however unlikely"),
        pytest.param(link(2, 3, -9.0, gap_minutes=30.0), True, id="within half an hour"),
        pytest.param(link(2, 3, -9.0, gap_minutes=30.1), False, id="just over"),
        pytest.param(link(2, 3, -9.0, kind="same_source"), False, id="no pivot"),
    ],
)
def test_while_nothing_can_be_judged_an_early_pivot_goes_before(early: dict[str, Any], is_taken: bool) -> None:
    links = [link(1, 3, 5.0, kind="account"), early]
    # It is as sure as the method knows while it lasts; what is likely keeps its own weight.
    assert causes_of(links, [YOUNG] * 3) == ({(2, 3): 0.95} if is_taken else {(1, 3): 0.25})
    assert causes_of(links, [OLD] * 3) == {(1, 3): 0.25}, "and not afterwards"


def test_of_early_pivots_the_nearest() -> None:
    # The nearest by start, then the lower number; odds have no word.
    assert set(causes_of([link(1, 3, 5.0), link(2, 3, -9.0)], [YOUNG] * 3)) == {(2, 3)}
    together = story("plant", 1, *(told(f"{m} h/it x", history_hours=YOUNG) for m in (0, 0, 5)))
    with Engine() as engine:
        both = table_of(LINKS, [link(2, 3, 5.0), link(1, 3, -9.0)])
        assert choose_causes(engine, both, episode_table(together), P)["src"].to_pylist() == [1]


# --- properties -----------------------------------------------------------------------------------------------------


def random_links(seed: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Links forward in time, odds of few values, so that ties are common; the warm-up ends somewhere."""
    chance = random.Random(seed)
    n = chance.randint(2, 40)
    young = chance.choice((0, 0, n // 3, n))
    pairs = {tuple(sorted(chance.sample(range(1, n + 1), 2))) for _ in range(chance.randint(1, 4 * n))}
    odds, kinds, gaps = (-9.0, -2.4, 0.0, 0.0, 3.0), ("pivot", "account", "coincidence"), (1.0, 40.0)
    links = [link(a, b, chance.choice(odds), chance.choice(kinds), chance.choice(gaps)) for a, b in sorted(pairs)]
    return links, [YOUNG] * young + [OLD] * (n - young)


@pytest.mark.parametrize("seed", range(40))
def test_causes_are_a_forest(seed: int) -> None:
    links, history = random_links(seed)
    causes = causes_of(links, history)
    assert causes_of(random.Random(seed).sample(links, len(links)), history) == causes, "the order of links matters"
    forest = nx.DiGraph(list(causes))
    assert nx.is_empty(forest) or nx.is_branching(forest)
    for src, dst in causes:
        assert (history[src - 1] == YOUNG) == (history[dst - 1] == YOUNG)
    # No episode without need: whoever has none has no likely link from its own side of the warm-up.
    without = {row["dst"] for row in links} - {dst for _, dst in causes}
    assert not [
        row for row in links
        if row["dst"] in without and row["log_odds"] > P.link_least and history[row["src"] - 1] == history[row["dst"] - 1]
    ]  # fmt: skip


def test_without_episodes_there_are_no_causes() -> None:
    with Engine() as engine:
        assert choose_causes(engine, table_of(LINKS, []), episode_table([]), P).equals(table_of(LINKS, []))
