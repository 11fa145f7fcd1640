"""What is one episode, what the past says of its alert type, and whether it was announced."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from arrows import bin_row, keep_bin_rows, table_of
from incident import DAY, at

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.fold.episodes import Folded, fold_episodes
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.interim_schemas import CALENDAR

Seen = tuple[float, str, str]
"""Hours since the site's first hour, what is told, and the host that it is about, or `who -> whom`, zones behind a slash."""

BEGIN: Seen = (0.0, "site begins", "hq")
Row = dict[str, Any]


def fold(rows: Sequence[Row], windows: Iterable[Row] = ()) -> Folded:
    with Engine() as engine:
        keep_bin_rows(engine, rows)
        return fold_episodes(engine, table_of(CALENDAR, windows), RankingParameters())


def folded(seen: Iterable[Seen]) -> dict[tuple[float, str], Row]:
    """The episodes by hour and name."""
    rows = []
    for hours, name, told in [BEGIN, *seen]:
        who, _, whom = told.rpartition(" -> ")
        (source, source_zone), (target, target_zone) = (end.partition("/")[::2] for end in (who, whom))
        ends = {"source_entity": f"host:{source}" if source else None, "target_entity": f"host:{target}"}
        zones = {"source_zone": source_zone or None, "target_zone": target_zone or None}
        rows.append(bin_row(DAY + timedelta(hours=hours), name=name, **ends, **zones))
    found = fold(rows).episodes.to_pylist()
    first = min(row["started_at"] for row in found)
    return {(round((row["started_at"] - first) / timedelta(hours=1), 3), row["name"]): row for row in found}


def days(*of: int, hour: float, name: str = "backup failed", host: str = "nas") -> list[Seen]:
    return [(24 * day + hour, name, host) for day in of]


def test_surprise_is_the_mean_of_what_the_site_and_the_host_had_seen() -> None:
    # At hour 50 the site had the type in hours 10 and 20, of which this host in hour 10; twice in an hour counts once.
    seen = [(10.0, "rdp", "fs1"), (10.5, "rdp", "fs1"), (20.0, "rdp", "fs2"), (50.0, "rdp", "fs1")]
    last = folded(seen)[50.0, "rdp"]
    assert (last["fleet_share"], last["actor_share"]) == (3 / 52, 2 / 52)
    assert last["surprise"] == pytest.approx(3.0554, abs=1e-4)  # 1/2 ln(52 / 3) + 1/2 ln(52 / 2)


@pytest.mark.parametrize(
    ("before", "now", "seen"),
    [
        pytest.param("dep1 -> ws1", "dep1 -> ws2", 1, id="what a host does to one more is no news"),
        pytest.param("dep2 -> ws2", "dep1 -> ws2", 0, id="that another did it is"),
        pytest.param("ws2", "dep1 -> ws2", 0, id="what was told of the host alone is its own doing"),
        pytest.param("dep1 -> ws1", "dep1", 1, id="an alert about a host alone is about what it does"),
        pytest.param("far1/external -> web", "far2/external -> web2", 1, id="all that is outside is one"),
        pytest.param("far1/external -> web", "dep1/it -> web", 0, id="but who is inside is himself"),
        pytest.param("far1/external", "far2/external", 1, id="outside, and told alone"),
        pytest.param("dep1/it -> far1/external", "dep2/it -> far2/external", 0, id="who calls out is himself"),
    ],
)
def test_rarity_backs_off_from_the_pair_to_whoever_acts(before: str, now: str, seen: int) -> None:
    # One of 50 past hours had the type: (1 + 1) / 52, whoever it was; of this actor `seen`.
    last = folded([(10.0, "psexec", before), (50.0, "psexec", now)])[50.0, "psexec"]
    assert (last["fleet_share"], last["actor_share"]) == (2 / 52, (seen + 1) / 52)


