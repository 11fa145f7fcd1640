"""Make the files that are deployed from the one schema source, so that tables, rules, workbook and posted rows cannot differ.

python deploy/make_deploy.py

`workspace.json` is the template of the tables and functions, `data_collection_rule.json` that of the rule, both for
`az deployment group create`; `functions/` holds the functions by themselves, to read and to paste. `sentinel/` holds what
Microsoft Sentinel gets: one template for all of it, the solution's folder, and the tools of an agent.

Kept by hand are the functions over the others, the queries of the workbook in `sentinel/queries/` and of the tools in
`sentinel/mcp/queries/`, and the rules.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mcp_tools import tool_files
from one_step import SCHEMA, one_step_template
from posted_tables import (
    KEPT_FUNCTIONS,
    function_resources,
    functions,
    rule_outputs,
    rule_resource,
    table_resources,
)
from solution import solution_files
from workbook import workbook

DEPLOY = Path(__file__).resolve().parent


def workspace_template() -> dict[str, Any]:
    """The tables, and the functions that read them."""
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {"workspaceName": {"type": "string"}},
        "resources": [*table_resources(), *function_resources()],
    }


def rule_template() -> dict[str, Any]:
    """The data collection rule by itself."""
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {
            "ruleName": {"type": "string", "defaultValue": "alertgraph"},
            "location": {"type": "string", "defaultValue": "[resourceGroup().location]"},
            "workspaceResourceId": {"type": "string"},
        },
        "resources": [rule_resource("parameters('ruleName')", "parameters('workspaceResourceId')")],
        "outputs": rule_outputs("parameters('ruleName')"),
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """Every file in this folder that is made, to the text that it must hold."""
    solution = {f"sentinel/Solutions/AlertGraph/{path}": what for path, what in solution_files().items()}
    tools = {f"sentinel/mcp/{path}": what for path, what in tool_files().items()}
    made = {
        "workspace.json": workspace_template(),
        "data_collection_rule.json": rule_template(),
        "sentinel/workbook.json": workbook(),
        "sentinel/azuredeploy.json": one_step_template(),
        **{f"functions/{name}.kql": text for name, text in functions().items() if name not in KEPT_FUNCTIONS},
        **solution,
        **tools,
    }
    return {path: what if isinstance(what, str) else _json(what) for path, what in made.items()}


def main() -> int:
    """Write every file; the tests say which one is out of date."""
    for name, text in files().items():
        (DEPLOY / name).parent.mkdir(parents=True, exist_ok=True)
        (DEPLOY / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
