"""What a format makes of rows: how many are alerts, what they fill, what was refused and why, and if its samples hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.config.source_format import Format
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.tables.frames import ACCOUNTS

FIELDS = ("time", "name", "severity", "source", "target", "tactic")
"""What is counted as filled; time counts where the format gives one of its own."""

WORDS_LIMIT = 1000
"""Distinct unknown words that are counted; a format that gives more gives no words."""


@dataclass(frozen=True)
class Check:
    """What a format makes of rows.

    Attributes
    ----------
    refused
        Reason to the number of rows and the number of the first one (None for a line that was never a row).
    filled
        Field of `FIELDS` to the number of alerts that fill it.
    done
        What was done to alerts so that they say what they say, in words, to their number: an address that was written in
        another form, a time that is not believed, JSON that was taken out of what stood around it.
    unknown
        `severity`, `tactic` and `technique` to the words that no table knows, and how often they came.
    products
        What the alerts call their product, most frequent first, at most three.
    shown
        The first rows as `lines_of` gives them.
    """

    n_rows: int
    n_alerts: int
    refused: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    filled: Mapping[str, int] = field(default_factory=dict)
    done: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    products: Sequence[str] = ()
    shown: Sequence[Any] = ()


def lines_of(raw_alerts: Mapping[str, DataFrame], format_: Format, table: str, received: str) -> DataFrame:
    """Normalise the lines of one table, with the time that the format itself gives.

    `rule_id` is given up: its place carries that time through the product's own code.

    Parameters
    ----------
    raw_alerts
        Table name to its exported lines.
    format_
        The format that is checked.
    table
        The table that it reads.
    received
        The TimeGenerated, as text, of rows that had none.

    Returns
    -------
    DataFrame
        One row is one line: the columns of `normalise_alerts` that a person looks at, `accounts` and `own_time`.
        `observed_at` of a row without TimeGenerated is its own time, or null.

    Raises
    ------
    ConfigError
        With every expression of the format that Spark refuses.
    """
    normalise_alerts(raw_alerts, {table: format_})  # judges the format as it is written
    own = f"cast(unix_micros(try_cast({format_.columns.get('observed_at', 'null')} as timestamp)) as string)"
    probed = replace(format_, columns={**format_.columns, "rule_id": own})
    lines = normalise_alerts(raw_alerts, {table: probed})
    own_time = F.timestamp_micros(F.expr("try_cast(rule_id as bigint)"))
    had_no_time = F.col("received_at") == F.lit(received).cast("timestamp")
    return lines.select(
        F.col("item_id").cast("int").alias("number"),
        *("reason", "line", "product", "name", "severity", "tactics", "techniques"),
        F.when(had_no_time, own_time).otherwise(F.col("observed_at")).alias("observed_at"),
        own_time.alias("own_time"),
        *("source_entity", "target_entity", "source_zone", "target_zone"),
        F.expr(ACCOUNTS).alias("accounts"),
        "unknown",
        F.when(had_no_time, F.expr("filter(done, d -> d not like 'time is more than%')"))
        .otherwise(F.col("done"))
        .alias("done"),
    )


def check_rows(lines: DataFrame, n_shown: int) -> Check:
    """Count the lines by what became of them, and keep the first.

    Parameters
    ----------
    lines
        As `lines_of` gives them.
    n_shown
        Rows that are kept; if all alerts come later, the first alert is kept too.

    Returns
    -------
    Check
        The counts and the rows.
    """
    lines = lines.persist(StorageLevel.MEMORY_AND_DISK)
    has: dict[str, Column] = {
        "time": F.col("own_time").isNotNull(),
        "name": F.col("name").isNotNull(),
        "severity": F.col("severity").isNotNull(),
        "source": F.col("source_entity").isNotNull(),
        "target": F.col("target_entity").isNotNull(),
        "tactic": F.size("tactics") > 0,
    }
    counted = lines.groupBy("reason").agg(
        F.count(F.lit(1)).alias("n"), F.min("number").alias("first"), *[F.count_if(c).alias(k) for k, c in has.items()]
    )
    by_reason = {row["reason"]: row for row in counted.collect()}
    alerts = by_reason.pop(None, None)
    shown = lines.limit(n_shown).collect()
    if alerts and n_shown and all(row["reason"] for row in shown):
        shown += lines.filter("reason is null").limit(1).collect()
    check = Check(
        n_rows=sum(row["n"] for row in by_reason.values()) + (alerts["n"] if alerts else 0),
        n_alerts=alerts["n"] if alerts else 0,
        refused={why: (row["n"], row["first"]) for why, row in sorted(by_reason.items(), key=lambda kv: -kv[1]["n"])},
        filled={name: alerts[name] if alerts else 0 for name in FIELDS},
        done=_counted(lines.filter("reason is null"), "done") if alerts else {},
        unknown=_unknown_words(lines.filter("reason is null")) if alerts else {},
        products=_products(lines.filter("reason is null")) if alerts else (),
        shown=shown,
    )
    lines.unpersist()
    return check


def _unknown_words(alerts: DataFrame) -> dict[str, dict[str, int]]:
    """Words of severity, tactic and technique that no table knows, by their kind, the most frequent first."""
    found: dict[str, dict[str, int]] = {}
    for said, count in _counted(alerts, "unknown").items():
        kind, _, word = said.partition(": ")
        found.setdefault(kind, {})[word] = count
    return found


def _counted(alerts: DataFrame, column: str) -> dict[str, int]:
    """How often each word of an array came, the most frequent first."""
    words = alerts.select(F.explode(column).alias("word")).groupBy("word").count()
    return {row["word"]: row["count"] for row in words.orderBy(F.desc("count"), "word").limit(WORDS_LIMIT).collect()}


def _products(alerts: DataFrame) -> list[str]:
    named = alerts.filter("product is not null").groupBy("product").count()
    return [row["product"] for row in named.orderBy(F.desc("count"), "product").limit(3).collect()]


def sample_differences(lines: DataFrame, samples: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """For each of a format's own samples, every column in which its row is not what the sample promises.

    `lines` holds the samples' rows in `normalise_alerts`' shape, `item_id` being the number of the sample from 1.
    """
    times = {at: F.col(at).cast("string") for at in ("observed_at", "received_at")}
    found = {int(row["item_id"]): row for row in lines.withColumns({"accounts": F.expr(ACCOUNTS), **times}).collect()}
    return [differences(sample, found[number].asDict()) for number, sample in enumerate(samples, 1)]


def differences(sample: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """Every column in which a row is not what its sample promises; a column that the row does not have is None."""
    promised = {**sample.get("gives", {}), "reason": sample.get("rejected")}
    return [
        f"{name}: {row.get(name)!r} instead of {want!r}" for name, want in promised.items() if row.get(name) != want
    ]
