"""Which earlier episode may have led to which later one: the rule by hand, then against a second writing of it.

The parameters are the defaults: pivot 30 minutes, session 10, 0.3 coincidences, at most 336 hours. `FRESH` is a site without
a past: an entity that has not spoken yet has a rate of -ln(1 - 1/2) = ln 2 an hour, so a weight halves every hour and a
patient link reaches 0.3 / ln 2 = 0.4328 h = 25.97 minutes.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from arrows import episode_table
from incident import Row, story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link import link_episodes
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.schemas import LINKS

FRESH = {"history_hours": 0.0}
Pair = tuple[int, int]


class Link(NamedTuple):
    kind: str
    entity: str
    gap_minutes: float
    weight: float
    chance: float | None = None
    """Told where a test asks for it."""


@dataclass(frozen=True)
class Case:
    """What is told, and every link between the episodes in order of telling, from 1."""

    episodes: Iterable[Row]
    links: dict[Pair, Link] = field(default_factory=dict)


def fresh(*lines: str | Row, **columns: Any) -> list[Row]:
    return [told(e, **{**FRESH, **columns}) if isinstance(e, str) else {**e, **columns} for e in lines]


def halved(kind_weight: float, minutes: float) -> float:
    """The weight of a link on a fresh site: .9 times its kind's, times exp(-ln 2 * hours)."""
    return float(0.9 * kind_weight * 0.5 ** (minutes / 60))


def followed(minutes: float) -> float:
    """The weight of a pivot from the nearest arrival on a fresh site: .95 to 1."""
    return 0.95 + 0.05 * 0.5 ** (minutes / 60)


# fs1 has acted in each of its 10 hours: rate = -ln(1 - (10 + 1) / (10 + 2)) = ln 12 = 2.485 an hour, and a patient link
# reaches 0.3 / 2.485 h = 7.2 minutes, less than what is always allowed. Names differ, so these do not link to each other.
BUSY_PAST = [told(f"{60 * hour} fs1/it -> far{hour}/it job {hour}", history_hours=float(hour)) for hour in range(10)]
BUSY = {"history_hours": 10.0}
PAIR_PAST = [told(f"{60 * hour} ws1/it -> fs1/it job {hour}", history_hours=float(hour)) for hour in range(10)]
# The same ten hours as everyday noise: surprise below 1 nat, level 0.
NOISY_PAST = [{**row, "surprise": 0.9} for row in BUSY_PAST]

PIVOT: dict[str, Case] = {
    "at the end of the gap": Case(
        # .95 + .05 exp(-ln 2 / 2) = .95 + .05 * .7071; left to no chance
        fresh("0 ws1/it -> fs1/it smb", "30 fs1/it -> dc1/it rdp"),
        {(1, 2): Link("pivot", "host:fs1", 30, 0.985355339059327, 0.0)},
    ),
    "just over the gap": Case(fresh("0 ws1/it -> fs1/it smb", "30.01 fs1/it -> dc1/it rdp")),
    "the gap begins where the earlier ends": Case(
        fresh(told("0 ws1/it -> fs1/it smb", lasts=20, **FRESH), "50 fs1/it -> dc1/it rdp"),
        {(1, 2): Link("pivot", "host:fs1", 30, followed(30))},
    ),
    "while the earlier still runs the gap is 0": Case(
        fresh(told("0 ws1/it -> fs1/it smb", lasts=60, **FRESH), "10 fs1/it -> dc1/it rdp"),
        {(1, 2): Link("pivot", "host:fs1", 0, 1.0)},
    ),
    "the other way round in time": Case(fresh("10 ws1/it -> fs1/it smb", "0 fs1/it -> dc1/it rdp")),
    "at the same time": Case(fresh("10 ws1/it -> fs1/it smb", "10 fs1/it -> dc1/it rdp")),
    "to another host": Case(fresh("0 ws1/it -> fs1/it smb", "10 fs2/it -> dc1/it rdp")),
    "two that arrive at one host": Case(fresh("0 ws1/it -> fs1/it smb", "10 ws2/it -> fs1/it rdp")),
    "two that leave one host": Case(fresh("0 fs1/it -> ws1/it smb", "10 fs1/it -> ws2/it rdp")),
    "over an alert about the host itself": Case(
        fresh("0 ws1/it -> fs1/it smb", "12 fs1/it new service", "24 fs1/it -> dc1/it rdp"),
        {
            (1, 2): Link("pivot", "host:fs1", 12, followed(12)),
            (2, 3): Link("pivot", "host:fs1", 12, followed(12)),
            (1, 3): Link(
                "pivot", "host:fs1", 24, 0.95
            ),  # the nearest that arrived, though an alert about fs1 is nearer
        },
    ),
    # Sessions join them.
    "two alerts about one host": Case(fresh("0 fs1/it new service", "12 fs1/it log cleared")),
    "a short wait needs no older cause": Case(
        # 20 minutes of 25.97 would be in reach, and fs1 acts after 40 s; an alert as surprising has just arrived.
        fresh("0 fs1/it new service", "31.5 ws1/it -> fs1/it smb", "32 fs1/it -> dc1/it rdp"),
        {(2, 3): Link("pivot", "host:fs1", 0.5, followed(0.5))},
    ),
    "what is less surprising explains nothing": Case(
        # Level 4 before level 1: 60 hours would be in reach (a quiet host), and the noise between does not stand in the way.
        [
            told("0 fs1/it new service"),
            told("95 ws1/it -> fs1/it ping", surprise=1.0),
            told("100 fs1/it -> dc1/it rdp"),
        ],
        {
            (1, 3): Link("pivot", "host:fs1", 100, 0.9 * (201 / 202) ** (100 / 60)),
            # At its level the new service, an hour before, counts too: share 2/202.
            (2, 3): Link("pivot", "host:fs1", 5, 0.95 + 0.05 * (200 / 202) ** (5 / 60)),
        },
    ),
    "there and back again": Case(
        # The answer arrives at ws1, which was the origin: it links over fs1, where the request arrived.
        fresh("0 ws1/it -> fs1/it smb", "6 fs1/it -> ws1/it smb"),
        {(1, 2): Link("pivot", "host:fs1", 6, followed(6))},
    ),
}

