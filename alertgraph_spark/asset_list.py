"""What the asset list knows of the ends of an alert: which host an address is, its zone, Purdue level and role."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.entities import cidr_bounds, entity_key, ipv4_number, zone_of
from alertgraph_spark.schemas import ALERTS
from alertgraph_spark.source_format import Asset

WITH_LINE = ("named", "file", "table", "line", "reason", "file_id", "unknown")
"""What a normalised line carries beside the alert: addresses and whose they are, where it stands, why it was refused, and
what was not understood."""


def with_assets(lines: DataFrame, assets: Sequence[Asset]) -> DataFrame:
    """Resolve both ends by the asset list, settle their zones and put all entities in one array.

    Row grain is unchanged. An alert whose two ends are one machine is about that machine: it has no source.
    """
    listed = _listed(lines.sparkSession, assets) if assets else None
    for end in ("source", "target"):
        lines = _without_list(lines, end) if listed is None else _join_assets(lines, end, assets, listed)
    lines = lines.withColumn("named", F.concat(_named("source"), _named("target")))
    first_other = F.expr("try_element_at(others, 1).key")
    is_loop = F.col("source_entity") == F.col("target_entity")
    has_target = F.col("target_entity").isNotNull()
    source = F.when(has_target & ~F.coalesce(is_loop, F.lit(False)), F.col("source_entity"))
    target = F.coalesce("target_entity", "source_entity", first_other)
    moved = {
        f"target_{what}": F.when(has_target, F.col(f"target_{what}")).otherwise(F.col(f"source_{what}"))
        for what in ("zone", "level", "role")
    }
    lines = lines.select(
        *[c for c in lines.columns if c not in {"source_entity", "target_entity", *moved}],
        source.alias("source_entity"),
        target.alias("target_entity"),
        *[column.alias(name) for name, column in moved.items()],
    )
    for end in ("source", "target"):
        lines = lines.withColumn(f"{end}_zone", zone_of(F.col(f"{end}_entity"), F.col(f"{end}_zone")))
    entities = F.concat(*[_entities(end) for end in ("source", "target")], F.col("others"))
    return lines.withColumn("entities", F.array_distinct(entities)).select(*ALERTS.names, *WITH_LINE)


def _entities(end: str) -> Column:
    """An end, if there is one, as `array<struct<kind,key,role>>`."""
    kind = F.substring_index(f"{end}_entity", ":", 1)
    entity = F.struct(kind.alias("kind"), F.col(f"{end}_entity").alias("key"), F.lit(end).alias("role"))
    return F.filter(F.array(entity), lambda one: one["key"].isNotNull())


def _named(end: str) -> Column:
    """Addresses of an end with the host they belong to, as `array<struct<address,host>>`."""
    return F.transform(f"{end}_addresses", lambda a: F.struct(a.alias("address"), F.col(f"{end}_entity").alias("host")))


def _without_list(lines: DataFrame, end: str) -> DataFrame:
    return lines.withColumn(f"{end}_role", F.lit(None).cast("string"))


def _join_assets(lines: DataFrame, end: str, assets: Sequence[Asset], listed: DataFrame) -> DataFrame:
    """Replace the key of one end by its host's, and add its `_zone` (if listed), `_level` and `_role`."""
    # The narrowest block speaks first, wherever it stands in the list.
    blocks = sorted((a for a in assets if "/" in a.asset), key=lambda a: -int(a.asset.rpartition("/")[2]))
    number = ipv4_number(F.col(f"{end}_entity"))

    def fact(what: str, field: str, type_: str) -> Column:
        inside = [F.when(number.between(*cidr_bounds(b.asset)), F.lit(getattr(b, field)).cast(type_)) for b in blocks]
        return F.coalesce(F.col(f"listed_{what}"), *inside, F.lit(None).cast(type_))

    joined = lines.join(F.broadcast(listed.withColumnRenamed("key", f"{end}_entity")), on=f"{end}_entity", how="left")
    return joined.select(
        *[c for c in lines.columns if c not in {f"{end}_entity", f"{end}_zone", f"{end}_level"}],
        F.coalesce("host", f"{end}_entity").alias(f"{end}_entity"),
        F.coalesce(fact("zone", "zone", "string"), F.col(f"{end}_zone")).alias(f"{end}_zone"),
        F.coalesce(fact("level", "purdue_level", "double"), F.col(f"{end}_level")).alias(f"{end}_level"),
        fact("role", "role", "string").alias(f"{end}_role"),
    )


def _listed(spark: SparkSession, assets: Sequence[Asset]) -> DataFrame:
    """The names and addresses of the list; one row is one entity key."""
    rows = [(a.asset, a.name or a.asset, a.zone, a.purdue_level, a.role) for a in assets if "/" not in a.asset]
    named = spark.createDataFrame(rows, "asset string, name string, zone string, level double, role string")
    return named.select(
        entity_key("host", F.col("asset")).alias("key"),
        entity_key("host", F.col("name")).alias("host"),
        *[F.col(what).alias(f"listed_{what}") for what in ("zone", "level", "role")],
    ).dropDuplicates(["key"])  # FS01 and fs01.corp.example are two rows of a list but one key
