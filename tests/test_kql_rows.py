"""What the functions, the workbook's parts and the incident rule answer on rows written by hand."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from kusto import HEALTH_FILE, Workspace, rule_yaml

from alertgraph_spark.tables.attack import TACTICS

NOW = "2026-03-05 12:30:00"
BEFORE, NEW = "2026-03-05 11:00:00", "2026-03-05 12:00:00"
"""Arrivals before and within the hour that the rule looks at, at NOW."""

RULE = str(rule_yaml()["query"])
HEALTH_RULE = str(rule_yaml(HEALTH_FILE)["query"])
SENTINEL_TACTICS = {
    *(
        "Collection",
        "CommandAndControl",
        "CredentialAccess",
        "DefenseEvasion",
        "Discovery",
        "Execution",
        "Exfiltration",
    ),
    *("Impact", "ImpairProcessControl", "InhibitResponseFunction", "InitialAccess", "LateralMovement", "Persistence"),
    *("PreAttack", "PrivilegeEscalation", "Reconnaissance", "ResourceDevelopment"),
}
"""As the API of the rules takes them."""


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


def subgraph(name: str, run: str = "run-1", **columns: Any) -> dict[str, Any]:
    row = {
        **{"TimeGenerated": "2026-03-05 10:00:00", "RunId": run, "RowId": f"{run}/{name}", "SubgraphId": name},
        **{"Site": "plant", "Score": 0.5, "Rank": 1, "IsShown": True, "NAlerts": 5, "NEpisodes": 3, "NHosts": 2},
        **{
            "FirstSeen": "2026-03-04 09:00:00",
            "LastSeen": "2026-03-04 11:00:00",
            "Tactics": ["impact"],
            "Motifs": ["spray"],
        },
        **{"Contributions": [], "Summary": f"summary of {name}", "TitleValue": f"title of {name}", "Severity": 0.8},
        **{"Story": [{"sentence": "First.", "alert_ids": ["a"]}, {"sentence": "Then.", "alert_ids": ["b"]}]},
        **{
            **{"SuppressedBy": [], "Owners": [], "Tickets": []},
            "Path": [],
            "Reasons": ["rare"],
            "Unusual": ["seen on 0 of 28 days"],
            "Checks": ["Ask the owner of fs01."],
        },
        **{"Counterfactual": {"cut": 0.4, "score": 0.3, "types": [], "fact": "without it it would not"}},
    }
    return row | columns


def member(subgraph_id: str, alert: str, run: str = "run-1", time: str = "2026-03-05 10:00:00") -> dict[str, Any]:
    return {
        **{"TimeGenerated": time, "RunId": run, "RowId": f"{run}/{subgraph_id}/{alert}", "SubgraphId": subgraph_id},
        **{"AlertId": alert, "ItemId": f"item-{alert}", "Site": "plant", "EpisodeId": "0" * 16, "Role": "core"},
    }


def node(key: str, domain: str = "IT", name: str = "sg-1", run: str = "run-1", **columns: Any) -> dict[str, Any]:
    kind, label = key.split(":", 1)
    row = {
        **{"TimeGenerated": "2026-03-05 10:00:00", "RunId": run, "RowId": f"{run}/{name}/{key}", "SubgraphId": name},
        **{"Site": "plant", "NodeId": key, "Label": label, "Kind": kind, "Zone": domain.lower(), "Domain": domain},
        **{"NAlerts": 1, "FirstSeen": "2026-03-04 09:00:00", "LastSeen": "2026-03-04 11:00:00"},
    }
    return row | columns


def edge(
    source: str, target: str, severity: float = 0.3, name: str = "sg-1", run: str = "run-1", **columns: Any
) -> Any:
    row = {
        **{"TimeGenerated": "2026-03-05 10:00:00", "RunId": run, "RowId": f"{run}/{name}/{source}/{target}"},
        **{"SubgraphId": name, "Site": "plant", "Source": source, "Target": target, "Names": ["Remote service"]},
        **{"NAlerts": 1, "NEpisodes": 1, "MaxSeverity": severity},
        **{"FirstSeen": "2026-03-04 09:00:00", "LastSeen": "2026-03-04 11:00:00"},
    }
    return row | columns


def walked(workspace: Workspace) -> None:
    """ws1 → fs01 → plc3, an account, an address that was only seen, and an alert about one host."""
    keys = {"host:ws1": "IT", "host:fs01": "IT", "host:plc3": "OT", r"account:corp\ann": "IT", "ip:10.0.0.9": "IT"}
    workspace.add("AlertGraphNodes_CL", [node(key, domain) for key, domain in keys.items()])
    pairs = [("host:ws1", "host:fs01", 0.5), ("host:fs01", "host:plc3", 0.9), ("ip:10.0.0.9", "host:ws1", 0.1)]
    workspace.add("AlertGraphEdges_CL", [edge(*pair) for pair in [*pairs, ("host:plc3", "host:plc3", 1.0)]])


# --- functions -------------------------------------------------------------------------------------------------------


def test_what_arrived_twice_is_one_row(workspace: Workspace) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1"), subgraph("sg-1"), subgraph("sg-2")])

    assert sorted(row["SubgraphId"] for row in workspace.ask("AlertGraphSubgraphs")) == ["sg-1", "sg-2"]


def test_a_subgraph_is_as_the_last_run_told_it_and_one_that_merged_is_gone(workspace: Workspace) -> None:
    """Run 1 told three; run 2 tells that sg-2 has become part of sg-1, and nothing of sg-3, which ended before it."""
    later = "2026-03-05 11:00:00"
    told = [subgraph("sg-1"), subgraph("sg-2"), subgraph("sg-3")]
    workspace.add("AlertGraphSubgraphs_CL", [*told, subgraph("sg-1", "run-2", TimeGenerated=later, NAlerts=9)])
    workspace.add("AlertGraphMembers_CL", [member("sg-1", "a"), member("sg-2", "b"), member("sg-3", "c")])
    workspace.add("AlertGraphMembers_CL", [member("sg-1", alert, "run-2", later) for alert in "ab"])

    rows = {row["SubgraphId"]: (row["RunId"], row["NAlerts"]) for row in workspace.ask("AlertGraphCurrent")}

    assert rows == {"sg-1": ("run-2", 9), "sg-3": ("run-1", 5)}


def test_an_alert_of_another_product_with_the_same_id_takes_no_subgraph_away(workspace: Workspace) -> None:
    """An attacker may send an alert that bears another's id, in the same run or a later one."""
    forged = member("sg-2", "a", "run-2", "2026-03-05 11:00:00") | {"ItemId": "item-forged", "EpisodeId": "f" * 16}
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1"), subgraph("sg-2", "run-2")])
    workspace.add("AlertGraphMembers_CL", [member("sg-1", "a"), forged])

    assert {row["SubgraphId"] for row in workspace.ask("AlertGraphCurrent")} == {"sg-1", "sg-2"}


