"""The graph in this process: drawn graphs, random ones against networkx and loops, and what is refused."""

from __future__ import annotations

import random
import time
from collections import Counter
from itertools import pairwise

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from random_graphs import GRAPHS, LITTLE, MATCHES, SIZES, Loops, edge_table, expected, tables, vertex_table

from alertgraph_spark.errors import ConfigError, GraphEngineError, GraphInvariantError
from alertgraph_spark.graph.in_process import _smallest_members, find_components, find_matches
from alertgraph_spark.graph.pattern import read_pattern
from alertgraph_spark.tables.embedded import Engine

# Drawn once, read by most tests:
#
#   1 ─▶ 2 ─▶ 3 ─▶ 1      a ring
#   10 ─▶ 11, 12 ─▶ 11    two sources, one target; 10 ─▶ 11 twice, once as another kind
#   20 ─▶ 20              a self-loop and nothing else
#   30                    isolated
VERTICES = vertex_table([(1, "it"), (2, "it"), (3, "it"), (10, "it"), (11, "ot"), (12, "it"), (20, "ot"), (30, "it")])
EDGES = edge_table(
    [
        (1, 2, "pivot"),
        (2, 3, "pivot"),
        (3, 1, "session"),
        (10, 11, "pivot"),
        (10, 11, "account"),
        (12, 11, "pivot"),
        (20, 20, "session"),
    ]
)


def components_of(ids: list[int | None], edges: list[tuple[int | None, int]], max_links: int = 99) -> dict[int, int]:
    vertices = pa.table({"id": pa.array(ids, pa.int64())})
    ends = {name: pa.array([edge[i] for edge in edges], pa.int64()) for i, name in enumerate(("src", "dst"))}
    return as_dict(find_components(vertices, pa.table(ends), max_links))


def as_dict(components: pa.Table) -> dict[int, int]:
    assert components.schema == pa.schema([("id", pa.int64()), ("component", pa.int64())])
    ids = components["id"].to_pylist()
    assert ids == sorted(set(ids))
    return dict(zip(ids, components["component"].to_pylist(), strict=True))


def matched(pattern: str, where: str, vertices: pa.Table = VERTICES, edges: pa.Table = EDGES) -> list[tuple[int, ...]]:
    with Engine() as engine:
        found = find_matches(engine, pattern, where, vertices, edges)
    assert tuple(found.column_names) == read_pattern(pattern).vertices
    return sorted(zip(*found.to_pydict().values(), strict=True))


# --- components -----------------------------------------------------------------------------------------------------


def test_a_component_is_named_by_its_smallest_vertex_whatever_the_direction() -> None:
    assert as_dict(find_components(VERTICES, EDGES)) == {1: 1, 2: 1, 3: 1, 10: 10, 11: 10, 12: 10, 20: 20, 30: 30}


def test_two_triangles_become_one_by_a_single_bridge() -> None:
    triangles: list[tuple[int | None, int]] = [(5, 6), (6, 7), (7, 5), (-1, -2), (-2, -3), (-3, -1)]
    vertices: list[int | None] = [5, 6, 7, -1, -2, -3]
    assert components_of(vertices, triangles) == {5: 5, 6: 5, 7: 5, -1: -3, -2: -3, -3: -3}
    assert set(components_of(vertices, [*triangles, (7, -1)]).values()) == {-3}


def test_ids_at_the_ends_of_long_keep_every_digit() -> None:
    low, high = -(2**63), 2**63 - 1  # a detour over floating point would make high and high - 1 one vertex
    assert components_of([low, high, high - 1], [(high, low)]) == {low: low, high: low, high - 1: high - 1}


def test_a_graph_without_links_and_one_without_vertices() -> None:
    assert components_of([4, 3], []) == {3: 3, 4: 4}
    assert components_of([], []) == {}


@pytest.mark.parametrize(
    ("ids", "edges", "fault"),
    [
        ([1, 2, 2], [(1, 2)], "vertex id 2 occurs"),
        ([1, 2], [(1, 3)], "3, which is no vertex"),
        ([1, 2], [(1, 0)], "0, which is no vertex"),
        ([], [(1, 2)], "which is no vertex"),
        ([1, None], [], "null"),
        ([1], [(None, 1)], "null"),
    ],
)
def test_a_broken_graph_is_refused_and_not_repaired(
    ids: list[int | None], edges: list[tuple[int | None, int]], fault: str
) -> None:
    with pytest.raises(GraphInvariantError, match=fault):
        components_of(ids, edges)


def test_more_links_than_this_process_may_hold_are_refused_with_the_remedy() -> None:
    edges: list[tuple[int | None, int]] = [(1, 2), (2, 3), (3, 3)]
    assert set(components_of([1, 2, 3], edges, max_links=2).values()) == {1}  # the self-loop is no link
    with pytest.raises(
        GraphEngineError, match=r"3 links.*than 2.*graph\.engine to graphframes.*graph\.driver_max_links"
    ):
        components_of([1, 2, 3], [*edges, (1, 3)], max_links=2)


def test_components_equal_networkx() -> None:
    found = as_dict(find_components(*tables(GRAPHS)))
    assert len(found) == sum(SIZES)
    for small in GRAPHS:
        assert {v: found[v] for v, _ in small.vertices} == small.components, f"seed {small.seed}: {small.edges}"


def test_hooking_equals_networkx_on_a_thousand_small_graphs_and_a_shuffled_path() -> None:
    chance = random.Random(11)
    for _ in range(1000):
        n = chance.randint(1, 12)
        links = [(chance.randrange(n), chance.randrange(n)) for _ in range(chance.randint(0, n))]
        assert_hooks(n, links)
    path = chance.sample(range(5000), 5000)  # the deepest trees: neighbours on the path have unrelated ids
    assert_hooks(5000, list(pairwise(path)))


