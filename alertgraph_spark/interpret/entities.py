"""Entity keys and zones: one spelling for one machine, address or account, and none for what names nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from alertgraph_spark.interpret.accounts import account_key, listed_accounts, without_claim
from alertgraph_spark.interpret.addresses import MAC, PLAIN_IPV4, address_of, bare, ip_key, is_block, mac_key
from alertgraph_spark.interpret.host_names import decoded, first_label, is_name

PLACEHOLDERS = frozenset(
    {
        *("", "-", "n/a", "na", "none", "null", "unknown", "*", "(null)", "undefined"),
        *("localhost", "localhost.localdomain", "localhost4", "localhost6"),
    }
)
"""Values that name nothing: two alerts that both say "N/A" have nothing in common."""

NOBODY = "nobody"
"""The end of a name that is no placeholder and has no key: a loopback, a block, an account of every machine."""

_PLAIN_HOST = re.compile(r"^(?!xn--)[a-z][a-z0-9_\-]*(?:[.][a-z0-9_\-]+)*$")
"""A host as it is written: nearly every name is one."""

_NUMBERS = re.compile("^[0-9]*[.][0-9.]*$")
_LISTED = re.compile(r"[,;|]\s*|\s+")

_QUOTES = re.compile(
    r"^\[?\s?[\x22\x27]+|(?<![\x22\x27])[\x22\x27]+(?:\s?\]?$|(?=\s?,))|(?:(?<=,)|(?<=,\s))[\x22\x27]+"
)
"""What stands around the names of a list as JSON and Python write it: `["10.1.0.5", "10.1.0.6"]`, and around one name."""

_PRIVATE = re.compile(
    r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|169\.254\."
    r"|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|f[cd]|fe80:)"
)

_MEMORY = 1 << 16
"""Names whose keys are remembered: the same few come again and again."""


class Key(NamedTuple):
    """What one name of a row means.

    Its `end` (source, target, other, or `NOBODY`), the `kind` that the format gives the name, its `place` from 0 in a list,
    the text as it is `said`, and the `key` `kind:value`, None for `NOBODY`.
    """

    end: str
    kind: str
    place: int
    said: str
    key: str | None


def keys_of(names: Iterable[tuple[str, str, str | None]]) -> list[Key]:
    r"""The keys of all names of a row, in their order; one name is its end, its kind and its text in lower case.

    What is None or a placeholder is left out. A host is its first label (`FS01.corp.example` and `FS01` are one machine of a
    site), or an address where the product writes one in its place; a host's name where an address belongs is the host. An
    address has one key in every spelling; `j.meyer@corp.example` and `CORP\j.meyer` are one account. A name may be a list.
    The account of a machine that the row names (`FS01$` beside FS01) is that machine, and left out; any other with a `$` is
    a managed service account.
    """
    found = [
        Key(end if key else NOBODY, kind, place, said, key)
        for end, kind, text in names
        if text is not None
        for place, said, key in _keys(kind, text)
    ]
    managed = [k.key for k in found if k.kind == "account" and k.key and k.key.endswith("$")]
    if managed:
        hosts = {k.key for k in found}
        machines = {
            key for key in managed if f"host:{key[len('account:') :].rpartition(chr(92))[2].rstrip('$')}" in hosts
        }
        found = [k for k in found if k.kind != "account" or k.key not in machines]
    return found


def key_of(kind: str, text: str | None) -> str | None:
    """The key of what a text names, or None; of a list the first that has one."""
    said = () if text is None else _keys(kind, text.strip(" ").lower())
    return next((key for _, _, key in said if key), None)


@lru_cache(_MEMORY)
def _keys(kind: str, text: str) -> tuple[tuple[int, str, str | None], ...]:
    """Place, part and key of each part of a text that is no placeholder."""
    if text[:1] in ("[", '"', "'"):
        text = _QUOTES.sub("", text)
    found = []
    for place, said in enumerate(_parts(kind, text)):
        part = (without_claim(said) if kind == "account" else said).strip(" ")
        if part not in PLACEHOLDERS:
            found.append((place, said, _key(kind, part)))
    return tuple(found)


def _parts(kind: str, text: str) -> list[str]:
    if kind == "account":
        return listed_accounts(text)
    if kind in ("ip", "mac"):
        return _LISTED.split(text)
    return re.split("[,;]", text) if kind == "host" else [text]


def _key(kind: str, text: str) -> str | None:
    if kind == "account":
        return account_key(text, PLACEHOLDERS)
    if kind == "device":
        return f"device:{text}"
    if PLAIN_IPV4.match(text):
        return ip_key(text)
    if kind == "mac" or MAC.match(text):
        return mac_key(text)
    return f"host:{text.partition('.')[0]}" if _PLAIN_HOST.match(text) else _odd_key(kind, text)


def _odd_key(kind: str, text: str) -> str | None:
    """The key of an address or a host that is written in no usual form."""
    core, prefix = bare(text)
    address = address_of(core)
    if address is not None:
        return None if is_block(address, prefix) else ip_key(address)
    label = first_label(core)
    is_host = is_name(core) if kind == "ip" else not _NUMBERS.match(core)
    return f"host:{decoded(label)}" if is_host and label not in PLACEHOLDERS else None


def is_private(key: str) -> bool:
    """Whether an `ip:` key is of a private, link-local or carrier-grade range (RFC 1918, 3927, 6598, 4193)."""
    return _PRIVATE.match(key[3:]) is not None


def zone_of(key: str | None, known: str | None, other: str | None) -> str | None:
    """Zone of an end: what asset list, product or protocol say, else external for a public address, else unknown.

    A public address is external unless the `other` end lies in the same /24: whole plants use public addresses inside.
    """
    if key is None or known is not None:
        return known if key is not None else None
    if not key.startswith("ip:") or is_private(key):
        return "unknown"
    is_neighbour = "." in key and other is not None and key.split(".")[:3] == other.split(".")[:3]
    return "unknown" if is_neighbour else "external"
