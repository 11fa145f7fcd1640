r"""Display text is cut here and nowhere else: the tables keep a text whole, and each surface shows what it has room for.

What is shown passes `clean_text` first, so it holds no control character and no mark of direction. What is left is long: a
name of 5,000 letters, one word of 250, a letter under a hundred accents. The KQL of the workbook and of the incident rule
does the same in its own words (`deploy/sentinel/short.kql`); a test holds the two together.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LINE = 300
"""A line of a terminal, behind its columns: the longest of the example plant's has 190 characters."""

HEADING = 200
"""A heading, and an incident's title: at four bytes a letter still one line of a mail, which holds 998 (RFC 5322, 2.1.1)."""

CELL = 160
"""A cell of a table: three lines of the report's column of names, one line of the workbook's."""

LABEL = 40
"""A name beside a node of a drawing: an IPv6 address, which has up to 39 characters, is whole."""

SENTENCE = 600
"""A sentence of a story, a fact, a summary, the begin of a raw row: a sentence quotes up to three names."""

STORY, CHECKS = 2500, 1000
"""Sentences one behind the other, in an incident's description."""

QUOTED = 120
"""A name inside a sentence."""

WORD = 64
"""A word. The longest honest ones fit: a label of a host's name has 63 letters (RFC 1035, 2.3.4), a SHA-256 has 64 digits."""

_WORD_TAIL = 16
"""The end of a long word that stays: there is the hash by which `clean_text` tells two long texts apart."""

MARKS = 4
"""Combining marks on one letter. No living script needs more; a hundred of them cover the lines above and below."""

_LONG_WORD = re.compile(rf"(?<!\S)\S{{{WORD + 1},}}")


def many(n: int, word: str) -> str:
    """Give a number with its noun.

    Parameters
    ----------
    n
        The number.
    word
        The noun in the singular. Its plural ends in s.

    Returns
    -------
    str
        The number has commas between thousands.

    Examples
    --------
    >>> many(1, "alert"), many(1200, "alert")
    ('1 alert', '1,200 alerts')
    """
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def short(text: str, width: int) -> str:
    """Shorten a text to the room that there is for it.

    A letter keeps `MARKS` of its marks. A word of more than `WORD` characters keeps its beginning and its end. Nothing
    is cut between a letter and its marks.

    Parameters
    ----------
    text
        A clean text.
    width
        Most characters of the result.

    Returns
    -------
    str
        The text, or its beginning and an ellipsis.

    Examples
    --------
    >>> short("Port scan", 20), short("Port scan of the plant", 12)
    ('Port scan', 'Port scan o…')
    >>> short("a" * 60 + "b" * 60, 200)
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…bbbbbbbbbbbbbbbb'
    >>> short("Zo" + 300 * chr(0x301), 20) == "Zo" + 4 * chr(0x301)
    True
    """
    if len(text) <= min(width, MARKS) or (text.isascii() and len(text) <= min(width, WORD)):
        return text
    pile, middle, last_letter = _patterns()
    few = text if text.isascii() else pile.sub(r"\1", text)
    seen = _LONG_WORD.sub(lambda word: middle.sub(r"\1…\2", word[0]), few)
    return seen if len(seen) <= width else f"{last_letter.sub('', seen[:width])}…"


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], ...]:
    """More marks than a letter keeps; a long word, with the begin and end that stay; a text's last letter.

    A mark is a combining one, or the skin of an emoji. `re` has no class of them: it is made when first needed. Above U+1F000
    there are only marks that `clean_text` removes.
    """
    marks = "".join(c for c in map(chr, range(0x300, 0x1F000)) if unicodedata.category(c)[0] == "M")
    low = "".join(c for c in marks if c < "\U00010000")
    high = f"{''.join(c for c in marks if c not in low)}\U0001f3fb-\U0001f3ff"
    # Two classes: `re` looks a character up in one of the first plane, and compares it with each of a mixed one.
    mark = f"(?:[{low}]|(?=[\U00010000-\U0010ffff])[{high}])"
    head, tail = WORD - 1 - _WORD_TAIL, _WORD_TAIL - 1
    return (
        re.compile(f"({mark}{{{MARKS}}}){mark}+"),
        re.compile(rf"(\S{{{head}}}{mark}*)\S{{2,}}((?!{mark})\S\S{{{tail},{tail + MARKS}}})"),
        re.compile(rf"\s*(?!{mark}).{mark}*$"),
    )
