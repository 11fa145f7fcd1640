"""Motif patterns: the part of the GraphFrames grammar that both engines share.

A pattern is one or more terms separated by `;`:

| term | matches |
|---|---|
| `(a)-[e]->(b)` | an edge e from a to b; `()` and `[]` leave an end or the edge without a name and without a column |
| `(a)` | any vertex |
| `!(a)-[]->(b)` | no edge from a to b; nothing may be named inside but vertices |

Two names may stand for one and the same vertex or edge, as in GraphFrames: filter `a.id <> c.id` where that is not
meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from alertgraph_spark.errors import ConfigError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # GraphFrames keeps names that begin with `_` for itself
_ALLOWED = (
    "allowed are terms (a)-[e]->(b), (a) and !(a)-[]->(b), separated by ';', where () and [] may stay without a name"
)


@dataclass(frozen=True)
class EdgeTerm:
    """One edge of a pattern; an empty name is an anonymous end or edge."""

    source: str
    edge: str
    target: str

    def __str__(self) -> str:
        """The term as the grammar writes it."""
        return f"({self.source})-[{self.edge}]->({self.target})"

    @property
    def vertices(self) -> tuple[str, ...]:
        """The names of its ends, each once, source first."""
        return tuple(dict.fromkeys(name for name in (self.source, self.target) if name))


@dataclass(frozen=True)
class MotifPattern:
    """A parsed pattern: what must be there, what must not, and the result's columns in order of first mention."""

    edges: tuple[EdgeTerm, ...]
    lone_vertices: tuple[str, ...]
    negated: tuple[EdgeTerm, ...]
    names: tuple[str, ...]

    def __str__(self) -> str:
        """The pattern with every negated term last, so that GraphFrames has seen its vertices when it comes to it."""
        present = [str(term) for term in self.edges] + [f"({name})" for name in self.lone_vertices]
        return "; ".join(present + [f"!{term}" for term in self.negated])


class _Reader:
    """Reads a pattern from left to right; knows where it is, and which names it has met as what."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._met: dict[str, tuple[str, str, int]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self._met.values())

    def error(self, problem: str, at: int) -> ConfigError:
        return ConfigError(f"motif pattern {self.text!r}, character {at + 1}: {problem}; {_ALLOWED}")

    def skip_blanks(self) -> int:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.at

    def is_at_end(self) -> bool:
        return self.skip_blanks() == len(self.text)

    def is_at(self, literal: str) -> bool:
        return self.text.startswith(literal, self.skip_blanks())

    def accept(self, literal: str) -> bool:
        is_there = self.is_at(literal)
        self.at += len(literal) * is_there
        return is_there

    def expect(self, literal: str) -> None:
        if not self.accept(literal):
            found = "the end" if self.is_at_end() else repr(self.text[self.at : self.at + 6])
            raise self.error(f"expected {literal!r}, found {found}", self.at)

    def vertex(self) -> str:
        return self._name_between("(", ")", "vertex")

    def edge(self) -> str:
        return self._name_between("[", "]", "edge")

    def _name_between(self, opening: str, closing: str, kind: str) -> str:
        self.expect(opening)
        match = _NAME.match(self.text, self.skip_blanks())
        name = match.group() if match else ""
        if name:
            # Spark does not tell `A` from `a`: two spellings would be one column.
            met = self._met.setdefault(name.lower(), (name, kind, self.at))
            is_again = met[2] != self.at
            if is_again and (kind == "edge" or met[:2] != (name, kind)):
                raise self.error(f"{name!r} is already the name of {met[1]} {met[0]!r}", self.at)
        self.at += len(name)
        self.expect(closing)
        return name


def _read_term(reader: _Reader) -> tuple[EdgeTerm | str, bool]:
    """One term, a vertex's name or an edge, and whether it is negated."""
    is_negated = reader.accept("!")
    start = reader.skip_blanks()
    source = reader.vertex()
    if not is_negated and (reader.is_at_end() or reader.is_at(";")):
        if not source:
            raise reader.error("() alone names nothing", start)
        return source, False
    reader.expect("-")
    edge = reader.edge()
    reader.expect("->")
    term = EdgeTerm(source, edge, reader.vertex())
    if is_negated and edge:
        raise reader.error(f"an edge that must be absent cannot have a name, here {edge!r}", start)
    if not (edge or term.vertices):
        raise reader.error("()-[]->() names nothing", start)
    return term, is_negated


def parse_pattern(text: str) -> MotifPattern:
    """Read a motif pattern.

    Raises
    ------
    ConfigError
        With the position, what was found there and what is allowed.

    Examples
    --------
    >>> parse_pattern("(a)-[e1]->(b); !(b)-[]->(a)").names
    ('a', 'e1', 'b')
    """
    reader = _Reader(text)
    terms = [_read_term(reader)]
    while not reader.is_at_end():
        reader.expect(";")
        terms.append(_read_term(reader))
    edges = tuple(term for term, is_negated in terms if isinstance(term, EdgeTerm) and not is_negated)
    negated = tuple(term for term, is_negated in terms if isinstance(term, EdgeTerm) and is_negated)
    taken = {name for term in edges for name in (term.edge, *term.vertices)}
    return MotifPattern(edges, tuple(name for name in reader.names if name not in taken), negated, reader.names)
