"""The steps of CONTRIBUTING.md, performed in a copy of the repository: what they add is found, said and tested there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import REPO, Page
from pyspark.sql import SparkSession

from alertgraph_spark.__main__ import main

GUIDE = Page("CONTRIBUTING.md")
STEP = re.compile(r"# (?P<file>[\w/.-]+\.py), (?P<where>below: |above: |at the end|a new file)(?P<line>.*)\n")
STEPS = [text for kind, text in GUIDE.blocks if kind == "python"]


def perform(step: str, repo: Path) -> None:
    """Put the lines of a block where its first line says; the line that it names must be there once."""
    told = STEP.match(step)
    assert told, f"a step begins with its place: {step.splitlines()[0]}"
    file, added = repo / told["file"], step[told.end() :]
    if told["where"] == "a new file":
        assert not file.exists()
        file.write_text(added, encoding="utf-8")
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    if told["where"] == "at the end":
        place = len(lines)
    else:
        (found,) = [n for n, line in enumerate(lines) if line.strip().startswith(told["line"])]
        place = found + (told["where"] == "below: ")
    file.write_text("".join([*lines[:place], added, *lines[place:]]), encoding="utf-8")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which every step was performed."""
    repo = tmp_path_factory.mktemp("repository")
    for name in ("alertgraph_spark", "tests", "docs", "examples", "conf", "jobs"):
        shutil.copytree(REPO / name, repo / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "constraints.txt"):
        shutil.copy(REPO / name, repo)
    for step in STEPS:
        perform(step, repo)
    (repo / "alertgraph_spark/formats/lift.yaml").write_text(GUIDE.block("# lift.yaml", "yaml"), encoding="utf-8")
    versions = repo / "tests/schema_versions.json"
    row = json.loads("{" + GUIDE.block('"host_days"', "json").strip().rstrip(",") + "}")
    versions.write_text(json.dumps(json.loads(versions.read_text(encoding="utf-8")) | row), encoding="utf-8")
    return repo


def run(repo: Path, *arguments: str) -> str:
    """What Python prints in the copy, of which every import comes; fails where it fails."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=repo,
        env={"PYTHONPATH": f"{repo}:{repo / 'docs'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_kind_of_record_has_its_steps() -> None:
    files = [match["file"] for step in STEPS if (match := STEP.match(step))]

    assert len(files) == len(STEPS)
    assert {Path(file).name for file in files} >= {"records.py", "terms.py", "parameters.py", "schemas.py"}


def test_a_format_is_a_file_and_the_check_tells_what_it_makes_of_rows(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = [text for kind, text in GUIDE.blocks if kind == "" and text.startswith("alertgraph formats")]
    monkeypatch.chdir(tmp_path)
    Path("lift.yaml").write_text(GUIDE.block("# lift.yaml", "yaml"), encoding="utf-8")
    Path("rows.jsonl").write_text(GUIDE.block('{"at"', "json"), encoding="utf-8")

    assert main(command.split()[1:]) == 0
    said = capsys.readouterr().out
    assert "host:lift-2 (ot)" in said
    assert "2 rows read = 1 alerts + 1 refused" in said


def test_a_motif_is_found_in_its_graph_and_not_in_its_near_miss(changed: Path) -> None:
    said = run(
        changed, "-m", "pytest", "tests/test_match_motifs.py", "-k", "new_account_used", "-p", "no:cacheprovider", "-v"
    )

    assert re.search(r"\b4 passed", said), said


def test_a_term_weighs_and_is_said(changed: Path) -> None:
    said = run(
        changed, "-m", "pytest", "tests/test_score_subgraphs.py", "-k", "a_long_way_speaks", "-p", "no:cacheprovider"
    )

    assert "1 passed" in said


def test_a_table_has_a_version_and_a_section_of_the_data_model(changed: Path) -> None:
    run(changed, "-m", "pytest", "tests/test_schema_versions.py", "-k", "has_changed", "-p", "no:cacheprovider")
    page = run(changed, "-c", "from make_data_model import data_model_page; print(data_model_page())")

    assert "### host_days\n\nOne row: one host of one site on one day. Version 1." in page


def test_each_record_is_one_of_its_kind(changed: Path) -> None:
    names = "; ".join(
        [
            "from alertgraph_spark.config.shipped import shipped_formats",
            "from alertgraph_spark.match.records import MOTIFS",
            "from alertgraph_spark.score import TERMS",
            "from alertgraph_spark.tables.schemas import RESULTS",
            "print('lift' in shipped_formats(), MOTIFS[0].id, TERMS[0].name, RESULTS[0].name)",
        ]
    )

    assert run(changed, "-c", names).split() == ["True", "new_account_used", "way", "host_days"]


def test_a_step_whose_place_is_gone_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("X = (\n)\n", encoding="utf-8")

    with pytest.raises(ValueError, match="not enough values"):
        perform("# a.py, below: Y = (\n    1,\n", tmp_path)
    perform("# a.py, below: X = (\n    1,\n", tmp_path)
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "X = (\n    1,\n)\n"
