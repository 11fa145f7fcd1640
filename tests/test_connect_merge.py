"""Merging along links, round by round and strongest first: under a cap of size, and no more on chance than is allowed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import networkx as nx
import pyarrow as pa
import pytest

from alertgraph_spark.connect.merge import merge_components

WeightedLink = tuple[int, int, float]
Link = tuple[int, int, int, float, float]


def sure(links: Iterable[WeightedLink], merge_round: int = 0) -> list[Link]:
    """Links of one round of which none is left to chance."""
    return [(merge_round, *link, 0.0) for link in links]


def merged(
    links: Iterable[Link], cap: int, chance_links: float, sizes: dict[int, int] | None = None
) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Each vertex with its part, and the links refused."""
    names = {
        "merge_round": pa.int64(),
        "src": pa.int64(),
        "dst": pa.int64(),
        "weight": pa.float64(),
        "chance": pa.float64(),
    }
    rows = [dict(zip(names, link, strict=True)) for link in links]
    parts, refused = merge_components(pa.Table.from_pylist(rows, pa.schema(names)), cap, chance_links, sizes)
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
    assert merged(sure(links), cap, 1) == (parts, refused)


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
        parts, refused = merged(sure(links), cap, 1)
        shuffled = random.Random(seed + 1).sample(links, len(links))
        assert merged(sure(shuffled), cap, 1) == (parts, refused), f"seed {seed}: the order of links matters"

        kept = nx.Graph([(src, dst) for src, dst, _ in links if (src, dst) not in set(refused)])
        kept.add_nodes_from(parts)
        members = {min(part): part for part in nx.connected_components(kept)}
        assert {v: smallest for smallest, part in members.items() for v in part} == parts, f"seed {seed}"
        assert max(map(len, members.values())) <= cap, f"seed {seed}"
        for src, dst in refused:  # no cut without need: the two parts would not fit together
            assert parts[src] != parts[dst], f"seed {seed}"
            assert len(members[parts[src]]) + len(members[parts[dst]]) > cap, f"seed {seed}"


def test_a_vertex_counts_for_its_size() -> None:
    # 1 stands for five: with 2 it makes seven, 3 would make eight; three in ten of seven are 2.1 links by chance
    sizes = {1: 5, 2: 2, 3: 1}
    assert merged(sure([(1, 2, 0.9), (2, 3, 0.8)]), 7, 1, sizes) == ({1: 1, 2: 1, 3: 3}, [(2, 3)])
    assert merged([(0, 1, 2, 0.9, 0.3)], 80, 2.1, sizes)[1] == []
    assert merged([(0, 1, 2, 0.9, 0.3)], 80, 2, sizes)[1] == [(1, 2)]


# --- rounds ---------------------------------------------------------------------------------------------------------


def test_an_earlier_round_goes_before_a_stronger_link() -> None:
    # Under a cap of two only one link of the chain's middle vertex can be: the strongest of a round, the first of all.
    weak, strong = (1, 2, 0.1), (2, 3, 0.9)
    assert merged(sure([weak, strong]), 2, 1) == ({1: 1, 2: 2, 3: 2}, [(1, 2)])
    assert merged(sure([weak], merge_round=7) + sure([strong], merge_round=8), 2, 1) == ({1: 1, 2: 1, 3: 3}, [(2, 3)])


def test_what_later_rounds_bring_takes_nothing_apart() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        links = [(chance.randint(1, 4), *link, chance.choice((0.0, 0.1, 0.3))) for link in random_links(seed)]
        whole, _ = merged(links, 5, 1)
        for last in (1, 2, 3):
            until, _ = merged([link for link in links if link[0] <= last], 5, 1)
            for part in set(until.values()):  # each is whole in one later part
                assert len({whole[vertex] for vertex, of in until.items() if of == part}) == 1, f"seed {seed}"


# --- links of chance ------------------------------------------------------------------------------------------------


def as_likely(n: int, chance: float) -> list[Link]:
    """A chain of n vertices, each link weaker than the one before."""
    return [(0, v, v + 1, 0.9 - v / 1000, chance) for v in range(1, n)]


@pytest.mark.parametrize(
    ("links", "refused"),
    [
        # .3 times 2 and 3 is at most 1; times 4 it is 1.2
        pytest.param(as_likely(3, 0.3), [], id="three may meet by three in ten"),
        pytest.param(as_likely(4, 0.3), [(3, 4)], id="a fourth may not"),
        # 1-2, 3-4 and 5-6 are surely together; two twos make four, and .25 times 4 is just 1; with the third it is 1.5
        pytest.param(
            [*sure([(1, 2, 1.0), (3, 4, 1.0), (5, 6, 1.0)]), (0, 2, 3, 0.8, 0.25), (0, 4, 5, 0.7, 0.25)],
            [(4, 5)],
            id="both parts count",
        ),
        pytest.param(
            [*as_likely(4, 0.3)[:2], *sure([(3, 4, 0.1)])], [], id="what passed another test joins at any size"
        ),
        pytest.param([*as_likely(3, 0.3), (0, 1, 3, 0.1, 0.9)], [], id="inside a part no link is refused"),
    ],
)
def test_the_larger_a_part_the_surer_a_link_must_be(links: list[Link], refused: list[tuple[int, int]]) -> None:
    assert merged(links, 80, 1)[1] == refused


def test_chance_alone_makes_no_giant() -> None:
    # A thousand sessions, each linked to two others by a chance of one in ten, two more than it takes to hang together.
    chance = random.Random(7)
    links = [(0, v, w, chance.random(), 0.1) for v in range(1000) for w in chance.sample(range(1000), 2) if v != w]
    graph = nx.Graph([link[1:3] for link in links])
    assert max(map(len, nx.connected_components(graph))) > 900
    parts, _ = merged(links, 10_000, 1)
    sizes = Counter(parts.values())
    assert max(sizes.values()) == 10  # .1 times 10 is one link
