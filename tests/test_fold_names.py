"""Resolve: an address in one product's alert is the host that another product named it, for as long as that holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from arrows import bin_row, keep_bin_rows

from alertgraph_spark.fold.names import VALID_HOURS, keep_aliases, keep_hosts
from alertgraph_spark.tables.embedded import Engine

DAY = datetime(2026, 3, 2, tzinfo=timezone.utc)


def at(hour: float) -> datetime:
    return DAY + timedelta(hours=hour)


def said(*words: tuple[float, str, str], site: str = "plant") -> list[dict[str, Any]]:
    """Bins that say, at an hour, that an address is a host's."""
    return [
        bin_row(at(hour), site=site, name=f"word {n}", named=[{"address": address, "host": host}])
        for n, (hour, address, host) in enumerate(words)
    ]


def find_aliases(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, float, float]]:
    """Address, host, and the hours from and until which that holds."""
    with Engine() as engine:
        keep_bin_rows(engine, rows)
        keep_aliases(engine)
        found = engine.rows("SELECT address, host, valid_from, valid_until FROM aliases")
    first = DAY.timestamp() * 1e6
    return sorted((a, h, (f - first) / 3.6e9, (u - first) / 3.6e9) for a, h, f, u in found)


def test_a_word_holds_for_a_day_or_until_the_next() -> None:
    found = find_aliases(said((1.0, "ip:10.1.0.17", "host:ws-17"), (3.0, "ip:10.1.0.17", "host:ws-17")))

    assert found == [
        ("ip:10.1.0.17", "host:ws-17", 1.0, 3.0),
        ("ip:10.1.0.17", "host:ws-17", 3.0, 3.0 + VALID_HOURS),
    ]


def test_words_of_one_hour_are_one() -> None:
    found = find_aliases(said(*[(1 + n / 60, "ip:10.1.0.17", "host:ws-17") for n in range(60)]))

    assert found == [("ip:10.1.0.17", "host:ws-17", 1.0, 25.0)]


def test_an_address_that_changes_hands_is_nobodys_until_most_words_are_for_the_new() -> None:
    lines = said(
        (1.0, "ip:10.1.0.17", "host:ws-17"),
        (5.0, "ip:10.1.0.17", "host:ws-44"),  # another lease
        (24.9, "ip:10.1.0.17", "host:ws-44"),  # two of three within a day
        (25.5, "ip:10.1.0.17", "host:ws-44"),
    )
    assert find_aliases(lines) == [
        ("ip:10.1.0.17", "host:ws-17", 1.0, 5.0),
        ("ip:10.1.0.17", "host:ws-44", 24.9, 25.5),
        ("ip:10.1.0.17", "host:ws-44", 25.5, 49.5),
    ]


@pytest.mark.parametrize("forged_at", [2.0, 4.0, 6.0])
def test_one_forged_row_takes_no_alias_away(forged_at: float) -> None:
    true = [(hour, "ip:10.1.0.17", "host:ws-17") for hour in (0.5, 1.0, 3.0, 5.0)]
    found = find_aliases(said(*true, (forged_at, "ip:10.1.0.17", "host:elsewhere")))

    assert {host for _, host, _, _ in found} == {"host:ws-17"}
    assert (found[0][2], found[-1][3]) == (0.5, 5.0 + VALID_HOURS)  # without a gap between them
    assert all(until == begin for (*_, until), (_, _, begin, _) in pairwise(found))


def test_a_forged_row_does_not_make_a_word_last_longer() -> None:
    true = [(hour, "ip:10.1.0.17", "host:ws-17") for hour in (1.0, 2.0)]
    found = find_aliases(said(*true, (20.0, "ip:10.1.0.17", "host:elsewhere")))

    assert found[-1] == ("ip:10.1.0.17", "host:ws-17", 20.0, 2.0 + VALID_HOURS)


def test_an_address_that_moves_loses_its_old_host_with_the_second_word() -> None:
    """DHCP has given it away: nobody says the old name any more. The near miss to a forged row."""
    old = [(float(hour), "ip:10.1.0.17", "host:ws-17") for hour in range(1, 11)]
    new = [(11.0 + hour, "ip:10.1.0.17", "host:ws-44") for hour in range(30)]
    found = find_aliases(said(*old, *new))

    assert max(until for _, host, _, until in found if host == "host:ws-17") == 12.0  # the second word for ws-44
    # Two thirds of a day's words: at 26 o'clock 16 of 25 are for ws-44, at 27 they are 17.
    assert min(begin for _, host, begin, _ in found if host == "host:ws-44") == 27.0


