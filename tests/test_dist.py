"""What `make dist` builds: the same bytes from the same commit wherever it is built, with the package in it and no more."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

REPO = Path(__file__).parent.parent
PACKAGE = REPO / "alertgraph_spark"
NEVER = {"pyspark", "pandas", "numpy", "pyarrow", "mlflow", "mlflow-skinny", "graphframes-py"}
"""What a platform brings, in versions of its own."""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(REPO), *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no git checkout: {done.stderr.strip()}")
    return done.stdout


def build(repo: Path, out: Path, **environment: str) -> Path:
    command = [sys.executable, str(repo / "deploy" / "make_dist.py"), "--out", str(out)]
    done = subprocess.run(
        command, env=os.environ | environment, umask=0o077, check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    git("rev-parse", "HEAD")
    return build(REPO, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(dist: Path) -> ZipFile:
    (file,) = dist.glob("*.whl")
    return ZipFile(file)


def hashes(dist: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in dist.iterdir()}


def test_another_checkout_of_the_commit_gives_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    subprocess.run(["git", "clone", "--quiet", str(REPO), str(elsewhere)], check=True)
    names = git("ls-files").splitlines()
    for name in names:  # what is not committed yet is built here too
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPO / name, elsewhere / name)
        (elsewhere / name).chmod((REPO / name).stat().st_mode & 0o700)  # other rights, but for what git keeps
    subprocess.run(["git", "-C", str(elsewhere), "add", *names], check=True)
    (elsewhere / "alertgraph_spark" / "stray.py").write_text("nobody added this file\n", encoding="utf-8")

    again = build(elsewhere, tmp_path / "again", TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")

    assert hashes(again) == hashes(dist)


def test_the_zip_has_the_bytes_of_the_wheel(dist: Path) -> None:
    sums = hashes(dist)
    (wheel,), (zipped,) = ([name for name in sums if name.endswith(end)] for end in (".whl", ".zip"))

    assert sums[wheel] == sums[zipped]
    listed = dict(reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines())  # type: ignore[misc]
    assert listed == {name: sum_ for name, sum_ in sums.items() if name != "SHA256SUMS"}
    assert (dist / "rank_alerts.py").read_bytes() == (REPO / "jobs" / "rank_alerts.py").read_bytes()


def test_the_wheel_holds_the_package_and_no_more(wheel: ZipFile) -> None:
    tracked = [Path(name) for name in git("ls-files", "alertgraph_spark", "jobs").splitlines()]
    expected = {f"alertgraph_spark/{p}" if p.parts[0] == "jobs" else str(p) for p in tracked if (REPO / p).is_file()}

    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert {Path(name).suffix for name in held} == {
        ".py",
        ".yaml",
        ".properties",
        ".tsv",
        ".typed",
        ".css",
        ".html",
        ".js",
        ".json",
    }


def test_it_requires_nothing_that_a_platform_would_fight(wheel: ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = HeaderParser().parsestr(wheel.read(name).decode("utf-8"))
    required = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    hard = {r.name for r in required if not (r.marker and "extra" in str(r.marker))}

    assert hard == {"PyYAML", "duckdb"}
    assert not hard & NEVER
    assert NEVER & {r.name for r in required} >= {"pyspark", "pandas", "pyarrow"}, "they are there as extras"
    assert metadata["Requires-Python"] == ">=3.10"


def test_both_commands_lead_to_functions_that_are_there(wheel: ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    commands = dict(re.findall(r"^([\w-]+) = ([\w.]+):cli$", wheel.read(name).decode("utf-8"), re.M))

    assert sorted(commands) == ["alertgraph", "alertgraph-rank"]
    for module in commands.values():
        code = wheel.read(module.replace(".", "/") + ".py").decode("utf-8")
        assert "\ndef cli() -> None:" in code


def test_the_zip_alone_runs_the_job_and_finds_its_data(dist: Path, tmp_path: Path) -> None:
    """As on an executor: no installed package, no checkout. The entry point returns after 0 and ends the process after 2."""
    (zipped,) = dist.glob("*.zip")
    code = """
import sys
from importlib.metadata import entry_points, version
from alertgraph_spark.config.shipped import shipped_file, shipped_formats
import alertgraph_spark
assert ".zip" in alertgraph_spark.__file__, alertgraph_spark.__file__
assert version("alertgraph-spark") == alertgraph_spark.__version__
assert all(shipped_file(name).read_text(encoding="utf-8") for name in shipped_formats()) and shipped_formats()
(start,) = entry_points(group="console_scripts", name="alertgraph-rank")
from alertgraph_spark.jobs import rank_alerts
assert start.load() is rank_alerts.cli
rank_alerts.main = lambda: 0
rank_alerts.cli()
rank_alerts.main = lambda: 2
try:
    rank_alerts.cli()
except SystemExit as end:
    print("ended with", end.code)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys\nsys.path.insert(0, {str(zipped)!r})\n{code}"],
        cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout == "ended with 2\n"


def test_the_list_of_versions_is_what_is_declared_and_tested(dist: Path) -> None:
    (file,) = dist.glob("*.cdx.json")
    bill = json.loads(file.read_text(encoding="utf-8"))
    constraints = (REPO / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    pins = set(re.findall(r"^([\w-]+)==([\w.]+)", constraints, re.M))
    components = {(c["name"], c["version"]): c for c in bill["components"]}

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert set(components) <= pins
    assert {"pyyaml", "pyspark", "mlflow", "graphframes-py", "azure-identity", "pandas", "pyarrow"} <= {
        name for name, _ in components
    }
    assert {name for (name, _), c in components.items() if c["scope"] == "required"} == {"duckdb", "pyyaml"}
    assert not {"pytest", "ruff"} & {name for name, _ in components}, "they build and test it, and do not run with it"
    me = bill["metadata"]["component"]
    (wheel,) = dist.glob("*.whl")
    assert me["hashes"] == [{"alg": "SHA-256", "content": hashes(dist)[wheel.name]}]
    assert me["properties"][0]["value"].startswith(git("rev-parse", "HEAD").strip())
