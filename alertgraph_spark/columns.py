"""Expressions that several stages share: hours and rates, what is planned, an episode's number as text, a text in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

HOUR = 3_600_000_000
DAY = 24 * HOUR
"""Microseconds in an hour and in a day. Window frames need numbers, and whole seconds would lose the order of alerts."""

PLANNED_ROLES = ("scanner", "maintenance")
"""Roles of the asset list whose activity is planned: it links among itself, and speaks against a subgraph."""

NO_TEXTS = "cast(array() as array<string>)"
"""An empty array of texts in SQL: `array()` alone has no type."""


def hour_of(micros: Column) -> Column:
    """Number of the hour, since 1970, that holds a time in microseconds."""
    return F.floor(micros / HOUR).cast("bigint")


def hourly_rate(hours_with: Column, hours: Column, prior: int = 2) -> Column:
    """Rate an hour of something that was there in some of the past hours, never 0: `-ln(1 - (h + 1) / (H + prior))`."""
    return rate_of((hours_with + 1) / (hours + prior))


def rate_of(share: Column) -> Column:
    """Rate an hour of something that is there in a share of the hours, or a day of the days: `-ln(1 - share)`.

    The share is capped at .98, a rate of 3.9: hours count, not alerts, so what is there always has no rate.
    """
    return -F.log(1 - F.least(F.lit(0.98), share))


def with_past_hours(frame: DataFrame, name: str, key: Sequence[str], is_seen: Column) -> DataFrame:
    """Add `name`: in how many hours before a row's own `hour` its key was seen; hours, so that a flood counts once.

    Row grain is unchanged. Past hours only: what comes in the same hour may be a consequence.
    """
    same_hour = Window.partitionBy(*key, "hour").orderBy(F.desc(is_seen))
    opens_hour = (is_seen & (F.row_number().over(same_hour) == 1)).cast("int")
    earlier = Window.partitionBy(*key).orderBy("hour").rangeBetween(Window.unboundedPreceding, -1)
    opened = frame.withColumn("opens_hour", opens_hour)
    return opened.withColumn(name, F.coalesce(F.sum("opens_hour").over(earlier), F.lit(0))).drop("opens_hour")


def n_earlier(key: Sequence[str | Column], moment: str | Column) -> Column:
    """At how many distinct earlier moments the key of a row was there; moments are whole numbers, of hours or days."""
    return F.dense_rank().over(Window.partitionBy(*key).orderBy(moment)) - 1


def first_rows(frame: DataFrame, window: WindowSpec, n: int) -> DataFrame:
    """The first n rows of each partition of a window, in its order; the order must leave no ties."""
    return frame.withColumn("place", F.row_number().over(window)).filter(F.col("place") <= n).drop("place")


def is_planned() -> Column:
    """Whether an episode is planned activity, by the role of the end that acts: the source, else the host it is about."""
    role = F.coalesce("source_role", F.when(F.col("source_entity").isNull(), F.col("target_role")), F.lit(""))
    return role.isin(*PLANNED_ROLES)


def content_id(*values: Column) -> Column:
    """A number that stands for some values: the first 64 bits of SHA-256 over a text that no other values make.

    Each value is written as its length in bytes, a colon and its text (a netstring, https://cr.yp.to/proto/netstrings.txt),
    null as `-`: so neither a separator in a value nor a missing one makes two sets of values look alike.

    Notes
    -----
    The values are an attacker's. By chance two of a million ids are one in 37 million runs (n^2 / 2^65); with SHA-256 there
    is no way to aim at a given id but to try 2^64 names. Rows are grouped by the values all the same; the id joins.
    """
    texts = [value.cast("string") for value in values]
    said = [F.coalesce(F.concat(F.octet_length(t).cast("string"), F.lit(":"), t), F.lit("-")) for t in texts]
    return F.conv(F.substring(F.sha2(F.concat(*said), 256), 1, 16), 16, -10).cast("bigint")


def episode_id(number: Column) -> Column:
    """An episode's number as 16 hexadecimal digits: a bigint loses its last digits in JSON readers."""
    return F.lpad(F.lower(F.hex(number)), 16, "0")


def sql_text(text: str) -> str:
    r"""A text as it is written in Spark SQL.

    Examples
    --------
    >>> print(sql_text("plant's \\ office"))
    'plant\'s \\ office'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
