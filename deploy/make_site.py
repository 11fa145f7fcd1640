"""Make a site of the repository's pages, by MkDocs in an environment of its own; a link that leads nowhere is an error.

    make_site.py [--tools .venv-site] [--out site]

The pages are laid out as they stand in the repository, so that their links hold. A file of another kind to which a page
links is laid beside them. A link to a folder leads to its README; to one without, it becomes plain text.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from audit import AuditError, install_tools, last_line, run

REPO = Path(__file__).resolve().parent.parent
CONFIG = REPO / "docs" / "mkdocs.yml"
TOOLS = ("mkdocs-material==9.8.2", "mkdocs==1.6.1", "pymdown-extensions==13.1.2")

LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?://|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)


class _Loader(yaml.SafeLoader):
    """Reads what MkDocs reads, without making an object that a tag names."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)


def settings() -> dict[str, Any]:
    """The configuration of the site."""
    read: dict[str, Any] = yaml.load(CONFIG.read_text(encoding="utf-8"), Loader=_Loader)
    return read


def pages() -> list[str]:
    """The pages of the site, by their paths in the repository."""
    config = settings()
    return [page for section in config["nav"] for listed in section.values() for page in listed]


def lay_out(into: Path) -> None:
    """Lay the pages out as they stand in the repository, with what they show and link to."""
    for name in pages():
        page, place = REPO / name, into / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(with_links(page.read_text(encoding="utf-8"), page), encoding="utf-8")
        for file in linked_files(page):
            _lay_beside(file, into)
    for name in settings()["extra_css"]:
        _lay_beside(REPO / name, into)


def _lay_beside(file: Path, into: Path) -> None:
    place = into / file.relative_to(REPO)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, place)


def with_links(text: str, page: Path) -> str:
    """The text of a page whose links to folders lead to a page, or are none any more; blocks of code stay as they are."""

    def lead(found: re.Match[str]) -> str:
        target = page.parent / found[2]
        if not target.is_dir():
            return found[0]
        return f"[{found[1]}]({found[2].rstrip('/')}/README.md)" if (target / "README.md").is_file() else found[1]

    parts, end = [], 0
    for code in FENCED.finditer(text):
        parts += [LINK.sub(lead, text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, LINK.sub(lead, text[end:])])


def linked_files(page: Path) -> Iterator[Path]:
    """The files that a page shows or links to and that are no pages."""
    for found in LINK.finditer(page.read_text(encoding="utf-8")):
        target = (page.parent / found[2]).resolve()
        if target.is_file() and target.suffix != ".md":
            yield target


def main() -> int:
    """Build the site; return 1 if the tools cannot be had, or a page or a link is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=REPO / ".venv-site")
    parser.add_argument("--out", type=Path, default=REPO / "site")
    args = parser.parse_args()
    try:
        install_tools(args.tools, TOOLS)
    except AuditError as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder) / "source")
        config = shutil.copy(CONFIG, folder)
        done = run(args.tools, "mkdocs", "build", "--strict", "--clean", "-f", config, "-d", str(args.out.resolve()))
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith(("WARNING", "ERROR"))]
        print("\n".join(said or [f"site: {last_line(done.stderr)}"]), file=sys.stderr)
        return 1
    print(f"{args.out}/index.html: {len(pages())} pages, every link leads somewhere")
    return 0


if __name__ == "__main__":
    sys.exit(main())
