"""What a webhook has been told over all runs, beside the results; read before anything is told again.

Each run adds one file and writes it anew after each call, so a kill loses at most the call that is under way: that one may be
told twice. At its end it takes the files of the runs before it into its own. Of two runs at one time neither removes what it
has not read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alertgraph_spark.publish.files import Files

logger = logging.getLogger(__name__)

PLACE = "notified"

KEPT = timedelta(days=400)
"""A subgraph is known to be told for so long: longer than the longest past that a run reads (`export.history_hours`)."""

Key = tuple[str, str]
"""Site and id of a subgraph."""


@dataclass
class Ledger:
    """The files of one webhook in the folder that holds all runs; `told` is when each subgraph was, in seconds since 1970."""

    files: Files
    place: str
    own: str
    told: dict[Key, float] = field(default_factory=dict)
    _now: dict[Key, float] = field(default_factory=dict)
    _read: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, files: Files, reference: str, now: datetime) -> Ledger:
        """Read what has been told to the webhook that a reference names.

        By the reference, not by the URL: a URL that is renewed leads to the same people. The folder's name is a hash of it.
        """
        place = f"{PLACE}/{hashlib.sha256(reference.encode()).hexdigest()[:12]}"
        ledger = cls(files, place, f"told-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}.json")
        names = {name.removesuffix(".new") for name in files.names(place)}  # whole, and not yet in its place
        for name in sorted(name for name in names if name.startswith("told-") and name.endswith(".json")):
            ledger._take(name)
        return ledger

    def _take(self, name: str) -> None:
        text = self.files.read(f"{self.place}/{name}")
        if text is None:  # taken in by a run at the same time
            return
        try:
            rows = [((str(site), str(subgraph_id)), float(at)) for site, subgraph_id, at in json.loads(text)]
        except (ValueError, TypeError):
            logger.warning("%s/%s cannot be read: what it knew to be told is told again", self.place, name)
            rows = []
        self._read.add(name)
        for key, at in rows:
            self.told[key] = max(at, self.told.get(key, at))

    def mark(self, key: Key, now: datetime) -> None:
        """Write that a subgraph has been told."""
        self._now[key] = self.told[key] = now.timestamp()
        self._write(self._now)

    def close(self, now: datetime) -> None:
        """Take what was read into the own file, without what is older than `KEPT`."""
        if self._now or len(self._read) > 1:
            oldest = (now - KEPT).timestamp()
            self._write({key: at for key, at in self.told.items() if at >= oldest})
            for name in self._read:
                self.files.remove(f"{self.place}/{name}")

    def _write(self, told: dict[Key, float]) -> None:
        rows = [[*key, round(at)] for key, at in sorted(told.items())]
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        self.files.write(f"{self.place}/{self.own}", text.encode())
