"""The labels of products in ATT&CK's words, and those that no table knows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from alertgraph_spark.clean_text import clean
from alertgraph_spark.tables.attack import NO_TACTIC, REVOKED_TECHNIQUES, TACTIC_SPELLINGS

_ABOUT_A_TACTIC = re.compile(r"(?i)^\s?attack[.:]|^\s?TA[0-9]{4}\s?[-:]\s?(?=[A-Z])|\s?\(TA[0-9]{4}\)")
"""What stands around a tactic's name: the tag of Sigma and MISP, its id before or behind it."""

_TECHNIQUE = re.compile(r"(?i)(?<![A-Za-z0-9])(T[0-9]{4}(?:[.][0-9]{3})?)(?![.]?[A-Za-z0-9])")
"""The id of a technique, alone, in a tag or beside its name: `attack.t1059`, `Masquerading (T1036)`."""

_NO_LETTER = re.compile("[^a-z0-9]")
_MEMORY = 1 << 12

Known = tuple[list[str], list[str]]
"""What is known of some labels, each once, and those that no table knows, as `tactic: Theft`."""


def tactics_of(names: Iterable[str | None] | None) -> Known:
    """The tactics of names or ids, as ATT&CK's short names."""
    return _known(names, "tactic")


def techniques_of(ids: Iterable[str | None] | None) -> Known:
    """The ids of techniques; in place of a revoked one stands the one that took its place."""
    return _known(ids, "technique")


def _known(labels: Iterable[str | None] | None, kind: str) -> Known:
    found: dict[str, None] = {}
    strange = []
    for label in labels or ():
        said = None if label is None else clean(label)
        if said is None:
            continue
        known, plain = _LOOK_UP[kind](said)
        if known:
            found[known] = None
        elif plain not in NO_TACTIC:
            strange.append(f"{kind}: {said}")
    return list(found), strange


@lru_cache(_MEMORY)
def _tactic(said: str) -> tuple[str | None, str]:
    plain = _plain(_ABOUT_A_TACTIC.sub("", said))
    return TACTIC_SPELLINGS.get(plain), plain


@lru_cache(_MEMORY)
def _technique(said: str) -> tuple[str | None, str]:
    found = _TECHNIQUE.search(said)
    id_ = found.group(1).upper() if found else None
    return id_ and REVOKED_TECHNIQUES.get(id_, id_), _plain(said)


_LOOK_UP = {"tactic": _tactic, "technique": _technique}


def _plain(name: str) -> str:
    return _NO_LETTER.sub("", name.lower())
