"""The stories of `test_match_motifs` on Spark, by both engines of `graph`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import pytest
from incident import Row, connected_frame, episode_frame
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from test_match_motifs import MOTIF, TOLD, Hit

from alertgraph_spark.components import find_subgraphs, session_links
from alertgraph_spark.graph import AlertGraph, graphframes_available
from alertgraph_spark.links import find_links
from alertgraph_spark.match.records import MOTIFS, Motif
from alertgraph_spark.motifs import match_motifs, motif_vertices
from alertgraph_spark.paths import find_paths
from alertgraph_spark.schemas import MOTIF_HITS


def need(engine: str, spark: SparkSession) -> None:
    if engine == "graphframes" and not graphframes_available(spark):
        pytest.skip("GraphFrames' classes are not on the class path: name the jars in ALERTGRAPH_GRAPHFRAMES_JARS")


@dataclass(frozen=True)
class Matched:
    graph: AlertGraph
    rows: list[Row]
    """What `match_motifs` returned, as dicts with `site` and the story's episode numbers in `numbers`."""

    def hits(self, site: str) -> list[Hit]:
        return sorted(
            (
                Hit(row["motif"], " ".join(key.removeprefix("host:") for key in row["path"]), row["numbers"])
                for row in self.rows
                if row["site"] == site
            ),
            key=str,
        )


def matched(vertices: DataFrame, links: DataFrame, engine: str) -> Matched:
    graph = AlertGraph(vertices, links, engine)
    hits = match_motifs(graph)
    assert hits.columns == MOTIF_HITS.names
    sites = [(site, number) for site, (rows, _) in TOLD.items() for number, _ in enumerate(rows, 1)]
    place = {100 * list(TOLD).index(site) + number: (site, number) for site, number in sites}
    rows = []
    for row in hits.collect():
        where = [place[int(episode, 16)] for episode in row["episodes"]]
        assert len({site for site, _ in where}) == 1
        rows.append({**row.asDict(), "site": where[0][0], "numbers": tuple(number for _, number in where)})
    return Matched(graph, rows)


@pytest.fixture(scope="module")
def grouped(spark: SparkSession) -> tuple[DataFrame, DataFrame]:
    """Slim vertices and links of all stories, by the real stages."""
    episodes = episode_frame(spark, [row for rows, _ in TOLD.values() for row in rows])
    links = find_links(
        episodes, pivot_gap_minutes=30, session_gap_seconds=600, coincidence=0.3, max_gap_hours=168
    ).localCheckpoint()
    pairs = session_links(links, episodes.withColumn("session", F.col("episode"))).localCheckpoint()
    ids = pairs.select(F.explode(F.array("src", "dst")).alias("id")).distinct()
    components, cuts = find_subgraphs(AlertGraph(ids, pairs, "driver"), max_sessions=80, chance_links=12)
    assert cuts.count() == 0
    return motif_vertices(connected_frame(episodes, components)).localCheckpoint(), links


@pytest.fixture(scope="module")
def by_driver(grouped: tuple[DataFrame, DataFrame]) -> Matched:
    return matched(*grouped, "driver")


@pytest.mark.parametrize("site", TOLD)
def test_told_matches(by_driver: Matched, site: str) -> None:
    assert by_driver.hits(site) == sorted(TOLD[site][1], key=str)


@pytest.mark.parametrize("motif", MOTIFS, ids=lambda m: m.id)
def test_a_record_is_found_in_its_match_and_not_in_its_near_miss(by_driver: Matched, motif: Motif) -> None:
    assert motif.id in {hit.motif for hit in by_driver.hits(f"{motif.id}: match")}
    assert motif.id not in {hit.motif for hit in by_driver.hits(f"{motif.id}: near miss")}


def test_a_match_runs_forward_in_time(by_driver: Matched) -> None:
    start: dict[tuple[str, int], datetime] = {
        (site, n): row["started_at"].replace(tzinfo=None)
        for site, (rows, _) in TOLD.items()
        for n, row in enumerate(rows, 1)
    }
    assert by_driver.rows
    for row in by_driver.rows:
        times = [start[row["site"], n] for n in row["numbers"]]
        assert all(a < b for a, b in pairwise(times)), row
        assert (row["started_at"], row["ended_at"]) == (times[0], times[-1])
        assert len(set(row["path"])) == len(row["path"]), "no entity twice on a path"


def test_a_cut_link_carries_no_match(by_driver: Matched) -> None:
    graph = by_driver.graph
    first = 100 * list(TOLD).index("lateral_chain: match") + 1
    rest = graph.edges.filter(f"src <> {first}")  # ws1 → fs1 no longer leads to fs1's new service
    hits = match_motifs(AlertGraph(graph.vertices, rest, "driver"), [MOTIF["lateral_chain"]])
    paths = [row["path"] for row in hits.collect()]
    assert ["host:ws1", "host:fs1", "host:dc1"] not in paths
    assert ["host:ws1", "host:jump", "host:ews", "host:plc"] in paths  # from the other stories


def test_the_longest_path_is_no_match_of_one_motif_alone(grouped: tuple[DataFrame, DataFrame]) -> None:
    """Of the stories, through the real links; `test_paths` has the rest."""
    paths = find_paths(AlertGraph(*grouped, "driver")).collect()
    of = {100 * list(TOLD).index(site) + 1: site for site in TOLD}  # a subgraph is named after its first episode
    found = {of[number]: row["path"] for row in paths if (number := int(row["subgraph_id"][3:], 16)) in of}
    told = {
        "four hosts in a row": "ws1 fs1 dc1 db1",  # two matches of three hosts each
        "an answer on the way back is no hop": "ws1 fs1 dc1",
        "lateral_chain: near miss": "ws1 fs1",
        "spray: match": None,
        "fan_out: match": None,
    }
    assert {site: found.get(site) for site in told} == {
        site: path and [f"host:{host}" for host in path.split()] for site, path in told.items()
    }


@pytest.mark.graphframes
def test_both_engines_find_the_same(
    spark: SparkSession, grouped: tuple[DataFrame, DataFrame], by_driver: Matched
) -> None:
    need("graphframes", spark)
    by_graphframes = matched(*grouped, "graphframes")
    assert sorted(by_graphframes.rows, key=str) == sorted(by_driver.rows, key=str)
