"""What a run asks of folded lines: who was heard when, and which lines some spans are made of."""

from __future__ import annotations

import pyarrow as pa

from alertgraph_spark.history.kept_tables import OF_A_LINE, SPAN, binned, fold_of
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.interim_schemas import HEARD
from alertgraph_spark.tables.rates import HOUR


def heard_in(engine: Engine) -> pa.Table:
    """Who was heard when (`interim_schemas.HEARD`), as `fold.on_spark.heard_in` tells it."""
    found = engine.query(
        f"""
        WITH rows AS (
            SELECT f.* REPLACE (coalesce(floor(epoch_us(known_at) / {HOUR})::BIGINT, hour) AS hour),
                (epoch_us(known_at) - epoch_us(started_at)) / 60000000 AS delay,
                CASE WHEN len(w.said.unknown) > 0 THEN n_alerts ELSE 0 END AS n_doubted
            FROM folded f LEFT JOIN said w USING (word)
        ),
        median AS (
            SELECT "table", site, status, reason, hour, quantile_cont(delay, 0.5) AS delay_minutes
            FROM (SELECT *, unnest(range(n_alerts)) FROM rows WHERE delay IS NOT NULL) GROUP BY ALL
        ),
        heard AS (
            SELECT "table", site, status, reason, hour, sum(n_alerts)::BIGINT AS n_lines, count(*) AS n_spans,
                sum(n_doubted)::BIGINT AS n_unknown, max(received_at) AS received_at
            FROM rows GROUP BY ALL
        )
        SELECT h.*, m.delay_minutes FROM heard h LEFT JOIN median m
        ON {" AND ".join(f'h."{name}" IS NOT DISTINCT FROM m."{name}"' for name in (*OF_A_LINE, "reason"))}
        """
    )
    return conform_arrow(found, HEARD)


def keep_wanted(engine: Engine, spans: pa.Table, gap_seconds: int) -> None:
    """Keep `wanted`, the lines of some spans: `row`, `site` and `observed_at`, with the columns of `spans` but `span`."""
    same = " AND ".join(f'b."{name}" = a."{name}"' for name in SPAN)
    engine.keep("asked", "SELECT f.*, s.* EXCLUDE (span) FROM folded f JOIN spans s USING (span)", {"spans": spans})
    # What is told again may have another bin than its row says.
    lines = f"""(
        FROM recent UNION ALL BY NAME
        FROM settled WHERE fold IN (SELECT {fold_of("bin")} FROM asked) OR row IN (SELECT row FROM repeats)
    )"""
    told = [name for name in spans.column_names if name != "span"]
    engine.keep(
        "wanted",
        f"""
        SELECT b.row, b.site, b.observed_at, {", ".join(f"a.{name}" for name in told)}
        FROM ({binned(lines, gap_seconds)}) b JOIN asked a ON {same} WHERE b.is_seen
        """,
    )