def test_a_pair_is_new_to_a_type_until_an_hour_has_had_it() -> None:
    seen = [
        (10.0, "rdp", "ws1 -> fs1"), (10.9, "rdp", "ws1 -> fs1"),  # its own hour does not count
        (11.0, "rdp", "ws1 -> fs1"),
        (12.0, "smb", "ws1 -> fs1"), (12.1, "rdp", "ws2 -> fs1"), (12.2, "rdp", "ws1 -> fs2"), (12.3, "rdp", "fs1 -> ws1"),
        (13.0, "rdp", "x1/external -> fs1"), (14.0, "rdp", "x2/external -> fs1"), (14.1, "rdp", "x2 -> fs1"),
        (20.0, "new service", "fs1"), (30.0, "new service", "fs1"), (30.1, "new service", "fs2"),
    ]  # fmt: skip
    is_new = {hours: row["is_new_pair"] for (hours, name), row in folded(seen).items() if name != "site begins"}
    assert is_new == {
        **{10.0: True, 10.9: True, 11.0: False},
        **{12.0: True, 12.1: True, 12.2: True, 12.3: True},  # another type, source, target; the other way round
        **{13.0: True, 14.0: False, 14.1: True},  # all that is outside is one, and no machine inside
        **{20.0: True, 30.0: False, 30.1: True},  # of an alert about a host the host
    }


def test_a_type_of_a_fifth_of_the_hours_is_noise_once_there_is_a_past() -> None:
    # Every fifth hour: at hour 20 it had been there in 4 of 20, (4 + 1) / 22 = .227, but that is no past yet; at hour 25 in
    # 5 of 25, 6 / 27 = .222. Every sixth hour at hour 30: 5 of 30, 6 / 32 = .188.
    found = folded([(5.0 * n, "often", "fs1") for n in range(6)] + [(6.0 * n, "rarer", "fs1") for n in range(6)])
    assert not found[20.0, "often"]["is_chronic"]
    assert found[25.0, "often"]["is_chronic"]
    assert not found[30.0, "rarer"]["is_chronic"]


@pytest.mark.parametrize(
    ("seen", "asked", "is_chronic"),
    [
        pytest.param(days(0, 1, 2, 3, hour=2.5), 74.5, True, id="each night at half past two: the fourth"),
        pytest.param(days(0, 1, 2, 3, hour=2.5), 50.5, False, id="two nights are no routine yet"),
        pytest.param([*days(0, 1, 2, hour=2.5), (74.5, "backup failed", "fs9")], 74.5, True, id="at another host"),
        pytest.param(
            days(0, hour=1.9) + days(1, hour=3.1) + days(2, 3, hour=2.5), 74.5, True, id="an hour early or late"
        ),
        pytest.param(days(0, hour=0.9) + days(1, 2, 3, hour=2.5), 74.5, False, id="two hours early is another time"),
        pytest.param([*days(0, 1, 2, hour=2.5), (86.5, "backup failed", "nas")], 86.5, False, id="at noon it is news"),
        pytest.param(days(0, 1, 2, 2, hour=2.5) + days(2, hour=2.9), 50.9, False, id="twice a night counts once"),
        # Half of the days: 3 of 6.1 are fewer, 3 of 5.1 more.
        pytest.param(days(0, 1, 2, 6, hour=2.5), 146.5, False, id="three of six days, and then some"),
        pytest.param(days(0, 1, 2, 5, hour=2.5), 122.5, True, id="three of five days"),
        pytest.param(days(0, 1, 2, hour=2.5, name="scan") + days(3, hour=2.5), 74.5, False, id="another type"),
        # Hours 23.5, 48.2 and 71.5 are within an hour of midnight, on three days; the fourth comes past it.
        pytest.param([(h, "backup failed", "nas") for h in (23.5, 48.2, 71.5, 96.2)], 96.2, True, id="around midnight"),
    ],
)
def test_what_comes_about_this_time_of_most_days_is_a_routine(seen: list[Seen], asked: float, is_chronic: bool) -> None:
    (episode,) = [e for (at, _), e in folded(seen).items() if at == asked]
    assert episode["is_chronic"] is is_chronic


def test_a_routine_is_known_by_its_past_alone() -> None:
    found = folded(days(0, 1, 2, 3, 4, hour=2.5))
    before = folded(days(0, 1, 2, hour=2.5))
    judged = {key: (e["is_chronic"], e["surprise"]) for key, e in found.items()}
    assert {key: judged[key] for key in before} == {key: (e["is_chronic"], e["surprise"]) for key, e in before.items()}


