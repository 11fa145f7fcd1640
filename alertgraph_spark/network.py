"""Draw: a subgraph as people see it, entities as nodes and alerts between them as edges, and the episodes behind it."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.columns import episode_id
from alertgraph_spark.schemas import EDGES, EVIDENCE, NODES
from alertgraph_spark.table import conform

MAX_NAMES = 10
"""Alert names kept on an edge."""


def draw_nodes(grouped: DataFrame) -> DataFrame:
    """Entities of each subgraph; one row is one entity in one subgraph (`schemas.NODES`).

    Input is one row an episode with its `subgraph_id`. Accounts are nodes of their own; their zone is that of the target.
    """
    ends = F.array(
        *[
            F.struct(
                F.col(f"{end}_entity").alias("node_id"),
                F.col(f"{end}_zone").alias("zone"),
                F.col(f"{end}_role").alias("role"),
            )
            for end in ("source", "target")
        ]
    )
    accounts = F.transform(
        F.array_except("accounts", F.array("source_entity", "target_entity")),  # an account may be an end itself
        lambda key: F.struct(
            key.alias("node_id"), F.col("target_zone").alias("zone"), F.lit(None).cast("string").alias("role")
        ),
    )
    named = grouped.select(
        *("subgraph_id", "site", "started_at", "ended_at", "n_alerts"), F.inline(F.concat(ends, accounts))
    ).filter("node_id is not null")
    nodes = named.groupBy("subgraph_id", "site", "node_id").agg(
        F.max(F.struct(F.col("zone") != "unknown", "zone"))["zone"].alias("zone"),  # any that is known; ot before it
        F.max("role").alias("role"),
        F.sum("n_alerts").alias("n_alerts"),
        F.min("started_at").alias("first_seen"),
        F.max("ended_at").alias("last_seen"),
    )
    return conform(
        nodes.withColumns(
            {
                "zone": F.coalesce("zone", F.lit("unknown")),
                "domain": F.when(F.col("zone") == "ot", "OT").otherwise("IT"),
                "kind": F.substring_index("node_id", ":", 1),
                "label": F.expr("substring(node_id, instr(node_id, ':') + 1)"),
            }
        ),
        NODES,
    )


def draw_edges(grouped: DataFrame) -> DataFrame:
    """Pairs of entities of each subgraph; one row is one ordered pair in one subgraph (`schemas.EDGES`)."""
    pair = ["subgraph_id", "site", "source", "target"]
    rows = grouped.select(
        *("subgraph_id", "site", "name", "surprise", "severity", "n_alerts", "started_at", "ended_at"),
        F.coalesce("source_entity", "target_entity").alias("source"),
        F.col("target_entity").alias("target"),
    ).filter("target is not null")
    types = rows.groupBy(*pair, "name").agg(
        F.max("surprise").alias("surprise"),
        F.sum("n_alerts").alias("n_alerts"),
        F.count(F.lit(1)).alias("n_episodes"),
        F.max("severity").alias("severity"),
        F.min("started_at").alias("started_at"),
        F.max("ended_at").alias("ended_at"),
    )
    rarest = F.slice(F.sort_array(F.collect_list(F.struct("surprise", "name")), asc=False), 1, MAX_NAMES)
    edges = types.groupBy(*pair).agg(
        F.transform(rarest, lambda t: t["name"]).alias("names"),
        F.sum("n_alerts").alias("n_alerts"),
        F.sum("n_episodes").alias("n_episodes"),
        F.coalesce(F.max("severity"), F.lit(0.0)).alias("max_severity"),
        F.min("started_at").alias("first_seen"),
        F.max("ended_at").alias("last_seen"),
    )
    return conform(edges, EDGES)


def list_evidence(grouped: DataFrame) -> DataFrame:
    """Episodes of each subgraph; one row is one episode in one subgraph (`schemas.EVIDENCE`)."""
    return conform(grouped.withColumn("episode_id", episode_id(F.col("episode"))), EVIDENCE)
