"""`make site`: every page is on the site, and a link there leads to a page, to a file beside it, or is none any more."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pages import REPO, Page

BESIDE = {"deploy/sentinel/Solutions/AlertGraph/ReleaseNotes.md"}
"""Pages that another product reads."""


@pytest.fixture(scope="module")
def site() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPO / "deploy"))
        yield importlib.import_module("make_site")
    for name in ("make_site", "audit", "make_dist"):
        sys.modules.pop(name, None)


def test_every_page_is_on_the_site_once(site: ModuleType) -> None:
    patterns = ("*.md", "docs/*.md", "conf/*.md", "deploy/**/*.md", "benchmarks/*.md", "examples/**/*.md")
    there = {str(page.relative_to(REPO)) for pattern in patterns for page in REPO.glob(pattern)}

    assert sorted(site.pages()) == sorted(there - BESIDE)


def test_whatever_a_page_links_to_is_laid_beside_it(site: ModuleType, tmp_path: Path) -> None:
    site.lay_out(tmp_path)
    pages = [Page(str(tmp_path / name)) for name in site.pages()]
    leads = [(page.path, link.partition("#")[0]) for page in pages for link in page.links]

    assert len(leads) > 100
    assert [(path.name, link) for path, link in leads if link and not (path.parent / link).is_file()] == []
    assert (tmp_path / "docs/img/plant-network-light.png").is_file()
    assert (tmp_path / "docs/site.css").is_file()


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("[deploy/sentinel/](../deploy/sentinel/)", "[deploy/sentinel/](../deploy/sentinel/README.md)"),
        ("[`link`](../alertgraph_spark/link) next", "`link` next"),  # a folder without a page
        ("[the method](method.md#bursts)", "[the method](method.md#bursts)"),
        ("[a file](../setup.py)", "[a file](../setup.py)"),
        ("[elsewhere](https://example.org/docs/)", "[elsewhere](https://example.org/docs/)"),
        ("```\n[code](../deploy)\n```", "```\n[code](../deploy)\n```"),
    ],
)
def test_a_link_to_a_folder_leads_to_its_page_or_is_none(site: ModuleType, text: str, becomes: str) -> None:
    assert site.with_links(text, REPO / "docs" / "page.md") == becomes


def test_tools_that_cannot_be_had_are_told_in_one_line(
    site: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(tools: Path, packages: tuple[str, ...]) -> None:
        raise site.AuditError(f"the tools cannot be installed into {tools}: no route")

    monkeypatch.setattr(site, "install_tools", refuse)
    monkeypatch.setattr(sys, "argv", ["make_site.py", "--tools", "nowhere"])

    assert site.main() == 1
    assert capsys.readouterr().err == "site: the tools cannot be installed into nowhere: no route\n"


def test_the_site_is_strict_and_fetches_nothing(site: ModuleType) -> None:
    config = site.settings()

    assert set(config["validation"]["links"].values()) == {"warn"}, "with --strict each is an error"
    assert config["theme"]["font"] is False
    assert "offline" not in config["plugins"], "it takes a script from another host"
