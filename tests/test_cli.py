"""What a person types and sees: arguments, lines, exit codes."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from alertgraph_spark.commands.arguments import arguments
from alertgraph_spark.commands.cli import EDGES, Console, check_posted, exit_code, posted_words
from alertgraph_spark.commands.remarks import remarks
from alertgraph_spark.errors import (
    AlertGraphError,
    ConfigError,
    GraphInvariantError,
    PublishError,
    SchemaError,
    SourceError,
    TrackingError,
)
from alertgraph_spark.publish.log_analytics import PostCounts

UTC = timezone.utc
LOGGERS = ("alertgraph_spark", *EDGES, "py4j")


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """A console sets what the whole process logs; the next test shall not hear of it."""
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def parse(*argv: str) -> Any:
    return arguments("the job", ["--config", "run.yaml", *argv])


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What argparse says before it ends the process with 2."""
    with pytest.raises(SystemExit) as caught:
        parse(*argv)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_without_a_window_the_run_takes_all_there_is() -> None:
    args = parse()

    assert (str(args.config), args.start, args.end, args.set) == ("run.yaml", None, None, [])


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-03-02T10:00:00Z", 10),
        ("2026-03-02T10:00:00+00:00", 10),
        ("2026-03-02T10:00:00+02:00", 8),
        (" 2026-03-02T10:00:00Z ", 10),
    ],
)
def test_times_carry_their_zone_and_become_utc(text: str, hour: int) -> None:
    assert parse("--start", text).start == datetime(2026, 3, 2, hour, tzinfo=UTC)
    assert parse("--end", text).end == datetime(2026, 3, 2, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            ["--start", "2026-03-02T10:00:00"],
            "has no time zone; folders are UTC, so write 2026-03-02T10:00:00Z or an offset",
        ),
        (["--start", "2026-03-02"], "has no time zone; folders are UTC, so write 2026-03-02T00:00:00Z or an offset"),
        (["--end", "yesterday"], "'yesterday' is no ISO 8601 time, e.g. 2026-03-02T00:00:00Z"),
        (["--last", "24"], "'24' is no span; allowed are 90m, 24h, 7d and the like"),
        (["--last", "0h"], "'0h' is no span"),
        (["--last", "1w"], "'1w' is no span"),
        (["--last", "999999d"], "'999999d' is no span"),
        (["--last", "-1h"], "expected one argument"),
        (["--last", "24h", "--end", "2026-03-02T10:00:00Z"], "--last goes without --start and --end"),
        (["--last", "24h", "--start", "2026-03-02T10:00:00Z"], "--last goes without --start and --end"),
        (
            ["--start", "2026-03-02T10:00:00Z", "--end", "2026-03-02T12:00:00+02:00"],  # the same moment
            "--start 2026-03-02T10:00:00+00:00 is not before --end 2026-03-02T10:00:00+00:00",
        ),
        (["--start", "2026-03-02T10:00:01Z", "--end", "2026-03-02T10:00:00Z"], "is not before --end"),
        (["--frm", "2026-03-02T10:00:00Z"], "unrecognized arguments: --frm"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(
    capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    assert words in refusal(capsys, *argv)


def test_the_advice_about_a_missing_zone_can_be_followed(capsys: pytest.CaptureFixture[str]) -> None:
    advice = refusal(capsys, "--start", "2026-03-02").split("so write ")[1].split(" ")[0]

    assert parse("--start", advice).start == datetime(2026, 3, 2, tzinfo=UTC)


def test_a_second_is_window_enough() -> None:
    args = parse("--start", "2026-03-02T10:00:00Z", "--end", "2026-03-02T10:00:01Z")

    assert args.end - args.start == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("span", "length"), [("90m", timedelta(minutes=90)), ("24h", timedelta(hours=24)), ("7d", timedelta(days=7))]
)
def test_last_ends_now(span: str, length: timedelta) -> None:
    before = datetime.now(UTC)
    args = parse("--last", span)

    assert before <= args.end <= datetime.now(UTC)
    assert args.end - args.start == length


def test_overrides_pile_up_and_the_config_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse("--set", "a=1", "--set", "b=2").set == ["a=1", "b=2"]

    with pytest.raises(SystemExit) as caught:
        arguments("the job", [])
    assert caught.value.code == 2
    assert "the following arguments are required: --config" in capsys.readouterr().err


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


@pytest.mark.parametrize("kind", [ConfigError, SourceError, SchemaError, TrackingError, PublishError])
def test_what_an_operator_can_fix_is_one_message_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], kind: type[AlertGraphError]
) -> None:
    assert exit_code(raising(kind("graph.engine: no such engine"))) == 2

    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{kind.__name__}: graph.engine: no such engine\n")


