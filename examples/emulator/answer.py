"""What a service of this folder answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """A status and, for a refusal, the service's code word and message; `text` is a body as it is."""

    status: int
    code: str = ""
    message: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
