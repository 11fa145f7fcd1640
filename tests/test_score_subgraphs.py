"""Score, rank, budget and words: numbers worked by hand, and the logged model against them."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from arrows import table_of
from incident import at

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.score import (
    TERMS,
    Term,
    count_unshown,
    rank_subgraphs,
    score_subgraphs,
    scorer_weights,
    with_score,
)
from alertgraph_spark.score.suppressed import NOTHING
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.learn_schemas import RECALLED
from alertgraph_spark.tables.schemas import FEATURES, SUBGRAPHS

TITLES = {"it_ot_pivot": "IT→OT pivot", "lateral_chain": "Lateral movement", "fan_out": "Fan-out"}
CHECKS = {"it_ot_pivot": "Who was logged on from {first} to {last}?", "fan_out": "Which hosts answered?"}
ALWAYS = 1000.0  # an exceedance that nothing reaches
Features = dict[str, Any]


def past(name: str, seen_hours: int, history_hours: float) -> dict[str, Any]:
    return {"name": name, "seen_hours": seen_hours, "history_hours": history_hours}


def measured(subgraph_id: str, minute: float = 0, **columns: Any) -> Features:
    """One subgraph's features: one lone alert without a fact, and what a test says otherwise."""
    row: Features = {
        "subgraph_id": subgraph_id,
        "site": "plant",
        "first_seen": at(minute),
        "last_seen": at(minute),
        "last_received": at(minute),
        **dict.fromkeys(("n_alerts", "n_episodes", "n_hosts", "n_types"), 1),
        **{name: [] for name in ("tactics", "motifs", "path")},
        "rarest": [past("usb stick", 0, 672.0)],
        "quietest": past("host:pc7", 3, 20.5),
        "act_name": None,
        "is_warm_up": False,
        "severity": 0.0,
        "chain_hops": 0.0,
        **dict.fromkeys((term.column for term in TERMS), 0.0),
    }
    assert set(row) == set(FEATURES.names)
    assert set(columns) <= set(row)
    return {**row, **columns}


def nats(score: float) -> float:
    """The rarity that gives a score: z = 20 * score / (1 - score)."""
    return 20 * score / (1 - score)


def feature_table(rows: list[Features]) -> pa.Table:
    return table_of(FEATURES, rows)


def suppressions(hidden: dict[str, float | None]) -> pa.Table:
    """Subgraphs that exceptions explain: those without a claim are hidden, those with one are not any more."""
    one = {"id": "ex-1", "owner": "soc", "reason": "known", "ticket": None, "until": at(5000)}
    rows = [
        {"subgraph_id": key, "suppressed_by": [one] if claim is None else [], "claim": claim}
        for key, claim in hidden.items()
    ]
    return pa.Table.from_pylist(rows, NOTHING.subgraphs.schema)


def scored(
    rows: list[Features], budget: int = 1, exceedance: float = ALWAYS, since: datetime | None = None, **more: Any
) -> list[Any]:
    terms, hidden = more.pop("terms", TERMS), suppressions(more.pop("hidden", {}))
    learned = {name: more.pop(name) for name in ("recalled", "offsets") if name in more}
    asked = {"show_nats": 0.0, "quiet": True, **more}
    p = RankingParameters(budget_per_day=budget, show_exceedance=exceedance, **asked)
    with Engine() as engine:
        subgraphs = score_subgraphs(
            engine,
            feature_table(rows),
            p,
            since,
            titles=TITLES,
            checks=CHECKS,
            suppressed=hidden,
            terms=terms,
            **learned,
        )
    assert subgraphs.schema == arrow_schema(SUBGRAPHS)
    found = subgraphs.to_pylist()
    assert [row["rank"] for row in found] == list(range(1, len(found) + 1))
    assert len(found) == len(rows) or since
    return found


ATTACK = measured(
    "sg-attack",
    n_alerts=7,
    n_episodes=4,
    n_hosts=5,
    n_types=3,
    last_seen=at(150),
    tactics=["initial-access", "lateral-movement", "impact"],
    motifs=["it_ot_pivot", "lateral_chain"],
    path=["host:ws1", "host:jump", "host:ews"],
    rarest=[past("controller stopped", 0, 691.0), past("rdp logon", 5, 690.0)],
    quietest=past("host:ews", 0, 690.5),
    rarity_nats=10.0,
    quiet_nats=4.5,
    severity=0.9,
    n_stages=3.0,
    chain_hops=2.0,
    level_drop=1.5,
    ot_action=1.0,
    ln_hosts=1.6,
)


