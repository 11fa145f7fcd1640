"""Announced maintenance: windows are known by the keys that alerts give to machines. What they mean is told in the fold."""

from __future__ import annotations

from typing import Any

from incident import at

from alertgraph_spark.config.source_format import Asset, MaintenanceWindow
from alertgraph_spark.interpret import calendar_of
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.interim_schemas import CALENDAR

WINDOWS = [
    MaintenanceWindow("EWS-1.plant.example", at(60), at(120), "plant"),
    MaintenanceWindow("10.9.0.7", at(60), at(120)),  # the list says who that is; no site: wherever it is
    MaintenanceWindow("10.9.0.8", at(60), at(120)),  # nobody does: the address itself
    MaintenanceWindow("-", at(60), at(120)),  # a placeholder names no machine
]
ASSETS = [Asset("10.9.0.7", name="mnt-1"), Asset("10.9.0.9", name="ews-2")]


def test_a_machine_has_the_key_that_alerts_give_it() -> None:
    found = calendar_of(WINDOWS, ASSETS)
    assert found.schema == arrow_schema(CALENDAR)
    rows: list[dict[str, Any]] = sorted(found.to_pylist(), key=lambda row: str(row["machine"]))
    assert [(row["machine"], row["site"], row["begins"], row["ends"]) for row in rows] == [
        ("host:ews-1", "plant", at(60), at(120)),
        ("host:mnt-1", None, at(60), at(120)),
        ("ip:10.9.0.8", None, at(60), at(120)),
    ]


def test_a_ticket_comes_along() -> None:
    found = calendar_of([MaintenanceWindow("ews-1", at(60), at(120), ticket="CHG-7")], ()).to_pylist()
    assert [row["ticket"] for row in found] == ["CHG-7"]


def test_without_a_calendar_there_is_an_empty_one() -> None:
    assert calendar_of((), ASSETS) == arrow_schema(CALENDAR).empty_table()
