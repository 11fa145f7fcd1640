"""What attackers do who know the job: each changes what the alerts of a site say.

All alerts of an attack stay unless said; an attacker may also send what others send. Each is given the scene as it is without
him, knows all of it, and gives the spans as they are with him.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa

from robust.ranked import Ranked, attacked
from robust.rows import Names, Row, actor_of, at, moved, names_of, renamed, with_rows
from robust.spans import Site

DECOYS = 3
"""Decoy chains a day."""

BRIDGED = 5
"""Machines of others that an attack is tied to."""

PAST = timedelta(days=14)
MOST_ROWS = 60
"""Rows of one chain or attack that are sent again."""

DAY = timedelta(days=1)


class Scene(NamedTuple):
    """A site as it is without the attacker's change.

    Attributes
    ----------
    rows
        Its spans, by `span`.
    campaigns
        The spans of each attack, in order of time.
    ranked
        What the job finds.
    """

    site: Site
    rows: Mapping[str, Row]
    campaigns: Mapping[str, Sequence[Row]]
    ranked: Ranked

    @property
    def begin(self) -> datetime:
        """The first alert of the site."""
        first: datetime = min(row["started_at"] for row in self.rows.values())
        return first

    @property
    def end(self) -> datetime:
        """Its last alert."""
        last: datetime = max(row["started_at"] for row in self.rows.values())
        return last


Attacker = Callable[[Scene, random.Random], pa.Table]


def scene_of(site: Site, ranked: Ranked) -> Scene:
    """The scene of a site."""
    rows = {row["span"]: row for row in site.spans.to_pylist()}
    campaigns: dict[str, dict[str, Row]] = {}
    for span, step in zip(site.steps["span"], site.steps["step"], strict=True):
        campaigns.setdefault(step.partition("/")[0], {})[span] = rows[span]
    in_time = {key: sorted(of.values(), key=lambda row: row["started_at"]) for key, of in sorted(campaigns.items())}
    return Scene(site, rows, in_time, ranked)


def imitate(scene: Scene, chance: random.Random) -> pa.Table:
    """The attacker's own machine also does what a remembered benign chain does."""
    chain = remembered_chain(scene)
    added = [
        renamed(row, "source", actor_of(attack[0]))
        for attack in scene.campaigns.values()
        for row in _beside(chain, attack)
    ]
    return with_rows(scene.site.spans, added=added)


def take_over(scene: Scene, chance: random.Random) -> pa.Table:
    """The machine of a remembered benign chain does what it always does, and the attack as well."""
    chain = remembered_chain(scene)
    if not chain:
        return scene.site.spans
    machine, changed, added = actor_of(chain[0]), [], []
    for attack in scene.campaigns.values():
        own = actor_of(attack[0])
        changed += [renamed(row, "source", machine) for row in attack if names_of(row, "source") == own]
        added += _beside(chain, attack)
    return with_rows(scene.site.spans, changed, added)


def chaff(scene: Scene, chance: random.Random) -> pa.Table:
    """On each day of an attack decoys of the site's strongest chain, each by another machine."""
    strongest = _strongest(scene)
    machines, added = _machines(scene), []
    for attack in scene.campaigns.values():
        for day in _days(attack):
            for _ in range(DECOYS):
                begins, machine = day + chance.random() * DAY, chance.choice(machines)
                later = begins - strongest[0]["started_at"]
                added += [moved(_by(row, machine), later) for row in strongest]
    return with_rows(scene.site.spans, added=added)


def bridge(scene: Scene, chance: random.Random) -> pa.Table:
    """The attack reaches for machines that others work on at that time, and for those that are being maintained."""
    added = []
    for attack in scene.campaigns.values():
        first = attack[0]
        begins = first["started_at"]
        near = sorted(
            {
                names
                for row in scene.rows.values()
                if abs(row["started_at"] - begins) <= timedelta(hours=1) and (names := names_of(row, "target"))
            }
        )
        targets = chance.sample(near, min(BRIDGED, len(near))) + _planned(scene, begins)[:BRIDGED]
        for number, target in enumerate(targets, 1):
            reaching = renamed(renamed(first, "source", actor_of(first)), "target", target)
            added.append(at(reaching, begins + number * timedelta(minutes=1)))
    return with_rows(scene.site.spans, added=added)


