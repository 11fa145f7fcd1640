"""Subgraphs: their names, what each member is to them, the links that hold them, and proof that they do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pytest
from arrows import episode_table, link_table
from incident import Row, story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.subgraphs import check_invariant, divide_links, with_heard_hours, with_subgraph
from alertgraph_spark.errors import GraphInvariantError
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.schemas import CUTS, LINKS

P = RankingParameters()
CONNECTED = {"session": "bigint", "is_lone": "boolean", "component": "bigint", "core": "bigint"}


def grouped_by(rows: list[Row], components: dict[int, int], absorbed: Iterable[int] = ()) -> dict[int, Any]:
    """Episodes, each a session of its own, with the subgraph that their component makes; `absorbed` is what one took in."""
    known = [
        {**row, "session": n, "is_lone": True, "core": n, "component": components.get(n, n)}
        for row in rows for n in [row["episode"]]
    ]  # fmt: skip
    cores = pa.table({"core": pa.array(absorbed, pa.int64())})
    with Engine() as engine:
        found = with_subgraph(engine, episode_table(known, CONNECTED), cores, P)
    assert found.column_names == [*episode_table([]).column_names, "is_linked", "subgraph_id", "role"]
    assert found["episode"].to_pylist() == [row["episode"] for row in rows]
    return {row["episode"]: row for row in found.to_pylist()}


def named(rows: list[Row], components: dict[int, int]) -> dict[int, tuple[str, bool]]:
    return {n: (row["subgraph_id"], row["is_linked"]) for n, row in grouped_by(rows, components).items()}


def test_each_member_says_what_it_is_to_its_subgraph() -> None:
    nearly_noise = {"fleet_share": 0.16}
    rows = story(
        "plant", 1,
        "0 a/it x", "5 b/it x", told("6 b/it y", **nearly_noise), told("7 c/it y", fleet_share=0.15),
        told("8 d/it y", **nearly_noise, history_hours=23.9), "9 alone/it x",
    )  # fmt: skip
    grouped = grouped_by(rows, dict.fromkeys(range(1, 6), 1), absorbed=[2, 2])
    assert {n: row["role"] for n, row in grouped.items()} == {
        1: "core",
        2: "absorbed",
        3: "context",  # seen in more than 15 % of the hours
        4: "core",
        5: "core",  # 16 % of less than a day says nothing
        6: "single",
    }


def test_a_subgraph_is_named_after_its_earliest_episode_and_keeps_the_name_when_it_grows() -> None:
    rows = story("plant", 1, "20 b/it x", "10 a/it x", "30 c/it x", "5 d/it x")
    # Episode 2 is the earliest of 1, 2, 3 though neither its number nor the component says so; 4 is alone.
    before = named(rows, {1: 1, 2: 1})
    assert before == {
        1: ("sg-0000000000000002", True),
        2: ("sg-0000000000000002", True),
        3: ("sg-0000000000000003", False),
        4: ("sg-0000000000000004", False),
    }
    # 3 joins, and the engine happens to name the component otherwise.
    after = named(rows, {1: -7, 2: -7, 3: -7})
    assert after == {**before, 3: ("sg-0000000000000002", True)}


def test_two_that_begin_together_are_told_apart_by_number() -> None:
    rows = story("plant", 7, "10 b/it x", "10 a/it x")
    assert set(named(rows, {7: 8, 8: 8}).values()) == {("sg-0000000000000007", True)}


@pytest.mark.parametrize(
    ("number", "text"),
    # two's complement, as Java's Long.toHexString
    [
        (2**63 - 1, "7fffffffffffffff"),
        (-1, "ffffffffffffffff"),
        (255, "00000000000000ff"),
        (-(2**63), "8000000000000000"),
    ],
)
def test_a_name_keeps_every_digit(number: int, text: str) -> None:
    assert named(story("plant", number, "0 a/it x"), {}) == {number: (f"sg-{text}", False)}


# --- what the past heard of a target --------------------------------------------------------------------------------


def test_a_target_is_heard_of_in_earlier_hours_of_its_site() -> None:
    rows = story(
        "plant", 1,
        "0 nas/it x", "59 ws1/it -> nas/it y",  # hour 0: nothing before, whoever tells
        "60 nas/it x", "119 nas/it x",  # hour 1: what comes in the same hour counts once, and not yet
        "180 nas/it z", "180 fs1/it z",
    )  # fmt: skip
    rows += story("other", 11, "300 nas/it x")
    with Engine() as engine:
        heard = with_heard_hours(engine, episode_table(rows))["heard_hours"]
    assert heard.type == pa.int64()
    assert heard.to_pylist() == [0, 0, 1, 1, 2, 0, 0]


# --- links ----------------------------------------------------------------------------------------------------------


def divided(
    links: pa.Table, components: dict[int, int], refused: list[tuple[int, int]], warm_up: tuple[int, ...] = ()
) -> tuple[pa.Table, pa.Table]:
    """Links kept and cut between episodes that are each a session of their own."""
    history = [23.9 if number in warm_up else 24.0 for number in components]
    columns = {"episode": [*components], "session": [*components], "component": [*components.values()]}
    episodes = pa.table({**columns, "history_hours": history})
    pairs = pa.table({end: pa.array([one[i] for one in refused], pa.int64()) for i, end in enumerate(("src", "dst"))})
    with Engine() as engine:
        return divide_links(engine, links, episodes, pairs, P)


def test_a_cut_is_the_whole_link_and_says_why_so_that_an_analyst_can_join_again() -> None:
    links = link_table([(2, 3, 0.2), (1, 4, 0.7), (4, 3, 0.5), (1, 2, 0.1)])
    kept, cuts = divided(links, {1: 1, 2: 1, 3: 3, 4: 3}, refused=[(1, 4), (7, 8)])
    assert (kept.schema, cuts.schema) == (arrow_schema(LINKS), arrow_schema(CUTS))
    assert kept.equals(links.slice(2))
    assert cuts.drop_columns("reason").equals(links.slice(0, 2))
    assert cuts["reason"].to_pylist() == ["another cause explains it better", "size cap"]


def test_why_a_link_joins_nothing() -> None:
    links = link_table([(1, 2, 0.9), (3, 4, 0.9), (5, 6, 0.9), (7, 8, 0.9), (1, 3, 0.9)])
    kinds = pa.array(["pivot", "pivot", "absorbed", "meeting", "pivot"])
    odds = pa.array([1.0, 1.0, 0.0, 0.0, -9.0])  # the last was the cause all the same, in the warm-up
    for name, column in (("kind", kinds), ("log_odds", odds)):
        links = links.set_column(links.schema.get_field_index(name), name, column)
    _, cuts = divided(links, {n: n for n in range(1, 9)}, refused=[(1, 3)], warm_up=(1, 3, 5))
    assert dict(zip(ends_of(cuts), cuts["reason"].to_pylist(), strict=True)) == {
        (1, 2): "it leads out of the warm-up",
        (3, 4): "it leads out of the warm-up",
        (5, 6): "size cap",
        (7, 8): "size cap",
        (1, 3): "size cap",
    }
    _, cuts = divided(links, {n: n for n in range(1, 9)}, refused=[], warm_up=(1, 2, 3, 4))
    assert cuts["reason"].to_pylist() == ["another cause explains it better"] * 2 + ["size cap"] * 2


def test_a_link_that_is_not_likely_is_no_cut_and_tells_a_way_inside() -> None:
    def of_odds(log_odds: float) -> pa.Table:
        links = link_table([(1, 2, 0.1), (2, 3, 0.1)])
        return links.set_column(links.schema.get_field_index("log_odds"), "log_odds", pa.array([log_odds] * 2))

    for log_odds, n_cuts in ((P.link_least, 0), (P.link_least + 0.001, 1)):
        kept, cuts = divided(of_odds(log_odds), {1: 1, 2: 1, 3: 3}, refused=[])
        assert (ends_of(kept), len(cuts)) == ([(1, 2)], n_cuts)


def ends_of(links: pa.Table) -> list[tuple[int, int]]:
    return [(row["src"], row["dst"]) for row in links.to_pylist()]


def test_a_cause_that_the_cap_refused_may_lead_out() -> None:
    causes = link_table([(1, 2, 0.9), (2, 3, 0.1)])
    episodes = pa.table({"episode": [1, 2, 3], "session": [1, 1, 3], "component": [1, 1, 3]})
    none = pa.table({"src": pa.array([], pa.int64()), "dst": pa.array([], pa.int64())})
    with Engine() as engine:
        check_invariant(engine, causes, episodes, pa.table({"src": [1], "dst": [3]}))
        with pytest.raises(GraphInvariantError, match=r"1 links join two subgraphs, e\.g\. \(2, 3\)"):
            check_invariant(engine, causes, episodes, none)


def test_a_grouping_that_tears_a_link_apart_is_refused() -> None:
    causes = link_table([(1, 2, 0.9), (2, 3, 0.1), (3, 4, 0.8)])
    torn = pa.table({"episode": [1, 2, 3, 4], "session": [1, 2, 3, 4], "component": [1, 1, 3, 3]})
    sound = causes.take([0, 2])
    none = causes.slice(0, 0).select(["src", "dst"])
    with Engine() as engine:
        check_invariant(engine, sound, torn, none)
        with pytest.raises(GraphInvariantError, match=r"1 links join two subgraphs, e\.g\. \(2, 3\)"):
            check_invariant(engine, causes, torn, none)
        with pytest.raises(GraphInvariantError, match=r"1 links join two subgraphs, e\.g\. \(3, 4\)"):
            check_invariant(engine, sound, torn.slice(0, 3), none)  # an end that was lost
        check_invariant(engine, sound, torn.slice(0, 2), none)  # a whole subgraph left out takes both ends along
