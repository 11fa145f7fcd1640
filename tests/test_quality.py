"""The harness that judges the ranking: each measure and each peer against a case worked by hand."""

from __future__ import annotations

import gzip
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO / "benchmarks"))

from quality import bootstrap, choose, generated, hubs, lakes, measures, peers, reading, rows, runs, table  # noqa: E402
from quality.bootstrap import Figure  # noqa: E402
from quality.judge import TOOL, Ranking  # noqa: E402

BEGIN = pd.Timestamp("2026-03-02", tz="UTC")


def alerts(*told: tuple[Any, ...], site: str = "plant") -> pd.DataFrame:
    """Alerts as (second, source, target, name, severity); items are numbered from a0."""
    ends = pd.DataFrame([one[:5] for one in told], columns=["at", "source_entity", "target_entity", "name", "severity"])
    zones = {"source_zone": "unknown", "target_zone": "unknown", "site": site}
    times = BEGIN + pd.to_timedelta(ends.pop("at"), unit="s")
    return ends.assign(**zones, observed_at=times, item_id=[f"a{n}" for n in range(len(told))])


def ranking(
    groups: dict[str, Sequence[str]], scores: dict[str, float], shown: Sequence[str] = (), site: str = "plant"
) -> Ranking:
    subgraphs = pd.DataFrame(
        [(g, site, scores[g], g in shown, BEGIN) for g in groups],
        columns=["subgraph_id", "site", "score", "is_shown", "first_seen"],
    )
    members = [(g, item) for g, items in groups.items() for item in items]
    return Ranking(subgraphs, pd.DataFrame(members, columns=["subgraph_id", "item_id"]))


def truth(*told: tuple[str, str], network: str = "plant") -> pd.DataFrame:
    return pd.DataFrame(told, columns=["item_id", "strict"]).assign(network=network)


# ---- episodes and hops

A, B, C, D = (f"ip:10.0.0.{n}" for n in (1, 2, 3, 4))


def test_a_pause_of_300_seconds_ends_an_episode_and_not_one_second_less() -> None:
    folded = measures.fold(alerts((0, A, B, "x", 1), (300, A, B, "x", 1), (601, A, B, "x", 1), (0, A, B, "y", 1)))

    episodes = folded.set_index("item_id")["episode"]

    assert episodes["a0"] == episodes["a1"]
    assert len({episodes[item] for item in ("a1", "a2", "a3")}) == 3


def test_the_hop_is_from_the_latest_that_reached_the_source() -> None:
    folded = measures.fold(
        alerts((0, A, B, "early", 1), (60, C, B, "late", 1), (120, B, D, "on", 1), (120, A, B, "same time", 1))
    )
    item = folded.set_index("episode")["item_id"]

    found = measures.hops(folded)

    assert [(item[one.a], item[one.b]) for one in found.itertuples()] == [("a1", "a2")]


@pytest.mark.parametrize(("gap", "n"), [(1800, 1), (1801, 0)])
def test_a_hop_waits_half_an_hour_at_most(gap: int, n: int) -> None:
    assert len(measures.hops(measures.fold(alerts((0, A, B, "x", 1), (gap, B, C, "y", 1))))) == n


def test_hops_are_kept_where_one_subgraph_holds_both_ends() -> None:
    told = alerts((0, A, B, "x", 1), (60, B, C, "y", 1), (120, C, D, "z", 1))
    cut = ranking({"s": ["a0", "a1"], "t": ["a2"]}, {"s": 1, "t": 0})
    whole = ranking({"s": ["a0", "a1", "a2"]}, {"s": 1})

    found, best = measures.connected(told, cut), measures.connected(told, whole)

    assert (found["hops"].value, found["two_hops"].value, found["largest"].value) == (0.5, 0.0, pytest.approx(2 / 3))
    assert (best["hops"].value, best["two_hops"].value, best["largest"].value) == (1.0, 1.0, 1.0)


def test_an_episode_outside_of_every_subgraph_loses_its_hop() -> None:
    told = alerts((0, A, B, "x", 1), (60, B, C, "y", 1))

    assert measures.connected(told, ranking({"s": ["a1"]}, {"s": 1}))["hops"].value == 0.0


# ---- one true group


