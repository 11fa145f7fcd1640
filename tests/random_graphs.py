"""Two dozen random graphs, side by side in one, each in its own range of ids; with answers by networkx and by loops."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import networkx as nx
import pyarrow as pa

Vertex = tuple[int, str]
Edge = tuple[int, int, str]
Match = tuple[int, ...]


@dataclass
class Small:
    """One random graph: vertices (id, zone), edges (src, dst, kind), some of them parallel, equal or self-loops."""

    seed: int
    n: int
    vertices: list[Vertex] = field(init=False)
    edges: list[Edge] = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        first = self.seed * 1_000_000 - 2**45  # far from 0, so that an id squeezed into 32 bits would show
        ids = [first + 7 * i for i in range(self.n)]
        self.vertices = [(i, chance.choice(("it", "ot"))) for i in ids]
        active = ids[: max(1, self.n * 3 // 4)]  # the rest stays isolated
        n_edges = int(len(active) * chance.choice((0.4, 0.8, 1.2)))
        self.edges = [
            (chance.choice(active), chance.choice(active), chance.choice(("pivot", "session"))) for _ in range(n_edges)
        ]
        hub = chance.choice(active)
        spokes = [
            (hub, v, "pivot") if chance.random() < 0.5 else (v, hub, "pivot") for v in active[:: chance.choice((2, 9))]
        ]
        self.edges += spokes + self.edges[:3]  # three links come twice, equal in every column
        chance.shuffle(self.edges)

    @property
    def components(self) -> dict[int, int]:
        oracle = nx.Graph([(src, dst) for src, dst, _ in self.edges])
        oracle.add_nodes_from(v for v, _ in self.vertices)
        return {v: min(component) for component in nx.connected_components(oracle) for v in component}


SIZES = (1, 2, 3, 5, 8, 8, 12, 12, 16, 16, 20, 24, 28, 32, 40, 50, 60, 80, 100, 120, 150, 180, 200, 200)
GRAPHS = [Small(seed, n) for seed, n in enumerate(SIZES)]
LITTLE = [small for small in GRAPHS if small.n <= 32]  # for motifs: a hub costs its degree squared


def vertex_table(vertices: Iterable[Vertex]) -> pa.Table:
    rows = list(vertices)
    # `tags` is a list, as an episode's tactics are: of an OT machine empty, of every other id null.
    tags = [None if i % 2 else ["office", zone] if zone == "it" else [] for i, zone in rows]
    types = (pa.int64(), pa.string(), pa.list_(pa.string()))
    columns = ([i for i, _ in rows], [zone for _, zone in rows], tags)
    return pa.table([pa.array(*one) for one in zip(columns, types, strict=True)], names=["id", "zone", "tags"])


def edge_table(edges: Iterable[Edge]) -> pa.Table:
    rows = list(edges)
    columns = ((pa.array([e[i] for e in rows], t)) for i, t in enumerate((pa.int64(), pa.int64(), pa.string())))
    return pa.table(list(columns), names=["src", "dst", "kind"])


def tables(graphs: Sequence[Small]) -> tuple[pa.Table, pa.Table]:
    """All graphs as one, edges in any order."""
    edges = [e for small in graphs for e in small.edges]
    random.Random(0).shuffle(edges)
    return vertex_table(v for small in graphs for v in small.vertices), edge_table(edges)


# --- matches, by loops ------------------------------------------------------------------------------------------------

Loops = Callable[[dict[int, str], list[Edge]], list[Match]]


def alone(zone: dict[int, str], _: list[Edge]) -> list[Match]:
    return [(v,) for v in zone if zone[v] == "ot"]


def marked(zone: dict[int, str], _: list[Edge]) -> list[Match]:
    return [(v,) for v in zone if zone[v] == "it" and v % 2 == 0]


def step(zone: dict[int, str], es: list[Edge]) -> list[Match]:
    return [(a, b) for a, b, kind in es if kind == "pivot" and zone[a] != zone[b]]


def self_loop(_: dict[int, str], es: list[Edge]) -> list[Match]:
    return [(a, b) for a, b, _ in es if a == b]


def chain(_: dict[int, str], es: list[Edge]) -> list[Match]:
    return [(a, b, d) for a, b, _ in es for c, d, _ in es if b == c]


def ring(_: dict[int, str], es: list[Edge]) -> list[Match]:
    return [
        (a, b, c, g) for a, b, _ in es for x, c, _ in es if b == x for y, g, _ in es if c == y and g == a and a != b
    ]


MATCHES: list[tuple[str, str, Loops]] = [
    ("(a)", "a.zone = 'ot'", alone),
    ("(a)", "array_contains(a.tags, 'it') or array_contains(a.tags, 'ot')", marked),
    ("(a)-[e]->(b)", "e.kind = 'pivot' and a.zone <> b.zone", step),
    ("(a)-[e]->(b)", "a.id = b.id", self_loop),
    ("(a)-[e]->(b); (b)-[f]->(c)", "true", chain),
    ("(a)-[e]->(b); (b)-[f]->(c); (c)-[g]->(d)", "d.id = a.id and a.id <> b.id", ring),
]
"""Pattern, condition, and the same as loops."""


def expected(loops: Loops) -> Counter[Match]:
    """Every match in `LITTLE`, one in each graph after the other."""
    return Counter(match for small in LITTLE for match in loops(dict(small.vertices), small.edges))
