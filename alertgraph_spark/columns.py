"""Expressions that several stages share: hours, rates, what is planned, an episode's number as text, a text in SQL."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

HOUR = 3_600_000_000
"""Microseconds in an hour. Window frames need numbers, and whole seconds would lose the order of alerts."""

PLANNED_ROLES = ("scanner", "maintenance")
"""Roles of the asset list whose activity is planned: it links among itself, and speaks against a subgraph."""

NO_TEXTS = "cast(array() as array<string>)"
"""An empty array of texts in SQL: `array()` alone has no type."""


def hour_of(micros: Column) -> Column:
    """Number of the hour, since 1970, that holds a time in microseconds."""
    return F.floor(micros / HOUR).cast("bigint")


def hourly_rate(hours_with: Column, hours: Column, prior: int = 2) -> Column:
    """Rate an hour of something that was there in some of the past hours, never 0: `-ln(1 - (h + 1) / (H + prior))`.

    The share is capped at .98, a rate of 3.9 an hour: hours count, not alerts, so what is there always has no rate.
    """
    return -F.log(1 - F.least(F.lit(0.98), (hours_with + 1) / (hours + prior)))


def is_planned() -> Column:
    """Whether an episode is planned activity, by the role of the end that acts: the source, else the host it is about."""
    role = F.coalesce("source_role", F.when(F.col("source_entity").isNull(), F.col("target_role")), F.lit(""))
    return role.isin(*PLANNED_ROLES)


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