def test_a_defect_ends_with_its_trace_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(raising(KeyError("subgraph_id"))) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err

    assert exit_code(raising(GraphInvariantError("two ends of a link fall apart"))) == 1
    assert capsys.readouterr().err == "GraphInvariantError: two ends of a link fall apart\n"


def test_done_is_0_and_an_interrupt_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: 0) == 0
    assert exit_code(raising(KeyboardInterrupt())) == 1
    assert capsys.readouterr().err == "interrupted; what was saved is incomplete and is replaced by the next run\n"


COUNTS = {"rows_read": 12345, "alerts": 12000, "duplicates": 300, "out_of_window": 40, "rejected": 5, "subgraphs": 1}
SUBGRAPH = {
    "rank": 1,
    "score": 0.68374,
    "probability": 0.931,
    "is_shown": True,
    "site": "a-rather-long-workspace",
    "summary": "IT→OT pivot: ws-017 → ews-2",
    "first_seen": datetime(2026, 3, 3, 9, 40, tzinfo=UTC),
}


def ended(top: list[dict[str, Any]]) -> list[str]:
    out = io.StringIO()
    Console(out).end(top, COUNTS, [("results", "runs/r1"), ("posted", "nothing")], 27.66)
    return out.getvalue().splitlines()


def test_the_end_is_a_table_a_balance_and_places() -> None:
    assert ended([SUBGRAPH, {**SUBGRAPH, "rank": 2, "is_shown": False, "site": "b", "score": 0.5}]) == [
        "",
        # A site stands whole, since it is what an analyst looks up: 23 letters, so the column is 23 wide.
        "rank  score     P  shown  site                    first seen (UTC)  what",
        "   1  0.684  0.93  yes    a-rather-long-workspace 2026-03-03 09:40  IT→OT pivot: ws-017 → ews-2",
        "   2  0.500  0.93         b                       2026-03-03 09:40  IT→OT pivot: ws-017 → ews-2",
        "",
        "12,345 rows read = 12,000 alerts + 300 duplicates + 40 out of window + 5 rejected; 1 subgraphs in 27.7 s",
        "results   runs/r1",
        "posted    nothing",
    ]


def test_times_are_utc_whatever_zone_they_come_in() -> None:
    row = {**SUBGRAPH, "first_seen": datetime(2026, 3, 3, 18, 40, tzinfo=timezone(timedelta(hours=9)))}

    assert "2026-03-03 09:40" in ended([row])[2]


WELL: dict[str, Any] = {
    **{"rejected_by_reason": {}, "unknown_words": {}},
    "health": {"n_ok": 2, "n_new": 1, "unhealthy": []},
}


def test_refused_lines_and_unknown_words_are_remarked() -> None:
    reasons = {"not one JSON object": 1200, "torn line": 1}

    assert remarks(WELL | {"rejected_by_reason": reasons, "unknown_words": {"tactic: Theft": 3}}) == [
        ("refused", "1,200 not one JSON object; 1 torn line"),
        ("unknown", "3 tactic: Theft"),
    ]
    assert remarks(WELL) == []


def unwell(n: int, **columns: Any) -> dict[str, Any]:
    row = {"site": "plant", "table": "Ids_CL", "status": "silent", "detail": "silent for 7 h; 3 alerts a day are usual"}
    return WELL | {"health": {"n_ok": 0, "n_new": 0, "unhealthy": [row | columns] * n}}


def test_each_source_that_is_not_well_is_a_line_and_five_are_told() -> None:
    said = "Ids_CL of plant: silent for 7 h; 3 alerts a day are usual"

    assert remarks(unwell(1)) == [("SILENT", said)]
    assert remarks(unwell(5, status="slow")) == [("SLOW", said)] * 5
    assert remarks(unwell(1207)) == [("SILENT", said)] * 5 + [("", "and 1,202 more, in the table health")]


