"""The README is true: its commands exist, its picture and its layout are the code's, what it shows of the demo is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from pages import REPO, Page

from alertgraph_spark import __main__ as command
from alertgraph_spark.match.records import MOTIFS

README = Page("README.md")
TEXT, LINES = README.text, README.lines
THE_LINE = ["read", "normalise", "fold", "link", "connect", "match", "describe", "score", "explain", "log", "post"]


def test_a_stranger_has_something_to_run_before_line_25() -> None:
    assert LINES[0] == "# alertgraph-spark"
    assert "Microsoft Sentinel" in LINES[1]
    assert LINES.index("make demo") + 1 < 25


def test_it_is_read_at_one_sitting() -> None:
    assert len(LINES) <= 250, "what is longer is a page in docs/"


def test_it_leads_to_every_page_of_the_docs() -> None:
    pages = {f"docs/{page.name}" for page in (REPO / "docs").glob("*.md")}

    assert pages <= set(README.links)


def test_the_picture_is_the_line() -> None:
    picture = README.block("read ").splitlines()

    assert [line.split()[0] for line in picture] == THE_LINE
    _, number, *_, named = re.split(r" +(\d+) named patterns in them: | …", picture[THE_LINE.index("match")])[:3]
    assert int(number) == len(MOTIFS)
    assert set(named.lower().split(", ")) < {motif.title.lower() for motif in MOTIFS}


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (REPO / "Makefile").read_text(encoding="utf-8"), re.M))
    named = {a or b for a, b in re.findall(r"^make ([a-z-]+)$|`make ([a-z-]+)`", TEXT, re.M)}

    assert named >= {"demo", "test", "lint"}
    assert named <= targets


def test_every_test_that_make_names_exists() -> None:
    names = re.search(
        r"^SMOKE := \$\(addprefix tests/test_,([^)]*)\)", (REPO / "Makefile").read_text(encoding="utf-8"), re.M
    )

    assert names
    wanted = [f"test_{name}" for name in names[1].replace("\\", "").split()]
    assert wanted
    assert [name for name in wanted if not (REPO / "tests" / name).is_file()] == []


def test_the_commands_for_an_export_of_ones_own_exist(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = README.block("alertgraph init").splitlines()

    _, word, *_ = shlex.split(first)
    with pytest.raises(SystemExit) as left:
        command.main([word, "--help"])
    assert left.value.code == 0
    assert "--root" in capsys.readouterr().out
    assert f'"{second.split()[0]} = ' in (REPO / "setup.py").read_text(encoding="utf-8")


def test_what_it_shows_of_the_demo_stands_in_the_page_of_the_demo() -> None:
    whole = Page("docs/demo.md").block("run 20")

    assert README.block("rank ") in whole


def test_versions_are_those_of_the_constraints() -> None:
    pinned = re.findall(r"^pyspark==([\d.]+)", (REPO / "constraints.txt").read_text(encoding="utf-8"), re.M)

    assert re.findall(r"(?:PySpark|and) (\d\.\d+\.\d+) ", TEXT) == pinned


def test_every_path_exists() -> None:
    code = re.findall(
        r"\b(?:conf|jobs|examples|docs|benchmarks|tests|alertgraph_spark)/[\w/.-]*\w", re.sub(r"https://\S+", "", TEXT)
    )

    assert len(README.links) > 5
    assert [path for path in code if not (REPO / path).exists()] == []


SHIPPED = ("*.md", "docs/*.md", "conf/*.md", "deploy/**/*.md", "benchmarks/*.md", "examples/**/*.md")
PAGES = sorted(str(page.relative_to(REPO)) for pattern in SHIPPED for page in REPO.glob(pattern))


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(path: str) -> None:
    assert Page(path).broken_links() == []


def test_a_link_to_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.md").write_text("# A page\n[a](#a-page) [b](#b) [c](none.md) `[d](e)`\n", encoding="utf-8")
    monkeypatch.setattr("pages.REPO", tmp_path)

    assert Page("page.md").broken_links() == ["#b", "none.md"]


def test_the_layout_names_every_room_in_ten_lines() -> None:
    layout = README.block("jobs/rank_alerts.py")
    package = REPO / "alertgraph_spark"
    rooms = {p.name for p in package.iterdir() if p.is_dir() and p.name != "__pycache__"}

    assert len(layout.strip().splitlines()) <= 10
    assert {name for name in re.findall(r"\b(\w+)/", layout) if (package / name).is_dir()} == rooms
    assert {name for name in re.findall(r"\b(\w+\.py)\b", layout)} - {"rank_alerts.py"} <= {
        p.name for p in package.glob("*.py")
    }