@pytest.mark.parametrize("anew", [{"ItemId": "item-of-a-newer-row"}, {"EpisodeId": "e" * 16}, {"ItemId": None}])
def test_an_alert_that_moved_is_known_by_its_row_or_its_episode(workspace: Workspace, anew: dict[str, Any]) -> None:
    """A status update brings the alert in a newer row, a late alert gives its episode another beginning."""
    moved = member("sg-2", "a", "run-2", "2026-03-05 11:00:00") | anew
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1"), subgraph("sg-2", "run-2")])
    workspace.add("AlertGraphMembers_CL", [member("sg-1", "a"), moved])

    assert {row["SubgraphId"] for row in workspace.ask("AlertGraphCurrent")} == {"sg-2"}


def test_the_path_matters_most_then_who_was_reached_and_acted_then_ot_then_severity(workspace: Workspace) -> None:
    walked(workspace)
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", Path=["host:ws1", "host:fs01"])])

    rows = {row["NodeId"]: (row["Step"], row["Weight"]) for row in workspace.ask("AlertGraphEntities")}

    # plc3 is OT: 2 + the highest severity at it, that of the alert about itself. fs01 has a higher one than ws1.
    weights = {"host:ws1": 1000, "host:fs01": 999, "host:plc3": 3.0, "ip:10.0.0.9": 0.1, r"account:corp\ann": 0}
    assert {key: weight for key, (_, weight) in rows.items()} == pytest.approx(weights)
    assert [key for key, (step, _) in sorted(rows.items(), key=lambda row: row[1][0]) if step >= 0] == [
        "host:ws1",
        "host:fs01",
    ]


def test_without_a_path_those_who_were_passed_through_are_first(workspace: Workspace) -> None:
    walked(workspace)

    rows = {row["NodeId"]: row["Weight"] for row in workspace.ask("AlertGraphEntities")}

    # Passed through: 4 + the highest severity at it.
    assert rows["host:fs01"] == pytest.approx(4.9)
    assert sorted(rows, key=lambda key: -rows[key])[:3] == ["host:fs01", "host:ws1", "host:plc3"]


# --- workbook --------------------------------------------------------------------------------------------------------


def test_the_table_ranks_each_day_anew_and_shows_what_is_within_the_budget(workspace: Workspace) -> None:
    days = {"sg-1": ("04", 0.3), "sg-2": ("04", 0.6), "sg-3": ("03", 0.4)}
    told = [subgraph(name, FirstSeen=f"2026-03-{day} 09:00:00", Score=score) for name, (day, score) in days.items()]
    quiet = subgraph("sg-4", Score=0.9, IsShown=False, TitleValue=None)
    elsewhere = subgraph("sg-5", Site="o'ther", RowId="elsewhere", Score=0.1)
    workspace.add("AlertGraphSubgraphs_CL", [*told, quiet, elsewhere])
    workspace.add("AlertGraphMembers_CL", [member(name, name) for name in ("sg-1", "sg-2", "sg-3", "sg-4")])
    workspace.add("AlertGraphMembers_CL", [member("sg-5", "x") | {"Site": "o'ther"}])

    def table(**choices: str) -> list[tuple[str, int, str]]:
        return [(f"{row['Day']:%d}", row["Rank"], row["SubgraphId"]) for row in workspace.part("subgraphs", **choices)]

    assert table(Site="'plant'") == [("04", 1, "sg-2"), ("04", 2, "sg-1"), ("03", 1, "sg-3")]
    assert [name for *_, name in table(Site="'plant'", Scope="all")] == ["sg-4", "sg-2", "sg-1", "sg-3"]
    assert [name for *_, name in table()] == ["sg-2", "sg-1", "sg-5", "sg-3"]
    titles = {row["SubgraphId"]: row["What"] for row in workspace.part("subgraphs", Scope="all")}
    assert (titles["sg-1"], titles["sg-4"]) == ("title of sg-1", "summary of sg-4")


