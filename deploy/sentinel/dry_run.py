"""Print the `az` commands that try a deployment without making anything, and the one that makes it.

python deploy/sentinel/dry_run.py --group GROUP workspaceName=NAME [PARAMETER=VALUE]...

Values of arrays are JSON: publisherIds='["00000000-0000-0000-0000-000000000000"]'. Nothing is run and nothing is asked of
Azure: copy the lines, in this order.
"""

from __future__ import annotations

import argparse
import difflib
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).resolve().parent / "azuredeploy.json"
_TYPES = {"string": str, "array": list, "bool": bool}


def problems(given: Mapping[str, str], declared: Mapping[str, Any]) -> list[str]:
    """What the service would refuse of these parameters, in words."""
    found = []
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, 1)
            found.append(f"{name}: no such parameter" + (f"; is it {near[0]}?" if near else ""))
    for name, parameter in declared.items():
        if name not in given and "defaultValue" not in parameter:
            found.append(f"{name}: required; {parameter['metadata']['description']}")
        elif name in given and not isinstance(value_of(given[name], parameter["type"]), _TYPES[parameter["type"]]):
            found.append(f"{name}: found {given[name]!r}, want JSON of type {parameter['type']}")
    return found


def value_of(text: str, kind: str) -> Any:
    """A value as the template takes it; None where it is no JSON and should be."""
    if kind == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return None


def commands(group: str, given: Mapping[str, str], template: str) -> list[list[str]]:
    """Who I am, whether the template is taken, what would change, and the change itself."""
    words = [part for name, value in given.items() for part in ("--parameters", f"{name}={value}")]
    target = ["--resource-group", group, "--template-file", template, *words]
    deploy = ["az", "deployment", "group"]
    return [
        ["az", "account", "show", "--output", "table"],
        [*deploy, "validate", *target],
        [*deploy, "what-if", *target],
        [*deploy, "create", "--name", "alertgraph", *target, "--query", "properties.outputs"],
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the commands and return 0; 2 with every problem if a parameter is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", required=True, help="resource group of the workspace")
    parser.add_argument("parameters", nargs="*", metavar="PARAMETER=VALUE")
    options = parser.parse_args(argv)
    given = dict(text.partition("=")[::2] for text in options.parameters)
    wrong = problems(given, json.loads(TEMPLATE.read_text(encoding="utf-8"))["parameters"])
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 2
    here = Path.cwd()
    template = TEMPLATE.relative_to(here) if TEMPLATE.is_relative_to(here) else TEMPLATE
    for command in commands(options.group, given, str(template)):
        print(shlex.join(command))
    return 0


if __name__ == "__main__":
    sys.exit(main())
