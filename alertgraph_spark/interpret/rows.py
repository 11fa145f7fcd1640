"""What rows say becomes what they mean: texts are clean, names are entity keys, labels are ATT&CK's, ends have zone and role.

Rows of Arrow in, rows of Arrow out, each by itself: a run asks it of what its alerts say, which is far less than its alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa

from alertgraph_spark.clean_text import NAME_LIMIT, VALUE_LIMIT, clean
from alertgraph_spark.interpret.asset_list import AssetList, End
from alertgraph_spark.interpret.ends import done_to, ends_of
from alertgraph_spark.interpret.entities import keys_of
from alertgraph_spark.interpret.vocabulary import tactics_of, techniques_of
from alertgraph_spark.tables.embedded import arrow_type
from alertgraph_spark.tables.interim_schemas import MEANT, SAID

Row = Mapping[str, Any]

_TYPES = {column.name: arrow_type(column.type) for column in (*SAID.columns, *MEANT.columns)}
_OF_A_LINE = ("product", "rule_id", "done")
_MOST_KNOWN = 1 << 14
"""Different rows that are remembered: a site says the same few thousand things, a flood says others."""

_KNOWN: WeakKeyDictionary[AssetList, dict[bytes, Row]] = WeakKeyDictionary()
"""What rows mean by an asset list, by a hash of all that they say: a session that ticks hears the same every five minutes."""

_LIMITS = {"name": NAME_LIMIT, "product": VALUE_LIMIT, "rule_id": VALUE_LIMIT}


def interpret(rows: pa.Table, assets: AssetList) -> pa.Table:
    """Say what rows mean.

    Parameters
    ----------
    rows
        One row is what an alert says, or several that say the same (`interim_schemas.SAID`, null where a line is none), and
        any other column; of these `product` and `rule_id` are cleaned, and `done` has also what was done to names.
    assets
        The asset list: it resolves addresses, and knows zones, Purdue levels and roles.

    Returns
    -------
    pa.Table
        The same rows with the columns of `interim_schemas.MEANT` in place of `SAID`; all other columns stay.
    """
    meant = _meant(rows, assets)
    kept = [name for name in rows.column_names if name not in meant.column_names and name not in SAID.names]
    return pa.table(
        {name: table.column(name) for table, names in ((rows, kept), (meant, meant.column_names)) for name in names}
    )


def interpret_each(spans: pa.Table, assets: AssetList) -> pa.Table:
    """Say what spans mean; what several say is interpreted once.

    Parameters
    ----------
    spans
        One row is a span with `says`, a hash of what it says (`interim_schemas.SPANS`). The first row of each counts.
    assets
        The asset list: it resolves addresses, and knows zones, Purdue levels and roles.

    Returns
    -------
    pa.Table
        One row is one `says`, with the columns of `interim_schemas.MEANT`.
    """
    _, first = np.unique(spans["says"].combine_chunks().dictionary_encode().indices, return_index=True)
    return interpret(spans.select(["says", *SAID.names]).take(first), assets)


def _meant(rows: pa.Table, assets: AssetList) -> pa.Table:
    """The columns of rows that change."""
    said = rows.select([name for name in rows.column_names if name in _TYPES or name in _OF_A_LINE])
    meant = _meanings(said.to_pylist(), assets)
    found = {name: pa.array([row[name] for row in meant], _TYPES[name]) for name in MEANT.names}
    found |= {
        name: pa.array([row[name] for row in meant], rows.schema.field(name).type)
        for name in _OF_A_LINE
        if name in rows.column_names
    }
    return pa.table(found)


def _meanings(rows: list[Row], assets: AssetList) -> list[Row]:
    """The columns of rows that change; rows that say the same are interpreted once."""
    known = _KNOWN.setdefault(assets, {})
    found = []
    for row in rows:
        said = sha256(repr(row).encode()).digest()
        if said not in known:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[said] = _meaning(row, assets)
        found.append(known[said])
    return found


def _meaning(row: Row, assets: AssetList) -> Row:
    """The columns of a row that change."""
    keys = keys_of((n["end"], n["kind"], _name(n["text"])) for n in row["names"] or ())
    said = End(None, (), _cleaned(row["source_zone"]), _level(row["source_level"]))
    about = End(None, (), _cleaned(row["target_zone"]), _level(row["target_level"]))
    ends = ends_of(keys, (said, about), assets, acts=bool(row["acts"]))
    tactics, strange_tactics = tactics_of(row["tactics"])
    techniques, strange_techniques = techniques_of(row["techniques"])
    return {
        **{name: _cleaned(row[name], limit) for name, limit in _LIMITS.items() if name in row},
        "tactics": tactics,
        "techniques": techniques,
        **_columns("source", ends.source),
        **_columns("target", ends.target),
        "entities": [{"kind": kind, "key": key, "role": role} for kind, key, role in ends.entities],
        "named": [{"address": address, "host": host} for address, host in ends.named],
        "unknown": [*(row["unknown"] or ()), *strange_tactics, *strange_techniques],
        "n_left_out": ends.n_left_out + (row["n_more"] or 0),
        "done": [*(row.get("done") or ()), *done_to(keys)],
    }


def _columns(end: str, found: End) -> Row:
    values = {"entity": found.entity, "zone": found.zone, "level": found.level, "role": found.role}
    return {f"{end}_{what}": value for what, value in values.items()}


def _cleaned(text: str | None, limit: int = VALUE_LIMIT) -> str | None:
    return None if text is None else clean(text, limit)


def _name(text: str | None) -> str | None:
    found = _cleaned(text)
    return None if found is None else found.strip(" ").lower()


def _level(number: float | None) -> float | None:
    """A Purdue level; what is none, such as the number NaN that a text may spell, would be above every other score."""
    return number if number is not None and 0 <= number <= 5 else None
