"""Posts the results to Log Analytics through the Logs Ingestion API, or writes the same rows to a folder.

`streams` names what is posted, `rows` turns a table's row into JSON, `sender` delivers batches (`transport` and
`credentials` are its two injected edges), `posting` is the entry on Spark, and `tasks` what it runs on the executors.
"""

from alertgraph_spark.io.log_analytics.posting import PostCounts, post_results
from alertgraph_spark.io.log_analytics.streams import stream_declarations

__all__ = ["PostCounts", "post_results", "stream_declarations"]
