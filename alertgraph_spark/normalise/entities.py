"""Entity keys and zones as Column expressions: one spelling for one machine, address or account."""

from __future__ import annotations

import ipaddress

from pyspark.sql import Column
from pyspark.sql import functions as F

from alertgraph_spark.normalise.columns import sql_text

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

_PLACEHOLDERS, _GENERIC, _OF_ALL = (
    ", ".join(map(sql_text, words)) for words in (PLACEHOLDERS, GENERIC_ACCOUNTS, _EVERYWHERE)
)

_MAC = r"^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}(#012)?$"
_PRIVATE = (
    r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|169\.254\."
    r"|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|f[cd]|fe80:)"
)


def entity_key(kind: str, value: str) -> Column:
    """Canonical key `kind:value` of one named thing, or null for a placeholder or a generic account.

    A host is its first label (`FS01.corp.example` and `FS01` are one machine of a site), or an address where the product
    writes one in its place; an IPv4 address in IPv6 dress is the IPv4 address, `j.meyer@corp.example` and `CORP\\j.meyer` are
    one account, and a machine account (`FS01$`) is none. `value` is SQL.
    """
    return F.expr(f"try_element_at(transform(array(lower(trim({value}))), t -> {entity_key_sql(kind, 't')}), 1)")


def entity_key_sql(kind: str, text: str) -> str:
    """`entity_key` as SQL over a name for a text in lower case without blanks around it: it is read several times."""
    if kind == "account":
        key = _account_key(text)
    elif kind == "host":
        is_name = f"not {text} rlike '^[0-9.]+$|:|^([0-9a-f]{{2}}-){{5}}'"
        address = f"when {text} rlike '{_MAC}' then {entity_key_sql('mac', text)} else {entity_key_sql('ip', text)}"
        # Without a label there is no name: `.example` and `.org` are not one machine.
        label = f"nullif(trim(substring_index({text}, '.', 1)), '')"
        key = f"case when {is_name} then concat('host:', {label}) {address} end"
    else:
        if kind == "ip":
            text = f"regexp_replace({text}, '^::ffff:', '')"
        if kind == "mac":
            # Radiflow leaves a line feed's escape behind the address.
            text = f"replace(regexp_replace({text}, '#012$', ''), '-', ':')"
        key = f"concat('{kind}:', {text})"
    return f"if({text} in ({_PLACEHOLDERS}), null, {key})"


def _account_key(text: str) -> str:
    mark = sql_text("\\")
    user = f"trim(if(contains({text}, '@'), substring_index({text}, '@', 1), substring_index({text}, {mark}, -1)))"
    domain = (
        f"trim(case when contains({text}, '@') then substring_index(substring_index({text}, '@', -1), '.', 1)"
        f" when contains({text}, {mark}) then substring_index(substring_index({text}, {mark}, 1), '.', 1) else '' end)"
    )
    # Windows writes `-\\name`, and `.\\name` for an account of the machine
    key = (
        f"case when endswith(a.user, '$') or a.user in ({_GENERIC}, {_PLACEHOLDERS}) or a.domain in ({_OF_ALL}) then null"
        f" when a.domain in ({_PLACEHOLDERS}) then concat('account:', a.user)"
        f" else concat('account:', a.domain, {mark}, a.user) end"
    )
    return f"try_element_at(transform(array(named_struct('user', {user}, 'domain', {domain})), a -> {key}), 1)"


def is_private(key: Column) -> Column:
    """Whether an `ip:` key is of a private, link-local or carrier-grade range (RFC 1918, 3927, 6598, 4193)."""
    return F.substring(key, 4, 64).rlike(_PRIVATE)


def zone_of(key: Column, known: Column, other: Column) -> Column:
    """Zone of an end: what asset list, product or protocol say, else external for a public address, else unknown.

    A public address is external unless the `other` end lies in the same /24: whole plants use public addresses inside.
    """
    is_public = key.startswith("ip:") & ~is_private(key)
    block, other_block = (F.substring_index(end, ".", 3) for end in (key, other))
    is_stranger = is_public & ~F.coalesce((block == other_block) & key.contains("."), F.lit(False))
    zone = F.coalesce(known, F.when(is_stranger, F.lit("external")), F.lit("unknown"))
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