# --- what is one episode --------------------------------------------------------------------------------------------

Key = tuple[str, str | None, str | None, str, str]
"""Site, both ends, format, name."""

FOLD_KEY = ("site", "source_entity", "target_entity", "source", "name")
DOWNLOAD: Key = ("plant", "host:ews-2", "host:plc-3", "edr", "PLC Program Download")
# The last letters of its host were calculated to have the same xxhash64: a hash without a secret is chosen in a second.
DECOY: Key = ("plant", "host:pc-me3s8xu0ye]l8$zo", "host:printer-1", "edr", "Port scan")


def digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def keyed(key: Key, minute: float, **columns: Any) -> Row:
    return bin_row(at(minute), **dict(zip(FOLD_KEY, key, strict=True)), **columns)


def key_of(episode: Row) -> Key:
    site, source_entity, target_entity, source, name = (episode[column] for column in FOLD_KEY)
    return (site, source_entity, target_entity, source, name)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param((DECOY, DOWNLOAD), id="a name that was calculated"),
        pytest.param(
            (("plant", "host:x", None, "edr", "a"), ("plant", None, "host:x", "edr", "a")), id="one end or other"
        ),
        pytest.param((("plant", None, "-", "edr", "a"), ("plant", "-", None, "edr", "a")), id="a dash and nothing"),
        pytest.param((("a", "b1:c", "d", "e", "f"), ("a", "b", "c1:d", "e", "f")), id="a separator in a name"),
        pytest.param((DOWNLOAD, ("office", *DOWNLOAD[1:])), id="another site"),
    ],
)
def test_two_keys_are_two_episodes(keys: tuple[Key, Key]) -> None:
    found = fold([keyed(key, minute) for minute, key in enumerate(keys)]).episodes.to_pylist()
    assert len({episode["episode"] for episode in found}) == 2
    assert {(key_of(episode), episode["n_alerts"]) for episode in found} == {(key, 1) for key in keys}


def test_one_key_is_one_episode_by_an_id_that_outlives_the_run() -> None:
    lone: Key = ("plant", None, "host:größe", "edr", "usb")  # lengths are those of bytes
    (episode,) = fold([keyed(lone, 0), keyed(lone, 1)]).episodes.to_pylist()
    micros = int(DAY.timestamp() * 1e6)
    assert episode["episode"] == digest(f"5:plant-12:host:größe3:edr3:usb{len(str(micros))}:{micros}")
    assert (key_of(episode), episode["n_alerts"]) == (lone, 2)


def test_a_pause_longer_than_the_gap_ends_an_episode() -> None:
    # 5 minutes after the end of the first it goes on; a second more after that it is another.
    first, second = keyed(DOWNLOAD, 0, ended_at=at(2), n_alerts=7, severity=0.2), keyed(DOWNLOAD, 7, severity=0.9)
    third = keyed(DOWNLOAD, 12 + 1 / 60, severity=None)
    found = sorted(fold([third, second, first]).episodes.to_pylist(), key=lambda e: e["started_at"])
    told = [(e["started_at"], e["ended_at"], e["n_alerts"], e["severity"]) for e in found]
    assert told == [(at(0), at(7), 8, 0.9), (at(12 + 1 / 60), at(12 + 1 / 60), 1, None)]


def test_facts_are_those_of_the_first_bin_and_each_bin_knows_its_episode() -> None:
    rows = [
        keyed(DOWNLOAD, 0, tactics=["collection"], source_role="ews"),
        keyed(DOWNLOAD, 4, tactics=["impact"], source_role=None),
        keyed(DOWNLOAD, 60, tactics=["impact"], source_role=None),
    ]
    bins, episodes = fold(rows)
    first, last = sorted(episodes.to_pylist(), key=lambda e: e["started_at"])
    assert [(e["tactics"], e["source_role"]) for e in (first, last)] == [(["collection"], "ews"), (["impact"], None)]
    assert sorted((b["bin"], b["episode"]) for b in bins.to_pylist()) == sorted(
        {(row["bin"], (last if row is rows[2] else first)["episode"]) for row in rows}
    )


