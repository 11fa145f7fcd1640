"""Workbook, incident rule and solution keep to what Microsoft Sentinel takes."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from kusto import HEALTH_FILE, QUERIES, functions, query_text, rule_yaml, walk
from workbook import MAX_ROWS, TEXT_TABLES, workbook

from alertgraph_spark.tables.health_schemas import UNHEALTHY

SENTINEL = Path(__file__).parent.parent / "deploy" / "sentinel"
SOLUTION = SENTINEL / "Solutions" / "AlertGraph"
BOOK: dict[str, Any] = json.loads((SENTINEL / "workbook.json").read_text(encoding="utf-8"))
ITEMS = list(walk(BOOK["items"]))
PARTS = {item["name"]: item["content"] for item in ITEMS if item["type"] == 3}
RULE = rule_yaml()
HEALTH_RULE = rule_yaml(HEALTH_FILE)


# --- workbook --------------------------------------------------------------------------------------------------------


def test_the_workbook_has_the_form_of_a_notebook() -> None:
    assert BOOK["version"] == "Notebook/1.0"
    assert (
        BOOK["$schema"]
        == "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json"
    )
    versions = {3: "KqlItem/1.0", 9: "KqlParameterItem/1.0", 12: "NotebookGroup/1.0"}
    assert {(item["type"], item["content"].get("version")) for item in ITEMS} == {(1, None), *versions.items()}
    names = [item["name"] for item in ITEMS]
    assert len(set(names)) == len(names)


def test_it_shows_what_was_promised() -> None:
    """Overall graph, subgraphs by rank and day, and of the chosen one graph, timeline, alerts and explanation; run health."""
    shown = {name: part["visualization"] for name, part in PARTS.items()}
    chosen = next(item for item in ITEMS if item["name"] == "chosen")

    assert shown["network"] == shown["subgraph_graph"] == "graph"
    assert (
        shown["subgraphs"] == shown["timeline"] == shown["alerts"] == shown["explanation"] == shown["runs"] == "table"
    )
    within = {item["name"] for item in chosen["content"]["items"]}
    assert within >= {"subgraph_graph", "timeline", "alerts", "explanation", "contributions"}
    assert chosen["conditionalVisibility"] == {"parameterName": "SubgraphId", "comparison": "isNotEqualTo", "value": ""}


def test_every_query_is_a_part_and_every_part_a_query() -> None:
    files = {file.stem for file in QUERIES.glob("*.kql")}
    assert files == {*PARTS, "sites", "text_tables"}
    for name, part in PARTS.items():
        assert part["query"] == query_text(name)
        assert (part["queryType"], part["resourceType"]) == (0, "microsoft.operationalinsights/workspaces")
        assert ("timeContextFromParameter" in part) != ("timeContext" in part), "one time, not two"


def test_every_parameter_is_declared_or_handed_on_by_the_table() -> None:
    declared = {p["name"] for item in ITEMS if item["type"] == 9 for p in item["content"]["parameters"]}
    handed = {p["parameterName"]: p["fieldName"] for p in PARTS["subgraphs"]["exportedParameters"]}
    texts = [part["query"] for part in PARTS.values()]
    texts += [item["content"]["json"] for item in ITEMS if item["type"] == 1]
    used = {name for text in texts for name in re.findall(r"\{(\w+)\}", text)}
    used |= {part["timeContextFromParameter"] for part in PARTS.values() if "timeContextFromParameter" in part}

    assert handed == {"SubgraphId": "SubgraphId", "RunId": "RunId"}, "ids of ours, and no text of an alert"
    assert used == declared | set(handed)
    assert not declared & set(handed)
    before = [name for name in PARTS if name in ("subgraphs", "network", "freshness")]
    for name in before:
        assert not set(re.findall(r"\{(\w+)\}", PARTS[name]["query"])) & set(handed), "nothing is chosen yet"


def test_no_text_of_an_alert_is_markdown_or_part_of_a_query() -> None:
    """A name may be `](https://evil.example) ![](https://evil.example/b.png)`: a cell shows it, Markdown would follow it."""
    for item in ITEMS:
        if item["type"] == 1:
            assert re.findall(r"\{\w+\}", item["content"]["json"]) == [], item["name"]
    (parameters,) = (item["content"]["parameters"] for item in ITEMS if item["type"] == 9)
    chosen = {p["name"]: p["type"] for p in parameters}
    assert chosen == {"TimeRange": 4, "Site": 2, "Scope": 2, "TextTables": 2}, "a drop-down each, none free text (1)"
    tables = next(p for p in parameters if p["name"] == "TextTables")
    assert (tables["quote"], tables["delimiter"], tables["multiSelect"]) == ("", ", ", True)
    assert ", ".join(tables["value"]) == TEXT_TABLES
    assert all(f"'{table}'" in tables["query"] for table in tables["value"]), "the default is one of the choices"


SMALL = {"sites", "freshness", "title", "explanation", "contributions", "hours"}
"""One row a site; one row; the words and the parts of one subgraph; its hours."""


@pytest.mark.parametrize("name", sorted(file.stem for file in QUERIES.glob("*.kql")))
def test_no_result_is_cut_at_ten_thousand_rows(name: str) -> None:
    bounds = [int(n) for n in re.findall(r"\| (?:take|top) (\d+)", query_text(name))]

    assert name in SMALL or bounds, "unbounded"
    assert sum(bounds) <= MAX_ROWS == 10_000
    rows = PARTS.get(name, {}).get("gridSettings", {}).get("rowLimit")
    last = [n for n in bounds if n > 1][-1:]
    assert rows is None or name in SMALL or rows >= last[0], "the table shows what the query gives, not 250 of it"


@pytest.mark.parametrize("name", ["network", "subgraph_graph"])
def test_a_graph_is_blue_for_it_and_orange_for_ot(name: str) -> None:
    graph = PARTS[name]["graphSettings"]

    assert graph["type"] == 0
    assert graph["colorSettings"]["nodeColorField"] == "Domain"
    assert graph["colorSettings"]["type"] == 3
    colours = {
        (c["operator"], c["thresholdValue"]): c["representation"] for c in graph["colorSettings"]["thresholdsGrid"]
    }
    assert colours == {("==", "OT"): "orange", ("Default", None): "blue"}
    assert (graph["nodeIdField"], graph["sourceIdField"], graph["targetIdField"]) == ("Id", "SourceId", "TargetId")
    assert graph["graphOrientation"] in (1, 2, 3)


def test_the_workbook_reads_the_functions_not_the_tables() -> None:
    for name, part in PARTS.items():
        assert not re.search(r"AlertGraph\w+_CL", part["query"]), f"{name}: what arrived twice would count twice"
        assert set(re.findall(r"\bAlertGraph\w+", part["query"])) <= set(functions())


def test_no_link_leads_to_a_portal_that_goes_away() -> None:
    for file in SENTINEL.rglob("*"):
        if file.suffix in (".json", ".yaml", ".kql"):
            assert "portal.azure.com" not in file.read_text(encoding="utf-8")


# --- incident rule ---------------------------------------------------------------------------------------------------


def test_one_incident_a_subgraph() -> None:
    grouping = RULE["incidentConfiguration"]["groupingConfiguration"]

    assert RULE["eventGroupingSettings"] == {"aggregationKind": "AlertPerResult"}
    assert RULE["incidentConfiguration"]["createIncident"] is True
    assert grouping["enabled"] is True
    assert grouping["matchingMethod"] == "Selected"
    assert grouping["groupByCustomDetails"] == ["SubgraphId"]
    assert RULE["customDetails"]["SubgraphId"] == "SubgraphId"
    assert grouping["groupByEntities"] == grouping["groupByAlertDetails"] == []


IDENTIFIERS = {
    "Host": {"HostName", "NetBiosName", "DnsDomain", "NTDomain", "AzureID", "OMSAgentID", "OSFamily", "FullName"},
    "IP": {"Address", "AddressScope"},
    "Account": {"Name", "FullName", "NTDomain", "DnsDomain", "UPNSuffix", "Sid", "AadUserId", "AadTenantId", "PUID"},
}
"""Of the types that we map: the service's list of identifiers."""


