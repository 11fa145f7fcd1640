"""Normalise: exported lines of any product become alerts of one shape, or are refused with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.clean_text import NAME_LIMIT, clean_sql
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.normalise.columns import NO_TEXTS, sql_text
from alertgraph_spark.normalise.format_expressions import JSON_TEXT, UNWRAPPED, as_exported, with_expressions
from alertgraph_spark.normalise.json_text import SECOND, is_broken
from alertgraph_spark.normalise.severity import severity_of
from alertgraph_spark.tables.frames import conform
from alertgraph_spark.tables.interim_schemas import NO_ALERT, SAID
from alertgraph_spark.tables.schemas import OWN, REJECTED, TORN, UNFINISHED

LINE_LIMIT = 2000
"""Characters of a refused line that are kept as evidence."""

CLOCK_BEHIND = {"sender": "48 hours", "platform": "365 days"}
"""How far an event time may lie before its receipt, by who keeps the rows of a format. Log Analytics puts the receipt time in
place of a sender's time outside these bounds (azure monitor docs, log-standard-columns); so do we, or a wrong clock would
rewrite the past. What the platform keeps it tells weeks later, where a connector starts late or an analyst touches an alert;
before that lies only what stands for no time (0001-01-01, 1970-01-01)."""

CLOCK_AHEAD = "24 hours"

BROKEN = "text broken or cut short"
"""The reason of a row whose text begins a JSON object or a header that does not end, or is none: a transport cuts lines."""


def parse_lines(raw_alerts: Mapping[str, DataFrame], formats: Mapping[str, Format]) -> DataFrame:
    """Read every exported line by its table's format: when it was, what it says, and a reason where it is no alert.

    Parameters
    ----------
    raw_alerts
        Table name to its lines, with `file`, `table`, `site`, `TimeGenerated`, `_ItemId`, `_corrupt_record` and the columns
        that its format reads. Each format sees its own table alone: in a union all formats would be analysed for all tables.
    formats
        Table name to the format that reads it.

    Returns
    -------
    DataFrame
        One row is one exported line; no line is dropped. It has `alert_id`, `item_id`, `site`, `table`, `source`,
        `product`, `rule_id`, `severity`, `received_at`, `observed_at`, `file`, `line` (evidence for a refusal),
        `reason` (null for an alert), `path` (its file), `file_id` (a hash of that), `done` (what was done to the row,
        in words: its provenance), and the columns of `interim_schemas.SAID`.

    Notes
    -----
    Narrow. What the words mean is not asked here, where each row would cost it.
    """
    return reduce(DataFrame.unionByName, [_of_table(raw_alerts[table], format_) for table, format_ in formats.items()])


_REASON = f"""case
when startswith(_corrupt_record, '{{') and not endswith(rtrim(_corrupt_record), '}}') then '{TORN}'
when _corrupt_record is not null then 'not one JSON object' when received_at is null then 'no TimeGenerated'
when is_own then '{OWN}' when is_broken then '{BROKEN}'
when not is_alert then if(is_second, '{SECOND}', '{NO_ALERT}') when not is_named then 'no alert name' end"""

_EVIDENCE = (
    # Evidence is for refused lines alone: on every row it would double what the shuffles carry.
    f"{_REASON} as reason",
    f"if({_REASON} is not null, file, null) as file",
    f"if({_REASON} is not null, substring(coalesce(_corrupt_record, own_details, item_id), 1, {LINE_LIMIT}), null) as line",
    "file as path",
    "xxhash64(file) as file_id",
)


def _of_table(raw: DataFrame, format_: Format) -> DataFrame:
    """What the lines of one table say, read by its format; the columns are the same for all formats."""
    given = with_expressions(raw, format_)

    def column(name: str, type_: str = "string") -> str:
        return f"`columns.{name}`" if name in format_.columns else f"cast(null as {type_})"

    said = ("_corrupt_record", "TimeGenerated", *map(as_exported, format_.reads))
    content = ", ".join(f"coalesce(`{name}`, '')" for name in said)
    ends = ("source", "target")
    scale = format_.severity_scale
    degree = column("severity", "string" if scale else "double")
    severity = severity_of(degree, scale)
    if scale:  # a word may hide in what is not seen
        severity = f"coalesce({severity}, {severity_of(clean_sql(degree), scale)})"
    alert_id = f"{clean_sql(column('alert_id'))}, " if "alert_id" in format_.columns else ""
    name = column("name")
    wide = (
        " or ".join(f"coalesce(octet_length(`{as_exported(one)}`) > {WIDE}, false)" for one in format_.reads) or "false"
    )
    lines = given.selectExpr(
        f"coalesce({alert_id}_ItemId, sha2(concat_ws('|', {content}), 256)) as alert_id",
        "_ItemId as item_id",
        *("site", "table", "file", "_corrupt_record"),
        f"{sql_text(format_.name)} as source",
        *[f"{column(one)} as {one}" for one in ("product", "name", "rule_id")],
        f"{severity} as severity",
        f"{degree} as degree",
        *[f"{column(words, 'array<string>')} as {words}" for words in ("tactics", "techniques")],
        f"{column('observed_at', 'timestamp')} as own_time",
        f"{_received_at(given.sparkSession)} as received_at",
        "coalesce(`where`, false) as is_alert",
        # Nearly every name has a letter of ASCII.
        f"coalesce({name} rlike '[!-~]' or {clean_sql(name)} is not null, false) as is_named",
        "coalesce(own, false) as is_own",
        "if(own, own_details, null) as own_details",
        # Asked of rows alone that are no alerts: it reads the whole text.
        f"if(`where` and {name} is not null, false, {is_broken(f'`{JSON_TEXT}`')})"
        " or coalesce(broken, false) as is_broken",
        "coalesce(acts, false) as acts",
        f"array_contains(too_long, '{SECOND}') as is_second",
        f"if({UNWRAPPED}, array('JSON taken out of what stood around it'), {NO_TEXTS}) as done",
        f"transform(concat(coalesce(doubts, {NO_TEXTS}), too_long), d -> concat('doubt: ', d)) as doubts",
        *[f"`{end}_{what}`" for end in ends for what in ("zone", "level")],
        f"{_names_of(format_)} as names",
        f"{wide} as is_wide",
    )
    word = clean_sql("degree")
    strange = f"if(severity is null and {word} != '', array(concat('severity: ', {word})), {NO_TEXTS})"
    most_behind = CLOCK_BEHIND[format_.kept_by]
    behind = f"own_time < received_at - interval '{most_behind}'"
    ahead = f"own_time > received_at + interval '{CLOCK_AHEAD}'"
    clock = (
        f"case when {behind} then array('time is more than {most_behind} before TimeGenerated, which stands in its place')"
        f" when {ahead} then array('time is more than {CLOCK_AHEAD} after TimeGenerated, which stands in its place')"
        f" else {NO_TEXTS} end"
    )
    return lines.selectExpr(
        *("alert_id", "item_id", "site", "table", "source", "product", "rule_id", "severity", "received_at"),
        f"if({behind} or {ahead}, received_at, coalesce(own_time, received_at)) as observed_at",
        f"concat(done, {clock}) as done",
        *[f"{_BOUNDED[one]} as {one}" if one in _BOUNDED else one for one in SAID.names if one != "unknown"],
        f"concat({strange}, doubts) as unknown" if scale else "doubts as unknown",
        *_EVIDENCE,
    )


WIDE = 2000
"""Bytes of a text above which what a row says is bounded here, before it leaves Spark; below, it cannot be much."""

MOST_NAMES = 500
"""Names of a row that are looked at: an alert of Sentinel has no more entities, of all kinds together
(learn.microsoft.com/azure/sentinel/map-data-fields-to-entities)."""


def _first(values: str, each: str) -> str:
    return f"if(is_wide, slice(transform({values}, v -> {each}), 1, {MOST_NAMES}), {values})"


_BOUNDED = {
    "name": f"if(is_wide, {clean_sql('name', NAME_LIMIT)}, name)",
    **{f"{end}_zone": f"if(is_wide, {clean_sql(f'`{end}_zone`')}, `{end}_zone`)" for end in ("source", "target")},
    **{words: _first(words, clean_sql("v")) for words in ("tactics", "techniques")},
    "names": _first("names", f"struct(v.end, v.kind, {clean_sql('v.text')} as text)"),
    "n_more": f"if(is_wide, greatest(size(names) - {MOST_NAMES}, 0), 0)",
}
"""What a wide row says, as much of it as is looked at. To clean it again changes nothing."""


def _received_at(spark: SparkSession) -> str:
    """SQL for TimeGenerated as a time; null where it is none.

    Spark compiles a pattern for each time that names its zone, which costs more than the parse of the row's JSON; where the
    session's zone is UTC, as a run's is, the `Z` of the export can go.
    """
    time = "try_cast(TimeGenerated as timestamp)"
    if spark.conf.get("spark.sql.session.timeZone") not in ("UTC", "Etc/UTC"):
        return time
    bare = "try_cast(left(TimeGenerated, length(TimeGenerated) - 1) as timestamp)"
    return f"if(TimeGenerated rlike '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9:.]{{8,17}}Z$', {bare}, {time})"


def _names_of(format_: Format) -> str:
    """All names that a format gives, those of each end in its order of preference, as `array<struct<end,kind,text>>`."""
    ends = [
        f"struct('{end}' as end, '{kind}' as kind, `{end}.{kind}` as text)"
        for end, kinds in (("source", format_.source), ("target", format_.target))
        for kind in kinds
    ]
    arrays = [f"array({', '.join(ends)})"] if ends else []
    for kind in format_.other:
        told = f"coalesce(`other.{kind}`, {NO_TEXTS})"
        arrays.append(f"transform({told}, v -> struct('other' as end, '{kind}' as kind, v as text))")
    return f"concat({', '.join(arrays)})" if arrays else f"cast(array() as {_NAMES})"


_NAMES = next(column.type for column in SAID.columns if column.name == "names")


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


def rejected_lines(lines: DataFrame, unfinished: DataFrame | None = None) -> DataFrame:
    """Refused lines with file, text and reason; one row a line. Rows that are simply no alerts are counted, not kept; what we
    raised ourselves is kept, so that anyone can see that it was.

    `unfinished` is what `find_unfinished` gives, None where no line is torn.
    """
    refused = lines.filter(F.col("reason").isNotNull() & (F.col("reason") != NO_ALERT))
    if unfinished is None:
        return conform(refused, REJECTED)
    marked = refused.join(F.broadcast(unfinished.withColumn("is_last", F.lit(True))), on="row", how="left")
    reason = F.when(F.col("is_last"), UNFINISHED).otherwise(F.col("reason"))
    return conform(marked.withColumn("reason", reason), REJECTED)
