"""Whether two results folders say the same: each table row by row, and the counts of `run.json`.

    python benchmarks/same_tables.py BEFORE AFTER

Each is a run's folder, or a results folder, of which the newest run counts. Rows are matched by the table's key, and one by
one where several have one key; a table without a key is matched by whole rows. Floats are equal within 1e-9, relative or
absolute; ids, ranks, flags, times, the order within a list and every word must be equal. Run id, seconds and versions are not
looked at. Prints one line a table, with the first three differences; exit code 1 where there is any.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from alertgraph_spark.tables.embedded import arrow_type, type_name

KEYS = {
    "subgraphs": ("subgraph_id",),
    "features": ("subgraph_id",),
    "members": ("subgraph_id", "site", "alert_id"),
    "evidence": ("subgraph_id", "episode_id"),
    "nodes": ("subgraph_id", "node_id"),
    "edges": ("subgraph_id", "source", "target"),
    "causes": ("subgraph_id", "cause_id", "episode_id", "kind"),
    "motif_hits": ("subgraph_id", "motif", "episodes"),
    "cuts": ("site", "src", "dst", "kind"),
    "health": ("site", "table"),
}
OF_THE_HISTORY = ("store_lag_hours",)
"""Columns that tell of the history, which one of the runs may not have."""
COUNTS = ("window", "counts", "rejected_by_reason", "unknown_words", "health")
"""Parts of `run.json` that two runs over one lake have in common."""
TOLERANCE = 1e-9
SHOWN = 3

Row = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    args = parser.parse_args(argv)
    before, after = newest_run(args.before), newest_run(args.after)
    found = {name: table_differences(name, before, after) for name in table_names(before) | table_names(after)}
    found["run.json"] = record_differences(before, after)
    for name, (told, differences) in sorted(found.items()):
        print(f"{name:<11} {told}")
        for line in differences[:SHOWN]:
            print(f"    {line}")
    return int(any(differences for _, differences in found.values()))


def newest_run(folder: Path) -> Path:
    """The folder itself if it is a run's, else that of its newest run: ids of runs begin with their time."""
    if (folder / "run.json").exists():
        return folder
    if runs := sorted(folder.glob("*/run.json")):
        return runs[-1].parent
    raise SystemExit(f"{folder}: no run.json, here or a folder below")


def table_names(run: Path) -> set[str]:
    """The names of the tables of a run."""
    return {file.parent.name for file in run.glob("*/*.parquet")}


def table_differences(name: str, before: Path, after: Path) -> tuple[str, list[str]]:
    """Rows, missing, extra and different of one table in a line, and each difference in a line of its own."""
    if absent := [str(run) for run in (before, after) if name not in table_names(run)]:
        return "not compared", [f"no such table in {' and '.join(absent)}"]
    a, b = (_declared(pq.read_table(run / name)) for run in (before, after))
    columns = [f"columns: {a.schema.names} → {b.schema.names}"] if a.schema.names != b.schema.names else []
    columns += [
        f"{field.name}: {type_name(field.type)} → {type_name(b.schema.field(field.name).type)}"
        for field in a.schema
        if field.name in b.schema.names and field.type != b.schema.field(field.name).type
    ]
    missing, extra, different = compare_rows(a.to_pylist(), b.to_pylist(), KEYS.get(name, tuple(a.schema.names)))
    told = f"{a.num_rows:>8,} rows, {len(missing):,} missing, {len(extra):,} extra, {len(different):,} different"
    # The first difference of each kind is among those that are shown.
    return told, columns + missing[:1] + extra[:1] + different + missing[1:] + extra[1:]


def _declared(table: pa.Table) -> pa.Table:
    """The table in the types in which tables are declared: Spark and Arrow write the same time each in its own way."""
    return table.cast(pa.schema([(field.name, arrow_type(type_name(field.type))) for field in table.schema]))


def compare_rows(before: Sequence[Row], after: Sequence[Row], key: Sequence[str]) -> tuple[list[str], ...]:
    """What lines of two tables have no counterpart in the other, and which columns of those that have one differ."""
    left, right = _by_key(before, key), _by_key(after, key)
    missing: list[str] = []
    extra: list[str] = []
    different: list[str] = []
    for at in sorted({*left, *right}):
        a, b = left.get(at, []), right.get(at, [])
        different += [f"{at} {told}" for x, y in zip(a, b, strict=False) if (told := "; ".join(_columns(x, y)))]
        missing += [f"missing {at}"] * max(len(a) - len(b), 0)
        extra += [f"extra {at}"] * max(len(b) - len(a), 0)
    return missing, extra, different


def _by_key(rows: Sequence[Row], key: Sequence[str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[" ".join(str(row.get(column)) for column in key)].append(row)
    for several in found.values():
        several.sort(key=str)
    return found


def _columns(a: Row, b: Row) -> Iterator[str]:
    for column in a:
        if column in b and column not in OF_THE_HISTORY and not is_same(a[column], b[column]):
            yield f"{column}: {a[column]!r} → {b[column]!r}"


def is_same(a: Any, b: Any) -> bool:
    """Whether two values of Parquet cells are equal, floats within the tolerance, lists and structs part by part.

    Examples
    --------
    >>> is_same([{"value": 0.1 + 0.2}], [{"value": 0.3}]), is_same(["a", "b"], ["b", "a"]), is_same(None, 0.0)
    (True, False, False)
    """
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(is_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(is_same(a[name], b[name]) for name in a)
    return type(a) is type(b) and bool(a == b)


def record_differences(before: Path, after: Path) -> tuple[str, list[str]]:
    """The counts of two `run.json`, told like a table."""
    a, b = (json.loads((run / "run.json").read_text(encoding="utf-8")) for run in (before, after))
    flat = [{f"{part}.{name}": n for part in COUNTS for name, n in record.get(part, {}).items()} for record in (a, b)]
    differences = [
        f"{name}: {flat[0].get(name, 'none')} → {flat[1].get(name, 'none')}"
        for name in sorted({*flat[0], *flat[1]})
        if flat[0].get(name) != flat[1].get(name)
    ]
    return f"{len(flat[0]):>8,} counts, {len(differences):,} different", differences


if __name__ == "__main__":
    sys.exit(main())