OTHER_KINDS: dict[str, Case] = {
    "same pair within reach": Case(
        # 25.9 < 25.97 minutes
        fresh("0 ws1/it -> fs1/it smb", "25.9 ws1/it -> fs1/it rdp"),
        {(1, 2): Link("same_pair", "host:ws1 > host:fs1", 25.9, halved(0.9, 25.9))},
    ),
    "same pair just out of reach": Case(fresh("0 ws1/it -> fs1/it smb", "26 ws1/it -> fs1/it rdp")),
    "a busy pair within a session": Case(
        # ten hours of ten: exp(-2.485 * 1/6) = 12^(-1/6) = 0.661, times .81; and within the hour before, 600 > 540 + 30
        [*PAIR_PAST, *(told(f"{m} ws1/it -> fs1/it {n}", **BUSY) for m, n in ((600, "smb"), (610, "rdp")))],
        {(11, 12): Link("same_pair", "host:ws1 > host:fs1", 10, 0.9 * 0.9 * 12 ** (-1 / 6), 1 - 12 ** (-1 / 6))},
    ),
    "a busy pair just over a session": Case(
        [*PAIR_PAST, *(told(f"{m} ws1/it -> fs1/it {n}", **BUSY) for m, n in ((600, "smb"), (610.1, "rdp")))]
    ),
    "account within reach": Case(
        fresh("0 ws1/it logon", "25.9 fs1/it logon", accounts=["account:j.meyer"]),
        {(1, 2): Link("account", "account:j.meyer", 25.9, halved(0.8, 25.9))},
    ),
    "in the same moment a minute is asked about": Case(
        fresh(told("0 ws1/it logon", lasts=9, **FRESH), "5 fs1/it logon", accounts=["account:j.meyer"]),
        {(1, 2): Link("account", "account:j.meyer", 0, 0.9 * 0.8, 1 - 0.5 ** (1 / 60))},
    ),
    "account just out of reach": Case(fresh("0 ws1/it logon", "26 fs1/it logon", accounts=["account:j.meyer"])),
    "another account": Case(
        [*fresh("0 ws1/it logon", accounts=["account:j.meyer"]), *fresh("9 fs1/it logon", accounts=["account:j.m"])]
    ),
    "one of several accounts": Case(
        [
            *fresh("0 ws1/it logon", accounts=["account:a", "account:svc"]),
            *fresh("9 fs1/it logon", accounts=["account:b", "account:svc"]),
        ],
        {(1, 2): Link("account", "account:svc", 9, halved(0.8, 9))},
    ),
    "same source at the end of half a session": Case(
        fresh("0 ws1/it -> fs1/it smb", "5 ws1/it -> fs2/it smb"),
        {(1, 2): Link("same_source", "host:ws1 ! edr ! smb", 5, halved(0.5, 5))},
    ),
    # On a quiet host too: a sweep is fast, and an equal name hours later tells nothing.
    "same source just over half a session": Case(
        [told("0 ws1/it -> fs1/it smb"), told("5.1 ws1/it -> fs2/it smb")],
    ),
    "same source, another name": Case(fresh("0 ws1/it -> fs1/it smb", "5 ws1/it -> fs2/it rdp")),
    "same source, another product": Case(
        [*fresh("0 ws1/it -> fs1/it smb"), *fresh("5 ws1/it -> fs2/it smb", source="ids")],
    ),
    "the most telling kind names the link": Case(
        # same pair, same source (0.5 * same) and account (0.8 * same) hold as well
        fresh("0 ws1/it -> fs1/it smb", "5 ws1/it -> fs1/it smb", accounts=["account:j.meyer"]),
        {(1, 2): Link("same_pair", "host:ws1 > host:fs1", 5, halved(0.9, 5))},
    ),
    "the strongest kind weighs the link": Case(
        # fs1 acted in the hour before: share (1 + 1) / (0 + 2) = 1, capped at 0.98, rate -ln 0.02 = 3.912 an hour. x is
        # nearer, so over 20 minutes the pivot from smb weighs .9 exp(-1.304) = .244; its account is new: .571.
        [
            *fresh("0 fs1/it -> nas/it backup", "79 ws9/it -> fs1/it x"),
            *fresh("60 ws1/it -> fs1/it smb", "80 fs1/it -> dc1/it rdp", accounts=["account:j.meyer"]),
        ],
        {
            # the account's is the least of chance: 1 - .5^(1/3); the pivot's is 1 - .02^(1/3)
            (3, 4): Link("pivot", "host:fs1", 20, halved(0.8, 20), 1 - 0.5 ** (1 / 3)),
            (2, 4): Link("pivot", "host:fs1", 1, 0.95 + 0.05 * 0.02 ** (1 / 60)),
        },
    ),
}