HOSTILE = (
    "x](https://evil.example) ![](https://evil.example/b.png) <img src=x> `run` # head | a\u202e\x1b\n* b {{Title}}"
)


HIDING = {
    "id": "ex-1",
    "owner": "it-ops",
    "reason": "nightly scan",
    "ticket": None,
    "until": "2026-06-01T00:00:00.000000Z",
}


def test_what_exceptions_hide_is_shown_when_it_is_asked_for(workspace: Workspace) -> None:
    hidden = subgraph("sg-2", IsShown=False, SuppressedBy=[HIDING])
    rows = [subgraph("sg-1"), hidden, subgraph("sg-3", IsShown=False)]
    workspace.add("AlertGraphSubgraphs_CL", [*rows, subgraph("sg-4", IsShown=False, SuppressedBy=None)])
    workspace.add("AlertGraphMembers_CL", [member(f"sg-{n}", f"{n}") for n in range(1, 5)])

    def table(scope: str) -> dict[str, str]:
        return {row["SubgraphId"]: row["Shown"] for row in workspace.part("subgraphs", Scope=scope)}

    assert table("shown") == {"sg-1": "yes"}
    assert table("hidden") == {"sg-2": "hidden"}
    assert table("all") == {"sg-1": "yes", "sg-2": "hidden", "sg-3": "", "sg-4": ""}
    for key in ("sg-1", "sg-2"):
        workspace.add("AlertGraphNodes_CL", [node(f"host:{key}", name=key)])
    assert [row["Name"] for row in workspace.part("network", Scope="hidden")] == ["sg-2"]


def test_the_explanation_says_by_whom_why_and_until_when_it_is_hidden(workspace: Workspace) -> None:
    two = [HIDING, {**HIDING, "id": "ex-2", "ticket": "CHG-7"}]
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", IsShown=False, Story=[], SuppressedBy=two)])

    said = [row["Text"] for row in workspace.part("explanation") if row["Heading"] == "Hidden by an exception"]
    assert said == [
        "ex-1, it-ops: nightly scan, until 2026-06-01 00:00 UTC",
        "ex-2, it-ops: nightly scan (CHG-7), until 2026-06-01 00:00 UTC",
    ]


OWNERS = [
    {"entity": "host:plc3", "owner": "shift lead", "runbook": "https://wiki.example/plc"},
    {"entity": "host:fs01", "owner": "shift lead", "runbook": "see <b>page</b> 7 of http://wiki.example"},
    {"entity": "host:ws1", "owner": None, "runbook": None},
]


def test_an_incident_says_who_owns_what_and_a_runbook_stays_a_link_where_it_is_https(workspace: Workspace) -> None:
    rows = [
        subgraph("sg-1", Owners=OWNERS, Tickets=["CHG-7", "CHG-8"]),
        subgraph("sg-2"),
        subgraph("sg-3", Owners=None),
    ]
    workspace.add("AlertGraphSubgraphs_CL", rows, arrived=NEW)

    found = incidents(workspace)
    assert found["sg-1"]["OwnerNames"] == "shift lead"
    books = " ".join(found["sg-1"]["Runbooks"].split())
    assert all(book in books for book in ("https://wiki.example/plc", "see b page /b 7 of hxxp://wiki.example"))
    assert "<" not in books
    assert found["sg-1"]["Changes"] == "CHG-7, CHG-8"
    assert not any(found[name][column] for name in ("sg-2", "sg-3") for column in ("OwnerNames", "Runbooks", "Changes"))


def test_the_explanation_says_who_owns_what(workspace: Workspace) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", Owners=OWNERS, Tickets=["CHG-7"])])

    said = [(row["Heading"], row["Text"]) for row in workspace.part("explanation")][-4:]
    assert said == [
        ("Who owns what", "host:plc3: shift lead; runbook: https://wiki.example/plc"),
        ("Who owns what", "host:fs01: shift lead; runbook: see <b>page</b> 7 of http://wiki.example"),
        ("Who owns what", "host:ws1"),
        ("Announced under", "CHG-7"),
    ]


