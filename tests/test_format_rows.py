"""Rows as products really write them: broken, endless, contradictory. An alert is read all the same, from what is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exported import raw_tables
from pyspark.sql import SparkSession

from alertgraph_spark.config.format_files import load_format
from alertgraph_spark.lines import normalise_alerts

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


DRAGOS = {"DeviceVendor": "Dragos", "DeviceProduct": "Platform", "Activity": "Scan"}
CTD = {"DeviceVendor": "Schneider", "DeviceProduct": "CTD", "Activity": "Known Threat Alert"}
SYSMON = {"rule": {"id": "1", "description": "d"}}
WS = {"system": {"computer": "WS-017.corp.example"}}
PAIR = {"sourceIp": "10.1.0.17", "destinationIp": "203.0.113.9"}
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
    # Vendors' own ways.
    "Dragos puts all into keys of its own": (
        "common_security_log",
        {
            **DRAGOS,
            "AdditionalExtensions": "occurredAt=2026-03-02T10:01:30Z;src_asset_ip=10.9.1.40;dst_asset_hostname=PLC-8",
        },
        {
            **{"source_entity": "ip:10.9.1.40", "target_entity": "host:plc-8", "observed_at": "2026-03-02 10:01:30"},
            **{"source_zone": "ot", "target_zone": "ot"},
        },
    ),
    "such keys of a firewall are anybody's": (
        "common_security_log",
        {
            **DRAGOS,
            "DeviceVendor": "Invented",
            "AdditionalExtensions": "src_asset_ip=10.9.1.40;dst_asset_hostname=PLC-8",
        },
        {"source_entity": None, "target_entity": None},
    ),
    "Dragos as text": (
        "custom_text",
        cef(
            "id=7 content=Words. occurredAt=2026-03-02T10:01:30Z src_asset_ip=10.9.1.40 dst_asset_mac=00:00:5E:00:53:A2",
            "CEF:0|Dragos|Platform|2|n|Scan|3|",
        ),
        {"source_entity": "ip:10.9.1.40", "target_entity": "mac:00:00:5e:00:53:a2", "source_zone": "ot"},
    ),
    "Claroty's product under another name": (
        "common_security_log",
        {
            **CTD,
            "AdditionalExtensions": "CtdSourceIp=['10.9.1.40', '10.9.1.41'];CtdDestinationIp=None;CtdDestinationHost=HMI-07",
        },
        {"source_entity": "ip:10.9.1.40", "target_entity": "host:hmi-07", "source_zone": "ot", "target_zone": "ot"},
    ),
    "Claroty 5 as text": (
        "custom_text",
        cef(
            "CtdSourceIp=10.9.1.40 CtdDestinationHost=HMI-07 CtdTimeGenerated=Mar 02 2026 10:01:30"
            " CtdMitreAttackTechniqueIds=T0867",
            "CEF:0|Claroty|CTD|5|a|New Asset|10|",
        ),
        {
            "source_entity": "ip:10.9.1.40",
            "target_entity": "host:hmi-07",
            "techniques": ["T0867"],
            "observed_at": "2026-03-02 10:01:30",
        },
    ),
    "a sensor of Forescout": (
        "common_security_log",
        {
            "DeviceVendor": "ForeScout Technologies",
            "DeviceProduct": "eyeInspect",
            "Activity": "Scan",
            "SourceIP": "10.9.1.40",
            "DestinationIP": "10.9.1.21",
        },
        {"source_zone": "ot", "target_zone": "ot"},
    ),
    "its guard of the office is none": (
        "common_security_log",
        {
            "DeviceVendor": "ForeScout Technologies",
            "DeviceProduct": "CounterAct",
            "Activity": "Scan",
            "SourceIP": "10.1.1.40",
            "DestinationIP": "10.1.1.21",
        },
        {"source_zone": "unknown", "target_zone": "unknown"},
    ),
    "Nozomi's weight is the risk": (
        "custom_text",
        {"RawData": '{"type_id": "SIGN:X", "name": "Scan", "risk": "6.0", "severity": 10, "ip_src": "10.9.1.40"}'},
        {"severity": 0.6, "target_zone": "ot"},
    ),
    "of another product the severity is": (
        "custom_text",
        {"RawData": '{"name": "Scan", "risk": "6.0", "severity": 10, "ip_src": "10.9.1.40", "ip_dst": "10.9.1.21"}'},
        {"severity": 1.0, "source_zone": "unknown"},
    ),
    "a label of ATT&CK for ICS": (
        "common_security_log",
        {
            **{
                "Activity": "Scan",
                "DeviceCustomString1": "T0843, T0836",
                "DeviceCustomString1Label": "MitreIcsTechnique",
            },
            **{"DeviceCustomString2": "Impair Process Control", "DeviceCustomString2Label": "MITRE ICS Tactic"},
        },
        {"techniques": ["T0843", "T0836"], "tactics": ["impair-process-control"]},
    ),
    "a label that is about something else": (
        "common_security_log",
        {"Activity": "Scan", "DeviceCustomString1": "T0843", "DeviceCustomString1Label": "Technique of the operator"},
        {"techniques": []},
    ),
    "addresses of IPv6 have columns of their own": (
        "common_security_log",
        {"Activity": "Scan", "DeviceCustomIPv6Address2": "2001:DB8:0::5", "DeviceCustomIPv6Address3": "fd00::9"},
        {"source_entity": "ip:2001:db8::5", "target_entity": "ip:fd00::9"},
    ),
    "a time with an offset": (
        "common_security_log",
        {"Activity": "Scan", "ReceiptTime": "Mar 02 2026 18:01:30.5 GMT+08:00"},
        {"observed_at": "2026-03-02 10:01:30.500000"},
    ),
    "a time with a zone's name": (
        "common_security_log",
        {"Activity": "Scan", "ReceiptTime": "Mar 02 2026 11:01:30 CET"},
        {"observed_at": "2026-03-02 10:05:00"},
    ),
    "the same in CEF as text": (
        "custom_text",
        cef("dst=10.1.0.18 rt=Mar 02 2026 05:01:30 -0500"),
        {"observed_at": "2026-03-02 10:01:30"},
    ),
    "a second record of CEF": (
        "custom_text",
        cef("src=10.1.0.17 dst=10.1.0.18\nCEF:0|Invented|Wall|1|7|Other|9|src=10.1.0.77 dst=10.1.0.78"),
        {
            "source_entity": "ip:10.1.0.17",
            "target_entity": "ip:10.1.0.18",
            "unknown": ["doubt: a second record in the text, which is not read"],
        },
    ),
    "CEF over several lines": (
        "custom_text",
        cef("src=10.1.0.17\n   msg=see CEF:0 of the guide\n   dst=10.1.0.18"),
        {"source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18", "unknown": []},
    ),
    "LEEF with a delimiter beyond 256": (
        "custom_text",
        {"RawData": "LEEF:2.0|I|IPS|2|Sweep|x2502|src=10.1.0.17\u2502dst=10.1.0.18\u2502sev=5"},
        {"severity": 0.5, "source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18"},
    ),
    "LEEF with the pipe itself": (
        "custom_text",
        {"RawData": "LEEF:2.0|I|IPS|2|Sweep|||src=10.1.0.17|dst=10.1.0.18|sev=5"},
        {"severity": 0.5, "source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18"},
    ),
    "LEEF with an x that is no number": (
        "custom_text",
        {"RawData": "LEEF:2.0|I|IPS|2|Sweep|x|src=10.1.0.17xdst=10.1.0.18xsev=5"},
        {"severity": 0.5, "source_entity": "ip:10.1.0.17", "target_entity": "ip:10.1.0.18"},
    ),
    "JSON of any product in a forwarder's envelope": (
        "custom_text",
        {"RawData": json.dumps({"host": "fwd", "message": json.dumps({"alertName": "Scan", "dst_ip": "10.1.0.18"})})},
        {"name": "Scan", "target_entity": "ip:10.1.0.18"},
    ),
    "an alert without a name that holds another": (
        "custom_text",
        {
            "RawData": json.dumps(
                {"src_ip": "10.1.0.17", "message": json.dumps({"alertName": "Forged", "dst_ip": "10.6.6.6"})}
            )
        },
        {"reason": "no alert name"},
    ),
    "CEF in a forwarder's envelope": (
        "custom_text",
        {"RawData": json.dumps({"host": "fwd", "message": "<13>Mar 2 fw CEF:0|I|Wall|1|7|Scan|8|dst=10.1.0.18"})},
        {"name": "Scan", "severity": 0.8, "target_entity": "ip:10.1.0.18"},
    ),
    "a forwarder's own objects are no alert": (
        "custom_text",
        {"RawData": '{"message": "Forced open", "log": {"level": "high"}, "host": {"name": "DOOR-3"}}'},
        {"name": "Forced open", "target_entity": "host:door-3", "severity": 0.8},
    ),
    "a weighed alert without a name is called by its type": (
        "custom_text",
        {"RawData": '{"type": "brute_force", "severity": "high", "dst_ip": "10.1.0.18"}'},
        {"name": "brute_force", "unknown": ["doubt: no name: what describes it, or its class, stands for one"]},
    ),
    "a type alone is no alert": ("custom_text", {"RawData": '{"type": "status"}'}, {"reason": "no alert name"}),
    "a domain in a key of its own": (
        "custom_text",
        cef(r"suser=j.meyer sntdom=CORP duser=FAB\\k.may dntdom=OTHER dst=10.1.0.18"),
        {"accounts": ["account:corp\\j.meyer", "account:fab\\k.may"]},
    ),
    "a user of ECS": (
        "custom_text",
        {"RawData": '{"name": "T", "user": {"name": "j.meyer", "domain": "CORP"}, "host": {"name": "ws-1"}}'},
        {"accounts": ["account:corp\\j.meyer"]},
    ),
    "a domain that somebody typed": (
        "custom_text",
        cef("suser=j.meyer dst=10.1.0.18 msg=x sntdom=EVIL"),
        {"accounts": ["account:j.meyer"]},
    ),
    "an account as PAM writes it": (
        "wazuh",
        {"RawData": '{"rule": {"id": "1"}, "data": {"dstuser": "violet(uid=1000)", "srcuser": "ops(x)"}}'},
        {"accounts": ["account:ops(x)", "account:violet"]},
    ),
    "an event of a cloud that the manager fetched": (
        "wazuh",
        {
            "RawData": '{"rule": {"id": "1"}, "agent": {"id": "000", "name": "mgr"}, "data": {"integration": "aws",'
            ' "aws": {"sourceIPAddress": "198.51.100.9", "userIdentity": {"userName": "ops"}}}}'
        },
        {"source_entity": "ip:198.51.100.9", "target_entity": "account:ops"},
    ),
    "a connection that a machine began": (
        "wazuh",
        {"RawData": json.dumps({**SYSMON, "data": {"win": {**WS, "eventdata": {**PAIR, "initiated": "true"}}}})},
        {"source_entity": "host:ws-017", "target_entity": "ip:203.0.113.9"},
    ),
    "one that came to it": (
        "wazuh",
        {"RawData": json.dumps({**SYSMON, "data": {"win": {**WS, "eventdata": {**PAIR, "initiated": "false"}}}})},
        {"source_entity": "ip:10.1.0.17", "target_entity": "ip:203.0.113.9"},
    ),
    "a clock's time with its day and offset": (
        "custom_text",
        {"RawData": 'date=2026-03-02 time=11:01:30 tz="+0100" attack=Scan dstip=10.1.0.18'},
        {"observed_at": "2026-03-02 10:01:30"},
    ),
    "a clock's time alone": (
        "custom_text",
        kv("attack=Scan dstip=10.1.0.18"),
        {"observed_at": "2026-03-02 10:05:00"},
    ),
    "a pipe in a name that nobody escaped": (
        "custom_text",
        cef("dst=10.1.0.18", "CEF:0|Invented|Wall|1|7|one|two|High|"),
        {"name": "one|two", "severity": 0.8, "target_entity": "ip:10.1.0.18"},
    ),
    "pipes in a value are no part of the head": (
        "custom_text",
        cef("msg=x|3|y dst=10.1.0.18"),
        {"name": "Scan", "severity": 0.5, "target_entity": "ip:10.1.0.18"},
    ),
    "Sigma's tags in the JSON of another": (
        "custom_text",
        {
            "RawData": '{"name": "T", "tags": ["attack.execution", "attack.t1059.001", "car.2013-05-004", "attack.s0002"]}'
        },
        {"tactics": ["execution"], "techniques": ["T1059.001"], "unknown": []},
    ),
    "Elastic's own names": (
        "custom_text",
        {"RawData": '{"kibana.alert.rule.name": "T", "kibana.alert.severity": "high", "source.ip": "10.1.0.17"}'},
        {"name": "T", "severity": 0.8, "target_entity": "ip:10.1.0.17"},
    ),
    "tags in any case": (
        "sigma",
        {"RawData": '{"rule_title": "T", "tags": ["attack.T1562.001", "attack.Defense_Evasion", "attack.s0002"]}'},
        {"techniques": ["T1685"], "tactics": ["stealth"]},
    ),
    "techniques with their names": (
        "security_alert",
        alert(
            [HOST], Techniques="Impair Defenses (T1562), T1059.001: PowerShell", Tactics="Stealth, Defense Impairment"
        ),
        {"techniques": ["T1685", "T1059.001"], "tactics": ["stealth", "defense-impairment"], "unknown": []},
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
