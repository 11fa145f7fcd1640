"""Score: an additive score whose every part is told, a rank, and a budget of what is shown."""

from alertgraph_spark.score.excepted import match_exceptions
from alertgraph_spark.score.scoring import count_unshown, rank_subgraphs, score_subgraphs, with_memory, with_score
from alertgraph_spark.score.suppressed import judge_episodes, suppress_subgraphs, tell_exceptions
from alertgraph_spark.score.terms import TERMS, Term, scorer_weights

__all__ = [
    "TERMS",
    "Term",
    "count_unshown",
    "judge_episodes",
    "match_exceptions",
    "rank_subgraphs",
    "score_subgraphs",
    "scorer_weights",
    "suppress_subgraphs",
    "tell_exceptions",
    "with_memory",
    "with_score",
]
