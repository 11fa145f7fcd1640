"""Score: an additive score whose every part is told, a rank, and a budget of what is shown."""

from alertgraph_spark.score.scoring import count_crowded, rank_subgraphs, score_subgraphs, with_score
from alertgraph_spark.score.terms import TERMS, Term, scorer_weights

__all__ = ["TERMS", "Term", "count_crowded", "rank_subgraphs", "score_subgraphs", "scorer_weights", "with_score"]
