"""Kept lines: what a run asks of its lines, answered from the parts of the history.

The same answers as `lines.Lines` gives from lines that Spark has just parsed, by the embedded engine: a part holds a line in
some forty bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import pyarrow as pa
from pyspark.sql import DataFrame

from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.history.held import Held, divide
from alertgraph_spark.history.kept_answers import heard_in, keep_wanted
from alertgraph_spark.history.kept_tables import keep_folded, keep_lines, keep_repeats
from alertgraph_spark.normalise.balance import Balance, count_lines
from alertgraph_spark.tables.embedded import conform_arrow
from alertgraph_spark.tables.interim_schemas import NO_ALERT, SAID, SPANS
from alertgraph_spark.tables.schemas import MEMBERS, REJECTED


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
    closed
        Those of `files` that hold a closed day.
    closed_until
        Site to the end of its newest closed day.
    held
        What the session holds of settled parts; without, nothing is held when the run is over.

    Notes
    -----
    A million lines take about two seconds of processor time, of which held parts save more than half. A line takes about 140
    bytes; what is above the engine's memory is on disk.
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
        closed: Collection[str] = (),
        closed_until: Mapping[str, datetime] = MappingProxyType({}),
        held: Held | None = None,
    ) -> None:
        """Read the parts, and fold what they hold."""
        settled, recent, self._parts = divide(files, closed, start, hours)
        self._held, self._is_held, self._gap_seconds = held or Held(), held is not None, gap_seconds
        self._engine = self._held.engine(settled, by_id, gap_seconds)
        keep_lines(self._engine, recent, start, end, gap_seconds)
        keep_repeats(self._engine, settled, recent, by_id, end)
        keep_folded(self._engine, gap_seconds)
        self.window = start, end
        self.closed_until = closed_until
        self.heard = heard_in(self._engine)
        self.balance: Balance = count_lines(self.heard, tables)

    @property
    def spans(self) -> pa.Table:
        """What alerts say, those of the window and of the past; one row is one span (`interim_schemas.SPANS`)."""
        self._engine.keep(
            "heard",
            """
            SELECT *, word::VARCHAR AS says, row_number() OVER (PARTITION BY word) = 1 AS is_first
            FROM folded WHERE status IN ('alert', 'history')
            """,
        )
        said = ", ".join(f"w.said.{name} AS {name}" for name in SAID.names)
        first = self._engine.query(f"SELECT h.*, {said} FROM heard h JOIN said w USING (word) WHERE is_first")
        others = self._engine.query("SELECT * FROM heard WHERE NOT is_first")
        return conform_arrow(pa.concat_tables([first, others], promote_options="default"), SPANS)

    @property
    def rejected(self) -> pa.Table:
        """The lines that were refused (`schemas.REJECTED`)."""
        refused = f"SELECT * FROM {self._parts.sql} WHERE reason <> '{NO_ALERT}'"
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
        keep_wanted(self._engine, spans, self._gap_seconds)
        holding = {part for (part,) in self._engine.rows("SELECT DISTINCT row >> 32 AS part FROM wanted")}
        return self._engine.query(
            f"""
            SELECT w.* EXCLUDE (row), k.alert_id, CASE WHEN k.is_item THEN k.alert_id ELSE k.item_id END AS item_id
            FROM {self._parts.only(holding).sql} k JOIN wanted w USING (row)
            """
        )

    def alerts(self, assets: Sequence[Asset] = (), only: DataFrame | None = None) -> DataFrame:
        """Refused with a `ConfigError`: the history does not keep all columns of an alert."""
        raise ConfigError("the history does not keep all columns of an alert; set history.path=none for them")

    def release(self) -> None:
        """Give back memory and files, but for what the session holds."""
        if not self._is_held:
            self._held.release()
