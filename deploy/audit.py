"""Look up what is known against the packages that the tests run with, and whether their licences are allowed.

    audit.py [--tools .venv-audit] [--service pypi] [--out dist]

Three tools are installed into a folder of their own, once: pip-audit, pip-licenses and cyclonedx-bom. Known vulnerabilities
are asked for of every package of this environment, and of the pins in `constraints.txt` that another Python takes. A package
that the service does not know counts as not looked up, and so as a failure. The bill of materials of the whole environment
(CycloneDX 1.6) goes into the folder `--out`, beside that of `make dist`, which has what the wheel itself asks for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from make_dist import tested_versions
from packaging.utils import canonicalize_name

REPO = Path(__file__).resolve().parent.parent
TOOLS = ("pip-audit==2.10.1", "pip-licenses==5.5.5", "cyclonedx-bom==7.5.0")
ME = "alertgraph-spark"

ACCEPTED: dict[str, str] = {}
"""Ids of known vulnerabilities that do not touch this project, each with the reason."""

_BSD = {"BSD", "BSD License", "3-Clause BSD License", "BSD-2-Clause", "BSD-3-Clause", "0BSD"}
_PSF = {"PSF-2.0", "Python Software Foundation License"}
_MPL = {"MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)"}  # of its files alone, which we do not change
_OTHER = {"ISC", "ISC License (ISCL)", "Zlib", "CC0-1.0", "Unlicense", "The Unlicense (Unlicense)", "HPND"}
ALLOWED = {
    *("Apache-2.0", "Apache 2.0", "Apache Software License", "MIT", "MIT License", "MIT-0", "MIT-CMU"),
    *(_BSD | _PSF | _MPL | _OTHER),
}
"""Licences under which a package may be used beside this one, as packages write them."""

READ = {"huey": "MIT", "skops": "MIT License"}
"""Licences of packages whose metadata name none, as their files LICENSE were read."""

TESTS_ALONE = {"databricks-bundles": "Databricks License"}
"""Packages under a licence that is not on the list: tests hold deploy/ against them, and nothing handed on needs them."""


class AuditError(Exception):
    """Raised with one line where a tool cannot be had, or has not done what it is for."""


def run(tools: Path, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool; one that ends with an error has still something to say."""
    return subprocess.run([str(tools / "bin" / tool), *arguments], check=False, capture_output=True, text=True)


