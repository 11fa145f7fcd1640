"""Normalise: an exported line becomes an alert of one shape, or is refused with a reason.

A format that only passes columns on stands between the row and the alert, so that what is tested is the stage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from exported import raw_tables
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.clean_text import NAME_LIMIT, clean
from alertgraph_spark.config.source_format import Asset, Format, JsonColumn
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.normalise.alerts import (
    LINE_LIMIT,
    MOST_NAMES,
    find_unfinished,
    parse_lines,
    rejected_lines,
    with_status,
)
from alertgraph_spark.normalise.json_text import SECOND
from alertgraph_spark.normalise.repeats import find_repeats, mark_repeats
from alertgraph_spark.tables.schemas import REJECTED, TORN, UNFINISHED

PLAIN = Format(
    name="plain",
    path="plain.yaml",
    reads=(
        *("Id", "Kind", "Title", "Time", "Severity", "Tactics", "Techniques"),
        *("From", "FromIp", "FromZone", "To", "ToIp", "ToZone", "User", "Third"),
    ),
    where="coalesce(Kind, '') != 'status'",
    columns={
        "alert_id": "Id",
        "name": "Title",
        "observed_at": "Time",
        "severity": "Severity",
        "tactics": "split(Tactics, ',')",
        "techniques": "split(Techniques, ',')",
    },
    severity_scale={"low": 0.3, "high": 0.8},
    source={"host": "From", "ip": "FromIp"},
    target={"host": "To", "ip": "ToIp"},
    other={"account": "array(User)", "host": "array(Third)"},
    source_zone="FromZone",
    target_zone="ToZone",
)
# Severity and a Purdue level as numbers, and nothing else than a name.
BARE = Format(
    name="bare",
    path="bare.yaml",
    reads=("Degree", "Level"),
    columns={"name": "'bare'", "severity": "Degree"},
    target={"host": "'plc-1'"},
    target_level="Level",
)
# A table whose rows the platform keeps, and one whose text is JSON.
KEPT = replace(PLAIN, name="kept", kept_by="platform")
WRAPPED = Format(
    name="wrapped",
    path="wrapped.yaml",
    reads=("RawData",),
    json=(JsonColumn("e", "RawData", "title string, src string, text string"),),
    where="e.title != 'status'",
    columns={"name": "e.title"},
    target={"ip": "e.src"},
)
FORMATS = {"Alerts_CL": PLAIN, "Bare_CL": BARE, "Kept_CL": KEPT, "Wrapped_CL": WRAPPED}

Case = tuple[dict[str, Any], dict[str, Any]]
"""A row (a Title is given), and what the alert must hold."""

TIME: dict[str, Case] = {
    # Receipt is 2026-03-10T00:00:00Z; the event may lie 48 hours before it and 24 after.
    "event time": ({"Time": "2026-03-09T23:59:58.5Z"}, {"observed_at": "2026-03-09 23:59:58.5"}),
    "with an offset": ({"Time": "2026-03-10T01:59:58+02:00"}, {"observed_at": "2026-03-09 23:59:58"}),
    "48 hours old": ({"Time": "2026-03-08T00:00:00Z"}, {"observed_at": "2026-03-08 00:00:00"}),
    "a second more": ({"Time": "2026-03-07T23:59:59Z"}, {"observed_at": "2026-03-10 00:00:00"}),
    "24 hours ahead": ({"Time": "2026-03-11T00:00:00Z"}, {"observed_at": "2026-03-11 00:00:00"}),
    "a second ahead of that": ({"Time": "2026-03-11T00:00:01Z"}, {"observed_at": "2026-03-10 00:00:00"}),
    "the platform's time is its product's, weeks later": (
        {"table": "Kept_CL", "Time": "2026-02-18T00:00:00Z"},
        {"observed_at": "2026-02-18 00:00:00", "received_at": "2026-03-10 00:00:00", "done": []},
    ),
    "what stands for no time": (
        {"table": "Kept_CL", "Time": "0001-01-01T00:00:00Z"},
        {
            "observed_at": "2026-03-10 00:00:00",
            "done": ["time is more than 365 days before TimeGenerated, which stands in its place"],
        },
    ),
    "nothing happens after it is known": (
        {"table": "Kept_CL", "Time": "2026-03-12T00:00:00Z"},
        {"observed_at": "2026-03-10 00:00:00"},
    ),
    "a sender's time of weeks ago": (
        {"Time": "2026-02-18T00:00:00Z"},
        {"done": ["time is more than 48 hours before TimeGenerated, which stands in its place"]},
    ),
    "no event time": ({}, {"observed_at": "2026-03-10 00:00:00"}),
    "an event time that is none": ({"Time": "yesterday"}, {"observed_at": "2026-03-10 00:00:00"}),
    "seven digits": (
        {"TimeGenerated": "2026-03-10T00:00:00.1234567Z"},
        {"received_at": "2026-03-10 00:00:00.123456", "observed_at": "2026-03-10 00:00:00.123456"},
    ),
}

WORDS: dict[str, Case] = {
    "severity in any case": ({"Severity": "HIGH"}, {"severity": 0.8}),
    "a severity that the scale lacks": ({"Severity": "huge"}, {"severity": None}),
    "no severity": ({}, {"severity": None}),
    "tactics in any spelling": (
        {"Tactics": "LateralMovement,lateral_movement,Credential Access,command-and-control"},
        {"tactics": ["lateral-movement", "credential-access", "command-and-control"]},
    ),
    "retired and new names": (
        {"Tactics": "DefenseEvasion,PreAttack,Stealth,DefenseImpairment,Evasion"},
        {"tactics": ["stealth", "reconnaissance", "defense-impairment", "evasion"]},
    ),
    "by their ids, of either matrix": (
        {"Tactics": "TA0008, ta0106,TA0005,TA0112"},
        {"tactics": ["lateral-movement", "impair-process-control", "stealth", "defense-impairment"]},
    ),
    "tactics of control systems": (
        {"Tactics": "InhibitResponseFunction,Impair Process Control"},
        {"tactics": ["inhibit-response-function", "impair-process-control"]},
    ),
    "an unknown tactic is left out": ({"Tactics": "Unknown,Impact"}, {"tactics": ["impact"]}),
    "no tactic": ({"Tactics": ""}, {"tactics": []}),
    "no tactics": ({}, {"tactics": [], "techniques": []}),
    "a revoked technique is the one in its place": (
        {
            "Techniques": "T1086,T1059.001,T1562.001,T1089"
        },  # v19 gave T1562.001 the number T1685, v7 T1089 that of T1562.001
        {"techniques": ["T1059.001", "T1685"]},
    ),
    "no technique": ({"Techniques": "T1,TA0008,powershell"}, {"techniques": []}),
    "techniques in capitals": ({"Techniques": "t1021.002,T0866"}, {"techniques": ["T1021.002", "T0866"]}),
    "its own id": ({"Id": "a-1", "_ItemId": "i-1"}, {"alert_id": "a-1", "item_id": "i-1"}),
    "an empty id": ({"Id": "", "_ItemId": "i-1"}, {"alert_id": "i-1"}),
    "a title with blanks": ({"Title": " Port scan "}, {"name": "Port scan", "reason": None}),
    "a title as a terminal would obey it": ({"Title": "\x1b[2JPort\r\nsc\u200ban\u202e"}, {"name": "[2JPort scan"}),
    "a title that nobody sees": ({"Title": "\u200b \u2028\u00a0"}, {"name": None, "reason": "no alert name"}),
    "a title of 64 KB": ({"Title": "n" * 65_536}, {"name": clean("n" * 65_536, NAME_LIMIT), "reason": None}),
    "an id with a line end": ({"Id": "a\r\n1"}, {"alert_id": "a 1"}),
    "an id that nobody sees": ({"Id": "\u200b", "_ItemId": "i-1"}, {"alert_id": "i-1"}),
    "a severity that hides": ({"Severity": "hi\u200bgh\u00a0"}, {"severity": 0.8}),
    "a tactic that hides": (
        {"Tactics": "Im\u00adpact,\x1b[1mTheft\n"},
        {"tactics": ["impact"], "unknown": ["tactic: [1mTheft"]},
    ),
    "a technique with a line end": ({"Techniques": "T1059.001\n"}, {"techniques": ["T1059.001"]}),
}

NONE = {"source_entity": None, "source_zone": None}
ENDS: dict[str, Case] = {
    "a pair": (
        {"From": "ws-1", "ToIp": "10.0.0.9"},
        {"source_entity": "host:ws-1", "target_entity": "ip:10.0.0.9"},
    ),
    "what cannot be seen makes no other host": (
        {"From": "ws\u200b-1\x00", "To": "\u202eFS01\u2028.corp.example", "User": "CORP\\me\u00adyer\x1b"},
        {"entities": ["host host:ws-1 source", "host host:fs01 target", "account account:corp\\meyer other"]},
    ),
    "placeholders that hide": (
        {"From": "N\u200b/A", "To": "\u2060", "ToIp": "10.0.0.9"},
        {"target_entity": "ip:10.0.0.9"},
    ),
    "a host of 64 KB": ({"To": "h" * 65_536}, {"target_entity": f"host:{clean('h' * 65_536)}"}),
    "another that is as long": ({"To": "h" * 65_535 + "i"}, {"target_entity": f"host:{clean('h' * 65_535 + 'i')}"}),
    "the first kind wins": ({"From": "ws-1", "FromIp": "10.0.0.1", "To": "fs01"}, {"source_entity": "host:ws-1"}),
    "a named end says whose its address is": (
        {"From": "ws-1", "FromIp": "10.0.0.1", "ToIp": "10.0.0.9"},
        {"named": [Row(address="ip:10.0.0.1", host="host:ws-1")]},
    ),
    "an end without a name says nothing": ({"FromIp": "10.0.0.1", "To": "fs01"}, {"named": []}),
    "nor does a name that is an address": ({"From": "10.0.0.1", "FromIp": "10.0.0.1", "To": "fs01"}, {"named": []}),
    "a placeholder is no name": ({"From": "N/A", "FromIp": "10.0.0.1", "To": "fs01"}, {"source_entity": "ip:10.0.0.1"}),
    "an alert about one host": ({"To": "fs01"}, {**NONE, "target_entity": "host:fs01"}),
    "a loop is about one host": ({"From": "FS01.corp.example", "To": "fs01"}, {**NONE, "target_entity": "host:fs01"}),
    "two hosts are no loop": ({"From": "fs01", "To": "fs011"}, {"source_entity": "host:fs01"}),
    "a source alone is what it is about": (
        {"From": "ws-1", "FromZone": "it", "ToZone": "ot"},
        {**NONE, "target_entity": "host:ws-1", "target_zone": "it"},
    ),
    "neither end, but another host": ({"Third": "srv-3"}, {**NONE, "target_entity": "host:srv-3"}),
    "nobody": ({"From": "-", "To": "unknown"}, {**NONE, "target_entity": None, "target_zone": None, "entities": []}),
    "a public address is outside": ({"FromIp": "198.51.100.7", "To": "web01"}, {"source_zone": "external"}),
    "a private one is not known": ({"FromIp": "10.9.9.9", "To": "web01"}, {"source_zone": "unknown"}),
    "what the product says": ({"FromIp": "198.51.100.7", "FromZone": "dmz", "To": "web01"}, {"source_zone": "dmz"}),
    "all entities": (
        {"From": "ws-1", "To": "fs01", "User": "CORP\\j.meyer", "Third": "srv-3"},
        {
            "entities": [
                "host host:ws-1 source",
                "host host:fs01 target",
                "account account:corp\\j.meyer other",
                "host host:srv-3 other",
            ]
        },
    ),
    "no generic account": ({"To": "fs01", "User": "NT AUTHORITY\\SYSTEM"}, {"entities": ["host host:fs01 target"]}),
}

INNER = {"title": "Scan", "src": "10.0.0.9"}
OBJECT = json.dumps(INNER)
SECOND_TOLD = f"doubt: {SECOND}"


def wrapped(text: str) -> dict[str, Any]:
    return {"table": "Wrapped_CL", "RawData": text}


READ = {"name": "Scan", "target_entity": "ip:10.0.0.9", "done": ["JSON taken out of what stood around it"]}
WRAPPINGS: dict[str, Case] = {
    "bare": (wrapped(OBJECT), {**READ, "done": []}),
    "RFC 3164": (wrapped(f"<37>Mar  2 10:02:14 fw-1 app[91043]: {OBJECT}"), READ),
    "RFC 5424": (wrapped(f"<13>1 2026-03-02T10:02:14Z fw-1 app - - - {OBJECT}"), READ),
    "structured data": (wrapped(f'<13>1 2026-03-02T10:02:14Z fw-1 app - - [a@1 b="c"][d e="f"] {OBJECT}'), READ),
    "quotes in structured data": (wrapped(rf'<13>1 - fw-1 app - - [a@1 b="[c]" d="e\"]"] {OBJECT}'), READ),
    "brackets of a program": (wrapped(f"[2026-03-02 10:02:14] [app] {OBJECT}"), READ),
    "a key behind brackets": (wrapped(f"[app] msg={OBJECT}"), {"reason": "not an alert"}),
    "a cookie": (wrapped(f"Mar  2 10:02:14 fw-1 app: @cee: {OBJECT}"), READ),
    "a mark, NULs and a return": (wrapped(f"\ufeff\0\0{OBJECT}\0\0\r"), READ),
    "a string": (wrapped(json.dumps(OBJECT)), READ),
    "in an object": (wrapped(json.dumps({"@timestamp": "x", "message": OBJECT})), READ),
    "behind a header in an object": (wrapped(json.dumps({"log": f"<37>Mar 2 app[1]: {OBJECT}", "stream": "x"})), READ),
    "a hit": (wrapped(json.dumps({"_index": "i", "_id": "1", "_source": INNER, "sort": [1]})), READ),
    "behind a mark in an object": (wrapped(json.dumps({"message": "\ufeff" + OBJECT + "\0"})), READ),
    "an envelope in another": (wrapped(json.dumps({"message": json.dumps({"log": OBJECT + "\n"})})), READ),
    "a forwarder's own words": (
        wrapped(json.dumps({"message": "Scan", "log": {"file": "x"}})),
        {"reason": "not an alert"},
    ),
    "in an array": (wrapped(f"[{OBJECT}]"), {"name": "Scan", "unknown": []}),
    "two in an array": (wrapped(f"[{OBJECT}, {OBJECT}]"), {"name": "Scan", "unknown": [SECOND_TOLD]}),
    "an unescaped tab": (wrapped('{"title": "Sc\tan"}'), {"name": "Sc an"}),
    "two on a line": (wrapped(OBJECT + OBJECT), {"name": "Scan", "unknown": [SECOND_TOLD]}),
    "two behind a header": (wrapped(f"<37>Mar 2 app[1]: {OBJECT} {OBJECT}"), {**READ, "unknown": [SECOND_TOLD]}),
    "a second one that is torn": (wrapped(OBJECT + OBJECT[:-4] + "}"), {"name": "Scan", "unknown": [SECOND_TOLD]}),
    "two with a comma": (wrapped(f"{OBJECT},\n{OBJECT}"), {"name": "Scan", "unknown": [SECOND_TOLD]}),
    "one behind braces in a string": (
        wrapped(json.dumps({**INNER, "text": "a}{b"}) + OBJECT),
        {"name": "Scan", "unknown": [SECOND_TOLD]},
    ),
    "one behind a row that is no alert": (wrapped('{"title": "status"}' + OBJECT), {"reason": SECOND}),
    "braces in a string are no second one": (
        wrapped(json.dumps({**INNER, "text": 'a} {"title": "b"}'})),
        {"name": "Scan", "unknown": []},
    ),
    "objects in a list are one row's": (wrapped(json.dumps({**INNER, "list": [INNER, INNER]})), {"unknown": []}),
    # An attacker's text inside an alert takes nobody's place.
    "an alert that holds another": (
        wrapped(json.dumps({**INNER, "message": json.dumps({"title": "Nothing", "src": "10.6.6.6"})})),
        {"name": "Scan", "target_entity": "ip:10.0.0.9"},
    ),
    "a status that holds an alert": (
        wrapped(json.dumps({"title": "status", "message": OBJECT})),
        {"reason": "not an alert"},
    ),
    "a value in braces behind a key": (wrapped(f"user=x msg={OBJECT}"), {"reason": "not an alert"}),
    "torn behind a header": (wrapped(f"<37>Mar 2 app[1]: {OBJECT[:-5]}"), {"reason": "text broken or cut short"}),
    "malformed": (wrapped('{"title" "Scan"}'), {"reason": "text broken or cut short"}),
    "whole, and none": (wrapped('{"other": 1}'), {"reason": "not an alert"}),
    "no JSON": (wrapped("<html>"), {"reason": "not an alert"}),
}

SPELT: dict[str, Case] = {
    "an address in another spelling": (
        {"ToIp": "[2001:DB8:0:0::5]:443"},
        {"target_entity": "ip:2001:db8::5", "done": ["an address in another spelling"]},
    ),
    "an address as it is": ({"ToIp": "10.0.0.9"}, {"done": []}),
    "a list": (
        {"From": "ws-1", "ToIp": "203.0.113.9, 10.0.0.1"},
        {
            "entities": ["host host:ws-1 source", "ip ip:203.0.113.9 target", "ip ip:10.0.0.1 other"],
            "done": ["a list taken apart: its first is the end"],
        },
    ),
    "a name where an address belongs": (
        {"ToIp": "fs01.corp.example"},
        {"target_entity": "host:fs01", "done": ["a name where an address belongs is a host"]},
    ),
    "an address that names nobody": (
        {"FromIp": "127.0.0.1", "ToIp": "10.0.0.9"},
        {"source_entity": None, "done": ["an address or name that names nobody is left out"]},
    ),
    "the account of the machine": (
        {"To": "fs01.corp.example", "User": "CORP\\FS01$"},
        {"entities": ["host host:fs01 target"]},
    ),
    "a managed account on it": (
        {"To": "fs01.corp.example", "User": "CORP\\gmsa$"},
        {"entities": ["host host:fs01 target", "account account:corp\\gmsa$ other"]},
    ),
    "an end is no other entity": (
        {"To": "fs01", "Third": "FS01.corp.example"},
        {"entities": ["host host:fs01 target"]},
    ),
    "an address of a link is nobody's elsewhere": ({"From": "ws-1", "FromIp": "fe80::5", "To": "fs01"}, {"named": []}),
}

REFUSED: dict[str, Case] = {
    "torn": ({"_corrupt_record": '{"TimeGenerated": "2026-03-'}, {"reason": "torn line"}),
    "whole, with a blank behind it": (
        {"_corrupt_record": '{"Title" 1} '},
        {"reason": "not one JSON object"},
    ),
    "junk": ({"_corrupt_record": "<html>"}, {"reason": "not one JSON object", "line": "<html>"}),
    "no receipt": ({"TimeGenerated": None}, {"reason": "no TimeGenerated"}),
    "a receipt that is no time": (
        {"TimeGenerated": "now", "_ItemId": "i-2"},
        {"reason": "no TimeGenerated", "line": "i-2"},
    ),
    "a row of another kind": ({"Kind": "status"}, {"reason": "not an alert"}),
    "a row of the kind": ({"Kind": "alert"}, {"reason": None, "file": None, "line": None}),
    "no name": ({"Title": None}, {"reason": "no alert name", "file": "file:/lake/PT05M.json"}),
    "a blank name": ({"Title": "  "}, {"reason": "no alert name"}),
    "a long line": ({"_corrupt_record": "x" * 3000}, {"line": "x" * LINE_LIMIT}),
}

CASES = {**TIME, **WORDS, **ENDS, **SPELT, **WRAPPINGS, **REFUSED}

ASSETS = [
    Asset("FS01", zone="it", purdue_level=4.0, role="file_server"),
    Asset("fs01.corp.example", zone="it", purdue_level=4.0, role="file_server"),  # the same key: one row of the join
    Asset("10.1.0.5", name="fs01", zone="it", purdue_level=4.0, role="file_server"),
    Asset("10.9.0.31", name="plc-3", zone="ot", purdue_level=1.0, role="plc"),
    Asset("scan01", zone="it", role="scanner"),
    Asset("10.9.0.0/24", zone="ot", purdue_level=2.0),
    Asset("203.0.113.0/30", zone="dmz"),
    Asset("printer"),  # known, and nothing known of it
]

LISTED: dict[str, Case] = {
    "an address is its host": (
        {"FromIp": "10.1.0.5", "ToIp": "10.9.0.31"},
        {
            **{"source_entity": "host:fs01", "source_zone": "it", "source_level": 4.0, "source_role": "file_server"},
            **{"target_entity": "host:plc-3", "target_zone": "ot", "target_level": 1.0, "target_role": "plc"},
        },
    ),
    "a name in full": ({"From": "fs01.corp.example", "To": "x"}, {"source_role": "file_server", "source_level": 4.0}),
    "a loop through the list": ({"FromIp": "10.1.0.5", "To": "FS01"}, {**NONE, "target_entity": "host:fs01"}),
    "the list before the product": ({"From": "scan01", "FromZone": "ot", "To": "x"}, {"source_zone": "it"}),
    "the product where the list is silent": ({"From": "printer", "FromZone": "ot", "To": "x"}, {"source_zone": "ot"}),
    "in a block": (
        {"FromIp": "10.9.0.255", "To": "x"},
        {"source_entity": "ip:10.9.0.255", "source_zone": "ot", "source_level": 2.0, "source_role": None},
    ),
    "beside a block": ({"FromIp": "10.9.1.0", "To": "x"}, {"source_zone": "unknown", "source_level": None}),
    "a block before public": ({"FromIp": "203.0.113.3", "To": "x"}, {"source_zone": "dmz", "source_level": None}),
    "public beside it": ({"FromIp": "203.0.113.4", "To": "x"}, {"source_zone": "external"}),
    "an address before its block": ({"To": "x", "FromIp": "10.9.0.31"}, {"source_level": 1.0}),
    "role of the one host": ({"From": "scan01"}, {**NONE, "target_entity": "host:scan01", "target_role": "scanner"}),
    "a scanner's name from another's address": (
        {"From": "scan01", "FromIp": "10.1.0.5", "ToIp": "10.9.0.31"},
        {"source_entity": "host:scan01", "source_role": None, "target_role": "plc"},
    ),
    "a scanner's name from an address of a block": (
        {"From": "scan01", "FromIp": "10.9.0.77", "To": "x"},
        {"source_role": "scanner"},
    ),
    "a name and its own address": ({"From": "FS01", "FromIp": "10.1.0.5", "To": "x"}, {"source_role": "file_server"}),
    "a host that is not listed": ({"From": "fs011", "To": "x"}, {"source_zone": "unknown", "source_role": None}),
}


@pytest.fixture(scope="module", params=[False, True], ids=["lenient", "ansi"])
def session(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[SparkSession]:
    """Both ways that Spark treats what cannot be converted: null, or an error (the rule from 4.0 on)."""
    before = spark.conf.get("spark.sql.ansi.enabled")
    spark.conf.set("spark.sql.ansi.enabled", request.param)
    yield spark
    spark.conf.set("spark.sql.ansi.enabled", before or "false")


def normalised(
    spark: SparkSession, cases: Mapping[str, Case], assets: Sequence[Asset] = ()
) -> dict[str, dict[str, Any]]:
    """Every case's line in one Spark job; a case is a site, which no stage changes. Times and entities are text."""
    rows = []
    for name, (row, _) in cases.items():
        title = {} if "_corrupt_record" in row or row.get("table") in ("Bare_CL", "Wrapped_CL") else {"Title": "Alert"}
        rows.append({**title, **row, "site": name})
    lines = normalise_alerts(raw_tables(spark, rows, [*PLAIN.reads, *BARE.reads, *WRAPPED.reads]), FORMATS, assets)
    entities = F.transform("entities", lambda e: F.concat_ws(" ", e["kind"], e["key"], e["role"]))
    times = {at: F.col(at).cast("string") for at in ("observed_at", "received_at")}
    return {row["site"]: row.asDict() for row in lines.withColumns({**times, "entities": entities}).collect()}


