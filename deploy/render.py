"""Fill in the files of a platform with one's own names: `${name}` from a YAML file of values.

    render.py synapse my_values.yaml OUT

Writes the files of deploy/synapse/ as they are to be created, and the job's configuration: conf/synapse.yaml with the same
names. A value that is missing, left as EXAMPLE or not used is told, and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parent
CONF = DEPLOY.parent / "conf"

_NAME = re.compile(r"\$\{(\w+)\}")
_EXAMPLE = re.compile(r"EXAMPLE|00000000-0000|dcr-0{8}")

# What stands in conf/synapse.yaml, and the value that takes its place; the first that fits is taken.
PLACEHOLDERS = {
    "https://EXAMPLE-DCE.westeurope-1.ingest.monitor.azure.com": "${endpoint}",
    "dcr-00000000000000000000000000000000": "${dcr_id}",
    "tenant_id: 00000000-0000-0000-0000-000000000000": "tenant_id: ${tenant_id}",
    "client_id: 00000000-0000-0000-0000-000000000000": "client_id: ${client_id}",
    "keyvault://EXAMPLE/": "keyvault://${vault}/",
    "EXAMPLEEXPORT": "${export_account}",
    "EXAMPLERESULTS": "${results_account}",
    "azureml://westeurope.": "azureml://${location}.",
    "subscriptions/00000000-0000-0000-0000-000000000000": "subscriptions/${subscription}",
    "resourceGroups/EXAMPLE": "resourceGroups/${resource_group}",
    "workspaces/EXAMPLE": "workspaces/${machine_learning}",
}


def templates(platform: str) -> dict[str, str]:
    """File name to text with `${name}` in it."""
    found = {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted((DEPLOY / platform).iterdir())
        if file.suffix in (".json", ".txt")
    }
    config = (CONF / f"{platform}.yaml").read_text(encoding="utf-8")
    for text, name in PLACEHOLDERS.items():
        config = config.replace(text, name)
    # In the export's root braces stand for themselves: `{container}` is filled in by the job.
    return found | {f"{platform}.yaml": config.replace("Replace every EXAMPLE; secrets", "Secrets")}


def render(platform: str, values: Mapping[str, str]) -> dict[str, str]:
    """File name to its text with all values in place.

    Raises
    ------
    ValueError
        With every value that is missing, still EXAMPLE, or that no file uses.
    """
    texts = templates(platform)
    wanted = set(_NAME.findall("".join(texts.values())))
    given = {name: str(value) for name, value in values.items()}
    problems = [f"{name} is missing" for name in sorted(wanted - set(given))]
    problems += [f"{name} is used nowhere" for name in sorted(set(given) - wanted)]
    problems += [f"{name} is still {value}" for name, value in given.items() if _EXAMPLE.search(value)]
    if problems:
        raise ValueError("; ".join(problems))
    made = {name: _NAME.sub(lambda found: given[found[1]], text) for name, text in texts.items()}
    for name, text in made.items():
        if name.endswith(".json"):
            json.loads(text)
    return made


def main() -> int:
    """Write the files; return 2 if the values are not complete."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("platform", choices=["synapse"])
    parser.add_argument("values", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    try:
        made = render(args.platform, yaml.safe_load(args.values.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        sys.stderr.write(f"{args.values}: {error}\n")
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (args.out / name).write_text(text, encoding="utf-8")
        print(args.out / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
