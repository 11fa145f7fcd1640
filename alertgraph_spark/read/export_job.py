"""Read what an export job of Log Analytics wrote: one table of one workspace over a past span of time, as Parquet.

A data export rule writes from the day on which it is made; an export job reaches back over what the workspace still holds.
Its rows have types, and lie in hourly folders.

References
----------
https://learn.microsoft.com/azure/azure-monitor/logs/export-job
"""

from __future__ import annotations

from collections.abc import Sequence

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType, TimestampType

from alertgraph_spark.errors import SourceError

_TIME = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'"
"""How the export of a rule writes a time, but for its last digit, which Spark does not keep."""


def read_export_job(spark: SparkSession, folder: str, table: str, site: str, columns: Sequence[str]) -> DataFrame:
    """Read the rows of one table of one workspace that an export job wrote.

    Parameters
    ----------
    spark
        The session.
    folder
        Folder or URL of one job, `workspaceId/<id>/jobId/<id>` in its container, or a folder of such.
    table
        The table in Log Analytics; the rows do not say it for certain.
    site
        The workspace; the rows do not say it for certain.
    columns
        Columns that are read, as text; null where the table has none of that name. Names count in any case of letters.

    Returns
    -------
    DataFrame
        One row is one exported row, in the shape that `export.read_export` gives.

    Raises
    ------
    SourceError
        If there is no Parquet file, or the rows have no TimeGenerated.
    """
    try:
        rows = spark.read.option("recursiveFileLookup", "true").parquet(folder)
    except (PySparkException, Py4JJavaError) as error:
        raise SourceError(f"{folder} holds no Parquet file that can be read: {str(error).splitlines()[0]}") from error
    have = {field.name.lower(): field for field in rows.schema.fields}
    if "timegenerated" not in have:
        raise SourceError(f"{folder} holds rows without TimeGenerated: not those of a table of Log Analytics")

    def text(name: str) -> Column:
        found = have.get(name.lower())
        return F.lit(None).cast("string") if found is None else _text(F.col(f"`{found.name}`"), found.dataType)

    names = dict.fromkeys(["TimeGenerated", "_ItemId", *columns])
    return rows.select(
        F.col("_metadata.file_path").alias("file"),
        F.lit(table).alias("table"),
        F.lit(site).alias("site"),
        *[text(name).alias(name) for name in names],
        F.lit(None).cast("string").alias("_corrupt_record"),
    )


def _text(value: Column, kind: DataType) -> Column:
    if isinstance(kind, TimestampType):
        return F.date_format(value, _TIME)
    if isinstance(kind, (StructType, ArrayType, MapType)):
        return F.to_json(value)
    return value.cast("string")
