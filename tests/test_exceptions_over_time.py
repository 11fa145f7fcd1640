"""An exception begins, holds and ends, over the whole line: what each run shows by what was known when it ran."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from arrows import bin_row, span_table, table_of
from incident import DAY

from alertgraph_spark.config.alert_exception import AlertException
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.graph.choice import Answers
from alertgraph_spark.interpret import AssetList, exception_keys
from alertgraph_spark.pipeline import Known, rank_sites
from alertgraph_spark.ranking import Stages
from alertgraph_spark.tables.interim_schemas import CALENDAR

P = RankingParameters()
EVER = datetime(1990, 1, 1, tzinfo=timezone.utc)
Row = dict[str, Any]


def hour(n: float) -> datetime:
    return DAY + timedelta(hours=n)


def alert(hours: float, name: str, target: str, source: str | None = None, late: float = 0.0) -> Row:
    """One alert, received `late` hours after it happened."""
    at, known = hour(hours), hour(hours + late)
    ends = {"source_entity": source and f"host:{source}", "target_entity": f"host:{target}", "target_zone": "it"}
    facts = {"severity": 1.0, "tactics": ["lateral-movement"], "source_zone": "it" if source else None}
    return bin_row(at, name=name, received_at=known, known_at=known, **ends, **facts)


USUAL = [alert(h, f"usual {h % 7}", f"ws{h % 5}") for h in range(72)]
SCAN = [alert(40 + n / 60, f"probe {n}", "srv1", "scan01") for n in range(8)]
"""Eight rare alerts of a scanner within minutes."""

END = 40.15
"""The exception ends a minute after the last of them."""

HELD = AlertException("scanner", "it-ops", "nightly scan", hour(30), hour(END), entity="host:scan01")


def run(now: float, rows: Sequence[Row], *exceptions: AlertException) -> tuple[list[Row], list[Row]]:
    """What a run at an hour shows and what it hides, with all that had been received by then."""
    known = [row for row in [*USUAL, *rows] if row["received_at"] < hour(now)]
    found = rank_sites(
        span_table(known),
        Known(AssetList(), table_of(CALENDAR, []), exception_keys(exceptions, ())),
        P,
        since=EVER,
        stages=Stages(),
        ask=lambda n_links: Answers(),
    ).subgraphs.to_pylist()
    of_scan = [row for row in found if row["n_episodes"] > 3]
    return [row for row in of_scan if row["is_shown"]], [row for row in of_scan if row["suppressed_by"]]


def test_without_an_exception_the_scan_is_shown() -> None:
    shown, hidden = run(45, SCAN)
    assert (len(shown), shown[0]["n_episodes"], hidden) == (1, 8, [])


def test_it_is_hidden_while_the_exception_holds_and_after_its_end() -> None:
    for now in (END, 41, 71):
        shown, hidden = run(now, SCAN, HELD)
        assert (shown, len(hidden)) == ([], 1)
        assert [one["id"] for one in hidden[0]["suppressed_by"]] == ["scanner"]


def test_a_little_news_after_the_end_brings_nothing_back() -> None:
    little = [*SCAN, alert(40.2, "one more probe", "srv1", "scan01")]
    assert run(45, little)[0][0]["n_episodes"] == 9, "without the exception it would be shown, with all of it"
    shown, hidden = run(45, little, HELD)
    assert (shown, [row["n_episodes"] for row in hidden]) == ([], [9])
    assert [one["id"] for one in hidden[0]["suppressed_by"]] == ["scanner"]


def test_much_news_after_the_end_is_shown() -> None:
    much = [*SCAN, *(alert(40.2 + n / 60, f"new probe {n}", "srv1", "scan01") for n in range(12))]
    shown, hidden = run(45, much, HELD)
    assert ([row["n_episodes"] for row in shown], hidden) == ([20], [])
    assert shown[0]["suppressed_by"] == []


def test_what_happened_before_the_end_and_came_after_it_is_news() -> None:
    late = [*SCAN, *(alert(40.01 + n / 60, f"new probe {n}", "srv1", "scan01", late=10) for n in range(12))]
    assert run(45, late, HELD)[0] == []
    assert [row["n_episodes"] for row in run(57, late, HELD)[0]] == [20]


def test_a_stranger_after_the_end_brings_all_of_it_back() -> None:
    joined = [*SCAN, alert(40.2, "remote logon", "srv1", "ws9")]
    shown, hidden = run(45, joined, HELD)
    assert ([row["n_episodes"] for row in shown], hidden) == ([9], [])


def test_an_attack_by_way_of_the_scanner_is_shown_whole() -> None:
    taken = [*SCAN, alert(40.2, "remote logon", "scan01", "ws9"), alert(40.3, "dump of passwords", "srv1", "ws9")]
    shown, hidden = run(45, taken, HELD)
    assert (len(shown), hidden) == (1, [])
    assert shown[0]["score"] == run(45, taken)[0][0]["score"], "what is excepted of it counts as before"
