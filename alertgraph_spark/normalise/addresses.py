"""One key for one network address in every spelling, as SQL: IPv4, IPv6 in the form of RFC 5952, and MAC.

What is written in another form than the usual one is taken apart in stages, each a `transform` of an array of structs: a
lambda in a lambda costs Spark's analyser far more than another column. `ipaddress` of Python says in the tests that the
result is the same.

References
----------
RFC 4291 (forms of an IPv6 address), RFC 5952 (the one that is written), RFC 4007 (zone ids), RFC 6890 (special addresses)
"""

from __future__ import annotations

from alertgraph_spark.normalise.columns import sql_text
from alertgraph_spark.normalise.host_names import first_label

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
PLAIN_IPV4 = rf"^{_OCTET}(?:[.]{_OCTET}){{3}}$"
"""An IPv4 address as it is written: nearly every address is one, and costs no more than this look."""

MAC = r"^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?:#012)?$"

_LOOSE_IPV4 = r"^[0-9]{1,3}(?:[.][0-9]{1,3}){3}$"
_IPV6 = r"^(?=[0-9a-f:.]{2,45}$)(?!:[^:])(?!.*[^:]:$)(?!.*:::)(?!.*::.*::)"
"""What may be an IPv6 address: at most one `::`, no single colon at an end. The first look bounds all the others."""

_DRESS = (
    r"^(?:ipv[46]:\s?|[a-z][a-z0-9+.\-]{0,30}://(?:[^/@\[\]]{0,100}@)?"
    r"|[a-z][a-z0-9._\-]{0,100}/(?=[0-9]{1,3}[.]|\[|[0-9a-f]{0,4}:)|/++"
    r"|\\\\|[a-z0-9._\-]{1,60}\\(?=[^\\]{1,100}$))"
)
"""What stands before an address or a name: the scheme and user of a URL, the kind of address, Java's `name/` before an
address, a slash, the backslashes of a share, the domain of a machine."""

_PORT = r"^(?:([0-9]{1,3}(?:[.][0-9]{1,3}){3})[:-][0-9]{1,5}|([^:]++):[0-9]{1,5})$"

_ZERO_RUNS = ", ".join(sql_text(":0" * n + ":") for n in range(8, 1, -1))
_NOBODY = "'0.0.0.0', '255.255.255.255', '169.254.169.254', '::', '::1'"
"""Unspecified, broadcast, the loopback of IPv6, and the metadata service that each virtual machine of a cloud sees."""


def ip_key(address: str) -> str:
    """SQL for the key of an address in canonical form; null for loopback, unspecified and broadcast, which name nobody."""
    return f"if({address} in ({_NOBODY}) or startswith({address}, '127.'), null, concat('ip:', {address}))"


def mac_key(text: str) -> str:
    """SQL for the key of a MAC address in any of its spellings; null for those that every machine has.

    Radiflow leaves a line feed's escape behind the address, Cisco writes `001d.9cc0.049d`. What is longer or shorter
    (EUI-64, a name of the vendor's) stays as it is written.
    """
    plain = f"regexp_replace({text}, '#012$', '')"
    digits = f"regexp_replace({plain}, '[.:-]', '')"
    return (
        f"case when {digits} in ('000000000000', 'ffffffffffff') then null when {digits} rlike '^[0-9a-f]{{12}}$' then"
        f" concat('mac:', regexp_replace({digits}, '([0-9a-f]{{2}})(?!$)', '$1:'))"
        f" else concat('mac:', replace({plain}, '-', ':')) end"
    )