def differences(cases: Mapping[str, Case], found: Mapping[str, dict[str, Any]]) -> list[str]:
    assert set(found) == set(cases), "a line was lost"
    return [
        f"{name}: {column} is {found[name][column]!r} instead of {value!r}"
        for name, (_, want) in cases.items()
        for column, value in want.items()
        if found[name][column] != value
    ]


def test_lines_become_alerts_or_are_refused_with_a_reason(session: SparkSession) -> None:
    assert differences(CASES, normalised(session, CASES)) == []


def test_the_asset_list_knows_better(session: SparkSession) -> None:
    assert differences(LISTED, normalised(session, LISTED, ASSETS)) == []


def test_a_list_changes_nothing_of_machines_that_it_does_not_name(spark: SparkSession) -> None:
    without = normalised(spark, CASES)
    unrelated = normalised(spark, CASES, [Asset("somebody-else", zone="dmz"), Asset("192.0.2.0/24", zone="dmz")])

    assert unrelated == without


def test_a_degree_without_a_scale_is_taken_as_it_is(spark: SparkSession) -> None:
    degrees = {"0.4": 0.4, "1": 1.0, "7": 1.0, "-1": 0.0}
    cases: dict[str, Case] = {
        text: ({"table": "Bare_CL", "Degree": text}, {"severity": degree}) for text, degree in degrees.items()
    }

    assert differences(cases, normalised(spark, cases)) == []


