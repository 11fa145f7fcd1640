"""What is told of a shown subgraph: sentences in the order of time, each with the alerts behind it."""

from __future__ import annotations

import json
import re
from datetime import timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from incident import DAY, at, grouped_frame, told
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.columns import episode_id
from alertgraph_spark.explain.sentences import MAX_IDS
from alertgraph_spark.schemas import MEMBERS, SUBGRAPHS
from alertgraph_spark.story import MAX_EPISODES, tell, with_story

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


# --- in frames ------------------------------------------------------------------------------------------------------


def test_only_what_is_shown_is_told_and_ids_are_those_of_members(spark: SparkSession) -> None:
    crowd = [told(f"{i} ws1/it crowd {i}", surprise=1.0) for i in range(MAX_EPISODES + 50)]
    rows = [
        *({**row, "site": "plant", "subgraph_id": "sg-attack"} for row in ATTACK),
        *({**row, "site": "plant", "subgraph_id": "sg-crowd"} for row in crowd),
        {**told("0 ws9/it x"), "subgraph_id": "sg-quiet"},
    ]
    grouped = grouped_frame(spark, [{**row, "episode": n} for n, row in enumerate(rows)])
    members = grouped.select(
        "subgraph_id",
        F.explode(F.expr("transform(sequence(1, int(n_alerts)), i -> concat(episode, '/', i))")).alias("alert_id"),
        F.lit(None).cast("string").alias("item_id"),
        "site",
        episode_id(F.col("episode")).alias("episode_id"),
        F.lit("core").alias("role"),
    ).select(*MEMBERS.names)
    counts = {"sg-attack": all_of(ATTACK), "sg-crowd": len(crowd), "sg-quiet": 1}
    nothing: dict[str, Any] = {c.name: [] if c.type.startswith("array") else None for c in SUBGRAPHS.columns}
    subgraphs = spark.createDataFrame(
        [
            tuple(
                {**nothing, "subgraph_id": key, "is_shown": key != "sg-quiet", "n_alerts": n, "rank": i, "path": PATH}[
                    name
                ]
                for name in SUBGRAPHS.names
            )
            for i, (key, n) in enumerate(counts.items())
        ],
        SUBGRAPHS.ddl,
    )
    found = {row["subgraph_id"]: row["story"] for row in with_story(subgraphs, grouped, members).collect()}
    of_subgraph: dict[str, set[str]] = {}
    for row in members.collect():
        of_subgraph.setdefault(row["subgraph_id"], set()).add(row["alert_id"])
    assert set(found) == set(counts) and found["sg-quiet"] == []
    for key in ("sg-attack", "sg-crowd"):
        assert 3 <= len(found[key]) <= 6
        assert all(s["alert_ids"] and set(s["alert_ids"]) <= of_subgraph[key] for s in found[key])
    assert [s["sentence"] for s in found["sg-attack"]] == [
        sentence for sentence, _ in tell(ATTACK, PATH, all_of(ATTACK))
    ]
    assert found["sg-crowd"][-1]["sentence"].endswith("50 further alerts of less rare episodes belong to it.")


def test_times_are_told_in_utc_whatever_the_zone_of_the_process() -> None:
    shifted = [{**row, "started_at": row["started_at"].astimezone(timezone(timedelta(hours=5)))} for row in ATTACK]
    assert tell(shifted, [], all_of(ATTACK))[0][0].startswith("2 Mar 2026 09:00 UTC")
    assert at(0) == DAY
