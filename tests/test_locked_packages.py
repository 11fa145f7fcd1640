"""What only tests take from npm is fixed to the last file: by version and by hash, for all that it brings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
FOLDERS = sorted(path.parent for path in (REPO / "examples" / "npm").glob("*/package.json"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_package_is_locked_by_version_and_hash(folder: Path) -> None:
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    root = lock.pop("")

    assert root["dependencies"] == wanted["dependencies"], "else `npm ci` refuses"
    for name, version in wanted["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name}: one version, no range"
        assert lock[f"node_modules/{name}"]["version"] == version
    without_hash = [name for name, one in lock.items() if not one.get("integrity", "").startswith("sha512-")]
    assert without_hash == []
    assert [name for name, one in lock.items() if "resolved" in one] == [], "from whichever registry the machine uses"


def test_make_test_installs_what_is_locked_and_runs_none_of_its_scripts() -> None:
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    script = (REPO / "examples" / "setup_npm.sh").read_text(encoding="utf-8")

    assert set(re.findall(r"@bash \$< \$\(VENV\) (\w+)$", makefile, re.M)) == {folder.name for folder in FOLDERS}
    assert re.search(r'"\$npm" ci .*--ignore-scripts', script)
    assert "npm install" not in script
