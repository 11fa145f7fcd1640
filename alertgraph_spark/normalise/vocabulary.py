"""The words of products as SQL: severity in [0, 1], ATT&CK tactics and techniques, and what is unknown.

As text, for a text is one call to the JVM where a tree of columns is hundreds.
"""

from __future__ import annotations

from collections.abc import Mapping

from alertgraph_spark.normalise.columns import NO_TEXTS, sql_text
from alertgraph_spark.tables.attack import NO_TACTIC, REVOKED_TECHNIQUES, TACTIC_SPELLINGS

_ABOUT_A_TACTIC = r"(?i)^\s?attack[.:]|^\s?TA[0-9]{4}\s?[-:]\s?(?=[A-Z])|\s?\(TA[0-9]{4}\)"
"""What stands around a tactic's name: the tag of Sigma and MISP, its id before or behind it."""

_TECHNIQUE = r"(?i)(?<![A-Za-z0-9])(T[0-9]{4}(?:[.][0-9]{3})?)(?![.]?[A-Za-z0-9])"
"""The id of a technique, alone, in a tag or beside its name: `attack.t1059`, `Masquerading (T1036)`."""

_NONE = ", ".join(map(sql_text, NO_TACTIC))


def severity_of(word: str, scale: Mapping[str, float]) -> str:
    """Severity in [0, 1] by the product's scale; null for a word that the scale does not know.

    Without a scale the word is a number in [0, 1]; what lies outside is moved to the nearer end.
    """
    if not scale:
        return f"if({word} is null, null, greatest(0D, least(1D, {word})))"
    steps = ", ".join(f"{sql_text(known)}, {float(degree)!r}D" for known, degree in scale.items())
    return f"try_element_at(map({steps}), {word})"


def highest_word(words: str, scale: Mapping[str, float]) -> str:
    """Of an array of words the one that stands highest on the scale, in lower case; of words that it does not know any."""
    lowered = f"transform({words}, w -> lower(trim(w)))"
    return f"array_max(transform({lowered}, w -> struct(coalesce({severity_of('w', scale)}, -1D) as degree, w as word))).word"


def tactic_words(names: str) -> str:
    """Each of an array of names or ids as `struct<said,plain,known>`: as it is said, its letters, and the tactic or null."""
    bare = f"regexp_replace(t, r'{_ABOUT_A_TACTIC}', '')"
    said = f"transform({names}, t -> named_struct('said', t, 'plain', {_plain(bare)}))"
    known = _look_up(TACTIC_SPELLINGS, "w.plain")
    return f"transform({said}, w -> named_struct('said', w.said, 'plain', w.plain, 'known', {known}))"


def technique_words(ids: str) -> str:
    """Each of an array of technique ids as `tactic_words` gives names; a revoked one is known as the one in its place."""
    said = f"transform({ids}, t -> named_struct('said', t, 'id', upper(regexp_extract(t, r'{_TECHNIQUE}', 1))))"
    known = f"if(w.id = '', null, coalesce({_look_up(REVOKED_TECHNIQUES, 'w.id')}, w.id))"
    return f"transform({said}, w -> named_struct('said', w.said, 'plain', {_plain('w.said')}, 'known', {known}))"


def known_words(words: str) -> str:
    """What is known of such words, each once; an empty array where there are none."""
    known = f"filter(transform({words}, w -> w.known), k -> k is not null)"
    return f"coalesce(array_distinct({known}), {NO_TEXTS})"


def strange_words(words: str, label: str) -> str:
    """Those that no table knows, as `tactic: Theft`; an empty array for nearly every alert."""
    strange = f"filter({words}, w -> w.known is null and not w.plain in ({_NONE}))"
    told = f"transform({strange}, w -> concat({sql_text(label + ': ')}, trim(w.said)))"
    return f"coalesce({told}, {NO_TEXTS})"


def _plain(name: str) -> str:
    return f"regexp_replace(lower({name}), '[^a-z0-9]', '')"


def _look_up(table: Mapping[str, str], key: str) -> str:
    """The value of a key, or null. One literal: each of Spark's rules would walk a map of hundreds, time and again."""
    text = sql_text("".join(f" {known}:{value}" for known, value in table.items()) + " ")
    mark = f"concat(' ', {key}, ':')"
    return f"if(contains({text}, {mark}), substring_index(substring_index({text}, {mark}, -1), ' ', 1), null)"
