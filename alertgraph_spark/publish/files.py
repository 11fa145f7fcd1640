"""The files that a delivery remembers itself by, wherever they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Files(Protocol):
    """The folder of a run, wherever it is; names are relative to it, with `/` between their parts."""

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in `folder`, without it; none where there is no such folder."""

    def read(self, name: str) -> bytes | None:
        """Return what a file holds, None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all, in place of an older one."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""


@dataclass
class MemoryFiles:
    """Files of one process: nothing is known before, nothing stays."""

    content: dict[str, bytes] = field(default_factory=dict)

    def names(self, folder: str) -> list[str]:
        """Return the names in `folder`."""
        return [name.removeprefix(f"{folder}/") for name in self.content if name.startswith(f"{folder}/")]

    def read(self, name: str) -> bytes | None:
        """Return the content of `name`."""
        return self.content.get(name)

    def write(self, name: str, content: bytes) -> None:
        """Keep `content`."""
        self.content[name] = content

    def remove(self, name: str) -> None:
        """Forget `name`."""
        self.content.pop(name, None)