@pytest.fixture(scope="module")
def some() -> dict[str, Any]:
    """Four kinds of subgraph in one run."""
    rows = [
        ATTACK,
        {**ATTACK, "subgraph_id": "sg-maintained", "planned_share": 0.25, "outside_share": 0.125},
        measured("sg-alone", rarity_nats=5.0),
        measured("sg-scan", rarity_nats=5.0, planned_share=1.0),
        measured("sg-nothing"),
    ]
    return {row["subgraph_id"]: row for row in scored(rows)}


def parts(row: Any) -> list[Any]:
    return [(c["term"], c["value"]) for c in row["contributions"]]


def test_the_attack_term_by_term(some: dict[str, Any]) -> None:
    # rarity 10, quiet host 4.5, three stages, 1.5 levels, an act on the process 3, five hosts -1.6 (rounded here):
    # z = 10 + 4.5 + 3 + 1.5 + 3 - 1.6 = 20.4, score = 20.4 / (20.4 + 20) = 0.505; a contribution is its part / 40.4
    attack = some["sg-attack"]
    assert attack["score"] == pytest.approx(20.4 / 40.4)
    points = [
        ("rarity", 10.0),
        ("quiet_host", 4.5),
        ("ot_action", 3.0),
        ("kill_chain", 3.0),  # equal parts in the order of their names, backwards: any, but the same each time
        ("crossing", 1.5),
        ("spread", -1.6),
    ]
    assert parts(attack) == [(term, pytest.approx(part / 40.4)) for term, part in points]


def remembered(key: str, nats: float, fact: str) -> pa.Table:
    rows = [{"subgraph_id": key, "memory_nats": nats, "memory_fact": fact}]
    return pa.Table.from_pylist(rows, schema=arrow_schema(RECALLED))


def test_the_words_of_each_term() -> None:
    told = "like 1 earlier one (82 % alike), judged benign on 2 March 2026"
    row = {**ATTACK, "subgraph_id": "sg-maintained", "planned_share": 0.25, "outside_share": 0.125, "memory_nats": -1.0}
    (judged,) = scored([row], recalled=remembered("sg-maintained", -1.0, told))
    facts = {c["term"]: c["fact"] for c in judged["contributions"]}
    assert facts == {
        "rarity": "3 alert types; the rarest, “controller stopped”, seen in 0 of 28 days before",  # 691 / 24 = 28.8
        "quiet_host": "ews is rarely heard of: alerts about it in 0 of 28 days before",
        "kill_chain": "3 of 4 stages of an attack: initial access, lateral movement, impact",
        "crossing": "reaches 1.5 Purdue levels down into OT",
        "ot_action": "acts on the process after the crossing",
        "planned": "25 % of it planned: a scanner, a maintenance host or an announced window",
        "spread": "spread over 5 hosts: the more, the likelier something common",
        "outside": "13 % of it comes from outside",  # half is up
        "memory": told,
    }
    assert set(facts) == {term.name for term in TERMS}


def test_planned_work_counts_against_it(some: dict[str, Any]) -> None:
    # A quarter of it by maintenance: -25 / 4 = -6.25, an eighth from outside: -15 / 8 = -1.875; z = 20.4 - 8.125 = 12.275.
    # Negative parts come last and keep their sign.
    maintained = some["sg-maintained"]
    assert maintained["score"] == pytest.approx(12.275 / 32.275)
    assert parts(maintained)[-3:] == [
        ("spread", pytest.approx(-1.6 / 32.275)),
        ("outside", pytest.approx(-1.875 / 32.275)),
        ("planned", pytest.approx(-6.25 / 32.275)),
    ]
    # All of it by a scanner: 5 - 25 is below 0, which scores 0 and is not shown, whatever the budget.
    for nothing in (some["sg-scan"], some["sg-nothing"]):
        assert (nothing["score"], nothing["contributions"], nothing["is_shown"]) == (0.0, [], False)


def test_a_fact_that_is_none_makes_no_row(some: dict[str, Any]) -> None:
    assert parts(some["sg-alone"]) == [("rarity", pytest.approx(0.2))]  # 5 / (5 + 20)


def test_one_sentence_for_the_analyst(some: dict[str, Any]) -> None:
    assert some["sg-attack"]["summary"] == (
        "IT→OT pivot, Lateral movement: ws1 → jump → ews; 7 alerts of 3 types on 5 hosts in 2.5 h;"
        " rarest: controller stopped"
    )
    assert some["sg-alone"]["summary"] == "Unusual alerts; 1 alert of 1 type on 1 host in 0.0 h; rarest: usb stick"