def test_the_explanation_names_what_is_related_and_says_nothing_of_what_is_not(workspace: Workspace) -> None:
    others = [
        {"subgraph_id": "sg-7", "fact": "account meyer in common; 3 days later; 1 alert, rarest “logon”"},
        {"subgraph_id": "sg-8", "fact": "host fs1 in common; at the same time; 2 alerts, rarest “smb”"},
    ]
    rows = [subgraph("sg-1", Related=others), subgraph("sg-2", Related=[]), subgraph("sg-3", Related=None)]
    workspace.add("AlertGraphSubgraphs_CL", rows)

    def related(key: str) -> list[str]:
        rows = workspace.part("explanation", SubgraphId=key)
        return [row["Text"] for row in rows if row["Heading"] == "Perhaps of the same attack"]

    assert related("sg-1") == [
        "sg-7: account meyer in common; 3 days later; 1 alert, rarest “logon”",
        "sg-8: host fs1 in common; at the same time; 2 alerts, rarest “smb”",
    ]
    assert related("sg-2") == related("sg-3") == []


def test_the_explanation_says_what_analysts_said(workspace: Workspace) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1")])
    word = {
        "SubgraphId": "sg-1",
        "Verdict": "benign_positive",
        "IsLatest": False,
        "JudgedBy": "ana",
        "Source": "incident 7",
    }
    word |= {"Site": "plant", "Certainty": 1.0, "JudgedAt": "2026-03-02 10:00:00", "RowId": "v-1", "RunId": "run-1"}
    later = {
        "Verdict": "true_positive",
        "IsLatest": True,
        "JudgedAt": "2026-03-02 12:30:00",
        "JudgedBy": None,
        "RowId": "v-2",
    }
    other = {"SubgraphId": "sg-2", "RowId": "v-3"}
    rows = [word, word | later | {"Reason": "it was <b>real</b>"}, word | other]
    workspace.add("AlertGraphVerdicts_CL", [*rows, rows[0]])

    assert [row["Text"] for row in workspace.part("explanation") if row["Heading"] == "What analysts said"] == [
        "true positive, 2026-03-02 12:30 UTC, incident 7: it was <b>real</b>",
        "benign positive by ana, 2026-03-02 10:00 UTC, incident 7",
    ]


def test_no_incident_is_made_of_what_an_exception_hides(workspace: Workspace) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", IsShown=False, SuppressedBy=[HIDING])], arrived=NEW)
    assert incidents(workspace) == {}


def test_the_title_of_the_chosen_one_is_a_cell_and_is_shown_as_it_is(workspace: Workspace) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", TitleValue=HOSTILE), subgraph("sg-2", TitleValue=None)])

    (row,) = workspace.part("title")
    assert (row["What"], row["SubgraphId"], row["RunId"]) == (HOSTILE, "sg-1", "run-1")
    (other,) = workspace.part("title", SubgraphId="sg-2")
    assert other["What"] == "summary of sg-2"


def test_the_tables_to_choose_from_are_ours_and_the_workspaces(workspace: Workspace) -> None:
    used = ["Wazuh_CL", "SuricataEve_CL", "AlertGraphNodes_CL", "SecurityAlert", "Wazuh_CL", "X_CL | take 1"]
    workspace.add("Usage", [{"TimeGenerated": "2026-03-05 10:00:00", "DataType": name} for name in used])

    assert [(row["value"], row["selected"]) for row in workspace.part("text_tables")] == [
        ("SigmaAlerts_CL", True),
        ("SuricataEve_CL", True),
        ("Wazuh_CL", False),
    ]


@pytest.mark.parametrize("part", ["subgraph_graph", "network"])
def test_a_graph_has_every_end_of_its_edges_as_a_node_and_says_it_or_ot(workspace: Workspace, part: str) -> None:
    walked(workspace)
    workspace.add("AlertGraphEdges_CL", [edge("host:fs01", "host:not-a-node")])
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1"), subgraph("sg-2", IsShown=False)])
    workspace.add("AlertGraphMembers_CL", [member("sg-1", "a"), member("sg-2", "b")])
    workspace.add("AlertGraphNodes_CL", [node("host:quiet", name="sg-2")])

    rows = workspace.part(part)
    nodes = {row["Id"]: row for row in rows if row["Id"]}
    edges = [row for row in rows if not row["Id"]]

    before = "plant/" if part == "network" else ""
    assert {key.removeprefix(before): row["Domain"] for key, row in nodes.items()} == {
        **{"host:ws1": "IT", "host:fs01": "IT", "host:plc3": "OT", r"account:corp\ann": "IT", "ip:10.0.0.9": "IT"}
    }
    assert {(row["SourceId"].removeprefix(before), row["TargetId"].removeprefix(before)) for row in edges} == {
        *(("host:ws1", "host:fs01"), ("host:fs01", "host:plc3"), ("ip:10.0.0.9", "host:ws1"))
    }
    assert all(row["SourceId"] in nodes and row["TargetId"] in nodes and row["Domain"] is None for row in edges)


def test_a_graph_keeps_the_entities_that_matter_most(workspace: Workspace) -> None:
    walked(workspace)
    workspace.add("AlertGraphNodes_CL", [node(f"host:seen{n:03}") for n in range(200)])
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1")])
    workspace.add("AlertGraphMembers_CL", [member("sg-1", "a")])

    one, all_of_it = (
        [row["Name"] for row in workspace.part(part) if row["Id"]] for part in ("subgraph_graph", "network")
    )

    assert (len(one), len(all_of_it)) == (60, 150)
    assert {"ws1", "fs01", "plc3"} < set(one) & set(all_of_it)


