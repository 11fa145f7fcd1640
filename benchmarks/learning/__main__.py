"""Measure what the job learns from verdicts, on networks that are watched for months.

    python benchmarks/learning [--lakes 5,5] [--write docs/quality.md]

A lake holds two networks. It takes minutes to make and minutes to rank; both are kept in `.lakes`. --write puts the tables
into their section of the page, and the curve of reading into the package.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

if __package__ in (None, ""):  # run as a folder: make the package importable under its name
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from quality.__main__ import commit
from quality.page import put

from alertgraph_spark.config.parameters import RankingParameters
from learning import figures, page, reading_curve, triage
from learning.analysts import watch
from learning.networks import SEEDS, Network, lakes_of, networks_of

NAME = "benchmarks/learning"

COLUMNS = ((30, 1), (60, 3), (100, 3))
"""After how many verdicts, and how many are shown a day meanwhile."""

KNOWN = {"": False, ", kinds": True}
"""Whether somebody new is known by its kind (`memory_knows_kinds`), by how a column says so."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lakes", default="5,5", help=f"of {' and of '.join(SEEDS)}: %(default)s")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables between their marks in a page")
    args = parser.parse_args(argv)
    p, now = RankingParameters(), datetime.now(timezone.utc)
    found = {
        level: [one for lake in lakes_of(level, seeds)[: int(n)] for one in networks_of(lake, p)]
        for (level, seeds), n in zip(SEEDS.items(), args.lakes.split(","), strict=True)
    }
    curves = {level: reading_curve.curve_of(networks) for level, networks in found.items()}
    real = triage.figures(triage.told(triage.read(), p)) if triage.FOLDER.exists() else None
    n_networks = page.counted({level: len(networks) for level, networks in found.items()})
    parts = [
        page.INTRO.format(day=f"{now:%d %B %Y}", commit=commit(), n=n_networks),
        *(page.table_of(level, columns(networks, p)) for level, networks in found.items()),
        page.reliability({level: reliable(networks, p) for level, networks in found.items()}),
        page.curve(curves),
        page.triage(real),
    ]
    text = "\n".join(parts)
    print(text)
    if args.write:
        put(args.write, NAME, text)
        reading_curve.write(curves[reading_curve.LEVEL], len(found[reading_curve.LEVEL]), f"{now:%Y-%m-%d}")
    return 0


def columns(networks: Sequence[Network], p: RankingParameters) -> list[page.Column]:
    """The columns of a level's table."""
    found = []
    for words, knows_kinds in KNOWN.items():
        for n_verdicts, budget in COLUMNS:
            rule = replace(p, budget_per_day=budget, memory_knows_kinds=knows_kinds)
            there = watched(networks, rule, n_verdicts)
            head = f"after {n_verdicts}, {budget} a day{words}"
            found.append(page.Column(head, len(there), figures.figures(there, rule), figures.counts(there, rule)))
    return found


def reliable(networks: Sequence[Network], p: RankingParameters) -> page.Reliable:
    """What is told after thirty verdicts, beside what came."""
    there = watched(networks, p, COLUMNS[0][0])
    ours, shipped = (figures.reliability(there, tells) for tells in (figures.told, figures.told_shipped(p)))
    return page.Reliable(ours, shipped)


def watched(networks: Sequence[Network], p: RankingParameters, n_verdicts: int) -> figures.Networks:
    """What is seen of each network that gets so many verdicts, from then on."""
    found = {one.name: figures.since(watch(one, p), n_verdicts) for one in networks}
    return {name: seen for name, seen in found.items() if seen}


if __name__ == "__main__":
    sys.exit(main())