def test_a_headline(some: dict[str, Any]) -> None:
    assert some["sg-attack"]["title"] == "IT→OT pivot: ws1 → jump → ews, controller stopped"
    assert some["sg-alone"]["title"] == "Unusual alerts on pc7: usb stick"


def test_a_headline_ends_with_what_was_done_to_the_process() -> None:
    (row,) = scored([{**ATTACK, "act_name": "program written"}])
    assert row["title"] == "IT→OT pivot: ws1 → jump → ews, program written"
    assert row["summary"].endswith("rarest: controller stopped")


def test_a_headline_folds_a_long_way() -> None:
    paths = [[f"host:h{i}" for i in range(n)] for n in (5, 6)]
    five, six = scored([measured(f"sg-{len(path)}", path=path, rarity_nats=1.0) for path in paths])
    assert five["title"] == "Unusual alerts: h0 → h1 → h2 → h3 → h4, usb stick"
    assert six["title"] == "Unusual alerts: h0 → h1 → … → h4 → h5, usb stick"


def test_reasons_are_the_facts_in_their_order(some: dict[str, Any]) -> None:
    for row in some.values():
        assert row["reasons"] == [c["fact"] for c in row["contributions"]]
    assert some["sg-alone"]["reasons"] == ["1 alert type, “usb stick”, seen in 0 of 28 days before"]


def test_what_is_unusual_is_counted(some: dict[str, Any]) -> None:
    assert some["sg-attack"]["unusual"] == [
        "“controller stopped”: seen in 0 of 28 days before",
        "“rdp logon”: seen in 5 of 690 hours before",  # hours are what is counted; how many days is not known
        "ews: any alert about it in 0 of 28 days before",
    ]
    assert some["sg-alone"]["unusual"][1:] == ["pc7: any alert about it in 3 of 20 hours before"]


@pytest.mark.parametrize(
    ("seen", "hours", "said"),
    [
        (0, 0.5, "with no history before it"),
        (0, 47.9, "in 0 of 47 hours before"),
        (0, 48.0, "in 0 of 2 days before"),
        (1, 48.0, "in 1 of 48 hours before"),
    ],
)
def test_how_often_it_was_seen(seen: int, hours: float, said: str) -> None:
    (row,) = scored([measured("sg", rarest=[past("usb stick", seen, hours)], quietest=None)])
    assert row["unusual"] == [f"“usb stick”: seen {said}"]


def test_what_to_check_next_names_the_hosts(some: dict[str, Any]) -> None:
    last = "Ask the owner of {} whether this was planned work; if so, tell the asset list or the maintenance calendar."
    assert some["sg-attack"]["checks"] == ["Who was logged on from ws1 to ews?", last.format("ews")]
    assert some["sg-alone"]["checks"] == [last.format("pc7")]  # no path: the host least heard of


def test_the_story_is_told_later_and_severity_is_kept(some: dict[str, Any]) -> None:
    assert {(row["story"] == [], row["severity"]) for row in some.values()} == {(True, 0.9), (True, 0.0)}


def test_titles_come_most_telling_first_and_a_fan_out_has_no_path() -> None:
    (row,) = scored([measured("sg", motifs=["fan_out", "it_ot_pivot", "no title"], rarity_nats=1.0)])
    assert row["summary"].startswith("IT→OT pivot, Fan-out; 1 alert ")


def test_weights_and_half_score_are_parameters() -> None:
    terms = [Term("rarity", "rarity_nats", "'twice its rarity'")]
    row = measured("sg", rarity_nats=5.0, quiet_nats=1.0)
    (found,) = scored([row], terms=terms, rarity_weight=2.0, half_score=10.0)
    assert found["score"] == pytest.approx(0.5)  # 2 * 5 / (2 * 5 + 10)
    assert [tuple(c.values()) for c in found["contributions"]] == [("rarity", pytest.approx(0.5), "twice its rarity")]
    p = RankingParameters(rarity_weight=2.0, half_score=10.0)
    assert scorer_weights(p, terms) == {
        "terms": [{"term": "rarity", "column": "rarity_nats", "weight": 2.0}],
        "half_score": 10.0,
    }


# --- the whole and its parts, here and in the logged model ----------------------------------------------------------


