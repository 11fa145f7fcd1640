"""Read exported lines and parse them as far as they are kept; folders that are read again are analysed once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.config.source_format import Format
from alertgraph_spark.history.plan import Unit
from alertgraph_spark.normalise.alerts import parse_lines
from alertgraph_spark.read.export import read_folders
from alertgraph_spark.read.export_layout import export_hour
from alertgraph_spark.tables.frames import conform
from alertgraph_spark.tables.history_schemas import FOLDED
from alertgraph_spark.tables.interim_schemas import SAID


class Reader:
    """Gives the parsed lines of the folders of some units.

    Parameters
    ----------
    formats
        Table name to the format of its rows.

    Notes
    -----
    Spark analyses the expressions of the formats for longer than it reads the rows of an hour. A session that ticks reads the
    same folders every five minutes: the frame of the last folders is kept, and told to list their files anew.
    """

    def __init__(self, spark: SparkSession, formats: Mapping[str, Format]) -> None:
        """Take the session and the formats; nothing is read."""
        self.spark = spark
        self.formats = formats
        self._paths: dict[str, list[str]] = {}
        self._raw: dict[str, DataFrame] = {}
        self._lines: DataFrame | None = None

    def lines(self, units: Iterable[Unit]) -> DataFrame:
        """The lines of some units (`FOLDED`); one row is one line. Nothing is read before they are asked for.

        A format of ours without a folder in these units is not looked at; one of the operator's is, for its mistakes.
        """
        hours = [hour for unit in units for hour in unit.hours]
        paths: dict[str, list[str]] = defaultdict(list)
        for hour in hours:
            for table, of in hour.paths:
                paths[table] += of
        if self._lines is None or paths != self._paths or not self._is_listed_anew(sum(hour.n_files for hour in hours)):
            formats = {table: of for table, of in self.formats.items() if table in paths or not of.is_shipped}
            self._raw = {
                table: read_folders(self.spark, table, paths.get(table, []), of.reads) for table, of in formats.items()
            }
            self._lines, self._paths = folded_lines(self._raw, formats), dict(paths)
        return self._lines

    def _is_listed_anew(self, n_files: int) -> bool:
        """List the files of the kept frame anew; False where Spark does not find as many as there are."""
        try:
            for frame in self._raw.values():
                plan: Any = frame
                plan._jdf.queryExecution().analyzed().refresh()
        except (AttributeError, Py4JError):  # a session without a JVM at hand, or with its plans out of reach
            return False
        return sum(len(frame.inputFiles()) for frame in self._raw.values()) == n_files


def folded_lines(
    raw: Mapping[str, DataFrame], formats: Mapping[str, Format], hour: str = export_hour("path")
) -> DataFrame:
    """Parse exported lines as far as they are kept (`FOLDED`); one input and one output row is one line. Narrow.

    `hour` is Spark SQL for the hour since 1970 of the folder that holds a line.
    """
    lines = parse_lines(raw, formats)
    is_alert = F.col("reason").isNull()
    said = F.struct(*SAID.names)

    def of_alerts(value: Column) -> Column:
        return F.when(is_alert, value)

    return conform(
        lines.withColumns(
            {
                "export_hour": F.expr(hour),
                "row": F.monotonically_increasing_id(),
                "said": of_alerts(said),
                "tie": of_alerts(F.xxhash64(said)),
                **{name: of_alerts(F.col(name)) for name in ("alert_id", "item_id", "observed_at", "severity")},
            }
        ),
        FOLDED,
    )
