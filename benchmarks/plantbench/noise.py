"""What goes off without anybody doing anything: chatty rules with their rhythm, and everything else now and then.

A type's alerts come in bursts; bursts follow an hourly rhythm of the week; each type sticks to a few pairs of hosts, of
which some have most. In some networks one type floods all others, all the time or in one stretch of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from plantbench.acts import Watch
from plantbench.levels import HARD, Level
from plantbench.site import DAY, HOUR, Site

MOST_ROWS_A_PAIR = 200_000  # draws are made in pieces of this size, so that memory is bounded
PER_DAY = {"M": (3.0, 1.2), "R": (0.12, 1.2)}  # median a day, and spread, of types that are not chatty
FLOOD_CHANCE = 0.4
PAUSE = 300.0  # seconds between two bursts
FEW = 0.2  # a type of a sparse network goes off some five times


class Columns(NamedTuple):
    """Alerts as arrays: seconds since the start, type, source, target, account (-1: none)."""

    at: np.ndarray
    rule: np.ndarray
    source: np.ndarray
    target: np.ndarray
    account: np.ndarray


def rhythm(name: str, hours: np.ndarray, offset: float) -> np.ndarray:
    """Relative weight of each hour since the start, a Monday at 0 UTC."""
    local = hours + offset
    clock, day = local % 24, (local // 24) % 7
    work = np.exp(-0.5 * ((clock - 13) / 3.2) ** 2)
    if name == "office":
        return np.where(day >= 5, 0.12, 1.0) * work + 0.03
    if name == "night":
        return np.where((clock >= 22) | (clock < 5), 1.0, 0.06)
    if name == "shift":  # changes at 6, 14 and 22
        return 0.4 + np.where(np.isin(clock % 8, (6, 7)), 0.8, 0.2) * np.where(day >= 6, 0.5, 1.0)
    return np.ones_like(local, dtype=float)


def _pairs(watch: Watch, rule: int, popular: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """A few (source, target) pairs for a type that some sensor sees; -1 where the type names one host alone."""
    kind, site = watch.rules[rule], watch.site
    sources, targets = (site.group(g) if g else np.array([-1]) for g in (kind.noise_from, kind.noise_to))
    if not len(sources) or not len(targets):
        return np.empty((0, 2), dtype=np.int64)

    def draw(hosts: np.ndarray) -> np.ndarray:
        weight = np.where(hosts < 0, 1.0, popular[hosts])
        return rng.choice(hosts, most, p=weight / weight.sum())

    pairs = np.stack([draw(sources), draw(targets)], axis=1)
    kept = []
    for source, target in dict.fromkeys(map(tuple, pairs.tolist())):
        cells = {site.hosts[end].cell for end in (source, target) if end >= 0} - {-1}
        if source == target or len(cells) > 1 or not watch.sensor(rule, source, target):
            continue
        if watch.speaks(rule, source, target):
            kept.append((source, target))
    return np.array(kept, dtype=np.int64).reshape(-1, 2)


def _times(site: Site, name: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """About n times: bursts that follow the rhythm, short gaps inside a burst."""
    size, gap = min(float(rng.lognormal(1.5, 1.1)), 200.0), float(rng.lognormal(-1.0, 2.0))
    bursts = max(1, round(n / (1 + size)))
    weight = rhythm(name, np.arange(int(site.span // HOUR)), site.offset_hours)
    weight = weight * rng.lognormal(0, rng.uniform(0.4, 1.4), len(weight))  # no two days are alike
    begins = (rng.choice(len(weight), bursts, p=weight / weight.sum()) + rng.random(bursts)) * HOUR
    sizes = rng.geometric(1 / (1 + size), bursts)
    gaps = rng.exponential(gap, int(sizes.sum()))
    first = np.cumsum(sizes) - sizes
    gaps[first] = 0.0
    since = np.cumsum(gaps)
    return np.repeat(begins - since[first], sizes) + since


def _stream(watch: Watch, rule: int, n: int, pairs: np.ndarray, rng: np.random.Generator) -> Columns:
    at = _times(watch.site, watch.rules[rule].rhythm, n, rng)
    weight = 1 / np.arange(1, len(pairs) + 1) ** rng.uniform(0.2, 1.5)
    bursts = np.cumsum(np.diff(at, prepend=at[0]) != 0)  # a burst may change hosts: few rules follow one pair
    place = rng.choice(len(pairs), bursts[-1] + 1, p=weight / weight.sum())[bursts]
    return _columns(watch, rule, at, pairs[place], rng)


def _columns(watch: Watch, rule: int, at: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> Columns:
    desks, hosts = watch.site.group("workstation"), len(watch.site.hosts)
    people = rng.choice(desks, len(at))
    owned = np.array([bool(host.owner) for host in watch.site.hosts])
    own = np.where(ends[:, 0] >= 0, ends[:, 0], ends[:, 1])
    account = np.where((own >= 0) & owned[own], own, np.where(rng.random(len(at)) < 0.5, people, hosts + people % 12))
    return Columns(at, np.full(len(at), rule), ends[:, 0], ends[:, 1], account)


def _heard(watch: Watch, found: Columns) -> Columns:
    """Drop what no sensor reports: outside the period, a type not yet there, a silent sensor, a host not yet there."""
    at, site, rule = found.at, watch.site, int(found.rule[0])
    keep = (at >= 0) & (at < site.span) & (at >= watch.begins[rule]) & (at < watch.ends[rule])
    joined = np.array([host.joined for host in site.hosts] + [0.0])  # the last stands for -1
    keep &= (at >= joined[found.source]) & (at >= joined[found.target])
    for source, target in set(zip(found.source.tolist(), found.target.tolist(), strict=True)):
        of_pair = (found.source == source) & (found.target == target)
        sensor = watch.sensor(rule, source, target)
        for silent, begin, end in site.silences:
            if silent == sensor:
                keep &= ~(of_pair & (at >= begin) & (at < end))
    return Columns(*(column[keep] for column in found))


def _flood(watch: Watch, rule: int, n: int, pairs: np.ndarray, rng: np.random.Generator) -> Columns:
    """One type on one or two pairs, all the time or in one stretch."""
    span = watch.site.span
    lasts = span if rng.random() < 0.4 else span * rng.uniform(0.02, 0.4)
    at = np.sort(rng.uniform(0, span - lasts * 0.999) + rng.random(n) * lasts)
    return _columns(watch, rule, at, pairs[rng.integers(0, min(2, len(pairs)), n)], rng)


def background(
    watch: Watch,
    wanted: int,
    rng: np.random.Generator,
    level: Level = HARD,
    apart: np.random.Generator | None = None,
) -> list[Columns]:
    """About `wanted` alerts without a cause worth telling, type by type.

    What a level takes from rare and severe types, chatty ones tell instead. It is drawn from `apart`, which is not asked at
    the level `hard`.
    """
    apart = apart or np.random.default_rng(0)
    site = watch.site
    popular = rng.lognormal(0, rng.uniform(0.3, 1.3), len(site.hosts))
    size, days = (len(site.group("it")) / 100) ** 0.5, site.span / DAY
    found: list[Columns] = []
    chatty: list[tuple[int, np.ndarray, float]] = []
    for rule in np.flatnonzero(watch.deployed).tolist():
        kind = watch.rules[rule]
        most = int(rng.lognormal(2.2, 1.0)) + 1
        pairs = _pairs(watch, rule, popular, most, rng)
        if not len(pairs):
            continue
        share = min(level.rare if kind.frequency == "R" else 1.0, level.severe if kind.is_severe else 1.0)
        if kind.frequency == "C" and rng.random() < 0.65:
            chatty.append((rule, pairs, share * float(rng.lognormal(0, 1.6))))
            continue
        if kind.frequency == "R" and level.rare_pairs:
            pairs = pairs[: int(apart.integers(1, level.rare_pairs + 1))]
        median, spread = PER_DAY["R" if kind.frequency == "R" else "M"]
        mean = median * size * days * rng.lognormal(0, spread)
        n = int(rng.poisson(min(mean, 0.01 * wanted)))
        if n:
            heard = _heard(watch, _stream(watch, rule, n, pairs, rng))
            found.append(heard if share == 1 else _thinned(heard, share, apart))
    left = wanted - sum(len(columns.at) for columns in found)
    if chatty and rng.random() < FLOOD_CHANCE:
        floods = [one for one in chatty if level.severe == 1 or not watch.rules[one[0]].is_severe] or chatty
        rule, pairs, _ = floods[int(rng.integers(len(floods)))]
        found.append(_heard(watch, _flood(watch, rule, int(left * rng.uniform(0.5, 0.9)), pairs, rng)))
    left = wanted - sum(len(columns.at) for columns in found)
    found += _fill(watch, chatty, left, rng)
    return [columns for columns in found if len(columns.at)]


def _thinned(found: Columns, share: float, rng: np.random.Generator) -> Columns:
    """A share of the bursts on each pair, each whole or not at all."""
    order = np.lexsort((found.at, found.target, found.source))
    at, source, target = found.at[order], found.source[order], found.target[order]
    is_new = (np.diff(at) > PAUSE) | (np.diff(source) != 0) | (np.diff(target) != 0)
    burst = np.concatenate([[0], np.cumsum(is_new)])[: len(at)]
    kept = np.sort(order[(rng.random(len(at)) < share)[burst]])
    return Columns(*(column[kept] for column in found))


def few(watch: Watch, wanted: int, rng: np.random.Generator) -> list[Columns]:
    """About `wanted` alerts of a few types where somebody has seen to it that no type is chatty."""
    rules = [n for n in np.flatnonzero(watch.deployed).tolist() if watch.rules[n].frequency != "C"]
    popular = np.ones(len(watch.site.hosts))
    found: list[Columns] = []
    left = wanted
    for rule in rng.permutation(rules).tolist():
        pairs = _pairs(watch, rule, popular, int(rng.integers(1, 4)), rng)
        if left <= 0 or not len(pairs):
            continue
        n = int(min(left, 1 + rng.geometric(FEW)))
        heard = _heard(watch, _stream(watch, rule, n, pairs, rng))
        found.append(Columns(*(column[:n] for column in heard)))  # a burst of the type may be larger than n
        left -= len(found[-1].at)
    return [columns for columns in found if len(columns.at)]


def _fill(
    watch: Watch, chatty: list[tuple[int, np.ndarray, float]], left: int, rng: np.random.Generator
) -> list[Columns]:
    """Chatty types share what is left by their weight; what silences take away is made up for."""
    found: list[Columns] = []
    total = sum(weight for _, _, weight in chatty)
    for _ in range(20):
        missing = left - sum(len(columns.at) for columns in found)
        if missing < 0.01 * left or not chatty:
            break
        for rule, pairs, weight in chatty:
            n = round(missing * weight / total)
            for piece in range(0, n, MOST_ROWS_A_PAIR):
                found.append(_heard(watch, _stream(watch, rule, min(n - piece, MOST_ROWS_A_PAIR), pairs, rng)))
    return found
