"""The benchmark of what is learned: days of a made-up network by hand, and each figure of them."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO / "benchmarks"))

from learning import figures, page, reading_curve, triage  # noqa: E402
from learning.analysts import Seen, watch  # noqa: E402
from learning.networks import ATTACK, CHAIN, NOISE, Network, Subgraph, version  # noqa: E402
from quality import page as sections  # noqa: E402
from quality.bootstrap import Figure  # noqa: E402

from alertgraph_spark.config.parameters import RankingParameters  # noqa: E402
from alertgraph_spark.learn import Signature, curve, probability  # noqa: E402

P = RankingParameters()
MONDAY = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
BACKUP = {"does backup": 6.0}
NIGHTLY = {"actors": {"host:bk1"}, "traits": BACKUP}


def subgraph(key: str, day: int, z: float, what: str = CHAIN, hour: float = 0.0, **more: Any) -> Subgraph:
    """One subgraph of the network; a benign chain is the nightly backup."""
    at = MONDAY + timedelta(days=day, hours=hour)
    known = {"steps": {f"c/{key}"} if what == ATTACK else set(), "chains": {"backup"} if what == CHAIN else set()}
    of = {
        **known,
        "crosses": False,
        **(NIGHTLY if what == CHAIN else {"traits": {key: 5.0}, "actors": {f"host:{key}"}}),
        **more,
    }
    signature = Signature(key, at, of["traits"], of["actors"])
    held, chains = frozenset(of["steps"]), frozenset(of["chains"])
    return Subgraph(key, z, day, at, at, what, held, chains, of["crosses"], signature)


def network(*subgraphs: Subgraph) -> Network:
    steps = frozenset(step for one in subgraphs for step in one.steps)
    return Network("plant", subgraphs, steps, [(one.day, one.z, one.steps) for one in subgraphs], 10)


def shown(seen: Sequence[Seen]) -> list[str]:
    return [one.subgraph.subgraph_id for one in seen if one.is_shown]


# who is shown, judged and hidden on which day


def test_a_backup_that_was_judged_benign_leaves_its_place_to_the_attack_of_the_next_day() -> None:
    seen = watch(
        network(
            subgraph("backup-0", 0, 22.0),
            subgraph("backup-1", 1, 22.0),
            subgraph("theft", 1, 20.0, ATTACK, hour=2),
        ),
        P,
    )

    assert shown(seen) == ["backup-0", "theft"]
    assert [one.subgraph.subgraph_id for one in seen if one.was_shown] == ["backup-0", "backup-1"]
    assert [one.n_verdicts for one in seen] == [0, 1, 1]
    assert [one.is_again for one in seen] == [False, True, False]
    # 22 nats less 2 of log-odds / .23: known whole, so that it may fall below the cut
    assert seen[1].z == pytest.approx(22.0 - 2.0 / 0.23)


def test_a_verdict_is_known_eight_hours_after_the_last_alert_and_not_before() -> None:
    late = subgraph("backup-0", 0, 22.0, hour=9.0)  # 18:00, judged at 02:00
    for hour, n in ((-7.0, 1), (-7.1, 0)):  # 02:00 and a little before it, of the next day
        seen = watch(network(late, subgraph("backup-1", 1, 22.0, hour=hour)), P)
        assert [one.n_verdicts for one in seen] == [0, n]


def test_what_was_not_shown_is_judged_by_nobody() -> None:
    seen = watch(
        network(subgraph("theft", 0, 30.0, ATTACK), subgraph("backup-0", 0, 22.0), subgraph("backup-1", 1, 22.0)), P
    )
    assert shown(seen) == ["theft", "backup-1"]
    assert not seen[2].is_again


def test_a_backup_by_somebody_new_stays_shown_unless_its_kind_is_enough() -> None:
    strange = subgraph("backup-1", 1, 22.0, actors={"host:intruder"})
    days = network(subgraph("backup-0", 0, 22.0), strange)
    assert shown(watch(days, P)) == ["backup-0", "backup-1"]
    assert shown(watch(days, replace(P, memory_knows_kinds=True))) == ["backup-0"]


def test_a_verdict_that_is_turned_round_raises_the_backup() -> None:
    seen = watch(network(subgraph("backup-0", 0, 22.0), subgraph("backup-1", 1, 22.0)), P, wrong=1.0)
    assert seen[1].z > 22.0
    assert not seen[1].is_again


def test_a_budget_of_two_shows_two_and_only_what_is_strong_enough() -> None:
    of_day = network(*(subgraph(f"n{z}", 0, z, NOISE) for z in (30.0, 20.0, 18.0)), subgraph("weak", 1, 15.9, NOISE))
    assert shown(watch(of_day, replace(P, budget_per_day=2))) == ["n20.0", "n30.0"]


def test_the_version_knows_what_decides_a_subgraph_and_not_what_is_learned() -> None:
    assert version(replace(P, memory_prior=9.0, budget_per_day=3)) == version(P)
    assert version(replace(P, recall_nats=9.0)) != version(P)


# figures, by hand


def one(what: str, *, is_shown: bool, was_shown: bool, z: float = 20.0, n: int = 30, **more: Any) -> Seen:
    """Something that was seen; numbered by what it is told."""
    log_odds, is_again = more.pop("log_odds", 0.0), more.pop("is_again", False)
    return Seen(subgraph(more.pop("key", "x"), 0, z, what, **more), z, log_odds, n, is_shown, was_shown, is_again)


SEEN = {
    "plant": [
        one(ATTACK, is_shown=True, was_shown=True, key="a"),
        one(ATTACK, is_shown=True, was_shown=False, key="b"),
        one(ATTACK, is_shown=False, was_shown=True, key="c", crosses=True)._replace(z=15.0),  # memory has lowered it
        one(ATTACK, is_shown=False, was_shown=True, key="d"),  # it has not
        one(CHAIN, is_shown=False, was_shown=True, is_again=True),
        one(CHAIN, is_shown=True, was_shown=True, is_again=True),
        one(CHAIN, is_shown=False, was_shown=False, is_again=True, z=15.0),  # too weak to come again
        one(NOISE, is_shown=True, was_shown=True),
        one(NOISE, is_shown=False, was_shown=True),
    ]
}


def test_figures_by_hand() -> None:
    found = figures.figures(SEEN, P)
    values = {name: figure.value for name, figure in found.items()}
    assert values["bearing"] == 2 / 4
    assert values["bearing shipped"] == 3 / 7
    assert values["gain"] == pytest.approx(7 / 6)
    assert values["steps"] == 2 / 3  # a and b, beside a, c and d
    assert (values["again"], values["again shipped"]) == (1 / 2, 2 / 2)
    assert (values["hidden"], values["hidden crossing"], values["displaced"]) == pytest.approx((1 / 3, 1.0, 1 / 3))
    assert values["loss"] == pytest.approx(math.log(2))  # even odds were told of all
    assert values["error"] == pytest.approx(0.0)  # of which one in two was an attack
    # the shipped curve tells 20 nats .0595
    assert values["error shipped"] == pytest.approx(0.5 - probability(curve(20.0, P)))
    assert figures.counts(SEEN, P) == {"shown": 4, "attacks": 3, "crossings": 1, "again": 2}


def test_the_gain_of_nothing_is_none() -> None:
    assert math.isnan(figures.gain({"plant": [one(NOISE, is_shown=True, was_shown=True)]}).value)


def test_days_count_from_the_one_that_knows_enough() -> None:
    seen = [one(NOISE, is_shown=True, was_shown=True, n=n) for n in (29, 30, 31)]
    assert [after.n_verdicts for after in figures.since(seen, 30)] == [30, 31]


def test_calibration_error_adds_what_the_bins_are_off() -> None:
    # told .5, came .25 of four; told .02, came none of four: (4 * .25 + 4 * .02) / 8
    even = [one(ATTACK if n == 0 else NOISE, is_shown=True, was_shown=True) for n in range(4)]
    sure = math.log(0.02 / 0.98)
    rare = [one(NOISE, is_shown=True, was_shown=True, log_odds=sure) for _ in range(4)]
    unseen = one(ATTACK, is_shown=False, was_shown=True, log_odds=sure)
    seen = {"plant": [*even, *rare, unseen]}
    assert figures.calibration_error(seen, figures.told).value == pytest.approx((4 * 0.25 + 4 * 0.02) / 8)
    bins = figures.reliability(seen, figures.told)
    assert [n for *_, n in bins] == [4, 0, 0, 0, 4]
    assert (bins[4][0].value, bins[4][1]) == (0.25, pytest.approx(0.5))


# how many a day


def test_the_curve_reads_the_strongest_of_each_day() -> None:
    days = network(
        subgraph("a", 0, 9.0, ATTACK),
        subgraph("n", 0, 12.0, NOISE),
        subgraph("b", 1, 30.0, ATTACK),
        subgraph("c", 1, 2.0, ATTACK),
    )
    one_a_day, two_a_day = reading_curve.curve_of([days], (1, 2))
    assert (one_a_day.a_day, one_a_day.steps.value) == (2 / 10, 1 / 3)  # the noise and b, in ten days
    assert (two_a_day.a_day, two_a_day.steps.value) == (4 / 10, 1.0)


def test_a_step_of_the_warm_up_is_not_counted_as_found() -> None:
    early = network(subgraph("a", 0, 9.0, ATTACK))._replace(steps=frozenset({"c/b"}))
    assert reading_curve.curve_of([early], (1,))[0].steps.value == 0.0


def test_the_package_holds_the_measured_curve() -> None:
    held = json.loads(reading_curve.DATA.read_text(encoding="utf-8"))
    assert held["level"] == reading_curve.LEVEL
    assert held["made_by"] == "make bench-learning"
    assert held["n_networks"] >= 2
    datetime.strptime(held["date"], "%Y-%m-%d")
    points = held["points"]
    assert all(set(point) == {"a_day", "steps", "low", "high"} for point in points)
    assert all(0 <= point["low"] <= point["steps"] <= point["high"] <= 1 for point in points)
    for name in ("a_day", "steps"):
        assert [point[name] for point in points] == sorted(point[name] for point in points)
    assert '"learn/measured_curve.json"' in (REPO / "setup.py").read_text(encoding="utf-8")


# the real example


def wazuh(hours: float, name: str, is_true: bool, level: int = 3) -> triage.Alert:
    at = MONDAY + timedelta(hours=hours)
    return triage.Alert(at, name, level, "host:win11", None, "account:snell", (), is_true)


def test_an_alert_is_told_by_verdicts_on_the_same_that_are_eight_hours_old() -> None:
    alerts = [wazuh(0, "shell", False), wazuh(1, "dump", True), wazuh(8.5, "shell", False), wazuh(9, "dump", True)]
    third, fourth = triage.told(alerts, P)
    assert third.shipped == pytest.approx(math.log(1 / 2))  # one false verdict
    assert third.learned < third.shipped
    assert fourth.shipped == pytest.approx(0.0)  # one of each
    assert fourth.learned > fourth.shipped


def test_the_area_counts_pairs_and_ties_half() -> None:
    assert triage.area([True, True, False], [2.0, 1.0, 1.0]) == 0.75
    assert math.isnan(triage.area([True], [1.0]))


def test_windows_writes_a_dash_for_nobody() -> None:
    event = {"ipAddress": "-", "sourceIp": "10.0.0.9", "user": "SOCLAB\\Snell"}
    row = {
        "timestamp": "2025-07-04T19:08:21.531+0000",
        "rule": {"id": "92032", "level": 3, "mitre": {"tactic": ["Lateral Movement"]}},
        "agent": {"name": "Win11Client"},
        "data": {"win": {"eventdata": event}},
    }
    read = triage.alert_of(row, is_true=True)
    assert (read.source, read.account, read.host) == ("ip:10.0.0.9", "account:soclab\\snell", "host:win11client")
    assert (read.name, read.tactics) == ("Rule 92032", ("lateral-movement",))


@pytest.mark.lake
def test_the_real_example_is_there_whole() -> None:
    if not triage.FOLDER.exists():
        pytest.skip("needs the real alert sets beside the repository")
    alerts = triage.read()
    assert sum(alert.is_true for alert in alerts) == 106
    assert len(alerts) == 180


# the page


def test_a_section_is_replaced_and_another_kept(tmp_path: Path) -> None:
    file = tmp_path / "quality.md"
    file.write_text("# Page\n", encoding="utf-8")
    sections.put(file, "a", "first\n")
    sections.put(file, "b", "other\n")
    sections.put(file, "a", "second\n")
    text = file.read_text(encoding="utf-8")
    assert "first" not in text
    assert text.startswith("# Page\n")
    assert sections.sections(file) == text.removeprefix("# Page\n")
    assert sections.sections(tmp_path / "none.md") == ""


def test_the_table_says_what_was_not_reached() -> None:
    column = page.Column(
        "after 100", 0, {"gain": Figure(math.nan)}, dict.fromkeys(("shown", "attacks", "crossings", "again"), 0)
    )
    rows = page.table_of("usual", [column]).splitlines()
    assert "| .. times that of the shipped model | >= 1.5 after 30, >= 2 after 100 | none |" in rows
    assert "| networks that got there | - | 0 |" in rows
    assert "Not measured" in page.triage(None)
