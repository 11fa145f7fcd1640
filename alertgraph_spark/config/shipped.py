"""The formats that come with the package, also where it is imported from a zip."""

from __future__ import annotations

import atexit
import difflib
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

_FORMATS = resources.files("alertgraph_spark") / "formats"
_extracted = ExitStack()  # holds the formats that had to be copied out of a zip, until the process ends
atexit.register(_extracted.close)


def shipped_formats() -> list[str]:
    """Names of the shipped formats, in order."""
    entries = _FORMATS.iterdir() if _FORMATS.is_dir() else ()
    return sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml"))


def shipped_file(name: str) -> Path:
    """The file of a shipped format."""
    return _extracted.enter_context(resources.as_file(_FORMATS / f"{name}.yaml"))


def is_shipped(name: str, text: str) -> bool:
    """Whether a format's text is that of the shipped one of its name, letter by letter."""
    return name in shipped_formats() and (_FORMATS / f"{name}.yaml").read_text(encoding="utf-8") == text


def nearest_words(name: str) -> str:
    """Which shipped format a name may have meant, as the end of a message; empty if none comes near."""
    close = difflib.get_close_matches(name, shipped_formats(), 1)
    return f"; did you mean {close[0]}?" if close else ""
