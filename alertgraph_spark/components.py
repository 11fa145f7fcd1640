"""Connect: episodes that links join are one subgraph, unless it would grow past all reading or on chance alone.

Components come from the graph's engine. One above the size cap, or with a link too weak for its size, is taken apart again:
its links are united day by day, the strongest first (Kruskal), and a link is refused and recorded, so that an analyst can
re-join, where it would join two parts to more than the cap, or where a part so large would come by such a link by chance.
"""

from __future__ import annotations

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import DAY, episode_id
from alertgraph_spark.errors import GraphInvariantError
from alertgraph_spark.graph import AlertGraph
from alertgraph_spark.link_limit import LinkLimit
from alertgraph_spark.schemas import CUTS, LINKS
from alertgraph_spark.table import conform
from alertgraph_spark.unite import unite_in_turn

CONTEXT_SHARE = 0.15
"""Share of past hours above which a type is shown as context, not as evidence: it is nearly everyday noise."""


def find_subgraphs(
    graph: AlertGraph, max_sessions: int, chance_links: float, limit: LinkLimit | None = None
) -> tuple[DataFrame, DataFrame]:
    """Assign each linked session to one subgraph of at most `max_sessions`.

    Parameters
    ----------
    graph
        A vertex is a session (`id`), an edge a link between two (`session_links`): those of an earlier turn are united first.
    max_sessions
        Absolute, because a share of the run's total would look ahead.
    chance_links
        Links as likely by chance that are expected in a subgraph, at most, if each of its sessions is asked for one: the
        larger a subgraph, the surer a link must be, and two small ones may still meet after days. Where each session finds
        one by chance alone, what is unrelated hangs together without end (Erdős and Rényi, On the evolution of random graphs,
        1960).
    limit
        Links of components to be taken apart that the driver may hold; `graph.driver_max_links` if not given. Of larger
        components the weakest links are left out, as if they had been refused.

    Returns
    -------
    tuple of DataFrame
        `id`, `component` for every vertex; and the refused links, `src`, `dst`: where links were left out, all that may be.

    Notes
    -----
    Only links of components that are above the cap, or have a link that is too likely by chance for their size, come to the
    driver.
    """
    components = graph.connected_components()
    sized = components.withColumn("size", F.count(F.lit(1)).over(Window.partitionBy("component")))
    inside = graph.edges.join(sized.withColumnRenamed("id", "src"), on="src", how="inner")
    likeliest = F.max("chance").over(Window.partitionBy("component"))
    is_doubtful = (F.col("size") > max_sessions) | (F.col("size") * likeliest > chance_links)
    doubtful = inside.withColumn("is_doubtful", is_doubtful).filter("is_doubtful")
    columns = ["turn", "src", "dst", "weight", "chance"]
    limit = limit or LinkLimit(graph.driver_max_links)
    before = limit.n_left_out
    links = _on_driver(doubtful.select(*columns, "component"), "component", limit)[columns]
    if links.empty and limit.n_left_out == before:
        return components, graph.edges.select("src", "dst").limit(0)
    parts, refused = unite_in_turn(links.itertuples(index=False, name=None), max_sessions, chance_links)
    spark = graph.edges.sparkSession
    part = F.col("part")
    if limit.n_left_out > before:
        # A session all of whose links were left out is by itself.
        ends = doubtful.select(F.explode(F.array("src", "dst")).alias("id")).distinct().withColumn("alone", F.col("id"))
        components = components.join(ends, on="id", how="left")
        part = F.coalesce(part, "alone")
    split = spark.createDataFrame(list(parts.items()), "id bigint, part bigint")
    components = components.join(F.broadcast(split), on="id", how="left").select(
        "id", F.coalesce(part, "component").alias("component")
    )
    if limit.n_left_out > before:
        return components, doubtful.select("src", "dst")
    return components, spark.createDataFrame(refused, "src bigint, dst bigint")


