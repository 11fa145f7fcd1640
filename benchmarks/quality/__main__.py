"""Judge the ranking: one table with intervals, simple orders and two peers.

    python benchmarks/quality [--only ait,cptc,modbus,mix,generated,usual,calm,sparse,crossings,hubs]
                              [--set KEY=VALUE]...
                              [--no-peers] [--results FOLDER] [--write docs/quality.md]
    python benchmarks/quality --choose GRID.yaml

The real sets are judged where they lie beside the repository. --choose takes a YAML list of settings (each a list of
KEY=VALUE), runs each on the real development networks, and prints for each network the setting that is best on the others.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

if __package__ in (None, ""):  # run as a folder: make the package importable under its name
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from quality import choose, page, rows, table
from quality.lakes import REPO
from quality.runs import RESULTS

PAGE = """# How good is the ranking

Made by `{command}`{settings} on {day} at commit `{commit}`; never written by hand.

{table}
{notes}"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(rows.PARTS), help="parts, by comma: %(default)s")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the job")
    parser.add_argument("--no-peers", action="store_true", help="ours and the simple orders alone")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where runs are kept: %(default)s")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the table as a page as well")
    parser.add_argument("--choose", type=Path, metavar="GRID")
    args = parser.parse_args(argv)
    if args.choose:
        print(choose.leave_one_out(args.choose, args.set, args.results))
        return 0
    parts = args.only.split(",")
    if unknown := set(parts) - set(rows.PARTS):
        parser.error(f"--only {', '.join(sorted(unknown))}: have {', '.join(rows.PARTS)}")
    found: list[table.Row] = []
    for part in parts:
        new = rows.rows_of(part, args.set, args.results.resolve(), with_peers=not args.no_peers)
        print(table.as_text(new), flush=True)
        found += new
    if args.write:
        settings = f" with `{' '.join(f'--set {one}' for one in args.set)}`" if args.set else ""
        command = "make bench-quality" if parts == list(rows.PARTS) else f"python benchmarks/quality --only {args.only}"
        day = f"{datetime.now(timezone.utc):%d %B %Y}"
        text = PAGE.format(
            command=command,
            settings=settings,
            day=day,
            commit=commit(),
            table=table.as_markdown(found),
            notes=rows.NOTES,
        )
        args.write.write_text(text + page.sections(args.write), encoding="utf-8")
    return 0


def commit() -> str:
    """The commit that was measured, marked where the working copy has changes."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    told = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False).stdout.strip()
    return told or "unknown"


if __name__ == "__main__":
    sys.exit(main())