def halved30(minutes: float) -> float:
    """The weight of a pivot that is not the nearest, on a host that is silent for 30 hours."""
    return float(0.9 * (31 / 32) ** (minutes / 60))


HUBS: dict[str, Case] = {
    # A host that never spoke in 200 hours: rate -ln(1 - 1/202) = 0.0049628 an hour, 0.3 / 0.0049628 = 60.45 hours.
    "two days over a quiet host": Case(
        [told("0 ws1/it -> fs1/it smb"), told(f"{48 * 60} fs1/it -> dc1/it rdp")],
        {(1, 2): Link("pivot", "host:fs1", 2880, 0.9 * (201 / 202) ** 48, 1 - (201 / 202) ** 48)},
    ),
    "longer than the quiet host allows": Case(
        [told("0 ws1/it -> fs1/it smb"), told(f"{61 * 60} fs1/it -> dc1/it rdp")]
    ),
    # 0.3 * 2001.5 h would be 25 days; a fortnight is the end.
    "a fortnight over a host that is silent for months": Case(
        [told(f"{m} {text}", history_hours=2000.0) for m, text in ((0, "ws1/it x"), (336 * 60, "ws1/it -> fs1/it y"))],
        {(1, 2): Link("pivot", "host:ws1", 20160, 0.9 * (2001 / 2002) ** 336)},
    ),
    "over a fortnight": Case(
        [told(f"{m} {text}", history_hours=2000.0) for m, text in ((0, "ws1/it x"), (336.1 * 60, "ws1/it -> fs1/it y"))]
    ),
    "a busy host within the gap": Case(
        [*BUSY_PAST, told("600 ws1/it -> fs1/it smb", **BUSY), told("625 fs1/it -> dc1/it rdp", **BUSY)],
        {(11, 12): Link("pivot", "host:fs1", 25, 0.95 + 0.05 * 12 ** (-25 / 60))},
    ),
    "a busy host just over the gap": Case(
        [*BUSY_PAST, told("600 ws1/it -> fs1/it smb", **BUSY), told("631 fs1/it -> dc1/it rdp", **BUSY)]
    ),
    # Level 4 episodes see no noise of level 0: rate -ln(1 - 1/32) = 0.03175, reach 9.4 hours.
    "two rare episodes over everyday noise": Case(
        [
            *NOISY_PAST,
            *(
                told(f"{m} {t}", history_hours=30.0)
                for m, t in ((600, "ws1/it -> fs1/it x"), (900, "fs1/it -> dc1/it y"))
            ),
        ],
        {(11, 12): Link("pivot", "host:fs1", 300, 0.9 * (31 / 32) ** 5)},
    ),
    # The weaker end counts: level 0 sees all ten hours, rate -ln(1 - 11/32) = 0.421, reach 43 minutes.
    "a rare and a common episode over everyday noise": Case(
        [
            *NOISY_PAST,
            told("600 ws1/it -> fs1/it x", history_hours=30.0),
            told("900 fs1/it -> dc1/it y", history_hours=30.0, surprise=0.9),
        ]
    ),
    "two rare episodes over what is as rare": Case(
        [
            *BUSY_PAST,
            *(
                told(f"{m} {t}", history_hours=30.0)
                for m, t in ((600, "ws1/it -> fs1/it x"), (900, "fs1/it -> dc1/it y"))
            ),
        ]
    ),
    # Many come to fs1, it never acted itself: as if nobody had come.
    "a server that many come to and that never acts": Case(
        [
            *(told(f"{60 * h} ws{h}/it -> fs1/it job {h}", history_hours=float(h)) for h in range(9)),
            told("1800 fs1/it -> dc1/it rdp", history_hours=200.0),
        ],
        # the three nearest: 24, 23 and 22 hours before
        {(n, 10): Link("pivot", "host:fs1", (31 - n) * 60, 0.9 * (201 / 202) ** (31 - n)) for n in (7, 8, 9)},
    ),
    # What fs1 does after the arrival may be its consequence: it counts for nobody in that hour.
    "the hour of the arrival does not count": Case(
        [told("60 fs1/it -> nas/it x", **FRESH), *fresh("70 ws1/it -> fs1/it smb", "80 fs1/it -> dc1/it rdp")],
        {(2, 3): Link("pivot", "host:fs1", 10, followed(10))},
    ),
    # Six everyday arrivals are nearer than the exploit; of those at least as surprising, or as severe, it is the nearest.
    **{
        f"a rare one behind a crowd: {what}": Case(
            [
                told("0 evil/it -> dc1/it exploit", history_hours=30.0, **rare),
                *(told(f"{n} ws{n}/it -> dc1/it job {n}", history_hours=30.0, **common) for n in range(1, 7)),
                told("10 dc1/it -> fs1/it psexec", history_hours=30.0, **rare),
            ],
            {
                (1, 8): Link("pivot", "host:dc1", 10, 0.95),
                **{(n, 8): Link("pivot", "host:dc1", 11 - n, halved30(11 - n)) for n in (5, 6)},
                (7, 8): Link("pivot", "host:dc1", 4, 0.95 + 0.05 * (31 / 32) ** (4 / 60)),
            },
        )
        for what, rare, common in (
            ("surprising", {"surprise": 6.0}, {"surprise": 2.0}),
            ("severe", {"severity": 1.0}, {"severity": 0.2}),
        )
    },
}

