"""The words of products as Column expressions: severity in [0, 1], ATT&CK tactics and techniques, and what is unknown."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from alertgraph_spark.attack import NO_TACTIC, REVOKED_TECHNIQUES, TACTIC_SPELLINGS

_TECHNIQUE = r"^T\d{4}(\.\d{3})?$"


def severity_of(expression: str | None, scale: Mapping[str, float]) -> Column:
    """Severity in [0, 1] by the product's scale; null for a word that the scale does not know, or where none is given.

    Without a scale the expression is a number in [0, 1]; what lies outside is moved to the nearer end.
    """
    if expression is None:
        return F.lit(None).cast("double")
    if not scale:
        degree = F.expr(f"try_cast({expression} as double)")
        return F.when(degree.isNotNull(), F.greatest(F.lit(0.0), F.least(F.lit(1.0), degree)))
    steps = [F.when(_word(expression) == F.lit(known), F.lit(float(degree))) for known, degree in scale.items()]
    return F.coalesce(*steps, F.lit(None).cast("double"))


def tactics_of(names: Column | None) -> Column:
    """Canonical tactics of an array of names or ids in any spelling, each once; unknown names are left out."""
    return _texts(names if names is None else F.array_distinct(_known(F.transform(names, _tactic))))


def techniques_of(ids: Column | None) -> Column:
    """Technique ids in upper case, each once, a revoked one as the one in its place; what is no id is left out."""
    return _texts(ids if ids is None else F.array_distinct(_known(F.transform(ids, _technique))))


def unknown_words(
    expression: str | None, scale: Mapping[str, float], tactics: Column | None, techniques: Column | None
) -> Column:
    """What none of the above understood, as `severity: urgent` or `tactic: Theft`; an empty array for nearly every alert."""
    found = []
    if expression is not None and scale:
        word = _word(expression)
        is_unknown = ~word.isin(*scale) & (word != "")
        found.append(F.when(is_unknown, F.array(F.concat(F.lit("severity: "), word))))
    if tactics is not None:
        strange = F.filter(tactics, lambda t: _tactic(t).isNull() & ~_plain(t).isin(*NO_TACTIC))
        found.append(F.transform(strange, lambda t: F.concat(F.lit("tactic: "), F.trim(t))))
    if techniques is not None:
        strange = F.filter(techniques, lambda t: _technique(t).isNull() & ~_plain(t).isin(*NO_TACTIC))
        found.append(F.transform(strange, lambda t: F.concat(F.lit("technique: "), F.trim(t))))
    return F.concat(*[_texts(words) for words in found]) if found else _texts(None)


def _word(expression: str) -> Column:
    return F.lower(F.trim(F.expr(expression).cast("string")))


def _plain(name: Column) -> Column:
    return F.regexp_replace(F.lower(name), "[^a-z0-9]", "")


def _tactic(name: Column) -> Column:
    return _look_up(TACTIC_SPELLINGS, _plain(name))


def _technique(name: Column) -> Column:
    plain = F.upper(F.trim(name))
    return F.when(plain.rlike(_TECHNIQUE), F.coalesce(_look_up(REVOKED_TECHNIQUES, plain), plain))


def _look_up(table: Mapping[str, str], key: Column) -> Column:
    """The value of a key, or null. One literal: each of Spark's rules would walk a map of hundreds, time and again."""
    text = F.lit("".join(f" {known}:{value}" for known, value in table.items()) + " ")
    mark = F.concat(F.lit(" "), key, F.lit(":"))
    tail = F.call_function("substring_index", text, mark, F.lit(-1))
    return F.when(text.contains(mark), F.substring_index(tail, " ", 1))


def _known(words: Column) -> Column:
    return F.filter(words, lambda word: word.isNotNull())


def _texts(words: Column | None) -> Column:
    empty = F.array().cast("array<string>")
    return empty if words is None else F.coalesce(words, empty)
