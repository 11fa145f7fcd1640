"""The judgement: a row for each source, with what is wrong with it in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from alertgraph_spark.config.health import HealthParameters
from alertgraph_spark.health.chances import flood_nats, past_refused_share, refusal_nats
from alertgraph_spark.health.hours import FLOODS, SILENCES, SOURCES, WEEK, Judged, judged_hours, keep_hours
from alertgraph_spark.health.words import flood_words, new_words, ok_words, refused_words, silent_words, slow_words
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.health_schemas import HEALTH, UNHEALTHY

Row = Mapping[str, Any]
Found = dict[str, str]
"""What is wrong, by status, in words."""

_ORDER = (*UNHEALTHY, "new", "ok")


def judge_health(
    engine: Engine,
    heard: pa.Table,
    start: datetime,
    end: datetime,
    p: HealthParameters | None = None,
    *,
    closed_until: Mapping[str, datetime] = MappingProxyType({}),
) -> pa.Table:
    """Judge every source by its own past: whether it is silent or slow, floods, or refuses more than before.

    Parameters
    ----------
    engine
        DuckDB in this process.
    heard
        `interim_schemas.HEARD`: who was heard when, in the window and before it.
    start
        Begin of the window by TimeGenerated, aware.
    end
        End of the window, aware and not in it. The last `p.judged_hours` are judged. All before them is the past.
    p
        The thresholds; the defaults if not given.
    closed_until
        Site to the end of the newest closed day of it that the history holds.

    Returns
    -------
    pa.Table
        `health_schemas.HEALTH`, the worst first. A source of which there is no line at all has no row.

    Notes
    -----
    Past only: no hour after the window and none of another source counts. Cost: that of `hours.keep_hours`; what is slow,
    silent or too much is then looked at one source at a time.
    """
    p = p or HealthParameters()
    judged = judged_hours(start, end, p)
    keep_hours(engine, heard, judged, p)
    silences = {(row["site"], row["table"]): row for row in engine.query(SILENCES).to_pylist()}
    asked = FLOODS.format(flood_alerts=p.flood_alerts, flood_times=p.flood_times)
    floods: dict[tuple[str, str], list[Row]] = {}
    for hour in engine.query(asked).to_pylist():
        floods.setdefault((hour["site"], hour["table"]), []).append(hour)
    rows = []
    for source in engine.query(SOURCES.format(slow_share=p.slow_share)).to_pylist():
        key = source["site"], source["table"]
        row = _row(source, silences.get(key), floods.get(key, []), judged=judged, end=end, p=p)
        closed = closed_until.get(source["site"])
        rows.append(row | {"store_lag_hours": None if closed is None else (end - closed) / timedelta(hours=1)})
    rows.sort(key=lambda row: (_ORDER.index(row["status"]), row["site"], row["table"]))
    return pa.Table.from_pylist(rows, schema=arrow_schema(HEALTH))


def _row(
    source: Row, silence: Row | None, floods: list[Row], *, judged: Judged, end: datetime, p: HealthParameters
) -> dict[str, Any]:
    """The row of one source."""
    is_new = source["past_hours"] < p.least_past_hours
    found = _refuses(source, p)
    if not is_new:
        found = _silent(source, silence, p) | found | _floods(source, floods, judged, p) | _slow(source, p)
    wrong = [status for status in UNHEALTHY if status in found]
    if wrong:
        status, detail = wrong[0], "; ".join(found[one] for one in wrong)
    elif is_new:
        status, detail = "new", new_words(source["past_hours"] + judged.hours, p.least_past_hours)
    else:
        status, detail = "ok", ok_words(source["n_alerts"], source["usual_alerts"], judged.hours)
    newest = source["newest_received_at"]
    return {
        **{"site": source["site"], "table": source["table"], "status": status, "detail": detail},
        **{"judged_hours": judged.hours, "judged_until": end, "past_hours": source["past_hours"]},
        **{name: source[name] for name in ("n_lines", "n_alerts", "n_rejected", "n_unknown")},
        "usual_alerts": None if is_new else source["usual_alerts"],
        "rejected_share": _share(source["n_rejected"], source["n_lines"]),
        "usual_rejected_share": _share(source["past_rejected"], source["past_lines"]),
        "newest_received_at": newest,
        "age_hours": None if newest is None else (end - newest) / timedelta(hours=1),
        **{name: source[name] for name in ("delay_minutes", "usual_delay_minutes")},
    }


def _share(n: int, of: int) -> float | None:
    return n / of if of else None


def _is_usual(n_before: int, source: Row, p: HealthParameters) -> bool:
    """Whether the past brought oftener than once in `p.usual_weeks` what is found now."""
    return bool(n_before * p.usual_weeks > source["past_hours"] / WEEK)


def _silent(source: Row, silence: Row | None, p: HealthParameters) -> Found:
    """A silence that chance does not bring, and that the past did not bring either."""
    if silence is None or silence["nats"] < -math.log(p.chance) or _is_usual(silence["n_as_long"], source, p):
        return {}
    return {"silent": silent_words(silence["hours"], silence["usual"], source["period"], silence["n_lines"])}


def _floods(source: Row, floods: list[Row], judged: Judged, p: HealthParameters) -> Found:
    """An hour with many times the usual alerts, more than chance brings in any of the judged hours, and than the past did."""
    least = -math.log(p.chance / math.ceil(judged.hours))
    hours = [
        hour
        for hour in floods
        if flood_nats(hour["n_alerts"], hour["peak"], hour["dispersion"]) >= least
        and not _is_usual(hour["n_as_high"], source, p)
    ]
    if not hours:
        return {}
    worst = max(hours, key=lambda hour: (hour["n_alerts"], -hour["hour"]))
    begins = datetime.fromtimestamp(worst["hour"] * 3600, timezone.utc)
    return {"flood": flood_words(worst["n_alerts"], begins, worst["mean"], source["period"], len(hours))}


def _slow(source: Row, p: HealthParameters) -> Found:
    """Alerts that come far later after they happened than nearly all of the past did."""
    delay, usual, high = (source[f"{name}delay_minutes"] for name in ("", "usual_", "high_"))
    if source["n_alerts"] < p.slow_alerts or delay is None or usual is None:
        return {}
    if delay < p.slow_times * high or delay < usual + p.slow_minutes:
        return {}
    return {"slow": slow_words(delay, usual)}


def _refuses(source: Row, p: HealthParameters) -> Found:
    """More refused lines than its past leads to expect; asked of a new source too, of which nearly all must be refused."""
    n_lines, n_refused = source["n_lines"], source["n_rejected"]
    usual = past_refused_share(source["past_rejected"], source["past_lines"])
    if n_refused < p.refused_lines or n_refused / n_lines < usual + p.refused_points:
        return {}
    if refusal_nats(n_refused, n_lines, usual) < -math.log(p.chance):
        return {}
    return {"refuses": refused_words(n_refused, n_lines, _share(source["past_rejected"], source["past_lines"]))}