NEAREST: dict[str, Case] = {
    "the three nearest of four": Case(
        fresh(*(f"{n} ws{n}/it -> fs1/it job {n}" for n in (1, 2, 3, 4)), "5 fs1/it -> dc1/it rdp"),
        {
            (2, 5): Link("pivot", "host:fs1", 3, halved(1, 3)),
            (3, 5): Link("pivot", "host:fs1", 2, halved(1, 2)),
            (4, 5): Link("pivot", "host:fs1", 1, followed(1)),
        },
    ),
    # The nearest by start ended three hours ago; the oldest still runs.
    "an older one that still runs": Case(
        fresh(
            told("0 ws1/it -> fs1/it smb", lasts=200, **FRESH),
            "10 ws2/it -> fs1/it rdp",
            "20 ws3/it -> fs1/it ssh",
            "190 fs1/it -> dc1/it rdp",
        ),
        {(1, 4): Link("pivot", "host:fs1", 0, 0.9)},
    ),
    # The price of looking at three: known and accepted.
    "an older one that still runs behind three others": Case(
        fresh(
            told("0 ws1/it -> fs1/it smb", lasts=200, **FRESH),
            *(f"{10 * n} ws{n}/it -> fs1/it job {n}" for n in (2, 3, 4)),
            "190 fs1/it -> dc1/it rdp",
        )
    ),
}


