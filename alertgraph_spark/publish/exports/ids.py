"""Ids of exported objects: made of what the object is, so that it has one id in every export of every run."""

from __future__ import annotations

import json
from uuid import UUID, uuid5

OURS = UUID("6b0e3d0c-9a57-5b0c-8f44-1d3c2f7b5a90")
"""The namespace of our ids; never to be changed, or what was imported before stands there twice."""

STIX_OBSERVABLES = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The namespace of observables that are the same object whoever names them.

References
----------
STIX 2.1, section 2.9 (Identifier): https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html
"""


def stix_id(kind: str, *parts: str) -> str:
    """The id of a STIX object of a kind: UUIDv5 over its kind and what tells it from others of it.

    Examples
    --------
    >>> stix_id("infrastructure", "plant", "host:ws1") == stix_id("infrastructure", "plant", "host:ws1")
    True
    >>> stix_id("infrastructure", "a", "bc") == stix_id("infrastructure", "ab", "c")
    False
    """
    return f"{kind}--{uuid5(OURS, json.dumps([kind, *parts]))}"


def shared_id(kind: str, value: str) -> str:
    """The id that STIX itself gives an observable that its `value` alone makes, as a public address.

    Examples
    --------
    >>> shared_id("ipv4-addr", "8.8.8.8")
    'ipv4-addr--2f689bf9-0ff2-545f-aa61-e495eb8cecc7'
    """
    return f"{kind}--{uuid5(STIX_OBSERVABLES, json.dumps({'value': value}, separators=(',', ':')))}"
