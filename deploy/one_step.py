"""The template that sets up everything at once, from the same pieces as the others."""

from __future__ import annotations

import json
from typing import Any

from incident_rule import API as INCIDENT_API
from incident_rule import CORRELATION, FILE, HEALTH_FILE, rule_description, rule_properties, rule_yaml
from posted_tables import (
    KEPT_FUNCTIONS,
    RULES_API,
    Resource,
    function_resources,
    rule_outputs,
    rule_resource,
    table_resource,
    table_resources,
)
from workbook import TEXT_TABLES, workbook

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
WORKBOOKS_API = "2022-04-01"
EXPORTS_API = "2020-08-01"
ROLES_API = "2022-04-01"
PUBLISHER = "3913510d-42f4-4e42-8a64-420c390055eb"
"""Monitoring Metrics Publisher, the role that may post to a rule."""

TEXT_COLUMNS = {
    "TimeGenerated": ("datetime", "when it was received, unless a transformation reads it from the text"),
    "RawData": ("string", "the record as the product wrote it"),
    "FilePath": ("string", "the file that it stood in"),
    "Computer": ("string", "the machine that it was read on"),
}
TEXT_LOGS: list[dict[str, Any]] = [
    {
        "table": "SuricataEve_CL",
        "filePatterns": ["/var/log/suricata/eve.json"],
        "transformKql": 'source | where RawData has \'"event_type":"alert"\'',
    },
    {"table": "SigmaAlerts_CL", "filePatterns": ["/var/log/sigma/*.json"], "transformKql": "source"},
]
assert ", ".join(log["table"] for log in TEXT_LOGS) == TEXT_TABLES

WORKSPACE = "resourceId('Microsoft.OperationalInsights/workspaces', parameters('workspaceName'))"
RULE = "resourceId('Microsoft.Insights/dataCollectionRules', parameters('ruleName'))"
ENDPOINT = "resourceId('Microsoft.Insights/dataCollectionEndpoints', parameters('endpointName'))"
WORKBOOK = "resourceId('Microsoft.Insights/workbooks', variables('workbookId'))"
LOG = "parameters('textLogs')[copyIndex()]"
TEXT_RULE = f"concat(parameters('ruleName'), '-', toLower(replace({LOG}.table, '_', '-')))"
TEXT_LOG_TABLES = "map(parameters('textLogs'), lambda('log', lambdaVariables('log').table))"


def one_step_template() -> dict[str, Any]:
    """Tables, functions, rules, export, workbook, incident rule and roles, in one deployment to a resource group."""
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "metadata": {"description": "AlertGraph for Microsoft Sentinel: made by deploy/make_deploy.py, do not edit."},
        "parameters": _parameters(),
        "variables": _variables(),
        "resources": [
            *table_resources(),
            _text_table(),
            *map(_if_content, function_resources()),
            _after(rule_resource("parameters('ruleName')", WORKSPACE), [_name(t) for t in table_resources()]),
            _endpoint(),
            _text_rule(),
            _export(),
            _if_content(_workbook()),
            _if_content(_analytic_rule("incident")),
            _if_content(_analytic_rule("health")),
            _role(),
        ],
        "outputs": rule_outputs("parameters('ruleName')")
        | {
            "textRules": {
                "type": "array",
                "copy": {
                    "count": "[length(parameters('textLogs'))]",
                    "input": f"[{TEXT_RULE}]",
                },
            },
            "workbookId": {
                "type": "string",
                "value": f"[if(parameters('content'), {WORKBOOK}, '')]",
            },
        },
    }


def _parameter(kind: str, description: str, *default: Any, **more: Any) -> dict[str, Any]:
    given = {"defaultValue": default[0]} if default else {}
    return {"type": kind, **given, **more, "metadata": {"description": description}}