def test_a_missing_or_unreadable_degree_is_none_and_not_the_highest(session: SparkSession) -> None:
    cases: dict[str, Case] = {
        "missing": ({"table": "Bare_CL"}, {"severity": None}),
        "a word": ({"table": "Bare_CL", "Degree": "high"}, {"severity": None}),
    }

    assert differences(cases, normalised(session, cases)) == []


def test_a_level_that_is_none_is_not_the_deepest(session: SparkSession) -> None:
    """NaN is above every number for Spark: it would make a score that no other can pass."""
    levels = {"2.5": 2.5, "0": 0.0, "5": 5.0, "5.1": None, "-1": None, "NaN": None, "Infinity": None, "deep": None}
    cases: dict[str, Case] = {
        text: ({"table": "Bare_CL", "Level": text}, {"target_level": level}) for text, level in levels.items()
    }

    assert differences(cases, normalised(session, cases)) == []


def test_the_narrower_block_wins_wherever_it_stands(spark: SparkSession) -> None:
    blocks = [Asset("10.0.0.0/8", zone="it"), Asset("10.9.0.0/16", zone="ot")]
    cases: dict[str, Case] = {
        "inside both": ({"FromIp": "10.9.0.1", "To": "x"}, {"source_zone": "ot"}),
        "inside one": ({"FromIp": "10.8.0.1", "To": "x"}, {"source_zone": "it"}),
    }

    assert differences(cases, normalised(spark, cases, blocks)) == []
    assert differences(cases, normalised(spark, cases, blocks[::-1])) == []