def first_or_second(is_first: bool, **columns: Any) -> list[Row]:
    """The plain pivot, with columns of its first or its second episode set."""
    lines = ("0 ws1/it -> fs1/it smb", "10 fs1/it -> dc1/it rdp")
    return [told(line, **FRESH, **(columns if is_first == (i == 0) else {})) for i, line in enumerate(lines)]


TEN_MINUTES = {(1, 2): Link("pivot", "host:fs1", 10, followed(10))}
APART: dict[str, Case] = {
    "plain": Case(first_or_second(True), TEN_MINUTES),
    "from everyday noise": Case(first_or_second(True, is_chronic=True)),
    "to everyday noise": Case(first_or_second(False, is_chronic=True)),
    "from a scanner": Case(first_or_second(True, source_role="scanner")),
    "to a scanner's doing": Case(first_or_second(False, source_role="scanner")),
    "from maintenance": Case(first_or_second(True, source_role="maintenance")),
    "from any other role": Case(first_or_second(True, source_role="jump_host"), TEN_MINUTES),
    # Who acts decides: an attack on the scanner is no planned work.
    "an attack on a scanner": Case(first_or_second(True, target_role="scanner"), TEN_MINUTES),
    "an alert about a scanner": Case(
        [
            *fresh("0 scan/it new service", target_role="scanner"),
            *fresh("10 scan/it -> fs1/it smb", "12 fs1/it -> dc1/it smb"),
        ],
        {(2, 3): Link("pivot", "host:fs1", 2, followed(2))},
    ),
    "planned among itself": Case(
        fresh("0 scan/it -> fs1/it smb", "2 scan/it -> fs2/it smb", source_role="scanner"),
        {(1, 2): Link("same_source", "host:scan ! edr ! smb", 2, halved(0.5, 2))},
    ),
    "planned work makes no host busy": Case(
        [
            *fresh("0 fs1/it -> nas/it backup", source_role="maintenance"),
            *fresh("60 ws1/it -> fs1/it smb", "70 fs1/it -> dc1/it rdp"),
        ],
        {(2, 3): Link("pivot", "host:fs1", 10, followed(10))},
    ),
}

CASES = {
    f"{of}: {name}": case
    for of, cases in (
        ("pivot", PIVOT),
        ("kinds", OTHER_KINDS),
        ("hubs", HUBS),
        ("nearest", NEAREST),
        ("apart", APART),
    )
    for name, case in cases.items()
}

# --- random sets, and the rule written a second time ----------------------------------------------------------------


def random_site(seed: int) -> list[Row]:
    """Some 40 episodes between 5 hosts in a day or two, on whole minutes so that starts collide and gaps end on the limit."""
    chance = random.Random(seed)
    span = chance.choice((300, 1500, 6000))
    rows = []
    for _ in range(chance.randint(2, 60)):
        source, target = chance.sample("abcde", 2)
        ends = f"{target}/it" if chance.random() < 0.3 else f"{source}/it -> {target}/it"
        rows.append(
            told(
                f"{chance.randrange(span)} {ends} {chance.choice(('smb', 'rdp', 'dns'))}",
                lasts=chance.choice((0, 0, 0, 3, 45, 400)),
                source=chance.choice(("edr", "ids")),
                accounts=chance.choice(([], [], ["account:x"], ["account:y"])),
                surprise=chance.choice((0.2, 0.99, 1.0, 2.5, 6.1)),
                severity=chance.choice((None, 0.2, 0.5, 1.0)),
                history_hours=float(chance.choice((0, 3, 50, 400))),
                is_chronic=chance.random() < 0.1,
                source_role=chance.choice((None, None, None, "scanner", "dc")),
                target_role=chance.choice((None, None, None, "maintenance")),
            )
        )
    return story(f"random {seed}", 1_000_000 + 1000 * seed, *rows)


