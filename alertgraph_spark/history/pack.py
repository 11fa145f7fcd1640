"""Pack: parsed lines become the part of a day or an hour, and parts of hours the part of their day."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from alertgraph_spark.tables.embedded import Engine, arrow_schema, conform_arrow, parquet, quoted
from alertgraph_spark.tables.history_schemas import KEPT
from alertgraph_spark.tables.interim_schemas import NO_ALERT
from alertgraph_spark.tables.rates import HOUR
from alertgraph_spark.tables.schemas import TORN, UNFINISHED

_IDS, _TIMES = ("alert_id", "item_id", "line"), ("received_at", "observed_at")
"""Columns whose values hardly ever come twice: a dictionary of them would be as long as they are."""

_NUMBER = "CASE WHEN said IS NOT NULL THEN dense_rank() OVER (ORDER BY said IS NULL, tie, said) END"
"""The number of what a row says, within its part, as SQL."""

_IN_ORDER = 'says NULLS LAST, "table", reason, export_hour, received_at, alert_id, item_id, observed_at, severity, line'
"""The order of a part's rows: equal rows make an equal part, whether of lines or of the parts of hours."""


def pack(engine: Engine, files: Sequence[str], site: str, hours: tuple[int, int]) -> pa.Table:
    """Make one part of parsed lines.

    Parameters
    ----------
    engine
        DuckDB in this process.
    files
        Parquet files of `FOLDED`, which hold other lines too.
    site
        The workspace whose lines are wanted.
    hours
        The first of the wanted hours since 1970, and the one after the last, by the folder of a line.

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
            SELECT * FROM {parquet(files, "hive_partitioning = false")}
            WHERE export_hour >= {first} AND export_hour < {last} AND site = {quoted(site)}
        ),
        torn AS (SELECT row, file_id FROM lines WHERE reason = {quoted(TORN)}),
        unfinished AS (
            SELECT row FROM torn ANTI JOIN (SELECT row - 1 AS row, file_id FROM lines) next USING (row, file_id)
        ),
        reasoned AS (
            SELECT l.* EXCLUDE (row, file_id) REPLACE (
                CASE WHEN u.row IS NOT NULL THEN {quoted(UNFINISHED)} ELSE reason END AS reason
            )
            FROM lines l LEFT JOIN unfinished u USING (row)
        ),
        numbered AS (
            SELECT * EXCLUDE (item_id), 1::BIGINT AS n_lines, item_id IS NOT DISTINCT FROM alert_id AS is_item,
                CASE WHEN item_id IS DISTINCT FROM alert_id THEN item_id END AS item_id,
                {_NUMBER} AS says
            FROM reasoned WHERE reason IS DISTINCT FROM '{NO_ALERT}'
        )
        SELECT * FROM numbered
        UNION ALL BY NAME
        SELECT "table", site, export_hour, reason, max(received_at) AS received_at, count(*) AS n_lines
        FROM reasoned WHERE reason = '{NO_ALERT}'
        GROUP BY "table", site, export_hour, reason, floor(epoch_us(received_at) / {HOUR})
        ORDER BY {_IN_ORDER}
        """
    )
    return _said_once(conform_arrow(kept, KEPT))


def merge(engine: Engine, files: Sequence[str]) -> pa.Table:
    """Make one part of some that hold different hours of one day; files of `KEPT` in, rows as `pack` gives them out."""
    kept = engine.query(
        f"""
        WITH parts AS (SELECT * FROM {parquet(files, "filename = true")}),
        words AS (SELECT filename, says, said, tie FROM parts WHERE said IS NOT NULL),
        whole AS (
            SELECT p.* EXCLUDE (filename, says, said, tie), w.said, w.tie
            FROM parts p LEFT JOIN words w USING (filename, says)
        )
        SELECT *, {_NUMBER} AS says FROM whole
        ORDER BY {_IN_ORDER}
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


def written(kept: pa.Table) -> bytes:
    """A part as the bytes of its file; equal rows make equal bytes."""
    sink = io.BytesIO()
    repeated = [name for name in kept.column_names if name not in (*_IDS, *_TIMES)]
    encodings = dict.fromkeys(_IDS, "PLAIN") | dict.fromkeys(_TIMES, "DELTA_BINARY_PACKED")
    pq.write_table(kept, sink, compression="zstd", use_dictionary=repeated, column_encoding=encodings)
    return sink.getvalue()
