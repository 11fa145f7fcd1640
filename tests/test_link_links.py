"""Links as they are handed on: their kinds, one worked to the last digit, which are kept, and what must not matter."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from arrows import episode_table
from incident import Row, story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link import find_links, in_order
from alertgraph_spark.link.links import KINDS
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.schemas import LINKS

P = RankingParameters()
Pair = tuple[int, int]
ALL = {"link_least": -100.0}
"""Every pair is likely enough."""


def linked(rows: Iterable[Row], **parameters: Any) -> dict[Pair, dict[str, Any]]:
    links = find_links(in_order(episode_table(rows)), RankingParameters(**parameters))
    assert links.schema == arrow_schema(LINKS)
    found = {(row["src"], row["dst"]): row for row in links.to_pylist()}
    assert len(found) == len(links), "one row is one ordered pair"
    return found


def of_plant(*lines: str | Row, **parameters: Any) -> dict[Pair, dict[str, Any]]:
    return linked(story("plant", 1, *lines), **parameters)


# --- kinds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later", "kind", "entity"),
    [
        ("ws1/it -> fs1/it smb", "ws1/it -> fs1/it rdp", "same_pair", "host:fs1"),
        ("ws1/it -> fs1/it smb @meyer", "ws1/it -> fs1/it rdp @meyer", "same_pair", "account:meyer"),
        ("ws1/it -> fs1/it smb", "fs1/it -> dc1/it rdp", "pivot", "host:fs1"),
        ("ws1/it -> fs1/it smb", "fs1/it new service", "pivot", "host:fs1"),
        ("fs1/it new service", "fs1/it -> dc1/it rdp", "pivot", "host:fs1"),
        ("ws1/it -> fs1/it smb", "fs1/it -> ws1/it smb", "pivot", "host:fs1"),  # before the answer
        ("ws1/it -> fs1/it smb @meyer", "fs1/it -> dc1/it rdp @meyer", "pivot", "host:fs1"),  # before the account
        ("ws1/it logon @meyer", "fs1/it logon @meyer", "account", "account:meyer"),
        ("ws1/it -> fs1/it smb", "ws1/it -> fs2/it smb", "same_source", "host:ws1"),
        ("ws1/it new service", "ws1/it -> fs2/it smb", "pivot", "host:ws1"),  # an alert about a host reaches it
        ("ws1/it -> fs1/it smb", "ws2/it -> fs1/it smb", "same_target", "host:fs1"),
        ("fs1/it new service", "fs1/it log cleared", "same_target", "host:fs1"),  # no pivot: nobody came
        ("fs1/it new service", "ws1/it -> fs1/it smb", "same_target", "host:fs1"),
        ("ws1/it -> fs1/it smb", "fs2/it -> ws1/it smb", "answer", "host:ws1"),
        ("ws1/it -> fs1/it smb", "ws2/it -> fs2/it rdp", "coincidence", "host:fs2"),  # the later host
        ("ws1/it x", "ws2/it y", "coincidence", "host:ws2"),
    ],
)
def test_what_both_have_in_common(earlier: str, later: str, kind: str, entity: str) -> None:
    (found,) = of_plant(f"0 {earlier}", f"60 {later}", **ALL).values()
    assert (found["kind"], found["entity"], found["gap_minutes"]) == (kind, entity, 60.0)


def test_kinds_stand_as_the_schema_tells_them() -> None:
    (told_of,) = (column.meaning for column in LINKS.columns if column.name == "kind")
    assert ", ".join(KINDS).replace(", coincidence", ", or coincidence") in told_of


# --- one link, to the last digit ------------------------------------------------------------------------------------

PAST = [told(f"{60 * h} other{h}/it x", surprise=1.0, history_hours=float(h), is_chronic=True) for h in range(8)]
NOW = {"history_hours": 18.0, "fleet_share": 0.05, "surprise": 4.0}  # of 18 hours none had the type: 1 / 20


def test_one_link_by_hand() -> None:
    found = of_plant(*PAST, told("1080 ws1/it -> fs1/it smb", **NOW), told("1110 fs1/it -> dc1/it rdp", **NOW))
    assert list(found) == [(9, 10)]
    link = found[9, 10]
    # Hours of entities: eight others, ws1 and fs1, fs1 again in the same hour, dc1 after it: fs1 has 1 / (10 + 10).
    type_rate = 0.05 * (3 * 1 / 20) / 3
    odds = -8 - 0.9 * math.log(0.5 + 1 / 60) - 0.33 * math.log(type_rate) - 0.53 * math.log(1 / 20) + 0.35 * 4
    assert link["log_odds"] == pytest.approx(odds)
    assert odds == pytest.approx(-2.44076, abs=1e-5)
    assert link["weight"] == pytest.approx(1 / (1 + math.exp(-odds)))
    # By chance rdp would come there within half an hour in 1 of 800 cases: -ln(1 - .0025) an hour.
    assert link["chance"] == pytest.approx(1 - (1 - 0.0025) ** 0.5)
    assert (link["kind"], link["entity"], link["gap_minutes"]) == ("pivot", "host:fs1", 30.0)


def test_at_once_a_minute_is_asked_about() -> None:
    now = [told("1080 ws1/it -> fs1/it smb", lasts=60, **NOW), told("1110 fs1/it -> dc1/it rdp", **NOW)]
    link = of_plant(*PAST, *now)[9, 10]
    assert link["gap_minutes"] == 0.0
    assert link["chance"] == pytest.approx(1 - (1 - 0.0025) ** (1 / 60))


def test_what_the_odds_make_of_actors_types_and_bursts() -> None:
    def odds(earlier: str, later: str, *beside: str) -> float:
        rows = [told(f"{m} {text}", **NOW) for m, text in ((1080, earlier), (1110, later))]
        return float(of_plant(*rows, *(told(one, **NOW) for one in beside), **ALL)[1, 2]["log_odds"])

    to_two = odds("ws1/it -> fs1/it smb", "ws1/it -> fs2/it rdp")
    assert odds("ws1/it -> fs1/it smb", "ws1/it -> fs2/it smb") == pytest.approx(to_two - 3)
    # Others that act with the same type within ten minutes count, later ones do not.
    crowd = [f"{1120 - n} h{n}/it -> g{n}/it rdp" for n in range(3)]
    late = [f"{1121 + n} h{n}/it -> g{n}/it rdp" for n in range(3)]
    same_pair = odds("ws1/it -> fs1/it smb", "ws1/it -> fs1/it rdp")
    assert odds("ws1/it -> fs1/it smb", "ws1/it -> fs1/it rdp", *crowd) == pytest.approx(same_pair - 1.85 * math.log(4))
    assert odds("ws1/it -> fs1/it smb", "ws1/it -> fs1/it rdp", *late) == pytest.approx(same_pair)


# --- which are kept -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "later", "minutes"),
    [
        ("ws1/it -> fs1/it smb", "fs1/it -> dc1/it rdp", 14 * 24 * 60),
        ("ws1/it -> fs1/it smb", "ws1/it -> fs1/it rdp", 10),
        ("ws1/it logon @meyer", "fs1/it logon @meyer", 10),
        ("ws1/it -> fs1/it smb", "ws1/it -> fs2/it rdp", None),
        ("ws1/it -> fs1/it smb", "ws2/it -> fs1/it rdp", None),
        ("ws1/it -> fs1/it smb", "fs2/it -> ws1/it rdp", None),
        ("ws1/it x", "ws2/it y", None),
    ],
)
def test_what_is_unlikely_is_kept_where_it_tells_of_a_way(earlier: str, later: str, minutes: float | None) -> None:
    never = {"link_least": 99.0}
    if minutes is None:
        assert of_plant(f"0 {earlier}", f"0.5 {later}", **never) == {}
        return
    assert list(of_plant(f"0 {earlier}", f"{minutes} {later}", **never)) == [(1, 2)]
    assert of_plant(f"0 {earlier}", f"{minutes + 0.1} {later}", **never) == {}


def test_only_what_is_likelier_than_the_least() -> None:
    lines = ("0 ws1/it -> fs1/it smb", "60 ws1/it -> dc1/it rdp")
    odds = of_plant(*lines, **ALL)[1, 2]["log_odds"]
    assert of_plant(*lines, link_least=odds) == {}
    assert list(of_plant(*lines, link_least=odds - 1e-9)) == [(1, 2)]


def test_planned_work_links_to_planned_work_only() -> None:
    def pair(one: str | None, other: str | None) -> list[Pair]:
        return list(
            of_plant(
                told("0 ws1/it -> fs1/it smb", source_role=one),
                told("5 fs1/it -> dc1/it rdp", source_role=other),
                **ALL,
            )
        )

    assert pair("scanner", None) == pair(None, "maintenance") == []
    assert pair("scanner", "maintenance") == pair(None, None) == pair("jump_host", None) == [(1, 2)]
    # Of an alert about a host the host acts.
    about = [told("0 fs1/it update", target_role="maintenance"), told("5 fs1/it -> dc1/it rdp")]
    assert of_plant(*about, **ALL) == {}
    assert list(of_plant({**about[0], "target_role": "dc"}, about[1], **ALL)) == [(1, 2)]


def test_everyday_noise_is_counted_and_never_linked() -> None:
    lines = ("0 ws1/it -> fs1/it smb", told("700 fs1/it ping", is_chronic=True), "720 fs1/it -> dc1/it rdp")
    noisy, silent = (
        of_plant(*lines, **ALL),
        of_plant(lines[0], told("700 nas/it ping", is_chronic=True), lines[2], **ALL),
    )
    assert list(noisy) == list(silent) == [(1, 3)]
    assert noisy[1, 3]["log_odds"] < silent[1, 3]["log_odds"], "fs1 is heard of more often"


def test_without_episodes_there_are_no_links() -> None:
    assert linked([]) == {}
    assert of_plant(told("0 ws1/it -> fs1/it smb", is_chronic=True), **ALL) == {}


def test_two_sites_never_meet() -> None:
    lines = ("0 ws1/it -> fs1/it smb @meyer", "5 fs1/it -> dc1/it rdp @meyer")
    assert list(of_plant(*lines, **ALL)) == [(1, 2)]
    assert linked([*story("here", 1, lines[0]), *story("there", 2, lines[1])], **ALL) == {}


# --- what must not matter -------------------------------------------------------------------------------------------


def random_site(seed: int, n: int = 60) -> list[Row]:
    """Episodes between a few hosts in a day or two, on whole minutes, so that some begin together."""
    chance = random.Random(seed)
    span = chance.choice((300, 1500, 6000))
    rows = []
    for _ in range(n):
        source, target = chance.sample(("a/it", "b/it", "c/it", "d/ot", "x/external"), 2)
        ends = target if chance.random() < 0.3 else f"{source} -> {target}"
        rows.append(
            told(
                f"{chance.randrange(span)} {ends} {chance.choice(('smb', 'rdp', 'dns'))}",
                lasts=chance.choice((0, 0, 0, 3, 45)),
                accounts=chance.choice(([], [], ["account:x"], ["account:y", "account:x"])),
                surprise=chance.choice((0.9, 2.5, 4.1, 6.1)),
                history_hours=float(chance.choice((0, 3, 50, 400))),
                is_chronic=chance.random() < 0.1,
                source_role=chance.choice((None, None, None, "scanner")),
            )
        )
    return story(f"site {seed}", 1_000_000 + 1000 * seed, *rows)


SITES = [random_site(seed) for seed in range(8)]
TOGETHER = [row for site in SITES for row in site]


def test_a_link_goes_forward_and_tells_a_probability() -> None:
    start: dict[int, Any] = {row["episode"]: row for row in TOGETHER}
    found = linked(TOGETHER, **ALL)
    assert {link["kind"] for link in found.values()} == set(KINDS)
    for (src, dst), link in found.items():
        assert start[src]["started_at"] < start[dst]["started_at"]
        assert start[src]["site"] == start[dst]["site"] == link["site"]
        gap = (start[dst]["started_at"] - start[src]["ended_at"]).total_seconds() / 60
        assert link["gap_minutes"] == pytest.approx(max(0, gap), abs=1e-9)
        assert 0 < link["weight"] <= 1
        assert 0 < link["chance"] < 1


def test_neither_the_order_of_rows_nor_other_sites_matter() -> None:
    together = linked(TOGETHER)
    assert linked(random.Random(1).sample(TOGETHER, len(TOGETHER))) == together
    assert {pair: link for site in SITES for pair, link in linked(site).items()} == together


def renamed(key: str | None, names: dict[str, str]) -> str | None:
    if key is None:
        return None
    kind, _, name = key.partition(":")
    return f"{kind}:{names[name]}"


def test_names_do_not_matter() -> None:
    names = dict(zip("abcdxy", ("zeta", "mike", "alfa", "x", "b", "a"), strict=True))
    others = [
        {
            **row,
            **{end: renamed(row[end], names) for end in ("source_entity", "target_entity")},
            "accounts": [renamed(one, names) for one in row["accounts"]],
        }
        for row in TOGETHER
    ]
    expected = {pair: {**link, "entity": renamed(link["entity"], names)} for pair, link in linked(TOGETHER).items()}
    assert linked(others) == expected


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_what_comes_later_changes_nothing_once_ten_minutes_have_passed(seed: int) -> None:
    rows = sorted(SITES[seed], key=lambda row: (row["started_at"], row["episode"]))
    whole = linked(rows)
    for n in range(5, len(rows), 7):
        now = rows[n]["started_at"]
        known = linked([row for row in rows if row["started_at"] < now])
        settled = {row["episode"] for row in rows if row["started_at"] + timedelta(minutes=10) < now}
        assert {pair: link for pair, link in known.items() if pair[1] in settled} == {
            pair: link for pair, link in whole.items() if pair[1] in settled
        }


# --- cost -----------------------------------------------------------------------------------------------------------


def hub(n: int) -> pa.Table:
    """So many episodes at one server, a few seconds apart, of classes of surprise by chance."""
    chance = random.Random(n)
    (row,) = story("plant", 1, "0 ws1/it -> fs1/it smb")
    begun = row["started_at"]
    rows = []
    for i in range(n):
        at = begun + timedelta(seconds=7 * i)
        name = f"host:ws{chance.randrange(n)}"
        ends = (
            {"source_entity": name} if chance.random() < 0.7 else {"source_entity": "host:fs1", "target_entity": name}
        )
        rows.append({**row, **ends, "episode": i, "started_at": at, "ended_at": at, "surprise": chance.uniform(1, 7)})
    return episode_table(rows)


def test_a_hub_has_as_many_links_as_episodes_call_for() -> None:
    # Of each episode three in each of four classes at either end, three arrivals, and three in each of six over the site.
    most = 3 * 4 * 2 + 3 + 3 * 6
    p = RankingParameters(**ALL)
    few, many = (find_links(hub(n), p) for n in (2_000, 20_000))
    assert max(Counter(many["dst"].to_pylist()).values()) <= most
    assert len(many) == pytest.approx(10 * len(few), rel=0.05)
