"""What the history saves: an hourly run with it and without it, a tick of a warm session, and the folding of a day.

    history.py [--lake FOLDER] [--days 30] [--alerts 100000] [--rounds 1] [--write docs/operations.md]

The lake is generated, one site with so many alerts a day; made in `.lakes/history` where it is not there yet. All is measured
in one sitting, whole processes from start to exit with all that they start, but for the ticks: they share one session, and
before each five more minutes of the lake have come. The window is a day that ends at noon of the last day; before it the
history holds all that an hour before was there.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from speed import LAKES, REPO, Taken, measure

sys.path.insert(0, str(REPO))  # the job is no part of this folder

HOUR, TICK = timedelta(hours=1), timedelta(minutes=5)
BEGIN, END = "<!-- figures: benchmarks/history.py -->\n", "<!-- end of history figures -->\n"


def lake_of(days: int, alerts: int) -> Path:
    """The folder of the generated set, with its configuration `run.yaml`."""
    folder = LAKES / "history" / f"{days}-{alerts}"
    if not (folder / "lake.json").exists():
        how = ["--seed", "4", "--days", str(days), "--alerts", str(days * alerts), "--sites", "1"]
        make = [sys.executable, "-m", "plantbench", str(folder), *how]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=REPO / "benchmarks")
    return folder


def settings(results: Path, *more: str) -> list[str]:
    """Settings of a run that leaves all it makes in a folder."""
    said = [f"results.path={results}", "spark.driver_memory=4g", *more]
    return [part for one in said for part in ("--set", one)]


def job(config: Path, end: datetime, *given: str) -> list[str]:
    """The command of a run whose window is the day before `end`."""
    window = ["--start", (end - 24 * HOUR).isoformat(), "--end", end.isoformat()]
    return [sys.executable, str(REPO / "jobs/rank_alerts.py"), "--config", str(config), *window, *given]


def ticks(config: Path, ends: list[datetime], given: list[str]) -> None:
    """Rank the windows of some ends in one session, and print the seconds of each."""
    from alertgraph_spark.commands.arguments import arguments  # noqa: PLC0415  # only the child that ticks needs it
    from alertgraph_spark.commands.cli import Console  # noqa: PLC0415
    from jobs import rank_alerts  # noqa: PLC0415

    args = arguments("", ["--config", str(config), *given])
    run = rank_alerts.Job.ready(rank_alerts.usable_settings(args), Console(sys.stderr))
    with growing(config.parent / "lake", ends[0] - TICK) as come:
        for end in ends:
            come(end)
            begin = time.perf_counter()
            run.rank(end - 24 * HOUR, end)
            sys.stdout.write(f"{time.perf_counter() - begin:.2f}\n")


@contextmanager
def growing(lake: Path, now: datetime) -> Iterator[Callable[[datetime], None]]:
    """Take the folders of a lake away that begin at a time or later; yield what puts back those before another time."""
    away = lake.with_name("later")
    later = [(folder, begins) for folder in lake.rglob("m=??") if (begins := begin_of(folder)) and begins >= now]
    places = {folder: away / str(number) for number, (folder, _) in enumerate(later)}
    away.mkdir()

    def come(end: datetime) -> None:
        for folder, begins in later:
            if begins < end and places[folder].exists():
                places[folder].rename(folder)

    for folder, place in places.items():
        folder.rename(place)
    try:
        yield come
    finally:
        come(datetime.max.replace(tzinfo=timezone.utc))
        away.rmdir()


def begin_of(folder: Path) -> datetime | None:
    """When the five minutes of an export's folder begin; None where it is a folder of a month."""
    found = re.search(r"y=(\d+)/m=(\d+)/d=(\d+)/h=(\d+)/m=(\d+)$", folder.as_posix())
    return datetime(*map(int, found.groups()), tzinfo=timezone.utc) if found else None  # type: ignore[misc,arg-type]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", type=Path, metavar="FOLDER", help="a set that plantbench has made")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--alerts", type=int, default=100_000, help="a day")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between its marks in a page")
    parser.add_argument("--ticks", nargs="+", help=argparse.SUPPRESS)
    args, given = parser.parse_known_args()
    if args.ticks:
        return ticks(Path(args.ticks[0]), [datetime.fromisoformat(one) for one in args.ticks[1:]], given)
    folder = args.lake or lake_of(args.days, args.alerts)
    with tempfile.TemporaryDirectory() as home:
        lines = measured(folder, args.days, Path(home))
    text = "\n".join([f"| {args.days} days of {args.alerts:,} alerts | | aim |", "|---|---|---|", *lines])
    print(text)
    if args.write:
        page = args.write.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        args.write.write_text(f"{before}{BEGIN}{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    return None


def measured(folder: Path, days: int, home: Path) -> list[str]:
    """Measure all on one lake; return the rows of the table."""
    config = folder / "run.yaml"
    first = datetime(2026, 3, 2, tzinfo=timezone.utc)  # plantbench's own
    noon = first + timedelta(days=days - 1, hours=12)
    kept, day = settings(home / "kept"), (first + timedelta(days=3)).date().isoformat()
    alertgraph = [sys.executable, "-m", "alertgraph_spark", "history", "fold", "--config", str(config)]

    def timed(what: str, command: list[str]) -> Taken:
        taken = measure(command)
        print(
            f"{what:<44}{taken.wall:>7.1f} s {taken.processor:>7.1f} s of a processor {taken.gib:>5.1f} GiB", flush=True
        )
        return taken

    one = timed("one day folded", [*alertgraph, "--from", day, "--to", day, *settings(home / "day")])
    until = ["--start", f"{day}T00:00:00Z", "--end", f"{day}T23:55:00Z"]
    alone = settings(home / "one", "history.path=none", "export.history_hours=0", "export.look_back_hours=0")
    read = timed("the same day read and ranked", [*job(config, noon)[:4], *until, *alone])
    backfill = timed("all days folded", [*alertgraph, *kept])
    timed("the run an hour before", job(config, noon - HOUR, *kept))
    hourly = timed("an hourly run with the history", job(config, noon, *kept))
    again = timed("the same without it", job(config, noon, *settings(home / "raw", "history.path=none")))
    moments = [(noon + number * TICK).isoformat() for number in range(1, 6)]
    told = subprocess.run(
        [sys.executable, __file__, "--ticks", str(config), *moments, *kept],
        check=True,
        capture_output=True,
        text=True,
        cwd=REPO,
    )
    seconds = [float(line) for line in told.stdout.splitlines()[-len(moments) :]]
    print(f"{'ticks of one session':<44}{', '.join(f'{one:.1f}' for one in seconds)} s")
    parts = sum(file.stat().st_size for file in (home / "kept-history").glob("part~*~day~*"))
    raw = sum(file.stat().st_size for file in (folder / "lake").rglob("*.json") if is_closed(file, noon))
    peak = max(one.gib for one in (hourly, backfill))
    return [
        f"| an hourly run with the history, of one without: processor time | {hourly.processor / again.processor:.0%} "
        f"({hourly.processor:.0f} s of {again.processor:.0f} s) | 10 % |",
        f"| an hourly run with the history: wall | {hourly.wall:.1f} s (without {again.wall:.1f} s) | 25 s |",
        f"| a tick in a warm session, the slowest of {len(seconds) - 1} after the first | {max(seconds[1:]):.1f} s | 8 s |",
        f"| folding a day, of reading and ranking it: processor time | {one.processor / read.processor:.2f} | 1.2 |",
        f"| all {days} days folded | {backfill.wall:.0f} s | |",
        f"| peak memory | {peak:.1f} GiB | 4 GiB |",
        f"| closed days, of the exported bytes | {parts / raw:.1%} | 5 % |",
    ]


def is_closed(file: Path, noon: datetime) -> bool:
    """Whether a file is of a day that is closed at a time, by the look-back of 48 hours."""
    year, month, date = (int(part.split("=")[1]) for part in file.parts[-6:-3])
    return datetime(year, month, date, tzinfo=timezone.utc) + timedelta(days=3) <= noon.replace(hour=23)


if __name__ == "__main__":
    main()
