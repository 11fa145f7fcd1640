"""What a format makes of a user's rows, as text for a person: aligned, within a hundred columns."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timezone
from typing import Any

from alertgraph_spark.clean_text import printed
from alertgraph_spark.commands.format_check import Check
from alertgraph_spark.short_text import WORD, short

WIDTH = 100
_INDENT = " " * 40
_WORDS_SHOWN = 5


def rows_text(rows: Sequence[Any]) -> Iterator[str]:
    """The lines of each row: time, severity and name, then its ends, tactics and accounts; or why it was refused.

    Rows that are refused one after the other for one reason share a line.
    """
    yield f"{'row':>9}  {'time (UTC)':<19}  {'sev.':>5}   name, then source → target"
    runs: list[tuple[str, int, int, str]] = []
    for position, row in enumerate(rows, 1):
        number = row["number"] or position
        if row["reason"]:
            evidence = f": {printed(row['line'][:50])}" if row["number"] is None and row["line"] else ""
            if runs and not evidence and runs[-1][::3] == (row["reason"], ""):
                runs[-1] = (row["reason"], runs[-1][1], number, "")
            else:
                yield from _refused(runs)
                runs = [(row["reason"], number, number, evidence)]
            continue
        yield from _refused(runs)
        runs = []
        yield from _alert(number, row)
    yield from _refused(runs)


def _refused(runs: Sequence[tuple[str, int, int, str]]) -> Iterator[str]:
    for reason, first, last, evidence in runs:
        span = f"{first}" if first == last else f"{first}-{last}"
        yield _cut(f"{span:>9}  refused: {reason}{evidence}")


def _alert(number: int, row: Any) -> Iterator[str]:
    at = row["observed_at"]  # Spark hands it over in the zone of this process
    when = f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}" if at else "none given"
    severity = "-" if row["severity"] is None else f"{row['severity']:.2f}"
    yield _cut(f"{number:>9}  {when:<19}  {severity:>5}   {row['name']}")
    source, target = _end(row, "source"), _end(row, "target")
    yield _cut(f"{_INDENT}{' → '.join(filter(None, (source, target))) or 'neither source nor target'}")
    for label, values in (("tactics", row["tactics"]), ("accounts", row["accounts"])):
        if values:
            yield _cut(f"{_INDENT}{label}: {', '.join(values)}")
    yield from (_cut(f"{_INDENT}done: {what}") for what in row["done"])


def _end(row: Any, end: str) -> str:
    key, zone = row[f"{end}_entity"], row[f"{end}_zone"]
    if key is None:
        return "(no source)" if end == "source" and row["target_entity"] else ""
    return f"{key} ({zone})" if zone and zone != "unknown" else str(key)


def _cut(line: str) -> str:
    return short(line, WIDTH)


def summary_text(check: Check) -> Iterator[str]:
    """The balance of rows, the share of alerts that fill each field, and the words that the format does not know."""
    n_refused = check.n_rows - check.n_alerts
    yield f"{check.n_rows:,} rows read = {check.n_alerts:,} alerts + {n_refused:,} refused"
    for reason, (count, first) in check.refused.items():
        where = f" (first: row {first:,})" if first else ""
        yield f"  refused   {count:>11,}  {reason}{where}"
    if not check.n_alerts:
        yield "WARNING   not one row became an alert"
        return
    shares = [f"{name} {share(count, check.n_alerts)}" for name, count in check.filled.items()]
    yield f"  filled    {'   '.join(shares)}"
    if check.filled["time"] < check.n_alerts:
        yield "            an alert without a time of its own takes TimeGenerated"
    for what, count in check.done.items():
        yield _cut(f"  done      {count:>11,}  {what}")
    for kind, words in check.unknown.items():
        yield from _unknown(kind, words)


def columns_text(check: Check, reads: Sequence[str], columns: Collection[str]) -> Iterator[str]:
    """Say whether the rows have the columns that the format reads, where not one row became an alert.

    Parameters
    ----------
    check
        The counts.
    reads
        Columns that the format reads.
    columns
        Columns that the rows have.

    Yields
    ------
    str
        One line of text.
    """
    if not check.n_alerts and columns:
        there = [name for name in reads if name in columns]
        text = f"of the columns that the format reads the rows have {', '.join(there) or 'none'}"
        if not there:
            text += f"; the format reads {', '.join(reads)}; the rows have {', '.join(sorted(columns))}"
        yield from textwrap.wrap(
            text, WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 10, max_lines=6, placeholder=" …"
        )


_REMEDY = {"severity": "severity_scale does not know", "doubt": "not to be trusted"}


def _unknown(kind: str, words: Mapping[str, int]) -> Iterator[str]:
    shown = [f"{short(word, WORD)!r} {count:,}" for word, count in list(words.items())[:_WORDS_SHOWN]]
    more = [f"and {len(words) - _WORDS_SHOWN} more"] if len(words) > _WORDS_SHOWN else []
    remedy = _REMEDY.get(kind, "ATT&CK does not know")
    text = f"{remedy}: {', '.join([*shown, *more])}"
    yield from textwrap.wrap(text, WIDTH, initial_indent=f"  {kind:<10}", subsequent_indent=" " * 12)


def share(count: int, of: int) -> str:
    """A share in per cent; what is not all is never rounded up to 100 %, nor what is something down to 0 %.

    Examples
    --------
    >>> share(999, 1000), share(1, 1000), share(2, 3), share(0, 5)
    ('99 %', '1 %', '67 %', '0 %')
    """
    percent = round(100 * count / of)
    if 0 < count < of:
        percent = min(99, max(1, percent))
    return f"{percent} %"


def samples_text(differences: Sequence[Sequence[str]]) -> Iterator[str]:
    """Whether the format's own samples hold, and each difference of one that does not."""
    held = sum(not one for one in differences)
    if not differences:
        yield "samples   the format has none; give it some: a row, and what it gives"
        return
    yield f"samples   {held} of {len(differences)} of the format's own hold"
    for number, one in enumerate(differences, 1):
        for difference in one:
            wrapped = textwrap.wrap(f"sample {number}: {difference}", WIDTH, initial_indent=" " * 10)
            yield from wrapped