def stages(said: str) -> list[str]:
    """SQL of the stages that take texts apart, each over the one before, which is the column `said`.

    The first reads `array<struct<kind,text>>`; the last gives `array<struct<kind,text,core,label,prefix,address>>`: `core`
    is the text without URL, brackets and port, `label` the first of its labels, `prefix` what follows as the prefix of a
    block ('' if none), `address` the address in canonical form, or null where the text is none. IPv4 within IPv6 is the IPv4
    address; octets that are filled with zeros are decimal.
    """

    def stage(*fields: str) -> str:
        return f"transform({said}, x -> struct({', '.join(('x.kind', 'x.text', *fields))}))"

    head = "regexp_extract(x.bare, r'^[^/?#\\\\]*', 0)"
    core = (
        "if(startswith(x.bare, '['), substring_index(substring(x.bare, 2), ']', 1),"
        f" regexp_replace({head}, r'{_PORT}', '$1$2'))"
    )
    kept = ("x.core", "x.prefix")
    # The tail of `::ffff:10.1.0.5` as two groups.
    tail = "substring_index(x.plain, ':', -1)"
    octets = [f"cast(split_part({tail}, '.', {i}) as int)" for i in (1, 2, 3, 4)]
    in_hex = [f"lower(hex({high} * 256 + {low}))" for high, low in (octets[:2], octets[2:])]
    hexes = (
        f"case when not x.plain rlike '{_IPV6}' then null when not contains(x.plain, '.') then x.plain"
        f" when {tail} rlike '{PLAIN_IPV4}'"
        f" then concat(left(x.plain, length(x.plain) - length({tail})), {in_hex[0]}, ':', {in_hex[1]}) end"
    )
    first, last = (f"filter(split(substring_index(x.hexes, '::', {side}), ':'), g -> g != '')" for side in (1, -1))
    n_groups = f"(size({first}) + size({last}))"
    groups = (
        f"case when not contains(x.hexes, '::') then {first}"
        f" when {n_groups} < 8 then concat({first}, array_repeat('0', 8 - {n_groups}), {last}) end"
    )
    is_whole = "size(x.groups) = 8 and not exists(x.groups, g -> length(g) > 4)"
    full = "transform(x.groups, g -> coalesce(nullif(trim(leading '0' from g), ''), '0'))"
    # The first of the longest runs of zeros is `::`; everything stands between colons, so that no group is cut.
    run = f"try_element_at(filter(array({_ZERO_RUNS}), z -> contains(x.full, z)), 1)"
    short = (
        f"coalesce(concat(trim(both ':' from substring_index(x.full, {run}, 1)), '::',"
        f" trim(both ':' from substring(x.full, instr(x.full, {run}) + length({run})))), trim(both ':' from x.full))"
    )
    high, low = (f"cast(conv(split_part(x.full, ':', {i}), 16, 10) as int)" for i in (8, 9))
    mapped = f"concat_ws('.', {high} div 256, {high} % 256, {low} div 256, {low} % 256)"
    decimal = "transform(split(x.plain, '[.]'), o -> try_cast(o as int))"
    ipv4 = f"if(exists({decimal}, o -> o > 255), null, array_join({decimal}, '.'))"
    address = (
        f"case when x.plain rlike '{_LOOSE_IPV4}' then {ipv4} when startswith(x.full, ':0:0:0:0:0:ffff:') then {mapped}"
        f" when x.full is not null then {short} end"
    )
    return [
        stage(f"regexp_replace(x.text, r'{_DRESS}', '') as bare"),
        stage(f"{core} as core", "regexp_extract(x.bare, '^[^/?#]*+/([0-9]{1,3})$', 1) as prefix"),
        stage(*kept, "substring_index(x.core, '%', 1) as plain", f"{first_label('x.core')} as label"),
        stage(*kept, "x.plain", "x.label", f"{hexes} as hexes"),
        stage(*kept, "x.plain", "x.label", f"{groups} as groups"),
        stage(*kept, "x.plain", "x.label", f"if({is_whole}, concat(':', array_join({full}, ':'), ':'), null) as full"),
        stage(*kept, "x.label", f"{address} as address"),
    ]


def is_block(address: str, prefix: str) -> str:
    """SQL for whether an address and a prefix are a block of many (`10.1.0.0/24`); with host bits it is one machine's.

    A number above the longest prefix is a port.
    """
    number = " + ".join(f"cast(get(split({address}, '[.]'), {i}) as bigint) * {256 ** (3 - i)}" for i in range(4))
    bits = f"try_cast({prefix} as int)"
    return (
        f"case when {prefix} = '' then false when contains({address}, ':') then {bits} < 128 and endswith({address}, '::')"
        f" when {bits} < 32 then ({number}) % shiftleft(1L, 32 - {bits}) = 0 else false end"
    )
