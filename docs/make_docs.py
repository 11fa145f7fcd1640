"""Make the pages that are written from the code, so that no fact stands in two places.

python docs/make_docs.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from alertgraph_spark.motifs import MOTIFS, Motif

DOCS = Path(__file__).parent

INTRODUCTION = """\
# Motifs

Named patterns of attack that are looked for inside each subgraph. A vertex is an episode, an edge a link from an earlier
episode to a later one, so a match is in the order of time by construction. What is matched is listed in the table
`motif_hits`, named in the summary of its subgraph, and part of its score.

This page is made from the records in `alertgraph_spark/motifs.py` by `make docs`. To add a motif, add a record with two
example graphs, one that matches and one that nearly does, and make the page anew; the tests run both graphs.

An example graph has one episode a line: `minute source/zone -> target/zone name`, or `minute host/zone name` for an alert
about one host. In a condition, `origin` and `destination` are the ends of an episode: an alert about one host begins and
ends there; `t0` is its first alert, in microseconds.
"""


def motifs_page(motifs: Sequence[Motif]) -> str:
    """The page on motifs: an overview, then a section for each record."""
    overview = ["| motif | id | ATT&CK |", "|---|---|---|"]
    overview += [f"| [{m.title}](#{_anchor(m.title)}) | `{m.id}` | {m.technique} |" for m in motifs]
    return "\n".join([INTRODUCTION, *overview, "", *(_section(m) for m in motifs)])


def _section(motif: Motif) -> str:
    count = f"at least {motif.at_least} distinct `{motif.spokes}` for one `{motif.hub}`"
    facts = [
        ("id", f"`{motif.id}`"),
        ("technique", motif.technique),
        ("blind spot", motif.blind_spot),
        ("pattern", f"`{motif.pattern}`"),
        ("where", f"`{' '.join(motif.where.split())}`"),
        ("path along", ", ".join(f"`{vertex}`" for vertex in motif.chain)),
    ]
    if motif.hub:
        facts.append(("count", count))
    table = ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in facts)]
    graphs = ["Matches:", "", *_graph(motif.match), "", "Does not match:", "", *_graph(motif.near_miss), ""]
    return "\n".join([f"## {motif.title}", "", motif.why, "", *table, "", *graphs])


def _graph(lines: Sequence[str]) -> list[str]:
    return ["```text", *lines, "```"]


def _anchor(title: str) -> str:
    """The anchor that GitHub gives a heading: lower case, letters, digits and hyphens, blanks as hyphens."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


PAGES: dict[str, Callable[[], str]] = {"motifs.md": lambda: motifs_page(MOTIFS)}
"""File in this folder to the text that it must hold."""


def main() -> int:
    """Write every page; the tests say which one is out of date."""
    for name, text in PAGES.items():
        (DOCS / name).write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