def _on_driver(links: DataFrame, of: str, limit: LinkLimit) -> pd.DataFrame:
    """The links, as many as the driver may hold: of the largest groups the weakest are left out."""
    found = links.limit(limit.most + 1).toPandas()
    if len(found) <= limit.most:
        return found
    return limit.fairly(links, of, F.desc("weight"), F.col("src"), F.col("dst")).toPandas()


def session_links(links: DataFrame, episodes: DataFrame) -> DataFrame:
    """The first link between two sessions: `src`, `dst`, its `turn`, `weight` and `chance`; one row is one pair.

    `episodes` has one row an episode with its `session`. What is one session is together already.

    Notes
    -----
    The turn (microseconds) is when a link can be judged. One that comes from an earlier day (UTC) is taken as it comes; those
    within a day wait for its end, and the strongest of them go first. So nothing that comes later changes a subgraph that
    ended a day ago.
    """
    ends = episodes.select("episode", "session", F.unix_micros("started_at").alias("at"))
    of_sessions = links.join(ends.toDF("src", "src_session", "src_at"), on="src", how="inner").join(
        ends.toDF("dst", "dst_session", "dst_at"), on="dst", how="inner"
    )
    midnight = F.col("dst_at") - F.col("dst_at") % DAY
    turn = F.when(F.col("src_at") < midnight, F.col("dst_at")).otherwise(midnight + DAY)
    first = F.min(F.struct(turn.alias("turn"), (-F.col("weight")).alias("weakness"), "chance")).alias("first")
    pairs = of_sessions.filter(F.col("src_session") != F.col("dst_session"))
    return (
        pairs.groupBy(F.col("src_session").alias("src"), F.col("dst_session").alias("dst"))
        .agg(first)
        .select("src", "dst", "first.turn", (-F.col("first.weakness")).alias("weight"), "first.chance")
    )


def with_component(episodes: DataFrame, components: DataFrame) -> DataFrame:
    """Add `component` to each episode: that of its session, or the session itself where nothing links it. Grain unchanged."""
    joined = episodes.join(components.withColumnRenamed("id", "session"), on="session", how="left")
    return joined.withColumn("component", F.coalesce("component", "session"))


def unite_parts(episodes: DataFrame, links: DataFrame, max_sessions: int, limit: LinkLimit) -> DataFrame:
    """Unite parts along links between their sessions that are not left to chance, strongest first.

    Input and output are one row an episode, with its `session` and `component`. The links (`schemas.LINKS`) come to the
    driver: those by which strong groups absorb, at most one a session of a host. Where they are more than `limit` allows, the
    weakest of the sites with most are left out.
    """
    sizes = episodes.groupBy("component").agg(F.countDistinct("session").alias("size"))
    parts = episodes.select("session", "component").distinct().join(sizes, on="component", how="inner")
    a, b = (parts.toDF(f"{end}_part", end, f"{end}_size") for end in ("src", "dst"))
    between = links.join(a, on="src", how="inner").join(b, on="dst", how="inner").filter("src_part <> dst_part")
    asked = between.withColumns({"turn": F.lit(0), "chance": F.lit(0.0)})
    columns = ("turn", "src_part", "dst_part", "weight", "chance")
    found = _on_driver(asked.select(*columns, "src_size", "dst_size", "site", "src", "dst"), "site", limit)
    if found.empty:
        return episodes
    sizes_of = {
        part: size
        for end in ("src", "dst")
        for part, size in zip(found[f"{end}_part"], found[f"{end}_size"], strict=True)
    }
    rows = found[list(columns)].itertuples(index=False, name=None)
    whole, _ = unite_in_turn(rows, max_sessions, 0, sizes_of)
    moved = [(part, root) for part, root in whole.items() if part != root]
    named = episodes.sparkSession.createDataFrame(moved, "component bigint, whole bigint")
    united = episodes.join(F.broadcast(named), on="component", how="left")
    return united.withColumn("component", F.coalesce("whole", "component")).select(*episodes.columns)


