"""Each motif is found where its record says so, and is not in its near miss; through the real links, not drawn ones."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import ModuleType

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from arrows import episode_table, grouped_table, link_table
from incident import Row, story, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect import connect_episodes
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.graph.pattern import read_pattern
from alertgraph_spark.link import link_episodes
from alertgraph_spark.match import find_paths, match_motifs
from alertgraph_spark.match.records import FACTS, LINK_FACTS, MOTIFS, Motif
from alertgraph_spark.match.vertices import list_vertices
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.schemas import MOTIF_HITS

DOCS = Path(__file__).parent.parent / "docs"
MOTIF = {motif.id: motif for motif in MOTIFS}
P = RankingParameters(link_least=-5.5)  # a lone hop of one type twice is no likely cause by itself; here it tells a way


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
        (
            *(f"{n} ws1/it -> srv{n}/it smb" for n in range(3)),
            *(f"{20200 + n} ws1/it -> srv{n}/it smb" for n in (7, 8)),
        ),
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


def place(number: int) -> tuple[str, int]:
    """The story that an episode is of, and its number there."""
    return list(TOLD)[number // 100], number % 100


@dataclass(frozen=True)
class Graph:
    """Episodes with their subgraph, and links."""

    episodes: pa.Table
    links: pa.Table

    def hits(self, motifs: Iterable[Motif] = MOTIFS) -> pa.Table:
        with Engine() as engine:
            return match_motifs(engine, self.episodes, self.links, list(motifs))


def told_graph() -> Graph:
    """All stories, by the real stages."""
    with Engine() as engine:
        linked = link_episodes(engine, episode_table(row for rows, _ in TOLD.values() for row in rows), P)
        connected = connect_episodes(engine, linked, P)
    return Graph(connected.episodes, connected.links)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return told_graph()


@pytest.fixture(scope="module")
def rows(graph: Graph) -> list[Row]:
    """What `match_motifs` returned, as dicts with `site` and the story's episode numbers in `numbers`."""
    found = graph.hits()
    assert found.column_names == MOTIF_HITS.names
    rows = []
    for row in found.to_pylist():
        where = [place(int(episode, 16)) for episode in row["episodes"]]
        assert len({site for site, _ in where}) == 1
        rows.append({**row, "site": where[0][0], "numbers": tuple(number for _, number in where)})
    return rows


def hits_of(rows: list[Row], site: str) -> list[Hit]:
    hits = [
        Hit(row["motif"], " ".join(key.removeprefix("host:") for key in row["path"]), row["numbers"])
        for row in rows
        if row["site"] == site
    ]
    return sorted(hits, key=str)


@pytest.mark.parametrize("site", TOLD)
def test_told_matches(rows: list[Row], site: str) -> None:
    assert hits_of(rows, site) == sorted(TOLD[site][1], key=str)


@pytest.mark.parametrize("motif", MOTIFS, ids=lambda m: m.id)
def test_a_record_is_found_in_its_match_and_not_in_its_near_miss(rows: list[Row], motif: Motif) -> None:
    assert motif.id in {hit.motif for hit in hits_of(rows, f"{motif.id}: match")}
    assert motif.id not in {hit.motif for hit in hits_of(rows, f"{motif.id}: near miss")}


def test_a_match_runs_forward_in_time(rows: list[Row]) -> None:
    start: dict[tuple[str, int], datetime] = {
        (site, n): row["started_at"] for site, (rows, _) in TOLD.items() for n, row in enumerate(rows, 1)
    }
    assert rows
    for row in rows:
        times = [start[row["site"], n] for n in row["numbers"]]
        assert all(a < b for a, b in pairwise(times)), row
        assert (row["started_at"], row["ended_at"]) == (times[0], times[-1])
        assert len(set(row["path"])) == len(row["path"]), "no entity twice on a path"