def keys_of(row: Row, kind: str, is_left: bool) -> list[str]:
    source, target, name = row["source_entity"], row["target_entity"], row["name"]
    if kind in ("arrives", "leaves"):
        if is_left and (source is None) != (kind == "leaves"):
            return []
        return [target if is_left else source or target]
    if kind == "account":
        return list(row["accounts"])
    if source is None:
        return []
    return [f"{source} > {target}"] if kind == "same_pair" else [f"{source} ! {row['source']} ! {name}"]


KINDS = {"pivot": 1.0, "account": 0.8, "same_pair": 0.9, "same_source": 0.5}
WAYS = {
    "arrives": ("pivot", 30.0, True),
    "leaves": ("pivot", 30.0, True),
    "account": ("account", 10.0, True),
    "same_pair": ("same_pair", 10.0, True),
    "same_source": ("same_source", 5.0, False),
}


def is_planned(row: Row) -> bool:
    acting = row["source_role"] if row["source_role"] or row["source_entity"] else row["target_role"]
    return acting in ("scanner", "maintenance")


def level_of(row: Row) -> int:
    return math.floor(row["surprise"])


def grade_of(row: Row) -> int:
    return math.floor(4 * min(0.99, row["severity"] or 0))


class Tried(NamedTuple):
    kind: str
    key: str
    earlier: Row
    later: Row
    gap: float
    rate: float
    is_nearest: bool

    @property
    def is_short(self) -> bool:
        base = {"pivot": 30.0, "same_source": 5.0}.get(self.kind, 10.0)
        return self.gap <= base / 60

    @property
    def explains(self) -> bool:
        return self.kind == "pivot" and self.is_short and level_of(self.earlier) >= level_of(self.later)


def links_by_loops(rows: list[Row]) -> dict[Pair, Link]:
    """The documented rule for one site, as loops: no window, no join, no numbering."""
    tried: dict[int, list[Tried]] = defaultdict(list)
    active = [row for row in rows if not row["is_chronic"]]
    for way, (kind, _, _) in WAYS.items():
        for later in active:
            if way == "leaves" and later["source_entity"] is None:
                continue
            for key in keys_of(later, way, False):
                alike = [e for e in active if is_planned(e) == is_planned(later)]
                lefts = [e for e in alike if key in keys_of(e, way, True) and e["started_at"] < later["started_at"]]
                lefts.sort(key=lambda e: (e["started_at"], e["episode"]))
                choices = [lefts]
                if kind == "pivot":
                    choices.append([e for e in lefts if level_of(e) >= level_of(later)])
                    choices.append([e for e in lefts if grade_of(e) >= grade_of(later)])
                nearest = {choice[-1]["episode"] for choice in choices if choice}
                rights = [e for e in alike if key in keys_of(e, way, False)]
                for earlier in {e["episode"]: e for choice in choices for e in choice[-3:]}.values():
                    level = min(level_of(earlier), level_of(later))
                    hour = earlier["started_at"].replace(minute=0)
                    hours = {e["started_at"].replace(minute=0) for e in rights if level_of(e) >= level}
                    h = len([past for past in hours if past < hour])
                    rate = -math.log(1 - min(0.98, (h + 1) / (later["history_hours"] + 2)))
                    gap = max(0.0, (later["started_at"] - earlier["ended_at"]).total_seconds() / 3600)
                    is_nearest = earlier["episode"] in nearest
                    tried[later["episode"]].append(Tried(kind, key, earlier, later, gap, rate, is_nearest))
    found: dict[Pair, list[tuple[float, float, Link]]] = defaultdict(list)
    for candidates in tried.values():
        pivots = [c for c in candidates if c.kind == "pivot"]
        first = max(pivots, key=lambda c: (c.earlier["started_at"], c.earlier["episode"]), default=None)
        is_explained = any(c.explains for c in pivots)
        for c in candidates:
            is_pivot = c.kind == "pivot"
            is_patient = c.kind != "same_source" and not (is_pivot and is_explained)
            if not (c.is_short or (is_patient and c.gap <= min(336.0, 0.3 / c.rate))):
                continue
            alone = math.exp(-c.rate * c.gap)
            strength, chance = 0.9 * KINDS[c.kind] * alone, 1 - math.exp(-c.rate * max(c.gap, 1 / 60))
            if is_pivot and c.is_short and c.is_nearest:
                strength, chance = 0.95 + (0.05 * alone if c is first else 0), 0.0
            link = Link(c.kind, c.key, c.gap * 60, strength, chance)
            found[c.earlier["episode"], c.later["episode"]].append((KINDS[c.kind], strength, link))
    return {
        pair: max(links)[2]._replace(weight=max(of[1] for of in links), chance=min(of[2].chance for of in links))
        for pair, links in found.items()
    }