def test_the_explanation_is_in_order_and_leaves_out_what_is_not_there(workspace: Workspace) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", Unusual=None, Checks=[])])

    assert [(row["Heading"], row["Text"]) for row in workspace.part("explanation")] == [
        ("In one sentence", "summary of sg-1"),
        ("What happened", "First."),
        ("What happened", "Then."),
        ("Why it is ranked", "rare"),
        ("What would have kept it from being shown", "without it it would not"),
    ]


def test_what_is_not_shown_has_nothing_that_kept_it_from_being_shown(workspace: Workspace) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", Counterfactual=None)])

    assert "What would have kept it from being shown" not in {row["Heading"] for row in workspace.part("explanation")}


def test_the_contributions_are_largest_first(workspace: Workspace) -> None:
    parts = [("rarity", 0.2, "3 types"), ("planned", -0.3, "half of it planned"), ("severity", 0.1, "0.9")]
    told = [dict(zip(("term", "value", "fact"), part, strict=True)) for part in parts]
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", Contributions=told)])

    assert [row["Term"] for row in workspace.part("contributions")] == ["planned", "rarity", "severity"]


def test_the_timeline_is_in_the_order_of_time(workspace: Workspace) -> None:
    walked(workspace)
    early = edge("host:ws0", "host:ws1", FirstSeen="2026-03-04 08:00:00", Names=["A", "B"])
    workspace.add(
        "AlertGraphEdges_CL", [early, edge("host:x", "host:ws1", name="sg-2", FirstSeen="2026-03-04 07:00:00")]
    )

    rows = workspace.part("timeline")

    assert (rows[0]["From"], rows[0]["To"], rows[0]["Alerts"]) == ("host:ws0", "host:ws1", "A; B")
    assert len(rows) == 5
    (about_itself,) = [row for row in rows if row["From"] == ""]
    assert (about_itself["To"], about_itself["Domain"]) == ("host:plc3", "OT")
    hours = {(f"{row['Hour']:%H}", row["Domain"]): row["NAlerts"] for row in workspace.part("hours")}
    assert hours == {("08", "IT"): 1, ("09", "IT"): 2, ("09", "OT"): 2}


def test_every_alert_of_a_subgraph_is_listed_with_what_the_workspace_keeps_of_it(workspace: Workspace) -> None:
    workspace.add("AlertGraphMembers_CL", [member("sg-1", alert) for alert in "abcd"] + [member("sg-2", "e")])
    time = {"TimeGenerated": "2026-03-04 09:00:00"}
    workspace.add("SecurityAlert", [{**time, "_ItemId": "item-a", "AlertName": "Logon"}, {**time, "_ItemId": "item-e"}])
    workspace.add("CommonSecurityLog", [{**time, "_ItemId": "item-b", "Activity": "Stop CPU"}])
    workspace.add("SuricataEve_CL", [{**time, "_ItemId": "item-c", "RawData": "{}", "Type": "SuricataEve_CL"}])

    rows = {row["AlertId"]: (row["Product"], row["Alert"], row["Details"]) for row in workspace.part("alerts")}

    assert rows == {
        "a": (None, "Logon", None),
        "b": (None, "Stop CPU", None),
        "c": ("SuricataEve_CL", "", "{}"),
        "d": (None, None, None),
    }


def run(name: str, subgraphs: int, **counts: int) -> dict[str, Any]:
    numbers = {"rows_read": 10, "alerts": 7, "duplicates": 1, "out_of_window": 1, "rejected": 1, "subgraphs": subgraphs}
    return {
        **{
            "TimeGenerated": "2026-03-05 10:00:00",
            "RunId": name,
            "RowId": name,
            "Engine": "driver",
            "ConfigDigest": "0",
        },
        **{"WindowStart": "2026-03-04 00:00:00", "WindowEnd": "2026-03-05 00:00:00"},
        "Counts": [{"name": key, "n": n} for key, n in (numbers | counts).items()],
        "RejectedByReason": [{"name": "torn line", "n": 1}, {"name": "no name", "n": 0}],
    }


def test_the_runs_say_what_is_wrong_with_them(workspace: Workspace) -> None:
    told = {"whole": 2, "short": 1, "uneven": 2, "unfinished": 1}
    rows = [subgraph(f"sg-{n}", name) for name, count in told.items() for n in range(count)]
    workspace.add("AlertGraphSubgraphs_CL", rows)
    zero = dict.fromkeys(("rows_read", "alerts", "duplicates", "out_of_window", "rejected"), 0)
    ran = [run("whole", 2), run("short", 2), run("uneven", 2, alerts=6), run("empty", 0, **zero), run("quiet", 0)]
    workspace.add("AlertGraphRuns_CL", ran)

    assert {row["Run"]: row["State"] for row in workspace.part("runs")} == {
        "whole": "complete",
        "quiet": "complete",
        "short": "rows missing",
        "uneven": "rows do not balance",
        "empty": "read nothing",
        "unfinished": "still posting, or broke off",
    }
    assert {(row["Reason"], row["Rows"]) for row in workspace.part("rejected")} == {("torn line", 1)}