def test_a_cut_link_carries_no_match(graph: Graph) -> None:
    first = 100 * list(TOLD).index("lateral_chain: match") + 1
    rest = graph.links.filter(pc.not_equal(graph.links["src"], first))  # ws1 → fs1 no longer leads to fs1's new service
    paths = replace(graph, links=rest).hits([MOTIF["lateral_chain"]])["path"].to_pylist()
    assert ["host:ws1", "host:fs1", "host:dc1"] not in paths
    assert ["host:ws1", "host:jump", "host:ews", "host:plc"] in paths  # from the other stories


def test_the_order_of_rows_changes_nothing(graph: Graph) -> None:
    chance = random.Random(3)
    episodes, links = (
        table.take(chance.sample(range(table.num_rows), table.num_rows)) for table in (graph.episodes, graph.links)
    )
    assert Graph(episodes, links).hits() == graph.hits()


def test_many_sites_at_once_give_what_each_gives_alone(graph: Graph, rows: list[Row]) -> None:
    some = list(TOLD)[::8]
    alone = []
    for site in some:
        at_site = [table.filter(pc.equal(table["site"], site)) for table in (graph.episodes, graph.links)]
        alone += [{**hit, "site": site} for hit in Graph(*at_site).hits().to_pylist()]
    together = [row for row in rows if row["site"] in some]
    assert len(together) > 3
    assert sorted(alone, key=str) == sorted(({k: row[k] for k in alone[0]} for row in together), key=str)


def test_nothing_gives_nothing(graph: Graph) -> None:
    hits = Graph(graph.episodes.slice(0, 0), graph.links.slice(0, 0)).hits()
    assert (hits.column_names, hits.num_rows) == (MOTIF_HITS.names, 0)
    assert graph.hits([]).num_rows == 0


def test_the_longest_path_is_no_match_of_one_motif_alone(graph: Graph) -> None:
    """Of the stories, through the real links; `test_match_paths` has the rest."""
    with Engine() as engine:
        paths = find_paths(engine, graph.episodes, graph.links, P).to_pylist()
    found = {}
    for row in paths:  # a subgraph is named after its first episode
        site, number = place(int(row["subgraph_id"].removeprefix("sg-"), 16))
        if number == 1:
            found[site] = row["path"]
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


# --- what counts, over links that are drawn ---------------------------------------------------------------------------


def test_hosts_that_come_back_and_alerts_about_a_host_on_a_path() -> None:
    """Nobody comes to a host twice, and a host that is named twice in a row is one stop."""
    episodes = story(
        "plant",
        1,
        *("0 a/it -> b/it x", "1 b/it y", "2 b/it -> c/it z", "3 c/it -> a/it back", "4 c/it -> d/it on"),
    )
    links = link_table([(1, 2, 0.9), (2, 3, 0.9), (3, 4, 0.9), (3, 5, 0.9), (1, 3, 0.9)])
    hits = Graph(grouped_table(episodes), links).hits([MOTIF["lateral_chain"]]).to_pylist()
    found = [("".join(host[-1] for host in hit["path"]), [int(e, 16) for e in hit["episodes"]]) for hit in hits]
    # 2 3 4 is b c a, and 1 3 4 is a b c a: back at a.
    assert found == [("abc", [1, 2, 3]), ("abcd", [1, 3, 5]), ("bca", [2, 3, 4]), ("bcd", [2, 3, 5])]


def test_an_episode_has_sixteen_digits_whatever_its_number() -> None:
    rows = story("plant", 0, "0 ws1/it -> jump/dmz rdp", "20 jump/dmz -> ews/ot rdp")
    numbered = [{**row, "episode": number} for row, number in zip(rows, (-2, 2**63 - 1), strict=True)]
    hits = Graph(grouped_table(numbered), link_table([(-2, 2**63 - 1, 0.9)])).hits([MOTIF["it_ot_pivot"]])
    assert hits["episodes"].to_pylist() == [["fffffffffffffffe", "7fffffffffffffff"]]


