"""Pack: exported lines are parsed by Spark, and become parts, a part a closed day or open hour of a site."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.access.session_conf import session_conf
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.history.plan import Unit
from alertgraph_spark.history.store import Part, Store
from alertgraph_spark.normalise.alerts import parse_lines
from alertgraph_spark.read.export import read_folders
from alertgraph_spark.read.export_layout import export_hour
from alertgraph_spark.tables.embedded import Engine, arrow_schema, conform_arrow
from alertgraph_spark.tables.frames import conform
from alertgraph_spark.tables.history_schemas import FOLDED, KEPT
from alertgraph_spark.tables.interim_schemas import NO_ALERT, SAID
from alertgraph_spark.tables.rates import HOUR
from alertgraph_spark.tables.schemas import TORN, UNFINISHED

CHUNK_BYTES = 1_000_000_000
"""Bytes of exported lines that are folded at a time: what is folded is kept, so a run that ends goes on from there."""

OnPart = Callable[[Unit], None]

_IDS, _TIMES = ("alert_id", "item_id", "line"), ("received_at", "observed_at")
"""Columns whose values hardly ever come twice: a dictionary of them would be as long as they are."""


def fold_units(
    spark: SparkSession,
    store: Store,
    units: Sequence[Unit],
    formats: Mapping[str, Format],
    on_part: OnPart = lambda unit: None,
) -> list[Part]:
    """Read the exported lines of some units, and keep a part of each.

    Parameters
    ----------
    units
        Days or hours that are not in the store; in order of time, so that what a killed run has kept is of use.
    formats
        Table name to the format of its rows.
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
    for unit, content in packed_units(spark, store, units, formats):
        found.append(store.keep(unit.site, unit.day, unit.hour, unit.fingerprint, content))
        on_part(unit)
    return found


def packed_units(
    spark: SparkSession, store: Store, units: Sequence[Unit], formats: Mapping[str, Format]
) -> Iterator[tuple[Unit, bytes]]:
    """Read the exported lines of some units, and yield each with the bytes of its part; nothing is kept."""
    for chunk in _chunks(units):
        yield from _packed(spark, store, chunk, formats)


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


def _packed(
    spark: SparkSession, store: Store, units: Sequence[Unit], formats: Mapping[str, Format]
) -> Iterator[tuple[Unit, bytes]]:
    paths: dict[str, list[str]] = defaultdict(list)
    for unit in units:
        for hour in unit.hours:
            for table, of in hour.paths:
                paths[table] += of
    raw = {table: read_folders(spark, table, paths[table], format_.reads) for table, format_ in formats.items()}
    name = store.new_folding()
    try:
        lines = folded_lines(raw, formats).withColumn("day", F.floor(F.col("export_hour") / 24))
        with session_conf(spark, {"spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS"}):
            lines.write.partitionBy("day").parquet(f"{store.files.place}/{name}")
        folder = store.files.here(name)
        assert folder
        with Engine() as engine:
            for unit in units:
                yield unit, _written(pack(engine, _lines_of(folder, unit), unit.site, unit.span))
    finally:
        store.files.clear(name)


def merge_parts(store: Store, unit: Unit, parts: Sequence[Part]) -> Part:
    """Make the part of a closed day of those of its hours; no exported line is read."""
    with Engine() as engine:
        content = _written(merge(engine, [str(store.file(part)) for part in parts]))
    return store.keep(unit.site, unit.day, unit.hour, unit.fingerprint, content)


def folded_lines(raw: Mapping[str, DataFrame], formats: Mapping[str, Format]) -> DataFrame:
    """Parse exported lines as far as they are kept (`FOLDED`); one input and one output row is one line. Narrow."""
    lines = parse_lines(raw, formats)
    is_alert = F.col("reason").isNull()
    said = F.struct(*SAID.names)

    def of_alerts(value: Column) -> Column:
        return F.when(is_alert, value)

    return conform(
        lines.withColumns(
            {
                "export_hour": F.expr(export_hour("path")),
                "row": F.monotonically_increasing_id(),
                "said": of_alerts(said),
                "tie": of_alerts(F.xxhash64(said)),
                **{name: of_alerts(F.col(name)) for name in ("alert_id", "item_id", "observed_at", "severity")},
            }
        ),
        FOLDED,
    )


def _lines_of(folder: Path, unit: Unit) -> list[str]:
    return sorted(str(file) for file in (folder / f"day={unit.span[0] // 24}").glob("*.parquet"))


