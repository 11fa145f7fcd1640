"""From a seed to a folder: sites, what happens on them, what their sensors say, what is written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from plantbench import DRAWS, VERSION, export
from plantbench.acts import Alerts, Watch
from plantbench.catalogue import Rule, load_rules
from plantbench.intrusions import INTRUSIONS
from plantbench.levels import A_DAY, LEVELS, SPARSE_SHARE, Level
from plantbench.noise import Columns, background, few
from plantbench.render import Raw, Writer, user
from plantbench.site import DAY, build_site
from plantbench.stories import Story
from plantbench.unfold import ROUTINE, Campaign, Habits, campaigns, crosses, incidents, routines

DELAY = {
    "ids": 4,
    "fw": 6,
    "av": 40,
    "sigma": 90,
    "edr": 180,
    "identity": 420,
    "signin": 380,
    "d4iot": 120,
    "claroty": 20,
    "nozomi": 20,
}
Note = dict[str, Any]
Tables = dict[str, Note]
UPDATED = 0.05  # of Sentinel alerts come a second time, when somebody changes their status
ROUTINE_SHARE = 0.25
LEAST_DAYS = 3


class RowWriter(Protocol):
    """What `csv.writer` returns."""

    def writerow(self, row: tuple[str, ...]) -> object:
        """Write one line."""


class Told:
    """All alerts of one site as arrays, in the order of their arrival; `again` marks a second row of the same alert."""

    def __init__(
        self, batches: list[Columns | Alerts], rules: tuple[Rule, ...], span: float, rng: np.random.Generator
    ) -> None:
        """Join the batches, draw when each row arrives, and drop what arrives after the end."""

        def column(name: str) -> np.ndarray:
            kind = np.float64 if name == "at" else np.int32
            return np.concatenate([np.asarray(getattr(batch, name), dtype=kind) for batch in batches])

        at, rule = column("at"), column("rule")
        step = [np.asarray(b.step) if isinstance(b, Alerts) else np.full(len(b.at), -1) for b in batches]
        mean = np.array([DELAY[r.product] for r in rules], dtype=float)[rule]
        received = at + mean * rng.gamma(2.0, 0.5, len(at))
        sentinel = np.array([r.table == "SecurityAlert" for r in rules])[rule]
        second = np.flatnonzero(sentinel & (rng.random(len(at)) < UPDATED))
        alert = np.concatenate([np.arange(len(at)), second])
        received = np.concatenate([received, received[second] + rng.uniform(1200, 28800, len(second))])
        again = np.arange(len(alert)) >= len(at)
        kept = np.flatnonzero(received < span)
        order = kept[np.lexsort((alert[kept], received[kept]))]
        self.alert, self.again, self.received = alert[order], again[order], received[order]
        self.at, self.rule, self.step = at, rule, np.concatenate(step).astype(np.int32)
        self.source, self.target, self.account = column("source"), column("target"), column("account")
        self.lenient = self.step.copy()

    def mark_windows(self, chosen: list[Campaign]) -> None:
        """Lenient: the alert fell in a window of a step, at one of its hosts; the step that began first takes it."""
        order = np.argsort(self.at, kind="stable")
        times, number = self.at[order], 0
        for campaign in chosen:
            for step in campaign.steps:
                for begin, end in step.windows:
                    inside = order[np.searchsorted(times, begin) : np.searchsorted(times, end, side="right")]
                    ours = np.isin(self.source[inside], step.hosts) | np.isin(self.target[inside], step.hosts)
                    free = inside[ours & (self.lenient[inside] < 0)]
                    self.lenient[free] = number
                number += 1


def _labels(chosen: list[Campaign], first: int) -> tuple[list[str], list[str]]:
    names = [f"c{first + place:02d}-{campaign.story.name}" for place, campaign in enumerate(chosen)]
    labels = [
        f"{name}/{place + 1}-{step.name}"
        for name, campaign in zip(names, chosen, strict=True)
        for place, step in enumerate(campaign.steps)
    ]
    return names, labels


def _rows(told: Told, watch: Watch, rng: np.random.Generator) -> Iterator[tuple[Raw, int]]:
    """One row an arrival, with the number of its alert; made piece by piece."""
    identity = list(export.guids(rng, len(told.at)))
    numbers = rng.integers(0, 2**30, len(told.at))
    for piece in range(0, len(told.alert), 50_000):
        alerts, again = told.alert[piece : piece + 50_000], told.again[piece : piece + 50_000]
        texts = zip(export.stamps(told.at[alerts]), export.stamps(told.received[piece : piece + 50_000]), strict=True)
        for alert, is_again, (at, received) in zip(alerts.tolist(), again.tolist(), texts, strict=True):
            ends = int(told.source[alert]), int(told.target[alert]), int(told.account[alert])
            status = ("InProgress", "Resolved")[int(numbers[alert]) % 2] if is_again else "New"
            facts = int(told.rule[alert]), *ends, int(numbers[alert]), identity[alert], status
            yield Raw(float(told.at[alert]), at, received, *facts), alert


def _write_site(
    told: Told,
    watch: Watch,
    labels: list[str],
    benign: list[Campaign],
    *,
    out: Path,
    truth: RowWriter,
    routine: RowWriter,
    tables: Tables,
    rng: np.random.Generator,
) -> tuple[int, Counter[str]]:
    """Write the rows of a site; returns the number of files and the rows of each label."""
    site, writer, counts = watch.site, Writer(watch), Counter[str]()
    folders, items = export.Folders(out, site.name), export.guids(rng, len(told.alert))
    for (raw, alert), item_id in zip(_rows(told, watch, rng), items, strict=True):
        rule = watch.rules[raw.rule]
        folders.add(
            rule.table, raw.received, export.export_line(rule.table, writer.columns(raw), raw.received, item_id)
        )
        about = raw.target if raw.target >= 0 else raw.source if rule.product != "signin" else -1
        host = site.hosts[about].name if about >= 0 else user(watch, raw.account)[0]
        strict, lenient = (labels[n] if n >= 0 else "-" for n in (told.step[alert], told.lenient[alert]))
        counts[strict] += 1
        if (chain := ROUTINE - int(told.step[alert])) >= 0:
            crossing = str(int(crosses(benign[chain], site)))
            routine.writerow((item_id, site.name, f"r{chain:03d}-{benign[chain].story.name}", crossing))
        when = f"{raw.received}0Z"
        truth.writerow((item_id, site.name, when, host, rule.name, strict, lenient))
        table = tables.setdefault(rule.table, {"rows": 0, "start": when, "end": when})
        table["rows"] += 1
        table["start"], table["end"] = min(table["start"], when), max(table["end"], when)
    folders.flush()
    return folders.files, counts


def generate(
    out: Path,
    seed: int,
    *,
    alerts: int | None = None,
    days: int | None = None,
    sites: int = 2,
    desks: int | None = None,
    first: int = 0,
    families: Sequence[str] = (),
    level: str = "hard",
) -> Note:
    """Write a set of about `alerts` rows under `out` and return the note of `lake.json`.

    How many rows and days, where it is not said, is the level's to say; `sparse` alone says how many rows it has.
    Sites are numbered from `first` on: sets of other numbers can lie side by side in one lake, with one asset list.
    Intrusions are of these `families`, of all where none is named.

    Raises
    ------
    ValueError
        If there are fewer days than a campaign needs, no site, or too few alerts for a campaign to hide among; if no level
        or family has the name; if a number of alerts is asked of the level that has a few a day.
    FileExistsError
        If `out` holds anything already: two sets must not mix.
    """
    if level not in LEVELS:
        raise ValueError(f"no level {level!r}: have {', '.join(LEVELS)}")
    on = LEVELS[level]
    if on.alerts is None and alerts is not None:
        raise ValueError(f"{level} decides how many alerts it has: {A_DAY[0]:.0f} to {A_DAY[1]:.0f} a day")
    days = on.days if days is None else days
    many = on.alerts if alerts is None else alerts
    if days < LEAST_DAYS or sites < 1 or (many is not None and many < 1000 * sites):
        raise ValueError(
            f"{days} days, {sites} sites, {many} alerts: want {LEAST_DAYS}, 1 and 1,000 a site at the least"
        )
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: name a new folder")
    stories = [story for story in INTRUSIONS if not families or story.family in families]
    if not stories:
        raise ValueError(f"no intrusion is of the families {', '.join(families)}")
    out.mkdir(parents=True, exist_ok=True)
    rules, span = load_rules(), days * DAY
    shares = np.random.default_rng([DRAWS, seed]).dirichlet(np.full(sites, 5.0))
    shares = 0.2 / sites + 0.8 * shares
    tables: Tables = {}
    notes: list[dict[str, object]] = []
    assets: list[tuple[object, ...]] = list(export.OUTSIDE)
    windows: list[tuple[str, ...]] = []
    characters, files, labelled = [], 0, 0
    with (
        export.packed_table(out / "truth.csv.gz", export.TRUTH) as truth,
        export.packed_table(out / "routines.csv.gz", export.ROUTINES) as routine,
    ):
        for number in range(first, first + sites):
            rngs = [np.random.default_rng([DRAWS, seed, number, part]) for part in range(8)]
            site = build_site(rngs[0], number, span, desks)
            watch = Watch(site, rules, rngs[1])
            wanted = None if many is None else int(many * shares[number - first])
            chosen, attack, chains, batches = _happenings(watch, wanted, stories, on, rngs)
            told = Told([*batches, *attack], rules, span, rngs[5])
            told.mark_windows(chosen)
            names, labels = _labels(chosen, len(notes) + 1)
            written, counts = _write_site(
                told, watch, labels, chains, out=out, truth=truth, routine=routine, tables=tables, rng=rngs[5]
            )
            files, labelled = files + written, labelled + sum(n for label, n in counts.items() if label != "-")
            places = iter(labels)
            for name, campaign in zip(names, chosen, strict=True):
                notes.append(export.campaign_note(name, campaign, site, [next(places) for _ in campaign.steps], counts))
            characters.append(export.site_note(site, rules, watch.deployed))
            assets += export.asset_rows(site, rngs[5])
            windows += export.announced(site, chains, rngs[5])
    export.write_csv(out / "assets.csv", export.ASSETS, assets)
    export.write_csv(out / "maintenance.csv", export.WINDOWS, sorted(windows))
    (out / "run.yaml").write_text(export.RUN.format(out=out.resolve().as_posix()), encoding="utf-8")
    _dump(out / "campaigns.json", {"campaigns": notes, "sites": characters})
    note = {
        "tables": dict(sorted(tables.items())),
        "files": files,
        "injected": {"duplicate": 0, "late": 0, "torn": 0, "junk": 0},
        "sources": [f"plantbench/{site['site']}" for site in characters],
        "seed": seed,
        "version": VERSION,
        "level": level,
        "days": days,
        "campaigns": len(notes),
        "attack_rows": labelled,
    }
    _dump(out / "lake.json", note)
    return note


def _happenings(
    watch: Watch, wanted: int | None, stories: Sequence[Story], level: Level, rngs: Sequence[np.random.Generator]
) -> tuple[list[Campaign], list[Alerts], list[Campaign], list[Columns | Alerts]]:
    """Intrusions with their alerts, benign chains, and the alerts of all that is benign, of a site.

    What a level adds is drawn from generators of its own: those of `hard` must not move.
    """
    habits = Habits(watch.site, level.keeps, rngs[6]) if level.keeps else None
    if wanted is None:
        days = watch.site.span / DAY
        least, most = (int(a_day * days) for a_day in A_DAY)
        share = float(rngs[4].uniform(*SPARSE_SHARE))
        chosen, attack = incidents(watch, int(0.6 * least), int(0.7 * most), rngs[2], stories)
        n_attack = sum(map(len, attack))
        rest = int(np.clip(n_attack / share, least, most)) - n_attack
        chains, benign = routines(watch, rest // 2, rngs[3], level=level, habits=habits)
        return chosen, attack, chains, [*few(watch, rest - len(benign), rngs[4]), benign]
    chosen, attack = campaigns(watch, wanted, rngs[2], stories)
    chains, benign = routines(watch, int(ROUTINE_SHARE * wanted), rngs[3], level=level, habits=habits)
    rest = wanted - len(benign) - sum(map(len, attack))
    return chosen, attack, chains, [*background(watch, rest, rngs[4], level, rngs[7]), benign]


def _dump(path: Path, what: object) -> None:
    path.write_text(json.dumps(what, indent=2) + "\n", encoding="utf-8")
