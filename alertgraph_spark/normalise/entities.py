"""Entity keys and zones as Column expressions: one spelling for one machine, address or account."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.normalise.accounts import account_key, account_parts, listed_accounts, without_claim
from alertgraph_spark.normalise.addresses import MAC, PLAIN_IPV4, ip_key, is_block, mac_key, stages
from alertgraph_spark.normalise.columns import sql_text
from alertgraph_spark.normalise.host_names import decoded

PLACEHOLDERS = (
    *("", "-", "n/a", "na", "none", "null", "unknown", "*", "(null)", "undefined"),
    *("localhost", "localhost.localdomain", "localhost4", "localhost6"),
)
"""Values that name nothing: two alerts that both say "N/A" have nothing in common."""

NOBODY = "nobody"
"""The end of a name that is no placeholder and has no key: a loopback, a block, an account of every machine."""

_PLACEHOLDERS = ", ".join(map(sql_text, PLACEHOLDERS))

_PLAIN_HOST = r"^(?!xn--)[a-z][a-z0-9_\-]*+(?:[.][a-z0-9_\-]++)*+$"
"""A host as it is written: nearly every name is one."""

_NAME = r"^(?=[^\p{L}]{0,200}\p{L})[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.\-]*+$"
"""What is taken for the name of a host where an address belongs."""

_LISTED = r"[,;|]\s*|\s+"

_QUOTES = r"^\[?\s?[\x22\x27]++|(?<![\x22\x27])[\x22\x27]++(?:\s?\]?$|(?=\s?,))|(?<=,\s?)[\x22\x27]++"
"""What stands around the names of a list as JSON and Python write it: `["10.1.0.5", "10.1.0.6"]`, and around one name."""

_PRIVATE = (
    r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|169\.254\."
    r"|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|f[cd]|fe80:)"
)


def with_keys(frame: DataFrame, names: str) -> DataFrame:
    r"""Add `keys`: the canonical keys `kind:value` of all names of a row, as `array<struct<end,kind,place,said,key>>` in
    their order.

    Row grain is unchanged. `names` is SQL for an array of `struct<end,kind,text>`, its texts in lower case; what is null or a
    placeholder is left out. A host is its first label (`FS01.corp.example` and `FS01` are one machine of a site), or an
    address where the product writes one in its place; a host's name where an address belongs is the host. An address has one
    key in every spelling; `j.meyer@corp.example` and `CORP\j.meyer` are one account. A name may be a list: `place` counts its
    parts from 0. The account of a machine that the row names (`FS01$` beside FS01) is that
    machine, and left out; any other with a `$` is a managed service account. What has no key has the end `NOBODY`.

    Notes
    -----
    One lambda over all names of a row, and one more for those few that are written in no usual form: an expression for each
    name would be a plan that costs more than the rows.
    """
    parts = (
        f"case when n.kind = 'account' then {listed_accounts('n.text')}"
        f" when n.kind in ('ip', 'mac') and n.text rlike r'{_LISTED}' then split(n.text, r'{_LISTED}')"
        f" when n.kind = 'host' and n.text rlike '[,;]' then split(n.text, '[,;]') else array(n.text) end"
    )
    bare = f"if(left(n.text, 1) in ('[', '\"', '\\''), regexp_replace(n.text, r'{_QUOTES}', ''), n.text)"
    told = (
        f"flatten(transform(transform({names}, n -> struct(n.end, n.kind, {bare} as text)), n -> transform({parts}, (p, i) ->"
        f" struct(n.end, n.kind, i, p as said, trim(if(n.kind = 'account', {without_claim('p')}, p)) as text))))"
    )
    is_name = f"not coalesce(n.text in ({_PLACEHOLDERS}), true)"
    form = (
        "case when n.kind in ('account', 'device') then n.kind"
        f" when n.text rlike r'{PLAIN_IPV4}' then 'ip' when n.kind = 'mac' or n.text rlike r'{MAC}' then 'mac'"
        f" when n.text rlike r'{_PLAIN_HOST}' then 'host' else 'odd' end"
    )
    user = f"if(n.kind = 'account', {account_parts('n.text')}, null)"
    facts = f"struct(n.end, n.kind, n.i, n.said, n.text, {form} as form, {user} as u)"
    looked = f"transform(filter({told}, n -> {is_name}), n -> {facts})"
    kept = [f"`{name}`" for name in frame.columns if name != "keys"]
    frame = frame.selectExpr(*kept, f"{looked} as looked")
    frame = frame.selectExpr(
        *kept, "looked", "transform(filter(looked, n -> n.form = 'odd'), n -> struct(n.kind, n.text)) as odd"
    )
    is_host = f"if(x.kind = 'ip', x.core rlike r'{_NAME}', not x.core rlike '^[0-9]*+[.][0-9.]*$')"
    host = f"if(not {is_host} or x.label in ({_PLACEHOLDERS}), null, concat('host:', {decoded('x.label')}))"
    address = f"if({is_block('x.address', 'x.prefix')}, null, {ip_key('x.address')})"
    keyed = f"transform(odd, x -> struct(x.kind, x.text, if(x.address is null, {host}, {address}) as key))"
    for stage in (*stages("odd"), keyed):
        frame = frame.selectExpr(*kept, "looked", f"{stage} as odd")
    key = (
        f"case n.form when 'account' then {account_key('n.u', _PLACEHOLDERS)} when 'device' then concat('device:', n.text)"
        f" when 'ip' then {ip_key('n.text')} when 'mac' then {mac_key('n.text')}"
        " when 'host' then concat('host:', substring_index(n.text, '.', 1))"
        " else try_element_at(filter(odd, o -> o.kind = n.kind and o.text = n.text), 1).key end"
    )
    found = f"transform(looked, n -> struct(n.end, n.kind, n.i as place, n.said, {key} as key))"
    frame = frame.selectExpr(*kept, f"{found} as found")
    is_managed = "coalesce(k.kind = 'account' and endswith(k.key, '$'), false)"
    machine = r"concat('host:', rtrim('$', substring_index(substring(k.key, 9), '\\', -1)))"
    without = f"filter(found, k -> not ({is_managed} and exists(found, h -> h.key = {machine})))"
    keys = f"if(exists(found, k -> {is_managed}), {without}, found)"
    end = f"if(k.key is null, '{NOBODY}', k.end)"
    return frame.selectExpr(
        *kept, f"transform({keys}, k -> struct({end} as end, k.kind, k.place, k.said, k.key)) as keys"
    )


def entity_keys(frame: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    """Replace columns that name one thing each, column to kind, by the key of what they name, or null."""
    names = [
        f"struct('{name}' as end, '{kind}' as kind, lower(trim(`{name}`)) as text)" for name, kind in columns.items()
    ]
    keyed = with_keys(frame, f"array({', '.join(names)})")
    one = {name: f"try_element_at(filter(keys, k -> k.end = '{name}'), 1).key" for name in columns}
    return keyed.selectExpr(*[f"{one[name]} as `{name}`" if name in one else f"`{name}`" for name in frame.columns])


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