def test_an_id_is_made_of_the_row_where_it_has_none(spark: SparkSession) -> None:
    """Equal rows have equal ids, so that a second delivery is seen; a row that differs in one column has another."""
    row = {"Time": "2026-03-09T23:00:00Z", "To": "fs01"}
    cases: dict[str, Case] = {
        "once": (row, {}),
        "again": (row, {}),
        "another host": ({**row, "To": "fs02"}, {}),
        "the host in another column": ({"Time": row["Time"], "Third": "fs01"}, {}),
    }

    found = normalised(spark, cases)

    ids = {name: one["alert_id"] for name, one in found.items()}
    assert ids["once"] == ids["again"]
    assert len(set(ids.values())) == 3
    assert all(one["item_id"] is None for one in found.values())


def test_words_that_no_table_knows_are_named_and_harm_nothing(spark: SparkSession) -> None:
    cases: dict[str, Case] = {
        "known": ({"Severity": "High", "Tactics": "Discovery", "Techniques": "T1086,t0855"}, {"unknown": []}),
        "none given": ({"Severity": "", "Tactics": "None, N/A", "Techniques": ""}, {"unknown": []}),
        "unknown": (
            {"Severity": "Urgent", "Tactics": "Discovery, Theft", "Techniques": "T1,T1059.001"},
            {"unknown": ["severity: urgent", "tactic: Theft", "technique: T1"], "tactics": ["discovery"]},
        ),
    }
    assert differences(cases, normalised(spark, cases)) == []


