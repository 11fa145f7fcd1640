"""Which subgraphs exceptions hide: those explained whole, by when they became known, and none that merely touches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from arrows import episode_table, link_table, table_of
from incident import at, story

from alertgraph_spark.config.alert_exception import AlertException
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.interpret import exception_keys
from alertgraph_spark.score import suppress_subgraphs, tell_exceptions
from alertgraph_spark.score.excepted import match_exceptions
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.run_schemas import EXCEPTIONS
from alertgraph_spark.tables.schemas import MOTIF_HITS, SUBGRAPHS

P = RankingParameters()  # 16 nats, a score of 16 / 36
LEAST = 16 / 36
BEGINS, UNTIL = at(0), at(1000)
Row = dict[str, Any]


def excused(id_: str = "ex-1", begins: datetime = BEGINS, until: datetime = UNTIL, **named: Any) -> AlertException:
    return AlertException(id_, "soc", "known", begins, until, **named)


def grouped(episodes: Sequence[Row], roles: Sequence[str] = ()) -> pa.Table:
    rows = [
        {"subgraph_id": f"sg-{row['site']}", "role": role, **row}
        for row, role in zip(episodes, roles or ["core"] * len(episodes), strict=True)
    ]
    return episode_table(rows, {"subgraph_id": "string", "role": "string"})


def hits(*found: tuple[str, str, Sequence[int]]) -> pa.Table:
    rows = [
        {
            "subgraph_id": subgraph_id,
            "motif": motif,
            "episodes": [f"{n:016x}" for n in episodes],
            "path": [],
            "started_at": at(0),
            "ended_at": at(0),
        }
        for subgraph_id, motif, episodes in found
    ]
    return table_of(MOTIF_HITS, rows)


def matched(
    episodes: Sequence[Row],
    *exceptions: AlertException,
    motif_hits: pa.Table | None = None,
    assets: Sequence[Asset] = (),
) -> dict[str, set[int]]:
    """The episodes that each exception names, whenever they became known."""
    with Engine() as engine:
        found = match_exceptions(
            engine, grouped(episodes), motif_hits or hits(), exception_keys(exceptions, assets)
        ).to_pylist()
    return {one.id: {row["episode"] for row in found if row["id"] == one.id} for one in exceptions}


def hidden(
    episodes: Sequence[Row],
    *exceptions: AlertException,
    roles: Sequence[str] = (),
    news: float = 0.0,
    links: Sequence[tuple[int, int, float]] = (),
    motif_hits: pa.Table | None = None,
) -> dict[str, tuple[list[str], float | None]]:
    """By subgraph that is explained whole: the ids of what hides it, and its claim. All that is new scores `news`."""

    def rescore(fresh: pa.Table, kept: pa.Table, found: pa.Table) -> pa.Table:
        numbers = set(fresh["episode"].to_pylist())
        assert {*kept["src"].to_pylist(), *kept["dst"].to_pylist()} <= numbers
        assert all(int(hex_, 16) in numbers for one in found["episodes"].to_pylist() for hex_ in one)
        ids = sorted(set(fresh["subgraph_id"].to_pylist()))
        return pa.table({"subgraph_id": ids, "score": [news] * len(ids)})

    with Engine() as engine:
        suppressed = suppress_subgraphs(
            engine,
            grouped(episodes, roles),
            link_table(links),
            motif_hits or hits(),
            exception_keys(exceptions, ()),
            rescore=rescore,
            p=P,
        )
    return {
        row["subgraph_id"]: ([one["id"] for one in row["suppressed_by"]], row["claim"])
        for row in suppressed.subgraphs.to_pylist()
    }


STEPS = story(
    "plant",
    1,
    "10 scan01/it -> fs1/it Port Scan",
    "20 ws1/it -> fs1/it smb logon @svc_backup",
    "30 fs1/it new service",
    "40 ws1/it -> plc3/ot controller stopped #impair-process-control",
)


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"alert": "port SCAN"}, {1}),
        ({"alert": "Port*"}, {1}),
        ({"alert": "Port"}, set()),  # a name is whole, where no star says otherwise
        ({"entity": "host:scan01"}, {1}),
        ({"entity": "host:fs1"}, {3}),  # what others do to it is theirs
        ({"target": "host:fs1"}, {1, 2, 3}),
        ({"source": "host:ws1", "target": "host:fs1"}, {2}),
        ({"source": "host:fs1", "target": "host:ws1"}, set()),
        ({"account": "account:svc_backup"}, {2}),
        ({"motif": "fan_out"}, {1, 2}),
        ({"motif": "fan_out", "entity": "host:ws1"}, {2}),
        ({"site": "PLANT"}, {1, 2, 3}),  # a step into OT is not explained by that
        ({"site": "office"}, set()),
        ({"alert": "controller stopped"}, set()),
        ({"alert": "controller stopped", "source": "host:ws1"}, set()),
        ({"alert": "controller*", "target": "host:plc3"}, set()),
        ({"source": "host:ws1", "target": "host:plc3"}, set()),
        ({"alert": "controller stopped", "target": "host:plc3"}, {4}),
    ],
)
def test_all_that_an_exception_names_must_hold(named: dict[str, str], found: set[int]) -> None:
    fans = hits(("sg-plant", "fan_out", [1, 2]))

    assert matched(STEPS, excused(**named), motif_hits=fans) == {"ex-1": found}


def test_an_act_on_a_controller_that_nobody_is_said_to_do_is_aimed_at_whom_it_is_about() -> None:
    acts = story("plant", 1, "10 plc3/ot controller stopped #impair-process-control", "20 plc4/ot mode changed #impact")

    assert matched(acts, excused(entity="host:plc3"))["ex-1"] == set()
    assert matched(acts, excused(entity="host:plc3", alert="controller stopped"))["ex-1"] == {1}


def test_a_block_holds_its_addresses_alone() -> None:
    rows = story("plant", 1, "1 a/it -> b/it scan", "2 a/it -> b/it scan", "3 a/it -> b/it scan")
    for row, address in zip(rows, ("10.1.0.255", "10.1.1.0", "10.1.0.0"), strict=True):
        row["source_entity"] = f"ip:{address}"

    found = matched(
        rows,
        excused("24", source="10.1.0.0/24"),
        excused("16", entity="10.1.0.0/16"),
        excused("0", source="0.0.0.0/0"),
        excused("one", source="ip:10.1.1.0"),
    )
    assert found == {"24": {1, 3}, "16": {1, 2, 3}, "0": {1, 2, 3}, "one": {2}}


def test_an_address_that_the_asset_list_names_is_that_host() -> None:
    assets = [Asset("10.9.0.7", name="scan01")]

    assert matched(STEPS, excused(entity="ip:10.9.0.7"), assets=assets)["ex-1"] == {1}
    assert matched(STEPS, excused(entity="ip:10.9.0.8"), assets=assets)["ex-1"] == set()


def test_an_account_beside_another_is_not_explained() -> None:
    both = story("plant", 1, "1 ws1/it logon @svc_backup @meyer", "2 ws1/it logon @svc_backup")

    assert matched(both, excused(account="account:svc_backup"))["ex-1"] == {2}


def test_many_exceptions_of_many_kinds_give_what_a_loop_gives() -> None:
    dice = random.Random(7)
    hosts, names = ("ws1", "ws2", "fs1"), ("scan", "logon", "usb stick")
    rows = story(
        "plant",
        1,
        *(f"{n} {dice.choice(hosts)}/it -> {dice.choice(hosts)}2/it {dice.choice(names)}" for n in range(60)),
    )
    made = []
    for n in range(80):
        named: dict[str, Any] = {
            "alert": dice.choice([None, *names, "lo*"]),
            "source": dice.choice([None, *(f"host:{host}" for host in hosts)]),
            "target": dice.choice([None, *(f"host:{host}2" for host in hosts)]),
        }
        made.append(excused(f"x{n}", **named, site="plant"))

    def holds(row: Row, one: AlertException) -> bool:
        by_name = one.alert is None or row["name"] == one.alert or (one.alert == "lo*" and row["name"] == "logon")
        return by_name and one.source in (None, row["source_entity"]) and one.target in (None, row["target_entity"])

    assert matched(rows, *made) == {one.id: {row["episode"] for row in rows if holds(row, one)} for one in made}


IT = story("plant", 1, "10 scan01/it -> fs1/it Port Scan", "20 scan01/it -> fs2/it Port Scan")
SCANNER = excused("scanner", entity="host:scan01")


def test_what_is_explained_whole_is_hidden_and_says_by_what() -> None:
    assert hidden(IT, SCANNER, excused("other", alert="usb stick")) == {"sg-plant": (["scanner"], None)}
    assert hidden(IT, excused("a", target="host:fs1"), excused("b", target="host:fs2")) == {
        "sg-plant": (["a", "b"], None)
    }
    assert hidden(IT) == hidden(IT, excused("other", alert="usb stick")) == {}


@pytest.mark.parametrize(
    "step",
    [
        "30 ws1/it -> fs1/it smb logon",  # who reaches a host that is scanned is no scanner
        "30 scan01/it -> ews/ot Port Scan",  # a scanner in the office has no business in the process network
        "30 scan01 -> ews/ot Port Scan",  # nor has one of which nobody knows where it stands
        "30 ws1/it -> scan01/it rdp logon",  # nor is whoever takes the scanner over
        "30 scan01/it -> plc3/ot controller stopped #impair-process-control",
    ],
)
def test_an_attack_that_touches_what_is_excepted_is_not_hidden(step: str) -> None:
    assert hidden(story("plant", 1, "10 scan01/it -> fs1/it Port Scan", step), SCANNER) == {}


def test_noise_needs_no_exception_but_noise_alone_is_nothing_to_hide() -> None:
    noisy = [*IT, *story("plant", 3, "30 ws9/it -> proxy/dmz denied")]
    reaching = [*IT, *story("plant", 3, "30 ws9/it -> hist/ot denied")]

    assert hidden(noisy, SCANNER, roles=("core", "core", "context")) == {"sg-plant": (["scanner"], None)}
    assert hidden(noisy, SCANNER, roles=("core", "core", "absorbed")) == {}
    assert hidden(reaching, SCANNER, roles=("core", "core", "context")) == {}, "a step into OT always counts"
    assert hidden(noisy[2:], SCANNER, roles=("context",)) == {}


def test_of_two_sites_one_is_hidden() -> None:
    both = [*IT, *story("office", 3, "10 scan01/it -> fs1/it Port Scan")]

    assert hidden(both, excused("scanner", entity="host:scan01", site="office")) == {"sg-office": (["scanner"], None)}
    assert set(hidden(both, SCANNER)) == {"sg-office", "sg-plant"}


def test_an_exception_explains_what_became_known_while_it_was_in_force() -> None:
    early, late = at(15), at(25)

    assert hidden(IT, excused("x", begins=early, entity="host:scan01")) == {}, "the first step was known before"
    ended = hidden(IT, excused("x", until=late, entity="host:scan01"))
    assert ended == {"sg-plant": (["x"], None)}, "both were known before its end, and its end changes nothing"


def test_what_happened_before_and_came_late_is_judged_by_when_it_came() -> None:
    late = [{**IT[0], "known_at": at(2000), "received_at": at(2000)}, IT[1]]

    assert hidden(late, SCANNER, news=0.1) == {"sg-plant": (["scanner"], 0.1)}
    assert hidden(late, SCANNER, news=0.9) == {"sg-plant": ([], 0.9)}


def test_after_its_end_only_the_news_counts() -> None:
    later = [*IT, *story("plant", 3, "1001 scan01/it -> fs3/it Port Scan")]
    links, fans = [(1, 2, 0.9), (2, 3, 0.9)], hits(("sg-plant", "fan_out", [1, 2, 3]), ("sg-plant", "beacon", [3]))

    weak = hidden(later, SCANNER, news=LEAST - 1e-9, links=links, motif_hits=fans)
    assert weak == {"sg-plant": (["scanner"], LEAST - 1e-9)}
    assert hidden(later, SCANNER, news=LEAST, links=links, motif_hits=fans) == {"sg-plant": ([], LEAST)}


def test_one_that_comes_after_its_end_and_is_none_of_its_kind_brings_back_all() -> None:
    joined = [*IT, *story("plant", 3, "1001 ws1/it -> fs1/it smb logon")]

    assert hidden(joined, SCANNER) == {}


def test_a_new_exception_goes_on_where_one_has_ended() -> None:
    later = [*IT, *story("plant", 3, "1001 scan01/it -> fs3/it Port Scan")]
    renewed = excused("next", begins=UNTIL, until=at(2000), entity="host:scan01")

    assert hidden(later, SCANNER, renewed) == {"sg-plant": (["next", "scanner"], None)}


def test_one_episode_that_goes_on_after_the_end_is_news() -> None:
    running = story("plant", 1, "10 scan01/it -> fs1/it Port Scan", "20 scan01/it -> fs2/it Port Scan")
    running[1]["received_at"] = UNTIL

    assert hidden(running, SCANNER, news=0.2) == {"sg-plant": (["scanner"], 0.2)}
    running[1]["received_at"] = UNTIL - timedelta(microseconds=1)
    assert hidden(running, SCANNER) == {"sg-plant": (["scanner"], None)}


def test_all_that_began_after_the_end_is_as_if_there_had_been_no_exception() -> None:
    assert hidden(IT, excused("x", begins=at(-100), until=at(5), entity="host:scan01")) == {}


def test_noise_that_was_explained_hides_no_news() -> None:
    rows = [*IT[:1], *story("plant", 3, "1001 scan01/it -> fs3/it Port Scan")]

    assert hidden(rows, SCANNER, roles=("context", "core"), news=0.1) == {}
    assert hidden(rows, SCANNER, roles=("core", "core"), news=0.1) == {"sg-plant": (["scanner"], 0.1)}


def test_it_is_told_what_each_exception_did() -> None:
    made = [SCANNER, excused("used", until=at(500), alert="smb logon"), excused("later", begins=at(700), alert="usb")]
    keys = exception_keys(made, ())
    plain: Row = {c.name: [] if c.type.startswith("array") else None for c in SUBGRAPHS.columns}
    by = [{"id": "scanner", "owner": "soc", "reason": "known", "ticket": None, "until": UNTIL}]
    shown = [
        {**plain, "subgraph_id": key, "site": "plant", "suppressed_by": hiding}
        for key, hiding in (("sg-1", by), ("sg-2", []))
    ]
    found = pa.table({"subgraph_id": ["sg-1", "sg-1", "sg-2", "sg-old"], "id": ["scanner", "scanner", "used", "used"]})
    with Engine() as engine:
        told = tell_exceptions(engine, keys, found, pa.Table.from_pylist(shown, arrow_schema(SUBGRAPHS)), at(600))
    assert told.schema == arrow_schema(EXCEPTIONS)
    assert [(r["id"], r["names"], r["state"], r["n_episodes"], r["n_hidden"]) for r in told.to_pylist()] == [
        ("later", "alert usb", "not yet begun", 0, 0),
        ("scanner", "entity host:scan01", "in force", 2, 1),
        ("used", "alert smb logon", "ended", 1, 0),
    ]


def test_a_moment_is_a_moment_in_any_zone() -> None:
    there = timezone(timedelta(hours=2))
    moved = excused("x", begins=BEGINS.astimezone(there), until=UNTIL.astimezone(there), entity="host:scan01")

    assert hidden(IT, moved) == hidden(IT, excused("x", entity="host:scan01"))
