"""Frames of Spark: the check of their columns; a bounded one as an Arrow table, and back, without Python workers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.access.session_conf import session_conf
from alertgraph_spark.errors import SchemaError
from alertgraph_spark.tables.embedded import arrow_type
from alertgraph_spark.tables.table import Table, type_differences

_ARROW = "spark.sql.execution.arrow.pyspark.enabled"  # off by default before Spark 4.2, and 50 times slower

ACCOUNTS = "transform(filter(entities, e -> e.kind = 'account'), e -> e.key)"
"""The accounts among the entities of an alert, as SQL."""


def conform(frame: DataFrame, table: Table) -> DataFrame:
    """Select exactly the columns of a table, in its order.

    No cast is made, since a silent cast would hide a defect.

    Parameters
    ----------
    frame
        Has these columns, and perhaps others.
    table
        What is asked for.

    Returns
    -------
    DataFrame
        The same rows.

    Raises
    ------
    SchemaError
        With every column that is missing or has another type.
    """
    if wrong := type_differences(dict(frame.dtypes), table):
        raise SchemaError(wrong)
    return frame.select(*[F.col(c.name) for c in table.columns])


def as_held(frame: DataFrame) -> DataFrame:
    """A persisted frame behind a plan of one leaf, which is what Spark holds of it; lazy as the frame is.

    Notes
    -----
    Each step on a frame looks at its whole plan again, each query looks in it for what is held, and a join of two frames
    that come from one copies it: where it takes pages to make a row, that is most of what a small input costs.
    """
    held: Any = frame
    session: Any = frame.sparkSession
    frames = getattr(session, "_jvm", None)
    if frames is None:  # Spark Connect: the plan lives elsewhere
        return frame
    try:
        for name in str(held._jdf.getClass().getName()).split("."):  # Spark 4 has it in another package
            frames = getattr(frames, name)
        plan = frames.ofRows(session._jsparkSession, held._jdf.queryExecution().withCachedData())
    except Py4JError:  # a cluster that allows listed classes only: it costs more, and gives the same
        return frame
    return DataFrame(plan, session)


def collect_arrow(frame: DataFrame) -> pa.Table:
    """Collect a bounded frame; times become microseconds in UTC, whatever the session's zone.

    Notes
    -----
    One Spark job. Spark 4 has `toArrow`; 3.5 has the batches that `toPandas` is made of.
    """
    schema = pa.schema([(field.name, arrow_type(field.dataType.simpleString())) for field in frame.schema.fields])
    any_version: Any = frame
    if hasattr(DataFrame, "toArrow"):
        return any_version.toArrow().cast(schema)
    batches = any_version._collect_as_arrow()
    return pa.Table.from_batches(batches).cast(schema) if batches else schema.empty_table()


def frame_of(spark: SparkSession, table: pa.Table, ddl: str) -> DataFrame:
    """Turn an Arrow table into a frame.

    Parameters
    ----------
    spark
        The session.
    table
        Scalar columns; times are taken as UTC.
    ddl
        Names and types of the columns, in Spark's DDL.

    Returns
    -------
    DataFrame
        The same rows.
    """
    with session_conf(spark, {_ARROW: "true"}):
        return spark.createDataFrame(table.to_pandas(types_mapper=_nullable_types().get), ddl)


def _nullable_types() -> dict[pa.DataType, Any]:
    """Pandas types that hold a null beside whole numbers and truth values, by their Arrow type."""
    import pandas as pd  # noqa: PLC0415 - slow to load, and Spark needs it here alone

    return {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(), pa.bool_(): pd.BooleanDtype()}
