"""The page of a run: bounded, placed where the data says, and, in a real browser, quiet, offline and usable."""

from __future__ import annotations

import builtins
import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from arrows import table_of
from chromium import LAPTOP, asked, browser, load, needs_chromium, said, settle, source
from incident import at, told

from alertgraph_spark.publish.report import NAME, write_report
from alertgraph_spark.publish.report.gather import MAX_EDGES, MAX_EVIDENCE, MAX_HIDDEN, MAX_HOSTS, MAX_NEXT, gather
from alertgraph_spark.publish.report.layout import FOLDED, MAX_NODES, along_path, bands, fold

pytest.importorskip("bokeh")

from alertgraph_spark.publish.report.page import render
from alertgraph_spark.tables.network_schemas import EDGES, NODES
from alertgraph_spark.tables.run_schemas import EXCEPTIONS
from alertgraph_spark.tables.schemas import EVIDENCE, MEMBERS, SUBGRAPHS
from alertgraph_spark.tables.verdict_schemas import VERDICTS

N_FLOOD = 10_000
END = datetime(2026, 3, 5, tzinfo=timezone.utc)
HOSTILE = "</script><img src=http://192.0.2.7/x onerror=alert(1)>"
RECORD = {
    "run_id": "20260305T060000-abcdef12",
    "window": {"start": "2026-03-02T00:00:00+00:00", "end": "2026-03-05T00:00:00+00:00"},
    "counts": {"rows_read": 10_010, "subgraphs": 4},
    "versions": {"alertgraph_spark": "0"},
}
ATTACK = [
    told("540 ws1/it phish opened #initial-access @meyer @a @b @c @d", n_alerts=2),
    told("550 ws1/it -> jump/dmz rdp logon #lateral-movement @svc", lasts=5, n_alerts=3),
    told("600 jump/dmz -> ews/ot rdp logon #lateral-movement", surprise=6.0),
    told("1500 ews/ot -> plc/ot controller stopped #impair-process-control", lasts=30, n_alerts=4, surprise=9.0),
    told("1510 ews/ot -> hmi/ot view lost", name=HOSTILE),
]


OWNERS = [
    {"entity": "host:plc", "owner": "shift lead", "runbook": "https://wiki.example/plc?a=1"},
    {"entity": "host:ews", "owner": HOSTILE, "runbook": "javascript:alert(1)"},
    {"entity": "host:jump", "owner": None, "runbook": "http://wiki.example/jump"},
    {"entity": "host:ws1", "owner": "desk", "runbook": None},
]
RELATED = [
    {"subgraph_id": "sg-next", "fact": "account meyer in common; 3 days later; 1 alert, rarest “logon”"},
    {"subgraph_id": "sg-elsewhere", "fact": f"host fs1 in common; 2 days before; 4 alerts, rarest “{HOSTILE}”"},
]
HIDING = {"id": "ex-soon", "owner": "it-ops", "reason": HOSTILE, "ticket": "CHG-7", "until": END + timedelta(days=12.5)}


def excepted(key: str, days_left: float, n_episodes: int, **more: Any) -> dict[str, Any]:
    """One exception that ends so many days after the window."""
    row = {"id": key, "site": None, "names": f"entity host:{key}", "owner": "soc", "reason": "known", "ticket": None}
    row |= {"begins": at(0), "until": END + timedelta(days=days_left), "state": "in force"}
    return {**row, "n_episodes": n_episodes, "n_hidden": n_episodes, **more}


def judged(key: str | None, hour: float, verdict: str, **more: Any) -> dict[str, Any]:
    """One word of Ana on a subgraph."""
    row = {
        "site": "plant",
        "subgraph_id": key,
        "verdict": verdict,
        "is_latest": False,
        "certainty": 1.0,
        "reason": None,
    }
    row |= {
        "judged_by": "ana",
        "judged_at": at(60 * hour),
        "source": "incident 7",
        "matched_by": None,
        "unmatched": None,
    }
    return row | more


