"""The hours of each source, those that are judged beside those of its past, and what is usual at such a time, in SQL.

Fractions are summed in a stated order: else the last digit, and with it a rounded number, would change from run to run.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.config.health import HealthParameters
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.interim_schemas import NO_ALERT
from alertgraph_spark.tables.schemas import OWN

WEEK = 168
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Judged(NamedTuple):
    """The hours that are judged, from `first` to `last`, since 1970; of the last one `share` has passed."""

    first: int
    last: int
    share: float

    @property
    def hours(self) -> float:
        """How many hours have passed."""
        return self.last - self.first + self.share


def judged_hours(start: datetime, end: datetime, p: HealthParameters) -> Judged:
    """The hours at the end of the window that are judged: `p.judged_hours` at most, and none that began before it.

    An hour in which the window begins counts whole.
    """
    begins, ends = ((time - _EPOCH).total_seconds() / 3600 for time in (start, end))
    last = max(math.ceil(ends) - 1, math.floor(begins))
    return Judged(max(math.floor(begins), last - p.judged_hours + 1), last, min(1.0, ends - last))


def keep_hours(engine: Engine, heard: pa.Table, judged: Judged, p: HealthParameters) -> None:
    """Keep the hours of every source in the engine, as the tables `hours` and `usual`.

    One row of `hours` is one hour of one source, from its first line on; hours without a line are there too. One row of
    `usual` is one `slot` of one source: an hour of the week. Where there is too little past it is an hour of the day,
    or any hour.

    Parameters
    ----------
    engine
        DuckDB in this process; takes the tables.
    heard
        `interim_schemas.HEARD`. A line of which nobody knows the hour counts in the last one.
    judged
        The hours at the end of the window that are judged. All before them is the past.
    p
        `least_weeks` and `least_days` of the past that a slot of the week or the day takes; `most_weeks` that are
        looked at.

    Notes
    -----
    Cost: a row for each source and hour, so 1.3 million for a thousand sources and eight weeks. A slot takes the hours beside
    it for how often nothing comes (`n_hours`, `n_empty`), and of the three means of alerts an hour the highest as `peak`:
    what comes at nine may come at ten, and a clock is put back. The past is all before the judged hours. Of it the highest
    counts, as many as it has spans of `p.usual_weeks`, count as the next lower one, so that one flood does not hide another.
    """
    engine.keep(
        "hours",
        f"""
        WITH lines AS (
            SELECT coalesce(site, '') AS site, "table", least(coalesce(hour, {judged.last}), {judged.last}) AS hour,
                sum(n_lines) AS n_lines,
                coalesce(sum(n_lines) FILTER (status IN ('alert', 'history')), 0) AS n_alerts,
                coalesce(sum(n_lines) FILTER (status = 'rejected' AND reason NOT IN ('{NO_ALERT}', '{OWN}')), 0) AS n_refused,
                sum(n_unknown) AS n_unknown,
                sum(delay_minutes * n_lines ORDER BY delay_minutes, n_lines)
                    / sum(n_lines) FILTER (delay_minutes IS NOT NULL) AS delay_minutes,
                max(received_at) AS received_at
            FROM heard
            WHERE status <> 'out_of_window' AND coalesce(hour <= {judged.last}, true)
                AND coalesce(hour >= {judged.first - p.most_weeks * WEEK}, true)
            GROUP BY ALL
        ), sources AS (
            SELECT site, "table", {judged.first} - least(min(hour), {judged.first}) AS past_hours FROM lines GROUP BY ALL
        ), every AS (
            SELECT *, unnest(generate_series({judged.first} - past_hours, {judged.last}::BIGINT)) AS hour,
                CASE WHEN past_hours >= {p.least_weeks * WEEK} THEN {WEEK} WHEN past_hours >= {p.least_days * 24} THEN 24
                    ELSE 1 END AS period
            FROM sources
        )
        SELECT every.*, hour % period AS slot, hour >= {judged.first} AS is_judged,
            CASE WHEN hour = {judged.last} THEN {judged.share} ELSE 1.0 END::DOUBLE AS share,
            coalesce(n_lines, 0)::BIGINT AS n_lines, coalesce(n_alerts, 0)::BIGINT AS n_alerts,
            coalesce(n_refused, 0)::BIGINT AS n_refused, coalesce(n_unknown, 0)::BIGINT AS n_unknown,
            delay_minutes, received_at
        FROM every LEFT JOIN lines USING (site, "table", hour)
        """,
        {"heard": heard},
    )
    engine.keep(
        "past",
        f"""
        WITH ranked AS (
            SELECT *, row_number() OVER (PARTITION BY site, "table" ORDER BY n_alerts DESC, hour) AS place,
                floor(past_hours / {WEEK * p.usual_weeks}) + 1 AS highest
            FROM hours WHERE NOT is_judged
        )
        SELECT *, least(n_alerts, max(n_alerts) FILTER (place >= highest) OVER (PARTITION BY site, "table"))::DOUBLE AS n
        FROM ranked
        """,
    )
    engine.keep(
        "slots",
        """
        SELECT site, "table", period, slot, count(*) AS n_hours, count(*) FILTER (n_alerts = 0) AS n_empty,
            sum(n) AS n, sum(n * n) AS squares
        FROM past GROUP BY ALL
        """,
    )
    engine.keep(
        "usual",
        """
        WITH near AS (
            SELECT site, "table", (slot + step + period) % period AS slot,
                sum(n_hours) AS n_hours, sum(n_empty) AS n_empty, max(n / n_hours) AS peak
            FROM slots, (VALUES (-1), (0), (1)) steps(step)
            WHERE step = 0 OR period > 1
            GROUP BY ALL
        )
        SELECT site, "table", slot, slots.n / slots.n_hours AS mean, peak, near.n_hours, near.n_empty,
            slots.n / nullif(slots.n_hours - 1, 0) AS mean_of_others
        FROM near JOIN slots USING (site, "table", slot)
        """,
    )


SOURCES = """
    SELECT site, "table", any_value(past_hours) AS past_hours, any_value(period) AS period,
        coalesce(sum(n_lines) FILTER (is_judged), 0)::BIGINT AS n_lines,
        coalesce(sum(n_alerts) FILTER (is_judged), 0)::BIGINT AS n_alerts,
        sum(mean * share ORDER BY hour) FILTER (is_judged) AS usual_alerts,
        coalesce(sum(n_refused) FILTER (is_judged), 0)::BIGINT AS n_rejected,
        coalesce(sum(n_unknown) FILTER (is_judged), 0)::BIGINT AS n_unknown,
        coalesce(sum(n_refused) FILTER (NOT is_judged), 0)::BIGINT AS past_rejected,
        coalesce(sum(n_lines) FILTER (NOT is_judged), 0)::BIGINT AS past_lines,
        max(received_at) AS newest_received_at,
        quantile_cont(delay_minutes, 0.5) FILTER (is_judged) AS delay_minutes,
        quantile_cont(delay_minutes, 0.5) FILTER (NOT is_judged) AS usual_delay_minutes,
        quantile_cont(delay_minutes, {slow_share}) FILTER (NOT is_judged) AS high_delay_minutes
    FROM hours LEFT JOIN usual USING (site, "table", slot)
    GROUP BY ALL