def install_tools(tools: Path, packages: Sequence[str] = TOOLS) -> None:
    """Install the tools, unless they are there in these versions.

    Raises
    ------
    AuditError
        If the package index cannot be reached, or has one of them not.
    """
    stamp = tools / ".ready"
    wanted = "\n".join(packages)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    venv.create(tools, with_pip=True)
    done = run(tools, "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    if done.returncode:
        raise AuditError(f"the tools cannot be installed into {tools}: {last_line(done.stderr)}")
    stamp.write_text(wanted, encoding="utf-8")


def last_line(text: str) -> str:
    """What a tool said last, cut to a line's width."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it says nothing"


def pins_elsewhere() -> list[str]:
    """The pins of `constraints.txt` that this environment has not, since another version of Python takes them."""
    here = {str(canonicalize_name(one.metadata["Name"])): one.version for one in distributions()}
    pins = [(name, one) for name, versions in tested_versions().items() for one in versions]
    return [f"{name}=={one}" for name, one in pins if here.get(name) != one]


def audited(tools: Path, service: str, *of: str) -> list[dict[str, Any]]:
    """What pip-audit says of some packages, one a dict.

    Raises
    ------
    AuditError
        If it could not look up each of them.
    """
    done = run(tools, "pip-audit", "--progress-spinner", "off", "-f", "json", "-s", service, *of)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        raise AuditError(f"the vulnerability service {service} was not reached: {last_line(done.stderr)}") from None
    check_looked_up(found, service)
    return found


def check_looked_up(found: Sequence[Mapping[str, Any]], service: str) -> None:
    """See that each package was looked up: pip-audit ends well where the service knows none.

    Raises
    ------
    AuditError
        With the number of those that were not, but for this package itself.
    """
    skipped = [one for one in found if "skip_reason" in one and canonicalize_name(one["name"]) != ME]
    if skipped:
        n_all = f"{len(skipped):,} of {len(found):,} packages"
        raise AuditError(f"the vulnerability service {service} did not answer for {n_all}: {skipped[0]['skip_reason']}")


def vulnerabilities(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is known against some packages and is not accepted, a line each."""
    return [
        f"{one['name']} {one['version']}: {bug['id']}, mended in {', '.join(bug['fix_versions']) or 'no version yet'}"
        for one in found
        for bug in one.get("vulns", ())
        if not ACCEPTED.keys() & {bug["id"], *bug.get("aliases", ())}
    ]


def is_allowed(licence: str) -> bool:
    """Whether a licence is on the list: of `A OR B` one is enough, of `A AND B` and of several classifiers (`A; B`) each.

    Examples
    --------
    >>> is_allowed("MIT OR AFL-2.1"), is_allowed("MIT AND AFL-2.1"), is_allowed("BSD License; MIT License")
    (True, False, True)
    """
    every = re.split(r"; | AND ", licence.replace("(", "").replace(")", "")) if licence not in ALLOWED else [licence]
    return all(any(one.strip() in ALLOWED for one in part.split(" OR ")) for part in every)


def licences(packages: Iterable[Mapping[str, str]]) -> list[str]:
    """Packages whose licence is not on the list, a line each."""
    named = {canonicalize_name(one["Name"]): one["License"] for one in packages} | READ
    of_all = {name: licence for name, licence in named.items() if name not in TESTS_ALONE}
    return [f"{name}: {licence}" for name, licence in sorted(of_all.items()) if not is_allowed(licence)]


def audit_vulnerabilities(tools: Path, service: str) -> list[str]:
    """Ask for this environment, and for the pins that it has not."""
    found = audited(tools, service, "--path", sysconfig.get_path("purelib"))
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text("\n".join(pins_elsewhere()), encoding="utf-8")
        found += audited(tools, service, "--disable-pip", "--no-deps", "-r", str(pins))
    print(f"vulnerabilities  {len(found):,} packages looked up at {service}")
    return vulnerabilities(found)


def audit_licences(tools: Path) -> list[str]:
    """Ask for the licences of this environment."""
    done = run(tools, "pip-licenses", "--python", sys.executable, "--format", "json", "--from", "mixed")
    if done.returncode:
        raise AuditError(f"pip-licenses failed: {last_line(done.stderr)}")
    packages = json.loads(done.stdout)
    print(f"licences         {len(packages):,} packages")
    return licences(packages)


def write_bill(tools: Path, out: Path) -> list[str]:
    """Write the bill of materials of this environment; cyclonedx-bom checks it against its schema."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"alertgraph_spark-{version(ME)}-environment.cdx.json"
    done = run(
        tools, "cyclonedx-py", "environment", "--sv", "1.6", "--output-reproducible", "-o", str(file), sys.executable
    )
    if done.returncode:
        raise AuditError(f"cyclonedx-bom failed: {last_line(done.stderr)}")
    n = len(json.loads(file.read_text(encoding="utf-8"))["components"])
    print(f"bill             {file}: {n:,} components")
    return []


def main() -> int:
    """Do all three, whatever comes of one; return 1 if anything was found or could not be looked up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=REPO / ".venv-audit")
    parser.add_argument("--service", choices=("pypi", "osv"), default="pypi")
    parser.add_argument("--out", type=Path, default=REPO / "dist")
    args = parser.parse_args()
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    steps: list[Callable[[], list[str]]] = [
        lambda: audit_licences(args.tools),
        lambda: write_bill(args.tools, args.out),
        lambda: audit_vulnerabilities(args.tools, args.service),
    ]
    problems: list[str] = []
    try:
        install_tools(args.tools)
    except AuditError as error:
        problems, steps = [str(error)], []
    for step in steps:
        try:
            problems += step()
        except AuditError as error:
            problems.append(str(error))
    for problem in problems:
        print(f"audit: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
