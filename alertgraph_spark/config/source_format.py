"""What a source's rows mean: canonical columns as Spark SQL expressions over the exported row.

A format is a record, read from YAML by `config.format_files`: adding a product touches one file. Its expressions see the
exported columns named in `reads` (all text, so that schema drift nulls nothing) and one struct for each JSON text
column named in `json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

KEEPERS = ("sender", "platform")
"""Who may set the id and the time of a row."""

ENTITY_KINDS = ("host", "ip", "mac", "device", "account")
"""Kinds of entity; the order in an end's mapping is the order of preference."""


@dataclass(frozen=True)
class JsonColumn:
    """One text column that holds JSON: the struct that its fields become, and the DDL of the fields in use.

    `known_by` are keys at the top of an object, in any case and without marks, that only an alert has; without them those of
    the predicate and the name.
    """

    name: str
    column: str
    schema: str
    known_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """How rows of one kind of table become alerts.

    Attributes
    ----------
    name
        The format's name; it becomes `source` of its alerts.
    path
        The file it was read from, for error messages.
    reads
        Exported columns in use, beyond TimeGenerated and `_ItemId`.
    json
        Text columns to parse as JSON: `column`, the `schema` of the fields in use, and with `known_by` the keys, in any
        spelling, that tell an alert from an envelope, where predicate and name do not say so.
    let
        Names for intermediate expressions, in order; each may use the ones before.
    where
        Predicate; rows that fail it are no alerts and are counted as such.
    own
        Predicate; rows that this project itself raised are refused as `own incident`, and kept among the rejected.
    own_details
        Text that is kept of such a row: a JSON object with its `alert_id` and the `details` that our rule gave it, by which
        an incident that holds the alert is known to be about a subgraph.
    acts
        Predicate; rows whose source acts, though they name no target: it stays the source, where any other address alone is
        what the alert is about.
    broken
        Predicate; rows whose text breaks off are refused as `text broken or cut short`. Of JSON this is known without it.
    doubts
        Expression that gives an array of text: what the row says in a way that is not to be trusted, counted with the words
        that no table knows.
    columns
        Canonical scalar column (name, rule_id, product, alert_id, observed_at, severity, tactics, techniques) to
        expression. `tactics` and `techniques` are arrays of text in any spelling.
    severity_scale
        The product's severity words or numbers, in lower case, to [0, 1]; empty where the expression is in [0, 1]. With a
        scale `severity` may be an array of words: the highest counts.
    source, target
        Entity kind to expression; the first that is no placeholder names the end.
    other
        Entity kind to an expression that gives an array of text: further entities of the alert.
    source_zone, target_zone
        What product and protocol say of an end's zone, used where the asset list says nothing.
    source_level, target_level
        What the product says of an end's Purdue level, 0 to 5, used where the asset list says nothing.
    kept_by
        Who sets the id and the time of a row. `platform`: its word stands, an alert that is told again under its id is the
        same, and happened when the product says, however long ago. `sender`: anyone may write an id, so that the name must
        be the same too, and his clock may be wrong: a time more than 48 h before or 24 h after TimeGenerated is not believed.
    samples
        Rows with what they must give, run as tests.
    is_shipped
        Whether the file is one of the package's own, letter by letter: its expressions are known to be harmless.
    """

    name: str
    path: str
    reads: tuple[str, ...]
    columns: dict[str, str]
    json: tuple[JsonColumn, ...] = ()
    let: dict[str, str] = field(default_factory=dict)
    where: str = "true"
    own: str = "false"
    own_details: str = "null"
    acts: str = "false"
    broken: str = "false"
    doubts: str = "null"
    severity_scale: dict[str, float] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    target: dict[str, str] = field(default_factory=dict)
    other: dict[str, str] = field(default_factory=dict)
    source_zone: str = "null"
    target_zone: str = "null"
    source_level: str = "null"
    target_level: str = "null"
    kept_by: str = "sender"
    samples: tuple[dict[str, object], ...] = ()
    is_shipped: bool = False

    @property
    def names_addresses(self) -> bool:
        """Whether one end of a row may have both a name and an address, so that the row tells whose the address is."""
        return any({"host", "device"} & set(end) and {"ip", "mac"} & set(end) for end in (self.source, self.target))

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Yield the key and the SQL of every expression but those of `let`, which build on one another."""
        for key in ("where", "own", "own_details", "acts", "broken", "doubts"):
            yield key, getattr(self, key)
        for key in ("columns", "source", "target", "other"):
            yield from ((f"{key}.{name}", expression) for name, expression in getattr(self, key).items())
        for key in ("source_zone", "target_zone", "source_level", "target_level"):
            yield key, getattr(self, key)


@dataclass(frozen=True)
class Asset:
    """One row of the asset list.

    `asset` is a host name, an IP address or a CIDR block; several rows may carry one `name`. `purdue_level` runs from 0
    (process) to 5 (enterprise), `role` says what the machine is for (scanner, jump_host ...), `owner` who answers for it, and
    `runbook` what to do about it, a link or a text.
    """

    asset: str
    name: str | None = None
    zone: str | None = None
    purdue_level: float | None = None
    role: str | None = None
    owner: str | None = None
    runbook: str | None = None


@dataclass(frozen=True)
class MaintenanceWindow:
    """One row of the maintenance calendar: what `asset` does from `begins` until before `ends` was announced.

    `asset` is a host name or an IP address, `site` the workspace it is in, None for whichever has it; both times are aware.
    `ticket` is the change under which it was announced.
    """

    asset: str
    begins: datetime
    ends: datetime
    site: str | None = None
    ticket: str | None = None
