"""`alertgraph formats check`: what a format makes of rows is what the job makes of them, told so that a person sees it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from alertgraph_spark.__main__ import main
from alertgraph_spark.commands.format_check import Check, check_rows, lines_of
from alertgraph_spark.commands.format_report import WIDTH, rows_text, share
from alertgraph_spark.commands.samples import TABLE, Shape
from alertgraph_spark.commands.trial import laid_out
from alertgraph_spark.config.format_files import find_format, load_format
from alertgraph_spark.config.shipped import shipped_formats

REPO = Path(__file__).parent.parent
DATA = "parser_samples/azure_sentinel"

GATE = {
    "format": "gate",
    "reads": ["RawData"],
    "json": {
        "g": {
            "column": "RawData",
            "schema": "at string, event string, level string, who string, gate string, from string",
        }
    },
    "where": "g.event != 'heartbeat'",
    "columns": {
        "name": "g.event",
        "observed_at": "g.at",
        "severity": "g.level",
        "tactics": "split(g.who, ' ')",
    },
    "severity_scale": {"low": 0.2, "high": 0.9},
    "source": {"ip": "g.from"},
    "target": {"host": "g.gate"},
    "target_zone": "'ot'",
    "samples": [
        {
            "row": {"RawData": '{"event": "opened", "gate": "G1"}'},
            "gives": {"name": "opened", "target_entity": "host:g1"},
        }
    ],
}

RECEIVED = "2026-03-02T10:00:00Z"

# What a line says, with its TimeGenerated if it has one, and what it is worth knowing of it.
EVENTS: list[tuple[dict[str, Any], str | None]] = [
    ({"event": "heartbeat"}, None),  # 1 refused
    ({"event": "opened", "at": "2026-03-02T09:00:00Z", "level": "HIGH", "gate": "G1", "from": "10.0.0.9"}, None),  # 2
    ({"event": "opened", "at": "2026-03-02T09:59:00Z", "level": "low", "gate": "G1"}, RECEIVED),  # 3
    (
        {"event": "opened", "at": "2001-01-01T00:00:00Z", "level": "dire", "gate": "G2"},
        RECEIVED,
    ),  # 4: a clock that is off
    ({"event": "forced", "level": "dire", "who": "Execution Nonsense", "gate": "G2"}, None),  # 5 no time at all
    ({"event": "  "}, RECEIVED),  # 6 refused: no name
    ({"event": "heartbeat"}, None),  # 7 refused
]


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """What a console sets, the next test shall not hear of."""
    before = logging.getLogger("alertgraph_spark").level
    yield
    logging.getLogger("alertgraph_spark").setLevel(before)


def put(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """The gate's format, changed, and its rows as files."""
    format_file, sample = folder / "gate.yaml", folder / "gate.jsonl"
    format_file.write_text(json.dumps({**GATE, **changes}), encoding="utf-8")  # JSON is YAML
    rows = [{"RawData": json.dumps(said)} | ({"TimeGenerated": at} if at else {}) for said, at in EVENTS]
    sample.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"RawData": "to', encoding="utf-8")
    return format_file, sample


