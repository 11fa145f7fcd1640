"""A saved run as text for a person: its list by rank, or one subgraph told from its title to its episodes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from alertgraph_spark.clean_text import printed
from alertgraph_spark.publish.one_run import Listed, Opened
from alertgraph_spark.short_text import CELL, HEADING, SENTENCE, WORD, many, short

_HEAD = 10
"""Columns of the word at the begin of a line, as at the end of a run."""

_LEAST_VALUE = 0.0005
"""A contribution that is told: what is smaller is 0.000."""

Row = Mapping[str, Any]


def list_text(listed: Listed, width: int, with_hidden: bool = False) -> Iterator[str]:
    """The lines of a list: of each subgraph its numbers, then its id and its title, both within `width` columns."""
    sites = [short(printed(row["site"]), WORD) for row in listed.rows]
    wide = max([4, *map(len, sites)])
    verdicts = [(row["verdict"] or "").replace("_", " ") for row in listed.rows]
    said = max([7, *map(len, verdicts)])
    state = f"{'shown':<7}" if with_hidden else ""
    if listed.rows:
        head = f"{'rank':>4}  {'score':>5}  {'P':>4}  {state}{'verdict':<{said}}  {'site':<{wide}}  "
        yield _cut(f"{head}first to last seen (UTC)", width)
    for row, site, verdict in zip(listed.rows, sites, verdicts, strict=True):
        numbers = f"{row['rank']:>4}  {row['score']:>5.3f}  {row['probability']:>4.2f}"
        state = f"{_state(row):<7}" if with_hidden else ""
        yield _cut(f"{numbers}  {state}{verdict:<{said}}  {site:<{wide}}  {_span(row)}", width)
        yield _cut(f"      {row['subgraph_id']}  {short(printed(row['title'] or ''), HEADING)}", width)
    if not listed.n_all:
        yield "no subgraph: nothing in the window was out of the ordinary"
    elif not listed.rows:
        yield "none is shown"
    if listed.n_left_out:
        yield f"and {listed.n_left_out:,} more, by rank, in the table subgraphs"
    n_hidden = listed.n_all - listed.n_shown
    if n_hidden and not with_hidden:
        yield f"{n_hidden:,} not shown: --all lists them"


def _state(row: Row) -> str:
    return "yes" if row["is_shown"] else "hidden" if row["suppressed_by"] else ""


def subgraph_text(found: Opened, width: int) -> Iterator[str]:
    """The lines of one subgraph, within `width` columns."""
    row = found.row
    state = {"yes": "shown", "hidden": "hidden", "": "not shown"}[_state(row)]
    yield _cut(f"rank {row['rank']}, score {row['score']:.3f}, P {row['probability']:.2f}, {state}", width)
    yield from textwrap.wrap(short(printed(row["title"] or ""), HEADING), width, break_on_hyphens=False)
    yield _cut(f"{row['subgraph_id']} of {printed(row['site'])}", width)
    n = [many(row[f"n_{what}s"], what) for what in ("alert", "episode", "host")]
    yield _cut(f"{_span(row)} UTC: {', '.join(n)}", width)
    yield ""
    yield from _told("verdict", map(_verdict, found.verdicts), width)
    yield from _told("hidden by", map(_exception, row["suppressed_by"] or ()), width)
    story = [part["sentence"] for part in row["story"] or ()]
    yield from _told("story", story or [row["summary"] or ""], width)
    yield from _told("path", [" → ".join(_label(key) for key in row["path"] or ())], width)
    yield from _told("why", _reasons(row["contributions"] or ()), width)
    yield from _told("unusual", row["unusual"] or (), width)
    yield from _told("without", [(row["counterfactual"] or {}).get("fact") or ""], width)
    yield from _told("check", row["checks"] or (), width)
    yield from _told("owner", map(_owner, row["owners"] or ()), width)
    yield from _told("ticket", row["tickets"] or (), width)
    yield from _told("ties", row["ties"] or (), width)
    yield from _told("related", (f"{one['subgraph_id']}: {one['fact']}" for one in row["related"] or ()), width)
    yield ""
    yield from _evidence(found, width)


def _evidence(found: Opened, width: int) -> Iterator[str]:
    """A line an episode: when, how many alerts, between whom, and what they are called."""
    n_all = len(found.evidence) + found.n_left_out
    few = f", the {len(found.evidence)} rarest" if found.n_left_out else ""
    yield f"{many(n_all, 'episode')}{few}, in the order of time (UTC)"
    yield f"{'first alert':<16}  {'alerts':>6}  source → target, name"
    room = max(20, (width - 26) // 2)
    for episode in found.evidence:
        ends = [_label(episode[f"{end}_entity"]) for end in ("source", "target") if episode[f"{end}_entity"]]
        between = short(" → ".join(ends) or "-", room)
        name = short(printed(episode["name"]), CELL)
        numbers = f"{_clock(episode['started_at'])}  {episode['n_alerts']:>6,}"
        yield _cut(f"{numbers}  {between:<{room}}  {name}", width)
    if found.n_left_out:
        yield f"and {many(found.n_left_out, 'more episode')}, in the table evidence"


def _told(head: str, texts: Iterable[str], width: int) -> Iterator[str]:
    """Texts below one another, wrapped, the first beside its head; nothing where there is none."""
    for text in texts:
        lines = textwrap.wrap(
            short(printed(text), SENTENCE),
            width,
            initial_indent=f"{head:<{_HEAD}}",
            subsequent_indent=" " * _HEAD,
            break_on_hyphens=False,
        )
        yield from lines
        head = "" if lines else head


def _reasons(contributions: Sequence[Row]) -> Iterator[str]:
    for part in contributions:
        if abs(part["value"]) >= _LEAST_VALUE:
            yield f"{part['value']:+.3f} {part['term']}: {part['fact']}"


def _verdict(row: Row) -> str:
    by = f" by {short(row['judged_by'], WORD)}" if row["judged_by"] else ""
    why = f": {short(row['reason'], CELL)}" if row["reason"] else ""
    sure = "" if row["certainty"] == 1 else f", {row['certainty']:.0%} sure that it is meant"
    before = "" if row["is_latest"] else "before: "
    return f"{before}{row['verdict'].replace('_', ' ')}{by}, {_clock(row['judged_at'])}, {row['source']}{sure}{why}"


def _exception(row: Row) -> str:
    ticket = f", {short(row['ticket'], WORD)}" if row["ticket"] else ""
    return f"{row['id']} of {short(row['owner'], WORD)}, until {_clock(row['until'])}{ticket}: {short(row['reason'], CELL)}"


def _owner(row: Row) -> str:
    said = [short(row[name], CELL) for name in ("owner", "runbook") if row[name]]
    return f"{_label(row['entity'])}: {', '.join(said)}"


def _span(row: Row) -> str:
    """First to last seen; a day is said once, and a year."""
    first, last = (row[name].astimezone(timezone.utc) for name in ("first_seen", "last_seen"))
    form = "%H:%M" if first.date() == last.date() else "%m-%d %H:%M" if first.year == last.year else "%Y-%m-%d %H:%M"
    return f"{first:%Y-%m-%d %H:%M} to {last.strftime(form)}"


def _clock(time: datetime) -> str:
    return f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M}"


def _label(key: str) -> str:
    """An entity key without its kind."""
    return short(printed(key.partition(":")[2] or key), WORD)


def _cut(line: str, width: int) -> str:
    """A line that is not wrapped: its end is cut, not its long words, which are short by now."""
    return line if len(line) <= width else f"{line[: width - 1]}…"
