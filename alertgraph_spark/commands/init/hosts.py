"""The asset list to begin with: networks and machines that alerts name most, for a person to say what they are."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator

from alertgraph_spark.publish.safe_csv import csv_text
from alertgraph_spark.read.assets import HEADER

MOST_NETWORKS, MOST_HOSTS = 20, 60
"""Rows that a person fills in within an hour."""

_NAME = re.compile(r"[^\W_][\w.-]*")
"""A machine's name; what else stands where a name belongs, an attacker may have put there."""


def seen_most(entities: Counter[str]) -> tuple[list[str], list[str]]:
    """Find the private networks and machines of a site that most alerts name.

    Parameters
    ----------
    entities
        Entity key (`host:fs01`, `ip:10.1.0.5`) to the number of alerts that name it.

    Returns
    -------
    tuple
        Networks (IPv4 blocks of 256 addresses) and machines, those in most alerts first.

    Examples
    --------
    >>> seen_most(Counter({"ip:10.1.0.5": 3, "host:fs01": 2, "host:=cmd()": 9, "ip:198.51.100.7": 9, "account:x": 9}))
    (['10.1.0.0/24'], ['10.1.0.5', 'fs01'])
    """
    networks: Counter[str] = Counter()
    hosts: Counter[str] = Counter()
    for key, n in entities.items():
        kind, _, name = key.partition(":")
        if kind == "host" and _NAME.fullmatch(name):
            hosts[name] += n
        elif kind == "ip" and (address := _own(name)):
            hosts[name] += n
            if address.version == 4:
                networks[str(ipaddress.ip_network(f"{name}/24", strict=False))] += n
    return list(_first(networks, MOST_NETWORKS)), list(_first(hosts, MOST_HOSTS))


def _own(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address that a site gives its own machines; None for any other, and for what is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    is_told_to_many = address.is_multicast or address.is_loopback or address.is_unspecified
    return address if any(address in block for block in _blocks(address.version)) and not is_told_to_many else None


def _blocks(version: int) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Addresses of private networks (RFC 1918, RFC 4193); those of documents and of carriers are none."""
    names = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16") if version == 4 else ("fc00::/7",)
    return [ipaddress.ip_network(name) for name in names]


def _first(counted: Counter[str], most: int) -> Iterator[str]:
    """The most frequent, in an order that does not depend on that of the rows."""
    return (name for name, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most])


def asset_list(networks: list[str], hosts: list[str]) -> str:
    """The list as CSV: a row for each, of which only the first cell is filled; such a row changes nothing in a run."""
    rows = [dict.fromkeys(HEADER, "") | {"asset": asset} for asset in (*networks, *hosts)]
    return csv_text(rows) if rows else ",".join(HEADER) + "\n"
