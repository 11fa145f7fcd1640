"""`make audit`: what was not looked up is no good news, and a licence is allowed by name; the workflow runs what CI runs."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

REPO = Path(__file__).parent.parent
WORKFLOW = (REPO / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def audit() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPO / "deploy"))
        yield importlib.import_module("audit")
    for name in ("audit", "make_dist"):
        sys.modules.pop(name, None)


KNOWN = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["2.1"]}
CLEAN: dict[str, Any] = {"name": "clean", "version": "1.0", "vulns": []}
BROKEN = {"name": "broken", "version": "2.0", "vulns": [KNOWN]}
UNKNOWN = {"name": "unheard", "skip_reason": "Dependency not found"}
OURSELVES = {"name": "alertgraph_spark", "skip_reason": "Dependency not found"}


def answering(audit: ModuleType, monkeypatch: pytest.MonkeyPatch, stdout: str, stderr: str = "") -> None:
    done: Any = subprocess.CompletedProcess([], 0, stdout, stderr)
    monkeypatch.setattr(audit, "run", lambda *_: done)


def test_a_package_that_the_service_does_not_know_is_not_looked_up(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip-audit itself ends with 0 and `No known vulnerabilities found`."""
    answering(audit, monkeypatch, json.dumps({"dependencies": [CLEAN, UNKNOWN]}))

    with pytest.raises(audit.AuditError, match=r"pypi did not answer for 1 of 2 packages: Dependency not found$"):
        audit.audited(Path(), "pypi")


def test_this_package_itself_need_not_be_known(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(audit, monkeypatch, json.dumps({"dependencies": [CLEAN, OURSELVES]}))

    assert audit.vulnerabilities(audit.audited(Path(), "pypi")) == []


def test_a_service_that_is_away_is_told_in_one_line(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(audit, monkeypatch, "", "Traceback …\n  line\nConnectionError: no such host\n\n")

    with pytest.raises(audit.AuditError) as caught:
        audit.audited(Path(), "osv")

    assert str(caught.value) == "the vulnerability service osv was not reached: ConnectionError: no such host"


def test_what_is_known_is_told_unless_it_is_accepted(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert audit.vulnerabilities([CLEAN, BROKEN]) == ["broken 2.0: PYSEC-2026-1, mended in 2.1"]

    monkeypatch.setitem(audit.ACCEPTED, "CVE-2026-1", "the code that it is about is not called")
    assert audit.vulnerabilities([CLEAN, BROKEN]) == []


@pytest.mark.parametrize(
    ("licence", "is_allowed"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("Apache Software License; BSD License", True),
        ("GNU General Public License v3 (GPLv3); MIT License", False),
        ("UNKNOWN", False),
        ("Limited", False),  # holds the letters of MIT
    ],
)
def test_a_licence_is_allowed_by_name(audit: ModuleType, licence: str, is_allowed: bool) -> None:
    assert audit.is_allowed(licence) == is_allowed


def test_a_licence_that_was_read_stands_for_one_that_is_not_named(audit: ModuleType) -> None:
    packages = [{"Name": name, "License": "UNKNOWN"} for name in ("skops", "databricks-bundles", "newcomer")]

    assert audit.licences(packages) == ["newcomer: UNKNOWN"]


def test_what_is_for_the_tests_alone_is_required_by_no_wheel(audit: ModuleType) -> None:
    setup = (REPO / "setup.py").read_text(encoding="utf-8")
    handed_on = setup.split('"dev": [')[0]

    assert audit.TESTS_ALONE
    assert all(name in setup and name not in handed_on for name in audit.TESTS_ALONE)


def test_the_tools_are_pinned_and_no_part_of_the_package(audit: ModuleType) -> None:
    declared = "".join((REPO / name).read_text(encoding="utf-8") for name in ("setup.py", "constraints.txt"))

    for tool in audit.TOOLS:
        name, version = tool.split("==")
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert name not in declared


def test_tools_that_cannot_be_installed_are_told_in_one_line(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed: Any = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution found\n")
    monkeypatch.setattr(audit, "run", lambda *_: failed)
    monkeypatch.setattr(audit.venv, "create", lambda *_, **__: None)
    monkeypatch.setattr(sys, "argv", ["audit.py", "--tools", str(tmp_path)])

    assert audit.main() == 1
    told = f"audit: the tools cannot be installed into {tmp_path}: ERROR: No matching distribution found\n"
    assert capsys.readouterr() == ("", told)


def test_pins_of_another_python_are_looked_up_too(audit: ModuleType) -> None:
    pins = dict(pin.split("==") for pin in audit.pins_elsewhere())

    assert pins.get("pyspark", "none").startswith(("3.5", "4."))
    assert "pyyaml" not in pins, "it is installed in its pinned version"


def test_the_workflow_runs_what_ci_runs_on_every_python_that_is_promised() -> None:
    jobs = yaml.safe_load(WORKFLOW)["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    promised = re.findall(r'Python :: (3\.\d+)"', (REPO / "setup.py").read_text(encoding="utf-8"))

    assert matrix["python"] == promised
    assert matrix["java"] == ["17", "21"]
    assert [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step] == [
        "bash .ci/run",
        "make audit",
    ]


def test_java_21_is_tried_where_spark_runs_on_it() -> None:
    """The pins give Spark 3.5 to Python below 3.12."""
    matrix = yaml.safe_load(WORKFLOW)["jobs"]["test"]["strategy"]["matrix"]
    left_out = {one["python"] for one in matrix["exclude"] if one["java"] == "21"}
    script = (REPO / "examples" / "setup_env.sh").read_text(encoding="utf-8")

    assert left_out == {python for python in matrix["python"] if int(python.split(".")[1]) < 12}
    assert "sys.version_info < (3, 12))' && javas='17|21'" in script, "else make takes a Java 17 from PyPI in its place"


def test_the_workflow_may_do_nothing_but_read() -> None:
    workflow = yaml.safe_load(WORKFLOW)

    assert workflow["permissions"] == {}
    assert [job["permissions"] for job in workflow["jobs"].values()] == [{"contents": "read"}] * 2
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert len(used) == 6
    assert [one for one in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", one)] == [], "by hash, not by name"
