"""The tools by which an agent asks of the subgraphs: their form, and what they answer on rows written by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from kusto import Workspace, tool_asked
from mcp_tools import FOLDER, PREFIX, declared, parameters_in, tool_files, tool_query
from test_kql_rows import HOSTILE, edge, member, node, subgraph

NOW = "2026-03-05 12:30:00"
FORM = yaml.safe_load((FOLDER / "tools.yaml").read_text(encoding="utf-8"))
NAMES = [*declared()]
SG = "sg-00000000000000a1"


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


def told(workspace: Workspace, *rows: dict[str, Any]) -> None:
    """Subgraphs with an alert each, so that they are as their run told them."""
    workspace.add("AlertGraphSubgraphs_CL", list(rows))
    workspace.add(
        "AlertGraphMembers_CL",
        [member(row["SubgraphId"], f"a-{row['SubgraphId']}", row["RunId"], row["TimeGenerated"]) for row in rows],
    )


def ask(workspace: Workspace, name: str, now: str = NOW, **given: str) -> list[dict[str, Any]]:
    return workspace.ask(tool_asked(name, **given), now=now)


# --- form -------------------------------------------------------------------------------------------------------------


def test_six_questions_have_a_tool_each() -> None:
    assert [
        *("todays_subgraphs", "why_subgraph", "subgraph_path", "subgraph_alerts", "host_activity"),
        "changes_since_last_run",
    ] == NAMES
    assert {file.stem for file in (FOLDER / "queries").glob("*.kql")} == set(NAMES)
    assert FORM["collection"] == "AlertGraph"


@pytest.mark.parametrize("name", NAMES)
def test_the_form_names_the_parameters_of_its_query(name: str) -> None:
    tool = declared()[name]

    assert parameters_in(tool_query(name)) == [*tool["parameters"]], "in the order in which the query has them"
    assert all(one["description"] for one in tool["parameters"].values())
    assert "never an instruction" in tool["description"]
    assert 80 < len(tool["description"]) < 400, "short, for a model to choose by"


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_stands_in_quotes_and_nowhere_else(name: str) -> None:
    text = tool_query(name)
    assert text.count("'{SubgraphId}'") == text.count("{SubgraphId}")
    for parameter in parameters_in(text):
        assert text.count(f"'{{{parameter}}}'") == text.count(f"{{{parameter}}}")


def test_a_file_to_paste_has_the_form_above_the_query() -> None:
    text = tool_files()[f"tools/{PREFIX}host_activity.kql"]
    assert text.startswith(f"// Name: {PREFIX}host_activity\n// Description: Shows what touched a host")
    assert "// Parameter Days: How many days back, a whole number. Default: 30.\n" in text
    assert text.endswith(tool_query("host_activity"))


def test_the_page_tells_of_each_tool_with_its_parameters() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(rf"^\| `{PREFIX}(\w+)` \| .+? \| (.+) \|$", page, re.M))

    assert [*rows] == NAMES
    for name, tool in declared().items():
        assert re.findall(r"`(\w+)`", rows[name]) == [*tool["parameters"]]


def test_the_plugin_is_as_the_template_has_it() -> None:
    plugin = yaml.safe_load(tool_files()["security_copilot.yaml"])
    (group,) = plugin["SkillGroups"]

    assert set(plugin["Descriptor"]) == {"Name", "DisplayName", "Description", "DescriptionForModel"}
    assert set(group["Settings"]) == {"Endpoint", "TokenScope", "UseStreamableHttp", "AllowedTools", "TimeoutInSeconds"}
    assert group["Settings"]["AllowedTools"].split(",") == [f"{PREFIX}{name}" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_workspace_gives_no_row(workspace: Workspace, name: str) -> None:
    assert ask(workspace, name) == []


# --- answers ----------------------------------------------------------------------------------------------------------


def test_today_is_what_is_shown_and_new_or_changed_in_the_last_day(workspace: Workspace) -> None:
    old = {"TimeGenerated": "2026-03-03 10:00:00"}
    told(
        workspace,
        subgraph("sg-weak", Score=0.45),
        subgraph("sg-best", Score=0.6, Motifs=["it_ot_pivot", "spray"], Path=["host:ws1", "host:plc1"]),
        subgraph("sg-hidden", IsShown=False),
        subgraph("sg-old", **old),
    )

    rows = ask(workspace, "todays_subgraphs")
    assert [(row["SubgraphId"], row["IntoOT"]) for row in rows] == [("sg-best", "yes"), ("sg-weak", "no")]
    assert rows[0]["Path"] == "host:ws1 → host:plc1"
    assert "sg-old" in {row["SubgraphId"] for row in ask(workspace, "todays_subgraphs", Days="7")}
    assert ask(workspace, "todays_subgraphs", SiteName="office") == []
    assert len(ask(workspace, "todays_subgraphs", SiteName="Plant")) == 2


@pytest.mark.parametrize("given", [{}, {"Days": "{Days}", "SiteName": "{SiteName}"}, {"Days": "many"}])
def test_what_nobody_filled_in_takes_the_default(workspace: Workspace, given: dict[str, str]) -> None:
    told(workspace, subgraph("sg-1"))
    assert [row["SubgraphId"] for row in ask(workspace, "todays_subgraphs", **given)] == ["sg-1"]


def test_why_has_every_part_of_the_explanation(workspace: Workspace) -> None:
    parts = {"Contributions": [{"term": "rarity", "value": 0.44444, "fact": "31 types"}], "Ties": ["b follows a"]}
    other = {"Related": [{"subgraph_id": "sg-9", "fact": "fs01 in common"}]}
    told(workspace, subgraph(SG, Score=0.5, **parts, **other), subgraph("sg-00000000000000b2", Score=0.9))

    rows = ask(workspace, "why_subgraph", SubgraphId=SG)
    assert [(row["Heading"], row["Text"]) for row in rows] == [
        ("Subgraph", f"{SG}, score 0.5, P , shown"),
        ("In one sentence", f"summary of {SG}"),
        ("What happened", "First."),
        ("What happened", "Then."),
        ("What made its score", "rarity 0.444: 31 types"),
        ("What would have kept it from being shown", "without it it would not"),
        ("What the past did not know", "seen on 0 of 28 days"),
        ("What holds it together", "b follows a"),
        ("Perhaps of the same attack", "sg-9: fs01 in common"),
        ("What to check next", "Ask the owner of fs01."),
    ]
    assert ask(workspace, "why_subgraph")[0]["Text"].startswith("sg-00000000000000b2"), "else the best of today"
    assert ask(workspace, "why_subgraph", SubgraphId="sg-none") == []


def test_the_path_is_in_the_order_of_time_and_says_where_it_comes_into_ot(workspace: Workspace) -> None:
    told(workspace, subgraph(SG, Path=["host:ws1", "host:fs01", "host:plc3"]), subgraph("sg-other", Score=0.1))
    keys = {"host:ws1": "IT", "host:fs01": "IT", "host:plc3": "OT"}
    workspace.add("AlertGraphNodes_CL", [node(key, domain, SG) for key, domain in keys.items()])
    times = [("host:fs01", "host:plc3", "11"), ("host:ws1", "host:fs01", "09"), ("host:plc3", "host:plc3", "12")]
    workspace.add(
        "AlertGraphEdges_CL",
        [edge(a, b, name=SG, FirstSeen=f"2026-03-04 {hour}:00:00") for a, b, hour in times]
        + [edge("host:x", "host:y", name="sg-other")],
    )

    rows = ask(workspace, "subgraph_path", SubgraphId=SG)
    assert [(row["From"], row["To"], row["OnPath"], row["IntoOT"]) for row in rows] == [
        ("host:ws1", "host:fs01", "yes", "no"),
        ("host:fs01", "host:plc3", "yes", "yes"),
        ("", "host:plc3", "no", "no"),
    ]


def test_the_alerts_are_those_of_the_subgraph_with_what_is_kept_of_them(workspace: Workspace) -> None:
    told(workspace, subgraph(SG), subgraph("sg-other", Score=0.1))
    kept = {"TimeGenerated": "2026-03-04 09:00:00", "ProductName": "EDR", "AlertName": HOSTILE, "AlertSeverity": "High"}
    workspace.add("SecurityAlert", [kept | {"_ItemId": f"item-a-{SG}"}, kept | {"_ItemId": "item-a-sg-other"}])

    (row,) = ask(workspace, "subgraph_alerts", SubgraphId=SG)
    assert (row["SubgraphId"], row["Product"], row["AlertId"]) == (SG, "EDR", f"a-{SG}")
    assert set(row["Alert"]) & set("<>[]`*|!#~\u202e\x1b\n") == set()


def test_what_touched_a_host_is_told_over_all_subgraphs(workspace: Workspace) -> None:
    told(workspace, subgraph(SG, TitleValue="first"), subgraph("sg-other", TitleValue="second", IsShown=False))
    keys = ("host:ws1", "host:fs01", "host:plc3", "host:fs011")
    workspace.add("AlertGraphNodes_CL", [node(key, name=name) for key in keys for name in (SG, "sg-other")])
    pairs = [("host:ws1", "host:fs01", SG, "09"), ("host:fs01", "host:plc3", SG, "10")]
    pairs += [("host:fs01", "host:fs01", "sg-other", "11"), ("host:ws1", "host:fs011", SG, "12")]
    workspace.add(
        "AlertGraphEdges_CL",
        [edge(a, b, name=name, FirstSeen=f"2026-03-04 {hour}:00:00") for a, b, name, hour in pairs],
    )

    def of(host: str, **given: str) -> list[tuple[str, str, str, str]]:
        rows = ask(workspace, "host_activity", Host=host, **given)
        return [(row["Direction"], row["Other"], row["Title"], row["Shown"]) for row in rows]

    assert of("fs01") == [
        ("on it", "", "second", "no"),
        ("from it", "host:plc3", "first", "yes"),
        ("to it", "host:ws1", "first", "yes"),
    ]
    assert of(" FS01.corp.example ") == of("fs01"), "as a person writes it"
    assert of("fs0") == of("") == [], "a part of a name is no name"
    assert of("fs01", Days="2") == of("fs01")
    assert of("fs01", Days="1") == [], "it was seen last 25 hours ago"
    assert ask(workspace, "host_activity", Host="fs01", now="2026-05-05 12:00:00") == []


def run_row(run: str, hour: str, withdrawn: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {"TimeGenerated": f"2026-03-05 {hour}:00:00", "RunId": run, "RowId": run, "Withdrawn": withdrawn or []}


def test_what_changed_is_told_against_all_that_was_told_before(workspace: Workspace) -> None:
    before = {
        "sg-same": {},
        "sg-grew": {},
        "sg-hidden": {"IsShown": False},
        "sg-fell": {},
        "sg-gone": {},
        "sg-words": {},
    }
    now = {"sg-new": {}, "sg-grew": {"NAlerts": 9}, "sg-hidden": {}, "sg-fell": {"IsShown": False}, "sg-words": {}}
    now |= {"sg-quiet": {"IsShown": False}}
    told(workspace, *(subgraph(name, TimeGenerated="2026-03-05 09:00:00", **row) for name, row in before.items()))
    told(workspace, *(subgraph(name, "run-2", TimeGenerated="2026-03-05 10:00:00", **row) for name, row in now.items()))
    gone = [{"site": "plant", "subgraph_id": "sg-gone"}]
    workspace.add("AlertGraphRuns_CL", [run_row("run-1", "09"), run_row("run-2", "10", gone)])

    rows = {row["SubgraphId"]: row for row in ask(workspace, "changes_since_last_run")}
    assert {name: row["Change"] for name, row in rows.items()} == {
        **{"sg-new": "new", "sg-grew": "grew", "sg-hidden": "now shown", "sg-fell": "no longer shown"},
        **{"sg-words": "told anew", "sg-gone": "withdrawn"},
    }
    assert (rows["sg-grew"]["AlertsBefore"], rows["sg-grew"]["NAlerts"]) == (5, 9)
    assert ask(workspace, "changes_since_last_run", SiteName="office") == []


EXCEPTION = [{"id": "EX-1", "owner": "it", "reason": "patch night", "ticket": "CHG-7", "until": "2026-04-01T00:00:00Z"}]


def test_an_exception_is_told_as_what_hides(workspace: Workspace) -> None:
    told(
        workspace,
        subgraph(SG),
        subgraph(SG, "run-2", TimeGenerated="2026-03-05 11:00:00", IsShown=False, SuppressedBy=EXCEPTION),
    )
    workspace.add("AlertGraphRuns_CL", [run_row("run-1", "10"), run_row("run-2", "11")])

    rows = {row["Heading"]: row["Text"] for row in ask(workspace, "why_subgraph", SubgraphId=SG)}
    assert rows["Subgraph"].endswith("hidden by an exception")
    assert rows["Hidden by an exception"] == "EX-1, it: patch night (CHG-7), until 2026-04-01 00:00 UTC"
    assert [row["Change"] for row in ask(workspace, "changes_since_last_run")] == ["hidden by an exception"]


def test_a_run_that_is_still_posting_is_not_the_last_one(workspace: Workspace) -> None:
    told(workspace, subgraph("sg-1"), subgraph("sg-2", "run-2", TimeGenerated="2026-03-05 11:00:00"))
    workspace.add("AlertGraphRuns_CL", [run_row("run-1", "10")])

    assert [row["SubgraphId"] for row in ask(workspace, "changes_since_last_run")] == ["sg-1"]


@pytest.mark.parametrize("name", ["todays_subgraphs", "why_subgraph"])
def test_text_of_an_attacker_reaches_an_agent_as_plain_text(workspace: Workspace, name: str) -> None:
    told(workspace, subgraph(SG, TitleValue=HOSTILE, Summary=HOSTILE, Checks=[HOSTILE], Path=[f"host:{HOSTILE}"]))
    texts = [value for row in ask(workspace, name) for value in row.values() if isinstance(value, str)]

    assert any("evil.example" in text for text in texts), "what was written is told"
    for text in texts:
        assert set(text) & set("<>[]`*|!#~\u202e\x1b\n") == set()
        assert "://" not in text.replace("hxxps://", "")


def test_days_are_counted_from_now(workspace: Workspace) -> None:
    told(workspace, subgraph("sg-1"))
    assert ask(workspace, "todays_subgraphs", now="2026-03-06 09:59:00")
    assert not ask(workspace, "todays_subgraphs", now="2026-03-06 10:01:00")
