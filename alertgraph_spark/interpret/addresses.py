"""One key for one network address in every spelling: IPv4, IPv6 in the form of RFC 5952, and MAC.

References
----------
RFC 4291 (forms of an IPv6 address), RFC 5952 (the one that is written), RFC 4007 (zone ids), RFC 6890 (special addresses)
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
PLAIN_IPV4 = re.compile(rf"^{_OCTET}(?:[.]{_OCTET}){{3}}$")
"""An IPv4 address as it is written: nearly every address is one, and costs no more than this look."""

MAC = re.compile(r"^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?:#012)?$")

_LOOSE_IPV4 = re.compile(r"^[0-9]{1,3}(?:[.][0-9]{1,3}){3}$")
_LONGEST = 45
"""Characters of the longest address that can be written, `0000:0000:0000:0000:0000:ffff:255.255.255.255`."""

_DRESS = re.compile(
    r"^(?:ipv[46]:\s?|[a-z][a-z0-9+.\-]{0,30}://(?:[^/@\[\]]{0,100}@)?"
    r"|[a-z][a-z0-9._\-]{0,100}/(?=[0-9]{1,3}[.]|\[|[0-9a-f]{0,4}:)|/+"
    r"|\\\\|[a-z0-9._\-]{1,60}\\(?=[^\\]{1,100}$))"
)
"""What stands before an address or a name: the scheme and user of a URL, the kind of address, Java's `name/` before an
address, a slash, the backslashes of a share, the domain of a machine."""

_PORT = re.compile(r"^(?:([0-9]{1,3}(?:[.][0-9]{1,3}){3})[:-][0-9]{1,5}|([^:]+):[0-9]{1,5})$")
_PREFIX = re.compile(r"^[^/?#]*/([0-9]{1,3})$")
_HEAD = re.compile(r"^[^/?#\\]*")

_NOBODY = frozenset({"0.0.0.0", "255.255.255.255", "169.254.169.254", "::", "::1"})
"""Unspecified, broadcast, the loopback of IPv6, and the metadata service that each virtual machine of a cloud sees."""

_NO_MAC = frozenset({"0" * 12, "f" * 12})


class Bare(NamedTuple):
    """A text without URL, brackets and port (`core`), and the number behind a slash, '' if none (`prefix`)."""

    core: str
    prefix: str


def bare(text: str) -> Bare:
    """Take off what stands around an address or the name of a host; the text is in lower case.

    Examples
    --------
    >>> bare("[2001:db8::5]:443").core, bare("https://svc@portal.example:8443/x").core
    ('2001:db8::5', 'portal.example')
    """
    inner = _DRESS.sub("", text)
    if inner.startswith("["):
        core = inner[1:].partition("]")[0]
    else:
        head = _HEAD.match(inner)
        core = _PORT.sub(r"\1\2", head.group() if head else "")
    prefix = _PREFIX.match(inner)
    return Bare(core, prefix.group(1) if prefix else "")


def address_of(core: str) -> str | None:
    """The address that a text spells, in canonical form; None where it spells none.

    IPv4 within IPv6 is the IPv4 address; octets that are filled with zeros are decimal; a zone id belongs to the machine that
    wrote it, not to the address.

    Examples
    --------
    >>> address_of("::ffff:0a01:0005"), address_of("FE80::1%eth0".lower()), address_of("010.1.0.5"), address_of("fs01")
    ('10.1.0.5', 'fe80::1', '10.1.0.5', None)
    """
    plain = core.partition("%")[0]
    if _LOOSE_IPV4.match(plain):
        octets = [int(octet) for octet in plain.split(".")]
        return ".".join(map(str, octets)) if max(octets) <= 255 else None
    if ":" not in plain or len(plain) > _LONGEST:
        return None
    try:
        address = IPv6Address(plain)
    except ValueError:
        return None
    return str(address.ipv4_mapped or address)


def ip_key(address: str) -> str | None:
    """The key of an address in canonical form; None for loopback, unspecified and broadcast, which name nobody."""
    return None if address in _NOBODY or address.startswith("127.") else f"ip:{address}"


def mac_key(text: str) -> str | None:
    """The key of a MAC address in any of its spellings; None for those that every machine has.

    Radiflow leaves a line feed's escape behind the address, Cisco writes `001d.9cc0.049d`. What is longer or shorter
    (EUI-64, a name of the vendor's) stays as it is written.
    """
    plain = text.removesuffix("#012")
    digits = plain.replace(".", "").replace(":", "").replace("-", "")
    if digits in _NO_MAC:
        return None
    if re.fullmatch("[0-9a-f]{12}", digits):
        return "mac:" + ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return "mac:" + plain.replace("-", ":")


def is_block(address: str, prefix: str) -> bool:
    """Whether an address and a prefix are a block of many (`10.1.0.0/24`); with host bits it is one machine's.

    A number above the longest prefix is a port.
    """
    if not prefix:
        return False
    if ":" in address:
        return int(prefix) < 128 and address.endswith("::")
    return int(prefix) < 32 and int(IPv4Address(address)) % (1 << (32 - int(prefix))) == 0
