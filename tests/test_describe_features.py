"""Describe: what is measured of a subgraph, each number worked by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import pyarrow as pa
import pytest
from arrows import described_table, table_of
from incident import Row, at, told

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.describe import describe_subgraphs
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.interim_schemas import PATHS
from alertgraph_spark.tables.schemas import FEATURES, MOTIF_HITS


def of(subgraph: str, *episodes: Row, **columns: Any) -> list[Row]:
    """Episodes of one subgraph of the site `plant`."""
    return [{**row, "subgraph_id": subgraph, **columns} for row in episodes]


CROSSING = (
    told("30 ws1/it -> jump/dmz rdp", severity=None, tactics=["lateral-movement"], surprise=3.0, history_hours=100.0),
    told("60 jump/dmz -> ews/ot rdp", severity=0.3, tactics=["lateral-movement"], surprise=5.0, history_hours=101.0),
)
ATTACK = of(
    "attack",
    *CROSSING,
    told(
        "0 mail/external -> ws1/it phish",
        lasts=5,
        severity=0.4,
        tactics=["initial-access"],
        surprise=4.0,
        history_hours=100.0,
        n_alerts=2,
    ),
    told(
        "90 ews/ot -> plc/ot stop",
        lasts=30,
        severity=0.9,
        tactics=["impair-process-control"],
        surprise=6.0,
        history_hours=101.0,
        target_level=1.0,
    ),
)
# Each tells one thing.
OTHERS = [
    *of("alone", told("0 lone/it x", severity=None, history_hours=24.0)),
    *of("no entity", told("0 x/it y", target_entity=None, target_zone=None, history_hours=50.0)),
    *of("warm-up", told("0 w1/it -> w2/it x", history_hours=200.0), told("9 w2/it y", history_hours=23.9)),
    # Acts on the process first and crosses afterwards: no act of this intruder.
    *of("act before", told("20 eng/ot -> plc9/ot stop", tactics=["impact"]), *CROSSING),
    *of("act in it", told("60 jump/dmz -> plc9/ot stop", tactics=["impact"]), *CROSSING),
    *of("act in IT", told("90 jump/dmz -> web/it stop", tactics=["impact"]), *CROSSING),
    *of("no crossing", told("90 eng/ot -> plc9/ot stop", tactics=["impact"]), told("0 ws1/it -> ews/ot rdp")),
    *of(
        "listed levels",  # 4.2 is above the zone's 4, 2.5 above OT's 2: what is listed counts
        told("0 ws8/it -> jump8/dmz rdp", source_level=4.2, target_level=3.0),
        told("20 jump8/dmz -> hist/ot rdp", source_level=3.0, target_level=2.5),
    ),
    *of(
        "seen",
        told("60 seen/it x", fleet_share=5 / 101, history_hours=99.0),
        told("0 seen/it x", fleet_share=4 / 100, history_hours=98.0),
    ),
    *of("upside down", told("0 a/dmz -> b/ot x", source_level=1.0, target_level=3.0)),
    *of(
        "planned",
        told("0 scan/it -> p1/it x", source_role="scanner"),
        told("1 p1/it x", target_role="maintenance"),
        told("2 p2/it -> scan/it x", target_role="scanner"),  # an attack on the scanner is not its doing
        told("3 p3/it -> p4/it x", source_role="jump_host"),
    ),
    *of(
        "announced",
        told("0 eng2/ot -> plc6/ot x") | {"is_announced": True},
        told("1 scan2/it -> p5/it x", source_role="scanner") | {"is_announced": True},
        told("2 eng2/ot -> plc6/ot y"),
    ),
    *of(
        "every stage",
        told("0 s/it x", tactics=["impact"]),
        told("1 s/it x", tactics=["discovery"]),
        told("2 s/it x", tactics=["execution"]),
        told("3 s/it x", tactics=["reconnaissance"]),
    ),
    *of(
        "one stage twice",
        told("0 s1/it x", tactics=["execution", "persistence"]),
        told("9 s1/it y", tactics=["stealth"]),
    ),
]
# Whoever raises an alert names the machine: a scanner's name may silence a scan, and no way into OT.
PLANNED = [
    *of("planned way in", *[{**row, "source_role": "scanner"} for row in CROSSING]),
    *of("planned act", told("0 scan/it -> plc4/ot stop", source_role="scanner", tactics=["impact"])),
    *of("planned scan of OT", told("0 scan/it -> plc4/ot scan", source_role="scanner", tactics=["discovery"])),
    *of("planned act in OT", told("0 eng3/ot -> plc4/ot stop", source_role="maintenance", tactics=["impact"])),
    *of("announced way in", *[{**row, "source_role": "scanner", "is_announced": True} for row in CROSSING]),
]
# One alert each, that would weigh 6 nats of surprise times .5 + .5.
WEIGHED = {
    "plain": {},
    "severe": {"severity": 1.0},
    "harmless": {"severity": 0.0},
    "no severity": {"severity": None},
    "known pair": {"is_new_pair": False},
    "severe on a known pair": {"severity": 1.0, "is_new_pair": False},
    "announced": {"is_announced": True},
    "a scanner's": {"target_role": "scanner"},
}
EARNS = [
    row for name, columns in WEIGHED.items() for row in of(f"earns: {name}", told("0 e/it x", surprise=6.0) | columns)
]
# Of one type the heaviest speaks: here the less surprising, since it is severe; the other is planned work.
EARNS += of(
    "earns: one type twice", told("0 e/it x", surprise=4.0, severity=1.0), told("1 e/it x", surprise=5.0, severity=0.2)
)
EARNS += of(
    "earns: in part planned", told("0 e/it x", surprise=9.0, target_role="scanner"), told("1 e/it y", surprise=2.0)
)
NEW = {"fleet_share": 1 / 202, "surprise": 5.0}  # (0 + 1) / (200 + 2): never seen
# Twenty types that were seen before; a flood of names, and what is as new and no flood: of another source, an hour later.
MANY = [
    *of("twenty types", *[told(f"{i} many/it t{i}") for i in range(20)]),
    *of("a flood", *[told(f"{i % 50} flood/it new{i}", **NEW) for i in range(200)]),
    *of("four new", *[told(f"{i} four/it new{i}", **NEW) for i in range(4)]),
    *of(
        "no flood",
        *[told(f"{i} some/it new{i}", **NEW) for i in range(4)],
        told("5 some/it other", **NEW | {"source": "ids"}),
        told("60 some/it later", **NEW),
        told("6 some/it seen"),
    ),
    *of(
        "attack in a flood",
        *[told(f"{i % 50} low/it new{i}", **NEW) for i in range(99)],
        told("9 pc/it real", **NEW | {"surprise": 6.0}),
    ),
    *of("attack without", told("9 pc/it real", **NEW | {"surprise": 6.0})),
]
# One host in four hours: of each subgraph the past hours of the whole site count, each once, and none of another site's.
HEARD = [
    *of("heard 0", told("0 nas/it x", history_hours=10.0)),
    *of("heard 1", told("60 nas/it x", history_hours=11.0), told("119 ws1/it -> nas/it y", history_hours=11.0)),
    *of("heard 2", told("120 nas/it z", history_hours=12.0)),
    *of("heard elsewhere", told("120 nas/it z", history_hours=12.0), site="other"),
    *of("heard always", told("180 nas/it z", history_hours=2.0)),
    *of("only outside", told("0 ws7/it -> far/external z", history_hours=200.0)),
    *of(
        "outside too", told("0 ws7/it -> far/external z", history_hours=200.0), told("1 near/it z", history_hours=12.0)
    ),
]


def hit(subgraph: str, motif: str, path: str, begin: float, end: float) -> Row:
    row = (subgraph, motif, ["0"], [f"host:{host}" for host in path.split()], at(begin), at(end))
    return dict(zip(MOTIF_HITS.names, row, strict=True))


HITS = [
    hit("attack", "it_ot_pivot", "ws1 jump ews", 30, 60),
    hit("attack", "lateral_chain", "ws1 jump ews plc", 30, 90),
    hit("attack", "fan_out", "ws1 a b c d e", 0, 90),  # six entities, but no path of them
    *(hit(subgraph, "it_ot_pivot", "ws1 jump ews", 30, 60) for subgraph in ("act before", "act in it", "act in IT")),
    hit("no crossing", "relay", "ws1 jump ews", 30, 60),
    hit("listed levels", "it_ot_pivot", "ws8 jump8 hist", 0, 20),
    hit("upside down", "it_ot_pivot", "ws8 jump8 hist", 0, 20),
    *(hit(f"{what} way in", "it_ot_pivot", "ws1 jump ews", 30, 60) for what in ("planned", "announced")),
]


PATHS_FOUND = [
    ("attack", ["host:mail", "host:ws1", "host:jump", "host:ews", "host:plc"]),
    ("no crossing", ["host:hmi", "host:plc", "host:scada"]),  # its only motif is a relay
    ("upside down", ["host:ws8", "host:jump8", "host:hist"]),
    ("warm-up", None),
]
CHAINS = ["it_ot_pivot", "lateral_chain"]


EPISODES = [
    {"site": "plant", "episode": n, **row} for n, row in enumerate([*ATTACK, *OTHERS, *PLANNED, *EARNS, *MANY, *HEARD])
]


def described(episodes: list[Row], hits: list[Row] = HITS) -> dict[str, Any]:
    paths = [{"subgraph_id": subgraph, "path": path} for subgraph, path in PATHS_FOUND]
    with Engine() as engine:
        features = describe_subgraphs(
            engine,
            described_table(episodes),
            table_of(MOTIF_HITS, hits),
            table_of(PATHS, paths),
            RankingParameters(),
            chains=CHAINS,
        )
    assert features.schema == arrow_schema(FEATURES)
    by_id = {row["subgraph_id"]: row for row in features.to_pylist()}
    assert features.num_rows == len(by_id) == len({row["subgraph_id"] for row in episodes})
    return by_id


@pytest.fixture(scope="module")
def features() -> dict[str, Any]:
    return described(EPISODES)


def test_the_attack_in_numbers(features: dict[str, Any]) -> None:
    attack = dict(features["attack"])
    assert attack.pop("rarity_nats") == pytest.approx(12.0341, abs=1e-4)
    assert attack.pop("ln_hosts") == pytest.approx(math.log(5))
    assert attack.pop("quiet_nats") == pytest.approx(4.6396, abs=1e-4)
    assert attack.pop("quietest") == {"name": "host:plc", "seen_hours": 0, "history_hours": 101.0}
    # fleet_share 0.01 of every episode: (seen + 1) / (100 + 2) = 0.01 gives 0.02, 0 hours
    assert [tuple(past.values()) for past in attack.pop("rarest")] == [
        ("stop", 0, 101.0),
        ("rdp", 0, 100.0),
        ("phish", 0, 100.0),
    ]
    assert attack == {
        "subgraph_id": "attack",
        "site": "plant",
        "first_seen": at(0),
        "last_seen": at(120),  # the stop began at 90 and lasted 30
        "last_received": at(120),
        "n_alerts": 5,  # 2 + 1 + 1 + 1
        "n_episodes": 4,
        "n_hosts": 5,  # mail, ws1, jump, ews, plc
        "n_types": 3,  # rdp came twice
        "tactics": ["initial-access", "lateral-movement", "impair-process-control"],
        "motifs": ["fan_out", "it_ot_pivot", "lateral_chain"],
        "path": ["host:mail", "host:ws1", "host:jump", "host:ews", "host:plc"],
        "act_name": "stop",
        "is_warm_up": False,
        "severity": 0.9,
        "n_stages": 3.0,  # get in, spread, act
        "chain_hops": 4.0,  # of the path: a motif's is part of it, or no path
        "level_drop": 4.0,  # external is level 5 by default, the plc is listed with 1
        "ot_action": 1.0,
        "planned_share": 0.0,
        "outside_share": 0.25,  # the phish
        "memory_nats": 0.0,  # what is remembered is no fact of its own: the score puts it in
    }


def test_a_path_counts_where_a_motif_of_a_chain_matched(features: dict[str, Any]) -> None:
    """Machines that poll each other make long paths all day."""
    assert features["upside down"]["chain_hops"] == 2.0
    assert (features["no crossing"]["chain_hops"], len(features["no crossing"]["path"])) == (0.0, 3)


def rarity(*surprises: float) -> float:
    return sum(nats / place**0.85 for place, nats in enumerate(surprises, start=1))


@pytest.mark.parametrize(
    ("subgraph", "earned"),
    [
        pytest.param("twenty types", [4.6] * 16, id="sixteen at most"),
        pytest.param("four new", [5.0] * 4, id="four new ones"),
        pytest.param("a flood", [5.0] * 4, id="a flood is the last of them"),
        pytest.param("no flood", [5.0] * 6 + [4.6], id="of another source, of another hour, seen before"),
        pytest.param("attack in a flood", [6.0] + [5.0] * 3, id="what is added takes nothing away"),
        pytest.param("attack without", [6.0], id="alone"),
    ],
)
def test_names_without_end_earn_no_rarity_without_end(
    features: dict[str, Any], subgraph: str, earned: list[float]
) -> None:
    assert features[subgraph]["rarity_nats"] == pytest.approx(rarity(*earned))
    assert features["a flood"]["n_types"] == 200  # counted all the same


@pytest.mark.parametrize(
    ("subgraph", "nats"),
    [
        ("plain", 6.0),
        ("severe", 6 * 1.5),
        ("harmless", 6 * 0.5),
        ("no severity", 6.0),  # as if it were a half
        ("known pair", 6 * 0.6),
        ("severe on a known pair", 6 * 1.5 * 0.6),
        ("announced", 0.0),
        ("a scanner's", 0.0),
        ("one type twice", 4 * 1.5),  # 5 * .7 is less
        ("in part planned", 2.0),  # it takes no place either
    ],
)
def test_rarity_weighs_by_severity_and_acquaintance(features: dict[str, Any], subgraph: str, nats: float) -> None:
    assert features[f"earns: {subgraph}"]["rarity_nats"] == pytest.approx(nats)


def test_what_is_planned_on_its_way_into_ot_earns_all_the_same(features: dict[str, Any]) -> None:
    # rdp as in the attack, max(3 * 1, 5 * .8): a scanner's name silences no crossing, an announcement does.
    assert features["planned way in"]["rarity_nats"] == pytest.approx(4.0)
    assert features["announced way in"]["rarity_nats"] == 0.0


def test_from_outside_is_what_acts_from_there(features: dict[str, Any]) -> None:
    shares = {name: features[name]["outside_share"] for name in ("attack", "alone", "only outside", "no entity")}
    assert shares == {"attack": 0.25, "alone": 0.0, "only outside": 0.0, "no entity": 0.0}
    assert (features["alone"]["ln_hosts"], features["no entity"]["ln_hosts"]) == (0.0, 0.0)
    assert features["planned"]["ln_hosts"] == pytest.approx(math.log(5))  # scan and p1 to p4


def test_no_name_silences_a_way_into_ot(features: dict[str, Any]) -> None:
    shares = {
        name: row["planned_share"] for name, row in features.items() if name.startswith(("planned ", "announced "))
    }
    assert shares == {
        "planned way in": 0.0,
        "planned act": 0.0,
        "planned scan of OT": 1.0,
        "planned act in OT": 1.0,
        "announced way in": 1.0,  # the site has said when
    }


def test_rarity_counts_each_type_once_the_most_surprising_first(features: dict[str, Any]) -> None:
    # stop 6 * 1.4, rdp max(3 * 1, 5 * .8), phish 4 * .9: 8.4 / 1^.85 + 4 / 2^.85 + 3.6 / 3^.85 = 8.4 + 2.2191 + 1.4150
    assert features["attack"]["rarity_nats"] == pytest.approx(8.4 + 4 / 2**0.85 + 3.6 / 3**0.85)
    assert features["alone"]["rarity_nats"] == pytest.approx(4.6)
    # four alerts of one type are one type
    assert features["every stage"]["rarity_nats"] == pytest.approx(4.6)


def test_a_host_that_never_speaks_is_news(features: dict[str, Any]) -> None:
    # The attack's quietest: plc, 0 past hours of 101: -ln(-ln(1 - 1/104)) = -ln 0.00966 = 4.6396
    # nas with 0, 1, 2 hours of 10, 11, 12: rates -ln(1 - 1/13) = 0.0800, -ln(1 - 2/14) = 0.1542, -ln(1 - 3/15) = 0.2231.
    # At minute 119 it is heard of for the second time in hour 1: still one past hour.
    assert features["heard 0"]["quiet_nats"] == pytest.approx(2.5252, abs=1e-4)
    assert features["heard 1"]["quiet_nats"] == pytest.approx(1.8698, abs=1e-4)
    assert features["heard 2"]["quiet_nats"] == pytest.approx(1.5000, abs=1e-4)
    # The same hour at another site, whose nas was never heard of: -ln(1 - 1/15) = 0.0690
    assert features["heard elsewhere"]["quiet_nats"] == pytest.approx(2.6738, abs=1e-4)
    quiet = {name: tuple(features[name]["quietest"].values()) for name in ("heard 0", "heard 2", "heard elsewhere")}
    assert quiet == {
        "heard 0": ("host:nas", 0, 10.0),
        "heard 2": ("host:nas", 2, 12.0),
        "heard elsewhere": ("host:nas", 0, 12.0),
    }
    # An address of the Internet is new each time. near: -ln(1 - 1/15) = 0.0690
    assert features["only outside"]["quiet_nats"] == 0.0
    assert features["outside too"]["quiet_nats"] == pytest.approx(2.6738, abs=1e-4)
    assert tuple(features["outside too"]["quietest"].values()) == ("host:near", 0, 12.0)
    # 3 hours, more than the 2 there were: (3 + 1) / (2 + 3) = 0.8, rate 1.609, -ln is below 0
    assert features["heard always"]["quiet_nats"] == 0.0


def test_warm_up_lasts_until_its_last_hour(features: dict[str, Any]) -> None:
    assert not features["alone"]["is_warm_up"]  # 24 hours of history are enough
    assert features["warm-up"]["is_warm_up"]  # one episode at 23.9 is not


def test_an_act_on_the_process_counts_after_the_crossing_alone(features: dict[str, Any]) -> None:
    acts = {name: features[name]["ot_action"] for name in ("act before", "act in it", "act in IT", "no crossing")}
    assert acts == {"act before": 0.0, "act in it": 1.0, "act in IT": 0.0, "no crossing": 0.0}
    assert {name: features[name]["act_name"] for name in acts} == {
        name: "stop" if act else None for name, act in acts.items()
    }


def test_levels_come_from_the_list_then_from_the_zone(features: dict[str, Any]) -> None:
    assert features["listed levels"]["level_drop"] == pytest.approx(4.2 - 2.5)
    assert features["act in it"]["level_drop"] == 4.0 - 2.0  # ws1 by its zone it, ews by its zone ot
    assert features["no crossing"]["level_drop"] == 0.0  # without the motif no crossing, whatever the zones
    assert features["upside down"]["level_drop"] == 0.0  # 1 - 3


def test_planned_is_who_acts(features: dict[str, Any]) -> None:
    # the scanner's own and the alert about a machine under maintenance, of four
    assert features["planned"]["planned_share"] == 0.5
    # one announced, one announced and the scanner's own besides, of three
    assert features["announced"]["planned_share"] == pytest.approx(2 / 3)


def test_stages_are_those_of_the_kill_chain_not_tactics(features: dict[str, Any]) -> None:
    assert features["every stage"]["n_stages"] == 4.0
    assert features["every stage"]["tactics"] == ["impact", "discovery", "execution", "reconnaissance"]  # as they came
    assert features["one stage twice"]["n_stages"] == 1.0
    assert features["alone"]["n_stages"] == 0.0


def test_a_lone_alert_has_every_number(features: dict[str, Any]) -> None:
    alone = features["alone"]
    assert (alone["severity"], alone["chain_hops"], alone["level_drop"], alone["ot_action"]) == (0.0, 0.0, 0.0, 0.0)
    assert (alone["motifs"], alone["path"], alone["tactics"]) == ([], [], [])
    warm_up = features["warm-up"]  # linked, but on one host
    assert (warm_up["path"], warm_up["chain_hops"]) == ([], 0.0)
    assert (alone["n_hosts"], features["no entity"]["n_hosts"]) == (1, 0)
    assert features["no entity"]["quietest"] is None


def test_how_often_the_rarest_types_were_seen_before_the_first_of_them(features: dict[str, Any]) -> None:
    # (3 + 1) / (98 + 2) = 0.04 and, an hour later, (4 + 1) / (99 + 2)
    assert [tuple(past.values()) for past in features["seen"]["rarest"]] == [("x", 3, 98.0)]


def test_neither_the_order_of_rows_nor_another_site_matters(features: dict[str, Any]) -> None:
    chance = random.Random(3)
    shuffled, hits = EPISODES.copy(), HITS.copy()
    chance.shuffle(shuffled)
    chance.shuffle(hits)
    assert described(shuffled, hits) == features
    elsewhere = [row for row in EPISODES if row["site"] == "other"]
    alone = described(elsewhere, [])
    assert alone == {name: features[name] for name in ("heard elsewhere",)}


def test_without_episodes_there_is_no_subgraph() -> None:
    nothing = [table.slice(0, 0) for table in (described_table(EPISODES[:1]), table_of(MOTIF_HITS, HITS))]
    with Engine() as engine:
        found = describe_subgraphs(
            engine, *nothing, arrow_schema(PATHS).empty_table(), RankingParameters(), chains=CHAINS
        )
    assert found == pa.Table.from_pylist([], schema=arrow_schema(FEATURES))


def test_what_is_alike_has_the_same_rarity_to_the_bit() -> None:
    """Ranks of equal scores fall by time: a last digit that depends on the order of rows would turn them round."""
    chance = random.Random(5)
    nats = [chance.uniform(0, 9) for _ in range(12)]
    rows = []
    for n in range(40):
        chance.shuffle(nats)
        rows += of(f"sg{n}", *[told(f"{i} pc/it x", name=f"{n} {s}", surprise=s) for i, s in enumerate(nats)])
    found = described([{"site": "plant", "episode": n, **row} for n, row in enumerate(rows)], [])
    assert len({row["rarity_nats"] for row in found.values()}) == 1
