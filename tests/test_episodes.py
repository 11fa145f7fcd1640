"""What the past says of an alert type: how rare it is, and whether it is everyday noise or a routine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise

import pytest
from incident import DAY
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.columns import content_id
from alertgraph_spark.episodes import fold_bins, fold_episodes, with_episode

Seen = tuple[float, str, str]
"""Hours since the site's first hour, what is told, and the host that it is about, or `who -> whom`, zones behind a slash."""

FOLD_KEY = ("site", "source_entity", "target_entity", "source", "name")
BEGIN: Seen = (0.0, "site begins", "hq")
_ALERTS = (
    "site string, source string, name string, source_entity string, target_entity string, observed_at timestamp,"
    " source_zone string, target_zone string, source_level double, target_level double, source_role string,"
    " target_role string, tactics array<string>, techniques array<string>, severity double, accounts array<string>"
)


def folded(spark: SparkSession, seen: Iterable[Seen]) -> dict[tuple[float, str], dict[str, object]]:
    """The episodes by hour and name."""
    rows = []
    for hours, name, told in [BEGIN, *seen]:
        who, _, whom = told.rpartition(" -> ")
        (source, source_zone), (target, target_zone) = (end.partition("/")[::2] for end in (who, whom))
        ends = (f"host:{source}" if source else None, f"host:{target}")
        zones = (source_zone or None, target_zone or None)
        rows.append(("plant", "edr", name, *ends, DAY + timedelta(hours=hours), *zones, *[None] * 4, [], [], 0.5, []))
    alerts = spark.createDataFrame(rows, _ALERTS).withColumns(
        {
            "fold_key": content_id(*map(F.col, FOLD_KEY)),
            "bin": F.floor(F.unix_micros("observed_at") / 300e6),
        }
    )
    episodes = fold_episodes(with_episode(fold_bins(alerts), 300), alerts, chronic_share=0.2, warm_up_hours=24)
    begun = F.unix_micros("started_at") / 3.6e9
    found = episodes.select("*", begun.alias("at")).collect()
    first = min(row["at"] for row in found)
    return {(round(row["at"] - first, 3), row["name"]): row.asDict() for row in found}


def days(*of: int, hour: float, name: str = "backup failed", host: str = "nas") -> list[Seen]:
    return [(24 * day + hour, name, host) for day in of]


def test_surprise_is_the_mean_of_what_the_site_and_the_host_had_seen(spark: SparkSession) -> None:
    # At hour 50 the site had the type in hours 10 and 20, of which this host in hour 10; twice in an hour counts once.
    seen = [(10.0, "rdp", "fs1"), (10.5, "rdp", "fs1"), (20.0, "rdp", "fs2"), (50.0, "rdp", "fs1")]
    last = folded(spark, seen)[50.0, "rdp"]
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
def test_rarity_backs_off_from_the_pair_to_whoever_acts(spark: SparkSession, before: str, now: str, seen: int) -> None:
    # One of 50 past hours had the type: (1 + 1) / 52, whoever it was; of this actor `seen`.
    last = folded(spark, [(10.0, "psexec", before), (50.0, "psexec", now)])[50.0, "psexec"]
    assert (last["fleet_share"], last["actor_share"]) == (2 / 52, (seen + 1) / 52)


def test_a_type_of_a_fifth_of_the_hours_is_noise_once_there_is_a_past(spark: SparkSession) -> None:
    # Every fifth hour: at hour 20 it had been there in 4 of 20, (4 + 1) / 22 = .227, but that is no past yet; at hour 25 in
    # 5 of 25, 6 / 27 = .222. Every sixth hour at hour 30: 5 of 30, 6 / 32 = .188.
    found = folded(spark, [(5.0 * n, "often", "fs1") for n in range(6)] + [(6.0 * n, "rarer", "fs1") for n in range(6)])
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
def test_what_comes_about_this_time_of_most_days_is_a_routine(
    spark: SparkSession, seen: list[Seen], asked: float, is_chronic: bool
) -> None:
    (episode,) = [e for (at, _), e in folded(spark, seen).items() if at == asked]
    assert episode["is_chronic"] is is_chronic


