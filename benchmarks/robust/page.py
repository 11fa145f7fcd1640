"""The measured figures as a section of docs/quality.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from learning.page import markdown
from quality.bootstrap import Figure
from quality.table import written_figure

from robust.attackers import CHAFF
from robust.measure import AIM, Change, Figures, figures

INTRO = """## Attackers who know the job

Made by `make bench-robust` on {day} at commit `{commit}`; never written by hand.

Each attacker knows the job, the site and what analysts have judged, and changes what its alerts say. Told is the share of
attack steps, and of campaigns, with an alert in what is shown, without the change and with it; the drop is the mean over
networks, in points of all steps. Brackets are 5 to 95 % of a bootstrap over networks. `benchmarks/README.md` says what each
attacker does.
"""

HEADS = (
    *("the attacker", "networks", "steps before", "after", "campaigns before", "after"),
    *(
        "drop (aim <= 10, of decoys 0)",
        "worst network",
        "of the steps shown before, still shown",
        "networks that show what was added",
    ),
)


def text_of(found: Mapping[str, Sequence[Change]], intro: str) -> str:
    """The section."""
    told = {name: figures(changes) for name, changes in found.items() if changes}
    table = markdown(HEADS, [_row(name, one, len(found[name])) for name, one in told.items()])
    return f"{intro}\n{table}\n{verdict(told)}"


def verdict(told: Mapping[str, Figures]) -> str:
    """Which attackers gain more than is aimed at, and which do not."""
    groups: dict[str, list[str]] = {"The aim is missed": [], "It is missed on some networks alone": [], "It is met": []}
    for name, one in told.items():
        place = 0 if one.drop.value > (0.0 if name == CHAFF else AIM) else 1 if one.worst[0] > AIM else 2
        list(groups.values())[place].append(name)
    return "".join(f"- {words} where the attacker {'; '.join(names)}.\n" for words, names in groups.items() if names)


def _row(name: str, one: Figures, n: int) -> list[str]:
    shares = (*one.steps, *one.campaigns)
    return [
        name,
        str(n),
        *(written_figure(figure, ".3f") for figure in shares),
        written_figure(_points(one.drop), ".1f"),
        f"{100 * one.worst[0]:.1f} ({one.worst[1]})",
        written_figure(one.kept, ".3f"),
        str(one.n_noticed),
    ]


def _points(figure: Figure) -> Figure:
    return Figure(100 * figure.value, 100 * figure.low, 100 * figure.high)
