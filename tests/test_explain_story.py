"""What is told of a shown subgraph: sentences in the order of time, each with the alerts behind it."""

from __future__ import annotations

import json
import re
from datetime import timedelta, timezone
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from arrows import grouped_table, table_of
from incident import DAY, at, told

from alertgraph_spark.explain.sentences import MAX_IDS
from alertgraph_spark.explain.story import MAX_EPISODES, tell, with_story
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.schemas import SUBGRAPHS

Told = list[tuple[str, list[str]]]


def of(*lines: str | dict[str, Any]) -> list[dict[str, Any]]:
    """Episodes numbered in the order in which they are told, each with its alerts `<number>.<i>`."""
    rows = [told(line) if isinstance(line, str) else line for line in lines]
    return [
        {**row, "episode_id": f"{n:02}", "alert_ids": [f"{n}.{i:05}" for i in range(min(row["n_alerts"], MAX_IDS))]}
        for n, row in enumerate(rows)
    ]


def hosts(*names: str) -> list[str]:
    return [f"host:{name}" for name in names]


def all_of(episodes: list[dict[str, Any]]) -> int:
    return sum(e["n_alerts"] for e in episodes)


PATH = hosts("ws1", "jump", "ews", "plc")
ATTACK = of(
    told("540 ws1/it phish opened #initial-access @meyer", n_alerts=2),
    told("550 ws1/it -> jump/dmz rdp logon #lateral-movement @svc", lasts=5, n_alerts=3),
    told("600 jump/dmz -> ews/ot rdp logon #lateral-movement @svc", surprise=6.0),
    told("1500 ews/ot -> plc/ot controller stopped #impair-process-control", lasts=30, n_alerts=4, surprise=9.0),
    told("1510 hmi/ot view lost"),
)


def test_the_attack_in_five_sentences() -> None:
    # Minutes from midnight of 2 March: 540 is 09:00, 1500 the next day at 01:00.
    assert tell(ATTACK, PATH, all_of(ATTACK)) == [
        (
            "2 Mar 2026 09:00 UTC it begins on ws1 (IT): “phish opened”; 2 alerts, account meyer.",
            ["0.00000", "0.00001"],
        ),
        (
            "09:10 from ws1 to jump (DMZ): “rdp logon”; 3 alerts until 09:15, account svc.",
            ["1.00000", "1.00001", "1.00002"],
        ),
        ("10:00 from jump to ews (OT): “rdp logon”; 1 alert, account svc, reaches into OT.", ["2.00000"]),
        (
            "3 Mar 01:00 from ews to plc (OT): “controller stopped”; 4 alerts until 01:30, acts on the process.",
            ["3.00000", "3.00001", "3.00002", "3.00003"],
        ),
        ("01:10 beside the way, on hmi: “view lost”; 1 alert.", ["4.00000"]),
    ]


def test_the_order_of_the_rows_changes_nothing() -> None:
    assert tell(ATTACK[::-1], PATH, all_of(ATTACK)) == tell(ATTACK, PATH, all_of(ATTACK))


def test_what_is_only_near_a_crossing_is_not_called_one() -> None:
    inside = of("0 hmi/ot -> plc/ot read #collection", "5 plc/ot -> ws1/it answer", "9 ws1/it stopped #impact")
    story = " ".join(sentence for sentence, _ in tell(inside, [], 3))
    assert "reaches into OT" not in story  # from OT to OT, and from OT to IT
    assert "acts on the process" not in story  # an impact in IT


@pytest.mark.parametrize("n_hosts", range(2, 12))
def test_a_long_way_is_told_in_six_sentences_that_leave_nothing_out(n_hosts: int) -> None:
    way = [f"h{i}" for i in range(n_hosts)]
    rows = of(*(f"{10 * i} {a}/it -> {b}/it hop {i}" for i, (a, b) in enumerate(pairwise(way))))
    story = tell(rows, hosts(*way), len(rows))
    check(story, rows)
    told_ids = [i for _, ids in story for i in ids]
    assert set(told_ids) == {row["alert_ids"][0] for row in rows}


