"""The made-up factory: what it promises about its rows, its noise and its truth."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import importlib
import ipaddress
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "examples" / "plant"
MODULES = (
    "rules",
    "network",
    "occasions",
    "noise",
    "planned",
    "stories",
    "campaigns",
    "security_alert",
    "products",
    "lake",
    "generate",
)
TABLES = {"SecurityAlert", "SuricataEve_CL", "CommonSecurityLog", "SigmaAlerts_CL"}
START = dt.datetime(2026, 3, 2, tzinfo=dt.timezone.utc)
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ROLES = {
    "",
    "workstation",
    "server",
    "file_server",
    "domain_controller",
    "proxy",
    "jump_host",
    "maintenance",
    "engineering_workstation",
    "hmi",
    "historian",
    "scada_server",
    "plc",
    "scanner",
    "sensor",
}


@dataclass(frozen=True)
class Plant:
    """One generated set, read back from its files."""

    folder: Path
    note: dict[str, Any]
    rows: list[tuple[Path, dict[str, Any]]]
    truth: dict[str, dict[str, str]]
    seconds: float

    def labelled(self, prefix: str) -> list[dict[str, Any]]:
        """The rows of one campaign."""
        return [row for _, row in self.rows if self.truth[row["_ItemId"]]["strict"].startswith(prefix)]


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield {name: importlib.import_module(name) for name in MODULES}
    for name in MODULES:  # plain names such as `rules` must not stand in another test's way
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def plant(modules: dict[str, ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Plant:
    folder = tmp_path_factory.mktemp("plant") / "seed7"
    began = os.times().user  # neither the disk's pace nor a busy neighbour's
    modules["generate"].generate(folder, seed=7)
    seconds = os.times().user - began
    files = sorted((folder / "lake").rglob("*.json"))
    rows = [(file, json.loads(line)) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    with gzip.open(folder / "truth.csv.gz", "rt", encoding="utf-8", newline="") as file:
        truth = {line["item_id"]: line for line in csv.DictReader(file)}
    return Plant(folder, json.loads((folder / "lake.json").read_text()), rows, truth, seconds)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def command(out: Path, *options: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    line = [sys.executable, str(FOLDER / "generate.py"), str(out), *options]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False)


def days(count: int) -> list[dt.datetime]:
    return [START + dt.timedelta(days=number) for number in range(count)]


# ---- the same set again


def test_same_seed_gives_the_same_bytes_under_another_hash_seed_too(plant: Plant, tmp_path: Path) -> None:
    assert command(tmp_path / "again", "--seed", "7", hash_seed="4711").returncode == 0
    assert contents(tmp_path / "again") == contents(plant.folder)


def test_another_seed_gives_another_set_of_the_same_plant(
    modules: dict[str, ModuleType], plant: Plant, tmp_path: Path
) -> None:
    modules["generate"].generate(tmp_path / "other", seed=8)
    other, first = contents(tmp_path / "other"), contents(plant.folder)
    assert other["assets.csv"] == first["assets.csv"]
    assert other["truth.csv.gz"] != first["truth.csv.gz"]
    ids = re.findall(rb'"_ItemId": "([^"]+)"', b"".join(other.values()))
    assert not {item.decode() for item in ids} & set(plant.truth)


def test_it_takes_less_than_two_seconds_of_work(plant: Plant) -> None:
    assert plant.seconds < 2


# ---- the lake


def test_counts_agree_between_note_files_and_truth(plant: Plant) -> None:
    written = Counter(row["Type"] for _, row in plant.rows)
    assert set(written) == TABLES
    assert {name: table["rows"] for name, table in plant.note["tables"].items()} == dict(written)
    assert plant.note["files"] == len({file for file, _ in plant.rows})
    assert {row["_ItemId"] for _, row in plant.rows} == set(plant.truth)
    assert len(plant.rows) == len(plant.truth)  # so no id occurs twice
    assert 4700 <= len(plant.rows) <= 5300  # about the 5,000 asked for
    assert set(plant.note) == {"tables", "files", "injected", "sources", "seed"}


def test_folder_names_month_first_and_minute_last(modules: dict[str, ModuleType]) -> None:
    # 09:44:59 belongs to the five minutes from 09:40; one second later the next folder begins
    folder_of = modules["lake"].folder_of
    before = dt.datetime(2026, 3, 4, 9, 44, 59, 999999, tzinfo=dt.timezone.utc)
    assert folder_of(before) == "y=2026/m=03/d=04/h=09/m=40"
    assert folder_of(before + dt.timedelta(microseconds=1)) == "y=2026/m=03/d=04/h=09/m=45"


def test_every_row_lies_in_the_folder_of_its_time_and_table(plant: Plant) -> None:
    for file, row in plant.rows:
        stamp = row["TimeGenerated"]
        assert re.fullmatch(r"2026-03-0[234]T\d\d:\d\d:\d\d\.\d{7}Z", stamp)
        five = int(stamp[14:16]) // 5 * 5
        wanted = f"y=2026/m=03/d={stamp[8:10]}/h={stamp[11:13]}/m={five:02d}/PT05M.json"
        container, _, rest = str(file.relative_to(plant.folder / "lake")).partition("/")
        assert container == f"am-{row['Type'].lower()}"
        assert rest.endswith(
            f"/resourcegroups/plant/providers/microsoft.operationalinsights/workspaces/plant-north/{wanted}"
        )
        assert plant.truth[row["_ItemId"]]["time"] == stamp


def test_empty_columns_are_left_out(plant: Plant) -> None:
    assert not [(key, row) for _, row in plant.rows for key, value in row.items() if value in ("", None)]


def test_json_in_text_parses_and_references_resolve(plant: Plant) -> None:
    n_references = 0
    for _, row in plant.rows:
        if row["Type"].endswith("_CL"):
            assert isinstance(json.loads(row["RawData"]), dict)
        if row["Type"] == "SecurityAlert":
            assert isinstance(json.loads(row["ExtendedProperties"]), dict)
            entities = json.loads(row["Entities"])
            ids = {entity["$id"] for entity in entities}
            references = re.findall(r'"\$ref": "(\d+)"', row["Entities"])
            assert set(references) <= ids
            assert len(ids) == len(entities)
            n_references += len(references)
    assert n_references > 100


def test_defender_for_iot_names_its_devices_in_the_properties_alone(plant: Plant) -> None:
    rows = [row for _, row in plant.rows if row.get("ProductName") == "Azure Security Center for IoT"]
    assert len(rows) > 100
    for row in rows:
        assert row["ProviderName"] == "IoTSecurity"
        assert json.loads(row["Entities"]) == []
        properties = json.loads(row["ExtendedProperties"])
        assert {"SourceDeviceAddress", "Protocol", "Category", "SensorId", "DeviceId"} <= set(properties)
        ipaddress.ip_address(properties["SourceDeviceAddress"])


def test_modbus_signatures_go_to_port_502_unless_they_fire_on_the_answer(plant: Plant) -> None:
    events = [json.loads(row["RawData"]) for _, row in plant.rows if row["Type"] == "SuricataEve_CL"]
    modbus = [event for event in events if event.get("app_proto") == "modbus"]
    assert {event["direction"] for event in modbus} == {"to_server", "to_client"}
    for event in modbus:
        assert event["dest_port" if event["direction"] == "to_server" else "src_port"] == 502
    assert not [event for event in events if event["proto"] == "ICMP" and "dest_port" in event]


def test_a_status_update_is_the_same_alert_again_later(plant: Plant) -> None:
    rows_of = defaultdict(list)
    for _, row in plant.rows:
        if row["Type"] == "SecurityAlert":
            rows_of[row["SystemAlertId"]].append(row)
    updated = [rows for rows in rows_of.values() if len(rows) > 1]
    assert 10 <= len(updated) <= len(rows_of) / 5  # a few, and by far most alerts have one row alone
    for first, second in (sorted(rows, key=lambda row: row["TimeGenerated"]) for rows in updated):
        assert first["Status"] == "New"
        assert second["Status"] in ("InProgress", "Resolved")
        assert second["TimeGenerated"] > first["TimeGenerated"]
        changed = {key for key in first if first[key] != second[key]}
        assert changed == {"TimeGenerated", "Status", "_ItemId"}  # so StartTime and ProcessingEndTime stay
        one, two = plant.truth[first["_ItemId"]], plant.truth[second["_ItemId"]]
        assert (one["strict"], one["lenient"]) == (two["strict"], two["lenient"])


# ---- the asset list


def test_assets_have_legal_zones_levels_and_roles(plant: Plant) -> None:
    with (plant.folder / "assets.csv").open(encoding="utf-8", newline="") as file:
        assert file.readline() == "asset,name,zone,purdue_level,role\n"
        file.seek(0)
        assets = list(csv.DictReader(file))
    levels = {"it": {4.0}, "dmz": {3.5}, "ot": {1.0, 2.0, 3.0}, "external": {5.0}}
    for asset in assets:
        assert float(asset["purdue_level"]) in levels[asset["zone"]]
        assert asset["role"] in ROLES
        assert asset["asset"] == asset["asset"].lower()
    assert len({asset["asset"] for asset in assets}) == len(assets)  # a host or address means one thing
    roles = {asset["name"]: asset["role"] for asset in assets}
    assert roles["jmp-mnt"] == "maintenance"
    assert roles["jmp01"] == "jump_host"
    assert roles["scan01"] == "scanner"
    assert Counter(roles.values())["plc"] == 8
    assert sum(name.startswith("ws-") for name in roles) == 25
    assert {asset["asset"] for asset in assets if not asset["name"]} > {"10.20.0.0/16", "10.30.1.0/24"}


def test_no_address_belongs_to_anyone_outside(plant: Plant) -> None:
    text = "".join(json.dumps(row) for _, row in plant.rows)
    for address in set(re.findall(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", text)):
        assert ipaddress.ip_address(address).is_private, address  # RFC 1918, or RFC 5737 (documentation)


# ---- the noise


def hours_of(plant: Plant, before_hour: int) -> dict[str, set[int]]:
    """Hours since the start in which a type was seen."""
    hours = defaultdict(set)
    for line in plant.truth.values():
        hour = int((dt.datetime.fromisoformat(line["time"][:19] + "+00:00") - START).total_seconds() // 3600)
        if hour < before_hour:
            hours[line["name"]].add(hour)
    return hours


def everyday_names(modules: dict[str, ModuleType]) -> set[str]:
    return {modules["products"].RULES[emitter.rule].name for emitter in modules["noise"].EVERYDAY}


def test_everyday_types_fill_a_fifth_of_the_first_day_and_no_other_does(
    modules: dict[str, ModuleType], plant: Plant
) -> None:
    everyday, first_day = everyday_names(modules), hours_of(plant, 24)
    share = {line["name"]: len(first_day[line["name"]]) / 24 for line in plant.truth.values()}
    assert min(share[name] for name in everyday) >= 0.2
    assert max(value for name, value in share.items() if name not in everyday) < 0.2  # the near miss
    assert len(everyday) >= 20


def test_most_noise_is_everyday_and_some_types_are_new_on_later_days(
    modules: dict[str, ModuleType], plant: Plant
) -> None:
    everyday, first_day = everyday_names(modules), hours_of(plant, 24)
    noise = [line for line in plant.truth.values() if line["strict"] == "-"]
    assert sum(line["name"] in everyday for line in noise) / len(noise) > 0.75
    types = Counter(line["name"] for line in noise if line["name"] not in everyday)
    assert len(types) > 50
    assert len([name for name in types if not first_day[name]]) > 10


def test_failed_logons_keep_office_hours(plant: Plant) -> None:
    name = "Account Tampering - Suspicious Failed Logon Reasons"
    hours = Counter(int(line["time"][11:13]) for line in plant.truth.values() if line["name"] == name)
    at_work = sum(count for hour, count in hours.items() if 6 <= hour < 17)
    assert at_work / sum(hours.values()) > 0.85  # by the rhythm 53 of 56 parts, day and night alike would be 11 of 24


def test_a_weekend_is_quiet_in_the_office_and_not_in_the_plant(modules: dict[str, ModuleType]) -> None:
    network = modules["network"].build_network()
    week = days(7)  # Monday 2 March to Sunday 8 March
    per_day: dict[str, Counter[int]] = defaultdict(Counter)
    for alert in modules["noise"].everyday_alerts(network, week, 10_000, seed=1):
        per_day[alert.rule][(alert.at - START).days] += 1
    office, machine = per_day["sigma.failed_logon"], per_day["d4iot.exception"]
    assert office[5] + office[6] < 0.3 * (office[0] + office[1])
    assert machine[5] + machine[6] > 0.9 * (machine[0] + machine[1])


def test_more_alerts_are_more_everyday_noise_and_not_more_attack(modules: dict[str, ModuleType]) -> None:
    make, network = modules["generate"].make_alerts, modules["network"].build_network()
    small, large = (make(network, days(3), wanted, 7) for wanted in (5_000, 20_000))
    assert 19_000 < len(large) < 21_000
    assert [a for a in small if a.label != "-"] == [a for a in large if a.label != "-"]


def test_another_record_of_noise_leaves_the_rest_alone(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    noise, network = modules["noise"], modules["network"].build_network()
    before = list(noise.occasional_alerts(network, days(3), seed=7))
    extra = modules["occasions"].Occasion("edr.lsass", 2, "ws-001", "", "owner")
    monkeypatch.setattr(noise, "OCCASIONS", (*noise.OCCASIONS, extra))
    after = list(noise.occasional_alerts(network, days(3), seed=7))
    assert after[: len(before)] == before
    assert [alert.rule for alert in after[len(before) :]] == ["edr.lsass", "edr.lsass"]


# ---- the campaigns and the truth


def test_every_attack_step_has_alerts_and_the_counts_stay_in_bounds(
    modules: dict[str, ModuleType], plant: Plant
) -> None:
    attacks = [campaign for campaign in modules["campaigns"].CAMPAIGNS if campaign.is_attack]
    told = {f"{campaign.name}.{step.name}" for campaign in attacks for step in campaign.steps}
    assert {line["strict"] for line in plant.truth.values()} == told | {"-"}
    alerts = {
        name: {row.get("SystemAlertId", row["_ItemId"]) for row in plant.labelled(f"{name}.")}
        for name in ("pivot", "ransom")
    }
    assert 25 <= len(alerts["pivot"]) <= 45
    assert 15 <= len(alerts["ransom"]) <= 25
    assert {row["Type"] for row in plant.labelled("pivot.")} == TABLES
    assert {row["ProviderName"] for row in plant.labelled("pivot.") if row["Type"] == "SecurityAlert"} >= {
        "MDATP",
        "IoTSecurity",
        "Azure Advanced Threat Protection",
    }


def test_the_pivot_walks_from_a_desk_to_the_controllers_with_a_night_between(modules: dict[str, ModuleType]) -> None:
    pivot = next(campaign for campaign in modules["campaigns"].CAMPAIGNS if campaign.name == "pivot")
    alerts = sorted(modules["campaigns"].campaign_alerts(pivot, days(3), seed=7), key=lambda alert: alert.at)
    hops = list(dict.fromkeys((a.source, a.target) for a in alerts if a.source and a.target != "203.0.113.199"))
    assert hops == [("ws-017", "fs01"), ("fs01", "jmp01"), ("jmp01", "ews-2"), ("ews-2", "plc-3"), ("ews-2", "plc-4")]
    gaps = [(later.at - earlier.at).total_seconds() / 3600 for earlier, later in pairwise(alerts)]
    assert 14 < max(gaps) < 15  # from 16:33 on day 2 to 07:05 on day 3
    day_2, day_3 = START + dt.timedelta(days=1), START + dt.timedelta(days=2)
    assert abs(alerts[0].at - (day_2 + dt.timedelta(hours=9, minutes=40))) < dt.timedelta(minutes=5)
    assert abs(alerts[-1].at - (day_3 + dt.timedelta(hours=14, minutes=58))) < dt.timedelta(minutes=10)
    assert {alert.account for alert in alerts} == {"", "corp\\s.lange", "corp\\j.meyer"}


def test_the_two_attacks_share_neither_host_nor_account_nor_first_day(modules: dict[str, ModuleType]) -> None:
    played = {c.name: c for c in modules["campaigns"].CAMPAIGNS}
    assert not set(played["pivot"].cast.values()) & set(played["ransom"].cast.values())
    assert (played["pivot"].steps[0].day, played["ransom"].steps[0].day) == (2, 3)
    network = modules["network"].build_network()
    hosts = [network.find(name) for name in played["ransom"].cast.values()]
    assert {host.zone for host in hosts if host} == {"it"}


def test_each_step_sets_off_something_that_was_not_everyday_until_then(plant: Plant) -> None:
    hours = hours_of(plant, 72)
    shares: dict[str, list[float]] = defaultdict(list)
    for line in plant.truth.values():
        if line["strict"] != "-":
            now = int((dt.datetime.fromisoformat(line["time"][:19] + "+00:00") - START).total_seconds() // 3600)
            seen = sum(hour < now for hour in hours[line["name"]])
            shares[line["strict"]].append((seen + 1) / (now + 2))
    assert {step: min(share) for step, share in shares.items() if min(share) >= 0.2} == {}
    assert max(shares["pivot.file_server"]) > 0.2  # and an attack shows up in the everyday types as well


def test_scanner_and_maintenance_take_no_part_in_an_attack(modules: dict[str, ModuleType], plant: Plant) -> None:
    network = modules["network"].build_network()
    addresses = [network.address(name) for name in ("scan01", "jmp-mnt")]
    marks = [*addresses, "scan01", "jmp-mnt", "mnt.rota"]
    named = [
        row
        for _, row in plant.rows
        if any(f'{mark}\\"' in json.dumps(row) or f'"{mark}' in json.dumps(row) for mark in marks)
    ]
    assert len(named) > 300
    assert {(plant.truth[row["_ItemId"]]["strict"], plant.truth[row["_ItemId"]]["lenient"]) for row in named} == {
        ("-", "-")
    }
    nights = {
        row["TimeGenerated"][:10]
        for row in named
        if addresses[0] in json.dumps(row) and row["TimeGenerated"][11:13] < "03"
    }
    assert nights == {"2026-03-03", "2026-03-04"}
    windows = Counter(row["TimeGenerated"][:10] for row in named if addresses[1] in json.dumps(row))
    assert sorted(windows) == ["2026-03-02", "2026-03-03", "2026-03-04"]


def test_the_fault_is_no_attack_and_stays_in_operations(modules: dict[str, ModuleType], plant: Plant) -> None:
    fault = next(campaign for campaign in modules["campaigns"].CAMPAIGNS if campaign.name == "fault")
    alerts = list(modules["campaigns"].campaign_alerts(fault, days(3), seed=7))
    network = modules["network"].build_network()
    assert len(alerts) > 20
    assert {network.find(end).zone for alert in alerts for end in (alert.source, alert.target)} == {"ot"}
    assert {(alert.label, alert.has_known_cause) for alert in alerts} == {("-", True)}
    unresponsive = [
        t for t in plant.truth.values() if t["name"] == "Device is Suspected to be Disconnected (Unresponsive)"
    ]
    assert {(t["host"], t["strict"], t["lenient"]) for t in unresponsive} == {("plc-7", "-", "-")}


def test_lenient_label_comes_from_the_window_but_never_over_a_known_cause(modules: dict[str, ModuleType]) -> None:
    alert = modules["rules"].Alert
    at = [START + dt.timedelta(minutes=minute) for minute in range(30)]
    told = [
        alert(at[10], "ids.ping", "fs01", label="pivot.phish"),
        alert(at[15], "ids.ping", "fs01"),  # inside 10..20
        alert(at[15], "ids.mysql", "fs01", has_known_cause=True),  # inside, but the scanner's
        alert(at[20], "ids.ping", "fs01", label="pivot.phish"),
        alert(at[21], "ids.ping", "fs01"),  # a minute late
        alert(at[18], "ids.ping", "fs01", label="ransom.vpn"),  # its own label, though the other window is open
        alert(at[19], "ids.curl", "fs01"),  # in both windows: the one that opened first
        alert(at[22], "ids.ping", "fs01", label="ransom.vpn"),
    ]
    labels = [
        (a.rule, (a.at - START).seconds // 60, label) for a, label in modules["campaigns"].with_lenient_windows(told)
    ]
    assert labels == [
        ("ids.ping", 10, "pivot.phish"),
        ("ids.mysql", 15, "-"),
        ("ids.ping", 15, "pivot.phish"),
        ("ids.ping", 18, "ransom.vpn"),
        ("ids.curl", 19, "pivot.phish"),
        ("ids.ping", 20, "pivot.phish"),
        ("ids.ping", 21, "ransom.vpn"),
        ("ids.ping", 22, "ransom.vpn"),
    ]


def test_lenient_holds_strict(plant: Plant) -> None:
    for line in plant.truth.values():
        assert line["strict"] in ("-", line["lenient"])
    assert sum(line["lenient"] != "-" for line in plant.truth.values()) < 300


def test_no_row_tells_its_label(modules: dict[str, ModuleType], plant: Plant) -> None:
    labels = {line[kind] for line in plant.truth.values() for kind in ("strict", "lenient")} - {"-"}
    secrets = labels | set(modules["products"].RULES) | {"campaign", "is_attack", "lenient", "occasion"}
    columns: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for _, row in plant.rows:
        text = json.dumps(row)
        assert not [secret for secret in secrets if secret in text]
        assert GUID.fullmatch(row["_ItemId"])
        is_attack = plant.truth[row["_ItemId"]]["strict"] != "-"
        columns[row["Type"], is_attack] |= {*row, *re.findall(r'\\"(\w+)\\": ', text)}
    for table in TABLES:  # nor does a column that only attacks have
        assert columns[table, True] <= columns[table, False]


def test_a_story_can_be_told_again_with_another_cast(modules: dict[str, ModuleType]) -> None:
    campaigns = modules["campaigns"]
    ransom = next(campaign for campaign in campaigns.CAMPAIGNS if campaign.name == "ransom")
    second = campaigns.recast(ransom, "ransom2", {**ransom.cast, "entry": "ws-019", "application": "srv-app1"})
    alerts = list(campaigns.campaign_alerts(second, days(3), seed=7))
    assert {alert.label.partition(".")[0] for alert in alerts} == {"ransom2"}
    assert "ws-019" in {alert.target for alert in alerts}
    assert "ws-008" not in {alert.target for alert in alerts}
    with pytest.raises(ValueError, match="no host for database"):
        campaigns.recast(ransom, "ransom3", {part: host for part, host in ransom.cast.items() if part != "database"})


def test_a_set_too_short_for_a_campaign_leaves_it_out(modules: dict[str, ModuleType]) -> None:
    make, network = modules["generate"].make_alerts, modules["network"].build_network()
    assert {alert.label for alert in make(network, days(2), 3500, 7)} == {"-"}
    assert {alert.label.partition(".")[0] for alert in make(network, days(3), 5000, 7)} == {"-", "pivot", "ransom"}


# ---- the command line


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--alerts", "1500"), "too few"), (("--days", "0"), "at least 1")],
    ids=["noise no longer everyday", "no day"],
)
def test_what_cannot_be_made_is_refused_with_the_reason(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    result = command(tmp_path / "refused", *options)
    assert (result.returncode, (tmp_path / "refused").exists()) == (2, False)
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    result = command(tmp_path)
    assert result.returncode == 2
    assert "not empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
