"""Match: named patterns of attack inside subgraphs, and the longest way that somebody may have gone through each.

A vertex is an episode and an edge a time-respecting link, so every match is in causal order by construction.
"""

from alertgraph_spark.match.motifs import match_motifs
from alertgraph_spark.match.paths import find_paths

__all__ = ["find_paths", "match_motifs"]