def check(story: Told, rows: list[dict[str, Any]]) -> None:
    """What holds of any story: its length, its order, and alerts that are its own behind every sentence."""
    known = {i for row in rows for i in row["alert_ids"]}
    started = {i: row["started_at"] for row in rows for i in row["alert_ids"]}
    assert 3 <= len(story) <= 6
    assert all(sentence.endswith(".") and 1 <= len(ids) <= MAX_IDS for sentence, ids in story)
    assert all(set(ids) <= known and len(set(ids)) == len(ids) for _, ids in story)
    begun = [
        min(started[i] for i in ids)
        for sentence, ids in story
        if " it ends: " not in sentence and "had seen" not in sentence
    ]
    assert begun == sorted(begun)
    counted = [int(n.replace(",", "")) for sentence, _ in story for n in re.findall(r"; ([\d,]+) alerts?", sentence)]
    assert sum(counted) == all_of(rows), "each alert is counted in one sentence"


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_few_alerts_on_one_host(n: int) -> None:
    rows = of(*(f"{i * i} ws1/it alert {i}" for i in range(n)))
    check(tell(rows, [], n), rows)


def test_a_lone_alert_says_how_usual_it_is() -> None:
    # fleet_share 0.01 of (200 + 2) hours is 2.02 = seen + 1
    story = tell(of("60 ws1/it usb stick @meyer"), [], 1)
    assert [sentence for sentence, _ in story] == [
        "2 Mar 2026 01:00 UTC it begins on ws1 (IT): “usb stick”; 1 alert, account meyer.",
        "01:00 it ends: nothing that it could have led to follows.",
        "The site had seen “usb stick” in 1 of 200 hours before.",
    ]
    assert {tuple(ids) for _, ids in story} == {("0.00000",)}


def test_an_episode_without_a_host() -> None:
    row = told("0 x/it y", target_entity=None, target_zone=None)
    assert tell(of(row), [], 1)[0][0] == "2 Mar 2026 00:00 UTC it begins on no named host: “y”; 1 alert."


def test_many_pairs_without_a_path() -> None:
    rows = of(*(f"{i} scan/it -> srv{i}/it probe" for i in range(60)))
    story = tell(rows, [], 60)
    check(story, rows)
    assert story[0][0].startswith("2 Mar 2026 00:00 UTC it begins from scan (IT) to srv0 (IT): “probe”; 1 alert")
    assert any(re.search(r"and \d+ more: ", sentence) for sentence, _ in story), "hosts that are not named are counted"


def test_ten_thousand_alerts_are_counted_and_a_few_are_named() -> None:
    rows = of(*(told(f"{i} ws{i}/it flood {i}", n_alerts=200) for i in range(50)))
    story = tell(rows, [], 10_000)
    check(story, rows)
    assert len(json.dumps(story).encode()) < 16 * 1024  # a field may have 64 KB


def test_what_is_left_out_is_said() -> None:
    assert tell(ATTACK, [], all_of(ATTACK) + 9_000)[-1][0].endswith(
        "9,000 further alerts of less rare episodes belong to it."
    )
    assert "further" not in tell(ATTACK, [], all_of(ATTACK))[-1][0]


# --- in tables ------------------------------------------------------------------------------------------------------


def shown_table(n_alerts: dict[str, int], shown: set[str]) -> pa.Table:
    """Subgraphs ranked as they come, along `PATH`."""
    values = {"string": "", "bigint": 0, "double": 0.0, "boolean": False, "timestamp": DAY}
    nothing: dict[str, Any] = {
        c.name: None if c.nullable else [] if c.type.startswith("array") else values[c.type] for c in SUBGRAPHS.columns
    }
    return table_of(
        SUBGRAPHS,
        [
            {**nothing, "subgraph_id": key, "is_shown": key in shown, "n_alerts": n, "rank": rank, "path": PATH}
            for rank, (key, n) in enumerate(n_alerts.items(), start=1)
        ],
    )


