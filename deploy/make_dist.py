"""Build what a platform is given: the wheel, the same bytes as a zip, the main file of the job, and what is in them.

    make_dist.py [--out dist]

`spark-submit --py-files` takes no wheel on the executors, but takes it under the name `.zip`. One commit gives one set of
bytes: built from a copy of the tracked files, with the time of the commit and with the pinned setuptools. `*.cdx.json` is a
bill of materials (CycloneDX 1.6): what the wheel requires, what its extras bring, and the versions that the tests run with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from email.parser import HeaderParser
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).resolve().parent.parent
JOB = "jobs/rank_alerts.py"
FIRST_TIME = 315_532_800  # 1980, where the time in a zip begins


def git(*arguments: str) -> str:
    """What git says of this checkout."""
    done = subprocess.run(["git", "-C", str(REPO), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def build_wheel(out: Path, seconds: int) -> Path:
    """Build the wheel from a copy of the tracked files, and return it.

    Neither a file that nobody added nor the rights that a checkout happens to have come into it.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in git("ls-files", "-z").split("\0"):
            file = REPO / name
            if name and file.is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy / name)
        for place in (copy, *copy.rglob("*")):
            place.chmod(0o755 if place.is_dir() else 0o644)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        # Not compressed: what zlib makes of the same text depends on its version.
        command += ["--config-settings=--build-option=--compression=stored"]
        command += ["--no-index", "--no-build-isolation", "--wheel-dir", str(copy / "made"), str(copy)]
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(seconds), "PYTHONHASHSEED": "0"}
        # A umask of its own: setuptools writes some files itself.
        subprocess.run(command, check=True, env=environment, umask=0o022)
        (wheel,) = (copy / "made").glob("*.whl")
        return Path(shutil.copy(wheel, out / wheel.name))


def requirements_of(wheel: Path) -> Iterator[Requirement]:
    """What the wheel says that it requires, extras included."""
    with ZipFile(wheel) as zipped:
        (name,) = (name for name in zipped.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(zipped.read(name).decode("utf-8"))
    return map(Requirement, metadata.get_all("Requires-Dist", []))


def tested_versions() -> dict[str, list[str]]:
    """Versions of `constraints.txt` by name; a name has several where they depend on Python's version."""
    found: dict[str, list[str]] = {}
    for line in (REPO / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            found.setdefault(canonicalize_name(pin.name), []).extend(
                s.version for s in pin.specifier if s.operator == "=="
            )
    return found


def bill_of_materials(wheel: Path, seconds: int, commit: str) -> dict[str, Any]:
    """The wheel and what it works with, as CycloneDX 1.6; one component is one version of one package."""
    wanted: dict[str, tuple[bool, set[str], set[str]]] = {}
    for requirement in requirements_of(wheel):
        extra = str(requirement.marker or "").rpartition("extra == ")[2].strip("\"'")
        optional, extras, ranges = wanted.get(canonicalize_name(requirement.name), (True, set(), set()))
        ranges.add(str(requirement.specifier))
        wanted[canonicalize_name(requirement.name)] = (optional and bool(extra), extras | {extra}, ranges)
    tested, me = tested_versions(), f"pkg:pypi/alertgraph-spark@{wheel.name.split('-')[1]}"
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{one}",
            "name": name,
            "version": one,
            "purl": f"pkg:pypi/{name}@{one}",
            "scope": "optional" if optional else "required",
            "properties": [
                {"name": "alertgraph:allowed", "value": ", ".join(sorted(ranges))},
                {"name": "alertgraph:extras", "value": ", ".join(sorted(filter(None, extras)))},
            ],
        }
        for name, (optional, extras, ranges) in sorted(wanted.items())
        if extras != {"dev"}
        for one in tested.get(name, [])
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(seconds, timezone.utc).isoformat(),
            "component": {
                "type": "application",
                "bom-ref": me,
                "name": "alertgraph-spark",
                "version": wheel.name.split("-")[1],
                "purl": me,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "hashes": [{"alg": "SHA-256", "content": sha256(wheel)}],
                "properties": [
                    {"name": "alertgraph:commit", "value": commit},
                    {"name": "alertgraph:built-with", "value": f"setuptools {version('setuptools')}"},
                ],
            },
        },
        "components": components,
        "dependencies": [{"ref": me, "dependsOn": [c["bom-ref"] for c in components if c["scope"] == "required"]}],
    }


def sha256(file: Path) -> str:
    """The hash of a file, in hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> int:
    """Build into a folder, in place of what an earlier build left there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=REPO / "dist")
    out: Path = parser.parse_args().out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for old in (*out.glob("alertgraph_spark-*"), out / Path(JOB).name, out / "SHA256SUMS"):
        old.unlink(missing_ok=True)
    is_commit = not git("status", "--porcelain", "--untracked-files=no")
    commit = git("rev-parse", "HEAD") + ("" if is_commit else " and what is not committed")
    seconds = max(FIRST_TIME, int(git("log", "-1", "--format=%ct")))
    wheel = build_wheel(out, seconds)
    name, version_, *_ = wheel.name.split("-")
    shutil.copyfile(wheel, out / f"{name}-{version_}.zip")
    shutil.copyfile(REPO / JOB, out / Path(JOB).name)
    bill = json.dumps(bill_of_materials(wheel, seconds, commit), indent=2) + "\n"
    (out / f"{name}-{version_}.cdx.json").write_text(bill, encoding="utf-8")
    sums = {file.name: sha256(file) for file in sorted(out.iterdir())}
    (out / "SHA256SUMS").write_text("".join(f"{sum_}  {file}\n" for file, sum_ in sums.items()), encoding="utf-8")
    print(f"commit {commit}")
    for file, sum_ in sums.items():
        print(f"{sum_[:16]}…  {(out / file).stat().st_size:>9,}  {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