def test_the_limits_of_the_service_are_kept() -> None:
    mappings = RULE["entityMappings"]
    override = RULE["alertDetailsOverride"]

    assert len(mappings) + len(RULE["sentinelEntitiesMappings"]) <= 10
    for mapping in mappings:
        names = [field["identifier"] for field in mapping["fieldMappings"]]
        assert 1 <= len(names) <= 3
        assert set(names) <= IDENTIFIERS[mapping["entityType"]]
    assert len(RULE["customDetails"]) <= 20
    assert len(RULE["query"]) <= 10_000
    for key in ("alertDisplayNameFormat", "alertDescriptionFormat"):
        assert len(re.findall(r"\{\{\w+\}\}", override[key])) <= 3
    assert "{{ " not in json.dumps(override), "a blank inside the braces is not found"


def test_the_period_holds_what_may_come_late_and_the_frequency_fits_it() -> None:
    """TimeGenerated is at most 2 days old on arrival; a period of 2 days or more asks for an hour at least."""
    hours = {"m": 1 / 60, "h": 1, "d": 24}

    def length(text: str) -> float:
        return int(text[:-1]) * hours[text[-1]]

    assert length(RULE["queryPeriod"]) > 48 + length(RULE["queryFrequency"])
    assert length(RULE["queryPeriod"]) <= 14 * 24
    assert length(RULE["queryFrequency"]) >= 1
    assert f"let frequency = {RULE['queryFrequency']};" in RULE["query"]
    assert length(RULE["incidentConfiguration"]["groupingConfiguration"]["lookbackDuration"]) <= 7 * 24


