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

LOOSE = RankingParameters(max_sessions=100_000)
TIGHT = RankingParameters(max_sessions=6)
P = RankingParameters()


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
                history_hours=float(chance.choice((9, 50, 400, 400))),
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


def test_every_likely_link_is_kept_or_cut_and_a_cut_joins_two_subgraphs() -> None:
    linked, found = connected(TOGETHER, TIGHT)
    assert (found.links.schema, found.cuts.schema) == (arrow_schema(LINKS), arrow_schema(CUTS))
    divided = pa.concat_tables([found.links, found.cuts.drop_columns("reason")]).to_pylist()
    told_of = by_text(row for row in divided if row["kind"] not in JOINING)
    unlikely = by_text(row for row in linked.links.to_pylist() if row["log_odds"] <= TIGHT.link_least)
    rest = set(by_text(linked.links.to_pylist())) - set(told_of)
    assert set(told_of) <= set(by_text(linked.links.to_pylist()))
    assert len(told_of) == len(set(told_of))
    assert rest <= set(unlikely), "only what is unlikely and joins two is told nowhere"
    subgraph_of = {row["episode"]: row["subgraph_id"] for row in found.episodes.to_pylist()}
    assert all(subgraph_of[row["src"]] == subgraph_of[row["dst"]] for row in found.links.to_pylist())
    assert all(subgraph_of[row["src"]] != subgraph_of[row["dst"]] for row in found.cuts.to_pylist())
    assert set(found.cuts["reason"].to_pylist()) == set(REASONS)
    assert set(found.episodes["role"].to_pylist()) == {"core", "context", "single", "absorbed"}


def test_causes_are_kept_links_from_earlier_to_later_and_make_no_circle() -> None:
    found = connected(TOGETHER, TIGHT)[1]
    kept, causes = by_text(found.links.to_pylist()), found.causes.to_pylist()
    start = {row["episode"]: row["started_at"] for row in TOGETHER}
    forest = nx.DiGraph((row["src"], row["dst"]) for row in causes)

    assert found.causes.schema == arrow_schema(LINKS)
    assert causes and set(by_text(causes)) < set(kept)
    assert all(start[row["src"]] <= start[row["dst"]] for row in causes)
    assert nx.is_directed_acyclic_graph(forest)
    assert {n for _, n in forest.in_degree()} == {0, 1, 2}, "its own cause, and that of the tree that it opens"
    assert not set(JOINING) & {row["kind"] for row in causes}, "what only meets was led to by nobody"


JOINING = ("meeting", "absorbed")
REASONS = ("another cause explains it better", "it leads out of the warm-up", "size cap")


def test_no_subgraph_is_larger_than_the_cap_or_reaches_out_of_the_warm_up() -> None:
    linked, found = connected(TOGETHER, TIGHT)
    session_of = {row["episode"]: row["session"] for row in linked.episodes.to_pylist()}
    parts = subgraphs(found).values()
    assert max(len({session_of[n] for n in part}) for part in parts) == TIGHT.max_sessions
    is_young = {row["episode"]: row["history_hours"] < 24 for row in TOGETHER}
    assert {len({is_young[n] for n in part}) for part in parts} == {1}


def test_with_room_for_all_nothing_is_cut_for_its_size() -> None:
    found = connected(TOGETHER, LOOSE)[1]
    assert set(found.cuts["reason"].to_pylist()) == set(REASONS[:2])


# --- what belongs together, in a few lines --------------------------------------------------------------------------


def of_plant(*lines: str | Row, p: RankingParameters = P) -> tuple[list[set[int]], Connected]:
    """The subgraphs of more than one episode, numbered in order of telling, the largest first."""
    _, found = connected(story("plant", 1, *lines), p)
    parts = sorted(
        (part for part in subgraphs(found).values() if len(part) > 1), key=lambda part: (-len(part), min(part))
    )
    return parts, found


def ways(links: pa.Table) -> list[tuple[Any, ...]]:
    return sorted((row["src"], row["dst"], *([row["reason"]] if "reason" in row else [])) for row in links.to_pylist())


# Somebody goes from host to host, each hop of a type of its own and twenty minutes after the last.
HOPS = ("ws1/it -> fs1/it smb", "fs1/it -> dc1/it rdp", "dc1/it -> jump/dmz psexec", "jump/dmz -> ews/ot vnc")


def campaign(begin: float, history: float, *hops: str) -> list[Row]:
    return [
        told(f"{begin + 20 * n} {hop}", history_hours=history + n / 3, fleet_share=1 / (history + 2), surprise=6.0)
        for n, hop in enumerate(hops)
    ]


def test_who_goes_from_host_to_host_is_one() -> None:
    parts, found = of_plant(*campaign(0, 400, *HOPS))
    assert parts == [{1, 2, 3, 4}]
    assert {(1, 2), (2, 3), (3, 4)} <= set(ways(found.links))
    # Not so where a fortnight lies between, and the site knows nothing of it.
    assert of_plant(*campaign(0, 400, *HOPS[:1]), *campaign(20200, 700, *HOPS[1:]))[0] == [{2, 3, 4}]