def assert_hooks(n: int, links: list[tuple[int, int]]) -> None:
    oracle = nx.Graph(links)
    oracle.add_nodes_from(range(n))
    least = {v: min(component) for component in nx.connected_components(oracle) for v in component}
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    found = _smallest_members(n, ends[:, 0], ends[:, 1])
    assert dict(enumerate(found.tolist())) == least, links


# --- matches --------------------------------------------------------------------------------------------------------


def test_a_chain_follows_the_direction_of_its_links() -> None:
    # The ring gives three, the self-loop follows itself; 10 → 11 ← 12 is the near miss: 11 has no way out.
    assert matched("(a)-[e]->(b); (b)-[f]->(c)", "true") == [(1, 2, 3), (2, 3, 1), (3, 1, 2), (20, 20, 20)]


def test_names_need_not_be_distinct_until_the_condition_says_so() -> None:
    assert (20, 20) in matched("(a)-[e]->(b)", "true")
    assert (20, 20) not in matched("(a)-[e]->(b)", "a.id <> b.id")


def test_parallel_links_give_a_match_each() -> None:
    assert matched("(a)-[e]->(b)", "a.id = 10") == [(10, 11), (10, 11)]
    assert matched("(a)-[e]->(b)", "a.id = 10 and e.kind = 'account'") == [(10, 11)]


def test_a_lone_vertex_is_any_vertex_even_an_isolated_one() -> None:
    assert [v for (v,) in matched("(a)", "true")] == VERTICES["id"].to_pylist()


def test_a_condition_with_or_is_one_condition() -> None:
    assert matched("(a)-[e]->(b); (b)-[f]->(c)", "a.id = 1 or a.id = 2 -- the ring") == [(1, 2, 3), (2, 3, 1)]


def test_an_edge_to_no_vertex_matches_nothing() -> None:
    assert matched("(a)-[e]->(b)", "true", edges=edge_table([(1, 99, "pivot"), (99, 1, "pivot")])) == []


@pytest.mark.parametrize(("pattern", "where", "loops"), MATCHES, ids=[loops.__name__ for *_, loops in MATCHES])
def test_matches_equal_enumeration(pattern: str, where: str, loops: Loops) -> None:
    found = Counter(matched(pattern, where, *tables(LITTLE)))
    assert len(found) > 5, "a motif that hardly occurs proves nothing"
    assert found == expected(loops)


def test_a_condition_that_compares_columns_of_few_values_is_no_join() -> None:
    """20,000 vertices in a row, all of one zone: by zone they meet 400 million times, half a minute of computing."""
    n = 20_000
    begin = time.process_time()
    found = matched(
        "(a)-[e]->(b)",
        "a.zone = b.zone and a.zone <> 'ot' and e.kind = 'pivot' and b.id - a.id < 10 and a.id <> b.id",
        vertex_table((i, "it") for i in range(n)),
        edge_table((i, i + 1, "pivot") for i in range(n - 1)),
    )
    assert found == list(pairwise(range(n)))
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    ("where", "complaint"),
    [("a.zone = 'it' and", "syntax"), ("a.zoen = 'it'", "zoen"), ("like_it(a.zone)", "like_it"), ("c.id = 1", '"c"')],
)
def test_a_condition_that_cannot_be_read_is_told_with_the_pattern(where: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        matched("(a)-[e]->(b)", where)
    assert str(refused.value).startswith(f"motif pattern '(a)-[e]->(b)', condition {where!r}: ")
    assert complaint in str(refused.value)


# --- patterns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("", "cannot read ''"),
        ("()", r"cannot read '\(\)'"),
        ("(a b)", r"cannot read '\(a b\)'"),
        ("(_a)", r"cannot read '\(_a\)'"),
        ("(a)-[e]->(b);", "cannot read ''"),
        ("(a)-[e]->(b) (c)", r"cannot read '\(a\)-\[e\]->\(b\) \(c\)'"),
        ("(a)<-[e]-(b)", r"cannot read '\(a\)<-\[e\]-\(b\)'"),
        ("(a)-[]->(b)", r"cannot read '\(a\)-\[\]->\(b\)'"),
        ("(a)-[e]->(b); !(b)-[]->(a)", r"cannot read '!\(b\)-\[\]->\(a\)'"),
        ("(a); (b)", r"cannot read '\(a\)'"),
        ("(a)-[e]->(c); (b)-[f]->(c)", r"'\(b\)-\[f\]->\(c\)' does not begin at \(c\)"),
        ("(a)-[e]->(b); (b)-[e]->(c)", "two things"),
        ("(a)-[e]->(A)", "two things"),
        ("(a)-[a]->(b)", "two things"),
        ("(a)-[e]->(b); (b)-[f]->(a)", "two things"),  # a ring is asked for by a.id = c.id
    ],
)
def test_a_bad_pattern_is_refused_with_what_is_allowed(pattern: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        read_pattern(pattern)
    assert "allowed are (a), (a)-[e]->(b) and (a)-[e]->(b); (b)-[f]->(c), of any length" in str(refused.value)


def test_blanks_do_not_matter_and_a_pattern_prints_as_it_is_read() -> None:
    way = read_pattern(" ( a ) - [ e ] -> ( b ) ;\n (b)-[f]->(c) ")
    assert way == (("a", "b", "c"), ("e", "f"))
    assert str(way) == "(a)-[e]->(b); (b)-[f]->(c)"
    assert read_pattern(str(way)) == way
    assert str(read_pattern(" (a) ")) == "(a)"