def test_an_alert_keeps_its_first_entities_and_says_how_many_it_does_not(spark: SparkSession) -> None:
    """One line of 64 KB can name seven thousand accounts."""
    many = Format(
        name="many",
        path="many.yaml",
        reads=("Title", "To", "Users", "Hosts"),
        columns={"name": "Title"},
        target={"host": "To"},
        other={"account": "split(Users, ' ')", "host": "split(Hosts, ' ')"},
    )
    users, hosts = (" ".join(f"{kind}{i}" for i in range(n)) for kind, n in (("u", 60), ("h", 55)))
    told = {"few": ("u0 u1", "h0"), "just enough": (" ".join(users.split()[:50]), ""), "too many": (users, hosts)}
    rows = [{"site": site, "Title": "Alert", "To": "fs01", "Users": u, "Hosts": h} for site, (u, h) in told.items()]
    lines = normalise_alerts(raw_tables(spark, rows, many.reads), {"Alerts_CL": many})
    found = {row["site"]: row for row in lines.select("site", "entities", "n_left_out").collect()}

    def kept(site: str, kind: str) -> list[str]:
        return [e["key"] for e in found[site]["entities"] if e["kind"] == kind]

    assert kept("few", "account") == ["account:u0", "account:u1"]
    assert kept("too many", "account") == kept("just enough", "account") == [f"account:u{i}" for i in range(50)]
    assert kept("too many", "host") == ["host:fs01", *[f"host:h{i}" for i in range(50)]]
    assert {site: row["n_left_out"] for site, row in found.items()} == {"few": 0, "just enough": 0, "too many": 15}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_the_time_of_receipt_is_the_same_in_every_zone_of_the_session(spark: SparkSession, zone: str) -> None:
    times = {
        "2026-03-02T10:00:00.1234567Z": 1_772_445_600_123_456,
        "2026-03-02T10:00:00Z": 1_772_445_600_000_000,
        "2026-03-02T12:00:00+02:00": 1_772_445_600_000_000,
        "2026-03-02T12:00:00+02:00Z": None,
        "10:00:00Z": None,
        "yesterday": None,
        "": None,
    }
    rows = [{"site": time, "Title": "Alert", "TimeGenerated": time} for time in times]
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        lines = parse_lines(raw_tables(spark, rows, PLAIN.reads), {"Alerts_CL": PLAIN})
        found = {row["site"]: row["at"] for row in lines.selectExpr("site", "unix_micros(received_at) as at").collect()}
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    if found["10:00:00Z"]:  # a time alone is of today, says Spark: no row of an export has one
        found["10:00:00Z"] = None
    assert found == times