def test_an_episode_keeps_its_first_accounts() -> None:
    rows = [
        keyed(DOWNLOAD, minute, bin=minute, accounts=[f"account:{name}{i:02}" for i in range(40)])
        for minute, name in ((0, "z"), (1, "a"))
    ]
    (episode,) = fold(rows).episodes.to_pylist()

    assert episode["accounts"] == [f"account:{name}{i:02}" for name, n in (("a", 10), ("z", 40)) for i in range(n)]


def test_neither_the_order_of_rows_nor_another_site_changes_an_episode() -> None:
    def site(name: str) -> list[Row]:
        return [
            keyed(
                (name, "host:a", f"host:{n % 3}", "edr", f"t{n % 5}"),
                7 * n,
                tactics=[f"t{n % 2}"],
                ended_at=at(7 * n + n % 9),
            )
            for n in range(60)
        ]

    alone = fold(site("plant")).episodes
    both = site("plant") + site("office")
    random.Random(5).shuffle(both)
    together = fold(both).episodes

    def of_plant(table: pa.Table) -> list[Row]:
        return sorted((row for row in table.to_pylist() if row["site"] == "plant"), key=lambda e: e["episode"])

    assert of_plant(together) == of_plant(alone)


# --- what was announced ---------------------------------------------------------------------------------------------

WINDOWS = [
    {"machine": "host:ews-1", "site": "plant", "begins": at(60), "ends": at(120), "ticket": None},
    {"machine": "host:ews-1", "site": "plant", "begins": at(600), "ends": at(660), "ticket": "CHG-7"},  # a second shift
    {
        "machine": "host:mnt-1",
        "site": None,
        "begins": at(60),
        "ends": at(120),
        "ticket": None,
    },  # no site: wherever it is
    {"machine": "ip:10.9.0.8", "site": None, "begins": at(60), "ends": at(120), "ticket": None},
]


@pytest.mark.parametrize(
    ("ends", "minute", "lasts", "is_announced"),
    [
        pytest.param(("plant", "host:ews-1", "host:plc-1"), 60, 0, True, id="the engineer"),
        pytest.param(("plant", "host:ews-1", "host:plc-1"), 59, 0, False, id="a minute before"),
        pytest.param(("plant", "host:ews-1", "host:plc-1"), 119.9, 0, True, id="until the last minute"),
        pytest.param(("plant", "host:ews-1", "host:plc-1"), 120, 0, False, id="begins when it ends"),
        pytest.param(("plant", "host:ews-1", "host:plc-1"), 110, 60, True, id="runs over its end"),
        pytest.param(("plant", "host:ews-1", "host:plc-1"), 610, 0, True, id="the second shift"),
        pytest.param(("plant", None, "host:ews-1"), 70, 0, True, id="about itself"),
        pytest.param(("plant", "host:ws-9", "host:ews-1"), 70, 0, False, id="the intruder at the engineer's"),
        pytest.param(("plant", "host:ews-2", "host:plc-1"), 70, 0, False, id="another engineer"),
        pytest.param(("other", "host:ews-1", "host:plc-1"), 70, 0, False, id="its like at another site"),
        pytest.param(("other", "host:mnt-1", "host:ews-1"), 70, 0, True, id="at another site, which has one too"),
        pytest.param(("plant", "ip:10.9.0.8", "host:plc-1"), 70, 0, True, id="an address"),
        pytest.param(("plant", None, None), 70, 0, False, id="of nobody"),
    ],
)
def test_what_a_machine_does_in_its_window_was_announced(
    ends: tuple[str, str | None, str | None], minute: float, lasts: float, is_announced: bool
) -> None:
    site, source, target = ends
    row = bin_row(at(minute), site=site, source_entity=source, target_entity=target, ended_at=at(minute + lasts))
    (episode,) = fold([row], WINDOWS).episodes.to_pylist()
    assert episode["is_announced"] is is_announced
