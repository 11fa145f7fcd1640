"""The table on the health of sources; the vocabulary stands in `schemas`."""

from __future__ import annotations

from alertgraph_spark.tables.table import table

UNHEALTHY = ("silent", "refuses", "flood", "slow")
"""What is wrong with a source, the worst first."""

HEALTH = table(
    "health",
    "one exported table of one site, in one run",
    ("site", "string", "workspace", False),
    ("table", "string", "exported table", False),
    (
        "status",
        "string",
        f"{', '.join(UNHEALTHY)}, new (too little past to judge by) or ok; the worst that holds",
        False,
    ),
    ("detail", "string", "why, in words and numbers; all that holds, the worst first", False),
    ("judged_hours", "double", "hours at the end of the window that are judged", False),
    ("judged_until", "timestamp", "end of these hours: the window's", False),
    ("past_hours", "bigint", "hours before them that they are compared with, from its first line on", False),
    ("n_lines", "bigint", "lines in the judged hours, of whatever kind", False),
    ("n_alerts", "bigint", "alerts first received in the judged hours", False),
    ("usual_alerts", "double", "alerts that are usual in these hours of the week; null where it is new"),
    (
        "n_rejected",
        "bigint",
        "lines refused in the judged hours; rows that are no alerts by their format are none",
        False,
    ),
    ("rejected_share", "double", "n_rejected / n_lines; null without a line"),
    ("usual_rejected_share", "double", "the same in the past; null without a line in it"),
    ("n_unknown", "bigint", "alerts in the judged hours with a severity or a text that the format doubts", False),
    ("newest_received_at", "timestamp", "receipt of its newest line before the window's end, of whatever kind"),
    ("age_hours", "double", "hours from then to the window's end"),
    ("delay_minutes", "double", "from an alert to its receipt, median of the judged hours; null without an alert"),
    ("usual_delay_minutes", "double", "the same in the past; null without an alert in it"),
    (
        "store_lag_hours",
        "double",
        "hours from the end of the newest closed day that the history holds of the site to the window's end",
    ),
)
