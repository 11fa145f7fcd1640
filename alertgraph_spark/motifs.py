"""Match: named patterns of attack inside subgraphs.

A vertex is an episode and an edge a time-respecting link, so every match is in causal order by construction. A motif is a
record: adding one touches `MOTIFS` and its two example graphs, which the tests run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.columns import episode_id
from alertgraph_spark.graph import AlertGraph
from alertgraph_spark.schemas import MOTIF_HITS
from alertgraph_spark.table import conform


@dataclass(frozen=True)
class Motif:
    """One named pattern.

    Attributes
    ----------
    pattern
        Motif grammar of GraphFrames over episodes and links.
    where
        SQL predicate over the named vertices (columns of `motif_vertices`) and edges (`kind`, `entity`, `gap_minutes`).
    chain
        Named vertices in time order; their ends give the path of a match.
    hub, spokes
        For one-to-many and many-to-one: the vertex column that matches share, and the one whose distinct values count.
    at_least
        Fewest distinct `spokes` for a match.
    technique, why, blind_spot
        ATT&CK technique, what it means for the analyst, and what escapes it.
    match, near_miss
        Two small graphs, one episode a line: `minute source/zone -> target/zone name`; a line without an arrow is an alert
        about one host.
    """

    id: str
    title: str
    pattern: str
    where: str
    chain: tuple[str, ...]
    technique: str
    why: str
    blind_spot: str
    match: tuple[str, ...]
    near_miss: tuple[str, ...]
    hub: str = ""
    spokes: str = ""
    at_least: int = 0


MOTIFS: tuple[Motif, ...] = (
    Motif(
        id="it_ot_pivot",
        title="IT→OT pivot",
        pattern="(a)-[e]->(b)",
        where="""e.kind = 'pivot' and a.origin_zone in ('it', 'external')
            and b.destination_zone = 'ot' and b.origin <> b.destination""",
        chain=("a", "b"),
        technique="T0886 Remote Services (ICS)",
        why="What was reached from the office network reaches into the process network: now it is a matter of safety.",
        blind_spot="A dual-homed machine that only the OT side reports; an entry by USB or by a supplier's remote access.",
        match=("0 ws1/it -> jump/dmz rdp logon", "20 jump/dmz -> ews/ot rdp logon"),
        near_miss=("20 ws1/it -> jump/dmz rdp logon", "0 jump/dmz -> ews/ot rdp logon"),
    ),
    Motif(
        id="lateral_chain",
        title="Lateral movement",
        pattern="(a)-[e1]->(b); (b)-[e2]->(c)",
        where="""e1.kind = 'pivot' and e2.kind = 'pivot'
            and size(array_distinct(array(a.origin, a.destination, b.destination, c.destination))) >= 3""",
        chain=("a", "b", "c"),
        technique="T1021 Remote Services",
        why="Each host is acted upon and then acts: somebody moves through the network.",
        blind_spot="A hop that no sensor sees, or one that waits longer than the busy host in the middle allows.",
        match=("0 ws1/it -> fs1/it smb", "10 fs1/it new service", "20 fs1/it -> dc1/it rdp"),
        near_miss=("0 ws1/it -> fs1/it smb", "10 fs1/it new service", "20 fs1/it log cleared"),
    ),
    Motif(
        id="relay",
        title="Relay",
        pattern="(a)-[e]->(b)",
        where="""e.kind = 'pivot' and a.name = b.name and a.source = b.source and a.origin <> a.destination
            and b.origin <> b.destination and a.origin <> b.destination and b.t0 - a.t0 < 60000000""",
        chain=("a", "b"),
        technique="T1090.001 Internal Proxy",
        why="The same alert is handed on within a minute: a proxy, a tunnel or a worm.",
        blind_spot="A relay that changes protocol on the way, or waits more than a minute.",
        match=("0 ws1/it -> fs1/it beacon", "0.5 fs1/it -> srv/it beacon"),
        near_miss=("0 ws1/it -> fs1/it beacon", "2 fs1/it -> srv/it beacon"),
    ),
    Motif(
        id="fan_out",
        title="Fan-out",
        pattern="(a)",
        where="a.origin <> a.destination",
        chain=("a",),
        hub="origin",
        spokes="destination",
        at_least=5,
        technique="T1046 Network Service Discovery",
        why="One host turns to many: discovery, spraying or a worm's next step.",
        blind_spot="A sweep slower than the links allow; fewer than five targets.",
        match=tuple(f"{i} ws1/it -> srv{i}/it smb" for i in range(5)),
        near_miss=tuple(f"{i} ws1/it -> srv{i}/it smb" for i in range(4)),
    ),
    Motif(
        id="convergence",
        title="Convergence",
        pattern="(a)-[e]->(b)",
        where="e.kind = 'pivot' and a.origin <> a.destination",
        chain=("a",),
        hub="destination",
        spokes="origin",
        at_least=3,
        technique="T1074.002 Remote Data Staging",
        why="Many hosts turn to one, which then acts: staging, a shared drop, or one prey of several footholds.",
        blind_spot="Sources behind one translated address count as one.",
        match=(
            "0 ws1/it -> fs1/it smb",
            "1 ws2/it -> fs1/it smb",
            "2 ws3/it -> fs1/it smb",
            "9 fs1/it archive created",
        ),
        near_miss=(
            "0 ws1/it -> fs1/it smb",
            "1 ws2/it -> fs1/it smb",
            "2 ws3/it -> fs2/it smb",
            "9 fs1/it archive created",
        ),
    ),
)


def motif_vertices(grouped: DataFrame) -> DataFrame:
    """Slim vertices for matching; one row is one linked episode. An alert about one host begins and ends there."""
    origin_is = {
        f"origin_{what}": F.when(F.col("source_entity").isNull(), F.col(f"target_{what}")).otherwise(
            F.col(f"source_{what}")
        )
        for what in ("zone", "level")
    }
    return grouped.filter("is_linked").select(
        *(F.col("episode").alias("id"), "subgraph_id", "source", "name", "started_at"),
        F.coalesce("source_entity", "target_entity").alias("origin"),
        F.col("target_entity").alias("destination"),
        origin_is["origin_zone"].alias("origin_zone"),
        F.col("target_zone").alias("destination_zone"),
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
    Chains cost one join a link; a hub motif is one aggregation. Lazy: no job is started.
    """
    hits = [_hub_hits(graph, m) if m.hub else _chain_hits(graph, m) for m in motifs]
    return conform(reduce(DataFrame.unionByName, hits), MOTIF_HITS)