def test_what_a_row_says_is_bounded_before_it_leaves_spark(spark: SparkSession) -> None:
    """One line of 64 KB is a few names more; what is cut there is what would be cut later."""
    users, long = " ".join(f"u{n}" for n in range(7_000)), "x\u200b" * 5_000
    rows = [
        {"site": "many", "Title": "Alert", "To": "fs01", "User": users},
        {"site": "long", "Title": long, "To": long, "Tactics": f"Discovery,{long}"},
        {"site": "usual", "Title": "Ale\u200brt", "To": "fs01", "User": "u0 u1"},
    ]
    several = replace(PLAIN, other={"account": "split(User, ' ')"})
    raw, formats = raw_tables(spark, rows, PLAIN.reads), {"Alerts_CL": several}
    said = {row["site"]: row for row in parse_lines(raw, formats).collect()}
    meant = {row["site"]: row for row in normalise_alerts(raw, formats).collect()}

    assert (len(said["many"]["names"]), said["many"]["n_more"]) == (MOST_NAMES, 7_000 + 4 - MOST_NAMES)
    assert meant["many"]["n_left_out"] == 7_000 - 50
    assert (said["usual"]["name"], said["usual"]["n_more"]) == ("Ale\u200brt", 0)
    assert said["long"]["name"] == meant["long"]["name"] == clean(long, NAME_LIMIT)
    assert meant["long"]["target_entity"] == f"host:{clean(long)}"
    assert meant["long"]["unknown"] == [f"tactic: {clean(long)}"]
    assert max(len(name["text"] or "") for name in said["long"]["names"]) == 256


