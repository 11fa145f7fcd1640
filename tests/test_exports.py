"""A subgraph as others read it: held against the published schemas, and read back."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import Any

import networkx as nx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrows import table_of
from incident import at, story, told
from told import record_of

from alertgraph_spark import __main__ as command
from alertgraph_spark.publish.exports import FORMS, TABLES, export_subgraphs
from alertgraph_spark.publish.exports.attack_flow import EXTENSION, MITRE
from alertgraph_spark.publish.exports.cases import is_crossing
from alertgraph_spark.publish.exports.ids import shared_id
from alertgraph_spark.publish.exports.techniques import _known, tactic, technique
from alertgraph_spark.publish.plain_text import plain
from alertgraph_spark.tables.attack import REVOKED_TECHNIQUES, TACTICS
from alertgraph_spark.tables.network_schemas import NODES
from alertgraph_spark.tables.schemas import CAUSES, EVIDENCE, FEATURES, MEMBERS, SUBGRAPHS

jsonschema = pytest.importorskip("jsonschema")
stix2 = pytest.importorskip("stix2")

PUBLISHED = Path(__file__).parent / "published"
Row = dict[str, Any]

# ann opens a mail on ws1; ws1 acts on fs1, fs1 on the engineering station, and that stops the controller, for which fs1's
# own act was a cause as well. Nothing led to the scan.
ATTACK = (
    told("0 ws1/it Mail opened #initial-access @corp\\ann", techniques=["T1566.001", "T1204.002"], severity=0.5),
    told("10 ws1/it -> fs1/it Admin share #lateral-movement", lasts=5, techniques=["T1021.002"], n_alerts=3),
    told(
        "60 fs1/it -> ews1/ot Remote desktop #lateral-movement",
        techniques=["T1021.001"],
        source_level=4.0,
        target_level=3.0,
    ),
    told("70 scan1/dmz -> fs1/it Port scan", severity=None),
    told(
        "90 ews1/ot -> plc1/ot Controller stop #inhibit-response-function",
        techniques=["T0816", "no technique"],
        severity=0.9,
    ),
)
CAUSED = ((0, 1), (1, 2), (2, 4), (1, 4))
QUIET = (told("5 prn1/it Toner low"),)


def run_of(
    *episodes: Sequence[Row],
    causes: Sequence[Sequence[tuple[int, int]]] = (CAUSED,),
    site: str = "plant",
    **columns: Any,
) -> dict[str, pa.Table]:
    """The tables of a run with a subgraph of each sequence of episodes: the first is shown, and has the columns given."""
    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    lists = {c.name: [] for c in SUBGRAPHS.columns if c.type.startswith("array")}
    for number, of in enumerate(episodes):
        numbered = story(site, 1 + 100 * number, *of)
        key = {"subgraph_id": f"sg-{numbered[0]['episode']:016x}", "site": site}
        ids = [f"{row['episode']:016x}" for row in numbered]
        span = {"first_seen": numbered[0]["started_at"], "last_seen": max(row["ended_at"] for row in numbered)}
        row = {
            **dict.fromkeys(SUBGRAPHS.names), **lists, **key, **span,
            **{"score": 0.6 - number / 10, "probability": 0.48, "rank": number + 1, "is_shown": number == 0},
            **{"n_alerts": sum(r["n_alerts"] for r in numbered), "n_episodes": len(ids), "n_hosts": 4, "severity": 0.9},
            **{"title": f"Title {number}", "summary": f"Summary {number}", "path": ["host:ws1", "host:fs1", "host:ews1"]},
            "contributions": [{"term": "rarity", "value": 0.6, "fact": "rare types"}],
            "story": [{"sentence": "It begins.", "alert_ids": [f"{ids[0]}-0"]}],
            "counterfactual": {"cut": 0.4, "score": 0.3, "types": [], "fact": "without the mail it would score 0.300"},
        }  # fmt: skip
        rows["subgraphs"].append(row | (columns if number == 0 else {}))
        rows["features"].append(dict.fromkeys(FEATURES.names) | key | {"last_received": span["last_seen"]})
        rows["evidence"] += [{**r, **key, "episode_id": i} for r, i in zip(numbered, ids, strict=True)]
        rows["causes"] += [
            {**key, "cause_id": ids[a], "episode_id": ids[b], "kind": "pivot", "entity": numbered[b]["target_entity"]}
            | {"gap_minutes": 4.0, "weight": 0.9, "chance": 0.01, "log_odds": 2.2}
            for a, b in (causes[number] if number < len(causes) else ())
        ]
        rows["members"] += [
            {**key, "alert_id": f"{i}-{n}", "item_id": None, "episode_id": i, "role": "core"}
            for r, i in zip(numbered, ids, strict=True)
            for n in range(r["n_alerts"])
        ]
        zones = {r[f"{end}_entity"]: r[f"{end}_zone"] for r in numbered for end in ("source", "target")}
        zones |= {account: "it" for r in numbered for account in r["accounts"]}
        rows["nodes"] += [
            {**key, **span, "node_id": node, "label": node.partition(":")[2], "kind": node.partition(":")[0]}
            | {"zone": zone or "unknown", "domain": "OT" if zone == "ot" else "IT", "role": None, "n_alerts": 1}
            for node, zone in zones.items()
            if node
        ]
    declared = {table.name: table for table in (SUBGRAPHS, EVIDENCE, CAUSES, NODES, MEMBERS)}
    made = {name: table_of(table, rows[name]) for name, table in declared.items()}
    kinds = {"subgraph_id": pa.string(), "last_received": made["subgraphs"].schema.field("last_seen").type}
    plain_rows = [{name: row[name] for name in kinds} for row in rows["features"]]
    return made | {"features": pa.Table.from_pylist(plain_rows, schema=pa.schema(kinds.items()))}


RUN_ID = "20260303T060000-abcd-1"
RECORD = record_of(RUN_ID, 2) | {"versions": {"alertgraph_spark": "9.9"}}


def exported(form: str, tables: Mapping[str, pa.Table], *wanted: str, record: Mapping[str, Any] = RECORD) -> Any:
    text, _ = export_subgraphs(form, tables, record, wanted)
    return [json.loads(line) for line in text.splitlines()] if form == "ocsf" else json.loads(text)


def objects(form: str, tables: Mapping[str, pa.Table], kind: str = "", wanted: str = "", **asked: Any) -> list[Row]:
    return [
        one
        for one in exported(form, tables, *filter(None, [wanted]), **asked)["objects"]
        if not kind or one["type"] == kind
    ]


# --- the published forms ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def registry() -> Any:
    import referencing  # noqa: PLC0415 - comes with jsonschema

    schemas = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(PUBLISHED.rglob("*.json"))]
    known = {schema["$id"]: schema for schema in schemas}
    stamp = "oasis-open/cti-stix2-json-schemas/{}/schemas/common/timestamp.json"
    known[f"https://raw.githubusercontent.com/{stamp.format('master')}"] = known[
        f"http://raw.githubusercontent.com/{stamp.format('stix2.1')}"
    ]
    made = [(name, referencing.Resource.from_contents(schema)) for name, schema in known.items()]
    return referencing.Registry().with_resources(made)


def schema_of(kind: str) -> Any:
    is_flow = kind in ("attack-flow", "attack-action", "attack-asset", "attack-condition")
    name = "attack-flow-schema-2.0.0" if is_flow else kind
    (file,) = PUBLISHED.rglob(f"{name}.json")
    return json.loads(file.read_text(encoding="utf-8"))


def problems(one: Row, kind: str = "") -> list[str]:
    validator = jsonschema.Draft202012Validator(schema_of(kind or one["type"]), registry=registry())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(one)]


def refs(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from refs(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name.endswith("_ref"):
                yield one
            elif name.endswith("_refs"):
                yield from one
            else:
                yield from refs(one)


@pytest.mark.parametrize("form", ["stix", "attack-flow"])
def test_every_object_of_a_bundle_is_as_the_published_schema_has_it(form: str) -> None:
    found = objects(form, run_of(ATTACK))

    assert [said for one in found for said in problems(one)] == []
    assert set(refs(found)) <= {one["id"] for one in found}, "nothing is named that is not there"
    assert len({one["id"] for one in found}) == len(found)


def test_the_schemas_see_a_mistake_in_each_form() -> None:
    (flow,) = objects("attack-flow", run_of(ATTACK), "attack-flow")
    (event,) = exported("ocsf", run_of(ATTACK))

    assert problems(flow | {"scope": "attack"})
    assert problems(objects("stix", run_of(ATTACK), "sighting")[0] | {"count": -1})
    assert problems(event | {"severity_id": 7}, "incident_finding")
    assert problems(event | {"finding_info_list": [{"title": "without an id"}]}, "incident_finding")


def test_the_standards_own_library_reads_a_bundle_without_anything_custom() -> None:
    bundle = stix2.parse(exported("stix", run_of(ATTACK)), allow_custom=False)
    assert {one.type for one in bundle.objects} == {
        *("incident", "grouping", "observed-data", "sighting", "attack-pattern", "infrastructure", "note", "identity"),
        *("relationship", "domain-name", "user-account", "marking-definition"),
    }


def test_an_attack_flow_brings_the_extension_that_its_objects_are_of() -> None:
    found = objects("attack-flow", run_of(ATTACK))
    (definition,) = [one for one in found if one["type"] == "extension-definition"]

    assert definition["id"] == EXTENSION
    stix2.parse({"type": "bundle", "id": "bundle--" + EXTENSION[22:], "objects": found}, allow_custom=True)
    extended = {one["type"] for one in found if EXTENSION in one.get("extensions", {})}
    assert extended == {"attack-flow", "attack-action", "attack-asset", "attack-condition"}
    (flow,) = [one for one in found if one["type"] == "attack-flow"]
    assert flow["object_marking_refs"] == [next(one["id"] for one in found if one["type"] == "marking-definition")]


def test_an_incident_finding_is_as_the_published_schema_has_it() -> None:
    (event,) = exported("ocsf", run_of(ATTACK))
    assert problems(event, "incident_finding") == []
    assert (event["class_uid"], event["type_uid"], event["metadata"]["version"]) == (2005, 200501, "1.8.0")


# --- order ------------------------------------------------------------------------------------------------------------


def flow_graph(found: Sequence[Row]) -> nx.DiGraph:
    """Actions by alert name, and which follows which, through conditions."""
    by_id = {one["id"]: one for one in found}

    def actions(ids: Sequence[str]) -> Iterator[str]:
        for one in (by_id[i] for i in ids):
            if one["type"] == "attack-action":
                yield name_of(one)
            else:
                yield from actions(one.get("on_true_refs", ()))

    graph = nx.DiGraph()
    for one in found:
        if one["type"] == "attack-action":
            graph.add_node(name_of(one))
            graph.add_edges_from((name_of(one), later) for later in actions(one.get("effect_refs", ())))
    return graph


def name_of(action: Row) -> str:
    return re.findall("“(.+?)”", action["description"])[0]


NAMES = [row["name"] for row in ATTACK]
LED = {(NAMES[a], NAMES[b]) for a, b in CAUSED}


def test_effects_are_the_causes_read_back_and_what_nothing_led_to_is_a_start() -> None:
    found = objects("attack-flow", run_of(ATTACK))
    (flow,) = [one for one in found if one["type"] == "attack-flow"]
    by_id = {one["id"]: one for one in found}

    assert set(flow_graph(found).edges) == LED
    assert [name_of(by_id[start]) for start in flow["start_refs"]] == ["Mail opened", "Port scan"]
    assert [name_of(one) for one in found if one["type"] == "attack-action"] == NAMES, "in the order of time"


def test_the_same_order_comes_back_from_stix_and_ocsf() -> None:
    found = objects("stix", run_of(ATTACK))
    label = {one["id"]: one["labels"][0] for one in found if one["type"] == "observed-data"}
    leads = {
        (label[one["source_ref"]], label[one["target_ref"]])
        for one in found
        if one.get("relationship_type") == "leads-to"
    }
    (event,) = exported("ocsf", run_of(ATTACK))
    graph = event["finding_info_list"][0]["attack_graph"]
    title = {node["uid"]: node["name"] for node in graph["nodes"]}

    assert leads == LED
    assert {(title[edge["source"]], title[edge["target"]]) for edge in graph["edges"]} == LED
    assert [one["title"] for one in event["finding_info_list"][1:]] == NAMES


def test_what_attack_flow_builder_draws_is_the_flow_and_its_assets() -> None:
    """It draws a node for each object but these, drops operators, and draws a line for each of these references."""
    not_drawn = {"attack-flow", "extension-definition", "marking-definition", "identity"}
    found = objects("attack-flow", run_of(ATTACK))
    drawn = [one for one in found if one["type"] not in not_drawn]
    lines = [(one["type"], name) for one in drawn for name in one if name.endswith(("_ref", "_refs"))]

    assert {one["type"] for one in drawn} == {
        *("attack-action", "attack-condition", "attack-asset", "domain-name", "user-account")
    }
    assert set(lines) == {
        *(("attack-action", "asset_refs"), ("attack-action", "effect_refs"), ("attack-condition", "on_true_refs")),
        ("attack-asset", "object_ref"),
    }


def test_only_the_step_from_outside_into_ot_meets_a_condition() -> None:
    found = objects("attack-flow", run_of(ATTACK))
    (condition,) = [one for one in found if one["type"] == "attack-condition"]
    (crossing,) = [one for one in found if condition["id"] in one.get("effect_refs", ())]

    assert condition["description"] == "The attacker reaches OT: fs1 (IT, Purdue 4) → ews1 (OT, Purdue 3)"
    assert name_of(crossing) == "Remote desktop"
    near = ("0 a/ot -> b/ot x", "0 a/it -> b/dmz x", "0 a -> b/ot x", "0 b/ot x", "0 a/unknown -> b/ot x")
    assert [is_crossing(told(line)) for line in near] == [False] * 5
    assert is_crossing(told("0 a/external -> b/ot x"))


@pytest.mark.parametrize("seed", range(8))
def test_any_forest_comes_back_whole(seed: int) -> None:
    chance = random.Random(seed)
    n = chance.randrange(1, 40)
    zones = ("it", "dmz", "ot", "unknown", "external")
    episodes = [
        told(
            f"{i} a{chance.randrange(6)}/{chance.choice(zones)} -> b{chance.randrange(6)}/{chance.choice(zones)} act {i}"
        )
        for i in range(n)
    ]
    causes = [(chance.randrange(i), i) for i in range(1, n) if chance.random() < 0.8]
    causes += [(a, b) for a, b in ((chance.randrange(n), chance.randrange(n)) for _ in range(4)) if a < b]
    causes = sorted(set(causes))

    tables = run_of(episodes, causes=(causes,))
    found = objects("attack-flow", tables)
    expected = nx.DiGraph((f"act {a}", f"act {b}") for a, b in causes)
    expected.add_nodes_from(f"act {i}" for i in range(n))

    assert nx.utils.graphs_equal(flow_graph(found), expected)
    assert [said for one in found for said in problems(one)] == []
    assert set(refs(found)) <= {one["id"] for one in found}


# --- ids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_two_exports_of_a_run_are_the_same_bytes(form: str) -> None:
    tables = run_of(ATTACK, QUIET)
    shuffled = {name: table.take(list(reversed(range(len(table))))) for name, table in tables.items()}

    assert export_subgraphs(form, tables, RECORD) == export_subgraphs(form, shuffled, RECORD)
    assert export_subgraphs(form, tables, RECORD)[0].isascii()


@pytest.mark.parametrize("form", ["stix", "attack-flow"])
def test_a_subgraph_that_grows_keeps_its_ids_and_is_a_later_version(form: str) -> None:
    later = RECORD | {"run_id": "20260304T060000-abcd-2"}
    before = {one["id"]: one for one in objects(form, run_of(ATTACK))}
    grown = run_of((*ATTACK, told("200 plc1/ot Program changed")), causes=((*CAUSED, (4, 5)),))
    after = {one["id"]: one for one in objects(form, grown, record=later)}

    assert set(before) < set(after)
    versions = [(before[i].get("created"), before[i].get("modified"), after[i]) for i in before]
    assert all(created == now.get("created") for created, _, now in versions)
    ours = [
        (modified, now)
        for _, modified, now in versions
        if now.get("created_by_ref") in before and now["created_by_ref"] != MITRE
    ]
    assert ours and all(modified < now["modified"] for modified, now in ours)


def test_a_subgraph_has_other_ids_than_its_neighbour() -> None:
    both = exported("stix", run_of(ATTACK, QUIET), f"sg-{1:016x}", f"sg-{101:016x}")["objects"]
    assert len({one["id"] for one in both if one["type"] == "incident"}) == 2
    assert len({one["id"] for one in both if one["type"] == "grouping"}) == 2


def addresses(site: str, address: str) -> list[Row]:
    row = told("0 ws1/it Beacon", source_entity=f"ip:{address}", source_zone="external")
    return [one for one in objects("stix", run_of((row,), causes=(), site=site)) if one["type"].startswith("ipv")]


@pytest.mark.parametrize("address", ["10.0.0.5", "192.168.1.1", "100.64.0.1", "fd00::1"])
def test_equal_private_addresses_of_two_sites_are_two(address: str) -> None:
    (one,), (other,) = addresses("plant", address), addresses("office", address)
    assert one["value"] == other["value"] == address
    assert one["id"] != other["id"]


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888"])
def test_a_public_address_has_the_id_that_everybody_gives_it(address: str) -> None:
    (one,), (other,) = addresses("plant", address), addresses("office", address)
    kind = stix2.IPv6Address if ":" in address else stix2.IPv4Address
    assert one["id"] == other["id"] == kind(value=address).id == shared_id(one["type"], address)


def test_what_stix_has_no_observable_for_is_a_machine_and_its_sighting() -> None:
    """A device that DNS would not take, and a host that it would."""
    row = told("0 x/ot Stop", target_entity="device:plc 4, line a")
    found = objects("stix", run_of((row,), causes=()))
    (machine,) = [one for one in found if one["type"] == "infrastructure"]
    (sighting,) = [one for one in found if one["type"] == "sighting"]

    assert (machine["name"], machine["infrastructure_types"]) == ("plc 4, line a", ["control-system"])
    assert sighting["sighting_of_ref"] == machine["id"]
    assert not [one for one in found if one["type"] in ("observed-data", "domain-name")]
    assert [said for one in found for said in problems(one)] == []
    assert objects("stix", run_of((told("0 plc4/ot Stop"),), causes=()), "observed-data")


# --- what arrives -----------------------------------------------------------------------------------------------------


def test_what_only_we_say_arrives_in_every_form() -> None:
    """The way into OT, the order, the place in the budget, what the past did not know, and the counterfactual."""
    tables = run_of(ATTACK, unusual=["“Controller stop”: seen in 0 of 28 days before"], ties=["one follows the other"])
    notes = {one["abstract"]: one["content"] for one in objects("stix", tables, "note")}
    (flow,) = objects("attack-flow", tables, "attack-flow")
    (event,) = exported("ocsf", tables)

    assert notes["Path"] == "ws1 (IT) → fs1 (IT, Purdue 4) → ews1 (OT, Purdue 3)"
    assert notes["Into OT"] == "2026-03-02 01:00 fs1 (IT, Purdue 4) → ews1 (OT, Purdue 3): “Remote desktop”"
    assert notes["In causal order"].splitlines() == [
        "1. 2026-03-02 00:00 on ws1: “Mail opened”, 1 alert, account corp\\ann",
        "2. 2026-03-02 00:10 ws1 → fs1: “Admin share”, 3 alerts; step 1 led to it",
        "3. 2026-03-02 01:00 fs1 → ews1: “Remote desktop”, 1 alert; step 2 led to it",
        "4. 2026-03-02 01:10 scan1 → fs1: “Port scan”, 1 alert",
        "5. 2026-03-02 01:30 ews1 → plc1: “Controller stop”, 1 alert; step 2, 3 led to it",
    ]
    assert notes["Why it is ranked"].splitlines() == [
        "rank 1 of its run, score 0.600, P 0.48, shown within the budget",
        "+0.600 rare types",
    ]
    assert notes["What would have kept it from being shown"] == "without the mail it would score 0.300"
    assert notes["What is unusual"] == "“Controller stop”: seen in 0 of 28 days before"
    assert all(f"{head}\n{said}" in flow["description"] for head, said in notes.items())
    assert event["unmapped"]["told"] == {head: said.splitlines() for head, said in notes.items()}
    assert event["unmapped"]["counterfactual"]["cut"] == 0.4


def test_what_is_long_is_told_in_part_and_counted() -> None:
    rows = [told(f"{n} ws{n}/it -> plc1/ot Write") for n in range(600)]
    tables = run_of(rows, causes=())
    notes = {one["abstract"]: one["content"].splitlines() for one in objects("stix", tables, "note")}

    assert (len(notes["Into OT"]), notes["Into OT"][-1]) == (21, "and 580 more")
    assert (len(notes["In causal order"]), notes["In causal order"][-1]) == (501, "and 100 more")
    assert len(objects("attack-flow", tables, "attack-action")) == 600, "the objects are all there"


def test_what_is_hidden_says_by_which_exception_and_until_when() -> None:
    by = {"id": "EX-1", "owner": "it@corp.example", "reason": "patch <night>", "ticket": "CHG-7", "until": at(600)}
    tables = run_of(ATTACK, is_shown=False, suppressed_by=[by])
    wanted = {"wanted": f"sg-{1:016x}"}
    notes = {one["abstract"]: one["content"] for one in objects("stix", tables, "note", **wanted)}
    (event,) = exported("ocsf", tables, wanted["wanted"])

    assert notes["Why it is ranked"].startswith("rank 1 of its run, score 0.600, P 0.48, hidden by an exception")
    told_by = "exception EX-1 of it@corp.example, until 2026-03-02 10:00 UTC, ticket CHG-7: patch night"
    assert notes["Hidden by an exception"] == told_by
    assert event["unmapped"]["suppressed_by"][0]["until"] == "2026-03-02T10:00:00.000Z"
    assert objects("stix", tables) == [], "an exception hides it here too, unless it is named"


def test_alerts_are_named_so_that_they_are_found_again() -> None:
    share = next(one for one in objects("stix", run_of(ATTACK), "observed-data") if one["labels"] == ["Admin share"])
    (event,) = exported("ocsf", run_of(ATTACK))
    ids = [f"{2:016x}-{n}" for n in range(3)]

    assert (share["number_observed"], [one["external_id"] for one in share["external_references"]]) == (3, ids)
    assert [one["uid"] for one in event["finding_info_list"][2]["related_events"]] == ids


def test_an_episode_is_a_sighting_of_each_of_its_techniques_else_of_its_machine() -> None:
    found = objects("stix", run_of(ATTACK))
    name = {one["id"]: one.get("name") for one in found}
    seen = [
        (re.findall("“(.+?)”", one["description"])[0], name[one["sighting_of_ref"]])
        for one in found
        if one["type"] == "sighting"
    ]

    assert seen == [
        ("Mail opened", "Phishing: Spearphishing Attachment"),
        ("Mail opened", "User Execution: Malicious File"),
        ("Admin share", "Remote Services: SMB/Windows Admin Shares"),
        ("Remote desktop", "Remote Services: Remote Desktop Protocol"),
        ("Port scan", "fs1"),
        ("Controller stop", "Device Restart/Shutdown"),
    ]


def test_a_technique_is_known_by_its_id_at_attack() -> None:
    patterns = {one["name"]: one for one in objects("stix", run_of(ATTACK), "attack-pattern")}
    reference = patterns["Remote Services: SMB/Windows Admin Shares"]["external_references"]

    assert len(patterns) == 5, "what is no id of a technique is none"
    assert reference == [
        {
            "source_name": "mitre-attack",
            "url": "https://attack.mitre.org/techniques/T1021/002",
            "external_id": "T1021.002",
        }
    ]


def test_an_action_is_named_by_its_technique_else_its_tactic_else_its_alert() -> None:
    episodes = (*ATTACK[1:2], told("20 b/ot Moved #lateral-movement"), told("30 c/it Odd"))
    found = objects("attack-flow", run_of(episodes, causes=()), "attack-action")
    facts = [(one["name"], one.get("tactic_id"), one.get("technique_id")) for one in found]

    assert facts == [
        ("Remote Services: SMB/Windows Admin Shares", "TA0008", "T1021.002"),
        ("Lateral Movement", "TA0109", None),  # on a machine of OT: the tactic of the matrix for ICS
        ("Odd", None, None),
    ]


def test_several_subgraphs_are_one_flow_for_a_document_has_no_more() -> None:
    tables = run_of(ATTACK, QUIET)
    found = objects("attack-flow", tables)
    both = exported("attack-flow", tables, f"sg-{1:016x}", f"sg-{101:016x}")["objects"]
    (alone,) = [one for one in found if one["type"] == "attack-flow"]
    (flow,) = [one for one in both if one["type"] == "attack-flow"]

    assert alone["name"] == "Title 0"
    assert (flow["name"], len(flow["start_refs"])) == (f"2 subgraphs of run {RUN_ID}", 3)
    assert [said for one in both for said in problems(one)] == []


def test_severity_and_confidence_are_steps() -> None:
    def of(**columns: Any) -> tuple[Any, ...]:
        (event,) = exported("ocsf", run_of(ATTACK, **columns))
        return event["severity_id"], event["severity"], event["confidence_id"], event["confidence_score"]

    assert of(severity=0.9, probability=0.48) == (5, "Critical", 2, 48)
    assert of(severity=0.85, probability=0.9)[:2] == (5, "Critical")
    assert of(severity=0.84, probability=0.9)[:3] == (4, "High", 3)
    assert of(severity=0.0, probability=0.01) == (0, "Unknown", 1, 1)


# --- Navigator --------------------------------------------------------------------------------------------------------

LAYER = {"name", "versions", "domain", "description", "sorting", "layout", "hideDisabled", "techniques"}
LAYER |= {"gradient", "legendItems", "metadata"}
TECHNIQUE = {"techniqueID", "score", "color", "comment", "enabled", "showSubtechniques", "metadata"}
"""Properties that the layer format 4.5 has a row for, of those that we write."""


def test_it_and_ot_techniques_are_two_layers() -> None:
    enterprise, ics = exported("navigator", run_of(ATTACK))

    assert (enterprise["domain"], ics["domain"]) == ("enterprise-attack", "ics-attack")
    assert enterprise["versions"] == {"attack": "19", "navigator": "5.1.0", "layer": "4.5"}
    assert set(enterprise) | set(ics) == LAYER
    assert all(set(one) <= TECHNIQUE for layer in (enterprise, ics) for one in layer["techniques"])
    assert [one["techniqueID"] for one in ics["techniques"]] == ["T0816"]
    seen = {one["techniqueID"]: (one["score"], one["color"]) for one in enterprise["techniques"]}
    assert seen == {
        "T1021.001": (50, "#E69F00"),  # it came into OT
        "T1021.002": (50, "#0072B2"),
        "T1204.002": (50, "#0072B2"),
        "T1566.001": (50, "#0072B2"),
    }
    assert enterprise["techniques"][1]["comment"] == "2026-03-02 00:10 ws1 → fs1: “Admin share”, 3 alerts"


def test_one_layer_is_the_layer_itself_and_none_an_empty_list() -> None:
    assert exported("navigator", run_of(ATTACK[:2], causes=()))["domain"] == "enterprise-attack"
    assert exported("navigator", run_of(QUIET, causes=())) == []


def test_a_comment_has_ten_episodes_and_the_number_of_the_rest() -> None:
    many = [told(f"{n} ws1/it -> fs1/it Share", techniques=["T1021.002"], severity=None) for n in range(12)]
    (one,) = exported("navigator", run_of(many, causes=()))["techniques"]

    assert len(one["comment"].splitlines()) == 11
    assert one["comment"].endswith("and 2 more")
    assert "score" not in one, "no product gave a severity"


def test_the_highest_severity_is_the_score_of_a_technique() -> None:
    rows = [told(f"{n} ws1/it Share", techniques=["T1021"], severity=s) for n, s in enumerate((0.3, 0.7, None, 0.5))]
    (one,) = exported("navigator", run_of(rows, causes=()))["techniques"]
    assert (one["score"], one["metadata"][1]) == (70, {"name": "alerts", "value": "4"})


# --- techniques -------------------------------------------------------------------------------------------------------


def test_the_names_are_of_techniques_that_are_there() -> None:
    known = _known()
    assert len(known) > 790
    assert not set(known) & set(REVOKED_TECHNIQUES)
    assert set(REVOKED_TECHNIQUES.values()) - set(known) == set(), "what took the place of another has a name"
    assert {technique(one).id for one in known if technique(one)} == set(known)
    assert {matrix for matrix, _ in known.values()} == {"enterprise", "ics"}


@pytest.mark.parametrize("matrix", ["enterprise", "ics"])
def test_every_tactic_has_an_id_in_a_matrix(matrix: str) -> None:
    found = [tactic(name, matrix) for name in TACTICS]
    assert all(re.fullmatch(r"TA\d{4}", one.id) for one in found)
    assert tactic("lateral-movement", matrix).id == {"enterprise": "TA0008", "ics": "TA0109"}[matrix]
    assert tactic("defense-impairment", matrix).id == "TA0112"


@pytest.mark.parametrize("text", ["", "T1", "t1021", "T1021.2", "T1021.002 ", "T1021\n", "TA0008", "T10211"])
def test_what_is_no_id_is_no_technique(text: str) -> None:
    assert technique(text) is None


# --- text of attackers ------------------------------------------------------------------------------------------------

HOSTILE = "x](https://evil.example) ![](http://evil.example/b.png) <img src=x> `run` # head | \u202e\x1b[2J {{t}}"


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a document with the property that it is in."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from texts(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one, name)
    elif isinstance(value, str):
        yield name, value


@pytest.mark.parametrize("form", FORMS)
def test_what_an_attacker_wrote_is_text_in_every_form(form: str) -> None:
    hostile = [{**row, "name": HOSTILE, "techniques": [*row["techniques"], HOSTILE]} for row in ATTACK]
    tables = run_of(
        [*hostile, told("100 x/it y", target_entity=f"host:{HOSTILE}", target_zone="it")],
        **{
            "title": HOSTILE,
            "summary": HOSTILE,
            "story": [{"sentence": HOSTILE, "alert_ids": []}],
            "checks": [HOSTILE],
        },
        **{"contributions": [{"term": "rarity", "value": 0.6, "fact": HOSTILE}], "unusual": [HOSTILE]},
    )
    found = list(texts(exported(form, tables)))

    assert any("evil.example" in said for _, said in found), "what was written is told"
    for name, said in found:
        if name in ("url", "src_url", "schema"):
            assert said.startswith(
                ("https://attack.mitre.org/", "https://center-for-threat-informed-defense.github.io/")
            )
        else:
            assert not re.search(
                r"[<>`{}|\u202e\x1b]|://evil|\]\(", said.replace("hxxp://", "").replace("hxxps://", "")
            ), (
                name,
                said,
            )


def test_plain_text_is_linear_and_short() -> None:
    assert len(plain("a[" * 1_000_000)) <= 601
    assert plain(None) == plain("\u200b") == ""
    assert plain("HTTPS://a FTP://b") == "hxxps://a hxxp://b"


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return saved(tmp_path / RUN_ID, run_of(ATTACK, QUIET))


def saved(folder: Path, tables: Mapping[str, pa.Table]) -> Path:
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        pq.write_table(table, folder / name / "part-0.parquet")
    (folder / "run.json").write_text(json.dumps(RECORD), encoding="utf-8")
    return folder


def ask(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    with redirect_stdout(out):
        code = command.main(["export", *words])
    return code, out.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_the_shown_ones_go_to_the_standard_output_or_into_a_file(
    form: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = ask(str(folder), "--as", form)
    into, nothing = ask(str(folder), "--as", form, "--out", str(folder / "out" / "x.json"))

    assert (code, text) == (0, export_subgraphs(form, run_of(ATTACK, QUIET), RECORD)[0])
    assert (into, nothing) == (0, "")
    assert (folder / "out" / "x.json").read_text(encoding="utf-8") == text
    assert f"1 subgraph as {form}" in capsys.readouterr().err


def test_one_that_is_not_shown_can_be_named(folder: Path) -> None:
    code, text = ask(str(folder), "--as", "stix", "--subgraph", f"sg-{101:016x}")
    assert code == 0
    assert [one["name"] for one in json.loads(text)["objects"] if one["type"] == "incident"] == ["Title 1"]


def test_one_that_is_not_there_is_told_with_those_that_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = ask(str(folder), "--as", "stix", "--subgraph", "sg-none", "--subgraph", "sg-\x1b[2Jno")
    assert (code, text) == (2, "")
    assert capsys.readouterr().err == (
        f"ResultsError: the run has no subgraph sg-none, sg-\\x1b[2Jno; it shows sg-{1:016x}\n"
    )


def test_a_run_that_shows_nothing_gives_an_empty_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = saved(tmp_path / RUN_ID, run_of(QUIET, causes=(), is_shown=False))

    assert [json.loads(ask(str(quiet), "--as", form)[1]).get("objects") for form in ("stix", "attack-flow")] == [[], []]
    assert (ask(str(quiet), "--as", "navigator"), ask(str(quiet), "--as", "ocsf")) == ((0, "[]\n"), (0, ""))
    assert capsys.readouterr().err.count("the run shows no subgraph") == 4


def test_a_run_of_an_older_version_has_to_be_ranked_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = run_of(ATTACK)
    del tables["causes"]
    older = saved(tmp_path / RUN_ID, tables)

    assert ask(str(older), "--as", "stix")[0] == 2
    assert "has no table causes: saved by an older version; rank it again" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(str(folder), "--as", "ocsf", "--out", str(folder / "run.json" / "x"))[0] == 2
    assert "cannot write" in capsys.readouterr().err


def test_times_are_of_the_run_else_of_its_last_alert() -> None:
    unnamed = RECORD | {"run_id": "by hand"}
    modified = [
        objects("stix", run_of(ATTACK), "incident", record=record)[0]["modified"] for record in (RECORD, unnamed)
    ]
    assert modified == ["2026-03-03T06:00:00.000Z", "2026-03-02T01:30:00.000Z"]
