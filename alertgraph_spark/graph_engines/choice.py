"""Which engine answers: as the configuration asks, or by the size of the graph."""

from __future__ import annotations

import logging

from pyspark.sql import SparkSession

from alertgraph_spark.errors import ConfigError
from alertgraph_spark.graph_engines.on_graphframes import graphframes_available, require_graphframes

logger = logging.getLogger(__name__)

ENGINES = ("driver", "graphframes")
CROSSOVER_LINKS = 1_000_000
"""Links up to which `auto` takes the driver: the largest graph measured, where the driver still won clearly.

Wall seconds of components, warm, on two cores with Spark 3.5.9 and GraphFrames built from its source of May 2026: 20 k
vertices and 30 k links 0.4 against 11; 500 k vertices and 1 M links, one star of 100 k among them, 2.5 against 30.
"""


def choose_engine(requested: str, n_links: int, spark: SparkSession, crossover: int = CROSSOVER_LINKS) -> str:
    """Choose `driver` (in this process) or `graphframes`, and say in one log line which and why.

    `auto` takes the driver up to `crossover` links, and above it GraphFrames where it is installed. A request is never
    answered with the other engine.

    Raises
    ------
    ConfigError, GraphEngineError
        If `requested` is neither auto, graphframes nor driver; if it is graphframes and that is not there.
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
