"""A run of the tests ends with what was not run, for want of what."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from wants import WANTS, skipped_line, want

TESTS = Path(__file__).parent

FILE = """
import pytest

@pytest.mark.parametrize("n", range(3))
@pytest.mark.skipif(True, reason="no Chromium here: apt-get install chromium chromium-driver")
def test_page(n): pass

def test_kql(): pytest.skip("the Kusto language service is not in the environment: `make test` puts it there")

def test_of_its_own(): pytest.skip("it is Sunday")

def test_good(): pass
"""
WHOLE = 'import pytest\npytest.importorskip("no_such_package_of_ours")\ndef test_a(): pass\ndef test_b(): pass\n'


def run(folder: Path, **files: str) -> list[str]:
    conftest = f"import sys\nsys.path.insert(0, {str(TESTS)!r})\nfrom wants import pytest_terminal_summary\n"
    for name, text in {"conftest": conftest, **files}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-ra",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(folder),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    told = [line for line in lines if line.startswith("not run")]
    assert told in ([], lines[-len(told) - 1 : -1], lines[-len(told) :]), "at the end, but for how many passed"
    return told


def test_one_line_says_how_many_for_want_of_what_and_how_to_get_it(tmp_path: Path) -> None:
    (line,) = run(tmp_path, test_some=FILE, test_whole=WHOLE)

    assert line.startswith("not run: 3 for want of Chromium (apt-get install chromium chromium-driver); 1 for want of ")
    parts = set(line.removeprefix("not run: ").split("; "))
    assert "1 for want of npm packages (Node 20 and a way to the npm registry, then `make test`)" in parts
    assert "1 for want of it is Sunday" in parts, "what nobody listed is told as it is"
    assert "1 for want of Python packages (rm -r .venv && make test)" in parts
    assert len(parts) == 4


def test_where_everything_ran_nothing_is_said(tmp_path: Path) -> None:
    assert run(tmp_path, test_good="def test_good(): pass\n") == []
    assert skipped_line([]) == ""


def test_our_own_run_says_it() -> None:
    import conftest  # noqa: PLC0415 - as pytest knows it
    import wants  # noqa: PLC0415 - the same

    assert conftest.pytest_terminal_summary is wants.pytest_terminal_summary


REASONS = [
    (file.name, reason)
    for file in sorted(TESTS.glob("*.py"))
    for reason in re.findall(
        r'(?:pytest\.skip\(f?|(?<!\w)reason=)"([^"]+)"',
        file.read_text(encoding="utf-8") if file.stem != "test_wants" else "",
    )
]


@pytest.mark.parametrize(("file", "reason"), REASONS)
def test_every_reason_in_the_tests_is_one_that_is_known(file: str, reason: str) -> None:
    name, how = want(reason)

    assert name in {known for _, known, _ in WANTS}, f"{file}: say in tests/wants.py how to get it"
    assert how
