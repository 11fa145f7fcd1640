"""What a person types: the job's command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

_SPAN = re.compile(r"([1-9]\d{0,4})([mhd])")
# Five digits: 99999d is 273 years, more would leave the calendar.
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def arguments(description: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line of the job.

    Without a window the run takes all that the export holds. `last` ends when the run begins.

    Parameters
    ----------
    description
        What `--help` says first.
    argv
        The arguments; those of this process if None.

    Returns
    -------
    argparse.Namespace
        `config`, `start` and `end` (aware, UTC, or None), `last`, `every`, `compile`, `post_only` and `set`.
    """
    parser = argparse.ArgumentParser(
        prog="rank_alerts.py", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True, type=Path, help="YAML file; its keys stand in conf/README.md")
    parser.add_argument(
        "--start", type=time_of, metavar="ISO", help="first TimeGenerated that counts, e.g. 2026-03-02T00:00:00Z"
    )
    parser.add_argument("--end", type=time_of, metavar="ISO", help="first TimeGenerated that does not count any more")
    parser.add_argument("--last", type=_span, metavar="SPAN", help="window that ends now: 90m, 24h, 7d")
    parser.add_argument(
        "--every",
        type=_span,
        metavar="SPAN",
        help="keep the session, and rank anew each time that so long has passed: 5m; until SIGTERM",
    )
    parser.add_argument(
        "--compile",
        metavar="PATH",
        help="besides ranking, write the window's alerts as one file for work outside Spark: JSON lines at PATH and Parquet"
        " beside it, or as alerts.jsonl and alerts.parquet in the folder PATH",
    )
    parser.add_argument(
        "--post-only", metavar="RUN_ID", help="rank nothing: post what of a saved run has not been delivered yet"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the config")
    args = parser.parse_args(argv)
    if args.last and (args.start or args.end):
        parser.error("--last goes without --start and --end")
    if args.every and (args.compile or args.end or args.post_only):
        parser.error("--every goes without --end, --compile and --post-only: its window moves")
    if args.post_only and (args.last or args.start or args.end or args.compile):
        parser.error("--post-only goes without a window and without --compile: the run has been computed")
    if args.last:
        args.end = datetime.now(timezone.utc)
        args.start = args.end - args.last
    if args.start and args.end and args.start >= args.end:
        parser.error(f"--start {args.start.isoformat()} is not before --end {args.end.isoformat()}")
    return args


def time_of(text: str) -> datetime:
    """A time with its zone, as an argument."""
    try:
        when = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time, e.g. 2026-03-02T00:00:00Z") from error
    if when.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} has no time zone; folders are UTC, so write {when.isoformat()}Z or an offset"
        )
    return when.astimezone(timezone.utc)


def _span(text: str) -> timedelta:
    match = _SPAN.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no span; allowed are 90m, 24h, 7d and the like")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def window_asked(args: argparse.Namespace) -> tuple[datetime | None, datetime | None]:
    """The window that is asked for; one that ends now is taken anew each time."""
    if args.last:
        now = datetime.now(timezone.utc)
        return now - args.last, now
    return args.start, args.end
