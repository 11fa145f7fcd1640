"""What an address has had over all runs, beside the results: one file, which each run replaces by one of its own name.

A file is never changed, and it is removed only by a run that has read it and has written its own. So of two runs at one time
neither spoils the other's: both files are read, and of each subgraph the later run counts. What such runs both found to be
new is posted by both, each with its `RunId`; the functions take the later.

A run whose post has begun stands there too, until its rows are delivered: the next run ends it first. It would post some of
its rows once more under its own `RunId` otherwise.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta

from alertgraph_spark.publish.files import Files
from alertgraph_spark.publish.log_analytics.changes import Delivered, Key
from alertgraph_spark.publish.log_analytics.ledger import place_of

logger = logging.getLogger(__name__)

KEPT_LONGER = timedelta(days=3)
"""A subgraph that no run has told for the look-back and so long is forgotten; should it come again, it is posted again."""

_DELIVERED, _BEGUN = "delivered-", "begun-"
_ATTEMPTS = 5


@dataclass
class Memory:
    """The files of one address in the folder that holds all runs."""

    files: Files
    place: str
    look_back: timedelta
    _read: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, files: Files, address: str, look_back: timedelta) -> Memory:
        """Open what is known of `address`; nothing is read yet."""
        return cls(files, place_of(address), look_back)

    def delivered(self) -> dict[Key, Delivered]:
        """What the address has had of each subgraph."""
        found: dict[Key, Delivered] = {}
        texts = self._texts()
        self._read = set(texts)
        for name, text in texts.items():
            try:
                rows = json.loads(text or b"[]")
            except ValueError:
                logger.warning("%s cannot be read: what it knew to be delivered is posted again", name)
                rows = []
            for site, subgraph_id, *row in rows:
                key, this = (site, subgraph_id), Delivered(*row)
                other = found.setdefault(key, this)
                later = max(other, this, key=lambda one: one.run_id)
                found[key] = replace(later, told_at=max(other.told_at, this.told_at))
        return found

    def keep(self, delivered: Mapping[Key, Delivered], run_id: str, now: datetime) -> None:
        """Write what the address has had, in place of the files that were read."""
        oldest = (now - self.look_back - KEPT_LONGER).timestamp() * 1e6
        rows = [[*key, *astuple(row)] for key, row in sorted(delivered.items()) if row.told_at >= oldest]
        own = f"{_DELIVERED}{run_id}.json"
        self.files.write(f"{self.place}/{own}", json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())
        for name in self._read - {own}:
            self.files.remove(f"{self.place}/{name}")
        self._read = {own}

    def begun(self) -> list[str]:
        """Ids of the runs whose post has begun and not ended, in their order."""
        return [name.removeprefix(_BEGUN).removesuffix(".json") for name in self._names(_BEGUN)]

    def begin(self, run_id: str) -> None:
        """Note that rows of a run are about to be sent."""
        self.files.write(f"{self.place}/{_BEGUN}{run_id}.json", b"{}")

    def end(self, run_id: str) -> None:
        """Note that nothing of a run is left to be sent."""
        self.files.remove(f"{self.place}/{_BEGUN}{run_id}.json")

    def _texts(self) -> dict[str, bytes | None]:
        """What was delivered, by file; a file that goes while they are read has left a newer one."""
        texts: dict[str, bytes | None] = {}
        for _ in range(_ATTEMPTS):
            texts = {name: self.files.read(f"{self.place}/{name}") for name in self._names(_DELIVERED)}
            if None not in texts.values():
                break
        return texts

    def _names(self, kind: str) -> list[str]:
        names = {name.removesuffix(".new") for name in self.files.names(self.place)}  # whole, and not yet in its place
        return sorted(name for name in names if name.startswith(kind) and name.endswith(".json"))
