"""Fold, in this process: spans that say the same in other words are one bin, and bins become episodes."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.fold.episodes import MOST_ACCOUNTS, fold_episodes
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.interim_schemas import BIN_KEY, BINS

_MEASURES = ("accounts", "started_at", "ended_at", "received_at", "known_at", "n_alerts", "severity")
_SHARED = ", ".join(name for name in BINS.names if name not in _MEASURES)
"""What the alerts of one bin have in common."""


class FoldedSpans(NamedTuple):
    """What the fold makes of spans.

    `spans`, each span with its episode, `started_at` and `n_alerts`; `episodes` (`interim_schemas.EPISODES_FOLDED`);
    `unknown`, each word that no table knows with `n_alerts`, the alerts that say it; and how many entities of the window's
    alerts were left out.
    """

    spans: pa.Table
    episodes: pa.Table
    unknown: pa.Table
    n_left_out: int


def fold_spans(engine: Engine, spans: pa.Table, calendar: pa.Table, p: RankingParameters) -> FoldedSpans:
    """Fold spans to episodes, and count what was not understood and not kept.

    Parameters
    ----------
    spans
        `interim_schemas.SPANS`, interpreted: with the columns of `interim_schemas.MEANT` in place of what is said.
    calendar
        As `fold_episodes` takes it.
    """
    of_bins, episodes = fold_episodes(engine, fold_bins(engine, spans), calendar, p)
    same = " AND ".join(f"s.{name} IS NOT DISTINCT FROM b.{name}" for name in BIN_KEY)
    tables = {"spans": spans, "of_bins": of_bins}
    of_spans = engine.query(
        f"SELECT s.span, b.episode, s.started_at, s.n_alerts FROM spans s JOIN of_bins b ON {same}", tables
    )
    unknown = engine.query(
        """
        SELECT word, sum(n_alerts)::BIGINT AS n_alerts FROM (SELECT unnest(unknown) AS word, n_alerts FROM spans)
        GROUP BY word
        """,
        tables,
    )
    left_out = engine.rows(
        "SELECT coalesce(sum(n_left_out * n_alerts), 0)::BIGINT FROM spans WHERE status = 'alert'", tables
    )
    return FoldedSpans(of_spans, episodes, unknown, left_out[0][0])


def fold_bins(engine: Engine, spans: pa.Table) -> pa.Table:
    """Fold spans to bins; one input row is one span, interpreted, one output row one bin (`interim_schemas.BINS`)."""
    found = engine.query(
        # A host is named for an hour: bins longer than that are parted.
        f"""
        WITH told AS (
            SELECT *, [e.key FOR e IN entities IF e.kind = 'account'] AS told,
                CASE WHEN len(named) > 0 THEN hour END AS named_hour
            FROM spans
        )
        SELECT {_SHARED}, list_sort(list_distinct(flatten(list(told))))[:{MOST_ACCOUNTS}] AS accounts,
            min(started_at) AS started_at, max(ended_at) AS ended_at, max(received_at) AS received_at,
            min(known_at) AS known_at, sum(n_alerts)::BIGINT AS n_alerts, max(severity) AS severity
        FROM told GROUP BY {_SHARED}, named_hour
        """,
        {"spans": spans},
    )
    return conform_arrow(found, BINS)
