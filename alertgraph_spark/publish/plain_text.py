"""Text of alerts that leaves for another program: it may show it as Markdown or HTML, or make links of it."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from alertgraph_spark.clean_text import clean
from alertgraph_spark.short_text import SENTENCE, WORD, short

_LINK = re.compile(r"(?i)\b(?:ht|f)tp(s?)://")
_MARKUP = re.compile(r"[<>\[\]{}`*|!#~]+")

LONGEST = 100_000
"""Characters of one text that are looked at: what a run says has fewer."""


def plain(text: str | None, width: int = SENTENCE) -> str:
    r"""A text without what Markdown, HTML or a terminal would act on, at most `width` characters and an ellipsis.

    Signs of markup are blanks and `https://` is `hxxps://`, as in an incident; what is not seen is gone.

    Examples
    --------
    >>> plain("![x](https://evil.example) <img src=x>\x1b")
    'x (hxxps://evil.example) img src=x'
    """
    seen = _MARKUP.sub(" ", _LINK.sub(lambda link: f"hxxp{link[1].lower()}://", text or ""))
    return short(clean(seen, LONGEST) or "", width)


def clock(time: datetime) -> str:
    """A time for a person, UTC, to the minute."""
    return f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M}"


def label(key: str) -> str:
    r"""An entity key without its kind, as a sentence names it.

    Examples
    --------
    >>> print(label(r"account:corp\ann"), label("host:ws1"))
    corp\ann ws1
    """
    return plain(key.partition(":")[2] or key, WORD)
