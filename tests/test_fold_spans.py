"""Spans that mean the same are one bin, whatever they were called; a bin that names a host is one hour's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from arrows import table_of
from incident import DAY

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.fold import FoldedSpans, fold_spans
from alertgraph_spark.fold.bins import keep_bins
from alertgraph_spark.interpret import AssetList, interpret_each
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.interim_schemas import CALENDAR, SPANS

P = RankingParameters()
Row = dict[str, Any]


def span(minutes: float, host: str, n_alerts: int = 1, accounts: Sequence[str] = (), **columns: Any) -> Row:
    at = DAY + timedelta(minutes=minutes)
    names = [{"end": "target", "kind": "host", "text": host}]
    names += [{"end": "other", "kind": "account", "text": account} for account in accounts]
    row: Row = dict.fromkeys(SPANS.names)
    row |= {"site": "plant", "source": "edr", "name": "usb", "status": "alert", "names": names, "acts": False}
    row |= {"bin": int(at.timestamp()) // P.episode_gap_seconds, "hour": int(at.timestamp()) // 3600, "severity": 0.5}
    row |= dict.fromkeys(("started_at", "ended_at", "received_at", "known_at"), at)
    return {
        **row,
        "n_alerts": n_alerts,
        "unknown": [],
        "span": f"{minutes} {host}",
        "says": f"{minutes} {host} {columns}",
        **columns,
    }


def bins(*rows: Row) -> list[Row]:
    spans = table_of(SPANS, rows)
    with Engine() as engine:
        keep_bins(engine, spans, interpret_each(spans, AssetList()))
        return engine.query("SELECT * FROM bins").to_pylist()


def folded(*rows: Row) -> FoldedSpans:
    spans = table_of(SPANS, rows)
    with Engine() as engine:
        return fold_spans(engine, spans, interpret_each(spans, AssetList()), table_of(CALENDAR, []), P)


def test_two_spellings_of_one_host_are_one_bin_and_two_hosts_are_two() -> None:
    (one,) = bins(span(0, "FS01", 2, ["b"], severity=0.3), span(1, "fs01.corp.example", 3, ["a", "b"]))
    begin = int(DAY.timestamp()) * 1_000_000
    assert (one["n_alerts"], one["severity"]) == (5, 0.5)
    assert (one["t0"], one["t1"]) == (begin, begin + 60_000_000)
    (episode,) = folded(span(0, "FS01", 2, ["b"]), span(1, "fs01.corp.example", 3, ["a", "b"])).episodes.to_pylist()
    assert episode["accounts"] == ["account:a", "account:b"]
    assert len(bins(span(0, "fs01"), span(1, "fs02"))) == 2


def test_a_bin_that_names_a_host_is_of_one_hour_and_any_other_of_all() -> None:
    def of_two_hours(*address: Row) -> list[Row]:
        hours = [span(59, "fs01", bin=7), span(61, "fs01", bin=7)]
        return bins(*[{**row, "names": [*row["names"], *address]} for row in hours])

    assert len(of_two_hours()) == 1
    assert len(of_two_hours({"end": "target", "kind": "ip", "text": "10.1.0.5"})) == 2


def test_each_span_has_the_episode_of_what_it_means() -> None:
    found = folded(span(0, "FS01"), span(1, "fs01.corp.example"), span(2, "fs02"), span(600, "fs01"))
    episode = dict(zip(*found.spans.select(["span", "episode"]).to_pydict().values(), strict=True))
    assert episode["0 FS01"] == episode["1 fs01.corp.example"]
    assert len(set(episode.values())) == 3 == found.episodes.num_rows
    started: dict[int, datetime] = dict(
        zip(*found.episodes.select(["episode", "started_at"]).to_pydict().values(), strict=True)
    )
    assert started[episode["600 fs01"]] == DAY + timedelta(minutes=600)


def test_unknown_words_and_what_was_left_out_are_counted_by_alerts() -> None:
    many = [f"u{n}" for n in range(53)]
    found = folded(
        span(0, "fs01", 2, tactics=["Theft", "Discovery"]),
        span(1, "fs01", 3, tactics=["Theft"], unknown=["severity: urgent"]),
        span(2, "fs01", 4, many),  # three more than an alert keeps
        span(3, "fs01", 5, many, status="history"),  # not of the window
    )
    words = dict(zip(*found.unknown.to_pydict().values(), strict=True))
    assert words == {"tactic: Theft": 5, "severity: urgent": 3}
    assert found.n_left_out == 4 * 3


def test_no_span_gives_no_episode() -> None:
    found = folded()
    assert (found.spans.num_rows, found.episodes.num_rows, found.unknown.num_rows, found.n_left_out) == (0, 0, 0, 0)