def test_the_rank_counts_false_subgraphs_above_and_half_of_those_that_tie() -> None:
    groups = {"true": ["a0", "a1", "b"], "piece": ["a2"], "f1": ["c"], "f2": ["d"], "f3": ["e"]}
    scores = {"true": 0.5, "piece": 0.9, "f1": 0.8, "f2": 0.5, "f3": 0.1}

    found = measures.true_group(ranking(groups, scores), pd.Series(["a0", "a1", "a2", "a3"]))

    assert found == measures.Group(rank=2.5, of=5, purity=2 / 3, held=0.5)


def test_an_attack_in_no_subgraph_has_no_rank() -> None:
    found = measures.true_group(ranking({"f": ["c"]}, {"f": 1.0}), pd.Series(["a0"]))

    assert math.isnan(found.rank)
    assert found.held == 0.0


def test_the_top_ten_hold_what_they_hold() -> None:
    groups = {f"s{n:02d}": [f"i{n}"] for n in range(12)}
    scores = {name: 1.0 - n / 100 for n, name in enumerate(groups)}

    assert measures.in_top(ranking(groups, scores), pd.Series(["i9", "i10"])) == 0.5


def test_the_best_subgraph_of_an_attack_stands_behind_all_false_ones_of_its_score() -> None:
    # b is the better of the two that bear the attack, pure by half; d is above it, and c scores the same.
    groups = {"a": ["a0", "a1"], "b": ["a2", "x"], "c": ["y"], "d": ["z"]}
    scores = {"a": 0.1, "b": 0.5, "c": 0.5, "d": 0.9}
    attack = pd.Series(["a0", "a1", "a2"])
    assert measures.first_bearing(ranking(groups, scores), attack) == (3.0, 0.5)
    rank, purity = measures.first_bearing(ranking({"d": ["z"]}, {"d": 0.9}), attack)
    assert math.isnan(rank)
    assert purity == 0.0


def test_as_a_filter_of_alerts_a_ranking_says_attack_of_all_that_is_shown() -> None:
    told = alerts(*((3600.0 * n, "a", "b", "x", 1) for n in range(6)))
    told["item_id"] = [f"i{n}" for n in range(6)]
    facts = truth(*zip(told["item_id"], ["c1/1", "c1/1", "-", "c1/2", "-", "-"], strict=True))
    groups = {"a": ["i0", "i1", "i2"], "b": ["i3", "i4"]}

    found = measures.alert_level(facts, measures.fold(told), ranking(groups, {"a": 0.9, "b": 0.1}, ["a"]))

    # Shown are i0, i1 (attack) and i2 (not); i3 is missed.
    assert found["alert_tpr"].value == pytest.approx(2 / 3)
    assert found["alert_fpr"].value == pytest.approx(1 / 3)
    assert found["alert_f1"].value == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert found["reduction"].value == pytest.approx(1 - 3 / 6)


# ---- what is read


