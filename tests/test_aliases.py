"""Resolve: an address in one product's alert is the host that another product named it, for as long as that holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from exported import raw_tables
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.aliases import VALID_HOURS, find_aliases, with_hosts
from alertgraph_spark.pipeline import rank_subgraphs
from alertgraph_spark.ranking import Knobs
from alertgraph_spark.source_format import Format

DAY = datetime(2026, 3, 2, tzinfo=timezone.utc)

LINES = "site string, observed_at timestamp, named array<struct<address:string,host:string>>"
BINS = (
    "site string, source_entity string, target_entity string, source_zone string, source_level double, "
    "source_role string, fold_key bigint, bin bigint, started_at timestamp, tactics array<string>"
)


def at(hour: float) -> datetime:
    return DAY + timedelta(hours=hour)


def said(spark: SparkSession, *words: tuple[float, str, str], site: str = "plant") -> DataFrame:
    """Lines that say, at an hour, that an address is a host's."""
    return spark.createDataFrame([(site, at(hour), [(address, host)]) for hour, address, host in words], LINES)


def spans(aliases: DataFrame) -> list[tuple[str, str, float, float]]:
    """Address, host, and the hours from and until which that holds."""
    rows = aliases.selectExpr("address", "host", "unix_seconds(valid_from)", "unix_seconds(valid_until)").collect()
    return sorted((a, h, (f - DAY.timestamp()) / 3600, (u - DAY.timestamp()) / 3600) for a, h, f, u in rows)


def test_a_word_holds_for_a_day_or_until_the_next(spark: SparkSession) -> None:
    found = find_aliases(said(spark, (1.0, "ip:10.1.0.17", "host:ws-17"), (3.0, "ip:10.1.0.17", "host:ws-17")))

    assert spans(found) == [
        ("ip:10.1.0.17", "host:ws-17", 1.0, 3.0),
        ("ip:10.1.0.17", "host:ws-17", 3.0, 3.0 + VALID_HOURS),
    ]


def test_words_of_one_hour_are_one(spark: SparkSession) -> None:
    found = find_aliases(said(spark, *[(1 + n / 60, "ip:10.1.0.17", "host:ws-17") for n in range(60)]))

    assert spans(found) == [("ip:10.1.0.17", "host:ws-17", 1.0, 25.0)]


def test_an_address_that_changes_hands_is_nobodys_until_most_words_are_for_the_new(spark: SparkSession) -> None:
    lines = said(
        spark,
        (1.0, "ip:10.1.0.17", "host:ws-17"),
        (5.0, "ip:10.1.0.17", "host:ws-44"),  # another lease
        (24.9, "ip:10.1.0.17", "host:ws-44"),  # two of three within a day
        (25.5, "ip:10.1.0.17", "host:ws-44"),
    )
    assert spans(find_aliases(lines)) == [
        ("ip:10.1.0.17", "host:ws-17", 1.0, 5.0),
        ("ip:10.1.0.17", "host:ws-44", 24.9, 25.5),
        ("ip:10.1.0.17", "host:ws-44", 25.5, 49.5),
    ]


@pytest.mark.parametrize("forged_at", [2.0, 4.0, 6.0])
def test_one_forged_row_takes_no_alias_away(spark: SparkSession, forged_at: float) -> None:
    true = [(hour, "ip:10.1.0.17", "host:ws-17") for hour in (0.5, 1.0, 3.0, 5.0)]
    found = spans(find_aliases(said(spark, *true, (forged_at, "ip:10.1.0.17", "host:elsewhere"))))

    assert {host for _, host, _, _ in found} == {"host:ws-17"}
    assert (found[0][2], found[-1][3]) == (0.5, 5.0 + VALID_HOURS)  # without a gap between them
    assert all(until == begin for (*_, until), (_, _, begin, _) in pairwise(found))


def test_a_forged_row_does_not_make_a_word_last_longer(spark: SparkSession) -> None:
    true = [(hour, "ip:10.1.0.17", "host:ws-17") for hour in (1.0, 2.0)]
    found = find_aliases(said(spark, *true, (20.0, "ip:10.1.0.17", "host:elsewhere")))

    assert spans(found)[-1] == ("ip:10.1.0.17", "host:ws-17", 20.0, 2.0 + VALID_HOURS)


def test_an_address_that_moves_loses_its_old_host_with_the_second_word(spark: SparkSession) -> None:
    """DHCP has given it away: nobody says the old name any more. The near miss to a forged row."""
    old = [(float(hour), "ip:10.1.0.17", "host:ws-17") for hour in range(1, 11)]
    new = [(11.0 + hour, "ip:10.1.0.17", "host:ws-44") for hour in range(30)]
    found = spans(find_aliases(said(spark, *old, *new)))

    assert max(until for _, host, _, until in found if host == "host:ws-17") == 12.0  # the second word for ws-44
    # Two thirds of a day's words: at 26 o'clock 16 of 25 are for ws-44, at 27 they are 17.
    assert min(begin for _, host, begin, _ in found if host == "host:ws-44") == 27.0


def test_a_flood_of_hosts_for_one_address_names_nobody_and_ends_nothing(spark: SparkSession) -> None:
    flood = [(3.0 + n / 5000, "ip:10.1.0.17", f"host:x{n}") for n in range(4000)]
    true = [(hour, "ip:10.1.0.17", "host:ws-17") for hour in (1.0, 2.0, 4.0)]

    assert spans(find_aliases(said(spark, *true, *flood))) == [
        ("ip:10.1.0.17", "host:ws-17", begin, until) for begin, until in ((1, 2), (2, 3), (3, 4), (4, 28))
    ]