def pack(engine: Engine, files: Sequence[str], site: str, hours: tuple[int, int]) -> pa.Table:
    """Make one part of parsed lines.

    Parameters
    ----------
    files
        Parquet files of `FOLDED`, which hold other lines too.
    site, hours
        The lines that are wanted: of this site, in folders of these hours since 1970, the last excluded.

    Returns
    -------
    pa.Table
        `KEPT`, by what the rows say. Rows that are simply no alerts are counted by table and hour; a torn line that is the
        last of its file is told from those that lines follow.
    """
    if not files:
        return arrow_schema(KEPT).empty_table()
    first, last = hours
    kept = engine.query(
        f"""
        WITH lines AS (
            SELECT * FROM read_parquet({_listed(files)}, hive_partitioning = false)
            WHERE export_hour >= {first} AND export_hour < {last} AND site = {_quoted(site)}
        ),
        torn AS (SELECT row, file_id FROM lines WHERE reason = {_quoted(TORN)}),
        unfinished AS (
            SELECT row FROM torn ANTI JOIN (SELECT row - 1 AS row, file_id FROM lines) next USING (row, file_id)
        ),
        reasoned AS (
            SELECT l.* EXCLUDE (row, file_id) REPLACE (
                CASE WHEN u.row IS NOT NULL THEN {_quoted(UNFINISHED)} ELSE reason END AS reason
            )
            FROM lines l LEFT JOIN unfinished u USING (row)
        ),
        numbered AS (
            SELECT * EXCLUDE (item_id), 1::BIGINT AS n_lines, item_id IS NOT DISTINCT FROM alert_id AS is_item,
                CASE WHEN item_id IS DISTINCT FROM alert_id THEN item_id END AS item_id,
                CASE WHEN said IS NOT NULL THEN dense_rank() OVER (ORDER BY said IS NULL, tie, said) END AS says
            FROM reasoned WHERE reason IS DISTINCT FROM '{NO_ALERT}'
        )
        SELECT * FROM numbered
        UNION ALL BY NAME
        SELECT "table", site, export_hour, reason, max(received_at) AS received_at, count(*) AS n_lines
        FROM reasoned WHERE reason = '{NO_ALERT}'
        GROUP BY "table", site, export_hour, reason, floor(epoch_us(received_at) / {HOUR})
        ORDER BY says NULLS LAST, "table", reason, export_hour, received_at, alert_id, item_id, observed_at, severity, line
        """
    )
    return _said_once(conform_arrow(kept, KEPT))


def merge(engine: Engine, files: Sequence[str]) -> pa.Table:
    """Make one part of some that hold different hours of one day; files of `KEPT` in, rows as `pack` gives them out."""
    kept = engine.query(
        f"""
        WITH parts AS (SELECT * FROM read_parquet({_listed(files)}, filename = true)),
        words AS (SELECT filename, says, said, tie FROM parts WHERE said IS NOT NULL)
        SELECT p.* EXCLUDE (filename, says, said, tie), w.said, w.tie,
            CASE WHEN w.said IS NOT NULL THEN dense_rank() OVER (ORDER BY w.said IS NULL, w.tie, w.said) END AS says
        FROM parts p LEFT JOIN words w USING (filename, says)
        ORDER BY says NULLS LAST, "table", reason, export_hour, received_at, alert_id, item_id, observed_at, severity, line
        """
    )
    return _said_once(conform_arrow(kept, KEPT))


def _said_once(kept: pa.Table) -> pa.Table:
    """What a row says stands in the first row of the part that says it."""
    kept = kept.combine_chunks()
    says = kept["says"].combine_chunks() if kept.num_rows else pa.array([], pa.int64())
    before = pa.concat_arrays([pa.array([None], pa.int64()), says.slice(0, max(len(says) - 1, 0))]).slice(0, len(says))
    is_first = pc.fill_null(pc.not_equal(says, before), True)
    for name in ("said", "tie"):
        kind = kept.schema.field(name).type
        kept = kept.set_column(
            kept.schema.get_field_index(name), name, pc.if_else(is_first, kept[name], pa.scalar(None, kind))
        )
    return kept


def _written(kept: pa.Table) -> bytes:
    """A part as the bytes of its file; equal rows make equal bytes."""
    sink = io.BytesIO()
    repeated = [name for name in kept.column_names if name not in (*_IDS, *_TIMES)]
    encodings = dict.fromkeys(_IDS, "PLAIN") | dict.fromkeys(_TIMES, "DELTA_BINARY_PACKED")
    pq.write_table(kept, sink, compression="zstd", use_dictionary=repeated, column_encoding=encodings)
    return sink.getvalue()


def _listed(files: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, files))}]"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
