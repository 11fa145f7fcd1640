"""One spelling for one label of a host's name: letters composed (NFC), an IDN's ASCII form (punycode) read.

References
----------
RFC 3492 (punycode), Unicode Standard Annex 15 (composition)
"""

from __future__ import annotations

import unicodedata

from alertgraph_spark.clean_text import clean

_FAR = 200
"""Characters within which a name has a letter."""


def first_label(name: str) -> str:
    """The first label of a host's name in lower case, with its letters composed: macOS writes two for `ü`.

    The dot of the root is no label, nor is the `$` behind a machine's account.
    """
    label = name.rstrip(".$").partition(".")[0].strip(" ")
    return label if label.isascii() else unicodedata.normalize("NFC", label)


def is_name(text: str) -> bool:
    """Whether a text where an address belongs is the name of a host: letters, digits, `_.-`, and a letter among them."""
    if not text or not (_is(text[0], "LN") or text[0] == "_"):
        return False
    return all(_is(c, "LMN") or c in "_.-" for c in text) and any(_is(c, "L") for c in text[: _FAR + 1])


def _is(character: str, kinds: str) -> bool:
    return unicodedata.category(character)[0] in kinds


def decoded(label: str) -> str:
    """A label out of punycode (`xn--bro-pc7-n2a` is `büro-pc7`); any other stays, and so does what cannot be read or seen."""
    if not label.startswith("xn--"):
        return label
    try:
        found = label[4:].encode("ascii").decode("punycode").lower()
    except UnicodeError:
        return label
    return found if clean(found) == found else label
