"""Fold: alerts of one type between the same entities become episodes. Spark folds alerts to spans, this process the spans."""

from alertgraph_spark.fold.spans import FoldedSpans, fold_spans

__all__ = ["FoldedSpans", "fold_spans"]