def test_a_flood_of_hosts_for_one_address_names_nobody_and_ends_nothing() -> None:
    flood = [(3.0 + n / 5000, "ip:10.1.0.17", f"host:x{n}") for n in range(4000)]
    true = [(hour, "ip:10.1.0.17", "host:ws-17") for hour in (1.0, 2.0, 4.0)]

    assert find_aliases(said(*true, *flood)) == [
        ("ip:10.1.0.17", "host:ws-17", begin, until) for begin, until in ((1, 2), (2, 3), (3, 4), (4, 28))
    ]


def test_what_many_share_names_nobody() -> None:
    """A proxy or a translated address: two hosts speak from it again and again."""
    lines = said(*[(float(n), "ip:10.1.0.1", f"host:ws-{n % 2}") for n in range(12)])

    # At 2 o'clock one word of three is another's, as a forged one would be; from 3 o'clock on it is nobody's.
    assert find_aliases(lines) == [
        ("ip:10.1.0.1", "host:ws-0", 0.0, 1.0),
        ("ip:10.1.0.1", "host:ws-0", 2.0, 3.0),
    ]


Row = tuple[float, str | None, str, Sequence[str]]


def ends(words: Sequence[dict[str, Any]], *rows: Row) -> list[tuple[str | None, str]]:
    """The two ends of bins of one alert, given as hour, source, target, tactics, once the words are known."""
    with Engine() as engine:
        told = [
            bin_row(at(hour), source_entity=source, target_entity=target, bin=int(hour * 12), tactics=list(tactics))
            for hour, source, target, tactics in rows
        ]
        keep_bin_rows(engine, [*words, *told])
        keep_aliases(engine)
        keep_hosts(engine)
        found = "SELECT source_entity, target_entity FROM bins JOIN meanings USING (meaning) WHERE len(named) = 0"
        return engine.rows(f"{found} ORDER BY t0, tactics")  # type: ignore[return-value]


def test_an_address_becomes_its_host_at_both_ends_while_the_word_holds() -> None:
    found = ends(
        said((2.0, "ip:10.1.0.17", "host:ws-17"), (2.0, "ip:10.1.0.9", "host:fs01")),
        (1.9, "ip:10.1.0.17", "host:dc", ()),  # before it was said
        (2.0, "ip:10.1.0.17", "ip:10.1.0.9", ()),
        (2.5, "host:dc", "ip:10.1.0.9", ()),
        (2.6, "ip:10.1.0.18", "host:dc", ()),  # another address
        (26.0, "ip:10.1.0.17", "host:dc", ()),  # a day later
    )
    assert found == [
        ("ip:10.1.0.17", "host:dc"),
        ("host:ws-17", "host:fs01"),
        ("host:dc", "host:fs01"),
        ("ip:10.1.0.18", "host:dc"),
        ("ip:10.1.0.17", "host:dc"),
    ]


def test_another_site_knows_nothing_of_it() -> None:
    words = said((2.0, "ip:10.1.0.17", "host:ws-17"), site="office")

    assert ends(words, (2.5, "ip:10.1.0.17", "host:dc", ())) == [("ip:10.1.0.17", "host:dc")]


def test_two_names_of_one_machine_are_no_pair() -> None:
    with Engine() as engine:
        told = bin_row(
            at(2.5),
            **{"source_entity": "ip:10.1.0.17", "target_entity": "host:ws-17"},
            **{"source_zone": "it", "source_level": 4.0, "source_role": "server"},
        )
        keep_bin_rows(engine, [*said((2.0, "ip:10.1.0.17", "host:ws-17")), told])
        keep_aliases(engine)
        keep_hosts(engine)
        source = "source_entity, source_zone, source_level, source_role"
        (row,) = engine.rows(
            f"SELECT {source}, target_entity FROM bins JOIN meanings USING (meaning) WHERE len(named) = 0"
        )

    assert row == (None, None, None, None, "host:ws-17")


def test_rows_of_one_bin_stay_together() -> None:
    """A bin's alerts are members of one episode: a word said between them counts from the next bin on."""
    rows = [(2.02, ("discovery",)), (2.04, ("execution",)), (2.1, ("discovery",))]
    words = said((2.03, "ip:10.1.0.17", "host:ws-17"))
    found = ends(words, *[(hour, "ip:10.1.0.17", "host:dc", tactics) for hour, tactics in rows])

    assert [source for source, _ in found] == ["ip:10.1.0.17", "ip:10.1.0.17", "host:ws-17"]
