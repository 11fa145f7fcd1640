"""The ends of an alert and its other entities: what the keys of a row's names say, with what the asset list knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from alertgraph_spark.interpret.asset_list import AssetList, End
from alertgraph_spark.interpret.entities import NOBODY, Key, zone_of

MOST_OTHERS = 50
"""Accounts, and other entities beside its two ends, that an alert keeps. An alert of Sentinel names a handful, and 500 at the
most of all kinds (learn.microsoft.com/azure/sentinel/map-data-fields-to-entities); one forged line names thousands, each of
which would be asked for links."""

_ADDRESS = re.compile("^(?:mac:|ip:(?!fe80:|169[.]254[.]))")
"""An address that tells a machine; one of a link is another machine's on the next."""

_NAMED = ("host:", "device:")


class Ends(NamedTuple):
    """Both ends of an alert, its entities as `(kind, key, role)`, the address and host that it says belong together, and how
    many entities are more than an alert keeps.
    """

    source: End
    target: End
    entities: list[tuple[str, str, str]]
    named: list[tuple[str, str]]
    n_left_out: int


def ends_of(keys: Sequence[Key], said: tuple[End, End], assets: AssetList, *, acts: bool) -> Ends:
    """Settle the source and the target of an alert.

    An alert whose two ends are one machine is about that machine, and has no source. An alert that names no target is
    about its source, and has none, unless it `acts`. An alert that names no end is about the first of its other
    entities.

    Parameters
    ----------
    keys
        The keys of its names, as `entities.keys_of` gives them.
    said
        Of source and target the zone and the Purdue level that the product says.
    assets
        The asset list: it resolves addresses to hosts.
    acts
        Whether the alert tells of an act of its source, so that it has a source without a target.

    Returns
    -------
    Ends
        Both ends with their zones, and the other entities.
    """
    first, second = (
        assets.resolved(_end(keys, end, fact)) for end, fact in zip(("source", "target"), said, strict=True)
    )
    named = [(address, end.entity) for end in (first, second) if end.entity for address in end.addresses]
    others = dict.fromkeys(k.key for k in keys if k.key and (k.end == "other" or (k.place > 0 and k.end != NOBODY)))
    source, target = first.entity, second.entity
    about = second if target is not None or acts else first
    entity = target
    if target is None and not (acts and source is not None):
        entity = source if source is not None else next(iter(others), None)
    if (target is None and not acts) or (source is not None and source == target):
        source = None
    kept = _kept(list(others))
    ends = [(key, role) for key, role in ((source, "source"), (entity, "target")) if key is not None]
    rest = [(key, "other") for key in kept if key not in (source, entity)]
    return Ends(
        first._replace(entity=source, zone=zone_of(source, first.zone, entity)),
        about._replace(entity=entity, zone=zone_of(entity, about.zone, source)),
        [(key.partition(":")[0], key, role) for key, role in (*ends, *rest)],
        named,
        len(others) - len(kept),
    )


def _end(keys: Iterable[Key], end: str, said: End) -> End:
    """What a row says of an end: the first of its keys, and where that is a name, the addresses beside it."""
    own = [k for k in keys if k.end == end and k.key]
    entity = own[0].key if own else None
    addresses = [k.key for k in own if k.key and k.place == 0 and k.kind in ("ip", "mac") and _ADDRESS.match(k.key)]
    return said._replace(entity=entity, addresses=addresses if entity and entity.startswith(_NAMED) else ())


def _kept(others: list[str]) -> list[str]:
    if len(others) <= MOST_OTHERS:
        return others
    is_account = [key.startswith("account:") for key in others]
    accounts = [key for key, is_one in zip(others, is_account, strict=True) if is_one]
    rest = [key for key, is_one in zip(others, is_account, strict=True) if not is_one]
    return accounts[:MOST_OTHERS] + rest[:MOST_OTHERS]


def done_to(keys: Sequence[Key]) -> list[str]:
    """What was done to the names of a row, in words."""
    done = {
        "an address or name that names nobody is left out": any(k.end == NOBODY and k.kind != "account" for k in keys),
        "an account that every machine has is left out": any(k.end == NOBODY and k.kind == "account" for k in keys),
        "a list taken apart: its first is the end": any(k.place > 0 for k in keys),
        "a name where an address belongs is a host": any(
            k.kind == "ip" and (k.key or "").startswith("host:") for k in keys
        ),
        "an address in another spelling": any(
            (k.key or "").startswith("ip:") and k.said.strip(" ") != (k.key or "")[3:] for k in keys
        ),
    }
    return [words for words, is_so in done.items() if is_so]
