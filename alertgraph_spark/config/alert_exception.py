"""What an exception is: what it names, who answers for it, why, and for how long."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

ENDS = ("entity", "source", "target")
"""Conditions that name a machine or a block of addresses."""

CONDITIONS = ("alert", *ENDS, "account", "motif", "site")
"""What an exception may name; it explains an episode only where all that it names holds."""

NEEDED = ("owner", "reason", "from", "until")
"""What each exception says beside that."""

COLUMNS = ("id", *CONDITIONS, *NEEDED, "ticket")
"""The columns of a list of exceptions; `id` and `ticket` may be left out."""

LONGEST = timedelta(days=366)
"""From `from` to `until` at most: whoever wants it longer looks at it again each year."""

ENDS_SOON = timedelta(days=14)
"""Before the end of an exception it is told that it ends: time for its owner to look at it again."""

ANY_END = "*"
"""At the end of an alert's name: any name that begins so."""


@dataclass(frozen=True)
class ListedRow:
    """One row of a list of exceptions as it stands there: its `place` (file and line) and its cells by column."""

    place: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class AlertException:
    r"""One exception: episodes that an owner has explained in advance.

    It hides, and deletes nothing. At least one of `CONDITIONS` is named, and all that are named must hold.

    Attributes
    ----------
    id
        Stays when owner, reason, ticket or end change: given, or the hash of what is named and of `begins`.
    begins, until
        It explains what became known from `begins` until before `until`; both are aware.
    alert
        The name of an alert, in any case; `ANY_END` at its end stands for whatever follows.
    entity
        Who acts; where an alert names no source, whom it is about. A key `kind:value`, or an IPv4 block.
    source, target
        The one end or the other, likewise; both together are a pair.
    account
        Key of the only account of an episode.
    motif
        Id of a motif: the episodes of its matches.
    site
        The one workspace in which it holds; None for all.
    """

    id: str
    owner: str
    reason: str
    begins: datetime
    until: datetime
    ticket: str | None = None
    alert: str | None = None
    entity: str | None = None
    source: str | None = None
    target: str | None = None
    account: str | None = None
    motif: str | None = None
    site: str | None = None

    @property
    def names(self) -> str:
        """What it names, in words: `alert Port scan; source host:scan01`."""
        named = ((condition, getattr(self, condition)) for condition in CONDITIONS)
        return "; ".join(f"{condition} {value}" for condition, value in named if value)


def digest_of(exceptions: Sequence[AlertException]) -> str:
    """Twelve hex digits of the SHA-256 of all that the exceptions say, in any order; equal lists have equal ones."""
    said = json.dumps(sorted((asdict(one) for one in exceptions), key=lambda one: str(one["id"])), default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:12]
