"""Normalise: exported lines of any product become alerts of one shape, or are refused with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial, reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.asset_list import with_assets
from alertgraph_spark.entities import entity_key
from alertgraph_spark.format_expressions import with_expressions
from alertgraph_spark.schemas import REJECTED, TORN, UNFINISHED
from alertgraph_spark.source_format import Asset, Format
from alertgraph_spark.table import conform
from alertgraph_spark.vocabulary import severity_of, tactics_of, techniques_of, unknown_words

LINE_LIMIT = 2000
"""Characters of a refused line that are kept as evidence."""

CLOCK_BEHIND, CLOCK_AHEAD = "INTERVAL 48 HOURS", "INTERVAL 24 HOURS"
"""How far an event time may lie before and after its receipt. Log Analytics puts the receipt time in place of a time
outside these bounds (azure monitor docs, log-standard-columns); so do we, or a wrong clock would rewrite the past."""


def normalise_alerts(raw_alerts: DataFrame, formats: Mapping[str, Format], assets: Sequence[Asset] = ()) -> DataFrame:
    """Give every exported line the shape of an alert, and a reason where it is none.

    One input and one output row is one exported line. The output has the columns of `schemas.ALERTS`, then `named`
    (addresses, and the host that the line says has each), `file`, `table`, `line` (evidence for a refusal), `reason` (null
    for an alert), `file_id` (a hash) and `unknown` (words of severity, tactic or technique that no table knows). Nothing is
    dropped.

    Parameters
    ----------
    raw_alerts
        Lines with `file`, `table`, `site`, `TimeGenerated`, `_ItemId`, `_corrupt_record` and the columns that formats read.
    formats
        Table name to the format of its rows.
    assets
        The asset list; it resolves addresses to hosts and knows zones, Purdue levels and roles.

    Notes
    -----
    Narrow: no shuffle; the asset list is broadcast.
    """
    lines = [_of_table(raw_alerts.filter(F.col("table") == table), format_) for table, format_ in formats.items()]
    return with_assets(reduce(DataFrame.unionByName, lines), assets)


def _of_table(raw: DataFrame, format_: Format) -> DataFrame:
    """Lines of one table, read by its format, with the ends as the product names them."""
    parsed = with_expressions(raw, format_)
    given = {
        name: F.expr(expression).cast("array<string>" if name in ("tactics", "techniques") else "string")
        for name, expression in format_.columns.items()
    }
    none = F.lit(None).cast("string")
    received_at = F.expr("try_cast(TimeGenerated as timestamp)")
    observed_at = F.expr(f"try_cast({format_.columns.get('observed_at', 'null')} as timestamp)")
    is_clock_sane = observed_at.between(received_at - F.expr(CLOCK_BEHIND), received_at + F.expr(CLOCK_AHEAD))
    item_id = F.col("_ItemId")
    content = [F.coalesce(column, F.lit("")) for column in ("_corrupt_record", "TimeGenerated", *format_.reads)]
    title = F.nullif(F.trim(given.get("name", none)), F.lit(""))
    reason = (
        F.when(F.col("_corrupt_record").startswith("{") & ~F.rtrim(F.col("_corrupt_record")).endswith("}"), TORN)
        .when(F.col("_corrupt_record").isNotNull(), "not one JSON object")
        .when(received_at.isNull(), "no TimeGenerated")
        .when(~F.coalesce(F.expr(format_.where), F.lit(False)), "not an alert")
        .when(title.isNull(), "no alert name")
    )
    degree = format_.columns.get("severity"), format_.severity_scale
    tactics, techniques = given.get("tactics"), given.get("techniques")
    source = _end(format_.source)
    target = _end(format_.target)
    return parsed.select(
        F.coalesce(
            F.nullif(given.get("alert_id", none), F.lit("")), item_id, F.sha2(F.concat_ws("|", *content), 256)
        ).alias("alert_id"),
        item_id.alias("item_id"),
        "site",
        F.lit(format_.name).alias("source"),
        given.get("product", none).alias("product"),
        title.alias("name"),
        given.get("rule_id", none).alias("rule_id"),
        severity_of(*degree).alias("severity"),
        tactics_of(tactics).alias("tactics"),
        techniques_of(techniques).alias("techniques"),
        F.when(is_clock_sane, observed_at).otherwise(received_at).alias("observed_at"),
        received_at.alias("received_at"),
        source.alias("source_entity"),
        target.alias("target_entity"),
        F.expr(format_.source_zone).cast("string").alias("source_zone"),
        F.expr(format_.target_zone).cast("string").alias("target_zone"),
        _addresses(format_.source, source).alias("source_addresses"),
        _addresses(format_.target, target).alias("target_addresses"),
        F.expr(f"try_cast({format_.source_level} as double)").alias("source_level"),
        F.expr(f"try_cast({format_.target_level} as double)").alias("target_level"),
        _others(format_.other).alias("others"),
        # Evidence is for refused lines alone: on every row it would double what the shuffles carry.
        F.when(reason.isNotNull(), F.col("file")).alias("file"),
        "table",
        F.when(reason.isNotNull(), F.substring(F.coalesce("_corrupt_record", item_id), 1, LINE_LIMIT)).alias("line"),
        reason.alias("reason"),
        F.xxhash64("file").alias("file_id"),
        unknown_words(*degree, tactics, techniques).alias("unknown"),
    )


def _end(kinds: Mapping[str, str]) -> Column:
    keys = [entity_key(kind, F.expr(expression).cast("string")) for kind, expression in kinds.items()]
    return F.coalesce(*keys, F.lit(None).cast("string"))


def _addresses(kinds: Mapping[str, str], end: Column) -> Column:
    """Addresses that the row gives an end beside its name: they tell whose address it is in rows that name no host."""
    keys = [entity_key(kind, F.expr(kinds[kind]).cast("string")) for kind in ("ip", "mac") if kind in kinds]
    if len(kinds) == len(keys):
        return F.array().cast("array<string>")
    is_named = end.startswith("host:") | end.startswith("device:")
    return F.filter(F.array(*keys), lambda key: key.isNotNull() & is_named)


def _others(kinds: Mapping[str, str]) -> Column:
    """All further entities as `array<struct<kind,key,role>>`, without placeholders."""
    arrays = [
        F.transform(
            F.coalesce(F.expr(expression).cast("array<string>"), F.array().cast("array<string>")),
            partial(_other, kind),
        )
        for kind, expression in kinds.items()
    ]
    if not arrays:
        return F.array().cast("array<struct<kind:string,key:string,role:string>>")
    return F.array_distinct(F.filter(F.concat(*arrays), lambda entity: entity["key"].isNotNull()))


def _other(kind: str, value: Column) -> Column:
    return F.struct(F.lit(kind).alias("kind"), entity_key(kind, value).alias("key"), F.lit("other").alias("role"))


def with_status(lines: DataFrame, start: datetime, end: datetime) -> DataFrame:
    """Say of each line whether it is an `alert`, `out_of_window`, `history` from before the window, or `rejected`.

    Row grain is unchanged; adds `status` and `row`, a number of the line in this frame. History teaches what is usual here
    but is not ranked.

    Notes
    -----
    Narrow. `row` follows from the files and their order, so a part of the frame that is computed again has the same.
    """
    received_at = F.col("received_at")
    status = (
        F.when(F.col("reason").isNotNull(), "rejected")
        .when(received_at >= F.lit(end), "out_of_window")
        .when(received_at < F.lit(start), "history")
        .otherwise("alert")
    )
    return lines.withColumn("status", status).withColumn("row", F.monotonically_increasing_id())


def find_repeats(lines: DataFrame) -> DataFrame:
    """Find the rows that say again what another row says: delivered twice, or updated by a later row.

    Output is `row` and `status` of each superfluous line: of the rows of one alert that were received before the end of the
    window, the one received last stands.

    Notes
    -----
    One shuffle of a number a row; only the alerts that come more than once are sorted.
    """
    valid = lines.filter(F.col("status").isin("alert", "history")).select(
        "row", "received_at", "status", F.xxhash64("site", "source", "alert_id").alias("alert")
    )
    more_than_once = valid.groupBy("alert").agg(F.count(F.lit(1)).alias("n")).filter("n > 1").select("alert")
    newest = Window.partitionBy("alert").orderBy(F.desc("received_at"), "row")
    repeated = valid.join(F.broadcast(more_than_once), on="alert", how="left_semi")
    return repeated.withColumn("place", F.row_number().over(newest)).filter("place > 1").select("row", "status")


def find_unfinished(lines: DataFrame) -> DataFrame:
    """Find the torn lines that are the last of their file: a blob that is being written ends in half a row.

    Output is `row`. The next run reads the line whole; a torn line with others behind it never will be.

    Notes
    -----
    Narrow: only torn lines are joined, to the line that follows each in its file. A file that Spark reads in several parts
    is taken as several files.
    """
    torn = lines.filter(F.col("reason") == TORN).select("row", "file_id")
    next_rows = torn.select((F.col("row") + 1).alias("row"), "file_id")
    followed = lines.join(F.broadcast(next_rows), on=["row", "file_id"], how="left_semi")
    return torn.join(F.broadcast(followed.select((F.col("row") - 1).alias("row"))), on="row", how="left_anti").select(
        "row"
    )


def rejected_lines(lines: DataFrame, unfinished: DataFrame) -> DataFrame:
    """Refused lines with file, text and reason; one row a line. Rows that are simply no alerts are counted, not kept.

    `unfinished` is what `find_unfinished` gives.
    """
    refused = lines.filter(F.col("reason").isNotNull() & (F.col("reason") != "not an alert"))
    marked = refused.join(F.broadcast(unfinished.withColumn("is_last", F.lit(True))), on="row", how="left")
    reason = F.when(F.col("is_last"), UNFINISHED).otherwise(F.col("reason"))
    return conform(marked.withColumn("reason", reason), REJECTED)