def _parameters() -> dict[str, Any]:
    return {
        "workspaceName": _parameter(
            "string",
            "Log Analytics workspace, in this resource group, with Microsoft Sentinel switched on.",
            minLength=4,
        ),
        "location": _parameter("string", "Region of the workspace.", "[resourceGroup().location]"),
        "ruleName": _parameter("string", "Name of the data collection rule that the job posts to.", "alertgraph"),
        "endpointName": _parameter(
            "string", "Name of the data collection endpoint by which agents send alerts that are text.", "alertgraph"
        ),
        "publisherIds": _parameter(
            "array",
            "Object ids of the identities that post: of the Synapse workspace, the Databricks service principal or the "
            "application. Each may post to the rule and to nothing else.",
            [],
        ),
        "publisherType": _parameter(
            "string",
            "What these identities are; a managed identity is a ServicePrincipal.",
            "ServicePrincipal",
            allowedValues=["ServicePrincipal", "User", "Group"],
        ),
        "exportStorageId": _parameter(
            "string",
            "Resource id of the storage account that alerts are exported to, in the region of the workspace and not Premium. "
            "Empty: no export rule.",
            "",
        ),
        "exportTables": _parameter(
            "array",
            "Tables to export beside those of textLogs; they must exist. Never those of the results.",
            ["SecurityAlert", "SecurityIncident", "CommonSecurityLog"],
        ),
        "textLogs": _parameter(
            "array",
            "Alerts that a product writes to a file, which the Azure Monitor Agent reads: table (ends in _CL), filePatterns, "
            "transformKql (source keeps all). Empty: none.",
            TEXT_LOGS,
        ),
        "endpointAccess": _parameter(
            "string",
            "Whether agents reach that endpoint over the internet; Disabled needs an Azure Monitor private link scope.",
            "Enabled",
            allowedValues=["Enabled", "Disabled"],
        ),
        "content": _parameter(
            "bool",
            "Whether functions, workbook and analytic rules are deployed. False where the Sentinel solution brings them.",
            True,
        ),
        "correlation": _parameter(
            "string",
            "Tag at the start of the rules' descriptions, by which the Defender portal leaves its incidents out of "
            "correlation or takes them in. Empty: as the tenant has it.",
            CORRELATION[0],
            allowedValues=list(CORRELATION),
        ),
        "incidentsEnabled": _parameter("bool", "Whether shown subgraphs become incidents from now on.", True),
        "healthEnabled": _parameter(
            "bool",
            "Whether a source that falls silent, floods, slows down or refuses lines becomes an incident from now on.",
            False,
        ),
        "workbookName": _parameter("string", "What the workbook is called.", "AlertGraph"),
    }


def _variables() -> dict[str, Any]:
    return {
        "textColumns": [{"name": name, "type": kind} for name, (kind, _) in TEXT_COLUMNS.items()],
        "workbookId": "[guid(resourceGroup().id, parameters('workspaceName'), 'AlertGraph')]",
        "incidentRuleId": rule_yaml()["id"],
        "incidentDescription": rule_description(),
        "healthRuleId": rule_yaml(HEALTH_FILE)["id"],
        "healthDescription": rule_description(HEALTH_FILE),
        "publisherRole": f"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{PUBLISHER}')]",
    }


def _if_content(resource: Resource) -> Resource:
    return {"condition": "[parameters('content')]", **resource}


def _after(resource: Resource, before: list[str]) -> Resource:
    return {
        **{k: v for k, v in resource.items() if k != "properties"},
        "dependsOn": before,
        "properties": resource["properties"],
    }


def _name(table: Resource) -> str:
    """What `dependsOn` calls a table of the results."""
    literal = table["properties"]["schema"]["name"]
    return f"[resourceId('Microsoft.OperationalInsights/workspaces/tables', parameters('workspaceName'), '{literal}')]"


def _for_each_log(name: str) -> dict[str, Any]:
    return {"copy": {"name": name, "count": "[length(parameters('textLogs'))]"}}


def _text_table() -> Resource:
    columns = [
        {"name": name, "type": "dateTime" if kind == "datetime" else kind, "description": meaning}
        for name, (kind, meaning) in TEXT_COLUMNS.items()
    ]
    return table_resource(f"'/', {LOG}.table", f"[{LOG}.table]", columns) | _for_each_log("textTables")


def _endpoint() -> Resource:
    return {
        "condition": "[not(empty(parameters('textLogs')))]",
        "type": "Microsoft.Insights/dataCollectionEndpoints",
        "apiVersion": RULES_API,
        "name": "[parameters('endpointName')]",
        "location": "[parameters('location')]",
        "properties": {"networkAcls": {"publicNetworkAccess": "[parameters('endpointAccess')]"}},
    }