RANDOM_SITES = [random_site(seed) for seed in range(24)]


# --- one call for all -----------------------------------------------------------------------------------------------


def linked_of(rows: Iterable[Row], **parameters: Any) -> pa.Table:
    """The links through entities; those by time are tested with the sessions."""
    with Engine() as engine:
        links = link_episodes(engine, episode_table(rows), RankingParameters(**parameters)).links
    assert links.schema == arrow_schema(LINKS)
    return links.filter(pc.not_equal(links["kind"], "coincidence"))


@pytest.fixture(scope="module")
def linked() -> dict[str, dict[Pair, Link]]:
    """Links of every case and every random site, by site."""
    rows = [row for n, (site, case) in enumerate(CASES.items()) for row in story(site, 100 * n + 1, *case.episodes)]
    rows += [row for site in RANDOM_SITES for row in site]
    rows += story("here", 900_001, *fresh("0 ws1/it -> fs1/it smb"))
    rows += story("there", 900_101, *fresh("10 fs1/it -> dc1/it rdp"))
    random.Random(5).shuffle(rows)  # no order of rows may matter
    found: dict[str, dict[Pair, Link]] = defaultdict(dict)
    for row in linked_of(rows).to_pylist():
        pair = (row["src"], row["dst"])
        assert pair not in found[row["site"]], "one row is one ordered pair"
        found[row["site"]][pair] = Link(*(row[name] for name in Link._fields))
    return found


def assert_links(found: dict[Pair, Link], expected: dict[Pair, Link]) -> None:
    assert {pair: link[:2] for pair, link in found.items()} == {pair: link[:2] for pair, link in expected.items()}
    for pair, link in expected.items():
        asked = link if link.chance is not None else link[:-1]
        assert found[pair][2 : len(asked)] == pytest.approx(asked[2:], abs=1e-9), pair


@pytest.mark.parametrize("site", CASES)
def test_told_links(linked: dict[str, dict[Pair, Link]], site: str) -> None:
    first = 100 * list(CASES).index(site)
    found = {(src - first, dst - first): link for (src, dst), link in linked[site].items()}
    assert_links(found, CASES[site].links)


def test_two_sites_never_meet(linked: dict[str, dict[Pair, Link]]) -> None:
    # The plain pivot (`apart: plain`), but the second half happened at another customer.
    assert linked["here"] == linked["there"] == {}


def test_links_equal_the_rule_as_loops(linked: dict[str, dict[Pair, Link]]) -> None:
    n_links: dict[str, int] = defaultdict(int)
    for rows in RANDOM_SITES:
        expected = links_by_loops(rows)
        assert_links(linked[rows[0]["site"]], expected)
        for link in expected.values():
            n_links[link.kind] += 1
    assert min(n_links[kind] for kind in KINDS) > 9, f"the sets must hold every kind, not {dict(n_links)}"


def test_a_link_goes_forward_and_weighs_at_most_its_kind(linked: dict[str, dict[Pair, Link]]) -> None:
    start: dict[int, Any] = {row["episode"]: row["started_at"] for rows in RANDOM_SITES for row in rows}
    for links in (linked[rows[0]["site"]] for rows in RANDOM_SITES):
        for (src, dst), link in links.items():
            assert start[src] < start[dst]
            assert link.gap_minutes >= 0
            assert 0 < link.weight <= KINDS[link.kind]


# --- rows, sites, other parameters ----------------------------------------------------------------------------------


def test_neither_the_order_of_rows_nor_other_sites_matter() -> None:
    rows = [row for site in RANDOM_SITES[:6] for row in site]
    together = linked_of(rows)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert linked_of(shuffled).equals(together)
    one_by_one = [link for site in RANDOM_SITES[:6] for link in linked_of(site).to_pylist()]
    assert sorted(one_by_one, key=by_ends) == sorted(together.to_pylist(), key=by_ends)


def by_ends(link: dict[str, Any]) -> Pair:
    return link["src"], link["dst"]


def test_without_episodes_there_are_no_links() -> None:
    assert linked_of([]).num_rows == 0
    assert linked_of([told("0 ws1/it -> fs1/it smb", is_chronic=True) | {"site": "plant", "episode": 1}]).num_rows == 0