def read(
    labels: Sequence[str], groups: dict[str, Sequence[int]], *, shown: Sequence[str] = (), benign: Sequence[int] = (),
    hours: Sequence[float] = (), warm: float = 0.0, per_episode: int = 1, network: str = "plant",
) -> reading.Reading:  # fmt: skip
    """Alert n is the n-th label, an hour after the one before unless told, from host n to host n + 1.

    Groups score in the order of their names, best first; `per_episode` alerts of one time make an episode.
    """
    at = [60.0 * 60 * hour for hour in hours] or [3600.0 * (n // per_episode) for n in range(len(labels))]
    places = [n // per_episode for n in range(len(labels))]
    told = alerts(*((t, f"{network}{n}", f"{network}{n + 1}", "x", 1) for t, n in zip(at, places, strict=True)))
    told["item_id"] = [f"{network}-{n}" for n in range(len(labels))]
    facts = truth(*zip(told["item_id"], labels, strict=True), network=network).assign(at=told["observed_at"])
    items = {name: [f"{network}-{n}" for n in of] for name, of in groups.items()}
    scores = {name: 1 - place / 100 for place, name in enumerate(sorted(groups))}
    return reading.read(
        facts, measures.fold(told), ranking(items, scores, shown), pd.Series([f"{network}-{n}" for n in benign]), warm
    )


def test_what_is_read_is_the_episodes_of_what_is_shown() -> None:
    # s: 4 episodes, 2 of them attack, 2 of 3 steps; t is not shown, and holds the third
    found = reading.figures(
        read(["c1/1", "c1/2", "-", "-", "c1/3", "-"], {"s": [0, 1, 2, 3], "t": [4, 5]}, shown=["s"])
    )

    assert found["read"].value == 4
    assert found["read_attack"].value == 0.5
    assert found["read_steps"].value == 50.0
    assert found["found"].value == pytest.approx(2 / 3)
    assert found["bears"].value == 1.0


def test_ten_alerts_of_one_episode_are_read_once() -> None:
    found = reading.figures(read(["c1/1"] * 10 + ["-"] * 10, {"s": range(20)}, shown=["s"], per_episode=10))

    assert (found["read"].value, found["read_attack"].value) == (2.0, 0.5)


def test_a_blob_bears_as_often_as_chance_and_a_small_one_more_often() -> None:
    labels = ["c1/1", *["-"] * 9]
    blob = reading.figures(read(labels, {"s": range(10)}, shown=["s"]))
    fine = reading.figures(read(labels, {"s": [0, 1]}, shown=["s"]))

    assert (blob["bears"].value, blob["bears_random"].value) == (1.0, 1.0)
    assert fine["bears"].value == 1.0
    assert fine["bears_random"].value == pytest.approx(0.2)


def test_the_chance_is_that_of_a_draw_without_replacement() -> None:
    assert reading.chance(2, 5, 2) == pytest.approx(1 - (3 / 5) * (2 / 4))
    assert reading.chance(3, 5, 2) == pytest.approx(1 - (3 / 5) * (2 / 4) * (1 / 3))
    assert reading.chance(4, 5, 2) == 1.0
    assert reading.chance(3, 5, 0) == pytest.approx(0.0)


def test_a_false_one_is_noise_unless_a_benign_chain_is_in_it() -> None:
    # s bears; t is noise; u is a benign chain by a third, v by half
    groups = {"s": [0], "t": [1, 2], "u": [3, 4, 5], "v": [6, 7], "w": [8]}
    told = read(["c1/1", *["-"] * 8], groups, shown=["s", "t", "u", "v"], benign=[3, 6, 8])

    found = reading.figures(told)

    assert found["noise"].value == pytest.approx(1 / 3)
    assert found["mostly_noise"].value == pytest.approx(2 / 3)


def test_sizes_are_those_of_the_ten_best_of_each_network() -> None:
    # One of 3 episodes on 4 hosts, then nine of one on two; the eleventh, of 5, is not measured.
    groups = {"a": [0, 1, 2], **{f"b{n}": [3 + n] for n in range(9)}, "z": [12, 13, 14, 15, 16]}

    found = reading.figures(read(["-"] * 17, groups))

    assert (found["episodes"].value, found["hosts"].value) == (1.0, 2.0)
    assert found["episodes_95"].value == pytest.approx(1 + 2 * 0.55)  # between the ninth and the tenth of ten
    assert found["hosts_95"].value == pytest.approx(2 + 2 * 0.55)


def test_purity_is_of_those_of_the_best_five_that_bear_an_attack() -> None:
    # a bears none and does not count; b is pure by half, c whole; the sixth is not looked at.
    groups = {"a": [0], "b": [1, 2], "c": [3], "d": [4], "e": [5], "f": [6, 7]}

    found = reading.figures(read(["-", "c1/1", "-", "c1/2", "-", "-", "c1/3", "-"], groups))

    assert found["purity"].value == 0.75


def test_of_one_score_those_without_attack_come_first() -> None:
    told = read(["c1/1", *["-"] * 5], {name: [n] for n, name in enumerate("abcdef")})
    tied = ranking({name: [f"plant-{n}"] for n, name in enumerate("abcdef")}, dict.fromkeys("abcdef", 0.5))
    again = reading.read(
        told.facts.assign(at=BEGIN), told.facts.assign(source_entity="", target_entity=""), tied, pd.Series([]), 0.0
    )

    assert not again.ranked.head(5)["attack"].any()
    assert again.ranked["attack"].iloc[5]


def test_what_begins_in_the_warm_up_is_neither_read_nor_missed() -> None:
    # The first step is of the warm-up; s begins in it, t an hour after its end.
    labels, hours = ["c1/1", "c1/2", "-", "c1/3"], [0, 25, 26, 27]

    found = reading.figures(read(labels, {"s": [0, 1], "t": [2, 3]}, shown=["s", "t"], hours=hours, warm=24.0))

    assert (found["read"].value, found["read_attack"].value) == (2.0, 0.5)
    assert found["found"].value == 0.5  # of c1/2 and c1/3


def test_nothing_shown_is_nothing_read() -> None:
    found = reading.figures(read(["c1/1", "-"], {"s": [0, 1]}))

    assert (found["read"].value, found["found"].value) == (0.0, 0.0)
    assert all(math.isnan(found[key].value) for key in ("read_attack", "read_steps", "bears", "noise"))


def test_the_adjusted_rand_index_is_that_of_the_books() -> None:
    # Two classes of three, parted 2|1 and 1|2: pairs together in both 2, in either 6 and 6, of 15: (2 - 2.4) / (6 - 2.4)
    label, group = pd.Series([*"aaabbb"]), pd.Series([1, 1, 2, 2, 2, 1])

    assert reading.adjusted_rand(label, group) == pytest.approx((2 - 2.4) / (6 - 2.4))
    assert reading.adjusted_rand(label, pd.Series([7, 7, 7, 5, 5, 5])) == 1.0
    assert reading.adjusted_rand(label, pd.Series([1] * 6)) == 0.0


def test_campaigns_are_held_together_and_kept_apart_shown_or_not() -> None:
    labels = ["c1/1", "c1/2", "c1/3", "c2/1", "c2/2", "c2/3", "-"]
    right = reading.apart(read(labels, {"s": [0, 1, 2, 6], "t": [3, 4, 5]}))
    both = reading.apart(read(labels, {"s": [0, 1, 2, 3, 4, 5], "t": [6]}))
    torn = reading.apart(read(labels, {"s": [0], "t": [3, 4, 5]}))  # c1/2 and c1/3 are in none, and each alone

    assert (right["rand"].value, right["two_in_one"].value) == (1.0, 0.0)
    assert (both["rand"].value, both["two_in_one"].value) == (0.0, 1.0)
    # pairs together in both 3, in campaigns 6, in groups 3, of 15
    assert torn["rand"].value == pytest.approx((3 - 18 / 15) / (4.5 - 18 / 15))
    assert torn["two_in_one"].value == 0.0


def test_one_campaign_alone_cannot_be_confused() -> None:
    found = reading.apart(read(["c1/1", "c1/2"], {"s": [0], "t": [1]}))

    assert math.isnan(found["rand"].value)


def test_what_was_told_as_so_probable_is_counted_in_its_bin() -> None:
    told = read(["c1/1", "-", "-", "c1/2"], {"a": [0], "b": [1], "c": [2], "d": [3]})
    subgraphs = pd.DataFrame({"subgraph_id": [*"abcd"], "probability": [1.0, 0.4, 0.399, 0.03]})

    found = reading.reliability(told, Ranking(subgraphs, pd.DataFrame()))

    assert [found[f"p{n} of"].value for n in range(5)] == [0, 1, 0, 1, 2]
    assert found["p4"].value == 0.5
    assert found["p4 told"].value == pytest.approx(0.7)
    assert (found["p3"].value, found["p1"].value) == (0.0, 1.0)
    assert math.isnan(found["p0"].value)
    assert reading.reliability(told, Ranking(subgraphs[["subgraph_id"]], pd.DataFrame())) == {}


def test_what_is_related_to_a_shown_one_adds_its_steps_and_is_of_the_same_attack_or_not() -> None:
    told = read(["c1/1", "c1/2", "c2/1", "-", "-"], {"a": [0], "b": [1], "c": [2], "d": [3], "e": [4]}, shown=["a"])
    beside = {"a": [{"subgraph_id": "b"}, {"subgraph_id": "d"}], "c": [{"subgraph_id": "b"}]}
    subgraphs = pd.DataFrame({"subgraph_id": [*"abcde"], "site": "plant", "is_shown": [True] + 4 * [False]})
    subgraphs["related"] = [beside.get(key, []) for key in "abcde"]

    found = reading.related(told, Ranking(subgraphs, pd.DataFrame()))

    # c1/1 is shown and c1/2 related to it; c2/1 is neither. Of b and d one is of c1, as is one of the four others.
    assert found["related_found"].value == pytest.approx(2 / 3)
    assert found["related_bears"].value == 0.5
    assert found["related_random"].value == 0.25


def test_intervals_of_what_is_read_are_over_networks() -> None:
    parts = [
        read(["c1/1", "-"], {f"{name}-s": of}, shown=[f"{name}-s"], network=name)
        for name, of in (("one", [0]), ("two", [1]))
    ]
    told = reading.Reading(*(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)))

    found = reading.figures(told)["bears"]

    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


@pytest.mark.skipif(not TOOL.exists(), reason="the real alert sets are not beside the repository")
def test_the_judge_and_what_is_read_agree() -> None:
    labels, hours = ["c1/1", "-", "c1/2", "-", "c1/3", "-", "-"], [0, 25, 26, 27, 28, 29, 30]
    told = read(labels, {"s": [0, 1], "t": [2, 3], "u": [4, 5, 6]}, shown=["s", "t"], hours=hours, warm=24.0)
    facts = told.facts.assign(time=[f"2026-03-{2 + h // 24:02d}T{h % 24:02d}:00:00Z" for h in hours])
    facts = facts.assign(at=pd.to_datetime(facts["time"]), host="h", name="x", lenient=facts["strict"])
    groups = {"s": ["plant-0", "plant-1"], "t": ["plant-2", "plant-3"], "u": ["plant-4", "plant-5", "plant-6"]}
    found = reading.figures(told)

    same = measures.judged(facts, ranking(groups, {"s": 1.0, "t": 0.99, "u": 0.98}, ["s", "t"]), 24.0)

    for ours, theirs in (("found", "shown_steps"), ("bears", "bearing"), ("purity", "strict")):
        assert found[ours].value == pytest.approx(same[theirs].value), ours


# ---- generated networks


def campaign(*told: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(told, columns=["campaign", "family", "dwell_hours"]).assign(network="plant")


STEPS = (("i0", "c1/1-in"), ("i1", "c1/2-over"), ("i2", "c1/2-over"), ("i3", "c1/3-act"))


def test_a_chain_is_whole_if_one_shown_subgraph_has_an_alert_of_each_visible_step() -> None:
    told, known = truth(*STEPS, ("n", "-")), campaign(("c1", "it_to_ot", 200.0))
    whole = ranking({"s": ["i0", "i2", "i3", "n"]}, {"s": 1}, shown=["s"])
    unseen = ranking({"s": ["i0", "i2", "i3"]}, {"s": 1})
    parted = ranking({"s": ["i0", "i1", "i2"], "t": ["i3"]}, {"s": 1, "t": 1}, shown=["s", "t"])

    found = [generated.chains(told, known, one) for one in (whole, unseen, parted)]

    assert [one["whole all"].value for one in found] == [1.0, 0.0, 0.0]
    assert [one["whole any"].value for one in found] == [1.0, 1.0, 0.0]
    assert [one["steps shown"].value for one in found] == [1.0, 0.0, pytest.approx(2 / 3)]


def test_chains_are_counted_by_dwell_and_only_pivots_that_show_two_steps() -> None:
    told = truth(*STEPS, ("j", "c2/1-in"), ("k", "c3/1-in"), ("m", "c3/2-out"))
    known = campaign(("c1", "it_to_ot", 24.0), ("c2", "it_to_ot", 100.0), ("c3", "worm", 100.0))

    found = generated.chains(told, known, ranking({"s": ["i0", "i1", "i3"]}, {"s": 1}, shown=["s"]))

    assert found["pivots"].value == 1
    assert found["whole day"].value == 1.0
    assert math.isnan(found["whole week"].value)


def test_who_knows_the_attack_joins_what_shares_a_host_or_an_account() -> None:
    # In at A, over to B; B is left for C by an account that then acts on D. Noise between A and D is none of it.
    account = [{"kind": "account", "key": "account:svc"}]
    told = alerts(
        (0, A, B, "in", 1), (9, B, C, "over", 1), (99, None, D, "act", 1), (5, A, D, "noise", 1), (7, A, A, "x", 1)
    )
    told["entities"] = [[], account, account, [], []]
    labels = truth(("a0", "c1/1-in"), ("a1", "c1/2-over"), ("a2", "c1/3-act"), ("a3", "-"), ("a4", "c2/1-in"))

    joined = generated.informed(labels, told)
    without = generated.informed(labels, told.assign(entities=[[]] * 5))

    assert groups_of(joined) == {"a0": {"a0", "a1", "a2"}, "a4": {"a4"}}  # A is no bridge between two campaigns
    assert groups_of(without) == {"a0": {"a0", "a1"}, "a2": {"a2"}, "a4": {"a4"}}
    assert joined.subgraphs["is_shown"].all()
    assert joined.subgraphs.set_index("subgraph_id")["first_seen"].dt.second.to_dict() == {"a0": 0, "a4": 7}


def test_maintenance_is_under_every_attack_or_it_is_not() -> None:
    told = truth(("i", "c1/1-in"), ("j", "c2/1-in"))
    benign = pd.DataFrame(
        [("m", "plant", "under"), ("n", "plant", "between"), ("o", "plant", "nowhere"), ("p", "plant", "with")],
        columns=["item_id", "network", "chain"],
    )
    groups = {"high": ["i", "p"], "low": ["j"], "u": ["m"], "b": ["n"]}

    found = generated.maintenance(told, benign, ranking(groups, {"high": 0.9, "low": 0.5, "u": 0.4, "b": 0.5}))

    assert found["maintenance pivots"].value == 4
    assert found["maintenance"].value == 0.5  # `under` and `nowhere`


def test_a_chain_through_a_hub_is_kept_only_whole() -> None:
    told = truth(*((f"{chain}{n}", f"{chain}/{n}") for chain in ("x", "y", "z") for n in range(3)), ("n", "-"))
    groups = {"s": ["x0", "x1", "x2", "n"], "t": ["y0", "y1"], "u": ["y2"]}

    assert generated.hub_chains(told, ranking(groups, dict.fromkeys(groups, 1.0)))["kept"].value == pytest.approx(1 / 3)


def test_planted_chains_run_through_the_controller_in_order() -> None:
    told = list(hubs.rows(50, hubs.np.random.default_rng(1)))
    marked = [row for row in told if row[5] != "-"]

    assert len({row[1] for row in told if row[5] == "-"}) == 50
    assert len(marked) == 3 * hubs.CHAINS
    for place in range(0, len(marked), 3):
        one, two, three = marked[place : place + 3]
        assert one[2] == two[1] == hubs.CONTROLLER
        assert two[2] == three[1]
        assert one[0] < two[0] < three[0] <= one[0] + 3600


# ---- peers


def groups_of(found: Ranking) -> dict[str, set[str]]:
    return {str(name): set(rows["item_id"]) for name, rows in found.members.groupby("subgraph_id")}


OUTSIDE, INSIDE, NEXT, FAR = "ip:8.8.8.8", "ip:10.0.0.1", "ip:10.0.0.2", "ip:10.9.0.1"


@pytest.mark.parametrize(
    ("source", "target", "stage"),
    [
        (OUTSIDE, INSIDE, "incoming"),
        (INSIDE, OUTSIDE, "outgoing"),
        (INSIDE, NEXT, "same_zone"),
        (INSIDE, FAR, "other_zone"),
        (INSIDE, INSIDE, "host"),
        (OUTSIDE, "ip:198.51.100.7", None),  # which Python calls private
        ("", "", None),
    ],
)
def test_the_stage_is_that_of_the_direction(source: str, target: str, stage: str | None) -> None:
    assert peers.stage_of(source, target, "unknown", "unknown") == stage


def test_rt_kcsm_joins_what_its_source_was_reached_by_and_nothing_later() -> None:
    told = alerts(
        (0, OUTSIDE, INSIDE, "in", 1.0),
        (10, INSIDE, FAR, "on", 0.5),  # joins: its source was reached before
        (20, FAR, OUTSIDE, "out", 1.0),
        (30, OUTSIDE, NEXT, "in", 0.8),  # joins nothing: its source is outside
        (40, OUTSIDE, "ip:9.9.9.9", "by", 1.0),  # dropped
    )

    found = peers.rt_kcsm(told)

    assert sorted(map(sorted, groups_of(found).values())) == [["a0", "a1", "a2"], ["a3"]]
    scores = found.subgraphs.set_index("subgraph_id")["score"]
    (whole,) = [name for name, items in groups_of(found).items() if len(items) == 3]
    assert scores[whole] == pytest.approx(0.1 * 1.0 + 0.3 * 0.5 + 0.35 * 1.0)


def test_rt_kcsm_merges_graphs_that_meet_and_counts_a_stage_once() -> None:
    told = alerts((0, OUTSIDE, INSIDE, "in", 0.4), (1, OUTSIDE, INSIDE, "in", 0.9), (2, INSIDE, NEXT, "on", 1.0))

    apart, met = peers.rt_kcsm(told.head(2)), peers.rt_kcsm(told)

    assert len(apart.subgraphs) == 2
    assert list(groups_of(met).values()) == [{"a0", "a1", "a2"}]
    assert met.subgraphs["score"].tolist() == [pytest.approx(0.1 * 0.9 + 0.25 * 1.0)]


def test_risk_counts_a_name_once_and_damped_risk_each_alert_less() -> None:
    told = alerts(
        (0, A, B, "x", 0.2), (1, C, B, "x", 0.6), (2, A, B, "y", 0.4), (3, B, None, "z", None), (4, None, None, "w", 1)
    )

    plain, damped = peers.risk_sum(told), peers.risk_damped(told)

    of_b = f"plant/{B}/2026-03-02"
    assert groups_of(plain) == groups_of(damped) == {of_b: {"a0", "a1", "a2", "a3"}}
    assert plain.subgraphs["score"].tolist() == [pytest.approx(0.6 + 0.4 + peers.UNKNOWN_SEVERITY)]
    by_size = (0.6, 0.5, 0.4, 0.2)
    assert damped.subgraphs["score"].tolist() == [pytest.approx(sum(s / (n + 1) ** 1.5 for n, s in enumerate(by_size)))]


def test_risk_of_another_day_or_site_is_another() -> None:
    days = alerts((0, A, B, "x", 1.0), (86_400, A, B, "x", 1.0))
    sites = pd.concat([alerts((0, A, B, "x", 1.0)), alerts((0, A, B, "x", 1.0), site="other").assign(item_id="b0")])

    assert len(peers.risk_sum(days).subgraphs) == 2
    assert len(peers.risk_sum(sites).subgraphs) == 2


def test_other_orders_keep_the_units_and_show_one_a_site_and_day() -> None:
    ours = ranking({"s": ["a0"], "t": ["a1", "a2"]}, {"s": 0.9, "t": 0.1}, shown=["s"])
    told = alerts((0, A, B, "x", 0.9), (0, A, B, "x", 0.1), (0, A, B, "x", 0.2))

    count, severity = peers.by_count(ours), peers.by_severity(ours, told)

    assert count.subgraphs.set_index("subgraph_id")["score"].to_dict() == {"s": 1, "t": 2}
    assert count.subgraphs.set_index("subgraph_id")["is_shown"].to_dict() == {"s": False, "t": True}
    assert severity is not None
    assert severity.subgraphs.set_index("subgraph_id")["score"].to_dict() == {"s": 0.9, "t": 0.2}
    assert peers.by_severity(ours, told.assign(severity=None)) is None


# ---- intervals, choice, table, lakes


def test_an_interval_is_over_networks() -> None:
    same = bootstrap.ratio({"a": (1, 2), "b": (2, 4)})
    mixed = bootstrap.ratio({"a": (0, 1), "b": (3, 3)})

    assert (same.value, same.low, same.high) == (0.5, 0.5, 0.5)
    assert (mixed.value, mixed.low, mixed.high) == (0.75, 0.0, 1.0)
    assert math.isnan(bootstrap.ratio({"a": (1, 2)}).low)


def test_the_choice_for_a_network_does_not_look_at_it() -> None:
    def flat(value: float) -> dict[str, float]:
        return dict.fromkeys(choose.OBJECTIVE, value)

    figures = {
        "p": {"fox": flat(1.0), "santos": flat(0.2), "wheeler": flat(0.2)},
        "q": {"fox": flat(0.0), "santos": flat(0.3), "wheeler": flat(0.3)},
    }

    assert choose.choice(figures, "fox") == "q"
    assert choose.choice(figures, "santos") == "p"
    assert "leave-one-out, worth 0.133" in choose.as_text(figures)


def test_a_real_set_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lakes, "SHARED", tmp_path / "shared")

    found = rows.rows_of("ait", [], tmp_path)

    assert [row.measure for row in found] == list(rows.AIT)
    assert all("not there" in table.cells(row)[3] for row in found)
    assert lakes.ALL["generated-1"].is_there()


def test_a_figure_is_written_with_its_interval_and_absence_with_a_word() -> None:
    assert table.written_figure(Figure(0.5, 0.25, 1.0), ".2f") == "0.50 [0.25, 1.00]"
    assert table.written_figure(Figure(3.0), ".1f") == "3.0"
    assert table.written_figure(Figure(math.nan), ".1f") == "none"
    assert table.written_figure(None, ".1f") == "-"


def test_generated_networks_lie_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lakes, "ALERTS", 3000)
    monkeypatch.setattr(lakes, "DAYS", 5)

    lakes.generated([1, 2], ["it_to_ot"])(tmp_path / "two")

    with gzip.open(tmp_path / "two" / "truth.csv.gz", "rt") as file:
        told = pd.read_csv(file, dtype=str)
    lines = [line for blob in (tmp_path / "two" / "lake").rglob("*.json") for line in blob.read_text().splitlines()]
    campaigns = generated.read_campaigns(tmp_path / "two")
    routines = pd.read_csv(tmp_path / "two" / "routines.csv.gz", dtype=str)
    assert told["network"].nunique() == 2
    assert told["item_id"].is_unique
    assert len(told) == len(lines)
    assert set(campaigns["family"]) == {"it_to_ot"}
    assert set(routines["crosses"]) == {"0", "1"}
    assert [lake.name for lake in lakes.in_fives("g", range(1, 8))] == ["g-1", "g-2"]
    read = generated.read_routines(tmp_path / "two")
    assert set(read["crosses"]) == {True, False}
    assert len(read) == len(routines)
    assert not routines["item_id"].isin(told.loc[told["strict"] != "-", "item_id"]).any()
    crossing = set(routines.loc[routines["crosses"] == "1", "chain"].str.partition("-")[2])
    assert crossing <= {"controller_maintenance", "engineer_from_the_desk", "patch_night", "vulnerability_scan"}


def test_each_part_has_lakes_measures_and_the_aims_of_its_own() -> None:
    for part, (name, _, wanted, _) in rows.PARTS.items():
        assert [lake for lake in lakes.ALL if lake == name or lake.startswith(f"{name}-")], part
        assert len({one.key for one in wanted}) == len(wanted), part
    aims = {part: {one.key: one.aim for one in rows.PARTS[part][2]} for part in rows.PARTS}
    assert [aims[part]["found"] for part in ("generated", "usual", "calm", "sparse")] == [
        ">= .35",
        ">= .45",
        ">= .6",
        "-",
    ]
    assert (aims["sparse"]["rand"], aims["calm"]["rand"]) == (">= .9", "-")
    with pytest.raises(KeyError, match="foundd"):
        rows.aimed(foundd=">= 1")


def test_a_lake_of_a_level_is_of_that_level(tmp_path: Path) -> None:
    lakes.generated([1], level="sparse")(tmp_path / "sparse")

    assert '"level": "sparse"' in (tmp_path / "sparse" / "lake.json").read_text()
    assert not set(lakes.SPARSE_SEEDS) & set(lakes.SEEDS)
    assert set(lakes.LEVEL_SEEDS) < set(lakes.SEEDS)


def test_a_finished_run_is_taken_again_until_something_that_decides_it_changes(tmp_path: Path) -> None:
    alerts_file = tmp_path / "alerts.parquet"
    (tmp_path / "run1").mkdir()
    assert runs.finished(tmp_path, alerts_file) is None
    (tmp_path / "run1" / "run.json").touch()
    assert runs.finished(tmp_path, alerts_file) is None
    alerts_file.touch()

    assert runs.finished(tmp_path, alerts_file) == tmp_path / "run1"
    assert runs.digest(["jobs/*.py"], "a=1") == runs.digest(["jobs/*.py"], "a=1")
    assert len({runs.digest(["jobs/*.py"], s) for s in ("a=1", "a=2")} | {runs.digest(["setup.py"], "a=1")}) == 3
