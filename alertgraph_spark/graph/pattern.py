"""Motif patterns: one way through the graph, in the words of GraphFrames.

`(a)` is any vertex; `(a)-[e]->(b)` an edge e from a to b; `(a)-[e]->(b); (b)-[f]->(c)` goes on from b, and so on.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from alertgraph_spark.errors import ConfigError

_NAME = r"\s*([A-Za-z][A-Za-z0-9_]*)\s*"  # GraphFrames keeps names that begin with `_` for itself
_VERTEX = re.compile(rf"\s*\({_NAME}\)\s*")
_STEP = re.compile(rf"\s*\({_NAME}\)\s*-\s*\[{_NAME}\]\s*->\s*\({_NAME}\)\s*")


class Way(NamedTuple):
    """The names of a pattern in the order of time; the n-th edge goes from the n-th vertex to the next."""

    vertices: tuple[str, ...]
    edges: tuple[str, ...]

    def __str__(self) -> str:
        """The pattern as GraphFrames reads it."""
        steps = zip(self.edges, pairwise(self.vertices), strict=True)
        return "; ".join(f"({a})-[{e}]->({b})" for e, (a, b) in steps) or f"({self.vertices[0]})"


def read_pattern(text: str) -> Way:
    """Read a motif's pattern.

    Parameters
    ----------
    text
        One way through the graph: `(a)`, `(a)-[e]->(b)`, or several such steps between semicolons. A name stands for
        one thing.

    Returns
    -------
    Way
        The names of vertices and edges, in order.

    Raises
    ------
    ConfigError
        If it is no such pattern. The message names the term at fault and what is allowed.

    Examples
    --------
    >>> read_pattern("(a)-[e]->(b); (b)-[f]->(c)")
    Way(vertices=('a', 'b', 'c'), edges=('e', 'f'))
    """
    if alone := _VERTEX.fullmatch(text):
        return Way((alone[1],), ())
    vertices: list[str] = []
    edges: list[str] = []
    for term in text.split(";"):
        step = _STEP.fullmatch(term)
        if not step:
            raise _refused(text, f"cannot read {term.strip()!r}")
        source, edge, target = step.groups()
        if vertices and source != vertices[-1]:
            raise _refused(text, f"{term.strip()!r} does not begin at ({vertices[-1]}), where the one before ends")
        vertices = [*(vertices or [source]), target]
        edges.append(edge)
    names = [name.lower() for name in (*vertices, *edges)]  # Spark does not tell `A` from `a`
    if len(set(names)) < len(names):
        raise _refused(text, "a name stands for two things")
    return Way(tuple(vertices), tuple(edges))


def _refused(text: str, problem: str) -> ConfigError:
    allowed = "(a), (a)-[e]->(b) and (a)-[e]->(b); (b)-[f]->(c), of any length, each name for one thing"
    return ConfigError(f"motif pattern {text!r}: {problem}; allowed are {allowed}")