def test_the_rule_has_the_keys_that_the_repository_of_sentinel_asks_for() -> None:
    mandatory = {
        *("id", "name", "description", "severity", "requiredDataConnectors", "queryFrequency", "queryPeriod", "kind"),
        *("triggerOperator", "triggerThreshold", "tactics", "relevantTechniques", "query", "entityMappings", "version"),
    }
    assert mandatory <= set(RULE)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", RULE["id"])
    assert RULE["description"].startswith("#DONT_CORR# Identifies"), "each subgraph is an incident of its own"
    assert RULE["kind"] == "Scheduled"
    assert re.fullmatch(r"\d+\.\d+\.\d+", RULE["version"])


# --- rule of the sources ---------------------------------------------------------------------------------------------


def test_one_incident_a_source_that_is_told_when_its_status_changes() -> None:
    grouping = HEALTH_RULE["incidentConfiguration"]["groupingConfiguration"]

    assert HEALTH_RULE["eventGroupingSettings"] == {"aggregationKind": "AlertPerResult"}
    assert (grouping["matchingMethod"], grouping["groupByCustomDetails"]) == ("Selected", ["Site", "Table"])
    assert {"Site", "Table"} <= set(HEALTH_RULE["customDetails"])
    assert HEALTH_RULE["id"] != RULE["id"]
    assert set(re.findall(r"'(\w+)'", HEALTH_RULE["query"].split("Status in")[1].splitlines()[0])) == set(UNHEALTHY)


@pytest.mark.parametrize("key", ["queryFrequency", "triggerOperator", "triggerThreshold", "kind"])
def test_the_rule_of_the_sources_looks_at_the_same_hours_as_that_of_the_subgraphs(key: str) -> None:
    assert HEALTH_RULE[key] == RULE[key]
    assert [line for line in HEALTH_RULE["query"].splitlines() if line.startswith(("let frequency", "let delay"))] == [
        line for line in RULE["query"].splitlines() if line.startswith(("let frequency", "let delay"))
    ]


def test_the_rule_of_the_sources_keeps_the_limits_too() -> None:
    override = HEALTH_RULE["alertDetailsOverride"]

    assert set(RULE) - set(HEALTH_RULE) == {"sentinelEntitiesMappings"}
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", HEALTH_RULE["id"])
    assert HEALTH_RULE["description"].startswith("#DONT_CORR# Identifies")
    assert len(HEALTH_RULE["customDetails"]) <= 20
    assert [len(re.findall(r"\{\{\w+\}\}", override[key])) for key in sorted(override)] == [1, 3]


# --- solution --------------------------------------------------------------------------------------------------------


def test_the_solution_lists_what_lies_in_it() -> None:
    data = json.loads((SOLUTION / "Data" / "Solution_AlertGraph.json").read_text(encoding="utf-8"))
    listed = [path for key in ("Workbooks", "Analytic Rules", "Parsers") for path in data[key]]
    there = {p.relative_to(SOLUTION).as_posix() for p in SOLUTION.rglob("*") if p.is_file()}

    assert data["Name"] == SOLUTION.name == "AlertGraph"
    assert SOLUTION.parent.name == "Solutions", "the tool looks for this folder in the path that it is given"
    assert there == {
        *listed,
        data["Metadata"],
        "Data/Solution_AlertGraph.json",
        "ReleaseNotes.md",
        "WorkbooksMetadata.json",
    }
    assert isinstance(data["WorkbookDescription"], str), "a list is fetched as if of files"
    assert len(data["Workbooks"]) == 1
    assert data["Version"].startswith("3."), "from 3 on the tool makes content packages"
    assert f"| {data['Version']} " in (SOLUTION / "ReleaseNotes.md").read_text(encoding="utf-8")


