"""How much a network hides its intrusions: four levels, from what most sites are like to the hardest that we can defend.

A level changes what is benign and, if `sparse`, how much there is of all; the network of a seed and its sensors are the
same at every level. README tells which published fact each number leans on, and which is our judgement.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """One level; rates are shares of those of `hard`."""

    name: str
    keeps: float = 0.0  # how often a routine is done by those who always do it, on the same machines and accounts
    standing: bool = False  # directory synchronisation and monitoring accounts set off alerts, always the same ones
    rare: float = 1.0  # rate of rare types
    rare_pairs: int = 0  # pairs of hosts of a rare type, at most; 0: as many as are drawn
    severe: float = 1.0  # rate of noise of severity .8 and more
    alerts: int | None = 200_000  # if nothing else is asked for; None: a few a day, see `A_DAY`
    days: int = 21


LEVELS = {
    level.name: level
    for level in (
        Level("calm", keeps=0.9, standing=True, rare=0.5, rare_pairs=2, severe=0.2),
        Level("usual", keeps=0.6, standing=True, rare=0.5, severe=0.5),
        Level("hard"),
        Level("sparse", keeps=0.9, standing=True, alerts=None, days=42),
    )
}
HARD = LEVELS["hard"]
A_DAY = (3.0, 10.0)
"""Alerts a day of a sparse network."""
INCIDENTS = (4, 7)
"""Its incidents in all: so many, and more only where they are too quiet to be most of its alerts."""
SPARSE_SHARE = (0.55, 0.8)
"""Share of its alerts that these make."""
SPARSE_HOURS = (0.1, 98.0)
"""From the first step of an incident to the last one's begin; the acts of the last step end within five days."""
