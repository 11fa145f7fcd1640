"""Which subgraphs may be of the same attack as a shown one, though nothing joined them: a rare entity in common."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from arrows import grouped_table
from incident import story, told

from alertgraph_spark.explain.related import MOST_RELATED, RARE, relation, with_related
from alertgraph_spark.tables.embedded import Engine

RELATED = pa.list_(pa.struct([("subgraph_id", pa.string()), ("fact", pa.string())]))


def related(rows: list[dict[str, Any]], *shown: str) -> list[list[dict[str, str]]]:
    """What is told beside each of the subgraphs that are shown."""
    ids = sorted({row["subgraph_id"] for row in rows} | set(shown))
    subgraphs = pa.table(
        {
            "subgraph_id": ids,
            "is_shown": [key in shown for key in ids],
            "related": pa.array([[] for _ in ids], RELATED),
        }
    )
    with Engine() as engine:
        found = with_related(engine, subgraphs, grouped_table(rows))
    told_of = dict(zip(ids, found["related"].to_pylist(), strict=True))
    assert all(not told_of[key] for key in ids if key not in shown)
    return [told_of[key] for key in shown]


def of(subgraph: str, *lines: str, first: int = 1, site: str = "plant") -> list[dict[str, Any]]:
    """The episodes of one subgraph."""
    return [row | {"subgraph_id": subgraph} for row in story(site, first, *map(told, lines))]


def quiet(n: int, first: int = 100) -> list[dict[str, Any]]:
    """Other subgraphs, each of a host of its own."""
    return [row for i in range(n) for row in of(f"sg-quiet{i}", f"{i} lone{i}/it noise", first=first + i)]


DAY = 24 * 60
PHISHED = of("sg-a", "0 ws1/it macro @meyer", "30 ws1/it -> fs1/it smb @meyer")
STOLEN = of("sg-b", f"{3 * DAY + 30} ws9/it logon @meyer", first=10)


def test_an_account_that_is_used_elsewhere_three_days_later() -> None:
    found = related(PHISHED + STOLEN + quiet(6), "sg-a")
    fact = "account meyer in common; 3 days later; 1 alert, rarest “logon”"
    assert found == [[{"subgraph_id": "sg-b", "fact": fact}]]


def test_from_the_other_side_it_lies_before() -> None:
    (found,) = related(PHISHED + STOLEN + quiet(6), "sg-b")
    assert [one["subgraph_id"] for one in found] == ["sg-a"]
    assert found[0]["fact"].startswith("account meyer in common; 3 days before; 2 alerts, rarest “")


def test_the_same_name_on_another_site_is_somebody_else() -> None:
    elsewhere = of("sg-b", f"{3 * DAY} ws9/it logon @meyer", first=10, site="works")
    assert related(PHISHED + elsewhere + quiet(6), "sg-a") == [[]]


@pytest.mark.parametrize(("others", "is_told"), [(RARE - 1, True), (RARE, False)])
def test_what_many_have_in_common_is_everyday(others: int, is_told: bool) -> None:
    rows = [row for i in range(others) for row in of(f"sg-{i}", f"{i} ws{i}/it -> dc1/it logon", first=10 + i)]
    (found,) = related(of("sg-a", "0 ws7/it -> dc1/it logon") + rows + quiet(20), "sg-a")
    assert bool(found) is is_told


def test_the_rarer_the_more_and_the_nearer_first() -> None:
    here = of("sg-a", "0 ws1/it -> fs1/it smb @meyer")
    both = of("sg-both", f"{9 * DAY} ws1/it -> fs1/it smb", first=10)
    near = of("sg-near", "600 ws5/it logon @meyer", first=20)
    far = of("sg-far", f"{2 * DAY} ws6/it logon @meyer", first=30)
    farther = of("sg-farther", f"{4 * DAY} ws8/it logon @meyer", first=40)
    (found,) = related(here + both + near + far + farther + quiet(20), "sg-a")
    # Two entities that two subgraphs have; then one account that four have, by time; the fourth has no room.
    assert [one["subgraph_id"] for one in found] == ["sg-both", "sg-near", "sg-far"]
    assert len(found) == MOST_RELATED
    assert found[0]["fact"].startswith("host fs1, host ws1 in common")


def test_order_of_rows_does_not_matter() -> None:
    rows = PHISHED + STOLEN + quiet(6)
    assert related(rows, "sg-a") == related(rows[::-1], "sg-a")


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        (0.0, "at the same time"),
        (90 * 60, "90 minutes later"),
        (-5 * 3600, "5 hours before"),
        (50 * 3600, "2 days later"),
    ],
)
def test_a_relation_in_words(wait: float, said: str) -> None:
    assert relation(["ip:203.0.113.9"], wait, 2, "scan") == f"ip 203.0.113.9 in common; {said}; 2 alerts, rarest “scan”"
