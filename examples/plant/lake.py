"""The lake: rows in the folders of a Log Analytics data export, the truth kept apart, and what was written.

Files are the same byte by byte for the same rows: everything is sorted, and the compressed truth carries no time of its own.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from products import Row
from security_alert import guid, stamp

WORKSPACES = (
    "WorkspaceResourceId=/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/plant"
    "/providers/microsoft.operationalinsights/workspaces"
)
TENANT = "11111111-1111-1111-1111-111111111111"
HEADER = ("item_id", "network", "time", "host", "name", "strict", "lenient")


class Item(NamedTuple):
    """One row and the truth about it; no column of the row depends on the truth."""

    row: Row
    host: str
    name: str
    strict: str
    lenient: str


def folder_of(when: dt.datetime) -> str:
    """The five-minute folder of a TimeGenerated: `m=` is the month first and the minute last."""
    return f"y={when:%Y}/m={when:%m}/d={when:%d}/h={when:%H}/m={when.minute // 5 * 5:02d}"


def write_lake(out: Path, site: str, items: Iterable[Item], seed: int) -> dict[str, object]:
    """Write `lake/`, `truth.csv.gz` and `lake.json` under `out`; the note is returned as well.

    Item ids are drawn after sorting by time, so that they tell nothing about the order in which alerts were made up.
    """
    rng = random.Random(f"{seed}/items")
    blobs: dict[Path, list[str]] = defaultdict(list)
    tables: dict[str, dict[str, int | str]] = {}
    truth: list[tuple[str, ...]] = []
    for item in sorted(items, key=lambda i: (i.row.received, i.row.table, json.dumps(i.row.columns, sort_keys=True))):
        row, generated, item_id = item.row, stamp(item.row.received), guid(rng)
        columns = {key: value for key, value in row.columns.items() if value != ""}  # an export leaves them out
        line = {"TenantId": TENANT, "TimeGenerated": generated, **columns, "_ItemId": item_id, "Type": row.table}
        container = out / "lake" / f"am-{row.table.lower()}" / WORKSPACES / site.lower()
        blobs[container / folder_of(row.received) / "PT05M.json"].append(json.dumps(line, ensure_ascii=False))
        truth.append((item_id, site, generated, item.host, item.name, item.strict, item.lenient))
        table = tables.setdefault(row.table, {"rows": 0, "start": generated, "end": generated})
        table["rows"] = int(table["rows"]) + 1
        table["end"] = generated
    for blob, lines in sorted(blobs.items()):
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write_truth(out / "truth.csv.gz", truth)
    note: dict[str, object] = {
        "tables": dict(sorted(tables.items())),
        "files": len(blobs),
        "injected": {"duplicate": 0, "late": 0, "torn": 0, "junk": 0},
        "sources": [f"plant/{site}"],
        "seed": seed,
    }
    (out / "lake.json").write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    return note


def _write_truth(path: Path, rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO(newline="")
    truth = csv.writer(text, lineterminator="\n")
    truth.writerow(HEADER)
    truth.writerows(rows)
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
        packed.write(text.getvalue().encode())
