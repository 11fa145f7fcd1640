"""The command itself: look, say what was found, write two files, say what comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from alertgraph_spark.access import session
from alertgraph_spark.commands.init.fit import choices, try_formats
from alertgraph_spark.commands.init.hosts import asset_list, seen_most
from alertgraph_spark.commands.init.sheet import (
    INCIDENTS,
    Look,
    configuration,
    days_words,
    next_command,
    sites_words,
)
from alertgraph_spark.commands.init.survey import ExportedTable, list_tables, renamed, take_sample
from alertgraph_spark.config import format_files
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.shipped import shipped_file, shipped_formats
from alertgraph_spark.config.source_format import Asset, Format
from alertgraph_spark.errors import ConfigError, SourceError
from alertgraph_spark.publish import results
from alertgraph_spark.read.assets import load_assets
from alertgraph_spark.short_text import LINE, WORD, many, short

Say = Callable[[str], None]

ASSETS = "assets.csv"


def add_command(commands: Any, say: Say, start: Callable[[], SparkSession]) -> None:
    """Add `init` to the commands of a parser.

    Parameters
    ----------
    commands
        The sub-parsers of argparse.
    say
        Prints a line.
    start
        Starts a session of Spark.
    """
    parser = commands.add_parser(
        "init",
        help="look at an export and write the configuration that ranks it",
        description="Look at an export: which tables, sites and days it has, how many rows a day, and which of the shipped"
        f" formats reads each table, tried on a sample of its rows. Write a commented configuration, and beside it {ASSETS}"
        " with the networks and machines that alerts name most, for you to say what they are.",
        epilog=f"An {ASSETS} that is there already is kept. Ends with 0, or with 2 if the export cannot be read, no format"
        " fits any of its tables, or the file is there and --yes is not given.",
    )
    parser.add_argument(
        "--root",
        required=True,
        metavar="FOLDER",
        help="folder that holds the am-<table> folders, or a URL that Spark reads",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("run.yaml"), metavar="FILE", help="the configuration, default run.yaml"
    )
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="NAME",
        help="a table to ask for where the root has {container} in it, and so lists none; may be given several times",
    )
    parser.add_argument("--yes", action="store_true", help="overwrite the configuration if it is there")
    parser.set_defaults(run=lambda args: init(args.root, args.out, args.table, say, start, may_overwrite=args.yes))


def init(
    root: str, out: Path, asked: Sequence[str], say: Say, start: Callable[[], SparkSession], *, may_overwrite: bool
) -> int:
    """Look at an export and write the configuration and the asset list.

    Parameters
    ----------
    root
        The setting `export.root`.
    out
        The configuration that is to be written; the asset list comes beside it.
    asked
        Tables to ask for, beside those that are known.
    say
        Prints a line.
    start
        Starts a session of Spark.
    may_overwrite
        Whether `out` may be there already.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    ConfigError
        If `out` is there and may not be overwritten, or the root is none that Spark reads.
    SourceError
        If the export cannot be read, or no shipped format fits any of its tables.
    """
    if out.exists() and not may_overwrite:
        raise ConfigError(f"{out} is there already: name another by --out, or overwrite it by --yes")
    list_there = out.parent / ASSETS
    kept = load_assets(list_there) if list_there.exists() else None
    is_platform = session.is_platform()  # before a session of our own is there
    root = _checked(root, is_platform)
    spark = start()
    formats = {name: format_files.load_format(shipped_file(name)) for name in shipped_formats()}
    looks = _one_a_table(_looked_at(spark, list_tables(spark, root, asked), formats, say))
    if not any(look.best for look in looks):
        names = ", ".join(look.table.name for look in looks)
        raise SourceError(f"no shipped format fits a table of {root}, which has {names}; write one: docs/formats.md")
    write_both(root, out, looks, kept, say, is_platform=is_platform)
    return 0


def write_both(
    root: str, out: Path, looks: Sequence[Look], kept: Sequence[Asset] | None, say: Say, *, is_platform: bool
) -> None:
    """Write the configuration, once it has been seen to load, and the asset list.

    Parameters
    ----------
    root
        The setting `export.root`.
    out
        The configuration that is to be written.
    looks
        What was found of each table.
    kept
        The asset list that is there already, which stays.
    say
        Prints a line.
    is_platform
        Whether a platform starts Spark and has a tracking server.

    Raises
    ------
    ConfigError
        If a run would refuse the configuration, as where the root holds a secret; then neither file is written.
    """
    folder, trial = results.LocalFolder(str(out.parent)), f"{out.name}.new"
    networks, hosts = seen_most(sum((look.best.entities for look in looks if look.best), Counter[str]()))
    text = configuration(root, out, looks, ASSETS, is_platform=is_platform).encode()
    if kept is None:
        folder.write(ASSETS, asset_list(networks, hosts).encode())
    folder.write(trial, text)
    try:
        load_settings(out.parent / trial)
    except ConfigError:
        if kept is None:
            folder.remove(ASSETS)
        raise
    finally:
        folder.remove(trial)
    folder.write(out.name, text)
    told = (
        f"{many(len(networks), 'network')} and {many(len(hosts), 'machine')} that alerts name most; say what you know"
    )
    if kept is not None:
        told = f"is there already, with {many(len(kept), 'row')}; it is kept"
    say(f"config    {out}")
    say(f"assets    {out.parent / ASSETS}: {told}")
    say(f"next      {next_command(out)}")


def _checked(root: str, is_platform: bool) -> str:
    """The root as the configuration has it: a folder of this machine by its whole path, whatever folder a run starts in."""
    if root.lower().startswith(("http:", "https:")):
        raise ConfigError(
            f"{root}: init looks at a folder, or at a URL that Spark reads; start from conf/local.yaml here"
        )
    if is_platform or "{container}" in root or not results.is_local(root) or root.startswith("file:"):
        return root
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise SourceError(f"{root}: no such folder")
    if folder.name.startswith("am-"):
        raise SourceError(f"{root} is one table of an export; the root is the folder above it: {folder.parent}")
    return str(folder)


def _looked_at(
    spark: SparkSession, tables: Sequence[ExportedTable], formats: Mapping[str, Format], say: Say
) -> Iterator[Look]:
    days = sorted({day for table in tables for day in table.days})
    sites = sorted({site for table in tables for site in table.sites})
    say(f"export    {sites_words(sites)}; {days_words(days)}")
    for table in tables:
        with session.tuned(spark, 0, {}):
            sample = take_sample(spark, table)
            named = renamed(table, sample.called)
            fits = [] if named.name == INCIDENTS else try_formats(spark, sample, formats)
        look = Look(named, sample.rows_a_day, fits)
        say(f"table     {short(named.name, WORD)}: {look.span}")
        for line in _fit_words(look):
            say(f"          {line}")
        yield look


def _fit_words(look: Look) -> Iterator[str]:
    if look.table.name == INCIDENTS:
        yield "read as incidents: what analysts say of them comes back as verdicts"
    elif look.best is None:
        yield "not read: no shipped format fits"
    for number, fit in enumerate(choices(look.fits)):
        yield f"{'' if number == 0 else 'or '}{fit.format}: {short(fit.words, LINE)}"


def _one_a_table(looks: Iterable[Look]) -> list[Look]:
    """Of two containers with one table the one with more days: a format reads a table once."""
    found: dict[str, Look] = {}
    for look in looks:
        name = look.table.name.lower()
        if name not in found or len(look.table.folders) > len(found[name].table.folders):
            found[name] = look
    return list(found.values())
