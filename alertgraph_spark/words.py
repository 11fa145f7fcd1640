"""Words: what is said of a subgraph to an analyst, as expressions over its features. Every subgraph has them, shown or not.

SQL, because the words of a score's terms are SQL too.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from alertgraph_spark.columns import NO_TEXTS, sql_text

_ALWAYS = (
    "Ask the owner of {last} whether this was planned work; if so, tell the asset list or the maintenance calendar."
)

_CROWD = "if(is_shown and n_like > 0, concat({before}, format_number(n_like, 0), {after}), {none})"
"""Told where more than the day's budget scores like what is shown: a rival, or a crowd of decoys."""

MAX_HOSTS = 5
"""Hosts of a path that a title names; of a longer one the first two and the last two."""


def labels(keys: str) -> str:
    """Entity keys without their kind, in SQL: `host:ws1` is `ws1`."""
    return f"transform({keys}, key -> {label('key')})"


def label(key: str) -> str:
    """An entity key without its kind, in SQL."""
    return f"substring({key}, instr({key}, ':') + 1)"


def many(number: str, word: str) -> str:
    """A number and its noun, in SQL: `1 alert`, `2 alerts`.

    Examples
    --------
    >>> many("n_alerts", "alert")
    "concat(format_number(n_alerts, 0), if(n_alerts = 1, ' alert', ' alerts'))"
    """
    return f"concat(format_number({number}, 0), if({number} = 1, {sql_text(' ' + word)}, {sql_text(f' {word}s')}))"


def seen_before(past: str) -> str:
    """How often something had been seen, in SQL, of a struct with `seen_hours` and `history_hours`.

    Whole days where it was never seen, since no hour with it means no day with it; else hours, which are what is counted.
    """
    hours, seen = f"{past}.history_hours", f"{past}.seen_hours"
    return (
        f"case when {hours} < 1 then 'with no history before it'"
        f" when {seen} <= 0 and {hours} >= 48 then concat('in 0 of ', int(floor({hours} / 24)), ' days before')"
        f" else concat('in ', greatest({seen}, 0), ' of ', int({hours}), ' hours before') end"
    )


def summary(titles: Mapping[str, str]) -> Column:
    """One sentence: what it looks like, along which hosts, how much, how long, its crowd, and the rarest alert."""
    found = [F.when(F.array_contains("motifs", motif), F.lit(title)) for motif, title in titles.items()]
    what = F.when(F.size("motifs") > 0, F.concat_ws(", ", *found)).otherwise(F.lit("Unusual alerts"))
    where = F.expr(f"if(size(path) > 0, concat(': ', array_join({labels('path')}, ' → ')), '')")
    hours = F.expr("format_number((unix_timestamp(last_seen) - unix_timestamp(first_seen)) / 3600, 1)")
    much = F.expr(
        f"concat('; ', {many('n_alerts', 'alert')}, ' of ', {many('n_types', 'type')}, ' on ', {many('n_hosts', 'host')})"
    )
    crowd = F.expr(_CROWD.format(before="'; crowded day: '", after="' more like it'", none="''"))
    return F.concat(
        *(what, where, much, F.lit(" in "), hours, F.lit(" h"), crowd, F.lit("; rarest: ")),
        F.expr("coalesce(get(rarest, 0).name, 'none')"),
    )


def title(titles: Mapping[str, str]) -> Column:
    """A headline: the most telling motif, the hosts of the path, and what was done to the process, else the rarest alert."""
    first = F.coalesce(
        *[F.when(F.array_contains("motifs", motif), F.lit(title)) for motif, title in titles.items()],
        F.lit("Unusual alerts"),
    )
    hosts = labels("path")
    way = (
        f"array_join(if(size(path) > {MAX_HOSTS},"
        f" concat(slice({hosts}, 1, 2), array('…'), slice({hosts}, -2, 2)), {hosts}), ' → ')"
    )
    where = F.expr(f"coalesce(if(size(path) > 0, concat(': ', {way}), concat(' on ', {label('quietest.name')})), '')")
    return F.concat(
        first,
        where,
        F.expr("coalesce(concat(if(size(path) > 0, ', ', ': '), coalesce(act_name, get(rarest, 0).name)), '')"),
    )


def unusual() -> Column:
    """What had been seen rarely or never: the rarest alert types, and the host that is hardly ever heard of."""
    types = f"transform(rarest, t -> concat('“', t.name, '”: seen ', {seen_before('t')}))"
    host = f"concat({label('quietest.name')}, ': any alert about it ', {seen_before('quietest')})"
    return F.expr(f"concat({types}, if(quietest is null, {NO_TEXTS}, array({host})))")


def checks(of_motif: Mapping[str, str]) -> Column:
    """What to check next: what each motif found asks for, the crowd that the budget hides, then what any subgraph does.

    `{first}` and `{last}` of a text are the ends of the path.
    """
    texts = [f"if(array_contains(motifs, {sql_text(m)}), {sql_text(text)}, null)" for m, text in of_motif.items()]
    first = f"coalesce({label('get(path, 0)')}, 'the host that acts')"
    last = f"coalesce({label('get(path, size(path) - 1)')}, {label('quietest.name')}, 'the host acted on')"
    before, after = "'Crowded day: look at what scores like this and is not shown, '", "' more of its site and day.'"
    crowd = _CROWD.format(before=before, after=after, none="null")
    asked = f"array_compact(array({', '.join([*texts, crowd, sql_text(_ALWAYS)])}))"
    return F.expr(f"transform({asked}, text -> replace(replace(text, '{{first}}', {first}), '{{last}}', {last}))")