def random_features(n: int) -> list[Features]:
    chance = random.Random(17)
    return [
        measured(
            f"sg-{i:02}",
            minute=chance.randrange(3000),
            site=chance.choice(("north", "south")),
            rarity_nats=chance.uniform(0, 30),
            quiet_nats=chance.choice((0.0, chance.uniform(0, 7))),
            severity=chance.random(),
            n_stages=float(chance.randrange(5)),
            ln_hosts=math.log(chance.randint(1, 40)),
            outside_share=chance.choice((0.0, 0.0, chance.random())),
            level_drop=chance.choice((0.0, 1.5, 3.0)),
            ot_action=float(chance.random() < 0.2),
            planned_share=chance.choice((0.0, 0.0, chance.random(), 1.0)),
        )
        for i in range(n)
    ]


def test_contributions_sum_to_the_score_and_the_logged_model_agrees() -> None:
    pytest.importorskip("mlflow")
    from alertgraph_spark.publish.scorer import score_frame  # noqa: PLC0415  # after the skip

    rows = random_features(60)
    found = scored(rows)
    frame = feature_table(rows).to_pandas().set_index("subgraph_id")
    by_model = score_frame(frame, scorer_weights(RankingParameters()))
    assert min(row["score"] for row in found) == 0.0, "some are planned through and through"
    assert all(0 <= row["score"] < 1 for row in found)
    for row in found:
        values = [c["value"] for c in row["contributions"]]
        assert sum(values) == pytest.approx(row["score"], abs=1e-9)
        assert values == sorted(values, reverse=True)
        model = by_model.loc[row["subgraph_id"]]
        assert model["score"] == pytest.approx(row["score"], abs=1e-12)
        mine = {f"contribution_{term.name}": 0.0 for term in TERMS} | {
            f"contribution_{c['term']}": c["value"] for c in row["contributions"]
        }
        assert model.drop("score").to_dict() == pytest.approx(mine, abs=1e-12)


# --- rank and budget ------------------------------------------------------------------------------------------------


def test_the_order_is_total_over_all_sites() -> None:
    rows = [
        measured("sg-d", minute=9, rarity_nats=5.0),
        measured("sg-c", minute=9, rarity_nats=5.0, site="elsewhere"),  # as high, as early: by id
        measured("sg-e", minute=3, rarity_nats=5.0),  # as high, earlier
        measured("sg-f", minute=99, rarity_nats=6.0),  # higher
        measured("sg-a"),
    ]
    assert [row["subgraph_id"] for row in scored(rows)] == ["sg-f", "sg-e", "sg-c", "sg-d", "sg-a"]
    assert [row["subgraph_id"] for row in scored(rows[::-1])] == ["sg-f", "sg-e", "sg-c", "sg-d", "sg-a"]


# --- what it means --------------------------------------------------------------------------------------------------


def test_the_probability_is_even_at_its_nats_and_grows_by_the_slope() -> None:
    rows = [measured(f"sg-{nats}", rarity_nats=nats) for nats in (0.0, 16.0, 32.0, 38.1, 5000.0)]
    rows.append(measured("sg-below", planned_share=1.0))  # z = -25: the score stops at 0, the probability does not
    found = {row["subgraph_id"]: row["probability"] for row in scored(rows)}
    assert found["sg-32.0"] == pytest.approx(0.5)
    # 1 / (1 + exp(.23 * 16)) = 1 / (1 + exp 3.68), and 6.1 nats above even
    assert found["sg-16.0"] == pytest.approx(1 / (1 + math.exp(3.68))) == pytest.approx(0.0246, abs=1e-4)
    assert found["sg-38.1"] == pytest.approx(1 - 1 / (1 + math.exp(0.23 * 6.1)))
    assert found["sg-below"] == pytest.approx(1 / (1 + math.exp(0.23 * 57)))
    assert 0 < found["sg-below"] < found["sg-0.0"] < found["sg-5000.0"] <= 1
    (steeper,) = scored([measured("sg", rarity_nats=9.0)], even_nats=8.0, nats_slope=2.0)
    assert steeper["probability"] == pytest.approx(1 / (1 + math.exp(-2)))


@pytest.mark.parametrize(("nats", "is_shown"), [(16.0, True), (15.99, False)])
def test_what_is_shown_has_a_strength_of_its_own(nats: float, is_shown: bool) -> None:
    (row,) = scored([measured("sg", rarity_nats=nats)], show_nats=16.0)
    assert row["is_shown"] is is_shown
    if is_shown:
        assert row["counterfactual"]["cut"] == pytest.approx(16 / 36)


