"""A subgraph as people see it: machines and accounts, and what happened between them."""

from __future__ import annotations

from typing import Any

import pytest
from arrows import grouped_table
from incident import Row, at, told

from alertgraph_spark.explain import Network, draw_network
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.network_schemas import EDGES, NODES
from alertgraph_spark.tables.schemas import EVIDENCE

MEYER, SVC = "account:corp\\meyer", "account:corp\\svc"
ATTACK: list[Row] = [
    told("0 ws1/it -> jump/dmz rdp", lasts=4, n_alerts=3, severity=0.3, surprise=2.0, accounts=[MEYER]),
    told("10 jump/dmz new service", n_alerts=2, severity=None, surprise=4.0),
    told("20 jump/dmz -> ews/ot rdp", severity=0.4, surprise=3.0, accounts=[MEYER], source_role="jump_host"),
    told("30 ws1/it -> jump/dmz smb", severity=0.9, surprise=5.0),
    told("40 ws1/it -> jump/dmz rdp", severity=0.1, surprise=1.0),
    told("50 x/it y", target_entity=None, target_zone=None),  # names nothing
]
SWEEP: list[Row] = [told(f"{n} scan/it -> jump/dmz probe {n:02}", surprise=float(n)) for n in range(12)]
ZONES: list[Row] = [
    told("0 ws1/it -> far/external x", target_entity="ip:203.0.113.9"),
    told("1 ws1/it -> hmi/ot x"),
    told("2 ws1/it -> hmi/ot x"),
    told("3 ws1/it -> hmi/unknown x"),  # one product that does not know
    told("4 lost/it x", target_zone=None, target_entity="mac:00:1d:9c:c0:04:9d"),
]


@pytest.fixture(scope="module")
def network() -> Network:
    with Engine() as engine:
        drawn = draw_network(engine, grouped_table(grouped()))
    assert [table.schema for table in drawn] == [arrow_schema(table) for table in (NODES, EDGES, EVIDENCE)]
    return drawn


@pytest.fixture(scope="module")
def nodes(network: Network) -> dict[tuple[str, str], Any]:
    by_key = {(row["subgraph_id"], row["node_id"]): row for row in network.nodes.to_pylist()}
    assert len(by_key) == network.nodes.num_rows, "one row is one entity in one subgraph"
    return by_key


@pytest.fixture(scope="module")
def edges(network: Network) -> dict[tuple[str, str, str], Any]:
    by_key = {(row["subgraph_id"], row["source"], row["target"]): row for row in network.edges.to_pylist()}
    assert len(by_key) == network.edges.num_rows, "one row is one ordered pair in one subgraph"
    return by_key


def grouped() -> list[Row]:
    named = [("attack", ATTACK), ("sweep", SWEEP), ("zones", ZONES), ("account", ACCOUNT)]
    return [{**row, "subgraph_id": name, "episode": n} for name, rows in named for n, row in enumerate(rows)]


# A sign-in: the account itself acts, and is listed among the accounts of the alert, as all accounts are.
ACCOUNT: list[Row] = [
    told("0 x/it -> dc/it logon", source_entity=MEYER, accounts=[MEYER]),
    told("1 dc/it -> x/it reset", target_entity=SVC, accounts=[SVC, SVC]),
]


def test_nodes_are_machines_and_accounts(nodes: dict[tuple[str, str], Any]) -> None:
    attack = {node: row for (subgraph, node), row in nodes.items() if subgraph == "attack"}
    assert set(attack) == {"host:ws1", "host:jump", "host:ews", MEYER}
    assert attack["host:jump"] == {
        "subgraph_id": "attack",
        "site": "plant",
        "node_id": "host:jump",
        "label": "jump",
        "kind": "host",
        "zone": "dmz",
        "domain": "IT",
        "role": "jump_host",
        "n_alerts": 3 + 2 + 1 + 1 + 1,
        "first_seen": at(0),
        "last_seen": at(40),
    }
    assert (attack["host:ews"]["domain"], attack["host:ews"]["n_alerts"]) == ("OT", 1)
    account = attack[MEYER]
    assert (account["kind"], account["label"], account["n_alerts"]) == ("account", "corp\\meyer", 3 + 1)


