"""Owners, runbooks and tickets: told of the hosts of a subgraph, where the asset list or the calendar says them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from arrows import grouped_table
from incident import at, story

from alertgraph_spark.config.source_format import Asset, MaintenanceWindow
from alertgraph_spark.explain import with_contacts
from alertgraph_spark.interpret import AssetList, calendar_of
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.schemas import SUBGRAPHS

ATTACK = story(
    "plant",
    1,
    "10 ws1/it phish opened",
    "20 ws1/it -> fs1/it smb logon",
    "30 fs1/it -> plc3/ot controller stopped",
    "40 ws1/it -> nas/it odd",
)
PATH = ["host:ws1", "host:fs1", "host:plc3"]
CHECKS = ["Who was logged on?", "Ask the owner of plc3 whether this was planned work."]


def told(
    assets: Sequence[Asset] = (), windows: Sequence[MaintenanceWindow] = (), shown: bool = True, **columns: Any
) -> dict[str, Any]:
    """The subgraph of the attack with what the lists say of it."""
    sentences = [{"sentence": f"Sentence {n}.", "alert_ids": [f"a{n}", "a0"]} for n in range(3 if shown else 0)]
    empty = {c.name: [] if c.type.startswith("array") else None for c in SUBGRAPHS.columns}
    row = {**empty, "subgraph_id": "sg-plant", "site": "plant", "path": PATH, "checks": CHECKS, "story": sentences}
    subgraphs = pa.Table.from_pylist([{**row, **columns}], arrow_schema(SUBGRAPHS))
    episodes = grouped_table(ATTACK)
    contacts = AssetList(assets).contacts(episodes)
    with Engine() as engine:
        found = with_contacts(engine, subgraphs, episodes, contacts, calendar_of(windows, assets))
    assert found.schema == subgraphs.schema
    (one,) = found.to_pylist()
    return dict(one)


ASSETS = [
    Asset("fs1", owner="it-ops"),
    Asset("10.9.0.3", "plc3", owner="shift lead", runbook="https://wiki.example/plc"),
    Asset("10.9.0.4", "plc3", runbook="not this one"),
    Asset("ws2", owner="nobody here"),
]


def test_owners_are_told_the_end_of_the_path_first() -> None:
    row = told(ASSETS)

    assert row["owners"] == [
        {"entity": "host:plc3", "owner": "shift lead", "runbook": "https://wiki.example/plc"},
        {"entity": "host:fs1", "owner": "it-ops", "runbook": None},
    ]
    assert row["checks"] == [
        CHECKS[0],
        "plc3 is owned by shift lead.",
        "fs1 is owned by it-ops.",
        "The runbook of plc3: https://wiki.example/plc",
        CHECKS[1],
    ]
    assert row["story"][3]["sentence"] == "Of its hosts plc3 is owned by shift lead, fs1 is owned by it-ops."
    assert row["story"][3]["alert_ids"] == ["a0", "a1", "a2"]
    assert len(row["story"]) == 4


def test_beside_the_path_those_with_most_alerts_come_first_and_five_are_told() -> None:
    hosts = ("ws1", "fs1", "plc3", "nas")
    many = [Asset(host, owner=f"owner of {host}") for host in hosts]

    assert [one["entity"] for one in told(many)["owners"]] == ["host:plc3", "host:fs1", "host:ws1", "host:nas"]
    assert told(many, path=[])["owners"][0]["entity"] == "host:ws1"


def test_an_owner_of_a_block_answers_for_its_addresses() -> None:
    rows = grouped_table([{**ATTACK[0], "target_entity": "ip:10.9.0.7"}, {**ATTACK[1], "target_entity": "ip:10.8.0.7"}])
    listed = AssetList([Asset("10.0.0.0/8", owner="network"), Asset("10.9.0.0/24", owner="plant")])

    found = {row["entity"]: row["owner"] for row in listed.contacts(rows).to_pylist()}
    assert found == {"ip:10.9.0.7": "plant", "ip:10.8.0.7": "network"}


def test_what_is_not_shown_has_no_story_to_tell_it_in() -> None:
    row = told(ASSETS, shown=False)

    assert row["story"] == []
    assert len(row["owners"]) == 2


def window(asset: str, ticket: str | None, begins: float = 15, ends: float = 25, **more: Any) -> MaintenanceWindow:
    return MaintenanceWindow(asset, at(begins), at(ends), ticket=ticket, **more)


def test_a_ticket_is_told_where_the_machine_that_acts_was_announced() -> None:
    row = told(windows=[window("ws1", "CHG-7"), window("ws1", "CHG-6", 0, 11), window("ws1", None)])

    assert row["tickets"] == ["CHG-6", "CHG-7"]
    assert row["checks"][1] == "Compare it with the work that was announced: CHG-6, CHG-7."
    assert row["story"][3]["sentence"] == "Work was announced under CHG-6, CHG-7."
    both = told(ASSETS, [window("ws1", "CHG-7")])
    assert both["story"][3]["sentence"].endswith("fs1 is owned by it-ops; work was announced under CHG-7.")


def test_a_ticket_of_another_time_machine_or_site_is_not_told() -> None:
    others = [
        window("ws1", "too late", 41, 99),
        window("ws1", "too early", 0, 10),
        window("plc3", "acted upon", 25, 35),
        window("ws1", "elsewhere", site="office"),
    ]
    assert told(windows=others)["tickets"] == []
    assert told(windows=[window("ws1", "here", site="plant")])["tickets"] == ["here"]


def test_without_lists_nothing_changes() -> None:
    row = told([Asset("fs1", zone="it")], [window("ws1", None)])

    assert (row["owners"], row["tickets"], row["checks"], len(row["story"])) == ([], [], CHECKS, 3)
