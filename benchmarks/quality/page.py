"""Sections of a page that other benchmarks write: each between two marks, kept when the rest of the page is written anew."""

from __future__ import annotations

import re
from pathlib import Path

_MARKED = "<!-- figures: {name} -->\n{text}<!-- end of figures: {name} -->\n"
_SECTION = re.compile(r"<!-- figures: (\S+) -->\n.*?<!-- end of figures: \1 -->\n", re.DOTALL)


def put(page: Path, name: str, text: str) -> None:
    """Write a section in place of what it was, or at the end of the page."""
    old = page.read_text(encoding="utf-8")
    new = _MARKED.format(name=name, text=text)
    found = {one.group(1): one for one in _SECTION.finditer(old)}.get(name)
    page.write_text(old[: found.start()] + new + old[found.end() :] if found else f"{old}\n{new}", encoding="utf-8")


def sections(page: Path) -> str:
    """All sections of a page, as it holds them; nothing where there is no page."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return "".join(f"\n{one.group()}" for one in _SECTION.finditer(text))
