"""The grammar of everything that unfolds in steps, intrusions and benign routines alike.

A story has a cast (a name and the host group it is drawn from) and steps in order. A step has alternatives, `ways`, one of
which is drawn; a way is a line of acts:

    act:actor>target[*least-most]     rdp:entry>srv   c2_http:entry>c2*3-8   ot_command:hmi>@plc*2-5

A name that begins with @ means another host of that group each time. `share` weighs how much of the dwell time passes
before the step, `minutes` is how long the step takes, `chance` how often it happens at all. From a step that `steals`
on, the actor uses an administrator's account instead of the one of its first machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

FAMILIES = ("it_only", "it_to_ot", "ot_only", "insider", "worm", "slow_drip", "routine")
_ACT = re.compile(r"(?P<kind>\w+):(?P<source>@?\w+)>(?P<target>@?\w*)(?:\*(?P<least>\d+)-(?P<most>\d+))?")


@dataclass(frozen=True)
class Beat:
    """One act of a way, `least` to `most` times."""

    kind: str
    source: str
    target: str
    least: int = 1
    most: int = 1


@dataclass(frozen=True)
class Step:
    """One step; `technique` is an ATT&CK id (Enterprise T1…, ICS T0…)."""

    name: str
    technique: str
    ways: tuple[str, ...]
    share: float = 1.0
    minutes: tuple[float, float] = (2, 30)
    chance: float = 1.0
    steals: bool = False


@dataclass(frozen=True)
class Story:
    """One kind of intrusion or routine; `hours` is the dwell from first to last step, `clock` the local hours it begins in.

    `per_week` is how often a routine happens on one site, `announced` whether a maintenance window is announced for it.
    `passing` are parts that somebody else takes each time, also where the others are always the same.
    """

    name: str
    family: str
    source: str
    cast: Mapping[str, str]
    steps: tuple[Step, ...]
    hours: tuple[float, float]
    clock: tuple[float, float] = (0, 24)
    per_week: float = 0.0
    announced: bool = False
    weekdays: tuple[int, ...] = field(default=(0, 1, 2, 3, 4, 5, 6))
    passing: tuple[str, ...] = ()


def beats(way: str) -> list[Beat]:
    """Read one way.

    Raises
    ------
    ValueError
        If a word of it is no act.
    """
    found = []
    for word in way.split():
        match = _ACT.fullmatch(word)
        if not match:
            raise ValueError(f"{word!r} in {way!r} is not act:actor>target*least-most")
        least = int(match["least"] or 1)
        found.append(Beat(match["kind"], match["source"], match["target"], least, int(match["most"] or least)))
    return found
