"""Entity keys and zones as Column expressions: one spelling for one machine, address or account."""

from __future__ import annotations

import ipaddress

from pyspark.sql import Column
from pyspark.sql import functions as F

PLACEHOLDERS = (
    *("", "-", "n/a", "na", "none", "null", "unknown", "*"),
    *("localhost", "localhost.localdomain", "0.0.0.0", "::", "127.0.0.1", "::1"),
)
"""Values that name nothing: two alerts that both say "N/A" have nothing in common."""

GENERIC_ACCOUNTS = (
    *("system", "local service", "network service", "anonymous logon", "iusr", "window manager", "font driver host"),
    *("administrator", "admin", "root", "guest", "user", "nobody", "everyone", "defaultaccount"),
)
"""Accounts that exist on every machine. Sentinel drops them from its mappings for the same reason:
they would join machines that have nothing to do with each other (azure entities-reference)."""

_EVERYWHERE = ("nt authority", "nt service", "window manager", "font driver host", "iis apppool")
"""Domains of accounts that Windows makes on every machine (`NT SERVICE\\MSSQLSERVER`, `Window Manager\\DWM-1`)."""

_MAC = r"^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}(#012)?$"
_PRIVATE = (
    r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|169\.254\."
    r"|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|f[cd]|fe80:)"
)


def entity_key(kind: str, raw: Column) -> Column:
    """Canonical key `kind:value` of one named thing, or null for a placeholder or a generic account.

    A host is its first label (`FS01.corp.example` and `FS01` are one machine of a site), or an address where the product
    writes one in its place; an IPv4 address in IPv6 dress is the IPv4 address, `j.meyer@corp.example` and `CORP\\j.meyer` are
    one account, and a machine account (`FS01$`) is none.
    """
    text = F.lower(F.trim(raw))
    if kind == "host":
        label = F.concat(F.lit("host:"), F.substring_index(text, ".", 1))
        address = F.when(text.rlike(_MAC), entity_key("mac", text)).otherwise(entity_key("ip", text))
        is_address = text.rlike(r"^[0-9.]+$|:|^([0-9a-f]{2}-){5}")
        return F.when(~text.isin(*PLACEHOLDERS), F.when(is_address, address).otherwise(label))
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
    domain = F.coalesce(domain, F.lit(""))
    is_machine = user.endswith("$")
    is_generic = user.isin(*GENERIC_ACCOUNTS, *PLACEHOLDERS) | domain.isin(*_EVERYWHERE)
    has_no_domain = domain.isin(*PLACEHOLDERS)  # Windows writes `-\\name`, and `.\\name` for an account of the machine
    name = F.concat(F.lit("account:"), F.when(has_no_domain, user).otherwise(F.concat_ws("\\", domain, user)))
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
