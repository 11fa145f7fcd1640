"""Resolve: which host an address belonged to, where the alerts themselves have said so.

One product names a host, another its address: without the rows that name both, an attack falls in two. Leases end, and a
proxy speaks for many, so what a row says of an address holds for a while. And a row may be forged: a word holds while most of
what was said agrees. One that says otherwise proves nothing, two in a row do.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import hour_of
from alertgraph_spark.interim_schemas import ALIASES
from alertgraph_spark.table import conform

VALID_HOURS = 24
"""How long a row's word on an address holds. Shorter than a usual lease, since a machine that raises an alert a day is
named a day later, while a wrong name joins two machines."""

MOST_HOSTS = 4
"""Hosts that an address is given in one hour; where they are more, it is shared, or a flood, and the hour names nobody."""


def find_aliases(lines: DataFrame) -> DataFrame:
    """Find the spans of time in which an address belonged to one host.

    Input is one row a line with `named` (addresses and the host that the line gives them); output is
    `interim_schemas.ALIASES`, one row a site, address and hour in which it was named.

    What is said of an address in one hour is one word for each host that is named. At a word the address is the host's of
    which at least two thirds of the words of the last `VALID_HOURS` are, if one of the last two words is. That holds until
    the next word, and no longer than `VALID_HOURS` after the host was named.

    Notes
    -----
    Past only: what holds at a time was said by then. A forged row is one word of many: it takes an alias away only where the
    host itself was named no more than once. An address that moves loses its old host with the second word for the new one,
    however long the old one had it; one that two share by turns is nobody's from the fourth word on. One shuffle of a row an
    address, host and hour; of one hour no more than `MOST_HOSTS` words are kept, so that a flood of them costs no more.
    """
    said = lines.select("site", "observed_at", F.explode("named").alias("named")).select(
        "site", "observed_at", "named.*"
    )
    of_hour = ("site", "address", hour_of(F.unix_micros("observed_at")).alias("hour"))
    hourly = said.groupBy(*of_hour, "host").agg(F.min("observed_at").alias("valid_from"))
    words = hourly.groupBy("site", "address", "hour").agg(F.collect_list(F.struct("valid_from", "host")).alias("words"))
    nobody = F.array(F.struct(F.array_min("words")["valid_from"].alias("valid_from"), F.lit("").alias("host")))
    kept = F.when(F.size("words") <= MOST_HOSTS, F.col("words")).otherwise(nobody)
    word = words.select("site", "address", F.inline(kept))

    of_address = Window.partitionBy("site", "address").orderBy(F.unix_seconds("valid_from"))
    recent = of_address.rangeBetween(-VALID_HOURS * 3600, Window.currentRow)
    in_order = Window.partitionBy("site", "address").orderBy("valid_from", "host")
    last = F.struct("host", "valid_from")
    heard = word.withColumns(
        {
            "recent": F.collect_list("host").over(recent),
            "last": last,
            "before": F.lag(last).over(in_order),
            "next_from": F.lead("valid_from").over(in_order),
        }
    )

    def has_most(one: Column) -> Column:
        n_own = F.size(F.filter("recent", lambda host: host == one["host"]))
        return (one["host"] != "") & (3 * n_own >= 2 * F.size("recent"))

    holder = F.when(has_most(F.col("last")), F.col("last")).when(has_most(F.col("before")), F.col("before"))
    named = heard.withColumn("holder", holder).filter("holder is not null")
    end = F.col("holder.valid_from") + F.expr(f"INTERVAL {VALID_HOURS} HOURS")
    spans = named.withColumns({"host": F.col("holder.host"), "valid_until": F.least(end, F.col("next_from"))})
    return conform(spans.filter("valid_from < valid_until"), ALIASES)


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