def _text_rule() -> Resource:
    """A rule a table, so that a machine is told to read only what it has."""
    stream = f"concat('Custom-Text-', {LOG}.table)"
    return {
        **_for_each_log("textRules"),
        "type": "Microsoft.Insights/dataCollectionRules",
        "apiVersion": RULES_API,
        "name": f"[{TEXT_RULE}]",
        "location": "[parameters('location')]",
        "dependsOn": ["textTables", f"[{ENDPOINT}]"],
        "properties": {
            "dataCollectionEndpointId": f"[{ENDPOINT}]",
            "streamDeclarations": f"[createObject({stream}, createObject('columns', variables('textColumns')))]",
            "dataSources": {
                "logFiles": [
                    {
                        "name": "alerts",
                        "streams": [f"[{stream}]"],
                        "filePatterns": f"[{LOG}.filePatterns]",
                        "format": "text",
                        "settings": {"text": {"recordStartTimestampFormat": "ISO 8601"}},
                    }
                ]
            },
            "destinations": {"logAnalytics": [{"workspaceResourceId": f"[{WORKSPACE}]", "name": "workspace"}]},
            "dataFlows": [
                {
                    "streams": [f"[{stream}]"],
                    "destinations": ["workspace"],
                    "transformKql": f"[{LOG}.transformKql]",
                    "outputStream": f"[concat('Custom-', {LOG}.table)]",
                }
            ],
        },
    }


def _export() -> Resource:
    return {
        "condition": "[not(empty(parameters('exportStorageId')))]",
        "type": "Microsoft.OperationalInsights/workspaces/dataExports",
        "apiVersion": EXPORTS_API,
        "name": "[concat(parameters('workspaceName'), '/alertgraph')]",
        "dependsOn": ["textTables"],
        "properties": {
            "destination": {"resourceId": "[parameters('exportStorageId')]"},
            "tableNames": f"[union(parameters('exportTables'), {TEXT_LOG_TABLES})]",
            "enable": True,
        },
    }


def _workbook() -> Resource:
    return {
        "type": "Microsoft.Insights/workbooks",
        "apiVersion": WORKBOOKS_API,
        "name": "[variables('workbookId')]",
        "location": "[parameters('location')]",
        "kind": "shared",
        "properties": {
            "displayName": "[parameters('workbookName')]",
            "serializedData": json.dumps(workbook(), ensure_ascii=False),
            "version": "Notebook/1.0",
            "sourceId": f"[{WORKSPACE}]",
            "category": "sentinel",
        },
    }


_RULES = {"incident": (FILE, "incidentsEnabled"), "health": (HEALTH_FILE, "healthEnabled")}
"""A rule's YAML, and the parameter that says whether it runs."""


def _analytic_rule(which: str) -> Resource:
    file, enabled = _RULES[which]
    reads = [
        f"[resourceId('Microsoft.OperationalInsights/workspaces/savedSearches', parameters('workspaceName'), '{name}')]"
        for name in KEPT_FUNCTIONS
    ]
    return {
        "type": "Microsoft.SecurityInsights/alertRules",
        "apiVersion": INCIDENT_API,
        "scope": "[format('Microsoft.OperationalInsights/workspaces/{0}', parameters('workspaceName'))]",
        "name": f"[variables('{which}RuleId')]",
        "kind": "Scheduled",
        "dependsOn": reads,
        "properties": {
            "enabled": f"[parameters('{enabled}')]",
            "description": f"[trim(format('{{0}} {{1}}', parameters('correlation'), variables('{which}Description')))]",
            **rule_properties(file),
        },
    }


def _role() -> Resource:
    one = "parameters('publisherIds')[copyIndex()]"
    return {
        "copy": {"name": "publishers", "count": "[length(parameters('publisherIds'))]"},
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": ROLES_API,
        "scope": "[format('Microsoft.Insights/dataCollectionRules/{0}', parameters('ruleName'))]",
        "name": f"[guid({RULE}, {one}, variables('publisherRole'))]",
        "dependsOn": [f"[{RULE}]"],
        "properties": {
            "roleDefinitionId": "[variables('publisherRole')]",
            "principalId": f"[{one}]",
            "principalType": "[parameters('publisherType')]",
        },
    }