CROWD = [told(f"{i} ws1/it crowd {i}", surprise=1.0) for i in range(MAX_EPISODES + 50)]
ROWS = [
    *({**row, "site": "plant", "subgraph_id": "sg-attack"} for row in ATTACK),
    *({**row, "site": "plant", "subgraph_id": "sg-crowd"} for row in CROWD),
    {**told("0 ws9/it x"), "subgraph_id": "sg-quiet"},
]
EPISODES = [{**row, "episode": n} for n, row in enumerate(ROWS)]


def stories(rows: list[dict[str, Any]], subgraphs: pa.Table) -> dict[str, Any]:
    first_alerts = pa.table(
        {
            "episode": pa.array([row["episode"] for row in rows], pa.int64()),
            "alert_ids": pa.array([ids_of(row) for row in rows], pa.list_(pa.string())),
        }
    )
    with Engine() as engine:
        found = with_story(engine, subgraphs, grouped_table(rows), first_alerts)
    assert found.schema == arrow_schema(SUBGRAPHS)
    assert found.drop_columns(["story"]) == subgraphs.drop_columns(["story"])  # rows, their order and all else stay
    return {row["subgraph_id"]: row["story"] for row in found.to_pylist()}


def ids_of(row: dict[str, Any]) -> list[str]:
    return [f"{row['episode']:03}/{i:02}" for i in range(min(row["n_alerts"], MAX_IDS))]


def test_only_what_is_shown_is_told_and_ids_are_those_of_its_alerts() -> None:
    counts = {"sg-attack": all_of(ATTACK), "sg-crowd": len(CROWD), "sg-quiet": 1}
    found = stories(EPISODES, shown_table(counts, {"sg-attack", "sg-crowd"}))
    assert set(found) == set(counts) and found["sg-quiet"] == []
    for key in ("sg-attack", "sg-crowd"):
        own = {i for row in EPISODES if row["subgraph_id"] == key for i in ids_of(row)}
        assert 3 <= len(found[key]) <= 6
        assert all(s["alert_ids"] and set(s["alert_ids"]) <= own for s in found[key])
    assert [s["sentence"] for s in found["sg-attack"]] == [
        sentence for sentence, _ in tell(ATTACK, PATH, all_of(ATTACK))
    ]
    assert found["sg-crowd"][-1]["sentence"].endswith("50 further alerts of less rare episodes belong to it.")


def test_of_many_episodes_the_rarest_are_told() -> None:
    last = {**told("9000 ws1/it -> dc1/it tickets forged", surprise=9.0), "subgraph_id": "sg-crowd", "episode": 999}
    rows = [*(row for row in EPISODES if row["subgraph_id"] == "sg-crowd"), last]
    found = stories(rows, shown_table({"sg-crowd": len(rows)}, {"sg-crowd"}))["sg-crowd"]
    assert any("“tickets forged”" in s["sentence"] and s["alert_ids"] == ["999/00"] for s in found)


def test_neither_the_order_of_rows_nor_another_subgraph_matters() -> None:
    counts = {"sg-attack": all_of(ATTACK), "sg-crowd": len(CROWD), "sg-quiet": 1}
    whole = stories(EPISODES, shown_table(counts, set(counts)))
    assert stories(EPISODES[::-1], shown_table(counts, set(counts))) == whole
    for key, n in counts.items():
        alone = [row for row in EPISODES if row["subgraph_id"] == key]
        assert stories(alone, shown_table({key: n}, {key})) == {key: whole[key]}


def test_times_are_told_in_utc_whatever_the_zone_of_the_process() -> None:
    shifted = [{**row, "started_at": row["started_at"].astimezone(timezone(timedelta(hours=5)))} for row in ATTACK]
    assert tell(shifted, [], all_of(ATTACK))[0][0].startswith("2 Mar 2026 09:00 UTC")
    assert at(0) == DAY
