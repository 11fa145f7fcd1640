"""What has been delivered of a run: a mark for each batch beside the saved results, read before anything is sent again.

A mark's name says all, so that one listing is the ledger, a mark that a crash has left empty still counts, and no file
system has to append. Between an answer and its mark a crash leaves a batch unmarked: it is sent again, and folded by RowId.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from alertgraph_spark.publish.files import Files
from alertgraph_spark.publish.log_analytics.batches import Receipt
from alertgraph_spark.publish.log_analytics.changes import Changes, Key
from alertgraph_spark.publish.log_analytics.fields import iso_utc

logger = logging.getLogger(__name__)

PLACE = "posted"
DEAD_LETTERS = f"{PLACE}/dead_letters"


@dataclass(frozen=True)
class PostCounts:
    """What became of one table of `n_rows` rows.

    `n_sent` were delivered now in `n_batches` with `n_bytes` before compression, `n_before` by an earlier attempt. The
    `n_refused` cannot be delivered as they are and are dead letters. `error` says why the rest was not. Beside them are
    `n_unchanged` rows of subgraphs that the address has had as they are.
    """

    n_rows: int
    n_sent: int = 0
    n_before: int = 0
    n_refused: int = 0
    n_batches: int = 0
    n_bytes: int = 0
    n_fields_cut: int = 0
    n_unchanged: int = 0
    error: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every row has been delivered, now or before."""
        return not self.error and self.n_sent + self.n_before == self.n_rows


@dataclass(frozen=True)
class TablePlan:
    """How a table is cut into batches: decided once, since another cut would give its batches other ids."""

    n_rows: int
    n_partitions: int
    n_unchanged: int = 0


def place_of(address: str) -> str:
    """The folder of what is known of an address: its name holds no more than a hash of it."""
    return f"{PLACE}/{hashlib.sha256(address.encode()).hexdigest()[:12]}"


@dataclass
class Ledger:
    """The marks of one run at one address: what another workspace has had is no matter here."""

    files: Files
    place: str
    known: set[str] = field(default_factory=set)
    split: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, files: Files, address: str) -> Ledger:
        """Read which batches have been delivered to `address`."""
        ledger = cls(files, place_of(address))
        for name in files.names(ledger.place):
            kind, _, rest = name.partition("-")
            if kind in ("delivered", "split"):
                (ledger.known if kind == "delivered" else ledger.split).add(rest.rpartition("-")[2].split(".")[0])
        return ledger

    def plan(self) -> tuple[datetime, dict[str, TablePlan]] | None:
        """Return the run's TimeGenerated and the cut of each table, None before the first attempt."""
        text = self.files.read(f"{self.place}/plan.json")
        if text is None:
            return None
        found = json.loads(text)
        tables = {name: TablePlan(**table) for name, table in found["tables"].items()}
        return datetime.fromisoformat(found["time_generated"].replace("Z", "+00:00")), tables

    def save_plan(self, time_generated: datetime, tables: Mapping[str, TablePlan], **more: Any) -> None:
        """Write what the first attempt has decided."""
        plan = {name: asdict(table) for name, table in tables.items()}
        text = json.dumps({**more, "time_generated": iso_utc(time_generated), "tables": plan}, indent=2)
        self.files.write(f"{self.place}/plan.json", text.encode())

    def changes(self) -> Changes | None:
        """Return what of the run is posted, None where all of it is."""
        text = self.files.read(f"{self.place}/changes.json")
        return None if text is None else Changes.from_json(json.loads(text))

    def save_changes(self, changes: Changes) -> None:
        """Write what of the run is posted, before the plan that follows from it."""
        self.files.write(f"{self.place}/changes.json", json.dumps(changes.to_json(), ensure_ascii=False).encode())

    def refused(self) -> frozenset[Key]:
        """Return the subgraphs of which a row is a dead letter."""
        names = [f"{DEAD_LETTERS}/{name}" for name in self.files.names(DEAD_LETTERS)]
        letters = [json.loads(line) for name in names for line in (self.files.read(name) or b"").splitlines()]
        rows = [letter["row"] for letter in letters if isinstance(letter["row"], dict)]
        # A row that did not pass the check is kept with the names of the table, not of the stream.
        keys = ((row.get("Site", row.get("site")), row.get("SubgraphId", row.get("subgraph_id"))) for row in rows)
        return frozenset((str(site), str(subgraph_id)) for site, subgraph_id in keys if subgraph_id)

    def clear_letters(self) -> None:
        """Remove the dead letters of earlier attempts: what is still undeliverable will leave them anew."""
        for name in self.files.names(DEAD_LETTERS):
            self.files.remove(f"{DEAD_LETTERS}/{name}")

    def record(self, table: str, receipt: Receipt) -> None:
        """Mark what a receipt says, before the next one is looked at."""
        batch = receipt.batch_id
        if receipt.letters:
            self.files.write(f"{DEAD_LETTERS}/{table}-{batch}.jsonl", "\n".join([*receipt.letters, ""]).encode())
        if receipt.n_rows or receipt.is_split:
            kind = "split" if receipt.is_split else "delivered"
            said = {"n_rows": receipt.n_rows, "n_bytes": receipt.n_bytes}
            self.files.write(f"{self.place}/{kind}-{table}-{batch}.json", json.dumps(said).encode())
            (self.split if receipt.is_split else self.known).add(batch)

    def record_all(self, table: str, n_rows: int, receipts: Iterable[Receipt]) -> PostCounts:
        """Mark receipts as they come, and add up what became of the table's rows."""
        count = dict.fromkeys(("n_sent", "n_before", "n_refused", "n_batches", "n_bytes", "n_fields_cut"), 0)
        errors: list[str] = []
        for receipt in receipts:
            self.record(table, receipt)
            count["n_sent"] += receipt.n_rows
            count["n_before"] += receipt.n_known
            count["n_refused"] += len(receipt.refused)
            count["n_batches"] += receipt.n_rows > 0
            count["n_bytes"] += receipt.n_bytes
            count["n_fields_cut"] += receipt.n_fields_cut
            if receipt.error:
                errors.append(receipt.error)
                break
        if not errors and count["n_sent"] + count["n_before"] + count["n_refused"] != n_rows:
            errors.append("the table changed between counting and sending; post it from the saved results")
        return PostCounts(n_rows, **count, error=errors[0] if errors else "")