def test_the_regularity_of_random_beats() -> None:
    """Against its definition, over 300 hubs of 8 to 12 starts, some of them at one time."""
    chance = random.Random(7)
    beats = [[chance.randrange(40) for _ in range(chance.randint(8, 12))] for _ in range(300)]
    rows = [
        {**told(f"{minute} ws{n}/it -> c2/external odd request"), "subgraph_id": f"sg-{n}", "episode": 100 * n + i}
        for n, minutes in enumerate(beats)
        for i, minute in enumerate(minutes)
    ]
    regular = replace(MOTIF["beacon"], at_least=1, regularity=0.5)
    hits = Graph(grouped_table(rows), link_table([])).hits([regular])

    def regularity(minutes: Iterable[int]) -> float:
        gaps = [b - a for a, b in pairwise(sorted(set(minutes)))]
        return 1 - median(abs(gap - median(gaps)) for gap in gaps) / median(gaps)

    expected = {f"sg-{n}" for n, minutes in enumerate(beats) if regularity(minutes) >= 0.5}
    assert set(hits["subgraph_id"].to_pylist()) == expected
    assert 30 < len(expected) < 270
    at = {hit["subgraph_id"]: [int(episode, 16) for episode in hit["episodes"]] for hit in hits.to_pylist()}
    for name, episodes in at.items():
        minutes = beats[int(name[3:])]
        assert episodes == sorted(episodes, key=lambda e: (minutes[e % 100], e)), "in order of time, then of number"


def test_one_start_has_no_regularity() -> None:
    rows = [told("0 ws1/it -> c2/external odd request", episode=1)]
    always = replace(MOTIF["beacon"], at_least=1, regularity=0.1)
    assert Graph(grouped_table(rows), link_table([])).hits([always]).num_rows == 0


def test_a_condition_with_a_typo_is_told(graph: Graph) -> None:
    with pytest.raises(ConfigError, match=r"condition 'a\.orgin = 1'.*orgin"):
        graph.hits([replace(MOTIF["fan_out"], where="a.orgin = 1")])


# --- the records and their page -------------------------------------------------------------------------------------


@pytest.mark.parametrize("motif", MOTIFS, ids=lambda m: m.id)
def test_a_record_is_complete(motif: Motif) -> None:
    for name in (
        "id",
        "title",
        "pattern",
        "where",
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
    names = {**dict.fromkeys(motif.chain, FACTS), **dict.fromkeys(read_pattern(motif.pattern).edges, LINK_FACTS)}
    without_texts = re.sub("'[^']*'", "", motif.where)
    for name, fact in re.findall(r"(\w+)\.(\w+)", without_texts):
        assert fact in names[name], f"{name}.{fact} is nothing that a condition may ask"
    assert bool(motif.hub) == bool(motif.spokes) == (motif.at_least > 0), "a hub has spokes and a least number of them"
    assert not (motif.hub and motif.fewest_stops), "stops are counted on a chain"
    assert {*motif.hub, motif.spokes} <= {*FACTS, ""}
    assert motif.match != motif.near_miss


def test_the_vertices_are_what_the_records_say_of_them(graph: Graph) -> None:
    with Engine() as engine:
        vertices = list_vertices(engine, graph.episodes)
    assert set(vertices.column_names) == {"id", "subgraph_id", "started_at", *FACTS}
    [row] = [row for row in vertices.to_pylist() if place(row["id"]) == ("lateral_chain: match", 2)]
    host, minute = "host:fs1", timedelta(minutes=10)  # an alert about one host begins and ends there
    assert (row["origin"], row["destination"], row["origin_zone"], row["victims"]) == (host, host, "it", [host])
    assert row["t0"] == (told("0 x")["started_at"] + minute).timestamp() * 1_000_000


def test_ids_and_titles_are_unique() -> None:
    assert len({m.id for m in MOTIFS}) == len({m.title for m in MOTIFS}) == len(MOTIFS)


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
