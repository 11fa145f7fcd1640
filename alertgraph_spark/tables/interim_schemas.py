"""Tables that live between two stages and are never saved; those that a run saves stand in `schemas`, with the vocabulary."""

from __future__ import annotations

from alertgraph_spark.tables.schemas import ALERT_ENDS, ALERTS, EPISODES
from alertgraph_spark.tables.table import Table, table

AGAIN = "repeat of "
"""How the status of a line begins that says again what another says."""

NO_ALERT = "not an alert"
"""The reason of a row that its format takes for no alert: counted, and not refused."""

_MEASURES = (
    ("started_at", "timestamp", "first alert", False),
    ("ended_at", "timestamp", "last alert", False),
    ("received_at", "timestamp", "latest receipt of one of its alerts", False),
    ("known_at", "timestamp", "when the first row of one of its alerts was received", False),
    ("n_alerts", "bigint", "alerts in it, repeats left out", False),
    ("severity", "double", "highest severity"),
)
"""What is counted of some alerts together."""

SAID = table(
    "said",
    "what an alert says, as its row has it: what is the same in two rows means the same",
    ("name", "string", "what the product calls the alert"),
    ("tactics", "array<string>", "names or ids of tactics, in any spelling"),
    ("techniques", "array<string>", "ids of techniques"),
    ("source_zone", "string", "zone of the source, by the product"),
    ("target_zone", "string", "zone of the target, by the product"),
    ("source_level", "double", "Purdue level of the source, by the product"),
    ("target_level", "double", "Purdue level of the target, by the product"),
    (
        "names",
        "array<struct<end:string,kind:string,text:string>>",
        "what the row calls its ends and all other entities",
    ),
    ("n_more", "int", "names beyond those that are looked at"),
    ("acts", "boolean", "the source acts even where there is no target"),
    ("unknown", "array<string>", "a severity that the format does not know, and the format's own doubts"),
)

MEANT = table(
    "meant",
    "what an alert means: in place of what it says",
    ("name", "string", "what the product calls the alert"),
    ("tactics", "array<string>", "ATT&CK tactics, canonical short names", False),
    ("techniques", "array<string>", "ATT&CK technique ids", False),
    *ALERT_ENDS,
    (
        "entities",
        "array<struct<kind:string,key:string,role:string>>",
        "all entities; role is source, target or other",
        False,
    ),
    ("named", "array<struct<address:string,host:string>>", "addresses, and the host that the row says has each", False),
    ("unknown", "array<string>", "words that no table knows, each with what it is", False),
    ("n_left_out", "bigint", "entities beyond those that an alert keeps", False),
)

NORMALISED = Table(
    "normalised",
    "one exported line, an alert or refused with a reason",
    (
        *ALERTS.columns,
        *table(
            "",
            "",
            (
                "named",
                "array<struct<address:string,host:string>>",
                "addresses, and the host that the line says has each",
            ),
            ("file", "string", "file of a refused line"),
            ("table", "string", "exported table"),
            ("line", "string", "text of a refused line"),
            ("reason", "string", "why it is no alert"),
            ("file_id", "bigint", "hash of its file"),
            ("unknown", "array<string>", "words that no table knows, each with what it is"),
            ("n_left_out", "bigint", "entities beyond those that an alert keeps"),
            ("done", "array<string>", "what was done to the row, in words: its provenance"),
        ).columns,
    ),
)

SPANS = table(
    "spans",
    "alerts that say the same within one hour and a span of the episode gap",
    ("span", "string", "hash of what they say, where and when", False),
    ("says", "string", "hash of what they say", False),
    ("status", "string", "alert, or history: from before the window", False),
    ("site", "string", "workspace", False),
    ("source", "string", "format", False),
    ("bin", "bigint", "number of the span since 1970", False),
    ("hour", "bigint", "its hour since 1970", False),
    *[(column.name, column.type, column.meaning) for column in SAID.columns],
    *_MEASURES,
)
"""What a `says` stands for may be null in all rows but the first that has it (`SAID`): it is long, and read once."""

