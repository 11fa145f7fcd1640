"""Parameters chosen on all real networks but one, and what they give on that one: the honest figure for a tuned setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from quality import lakes
from quality.judge import judge, load, read_truth
from quality.runs import run_job

OBJECTIVE = ("ap", "steps", "lenient", "strict", "bearing", "shown_steps")
"""Their plain mean decides; each lies in [0, 1], and what cannot be measured counts 0: nothing shown is nothing found."""


def leave_one_out(grid: Path, settings: Sequence[str], results: Path) -> str:
    """Run each setting of the grid on the real development networks; return the table of the choice by left-out network.

    Raises
    ------
    FileNotFoundError
        If the real sets are not there: parameters are not chosen on what is for reporting.
    """
    lake = lakes.ALL["ait_ads"]
    if not lake.is_there():
        raise FileNotFoundError(f"{lakes.SHARED}: the networks to choose on are not there")
    tried: list[list[str]] = yaml.safe_load(grid.read_text(encoding="utf-8"))
    figures = {}
    for one in tried:
        folder, _ = run_job(lake, [*settings, *one], results)
        report = judge(read_truth(lake.folder), load(folder), lake.warm_up_hours)
        figures[" ".join(one) or "(as shipped)"] = {n: facts(f) for n, f in report["networks"].items()}
    return as_text(figures)


def facts(told: Mapping[str, Any]) -> dict[str, float]:
    """The judge's figures of one network under the names of `OBJECTIVE`."""
    steps = told["steps"] or math.nan
    found = {
        **{"ap": told["ap"], "steps": told["steps_at_k"] / steps, "lenient": told["purity_lenient"]},
        **{
            "strict": told["purity_strict"],
            "bearing": told["shown_bearing"],
            "shown_steps": told["shown_steps"] / steps,
        },
    }
    return {key: 0.0 if math.isnan(value) else value for key, value in found.items()}


def worth(figures: Mapping[str, Mapping[str, float]], networks: Sequence[str]) -> float:
    """Mean of the objective over some networks."""
    return sum(figures[n][key] for n in networks for key in OBJECTIVE) / (len(networks) * len(OBJECTIVE))


def choice(figures: Mapping[str, Mapping[str, Mapping[str, float]]], left_out: str) -> str:
    """The setting that is best on all networks but one; of two as good, the one named first."""
    networks = [network for network in next(iter(figures.values())) if network != left_out]
    return max(figures, key=lambda setting: worth(figures[setting], networks))


def as_text(figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """A line a left-out network: the setting chosen on the others, what it gives there; their mean; each setting's mean."""
    networks = list(next(iter(figures.values())))
    head = f"{'left out':<18}" + "".join(f"{key:>12}" for key in OBJECTIVE) + "  chosen on the others"
    chosen = {network: choice(figures, network) for network in networks}
    given = {network: figures[chosen[network]][network] for network in networks}
    mean = {key: sum(of[key] for of in given.values()) / len(given) for key in OBJECTIVE}
    lines = [head, *(_line(network, given[network], chosen[network]) for network in networks)]
    lines.append(_line("mean", mean, f"leave-one-out, worth {worth(given, networks):.3f}"))
    ranked = sorted(figures, key=lambda setting: -worth(figures[setting], networks))
    lines += ["", "on all (for comparison: chosen and measured on the same)"]
    lines += [f"{worth(figures[setting], networks):.3f}  {setting}" for setting in ranked]
    return "\n".join(lines)


def _line(name: str, figures: Mapping[str, float], words: str) -> str:
    return f"{name:<18}" + "".join(f"{figures[key]:>12.3f}" for key in OBJECTIVE) + f"  {words}"
