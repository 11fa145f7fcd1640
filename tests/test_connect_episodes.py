"""From episodes to subgraphs: what links and connects them, against networkx, and what must not matter."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import networkx as nx
import pyarrow as pa
import pytest
from arrows import episode_table
from incident import Row, story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect import Connected, connect_episodes
from alertgraph_spark.errors import GraphInvariantError
from alertgraph_spark.link import Linked, link_episodes
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.schemas import CUTS, LINKS

LOOSE = RankingParameters(max_sessions=100_000, chance_links=100_000.0)
TIGHT = RankingParameters(max_sessions=6, chance_links=2.0)


def connected(rows: list[Row], p: RankingParameters) -> tuple[Linked, Connected]:
    with Engine() as engine:
        linked = link_episodes(engine, episode_table(rows), p)
        return linked, connect_episodes(engine, linked, p)


def random_site(seed: int) -> list[Row]:
    """A hundred episodes between ten hosts in two or three days; a stir on two hosts, among quieter ones."""
    chance = random.Random(seed)
    rows = [told(f"{1440 + 9 * n} s{n % 2}/it rare {n}", surprise=7.5, history_hours=400.0) for n in range(6)]
    for _ in range(100):
        source, target = chance.sample("abcdefghij", 2)
        ends = f"{target}/it" if chance.random() < 0.5 else f"{source}/it -> {target}/it"
        rows.append(
            told(
                f"{chance.randrange(4000)} {ends} {chance.choice(('smb', 'rdp', 'dns', 'ssh'))}",
                lasts=chance.choice((0, 0, 3, 45)),
                accounts=chance.choice(([], [], [], ["account:x"], ["account:x", "account:y"])),
                surprise=chance.choice((0.9, 2.5, 4.1)),
                fleet_share=chance.choice((0.01, 0.01, 0.17)),
                history_hours=float(chance.choice((50, 400))),
                is_chronic=chance.random() < 0.1,
            )
        )
    return story(f"site {seed}", 1_000_000 + 1000 * seed, *rows)


SITES = [random_site(seed) for seed in range(12)]
TOGETHER = [row for site in SITES for row in site]


def subgraphs(found: Connected) -> dict[str, set[int]]:
    members: dict[str, set[int]] = defaultdict(set)
    for row in found.episodes.to_pylist():
        members[row["subgraph_id"]].add(row["episode"])
    return members


@pytest.mark.parametrize("p", [LOOSE, TIGHT], ids=["loose", "tight"])
def test_subgraphs_are_what_the_kept_links_and_the_sessions_hold_together(p: RankingParameters) -> None:
    linked, found = connected(TOGETHER, p)
    graph = nx.Graph()
    graph.add_edges_from((row["episode"], row["session"]) for row in linked.episodes.to_pylist())
    graph.add_edges_from((row["src"], row["dst"]) for row in found.links.to_pylist())
    start = {row["episode"]: (row["started_at"], row["episode"]) for row in TOGETHER}
    expected = {min(part, key=lambda n: start[n]): part for part in nx.connected_components(graph)}
    assert subgraphs(found) == {f"sg-{first:016x}": part for first, part in expected.items()}


def test_every_link_is_kept_or_cut_and_a_cut_joins_two_subgraphs() -> None:
    linked, found = connected(TOGETHER, TIGHT)
    assert (found.links.schema, found.cuts.schema) == (arrow_schema(LINKS), arrow_schema(CUTS))
    divided = pa.concat_tables([found.links, found.cuts]).to_pylist()
    assert sorted(map(repr, linked.links.to_pylist())) == sorted(repr(r) for r in divided if r["kind"] != "absorbed")
    subgraph_of = {row["episode"]: row["subgraph_id"] for row in found.episodes.to_pylist()}
    assert found.cuts.num_rows > 20
    assert set(found.episodes["role"].to_pylist()) == {"core", "context", "single", "absorbed"}
    assert all(subgraph_of[row["src"]] != subgraph_of[row["dst"]] for row in found.cuts.to_pylist())
    session_of = {row["episode"]: row["session"] for row in linked.episodes.to_pylist()}
    assert max(len({session_of[n] for n in part}) for part in subgraphs(found).values()) == TIGHT.max_sessions


def test_what_a_stir_absorbs_is_of_its_subgraph_while_there_is_room() -> None:
    # 20 nats on fs1 in 36 minutes; meanwhile two hosts with 3 nats each, in a time too early to know how rare that is.
    young = {"history_hours": 3.0}
    stir = [told(f"{9 * n} fs1/it rare {n}", surprise=4.0, **young) for n in range(5)]
    rows = story("plant", 1, *stir, *(told(f"20 db{n}/it odd", surprise=3.0, **young) for n in (1, 2)))
    for most, kept, cut in ((3, [(1, 6), (1, 7)], []), (2, [(1, 6)], [(1, 7)])):
        _, found = connected(rows, RankingParameters(max_sessions=most))
        assert [(row["src"], row["dst"], row["kind"]) for row in found.links.to_pylist()] == [
            (*k, "absorbed") for k in kept
        ]
        assert [(row["src"], row["dst"], row["kind"]) for row in found.cuts.to_pylist()] == [
            (*c, "absorbed") for c in cut
        ]
        assert len(subgraphs(found)["sg-0000000000000001"]) == 5 + len(kept)


def test_with_room_for_all_nothing_is_cut() -> None:
    assert connected(TOGETHER, LOOSE)[1].cuts.num_rows == 0


def test_neither_the_order_of_rows_nor_other_sites_matter() -> None:
    _, together = connected(TOGETHER, TIGHT)
    _, shuffled = connected(random.Random(1).sample(TOGETHER, len(TOGETHER)), TIGHT)
    assert all(one.equals(other) for one, other in zip(shuffled[:3], together[:3], strict=True))
    for site in SITES:
        _, alone = connected(site, TIGHT)
        for one, of_all in zip(alone[:3], together[:3], strict=True):
            assert by_text(one.to_pylist()) == by_text(r for r in of_all.to_pylist() if r["site"] == site[0]["site"])


def by_text(rows: Any) -> list[str]:
    return sorted(map(repr, rows))


def test_without_episodes_there_are_no_subgraphs() -> None:
    found = connected([], TIGHT)[1]
    assert [table.num_rows for table in found[:3]] == [0, 0, 0]
    assert found.episodes.column_names == [*arrow_names(), "is_linked", "subgraph_id", "role", "heard_hours"]


def arrow_names() -> list[str]:
    return episode_table([]).column_names


def test_a_graph_engine_that_tears_links_apart_is_refused() -> None:
    def alone(vertices: pa.Table, _: pa.Table) -> pa.Table:
        return vertices.append_column("component", vertices["id"])

    def half(vertices: pa.Table, edges: pa.Table) -> pa.Table:
        return alone(vertices, edges).slice(0, len(vertices) // 2)

    with Engine() as engine:
        linked = link_episodes(engine, episode_table(TOGETHER), LOOSE)
        for wrong in (alone, half):
            with pytest.raises(GraphInvariantError, match="links join two subgraphs"):
                connect_episodes(engine, linked, LOOSE, components=wrong)
