"""Match: named patterns of attack inside subgraphs.

A vertex is an episode and an edge a time-respecting link, so every match is in causal order by construction. The patterns
are records, in `motif_records`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from alertgraph_spark.columns import episode_id
from alertgraph_spark.graph import AlertGraph
from alertgraph_spark.match.records import MOTIFS, Motif
from alertgraph_spark.schemas import MOTIF_HITS
from alertgraph_spark.table import conform


def motif_vertices(grouped: DataFrame) -> DataFrame:
    """Slim vertices for matching; one row is one linked episode. An alert about one host begins and ends there.

    `victims` are the accounts that it names, else the host that it ends at.
    """
    origin_zone = F.when(F.col("source_entity").isNull(), F.col("target_zone")).otherwise(F.col("source_zone"))
    return grouped.filter("is_linked").select(
        *(F.col("episode").alias("id"), "subgraph_id", "source", "name", "tactics", "started_at"),
        F.coalesce("source_entity", "target_entity").alias("origin"),
        F.col("target_entity").alias("destination"),
        origin_zone.alias("origin_zone"),
        F.col("target_zone").alias("destination_zone"),
        F.when(F.size("accounts") > 0, F.col("accounts")).otherwise(F.array("target_entity")).alias("victims"),
        F.unix_micros("started_at").alias("t0"),
    )


def match_motifs(graph: AlertGraph, motifs: Sequence[Motif] = MOTIFS) -> DataFrame:
    """Find every match of every motif; one row is one match (`schemas.MOTIF_HITS`).

    Parameters
    ----------
    graph
        Vertices as `motif_vertices` gives them; edges are the links that were not cut, so that a match lies inside one
        subgraph.

    Notes
    -----
    Motifs of one pattern share its joins, one a link, and all that count share one aggregation. What counts gives a row a
    hub, however many its spokes. Lazy: no job is started.
    """
    hits = []
    if chains := [m for m in motifs if not m.hub]:
        hits.append(_each(graph, chains, _chain_hit))
    if hubs := [m for m in motifs if m.hub]:
        hits.append(_hub_hits(_each(graph, hubs, _hub_part), hubs))
    return conform(reduce(DataFrame.unionByName, hits), MOTIF_HITS)


def _each(graph: AlertGraph, motifs: Iterable[Motif], hit: Callable[[AlertGraph, Motif], Column]) -> DataFrame:
    """One row for each place where a pattern and one of its motifs' conditions hold: the struct that `hit` makes, or none."""
    of_pattern: dict[str, list[Motif]] = {}
    for motif in motifs:
        of_pattern.setdefault(motif.pattern, []).append(motif)
    rows = [
        graph.find(pattern).select(
            F.inline(F.array_compact(F.array(*[F.when(F.expr(m.where), hit(graph, m)) for m in sharing])))
        )
        for pattern, sharing in of_pattern.items()
    ]
    return reduce(DataFrame.unionByName, rows)


def _chain_hit(_: AlertGraph, motif: Motif) -> Column:
    first, last = F.col(motif.chain[0]), F.col(motif.chain[-1])
    stops = F.array(first["origin"], *[F.col(v)["destination"] for v in motif.chain])
    # A host that is named twice in a row (an alert about itself) is one stop of the path.
    is_new = F.zip_with(stops, F.concat(F.array(F.lit("")), stops), lambda a, b: F.when(a != b, a))
    path = F.filter(is_new, lambda stop: stop.isNotNull())
    hit = F.struct(
        first["subgraph_id"].alias("subgraph_id"),
        F.lit(motif.id).alias("motif"),
        F.array(*[episode_id(F.col(v)["id"]) for v in motif.chain]).alias("episodes"),
        path.alias("path"),
        first["started_at"].alias("started_at"),
        last["started_at"].alias("ended_at"),
    )
    is_way_on = F.size(F.array_distinct(path)) == F.size(path)  # an answer on the way back is no further hop
    return F.when(is_way_on & (F.size(path) >= motif.fewest_stops), hit)


def _hub_part(graph: AlertGraph, motif: Motif) -> Column:
    vertex = F.col(motif.chain[0])
    spokes = vertex[motif.spokes]
    is_many = isinstance(graph.vertices.schema[motif.spokes].dataType, T.ArrayType)
    return F.struct(
        vertex["subgraph_id"].alias("subgraph_id"),
        F.lit(motif.id).alias("motif"),
        F.array(*[vertex[part] for part in motif.hub]).alias("hub"),
        (spokes if is_many else F.array(spokes.cast("string"))).alias("spokes"),
        *(vertex[c].alias(c) for c in ("origin", "destination", "t0", "id", "started_at")),
    )


def _hub_hits(parts: DataFrame, motifs: Iterable[Motif]) -> DataFrame:
    grouped = parts.groupBy("subgraph_id", "motif", "hub").agg(
        F.size(F.array_distinct(F.array_compact(F.flatten(F.collect_set("spokes"))))).alias("n_spokes"),
        F.array_sort(F.collect_set("origin")).alias("origins"),
        F.array_sort(F.collect_set("destination")).alias("destinations"),
        F.array_sort(F.collect_set(F.struct("t0", "id"))).alias("episodes"),
        F.min("started_at").alias("started_at"),
        F.max("started_at").alias("ended_at"),
    )
    enough = [
        (F.col("motif") == m.id)
        & (F.col("n_spokes") >= m.at_least)
        & (_regularity() >= m.regularity if m.regularity else F.lit(True))
        for m in motifs
    ]
    return grouped.filter(reduce(or_, enough)).select(
        "subgraph_id",
        "motif",
        F.transform("episodes", lambda e: episode_id(e["id"])).alias("episodes"),
        F.array_distinct(F.concat("origins", "destinations")).alias("path"),
        "started_at",
        "ended_at",
    )


def _regularity() -> Column:
    """`1 - MAD(gaps) / median(gaps)` of the starts of `episodes`; 1 is a clock, null for fewer than two starts."""
    starts = F.array_distinct(F.transform("episodes", lambda e: e["t0"]))
    gaps = F.transform(F.slice(starts, 2, F.size(starts)), lambda t, i: t - F.get(starts, i))
    middle = _median(gaps)
    return 1 - _median(F.transform(gaps, lambda gap: F.abs(gap - middle))) / middle


def _median(numbers: Column) -> Column:
    in_order, n = F.array_sort(numbers), F.size(numbers)
    return (F.get(in_order, F.floor((n - 1) / 2).cast("int")) + F.get(in_order, F.floor(n / 2).cast("int"))) / 2
