"""What holds a shown subgraph together, in words: which alert followed which, after how long, where, how rarely by chance."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from arrows import grouped_table, table_of
from incident import story, told

from alertgraph_spark.explain.ties import MOST_TIES, tie, with_ties
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.schemas import LINKS

LINK: dict[str, Any] = {
    "earlier": "RDP logon",
    "later": "New service",
    "kind": "pivot",
    "entity": "host:fs01",
    "gap_minutes": 12.4,
    "chance": 1 / 190,
}
FOLLOWS = "“New service” follows “RDP logon”"


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({}, "after 12 minutes at fs01; by chance it comes so soon there in 1 of 190 cases"),
        ({"gap_minutes": 0.4}, "within a minute at fs01; by chance it comes so soon there in 1 of 190 cases"),
        ({"gap_minutes": 1.2}, "after 1 minute at fs01; by chance it comes so soon there in 1 of 190 cases"),
        ({"gap_minutes": 885.0}, "after 15 hours at fs01; by chance it comes so soon there in 1 of 190 cases"),
        ({"gap_minutes": 4320.0}, "after 3 days at fs01; by chance it comes so soon there in 1 of 190 cases"),
        ({"chance": 0.5}, "after 12 minutes at fs01; by chance it comes so soon there as often as not"),
        ({"chance": 0.0}, "after 12 minutes at fs01; by chance it comes so soon there in 1 of 1,000,000 cases"),
        (
            {"kind": "account", "entity": "account:corp\\meyer"},
            "after 12 minutes by the account corp\\meyer; by chance it comes so soon there in 1 of 190 cases",
        ),
        (
            {"kind": "coincidence"},
            "after 12 minutes on fs01, where nothing but the time joins them; by chance it comes so soon there in 1 of 190"
            " cases",
        ),
    ],
)
def test_a_link_in_words(link: dict[str, Any], said: str) -> None:
    assert tie(LINK | link) == f"{FOLLOWS} {said}"


def ties(rows: list[dict[str, Any]], links: list[tuple[int, int, float, float]], shown: bool = True) -> list[str]:
    """The ties of the plant's subgraph; a link is its earlier and later episode, weight and chance."""
    alike = {"site": "plant", "kind": "pivot", "entity": "host:fs1", "gap_minutes": 5.0, "log_odds": 0.0}
    named = [dict(alike, src=src, dst=dst, weight=weight, chance=chance) for src, dst, weight, chance in links]
    subgraphs = pa.table(
        {"subgraph_id": ["sg-plant"], "is_shown": [shown], "ties": pa.array([[]], pa.list_(pa.string()))}
    )
    with Engine() as engine:
        return list(with_ties(engine, subgraphs, grouped_table(rows), table_of(LINKS, named))["ties"].to_pylist()[0])


WAY = story(
    "plant", 1, "0 ws1/it -> fs1/it smb", "5 fs1/it service", "10 fs1/it -> dc1/it rdp", "11 fs1/it -> dc1/it rdp"
)


def test_of_each_later_type_the_surest_is_told_in_the_order_of_time() -> None:
    found = ties(WAY, [(1, 2, 0.9, 0.01), (1, 3, 0.2, 0.001), (2, 3, 0.8, 0.1), (3, 4, 0.7, 0.2)])
    assert [one.partition(" after")[0] for one in found] == ["“service” follows “smb”", "“rdp” follows “service”"]


def test_what_is_not_shown_is_not_told() -> None:
    assert ties(WAY, [(1, 2, 0.9, 0.01)], shown=False) == []


def test_there_are_so_many_and_these_are_the_rarest_by_chance() -> None:
    rows = story("plant", 1, *(told(f"{n} ws1/it -> fs1/it kind {n}") for n in range(MOST_TIES + 3)))
    links = [(n, n + 1, 0.9, n / 100) for n in range(1, MOST_TIES + 3)]
    found = ties(rows, links)
    assert [one.partition("”")[0] for one in found] == [f"“kind {n}" for n in range(1, MOST_TIES + 1)]
