"""Make a labelled set of IT and OT alerts from a seed.

    python benchmarks/plantbench OUT --seed 1001 [--level calm|usual|hard|sparse] [--alerts 200000] [--days 21] [--sites 2]
                                 [--desks N] [--shape]

OUT/lake/            the alerts as Log Analytics exports them, each site a workspace
OUT/truth.csv.gz     item_id,network,time,host,name,strict,lenient: campaign and step of each row, or -
OUT/routines.csv.gz  item_id,network,chain,crosses: alerts of benign chains, and whether one crosses into operations
OUT/campaigns.json   the campaigns step by step, and the character of each site
OUT/assets.csv       what the sites believe of their hosts; OUT/maintenance.csv the windows they announced
OUT/lake.json        rows and time span of each table
OUT/run.yaml         ranks the set: python jobs/rank_alerts.py --config OUT/run.yaml

The same seed, options and version give the same bytes. Times are UTC; the period begins on Monday 2 March 2026.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a folder: make the package importable under its name
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from plantbench import shape
from plantbench.generate import generate
from plantbench.levels import LEVELS


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; 2 means that the caller can put it right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="new or empty folder")
    parser.add_argument("--seed", type=int, required=True, help="decides everything that is not given")
    parser.add_argument("--level", choices=LEVELS, default="hard", help="how hard it is; %(default)s if not given")
    parser.add_argument("--alerts", type=int, help="about so many rows in all; 200,000, or what `sparse` decides")
    parser.add_argument(
        "--days", type=int, help="21, or 42 of sparse; dwell times are cut to what fits; 14 days of dwell need 18"
    )
    parser.add_argument("--sites", type=int, default=2)
    parser.add_argument("--desks", type=int, help="workstations a site; drawn if not given")
    parser.add_argument("--first", type=int, default=0, help="number of the first site: others can lie in one lake")
    parser.add_argument(
        "--family", action="append", default=[], help="intrusions of this family alone; may be repeated"
    )
    parser.add_argument("--shape", action="store_true", help="print the shape report of the new set as well")
    args = parser.parse_args(argv)
    try:
        note = generate(
            args.out,
            args.seed,
            **{"alerts": args.alerts, "days": args.days, "sites": args.sites, "desks": args.desks},
            **{"first": args.first, "families": args.family, "level": args.level},
        )
    except (ValueError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(note, indent=2))
    return shape.main([str(args.out)]) if args.shape else 0


if __name__ == "__main__":
    sys.exit(main())