EPISODES_FOLDED = Table(
    "episodes_folded",
    EPISODES.grain,
    (
        *EPISODES.columns,
        *table(
            "",
            "",
            ("is_announced", "boolean", "the machine that acts was in a maintenance window", False),
            (
                "known_at",
                "timestamp",
                "when it began, or, where it came an hour late or more, when it was received",
                False,
            ),
            ("is_new_pair", "boolean", "no earlier hour had this type between these two ends", False),
        ).columns,
    ),
)

CALENDAR = table(
    "calendar",
    "one announced window of maintenance",
    ("machine", "string", "entity key of the machine", False),
    ("site", "string", "workspace; null where it is any"),
    ("begins", "timestamp", "first time of the window", False),
    ("ends", "timestamp", "first time after it", False),
    ("ticket", "string", "change under which it was announced"),
)

CONTACTS = table(
    "contacts",
    "one entity of which the asset list says who answers for it or what to do about it",
    ("entity", "string", "entity key", False),
    ("owner", "string", "who answers for it"),
    ("runbook", "string", "what to do about it: a link or a text"),
)

EXCEPTION_KEYS = table(
    "exception_keys",
    "one exception, by the keys that alerts give to what it names; what it does not name is null",
    ("id", "string", "its id", False),
    ("alert", "string", "name of the alert, or the beginning of names"),
    ("is_beginning", "boolean", "`alert` is the beginning of names", False),
    *(
        column
        for end in ("entity", "source", "target")
        for column in (
            (end, "string", f"entity key of the {end}"),
            (f"{end}_block", "bigint", "or the network of a block of IPv4 addresses, without the bits of its hosts"),
            (f"{end}_bits", "int", "and how many these bits are"),
        )
    ),
    ("account", "string", "key of the only account"),
    ("motif", "string", "id of the motif in a match of which an episode stands"),
    ("site", "string", "workspace; null where it is any"),
    ("begins", "timestamp", "first time from which on it explains what becomes known", False),
    ("until", "timestamp", "first time from which on it does no more", False),
    ("names", "string", "what it names, in words", False),
    ("owner", "string", "who answers for it", False),
    ("reason", "string", "why it was made", False),
    ("ticket", "string", "ticket about it"),
)

ALIASES = table(
    "aliases",
    "a span of time in which an address belonged to one host, by the word of a row that names both",
    ("site", "string", "workspace", False),
    ("address", "string", "entity key of the address: ip or mac", False),
    ("host", "string", "entity key of the host", False),
    ("valid_from", "timestamp", "first alert of the hour that names both", False),
    ("valid_until", "timestamp", "when this ceases to hold", False),
)

SESSIONS = table(
    "sessions",
    "what happens on one host without a pause, told by alerts about that host alone",
    ("site", "string", "workspace", False),
    ("host", "string", "entity key of the host", False),
    ("session", "bigint", "the episode that begins it", False),
    ("started_at", "timestamp", "start of its first episode", False),
    ("ended_at", "timestamp", "end of its last episode", False),
    ("history_hours", "double", "hours of history that the site had before it", False),
    ("strength", "double", "sum of the surprise of its alert types, in nats", False),
    ("band", "int", "class of strength: each begins a ninth above the one before", False),
    ("site_rate", "double", "past sessions as strong, an hour, at the site", False),
)

PATHS = table(
    "paths",
    "the longest time-respecting path of one subgraph",
    ("subgraph_id", "string", "subgraph", False),
    ("path", "array<string>", "entities along it, in the order of time, none twice; null where there is none"),
)

HEARD = table(
    "heard",
    "the lines of one site and exported table with one status and reason, in one hour of their receipt",
    ("site", "string", "workspace"),
    ("table", "string", "exported table", False),
    (
        "status",
        "string",
        f"alert, history, rejected or out_of_window; of a repeat `{AGAIN}` and what it would be",
        False,
    ),
    ("reason", "string", "why they are no alerts; null for alerts"),
    ("hour", "bigint", "hour since 1970 in which the first row of each was received; null where nobody knows it"),
    ("n_lines", "bigint", "lines", False),
    ("n_spans", "bigint", "spans to which they fold", False),
    ("n_unknown", "bigint", "alerts among them with a severity or a text that the format doubts", False),
    ("delay_minutes", "double", "from an alert to its receipt, median over their spans; null where they are no alerts"),
    ("received_at", "timestamp", "latest receipt; null where none has a time"),
)