def with_subgraph(episodes: DataFrame, absorbed: DataFrame, warm_up_hours: float) -> DataFrame:
    """Name each episode's subgraph after its earliest episode, and say what it is to it.

    Row grain is unchanged; adds `subgraph_id`, `is_linked` and `role`. The name comes from content, so it stays when the
    subgraph grows.

    Parameters
    ----------
    episodes
        One row is one episode with its `component` and the `core` that it had before anything was absorbed.
    absorbed
        The cores that a stronger one absorbed; one row is one `core`.
    warm_up_hours
        With less history than that every type is seen in a large share of the hours, and none is context.
    """
    whole = Window.partitionBy("component")
    first = F.min(F.struct("started_at", "episode")).over(whole)["episode"]
    marked = episodes.join(
        F.broadcast(absorbed.select("core").distinct().withColumn("is_absorbed", F.lit(True))), on="core", how="left"
    )
    role = (
        F.when(~F.col("is_linked"), "single")
        .when((F.col("fleet_share") > CONTEXT_SHARE) & (F.col("history_hours") >= warm_up_hours), "context")
        .when(F.col("is_absorbed"), "absorbed")
        .otherwise("core")
    )
    return (
        marked.withColumn("is_linked", F.count(F.lit(1)).over(whole) > 1)
        .withColumn("subgraph_id", F.concat(F.lit("sg-"), episode_id(first)))
        .withColumn("role", role)
        .drop("component", "core", "is_absorbed", "is_lone", "session")
    )


def still_apart(episodes: DataFrame, pairs: DataFrame) -> DataFrame:
    """Those of some pairs of sessions (`src`, `dst`) that ended in different components; one row is one pair."""
    ends = episodes.select("session", "component").distinct()
    known = pairs.join(ends.toDF("src", "src_part"), on="src", how="inner").join(
        ends.toDF("dst", "dst_part"), on="dst", how="inner"
    )
    return known.filter("src_part <> dst_part").select("src", "dst").distinct()


def divide_links(links: DataFrame, episodes: DataFrame, refused: DataFrame) -> tuple[DataFrame, DataFrame]:
    """The links that were not cut, and those that were (`schemas.LINKS`, `schemas.CUTS`); one row is one link.

    `episodes` has one row an episode with its `session`; `refused` one row a pair of sessions that were not joined.
    """
    ends = episodes.select("episode", "session")
    marked = refused.toDF("src_session", "dst_session").withColumn("is_cut", F.lit(True))
    divided = (
        links.join(ends.toDF("src", "src_session"), on="src", how="inner")
        .join(ends.toDF("dst", "dst_session"), on="dst", how="inner")
        .join(F.broadcast(marked), on=["src_session", "dst_session"], how="left")
    )
    return conform(divided.filter("is_cut is null"), LINKS), conform(divided.filter("is_cut"), CUTS)


def check_invariant(left: DataFrame, grouped: DataFrame) -> None:
    """Prove that the ends of every link that is left are in one subgraph.

    Raises
    ------
    GraphInvariantError
        With the number of links that break it and one example.

    Notes
    -----
    One small job; graph engines have been silently wrong before (GraphFrames issues 759 and 892).
    """
    ends = grouped.select("episode", "subgraph_id")
    broken = (
        left.join(ends.toDF("src", "src_subgraph"), on="src", how="left")
        .join(ends.toDF("dst", "dst_subgraph"), on="dst", how="left")
        .filter(~F.col("src_subgraph").eqNullSafe(F.col("dst_subgraph")))  # a subgraph left out takes both ends along
    )
    example = broken.agg(F.count(F.lit(1)).alias("n"), F.min(F.struct("src", "dst")).alias("link")).first()
    if example and example["n"]:
        raise GraphInvariantError(f"{example['n']} links join two subgraphs, e.g. {tuple(example['link'])}")
