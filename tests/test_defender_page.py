"""The page on the Defender portal says what our rules and the workbook have, and names its sources."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from kusto import HEALTH_FILE, Workspace, judge, rule_yaml, walk

REPO = Path(__file__).parent.parent
PAGE = (REPO / "docs" / "defender.md").read_text(encoding="utf-8")
README = (REPO / "README.md").read_text(encoding="utf-8")
BOOK = json.loads((REPO / "deploy" / "sentinel" / "workbook.json").read_text(encoding="utf-8"))
TAGS = ("#DONT_CORR#", "#INC_CORR#")
(QUERY,) = re.findall(r"```kusto\n(.+?)```", PAGE, re.S)


def test_what_it_says_of_our_rules_is_what_they_have() -> None:
    rule = rule_yaml()
    grouping = rule["incidentConfiguration"]["groupingConfiguration"]

    assert (grouping["groupByCustomDetails"], grouping["lookbackDuration"]) == (["SubgraphId"], "7d")
    assert "by `SubgraphId`, for 7 days" in PAGE
    assert grouping["reopenClosedIncident"] and "`reopenClosedIncident`" in PAGE
    for file in (None, HEALTH_FILE):
        described = (rule_yaml(file) if file else rule)["description"]
        assert described.startswith(TAGS[0]), "its own grouping counts only where it is left out of correlation"
    assert rule["alertDetailsOverride"]["alertDisplayNameFormat"].startswith("AlertGraph: ")
    assert all(f"`{tag}" in PAGE or f"={tag}`" in PAGE for tag in TAGS)


def test_nothing_of_ours_asks_for_what_the_portal_changes() -> None:
    """Provider, description and title of an incident, and its tasks."""
    texts = [
        p.read_text(encoding="utf-8") for p in (REPO / "deploy").rglob("*") if p.suffix in (".kql", ".yaml", ".json")
    ]

    assert not [
        text[:60]
        for text in texts
        if re.search(r"Azure Sentinel'|Microsoft XDR|IncidentProvider|AddIncidentTask|SecurityIncident\.Title", text)
    ]


def settings_of(value: Any, name: str) -> list[Any]:
    """Every value of a setting in the workbook, at whatever depth."""
    if isinstance(value, dict):
        return [v for k, v in value.items() if k == name] + [f for v in value.values() for f in settings_of(v, name)]
    return [found for one in value for found in settings_of(one, name)] if isinstance(value, list) else []


def test_what_is_chosen_in_the_workbook_opens_in_it_in_either_portal() -> None:
    """No list of links, no blade, no address: each of them would belong to one portal."""
    items = list(walk(BOOK["items"]))

    assert 11 not in {item["type"] for item in items}
    assert settings_of(BOOK, "linkTarget") == settings_of(BOOK, "bladeOpenContext") == []
    assert re.findall(r"https?://[^\s\"]+", json.dumps(BOOK["items"])) == []
    assert settings_of(BOOK, "exportFieldName") or settings_of(BOOK, "exportedParameters"), (
        "a row is chosen by parameters"
    )
    planted = {"items": [{"gridSettings": {"formatters": [{"formatOptions": {"linkTarget": "OpenBlade"}}]}}]}
    assert settings_of(planted, "linkTarget") == ["OpenBlade"]


def test_no_page_sends_a_reader_to_the_portal_that_goes() -> None:
    pages = [*REPO.glob("*.md"), *(REPO / "docs").glob("*.md"), *(REPO / "deploy").rglob("*.md")]
    assert not [page for page in pages if "portal.azure.com" in page.read_text(encoding="utf-8")]


def test_every_fact_has_a_source_and_every_source_is_used() -> None:
    listed = dict(re.findall(r"^(\d)\. \[.+?\]\((https://[^)]+)\)", PAGE, re.M))
    prose = re.sub(r"```.+?```", "", PAGE, flags=re.S)
    used = set(re.findall(r"\[(\d)\](?!\()", prose))

    assert [*listed] == [str(n) for n in range(1, 9)]
    assert used == set(listed)
    rows = [line for line in PAGE.split("## What to turn")[0].splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    assert [row for row in rows if not re.search(r"\[\d\]", row)] == []


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!https)([^)]+)\)", PAGE):
        file, _, heading = link.partition("#")
        target = REPO / "docs" / file
        assert target.exists(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
        assert not heading or heading in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_the_readme_compares_in_one_table_and_says_what_we_do_not_do() -> None:
    part = README.split("## Beside what you have")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines() if line.startswith("| ")
    ]

    assert {len(row) for row in rows} == {5}
    assert "docs/defender.md" in part
    acts = next(row for row in rows if row[0].strip() == "acts")
    assert acts[1] == "no", "what others can and we cannot stands there too"


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


def test_the_query_that_joins_a_verdict_is_read_by_the_language_service() -> None:
    said = judge({"verdict": QUERY, "misspelt": QUERY.replace("IncidentNumber, Title", "IncidentNumbr, Title")})
    assert said["verdict"].problems == []
    assert next(iter(said["verdict"].columns)) == "SubgraphId"
    assert any("IncidentNumbr" in problem for problem in said["misspelt"].problems)


def test_a_verdict_is_joined_to_its_subgraph_and_a_merge_is_none(workspace: Workspace) -> None:
    def alert(key: str, name: str = "AlertGraph: Lateral movement") -> dict[str, Any]:
        details = json.dumps({"SubgraphId": [f"sg-{key}"], "Site": ["plant"]})
        return {"SystemAlertId": key, "AlertName": name, "ExtendedProperties": json.dumps({"Custom Details": details})}

    def incident(number: int, alerts: list[str], hour: int, **columns: Any) -> dict[str, Any]:
        plain = {"IncidentNumber": number, "AlertIds": alerts, "LastModifiedTime": f"2026-03-05 {hour:02}:00:00"}
        return {**plain, "Title": "Lateral movement incident", "Status": "New", "Labels": [], **columns}

    workspace.add("SecurityAlert", [alert("a"), alert("b"), alert("c", "Other rule")])
    closed = {"Status": "Closed", "Classification": "TruePositive"}
    workspace.add(
        "SecurityIncident",
        [
            incident(1, ["a"], 9),
            incident(1, ["a", "c"], 11, **closed),
            incident(2, ["b"], 12, Status="Closed", Labels=[{"labelName": "Redirected"}]),
        ],
    )

    assert [(r["SubgraphId"], r["IncidentNumber"], r["Classification"]) for r in workspace.ask(QUERY)] == [
        ("sg-a", 1, "TruePositive")
    ]
