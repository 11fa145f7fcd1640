"""Everyday life at an entity: rates by hand for a small past, and what must not change them."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from arrows import episode_table
from incident import Row, story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link import in_order
from alertgraph_spark.link.everyday import ACCOUNT, SOURCE, TARGET, name_ends

P = RankingParameters()
Rates = dict[tuple[int, str], tuple[int, float, float]]


def rates_of(rows: list[Row], p: RankingParameters = P) -> Rates:
    """Role, rate of the type and rate of anything, of each episode and entity without its kind."""
    episodes = in_order(episode_table(rows))
    ends, names = name_ends(episodes, p)
    number = episodes["episode"].to_pylist()
    who = [
        (number[at], names[key].partition(":")[2]) for at, key in zip(ends.at.tolist(), ends.key.tolist(), strict=True)
    ]
    assert len(who) == len(set(who)), "one row is one entity of one episode"
    columns = (part.tolist() for part in (ends.role, ends.type_rate, ends.any_rate))
    return dict(zip(who, zip(*columns, strict=True), strict=True))


def asked(minute: float, text: str, seen_hours: int, **columns: Any) -> Row:
    """An episode in a site that began at minute 0, its type seen in some of the hours before."""
    hours = float(minute // 60)
    return told(f"{minute} {text}", history_hours=hours, fleet_share=(seen_hours + 1) / (hours + 2), **columns)


# smb by a in hours 0 and 1, once to b; b is named once more, in hour 2. In hour 10 it comes again.
PAST = [asked(0, "a/it -> b/it smb", 0), asked(60, "a/it -> c/it smb", 1), asked(130, "b/it usb", 0)]
ASKED = asked(600, "a/it -> b/it smb", 2)


def test_rates_by_hand() -> None:
    found = rates_of(story("plant", 1, *PAST, ASKED))
    # Of ten hours a was named in two, so was b: (2 + 1) / (10 + 2).
    # The type has 3/12 an hour. Of its two past hours a had both, b one. Hours of entities up to each row: a 0, 1 and now,
    # b 0 and 2, c 1, that is 6, and then b now, 7; three entities: their shares are (2 + 1) / (6 + 3) and (2 + 1) / (7 + 3).
    assert found[4, "a"] == (SOURCE, pytest.approx(3 / 12 * (2 + 3 * 3 / 9) / (2 + 3)), pytest.approx(3 / 12))
    assert found[4, "b"] == (TARGET, pytest.approx(3 / 12 * (1 + 3 * 3 / 10) / (2 + 3)), pytest.approx(3 / 12))
    # The very first has no past: its entity is the only one, with a share of 1 / (1 + 1); and then one of two.
    assert found[1, "a"] == (SOURCE, pytest.approx(1 / 2 * (0 + 3 * 1 / 2) / (0 + 3)), pytest.approx(1 / 2))
    assert found[1, "b"] == (TARGET, pytest.approx(1 / 2 * (0 + 3 * 1 / 4) / (0 + 3)), pytest.approx(1 / 2))


def test_a_flood_counts_once_an_hour_and_its_own_hour_not_yet() -> None:
    once = rates_of(story("plant", 1, *PAST, ASKED))
    flood = [asked(61 + n / 10, "a/it -> c/it smb", 1) for n in range(100)]
    same_hour = [asked(600 - n / 10, "a/it -> b/it smb", 2) for n in (0.1, 0.2)]  # still hour 9
    found = rates_of(story("plant", 1, *PAST, ASKED, *flood))
    assert {who: found[who] for who in ((4, "a"), (4, "b"))} == {who: once[who] for who in ((4, "a"), (4, "b"))}
    # What came in the hour before counts: a third hour of twelve.
    assert rates_of(story("plant", 1, *PAST, ASKED, *same_hour))[4, "a"][2] == pytest.approx(4 / 12)
    now = rates_of(
        story("plant", 1, *PAST, told("600 a/it -> b/it smb"), told("601 a/it -> b/it smb", history_hours=10.0))
    )
    assert now[5, "a"][2] == pytest.approx(3 / 12), "an hour has passed only when it is over"


def test_everyday_noise_counts() -> None:
    noisy = [{**row, "is_chronic": True} for row in PAST]
    assert rates_of(story("plant", 1, *noisy, ASKED)) == rates_of(story("plant", 1, *PAST, ASKED))


def test_what_is_outside_is_one_entity() -> None:
    # Another address each hour: as if it were one that had been there in both; inside it would be new.
    def probed(zone: str) -> Rates:
        past = [asked(60 * n, f"x{n}/{zone} -> b/it probe", n) for n in range(2)]
        return rates_of(story("plant", 1, *past, asked(600, f"x9/{zone} -> b/it probe", 2)))

    assert probed("external")[3, "x9"][2] == pytest.approx(3 / 12)
    assert probed("it")[3, "x9"][2] == pytest.approx(1 / 12)
    # Its share of the type: both hours, of which it has (2 + 1) of (x 0, 1, now; b 0, 1) and two entities.
    assert probed("external")[3, "x9"][1] == pytest.approx(3 / 12 * (2 + 3 * 3 / (5 + 2)) / 5)


def test_the_future_changes_nothing() -> None:
    rows = story("plant", 1, *PAST, ASKED)
    later = story("plant", 5, *(asked(601 + n, f"a/it -> {to}/it smb", 2) for n, to in enumerate("bcxyz")))
    before = rates_of(rows)
    found = rates_of([*rows, *later])
    assert {who: found[who] for who in before} == before
    # In the past it would.
    earlier = story("plant", 5, asked(300, "a/it -> x/it smb", 2))
    assert rates_of([*rows, *earlier])[4, "a"] != before[4, "a"]


def test_another_site_changes_nothing() -> None:
    rows = story("plant", 1, *PAST, ASKED)
    other = story("other", 101, *(asked(10 * n, f"a/it -> {'bcx'[n % 3]}/it smb", 0) for n in range(90)))
    before = rates_of(rows)
    found = rates_of([*rows, *other])
    assert {who: found[who] for who in before} == before


def test_of_two_roles_the_first_stands_and_a_list_is_no_acquaintance() -> None:
    three, four = ([f"account:{name}" for name in names] for names in ("uvw", "uvwx"))
    rows = story("plant", 1, told("0 a/it -> a/it x", accounts=three), told("1 b/it x", accounts=four))
    found = {who: role for who, (role, _, _) in rates_of(rows).items()}
    assert found == {(1, "a"): SOURCE, **{(1, name): ACCOUNT for name in "uvw"}, (2, "b"): TARGET}
    allowed = rates_of(rows, RankingParameters(most_accounts=4))
    assert {name for n, name in allowed if n == 2} == set("buvwx")


def test_without_episodes_there_are_no_ends() -> None:
    ends, names = name_ends(episode_table([]), P)
    assert (len(ends.at), names) == (0, [])


def test_rates_equal_loops() -> None:
    """The documented rule, written a second time."""
    chance = random.Random(3)
    rows = []
    for minute in sorted(chance.sample(range(3000), 120)):
        source, target = chance.sample(("a/it", "b/it", "c/ot", "x/external", "y/external"), 2)
        ends = target if chance.random() < 0.3 else f"{source} -> {target}"
        rows.append(asked(minute, f"{ends} {chance.choice(('smb', 'rdp', 'dns'))}", 0))
    for n, row in enumerate(rows):
        seen = {past["started_at"].replace(minute=0) for past in rows[:n] if past["name"] == row["name"]}
        seen -= {row["started_at"].replace(minute=0)}
        row["fleet_share"] = (len(seen) + 1) / (row["history_hours"] + 2)
    found = rates_of(story("plant", 1, *rows))
    met: set[tuple[str, Any]] = set()
    of_type: set[tuple[str, str, Any]] = set()
    for n, row in enumerate(rows, 1):
        hour = row["started_at"].replace(minute=0)
        for end in ("source", "target"):
            if row[f"{end}_entity"] is None:
                continue
            who = "outside" if row[f"{end}_zone"] == "external" else row[f"{end}_entity"]
            met.add((who, hour))
            h_v = len({h for one, h in met if one == who} - {hour})
            h_vk = len({h for one, name, h in of_type if (one, name) == (who, row["name"])} - {hour})
            h_k = row["fleet_share"] * (row["history_hours"] + 2) - 1
            share = (h_v + 1) / (len(met) + len({one for one, _ in met}))
            rate = row["fleet_share"] * (h_vk + 3 * share) / (h_k + 3)
            _, type_rate, any_rate = found[n, row[f"{end}_entity"].partition(":")[2]]
            assert any_rate == pytest.approx((h_v + 1) / (row["history_hours"] + 2)), n
            assert math.log(type_rate) == pytest.approx(math.log(rate)), n
        for end in ("source", "target"):
            who = "outside" if row[f"{end}_zone"] == "external" else row[f"{end}_entity"]
            if who:
                of_type.add((who, row["name"], hour))
