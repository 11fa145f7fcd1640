"""Kept lines: what a run asks of its lines, answered from the parts of the history.

The same answers as `lines.Lines` gives from lines that Spark has just parsed, by the embedded engine: a part holds a line in
some forty bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import pyarrow as pa
from pyspark.sql import DataFrame

from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.normalise.balance import Balance, count_lines
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.interim_schemas import AGAIN, SAID, SPANS
from alertgraph_spark.tables.rates import HOUR
from alertgraph_spark.tables.schemas import MEMBERS, REJECTED

_KEY = ("table", "site", "source", "status", "hour", "bin", "word")
"""What the alerts of one span have in common."""


class KeptLines:
    """The lines of a run, from the parts that hold them.

    Parameters
    ----------
    files
        The parts, as files of this machine (`history_schemas.KEPT`).
    start, end
        The window, by TimeGenerated, half-open. Lines before it are history.
    hours
        First hour since 1970 of the export's folders that are read, and the first after them: a part of a whole day may hold
        more.
    tables
        The tables that are to be read; one that has no line is counted too.
    by_id
        Formats whose ids the platform keeps, as `normalise.repeats.find_repeats` takes them.
    gap_seconds
        Pause that ends an episode.

    Notes
    -----
    A million lines take about a second of processor time, and sixty bytes each, above the engine's memory on disk.
    """

    def __init__(
        self,
        files: Sequence[str],
        start: datetime,
        end: datetime,
        hours: tuple[int, int],
        *,
        tables: Iterable[str],
        by_id: Collection[str],
        gap_seconds: int,
    ) -> None:
        """Read the parts, and fold what they hold."""
        self._engine = Engine()
        self._files = list(files)
        self._inside = f"export_hour >= {hours[0]} AND export_hour < {hours[1]}"
        self._keep_lines(start, end)
        self._keep_repeats(by_id, end)
        self._keep_folded(gap_seconds)
        groups = self._engine.query(
            """
            SELECT "table", status, reason, sum(n_alerts)::BIGINT AS n_alerts, count(*) AS n_spans
            FROM folded GROUP BY ALL
            """
        )
        self.balance: Balance = count_lines(groups, tables)

    def _parts(self, more: str = "") -> str:
        """The parts as SQL."""
        if not self._files:
            raise ConfigError("the history holds no part of the window")
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in self._files)
        return f"read_parquet([{listed}], filename = true, file_row_number = true{more})"

    def _keep_lines(self, start: datetime, end: datetime) -> None:
        """Keep `words`, what rows say, and `lines`, the lines with the word and what they are to the window."""
        self._engine.keep(
            "words",
            f"""
            SELECT filename, says, dense_rank() OVER (ORDER BY tie, said) AS word, tie, said
            FROM {self._parts()} WHERE said IS NOT NULL
            """,
        )
        places = ", ".join(
            f"('{file.replace(chr(39), chr(39) * 2)}', {number})" for number, file in enumerate(self._files)
        )
        self._engine.keep("places", f"SELECT * FROM (VALUES {places}) places(filename, part)")
        self._engine.keep("numbers", "SELECT part, says, word FROM words JOIN places USING (filename)")
        self._engine.keep(
            "lines",
            f"""
            SELECT p.part::BIGINT << 32 | k.file_row_number AS row, k."table", k.site, k.source, k.reason, k.n_lines,
                k.received_at, k.observed_at, k.severity, n.word,
                CASE WHEN k.reason IS NOT NULL THEN 'rejected' WHEN k.received_at >= {_time(end)} THEN 'out_of_window'
                    WHEN k.received_at < {_time(start)} THEN 'history' ELSE 'alert' END AS status
            FROM {self._parts()} k JOIN places p USING (filename) LEFT JOIN numbers n ON n.part = p.part AND n.says = k.says
            WHERE {self._inside}
            """,
        )

    def _keep_repeats(self, by_id: Collection[str], end: datetime) -> None:
        """Keep `repeats`, the lines that do not stand as they are, as `normalise.repeats.find_repeats` gives them."""
        named = ", ".join(f"'{name}'" for name in sorted(by_id)) or "NULL"
        said = f"k.reason IS NULL AND k.received_at < {_time(end)} AND {self._inside}"
        more_than_once = "SELECT hash(site, source, alert_id) AS hash"
        self._engine.keep(
            "hashes", f"{more_than_once} FROM {self._parts()} k WHERE {said} GROUP BY hash HAVING count(*) > 1"
        )
        self._engine.keep(
            "repeats",
            f"""
            WITH found AS (
                SELECT p.part::BIGINT << 32 | k.file_row_number AS row, k.received_at, k.observed_at, k.severity,
                    CASE WHEN k.is_item THEN k.alert_id ELSE k.item_id END AS item_id, k.site, k.source, k.alert_id, w.tie,
                    coalesce(k.source IN ({named}), false) AS is_by_id,
                    CASE WHEN NOT coalesce(k.source IN ({named}), false) THEN w.said.name END AS told_name
                FROM {self._parts()} k JOIN places p USING (filename) JOIN words w USING (filename, says)
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

    def _keep_folded(self, gap_seconds: int) -> None:
        """Keep `binned`, the lines with their bin, and `folded`, the lines that say the same in one bin together."""
        self._engine.keep(
            "binned",
            f"""
            WITH marked AS (
                SELECT l.* REPLACE (coalesce(r.first_at, l.observed_at) AS observed_at),
                    coalesce(r.is_repeat, false) AS is_repeat, coalesce(r.known_at, l.received_at) AS known_at
                FROM lines l LEFT JOIN repeats r USING (row)
            )
            SELECT * EXCLUDE (is_repeat) REPLACE (CASE WHEN is_repeat THEN '{AGAIN}' || status ELSE status END AS status),
                floor(epoch_us(observed_at) / {HOUR})::BIGINT AS hour,
                floor(epoch_us(observed_at) / {gap_seconds * 1_000_000})::BIGINT AS bin,
                status IN ('alert', 'history') AND NOT is_repeat AS is_seen
            FROM marked
            """,
        )
        of_alerts = [name for name in _KEY if name not in ("table", "status")]
        keys = ", ".join(f'CASE WHEN is_seen THEN "{name}" END AS "{name}"' for name in of_alerts)
        self._engine.keep(
            "folded",
            f"""
            SELECT *, row_number() OVER ()::VARCHAR AS span FROM (
                SELECT "table", status, reason, {keys},
                    min(CASE WHEN is_seen THEN observed_at END) AS started_at,
                    max(CASE WHEN is_seen THEN observed_at END) AS ended_at,
                    max(CASE WHEN is_seen THEN received_at END) AS received_at,
                    min(CASE WHEN is_seen THEN known_at END) AS known_at,
                    sum(n_lines)::BIGINT AS n_alerts, max(severity) AS severity
                FROM binned GROUP BY ALL
            )
            """,
        )

    @property
    def spans(self) -> pa.Table:
        """What alerts say, those of the window and of the past; one row is one span (`interim_schemas.SPANS`)."""
        said = ", ".join(f"w.said.{name} AS {name}" for name in SAID.names)
        found = self._engine.query(
            f"""
            SELECT f.span, f.word::VARCHAR AS says, f.* EXCLUDE (span), {said}
            FROM folded f JOIN (SELECT DISTINCT ON (word) word, said FROM words) w USING (word)
            WHERE f.status IN ('alert', 'history')
            """
        )
        return conform_arrow(found, SPANS)

    @property
    def rejected(self) -> pa.Table:
        """The lines that were refused (`schemas.REJECTED`)."""
        refused = f"SELECT * FROM {self._parts()} WHERE reason <> 'not an alert' AND {self._inside}"
        return conform_arrow(self._engine.query(refused), REJECTED)

    def members(self, spans: pa.Table) -> pa.Table:
        """The alerts of some spans; one row is one alert (`schemas.MEMBERS`).

        `spans` has `span`, `subgraph_id`, `episode_id` and `role`.
        """
        return conform_arrow(self._alerts(spans), MEMBERS)

    def first_alerts(self, spans: pa.Table, most: int) -> pa.Table:
        """The first alerts of some episodes in some spans; one row is one `episode` with its `alert_ids`, at most `most`.

        `spans` has `span` and the number of the `episode`.
        """
        return self._engine.query(
            f"""
            SELECT episode, list_sort(list(alert_id)) AS alert_ids FROM (
                SELECT episode, alert_id FROM alerts
                QUALIFY row_number() OVER (PARTITION BY episode ORDER BY observed_at, alert_id) <= {most}
            ) GROUP BY episode
            """,
            {"alerts": self._alerts(spans)},
        )

    def _alerts(self, spans: pa.Table) -> pa.Table:
        """The alerts of some spans, with the columns that `spans` has."""
        same = " AND ".join(f'b."{name}" = f."{name}"' for name in _KEY)
        self._engine.keep(
            "wanted",
            f"""
            SELECT b.row, b.site, b.observed_at, w.* EXCLUDE (span)
            FROM binned b JOIN folded f ON {same} JOIN spans w ON w.span = f.span WHERE b.is_seen
            """,
            {"spans": spans},
        )
        return self._engine.query(
            f"""
            SELECT w.* EXCLUDE (row), k.alert_id, CASE WHEN k.is_item THEN k.alert_id ELSE k.item_id END AS item_id
            FROM {self._parts()} k JOIN places p USING (filename)
                JOIN wanted w ON w.row = (p.part::BIGINT << 32 | k.file_row_number)
            """
        )

    def alerts(self, assets: Sequence[Asset] = (), only: DataFrame | None = None) -> DataFrame:
        """Refused with a `ConfigError`: the history does not keep all columns of an alert."""
        raise ConfigError("the history does not keep all columns of an alert; set history.path=none for them")

    def release(self) -> None:
        """Give back memory and files."""
        self._engine.__exit__(None, None, None)


def _time(time: datetime) -> str:
    return f"TIMESTAMPTZ '{time.isoformat()}'"
