"""How the Microsoft products write a SecurityAlert: Defender for Endpoint, for Identity, for IoT, and Entra ID Protection.

Entities and ExtendedProperties are JSON inside a string. Entities refer to each other by `$id` and `$ref`. Defender for IoT
names its two devices in ExtendedProperties alone.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid
from collections.abc import Iterator

from network import NETBIOS, Network
from rules import Alert, Rule

Columns = dict[str, str | int]
Entity = dict[str, object]

# ATT&CK tactics that Sentinel spells under another name
SENTINEL = {"stealth": "DefenseEvasion", "defense-impairment": "DefenseEvasion"}
PRODUCTS = {
    "edr": ("MDATP", "Microsoft Defender Advanced Threat Protection"),
    "identity": ("Azure Advanced Threat Protection", "Azure Advanced Threat Protection"),
    "signin": ("IPC", "Azure Active Directory Identity Protection"),
    "d4iot": ("IoTSecurity", "Azure Security Center for IoT"),
}
DELAY_MINUTES = {"edr": (1, 6), "identity": (3, 15), "signin": (2, 12), "d4iot": (1, 4)}
UPDATED_SHARE = 0.08


def guid(rng: random.Random) -> str:
    """A random GUID that the seed decides."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def stamp(when: dt.datetime) -> str:
    """A time as Log Analytics exports it: seven digits of fraction."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _tactics(rule: Rule) -> str:
    words = (SENTINEL.get(t, "".join(part.capitalize() for part in t.split("-"))) for t in rule.tactics)
    return ", ".join(dict.fromkeys(words))


def _user(account: str) -> str:
    return account.rpartition("\\")[2]


def _entities(alert: Alert, rule: Rule, network: Network) -> str:
    """Host, account, address, process: each with its own id, the later ones pointing at the earlier."""
    entities: list[Entity] = []

    def add(kind: str, **fields: object) -> dict[str, str]:
        number = str(len(entities) + 2)  # the alert itself is 1
        entities.append({"$id": number, **fields, "Type": kind})
        return {"$ref": number}

    host = network.find(alert.target) if alert.target else None
    on_host = {}
    if host:
        on_host["Host"] = add(
            "host", HostName=host.name, DnsDomain=host.domain, OSFamily="Windows", IsDomainJoined=True
        )
    address = network.address(alert.source) if alert.source else host.address if host else ""
    if address:
        add("ip", Address=address)
    if alert.account:
        add("account", **_account(alert.account, rule), **on_host)
    image = rule.text("image")
    if image:
        folder, _, name = image.rpartition("\\")
        file = add("file", Directory=folder, Name=name, **on_host)
        add("process", CommandLine=rule.text("command"), ImageFile=file, **on_host)
    return json.dumps(entities)


def _account(account: str, rule: Rule) -> Entity:
    if rule.product == "signin":
        return {"Name": _user(account), "UPNSuffix": "corp.example"}
    return {"Name": _user(account), "NTDomain": NETBIOS, "IsDomainJoined": True}


def _properties(alert: Alert, rule: Rule, network: Network, rng: random.Random) -> Columns:
    if rule.product == "d4iot":
        pair = [network.address(end) for end in (alert.source, alert.target) if end]
        found: Columns = {
            "DeviceId": "d4i-s1",
            "SensorId": "d4i-s1",
            "SourceDeviceAddress": pair[0],
            "Protocol": rule.detail["protocol"],
            "Category": rule.detail["category"],
            "AlertManagementUri": f"https://portal.example/iot/alerts/{rng.randint(1000, 99999)}",
        }
        return found | ({"DestinationDeviceAddress": pair[1]} if len(pair) > 1 else {})
    if rule.product == "signin":
        return {"Client IP Address": network.address(alert.source), "User Account": _user(alert.account)}
    category = rule.tactics[0] if rule.tactics else "unwanted-software"
    return {"Category": category, "DetectionSource": rule.product.upper(), "InvestigationState": "Queued"}


def _compromised(alert: Alert, rule: Rule, network: Network) -> str:
    if rule.product == "signin":
        return f"{_user(alert.account)}@corp.example"
    asset = network.find(alert.target)
    return "" if rule.product == "d4iot" else asset.fqdn if asset else alert.target


def security_alerts(
    alert: Alert, rule: Rule, network: Network, rng: random.Random
) -> Iterator[tuple[dt.datetime, Columns]]:
    """The row of an alert and, for some, a later row that reports a change of its status."""
    provider, product = PRODUCTS[rule.product]
    ends = alert.at + dt.timedelta(seconds=rng.uniform(0, 50))
    received = ends + dt.timedelta(minutes=rng.uniform(*DELAY_MINUTES[rule.product]))
    columns: Columns = {
        "StartTime": stamp(alert.at),
        "EndTime": stamp(ends),
        "ProcessingEndTime": stamp(received),
        "SystemAlertId": guid(rng),
        "VendorOriginalId": guid(rng),
        "AlertName": rule.name,
        "DisplayName": rule.name,
        "AlertSeverity": rule.severity,
        "Tactics": _tactics(rule),
        "Techniques": ", ".join(rule.techniques),
        "ProviderName": provider,
        "ProductName": product,
        "ProductComponentName": rule.text("engine"),
        "VendorName": "Microsoft",
        "CompromisedEntity": _compromised(alert, rule, network),
        "Entities": "[]" if rule.product == "d4iot" else _entities(alert, rule, network),
        "ExtendedProperties": json.dumps(_properties(alert, rule, network, rng)),
        "SourceSystem": "Detection",
        "IsIncident": 0,
        "Status": "New",
    }
    yield received, columns
    if rng.random() < UPDATED_SHARE:
        later = received + dt.timedelta(minutes=rng.uniform(20, 480))
        yield later, {**columns, "Status": rng.choice(("InProgress", "Resolved"))}
