"""Posts the results to Log Analytics through the Logs Ingestion API, or writes the same rows to a folder.

`streams` names what is posted, `rows` turns a table's rows into JSON, `fields` each value, `batches` groups them, `sender`
delivers (`transport`, `credentials` and `rate` are its injected edges). `ledger` remembers what of a run has been delivered,
`memory` what of all runs; `changes` compares the two. `posting` is the entry: small tables leave by `here`, large ones by
`frames`, which has Spark run `tasks` on the executors. `legacy` is the API of before.
"""

from alertgraph_spark.publish.files import Files
from alertgraph_spark.publish.log_analytics.changes import Changes, changes_of, delivered_after, told_subgraphs
from alertgraph_spark.publish.log_analytics.ledger import Ledger, PostCounts
from alertgraph_spark.publish.log_analytics.memory import Memory
from alertgraph_spark.publish.log_analytics.posting import post_results, read_rule
from alertgraph_spark.publish.log_analytics.streams import STREAMS, stream_declarations, undeclared
from alertgraph_spark.publish.log_analytics.target import Target

POSTED = tuple(stream.table.name for stream in STREAMS)
"""The tables that are posted, in their order."""

__all__ = [
    "POSTED",
    "Changes",
    "Files",
    "Ledger",
    "Memory",
    "PostCounts",
    "Target",
    "changes_of",
    "delivered_after",
    "post_results",
    "read_rule",
    "stream_declarations",
    "told_subgraphs",
    "undeclared",
]
