"""The page on the architecture and its picture: rooms and floors as the contracts have them, engines as the imports do."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

from grimp import build_graph
from importlinter.api import read_configuration

from alertgraph_spark.config.settings import Graph
from alertgraph_spark.sites import WORKER_SPANS

REPO = Path(__file__).resolve().parent.parent
PACKAGE = "alertgraph_spark"
LAST_OF_THE_LINE = "explain"
"""In the contract the rooms of the stages stand in the order of the line up to this one; the others stand beside it."""

PAGE = """\
# Architecture

One Spark job in one straight line. A stage is a folder with one public call; stages meet only in tables whose shape
stands in `alertgraph_spark/tables` ([the data model](data-model.md)), and only `alertgraph_spark/pipeline` knows their
order.

![The rooms of the package, floor by floor, and which of them use Spark](img/architecture.svg)

The picture, the table of rooms and the list of rules are made from the code by `make docs`: floors are those of the
import contract, colours say what a room really imports. A room imports only from floors below its own, and no room of the
floor of the stages another one.

## Two engines

**Spark for lines.** `read`, `normalise` and the first part of `fold` see every exported line: one plan of column
expressions, out over the cluster. What it ends in are *spans*: alerts that say the same within one hour, together, with
their number. A line is parsed once; `history` keeps what later runs ask of it ([operations](operations.md#the-history)).

**DuckDB and Arrow for episodes.** All later stages are functions from Arrow tables to Arrow tables: SQL in DuckDB for
what is relational, plain Python for what is a loop. A million alerts are a few thousand episodes, for which a plan of
Spark costs more than the work. These stages know no Spark, no configuration and no storage, so a test runs them in
milliseconds. Few episodes are ranked in the driver's process. From {worker_spans:,} spans on the same functions run in
the Python workers of the executors, whole sites at a time: sites never meet, so the rows are the same.

**GraphFrames for graphs beyond one machine.** `graph` asks two questions of the graph, its connected components and the
matches of a pattern, and has two engines that answer alike: union-find and joins in this process, and GraphFrames.
`graph.engine: auto` takes the first up to {crossover:,} links and GraphFrames above where its classes are there, and says
in the log which it took and why. Tests hold both against each other and against networkx on random graphs.

## What one row is, stage by stage

| stage | takes | gives | one row is |
|---|---|---|---|
| `read` | export folders, a window | raw lines | an exported line, with its file, table and site |
| `normalise` | raw lines, formats | lines | an alert, or a line with the reason why it was refused |
| `interpret` | what alerts say, asset list | what they mean | a distinct saying: entity keys, zones, ATT&CK's words |
| `fold` | alerts | `episodes` | a run of alerts of one type between the same entities |
| `link` | `episodes` | `links` | an earlier episode that may have led to a later one, with the odds |
| `connect` | `links` | `members`, `causes`, `cuts` | an episode, its subgraph and its one cause |
| `match` | subgraphs | `motif_hits` | a match of a [motif](motifs.md) |
| `describe` | subgraphs | `features` | a subgraph, its measurable facts |
| `score` | `features` | `subgraphs` | a subgraph: rank, score, parts that sum to it, shown or not |
| `explain` | what is shown | story, ties, counterfactual; `nodes`, `edges` | what a person reads of a subgraph |
| `publish` | tables of the run | results, MLflow, Log Analytics, report | saved first, posted from there |

## Decisions

- **The graph's vertices are episodes, its edges links.** This is the line graph of the network of communication, so
  connected components are candidates for incidents, and a match of a pattern is in the order of time by construction. The
  network of hosts that a person sees is made from a subgraph's episodes afterwards.
- **Past only.** What is said of an alert uses what was known before it, and the window of its own episode. Order goes by
  when it happened (`observed_at`), knowledge by when it was received (`received_at`).
- **Ids come from content.** The id of an episode is made of its key and first time, the id of a subgraph of its earliest
  episode. So both outlive the run, and a subgraph keeps its id while it grows.
- **Sites never meet.** Every workspace is a site; entity keys of two sites are two things, even where they read the same.
- **Records, not code in a loop.** A format, a motif, a term of the score and a table are records;
  [contributing](../CONTRIBUTING.md) adds one of each.
- **Saved before it is posted.** A run's tables are durable first; a post that fails is taken up by the next run.
- **Numbers stand in one place.** Every number of the method is a field of one frozen dataclass with meaning, range and
  source; the [table of parameters](method.md#parameters) is made from it.

## Rooms

| room | what it is | imports |
|---|---|---|
{rooms}

## Rules

`make lint` holds the package to these contracts of import-linter (`pyproject.toml`); a test plants a breach of each and
sees it found.

{rules}
"""


@dataclass(frozen=True)
class Room:
    """A folder or module at the top of the package, and what its modules import."""

    name: str
    meaning: str
    imports: tuple[str, ...]
    """Other rooms, by name."""
    engine: str
    """`spark`, `arrow` or `plain`: what its rows are in; of Spark and Arrow it is Spark."""
    is_folder: bool


@lru_cache(maxsize=1)
def _contracts() -> list[dict[str, object]]:
    options: list[dict[str, object]] = read_configuration(str(REPO / "pyproject.toml"))["contracts_options"]
    return options


def floors() -> list[list[str]]:
    """Names of rooms, floor by floor from the top, as the contract on layers has them."""
    (layers,) = [one["layers"] for one in _contracts() if one["id"] == "layers"]
    assert isinstance(layers, list)
    return [[name.strip() for name in floor.split("|")] for floor in layers]


@lru_cache(maxsize=1)
def rooms() -> dict[str, Room]:
    """Every room by name, from the imports that its modules have when they run."""
    graph = build_graph(PACKAGE, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None)
    found = {}
    for full in sorted(graph.find_children(PACKAGE)):
        name = full.split(".")[1]
        modules = {full} | graph.find_descendants(full)
        imported = {other for module in modules for other in graph.find_modules_directly_imported_by(module)}
        inner = {other.split(".")[1] for other in imported if other.startswith(f"{PACKAGE}.")} - {name}
        engine = "spark" if "pyspark" in imported else "arrow" if imported & {"duckdb", "pyarrow"} else "plain"
        doc = inspect.getdoc(importlib.import_module(full)) or ""
        found[name] = Room(name, doc.splitlines()[0], tuple(sorted(inner)), engine, len(modules) > 1)
    return found


def architecture_page() -> str:
    """The page: the words of this file, and the rooms and rules of the code."""
    return PAGE.format(
        rooms="\n".join(_rows()),
        rules="\n".join(f"- {one['name']}." for one in _contracts()),
        worker_spans=WORKER_SPANS,
        crossover=Graph().crossover_links,
    )


def _rows() -> Iterator[str]:
    for floor in floors():
        for name in floor:
            room = rooms()[name]
            link = f"[`{name}`](../{PACKAGE}/{name}{'' if room.is_folder else '.py'})"
            yield f"| {link} | {room.meaning} | {', '.join(f'`{one}`' for one in room.imports) or 'nothing of ours'} |"


WIDTH, LEFT, GAP, BOX, HIGH, FLOOR = 1000, 20, 10, 86, 34, 56
FILL = {"spark": "#fde0c4", "arrow": "#cfe3f7", "plain": "#eceff1"}
LEGEND = {
    "spark": "uses Spark in one module at least",
    "arrow": "Arrow tables and DuckDB, no Spark",
    "plain": "neither",
}


def picture() -> str:
    """The rooms as SVG: a row a floor, an arrow from each stage of the line to the next."""
    shapes: list[str] = []
    top = 20
    for floor in floors():
        for row, is_line in _parts(floor):
            shapes += _row(row, top, is_line)
            top += FLOOR
    shapes += _legend(top)
    high = top + 54
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high}" role="img" '
            'font-family="system-ui, sans-serif" font-size="13">',
            "<title>The rooms of alertgraph_spark, floor by floor; a room imports only from floors below</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 8 4 0 8z" fill="#37474f"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{high}" rx="8" fill="#fff"/>',
            *shapes,
            "</svg>",
            "",
        ]
    )


def _parts(floor: Sequence[str]) -> list[tuple[list[str], bool]]:
    """A floor as rows: the line by itself, and what stands beside it in a row of its own."""
    if LAST_OF_THE_LINE not in floor:
        return [(list(floor), False)]
    end = floor.index(LAST_OF_THE_LINE) + 1
    return [(list(floor[:end]), True), (list(floor[end:]), False)]


def _row(names: Sequence[str], top: int, is_line: bool) -> Iterator[str]:
    wide = len(names) * BOX + (len(names) - 1) * GAP
    left = (WIDTH - wide) // 2
    for place, name in enumerate(names):
        x = left + place * (BOX + GAP)
        fill = FILL[rooms()[name].engine]
        yield f'<rect x="{x}" y="{top}" width="{BOX}" height="{HIGH}" rx="5" fill="{fill}" stroke="#607d8b"/>'
        yield f'<text x="{x + BOX // 2}" y="{top + 21}" text-anchor="middle" fill="#212121">{escape(name)}</text>'
        if is_line and place:
            y = top + HIGH // 2
            yield f'<path d="M{x - GAP} {y}H{x}" stroke="#37474f" marker-end="url(#tip)"/>'


def _legend(top: int) -> Iterator[str]:
    x = LEFT
    for engine, text in LEGEND.items():
        yield f'<rect x="{x}" y="{top}" width="16" height="16" rx="3" fill="{FILL[engine]}" stroke="#607d8b"/>'
        yield f'<text x="{x + 24}" y="{top + 13}" fill="#212121">{escape(text)}</text>'
        x += 50 + 8 * len(text)
    yield f'<text x="{LEFT}" y="{top + 38}" fill="#212121">→ the line; a room imports only from floors below</text>'
