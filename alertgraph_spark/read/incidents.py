"""Read Sentinel's incidents as they are exported: each change of one is a row, with what the analyst said of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.read.changes import ExportHour, list_hours
from alertgraph_spark.read.export import list_days, read_folders
from alertgraph_spark.read.export_layout import BUCKET, DayFolder
from alertgraph_spark.tables.embedded import arrow_schema, conform_arrow
from alertgraph_spark.tables.frames import collect_arrow
from alertgraph_spark.tables.verdict_schemas import INCIDENTS

MOST_ROWS = 200_000
"""Changes of incidents that are read at a time, the newest: this process holds them."""

_TEXT = 2_000
"""Characters of a text that are read, and ten times so many of a list of alerts, of which an incident has up to 150."""

_COLUMNS = {
    "incident": "left(IncidentNumber, 32)",
    "status": "left(Status, 32)",
    "classification": "left(nullif(Classification, ''), 64)",
    "classification_reason": "left(nullif(ClassificationReason, ''), 256)",
    "comment": f"left(nullif(ClassificationComment, ''), {_TEXT})",
    "modified_by": "left(nullif(ModifiedBy, ''), 512)",
    "owner": f"left(Owner, {_TEXT})",
    "modified_at": "coalesce(try_cast(LastModifiedTime as timestamp), try_cast(TimeGenerated as timestamp))",
    "closed_at": "try_cast(nullif(ClosedTime, '') as timestamp)",
    "alert_ids": f"left(AlertIds, {10 * _TEXT})",
    "labels": f"left(Labels, {_TEXT})",
}

READS = (
    *("IncidentNumber", "Status", "Classification", "ClassificationReason", "ClassificationComment", "ModifiedBy"),
    *("Owner", "LastModifiedTime", "ClosedTime", "AlertIds", "Labels"),
)

NO_INCIDENTS = arrow_schema(INCIDENTS).empty_table()

_Hour = tuple[str, date, int]


class Incidents:
    """The exported incidents, as often as they are asked for: hours that have not changed are not read again."""

    def __init__(self, spark: SparkSession) -> None:
        """Know nothing yet."""
        self._spark = spark
        self._known: dict[_Hour, tuple[str, pa.Table]] = {}

    def read(self, root: str, table: str, workspaces: Sequence[str] | str, start: datetime, end: datetime) -> pa.Table:
        """Read the changes of incidents in a span of time.

        Parameters
        ----------
        root
            The setting `export.root`.
        table
            The table of incidents; it may be missing.
        workspaces
            Names of workspaces, or `all`.
        start
            Begin of the span by TimeGenerated.
        end
            End of the span.

        Returns
        -------
        pa.Table
            `verdict_schemas.INCIDENTS`. A row that is no JSON object has nulls.

        Raises
        ------
        SourceError
            If the root cannot be listed.
        """
        hours = {
            (hour.site, hour.day, hour.hour): hour
            for hour in list_hours(self._spark, self._days(root, table, workspaces, start, end))
            if start - BUCKET - timedelta(hours=1) < _begin(hour) < end + BUCKET
        }
        self._known = {
            key: known for key, known in self._known.items() if key in hours and known[0] == hours[key].fingerprint
        }
        new = [hour for key, hour in hours.items() if key not in self._known]
        for (site, day, number), rows in self._rows(table, new).items():
            self._known[site, day, number] = hours[site, day, number].fingerprint, rows
        found = pa.concat_tables([NO_INCIDENTS, *(rows for _, rows in self._known.values())])
        return found.sort_by([("modified_at", "descending")]).slice(0, MOST_ROWS)

    def _days(
        self, root: str, table: str, workspaces: Sequence[str] | str, start: datetime, end: datetime
    ) -> list[DayFolder]:
        days = list_days(self._spark, root, {table: None}, workspaces, may_be_absent=True)
        return [day for day in days if (start - BUCKET).date() <= day.day <= (end + BUCKET).date()]

    def _rows(self, table: str, hours: Sequence[ExportHour]) -> dict[_Hour, pa.Table]:
        """The changes in some hours, by site, day and hour; an hour without one is there too."""
        found: dict[_Hour, pa.Table] = {(hour.site, hour.day, hour.hour): NO_INCIDENTS for hour in hours}
        if not hours:
            return found
        lines = read_folders(self._spark, table, [path for hour in hours for _, of in hour.paths for path in of], READS)
        place = F.regexp_extract_all("file", F.lit(r"/[ymdh]=([0-9]+)(?=/)"), F.lit(1))
        rows = collect_arrow(
            lines.selectExpr("site", "file", *[f"{sql} as {name}" for name, sql in _COLUMNS.items()])
            .withColumn("place", F.slice(place, 1, 5).cast("array<int>"))
            .drop("file")
            .orderBy(F.desc("modified_at"))
            .limit(MOST_ROWS)
        )
        by_hour: dict[_Hour, list[int]] = {}
        for number, (site, at) in enumerate(zip(rows["site"].to_pylist(), rows["place"].to_pylist(), strict=True)):
            by_hour.setdefault((site, date(at[0], at[1], at[2]), at[3]), []).append(number)
        changes = conform_arrow(rows.drop_columns(["place"]), INCIDENTS)
        return found | {key: changes.take(numbers) for key, numbers in by_hour.items() if key in found}


def _begin(hour: ExportHour) -> datetime:
    return datetime(hour.day.year, hour.day.month, hour.day.day, hour.hour, tzinfo=timezone.utc)
