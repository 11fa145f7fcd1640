"""Rows as products really write them: broken, endless, contradictory. An alert is read all the same, from what is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exported import raw_tables
from pyspark.sql import SparkSession

from alertgraph_spark.config.format_files import load_format
from alertgraph_spark.normalise.alerts import normalise_alerts

FORMATS = Path(__file__).parent.parent / "alertgraph_spark" / "formats"
AT = "2026-03-02T10:05:00.0000000Z"

Case = tuple[str, dict[str, Any], dict[str, Any]]


def alert(entities: Any, **columns: Any) -> dict[str, Any]:
    text = entities if isinstance(entities, str) else json.dumps(entities)
    return {"AlertName": "Invented", "AlertSeverity": "High", "Entities": text, **columns}


def cef(extension: str, head: str = "CEF:0|Invented|Wall|1|7|Scan|5|") -> dict[str, Any]:
    return {"RawData": head + extension}


def kv(rest: str) -> dict[str, Any]:
    return {"RawData": f"date=2026-03-02 time=10:04:00 devname=FW-9 {rest}"}


FILES = [{"$id": str(n), "Name": f"{n}.exe", "Directory": "c:\\tmp" + "x" * 100, "Type": "file"} for n in range(500)]
HOST = {"$id": "h", "HostName": "WS-017", "Type": "host"}

# Format, row, and what must come of it.
CASES: dict[str, Case] = {
    "a reference that leads nowhere": (
        "security_alert",
        alert([{"$id": "1", "Name": "svc", "Host": {"$ref": "99"}, "Type": "account"}, HOST]),
        {"target_entity": "host:ws-017", "accounts": ["account:svc"]},
    ),
    "references in a circle": (
        "security_alert",
        alert(
            [
                {"$id": "1", "DeviceName": "HMI", "IpAddress": {"$ref": "2"}, "Type": "iotdevice"},
                {"$id": "2", "Address": {"$ref": "1"}, "IpAddress": {"$ref": "1"}, "Type": "ip"},
                {"$id": "3", "ParentProcess": {"$ref": "3"}, "Host": {"$ref": "3"}, "Type": "process"},
            ]
        ),
        {"reason": None, "severity": 0.8},
    ),
    "one id for two machines: the first is meant": (
        "security_alert",
        alert(
            [
                HOST,
                {"$id": "h", "HostName": "WS-018", "Type": "host"},
                {"Name": "svc", "Host": {"$ref": "h"}, "Type": "account"},
            ]
        ),
        {"accounts": ["account:ws-017\\svc"]},
    ),
    "entities of 64 KB": (
        "security_alert",
        alert([*FILES, {"$id": "p", "ImageFile": {"$ref": "7"}, "Host": {"$ref": "h"}, "Type": "process"}, HOST]),
        {"target_entity": "host:ws-017"},
    ),
    "entities cut off at 64 KB": (
        "security_alert",
        alert(json.dumps([HOST, *FILES])[:65536], CompromisedEntity="WS-019"),
        {"target_entity": "host:ws-019", "severity": 0.8},
    ),
    "entities that are an object": (
        "security_alert",
        alert({"HostName": "WS-017"}),
        {"reason": None, "name": "Invented"},
    ),
    "an object's parts of other types": (
        "security_alert",
        alert([{"$id": 5, "HostName": ["x"], "Host": "WS-017", "IpInterfaces": {"a": 1}, "Type": "host"}, HOST]),
        {"target_entity": "host:ws-017"},
    ),
    "properties that hold objects, and a key twice": (
        "security_alert",
        alert(
            "[]",
            ExtendedProperties='{"Client IP": {"a": 1}, "Machine Name": "A-1", "machine name": "b", "Machine Name": "c"}',
        ),
        {"target_entity": "host:a-1"},
    ),
    "an EVE line cut off": (
        "suricata_eve",
        {"RawData": '{"event_type": "alert", "alert": {"signature": "x'},
        {"reason": "text broken or cut short"},
    ),
    "EVE metadata as text": (
        "suricata_eve",
        {"RawData": '{"event_type": "alert", "alert": {"signature": "x", "severity": 1, "metadata": "tag"}}'},
        {"name": "x", "severity": 0.9, "tactics": []},
    ),
    "an escaped equals sign begins no key": (
        "custom_text",
        cef(r"msg=dst\=10.9.9.9 src=10.1.0.17"),
        {"source_entity": None, "target_entity": "ip:10.1.0.17"},
    ),
    "a backslash before a pipe that ends the name": (
        "custom_text",
        {"RawData": r"CEF:0|Invented|Wall|1|7|Path c:\\|9|src=10.1.0.17 dst=10.1.0.18"},
        {"name": "Path c:\\", "severity": 0.9, "target_entity": "ip:10.1.0.18"},
    ),
    "an escaped pipe that does not": (
        "custom_text",
        {"RawData": r"CEF:0|Invented|Wall|1|7|one\|two|9|dst=10.1.0.18"},
        {"name": "one|two", "severity": 0.9},
    ),
    "a line feed in a name, pipes and equals signs in values": (
        "custom_text",
        cef("request=http://a/?x=1&y=2|3 dst=10.1.0.18", r"CEF:1|Invented|Wall|1|7|Scan\nof ports|Low|"),
        {"name": "Scan of ports", "severity": 0.3, "target_entity": "ip:10.1.0.18"},
    ),
    "CEF without an extension": (
        "custom_text",
        {"RawData": "CEF:0|Invented|Wall|1|7|Reboot|3|"},
        {"name": "Reboot", "rule_id": "7"},
    ),
    "CEF cut off in its head": (
        "custom_text",
        {"RawData": "CEF:0|Invented|Wall|1"},
        {"reason": "text broken or cut short"},
    ),
    "a value of 60,000 characters": (
        "custom_text",
        cef("src=10.1.0.17 msg=" + r"a b\=c " * 9_000 + "dst=10.1.0.18"),
        {"source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18", "unknown": []},
    ),
    "a quoted value of 60,000 characters": (
        "custom_text",
        {"RawData": 'src=10.1.0.17 msg="' + r"a\"b c=d " * 6_600 + '" attack=Overflow'},
        {"name": "Overflow", "target_entity": "ip:10.1.0.17", "unknown": []},
    ),
    "more than 64 KB: read as far, and told": (
        "custom_text",
        cef("src=10.1.0.17 msg=" + r"a b\=c " * 30_000 + "dst=10.1.0.18"),
        {"target_entity": "ip:10.1.0.17", "unknown": ["doubt: text cut at 64 KB"]},
    ),
    "JSON of more than 64 KB is read whole": (
        "suricata_eve",
        {"RawData": json.dumps({"pad": "a" * 100_000, "event_type": "alert", "alert": {"signature": "x"}})},
        {"name": "x", "unknown": []},
    ),
    "a quote that never ends": ("custom_text", {"RawData": 'attack=Scan msg="' + "a b=c " * 1000}, {"name": "Scan"}),
    "LEEF 2 with an empty delimiter": (
        "custom_text",
        {"RawData": "LEEF:2.0|Invented|IPS|2|77||src=10.1.0.17\tdst=10.1.0.18\tcat=Exploit"},
        {"name": "Exploit", "target_entity": "ip:10.1.0.18"},
    ),
    "LEEF 2 with a tab in hexadecimal": (
        "custom_text",
        {"RawData": "LEEF:2.0|Invented|IPS|2|77|x09|src=10.1.0.17\tdst=10.1.0.18\tcat=Exploit"},
        {"name": "Exploit", "target_entity": "ip:10.1.0.18"},
    ),
    "LEEF 1 whose first value holds a pipe": (
        "custom_text",
        {"RawData": "LEEF:1.0|Invented|IPS|2|77|x|y=z\tdst=10.1.0.18"},
        {"name": "77", "target_entity": "ip:10.1.0.18"},
    ),
    "a key twice in JSON: the first is taken": (
        "custom_text",
        {"RawData": '{"name": "One", "Name": "Two", "name": "Three", "dst_ip": "10.1.0.18"}'},
        {"name": "One"},
    ),
    "JSON cut off": (
        "custom_text",
        {"RawData": '{"name": "One", "dst_ip": "10.1'},
        {"reason": "text broken or cut short"},
    ),
    "JSON behind a syslog header": (
        "custom_text",
        {"RawData": '<13>Mar 2 10:00:00 host app: {"title": "One", "srcip": "10.1.0.17", "dest": {"ip": "10.1.0.18"}}'},
        {"name": "One", "source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18"},
    ),
    # What a text says of other keys is not the product's word. The first is FortiGate's own traffic, as it is.
    "traffic, said in the head": (
        "custom_text",
        kv(
            'logid="0000000013" type="traffic" subtype="forward" level="notice" severity=low srcip=10.1.0.17 dstip=10.1.0.80'
        ),
        {"reason": "not an alert"},
    ),
    "traffic, said by a line that names no alarm": (
        "custom_text",
        kv("srcip=10.1.0.17 dstip=10.1.0.80 type=traffic msg=closed"),
        {"reason": "not an alert"},
    ),
    "traffic, said inside a URL": (
        "custom_text",
        kv("attack=Upload severity=high srcip=10.1.0.17 url=/index.php?q=a type=traffic"),
        {"name": "Upload", "severity": 0.8},
    ),
    "traffic, said by a name before an alarm": (
        "custom_text",
        kv("user=bob type=traffic attack=Upload srcip=10.1.0.17"),
        {"name": "Upload"},
    ),
    "traffic, said inside a CEF value": ("custom_text", cef("msg=a type=traffic dst=10.1.0.18"), {"name": "Scan"}),
    "severity and source inside a URL before the real ones": (
        "custom_text",
        kv("attack=Upload url=/?a=b severity=0 src=10.9.9.9 dst=10.9.9.8 severity=high src=10.1.0.17 dst=10.1.0.18"),
        {
            "severity": 0.8,
            "source_entity": "ip:10.1.0.17",
            "target_entity": "ip:10.1.0.18",
            "unknown": ["doubt: severity said twice", "doubt: source said twice", "doubt: target said twice"],
        },
    ),
    "severity and source inside a URL behind the real ones": (
        "custom_text",
        kv("severity=high src=10.1.0.17 dst=10.1.0.18 attack=Upload url=/?a=b severity=0 src=10.9.9.9 dst=10.9.9.8"),
        {"severity": 0.8, "source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18"},
    ),
    "severity and source under names that go before the real ones": (
        "custom_text",
        kv(
            "srcip=10.1.0.17 dstip=10.1.0.18 crlevel=critical attack=Upload url=/?a=b severity=0 src=10.9.9.9 dst=10.9.9.8"
        ),
        {"severity": 1.0, "source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18"},
    ),
    "the same, before the real ones": (
        "custom_text",
        kv(
            "attack=Upload url=/?a=b severity=0 src=10.9.9.9 dst=10.9.9.8 srcip=10.1.0.17 dstip=10.1.0.18 crlevel=critical"
        ),
        {"severity": 1.0, "source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18"},
    ),
    "a degree in the head stands, low as it is": (
        "custom_text",
        kv('type="utm" level="alert" severity="info" attack="Probe" crlevel="high" srcip=10.1.0.17'),
        {"severity": 0.1, "unknown": []},
    ),
    "another name inside a URL": (
        "custom_text",
        kv("attack=Upload srcip=10.1.0.17 url=/?a=b name=Noise"),
        {"name": "Upload"},
    ),
    "LEEF whose value holds the delimiter": (
        "custom_text",
        {"RawData": "LEEF:2.0|I|IPS|2|77|^|cat=Exploit^src=10.1.0.17^sev=8^url=/?a^type=traffic^sev=0^src=10.9.9.9"},
        {"name": "Exploit", "severity": 0.8, "target_entity": "ip:10.1.0.17"},
    ),
    "CEF whose value holds keys": (
        "custom_text",
        cef("src=10.1.0.17 dst=10.1.0.18 request=/?a src=10.9.9.9 dst=10.9.9.8 severity=0"),
        {"severity": 0.5, "source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18"},
    ),
    "CEF inside a value is no CEF": (
        "custom_text",
        kv("attack=Upload severity=high srcip=10.1.0.17 url=/CEF:0|a|b|c|d|Noise|0|src=10.9.9.9"),
        {"name": "Upload", "severity": 0.8, "target_entity": "ip:10.1.0.17"},
    ),
    "CEF inside JSON is no CEF": (
        "custom_text",
        {"RawData": '{"name": "Upload", "severity": "high", "url": "/CEF:0|a|b|c|d|Noise|0|src=10.9.9.9"}'},
        {"name": "Upload", "severity": 0.8},
    ),
    "CEF behind structured data of syslog": (
        "custom_text",
        {
            "RawData": '<134>1 2026-03-02T10:00:00Z fw app 7 ID1 [meta@1 lang="en"] CEF:0|I|Wall|1|7|Scan|5|dst=10.1.0.18'
        },
        {"name": "Scan", "severity": 0.5, "target_entity": "ip:10.1.0.18"},
    ),
    "JSON says a thing in one place: a text in it is a text": (
        "custom_text",
        {"RawData": '{"name": "Upload", "url": "/?a type=traffic severity=0 src=10.9.9.9", "src": "10.1.0.17"}'},
        {"name": "Upload", "severity": None, "target_entity": "ip:10.1.0.17"},
    ),
    "an extension's weight inside a URL": (
        "common_security_log",
        {
            "DeviceVendor": "Fortinet",
            "Activity": "utm:ips signature dropped",
            "LogSeverity": "4",
            "AdditionalExtensions": "FTNTFGTurl=/?;FTNTFGTseverity=info;FTNTFGTattack=Overflow;FTNTFGTseverity=high",
        },
        {"severity": 0.8, "unknown": ["doubt: severity said twice"]},
    ),
    "an extension's weight said once": (
        "common_security_log",
        {
            "DeviceVendor": "Fortinet",
            "Activity": "utm:ips signature dropped",
            "LogSeverity": "7",
            "AdditionalExtensions": "FTNTFGTattack=Overflow;FTNTFGTseverity=info;FTNTFGTcrlevel=high",
        },
        {"severity": 0.1, "unknown": []},
    ),
    "no text at all": ("custom_text", {"RawData": ""}, {"reason": "no alert name"}),
    "a severity that is no number of any scale": (
        "custom_text",
        {"RawData": "attack=Scan severity=-7000000000000"},
        {"severity": None, "unknown": ["severity: -7000000000000"]},
    ),
    "a time that is none": (
        "custom_text",
        {"RawData": "attack=Scan rt=Feb 31 2026 10:00:00"},
        {"observed_at": "2026-03-02 10:05:00"},
    ),
    "a Wazuh alert whose data is text": (
        "wazuh",
        {
            "RawData": '{"rule": {"id": "1", "level": "x", "description": "d"}, "agent": {"name": "a-1"}, "data": "text"}'
        },
        {"severity": None, "target_entity": "host:a-1"},
    ),
    "a Zeek time beyond all calendars": (
        "zeek_notice",
        {"RawData": '{"ts": 99999999999999999999.5, "note": "Scan::Port_Scan", "src": "10.1.0.17"}'},
        {"observed_at": "2026-03-02 10:05:00"},
    ),
    "CEF times and degrees that are none": (
        "common_security_log",
        {"Activity": "Scan", "LogSeverity": "1e300", "ReceiptTime": "99999999999999999", "SourceIP": "10.1.0.17"},
        {"severity": None, "observed_at": "2026-03-02 10:05:00", "unknown": ["severity: 1e300"]},
    ),
}


@pytest.fixture(scope="module", params=["false", "true"], ids=["legacy", "ansi"])
def found(spark: SparkSession, request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """What each row became, with and without ANSI: there Spark ends the job at what it else makes null."""
    used = {name: load_format(FORMATS / f"{name}.yaml") for name in dict.fromkeys(case[0] for case in CASES.values())}
    rows = [{"table": one, "_ItemId": name, "TimeGenerated": AT, **row} for name, (one, row, _) in CASES.items()]
    before = spark.conf.get("spark.sql.ansi.enabled")
    spark.conf.set("spark.sql.ansi.enabled", request.param)
    try:
        columns = [column for one in used.values() for column in one.reads]
        lines = normalise_alerts(raw_tables(spark, rows, columns), used)
        found = {row["item_id"]: row.asDict() for row in lines.collect()}
    finally:
        spark.conf.set("spark.sql.ansi.enabled", before or "false")
    for row in found.values():
        row["accounts"] = [entity["key"] for entity in row["entities"] if entity["kind"] == "account"]
        row["observed_at"] = str(row["observed_at"])
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_row_gives_what_is_whole_in_it(found: dict[str, dict[str, Any]], name: str) -> None:
    promised = {"reason": None, **CASES[name][2]}

    assert {column: found[name][column] for column in promised} == promised
