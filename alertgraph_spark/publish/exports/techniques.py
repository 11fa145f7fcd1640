"""What ATT&CK calls a technique, and which of its matrices it is of."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from alertgraph_spark.tables.attack import TACTIC_SPELLINGS

ENTERPRISE, ICS = "enterprise", "ics"

DOMAINS = {ENTERPRISE: "enterprise-attack", ICS: "ics-attack"}
"""What MITRE's own data calls each matrix."""

VERSION = "19"
"""The version of ATT&CK that our vocabulary is of (`tables.attack`)."""

_ID = re.compile(r"T\d{4}(?:\.\d{3})?")
_ICS_TACTICS = frozenset(f"TA{n:04}" for n in range(100, 112))


class Technique(NamedTuple):
    """A technique: its id (T0855, T1021.002), the matrix, the name with that of its parent, and where ATT&CK tells of it.

    Of an id that we have no name of, the name is the id.
    """

    id: str
    matrix: str
    name: str

    @property
    def url(self) -> str:
        """The page of the technique."""
        return f"https://attack.mitre.org/techniques/{self.id.replace('.', '/')}"


class Tactic(NamedTuple):
    """A tactic: its id in a matrix (TA0008, TA0109), and its name."""

    id: str
    name: str


def technique(text: str) -> Technique | None:
    """The technique of an id as an alert gives it; None where it is none, for an alert may say anything.

    Examples
    --------
    >>> technique("T1021.002")
    Technique(id='T1021.002', matrix='enterprise', name='Remote Services: SMB/Windows Admin Shares')
    >>> technique("T0855").matrix, technique("T9999").name, technique("T1021; rm")
    ('ics', 'T9999', None)
    """
    if not _ID.fullmatch(text):
        return None
    matrix, name = _known().get(text, (ICS if text < "T1" else ENTERPRISE, text))
    parent = _known().get(text.partition(".")[0])
    return Technique(text, matrix, f"{parent[1]}: {name}" if parent and "." in text and name != text else name)


def tactic(short_name: str, matrix: str) -> Tactic:
    """A tactic of `tables.attack.TACTICS` in a matrix, or in the other where the matrix has it not.

    Examples
    --------
    >>> tactic("lateral-movement", "ics"), tactic("impair-process-control", "enterprise")
    (Tactic(id='TA0109', name='Lateral Movement'), Tactic(id='TA0106', name='Impair Process Control'))
    """
    ids = [spelt.upper() for spelt, name in TACTIC_SPELLINGS.items() if name == short_name and spelt[:2] == "ta"]
    of_matrix = [i for i in ids if i[2:].isdecimal() and (i in _ICS_TACTICS) == (matrix == ICS)]
    words = " ".join(word if word == "and" else word.title() for word in short_name.split("-"))
    return Tactic((of_matrix or ids)[0], words)


@lru_cache(maxsize=1)
def _known() -> dict[str, tuple[str, str]]:
    """Id to matrix and name."""
    text = files(__package__).joinpath("techniques.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {technique_id: (matrix, name) for technique_id, matrix, name in rows}