@pytest.fixture(scope="module")
def check(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Check:
    format_file, file = put(tmp_path_factory.mktemp("gate"))
    gate = load_format(format_file)
    with laid_out(spark, gate, [file], Shape()) as (sample, raw):
        return check_rows(lines_of(raw, gate, TABLE, sample.received), 20)


def test_rows_are_alerts_or_refused_with_the_first_of_each_reason(check: Check) -> None:
    assert (check.n_rows, check.n_alerts) == (8, 4)
    assert check.refused == {"not an alert": (2, 1), "no alert name": (1, 6), "torn line": (1, None)}


def test_fields_are_counted_by_hand(check: Check) -> None:
    """Time is the format's own: row 5 has none. Severity: 2 and 3. Source: 2. Tactic: 5."""
    assert check.filled == {"time": 3, "name": 4, "severity": 2, "source": 1, "target": 4, "tactic": 1}
    assert check.done == {"time is more than 48 hours before TimeGenerated, which stands in its place": 1}


def test_words_that_nobody_knows_are_named(check: Check) -> None:
    assert check.unknown == {"severity": {"dire": 2}, "tactic": {"Nonsense": 1}}


def test_a_row_without_time_generated_is_shown_at_the_formats_own_time(check: Check) -> None:
    lines = list(rows_text(check.shown))

    assert lines[1:] == [
        "        1  refused: not an alert",
        "        2  2026-03-02 09:00:00   0.90   opened",
        " " * 40 + "ip:10.0.0.9 → host:g1 (ot)",
        "        3  2026-03-02 09:59:00   0.20   opened",
        " " * 40 + "(no source) → host:g1 (ot)",
        "        4  2026-03-02 10:00:00      -   opened",  # TimeGenerated, in place of 2001
        " " * 40 + "(no source) → host:g2 (ot)",
        " " * 40 + "done: time is more than 48 hours before TimeGenerated, whic…",
        "        5  none given               -   forced",
        " " * 40 + "(no source) → host:g2 (ot)",
        " " * 40 + "tactics: execution",
        "        6  refused: no alert name",
        "        7  refused: not an alert",
        '        8  refused: torn line: {"RawData": "to',
    ]


def refusals(*reasons: str) -> list[dict[str, Any]]:
    return [{"number": n, "reason": reason, "line": None} for n, reason in enumerate(reasons, 1)]


def test_refusals_in_a_row_share_a_line() -> None:
    lines = list(rows_text(refusals("not an alert", "not an alert", "no alert name", "not an alert")))

    assert [line.split("refused")[0].strip() for line in lines[1:]] == ["1-2", "3", "4"]


@pytest.mark.parametrize(
    ("count", "of", "words"),
    [(0, 7, "0 %"), (7, 7, "100 %"), (1, 3, "33 %"), (1, 10_000, "1 %"), (9_999, 10_000, "99 %")],
)
def test_a_share_is_whole_only_where_it_is(count: int, of: int, words: str) -> None:
    assert share(count, of) == words


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*argv: str | Path) -> tuple[int, str, str]:
        code = main(["formats", "check", *map(str, argv)])
        return code, *capsys.readouterr()

    return command


def test_the_whole_report(run: Run, tmp_path: Path) -> None:
    format_file, sample = put(tmp_path)

    code, out, err = run(format_file, sample, "--rows", "2")

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[:3] == [
        f"format    {format_file}",
        f"sample    {sample}: JSON lines",
        "          4 without TimeGenerated, shown at the time that the format gives them",
    ]
    assert lines[lines.index("", 4) + 1 :] == [
        "8 rows read = 4 alerts + 4 refused",
        "  refused             2  not an alert (first: row 1)",
        "  refused             1  no alert name (first: row 6)",
        "  refused             1  torn line",
        "  filled    time 75 %   name 100 %   severity 50 %   source 25 %   target 100 %   tactic 25 %",
        "            an alert without a time of its own takes TimeGenerated",
        "  done                1  time is more than 48 hours before TimeGenerated, which stands in its place",
        "  severity  severity_scale does not know: 'dire' 2",
        "  tactic    ATT&CK does not know: 'Nonsense' 1",
        "samples   1 of 1 of the format's own hold",
    ]
    assert "\x1b" not in out


def test_the_first_alert_is_shown_even_if_it_comes_late(run: Run, tmp_path: Path) -> None:
    format_file, sample = put(tmp_path)

    _, out, _ = run(format_file, sample, "--rows", "1")

    assert "        1  refused: not an alert" in out
    assert "        2  2026-03-02 09:00:00   0.90   opened" in out


def test_a_sample_of_the_format_that_does_not_hold_ends_with_2(run: Run, tmp_path: Path) -> None:
    row = {"RawData": '{"event": "opened", "gate": "G1"}'}
    wrong = [{"row": row, "gives": {"target_entity": "host:g2"}}, {"row": row, "rejected": "not an alert"}]
    format_file, sample = put(tmp_path, samples=[*GATE["samples"], *wrong])  # type: ignore[misc]

    code, out, _ = run(format_file, sample)

    assert code == 2
    assert out.splitlines()[-3:] == [
        "samples   1 of 3 of the format's own hold",
        "          sample 2: target_entity: 'host:g1' instead of 'host:g2'",
        "          sample 3: reason: None instead of 'not an alert'",
    ]