def test_what_many_share_names_nobody(spark: SparkSession) -> None:
    """A proxy or a translated address: two hosts speak from it again and again."""
    lines = said(spark, *[(float(n), "ip:10.1.0.1", f"host:ws-{n % 2}") for n in range(12)])

    # At 2 o'clock one word of three is another's, as a forged one would be; from 3 o'clock on it is nobody's.
    assert spans(find_aliases(lines)) == [
        ("ip:10.1.0.1", "host:ws-0", 0.0, 1.0),
        ("ip:10.1.0.1", "host:ws-0", 2.0, 3.0),
    ]


def bins(spark: SparkSession, *rows: tuple[float, str | None, str, Sequence[str]], site: str = "plant") -> DataFrame:
    """Bins of one alert: hour, source, target, tactics; rows of the same ends within five minutes are one bin."""
    shaped = [
        (
            site,
            source,
            target,
            "it",
            4.0,
            "server",
            hash((source, target)) % 2**31,
            int(hour * 12),
            at(hour),
            list(tactics),
        )
        for hour, source, target, tactics in rows
    ]
    return spark.createDataFrame(shaped, BINS)


def ends(frame: DataFrame) -> list[tuple[str | None, str]]:
    return [(row["source_entity"], row["target_entity"]) for row in frame.orderBy("started_at", "tactics").collect()]


def test_an_address_becomes_its_host_at_both_ends_while_the_word_holds(spark: SparkSession) -> None:
    aliases = find_aliases(said(spark, (2.0, "ip:10.1.0.17", "host:ws-17"), (2.0, "ip:10.1.0.9", "host:fs01")))
    found = with_hosts(
        bins(
            spark,
            (1.9, "ip:10.1.0.17", "host:dc", ()),  # before it was said
            (2.0, "ip:10.1.0.17", "ip:10.1.0.9", ()),
            (2.5, "host:dc", "ip:10.1.0.9", ()),
            (2.6, "ip:10.1.0.18", "host:dc", ()),  # another address
            (26.0, "ip:10.1.0.17", "host:dc", ()),  # a day later
        ),
        aliases,
    )
    assert ends(found) == [
        ("ip:10.1.0.17", "host:dc"),
        ("host:ws-17", "host:fs01"),
        ("host:dc", "host:fs01"),
        ("ip:10.1.0.18", "host:dc"),
        ("ip:10.1.0.17", "host:dc"),
    ]


def test_another_site_knows_nothing_of_it(spark: SparkSession) -> None:
    aliases = find_aliases(said(spark, (2.0, "ip:10.1.0.17", "host:ws-17"), site="office"))

    assert ends(with_hosts(bins(spark, (2.5, "ip:10.1.0.17", "host:dc", ())), aliases)) == [("ip:10.1.0.17", "host:dc")]


def test_two_names_of_one_machine_are_no_pair(spark: SparkSession) -> None:
    aliases = find_aliases(said(spark, (2.0, "ip:10.1.0.17", "host:ws-17")))
    (row,) = with_hosts(bins(spark, (2.5, "ip:10.1.0.17", "host:ws-17", ())), aliases).collect()

    assert (row["source_entity"], row["target_entity"]) == (None, "host:ws-17")
    assert (row["source_zone"], row["source_level"], row["source_role"]) == (None, None, None)


def test_rows_of_one_bin_stay_together(spark: SparkSession) -> None:
    """A bin's alerts are members of one episode: a word said between them counts from the next bin on."""
    aliases = find_aliases(said(spark, (2.03, "ip:10.1.0.17", "host:ws-17")))
    rows = [(2.02, ("discovery",)), (2.04, ("execution",)), (2.1, ("discovery",))]
    found = with_hosts(bins(spark, *[(hour, "ip:10.1.0.17", "host:dc", tactics) for hour, tactics in rows]), aliases)

    assert [source for source, _ in ends(found)] == ["ip:10.1.0.17", "ip:10.1.0.17", "host:ws-17"]


def test_an_attack_that_two_products_name_differently_is_one_subgraph(spark: SparkSession) -> None:
    """The sensor names hosts, the firewall addresses. One row with both joins them; without it they stay apart."""
    both = Format(
        name="both",
        path="both.yaml",
        reads=("Name", "From", "FromIp", "To", "ToIp"),
        columns={"name": "Name", "severity": "'0.6'"},
        source={"host": "From", "ip": "FromIp"},
        target={"host": "To", "ip": "ToIp"},
    )
    story: list[dict[str, str]] = [
        {"TimeGenerated": "2026-03-02T10:00:00Z", "Name": "office starts a shell", "To": "ws-17", "ToIp": "10.1.0.17"},
        {"TimeGenerated": "2026-03-02T10:11:00Z", "Name": "smb sweep", "FromIp": "10.1.0.17", "To": "fs01"},
    ]
    rows = [{**row, "site": "told", "_ItemId": f"told-{n}"} for n, row in enumerate(story)]
    rows += [{**row, "site": "untold", "ToIp": "", "_ItemId": f"untold-{n}"} for n, row in enumerate(story)]
    raw = raw_tables(spark, rows, both.reads)

    ranking = rank_subgraphs(raw, {"Alerts_CL": both}, DAY, at(24), knobs=Knobs(engine="driver"))
    found: dict[str, set[str]] = {}
    for member in ranking.tables["members"].collect():
        found.setdefault(member["subgraph_id"], set()).add(member["item_id"])
    edges = ranking.tables["edges"].filter("site = 'told' and names[0] = 'smb sweep'").collect()
    ranking.release()

    assert sorted(map(sorted, found.values())) == [["told-0", "told-1"], ["untold-0"], ["untold-1"]]
    assert [(edge["source"], edge["target"]) for edge in edges] == [("host:ws-17", "host:fs01")]
