"""Fold: alerts of one type between the same entities become episodes. Spark folds alerts to bins, this process the bins."""

from alertgraph_spark.fold.episodes import Folded, fold_episodes

__all__ = ["Folded", "fold_episodes"]
