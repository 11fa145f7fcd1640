"""A lake as it grew: the files of an export, each at the time at which it came, with all that goes wrong on the way."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

_FOLDER = re.compile(r"y=(\d{4})/m=(\d{2})/d=(\d{2})/h=(\d{2})/m=(\d{2})/")


class Written(NamedTuple):
    """Some text that is appended to a file of the lake at a time."""

    at: datetime
    file: str
    text: str


def arrivals(lake: Path, seed: int, *, until: datetime | None = None) -> list[Written]:
    """What an export writes, in order of time: each file five minutes after its folder begins, but for what goes wrong.

    Of the lines some come up to forty hours late, some are written twice, some break off and are finished by the next write,
    and some are told again a day later with another severity, as an update is.
    """
    rng = random.Random(seed)
    found: list[Written] = []
    for path in sorted(lake.rglob("*.json")):
        match = _FOLDER.search(f"{path}")
        assert match
        begins = datetime(*map(int, match.groups()), tzinfo=timezone.utc)  # type: ignore[misc]  # the regex says five
        if until and begins >= until:
            continue
        file, at = str(path.relative_to(lake)), begins + timedelta(minutes=5)
        for line in path.read_text(encoding="utf-8").splitlines():
            text, chance = line + "\n", rng.random()
            if chance < 0.03:
                found.append(Written(at + timedelta(hours=rng.uniform(0, 40)), file, text))
            elif chance < 0.06:
                found += [Written(at, file, text), Written(at + timedelta(minutes=rng.choice([0, 90])), file, text)]
            elif chance < 0.08:
                half = len(text) // 2
                found += [Written(at, file, text[:half]), Written(at + timedelta(minutes=61), file, text[half:])]
            elif chance < 0.11:
                found += [Written(at, file, text), _update(at + timedelta(hours=rng.uniform(1, 30)), file, line)]
            else:
                found.append(Written(at, file, text))
    return sorted(found, key=lambda one: one.at)


def _update(at: datetime, file: str, line: str) -> Written:
    """The same alert told again: a later row, in the folder of its own time."""
    row = json.loads(line)
    row |= {"TimeGenerated": f"{at:%Y-%m-%dT%H:%M:%S}.0000000Z", "_ItemId": f"{row.get('_ItemId')}-again"}
    if "AlertSeverity" in row:
        row["AlertSeverity"] = "Low"
    floor = at.minute // 5 * 5
    folder = f"{at:y=%Y/m=%m/d=%d/h=%H/}m={floor:02}/"
    return Written(at + timedelta(minutes=5), _FOLDER.sub(folder, file), json.dumps(row) + "\n")


def grown(lake: Path, writes: Sequence[Written], moments: Sequence[datetime]) -> Iterator[datetime]:
    """Write the lake anew, moment by moment; at each yield it holds what had come by then."""
    done = 0
    for moment in moments:
        texts: dict[str, list[str]] = defaultdict(list)
        while done < len(writes) and writes[done].at <= moment:
            texts[writes[done].file].append(writes[done].text)
            done += 1
        for file, of in texts.items():
            path = lake / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as out:
                out.write("".join(of))
        yield moment
