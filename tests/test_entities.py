"""One spelling for one machine, address or account, and none for what names nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.normalise.entities import cidr_bounds, entity_key, ipv4_number, is_private, zone_of

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
    ("ip", "10.1.0.5", "ip:10.1.0.5"),
    ("ip", "::ffff:10.1.0.5", "ip:10.1.0.5"),
    ("ip", "::FFFF:10.1.0.5", "ip:10.1.0.5"),
    ("ip", "2001:DB8::5", "ip:2001:db8::5"),
    ("ip", "0.0.0.0", None),
    ("ip", "10.0.0.0", "ip:10.0.0.0"),
    ("ip", "::ffff:127.0.0.1", None),
    ("ip", "127.0.0.1", None),
    ("ip", "::1", None),
    ("ip", "::11", "ip:::11"),
    ("ip", "-", None),
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
    ("account", "CORP\\FS01$", None),
    ("account", "fs01$@CORP.EXAMPLE", None),
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

NUMBERS: list[tuple[str | None, int | None]] = [
    ("ip:10.1.0.5", 10 * 256**3 + 1 * 256**2 + 5),
    ("ip:255.255.255.255", 2**32 - 1),
    ("ip:10.1.0", None),
    ("ip:10.1.0.5.6", None),
    ("ip:fe80::1", None),
    ("host:10.1.0.5", None),
    ("host:fs01", None),
    (None, None),
]


@pytest.fixture(params=[False, True], ids=["lenient", "ansi"])
def session(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[SparkSession]:
    """Both ways that Spark treats what cannot be converted: null, or an error (the rule from 4.0 on)."""
    before = spark.conf.get("spark.sql.ansi.enabled")
    spark.conf.set("spark.sql.ansi.enabled", request.param)
    yield spark
    spark.conf.set("spark.sql.ansi.enabled", before or "false")


def test_keys(session: SparkSession) -> None:
    by_kind = F.coalesce(*[F.when(F.col("kind") == k, entity_key(k, "raw")) for k in {k for k, _, _ in KEYS}])
    frame = session.createDataFrame([(k, raw) for k, raw, _ in KEYS], "kind string, raw string")

    found = [row["key"] for row in frame.select(by_kind.alias("key")).coalesce(1).collect()]

    wrong = {(kind, raw): key for (kind, raw, want), key in zip(KEYS, found, strict=True) if key != want}
    assert wrong == {}


def test_zones_and_addresses(session: SparkSession) -> None:
    zones = session.createDataFrame(ZONES, "key string, known string, want string")
    numbers = session.createDataFrame(NUMBERS, "key string, want bigint")

    zone = zone_of(F.col("key"), F.col("known"), F.lit("host:fs01"))
    wrong_zones = zones.filter(~zone.eqNullSafe(F.col("want"))).select("key", "known", zone.alias("found")).collect()
    wrong_numbers = numbers.filter(~ipv4_number(F.col("key")).eqNullSafe(F.col("want"))).collect()

    assert wrong_zones == []
    assert wrong_numbers == []


NEIGHBOURS: list[tuple[str, str | None, str | None, str]] = [
    ("ip:141.81.0.66", None, "ip:141.81.0.10", "unknown"),  # a plant on public addresses
    ("ip:141.81.1.66", None, "ip:141.81.0.10", "external"),  # the next block may be anybody's
    ("ip:141.81.0.66", None, "ip:14.181.0.66", "external"),
    ("ip:141.81.0.66", "dmz", "ip:141.81.0.10", "dmz"),
    ("ip:141.81.0.66", None, None, "external"),
    ("ip:2001:db8::1", None, "ip:2001:db8::1", "external"),
]


def test_a_public_address_is_no_stranger_to_its_own_block(session: SparkSession) -> None:
    frame = session.createDataFrame(NEIGHBOURS, "key string, known string, other string, want string")
    found = frame.select(zone_of(F.col("key"), F.col("known"), F.col("other"))).coalesce(1).collect()
    assert [row[0] for row in found] == [want for *_, want in NEIGHBOURS]


def test_a_private_address_is_nobody_outside(spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [("ip:10.0.0.1",), ("ip:9.255.255.255",), ("ip:fc00::1",), ("ip:fbff::1",)], "key string"
    )

    assert [row[0] for row in frame.select(is_private(F.col("key"))).collect()] == [True, False, True, False]


@pytest.mark.parametrize(
    ("block", "first", "last"),
    [
        ("10.1.0.0/30", "10.1.0.0", "10.1.0.3"),
        ("10.1.0.2/30", "10.1.0.0", "10.1.0.3"),  # host bits may be set: a list is written by hand
        ("10.1.0.7/32", "10.1.0.7", "10.1.0.7"),
        ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
    ],
)
def test_bounds_of_a_block(block: str, first: str, last: str) -> None:
    def number(address: str) -> int:
        a, b, c, d = map(int, address.split("."))
        return ((a * 256 + b) * 256 + c) * 256 + d

    assert cidr_bounds(block) == (number(first), number(last))
