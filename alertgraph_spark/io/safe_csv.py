"""CSV text of a few rows that an analyst may open in a spreadsheet without running what an attacker wrote into an alert."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows under the names of the first as CSV, lists and records as JSON; no rows give an empty text.

    Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay as they are.

    References
    ----------
    https://owasp.org/www-community/attacks/CSV_Injection

    Examples
    --------
    >>> print(csv_text([{"rank": 1, "summary": "=cmd()", "motifs": ["pivot"]}]), end="")
    rank,summary,motifs
    1,'=cmd(),"[""pivot""]"
    """
    out = io.StringIO()
    lines = [list(rows[0]), *([_cell(row[name]) for name in rows[0]] for row in rows)] if rows else []
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue()


def _cell(value: Any) -> Any:
    text = json.dumps(value, default=str) if isinstance(value, list | tuple | dict) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text
