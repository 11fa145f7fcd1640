"""The benchmark of attackers: what each changes of a small site, and what is told of it, by hand."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO / "benchmarks"))

from robust import attackers, measure, page, ranked, rows  # noqa: E402
from robust.spans import Site  # noqa: E402

from alertgraph_spark.config.parameters import RankingParameters  # noqa: E402
from alertgraph_spark.config.source_format import MaintenanceWindow  # noqa: E402
from alertgraph_spark.interpret import AssetList, calendar_of, exception_keys  # noqa: E402
from alertgraph_spark.learn import Model, Signature  # noqa: E402
from alertgraph_spark.pipeline import Known  # noqa: E402
from alertgraph_spark.tables.embedded import arrow_schema  # noqa: E402
from alertgraph_spark.tables.interim_schemas import SPANS  # noqa: E402

P = RankingParameters()
BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def span(key: str, hours: float, name: str, source: str | None, target: str) -> dict[str, Any]:
    """One span of one alert between two hosts."""
    row: dict[str, Any] = dict.fromkeys(SPANS.names)
    ends = (("source", source), ("target", target))
    names = [
        {"end": end, "kind": kind, "text": text} for end, host in ends for kind, text in (("host", host), ("ip", None))
    ]
    row |= {"span": key, "site": "plant", "source": "edr", "status": "alert", "name": name, "names": names, "n_more": 0}
    row |= {"says": key, "tactics": [], "techniques": [], "unknown": [], "n_alerts": 1, "severity": 0.5, "acts": False}
    row |= dict.fromkeys(rows.TIMES, BEGIN)
    return dict(rows.at(row, BEGIN + hours * HOUR))


BACKUP = [span(f"backup-{n}", 30 + n / 60, name, "bk1", "fs1") for n, name in enumerate(("copy", "delete shadow"))]
ATTACK = [span("phish", 200, "macro", "ws7", "ws8"), span("theft", 201, "dump", "ws8", "dc1")]
OTHERS = [
    span("start", 0, "logon", "adm", "srv"),
    span("near", 200.5, "logon", "adm", "srv9"),
    span("end", 480, "logon", "adm", "srv"),
]
WINDOW = MaintenanceWindow("plc4", BEGIN + 199 * HOUR, BEGIN + 202 * HOUR, site="plant")


def site(*told: dict[str, Any]) -> Site:
    spans = pa.Table.from_pylist(list(told), schema=arrow_schema(SPANS))
    known = Known(AssetList(()), calendar_of([WINDOW], ()), exception_keys((), ()))
    steps = pd.DataFrame([("phish", "c1/access"), ("theft", "c1/theft")], columns=["span", "step"])
    return Site("plant", spans, known, steps, pd.DataFrame(columns=["span", "chain"]))


def signature(key: str, weight: float) -> Signature:
    return Signature(key, BEGIN, {key: weight})


SITE = site(*BACKUP, *ATTACK, *OTHERS)
RANKED = ranked.Ranked(
    {"backup-0": "backup", "backup-1": "backup", "phish": "attack", "theft": "attack", "near": "noise"},
    {"backup": 22.0, "attack": 20.0, "noise": 17.0},
    frozenset({"backup", "attack", "noise"}),
    {key: signature(key, nats) for key, nats in (("backup", 6.0), ("attack", 9.0), ("noise", 2.0))},
)
SCENE = attackers.scene_of(SITE, RANKED)


def changed(attacker: attackers.Attacker) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """What an attacker leaves: the spans that were there, by name, and those that were not."""
    told = attacker(SCENE, random.Random(1)).to_pylist()
    added = [row for row in told if row["span"].startswith("added-")]
    return {row["span"]: row for row in told if row not in added}, added


def ends(told: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["name"], *(rows.names_of(row, end)[0][1] for end in ("source", "target"))) for row in told]


# rows


def test_a_row_that_is_moved_lies_in_the_bin_and_the_hour_of_its_new_time() -> None:
    later = rows.moved(ATTACK[0], DAY)
    assert later["started_at"] == ATTACK[0]["started_at"] + DAY
    begins = int((BEGIN + 200 * HOUR + DAY).timestamp())
    assert (later["hour"], later["bin"]) == (begins // 3600, begins // P.episode_gap_seconds)


def test_rows_are_changed_by_their_span_and_added_with_another_hash() -> None:
    other = rows.renamed(ATTACK[0], "source", (("host", "ws9"),))
    told = rows.with_rows(SITE.spans, [other], [ATTACK[1]]).to_pylist()
    assert len(told) == SITE.spans.num_rows + 1
    by_span = {row["span"]: row for row in told}
    assert rows.names_of(by_span["phish"], "source") == (("host", "ws9"),)
    assert by_span["phish"]["says"] != "phish"
    assert by_span["added-0"]["name"] == "dump"


# attackers


def test_he_imitates_the_remembered_chain_by_his_own_machine_as_the_attack_begins() -> None:
    there, added = changed(attackers.imitate)
    assert there["phish"] == ATTACK[0]
    assert ends(added) == [("copy", "ws7", "fs1"), ("delete shadow", "ws7", "fs1")]
    assert added[0]["started_at"] == ATTACK[0]["started_at"]
    assert added[1]["started_at"] - added[0]["started_at"] == timedelta(minutes=1)


def test_the_machine_of_the_chain_does_what_he_did_and_his_later_steps_stay() -> None:
    there, added = changed(attackers.take_over)
    assert ends([there["phish"], there["theft"]]) == [("macro", "bk1", "ws8"), ("dump", "ws8", "dc1")]
    assert ends(added) == [("copy", "bk1", "fs1"), ("delete shadow", "bk1", "fs1")]


def test_without_a_remembered_chain_there_is_nothing_to_imitate() -> None:
    bare = attackers.scene_of(SITE, RANKED._replace(shown=frozenset({"attack"})))
    for attacker in (attackers.imitate, attackers.take_over):
        assert attacker(bare, random.Random(1)).num_rows == SITE.spans.num_rows


def test_decoys_come_on_the_days_of_the_attack() -> None:
    _, added = changed(attackers.chaff)
    assert len(added) == attackers.DECOYS * len(BACKUP)  # of one day; the backup is the strongest chain
    assert {row["name"] for row in added} == {"copy", "delete shadow"}
    first = ATTACK[0]["started_at"].replace(hour=0)
    assert all(first <= row["started_at"] < first + DAY + HOUR for row in added)


def test_the_bridge_goes_to_who_is_near_and_to_who_is_being_maintained() -> None:
    _, added = changed(attackers.bridge)
    assert {row[1] for row in ends(added)} == {"ws7"}
    assert {row[2] for row in ends(added)} == {"dc1", "srv9", "ws8", "plc4"}  # not srv, of days before and after


def test_the_slow_one_takes_a_day_for_each_step() -> None:
    there, added = changed(attackers.drip)
    assert not added
    assert there["theft"]["started_at"] - there["phish"]["started_at"] == DAY
    assert there["backup-0"] == BACKUP[0]


def test_his_types_are_noise_on_any_machine_that_the_site_knows() -> None:
    _, added = changed(attackers.poison_past)
    assert {row[:2] for row in ends(added)} == {row[:2] for row in ends(ATTACK)}
    assert {row[2] for row in ends(added)} >= {"srv", "fs1"}


def test_his_alerts_are_noise_twice_a_day_for_what_there_is_of_two_weeks() -> None:
    _, added = changed(attackers.rehearse)
    assert len(added) == 8 * 2 * 2  # 200 hours are 8 whole days, two alerts twice each
    assert all(row["started_at"] < ATTACK[0]["started_at"] for row in added)
    assert set(ends(added)) == set(ends(ATTACK))


# what is shown


def test_a_site_is_ranked_without_spark_and_its_steps_are_found() -> None:
    found = ranked.rank(SITE, SITE.spans, P, Model())
    assert set(found.subgraph_of) == set(SITE.spans["span"].to_pylist())
    assert ranked.steps_shown(SITE, found._replace(shown=frozenset(found.strength))) == {"c1/access", "c1/theft"}
    assert ranked.steps_shown(SITE, found._replace(shown=frozenset())) == frozenset()


def test_what_he_added_is_noticed_where_it_is_shown() -> None:
    with_him = RANKED._replace(subgraph_of={**RANKED.subgraph_of, "added-0": "noise", "added-1": "other"})
    assert ranked.is_noticed(with_him)
    assert not ranked.is_noticed(with_him._replace(shown=frozenset({"attack"})))


def test_what_is_shown_and_no_attack_is_remembered_as_benign() -> None:
    memory = ranked.judged_benign(SITE, RANKED, P).of("plant")
    assert [one.signature.subgraph_id for one in memory.memory] == ["backup", "noise"]
    assert memory.log_odds < 0


# what is told


def test_a_drop_by_hand() -> None:
    steps = frozenset({"a/1", "a/2", "b/1", "b/2"})
    one = measure.change("p1", {"a/1", "a/2"}, {"a/1", "b/1"}, steps)
    two = measure.change("p2", {"a/1"}, set(), steps)
    assert (one.drop, two.drop, measure.change("p3", set(), {"a/1"}, steps).drop) == (0.0, 0.25, -0.25)
    found = measure.figures([one, two])
    assert [figure.value for figure in found.steps] == [3 / 8, 2 / 8]
    assert [figure.value for figure in found.campaigns] == [2 / 4, 2 / 4]
    assert found.drop.value == 0.125
    assert found.worst == (0.25, "p2")
    assert found.kept.value == pytest.approx(1 / 3)


def test_the_page_names_what_fails() -> None:
    steps = frozenset(f"a/{n}" for n in range(20))
    kept = measure.change("p1", steps, steps, steps)
    some = measure.change("p2", steps, steps - {"a/0", "a/1", "a/2"}, steps)  # 15 points
    lost = measure.change("p3", steps, frozenset(), steps)
    told = page.text_of({"waits": [kept], "hides": [kept, some], "floods": [kept, lost], "sleeps": []}, "head\n")
    assert "- The aim is missed where the attacker floods.\n" in told
    assert "- It is missed on some networks alone where the attacker hides.\n" in told
    assert "- It is met where the attacker waits.\n" in told
    assert "sleeps" not in told
    few = measure.change("p2", steps, steps - {"a/0"}, steps)  # 5 points, which decoys may not gain
    assert "missed where the attacker floods the budget" in page.text_of({attackers.CHAFF: [few]}, "head\n")
    assert "| hides | 2 | 1.000 [1.000, 1.000] | 0.925 [0.850, 1.000] |" in told
