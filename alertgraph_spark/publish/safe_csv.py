"""CSV text of a few rows that an analyst may open in a spreadsheet without running what an attacker wrote into an alert."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows under the names of the first as CSV, every cell in quotes, lists and records as JSON; no rows, no text.

    Text that a spreadsheet would run as a formula gets an apostrophe in front (`safe_cell`); numbers stay as they are.

    Examples
    --------
    >>> print(csv_text([{"rank": 1, "summary": "=cmd()", "motifs": ["pivot"]}]), end="")
    "rank","summary","motifs"
    "1","'=cmd()","[""pivot""]"
    """
    out = io.StringIO()
    lines = [list(rows[0]), *([_cell(row[name]) for name in rows[0]] for row in rows)] if rows else []
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(lines)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return safe_cell(json.dumps(value, default=str) if isinstance(value, list | tuple | dict) else value)


def safe_cell(value: Any) -> Any:
    """A text with an apostrophe before each sign that a formula begins with, where a cell begins; any other value as it is.

    A cell begins with the text, behind a line end or tab, and behind `;`, which separates cells where `,` is the decimal
    point; blanks in front count as nothing. Signs are `=`, `+`, `-`, `@` and their full-width forms.

    References
    ----------
    https://owasp.org/www-community/attacks/CSV_Injection
    """

    def guarded(match: re.Match[str]) -> str:
        gap, sign = match.groups()
        begins_cell = match.start() == 0 or not set(";\t\r\n").isdisjoint(gap)
        return f"{gap}'{sign}" if begins_cell and sign in tuple("=+-@＝＋－＠") else match[0]

    # Whole runs of blanks at a time, with whatever stands behind: what looks behind each blank anew is quadratic.
    return re.sub(r"(^[;\s]*|[;\s]+)(.?)", guarded, value) if isinstance(value, str) else value
