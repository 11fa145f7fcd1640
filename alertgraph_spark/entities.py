"""Entity keys and zones as Column expressions: one spelling for one machine, address or account."""

from __future__ import annotations

import ipaddress

from pyspark.sql import Column
from pyspark.sql import functions as F

PLACEHOLDERS = ("", "-", "n/a", "na", "none", "null", "unknown", "localhost", "0.0.0.0", "::", "127.0.0.1", "::1", "*")
"""Values that name nothing: two alerts that both say "N/A" have nothing in common."""

GENERIC_ACCOUNTS = (
    *("system", "local service", "network service", "anonymous logon", "iusr", "window manager", "font driver host"),
    *("administrator", "admin", "root", "guest", "user", "nobody", "everyone", "defaultaccount"),
)
"""Accounts that exist on every machine. Sentinel drops them from its mappings for the same reason:
they would join machines that have nothing to do with each other (azure entities-reference)."""

_PRIVATE = r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|169\.254\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|f[cd]|fe80:)"


def entity_key(kind: str, raw: Column) -> Column:
    """Canonical key `kind:value` of one named thing, or null for a placeholder or a generic account.

    A host is its first label (`FS01.corp.example` and `FS01` are one machine of a site), an IPv4 address in IPv6 dress is
    the IPv4 address, `j.meyer@corp.example` and `CORP\\j.meyer` are one account, and a machine account (`FS01$`) is none.
    """
    text = F.lower(F.trim(raw))
    if kind == "host":
        is_address = text.rlike(r"^[0-9.]+$|:")
        key = F.when(is_address, F.concat(F.lit("ip:"), text)).otherwise(
            F.concat(F.lit("host:"), F.substring_index(text, ".", 1))
        )
        return F.when(~text.isin(*PLACEHOLDERS), key)
    if kind == "account":
        return F.when(~text.isin(*PLACEHOLDERS), _account_key(text))
    if kind == "ip":
        text = F.regexp_replace(text, "^::ffff:", "")
    if kind == "mac":
        # Radiflow leaves a line feed's escape behind the address.
        text = F.regexp_replace(F.regexp_replace(text, "#012$", ""), "-", ":")
    return F.when(~text.isin(*PLACEHOLDERS), F.concat(F.lit(f"{kind}:"), text))


def _account_key(text: Column) -> Column:
    is_upn = text.contains("@")
    has_domain = text.contains("\\")
    user = F.when(is_upn, F.substring_index(text, "@", 1)).otherwise(F.substring_index(text, "\\", -1))
    domain = F.when(is_upn, F.substring_index(F.substring_index(text, "@", -1), ".", 1)).when(
        has_domain, F.substring_index(F.substring_index(text, "\\", 1), ".", 1)
    )
    is_machine = user.endswith("$")
    is_generic = user.isin(*GENERIC_ACCOUNTS, "") | F.coalesce(domain, F.lit("")).isin("nt authority", "window manager")
    name = F.concat(F.lit("account:"), F.when(domain.isNull(), user).otherwise(F.concat_ws("\\", domain, user)))
    return F.when(~(is_machine | is_generic), name)


def is_private(key: Column) -> Column:
    """Whether an `ip:` key is of a private, link-local or carrier-grade range (RFC 1918, 3927, 6598, 4193)."""
    return F.substring(key, 4, 64).rlike(_PRIVATE)


def zone_of(key: Column, known: Column) -> Column:
    """Zone of an end: what asset list, product or protocol say, else external for a public address, else unknown."""
    is_public = key.startswith("ip:") & ~is_private(key)
    zone = F.coalesce(known, F.when(is_public, F.lit("external")), F.lit("unknown"))
    return F.when(key.isNotNull(), zone)


def cidr_bounds(block: str) -> tuple[int, int]:
    """First and last address of an IPv4 CIDR block as integers.

    Examples
    --------
    >>> cidr_bounds("10.1.0.0/30")
    (167837696, 167837699)
    """

    net = ipaddress.IPv4Network(block, strict=False)
    return int(net.network_address), int(net.broadcast_address)


def ipv4_number(key: Column) -> Column:
    """An `ip:a.b.c.d` key as an integer, or null for anything else (ANSI-safe)."""
    part = F.split(F.substring(key, 4, 64), r"\.")
    is_v4 = key.rlike(r"^ip:[0-9]{1,3}(\.[0-9]{1,3}){3}$")
    octets = [F.element_at(part, i).cast("bigint") * (256 ** (4 - i)) for i in (1, 2, 3, 4)]
    return F.when(is_v4, octets[0] + octets[1] + octets[2] + octets[3])
