"""How each product writes an alert down: the table, the time it arrives, the columns.

Suricata and the Sigma engine write JSON into a text table's RawData; the firewall and the antivirus write CEF columns.
A row never tells whether its alert was noise or attack: both pass through the same function.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator
from typing import NamedTuple

from network import Network
from rules import Alert, Rule, load_rules
from security_alert import Columns, security_alerts

RULES = load_rules()


class Row(NamedTuple):
    """One exported row without its identity: the lake adds `_ItemId`, TimeGenerated and Type."""

    table: str
    received: dt.datetime
    columns: Columns


def write_rows(alert: Alert, network: Network, rng: random.Random) -> Iterator[Row]:
    """The rows of one alert: one, or two where its status changed later."""
    rule = RULES[alert.rule]
    if rule.product == "ids":
        yield _suricata(alert, rule, network, rng)
    elif rule.product in ("fw", "av"):
        yield _cef(alert, rule, network, rng)
    elif rule.product == "sigma":
        yield _sigma(alert, rule, network, rng)
    else:
        for received, columns in security_alerts(alert, rule, network, rng):
            yield Row("SecurityAlert", received, columns)


def _after(alert: Alert, rng: random.Random, low: float, high: float) -> dt.datetime:
    return alert.at + dt.timedelta(seconds=rng.uniform(low, high))


def _sensor(alert: Alert, network: Network) -> str:
    """The operations sensor sees what ends or begins beyond the operations firewall."""
    ends = (network.find(end) for end in (alert.target, alert.source) if end)
    return "ids-ot" if any(end and end.zone != "it" for end in ends) else "ids-it"


def _metadata(rule: Rule) -> dict[str, list[str]]:
    """Emerging Threats carries ATT&CK in its metadata; other rule sets carry none."""
    if not rule.tactics:
        return {}
    return {
        "mitre_tactic_name": ["_".join(word.capitalize() for word in tactic.split("-")) for tactic in rule.tactics],
        "mitre_technique_id": list(rule.techniques),
        "signature_severity": ["Informational" if rule.severity == 3 else "Major"],
    }


def _suricata(alert: Alert, rule: Rule, network: Network, rng: random.Random) -> Row:
    """A Suricata EVE alert; a signature on the answer has the server's port at its source."""
    answers = "from_port" in rule.detail
    client_port, server_port = rng.randint(49152, 65535), rule.detail.get("from_port", rule.detail.get("port"))
    ports = (server_port, client_port) if answers else (client_port, server_port)
    event: dict[str, object] = {
        "timestamp": alert.at.strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
        "flow_id": rng.getrandbits(50),
        "in_iface": "ens192",
        "event_type": "alert",
        "src_ip": network.address(alert.source),
        **({"src_port": ports[0]} if server_port else {}),  # ICMP has none
        "dest_ip": network.address(alert.target),
        **({"dest_port": ports[1]} if server_port else {}),
        "proto": rule.text("proto") or "TCP",
        "alert": {
            "action": "allowed",
            "gid": 1,
            "signature_id": int(rule.rule_id),
            "rev": 1 + int(rule.rule_id) % 9,
            "signature": rule.name,
            "category": rule.detail["category"],
            "severity": rule.severity,
            **({"metadata": _metadata(rule)} if rule.tactics else {}),
        },
        **({"app_proto": rule.detail["app_proto"]} if "app_proto" in rule.detail else {}),
        "direction": "to_client" if answers else "to_server",
    }
    columns: Columns = {"RawData": json.dumps(event), "Computer": _sensor(alert, network)}
    return Row("SuricataEve_CL", _after(alert, rng, 2, 9), columns)


def _sigma(alert: Alert, rule: Rule, network: Network, rng: random.Random) -> Row:
    """A Zircolite match: rule, tags and the fields of the Windows event that it matched."""
    host = network.find(alert.target)
    domain, _, user = alert.account.rpartition("\\")
    who = {} if not user else {"SubjectUserName": user, "SubjectDomainName": domain.upper()}
    if rule.detail["EventID"] in (4624, 4625, 4769):  # logons name the account that came, not the one that asked
        who = {"TargetUserName": user, "TargetDomainName": domain.upper()}
    came_from = {}
    if alert.source:
        came_from = {"IpAddress": network.address(alert.source), "IpPort": str(rng.randint(49152, 65535))}
    event: dict[str, str | int] = {
        "Hostname": host.fqdn.replace(host.name, host.name.upper(), 1) if host else alert.target,
        "Channel": rule.detail["Channel"],
        "EventID": rule.detail["EventID"],
        "SourceName": "Microsoft-Windows-" + ("Sysmon" if rule.detail["EventID"] == 1 else "Security-Auditing"),
        **who,
        **came_from,
        **{key: value for key, value in rule.detail.items() if key not in ("Channel", "EventID")},
    }
    match = {
        "timestamp": alert.at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "rule_id": rule.rule_id,
        "rule_title": rule.name,
        "rule_level": rule.severity,
        "tags": [f"attack.{word.lower()}" for word in (*rule.tactics, *rule.techniques)],
        "event": event,
    }
    return Row("SigmaAlerts_CL", _after(alert, rng, 20, 240), {"RawData": json.dumps(match)})


def _name_columns(alert: Alert, network: Network) -> Columns:
    """Names and addresses of both ends, as far as the log source knows them."""
    columns: Columns = {}
    for side, end in (("Source", alert.source), ("Destination", alert.target)):
        asset = network.find(end) if end else None
        if end:
            columns[f"{side}IP"] = network.address(end)
        if asset and asset.domain:
            columns[f"{side}HostName"] = asset.fqdn
    return columns


def _cef(alert: Alert, rule: Rule, network: Network, rng: random.Random) -> Row:
    """A CommonSecurityLog row; the firewall writes its severity as a number, the antivirus as a word."""
    columns: Columns = {
        "DeviceEventClassID": rule.rule_id,
        "Activity": rule.name,
        "LogSeverity": rule.severity,
        "DeviceAction": rule.detail["action"],
        "Message": rule.detail["message"],
        "ReceiptTime": alert.at.strftime("%b %d %Y %H:%M:%S"),
        **_name_columns(alert, network),
    }
    if rule.product == "av":
        product: Columns = {"DeviceVendor": "Trend Micro", "DeviceProduct": "Apex Central", "DeviceVersion": "2019"}
        extra: Columns = {"Computer": "srv-dep1", "AdditionalExtensions": f"cnt={rng.randint(1, 3)};cat=AV"}
    else:
        kind, _, rest = rule.name.partition(":")
        product = {"DeviceVendor": "Fortinet", "DeviceProduct": "Fortigate", "DeviceVersion": "v7.2.8"}
        extra = {
            "Computer": "fw-ot" if _sensor(alert, network) == "ids-ot" else "fw-edge",
            "SourcePort": rng.randint(49152, 65535),
            "DestinationPort": rule.detail["port"],
            "SourceUserName": alert.account,
            "Protocol": "6",
            "AdditionalExtensions": f"cat={rule.name};FortinetFortiGatesubtype={rest.split()[0]};FortinetFortiGatetype={kind}"
            f";FortinetFortiGatepolicyid={rng.randint(1, 40)}",
        }
    return Row("CommonSecurityLog", _after(alert, rng, 1, 15), {**product, **columns, **extra})
