"""The pipeline: exported lines in, ranked and explained subgraphs out."""

from alertgraph_spark.pipeline.line import rank_lines, rank_subgraphs
from alertgraph_spark.pipeline.whole_sites import Known, rank_sites

__all__ = ["Known", "rank_lines", "rank_sites", "rank_subgraphs"]
