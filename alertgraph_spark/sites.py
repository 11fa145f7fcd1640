"""Sites: many of them, or large ones, are ranked on the cluster's workers, whole sites at a time.

Sites never meet, so a worker that has all spans of a site gives the rows that this process would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from alertgraph_spark.tables.frames import collect_arrow

Tables = Mapping[str, pa.Table]

RankSite = Callable[[pa.Table], Tables]
"""Spans of whole sites to tables by name; the same columns whatever the sites."""

WORKER_SPANS = 400_000
"""Spans from which workers rank: about 200,000 episodes, of which this process ranks a thousand in .1 s."""


def rank_on_workers(spans: DataFrame, rank: RankSite) -> dict[str, pa.Table]:
    """Rank whole sites on the workers.

    Parameters
    ----------
    spans
        One row is one span (`interim_schemas.SPANS`), of any site.
    rank
        Is run on the workers for the sites of one partition at a time, where this package and DuckDB must be installed.

    Returns
    -------
    dict
        The tables of all sites by name, in the order of sites.

    Notes
    -----
    Of each site what `rank` makes crosses to the driver as Arrow's own bytes.
    """
    n_sites = spans.select("site").distinct().count()
    spread = spans.repartition(n_sites, "site")
    parts = collect_arrow(spread.mapInArrow(_ranker(rank), "name string, first_site string, stream binary"))
    found: dict[str, list[pa.Table]] = {}
    for row in parts.sort_by([("first_site", "ascending"), ("name", "ascending")]).to_pylist():
        found.setdefault(row["name"], []).append(pa.ipc.open_stream(row["stream"]).read_all())
    return {name: pa.concat_tables(tables) for name, tables in found.items()}


def _ranker(rank: RankSite) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def ranked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held = list(batches)
        spans = pa.Table.from_batches(held) if held else None
        if spans is None or not spans.num_rows:
            return
        first = pc.min(spans["site"]).as_py()
        for name, table in rank(spans).items():
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            yield pa.RecordBatch.from_pydict(
                {"name": [name], "first_site": [first], "stream": [sink.getvalue().to_pybytes()]}
            )

    return ranked
