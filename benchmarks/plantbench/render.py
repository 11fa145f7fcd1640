"""How each product writes an alert down. A row never tells whether its alert was noise or attack.

Network products name addresses, as they are at the time and from where the sensor stands: a proxy's for a desk that
surfs, one address for a translated cell. Agents name hosts. Some controllers are known to OT sensors by MAC alone.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from plantbench.acts import Watch
from plantbench.catalogue import Rule

Columns = dict[str, object]
SENTINEL = {"stealth": "DefenseEvasion", "defense-impairment": "DefenseEvasion"}
PROVIDERS = {
    "edr": ("MDATP", "Microsoft Defender Advanced Threat Protection"),
    "identity": ("Azure Advanced Threat Protection", "Azure Advanced Threat Protection"),
    "signin": ("IPC", "Azure Active Directory Identity Protection"),
    "d4iot": ("IoTSecurity", "Azure Security Center for IoT"),
}
VENDORS = {
    "fw": ("Fortinet", "Fortigate"),
    "av": ("Trend Micro", "Apex Central"),
    "claroty": ("Claroty", "CTD"),
    "nozomi": ("Nozomi Networks", "Guardian"),
}
SERVICES = ("svc_backup", "svc_sql", "svc_erp", "svc_mon", "svc_deploy", "svc_scan", "adm.one", "adm.two", "adm.three")
OUTSIDE = ("ids-it", "fw-edge", "fw-ot")


class Raw(NamedTuple):
    """One alert, ready to be written: times as text, ends by index, `number` a drawn one in [0, 2**30)."""

    at: float
    stamp: str
    received: str
    rule: int
    source: int
    target: int
    account: int
    number: int
    guid: str
    status: str


def user(watch: Watch, account: int) -> tuple[str, str]:
    """Name and domain of an account; ('', '') for none."""
    hosts = watch.site.hosts
    if account < 0:
        return "", ""
    if account < len(hosts):
        return hosts[account].owner, watch.site.name.partition("-")[2].upper()
    name = SERVICES[(account - len(hosts)) % len(SERVICES)]
    return name, watch.site.name.partition("-")[2].upper()


def mac(host: int) -> str:
    """The address of a controller's network card."""
    return f"00:1d:9c:{host >> 16 & 255:02x}:{host >> 8 & 255:02x}:{host & 255:02x}"