def _chain_hits(graph: AlertGraph, motif: Motif) -> DataFrame:
    first, last = F.col(motif.chain[0]), F.col(motif.chain[-1])
    stops = F.array(first["origin"], *[F.col(v)["destination"] for v in motif.chain])
    # A host that is named twice in a row (an alert about itself) is one stop of the path.
    is_new = F.zip_with(stops, F.concat(F.array(F.lit("")), stops), lambda a, b: F.when(a != b, a))
    path = F.filter(is_new, lambda stop: stop.isNotNull())
    return (
        graph.find(motif.pattern)
        .filter(F.expr(motif.where))
        .filter(F.size(F.array_distinct(path)) == F.size(path))  # an answer on the way back is no further hop
        .select(
            first["subgraph_id"].alias("subgraph_id"),
            F.lit(motif.id).alias("motif"),
            F.array(*[episode_id(F.col(v)["id"]) for v in motif.chain]).alias("episodes"),
            path.alias("path"),
            first["started_at"].alias("started_at"),
            last["started_at"].alias("ended_at"),
        )
    )


def _hub_hits(graph: AlertGraph, motif: Motif) -> DataFrame:
    vertex = F.col(motif.chain[0])
    found = graph.find(motif.pattern).filter(F.expr(motif.where))
    spokes = F.array_sort(F.collect_set(vertex[motif.spokes]))
    episodes = F.array_sort(F.collect_set(F.struct(vertex["t0"].alias("t0"), vertex["id"].alias("id"))))
    grouped = found.groupBy(vertex["subgraph_id"].alias("subgraph_id"), vertex[motif.hub].alias("hub")).agg(
        spokes.alias("spokes"),
        episodes.alias("episodes"),
        F.min(vertex["started_at"]).alias("started_at"),
        F.max(vertex["started_at"]).alias("ended_at"),
    )
    is_one_to_many = motif.hub == "origin"
    path = F.concat(F.array("hub"), "spokes") if is_one_to_many else F.concat("spokes", F.array("hub"))
    return grouped.filter(F.size("spokes") >= motif.at_least).select(
        "subgraph_id",
        F.lit(motif.id).alias("motif"),
        F.transform("episodes", lambda e: episode_id(e["id"])).alias("episodes"),
        path.alias("path"),
        "started_at",
        "ended_at",
    )
