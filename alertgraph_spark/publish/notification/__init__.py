"""Tells a chat or another program of each subgraph that is newly shown: one call of a webhook for each.

`notice` is what is said, `forms` how each receiver wants it, `webhook` the call with its retries, `ledger` what has been told
over all runs; `telling` brings them together.
"""

from alertgraph_spark.publish.notification.notice import TABLES
from alertgraph_spark.publish.notification.telling import NotifyCounts, tell
from alertgraph_spark.publish.notification.webhook import Webhook

__all__ = ["TABLES", "NotifyCounts", "Webhook", "tell"]
