"""Health: whether each source speaks as it used to, judged by its own past alone."""

from alertgraph_spark.health.judge import judge_health

__all__ = ["judge_health"]
