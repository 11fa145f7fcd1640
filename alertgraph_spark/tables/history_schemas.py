"""What a run keeps of exported lines, so that no later run reads them again: the table of one part of the history."""

from __future__ import annotations

from alertgraph_spark.tables.interim_schemas import SAID
from alertgraph_spark.tables.table import Table, table

KEPT = table(
    "kept",
    "one exported line, an alert or refused with a reason; or the lines of one hour that are no alerts, together",
    ("table", "string", "exported table", False),
    ("site", "string", "workspace"),
    ("export_hour", "bigint", "hour since 1970 of the export's folder that holds it", False),
    ("n_lines", "bigint", "lines that the row stands for", False),
    ("reason", "string", "why it is no alert"),
    ("file", "string", "file of a refused line"),
    ("line", "string", "text of a refused line"),
    ("source", "string", "format"),
    ("alert_id", "string", "id of the alert"),
    ("item_id", "string", "the exported row's `_ItemId`; null where it is the alert's id too"),
    ("is_item", "boolean", "whether `_ItemId` is the alert's id"),
    ("received_at", "timestamp", "TimeGenerated"),
    ("observed_at", "timestamp", "when it happened, by this row"),
    ("severity", "double", "severity of the row, from 0 to 1"),
    ("says", "bigint", "number, within the part, of what the row says"),
    ("tie", "bigint", "a hash of what the row says, which puts two rows of one time in an order"),
    (
        "said",
        f"struct<{','.join(f'{c.name}:{c.type}' for c in SAID.columns)}>",
        "what the row says; null where a row before it in the part says the same",
    ),
)
"""One part: rows of one site and day, or hour, by what they say."""

FOLDED = Table(
    "folded_lines",
    "one exported line as Spark has parsed it",
    (
        *[c for c in KEPT.columns if c.name not in ("n_lines", "says", "is_item")],
        *table(
            "", "", ("row", "bigint", "number of the line in the frame"), ("file_id", "bigint", "hash of its file")
        ).columns,
    ),
)
