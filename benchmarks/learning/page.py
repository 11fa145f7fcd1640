"""The measured figures as a section of docs/quality.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quality.bootstrap import Figure
from quality.reading import BINS
from quality.table import written_figure

from learning.reading_curve import Point

INTRO = """## What is learned from verdicts

Made by `make bench-learning` on {day} at commit `{commit}`; never written by hand.

Generated networks ({n}), watched for 126 days.
Each day the job shows what it would, an analyst judges all of it eight hours later and errs in nothing, and the next day
knows it. Beside it stands the shipped model, which learns nothing, on the same days of the same networks.
A column counts from the day on that knows so many verdicts; `kinds` is with `memory_knows_kinds`. Brackets are
5 to 95 % of a bootstrap over networks. `benchmarks/README.md` says what each row is.
These networks were looked at once before: with an earlier rule, which lowered in part what was new, memory hid 3 of 47
shown attacks. The rule as it is was chosen on seeds 21 to 24.
"""

ROWS = (
    ("bearing", "shown: bear an attack", "-", ".3f"),
    ("bearing shipped", ".. of the shipped model", "-", ".3f"),
    ("gain", ".. times that of the shipped model", ">= 1.5 after 30, >= 2 after 100", ".2f"),
    ("steps", "attack steps found, of those that the shipped model finds", ">= 1", ".3f"),
    ("again", "benign chains judged before, strong enough to be shown: shown again", "<= .10", ".3f"),
    ("again shipped", ".. by the shipped model", "-", ".3f"),
    ("hidden crossing", "hidden by memory, of shown attacks that go from IT into OT", "0", ".3f"),
    ("hidden", ".. of all shown attacks", "<= .02", ".3f"),
    ("displaced", "shown attacks whose place of the day another took", "-", ".3f"),
    ("loss", "log loss of the told probability, nats", "-", ".3f"),
    ("loss shipped", ".. of the shipped model's", "-", ".3f"),
    ("error", "calibration error of the told probability", "<= .03", ".3f"),
    ("error shipped", ".. of the shipped model's", "-", ".3f"),
)


class Column(NamedTuple):
    """One column: what it is called, how many networks got there, its figures, and what these are of."""

    head: str
    n_networks: int
    figures: Mapping[str, Figure]
    counts: Mapping[str, int]


class Reliable(NamedTuple):
    """The reliability of what is told: for each of `BINS`, of the job and of the shipped model."""

    ours: Sequence[tuple[Figure, float, int]]
    shipped: Sequence[tuple[Figure, float, int]]


def counted(n_networks: Mapping[str, int]) -> str:
    """How many networks of each level."""
    return ", ".join(f"{n} of level {level}" for level, n in n_networks.items())


def table_of(level: str, columns: Sequence[Column]) -> str:
    """The table of one level."""
    rows = [
        [words, aim, *(written_figure(one.figures.get(key), style) for one in columns)]
        for key, words, aim, style in ROWS
    ]
    rows += [
        ["networks that got there", "-", *(str(one.n_networks) for one in columns)],
        *(
            [f".. {words}", "-", *(str(one.counts[key]) for one in columns)]
            for key, words in (
                ("shown", "subgraphs shown"),
                ("attacks", "attacks that the shipped model shows"),
                ("crossings", "of them from IT into OT"),
                ("again", "benign chains judged before"),
            )
        ),
    ]
    return f"### Networks of level {level}\n\n" + markdown([level, "aim", *(one.head for one in columns)], rows)


def reliability(found: Mapping[str, Reliable]) -> str:
    """What was told, beside what came."""
    rows = []
    for level, one in found.items():
        for who, of_bins in (("learned", one.ours), ("shipped", one.shipped)):
            for (low, high), (share, tells, n) in zip(BINS, of_bins, strict=True):
                mean = written_figure(Figure(tells), ".3f")
                rows.append([level, who, f"{low:.2f} to {high:.2f}", mean, written_figure(share, ".3f"), str(n)])
    heads = ["level", "model", "told probability", "told, mean", "bear an attack", "of so many"]
    return "### What was told, after 30 verdicts\n\n" + markdown(heads, rows)


def curve(found: Mapping[str, Sequence[Point]]) -> str:
    """How much must be read to find so many steps."""
    rows = [
        [level, f"{point.a_day:.1f}", written_figure(point.steps, ".3f")] for level, of in found.items() for point in of
    ]
    words = "The strongest of each day, however weak, by the shipped model; the warm-up's steps left out."
    return f"### How many a day\n\n{words}\n\n" + markdown(["level", "read a day and site", "steps found"], rows)


def triage(figures: Mapping[str, float] | None) -> str:
    """The real example."""
    head = "### A real example: 180 alerts of one laboratory\n\n"
    if figures is None:
        return f"{head}Not measured: the set is not there.\n"
    rows = [
        ["level of the rule", f"{figures['auc level']:.3f}", "-"],
        ["share of true verdicts so far", f"{figures['auc shipped']:.3f}", f"{figures['loss shipped']:.3f}"],
        ["the same, with memory", f"{figures['auc']:.3f}", f"{figures['loss']:.3f}"],
    ]
    words = (
        f"{figures['n']:.0f} Wazuh alerts that were judged by hand, each told by the verdicts that are eight hours old.\n"
        "One laboratory, most false ones before most true ones: no benchmark, and no interval.\n\n"
    )
    return head + words + markdown(["by", "area under the ROC curve", "log loss, nats"], rows)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
