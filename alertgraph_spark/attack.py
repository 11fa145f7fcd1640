"""MITRE ATT&CK tactics, Enterprise (v13 to v19) and ICS, in one vocabulary.

Names drift: v19 retired Defense Evasion and split it into Stealth and Defense Impairment, Sentinel still says PreAttack.
So a name in any spelling is reduced to letters and looked up; an unknown one is dropped and counted, never an error.

References
----------
https://attack.mitre.org/tactics/enterprise/, https://attack.mitre.org/tactics/ics/
https://learn.microsoft.com/azure/sentinel/security-alert-schema (the spellings of Sentinel)
"""

from __future__ import annotations

STAGES = ("get in", "establish", "spread", "act")
"""Super-stages in causal order. The matrix's own column order is not causal: tactics repeat on each host."""

TACTICS: dict[str, str] = {
    "reconnaissance": "get in",
    "resource-development": "get in",
    "initial-access": "get in",
    "execution": "establish",
    "persistence": "establish",
    "privilege-escalation": "establish",
    "stealth": "establish",
    "evasion": "establish",
    "defense-impairment": "establish",
    "credential-access": "establish",
    "discovery": "spread",
    "lateral-movement": "spread",
    "collection": "act",
    "command-and-control": "act",
    "exfiltration": "act",
    "inhibit-response-function": "act",
    "impair-process-control": "act",
    "impact": "act",
}
"""Tactic, canonical short name, to super-stage; the order is the order of the matrix."""

OT_ACTS = ("inhibit-response-function", "impair-process-control", "impact")
"""Tactics by which an attacker acts on the process itself (ATT&CK for ICS)."""

_ALIASES = {"defenseevasion": "stealth", "preattack": "reconnaissance"}


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalpha())


TACTIC_SPELLINGS: dict[str, str] = {_letters(t): t for t in TACTICS} | _ALIASES
"""Tactic name reduced to its letters, in lower case, to the canonical short name."""


def canonical_tactic(name: str) -> str | None:
    """Canonical short name of a tactic in any spelling, or None if it is unknown.

    Examples
    --------
    >>> canonical_tactic("DefenseEvasion"), canonical_tactic("lateral_movement"), canonical_tactic("Theft")
    ('stealth', 'lateral-movement', None)
    """
    return TACTIC_SPELLINGS.get(_letters(name))
