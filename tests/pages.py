"""Reads a Markdown page of the repository: its blocks of code, its tables, its links."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

REPO = Path(__file__).parent.parent


class Page:
    """A page, by its path in the repository."""

    def __init__(self, path: str) -> None:
        self.path = REPO / path
        self.text = self.path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()

    @cached_property
    def blocks(self) -> list[tuple[str, str]]:
        """Language and text of each block of code."""
        return re.findall(r"^```(\w*)\n(.*?)^```$", self.text, re.M | re.S)

    def block(self, beginning: str, language: str = "") -> str:
        """The one block that begins so."""
        (found,) = [text for kind, text in self.blocks if kind == language and text.startswith(beginning)]
        return found

    def table(self, first_cell: str) -> list[list[str]]:
        """Cells of the table whose header begins so, without header and rule."""
        start = next(number for number, line in enumerate(self.lines) if line.startswith(f"| {first_cell} |"))
        rows = []
        for line in self.lines[start + 2 :]:
            if not line.startswith("|"):
                break
            rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
        return rows

    @cached_property
    def links(self) -> list[str]:
        """Where the links of the page lead, those to other hosts left out."""
        prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", self.text, flags=re.M | re.S)
        return re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", prose)

    @cached_property
    def anchors(self) -> set[str]:
        """Anchors of its headings, as GitHub makes them."""
        prose = re.sub(r"^```.*?^```$", "", self.text, flags=re.M | re.S)
        return {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", prose, re.M)
        }

    def broken_links(self) -> list[str]:
        """Links to a file that is not there, or to a heading that its page has not."""
        broken = []
        for link in self.links:
            file, _, heading = link.partition("#")
            target = (self.path.parent / file).resolve() if file else self.path
            if not target.exists() or (heading and heading not in Page(str(target.relative_to(REPO))).anchors):
                broken.append(link)
        return broken
