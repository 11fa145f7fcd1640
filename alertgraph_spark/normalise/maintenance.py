"""Maintenance: the calendar of what was announced, by the keys that alerts give to machines."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import SparkSession

from alertgraph_spark.config.source_format import Asset, MaintenanceWindow
from alertgraph_spark.normalise.entities import entity_keys
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.frames import collect_arrow, conform
from alertgraph_spark.tables.interim_schemas import CALENDAR


def calendar_of(spark: SparkSession, windows: Sequence[MaintenanceWindow], assets: Sequence[Asset]) -> pa.Table:
    """The announced windows; one row is one window of one machine (`interim_schemas.CALENDAR`).

    Parameters
    ----------
    windows
        Rows of the calendar; one that names an address is of the machine that the asset list says has it.
    """
    if not windows:
        return arrow_schema(CALENDAR).empty_table()
    names = {asset.asset.lower(): asset.name for asset in assets if asset.name}
    rows = [(names.get(one.asset.lower(), one.asset), one.site, one.begins, one.ends) for one in windows]
    listed = spark.createDataFrame(rows, "machine string, site string, begins timestamp, ends timestamp")
    keyed = entity_keys(listed, {"machine": "host"}).filter("machine is not null")
    return collect_arrow(conform(keyed, CALENDAR))
