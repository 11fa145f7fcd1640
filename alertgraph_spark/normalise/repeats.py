"""Repeats: rows that say an alert again, delivered twice or updated by a later row."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def find_repeats(lines: DataFrame, by_id: Collection[str] = ()) -> DataFrame:
    """Find the rows of alerts that are told more than once: delivered twice, or updated by a later row.

    Of the rows of one alert that were received before the end of the window the one received last stands.

    Parameters
    ----------
    lines
        One row is one line with its `status` and `row`, as `alerts.with_status` gives it.
    by_id
        Formats whose ids the platform keeps: there the id alone tells an alert. Else its rows are of one site, format, id and
        name: an id is often the text of a row, and one that says the id of another alert must not take its place.

    Returns
    -------
    DataFrame
        One row is one line that does not stand as it is: `row`; `is_repeat`, whether it is superfluous; `first_at`, the
        first time that any row of the alert says, where it is of a format in `by_id`; and `known_at`, when the first of
        its rows was received.

    Notes
    -----
    One shuffle of a number a row, a hash that finds the rows worth a comparison; only these are sorted, by what they say.
    """
    said = ("site", "source", "alert_id", "told_name")
    is_by_id = F.col("source").isin(*by_id) if by_id else F.lit(False)
    valid = lines.filter(F.col("status").isin("alert", "history"))
    valid = valid.withColumn("told_name", F.when(~is_by_id, F.col("name")))
    content = ("item_id", "observed_at", "severity", "said")
    valid = valid.select("row", "received_at", *content, *said, F.xxhash64(*said).alias("hash"))
    more_than_once = valid.groupBy("hash").agg(F.count(F.lit(1)).alias("n")).filter("n > 1").select("hash")
    repeated = valid.join(F.broadcast(more_than_once), on="hash", how="left_semi")
    # Of two rows of one time what they hold decides, never where they were read: another split of the files is no other run.
    newest = Window.partitionBy(*said).orderBy(
        F.desc("received_at"), "item_id", "observed_at", "severity", F.xxhash64("said")
    )
    together = Window.partitionBy(*said)
    marked = repeated.withColumns(
        {
            "is_repeat": F.row_number().over(newest) > 1,
            "first_at": F.when(is_by_id, F.min("observed_at").over(together)),
            "known_at": F.min("received_at").over(together),
        }
    )
    differs = marked.filter("is_repeat or first_at < observed_at or known_at < received_at")
    return differs.select("row", "is_repeat", "first_at", "known_at")


def mark_repeats(lines: DataFrame, repeats: DataFrame | None) -> DataFrame:
    """Say of each line whether it is a repeat, and set right when its alert happened: when any of its rows first says.

    Parameters
    ----------
    lines
        One row is one line, with its `row`.
    repeats
        As `find_repeats` gives them. None where there are none: then nothing is joined.

    Returns
    -------
    DataFrame
        The same rows with `is_repeat` and `known_at`, when the first row of its alert was received.
    """
    if repeats is None:
        return lines.withColumns({"is_repeat": F.lit(False), "known_at": F.col("received_at")})
    marked = lines.join(F.broadcast(repeats), on="row", how="left")
    observed_at, is_repeat = F.coalesce("first_at", "observed_at"), F.coalesce("is_repeat", F.lit(False))
    known_at = F.coalesce("known_at", "received_at")
    return marked.withColumns({"observed_at": observed_at, "is_repeat": is_repeat, "known_at": known_at}).drop(
        "first_at"
    )