def drip(scene: Scene, chance: random.Random) -> pa.Table:
    """The steps of an attack come a day apart, as far as the time allows; from earlier on where it ends too soon."""
    step_of = dict(zip(scene.site.steps["span"], scene.site.steps["step"], strict=True))
    changed = []
    for attack in scene.campaigns.values():
        steps: dict[str, list[Row]] = {}
        for row in attack:
            steps.setdefault(step_of[row["span"]], []).append(row)
        room = scene.end - DAY - (scene.begin + 2 * DAY)
        pause = min(DAY, room / max(1, len(steps)))
        begins = min(attack[0]["started_at"], scene.end - DAY - pause * (len(steps) - 1))
        for number, rows in enumerate(steps.values()):
            later = begins + number * pause - rows[0]["started_at"]
            changed += [moved(row, later) for row in rows]
    return with_rows(scene.site.spans, changed)


def rehearse(scene: Scene, chance: random.Random) -> pa.Table:
    """For two weeks before an attack its alerts come twice a day, one by one, by the same machine on the same."""
    added = [at(row, when) for attack in scene.campaigns.values() for row, when in _before(scene, attack, chance)]
    return with_rows(scene.site.spans, added=added)


def poison_past(scene: Scene, chance: random.Random) -> pa.Table:
    """For two weeks before an attack alerts of its types come twice a day, by the same machine on any other."""
    machines = _machines(scene)
    added = [
        at(renamed(row, "target", chance.choice(machines)), when)
        for attack in scene.campaigns.values()
        for row, when in _before(scene, attack, chance)
    ]
    return with_rows(scene.site.spans, added=added)


CHAFF = "floods the budget with decoys"

ATTACKERS: Mapping[str, Attacker] = {
    "imitates a remembered chain, by his own machine": imitate,
    "takes over the machine of a remembered chain": take_over,
    CHAFF: chaff,
    "bridges to machines of others": bridge,
    "comes slowly, a step a day": drip,
    "sends his types as noise for two weeks, on any machine": poison_past,
    "sends his alerts as noise for two weeks, on the same machines": rehearse,
}

REMEMBERING = ("imitates a remembered chain, by his own machine", "takes over the machine of a remembered chain")
"""Of these, what is compared knows the benign chains."""


def remembered_chain(scene: Scene) -> list[Row]:
    """The rows of the shown benign chain with the heaviest signature: whatever holds it is most like it."""
    benign = sorted(scene.ranked.shown - attacked(scene.site, scene.ranked))
    if not benign:
        return []
    heaviest = max(benign, key=lambda one: sum(scene.ranked.signatures[one].traits.values()))
    return _rows_of(scene, heaviest)


def _strongest(scene: Scene) -> list[Row]:
    """The rows of the strongest subgraph."""
    return _rows_of(scene, max(sorted(scene.ranked.strength), key=lambda one: scene.ranked.strength[one]))


def _rows_of(scene: Scene, subgraph: str) -> list[Row]:
    spans = [span for span, held in scene.ranked.subgraph_of.items() if held == subgraph]
    return sorted((scene.rows[span] for span in spans), key=lambda row: row["started_at"])[:MOST_ROWS]


def _beside(chain: Sequence[Row], attack: Sequence[Row]) -> list[Row]:
    """A chain that begins when an attack does."""
    return [moved(row, attack[0]["started_at"] - chain[0]["started_at"]) for row in chain]


def _by(row: Row, machine: Names) -> Row:
    """A row by another machine, or about it where nobody acts."""
    return renamed(row, "source" if names_of(row, "source") else "target", machine)


def _machines(scene: Scene) -> list[Names]:
    """What the site's alerts are about."""
    return sorted({names for row in scene.rows.values() if (names := names_of(row, "target"))})


def _before(scene: Scene, attack: Sequence[Row], chance: random.Random) -> Iterator[tuple[Row, datetime]]:
    """Each thing that an attack does with two moments of each of the days before it."""
    begins = attack[0]["started_at"]
    first = max(scene.begin, begins - PAST)
    for number in range((begins - first) // DAY):
        for row in _distinct(attack):
            for _ in range(2):
                yield row, first + (number + chance.random()) * DAY


def _days(attack: Sequence[Row]) -> Iterator[datetime]:
    """The days of an attack, each by its first moment."""
    yield from sorted({row["started_at"].replace(hour=0, minute=0, second=0, microsecond=0) for row in attack})


def _distinct(attack: Sequence[Row]) -> list[Row]:
    """One row of each thing that an attack does."""
    of = {(row["source"], row["name"], names_of(row, "source"), names_of(row, "target")): row for row in attack}
    return list(of.values())[:MOST_ROWS]


def _planned(scene: Scene, when: datetime) -> list[Names]:
    """The machines whose announced maintenance is under way."""
    rows = scene.site.known.calendar.to_pylist()
    found = {
        row["machine"].partition(":")[2]
        for row in rows
        if row["site"] in (None, scene.site.name) and row["begins"] <= when < row["ends"]
    }
    return [(("host", name),) for name in sorted(found)]
