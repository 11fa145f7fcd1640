"""The tools by which an agent asks of the subgraphs: what Microsoft Sentinel's MCP server takes as custom tools.

A tool is a query of advanced hunting that is saved by hand, with a name, a description and parameters as `{Name}`; there is
no published interface to deploy it by.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from workbook import SHORT, TEXT_TABLES

FOLDER = Path(__file__).resolve().parent / "sentinel" / "mcp"
PREFIX = "alertgraph_"
"""Before each name: an agent sees the tools of all collections together."""

ENDPOINT = "EXAMPLE"
"""In its place comes the address that the portal shows for the collection."""

TOKEN_SCOPE = "4500ebfb-89b6-4b14-a480-7f749797bfcd/.default"
"""The MCP server's own scope, as Microsoft's template of a plugin has it."""

Tool = dict[str, Any]


def declared() -> dict[str, Tool]:
    """Name to description and parameters of each tool, as `tools.yaml` has them."""
    tools: dict[str, Tool] = yaml.safe_load((FOLDER / "tools.yaml").read_text(encoding="utf-8"))["tools"]
    return tools


def tool_query(name: str) -> str:
    """The whole query of a tool, to be pasted: what it calls stands in front."""
    text = (FOLDER / "queries" / f"{name}.kql").read_text(encoding="utf-8")
    plain = (FOLDER / "plain.kql").read_text(encoding="utf-8")
    return f"{SHORT.read_text(encoding='utf-8')}{plain}{text.replace('{TextTables}', TEXT_TABLES)}"


def parameters_in(query: str) -> list[str]:
    """The parameters that a query names, each once, in order."""
    return [*dict.fromkeys(re.findall(r"\{(\w+)\}", query))]


def tool_files() -> dict[str, Any]:
    """Path below `sentinel/mcp` to what it holds."""
    made: dict[str, Any] = {f"tools/{PREFIX}{name}.kql": _with_head(name, one) for name, one in declared().items()}
    return made | {"security_copilot.yaml": _plugin()}


def _with_head(name: str, tool: Tool) -> str:
    """A query with what the form asks for above it, as comments."""
    lines = [f"Name: {PREFIX}{name}", f"Description: {tool['description']}", "Collection: AlertGraph"]
    for parameter, told in tool["parameters"].items():
        default = f" Default: {told['default']}." if told["default"] else ""
        lines.append(f"Parameter {parameter}: {told['description']}{default}")
    return "".join(f"// {line}\n" for line in lines) + tool_query(name)


def _plugin() -> str:
    """The collection as a plugin of Security Copilot; its address is that of your own collection."""
    plugin = {
        "Descriptor": {
            "Name": "AlertGraph",
            "DisplayName": "AlertGraph",
            "Description": "Attack subgraphs of IT and OT alerts, ranked and explained.",
            "DescriptionForModel": "Answers questions about the ranked attack subgraphs of this workspace: which there are"
            " today, why one is ranked, its path into OT, its alerts, what touched a host, what changed.",
        },
        "SkillGroups": [
            {
                "Format": "MCP",
                "Settings": {
                    "Endpoint": ENDPOINT,
                    "TokenScope": TOKEN_SCOPE,
                    "UseStreamableHttp": True,
                    "AllowedTools": ",".join(f"{PREFIX}{name}" for name in declared()),
                    "TimeoutInSeconds": 120,
                },
            }
        ],
    }
    return yaml.safe_dump(plugin, sort_keys=False, width=120)