"""
"""The facts of each source; one row is one source."""

SILENCES = """
    WITH alone AS (
        SELECT site, "table", hour, n_alerts, n_lines, share, mean * share AS usual,
            CASE WHEN is_judged THEN mean ELSE coalesce(mean_of_others, 0) END * share AS missing,
            -ln((n_empty + is_judged::INTEGER) / (usual.n_hours + is_judged::INTEGER)) * share AS nats,
            count(*) FILTER (n_alerts > 0) OVER (PARTITION BY site, "table" ORDER BY hour) AS stretch
        FROM hours JOIN usual USING (site, "table", slot)
    ), stretches AS (
        SELECT site, "table", stretch, sum(nats ORDER BY hour) AS nats, sum(share ORDER BY hour) AS hours,
            sum(usual ORDER BY hour) AS usual, sum(missing ORDER BY hour) AS missing, sum(n_lines) AS n_lines
        FROM alone WHERE n_alerts = 0 GROUP BY ALL
    ), now AS (
        SELECT site, "table", max(stretch) AS stretch FROM alone GROUP BY ALL
    )
    SELECT s.site, s."table", s.nats, s.hours, s.usual, s.n_lines::BIGINT AS n_lines,
        (SELECT count(*) FROM stretches o WHERE o.site = s.site AND o."table" = s."table" AND o.stretch < s.stretch
            AND o.missing >= s.missing * (1 - 1e-9)) AS n_as_long
    FROM stretches s JOIN now USING (site, "table", stretch)
"""
"""The silence that lasts, of each source that is silent at the end; one row is one source.

`nats`: how unlikely it is, minus the logarithm of the product over its hours of `(n_empty + 1) / (n_hours + 1)`. This is the
share of empty hours among the past ones of such a time and the hour itself (a past one is there already): the p-value of a
permutation test, which is valid whatever the law of the counts, and never 0 (B. Phipson and G. K. Smyth, Permutation P-values
should never be zero, 2010). Its hours are not independent, so it is also asked in how many earlier silences as many alerts
were missing, `n_as_long`: those that are usual at such times, by the other weeks or days.
"""

FLOODS = """
    WITH spread AS (
        SELECT site, "table",
            sum((squares - n * n / n_hours) * n_hours / (n_hours - 1) - n ORDER BY slot) FILTER (n_hours > 1) AS above,
            nullif(sum((n * n - squares) / (n_hours - 1) ORDER BY slot) FILTER (n_hours > 1), 0) AS below,
            sum(n) / sum(n_hours) AS mean,
            (sum(squares) - sum(n) * sum(n) / sum(n_hours)) / nullif(sum(n_hours) - 1, 0) AS variance
        FROM slots GROUP BY ALL
    ), dispersions AS (
        SELECT site, "table", coalesce((variance - mean) / nullif(mean * mean, 0), 0) AS of_all,
            greatest(0, least(coalesce(above / below, of_all), of_all)) AS dispersion
        FROM spread
    )
    SELECT site, "table", hour, n_alerts, mean, greatest(peak, 1 / (usual.n_hours + 1)) AS peak, dispersion,
        (SELECT count(*) FROM past o WHERE o.site = hours.site AND o."table" = hours."table"
            AND o.n_alerts >= hours.n_alerts) AS n_as_high
    FROM hours JOIN usual USING (site, "table", slot) JOIN dispersions USING (site, "table")
    WHERE is_judged AND n_alerts >= {flood_alerts} AND n_alerts >= {flood_times} * peak
    ORDER BY site, "table", hour
"""
"""Judged hours with far more alerts than usual; one row is one hour of one source.

`dispersion` d says how far the counts of one time of the week spread: variance = mean + d mean². By the method of moments,
over all slots: the sum of `variance - mean` by that of the products of two different hours of one slot, which is the unbiased
estimate of mean²; no more than the same over all hours as one slot. C. I. Bliss and R. A. Fisher, Fitting the negative
binomial distribution to biological data (1953). `n_as_high`: past hours, of any time, with as many alerts.
"""