def test_what_lies_in_it_is_what_is_deployed() -> None:
    (entry,) = json.loads((SOLUTION / "WorkbooksMetadata.json").read_text(encoding="utf-8"))
    parsers = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in (SOLUTION / "Parsers").iterdir()]

    for name, rule in (("AlertGraphSubgraphShown", RULE), ("AlertGraphSourceUnhealthy", HEALTH_RULE)):
        assert yaml.safe_load((SOLUTION / "Analytic Rules" / f"{name}.yaml").read_text(encoding="utf-8")) == rule
    assert (
        json.loads((SOLUTION / "Workbooks" / entry["templateRelativePath"]).read_text(encoding="utf-8")) == workbook()
    )
    assert {p["FunctionName"]: p["FunctionQuery"] for p in parsers} == functions()
    assert all(p["FunctionAlias"] == p["FunctionName"] and p["Function"]["Title"] for p in parsers)


def test_the_metadata_has_what_the_tool_reads() -> None:
    metadata = json.loads((SOLUTION / "SolutionMetadata.json").read_text(encoding="utf-8"))

    assert set(metadata) == {"publisherId", "offerId", "firstPublishDate", "providers", "categories", "support"}
    assert set(metadata["categories"]) == {"domains", "verticals"}
    assert metadata["support"]["tier"] in ("Microsoft", "Partner", "Community")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", metadata["firstPublishDate"])


# --- dry run ---------------------------------------------------------------------------------------------------------


def dry_run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SENTINEL / "dry_run.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=SENTINEL)


def test_a_dry_run_prints_what_is_to_be_run_in_order() -> None:
    done = dry_run("--group", "soc group", "workspaceName=ws", 'publisherIds=["id-1"]')
    lines = [shlex.split(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0
    assert [line[:3] for line in lines[1:]] == [["az", "deployment", "group"]] * 3
    assert [line[3] for line in lines[1:]] == ["validate", "what-if", "create"]
    for line in lines[1:]:
        given = list(pairwise(line))
        assert ("--resource-group", "soc group") in given
        assert ("--template-file", "azuredeploy.json") in given
        assert [b for a, b in given if a == "--parameters"] == ["workspaceName=ws", 'publisherIds=["id-1"]']


def test_a_dry_run_tells_every_wrong_parameter() -> None:
    done = dry_run("--group", "soc", "publisherId=id-1", "textLogs=SuricataEve_CL", "incidentsEnabled=no")

    assert (done.returncode, done.stdout) == (2, "")
    assert "publisherId: no such parameter; is it publisherIds?" in done.stderr
    assert "workspaceName: required" in done.stderr
    assert "textLogs: found 'SuricataEve_CL', want JSON of type array" in done.stderr
    assert "incidentsEnabled: found 'no'" in done.stderr


# --- the page --------------------------------------------------------------------------------------------------------

PAGE = (SENTINEL / "README.md").read_text(encoding="utf-8")


def test_the_command_of_the_page_is_one_that_prints_four() -> None:
    (text,) = re.findall(r"^python deploy/sentinel/dry_run\.py (.+?)\n```", PAGE, re.M | re.S)

    done = dry_run(*shlex.split(text.replace("\\\n", " ")))

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4), done.stderr


def test_the_page_names_what_is_there() -> None:
    named = re.findall(r"^\| `([\w/.]+)` \| (?:the|prints)", PAGE, re.M)

    assert len(named) == 7
    assert [name for name in named if not (SENTINEL / name).exists()] == []


def test_the_account_of_the_page_is_one_that_every_platform_takes() -> None:
    """Databricks' external locations and Fabric's shortcuts refuse an account without a hierarchical namespace."""
    (made,) = re.findall(r"^az storage account create (.+?[^\\])\n", PAGE, re.M | re.S)

    assert "--kind StorageV2 --enable-hierarchical-namespace true" in made
    assert "Premium" not in made


def test_the_defaults_on_the_page_are_those_of_the_template() -> None:
    template = json.loads((SENTINEL / "azuredeploy.json").read_text(encoding="utf-8"))
    told = dict(re.findall(r"^\| `(\w+)` \| (.+?) \| ", PAGE, re.M))
    words = {"": "none", "true": "true", "AlertGraph": "`AlertGraph`", "alertgraph": "`alertgraph`"}
    words |= {"Enabled": "`Enabled`", "#DONT_CORR#": "`#DONT_CORR#`"}
    words |= {"ServicePrincipal": "`ServicePrincipal`", "[resourceGroup().location]": "that of the group"}

    for name, parameter in template["parameters"].items():
        default = parameter.get("defaultValue", "required")
        if name in ("textLogs", "exportTables"):
            default = ", ".join(
                one if isinstance(one, str) else re.split("(?=[A-Z])", one["table"])[1] for one in default
            )
        default = "" if default == [] else str(default).lower() if isinstance(default, bool) else default
        assert told[name] == words.get(default, default), name