def test_what_is_too_weak_takes_no_place_and_nothing_weak_takes_the_place() -> None:
    rows = [measured("strong", rarity_nats=20.0), measured("next", rarity_nats=18.0), measured("weak", rarity_nats=9.0)]
    found = {row["subgraph_id"]: row for row in scored(rows, show_nats=16.0)}
    assert [name for name, row in found.items() if row["is_shown"]] == ["strong"]
    assert found["strong"]["counterfactual"]["cut"] == pytest.approx(18 / 38), "the next of its day is nearer"


def test_only_where_it_is_asked_for_what_is_usual_is_not_shown() -> None:
    # On each of four days before one as high: -ln(1 - 4.5 / 5) = 2.3 a day.
    rows = [measured(f"sg {day}", minute=day * LATE, rarity_nats=20.0) for day in range(5)]

    def shown(**parameters: Any) -> list[str]:
        return sorted(row["subgraph_id"] for row in scored(rows, exceedance=0.3, **parameters) if row["is_shown"])

    assert shown(quiet=False) == [f"sg {day}" for day in range(5)]
    assert shown(quiet=True) == []
    assert RankingParameters().quiet is False


LATE = 24 * 60
BUDGETED = [
    measured("best", rarity_nats=9.0),
    measured("second", rarity_nats=8.0, minute=LATE - 1),
    measured("third", rarity_nats=7.0, minute=1),
    measured("next day", rarity_nats=1.0, minute=LATE),  # a day of its own, a minute after `second`
    measured("next site", rarity_nats=1.0, site="elsewhere"),
    measured("warming up", rarity_nats=99.0, is_warm_up=True),  # takes no place either
    measured("nothing", rarity_nats=0.0, minute=2 * LATE),
]


@pytest.mark.parametrize(
    ("budget", "shown"),
    [
        (1, {"best", "next day", "next site"}),
        (2, {"best", "second", "next day", "next site"}),
        (99, {"best", "second", "third", "next day", "next site"}),
    ],
)
def test_a_budget_a_site_and_day(budget: int, shown: set[str]) -> None:
    assert {row["subgraph_id"] for row in scored(BUDGETED, budget) if row["is_shown"]} == shown


def test_what_comes_up_all_the_time_is_not_shown() -> None:
    # Each site: what came before, and on day 10 at 00:00 a candidate of score 0.5. The rate of days with one like it is
    # -ln(1 - (n + 0.5) / (10 + 1)) a day; at most 0.4 allowed, so n = 3, 0.383, is shown and n = 4, 0.526, is not.
    def site(name: str, *past: tuple[float, float], **columns: Any) -> list[Features]:
        begin = measured(f"{name} begin", site=name, rarity_nats=nats(0.01))
        before = [
            measured(f"{name} {n}", minute=day * LATE, site=name, rarity_nats=nats(score), **columns)
            for n, (day, score) in enumerate(past)
        ]
        return [begin, *before, measured(f"{name} candidate", minute=10 * LATE, site=name, rarity_nats=nats(0.5))]

    four = [(1, 0.5), (2, 0.6), (3, 0.46), (4, 0.9)]
    rows = [
        *site("three", *four[:3]),
        *site("four", *four),
        *site("four, one of them unlike", *four[:3], (4, 0.44)),  # 0.44 < 0.9 * 0.5
        *site("four, one of them later", *four[:3], (11, 0.9)),
        *site("four, one of them at the same time", *four[:3], (10, 0.49)),
        *site("four on one day", (1, 0.5), (1.1, 0.6), (1.2, 0.46), (1.3, 0.9)),
        *site("four, one of them a day before", *four[:3], (9, 0.9)),
        *site("four, one of them not a day before", *four[:3], (9.01, 0.9)),
        *site("four while warming up", *four, is_warm_up=True),
    ]
    found = {row["subgraph_id"]: row["is_shown"] for row in scored(rows, budget=9, exceedance=0.4)}
    assert {name: found[f"{name} candidate"] for name in sorted({row["site"] for row in rows})} == {
        "three": True,
        "four": False,
        "four, one of them unlike": True,
        "four, one of them later": True,
        "four, one of them at the same time": True,
        "four on one day": True,  # a burst, no habit
        "four, one of them a day before": False,
        "four, one of them not a day before": True,
        "four while warming up": False,  # never shown themselves, yet they are what the site brings
    }


