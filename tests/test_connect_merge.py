"""Merging along links, round by round and strongest first, under a cap of size."""

from __future__ import annotations

import random
from collections.abc import Iterable

import networkx as nx
import pyarrow as pa
import pytest

from alertgraph_spark.connect.merge import merge_components

WeightedLink = tuple[int, int, float]
Link = tuple[int, int, int, float]


def of_round(links: Iterable[WeightedLink], merge_round: int = 0) -> list[Link]:
    return [(merge_round, *link) for link in links]


def merged(
    links: Iterable[Link], cap: int, sizes: dict[int, int] | None = None
) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Each vertex with its part, and the links refused."""
    names = {"merge_round": pa.int64(), "src": pa.int64(), "dst": pa.int64(), "weight": pa.float64()}
    rows = [dict(zip(names, link, strict=True)) for link in links]
    parts, refused = merge_components(pa.Table.from_pylist(rows, pa.schema(names)), cap, sizes)
    assert parts["id"].to_pylist() == sorted(parts["id"].to_pylist())
    return (
        dict(zip(parts["id"].to_pylist(), parts["component"].to_pylist(), strict=True)),
        [(row["src"], row["dst"]) for row in refused.to_pylist()],
    )


# --- the size cap ---------------------------------------------------------------------------------------------------

# A chain whose middle is weakest:  1 ─.9─ 2 ─.1─ 3 ─.8─ 4
CHAIN: list[WeightedLink] = [(1, 2, 0.9), (2, 3, 0.1), (3, 4, 0.8)]


@pytest.mark.parametrize(
    ("links", "cap", "parts", "refused"),
    [
        pytest.param(CHAIN, 4, {1: 1, 2: 1, 3: 1, 4: 1}, [], id="at the cap nothing is cut"),
        # 2 + 2 > 3: the weakest goes, though 1-2-3 would have fitted
        pytest.param(CHAIN, 3, {1: 1, 2: 1, 3: 3, 4: 3}, [(2, 3)], id="one above the cap"),
        pytest.param(CHAIN, 1, {1: 1, 2: 2, 3: 3, 4: 4}, [(1, 2), (2, 3), (3, 4)], id="a cap of one cuts all"),
        # .9 takes 1-2, .8 takes 3 to them, .7 would make four
        pytest.param(
            [(1, 2, 0.9), (1, 3, 0.8), (1, 4, 0.7)],
            3,
            {1: 1, 2: 1, 3: 1, 4: 4},
            [(1, 4)],
            id="a hub keeps its strongest",
        ),
        # equal weights in order of src, dst: 1-2 first, then 3 is one too many for 2-3 and alone
        pytest.param([(2, 3, 0.5), (1, 2, 0.5)], 2, {1: 1, 2: 1, 3: 3}, [(2, 3)], id="a tie is cut the same each time"),
        # the closing link of a ring joins what is joined already and costs no place
        pytest.param([(1, 2, 0.9), (2, 3, 0.8), (1, 3, 0.1)], 3, {1: 1, 2: 1, 3: 1}, [], id="a ring"),
        # a refused link does not block the weaker one after it
        pytest.param(
            [(1, 2, 0.9), (3, 4, 0.8), (2, 3, 0.7), (4, 5, 0.1)],
            3,
            {1: 1, 2: 1, 3: 3, 4: 3, 5: 3},
            [(2, 3)],
            id="the next weaker still joins",
        ),
        pytest.param([], 3, {}, [], id="no links"),
    ],
)
def test_links_merge_strongest_first(
    links: list[WeightedLink], cap: int, parts: dict[int, int], refused: list[tuple[int, int]]
) -> None:
    assert merged(of_round(links), cap) == (parts, refused)


def random_links(seed: int) -> list[WeightedLink]:
    """Each pair at most once, the earlier first; weights of few values, so that ties are common."""
    chance = random.Random(seed)
    n = chance.randint(2, 40)
    pairs = {tuple(sorted(chance.sample(range(n), 2))) for _ in range(chance.randint(1, 3 * n))}
    return [(src, dst, chance.choice((0.1, 0.5, 0.5, 0.9))) for src, dst in sorted(pairs)]


def test_properties_of_the_cap_on_random_graphs() -> None:
    for seed in range(300):
        links = random_links(seed)
        cap = random.Random(seed).choice((1, 2, 3, 5, 12, 99))
        parts, refused = merged(of_round(links), cap)
        shuffled = random.Random(seed + 1).sample(links, len(links))
        assert merged(of_round(shuffled), cap) == (parts, refused), f"seed {seed}: the order of links matters"

        kept = nx.Graph([(src, dst) for src, dst, _ in links if (src, dst) not in set(refused)])
        kept.add_nodes_from(parts)
        members = {min(part): part for part in nx.connected_components(kept)}
        assert {v: smallest for smallest, part in members.items() for v in part} == parts, f"seed {seed}"
        assert max(map(len, members.values())) <= cap, f"seed {seed}"
        for src, dst in refused:  # no cut without need: the two parts would not fit together
            assert parts[src] != parts[dst], f"seed {seed}"
            assert len(members[parts[src]]) + len(members[parts[dst]]) > cap, f"seed {seed}"


def test_a_vertex_counts_for_its_size() -> None:
    # 1 stands for five: with 2 it makes seven, 3 would make eight.
    assert merged(of_round([(1, 2, 0.9), (2, 3, 0.8)]), 7, {1: 5, 2: 2, 3: 1}) == ({1: 1, 2: 1, 3: 3}, [(2, 3)])
    assert merged(of_round([(1, 2, 0.9), (2, 3, 0.8)]), 8, {1: 5, 2: 2, 3: 1}) == ({1: 1, 2: 1, 3: 1}, [])


# --- rounds ---------------------------------------------------------------------------------------------------------


def test_an_earlier_round_goes_before_a_stronger_link() -> None:
    # Under a cap of two only one link of the chain's middle vertex can be: the strongest of a round, the first of all.
    weak, strong = (1, 2, 0.1), (2, 3, 0.9)
    assert merged(of_round([weak, strong]), 2) == ({1: 1, 2: 2, 3: 2}, [(1, 2)])
    assert merged(of_round([weak], merge_round=7) + of_round([strong], merge_round=8), 2) == (
        {1: 1, 2: 1, 3: 3},
        [(2, 3)],
    )


def test_what_later_rounds_bring_takes_nothing_apart() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        links = [(chance.randint(1, 4), *link) for link in random_links(seed)]
        whole, _ = merged(links, 5)
        for last in (1, 2, 3):
            until, _ = merged([link for link in links if link[0] <= last], 5)
            for part in set(until.values()):  # each is whole in one later part
                assert len({whole[vertex] for vertex, of in until.items() if of == part}) == 1, f"seed {seed}"
