"""Severity in [0, 1] from a product's word or number, as SQL."""

from __future__ import annotations

from collections.abc import Mapping

from alertgraph_spark.normalise.columns import sql_text


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