def test_history_is_what_the_site_brings_and_is_not_told_again() -> None:
    # Two of score 0.5 on days 1 and 2, a candidate on day 10: -ln(1 - 2.5 / 10) = 0.288 a day, below the 0.3 allowed.
    # Without them it would be the first of its site, -ln(1 - 0.5 / 1) = 0.693, and not shown, as at the other site.
    rows = [
        measured("ended", minute=1 * LATE, rarity_nats=nats(0.5)),
        measured("ended just before", minute=2 * LATE, last_received=at(9 * LATE - 1), rarity_nats=nats(0.5)),
        measured("candidate", minute=10 * LATE, rarity_nats=nats(0.5)),
    ]
    alone = measured("reaches in", site="other", last_received=at(9 * LATE), rarity_nats=nats(0.4))
    told = scored([*rows, alone], exceedance=0.3, since=at(9 * LATE))
    assert {row["subgraph_id"]: row["is_shown"] for row in told} == {"candidate": True, "reaches in": False}


@pytest.mark.parametrize(("exceedance", "is_shown"), [(0.70, True), (0.69, False)])
def test_the_first_of_a_site_has_a_rate_below_one_a_day(exceedance: float, is_shown: bool) -> None:
    # -ln(1 - (0 + 0.5) / (0 + 1)) = 0.693: with the default of 1.0 a site's very first incident can be shown
    (row,) = scored([measured("first", rarity_nats=9.0)], exceedance=exceedance)
    assert row["is_shown"] is is_shown


# --- decoys ---------------------------------------------------------------------------------------------------------


def quiet_days(site: str, n: int = 30) -> list[Features]:
    """A low one a day, each of which is shown on its day."""
    return [measured(f"{site} day {day}", minute=day * LATE + 60, site=site, rarity_nats=nats(0.1)) for day in range(n)]


def decoys(site: str, day: float, n: int = 40, score: float = 0.62) -> list[Features]:
    """One a minute."""
    return [
        measured(f"{site} decoy {day} {i}", minute=day * LATE + 600 + i, site=site, rarity_nats=nats(score))
        for i in range(n)
    ]


def test_a_burst_of_decoys_hides_nothing_on_the_next_day() -> None:
    def site(name: str, *before: Features, days: int = 30) -> list[Features]:
        real = measured(f"{name} real", minute=(days + 1) * LATE + 700, site=name, rarity_nats=nats(0.665))
        return [*quiet_days(name, days), *before, real]

    rows = [
        *site("quiet"),
        *site("decoys", *decoys("decoys", 30)),
        *site("decoys past midnight", *decoys("decoys past midnight", 30.9, n=120)),
        *site("a young site", *decoys("a young site", 2), days=2),
        # A habit is none the less one: a single one as high on 20 of 31 days, -ln(1 - 20.5 / 32.5) = 0.997, on 21 1.08.
        *site("a habit of 20 days", *[row for day in range(20) for row in decoys("a habit of 20 days", day, n=1)]),
        *site("a habit of 21 days", *[row for day in range(21) for row in decoys("a habit of 21 days", day, n=1)]),
    ]
    found = {row["subgraph_id"]: row for row in scored(rows, exceedance=1.0)}
    assert {site: found[f"{site} real"]["is_shown"] for site in sorted({row["site"] for row in rows})} == {
        "a habit of 20 days": True,
        "a habit of 21 days": False,
        "a young site": True,
        "decoys": True,
        "decoys past midnight": True,
        "quiet": True,
    }
    # Of the decoys themselves one is shown, and says that it stands for many.
    shown = [row for row in found.values() if row["subgraph_id"].startswith("decoys decoy ") and row["is_shown"]]
    assert len(shown) == 1
    assert "; crowded day: 39 more like it; rarest: " in shown[0]["summary"]


def test_a_crowded_day_is_told() -> None:
    rows = [
        measured("best", minute=2, rarity_nats=nats(0.6)),
        measured("like it", minute=3, rarity_nats=nats(0.55)),
        measured("as good", minute=4, rarity_nats=nats(0.6)),
        measured("unlike", minute=5, rarity_nats=nats(0.53)),  # 0.53 < 0.9 * 0.6
        measured("next day", minute=LATE, rarity_nats=nats(0.59)),
        measured("elsewhere", minute=3, rarity_nats=nats(0.59), site="other"),
    ]
    p = RankingParameters(show_nats=0, show_exceedance=ALWAYS)
    with Engine() as engine:
        subgraphs = score_subgraphs(engine, feature_table(rows), p, titles=TITLES, checks=CHECKS)
        assert count_unshown(engine, subgraphs, p) == {"suppressed": 0, "crowded": 2}
    found = {row["subgraph_id"]: row for row in subgraphs.to_pylist()}
    assert found["best"]["summary"] == (
        "Unusual alerts; 1 alert of 1 type on 1 host in 0.0 h; crowded day: 2 more like it; rarest: usb stick"
    )
    assert found["best"]["checks"][0] == (
        "Crowded day: look at what scores like this and is not shown, 2 more of its site and day."
    )
    assert [name for name, row in found.items() if "rowded" in row["summary"] + "".join(row["checks"])] == ["best"]


