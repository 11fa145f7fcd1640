"""Verdicts: what analysts said of incidents comes back to the subgraphs that these were about. No Spark, no storage."""

from alertgraph_spark.verdicts.changes import Judged, judged_incidents
from alertgraph_spark.verdicts.match import match_verdicts
from alertgraph_spark.verdicts.own_alerts import own_alerts
from alertgraph_spark.verdicts.standing import standing_verdicts

__all__ = ["Judged", "judged_incidents", "match_verdicts", "own_alerts", "standing_verdicts"]
