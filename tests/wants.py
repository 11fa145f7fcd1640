"""The last line of a run of the tests: how many were skipped for want of what, and how to get it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterable
from typing import Any

import pytest

WANTS = (
    (r"Chromium", "Chromium", "apt-get install chromium chromium-driver"),
    (r"Azurite|Kusto", "npm packages", "Node 20 and a way to the npm registry, then `make test`"),
    (r"no node", "Node", "apt-get install nodejs"),
    (r"GraphFrames'", "GraphFrames' classes", "ALERTGRAPH_GRAPHFRAMES_JARS=JAR,JAR"),
    (r"real alert sets", "the real alert sets", "benchmarks/README.md"),
    (r"no other MLflow", "other versions of MLflow", "ALERTGRAPH_MLFLOW_PYTHONS=PYTHON:PYTHON"),
    (r"Spark 4", "Spark 4", "make test-spark4"),
    (r"git checkout|make dist", "a git checkout", "git clone"),
    (r"notebook's extras", "the notebook's packages", "pip install -e .[notebook,dev]"),
    (r"make replays", "replays of whole lakes", "make replays"),
    (r"azure-ai-ml", "azure-ai-ml", "pip install azure-ai-ml"),
    (r"could not import|not installed", "Python packages", "rm -r .venv && make test"),
)
"""Pattern of a reason, what is missing, and how to get it; the first that fits is taken."""


def want(reason: str) -> tuple[str, str]:
    """What a reason asks for, and how to get it; one that nobody has listed is told as it is."""
    return next(((name, how) for pattern, name, how in WANTS if re.search(pattern, reason)), (reason, ""))


def skipped_line(skipped: Iterable[Any]) -> str:
    """One line about skipped reports, the most first; empty where none was. A file that was left out whole counts as one."""
    counts: Counter[tuple[str, str]] = Counter()
    for report in skipped:
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        counts[want(text.removeprefix("Skipped: "))] += 1
    parts = [f"{n} for want of {name}" + (f" ({how})" if how else "") for (name, how), n in counts.most_common()]
    return f"not run: {'; '.join(parts)}" if parts else ""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Say it below what pytest itself says."""
    yield
    if line := skipped_line(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line)