def test_a_site_or_table_that_is_somebodys_text_is_one_short_line() -> None:
    told = remarks(unwell(1, site="a\nresults   elsewhere\x1b[2J", table="T" * 400))
    out = io.StringIO()
    Console(out).end([], COUNTS, told, 1.0)

    (line,) = [line for line in out.getvalue().splitlines() if line.startswith("SILENT")]
    assert "\x1b" not in line
    assert len(line) < 300
    assert not any(line.startswith("results") for line in out.getvalue().splitlines())


def test_what_was_too_much_and_what_the_budget_hides_is_told() -> None:
    counts = {"entities_left_out": 1200, "links_left_out": 3, "crowded": 39}

    assert remarks({**WELL, "counts": counts}) == [
        (
            "WARNING",
            "1,200 entities left out of alerts that name more than 50 accounts or 50 others;"
            " 3 links left out, of the sites and entities with most: more than graph.driver_max_links",
        ),
        ("CROWDED", "39 not shown that score like one of their site and day that is: look at them too"),
    ]
    assert remarks({**WELL, "counts": dict.fromkeys(counts, 0)}) == []


def test_nothing_found_is_said() -> None:
    assert ended([])[2] == "      no subgraph: nothing in the window was out of the ordinary"


def test_a_stage_is_a_line_with_rows_and_seconds() -> None:
    out = io.StringIO()
    console = Console(out)

    console.on_stage("normalise", 4920, 9.44)
    console.on_stage("save", None, 12.0)
    with console.stage("read"):
        pass

    assert out.getvalue().splitlines() == [
        "  normalise        4,920 rows     9.4 s",
        "  save                           12.0 s",
        "  read                            0.0 s",
    ]


def test_what_was_posted_is_said_in_words_and_what_was_not_ends_the_run() -> None:
    nodes, edges = PostCounts(1200, n_sent=1200), PostCounts(30, n_sent=10, n_before=20)
    assert posted_words({}, None) == "nothing (post.mode: none)"
    assert posted_words({"nodes": nodes}, "https://x") == "1,200 nodes to https://x"
    assert posted_words({"nodes": nodes, "edges": edges}, "x") == "1,200 nodes, 10 edges to x; 20 had been before"
    same = PostCounts(0, n_unchanged=1700)
    assert (
        posted_words({"nodes": same, "edges": edges}, "x")
        == "0 nodes, 10 edges to x; 1,700 unchanged; 20 had been before"
    )
    check_posted({"nodes": nodes, "edges": edges}, "run-1", "results/run-1")

    refused, broken = PostCounts(9, n_sent=8, n_refused=1), PostCounts(5, n_sent=2, error="503 after 9 attempts")
    assert posted_words({"nodes": refused, "edges": broken}, "x") == "8 nodes, 2 edges to x; 4 NOT delivered"
    with pytest.raises(PublishError) as caught:
        check_posted({"nodes": refused, "edges": broken}, "run-1", "results/run-1")
    assert str(caught.value) == (
        "4 rows were not delivered: table edges: 503 after 9 attempts; 1 rows are refused as they are; each with the answer"
        " in results/run-1/posted/dead_letters; the results are saved; --post-only run-1 sends the rest"
    )
    assert caught.value.exit_code == 2


def test_a_saved_run_is_posted_without_a_window(capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments("", ["--config", "x", "--post-only", "run-1"]).post_only == "run-1"
    with pytest.raises(SystemExit):
        arguments("", ["--config", "x", "--post-only", "run-1", "--last", "24h"])
    assert "--post-only goes without a window" in capsys.readouterr().err


def test_what_exceptions_hide_is_told_and_which_to_look_at_again() -> None:
    told = {"n_hiding": 7, "hiding": [f"ex-{n}" for n in range(7)], "n_ending_soon": 1, "ending_soon": ["ex-2"]}
    told |= {"n_without_a_match": 0, "without_a_match": []}
    assert remarks({**WELL, "counts": {"suppressed": 1200}, "exceptions": told}) == [
        ("hidden", "1,200 subgraphs by exceptions: ex-0, ex-1, ex-2, ex-3, ex-4 and 2 more"),
        ("exception", "1 end within two weeks: ex-2"),
    ]
    told |= {"n_ending_soon": 0, "n_without_a_match": 1, "without_a_match": ["ex-9"]}
    assert remarks({**WELL, "counts": {"suppressed": 0}, "exceptions": told}) == [
        ("exception", "1 match nothing in the window: ex-9")
    ]
    assert remarks({**WELL, "exceptions": {**told, "n_without_a_match": 0}}) == []