def test_a_routine_is_known_by_its_past_alone(spark: SparkSession) -> None:
    found = folded(spark, days(0, 1, 2, 3, 4, hour=2.5))
    before = folded(spark, days(0, 1, 2, hour=2.5))
    judged = {key: (e["is_chronic"], e["surprise"]) for key, e in found.items()}
    assert {key: judged[key] for key in before} == {key: (e["is_chronic"], e["surprise"]) for key, e in before.items()}


# --- what is one episode --------------------------------------------------------------------------------------------

Key = tuple[str, str | None, str | None, str, str]
"""Site, both ends, format, name."""

DOWNLOAD: Key = ("plant", "host:ews-2", "host:plc-3", "edr", "PLC Program Download")
# The last eight letters of its host were calculated: 64 bits of a hash without a secret are chosen in a second.
DECOY: Key = ("plant", "host:pc-me3s8xu0ye]l8$zo", "host:printer-1", "edr", "Port scan")


def digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def episodes_of(spark: SparkSession, *keys: Key) -> list[tuple[int, Key, int]]:
    """Id, key and number of alerts of the episodes that one alert of each key makes, a minute apart."""
    rows = [
        (*key, DAY + timedelta(minutes=minute), *[None] * 6, [], [], 0.5, ["account:meyer"])
        for minute, key in enumerate(keys)
    ]
    columns = (
        "site string, source_entity string, target_entity string, source string, name string, observed_at timestamp"
    )
    alerts = spark.createDataFrame(rows, f"{columns}, {_ALERTS.partition('observed_at timestamp, ')[2]}").withColumns(
        {"fold_key": content_id(*map(F.col, FOLD_KEY)), "bin": F.lit(0)}
    )
    found = fold_episodes(with_episode(fold_bins(alerts), 300), alerts, chronic_share=0.2, warm_up_hours=24).collect()
    return sorted((row["episode"], tuple(row[name] for name in FOLD_KEY), row["n_alerts"]) for row in found)


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
def test_two_keys_are_two_episodes(spark: SparkSession, keys: tuple[Key, Key]) -> None:
    found = episodes_of(spark, *keys)
    assert len({episode for episode, *_ in found}) == 2
    assert {(key, n_alerts) for _, key, n_alerts in found} == {(key, 1) for key in keys}


def test_the_names_of_the_decoy_are_still_the_calculated_ones(spark: SparkSession) -> None:
    hashes = spark.createDataFrame([DECOY, DOWNLOAD], list(FOLD_KEY)).select(F.xxhash64(*FOLD_KEY)).distinct()
    assert hashes.count() == 1


def test_one_key_is_one_episode_by_an_id_that_outlives_the_run(spark: SparkSession) -> None:
    lone: Key = ("plant", None, "host:größe", "edr", "usb")  # lengths are those of bytes
    ((episode, key, n_alerts),) = episodes_of(spark, lone, lone)
    micros = int(DAY.timestamp() * 1e6)
    assert episode == digest(f"5:plant-12:host:größe3:edr3:usb{len(str(micros))}:{micros}")
    assert (key, n_alerts) == (lone, 2)


def test_an_episode_keeps_its_first_accounts(spark: SparkSession) -> None:
    rows = [
        (*DOWNLOAD, DAY + timedelta(minutes=m), *[None] * 6, [], [], 0.5, [f"account:{name}{i:02}" for i in range(40)])
        for m, name in ((0, "z"), (1, "a"))
    ]
    columns = (
        "site string, source_entity string, target_entity string, source string, name string, observed_at timestamp"
    )
    alerts = spark.createDataFrame(rows, f"{columns}, {_ALERTS.partition('observed_at timestamp, ')[2]}").withColumns(
        {"fold_key": content_id(*map(F.col, FOLD_KEY)), "bin": F.floor(F.unix_micros("observed_at") / 60e6)}
    )
    (row,) = fold_episodes(with_episode(fold_bins(alerts), 300), alerts, chronic_share=0.2, warm_up_hours=24).collect()

    assert row["accounts"] == [f"account:{name}{i:02}" for name, n in (("a", 10), ("z", 40)) for i in range(n)]


def test_ids_are_spread_over_all_64_bits(spark: SparkSession) -> None:
    ids = sorted(r[0] for r in spark.range(4096).select(content_id(F.col("id"))).collect())
    assert min(ids) < -(2**62)
    assert max(ids) > 2**62
    assert all(a < b for a, b in pairwise(ids))