def test_no_run_at_all_is_said(workspace: Workspace) -> None:
    (row,) = workspace.part("freshness")
    assert "no run has posted" in row["Told"]
    workspace.add("AlertGraphRuns_CL", [run("whole", 2)])
    (row,) = workspace.part("freshness")
    assert row["Told"] == "1 runs; alerts told until 2026-03-05 00:00 UTC"


def source(table: str, status: str, run: str = "run-1", until: str = "2026-03-05 00:00:00", **columns: Any) -> Any:
    row = {
        **{"TimeGenerated": "2026-03-05 10:00:00", "RunId": run, "RowId": f"{run}/{table}/{columns.get('Site', '')}"},
        **{"Site": "plant", "Table": table, "Status": status, "Detail": f"why {status}", "JudgedUntil": until},
        **{"NAlerts": 980, "UsualAlerts": 1003.04, "RejectedShare": 0.0123, "AgeHours": 7.25},
    }
    return row | columns


def test_the_sources_are_listed_the_worst_first_as_the_last_window_told_them(workspace: Workspace) -> None:
    told = ["ok", "new", "slow", "flood", "refuses", "silent"]
    rows = [source(f"T{n}_CL", status) for n, status in enumerate(told)]
    rows += [source("T0_CL", "silent", "run-0", "2026-03-04 00:00:00", TimeGenerated="2026-03-05 11:00:00")]  # a replay
    rows += [source("T1_CL", "ok", "run-0", TimeGenerated="2026-03-05 09:00:00")]  # the same window, ranked before
    workspace.add("AlertGraphHealth_CL", [*rows, rows[0], source("T6_CL", "slow", Site="o'ther")])

    listed = [(row["Site"], row["Table"], row["Status"]) for row in workspace.part("sources")]
    assert listed == [
        *(("plant", "T5_CL", "silent"), ("plant", "T4_CL", "refuses"), ("plant", "T3_CL", "flood")),
        *(("o'ther", "T6_CL", "slow"), ("plant", "T2_CL", "slow"), ("plant", "T1_CL", "new"), ("plant", "T0_CL", "ok")),
    ]
    first, *_ = workspace.part("sources", Site="'plant'")
    assert (first["Detail"], first["UsualAlerts"], first["Refused"], first["AgeHours"]) == (
        *("why silent", 1003.0, 1.2, 7.3),
    )
    assert "o'ther" not in {row["Site"] for row in workspace.part("sources", Site="'plant'")}


# --- sources as incidents --------------------------------------------------------------------------------------------


def unwell(workspace: Workspace) -> dict[str, str]:
    return {row["SourceTable"]: row["Status"] for row in workspace.ask(HEALTH_RULE, now=NOW)}


def test_a_source_is_told_when_its_status_changes_for_the_worse(workspace: Workspace) -> None:
    before = {"Same": "silent", "Fell": "ok", "Other": "silent", "Well": "slow", "First": None}
    now = {"Same": "silent", "Fell": "silent", "Other": "flood", "Well": "ok", "First": "refuses", "New": "new"}
    rows = [source(table, status, "run-0", "2026-03-04 00:00:00") for table, status in before.items() if status]
    workspace.add("AlertGraphHealth_CL", rows, arrived=BEFORE)
    workspace.add("AlertGraphHealth_CL", [source(table, status) for table, status in now.items()], arrived=NEW)

    assert unwell(workspace) == {"Fell": "silent", "Other": "flood", "First": "refuses"}


def test_a_replay_of_an_old_window_tells_of_no_source(workspace: Workspace) -> None:
    late = source("Late", "silent", until="2026-03-03 00:00:00")
    workspace.add("AlertGraphHealth_CL", [source("Old", "silent", until="2026-02-01 00:00:00"), late], arrived=NEW)

    assert unwell(workspace) == {"Late": "silent"}


def test_a_source_whose_row_arrives_twice_is_told_once(workspace: Workspace) -> None:
    row = source("Ids_CL", "silent")
    workspace.add("AlertGraphHealth_CL", [row], arrived=BEFORE)
    workspace.add("AlertGraphHealth_CL", [row, source("Edr_CL", "slow"), source("Edr_CL", "slow")], arrived=NEW)

    assert unwell(workspace) == {"Edr_CL": "slow"}
    assert len(workspace.ask(HEALTH_RULE, now=NOW)) == 1


def test_a_site_named_by_somebody_is_no_markup_in_an_incident(workspace: Workspace) -> None:
    workspace.add("AlertGraphHealth_CL", [source("Ids_CL", "silent", Site=HOSTILE)], arrived=NEW)

    (row,) = workspace.ask(HEALTH_RULE, now=NOW)
    assert set(row["SourceSite"]) & set("<>[]{}`*|!#~\u202e\x1b\n") == set()
    assert "https://" not in row["SourceSite"]
    assert (row["Detail"], row["Alerts"], row["AgeHours"]) == ("why silent", 980, 7.25)


# --- incidents -------------------------------------------------------------------------------------------------------