def test_a_format_without_samples_is_asked_for_some(run: Run, tmp_path: Path) -> None:
    code, out, _ = run(*put(tmp_path, samples=[]))

    assert code == 0
    assert out.splitlines()[-1] == "samples   the format has none; give it some: a row, and what it gives"


def test_rows_of_another_table_are_told_what_they_lack(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('[{"Vendor": "x", "TimeGenerated": "2026-03-02T10:00:00Z"}]', encoding="utf-8")

    code, out, _ = run("common_security_log", tmp_path / "other.json")

    assert code == 0
    assert "WARNING   not one row became an alert" in out
    assert "of the columns that the format reads the rows have none; the format reads DeviceVendor," in " ".join(
        out.split()
    )


# What is wrong with the format, and what one message must say.
BROKEN = {
    "an expression": (
        {"columns": {"name": "g.evnt", "severity": "lower("}},
        ["columns.name: g.evnt: [", "columns.severity: lower(: ["],
    ),
    "a key": ({"colums": {}}, ["unknown key 'colums'"]),
    "only with these rows": (
        {"columns": {"name": "g.event", "rule_id": "element_at(array(g.gate), 0)"}},  # Spark counts from 1
        ["an expression fails on these rows: ", "INDEX"],
    ),
}


@pytest.mark.parametrize(("changes", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_format_ends_with_2_and_one_message(
    run: Run, tmp_path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    format_file, sample = put(tmp_path, **changes)

    code, out, err = run(format_file, sample)

    assert (code, out) == (2, "")
    assert err.startswith(f"ConfigError: {format_file}: ")
    assert all(word in err for word in words), err
    assert "Traceback" not in err
    assert "\tat " not in err


@pytest.mark.slow
def test_a_terminal_sees_one_message_and_nothing_of_spark(tmp_path: Path) -> None:
    changes, words = BROKEN["only with these rows"]
    command = [sys.executable, "-m", "alertgraph_spark", "formats", "check", *map(str, put(tmp_path, **changes))]

    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=REPO)

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in words)


def test_a_name_that_is_no_format_is_told_the_nearest(run: Run) -> None:
    code, _, err = run("suricata_ev", "nowhere.json")

    assert code == 2
    assert err.strip().endswith("did you mean suricata_eve?")
    assert all(name in err for name in shipped_formats())


def test_a_sample_that_is_not_there_ends_with_2(run: Run) -> None:
    code, _, err = run("sigma", "nowhere.json")

    assert (code, err) == (2, "SourceError: cannot read nowhere.json: No such file or directory\n")


def test_the_command_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["formats"], ["formats", "check", "sigma"], ["formats", "check", "sigma", "x", "--rows", "-1"]):
        with pytest.raises(SystemExit) as caught:
            main(argv)
        assert caught.value.code == 2
    assert "'-1' is no whole number from 0 to 10000" in capsys.readouterr().err


@pytest.mark.lake
@pytest.mark.parametrize(
    ("format_", "file", "words"),
    [
        ("common_security_log", "Claroty.json", "7 rows read = 2 alerts + 5 refused"),
        ("common_security_log", "Morphisec.csv", "8 rows read = 8 alerts + 0 refused"),
        ("common_security_log", "illusive.csv", "531 rows read = 129 alerts + 402 refused"),
        ("common_security_log", "NozomiNetworksCEF.zip", "2 rows read = "),
        ("suricata_eve", "../suricata_ccdc/wrccdc-2018-alerts-only.json", "207 rows read = 207 alerts + 0 refused"),
    ],
)
def test_real_samples_are_read_whole_within_the_width(
    run: Run, shared: Path, format_: str, file: str, words: str
) -> None:
    code, out, _ = run(format_, shared / "data" / DATA / file)

    assert code == 0
    assert words in out
    report = out.splitlines()[2:]  # above it stand the names as they were typed
    assert max(map(len, report)) <= WIDTH


def test_every_shipped_format_is_found_by_its_name() -> None:
    assert shipped_formats() == sorted(file.stem for file in (REPO / "alertgraph_spark/formats").glob("*.yaml"))
    for name in shipped_formats():
        assert load_format(find_format(name)).name == name
