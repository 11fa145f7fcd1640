"""The other end of `notify`: webhooks as Teams workflows, Slack and a plain receiver answer them, on loopback.

`/webhooks/FORM/TOKEN` takes a POST, holds it to the form's limits, and keeps it in the table `Notified` of the file.
"""

from __future__ import annotations

import hmac
import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.answer import Answer

PATH = re.compile(r"/webhooks/(teams|slack|json)/([^/?]+)")
MOST_TEAMS_BYTES = 28 * 1024
MOST_BLOCKS, MOST_TEXT, MOST_HEADER = 50, 3000, 150
CARD = "application/vnd.microsoft.card.adaptive"


@dataclass
class Webhooks:
    """The receivers; `token` is the secret part of their addresses."""

    db: str | Path
    token: str
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Open the file."""
        self._connection = sqlite3.connect(self.db, check_same_thread=False)  # the lock keeps the threads apart
        with self._lock, self._connection as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS Notified (Form TEXT, Body TEXT)")

    def answer(self, target: str, body: bytes) -> Answer | None:
        """Answer a POST of `body` to `target`; None where that is no webhook."""
        route = PATH.fullmatch(target)
        if route is None:
            return None
        form, token = route.groups()
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return Answer(404, text="no_service") if form == "slack" else Answer(404, "NotFound", "no such webhook")
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            return Answer(400, text="invalid_payload") if form == "slack" else Answer(400, "BadRequest", "no object")
        refused, taken = _FORMS[form]
        if problem := refused(found, len(body)):
            return problem
        with self._lock, self._connection as connection:
            connection.execute("INSERT INTO Notified VALUES (?, ?)", (form, body.decode()))
        return taken

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _refused_by_teams(found: Mapping[str, Any], n_bytes: int) -> Answer | None:
    if n_bytes > MOST_TEAMS_BYTES:
        return Answer(413, "RequestEntityTooLarge", "more than 28 KB")
    cards = found.get("attachments") or [{}]
    contents = [card.get("content") for card in cards if card.get("contentType") == CARD]
    if found.get("type") != "message" or not all(
        isinstance(c, dict) and c.get("type") == "AdaptiveCard" for c in contents
    ):
        contents = []
    return None if contents else Answer(400, "BadRequest", "no message with an Adaptive Card")


def _refused_by_slack(found: Mapping[str, Any], n_bytes: int) -> Answer | None:
    blocks = found.get("blocks", [])
    if not found.get("text") and not blocks:
        return Answer(400, text="no_text")
    is_right = len(blocks) <= MOST_BLOCKS and all(map(_is_block, blocks))
    return None if is_right else Answer(400, text="invalid_blocks")


def _is_block(block: Mapping[str, Any]) -> bool:
    most = MOST_HEADER if block["type"] == "header" else MOST_TEXT
    return all(0 < len(text.get("text", "")) <= most for text in _texts(block))


def _texts(block: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from block.get("elements", [])
    if "text" in block:
        yield block["text"]


def _refused_by_nobody(found: Mapping[str, Any], n_bytes: int) -> Answer | None:
    return None


_FORMS: Mapping[str, tuple[Callable[[Mapping[str, Any], int], Answer | None], Answer]] = {
    "teams": (_refused_by_teams, Answer(202)),
    "slack": (_refused_by_slack, Answer(200, text="ok")),
    "json": (_refused_by_nobody, Answer(204)),
}
