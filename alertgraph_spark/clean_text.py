r"""Text of alerts is written by whoever attacks: it is cleaned once, where a line becomes an alert, and shown only escaped.

`clean_sql` is what every text passes on the way in; `clean` is the same in Python. `printed` is for the edges where text
leaves for a terminal or a log, and where there is also text that no alert became: a refused line, the name of a file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

NAME_LIMIT = 512
"""Characters of an alert's name that are kept. A name stands in memory once for each bin and each past hour: with 8 KB
100,000 names that somebody chose would be 800 MB of the driver's, with this 50 MB. The exported row has it whole."""

VALUE_LIMIT = 256
"""Characters that are kept of any other text of an alert: a host, an address, an account, a product, a rule's id, a word."""

_BLANKS = (
    *((0x09, 0x0D), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)),
    *((0x202F, 0x202F), (0x205F, 0x205F), (0x2800, 0x2800), (0x3000, 0x3000)),
)
"""Code points that separate words or lines, or look as if they did: what is White_Space in Unicode, the separators of
ASCII, and the empty Braille pattern."""

_INVISIBLE = (
    *((0x00, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F), (0xAD, 0xAD), (0x034F, 0x034F), (0x0600, 0x0605)),
    *((0x061C, 0x061C), (0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2), (0x115F, 0x1160)),
    *((0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164)),
    *((0xD800, 0xDFFF), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x110BD, 0x110BD)),
    *((0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
"""Code points that are seen as nothing or change how others are seen: control and format characters (Cc, Cf), what Unicode
calls Default_Ignorable_Code_Point, and halves of surrogate pairs. Listed, since Java and Python know different Unicodes."""


def _class(ranges: Iterable[tuple[int, int]], code_point: str) -> str:
    """A class of code points in a regular expression, each written as `code_point` does."""
    return "[" + "".join(f"{code_point % first}-{code_point % last}" for first, last in ranges) + "]"


_JAVA = r"\x{%x}"
_BLANK_RUN = re.compile(_class(_BLANKS, r"\U%08x") + "+")
_NOT_SEEN = re.compile(_class(_INVISIBLE, r"\U%08x"))
_BLANK_RUN_SQL = f"r'{_class(_BLANKS, _JAVA)}+'"
_NOT_SEEN_SQL = f"r'{_class(_INVISIBLE, _JAVA)}'"

_PLAIN_SQL = "r'^[ -~]++\\z'"
"""Letters of ASCII alone: nearly every text is that, and to look is cheaper than to replace nothing."""

_MARK = 16
"""Hexadecimal digits of the hash of a whole text behind what is kept of it."""


def clean(text: str, limit: int = VALUE_LIMIT) -> str | None:
    """Clean a text of an alert.

    Invisible code points are removed. Each run of blanks and line ends becomes one blank, and none stays at the ends. A
    longer text than `limit` ends in an ellipsis and the first 64 bits of its SHA-256, so that two long texts that
    differ stay two. Cleaning a clean text changes nothing.

    Parameters
    ----------
    text
        What a row says; an attacker may have written it.
    limit
        Most characters of the result.

    Returns
    -------
    str or None
        None where nothing is left that can be seen.

    Examples
    --------
    >>> clean("\\u202eport\\u200b  scan\\r\\n")
    'port scan'
    >>> clean("a" * 30, limit=20)
    'aaa…3a54fc0cbc0b0ef4'
    """
    seen = _BLANK_RUN.sub(" ", _NOT_SEEN.sub("", text)).strip(" ")
    if len(seen) > limit:
        seen = f"{seen[: limit - _MARK - 1]}…{hashlib.sha256(seen.encode()).hexdigest()[:_MARK]}"
    return seen or None


def clean_sql(text: str, limit: int = VALUE_LIMIT) -> str:
    """Write `clean` as Spark SQL.

    Its cost is linear in the length of the text. Null stays null.

    Parameters
    ----------
    text
        An expression of type string. It is read several times, so name a column or a variable of a lambda.
    limit
        Most characters of the result.

    Returns
    -------
    str
        An expression of type string.
    """
    seen = f"trim(regexp_replace(regexp_replace({text}, {_NOT_SEEN_SQL}, ''), {_BLANK_RUN_SQL}, ' '))"
    short = f"concat(left(t, {limit - _MARK - 1}), '…', left(sha2(t, 256), {_MARK}))"
    cut = f"transform(array({seen}), t -> nullif(if(length(t) > {limit}, {short}, t), ''))"
    # A blank at an end, or two together; a pattern that looks for either costs as much as the parse of the line.
    is_odd = f"not {text} rlike {_PLAIN_SQL} or contains(concat(' ', {text}, ' '), '  ')"
    return f"if({is_odd} or length({text}) > {limit}, try_element_at({cut}, 1), {text})"


def printed(text: str) -> str:
    r"""A text as one line for a terminal or a log: line ends and odd blanks are blanks, what is not seen is escaped.

    Clean text stays as it is, but for what a terminal could not show.

    Examples
    --------
    >>> print(printed("scan\r\n\x1b[2J\u202e"))
    scan  \x1b[2J\u202e
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text)


def printed_lines(text: str) -> str:
    """A text of several lines, each as `printed` gives it."""
    return "\n".join(map(printed, text.split("\n")))