class Writer:
    """Writes the alerts of one site."""

    def __init__(self, watch: Watch) -> None:
        """Keep what does not change from row to row."""
        self.watch, self.site = watch, watch.site
        self.proxies: list[str] = [self.site.hosts[i].address for i in self.site.group("proxy")]

    def seen(self, host: int, other: int, raw: Raw, sensor: str) -> str:
        """The address under which a sensor sees a host."""
        if host < 0:
            return ""
        machine = self.site.hosts[host]
        if sensor in OUTSIDE:
            if machine.role == "plc" and machine.cell in self.site.translated:
                return f"10.{self.site.octet}.69.{10 + machine.cell}"
            outward = self.site.proxied and other >= 0 and self.site.hosts[other].zone == "external"
            if outward and machine.role == "workstation":
                return self.proxies[host % len(self.proxies)]
        return self.site.address(host, raw.at)

    def columns(self, raw: Raw) -> Columns:
        """The product's columns of one alert, without what the export itself adds."""
        rule = self.watch.rules[raw.rule]
        if rule.product == "ids":
            return self._suricata(raw, rule)
        if rule.product == "sigma":
            return self._sigma(raw, rule)
        if rule.product in VENDORS:
            return self._cef(raw, rule)
        return self._security_alert(raw, rule)

    def _suricata(self, raw: Raw, rule: Rule) -> Columns:
        sensor = self.watch.sensor(raw.rule, raw.source, raw.target)
        detail, client = rule.detail, 49152 + raw.number % 16383
        server = detail.get("from_port", detail.get("port"))
        ports = (server, client) if "from_port" in detail else (client, server)
        event: Columns = {
            "timestamp": f"{raw.stamp}+0000",
            "flow_id": raw.number << 18 | raw.rule,
            "event_type": "alert",
            "src_ip": self.seen(raw.source, raw.target, raw, sensor),
            "dest_ip": self.seen(raw.target, raw.source, raw, sensor),
            "proto": detail.get("proto", "TCP"),
            "alert": {
                "action": "allowed",
                "gid": 1,
                "signature_id": int(rule.rule_id),
                "rev": 1 + int(rule.rule_id) % 9,
                "signature": rule.name,
                "category": detail["category"],
                "severity": rule.severity,
            },
        }
        if server:
            event |= {"src_port": ports[0], "dest_port": ports[1]}
        if "app_proto" in detail:
            event["app_proto"] = detail["app_proto"]
        if rule.tactics:
            words = ["_".join(part.capitalize() for part in tactic.split("-")) for tactic in rule.tactics]
            event["alert"]["metadata"] = {"mitre_tactic_name": words, "mitre_technique_id": list(rule.techniques)}  # type: ignore[index]
        return {"RawData": json.dumps(event), "Computer": sensor}

    def _sigma(self, raw: Raw, rule: Rule) -> Columns:
        host = self.site.hosts[raw.target]
        name, domain = user(self.watch, raw.account)
        event: Columns = {"Hostname": host.fqdn.replace(host.name, host.name.upper(), 1), **rule.detail}
        if name:
            side = "Target" if rule.detail["EventID"] in (4624, 4625, 4648, 4769) else "Subject"
            event |= {f"{side}UserName": name, f"{side}DomainName": domain}
        if raw.source >= 0:
            event |= {"IpAddress": self.site.address(raw.source, raw.at), "IpPort": str(49152 + raw.number % 16383)}
        match = {
            "timestamp": raw.stamp[:-3] + "Z",
            "rule_id": rule.rule_id,
            "rule_title": rule.name,
            "rule_level": rule.severity,
            "tags": [f"attack.{word.lower()}" for word in (*rule.tactics, *rule.techniques)],
            "event": event,
        }
        return {"RawData": json.dumps(match)}

    def _cef(self, raw: Raw, rule: Rule) -> Columns:
        sensor = self.watch.sensor(raw.rule, raw.source, raw.target)
        vendor, product = VENDORS[rule.product]
        columns: Columns = {
            "DeviceVendor": vendor,
            "DeviceProduct": product,
            "DeviceEventClassID": rule.rule_id,
            "Activity": rule.name,
            "LogSeverity": str(rule.severity),
            "DeviceAction": rule.detail["action"],
            "Message": rule.detail["message"],
            "StartTime": f"{raw.stamp}0Z",
            "Computer": sensor,
        }
        for side, end, other in (("Source", raw.source, raw.target), ("Destination", raw.target, raw.source)):
            if end < 0:
                continue
            host = self.site.hosts[end]
            if rule.product == "av":
                columns[f"{side}HostName"] = host.fqdn
            if rule.product == "claroty" and host.role == "plc" and end % 5 == 0:
                columns |= {f"{side}MACAddress": mac(end), f"{side}HostName": "N/A"}
            else:
                columns[f"{side}IP"] = self.seen(end, other, raw, sensor)
        if rule.detail.get("port"):
            columns |= {"SourcePort": 49152 + raw.number % 16383, "DestinationPort": rule.detail["port"]}
        if rule.product == "fw" and rule.name.startswith("event:"):
            columns["SourceUserName"] = user(self.watch, raw.account)[0]
        return columns

    def _security_alert(self, raw: Raw, rule: Rule) -> Columns:
        provider, product = PROVIDERS[rule.product]
        tactics = (SENTINEL.get(t, "".join(p.capitalize() for p in t.split("-"))) for t in rule.tactics)
        host = self.site.hosts[raw.target] if raw.target >= 0 else None
        name, domain = user(self.watch, raw.account)
        about = host.fqdn if host else f"{name}@{domain.lower()}.example" if name else ""
        return {
            "StartTime": f"{raw.stamp}0Z",
            "EndTime": f"{raw.stamp}0Z",
            "ProcessingEndTime": f"{raw.received}0Z",
            "SystemAlertId": raw.guid,
            "AlertName": rule.name,
            "DisplayName": rule.name,
            "AlertType": rule.rule_id,
            "AlertSeverity": rule.severity,
            "Tactics": ", ".join(dict.fromkeys(tactics)),
            "Techniques": ", ".join(rule.techniques),
            "ProviderName": provider,
            "ProductName": product,
            "ProductComponentName": rule.detail.get("engine", ""),
            "VendorName": "Microsoft",
            "CompromisedEntity": "" if rule.product == "d4iot" else about,
            "Entities": "[]" if rule.product == "d4iot" else json.dumps(self._entities(raw, rule, name, domain)),
            "ExtendedProperties": json.dumps(self._properties(raw, rule, name)),
            "Status": raw.status,
        }

    def _entities(self, raw: Raw, rule: Rule, name: str, domain: str) -> list[Columns]:
        """Host, address, account, process: each with an id of its own, later ones pointing at the host."""
        found: list[Columns] = []
        on_host: Columns = {}
        if raw.target >= 0 and self.site.hosts[raw.target].windows:
            host = self.site.hosts[raw.target]
            found.append(
                {"$id": "2", "HostName": host.name, "DnsDomain": host.domain, "OSFamily": "Windows", "Type": "host"}
            )
            on_host = {"Host": {"$ref": "2"}}
        if raw.source >= 0:
            found.append({"$id": "3", "Address": self.site.address(raw.source, raw.at), "Type": "ip"})
        if name:
            where: Columns = (
                {"UPNSuffix": f"{domain.lower()}.example"} if rule.product == "signin" else {"NTDomain": domain}
            )
            found.append({"$id": "4", "Name": name, **where, **on_host, "Type": "account"})
        image = str(rule.detail.get("image", ""))
        if image:
            folder, _, file = image.rpartition("\\")
            found.append({"$id": "5", "Directory": folder, "Name": file, **on_host, "Type": "file"})
            command = {"CommandLine": rule.detail.get("command", file), "ImageFile": {"$ref": "5"}}
            found.append({"$id": "6", **command, **on_host, "Type": "process"})
        return found

    def _properties(self, raw: Raw, rule: Rule, name: str) -> Columns:
        if rule.product == "d4iot":
            sensor = self.watch.sensor(raw.rule, raw.source, raw.target)
            ends = [e for e in (raw.source, raw.target) if e >= 0]
            known = [
                mac(e) if self.site.hosts[e].role == "plc" and e % 7 == 0 else self.site.address(e, raw.at)
                for e in ends
            ]
            pair = dict(zip(("SourceDeviceAddress", "DestinationDeviceAddress"), known, strict=False))
            return {
                "SensorId": sensor,
                **pair,
                "Protocol": rule.detail["protocol"],
                "Category": rule.detail["category"],
            }
        if rule.product == "signin":
            return {"Client IP Address": self.site.address(raw.source, raw.at), "User Account": name}
        return {"DetectionSource": rule.product.upper(), "InvestigationState": "Queued"}