def numbered(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """Normalised lines in the order of their files, with their number."""
    raw = raw_tables(spark, rows, [*PLAIN.reads, *BARE.reads, *WRAPPED.reads])
    one = {table: raw[table].coalesce(1) for table in FORMATS}
    return with_status(normalise_alerts(one, FORMATS), datetime(2026, 3, 10), datetime(2026, 3, 11))


def test_the_half_written_last_line_of_a_growing_file_is_not_yet_an_alert(spark: SparkSession) -> None:
    torn = {"_corrupt_record": '{"Title": "cut'}
    lines = numbered(
        spark,
        [
            {"file": "a", "Title": "Alert"},
            {"file": "a", **torn},  # followed by a line of its own file: it will never be whole
            {"file": "a", "Title": "Alert"},
            {"file": "b", "Title": "Alert"},
            {"file": "b", **torn},  # the last of its file, though a line of another file follows
            {"file": "c", **torn},
            {"file": "c", "_corrupt_record": "junk"},  # a refused line is a line too
            {"file": "d", **torn},
        ],
    )
    refused = rejected_lines(lines, find_unfinished(lines)).select("file", "reason").collect()

    assert sorted(map(tuple, refused)) == [
        ("a", TORN),
        ("b", UNFINISHED),
        ("c", "not one JSON object"),
        ("c", TORN),
        ("d", UNFINISHED),
    ]


def test_refused_lines_are_kept_and_rows_of_another_kind_are_only_counted(spark: SparkSession) -> None:
    rows = [
        {"site": "torn", "_corrupt_record": '{"Title": '},
        {"site": "status", "Kind": "status", "Title": "Alert"},
        {"site": "alert", "Title": "Alert"},
    ]
    lines = numbered(spark, rows)
    refused = rejected_lines(lines)

    assert refused.columns == REJECTED.names
    assert [row.asDict() for row in refused.collect()] == [
        {
            **{"file": "file:/lake/PT05M.json", "line": '{"Title": ', "reason": "torn line"},
            **{"site": "torn", "table": "Alerts_CL"},
        }
    ]


def test_a_repeat_says_the_same_alert_again_and_none_takes_the_place_of_another(spark: SparkSession) -> None:
    said = [
        # site, format, id, name; the later of two stands
        ("plant", "security_alert", "a-1", "Mimikatz"),
        ("plant", "security_alert", "a-1", "Mimikatz"),  # an update
        ("plant", "wazuh", "a-1", "Mimikatz"),
        ("office", "security_alert", "a-1", "Mimikatz"),
        ("plant", "security_alert", "a-2", "Mimikatz"),
        ("plant", "security_alert", "a-1", "Port scan"),  # says another alert's id
        # an id whose last eight letters were calculated, so that a hash of site, format and id is that of plant's a-1
        ("plant", "edr", "xjy0hvto6)7p5ki[", "Port scan"),
    ]
    rows = [(n, "alert", *[datetime(2026, 3, 2, 10, n)] * 2, *row) for n, row in enumerate(said)]
    lines = told_lines(spark, rows)

    ten = datetime(2026, 3, 2, 10)  # the one that stands was known when the first of both came
    assert told_again(lines) == {0: (True, None, ten), 1: (False, None, ten)}
    # An id that the platform gives tells an alert by itself; an attacker's format stays as it is.
    first = datetime(2026, 3, 2, 10)
    assert told_again(lines, "security_alert") == {
        **{0: (True, first, first), 1: (True, first, first), 5: (False, first, first)}
    }
    assert told_again(lines, "wazuh") == {0: (True, None, ten), 1: (False, None, ten)}


TOLD = (
    "row long, status string, received_at timestamp, observed_at timestamp, site string, source string, alert_id string,"
    " name string"
)


def told_lines(spark: SparkSession, rows: Sequence[tuple[Any, ...]]) -> DataFrame:
    """Rows as `find_repeats` takes them; those of one time say the same."""
    same = F.struct(F.lit("the same").alias("name")).alias("said")
    more = [F.lit(None).cast(kind).alias(name) for name, kind in (("item_id", "string"), ("severity", "double"))]
    return spark.createDataFrame(rows, TOLD).select("*", *more, same)


def told_again(lines: DataFrame, *by_id: str) -> dict[int, tuple[bool, datetime | None, datetime]]:
    """Whether a row is a repeat, the first time of its alert, and when the first of its rows was received."""
    found = find_repeats(lines, by_id).collect()
    return {row["row"]: (row["is_repeat"], row["first_at"], row["known_at"]) for row in found}


def test_an_alert_that_is_told_again_days_later_happened_when_it_was_first_said_to(spark: SparkSession) -> None:
    rows = [
        # received on the 2nd, the 5th and the 9th of March; happened at 9, at 8 and at 10 o'clock of the 2nd
        *[(n, "alert", datetime(2026, 3, day), datetime(2026, 3, 2, hour), "plant", "kept", "a-1", f"Told {n}")
          for n, (day, hour) in enumerate([(2, 9), (5, 8), (9, 10)])],
        # told again, and the latest says the earliest
        (3, "alert", datetime(2026, 3, 2), datetime(2026, 3, 2, 9), "plant", "kept", "a-2", "Once"),
        (4, "alert", datetime(2026, 3, 3), datetime(2026, 3, 2, 8), "plant", "kept", "a-2", "Once"),
        # anybody may write this id
        (5, "alert", datetime(2026, 3, 2), datetime(2026, 3, 1), "plant", "wazuh", "a-1", "Forged"),
    ]  # fmt: skip
    eight, second = datetime(2026, 3, 2, 8), datetime(2026, 3, 2)
    lines = told_lines(spark, rows)

    assert told_again(lines, "kept") == {
        **{0: (True, eight, second), 1: (True, eight, second), 2: (False, eight, second)},
        **{3: (True, eight, second), 4: (False, eight, second)},
    }
    marked = mark_repeats(lines, find_repeats(lines, ["kept"]))
    assert set(marked.columns) == {*lines.columns, "is_repeat", "known_at"}
    assert {row["row"]: (row["is_repeat"], row["observed_at"]) for row in marked.collect()} == {
        **{0: (True, eight), 1: (True, eight), 2: (False, eight), 3: (True, eight), 4: (False, eight)},
        5: (False, datetime(2026, 3, 1)),
    }