# --- the table as a whole -------------------------------------------------------------------------------------------


def test_neither_the_order_of_rows_nor_another_site_matters() -> None:
    p = RankingParameters(budget_per_day=2, show_exceedance=0.9, show_nats=0, quiet=True)
    rows = random_features(200)
    whole = scored(rows, budget=2, exceedance=0.9)
    assert 0 < sum(row["is_shown"] for row in whole) < len(whole)
    random.Random(1).shuffle(rows)
    assert scored(rows, budget=2, exceedance=0.9) == whole
    with Engine() as engine:
        alone = [
            score_subgraphs(engine, feature_table(of_site), p, titles=TITLES, checks=CHECKS)
            for of_site in ([row for row in rows if row["site"] == site] for site in ("south", "north"))
        ]
        assert rank_subgraphs(engine, pa.concat_tables(alone)).to_pylist() == whole


def test_a_variant_is_scored_as_the_real_one() -> None:
    rows = random_features(50)
    with Engine() as engine:
        by_id = (
            with_score(engine, feature_table(rows), RankingParameters()).select(["subgraph_id", "score"]).to_pylist()
        )
    assert {row["subgraph_id"]: row["score"] for row in by_id} == {
        row["subgraph_id"]: row["score"] for row in scored(rows)
    }


def days_with_one_like(row: Features, rows: list[Features], score: dict[str, float]) -> set[int]:
    """Days before it, of 24 hours, that brought one of at least .9 of its score."""
    ago = [(row["first_seen"] - other["first_seen"], other) for other in rows if other["site"] == row["site"]]
    return {
        gap // timedelta(days=1)
        for gap, other in ago
        if gap >= timedelta(days=1) and score[other["subgraph_id"]] >= 0.9 * score[row["subgraph_id"]]
    }


@pytest.mark.parametrize("seed", range(5))
def test_what_is_shown_by_the_rule_as_a_loop(seed: int) -> None:
    chance = random.Random(seed)
    rows = [
        measured(
            f"sg-{i:03}",
            minute=chance.randrange(30 * LATE) if i else 0,
            site=chance.choice(("north", "south")),
            rarity_nats=nats(chance.choice((0.3, 0.5, 0.52, 0.57, 0.7))),
            is_warm_up=chance.random() < 0.1,
        )
        for i in range(120)
    ]
    found = scored(rows, budget=2, exceedance=0.6)
    score = {row["subgraph_id"]: row["score"] for row in found}
    best_first = sorted(rows, key=lambda row: (-score[row["subgraph_id"]], row["first_seen"], row["subgraph_id"]))
    for row in found:
        (of_it,) = (one for one in rows if one["subgraph_id"] == row["subgraph_id"])
        day = [
            one["subgraph_id"]
            for one in best_first
            if one["site"] == row["site"]
            and one["first_seen"].date() == row["first_seen"].date()
            and one["is_warm_up"] == of_it["is_warm_up"]
        ]
        begin = min(one["first_seen"] for one in rows if one["site"] == row["site"])
        days = (row["first_seen"] - begin) / timedelta(days=1)
        rate = -math.log(1 - (len(days_with_one_like(of_it, rows, score)) + 0.5) / (days + 1))
        within = day.index(row["subgraph_id"]) < 2 and not of_it["is_warm_up"]
        assert row["is_shown"] is (within and rate <= 0.6)
        # At the cut and above it would still be shown: just below, another takes its place or it is usual.
        if row["is_shown"]:
            cut = row["counterfactual"]["cut"]
            next_one = score[day[2]] if len(day) > 2 else 0.0
            assert next_one <= cut <= row["score"]


@pytest.mark.parametrize(
    ("levels", "said"),
    [(2.85, "2.9"), (0.04999, "0.0"), (0.05, "0.1"), (1.0, "1.0"), (0.25, "0.3"), (1.15, "1.2")],
)
def test_numbers_are_rounded_as_people_do(levels: float, said: str) -> None:
    """Half is up, of the number as it is written: 1.15 is a little less as the machine holds it."""
    (row,) = scored([measured("sg", level_drop=levels)])
    assert row["reasons"] == [f"reaches {said} Purdue levels down into OT"]


