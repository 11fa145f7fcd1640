"""The templates deploy, on paper: every expression is evaluated, every reference resolved, and what is wrong is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from arm import GROUP, Deployment, TemplateError
from kusto import HEALTH_FILE, TABLES, rule_yaml, texts
from one_step import PUBLISHER, TEXT_LOGS
from posted_tables import functions

from alertgraph_spark.publish.log_analytics.streams import STREAMS, check_declared

DEPLOY = Path(__file__).parent.parent / "deploy"
WORKSPACE = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/soc-ws"
RULE = f"{GROUP}/providers/Microsoft.Insights/dataCollectionRules/alertgraph"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/export"
ONE_STEP = json.loads((DEPLOY / "sentinel" / "azuredeploy.json").read_text(encoding="utf-8"))


def deploy(template: Any = ONE_STEP, **given: Any) -> Deployment:
    return Deployment(template, {"workspaceName": "soc-ws"} | given, frozenset({WORKSPACE}))


@pytest.fixture(scope="module")
def full() -> Deployment:
    return deploy(exportStorageId=STORAGE, publisherIds=["id-1", "id-2"])


def test_with_the_name_of_the_workspace_alone_it_deploys_all_but_export_and_roles() -> None:
    kinds = {resource["type"] for resource in deploy().resources.values()}

    assert kinds == {
        "Microsoft.OperationalInsights/workspaces/tables",
        "Microsoft.OperationalInsights/workspaces/savedSearches",
        "Microsoft.Insights/dataCollectionRules",
        "Microsoft.Insights/dataCollectionEndpoints",
        "Microsoft.Insights/workbooks",
        "Microsoft.SecurityInsights/alertRules",
    }


def test_the_tables_are_those_of_the_results_and_of_the_texts(full: Deployment) -> None:
    tables = {
        r["properties"]["schema"]["name"]: r for r in full.of_type("Microsoft.OperationalInsights/workspaces/tables")
    }

    assert list(tables) == [*(s.table_name for s in STREAMS), *(log["table"] for log in TEXT_LOGS)]
    for name, table in tables.items():
        assert table["name"] == f"soc-ws/{name}"
        columns = {c["name"]: c["type"].lower() for c in table["properties"]["schema"]["columns"]}
        assert columns == {n: kind for n, kind in TABLES[name].items() if n not in ("_ItemId", "Type")}


def test_the_rule_declares_what_is_posted_and_publishers_may_post_to_it_alone(full: Deployment) -> None:
    check_declared(full.resources[RULE])
    roles = full.of_type("Microsoft.Authorization/roleAssignments")

    assert full.resources[RULE]["kind"] == "Direct"
    assert [role["properties"]["principalId"] for role in roles] == ["id-1", "id-2"]
    assert {role["properties"]["roleDefinitionId"].split("/")[-1] for role in roles} == {PUBLISHER}
    assert {role["scope"] for role in roles} == {"Microsoft.Insights/dataCollectionRules/alertgraph"}
    assert {role["properties"]["principalType"] for role in roles} == {"ServicePrincipal"}


def test_a_rule_for_texts_reads_the_file_into_its_table(full: Deployment) -> None:
    rules = {r["name"]: r for r in full.of_type("Microsoft.Insights/dataCollectionRules") if r["name"] != "alertgraph"}

    assert list(rules) == full.outputs["textRules"] == ["alertgraph-suricataeve-cl", "alertgraph-sigmaalerts-cl"]
    for log, rule in zip(TEXT_LOGS, rules.values(), strict=True):
        properties = rule["properties"]
        (source,), (flow,) = properties["dataSources"]["logFiles"], properties["dataFlows"]
        (stream,) = properties["streamDeclarations"]
        assert [source["streams"], flow["streams"]] == [[stream], [stream]]
        assert stream.startswith("Custom-")
        assert flow["outputStream"] == f"Custom-{log['table']}"
        assert (source["filePatterns"], flow["transformKql"]) == (log["filePatterns"], log["transformKql"])
        columns = {c["name"] for c in properties["streamDeclarations"][stream]["columns"]}
        assert columns >= {"TimeGenerated", "RawData"}
        assert properties["dataCollectionEndpointId"] in full.resources


def test_nothing_of_the_results_is_exported(full: Deployment) -> None:
    """The export is the input: what came out would go in again."""
    (export,) = full.of_type("Microsoft.OperationalInsights/workspaces/dataExports")

    assert export["properties"]["destination"] == {"resourceId": STORAGE}
    assert export["properties"]["tableNames"] == [
        "SecurityAlert",
        "SecurityIncident",
        "CommonSecurityLog",
        "SuricataEve_CL",
        "SigmaAlerts_CL",
    ]
    assert not set(export["properties"]["tableNames"]) & {s.table_name for s in STREAMS}


def test_without_texts_there_is_no_endpoint_and_no_rule_for_them() -> None:
    bare = deploy(textLogs=[], exportStorageId=STORAGE)

    assert bare.of_type("Microsoft.Insights/dataCollectionEndpoints") == []
    assert [r["name"] for r in bare.of_type("Microsoft.Insights/dataCollectionRules")] == ["alertgraph"]
    (export,) = bare.of_type("Microsoft.OperationalInsights/workspaces/dataExports")
    assert export["properties"]["tableNames"] == ["SecurityAlert", "SecurityIncident", "CommonSecurityLog"]


def test_functions_workbook_and_incident_rule_are_those_that_are_checked(full: Deployment) -> None:
    searches = full.of_type("Microsoft.OperationalInsights/workspaces/savedSearches")
    (workbook,) = full.of_type("Microsoft.Insights/workbooks")
    rule, health = full.of_type("Microsoft.SecurityInsights/alertRules")

    assert {s["properties"]["functionAlias"]: s["properties"]["query"] for s in searches} == functions()
    kept = json.loads((DEPLOY / "sentinel" / "workbook.json").read_text(encoding="utf-8"))
    assert json.loads(workbook["properties"]["serializedData"]) == kept
    assert (workbook["properties"]["sourceId"], workbook["properties"]["category"]) == (WORKSPACE, "sentinel")
    assert rule["scope"] == "Microsoft.OperationalInsights/workspaces/soc-ws"
    assert rule["properties"]["query"] == texts()["incident_rule"]
    assert rule["properties"]["enabled"] is True
    assert (health["scope"], health["properties"]["query"]) == (rule["scope"], texts()["health_rule"])
    assert health["properties"]["enabled"] is False, "until somebody wants to be told"
    other = deploy(incidentsEnabled=False, healthEnabled=True).of_type(rule["type"])
    assert [one["properties"]["enabled"] for one in other] == [False, True]


def test_it_can_be_deployed_again() -> None:
    """A saved search that is there already answers 409 unless the etag says that it may be replaced; so do two at once.

    Beside `properties` the service knows no such member.
    """
    for template in (ONE_STEP, json.loads((DEPLOY / "workspace.json").read_text(encoding="utf-8"))):
        searches = [r for r in template["resources"] if r["type"].endswith("/savedSearches")]
        assert len(searches) == len(functions())
        assert {search["properties"].get("etag") for search in searches} == {"*"}
        assert [search["name"] for search in searches if "etag" in search] == []


def test_without_content_the_solution_brings_it_and_there_is_one_rule() -> None:
    with_it, without = deploy(publisherIds=["id-1"]), deploy(publisherIds=["id-1"], content=False)

    left_out = {r["type"] for key, r in with_it.resources.items() if key not in without.resources}
    assert left_out == {
        "Microsoft.OperationalInsights/workspaces/savedSearches",
        "Microsoft.Insights/workbooks",
        "Microsoft.SecurityInsights/alertRules",
    }
    assert not left_out & {r["type"] for r in without.resources.values()}
    assert without.outputs["dcrId"].path == f"{RULE}.immutableId"
    assert without.outputs["workbookId"] == ""


@pytest.mark.parametrize("tag", ["#DONT_CORR#", "#INC_CORR#", ""])
def test_a_subgraphs_incident_is_merged_into_no_other_unless_it_is_asked_for(tag: str) -> None:
    defaults = deploy().of_type("Microsoft.SecurityInsights/alertRules")
    rules = deploy(correlation=tag).of_type("Microsoft.SecurityInsights/alertRules")

    kept = [rule["description"].strip() for rule in (rule_yaml(), rule_yaml(HEALTH_FILE))]
    assert [rule["properties"]["description"].strip() for rule in defaults] == kept
    for default, rule in zip(defaults, rules, strict=True):
        assert default["properties"]["description"].startswith("#DONT_CORR# Identifies")
        assert rule["properties"]["description"].startswith(f"{tag} Identifies" if tag else "Identifies")


def test_the_endpoint_of_the_agents_can_be_closed_to_the_internet() -> None:
    kind = "Microsoft.Insights/dataCollectionEndpoints"

    def access(deployed: Deployment) -> str:
        return str(deployed.of_type(kind)[0]["properties"]["networkAcls"]["publicNetworkAccess"])

    assert [access(deploy()), access(deploy(endpointAccess="Disabled"))] == ["Enabled", "Disabled"]


def test_the_outputs_are_what_the_job_is_to_be_told(full: Deployment) -> None:
    assert full.outputs["endpoint"].path == f"{RULE}.endpoints.logsIngestion"
    assert full.outputs["dcrId"].path == f"{RULE}.immutableId"
    assert full.outputs["workbookId"] in full.resources


def test_every_parameter_says_what_it_is() -> None:
    for name, parameter in ONE_STEP["parameters"].items():
        assert len(parameter["metadata"]["description"]) > 15, name
    page = (DEPLOY / "sentinel" / "README.md").read_text(encoding="utf-8")
    assert [name for name in ONE_STEP["parameters"] if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("name", ["workspace.json", "data_collection_rule.json"])
def test_the_pieces_by_themselves_deploy_too(name: str) -> None:
    template = json.loads((DEPLOY / name).read_text(encoding="utf-8"))
    given = {"workspaceName": "soc-ws"} if name == "workspace.json" else {"workspaceResourceId": WORKSPACE}

    assert Deployment(template, given, frozenset({WORKSPACE})).resources


# --- what is refused -------------------------------------------------------------------------------------------------


def resource(template: Any, kind: str) -> Any:
    return next(r for r in template["resources"] if r["type"].endswith(kind))


MISTAKES: dict[str, Callable[[Any], Any]] = {
    "parameter ruelName is not declared": lambda t: resource(t, "Rules").update(name="[parameters('ruelName')]"),
    "variable bookId is not declared": lambda t: resource(t, "workbooks").update(name="[variables('bookId')]"),
    "parameters declared and not used: ['spare']": lambda t: t["parameters"].update(
        spare={"type": "int", "defaultValue": 1}
    ),
    "unknown function concatenate": lambda t: resource(t, "workbooks").update(name="[concatenate('a', 'b')]"),
    "is deployed twice": lambda t: t["resources"].append(resource(t, "workbooks")),
    "which is not deployed": lambda t: resource(t, "alertRules").update(dependsOn=["textTabels"]),
    "has 2 parts": lambda t: resource(t, "savedSearches").update(name="[parameters('workspaceName')]"),
    "unknown keys: ['dependson']": lambda t: resource(t, "workbooks").update(dependson=[]),
    "api version latest": lambda t: resource(t, "workbooks").update(apiVersion="latest"),
    "left over": lambda t: resource(t, "workbooks")["properties"].update(serializedData="[1, 2]"),
    "copyIndex outside a copy": lambda t: resource(t, "roleAssignments").pop("copy"),
    "neither deployed nor there": lambda t: t["outputs"].update(
        x={"type": "string", "value": "[resourceId('Microsoft.Storage/storageAccounts', 'lake')]"}
    ),
    "is not deployed with 2021-01-01": lambda t: t["outputs"]["dcrId"].update(
        value="[reference(resourceId('Microsoft.Insights/dataCollectionRules', parameters('ruleName')), '2021-01-01').x]"
    ),
}


@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_in_a_template_is_found(said: str) -> None:
    template = copy.deepcopy(ONE_STEP)
    MISTAKES[said](template)

    with pytest.raises(TemplateError) as found:
        deploy(template, publisherIds=["id-1"])
    assert said in str(found.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workspace": "x"}, "unknown parameters: ['workspace']"),
        ({"textLogs": "SuricataEve_CL"}, "textLogs is no array"),
        ({"publisherType": "Robot"}, "'Robot' is not allowed"),
        ({"textLogs": [{"table": "X_CL"}]}, "no 'filePatterns'"),
    ],
)
def test_a_parameter_that_the_template_does_not_take_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TemplateError) as found:
        deploy(**given)
    assert said in str(found.value)
