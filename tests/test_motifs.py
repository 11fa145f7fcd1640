"""Each motif is found where its record says so, and is not in its near miss; through the real links, not drawn ones."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from incident import Row, connected_frame, episode_frame, story, told
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.components import find_subgraphs, session_links
from alertgraph_spark.graph import AlertGraph, graphframes_available
from alertgraph_spark.links import find_links
from alertgraph_spark.motif_pattern import parse_pattern
from alertgraph_spark.match.records import MOTIFS, Motif
from alertgraph_spark.motifs import match_motifs, motif_vertices
from alertgraph_spark.paths import find_paths
from alertgraph_spark.schemas import MOTIF_HITS

DOCS = Path(__file__).parent.parent / "docs"
MOTIF = {motif.id: motif for motif in MOTIFS}


@dataclass(frozen=True)
class Hit:
    """One match in short: its motif, entities without their kind, and which episodes of the story, counted from 1."""

    motif: str
    path: str
    episodes: tuple[int, ...]


# Every match in the two graphs of each record, worked by hand.
RECORDS: dict[str, list[Hit]] = {
    "ot_act_after_crossing: match": [
        Hit("it_ot_pivot", "ws1 jump ews", (1, 2)),
        Hit("lateral_chain", "ws1 jump ews plc", (1, 2, 3)),
        Hit("ot_act_after_crossing", "ws1 jump ews plc", (1, 2, 3)),
    ],
    "ot_act_after_crossing: near miss": [  # a program that is read harms nothing yet
        Hit("it_ot_pivot", "ws1 jump ews", (1, 2)),
        Hit("lateral_chain", "ws1 jump ews plc", (1, 2, 3)),
    ],
    "dmz_skip: match": [Hit("dmz_skip", "fs1 ews", (2,)), Hit("it_ot_pivot", "ws1 fs1 ews", (1, 2))],
    "dmz_skip: near miss": [Hit("it_ot_pivot", "ws1 jump ews", (1, 2))],  # over the DMZ, as it should be
    "staged_exfiltration: match": [Hit("staged_exfiltration", "fs1 drop", (1, 2))],
    "staged_exfiltration: near miss": [],  # to a share of one's own
    "spray: match": [Hit("spray", "ws1 dc1", (1, 2, 3, 4, 5))],
    "spray: near miss": [],  # five tries on one account: somebody has forgotten a password
    "beacon: match": [Hit("beacon", "ws1 c2", (1, 2, 3, 4, 5, 6, 7, 8))],  # gaps 8 8 9 8 8 7 8: median 8, MAD 0
    "beacon: near miss": [],  # gaps 2 9 3 10 1 9 5: median 5, deviations 3 4 2 5 4 4 0, MAD 4, regularity 0.2
    "it_ot_pivot: match": [Hit("it_ot_pivot", "ws1 jump ews", (1, 2))],
    "it_ot_pivot: near miss": [],  # the jump host reached into OT before it was reached
    "lateral_chain: match": [Hit("lateral_chain", "ws1 fs1 dc1", (1, 2, 3))],
    "lateral_chain: near miss": [],  # fs1 never acts on another host
    "relay: match": [Hit("relay", "ws1 fs1 srv", (1, 2))],
    "relay: near miss": [],  # two minutes later
    "fan_out: match": [Hit("fan_out", "ws1 srv0 srv1 srv2 srv3 srv4", (1, 2, 3, 4, 5))],
    "fan_out: near miss": [],  # four are no five
    "convergence: match": [Hit("convergence", "ws1 ws2 ws3 fs1", (1, 2, 3))],
    "convergence: near miss": [],  # two at fs1, one at fs2
}

STORIES: dict[str, tuple[Iterable[str | Row], list[Hit]]] = {
    # it_ot_pivot
    "a supplier comes from outside": (
        ("0 vpn/external -> jump/dmz logon", "20 jump/dmz -> ews/ot rdp"),
        [Hit("it_ot_pivot", "vpn jump ews", (1, 2))],
    ),
    # ot_act_after_crossing
    "who crossed acts again on the same machine": (
        ("0 ws1/it -> jump/dmz rdp", "20 jump/dmz -> plc/ot session", "30 jump/dmz -> plc/ot stop #impact"),
        [
            # The crossing's second half may be either of the two; only after the first something follows.
            Hit("it_ot_pivot", "ws1 jump plc", (1, 2)),
            Hit("it_ot_pivot", "ws1 jump plc", (1, 3)),
            Hit("ot_act_after_crossing", "ws1 jump plc", (1, 2, 3)),
        ],
    ),
    "an act inside OT alone": (("0 hmi/ot -> ews/ot rdp", "20 ews/ot -> plc/ot stop #impact"), []),
    "an act on an office server after the crossing": (
        ("0 ws1/it -> jump/dmz rdp", "20 jump/dmz -> ews/ot rdp", "40 ews/ot -> fs1/it wiped #impact"),
        [Hit("it_ot_pivot", "ws1 jump ews", (1, 2)), Hit("lateral_chain", "ws1 jump ews fs1", (1, 2, 3))],
    ),
    # dmz_skip
    "one row for a host, however many it reaches": (
        (*(f"{n} vpn/external -> plc{n % 3}/ot scan" for n in range(4)),),
        [Hit("dmz_skip", "vpn plc0 plc1 plc2", (1, 2, 3, 4))],
    ),
    "out of OT is another story": (("0 plc/ot -> ws1/it dns", "9 plc/ot -> ws2/it dns"), []),
    # staged_exfiltration
    "gathered on the host by another, then called home": (
        ("0 ws1/it -> fs1/it copied #collection", "30 fs1/it -> c2/external odd tls #command-and-control"),
        [Hit("staged_exfiltration", "ws1 fs1 c2", (1, 2))],
    ),
    "sent before it was gathered": (
        ("0 fs1/it -> drop/external upload #exfiltration", "5 fs1/it -> drop/external upload #collection"),
        [],
    ),
    "an outside call without a tactic": (("0 fs1/it archive #collection", "9 fs1/it -> cdn/external download"), []),
    # spray
    "five hosts and no account": (
        (*(f"{n} ws1/it -> srv{n}/it failed logon #credential-access" for n in range(5)),),
        [
            Hit("fan_out", "ws1 srv0 srv1 srv2 srv3 srv4", (1, 2, 3, 4, 5)),
            Hit("spray", "ws1 srv0 srv1 srv2 srv3 srv4", (1, 2, 3, 4, 5)),
        ],
    ),
    "one account at five hosts is no spray": (
        (*(f"{n} ws1/it -> srv{n}/it failed logon #credential-access @meyer" for n in range(5)),),
        [Hit("fan_out", "ws1 srv0 srv1 srv2 srv3 srv4", (1, 2, 3, 4, 5))],
    ),
    "accounts of one episode count each": (
        (
            "0 ws1/it -> dc1/it failed logon #credential-access @a @b @c @d",
            "9 dc1/it logon failed #credential-access @e",
        ),
        [],  # four by ws1; the fifth is another host's
    ),
    "five accounts in two episodes": (
        (
            "0 ws1/it -> dc1/it failed logon #credential-access @a @b @c @d",
            "9 ws1/it -> dc1/it failed logon #credential-access @d @e",
        ),
        [Hit("spray", "ws1 dc1", (1, 2))],
    ),
    "five accounts, five methods": (
        (*(f"{n} ws1/it -> dc1/it method {n} #credential-access @user{n}" for n in range(5)),),
        [],
    ),
    "five accounts that log on": ((*(f"{n} ws1/it -> dc1/it logon @user{n}" for n in range(5)),), []),
    # beacon
    "seven calls are too few": ((*(f"{8 * n} ws1/it -> c2/external odd request" for n in range(7)),), []),
    "a third of the beats are early": (
        # gaps 10 7 10 10 7 10 10: median 10, deviations 0 3 0 0 3 0 0, MAD 0
        (*(f"{t} ws1/it -> c2/external odd request" for t in (0, 10, 17, 27, 37, 44, 54, 64)),),
        [Hit("beacon", "ws1 c2", (1, 2, 3, 4, 5, 6, 7, 8))],
    ),
    "just regular enough": (
        # nine calls, gaps 8 10 8 10 8 10 10 8: median 9, every deviation 1, regularity 1 - 1/9
        (*(f"{t} ws1/it -> c2/external odd request" for t in (0, 8, 18, 26, 36, 44, 54, 64, 72)),),
        [Hit("beacon", "ws1 c2", (1, 2, 3, 4, 5, 6, 7, 8, 9))],
    ),
    "not regular enough": (
        # gaps 6 10 6 10 6 10 10 6: median 8, every deviation 2, regularity 0.75
        (*(f"{t} ws1/it -> c2/external odd request" for t in (0, 6, 16, 22, 32, 38, 48, 58, 64)),),
        [],
    ),
    "a clock of two alerts in turn": (
        (*(f"{8 * n} ws1/it -> c2/external request {n % 2}" for n in range(8)),),
        [],
    ),
    "not from the dmz itself": (("0 web/dmz -> jump/dmz logon", "20 jump/dmz -> ews/ot rdp"), []),
    "not into the dmz": (("0 ws1/it -> web/dmz rdp", "20 web/dmz -> mail/dmz rdp"), []),
    "not by account alone": (
        [
            told("0 ws1/it -> web/it logon", accounts=["account:corp\\meyer"]),
            told("20 jump/dmz -> ews/ot rdp", accounts=["account:corp\\meyer"]),
        ],
        [],
    ),
    "not inside OT": (("0 hmi/ot -> ews/ot rdp", "20 ews/ot -> plc/ot write"), []),
    "not twice for one crossing": (
        # ews → plc is no crossing: what reached ews was OT already. As a chain it is movement.
        ("0 ws1/it -> jump/dmz rdp", "20 jump/dmz -> ews/ot rdp", "40 ews/ot -> plc/ot write"),
        [Hit("it_ot_pivot", "ws1 jump ews", (1, 2)), Hit("lateral_chain", "ws1 jump ews plc", (1, 2, 3))],
    ),
    "an alert about an OT host is no step": (("0 ws1/it -> ews/it rdp", "20 ews/ot new service"), []),
    # lateral_chain
    "four hosts in a row": (
        ("0 ws1/it -> fs1/it smb", "10 fs1/it -> dc1/it rdp", "20 dc1/it -> db1/it sql"),
        [Hit("lateral_chain", "ws1 fs1 dc1 db1", (1, 2, 3))],
    ),
    "an answer on the way back is no hop": (
        ("0 ws1/it -> fs1/it smb", "10 fs1/it -> dc1/it rdp", "20 dc1/it -> fs1/it reply"),
        [],
    ),
    "by account alone it is no chain": (
        [told(f"{10 * n} h{n}/it logon", accounts=["account:corp\\meyer"]) for n in range(3)],
        [],
    ),
    # relay
    "just within a minute": (
        ("0 ws1/it -> fs1/it beacon", "0.99 fs1/it -> srv/it beacon"),
        [Hit("relay", "ws1 fs1 srv", (1, 2))],
    ),
    "a full minute": (("0 ws1/it -> fs1/it beacon", "1 fs1/it -> srv/it beacon"), []),
    "another alert": (("0 ws1/it -> fs1/it beacon", "0.5 fs1/it -> srv/it smb"), []),
    "another product": ((told("0 ws1/it -> fs1/it beacon", source="ids"), "0.5 fs1/it -> srv/it beacon"), []),
    "back to where it came from": (("0 ws1/it -> fs1/it beacon", "0.5 fs1/it -> ws1/it beacon"), []),
    # fan_out
    "five alerts at four hosts": (
        (*(f"{n} ws1/it -> srv{n}/it smb" for n in range(4)), "4 ws1/it -> srv0/it smb"),
        [],
    ),
    "six alerts at five hosts": (
        (*(f"{n} ws1/it -> srv{n}/it smb" for n in range(5)), "5 ws1/it -> srv0/it smb"),
        [Hit("fan_out", "ws1 srv0 srv1 srv2 srv3 srv4", (1, 2, 3, 4, 5, 6))],
    ),
    "five hosts in two subgraphs": (
        (*(f"{n} ws1/it -> srv{n}/it smb" for n in range(3)), *(f"{60 + n} ws1/it -> srv{n}/it smb" for n in (7, 8))),
        [],
    ),
    # convergence
    "three at a host that never acts": (
        ("0 ws1/it -> fs1/it smb", "1 ws2/it -> fs1/it smb", "2 ws3/it -> fs1/it smb"),
        [],
    ),
    "one host thrice": ((*(f"{n} ws1/it -> fs1/it job {n}" for n in range(3)), "9 fs1/it archive created"), []),
    # none of them
    "alerts about one host": (("0 fs1/it x", "5 fs1/it y", "9 fs1/it z"), []),
}


def stories() -> dict[str, tuple[list[Row], list[Hit]]]:
    """All stories by site: those of the records, then those told here."""
    told_here = {f"{m.id}: match": m.match for m in MOTIFS} | {f"{m.id}: near miss": m.near_miss for m in MOTIFS}
    graphs = {site: (lines, RECORDS[site]) for site, lines in told_here.items()} | STORIES
    return {
        site: (story(site, 100 * n + 1, *episodes), hits) for n, (site, (episodes, hits)) in enumerate(graphs.items())
    }


TOLD = stories()


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


# --- the records and their page -------------------------------------------------------------------------------------


@pytest.mark.parametrize("motif", MOTIFS, ids=lambda m: m.id)
def test_a_record_is_complete(motif: Motif) -> None:
    for name in (
        "id",
        "title",
        "pattern",
        "where",
        "chain",
        "technique",
        "why",
        "check",
        "blind_spot",
        "match",
        "near_miss",
    ):
        assert getattr(motif, name), f"{motif.id}: {name} is empty"
    assert re.fullmatch(r"[a-z][a-z_]*", motif.id)
    assert re.fullmatch(r"T\d{4}(\.\d{3})? [A-Z].+", motif.technique), motif.technique
    assert motif.why.endswith(".") and motif.blind_spot.endswith("."), "whole sentences"
    assert set(motif.chain) <= set(parse_pattern(motif.pattern).names), "the chain names vertices of the pattern"
    assert bool(motif.hub) == bool(motif.spokes) == (motif.at_least > 0), "a hub has spokes and a least number of them"
    assert motif.match != motif.near_miss


def test_ids_and_titles_are_unique() -> None:
    assert len({m.id for m in MOTIFS}) == len({m.title for m in MOTIFS}) == len(MOTIFS)


@pytest.fixture(scope="module")
def make_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", DOCS / "make_docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_on_disk_is_what_the_records_say(make_docs: ModuleType) -> None:
    page = (DOCS / "motifs.md").read_text(encoding="utf-8")
    assert page == make_docs.motifs_page(MOTIFS), "run `make docs`"


def test_the_page_tells_every_field_of_every_record(make_docs: ModuleType) -> None:
    page = make_docs.motifs_page(MOTIFS)
    plain = " ".join(page.split())
    for motif in MOTIFS:
        for field in fields(Motif):
            value = getattr(motif, field.name)
            for text in value if isinstance(value, tuple) else [value]:
                if text:
                    assert " ".join(str(text).split()) in plain, f"{motif.id}: {field.name}"
