"""Fold kept lines: what of them is told again, and which say the same in one bin. As Spark folds lines that it has parsed.

Most parts are settled: they lie before the window whole, and no later run finds them otherwise. Their lines are folded once a
session, as if nothing of them were told again. A run folds the lines of all other parts, and of settled ones those of which
something is told again; both together are what a fold of all lines would give.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from alertgraph_spark.tables.embedded import Engine, parquet, quoted
from alertgraph_spark.tables.interim_schemas import AGAIN
from alertgraph_spark.tables.rates import HOUR

OF_A_LINE = ("table", "site", "status", "hour")
SPAN = (*OF_A_LINE, "source", "bin", "word")
"""What the alerts of one span have in common."""

_SAME_ALERT = "hash(site, source, alert_id)"
"""What the rows of one alert have in common, and by chance some others."""

_IS_SEEN = "status IN ('alert', 'history') AND NOT is_repeat"


class Parts(NamedTuple):
    """Parts, as files of this machine by their number, and the hours of the export that count, the last excluded.

    A query must have a file: where there are no parts, `none` tells that no row of these files counts.
    """

    files: dict[str, int]
    hours: tuple[int, int]
    none: bool = False

    @property
    def rows(self) -> str:
        """All their rows, as SQL, each with its number `row` over all parts."""
        listed = parquet([*self.files], "filename = true", "file_row_number = true")
        places = ", ".join(f"({quoted(file)}, {number})" for file, number in self.files.items())
        return f"""(
            SELECT k.* EXCLUDE (filename, file_row_number), part, part::BIGINT << 32 | file_row_number AS row
            FROM {listed} k JOIN (VALUES {places}) places(filename, part) USING (filename) WHERE {not self.none}
        )"""

    @property
    def sql(self) -> str:
        """The rows of the hours that count. What such a row says may stand in a row of another hour."""
        return f"(FROM {self.rows} WHERE export_hour >= {self.hours[0]} AND export_hour < {self.hours[1]})"

    def only(self, numbers: Collection[int]) -> Parts:
        """Those with these numbers."""
        found = {file: number for file, number in self.files.items() if number in numbers}
        return self._replace(files=found or self.files, none=self.none or not found)


def _lines_of(parts: Parts, words: str, gap_seconds: int) -> str:
    """The lines of parts, as SQL: with their `word`, and hashes of their alert (`same`) and of what they are folded by."""
    fold = fold_of(_bin(gap_seconds))
    return f"""
        SELECT row, "table", site, source, reason, n_lines, export_hour, received_at, observed_at, severity, word,
            CASE WHEN reason IS NULL THEN {_SAME_ALERT} END AS same, CASE WHEN reason IS NULL THEN {fold} END AS fold
        FROM {parts.sql} LEFT JOIN {words} USING (part, says)
        """


def fold_of(bin_: str) -> str:
    """The hash of what lines are folded by, as SQL; `bin_` gives the bin."""
    return f'hash("table", site, source, word, {bin_})'


def keep_settled(engine: Engine, parts: Parts, by_id: Collection[str], gap_seconds: int) -> None:
    """Keep what a session needs of settled parts.

    Kept are `settled_said`, what rows say, each once with its `word`; `settled` lines; `settled_folded`, these folded;
    `settled_more`, the hashes of alerts of more than one line, and `settled_told`, the lines of these; and `settled_open`,
    what their lines are folded by.
    """
    engine.keep(
        "settled_numbers",
        f"""
        SELECT part, says, dense_rank() OVER (ORDER BY tie, said) AS word, tie, said
        FROM {parts.rows} WHERE said IS NOT NULL
        """,
    )
    engine.keep("settled_said", "SELECT DISTINCT ON (word) word, tie, said FROM settled_numbers")
    engine.keep(
        "settled",
        f"""
        SELECT *, CASE WHEN reason IS NOT NULL THEN 'rejected' ELSE 'history' END AS status
        FROM ({_lines_of(parts, "(SELECT part, says, word FROM settled_numbers)", gap_seconds)})
        """,
    )
    unchanged = "SELECT *, false AS is_repeat, received_at AS known_at FROM settled"
    engine.keep("settled_folded", _folded(_binned(unchanged, gap_seconds), "any_value(fold) AS fold,"))
    engine.keep("settled_more", "SELECT same FROM settled WHERE same IS NOT NULL GROUP BY same HAVING count(*) > 1")
    engine.keep("settled_told", _told(parts, "settled_numbers", "settled_more", by_id))
    engine.keep("settled_open", "SELECT DISTINCT fold FROM settled SEMI JOIN settled_more USING (same)")


def keep_lines(engine: Engine, parts: Parts, start: datetime, end: datetime, gap_seconds: int) -> None:
    """Keep `said`, what all rows say by `word`, and `recent`, the lines of parts that are not settled."""
    engine.keep(
        "numbers",
        f"""
        WITH found AS (SELECT part, says, tie, said FROM {parts.rows} WHERE said IS NOT NULL),
        ranked AS (
            SELECT *, max(word) OVER (PARTITION BY tie, said) AS known, dense_rank() OVER (ORDER BY tie, said) AS number
            FROM (FROM found UNION ALL BY NAME SELECT word, tie, said FROM settled_said)
        )
        SELECT part, says, coalesce(known, number + (SELECT coalesce(max(word), 0) FROM settled_said)) AS word, tie, said
        FROM ranked WHERE part IS NOT NULL
        """,
    )
    engine.keep(
        "said",
        "SELECT DISTINCT ON (word) word, tie, said FROM (SELECT word, tie, said FROM numbers UNION ALL FROM settled_said)",
    )
    engine.keep(
        "recent",
        f"""
        SELECT *, CASE WHEN reason IS NOT NULL THEN 'rejected' WHEN received_at >= {_time(end)} THEN 'out_of_window'
            WHEN received_at < {_time(start)} THEN 'history' ELSE 'alert' END AS status
        FROM ({_lines_of(parts, "(SELECT part, says, word FROM numbers)", gap_seconds)})
        """,
    )


def keep_repeats(engine: Engine, settled: Parts, recent: Parts, by_id: Collection[str], end: datetime) -> None:
    """Keep `repeats`, the lines that do not stand as they are, as `normalise.repeats.find_repeats` gives them.

    Also kept is `open`, what the settled lines are folded by that may be among them.
    """
    until = f"received_at < {_time(end)}"
    engine.keep("recent_same", f"SELECT DISTINCT same FROM recent WHERE same IS NOT NULL AND {until}")
    engine.keep("met", "SELECT row >> 32 AS part, same, fold FROM settled SEMI JOIN recent_same USING (same)")
    engine.keep("new", "SELECT DISTINCT part, same FROM met ANTI JOIN settled_more USING (same)")
    engine.keep(
        "more",
        f"""
        SELECT same FROM recent WHERE same IS NOT NULL AND {until} GROUP BY same HAVING count(*) > 1
        UNION SELECT same FROM met
        """,
    )
    engine.keep("open", "SELECT fold FROM settled_open UNION SELECT fold FROM met")
    holding = settled.only({part for (part,) in engine.rows("SELECT DISTINCT part FROM new")})
    engine.keep(
        "repeats",
        f"""
        WITH found AS (
            FROM settled_told
            UNION ALL BY NAME {_told(holding, "settled_numbers", "new", by_id)}
            UNION ALL BY NAME {_told(recent, "numbers", "more", by_id, until)}
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


def _told(parts: Parts, numbers: str, wanted: str, by_id: Collection[str], until: str = "true") -> str:
    """The lines of alerts that may have more than one, as SQL, with what tells which of them stands."""
    named = ", ".join(map(quoted, sorted(by_id))) or "NULL"
    return f"""
        SELECT row, received_at, observed_at, severity, CASE WHEN is_item THEN alert_id ELSE item_id END AS item_id, site,
            source, alert_id, w.tie, coalesce(source IN ({named}), false) AS is_by_id,
            CASE WHEN NOT coalesce(source IN ({named}), false) THEN w.said.name END AS told_name
        FROM (SELECT * EXCLUDE (tie, said) FROM {parts.sql}) k JOIN {numbers} w USING (part, says)
        SEMI JOIN {wanted} wanted ON {_SAME_ALERT} = wanted.same
        WHERE reason IS NULL AND {until}
        """


def keep_folded(engine: Engine, gap_seconds: int) -> None:
    """Keep `folded`, the lines that say the same in one bin together."""
    engine.keep(
        "folded",
        f"""
        WITH apart AS (
            {_folded(binned("recent", gap_seconds))}
            UNION ALL BY NAME {_folded(binned("(FROM settled SEMI JOIN open USING (fold))", gap_seconds))}
            UNION ALL BY NAME SELECT * EXCLUDE (fold) FROM settled_folded ANTI JOIN open USING (fold)
        )
        SELECT *, row_number() OVER ()::VARCHAR AS span FROM (
            SELECT "table", site, status, reason, hour, source, bin, word, min(started_at) AS started_at,
                max(ended_at) AS ended_at, max(received_at) AS received_at, min(known_at) AS known_at,
                sum(n_alerts)::BIGINT AS n_alerts, max(severity) AS severity
            FROM apart GROUP BY ALL
        )
        """,
    )


def binned(lines: str, gap_seconds: int) -> str:
    """Lines with their bin, those that `repeats` has as it has them, as SQL."""
    marked = f"""
        SELECT l.* REPLACE (coalesce(r.first_at, l.observed_at) AS observed_at),
            coalesce(r.is_repeat, false) AS is_repeat, coalesce(r.known_at, l.received_at) AS known_at
        FROM {lines} l LEFT JOIN repeats r USING (row)
        """
    return _binned(marked, gap_seconds)


def _binned(marked: str, gap_seconds: int) -> str:
    return f"""
        SELECT * EXCLUDE (is_repeat) REPLACE (CASE WHEN is_repeat THEN '{AGAIN}' || status ELSE status END AS status),
            CASE WHEN {_IS_SEEN} THEN floor(epoch_us(observed_at) / {HOUR})
                ELSE coalesce(floor(epoch_us(received_at) / {HOUR}), export_hour) END::BIGINT AS hour,
            {_bin(gap_seconds)} AS bin, {_IS_SEEN} AS is_seen
        FROM ({marked})
        """


def _folded(binned_lines: str, more: str = "") -> str:
    of_alerts = [name for name in SPAN if name not in OF_A_LINE]
    keys = ", ".join(f'CASE WHEN is_seen THEN "{name}" END AS "{name}"' for name in of_alerts)
    return f"""
        SELECT "table", site, status, reason, hour, {keys}, {more}
            min(CASE WHEN is_seen THEN observed_at END) AS started_at,
            max(CASE WHEN is_seen THEN observed_at END) AS ended_at,
            max(received_at) AS received_at,
            min(CASE WHEN is_seen THEN known_at END) AS known_at,
            sum(n_lines)::BIGINT AS n_alerts, max(severity) AS severity
        FROM ({binned_lines}) GROUP BY ALL
        """


def _bin(gap_seconds: int) -> str:
    return f"floor(epoch_us(observed_at) / {gap_seconds * 1_000_000})::BIGINT"


def _time(moment: datetime) -> str:
    """A moment as a literal of the engine's SQL."""
    return f"TIMESTAMPTZ '{moment.isoformat()}'"