def test_a_campaign_after_the_warm_up_does_not_vanish_because_a_link_leads_into_it() -> None:
    # 23.9 hours after the site began somebody comes to fs1, and goes on from there six minutes later: its links are likely.
    early = campaign(0, 23.9, *HOPS[:1])
    whole = campaign(20, 24.0, *HOPS[1:], "ews/ot -> plc/ot stop")
    parts, found = of_plant(*early, *whole)
    assert parts == [{2, 3, 4, 5}]
    hours = {row["episode"]: row["history_hours"] for row in found.episodes.to_pylist()}
    assert min(hours[n] for n in parts[0]) >= P.warm_up_hours, "or nothing of it would ever be shown"
    assert (1, 2, "it leads out of the warm-up") in ways(found.cuts)
    # A little later, the same: all of it is one.
    later = [{**row, "history_hours": row["history_hours"] + 1} for row in early + whole]
    assert of_plant(*later)[0] == [{1, 2, 3, 4, 5}]
    # Nor does what happens on one host without a pause.
    lone = [told(f"{5 * n} fs1/it rare {n}", surprise=9.0, history_hours=23.8 + n / 12) for n in range(5)]
    assert of_plant(*lone)[0] == [{1, 2, 3}, {4, 5}]


def test_while_the_site_is_young_a_short_way_is_one_however_usual() -> None:
    # One type from host to host: nothing is rare in the first hours, and half an hour of pivots is taken for one.
    young = [
        told(f"{10 * n} h{n}/it -> h{n + 1}/it smb", history_hours=1.0, fleet_share=2 / 3, surprise=0.5)
        for n in range(4)
    ]
    assert of_plant(*young)[0] == [{1, 2, 3, 4}]
    old = [{**row, "history_hours": 400.0, "fleet_share": 0.19} for row in young]
    assert of_plant(*old)[0] == []
    late = [
        {**row, "started_at": row["started_at"] + 3 * (row["started_at"] - young[0]["started_at"])} for row in young
    ]
    late = [{**row, "ended_at": row["started_at"]} for row in late]  # forty minutes apart
    assert of_plant(*late)[0] == []


def test_the_size_cap_says_when_it_cut() -> None:
    hops = [f"h{n}/it -> h{n + 1}/it way {n}" for n in range(8)]
    parts, found = of_plant(*campaign(0, 400, *hops), p=RankingParameters(max_sessions=5, meet_hours=0.01))
    assert [len(part) for part in parts] == [5, 3]
    reasons = [reason for *_, reason in ways(found.cuts)]
    assert reasons.count("size cap") == 1
    ((src, dst, _),) = [cut for cut in ways(found.cuts) if cut[2] == "size cap"]
    assert dst == src + 1
    # With room for all there is none.
    assert of_plant(*campaign(0, 400, *hops), p=RankingParameters(max_sessions=8))[0] == [set(range(1, 9))]


def test_a_likely_link_between_two_says_that_another_cause_explains_it_better() -> None:
    # Two come to fs1 by the same alert, five hours apart; what fs1 does is the second's, and might have been the first's.
    first = campaign(0, 400, "a/it -> fs1/it smb")
    lines = (*first, *campaign(300, 405, "b/it -> fs1/it smb", "fs1/it -> dc1/it rdp"))
    apart = RankingParameters(meet_hours=0.01)
    parts, found = of_plant(*lines, p=apart)
    assert (parts, ways(found.cuts)) == ([{2, 3}], [(1, 3, "another cause explains it better")])
    # Two days apart it is no likely cause, and no cut.
    lines = (*first, *campaign(2880, 448, "b/it -> fs1/it smb", "fs1/it -> dc1/it rdp"))
    parts, found = of_plant(*lines, p=apart)
    assert (parts, ways(found.cuts)) == ([{2, 3}], [])


def test_what_a_stir_absorbs_is_of_its_subgraph_while_there_is_room() -> None:
    # 20 nats on fs1 in 36 minutes; meanwhile two hosts with 3 nats each, that came as often as not to be linked.
    alike = {"history_hours": 30.0, "fleet_share": 0.14}
    stir = [told(f"{9 * n} fs1/it rare {n}", surprise=4.0, **alike) for n in range(5)]
    rows = [*stir, *(told(f"20 db{n}/it odd", surprise=2.4, **alike) for n in (1, 2))]
    for most, kept, cut in ((3, [(1, 6), (1, 7)], []), (2, [(1, 6)], [(1, 7, "size cap")])):
        parts, found = of_plant(*rows, p=RankingParameters(max_sessions=most))
        absorbed = [row for row in ways(found.links) if row in kept]
        assert absorbed == kept
        assert ways(found.cuts) == cut
        assert [len(part) for part in parts] == [5 + len(kept)]


# --- what must not matter -------------------------------------------------------------------------------------------


def test_neither_the_order_of_rows_nor_other_sites_matter() -> None:
    _, together = connected(TOGETHER, TIGHT)
    _, shuffled = connected(random.Random(1).sample(TOGETHER, len(TOGETHER)), TIGHT)
    assert all(one.equals(other) for one, other in zip(shuffled[:4], together[:4], strict=True))
    for site in SITES:
        _, alone = connected(site, TIGHT)
        for one, of_all in zip(alone[:4], together[:4], strict=True):
            assert by_text(one.to_pylist()) == by_text(r for r in of_all.to_pylist() if r["site"] == site[0]["site"])


def by_text(rows: Any) -> list[str]:
    return sorted(map(repr, rows))


def test_without_episodes_there_are_no_subgraphs() -> None:
    found = connected([], TIGHT)[1]
    assert [table.num_rows for table in found[:4]] == [0, 0, 0, 0]
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
