"""What the formats make of real samples: rows, alerts, refusals and fields filled, written into docs/formats.md.

    formats_table.py [--data FOLDER] [--only TEXT]

Takes the entries of benchmarks/real_samples.yaml in one Spark session. `--only` prints the rows whose sample has the text in
its name and leaves the page alone; so does a data folder that is not there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession

from alertgraph_spark.access import session
from alertgraph_spark.commands.format_check import FIELDS, Check, check_rows, lines_of
from alertgraph_spark.commands.format_report import share
from alertgraph_spark.commands.samples import TABLE, Shape
from alertgraph_spark.commands.trial import laid_out
from alertgraph_spark.config import format_files

REPO = Path(__file__).resolve().parent.parent
DATA = REPO.parent / "shared" / "data"
KEYS = {"sample", "format", "table", "columns", "records", "no_alerts"}
sys.path.insert(0, str(REPO / "docs"))  # the pages are no part of the wheel

from make_docs import DOCS, with_measured  # noqa: E402 - needs the line above

Entry = Mapping[str, Any]


def catalogue() -> list[Entry]:
    """The entries of `real_samples.yaml`: sample, format, and how its records become rows; or why it has no alerts."""
    entries: list[Entry] = yaml.safe_load((REPO / "benchmarks/real_samples.yaml").read_text(encoding="utf-8"))
    return checked(entries)


def checked(entries: list[Entry]) -> list[Entry]:
    """The entries, if each is as it should be: in YAML a comma inside a flow mapping begins a key."""
    for entry in entries:
        if unknown := set(entry) - KEYS:
            raise SystemExit(
                f"{entry.get('sample')}: unknown key {min(unknown)!r}; legal are {', '.join(sorted(KEYS))}"
            )
        if ("format" in entry) == ("no_alerts" in entry):
            raise SystemExit(f"{entry.get('sample')}: wants either format or no_alerts")
    return entries


def measure(spark: SparkSession, entry: Entry, data: Path) -> Check:
    """Run the entry's format over all rows of its files."""
    files = sorted(data.glob(entry["sample"]))
    if not files:
        raise SystemExit(f"{entry['sample']}: no such file in {data}")
    name = entry["format"]
    format_ = format_files.load_format(REPO / name if name.endswith(".yaml") else format_files.find_format(name))
    shape = Shape(entry.get("columns", "rows"), entry.get("records", ""), entry.get("table", TABLE))
    with laid_out(spark, format_, files, shape) as (sample, raw):
        return check_rows(lines_of(raw, format_, shape.table, sample.received), 0)


def row_of(entry: Entry, check: Check) -> str:
    """One row of the page's table."""
    refused = "; ".join(f"{n:,} {reason}" for reason, (n, _) in check.refused.items()) or "0"
    filled = [share(check.filled[name], check.n_alerts) if check.n_alerts else "" for name in FIELDS]
    name = Path(entry["format"]).stem
    cells = [f"`{entry['sample']}`", ", ".join(check.products), f"`{name}`", f"{check.n_rows:,}", f"{check.n_alerts:,}"]
    return "| " + " | ".join([*cells, refused, *filled]) + " |"


def table_of(rows: Sequence[str], without: Sequence[Entry]) -> str:
    """The page's tables: what was measured, and the samples that hold no alerts."""
    head = ["sample", "product", "format", "rows", "alerts", "refused", *FIELDS]
    lines = [f"| {' | '.join(head)} |", "|---|---|---|--:|--:|---|" + "--:|" * len(FIELDS), *rows]
    if without:
        lines += ["", "Samples without alerts:", "", "| sample | why |", "|---|---|"]
        lines += [f"| `{entry['sample']}` | {entry['no_alerts']} |" for entry in without]
    return "\n".join(lines)


def measured(spark: SparkSession, entries: Sequence[Entry], data: Path) -> Iterator[str]:
    """The rows of the table, one an entry; prints each with its seconds."""
    for entry in entries:
        begin = time.perf_counter()
        row = row_of(entry, measure(spark, entry, data))
        print(f"{time.perf_counter() - begin:6.1f} s  {row}", flush=True)
        yield row


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real samples")
    parser.add_argument("--only", metavar="TEXT", help="measure these samples alone and leave the page as it is")
    args = parser.parse_args(argv)
    if not args.data.is_dir():
        print(f"no real samples at {args.data}: docs/formats.md is left as it is")
        return 0
    entries = [entry for entry in catalogue() if (args.only or "") in entry["sample"]]
    with_alerts = [entry for entry in entries if "no_alerts" not in entry]
    spark = session.start_session("alertgraph-formats", None, "2g", {}, [])
    rows = list(measured(spark, with_alerts, args.data))
    if not args.only:
        page = DOCS / "formats.md"
        text = with_measured(page.read_text(encoding="utf-8"), table_of(rows, [e for e in entries if "no_alerts" in e]))
        page.write_text(text, encoding="utf-8")
        print(f"wrote {page.relative_to(REPO)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
