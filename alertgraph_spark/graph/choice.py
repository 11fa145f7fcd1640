"""Which engine answers: as the configuration asks, or by the size of the graph."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import SparkSession

from alertgraph_spark.errors import ConfigError
from alertgraph_spark.graph import in_process, on_graphframes
from alertgraph_spark.graph.on_graphframes import graphframes_available, require_graphframes

logger = logging.getLogger(__name__)

ENGINES = ("driver", "graphframes")
CROSSOVER_LINKS = 1_000_000
"""Links up to which `auto` takes the driver: the largest graph measured, where the driver still won clearly.

Wall seconds of components, warm, on two cores with Spark 3.5.9 and GraphFrames built from its source of May 2026: 20 k
vertices and 30 k links 0.4 against 11; 500 k vertices and 1 M links, one star of 100 k among them, 2.5 against 30.
"""


Components = Callable[[pa.Table, pa.Table], pa.Table]
"""Vertices and edges to the component of each vertex, as `in_process.find_components` gives them."""

FindMatches = Callable[[str, str, pa.Table, pa.Table], pa.Table]
"""Pattern, condition, vertices and edges to the ids of each match, as `in_process.find_matches` gives them."""


class Answers(NamedTuple):
    """Who answers what is asked of a graph: the engine's name, its components, and its matches, None for those of this
    process; and how many links this process holds.
    """

    engine: str = "driver"
    components: Components = in_process.find_components
    find_matches: FindMatches | None = None
    max_links: int = in_process.MAX_LINKS

    @property
    def most_links(self) -> int | None:
        """How many links the whole graph may have; GraphFrames has no limit."""
        return self.max_links if self.engine == "driver" else None


@dataclass(frozen=True)
class GraphOptions:
    """Which engine answers, and how many links this process holds; as the section `graph` of the keys."""

    engine: str = "auto"
    driver_max_links: int = in_process.MAX_LINKS
    crossover_links: int = CROSSOVER_LINKS

    @property
    def in_process(self) -> Answers:
        """This process answers, within the limit."""
        components = partial(in_process.find_components, max_links=self.driver_max_links)
        return Answers("driver", components, None, self.driver_max_links)

    def answers(self, spark: SparkSession, n_links: int) -> Answers:
        """Who answers of a graph of so many links; see `choose_engine`."""
        if choose_engine(self.engine, n_links, spark, self.crossover_links) == "driver":
            return self.in_process
        components = partial(on_graphframes.find_components, spark)
        find_matches = partial(on_graphframes.find_matches, spark)
        return Answers("graphframes", components, find_matches, self.driver_max_links)


def choose_engine(requested: str, n_links: int, spark: SparkSession, crossover: int = CROSSOVER_LINKS) -> str:
    """Choose `driver` (in this process) or `graphframes`, and log which and why.

    A request is never answered with the other engine.

    Parameters
    ----------
    requested
        `auto`, `driver` or `graphframes`. `auto` takes the driver up to `crossover` links, and above it GraphFrames
        where that is installed.
    n_links
        Links of the graph.
    spark
        The session, which is asked for GraphFrames.
    crossover
        Links up to which the driver is faster.

    Returns
    -------
    str
        `driver` or `graphframes`.

    Raises
    ------
    ConfigError
        If `requested` is none of the three.
    GraphEngineError
        If GraphFrames is requested and not installed.
    """
    if requested not in ("auto", *ENGINES):
        raise ConfigError(f"graph.engine is {requested!r}; allowed are auto, {', '.join(ENGINES)}")
    if requested != "auto":
        engine, reason = requested, "as requested"
    elif n_links <= crossover:
        engine, reason = "driver", f"not above the crossover of {crossover:,}"
    elif graphframes_available(spark):
        engine, reason = "graphframes", f"above the crossover of {crossover:,}"
    else:
        engine, reason = "driver", f"above the crossover of {crossover:,}, but GraphFrames is not installed"
    if engine == "graphframes":
        require_graphframes(spark)
    logger.info("graph engine %s for %s links: %s", engine, f"{n_links:,}", reason)
    return engine