def test_large_counts_have_commas_and_hours_one_decimal() -> None:
    alike = {"n_alerts": 1_234_567, "n_hosts": 1_000, "n_types": 2_000, "rarity_nats": 1.0}
    # 15 minutes are .25 hours: half goes to the even one, as it stands in summaries since the first
    (row,) = scored([measured("sg", last_seen=at(15), **alike)])
    assert row["summary"].startswith("Unusual alerts; 1,234,567 alerts of 2,000 types on 1,000 hosts in 0.2 h; ")


def test_text_of_an_attacker_is_only_text() -> None:
    name = "x'); DROP TABLE features; -- {first} '' \\ ☃"
    (row,) = scored(
        [measured("sg", rarest=[past(name, 0, 672.0)], quietest=past(f"host:{name}", 0, 672.0), rarity_nats=1.0)]
    )
    assert row["title"] == f"Unusual alerts on {name}: {name}"
    assert row["unusual"][0] == f"“{name}”: seen in 0 of 28 days before"


def test_without_subgraphs_nothing_is_scored() -> None:
    assert scored([]) == []


def three() -> list[Features]:
    """Three of one day, the best first."""
    return [measured(f"sg-{n}", minute=n, rarity_nats=nats(0.7 - 0.1 * n)) for n in range(3)]


def shown_of(rows: list[Any]) -> list[str]:
    return [row["subgraph_id"] for row in rows if row["is_shown"]]


def test_what_an_exception_hides_takes_no_place_of_the_budget() -> None:
    assert shown_of(scored(three())) == ["sg-0"]
    rows = scored(three(), hidden={"sg-0": None})
    assert shown_of(rows) == ["sg-1"]
    assert [row["rank"] for row in rows] == [1, 2, 3], "its rank stays: it is hidden, not gone"
    assert [[one["id"] for one in row["suppressed_by"]] for row in rows] == [["ex-1"], [], []]
    assert rows[0]["counterfactual"] is None
    assert rows[1]["counterfactual"]["cut"] == pytest.approx(0.5), "below the next of its day it would not be shown"


def test_what_exceptions_hide_is_not_what_the_next_must_beat() -> None:
    rows = scored(three(), hidden={"sg-0": None, "sg-1": None})
    assert shown_of(rows) == ["sg-2"]
    assert rows[2]["counterfactual"]["cut"] == 0, "nothing else of its day asks for the place"


def test_what_an_exception_hides_is_no_crowd() -> None:
    alike = [measured(f"sg-{n}", minute=n, rarity_nats=nats(0.6)) for n in range(3)]
    with Engine() as engine:
        crowded = []
        for hidden in ({}, {"sg-1": None}):
            rows = score_subgraphs(
                engine,
                feature_table(alike),
                RankingParameters(show_nats=0),
                titles={},
                checks={},
                suppressed=suppressions(hidden),
            )
            crowded.append(count_unshown(engine, rows, RankingParameters()))
            assert (f"crowded day: {2 - len(hidden)} more" in rows.to_pylist()[0]["summary"]) is True
    assert crowded == [{"suppressed": 0, "crowded": 2}, {"suppressed": 1, "crowded": 1}]


def test_what_an_exception_hid_still_teaches_what_is_usual() -> None:
    # Where five days brought one like it the sixth is usual, hidden or not; where they brought weak ones it is news.
    def days(past_score: float) -> list[Features]:
        scores = [*[past_score] * 5, 0.6]
        return [measured(f"sg-{n}", minute=1440 * n, rarity_nats=nats(s)) for n, s in enumerate(scores)]

    past: dict[str, float | None] = {f"sg-{n}": None for n in range(5)}

    assert shown_of(scored(days(0.1), exceedance=0.3, hidden=past)) == ["sg-5"]
    assert shown_of(scored(days(0.6), exceedance=0.3, hidden=past)) == []


def test_what_comes_back_after_an_exception_takes_the_place_of_its_news() -> None:
    # sg-0 is the strongest, and was hidden; what it has brought since is worth .55: less than sg-1, more than sg-2.
    assert shown_of(scored(three(), hidden={"sg-0": 0.55})) == ["sg-1"]
    assert shown_of(scored(three(), budget=2, hidden={"sg-0": 0.55})) == ["sg-0", "sg-1"]
    assert shown_of(scored(three(), budget=2, hidden={"sg-0": 0.45})) == ["sg-1", "sg-2"]
