"""Measure how much of an attack stays shown when the attacker knows the job.

    python benchmarks/robust [--networks 20] [--write docs/quality.md]

Spark reads each generated lake once; what its alerts say is kept in `.lakes/robust`. Then each network is ranked as it is and
as each attacker changes it, in this process. The wrong verdicts are given on the networks of `benchmarks/learning`.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

if __package__ in (None, ""):  # run as a folder: make the package importable under its name
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from learning.analysts import watch
from learning.networks import SEEDS, Network, lakes_of, networks_of
from quality import lakes
from quality.__main__ import commit
from quality.page import put

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import Model
from robust import page
from robust.attackers import ATTACKERS, REMEMBERING, scene_of
from robust.measure import Change, change
from robust.ranked import is_noticed, judged_benign, rank, steps_shown
from robust.spans import Site, sites_of

NAME = "benchmarks/robust"
WRONG = 0.05
"""Share of the verdicts that are turned round."""

DRAWS = 5
"""Ways to choose which."""

VERDICTS = "turns 5 % of the verdicts round"


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=len(lakes.SEEDS), help="so many: %(default)s")
    parser.add_argument("--lakes", type=int, default=5, help="of `benchmarks/learning`, of each level: %(default)s")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between its marks in a page")
    args = parser.parse_args(argv)
    all_sites = (site for lake in lakes.in_fives("generated", lakes.SEEDS) for site in sites_of(lake))
    found: dict[str, list[Change]] = {}
    with ProcessPoolExecutor() as pool:
        for of_site in pool.map(changes, islice(all_sites, args.networks)):
            for name, one in of_site.items():
                found.setdefault(name, []).append(one)
    found[VERDICTS] = list(wrong_verdicts(args.lakes))
    now = f"{datetime.now(timezone.utc):%d %B %Y}"
    text = page.text_of(found, page.INTRO.format(day=now, commit=commit()))
    print(text)
    if args.write:
        put(args.write, NAME, text)
    return 0


def changes(site: Site) -> dict[str, Change]:
    """What each attacker changes on a network."""
    p = RankingParameters()
    bare = rank(site, site.spans, p, Model())
    scene, memory = scene_of(site, bare), judged_benign(site, bare, p)
    before = {True: steps_shown(site, rank(site, site.spans, p, memory)), False: steps_shown(site, bare)}
    found = {}
    for name, attacker in ATTACKERS.items():
        knows = name in REMEMBERING
        spans = attacker(scene, random.Random(site.name))
        after = rank(site, spans, p, memory if knows else Model())
        found[name] = change(site.name, before[knows], steps_shown(site, after), site.counted, is_noticed(after))
    return found


def wrong_verdicts(n_lakes: int) -> Iterable[Change]:
    """What wrong verdicts change on networks that are watched for months: of several draws the one that hides most."""
    p = RankingParameters()
    for level, seeds in SEEDS.items():
        for lake in lakes_of(level, seeds)[:n_lakes]:
            for network in networks_of(lake, p):
                right, *wrong = (
                    found_steps(network, p, share, seed)
                    for share, seed in ((0.0, 0), *((WRONG, n) for n in range(DRAWS)))
                )
                yield change(network.name, right, min(wrong, key=len), network.steps)


def found_steps(network: Network, p: RankingParameters, wrong: float, seed: int) -> frozenset[str]:
    """The attack steps in all that is shown where so many verdicts are wrong."""
    shown = (one.subgraph.steps for one in watch(network, p, wrong=wrong, seed=seed) if one.is_shown)
    return frozenset(step for steps in shown for step in steps & network.steps)


if __name__ == "__main__":
    sys.exit(main())
