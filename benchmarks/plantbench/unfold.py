"""A story played on one site: who takes which part, when each step happens, which acts it is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from plantbench.acts import Act, Alerts, Watch
from plantbench.intrusions import INTRUSIONS
from plantbench.levels import HARD, INCIDENTS, SPARSE_HOURS, Level
from plantbench.routines import ROUTINES, STANDING
from plantbench.site import DAY, HOUR, Site
from plantbench.stories import Beat, Step, Story, beats

WARM_UP = 26 * HOUR  # judges leave out what begins on the first day
SHARE = (0.0002, 0.0008)  # attack alerts of all alerts, drawn log-uniform; the last campaign may overshoot a little
MOST = 0.0009
PAUSE = 600.0  # acts further apart than this are two windows of one step
DWELL_MOST = 14 * DAY
ROUTINE = -2  # the step of the first benign chain
MONDAY_FIRST = 0  # the period begins on a Monday


@dataclass(frozen=True)
class PlayedStep:
    """One step as it happened; `windows` are (from, to) in seconds, `hosts` indexes of all that took part."""

    name: str
    technique: str
    way: str
    windows: tuple[tuple[float, float], ...]
    hosts: tuple[int, ...]
    acts: tuple[Act, ...]


@dataclass(frozen=True)
class Campaign:
    """One story as it happened on a site."""

    story: Story
    steps: tuple[PlayedStep, ...]
    span: tuple[float, float]


class Regular(NamedTuple):
    """Those who do a routine week after week: hosts by part, hosts that they go to by group, their account."""

    parts: Mapping[str, int]
    reach: Mapping[str, list[int]]
    account: int


NOBODY = Regular({}, {}, -1)


def crosses(campaign: Campaign, site: Site) -> bool:
    """Whether somebody in it acts from outside of operations upon a host in operations."""
    ends = ((act.source, act.target) for step in campaign.steps for act in step.acts)
    zones = ((site.hosts[a].zone, site.hosts[b].zone) for a, b in ends if min(a, b) >= 0)
    return any(a != "ot" and b == "ot" for a, b in zones)


def _reachable(site: Site, group: str, near: int, at: float) -> np.ndarray:
    """Hosts of a group that are there by then; controllers are reached within the cell of whoever acts."""
    hosts = [i for i in site.group(group) if site.hosts[i].joined <= at]
    cell = site.hosts[near].cell if near >= 0 else -1
    same = [i for i in hosts if cell >= 0 and site.hosts[i].cell == cell]
    return np.array(same or hosts, dtype=np.int64)


def _cast(
    story: Story, site: Site, at: float, rng: np.random.Generator, kept: Mapping[str, int] = NOBODY.parts
) -> dict[str, int] | None:
    """Draw the parts that are not `kept`; those in operations come from one cell."""
    parts: dict[str, int] = {}
    cell = -1
    for part, group in story.cast.items():
        hosts = _reachable(site, group, cell, at)
        hosts = hosts[~np.isin(hosts, list(parts.values()))]
        if part in kept:
            parts[part] = kept[part]
        elif len(hosts):
            parts[part] = int(rng.choice(hosts))
        else:
            return None
        if site.hosts[parts[part]].cell >= 0:
            cell = parts[part]
    return parts


def regular(story: Story, site: Site, rng: np.random.Generator) -> Regular:
    """Draw who always does a routine: machines that are there from the start, an owner's or a service's account.

    Nobody if every part of it is a passing one: what befalls a site chooses its machines anew.
    """
    parts = {part: host for part, host in (_cast(story, site, 0.0, rng) or {}).items() if part not in story.passing}
    if not parts:
        return NOBODY
    most: dict[str, int] = defaultdict(int)
    for beat in (beat for step in story.steps for way in step.ways for beat in beats(way)):
        for end in (beat.source, beat.target):
            if end.startswith("@") and end != "@external":
                most[end[1:]] = max(most[end[1:]], beat.most)
    near = next((host for host in parts.values() if site.hosts[host].cell >= 0), -1)
    reach = {}
    for group, n in most.items():
        hosts = _reachable(site, group, near, 0.0)
        reach[group] = rng.permutation(hosts)[:n].tolist()
    owner = next((host for host in parts.values() if site.hosts[host].owner), -1)
    return Regular(parts, reach, owner if owner >= 0 else len(site.hosts) + int(rng.integers(12)))


class Habits:
    """Who does the routines of a site, drawn apart from the routines themselves, so that no other draw moves."""

    def __init__(self, site: Site, keeps: float, rng: np.random.Generator) -> None:
        """Choose those who always do it, routine by routine; `keeps` is how often it is they who do."""
        self._keeps, self._rng = keeps, rng
        self._regulars = {story.name: regular(story, site, rng) for story in (*ROUTINES, *STANDING)}
        self._standing = {story.name for story in STANDING}

    def of(self, story: Story) -> Regular:
        """Who does it this time: nobody in particular, if it is somebody else for once."""
        is_kept = self._rng.random() < self._keeps or story.name in self._standing
        return self._regulars[story.name] if is_kept else NOBODY


class _Player:
    def __init__(
        self, story: Story, site: Site, parts: dict[str, int], rng: np.random.Generator, known: Regular
    ) -> None:
        self.site, self.parts, self.rng, self.known = site, parts, rng, known
        first = next((p for p in parts.values() if site.hosts[p].owner), -1)
        people = site.group("workstation")
        self.account = first if first >= 0 else int(rng.choice(people))
        if known.account >= 0:
            self.account = known.account
        self.stolen = len(site.hosts) + int(rng.integers(12))  # a service or administrator's account

    def _host(self, name: str, near: int, at: float) -> int:
        if not name:
            return -1
        if not name.startswith("@"):
            return self.parts[name]
        hosts = _reachable(self.site, name[1:], near, at)
        known = hosts[np.isin(hosts, self.known.reach.get(name[1:], []))]
        hosts = known if len(known) else hosts
        return int(self.rng.choice(hosts)) if len(hosts) else -1

    def acts(self, beat: Beat, begins: float, lasts: float) -> list[Act]:
        played = []
        for _ in range(int(self.rng.integers(beat.least, beat.most + 1))):
            at = begins + lasts * float(self.rng.random())
            source = self._host(beat.source, -1, at)
            target = self._host(beat.target, source, at)
            if source != target:
                played.append(Act(at, beat.kind, source, target, self.account))
        return played


def _windows(times: list[float]) -> tuple[tuple[float, float], ...]:
    windows: list[list[float]] = []
    for at in sorted(times):
        if windows and at - windows[-1][1] <= PAUSE:
            windows[-1][1] = at
        else:
            windows.append([at, at])
    return tuple((begin - 30, end + 60) for begin, end in windows)


def play(
    story: Story,
    site: Site,
    begins: float,
    dwell: float,
    rng: np.random.Generator,
    *,
    known: Regular = NOBODY,
    longest: float = DWELL_MOST,
) -> Campaign | None:
    """Unfold a story from `begins` on, its steps spread over `dwell` seconds; None if the site lacks a part.

    The parts of those `known` are theirs. No step and not the whole lasts longer than `longest`.
    """
    parts = _cast(story, site, begins, rng, known.parts)
    if parts is None:
        return None
    told: list[Step] = [step for step in story.steps if rng.random() < step.chance]
    waits = np.array([0.0] + [step.share * rng.gamma(2.0) for step in told[1:]])
    starts = begins + dwell * np.cumsum(waits) / max(waits.sum(), 1e-9)
    player, steps = _Player(story, site, parts, rng, known), []
    for step, start in zip(told, starts, strict=True):
        way = str(rng.choice(np.array(step.ways, dtype=object)))
        lasts, order = min(60 * rng.uniform(*step.minutes), longest), beats(way)
        acts: list[Act] = []
        for number, beat in enumerate(order):  # the acts of a way follow each other
            acts += player.acts(beat, start + lasts * number / len(order), lasts / len(order))
        acts = [act for act in acts if act.at < min(site.span - HOUR, begins + longest)]
        if step.steals:
            player.account = player.stolen
        if acts:
            hosts = sorted({end for act in acts for end in (act.source, act.target) if end >= 0})
            acts[0] = acts[0]._replace(at=max(start, 0.0))  # so that steps begin in their order
            windows = _windows([act.at for act in acts])
            steps.append(PlayedStep(step.name, step.technique, way, windows, tuple(hosts), tuple(acts)))
    if not steps:
        return None
    times = [act.at for step in steps for act in step.acts]
    return Campaign(story, tuple(steps), (min(times), max(times)))


def _at_clock(story: Story, site: Site, day: int, rng: np.random.Generator) -> float:
    local = rng.uniform(*story.clock)
    return day * DAY + (local - site.offset_hours) * HOUR


def campaigns(
    watch: Watch, wanted: int, rng: np.random.Generator, stories: Sequence[Story] = INTRUSIONS
) -> tuple[list[Campaign], list[Alerts]]:
    """The intrusions of a site, until they hold the drawn share of `wanted` alerts; each leaves two alerts at least.

    The first is taken whatever it holds, so that a small set may have more than its share.
    """
    share = float(np.exp(rng.uniform(*np.log(SHARE))))
    chosen: list[Campaign] = []
    told: list[Alerts] = []
    room = watch.site.span - WARM_UP
    for _ in range(400):
        have = sum(map(len, told))
        if have >= share * wanted:
            break
        story = stories[int(rng.integers(len(stories)))]
        least, most = min(story.hours[0] * HOUR, 0.4 * room), min(story.hours[1] * HOUR, DWELL_MOST, 0.85 * room)
        dwell = float(np.exp(rng.uniform(np.log(least), np.log(most))))
        begins = WARM_UP + rng.uniform(0, max(room - dwell - 3 * HOUR, HOUR))
        if story.clock != (0, 24):
            begins = max(WARM_UP, _at_clock(story, watch.site, int(begins // DAY), rng))
        campaign = play(story, watch.site, begins, dwell, rng)
        if campaign is None:
            continue
        batch = _alerts(watch, campaign, sum(len(c.steps) for c in chosen), rng)
        if len(batch) >= 2 and (not chosen or have + len(batch) <= MOST * wanted):
            chosen.append(campaign)
            told.append(batch)
    return chosen, told


def incidents(
    watch: Watch, least: int, most: int, rng: np.random.Generator, stories: Sequence[Story] = INTRUSIONS
) -> tuple[list[Campaign], list[Alerts]]:
    """The intrusions of a sparse site, from its first day on: a handful, with `least` to `most` alerts together.

    Each leaves eight alerts at least, and lasts from minutes to five days.
    """
    fewest, span = int(rng.integers(INCIDENTS[0], INCIDENTS[1] + 1)), watch.site.span
    chosen: list[Campaign] = []
    told: list[Alerts] = []
    for _ in range(400):
        have = sum(map(len, told))
        if len(chosen) >= fewest and have >= least:
            break
        story = stories[int(rng.integers(len(stories)))]
        dwell = min(HOUR * float(np.exp(rng.uniform(*np.log(SPARSE_HOURS)))), 0.7 * span)
        begins = rng.uniform(HOUR, span - 1.2 * dwell - 3 * HOUR)
        campaign = play(story, watch.site, begins, dwell, rng, longest=1.2 * dwell + 600)
        if campaign is None:
            continue
        batch = _alerts(watch, campaign, sum(len(c.steps) for c in chosen), rng)
        if len(batch) >= 8 and have + len(batch) <= most:
            chosen.append(campaign)
            told.append(batch)
    return chosen, told


def _alerts(watch: Watch, campaign: Campaign, number: int, rng: np.random.Generator) -> Alerts:
    """What the sensors tell of a campaign; its steps are numbered from `number` on."""
    batch = Alerts()
    for place, step in enumerate(campaign.steps):
        for act in step.acts:
            batch.extend(watch.alerts(act, number + place, rng))
    return batch


def routines(
    watch: Watch, room: int, rng: np.random.Generator, *, level: Level = HARD, habits: Habits | None = None
) -> tuple[list[Campaign], Alerts]:
    """The benign chains of a site in random order, as long as their alerts stay within `room`.

    The alerts of the n-th bear the step `ROUTINE - n`: no step of an attack, and not the -1 of noise.
    """
    site, days = watch.site, int(watch.site.span // DAY)
    plan = []
    for story in (*ROUTINES, *(STANDING if level.standing else ())):
        pace = story.per_week / 7 * rng.lognormal(0, 0.5)
        for day in range(days):
            if (day + MONDAY_FIRST) % 7 in story.weekdays:
                plan += [(story, day)] * int(rng.poisson(pace * 7 / len(story.weekdays)))
    played: list[Campaign] = []
    found = Alerts()
    for number in rng.permutation(len(plan)):
        story, day = plan[number]
        begins = max(60.0, _at_clock(story, site, day, rng))
        dwell = rng.uniform(*story.hours) * HOUR
        known = habits.of(story) if habits else NOBODY
        chain = play(story, site, begins, dwell, rng, known=known) if begins < site.span - 2 * HOUR else None
        if chain is None:
            continue
        batch = Alerts()
        for act in (act for step in chain.steps for act in step.acts):
            batch.extend(watch.alerts(act, ROUTINE - len(played), rng))
        if len(found) + len(batch) <= room:
            found.extend(batch)
            played.append(chain)
    return played, found