def incidents(workspace: Workspace) -> dict[str, dict[str, Any]]:
    rows = workspace.ask(RULE, now=NOW)
    assert len({row["SubgraphId"] for row in rows}) == len(rows), "one row a subgraph"
    return {row["SubgraphId"]: row for row in rows}


def test_a_shown_subgraph_is_told_when_it_is_new_and_when_it_grew(workspace: Workspace) -> None:
    names = ("new", "grew", "same", "old")
    workspace.add("AlertGraphSubgraphs_CL", [subgraph(name) for name in names[1:]], arrived=BEFORE)
    again = [subgraph("grew", "run-2", NAlerts=6), subgraph("same", "run-2"), subgraph("new", "run-2")]
    quiet = subgraph("quiet", "run-2", IsShown=False)
    workspace.add("AlertGraphSubgraphs_CL", [*again, quiet], arrived=NEW)

    assert {name: row["Alerts"] for name, row in incidents(workspace).items()} == {"new": 5, "grew": 6}


def test_a_row_that_arrives_a_second_time_is_not_told_again(workspace: Workspace) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1")], arrived=BEFORE)
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1"), subgraph("sg-2"), subgraph("sg-2")], arrived=NEW)

    assert set(incidents(workspace)) == {"sg-2"}


def test_a_row_that_was_posted_days_late_is_told_when_it_arrives(workspace: Workspace) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("late", TimeGenerated="2026-03-03 13:00:00")], arrived=NEW)

    assert set(incidents(workspace)) == {"late"}


def test_entities_are_those_that_matter_most_as_sentinel_writes_them(workspace: Workspace) -> None:
    walked(workspace)
    keys = ["mac:00:11:22:33:44:55", "device:sensor-7", "account:bob@corp.example", "ip:203.0.113.7"]
    workspace.add("AlertGraphNodes_CL", [*map(node, keys), node("host:other", run="run-0")])
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1")], arrived=NEW)

    row = incidents(workspace)["sg-1"]
    entities = {entity.pop("$id"): entity for entity in json.loads(row["Entities"])}

    assert list(entities)[:3] == ["host:fs01", "host:ws1", "host:plc3"]
    assert {key: dict(sorted(entity.items())) for key, entity in entities.items() if not key.startswith("host")} == {
        "ip:10.0.0.9": {"Address": "10.0.0.9", "AddressScope": "plant", "Type": "ip"},
        "ip:203.0.113.7": {"Address": "203.0.113.7", "AddressScope": "", "Type": "ip"},
        r"account:corp\ann": {"NTDomain": "corp", "Name": "ann", "Type": "account", "UPNSuffix": ""},
        "account:bob@corp.example": {"NTDomain": "", "Name": "bob", "Type": "account", "UPNSuffix": "corp.example"},
        "mac:00:11:22:33:44:55": {
            "DeviceId": "00:11:22:33:44:55",
            "MacAddress": "00:11:22:33:44:55",
            "Type": "iotdevice",
        },
        "device:sensor-7": {"DeviceId": "sensor-7", "DeviceName": "sensor-7", "Type": "iotdevice"},
    }
    assert [row[f"Host_{n}"] for n in range(5)] == ["fs01", "ws1", "plc3", "", ""]
    assert [row["Address_0"], row["Address_1"]] == ["10.0.0.9", "203.0.113.7"]
    assert {(row[f"Account_{n}_Name"], row[f"Account_{n}_Domain"], row[f"Account_{n}_Suffix"]) for n in range(2)} == {
        *(("ann", "corp", ""), ("bob", "", "corp.example"))
    }


def test_at_most_fifty_entities_stay_below_the_size_of_the_field(workspace: Workspace) -> None:
    walked(workspace)
    workspace.add("AlertGraphNodes_CL", [node(f"host:{'n' * 200}{n}") for n in range(80)])
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1")], arrived=NEW)

    row = incidents(workspace)["sg-1"]

    assert len(json.loads(row["Entities"])) == 50
    assert len(row["Entities"].encode()) < 64 * 1024
    assert row["Host_0"] == "fs01"


@pytest.mark.parametrize(
    ("severity", "word"),
    [(1.0, "High"), (0.65, "High"), (0.5, "Medium"), (0.3, "Low"), (0.1, "Informational"), (None, "")],
)
def test_severity_is_a_word_of_sentinel_or_left_to_the_rule(workspace: Workspace, severity: float, word: str) -> None:
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", Severity=severity)], arrived=NEW)

    assert incidents(workspace)["sg-1"]["AlertSeverity"] == word


def test_every_tactic_has_a_name_that_sentinel_knows(workspace: Workspace) -> None:
    workspace.add(
        "AlertGraphSubgraphs_CL", [subgraph(tactic, Tactics=[tactic, "no-tactic"]) for tactic in TACTICS], arrived=NEW
    )
    twice = subgraph("twice", Tactics=["stealth", "evasion", "impact"])
    workspace.add("AlertGraphSubgraphs_CL", [twice, subgraph("none", Tactics=[])], arrived=NEW)

    told = {name: row["AlertTactics"] or "" for name, row in incidents(workspace).items()}

    assert {told[tactic] for tactic in TACTICS} <= SENTINEL_TACTICS
    assert told["lateral-movement"] == "LateralMovement"
    assert set(told["twice"].split(", ")) == {"DefenseEvasion", "Impact"}
    assert told["none"] == ""