def test_what_names_no_target_arrives_nowhere_and_is_one_pair_of_its_own() -> None:
    rows = story("plant", 1, *fresh("0 ws1/it x", "5 ws1/it y", "6 ws1/it -> fs1/it z"))
    rows = [{**row, "source_entity": "host:ws1"} for row in rows]
    rows = [row if n == 2 else {**row, "target_entity": None} for n, row in enumerate(rows)]
    found = {by_ends(link): (link["kind"], link["entity"]) for link in linked_of(rows).to_pylist()}
    assert found == {(1, 2): ("same_pair", "host:ws1")}


def test_names_that_look_like_a_pair_are_no_pair() -> None:
    # The key is the two ends, not a text of both: here they would read alike.
    rows = story("plant", 1, *fresh("0 a/it -> b/it x", "5 c/it -> d/it y"))
    rows[0] |= {"source_entity": "host:a > host:b", "target_entity": "host:c"}
    rows[1] |= {"source_entity": "host:a", "target_entity": "host:b > host:c"}
    assert linked_of(rows).num_rows == 0


def test_accounts_of_equal_weight_are_told_apart_by_name() -> None:
    rows = story(
        "plant", 1, *fresh("0 ws1/it logon", "5 fs1/it logon", accounts=["account:b", "account:c", "account:a"])
    )
    assert [link["entity"] for link in linked_of(rows).to_pylist()] == ["account:c"]


# --- a flood of accounts --------------------------------------------------------------------------------------------

P = RankingParameters()
BESIDE = ("0 ws1/it -> fs1/it smb", "10 fs1/it -> dc1/it rdp", "12 nas/it x @c7 @meyer", "15 web/it y @meyer")


def flood(n: int, n_accounts: int) -> list[Row]:
    """Two-ended alerts within five minutes, each between two hosts of its own and of as many accounts by chance."""
    chance = random.Random(n)
    accounts = [f"account:c{i}" for i in range(1000)]
    return [
        told(f"{5 * i / n} a{i}/it -> b{i}/it x{i}", accounts=chance.sample(accounts, n_accounts), **FRESH)
        for i in range(n)
    ]


def test_a_flood_of_accounts_makes_no_more_links_than_a_line_of_alerts_can() -> None:
    """Each alert names sixty of a thousand accounts: nearly every pair of them has one in common."""
    rows = [*story("flooded", 1, *flood(300, 60)), *story("beside", 1001, *fresh(*BESIDE))]
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in linked_of(rows).to_pylist():
        found[row["site"]].append(row)
    by_episode: dict[int, int] = defaultdict(int)
    for row in found["flooded"]:
        by_episode[row["dst"]] += 1
    assert set(by_episode.values()) <= set(range(1, P.most_by_account + 1))
    assert len(by_episode) > 250, "those that come first have few before them, all others their share"
    alone = linked_of(story("beside", 1001, *fresh(*BESIDE))).to_pylist()
    assert sorted(found["beside"], key=by_ends) == sorted(alone, key=by_ends)
    assert len(alone) == 2


def test_of_many_by_account_the_strongest_stay() -> None:
    # Ten alerts name an account each that the last one names too; all but one a moment ago, that one an hour ago.
    before = [
        told(f"{0 if i == 0 else 58 + i / 10} h{i}/it x{i}", accounts=[f"account:c{i}"], **FRESH) for i in range(10)
    ]
    last = told("60 pc/it y", accounts=[f"account:c{i}" for i in range(10)], **FRESH)
    found = linked_of(story("plant", 1, *before, last), coincidence=1.0).to_pylist()
    assert sorted(map(by_ends, found)) == [(n, 11) for n in range(2, 11)]


@pytest.mark.parametrize("n_an_hour", [P.busy_account, 2 * P.busy_account])
def test_an_account_that_is_everywhere_is_no_glue(n_an_hour: int) -> None:
    # Each on a host of its own; from the second on an episode is linked, from the 61st of the hour on no more.
    rows = [told(f"{59 * i / n_an_hour} h{i}/it x{i}", accounts=["account:svc"], **FRESH) for i in range(n_an_hour)]
    found = linked_of(story("plant", 1, *rows)).to_pylist()
    assert len({row["dst"] for row in found}) == P.busy_account - 1
