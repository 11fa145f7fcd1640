"""A secret that stays out of sight, and the reference to it that a configuration may hold.

`default` is no secret: azure-identity's chain signs in. `env:NAME` is an environment variable,
`keyvault://VAULT/NAME` a secret of an Azure Key Vault (`?linked_service=NAME` for the one that opens it on Synapse) and
`dbx://SCOPE/KEY` a Databricks secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

# A vault is named alone, or by its host in any cloud. No part may be as long as a pasted key, nor hold its characters.
REFERENCE = (
    r"default|env:[A-Za-z_]\w*"
    r"|(?i:keyvault)://[A-Za-z][A-Za-z0-9-]{2,23}(?i:\.vault\.(?:azure\.net|azure\.cn|usgovcloudapi\.net))?"
    r"/[A-Za-z0-9-]{1,127}(?:\?linked_service=[\w -]{1,140})?"
    r"|(?i:dbx)://[\w.@ -]{1,128}/[\w.-]{1,128}"
)
"""What a reference looks like, for `re.fullmatch`."""

REFERENCE_WORDS = "`default`, `env:NAME`, `keyvault://VAULT/NAME` or `dbx://SCOPE/KEY`"

NAMED_REFERENCE = REFERENCE.removeprefix("default|")
"""What a reference looks like where nothing but a secret will do, for `re.fullmatch`."""

NAMED_REFERENCE_WORDS = REFERENCE_WORDS.removeprefix("`default`, ")


class Secret:
    """A value that shows itself as `***` and refuses to be pickled, so it enters no log, plan or closure."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep `value` out of sight."""
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        """Return three stars."""
        return "***"

    def __reduce__(self) -> NoReturn:
        """Refuse: a pickled secret would travel in plain text."""
        raise TypeError("a secret cannot be pickled; pass its reference and resolve it where it is used")


@dataclass(frozen=True)
class Reference:
    """A reference, taken apart: `place` is a vault or a scope, empty for a variable; `name` is empty for `default`."""

    kind: str
    place: str = ""
    name: str = ""
    linked_service: str = ""

    @property
    def is_for_the_driver(self) -> bool:
        """Whether only the driver can resolve it: vaults and scopes are asked once, not by every executor."""
        return self.kind in ("keyvault", "dbx")


def parse_reference(text: str) -> Reference | None:
    """Take a reference apart; None if it is none, and then it may be a secret that was pasted: do not repeat it.

    Examples
    --------
    >>> parse_reference("keyvault://Vault-1/export-key")
    Reference(kind='keyvault', place='vault-1', name='export-key', linked_service='')
    >>> parse_reference("hunter2") is None
    True
    """
    if not re.fullmatch(REFERENCE, text):
        return None
    kind, _, rest = text.partition(":")
    if kind in ("default", "env"):
        return Reference(kind, name=rest)
    path, _, linked_service = rest[2:].partition("?linked_service=")
    place, _, name = path.partition("/")
    kind = kind.lower()
    return Reference(kind, place.lower() if kind == "keyvault" else place, name, linked_service)