def test_a_subgraph_without_words_entities_or_tactics_is_still_told(workspace: Workspace) -> None:
    bare = dict.fromkeys(("TitleValue", "Story", "Reasons", "Unusual", "Checks", "Severity", "Tactics", "Motifs"))
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", **bare)], arrived=NEW)

    row = incidents(workspace)["sg-1"]

    assert row["Title"] == "summary of sg-1"
    assert (row["Entities"] or "", row["Host_0"] or "", row["Told"] or "") == ("", "", "")


def test_the_words_fit_what_an_alert_may_hold(workspace: Workspace) -> None:
    story = [{"sentence": "s" * 400, "alert_ids": []}] * 50
    long = {"TitleValue": "t" * 900, "Summary": "w" * 5000, "Story": story, "Checks": ["c" * 3000]}
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", **long), subgraph("sg-2")], arrived=NEW)

    rows = incidents(workspace)

    assert len(f"AlertGraph: {rows['sg-1']['Title']}") <= 256
    assert sum(len(rows["sg-1"][column]) for column in ("Summary", "Told", "Checks")) <= 4900
    assert rows["sg-2"]["Told"] == "First. Then."


def test_what_is_markup_elsewhere_does_not_reach_an_incident(workspace: Workspace) -> None:
    """Incidents go to mail, Teams and tickets by playbooks, which put the text into Markdown or HTML."""
    story = [{"sentence": f"{HOSTILE} was seen.", "alert_ids": []}]
    told = {"TitleValue": HOSTILE, "Summary": HOSTILE, "Story": story, "Checks": [HOSTILE]}
    harmless = {"TitleValue": r"IT→OT: corp\svc_sql (3 hosts) reached plc-3, 95 %"}
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", **told), subgraph("sg-2", **harmless)], arrived=NEW)

    rows = incidents(workspace)

    for column in ("Title", "Summary", "Told", "Checks"):
        text = rows["sg-1"][column]
        assert set(text) & set("<>[]{}`*|!#~\u202e\x1b\n") == set(), column
        assert "://" not in text.replace("hxxps://", ""), "no address that a reader's program makes a link of"
        assert "evil.example" in text, "what was there is told"
    assert rows["sg-2"]["Title"] == harmless["TitleValue"], "a name as it is: it is looked for elsewhere"


# --- the hours of the rule -------------------------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
PERIOD = timedelta(days=int(rule_yaml()["queryPeriod"].removesuffix("d")))
START = datetime(2026, 3, 5, 12)


def told_by_the_rule(arrivals: dict[str, tuple[datetime, datetime]], hours: Iterable[int]) -> Counter[str]:
    """How often each row is told over some hours, when (its own time, its arrival) are given.

    As the service does it: a run of the time T begins 5 minutes after T or a little later, sees what has arrived by then,
    and of it rows whose own time is in the period that ends at T.
    """
    told: Counter[str] = Counter()
    for hour in hours:
        now = START + timedelta(hours=hour)
        begins = now + 5 * MINUTE + timedelta(seconds=(hour * 37) % 90)
        seen = Workspace()
        for name, (time, arrived) in arrivals.items():
            if arrived <= begins and now - PERIOD < time <= now:
                row = subgraph(name, TimeGenerated=f"{time:%Y-%m-%d %H:%M:%S}")
                seen.add("AlertGraphSubgraphs_CL", [row], arrived=f"{arrived:%Y-%m-%d %H:%M:%S}")
        told.update(row["SubgraphId"] for row in seen.ask(RULE, now=f"{now:%Y-%m-%d %H:%M:%S}"))
    return told


def test_over_late_arrivals_no_subgraph_is_told_twice_and_none_is_lost() -> None:
    """A post may straddle the hour, and arrive while the rule waits, while it runs, or days after its own time."""
    chance = random.Random(17)
    late = [20, 45, 90, 170, 239, 299, 300, 301, 330, 389, 391, 900, 3600, 40 * 3600]
    times = [START - 10 * MINUTE, START - 10 * timedelta(seconds=1), START, START + timedelta(seconds=10)]
    times += [START + timedelta(seconds=chance.randrange(3600)) for _ in range(4)]
    arrivals = {f"sg-{t}-{s}": (time, time + timedelta(seconds=s)) for t, time in enumerate(times) for s in late}

    told = told_by_the_rule(arrivals, [0, 1, 2, 3, 39, 40, 41, 42])  # between them nothing arrives

    assert {name: n for name, n in told.items() if n > 1} == {}, "told twice"
    assert set(arrivals) - set(told) == set(), "lost"


def test_a_row_that_arrives_between_the_hour_and_the_run_is_told_by_that_run_alone() -> None:
    row = {"sg-1": (START - timedelta(seconds=10), START + timedelta(seconds=30))}

    assert [told_by_the_rule(row, [hour])["sg-1"] for hour in range(3)] == [1, 0, 0]
