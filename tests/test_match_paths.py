"""The longest time-respecting path: against every walk of 10,000 random multigraphs, and worked by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pytest
from arrows import grouped_table, link_table
from incident import at, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.match import find_paths
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.interim_schemas import PATHS

P = RankingParameters()


@dataclass(frozen=True)
class Graph:
    """Episodes `(id, t0, origin, destination)` and links `(src, dst, kind, weight)` of one subgraph."""

    episodes: tuple[tuple[int, int, str, str], ...]
    links: tuple[tuple[int, int, str, float], ...]


def tables(graphs: dict[str, Graph], seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Episodes and links of all graphs, each a subgraph, their rows in an order that `seed` chooses."""
    episodes = [(i, name, a, b, at(t)) for name, graph in graphs.items() for i, t, a, b in graph.episodes]
    links = [link for graph in graphs.values() for link in graph.links]
    for rows in (episodes, links):
        random.Random(seed).shuffle(rows)
    ids, names, sources, targets, times = zip(*episodes, strict=True)
    acting = [None if a == b else a for a, b in zip(sources, targets, strict=True)]  # else an alert about one host
    told_of = dict(episode=ids, subgraph_id=names, source_entity=acting, target_entity=targets, started_at=times)
    src, dst, kinds, weights = zip(*links, strict=True)
    return (
        repeated(grouped_table([{**told("0 fs1"), "episode": 0}]), told_of),
        repeated(link_table([(0, 0, 1.0)]), dict(src=src, dst=dst, kind=kinds, weight=weights)),
    )


def repeated(row: pa.Table, columns: Mapping[str, Sequence[object]]) -> pa.Table:
    """One row as often as `columns` are long, with those in place of its own."""
    n = len(next(iter(columns.values())))
    return pa.table(
        [pa.array(columns[f.name], f.type) if f.name in columns else pa.repeat(row[f.name][0], n) for f in row.schema],
        schema=row.schema,
    )


def found(episodes: pa.Table, links: pa.Table, p: RankingParameters = P) -> dict[str, list[str]]:
    with Engine() as engine:
        paths = find_paths(engine, episodes, links, p)
    assert paths.column_names == PATHS.names
    rows = paths.to_pylist()
    assert len({row["subgraph_id"] for row in rows}) == len(rows)
    return {row["subgraph_id"]: row["path"] for row in rows if row["path"] is not None}


# --- the oracle: every walk, one by one -------------------------------------------------------------------------------


def walks(graph: Graph) -> Iterator[tuple[list[int], list[str], float]]:
    """Every walk over two episodes or more that comes back to no host: its episodes, its hosts, and -ln of its weights."""
    start = {i: t for i, t, _, _ in graph.episodes}
    ends = {i: (origin, destination) for i, _, origin, destination in graph.episodes}
    after: dict[int, list[tuple[int, float]]] = {}
    for src, dst, kind, weight in graph.links:
        if kind == "pivot" and start[src] < start[dst]:
            after.setdefault(src, []).append((dst, round(-1000 * math.log(weight))))

    def go_on(episodes: list[int], hosts: list[str], cost: float) -> Iterator[tuple[list[int], list[str], float]]:
        if len(episodes) > 1:
            yield episodes, hosts, cost
        for later, more in after.get(episodes[-1], []):
            host = ends[later][1]
            if host == hosts[-1]:
                yield from go_on([*episodes, later], hosts, cost + more)
            elif host not in hosts:
                yield from go_on([*episodes, later], [*hosts, host], cost + more)

    for first, (origin, destination) in ends.items():
        yield from go_on([first], [origin] if origin == destination else [origin, destination], 0)


def best_of_all(graph: Graph) -> list[str] | None:
    start = {i: t for i, t, _, _ in graph.episodes}
    paths = [
        (-len(hosts), cost, [(start[i], i) for i in episodes], hosts)
        for episodes, hosts, cost in walks(graph)
        if len(hosts) > 1
    ]
    return min(paths)[3] if paths else None