def test_a_subgraph_has_its_own_nodes(nodes: dict[tuple[str, str], Any]) -> None:
    assert nodes["sweep", "host:jump"]["n_alerts"] == 12
    assert ("attack", "host:scan") not in nodes


def test_zone_is_what_most_alerts_say(nodes: dict[tuple[str, str], Any]) -> None:
    assert (nodes["zones", "host:hmi"]["zone"], nodes["zones", "host:hmi"]["domain"]) == ("ot", "OT")
    outside = nodes["zones", "ip:203.0.113.9"]
    assert (outside["zone"], outside["domain"], outside["kind"], outside["label"]) == (
        "external",
        "IT",
        "ip",
        "203.0.113.9",
    )
    # A label keeps the colons of a hardware address; where nobody knows the zone it is unknown, and not null.
    lost = nodes["zones", "mac:00:1d:9c:c0:04:9d"]
    assert (lost["zone"], lost["kind"], lost["label"]) == ("unknown", "mac", "00:1d:9c:c0:04:9d")


def test_an_account_that_acts_or_is_acted_upon_is_counted_once(nodes: dict[tuple[str, str], Any]) -> None:
    assert (nodes["account", MEYER]["n_alerts"], nodes["account", SVC]["n_alerts"]) == (1, 1)


def test_edges_are_ordered_pairs_and_an_alert_about_one_host_is_a_loop(edges: dict[tuple[str, str, str], Any]) -> None:
    attack = {(source, target): row for (subgraph, source, target), row in edges.items() if subgraph == "attack"}
    assert set(attack) == {("host:ws1", "host:jump"), ("host:jump", "host:jump"), ("host:jump", "host:ews")}
    assert attack["host:ws1", "host:jump"] == {
        "subgraph_id": "attack",
        "site": "plant",
        "source": "host:ws1",
        "target": "host:jump",
        "names": ["smb", "rdp"],  # the most surprising first, each once: 5 before 2 and 1
        "n_alerts": 3 + 1 + 1,
        "n_episodes": 3,
        "max_severity": 0.9,
        "first_seen": at(0),
        "last_seen": at(40),
    }
    loop = attack["host:jump", "host:jump"]
    assert (loop["names"], loop["n_alerts"], loop["max_severity"]) == (["new service"], 2, 0.0)  # no severity counts 0


def test_ten_names_are_kept_on_an_edge_the_rarest(edges: dict[tuple[str, str, str], Any]) -> None:
    sweep = edges["sweep", "host:scan", "host:jump"]
    assert sweep["names"] == [f"probe {n:02}" for n in range(11, 1, -1)]  # 11 down to 2; 1 and 0 are the commonest
    assert (sweep["n_episodes"], sweep["n_alerts"]) == (12, 12)


def test_evidence_is_every_episode_by_its_number_in_hexadecimal_digits() -> None:
    rows = [
        {**told("0 ws1/it -> jump/dmz rdp"), "subgraph_id": "sg", "episode": number} for number in (-1, 255, -(2**63))
    ]
    with Engine() as engine:
        evidence = draw_network(engine, grouped_table(rows)).evidence.to_pylist()
    assert [row["episode_id"] for row in evidence] == ["f" * 16, "00000000000000ff", "8000000000000000"]
    wanted = {name: value for name, value in rows[0].items() if name in EVIDENCE.names}
    assert {**wanted, "episode_id": "f" * 16} == evidence[0]


def test_neither_the_order_of_rows_nor_another_subgraph_matters(network: Network) -> None:
    def drawn(rows: list[Row]) -> list[list[Any]]:
        with Engine() as engine:
            tables = draw_network(engine, grouped_table(rows))
        return [sorted(table.to_pylist(), key=str) for table in tables]

    whole = drawn(grouped())
    assert whole == [sorted(table.to_pylist(), key=str) for table in network]
    assert drawn(grouped()[::-1]) == whole
    attack = [row for row in grouped() if row["subgraph_id"] == "attack"]
    assert drawn(attack) == [[row for row in rows if row["subgraph_id"] == "attack"] for rows in whole]
