"""Maintenance: which episodes a site had announced before they came."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.entities import entity_key
from alertgraph_spark.source_format import Asset, MaintenanceWindow


def with_announced(episodes: DataFrame, windows: Sequence[MaintenanceWindow], assets: Sequence[Asset]) -> DataFrame:
    """Add `is_announced`: whether the machine that acts in an episode was in a maintenance window when it began.

    Row grain is unchanged. The machine that acts is the source, else the host that the episode is about; what others do to a
    machine in maintenance was not announced. It speaks against a score and cuts no link: whoever comes by way of such a
    machine is still followed.

    Notes
    -----
    One broadcast join on the machine; without windows none.
    """
    if not windows:
        return episodes.withColumn("is_announced", F.lit(False))
    names = {asset.asset.lower(): asset.name for asset in assets if asset.name}
    rows = [(names.get(one.asset.lower(), one.asset), one.site, one.begins, one.ends) for one in windows]
    calendar = (
        episodes.sparkSession.createDataFrame(rows, "asset string, site string, begins timestamp, ends timestamp")
        .withColumn("machine", entity_key("host", "asset"))
        .groupBy("machine")
        .agg(F.collect_list(F.struct("site", "begins", "ends")).alias("windows"))
    )
    is_inside = F.exists(
        "windows",
        lambda window: (
            F.coalesce(window["site"] == F.col("site"), F.lit(True))
            & (window["begins"] <= F.col("started_at"))
            & (F.col("started_at") < window["ends"])
        ),
    )
    acting = F.coalesce("source_entity", "target_entity")
    joined = episodes.withColumn("machine", acting).join(F.broadcast(calendar), on="machine", how="left")
    return joined.withColumn("is_announced", F.coalesce(is_inside, F.lit(False))).drop("machine", "windows")