def random_graph(rng: random.Random, first: int) -> Graph:
    """Up to 12 episodes on up to 8 hosts: equal times, alerts about one host, ties, links backward and of other kinds."""
    hosts = [f"host:{n}" for n in range(rng.randint(2, 8))]
    rng.shuffle(hosts)
    times, is_steady = rng.choice((3, 6, 100)), rng.random() < 0.3
    episodes: list[tuple[int, int, str, str]] = []
    for n in range(rng.randint(2, 12)):
        origin = episodes[-1][3] if episodes and rng.random() < 0.6 else rng.choice(hosts)
        begin = n if is_steady else rng.randrange(times)
        episodes.append((first + n, begin, origin, rng.choice(hosts)))
    share, weights = rng.choice((0.5, 1.0)), rng.choice(((1.0,), (1.0, 0.9, 0.5), (0.31, 0.77, 0.94, 0.999)))
    links = tuple(
        (a[0], b[0], "pivot" if rng.random() < 0.9 else "account", rng.choice(weights))
        for a in episodes
        for b in episodes
        if a[3] == b[2] and rng.random() < share
    )
    return Graph(tuple(episodes), links + tuple(rng.choices(links, k=2) if links and rng.random() < 0.2 else ()))


@pytest.fixture(scope="module")
def graphs() -> dict[str, Graph]:
    rng = random.Random(5)
    return {f"graph {n}": random_graph(rng, 20 * n) for n in range(10_000)}


@pytest.fixture(scope="module")
def random_tables(graphs: dict[str, Graph]) -> tuple[pa.Table, pa.Table]:
    return tables(graphs)


@pytest.fixture(scope="module")
def oracle(graphs: dict[str, Graph]) -> dict[str, list[str]]:
    return {name: best for name, graph in graphs.items() if (best := best_of_all(graph))}


def test_ten_thousand_random_multigraphs(
    random_tables: tuple[pa.Table, pa.Table], graphs: dict[str, Graph], oracle: dict[str, list[str]]
) -> None:
    assert len(graphs) == 10_000
    assert {len(path) for path in oracle.values()} == {2, 3, 4, 5, 6, 7}, "the graphs try something"
    assert found(*random_tables) == oracle


def test_one_walk_an_episode_is_not_enough(
    random_tables: tuple[pa.Table, pa.Table], graphs: dict[str, Graph], oracle: dict[str, list[str]]
) -> None:
    narrow = found(*random_tables, replace(P, path_width=1))
    shorter = [name for name in graphs if len(narrow.get(name, ())) < len(oracle.get(name, ()))]
    assert narrow.keys() == oracle.keys()
    assert 0 < len(shorter) < 100


def test_the_order_of_rows_and_the_names_of_hosts_change_nothing(
    graphs: dict[str, Graph], oracle: dict[str, list[str]]
) -> None:
    some = dict(list(graphs.items())[:1000])
    renamed = {
        name: Graph(tuple((i, t, a[::-1], b[::-1]) for i, t, a, b in graph.episodes), graph.links)
        for name, graph in some.items()
    }
    paths = found(*tables(renamed, seed=1))
    assert {name: [host[::-1] for host in path] for name, path in paths.items()} == {
        name: oracle[name] for name in some if name in oracle
    }


# --- worked by hand ---------------------------------------------------------------------------------------------------


def drawn(*lines: str) -> Graph:
    """A graph from `id minute a>b` and `id~id weight`; a third word names a link's kind."""
    episodes, links = [], []
    for line in lines:
        first, second, *rest = line.split()
        if "~" in first:
            src, dst = map(int, first.split("~"))
            links.append((src, dst, rest[0] if rest else "pivot", float(second)))
        else:
            origin, destination = rest[0].split(">")
            episodes.append((int(first), int(second), origin, destination))
    return Graph(tuple(episodes), tuple(links))


