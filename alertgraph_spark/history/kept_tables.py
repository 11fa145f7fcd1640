"""Fold kept lines: what of them is told again, and which say the same in one bin. As Spark folds lines that it has parsed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.tables.embedded import Engine, conform_arrow, parquet, quoted
from alertgraph_spark.tables.interim_schemas import AGAIN, HEARD
from alertgraph_spark.tables.rates import HOUR

_OF_A_LINE = ("table", "site", "status", "hour")
SPAN = (*_OF_A_LINE, "source", "bin", "word")
"""What the alerts of one span have in common."""

WORDS = "(SELECT DISTINCT ON (word) word, said FROM words)"
"""What is said, each once, as SQL."""


class Parts(NamedTuple):
    """The parts that are read, as files of this machine, and the hours of the export that count, the last excluded."""

    files: list[str]
    hours: tuple[int, int]

    @property
    def sql(self) -> str:
        """All rows of the parts, each with its file and its number there."""
        return parquet(self.files, "filename = true", "file_row_number = true")

    @property
    def inside(self) -> str:
        """Whether a row is of these hours: a part of a whole day may hold more."""
        return f"export_hour >= {self.hours[0]} AND export_hour < {self.hours[1]}"


def keep_lines(engine: Engine, parts: Parts, start: datetime, end: datetime) -> None:
    """Keep `words`, what rows say, and `lines`, the lines with the word and what they are to the window."""
    engine.keep(
        "words",
        f"""
        SELECT filename, says, dense_rank() OVER (ORDER BY tie, said) AS word, tie, said
        FROM {parts.sql} WHERE said IS NOT NULL
        """,
    )
    places = ", ".join(f"({quoted(file)}, {number})" for number, file in enumerate(parts.files))
    engine.keep("places", f"SELECT * FROM (VALUES {places}) places(filename, part)")
    engine.keep("numbers", "SELECT part, says, word FROM words JOIN places USING (filename)")
    engine.keep(
        "lines",
        f"""
        SELECT p.part::BIGINT << 32 | k.file_row_number AS row, k."table", k.site, k.source, k.reason, k.n_lines,
            k.export_hour, k.received_at, k.observed_at, k.severity, n.word,
            CASE WHEN k.reason IS NOT NULL THEN 'rejected' WHEN k.received_at >= {_time(end)} THEN 'out_of_window'
                WHEN k.received_at < {_time(start)} THEN 'history' ELSE 'alert' END AS status
        FROM {parts.sql} k JOIN places p USING (filename) LEFT JOIN numbers n ON n.part = p.part AND n.says = k.says
        WHERE {parts.inside}
        """,
    )


def keep_repeats(engine: Engine, parts: Parts, by_id: Collection[str], end: datetime) -> None:
    """Keep `repeats`, the lines that do not stand as they are, as `normalise.repeats.find_repeats` gives them."""
    named = ", ".join(f"'{name}'" for name in sorted(by_id)) or "NULL"
    said = f"k.reason IS NULL AND k.received_at < {_time(end)} AND {parts.inside}"
    more_than_once = "SELECT hash(site, source, alert_id) AS hash"
    engine.keep("hashes", f"{more_than_once} FROM {parts.sql} k WHERE {said} GROUP BY hash HAVING count(*) > 1")
    engine.keep(
        "repeats",
        f"""
        WITH found AS (
            SELECT p.part::BIGINT << 32 | k.file_row_number AS row, k.received_at, k.observed_at, k.severity,
                CASE WHEN k.is_item THEN k.alert_id ELSE k.item_id END AS item_id, k.site, k.source, k.alert_id, w.tie,
                coalesce(k.source IN ({named}), false) AS is_by_id,
                CASE WHEN NOT coalesce(k.source IN ({named}), false) THEN w.said.name END AS told_name
            FROM {parts.sql} k JOIN places p USING (filename) JOIN words w USING (filename, says)
            SEMI JOIN hashes h ON hash(k.site, k.source, k.alert_id) = h.hash
            WHERE {said}
        ),
        marked AS (
            SELECT row, received_at, observed_at, row_number() OVER (
                    PARTITION BY site, source, alert_id, told_name
                    ORDER BY received_at DESC, item_id NULLS FIRST, observed_at, severity NULLS FIRST, tie
                ) > 1 AS is_repeat,
                CASE WHEN is_by_id THEN min(observed_at) OVER together END AS first_at,
                min(received_at) OVER together AS known_at
            FROM found WINDOW together AS (PARTITION BY site, source, alert_id, told_name)
        )
        SELECT row, is_repeat, first_at, known_at FROM marked
        WHERE is_repeat OR first_at < observed_at OR known_at < received_at
        """,
    )


def keep_folded(engine: Engine, gap_seconds: int) -> None:
    """Keep `binned`, the lines with their bin, and `folded`, the lines that say the same in one bin together."""
    engine.keep(
        "binned",
        f"""
        WITH marked AS (
            SELECT l.* REPLACE (coalesce(r.first_at, l.observed_at) AS observed_at),
                coalesce(r.is_repeat, false) AS is_repeat, coalesce(r.known_at, l.received_at) AS known_at
            FROM lines l LEFT JOIN repeats r USING (row)
        )
        SELECT * EXCLUDE (is_repeat) REPLACE (CASE WHEN is_repeat THEN '{AGAIN}' || status ELSE status END AS status),
            CASE WHEN status IN ('alert', 'history') AND NOT is_repeat THEN floor(epoch_us(observed_at) / {HOUR})
                ELSE coalesce(floor(epoch_us(received_at) / {HOUR}), export_hour) END::BIGINT AS hour,
            floor(epoch_us(observed_at) / {gap_seconds * 1_000_000})::BIGINT AS bin,
            status IN ('alert', 'history') AND NOT is_repeat AS is_seen
        FROM marked
        """,
    )
    of_alerts = [name for name in SPAN if name not in _OF_A_LINE]
    keys = ", ".join(f'CASE WHEN is_seen THEN "{name}" END AS "{name}"' for name in of_alerts)
    engine.keep(
        "folded",
        f"""
        SELECT *, row_number() OVER ()::VARCHAR AS span FROM (
            SELECT "table", site, status, reason, hour, {keys},
                min(CASE WHEN is_seen THEN observed_at END) AS started_at,
                max(CASE WHEN is_seen THEN observed_at END) AS ended_at,
                max(received_at) AS received_at,
                min(CASE WHEN is_seen THEN known_at END) AS known_at,
                sum(n_lines)::BIGINT AS n_alerts, max(severity) AS severity
            FROM binned GROUP BY ALL
        )
        """,
    )


def heard_in(engine: Engine) -> pa.Table:
    """Who was heard when (`interim_schemas.HEARD`), as `fold.on_spark.heard_in` tells it."""
    found = engine.query(
        f"""
        WITH rows AS (
            SELECT f.* REPLACE (coalesce(floor(epoch_us(known_at) / {HOUR})::BIGINT, hour) AS hour),
                (epoch_us(known_at) - epoch_us(started_at)) / 60000000 AS delay,
                CASE WHEN len(w.said.unknown) > 0 THEN n_alerts ELSE 0 END AS n_doubted
            FROM folded f LEFT JOIN {WORDS} w USING (word)
        ),
        median AS (
            SELECT "table", site, status, reason, hour, quantile_cont(delay, 0.5) AS delay_minutes
            FROM (SELECT *, unnest(range(n_alerts)) FROM rows WHERE delay IS NOT NULL) GROUP BY ALL
        ),
        heard AS (
            SELECT "table", site, status, reason, hour, sum(n_alerts)::BIGINT AS n_lines, count(*) AS n_spans,
                sum(n_doubted)::BIGINT AS n_unknown, max(received_at) AS received_at
            FROM rows GROUP BY ALL
        )
        SELECT h.*, m.delay_minutes FROM heard h LEFT JOIN median m
        ON {" AND ".join(f'h."{name}" IS NOT DISTINCT FROM m."{name}"' for name in (*_OF_A_LINE, "reason"))}
        """
    )
    return conform_arrow(found, HEARD)


def _time(time: datetime) -> str:
    return f"TIMESTAMPTZ '{time.isoformat()}'"
