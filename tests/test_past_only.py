"""Past only: what is received later changes nothing of what had ended and was told; late rows join when they come."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from arrows import bin_row, keep_bin_rows, span_table, table_of
from incident import DAY

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.fold.episodes import fold_episodes
from alertgraph_spark.graph.choice import Answers
from alertgraph_spark.interpret import AssetList
from alertgraph_spark.pipeline import Known, rank_sites
from alertgraph_spark.ranking import Found, Stages
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.interim_schemas import CALENDAR, EXCEPTION_KEYS

P = RankingParameters()
Row = dict[str, Any]
Told = dict[str, tuple[frozenset[int], float, datetime]]
"""Subgraphs by id: their episodes, score, and when the last of them was known."""


def alert(hours: float, name: str, target: str, source: str | None = None, late: float = 0, **columns: Any) -> Row:
    """One alert, received `late` hours after it happened."""
    at = DAY + timedelta(hours=hours)
    known = at + timedelta(hours=late)
    ends = {"source_entity": source and f"host:{source}", "target_entity": f"host:{target}", "target_zone": "it"}
    ends |= {"source_zone": "it" if source else None}
    return bin_row(at, name=name, received_at=known, known_at=known, **ends, **columns)


def rank(rows: Sequence[Row]) -> Found:
    begin = datetime(1990, 1, 1, tzinfo=timezone.utc)
    lists = table_of(CALENDAR, []), table_of(EXCEPTION_KEYS, [])
    return rank_sites(
        span_table(rows), Known(AssetList(), *lists), P, since=begin, stages=Stages(), ask=lambda n_links: Answers()
    )


def told(rows: Sequence[Row]) -> Told:
    found = rank(rows)
    members: dict[str, set[int]] = {}
    known: dict[str, datetime] = {}
    for row in found.episodes.to_pylist():
        key = row["subgraph_id"]
        members.setdefault(key, set()).add(row["episode"])
        known[key] = max(known.get(key, row["received_at"]), row["received_at"])
    scores = dict(zip(*found.subgraphs.select(["subgraph_id", "score"]).to_pydict().values(), strict=True))
    return {key: (frozenset(members[key]), scores[key], known[key]) for key in members}


def folded(rows: Sequence[Row]) -> dict[float, Row]:
    with Engine() as engine:
        keep_bin_rows(engine, rows)
        _, episodes = fold_episodes(engine, table_of(CALENDAR, []), P)
    return {(row["started_at"] - DAY) / timedelta(hours=1): row for row in episodes.to_pylist()}


# --- one late alert, by hand ----------------------------------------------------------------------------------------

BEGIN = alert(0, "site begins", "hq")


@pytest.mark.parametrize(("late", "at_30", "at_50"), [(0.0, 2, 3), (0.9, 2, 3), (25.0, 1, 3), (45.0, 1, 2)])
def test_what_came_late_is_past_from_then_on(late: float, at_30: int, at_50: int) -> None:
    # The type came at hour 10, and was told of `late` hours after. (seen + 1) / (hours + 2) of it at hours 30 and 50.
    rows = [BEGIN, alert(10, "rdp", "fs1", late=late), alert(30, "rdp", "fs2"), alert(50, "rdp", "fs3")]
    found = folded(rows)
    assert (found[30]["fleet_share"], found[50]["fleet_share"]) == (at_30 / 32, at_50 / 52)


def test_a_late_alert_is_judged_by_what_was_known_when_it_came() -> None:
    # It happened in the site's second hour, and came when forty had passed: no longer the warm-up, and rdp is no news.
    found = folded([BEGIN, alert(1, "rdp", "fs1", late=40), alert(20, "rdp", "fs2")])
    assert (found[1]["history_hours"], found[1]["fleet_share"]) == (41, 2 / 43)
    on_time = folded([BEGIN, alert(1, "rdp", "fs1"), alert(20, "rdp", "fs2")])
    assert (on_time[1]["history_hours"], on_time[1]["fleet_share"]) == (1, 1 / 3)


def test_a_subgraph_of_late_alerts_alone_is_not_lost() -> None:
    # An intrusion of the site's first hours that a connector delivers two days later: told, and not of the warm-up.
    days = [alert(h, f"usual {h % 7}", f"ws{h % 5}") for h in range(60)]
    way = (("mail", "ws1", None), ("rdp", "fs1", "ws1"), ("dump", "dc1", "fs1"), ("wipe", "dc1", "fs1"))
    late = [
        alert(2 + n / 10, name, target, source, late=48, severity=0.9, tactics=["lateral-movement"])
        for n, (name, target, source) in enumerate(way)
    ]
    subgraphs = rank([*days, *late]).subgraphs.to_pylist()
    best = subgraphs[0]
    assert (best["n_episodes"], best["first_seen"].hour) == (4, 2)
    assert best["is_shown"]
    # The near miss: told at once they fall into the warm-up.
    at_once = rank([*days, *(row | {"known_at": row["started_at"]} for row in late)]).subgraphs.to_pylist()
    assert not any(row["is_shown"] for row in at_once)


# --- hour by hour, in order of receipt ------------------------------------------------------------------------------


def random_lake(seed: int) -> list[Row]:
    """Six days of a site; of its alerts one in seven comes up to three days late."""
    chance = random.Random(seed)
    hosts = [f"h{n}" for n in range(12)]
    rows = []
    for _ in range(260):
        source = chance.choice([None, *hosts])
        target = chance.choice([host for host in hosts if host != source])
        late = chance.uniform(1, 72) if chance.random() < 1 / 7 else chance.uniform(0, 0.2)
        kind = chance.choice([*("usual",) * 6, *(f"rare {n}" for n in range(30))])
        rows.append(alert(chance.uniform(0, 144), kind, target, source, late=late, severity=chance.choice((0.3, 0.8))))
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_hour_by_hour_in_order_of_receipt(seed: int) -> None:
    rows = random_lake(seed)
    last = told(rows)
    n_settled = 0
    for hour in range(36, 170, 12):
        now = DAY + timedelta(hours=hour)
        then = told([row for row in rows if row["known_at"] < now])
        for key, (members, score, known) in then.items():
            if known >= now - timedelta(hours=24):
                continue
            # What was told a day ago stands as it was, or has grown by what came since.
            grown = next((found for found in last.values() if members <= found[0]), None)
            assert grown is not None, f"{key} fell apart after {now}"
            if grown[2] < now:
                assert (grown[0], grown[1]) == (members, pytest.approx(score, abs=1e-9)), key
                n_settled += 1
    assert n_settled > 300
