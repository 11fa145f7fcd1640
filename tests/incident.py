"""Incidents as text: what a test tells in lines becomes the frame that the stages read.

    0 ws1/it -> fs1/it smb        minute 0: ws1, a machine of zone it, acts on fs1; the alert is called smb
    10 fs1/it new service         an alert about one host has no arrow
    20 fs1/it copied #collection @meyer    its tactics and accounts, at the end of the line

One row is one episode. Minutes count from `DAY`; every column that the line does not tell has a default here, and a test
says what it needs otherwise. Each story has a site of its own, so that one Spark job answers for many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.components import with_component, with_subgraph
from alertgraph_spark.schemas import EPISODES, LINKS

DAY = datetime(2026, 3, 2, tzinfo=timezone.utc)

Row = dict[str, Any]


def at(minute: float) -> datetime:
    """The time so many minutes into the day of the incident."""
    return DAY + timedelta(minutes=minute)


def told(line: str, lasts: float = 0, **columns: Any) -> Row:
    """One episode as a line tells it; `lasts` in minutes, `columns` in place of the defaults."""
    minute, _, rest = line.partition(" ")
    first, _, rest = rest.partition(" ")
    source, target = None, first
    if rest.startswith("-> "):
        source, (target, _, rest) = first, rest[3:].partition(" ")
    words = rest.split(" ")
    row: Row = {
        "site": "plant",
        "source": "edr",
        "name": " ".join(word for word in words if word[:1] not in ("#", "@")),
        "severity": 0.5,
        "tactics": [word[1:] for word in words if word.startswith("#")],
        "techniques": [],
        "started_at": at(float(minute)),
        "ended_at": at(float(minute) + lasts),
        "n_alerts": 1,
        **dict.fromkeys(("source_level", "target_level", "source_role", "target_role")),
        "accounts": [f"account:{word[1:]}" for word in words if word.startswith("@")],
        "fleet_share": 0.01,
        "actor_share": 0.01,
        "history_hours": 200.0,  # an entity that never spoke before: -ln(1 - 1/202) = 0.005 an hour
        "surprise": 4.6,  # 4 whole nats
        "is_chronic": False,
    }
    for end, text in (("source", source), ("target", target)):
        host, _, zone = (text or "").partition("/")
        row[f"{end}_entity"] = f"host:{host}" if host else None
        row[f"{end}_zone"] = zone or None
    if unknown := set(columns) - set(EPISODES.names):
        raise ValueError(f"no columns of an episode: {unknown}")
    return {**row, **columns}


def story(site: str, first: int, *episodes: str | Row) -> list[Row]:
    """Episodes of one site, numbered from `first` in the order in which they are told."""
    rows = [told(e) if isinstance(e, str) else e for e in episodes]
    return [{**row, "site": site, "episode": first + i} for i, row in enumerate(rows)]


def episode_frame(spark: SparkSession, rows: Iterable[Row], extra: str = "") -> DataFrame:
    """`schemas.EPISODES`, with columns that later stages have added (`extra`, as DDL) where a row has them."""
    names = [*EPISODES.names, *[part.split()[0] for part in extra.split(",") if part]]
    ddl = f"{EPISODES.ddl}, {extra}" if extra else EPISODES.ddl
    return spark.createDataFrame([tuple(row[name] for name in names) for row in rows], ddl)


def grouped_frame(spark: SparkSession, rows: Sequence[Row]) -> DataFrame:
    """Episodes with a subgraph: that of the row, else one for each site, named after the site."""
    named = [{"subgraph_id": f"sg-{row['site']}", "is_linked": True, "is_announced": False, **row} for row in rows]
    return episode_frame(spark, named, "subgraph_id string, is_linked boolean, is_announced boolean")


def connected_frame(episodes: DataFrame, components: DataFrame, absorbed: Iterable[int] = ()) -> DataFrame:
    """Episodes, each a session of its own, with the subgraph that their component makes (`id`, `component`).

    `absorbed` are the episodes that a stronger group took in.
    """
    active = episodes.filter(~F.col("is_chronic")).withColumns({"session": F.col("episode"), "is_lone": F.lit(True)})
    cores = episodes.sparkSession.createDataFrame([(core,) for core in absorbed], "core bigint")
    whole = with_component(active, components).withColumn("core", F.col("episode"))
    return with_subgraph(whole, cores, warm_up_hours=24)


def link_frame(spark: SparkSession, links: Iterable[tuple[int, int, float]], site: str = "plant") -> DataFrame:
    """`schemas.LINKS` from `(src, dst, weight)`, none of them left to chance."""
    rows = [(site, src, dst, "pivot", "host:fs1", 1.0, weight, 0.0) for src, dst, weight in links]
    return spark.createDataFrame(rows, LINKS.ddl)
