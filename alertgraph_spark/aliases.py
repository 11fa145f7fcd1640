"""Resolve: which host an address belonged to, where the alerts themselves have said so.

One product names a host, another its address: without the rows that name both, an attack falls in two. Leases end, and a
proxy speaks for many, so what a row says of an address holds for a while, and only while all rows agree.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import hour_of
from alertgraph_spark.interim_schemas import ALIASES
from alertgraph_spark.table import conform

VALID_HOURS = 24
"""How long a row's word on an address holds. Shorter than a usual lease, since a machine that raises an alert a day is
named a day later, while a wrong name joins two machines."""


def find_aliases(lines: DataFrame) -> DataFrame:
    """Find the spans of time in which an address belonged to one host.

    Input is one row a line with `named` (addresses and the host that the line gives them); output is
    `interim_schemas.ALIASES`, one row a site, address and hour in which it was named. A span begins when a row names the host
    and ends with the next row of the address, or after `VALID_HOURS`; there is none while another host had the address within
    `VALID_HOURS` before.

    Notes
    -----
    Past only: what holds at a time was said by then. One shuffle of a row an address, host and hour.
    """
    said = lines.select("site", "observed_at", F.explode("named").alias("named")).select(
        "site", "observed_at", "named.*"
    )
    hourly = said.groupBy("site", "address", "host", hour_of(F.unix_micros("observed_at"))).agg(
        F.min("observed_at").alias("valid_from")
    )
    of_address = Window.partitionBy("site", "address").orderBy(F.unix_seconds("valid_from"))
    recent = of_address.rangeBetween(-VALID_HOURS * 3600, Window.currentRow)
    in_order = Window.partitionBy("site", "address").orderBy("valid_from", "host")
    end = F.col("valid_from") + F.expr(f"INTERVAL {VALID_HOURS} HOURS")
    spans = hourly.withColumn("n_hosts", F.size(F.collect_set("host").over(recent))).withColumn(
        "valid_until", F.least(end, F.lead("valid_from").over(in_order))
    )
    return conform(spans.filter("n_hosts = 1 and valid_from < valid_until"), ALIASES)


def with_hosts(bins: DataFrame, aliases: DataFrame) -> DataFrame:
    """Put the host in place of an address, at both ends, where its span holds the bin's first alert.

    Row grain is unchanged, and the rows of one `fold_key` and `bin` are treated alike. A bin whose two ends are then one
    machine is about that machine: it has no source.

    Notes
    -----
    The aliases are broadcast; one shuffle of the bins.
    """
    first = F.min("started_at").over(Window.partitionBy("fold_key", "bin"))
    columns = bins.columns
    bins = bins.withColumn("first", first)
    for end in ("source", "target"):
        span = F.broadcast(aliases.select(*[F.col(name).alias(f"alias_{name}") for name in ALIASES.names]))
        is_meant = (
            (F.col("site") == F.col("alias_site"))
            & (F.col(f"{end}_entity") == F.col("alias_address"))
            & (F.col("first") >= F.col("alias_valid_from"))
            & (F.col("first") < F.col("alias_valid_until"))
        )
        named = bins.join(span, on=is_meant, how="left")
        bins = named.withColumn(f"{end}_entity", F.coalesce("alias_host", f"{end}_entity")).select(*columns, "first")
    is_loop = F.coalesce(F.col("source_entity") == F.col("target_entity"), F.lit(False))
    source = {f"source_{what}" for what in ("entity", "zone", "level", "role")}
    return bins.select(*[F.when(~is_loop, F.col(c)).alias(c) if c in source else F.col(c) for c in columns])
