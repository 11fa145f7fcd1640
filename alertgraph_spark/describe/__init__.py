"""Describe: what can be measured of a subgraph, each fact from its own episodes and the past."""

from alertgraph_spark.describe.features import describe_subgraphs

__all__ = ["describe_subgraphs"]
