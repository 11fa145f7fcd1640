"""Reunite: parts that chance could have linked are one after all where a group as strong as the weaker is a rarity.

That something comes by a doubtful link is no news, that a group comes by it which is among the strongest of its site is. An
intrusion that pauses for a night falls into a few such parts; what is strung together by chance falls into many weak ones.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import band_of
from alertgraph_spark.unite import unite_strongest_first


def reunite_strong(
    episodes: DataFrame, strengths: DataFrame, refused: DataFrame, max_sessions: int, chance_links: float
) -> DataFrame:
    """Unite parts along refused links, least likely by chance first.

    Parameters
    ----------
    episodes
        One row is one episode with its `session` and the `component` that its part is; so is the output.
    strengths
        One row is one part, its `strength` and when it began and ended (`absorb.group_strengths`).
    refused
        Links between two sessions that `components.find_subgraphs` refused, with their `chance`.
    max_sessions, chance_links
        As `components.find_subgraphs` takes them.

    Notes
    -----
    The chance of a refused link, times `rareness` of the more common of both parts, is the chance that a group as strong
    comes by such a link; times the sessions of both it is at most `chance_links`, as everywhere.
    """
    rare = episodes.select("session", "component").distinct().join(rareness(strengths), on="component", how="inner")
    a, b = (
        rare.select(F.col("session").alias(end), F.col("rareness").alias(f"{end}_rareness")) for end in ("src", "dst")
    )
    judged = refused.join(a, on="src", how="inner").join(b, on="dst", how="inner")
    chance = F.col("chance") * F.greatest("src_rareness", "dst_rareness")
    links = judged.select("src", "dst", (1 - chance).alias("weight"), chance.alias("chance"))
    return unite_parts(episodes, links.filter(2 * F.col("chance") <= chance_links), max_sessions, chance_links)


def rareness(strengths: DataFrame) -> DataFrame:
    """Share of its site's past groups that were about as strong as each group; one row is one `component`, in (0, 1].

    Input is what `absorb.group_strengths` gives. From n groups that had ended before it began, m of them in its band of
    strength or above, `(m + 1) / (n + 1)`: what came after tells nothing.
    """
    banded = strengths.withColumn("band", band_of(F.col("strength")))
    ended = banded.select(
        "site", F.col("end").alias("at"), F.lit(None).cast("bigint").alias("component"),
        F.explode(F.sequence(F.lit(0), F.col("band"))).alias("level"), F.lit(1).alias("n"),
    )  # fmt: skip
    asked = banded.select(
        "site", F.col("begin").alias("at"), "component",
        F.explode(F.array_distinct(F.array(F.lit(0), F.col("band")))).alias("level"), F.lit(0).alias("n"),
    )  # fmt: skip
    before = Window.partitionBy("site", "level").orderBy("at").rangeBetween(Window.unboundedPreceding, -1)
    counted = ended.unionByName(asked).withColumn("n_ended", F.coalesce(F.sum("n").over(before), F.lit(0)))
    of_group = counted.filter("component is not null").groupBy("component")
    return of_group.agg(((F.min("n_ended") + 1) / (F.max("n_ended") + 1)).alias("rareness"))


def unite_parts(episodes: DataFrame, links: DataFrame, max_sessions: int, chance_links: float) -> DataFrame:
    """Unite parts along links between their sessions (`src`, `dst`, `weight`, `chance`), as `unite_strongest_first` does.

    Input and output are one row an episode, with its `session` and `component`. The links come to the driver.
    """
    sizes = episodes.groupBy("component").agg(F.countDistinct("session").alias("size"))
    parts = episodes.select("session", "component").distinct().join(sizes, on="component", how="inner")
    a, b = (parts.toDF(f"{end}_part", end, f"{end}_size") for end in ("src", "dst"))
    between = links.join(a, on="src", how="inner").join(b, on="dst", how="inner").filter("src_part <> dst_part")
    found = between.select("src_part", "dst_part", "weight", "chance", "src_size", "dst_size").toPandas()
    if found.empty:
        return episodes
    sizes_of = {
        part: size
        for end in ("src", "dst")
        for part, size in zip(found[f"{end}_part"], found[f"{end}_size"], strict=True)
    }
    rows = found[["src_part", "dst_part", "weight", "chance"]].itertuples(index=False, name=None)
    whole, _ = unite_strongest_first(rows, max_sessions, chance_links, sizes_of)
    moved = [(part, root) for part, root in whole.items() if part != root]
    named = episodes.sparkSession.createDataFrame(moved, "component bigint, whole bigint")
    united = episodes.join(F.broadcast(named), on="component", how="left")
    return united.withColumn("component", F.coalesce("whole", "component")).select(*episodes.columns)


def still_apart(episodes: DataFrame, pairs: DataFrame) -> DataFrame:
    """Those of some pairs of sessions (`src`, `dst`) that ended in different components; one row is one pair."""
    ends = episodes.select("session", "component").distinct()
    known = pairs.join(ends.toDF("src", "src_part"), on="src", how="inner").join(
        ends.toDF("dst", "dst_part"), on="dst", how="inner"
    )
    return known.filter("src_part <> dst_part").select("src", "dst").distinct()
