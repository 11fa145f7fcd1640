"""Text as YAML that reads back as it was: for files that are written for a person to go on with."""

from __future__ import annotations

import yaml


def quoted(text: str) -> str:
    r"""A text as a YAML scalar in double quotes, on one line and in ASCII alone.

    Examples
    --------
    >>> print(quoted('lake: "süd"'))
    "lake: \"s\xFCd\""
    """
    return yaml.safe_dump(text, default_style='"', width=float("inf")).rstrip("\n")