def subgraph(key: str, rank: int, shown: bool, **more: Any) -> dict[str, Any]:
    empty = {c.name: [] if c.type.startswith("array") else None for c in SUBGRAPHS.columns}
    row = {
        **{"subgraph_id": key, "site": "plant", "rank": rank, "is_shown": shown, "score": 0.9 - rank / 10},
        **{
            "first_seen": at(540),
            "last_seen": at(1530),
            "n_alerts": 11,
            "n_episodes": 5,
            "n_hosts": 5,
            "severity": 0.5,
        },
        **{"title": f"Title of {key}", "summary": f"Summary of {key}"},
        "contributions": [
            {"term": "rarity", "value": 0.7, "fact": "one type"},
            {"term": "planned", "value": -0.1, "fact": "10 % of it by a scanner"},
        ],
        "story": [
            {"sentence": sentence, "alert_ids": alerts.split()}
            for sentence, alerts in (("First it came.", "0/1"), ("Then it went.", "3/1 3/2"), ("It ends.", "4/1"))
        ],
        "unusual": ["never seen"],
        "checks": ["Call the control room."],
    }
    return {**empty, **row, **more}


def drawn(episodes: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The nodes and edges of episodes, accounts among them: what each names, and its alerts added up."""
    nodes: dict[tuple[str, str], dict[str, Any]] = {}
    edges: dict[tuple[str, str, str], dict[str, Any]] = {}

    def add(found: dict[Any, dict[str, Any]], key: Any, episode: dict[str, Any], **columns: Any) -> None:
        row = found.setdefault(
            key,
            {
                **{"subgraph_id": episode["subgraph_id"], "site": episode["site"], "n_alerts": 0, **columns},
                **{"first_seen": episode["started_at"], "last_seen": episode["ended_at"]},
            },
        )
        row["n_alerts"] += episode["n_alerts"]
        row["first_seen"] = min(row["first_seen"], episode["started_at"])
        row["last_seen"] = max(row["last_seen"], episode["ended_at"])

    for episode in episodes:
        subgraph, target = episode["subgraph_id"], episode["target_entity"]
        source = episode["source_entity"] or target
        zones = {target: episode["target_zone"], source: episode["source_zone"] or episode["target_zone"]}
        for node, zone in (zones | dict.fromkeys(episode["accounts"], episode["target_zone"])).items():
            kind, _, label = node.partition(":")
            about = {"node_id": node, "label": label, "kind": kind, "zone": zone or "unknown", "role": None}
            add(nodes, (subgraph, node), episode, **about, domain="OT" if zone == "ot" else "IT")
        about = {"source": source, "target": target, "names": [episode["name"]], "n_episodes": 1, "max_severity": 0.5}
        add(edges, (subgraph, source, target), episode, **about)
    return list(nodes.values()), list(edges.values())


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    """An attack, a flood of ten thousand alerts from one host to as many, and two that are not shown."""
    last = {**told("30 nas/it -> srv/it odd"), "subgraph_id": "sg-last"}
    rows = [
        *({**row, "subgraph_id": "sg-attack"} for row in ATTACK),
        {**told("20 nas/it quiet"), "subgraph_id": "sg-next"},
        last,
    ]
    few = [{**row, "episode": n} for n, row in enumerate(rows)]
    flood = [
        {
            **{**last, "subgraph_id": "sg-flood", "episode": i + 100, "name": f"probe {i % 7}"},
            **{"source_entity": "host:scanner", "target_entity": f"host:h{i}"},
            "started_at": last["started_at"] + timedelta(seconds=i),
        }
        for i in range(N_FLOOD)
    ]
    grouped = [{**row, "episode_id": f"{row['episode']:016x}"} for row in [*few, *flood]]
    members = [
        {**row, "alert_id": f"{row['episode']}/{i}", "item_id": None, "role": "core"}
        for row in grouped
        for i in range(1, row["n_alerts"] + 1)
    ]
    path = {"path": [f"host:{h}" for h in ("ws1", "jump", "ews", "plc")]}
    without = {"cut": 0.4, "score": 0.3, "types": None, "fact": "without “phish” (2 alerts) it would score 0.30"}
    found = [
        subgraph(
            "sg-attack", 1, True, counterfactual=without, owners=OWNERS, tickets=["CHG-7"], related=RELATED, **path
        ),
        subgraph("sg-flood", 2, True, n_alerts=N_FLOOD, n_episodes=N_FLOOD, title=HOSTILE),
        subgraph("sg-next", 3, False, story=[]),
        subgraph("sg-last", 4, False, story=[]),
        subgraph("sg-hidden", 5, False, story=[], suppressed_by=[HIDING, {**HIDING, "id": "ex-fine", "ticket": None}]),
    ]
    nodes, edges = drawn(grouped)
    exceptions = [
        excepted("ex-soon", 12.5, 3),
        excepted("ex-unused", 40, 0, owner=HOSTILE),
        excepted("ex-fine", 40, 2),
        excepted("ex-over", -1, 0, state="ended"),
    ]
    verdicts = [
        judged("sg-attack", 3, "benign_positive", certainty=0.5),
        judged("sg-attack", 9, "true_positive", is_latest=True, reason=HOSTILE),
        judged(None, 9, "false_positive", certainty=0.0, unmatched="the incident has no alert"),
    ]
    return {
        table.name: table_of(table, rows)
        for table, rows in (
            *((SUBGRAPHS, found), (MEMBERS, members), (EVIDENCE, grouped)),
            *((NODES, nodes), (EDGES, edges), (EXCEPTIONS, exceptions), (VERDICTS, verdicts)),
        )
    }


@pytest.fixture(scope="module")
def gathered(tables: dict[str, pa.Table]) -> dict[str, Any]:
    return gather(tables, RECORD)


@pytest.fixture(scope="module")
def page(gathered: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / NAME
    file.write_text(render(gathered), encoding="utf-8")
    return file


# --- what is gathered -----------------------------------------------------------------------------------------------


def test_what_is_gathered_is_bounded_and_counted(gathered: dict[str, Any]) -> None:
    attack, flood, *following = gathered["subgraphs"]
    assert [row["subgraph_id"] for row in following] == ["sg-next", "sg-last", "sg-hidden"]
    assert (len(attack["evidence"]), len(flood["evidence"])) == (5, MAX_EVIDENCE)
    assert len(flood["edges"]) == len(flood["nodes"]["of"]) == MAX_EDGES
    assert flood["nodes"]["n_all"] == N_FLOOD + 1  # and the host that scans
    assert [e["alert_ids"] for e in attack["evidence"]][:2] == [["0/1", "0/2"], ["1/1", "1/2", "1/3"]]
    assert attack["evidence"][0]["started_at"] == at(540).timestamp() * 1000
    network = gathered["network"]
    assert network["n_hosts"] == N_FLOOD + 8  # ws1 jump ews plc hmi, scanner, nas srv
    by_zone: dict[str, int] = {}
    for host in network["hosts"]:
        by_zone[host["zone"]] = by_zone.get(host["zone"], 0) + 1
    assert by_zone == {"it": MAX_HOSTS, "dmz": 1, "ot": 3}


def test_of_many_accounts_the_first_are_gathered_and_all_are_counted(
    tables: dict[str, pa.Table], gathered: dict[str, Any]
) -> None:
    """An alert may name thousands, and a page shows three."""
    accounts = [(e["accounts"], e["n_accounts"]) for e in gathered["subgraphs"][0]["evidence"]]

    assert accounts[:3] == [(["account:meyer", "account:a", "account:b"], 5), (["account:svc"], 1), ([], 0)]
    nobody = table_of(EVIDENCE, [{**ATTACK[0], "subgraph_id": "sg-attack", "episode_id": "e", "accounts": None}])
    (episode,) = gather({**tables, "evidence": nobody}, RECORD)["subgraphs"][0]["evidence"]
    assert (episode["accounts"], episode["n_accounts"]) == (None, 0)


def test_only_so_many_come_next(tables: dict[str, pa.Table]) -> None:
    more = [subgraph(f"sg-{n}", 10 + n, False, score=0.5) for n in range(MAX_NEXT + 5)]
    more.append(subgraph("sg-nothing", 5, False, score=0.0))  # planned through and through: nobody is asked to read it
    found = gather({**tables, "subgraphs": table_of(SUBGRAPHS, more)}, RECORD)["subgraphs"]
    assert [row["subgraph_id"] for row in found] == [f"sg-{n}" for n in range(MAX_NEXT)]


def test_what_exceptions_hide_is_gathered_apart_from_what_comes_next(tables: dict[str, pa.Table]) -> None:
    many = [subgraph(f"sg-{n:02}", n, False, suppressed_by=[HIDING]) for n in range(MAX_HIDDEN + 5)]
    more = table_of(SUBGRAPHS, [*many, subgraph("sg-next", 99, False, score=0.5)])
    found = gather({**tables, "subgraphs": more}, RECORD)

    assert [row["subgraph_id"] for row in found["subgraphs"]] == [f"sg-{n:02}" for n in range(MAX_HIDDEN)] + ["sg-next"]
    assert found["n_hidden"] == MAX_HIDDEN + 5
    until = round((END + timedelta(days=12.5)).timestamp() * 1000)
    assert found["subgraphs"][0]["suppressed_by"] == [{**HIDING, "until": until}]


def test_exceptions_to_look_at_again_are_those_in_force_that_end_soon_or_explain_nothing(
    gathered: dict[str, Any],
) -> None:
    assert [row["id"] for row in gathered["exceptions"]] == ["ex-soon", "ex-unused"]


def test_what_is_gathered_does_not_depend_on_the_order_of_rows(
    tables: dict[str, pa.Table], gathered: dict[str, Any]
) -> None:
    rng = random.Random(1)
    shuffled = {name: table.take(rng.sample(range(len(table)), len(table))) for name, table in tables.items()}
    assert gather(shuffled, RECORD) == gathered


def test_of_an_episode_five_alerts_are_named_and_times_are_exact(tables: dict[str, pa.Table]) -> None:
    times = {"started_at": at(540) + timedelta(microseconds=1_001_999), "ended_at": at(600)}
    one = {**ATTACK[0], **times, "subgraph_id": "sg-attack", "episode_id": "e"}
    members = [
        {
            "subgraph_id": "sg-attack",
            "episode_id": "e",
            "alert_id": f"a{n}",
            "item_id": None,
            "site": "s",
            "role": "core",
        }
        for n in (7, 3, 1, 6, 2, 5, 4)
    ]
    small = {"evidence": table_of(EVIDENCE, [one]), "members": table_of(MEMBERS, members)}
    (episode,) = gather({**tables, **small}, RECORD)["subgraphs"][0]["evidence"]
    assert episode["alert_ids"] == ["a1", "a2", "a3", "a4", "a5"]
    assert episode["started_at"] == at(540).timestamp() * 1000 + 1001, "whole milliseconds, none rounded up"


def test_a_host_of_several_subgraphs_is_one_with_the_zone_that_is_known(tables: dict[str, pa.Table]) -> None:
    def rows(subgraph: str, zone: str, role: str | None, n_alerts: int) -> tuple[dict[str, Any], dict[str, Any]]:
        about = {
            "subgraph_id": subgraph,
            "site": "plant",
            "n_alerts": n_alerts,
            "first_seen": at(0),
            "last_seen": at(1),
        }
        node = {"node_id": "host:x", "label": "x", "kind": "host", "zone": zone, "domain": "IT", "role": role}
        edge = {"source": "host:x", "target": "host:x", "names": [], "n_episodes": 1, "max_severity": 0.0}
        return {**about, **node}, {**about, **edge}

    nodes, edges = zip(
        rows("sg-attack", "unknown", "plc", 3),
        rows("sg-next", "ot", None, 4),
        rows("sg-last", "it", None, 1),
        strict=True,
    )
    network = gather({**tables, "nodes": table_of(NODES, nodes), "edges": table_of(EDGES, edges)}, RECORD)["network"]
    (host,) = network["hosts"]
    assert (host["zone"], host["role"], host["n_alerts"], host["is_shown"]) == ("ot", "plc", 8, True)
    assert (network["n_hosts"], network["pairs"]) == (1, []), "a loop is no pair"


# --- where things stand ---------------------------------------------------------------------------------------------


def test_zones_lie_in_bands_from_the_outside_to_the_process() -> None:
    zone_of = {"plc": "ot", "pc": "it", "jump": "dmz", "c2": "external", "?": "unknown", "nas": "it"}
    place, edges = bands(zone_of, [("c2", "pc"), ("pc", "jump"), ("jump", "plc"), ("gone", "plc")])
    assert [zone for zone, *_ in edges] == ["external", "it", "dmz", "ot", "unknown"]
    for host, zone in zone_of.items():
        ((top, bottom),) = [(t, b) for z, t, b in edges if z == zone]
        assert bottom < place[host][1] < top and 0 < place[host][0] < 1
    assert len(set(place.values())) == len(zone_of)


def test_a_path_is_drawn_on_one_line_from_left_to_right() -> None:
    path = ["a", "b", "c"]
    place = along_path(path, [*path, "x", "y"], [("a", "b", 1), ("b", "c", 1), ("c", "x", 5), ("a", "x", 1)])
    assert [place[h][1] for h in path] == [0, 0, 0]
    assert place["a"][0] < place["b"][0] < place["c"][0]
    assert place["x"][1] != 0 and abs(place["x"][0] - place["c"][0]) < abs(place["x"][0] - place["b"][0])


def test_alerts_that_name_nobody_have_no_place() -> None:
    assert along_path([], [], []) == {}


def test_without_a_path_the_busiest_host_is_in_the_middle() -> None:
    place = along_path([], ["s", "t", "hub", "u"], [("hub", "s", 1), ("hub", "t", 1), ("u", "hub", 9)])
    assert place["hub"] == (0.5, 0.0)
    assert len(set(place.values())) == 4


@pytest.mark.parametrize(("n", "n_drawn"), [(MAX_NODES, MAX_NODES), (MAX_NODES + 1, MAX_NODES - 1)])
def test_what_does_not_fit_is_folded(n: int, n_drawn: int) -> None:
    hosts, rest = fold(["p", "q"], {f"h{i}": i for i in range(n - 2)}, [("p", "q")])
    assert (len(hosts), len(rest)) == (n_drawn, n - n_drawn)
    assert hosts[:3] == ["p", "q", f"h{n - 3}"], "the path first, then the host with most alerts"


def test_of_an_endless_path_both_ends_are_drawn() -> None:
    path = [f"p{i:02}" for i in range(60)]
    hosts, rest = fold(path, {}, [])
    assert path[0] in hosts and path[-1] in hosts
    assert len(hosts) == MAX_NODES - 1 and len(rest) == 60 - len(hosts)


# --- without Bokeh --------------------------------------------------------------------------------------------------


def test_without_bokeh_nothing_is_written_and_nothing_breaks(
    tables: dict[str, pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def no_bokeh(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith(("bokeh", "alertgraph_spark.publish.report.page")):
            raise ImportError(name)
        return real(name, *rest, **more)

    class Files:
        def write(self, name: str, content: bytes) -> None:
            raise AssertionError(name)

    monkeypatch.setattr(builtins, "__import__", no_bokeh)
    assert write_report(tables, RECORD, Files()) is False


def test_names_cannot_leave_the_data_block(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert HOSTILE not in text
    assert text.count("<img") == 0
    assert "\\u003c/script>" in text


def test_a_number_that_is_none_is_not_the_end_of_the_page(gathered: dict[str, Any]) -> None:
    """JSON knows no NaN: a browser's parser would refuse the whole block."""
    first, *others = gathered["subgraphs"]
    broken = {**first, "score": float("nan"), "contributions": [{"term": "x", "value": float("inf"), "fact": "f"}]}
    text = render({**gathered, "subgraphs": [broken, *others]})

    (block,) = re.findall(r'<script[^>]*id="report"[^>]*>(.*?)</script>', text, re.S)
    data = json.loads(block, parse_constant=pytest.fail)
    assert data["subgraphs"][0]["score"] is data["subgraphs"][0]["contributions"][0]["value"] is None


# --- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@needs_chromium
def test_it_loads_fast_without_a_word_and_asks_for_nothing(driver: Any, page: Path) -> None:
    begin = time.perf_counter()
    load(driver, page)
    seconds = time.perf_counter() - begin
    assert said(driver) == []
    assert [url for url in asked(driver) if not url.startswith("data:")] == [page.resolve().as_uri()]
    assert seconds < 20, "ten thousand alerts in one subgraph"
    assert page.stat().st_size < 3_000_000


@needs_chromium
def test_these_tests_would_hear_an_error_and_see_a_request(driver: Any, page: Path, tmp_path: Path) -> None:
    breach = tmp_path / NAME
    text = page.read_text(encoding="utf-8").replace("<footer>", '<footer><img src="http://192.0.2.7/x.png">')
    breach.write_text(text.replace("img-src data: blob:", "img-src http:"), encoding="utf-8")
    load(driver, breach)
    assert "http://192.0.2.7/x.png" in asked(driver)
    breach.write_text(text.replace("<footer>", "<footer><script>let a = 1</script>"), encoding="utf-8")
    load(driver, breach)
    assert any("Content Security Policy" in message for message in said(driver))


@needs_chromium
def test_nodes_stand_where_the_data_says(driver: Any, page: Path) -> None:
    load(driver, page)
    nodes = source(driver, "graph_nodes")
    x = dict(zip(nodes["label"], nodes["x"], strict=True))
    y = dict(zip(nodes["label"], nodes["y"], strict=True))
    assert x["ws1"] < x["jump"] < x["ews"] < x["plc"]
    assert {y[host] for host in ("ws1", "jump", "ews", "plc")} == {0} and y["hmi"] != 0
    looks = dict(zip(nodes["label"], zip(nodes["zone"], nodes["color"], nodes["marker"], strict=True), strict=True))
    assert looks["ws1"] == ("IT", "#0072B2", "circle")
    assert looks["plc"] == ("OT", "#E69F00", "square")
    assert looks["jump"][0] == "DMZ"
    assert source(driver, "graph_edges")["pair"] == ["ws1 → jump", "jump → ews", "ews → plc", "ews → hmi"]
    hosts, areas = source(driver, "network_hosts"), source(driver, "network_bands")
    band = {name: (bottom, top) for name, bottom, top in zip(areas["name"], areas["bottom"], areas["top"], strict=True)}
    assert list(band) == ["IT", "DMZ", "OT"]
    for zone, height in zip(hosts["zone"], hosts["y"], strict=True):
        assert band[zone][0] < height < band[zone][1]
    assert set(source(driver, "network_labels")["label"]) == {"ws1", "jump", "ews", "plc", "hmi"}
    times = source(driver, "timeline")
    assert times["started"][0] == at(540).timestamp() * 1000
    assert times["tactic"][-1] == "no tactic named"


@needs_chromium
def test_a_click_shows_a_subgraph_and_the_slider_what_comes_next(driver: Any, page: Path) -> None:
    load(driver, page)

    def ranked() -> list[str]:
        return [b.get_attribute("data-id") for b in driver.find_elements("css selector", "#ranked button")]

    assert ranked() == ["sg-attack", "sg-flood"]
    assert driver.find_element("id", "title").text == "Title of sg-attack"
    assert driver.find_element("id", "without").text == "Without “phish” (2 alerts) it would score 0.30."
    begin = time.perf_counter()
    driver.find_elements("css selector", "#ranked button")[1].click()
    settle(driver)
    assert time.perf_counter() - begin < 5, "ten thousand alerts in it"
    assert driver.find_element("id", "title").text == HOSTILE, "as text, not as an element"
    nodes = source(driver, "graph_nodes")
    assert len(nodes["id"]) == MAX_NODES and FOLDED in nodes["id"]
    assert nodes["label"][-1] == f"+{N_FLOOD + 1 - (MAX_NODES - 1):,} more"
    assert len(driver.find_elements("css selector", "#evidence tr")) == MAX_EVIDENCE
    assert "of 10,000 episodes" in driver.find_element("id", "evidence-note").text
    slider = driver.find_element("id", "more")
    assert slider.get_attribute("max") == "2"
    slider.send_keys("\ue014")  # the right arrow: a keyboard is enough
    assert ranked() == ["sg-attack", "sg-flood", "sg-next"]
    assert "+1" in driver.find_element("id", "more-said").text
    driver.find_elements("css selector", "#ranked button")[2].send_keys("\ue007")
    assert driver.find_element("id", "title").text == "Title of sg-next"
    assert not driver.find_element("id", "without").is_displayed(), "it is not shown"
    assert said(driver) == []


@needs_chromium
def test_a_sentence_marks_the_alerts_behind_it(driver: Any, page: Path) -> None:
    load(driver, page)
    driver.find_elements("css selector", "#story button")[1].click()
    told_rows = driver.find_elements("css selector", "#evidence tr.told")
    assert len(told_rows) == 1 and "controller stopped" in told_rows[0].text
    assert "3/1, 3/2" in driver.find_element("id", "evidence-note").text


@needs_chromium
def test_it_fits_a_laptop_in_both_themes(driver: Any, page: Path) -> None:
    load(driver, page, "#sg-flood")
    assert driver.find_element("id", "title").text == HOSTILE, "an address may name its subgraph"
    papers = []
    for _ in range(2):
        wide = driver.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide[0] <= wide[1] == LAPTOP[0], "no scrolling sideways"
        papers.append(driver.execute_script("return getComputedStyle(document.body).backgroundColor"))
        driver.find_element("id", "theme").click()
        settle(driver)
    assert papers[0] != papers[1]
    assert said(driver) == []


@needs_chromium
def test_a_run_without_a_subgraph_says_so(driver: Any, tmp_path: Path) -> None:
    empty = tmp_path / NAME
    nothing = {"subgraphs": [], "network": {"hosts": [], "pairs": [], "n_hosts": 0}, "n_hidden": 0, "exceptions": []}
    empty.write_text(render({"run": RECORD, **nothing}), encoding="utf-8")
    load(driver, empty)
    assert "sources" not in driver.find_element("id", "run").text, "an older run says nothing of its sources"
    assert driver.find_element("id", "none").is_displayed()
    assert not driver.find_element("id", "subgraph").is_displayed()
    assert said(driver) == []


@needs_chromium
def test_owners_are_told_and_a_runbook_is_a_link_only_where_it_is_https(driver: Any, page: Path) -> None:
    load(driver, page)
    assert [item.text for item in driver.find_elements("css selector", "#owners li")] == [
        "plc: shift lead; runbook: https://wiki.example/plc?a=1",
        f"ews: {HOSTILE}; runbook: javascript:alert(1)",
        "jump; runbook: http://wiki.example/jump",
        "ws1: desk",
        "Work was announced under CHG-7.",
    ]
    links = [link.get_attribute("href") for link in driver.find_elements("css selector", "#owners a")]
    assert links == ["https://wiki.example/plc?a=1"]

    load(driver, page, "#sg-flood")
    assert not driver.find_element("id", "owners-title").is_displayed()


@needs_chromium
def test_what_is_related_is_told_and_leads_there_where_the_page_has_it(driver: Any, page: Path) -> None:
    load(driver, page)
    assert [item.text for item in driver.find_elements("css selector", "#related li")] == [
        "sg-next: account meyer in common; 3 days later; 1 alert, rarest “logon”.",
        f"sg-elsewhere: host fs1 in common; 2 days before; 4 alerts, rarest “{HOSTILE}”.",
    ]
    (link,) = driver.find_elements("css selector", "#related a")
    assert link.text == "sg-next"
    driver.execute_script("arguments[0].click()", link)
    settle(driver)
    assert driver.find_element("id", "title").text == "Title of sg-next"
    assert not driver.find_element("id", "related-title").is_displayed(), "nothing is related to it"


@needs_chromium
def test_what_analysts_said_is_told_what_stands_first(driver: Any, page: Path) -> None:
    load(driver, page)
    said_first, before = [item.text for item in driver.find_elements("css selector", "#verdicts li")]
    assert said_first == f"true positive by ana, 2026-03-02 09:00 UTC, incident 7: {HOSTILE}"
    assert before.startswith("benign positive by ana")
    assert before.endswith("incident 7 (50 % of what was judged is this subgraph); this does not stand")
    assert driver.find_element("id", "export").text == "alertgraph export . --as attack-flow --subgraph sg-attack"
    assert "judged true positive" in driver.find_element("id", "chips").text

    load(driver, page, "#sg-flood")
    assert not driver.find_element("id", "verdicts-title").is_displayed()
    assert "judged" not in driver.find_element("id", "chips").text


@needs_chromium
def test_what_exceptions_hide_is_told_with_whom_why_and_until_when(driver: Any, page: Path) -> None:
    load(driver, page)
    lines = [
        [cell.text for cell in line.find_elements("tag name", "td")]
        for line in driver.find_elements("css selector", "#hidden tr")
    ]
    assert lines == [
        ["5", "Title of sg-hidden", "ex-soon", "it-ops", HOSTILE, "CHG-7", "2026-03-17 12:00"],
        ["", "", "ex-fine", "it-ops", HOSTILE, "", "2026-03-17 12:00"],
    ]
    again = [
        [cell.text for cell in line.find_elements("tag name", "td")]
        for line in driver.find_elements("css selector", "#again tr")
    ]
    assert [(line[0], line[2], line[-1]) for line in again] == [
        ("ex-soon", "soc", "it ends in 13 days"),
        ("ex-unused", HOSTILE, "it matches nothing in the window"),
    ]
    assert "1 hidden by exceptions" in driver.find_element("id", "run").text

    driver.find_element("css selector", "#hidden button").click()
    settle(driver)
    assert driver.find_element("id", "title").text == "Title of sg-hidden"
    assert "hidden by ex-soon, ex-fine" in driver.find_element("id", "chips").text
    assert "sg-hidden" not in [
        b.get_attribute("data-id") for b in driver.find_elements("css selector", "#ranked button")
    ]


@needs_chromium
def test_sources_that_are_not_well_are_counted(driver: Any, tmp_path: Path) -> None:
    page = tmp_path / NAME
    nothing = {"subgraphs": [], "network": {"hosts": [], "pairs": [], "n_hosts": 0}, "n_hidden": 0, "exceptions": []}
    ill = [{"site": HOSTILE, "table": "Ids_CL", "status": "silent", "detail": "silent for 7 h"}] * 2
    run = {**RECORD, "health": {"n_ok": 1, "n_new": 0, "unhealthy": ill}}
    page.write_text(render({"run": run, **nothing}), encoding="utf-8")
    load(driver, page)

    assert driver.find_element("id", "run").text.endswith("2 sources not as usual: see the table health.")
    assert said(driver) == []
