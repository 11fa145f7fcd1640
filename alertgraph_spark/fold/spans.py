"""Fold, in this process: spans that say the same in other words are one bin, and bins become episodes."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.fold.bins import keep_bins
from alertgraph_spark.fold.episodes import fold_episodes
from alertgraph_spark.tables.embedded import Engine


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


def fold_spans(
    engine: Engine, spans: pa.Table, meant: pa.Table, calendar: pa.Table, p: RankingParameters
) -> FoldedSpans:
    """Fold spans to episodes, and count what was not understood and not kept.

    Parameters
    ----------
    engine
        DuckDB in this process.
    spans
        One row is one span (`interim_schemas.SPANS`).
    meant
        One row is what one `says` means (`interim_schemas.MEANT`).
    calendar
        As `fold_episodes` takes it.
    p
        The numbers of the method.

    Returns
    -------
    FoldedSpans
        The episode of each span, the episodes, and both counts.
    """
    keep_bins(engine, spans, meant)
    of_bins, episodes = fold_episodes(engine, calendar, p)
    tables = {"spans": spans, "meant": meant, "of_bins": of_bins}
    of_spans = engine.query(
        "SELECT span, episode, started_at, n_alerts FROM spans JOIN worded USING (site, source, says)"
        " JOIN of_bins ON said_key = key AND of_bins.bin = spans.bin",
        tables,
    )
    unknown = engine.query(
        """
        WITH said AS (SELECT says, sum(n_alerts) AS n_alerts FROM spans GROUP BY says)
        SELECT word, sum(n_alerts)::BIGINT AS n_alerts
        FROM (SELECT unnest(unknown) AS word, n_alerts FROM said JOIN meant USING (says)) GROUP BY word
        """,
        tables,
    )
    left_out = engine.rows(
        "SELECT coalesce(sum(n_left_out * n_alerts), 0)::BIGINT FROM spans JOIN meant USING (says) WHERE status = 'alert'",
        tables,
    )
    return FoldedSpans(of_spans, episodes, unknown, left_out[0][0])
