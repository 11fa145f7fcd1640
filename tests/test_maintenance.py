"""Announced maintenance: an engineer changes a controller in the window that was told, somebody else uses the hour."""

from __future__ import annotations

import pytest
from incident import at, grouped_frame, told
from pyspark.sql import SparkSession

from alertgraph_spark.maintenance import with_announced
from alertgraph_spark.source_format import Asset, MaintenanceWindow

WINDOWS = [
    MaintenanceWindow("EWS-1.plant.example", at(60), at(120), "plant"),
    MaintenanceWindow("ews-1", at(600), at(660), "plant"),  # a second shift
    MaintenanceWindow("10.9.0.7", at(60), at(120)),  # the list says who that is; no site: wherever it is
    MaintenanceWindow("10.9.0.8", at(60), at(120)),  # nobody does
]
ASSETS = [Asset("10.9.0.7", name="mnt-1"), Asset("10.9.0.9", name="ews-2")]

EPISODES = {
    "the engineer": (told("60 ews-1/ot -> plc-1/ot program"), True),
    "a minute before": (told("59 ews-1/ot -> plc-1/ot program"), False),
    "until the last minute": (told("119.9 ews-1/ot -> plc-1/ot program"), True),
    "begins when it ends": (told("120 ews-1/ot -> plc-1/ot program"), False),
    "runs over its end": (told("110 ews-1/ot -> plc-1/ot program", lasts=60), True),
    "the second shift": (told("610 ews-1/ot -> plc-1/ot program"), True),
    "about itself": (told("70 ews-1/ot new service"), True),
    "the intruder at the engineer's": (told("70 ws-9/it -> ews-1/ot rdp"), False),
    "another engineer": (told("70 ews-2/ot -> plc-1/ot program"), False),
    "its like at another site": (told("70 ews-1/ot -> plc-1/ot program", site="other"), False),
    "by the name of the address": (told("70 mnt-1/dmz -> ews-1/ot rdp"), True),
    "at another site, which has one too": (told("70 mnt-1/dmz -> ews-1/ot rdp", site="other"), True),
    "an address": (told("70 x/ot -> plc-1/ot stop", source_entity="ip:10.9.0.8"), True),
    "of nobody": (told("70 x/ot stop", target_entity=None), False),
}


@pytest.fixture(scope="module")
def announced(spark: SparkSession) -> dict[str, bool]:
    rows = [{"site": "plant", **row, "episode": n} for n, (row, _) in enumerate(EPISODES.values())]
    found = with_announced(grouped_frame(spark, rows).drop("is_announced"), WINDOWS, ASSETS)
    told_of = found.select("episode", "is_announced").collect()
    assert len(told_of) == len(rows), "windows that overlap double no row"
    by_number = {row["episode"]: row["is_announced"] for row in told_of}
    return {name: by_number[n] for n, name in enumerate(EPISODES)}


@pytest.mark.parametrize("name", EPISODES)
def test_announced_is_what_the_machine_does_in_its_window(announced: dict[str, bool], name: str) -> None:
    assert announced[name] is EPISODES[name][1]


def test_windows_of_one_machine_that_overlap_are_one(spark: SparkSession) -> None:
    episodes = grouped_frame(spark, [{**told("70 ews-1/ot x"), "episode": 1}]).drop("is_announced")
    twice = with_announced(episodes, [*WINDOWS, *WINDOWS], ASSETS)

    assert [row["is_announced"] for row in twice.collect()] == [True]
    assert twice.columns == [*episodes.columns, "is_announced"]


def test_without_a_calendar_nothing_was_announced(spark: SparkSession) -> None:
    episodes = grouped_frame(spark, [{**told("70 ews-1/ot x"), "episode": 1}]).drop("is_announced")

    assert [row["is_announced"] for row in with_announced(episodes, (), ASSETS).collect()] == [False]
