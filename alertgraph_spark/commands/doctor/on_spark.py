"""What a session of Spark alone can tell: places that Hadoop reaches, GraphFrames' classes, and formats on real rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from pyspark.sql import SparkSession

from alertgraph_spark.access import session
from alertgraph_spark.commands import samples
from alertgraph_spark.commands.doctor.findings import FAIL, OK, WARN, Finding
from alertgraph_spark.commands.format_check import Check, check_rows, lines_of
from alertgraph_spark.commands.format_report import share
from alertgraph_spark.commands.trial import laid_out, told_as_the_formats
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.graph.on_graphframes import graphframes_available
from alertgraph_spark.publish import results
from alertgraph_spark.short_text import CELL, WORD, short
from alertgraph_spark.tables.interim_schemas import NO_ALERT

PROBE = ".alertgraph-doctor"
"""A file that is written and removed, to know whether a folder can be written."""

FEW_REFUSED = 0.05
"""Share of the rows that are refused from which on somebody should look."""

_MOST_SAID = 3
"""Reasons and words that are named."""

Start = Callable[[], SparkSession]


def start(settings: Settings) -> SparkSession:
    """The session that a run with this configuration would have."""
    of = settings.spark
    return session.start_session("alertgraph", of.master, of.driver_memory, of.conf, settings.graph.jars)


def place(key: str, at: str, spark: SparkSession) -> Iterator[Finding]:
    """A folder that a run writes elsewhere: a small file is written and removed."""
    folder = results.open_folder(at, spark)
    folder.make(key)
    folder.write(PROBE, b"")
    folder.remove(PROBE)
    yield Finding(OK, key, f"{at} can be written")


def graphframes(settings: Settings, spark: SparkSession) -> Iterator[Finding]:
    """GraphFrames' classes, where the configuration asks for them."""
    if settings.graph.engine == "driver":
        return
    if graphframes_available(spark):
        yield Finding(OK, "GraphFrames on Spark", "its classes are on the driver's class path")
    elif settings.graph.engine == "graphframes":
        todo = "attach both jars to the pool or cluster, or name them in graph.jars; or set graph.engine: driver"
        yield Finding(FAIL, "GraphFrames on Spark", "its classes are not on the driver's class path", todo)


def rows(table: str, format_: Format, lines: list[str], spark: SparkSession) -> Iterator[Finding]:
    """What a format makes of the newest rows of its table."""
    what = f"rows of {table}"
    if not lines:
        yield Finding(WARN, what, "no row to try it on", "see the line of this table")
        return
    with ExitStack() as held:
        held.enter_context(session.tuned(spark, 0, {}))
        folder = held.enter_context(TemporaryDirectory(prefix="alertgraph-"))
        file = Path(folder, "rows.jsonl")
        file.write_text("\n".join(lines), encoding="utf-8", errors="replace")
        shape = samples.Shape("rows")
        sample, raw = held.enter_context(laid_out(spark, format_, [file], shape))
        held.enter_context(told_as_the_formats(spark, format_))
        check = check_rows(lines_of(raw, format_, shape.table, sample.received), 0)
    yield judge_rows(what, format_.name, check)


def judge_rows(what: str, name: str, check: Check) -> Finding:
    """Whether what the format of this name makes of rows is as it should be."""
    todo = "alertgraph formats check, with the format and a file of such rows, shows each row"
    n_none = check.refused.get(NO_ALERT, (0, None))[0]
    refused = {why: n for why, (n, _) in check.refused.items() if why != NO_ALERT}
    n_refused, n_asked = sum(refused.values()), check.n_rows - n_none
    said = f"{name}: {check.n_alerts:,} of {check.n_rows:,} are alerts"
    said += f", {n_none:,} none by the format's `where`" if n_none else ""
    said += "".join(f"; {n:,} refused: {short(why, CELL)}" for why, n in list(refused.items())[:_MOST_SAID])
    unknown = [f"{kind} {short(word, WORD)!r}" for kind, words in check.unknown.items() for word in words]
    if check.n_alerts:
        filled = ", ".join(f"{name} {share(n, check.n_alerts)}" for name, n in check.filled.items())
        said += f"; filled: {filled}"
    said += f"; unknown words: {', '.join(unknown[:_MOST_SAID])}" if unknown else ""
    if not check.n_alerts:
        level = FAIL if n_refused else WARN  # a sensor's table may be traffic in the main
        return Finding(level, what, said, todo if n_refused else f"if alerts are among them, {todo}")
    if n_refused > FEW_REFUSED * n_asked or unknown:
        return Finding(WARN, what, said, todo)
    return Finding(OK, what, said)
