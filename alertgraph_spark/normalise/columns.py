"""Expressions that several stages on Spark share: an empty array, and a text in SQL."""

from __future__ import annotations

NO_TEXTS = "cast(array() as array<string>)"
"""An empty array of texts in SQL: `array()` alone has no type."""


def sql_text(text: str) -> str:
    r"""A text as it is written in Spark SQL.

    Examples
    --------
    >>> print(sql_text("plant's \\ office"))
    'plant\'s \\ office'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
