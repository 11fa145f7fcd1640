"""What our own incident rule raises comes back through the export: it is known by what Sentinel says of it, and kept aside.

Whatever an attacker can write into an alert of another rule, into its title or its details, leaves it an alert.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from exported import Row, raw_tables
from kusto import HEALTH_FILE, rule_yaml
from pyspark.sql import SparkSession

from alertgraph_spark.config.format_files import find_format, load_format
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.normalise.alerts import rejected_lines, with_status
from alertgraph_spark.verdicts import own_alerts

RULE = rule_yaml()
RULE_ID = RULE["id"]
DETAILS = {"SubgraphId": ["sg-1"], "Site": ["plant"]}
ELSEWHERE = "11111111-1111-1111-1111-111111111111"
READS_US = "let told = AlertGraphSubgraphs_CL\n| where IsShown"


def raised(
    rule: str = RULE_ID, query: str = RULE["query"], details: Mapping[str, Any] = DETAILS, **changes: Any
) -> Row:
    """The SecurityAlert of an analytics rule, as it comes back through the export; by default of ours.

    The keys are those of a rule with an alert for each row: Query holds the row, packed, and OriginalQuery what was asked.
    """
    name = RULE["alertDetailsOverride"]["alertDisplayNameFormat"].replace("{{Title}}", "IT→OT pivot: ws-017 → ews-2")
    packed = "let alertedEvent = datatable(compressedRec: string)['eAFTqlHQUg==']\n;\nalertedEvent"
    properties = {
        **{"Query Period": "3.00:00:00", "Trigger Operator": "GreaterThan", "Event Grouping": "AlertPerResult"},
        **{"Query": packed, "OriginalQuery": query, "Custom Details": json.dumps(details)},
        **{"Analytic Rule Ids": json.dumps([rule]), "Analytic Rule Name": RULE["name"]},
    }
    row = {
        **{"table": "SecurityAlert", "TimeGenerated": "2026-03-05T12:35:00.0000000Z", "SystemAlertId": "a-1"},
        **{"AlertName": name, "DisplayName": name, "AlertSeverity": "High", "Tactics": "LateralMovement"},
        **{"ProductName": "Azure Sentinel", "ProviderName": "ASI Scheduled Alerts"},
        **{"AlertType": f"00000000-0000-0000-0000-000000000000_{rule}", "StartTime": "2026-03-04T09:00:00Z"},
        **{"Entities": '[{"$id":"1","Type":"host","HostName":"ws-017"}]', "ExtendedProperties": json.dumps(properties)},
    }
    return {**row, **changes}


CHAIN = "Chain from the office into the plant"
SILENT = "SigninLogs | take 1"
HOSTILE = {
    "File": ["C:\\Temp\\AlertGraphX_CL.exe"],
    "Rule": [RULE_ID],
    "Query": [READS_US],
    "OriginalQuery": [READS_US],
}

RETURNS: dict[str, tuple[Row, bool]] = {
    "as the rule raises it": (raised(), False),
    "under any name": (raised(AlertName=CHAIN, DisplayName=CHAIN), False),
    "in the portal's newer name": (raised(ProductName="Microsoft Sentinel"), False),
    "where the extended properties are cut off": (raised(ExtendedProperties='{"Query Period": "3.00'), False),
    "where the rule has the template's id no more": (raised(rule=ELSEWHERE), False),
    "where one alert is for all rows, and Query is what was asked": (
        raised(rule=ELSEWHERE, ExtendedProperties=json.dumps({"Query": READS_US})),
        False,
    ),
    "where the query reads us through our function": (
        raised(rule=ELSEWHERE, query="AlertGraphCurrent | take 1"),
        False,
    ),
    "as the rule of the sources raises it": (
        raised(rule=rule_yaml(HEALTH_FILE)["id"], query=rule_yaml(HEALTH_FILE)["query"]),
        False,
    ),
    "the same, made from the solution": (raised(rule=ELSEWHERE, query=rule_yaml(HEALTH_FILE)["query"]), False),
    "another rule's alert": (raised(rule=ELSEWHERE, query=SILENT, AlertName="Password spray"), True),
    "another rule's, whose title is an attacker's": (
        raised(rule=ELSEWHERE, query=SILENT, AlertName="AlertGraphical-PC: credential dumping"),
        True,
    ),
    "another rule's, called as ours": (raised(rule=ELSEWHERE, query=SILENT, AlertName=RULE["name"]), True),
    "another rule's, whose details are an attacker's": (raised(rule=ELSEWHERE, query=SILENT, details=HOSTILE), True),
    "another rule's, whose query speaks of a table that is not ours": (
        raised(rule=ELSEWHERE, query="AlertGraphX_CL | join MyAlertGraphRuns_CL"),
        True,
    ),
    "another product that speaks of a graph": (raised(ProductName="Azure ATP", ProviderName="AATP"), True),
}


@pytest.fixture(scope="module")
def returned(spark: SparkSession) -> tuple[dict[str, str | None], set[tuple[str, str]]]:
    """The reason of each row of `RETURNS`, and what of it is kept among the rejected: `_ItemId` and reason."""
    read = load_format(find_format("security_alert"))
    rows = [{**row, "_ItemId": case} for case, (row, _) in RETURNS.items()]
    raw = raw_tables(spark, rows, read.reads)
    start = datetime(2026, 3, 5, tzinfo=timezone.utc)
    lines = with_status(normalise_alerts(raw, {"SecurityAlert": read}), start, start + timedelta(days=1))
    kept = rejected_lines(lines).collect()
    return {row["item_id"]: row["reason"] for row in lines.collect()}, {
        (json.loads(row["line"])["item_id"], row["reason"]) for row in kept
    }


@pytest.mark.parametrize("case", RETURNS)
def test_what_the_rule_raises_is_not_read_again(
    returned: tuple[dict[str, str | None], set[tuple[str, str]]], case: str
) -> None:
    reasons, _ = returned

    assert reasons[case] == (None if RETURNS[case][1] else "own incident")


def test_what_the_rule_raises_is_kept_for_whoever_doubts_it(
    returned: tuple[dict[str, str | None], set[tuple[str, str]]],
) -> None:
    _, kept = returned

    assert kept == {(case, "own incident") for case, (_, is_read) in RETURNS.items() if not is_read}


def test_what_is_kept_says_the_subgraph_that_it_was_about(spark: SparkSession) -> None:
    """By this an incident that an analyst closes is known to be about a subgraph."""
    read = load_format(find_format("security_alert"))
    raw = raw_tables(spark, [{**raised(), "_ItemId": "item-1"}], read.reads)
    start = datetime(2026, 3, 5, tzinfo=timezone.utc)
    lines = with_status(normalise_alerts(raw, {"SecurityAlert": read}), start, start + timedelta(days=1))
    (kept,) = rejected_lines(lines).collect()

    assert own_alerts([(kept["site"], kept["line"])]) == {("plant", "a-1"): "sg-1"}


def test_the_format_knows_the_id_that_is_deployed() -> None:
    assert rule_yaml(HEALTH_FILE)["id"] in load_format(find_format("security_alert")).let["own_rules"]
    assert RULE_ID in load_format(find_format("security_alert")).let["own_rules"]
