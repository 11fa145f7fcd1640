"""Fold exported lines: Spark parses them, and a part a closed day or open hour of a site is kept of what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.access.session_conf import session_conf
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.history.pack import merge, pack, written
from alertgraph_spark.history.plan import Unit
from alertgraph_spark.history.reader import Reader, folded_lines
from alertgraph_spark.history.store import Part, Store
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.rates import HOUR

CHUNK_BYTES = 1_000_000_000
"""Bytes of exported lines that are folded at a time: what is folded is kept, so a run that ends goes on from there."""

OnPart = Callable[[Unit], None]


def fold_units(reader: Reader, store: Store, units: Sequence[Unit], on_part: OnPart = lambda unit: None) -> list[Part]:
    """Read the exported lines of some units, and keep a part of each.

    Parameters
    ----------
    reader
        Gives the lines of units.
    store
        The history.
    units
        Days or hours that are not in the store; in order of time, so that what a killed run has kept is of use.
    on_part
        Told of each unit once its part is there.

    Returns
    -------
    list of Part
        In the order of units.

    Notes
    -----
    One Spark job for each `CHUNK_BYTES`; beside it this process holds the lines of one unit.
    """
    found = []
    for unit, content in packed_units(reader, store, units):
        found.append(store.keep(unit.site, unit.day, unit.hour, unit.fingerprint, content))
        on_part(unit)
    return found


def packed_units(reader: Reader, store: Store, units: Sequence[Unit]) -> Iterator[tuple[Unit, bytes]]:
    """Read the exported lines of some units, and make a part of each; nothing is kept.

    Parameters
    ----------
    reader
        Gives the lines of units.
    store
        The history; its folder holds the lines meanwhile.
    units
        Days or hours.

    Yields
    ------
    tuple
        A unit, and the bytes of its part.
    """
    for chunk in _chunks(units):
        yield from _packed(reader, store, chunk)


def _chunks(units: Iterable[Unit]) -> Iterator[list[Unit]]:
    chunk: list[Unit] = []
    n_bytes = 0
    for unit in units:
        if chunk and n_bytes + unit.n_bytes > CHUNK_BYTES:
            yield chunk
            chunk, n_bytes = [], 0
        chunk.append(unit)
        n_bytes += unit.n_bytes
    if chunk:
        yield chunk


def _packed(reader: Reader, store: Store, units: Sequence[Unit]) -> Iterator[tuple[Unit, bytes]]:
    with _staged(store, reader.lines(units)) as folder, Engine() as engine:
        for unit in units:
            first, last = unit.span
            yield unit, written(pack(engine, _lines_of(folder, first // 24), unit.site, (first, last)))


@contextmanager
def _staged(store: Store, lines: DataFrame) -> Iterator[Path]:
    """Write parsed lines by the day of their folder; yield a folder of this machine that holds them until the end."""
    name = store.new_folding()
    try:
        with session_conf(lines.sparkSession, {"spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS"}):
            by_day = lines.withColumn("day", F.floor(F.col("export_hour") / 24))
            by_day.write.partitionBy("day").parquet(f"{store.files.place}/{name}")
        folder = store.files.here(name)
        assert folder
        yield folder
    finally:
        store.files.clear(name)


def fold_job(rows: DataFrame, format_: Format, store: Store, *, table: str, site: str, fingerprint: str) -> list[Part]:
    """Keep the rows of an export job, a part a day, beside what a rule has exported.

    Parameters
    ----------
    rows
        As `export_job.read_export_job` gives them.
    format_
        The format of the rows.
    store
        The history.
    table
        The table that was exported.
    site
        The workspace.
    fingerprint
        Sixteen hexadecimal digits that tell this job's rows from those of any other.

    Returns
    -------
    list of Part
        In order of days.

    Notes
    -----
    A row counts to the day and hour of its TimeGenerated; one without, to no day: it is left out.
    """
    hour = f"floor(unix_micros(received_at) / {HOUR})"
    lines = folded_lines({table: rows}, {table: format_}, hour).filter("export_hour is not null")
    kept = []
    with _staged(store, lines) as folder, Engine() as engine:
        for number in sorted(int(path.name.removeprefix("day=")) for path in folder.glob("day=*")):
            content = written(pack(engine, _lines_of(folder, number), site, (number * 24, number * 24 + 24)))
            day = date(1970, 1, 1) + timedelta(days=number)
            kept.append(store.keep(site, day, None, fingerprint, content, is_job=True))
    return kept


def merge_parts(store: Store, unit: Unit, parts: Sequence[Part]) -> Part:
    """Make the part of a closed day of those of its hours; no exported line is read."""
    with Engine() as engine:
        content = written(merge(engine, [str(store.file(part)) for part in parts]))
    return store.keep(unit.site, unit.day, unit.hour, unit.fingerprint, content)


def _lines_of(folder: Path, day: int) -> list[str]:
    """The files of parsed lines of one day since 1970."""
    return sorted(str(file) for file in (folder / f"day={day}").glob("*.parquet"))