HAND: dict[str, tuple[Graph, str]] = {
    "in a row": (drawn("1 0 a>b", "2 1 b>c", "3 2 c>d", "1~2 .5", "2~3 .5"), "a b c d"),
    "an alert about a host is no hop": (drawn("11 0 a>b", "12 1 b>b", "13 2 b>c", "11~12 1", "12~13 1"), "a b c"),
    "reached, then an alert about it": (drawn("21 0 a>b", "22 1 b>b", "21~22 1"), "a b"),
    "nobody moved": (drawn("31 0 a>a", "32 1 a>a", "31~32 1"), ""),
    "one episode is no path": (drawn("41 0 a>b", "42 5 a>b", "41~42 .9 same_pair"), ""),
    "at the same time is not after": (drawn("51 0 a>b", "52 0 b>c", "53 1 c>d", "51~52 1", "52~53 1"), "b c d"),
    "the longer way round": (
        drawn("61 0 a>b", "62 1 b>c", "63 2 c>d", "64 1 b>d", "61~62 .3", "62~63 .3", "61~64 1"),
        "a b c d",
    ),
    "the surer of two as long": (
        drawn("71 0 a>b", "72 1 b>c", "73 1 b>d", "71~72 .5", "71~73 .6"),
        "a b d",
    ),
    "the surer of two ways to one end": (  # -ln: over b .105 + .511, over c .223 + .223
        drawn(
            *("81 0 x>a", "82 1 a>b", "83 1 a>c", "84 2 b>d", "85 2 c>d"),
            *("81~82 .9", "82~84 .6", "81~83 .8", "83~85 .8"),
        ),
        "x a c d",
    ),
    "the earlier of two as sure": (drawn("91 0 a>b", "92 2 b>c", "93 1 b>d", "91~92 1", "91~93 1"), "a b d"),
    "the lower id of two at one time": (
        drawn("101 0 a>b", "102 1 b>d", "103 1 b>c", "101~102 1", "101~103 1"),
        "a b d",
    ),
    "parallel links are one hop": (drawn("111 0 a>b", "112 1 b>c", "111~112 1", "111~112 .5"), "a b c"),
    "a cycle ends before it closes": (
        drawn("121 0 a>b", "122 1 b>c", "123 2 c>a", "124 3 a>d", "121~122 1", "122~123 1", "123~124 1"),
        "b c a d",  # a b c, and no further; entered at b it goes on over a
    ),
    "two that answer each other": (
        drawn(
            *(f"{131 + n} {n} {'a>b' if n % 2 == 0 else 'b>a'}" for n in range(6)),
            *(f"{131 + n}~{132 + n} 1" for n in range(5)),
        ),
        "",
    ),
    # The surest way to m goes over z, which is where the path wants to end: only the dearer one, over y, may go on to it.
    "the dearer way is the one that goes on": (
        drawn(
            *("141 0 s>z", "142 1 z>m", "143 0 s>y", "144 1 y>m", "145 2 m>m", "146 3 m>z", "147 4 z>e"),
            *("141~142 1", "143~144 .2", "142~145 1", "144~145 1", "145~146 1", "146~147 1"),
        ),
        "s y m z e",
    ),
    "other kinds of link do not move anybody": (
        drawn("151 0 a>b", "152 1 b>c", "153 2 c>d", "151~152 1", "152~153 1 account"),
        "a b c",
    ),
}


@pytest.fixture(scope="module")
def by_hand() -> dict[str, list[str]]:
    """All in one call, as subgraphs of many sites are."""
    return found(*tables({name: graph for name, (graph, _) in HAND.items()}))


@pytest.mark.parametrize("name", HAND)
def test_worked_by_hand(by_hand: dict[str, list[str]], name: str) -> None:
    graph, path = HAND[name]
    assert by_hand.get(name, []) == path.split()
    assert (best_of_all(graph) or []) == path.split(), "the oracle is right"


@pytest.mark.parametrize("name", HAND)
def test_a_subgraph_alone_has_the_path_that_it_has_among_others(by_hand: dict[str, list[str]], name: str) -> None:
    alone = found(*tables({name: HAND[name][0]}, seed=2))
    assert alone == ({name: by_hand[name]} if name in by_hand else {})


def test_an_episode_without_a_link_is_on_no_path() -> None:
    """As a chronic one: nothing of it is evidence, whatever a link says."""
    episodes, links = tables({"in a row": HAND["in a row"][0]})
    unlinked = pa.array([number != 3 for number in episodes["episode"].to_pylist()])
    place = episodes.schema.get_field_index("is_linked")
    assert found(episodes.set_column(place, "is_linked", unlinked), links) == {"in a row": ["a", "b", "c"]}


def test_nothing_gives_nothing() -> None:
    episodes, links = tables({"in a row": HAND["in a row"][0]})
    assert found(episodes.slice(0, 0), links.slice(0, 0)) == {}
