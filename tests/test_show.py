"""A run in the terminal: its list by rank, and one subgraph from its title to its episodes; by hand, without Spark."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from arrows import table_of
from incident import DAY, at, story

from alertgraph_spark.__main__ import main
from alertgraph_spark.access import session
from alertgraph_spark.publish.one_run import list_subgraphs, open_subgraph
from alertgraph_spark.tables.schemas import EVIDENCE, MEMBERS, SUBGRAPHS
from alertgraph_spark.tables.verdict_schemas import VERDICTS

HOSTILE = "\x1b[2J\u202eevil\nrank 1 all is well"
ATTACK = story("north", 1, "10 ws1/it -> fs1/it rdp logon", "30 fs1/it -> plc1/ot stop cpu")
EMPTY = {column.name: [] if column.type.startswith("array") else None for column in SUBGRAPHS.columns}

Row = dict[str, Any]


def subgraph(rank: int, *, shown: bool, **told: Any) -> Row:
    key = {"subgraph_id": f"sg-{rank}", "site": "north", "rank": rank, "is_shown": shown}
    seen = {"first_seen": at(10), "last_seen": at(30), "n_alerts": 2, "n_episodes": 2, "n_hosts": 3}
    return {**EMPTY, **key, "score": 1 - rank / 10, "probability": 0.5, "title": f"Title {rank}", **seen, **told}


FIRST = subgraph(
    1,
    shown=True,
    title="OT action after crossing: ws1 → plc1",
    path=["host:ws1", "host:fs1", "host:plc1"],
    contributions=[
        {"term": "rarity", "value": 0.8, "fact": "“stop cpu” seen in 0 of 200 hours before"},
        {"term": "planned", "value": 0.0, "fact": "nothing was announced"},
        {"term": "spread", "value": -0.1, "fact": "spread over 3 hosts"},
    ],
    unusual=["“stop cpu”: seen in 0 of 200 hours before"],
    checks=["Who was logged on at fs1?"],
    owners=[{"entity": "host:plc1", "owner": "plant-ops", "runbook": "https://wiki/plc"}],
    tickets=["CHG-7"],
    related=[{"subgraph_id": "sg-2", "fact": "both name plc1"}],
    story=[{"sentence": "At 00:10 ws1 logged on to fs1.", "alert_ids": [f"a{n}" for n in range(40)]}],
    counterfactual={"cut": 0.4, "score": 0.3, "types": [], "fact": "Without “stop cpu” it would not be shown."},
)
SECOND = subgraph(2, shown=True, first_seen=at(-300), title=HOSTILE, summary="One alert.")
HIDDEN = {"id": "scan", "owner": "it-ops", "reason": "nightly", "ticket": None, "until": at(9000)}
THIRD = subgraph(3, shown=False, suppressed_by=[HIDDEN])
FOURTH = subgraph(4, shown=False)


def verdict(of: str, word: str, hours: int = 24, **told: Any) -> Row:
    said = {"subgraph_id": of, "verdict": word, "is_latest": True, "certainty": 1.0, "judged_by": "ann"}
    return (
        dict.fromkeys(VERDICTS.names)
        | said
        | {"judged_at": DAY + timedelta(hours=hours), "source": "incident 42"}
        | told
    )


SAID = [
    verdict("sg-1", "true_positive", **{"reason": "was real"}),
    verdict("sg-1", "false_positive", 20, is_latest=False, certainty=0.5, judged_by=None, source="incident 7"),
    verdict("sg-2", "reopened"),
]


def tables_of(*rows: Row, evidence: list[Row] = ATTACK) -> dict[str, Any]:
    ids = [f"{row['episode']:016x}" for row in evidence]
    episodes = [row | {"subgraph_id": "sg-1", "episode_id": key} for row, key in zip(evidence, ids, strict=True)]
    alerts = [(key, f"{key}/{n}") for key in ids for n in range(9)]
    members = [("sg-1", alert, None, "north", key, "core") for key, alert in alerts]
    return {
        "subgraphs": table_of(SUBGRAPHS, rows),
        "evidence": table_of(EVIDENCE, episodes),
        "members": table_of(MEMBERS, [dict(zip(MEMBERS.names, row, strict=True)) for row in members]),
        "verdicts": table_of(VERDICTS, SAID),
    }


def save(folder: Path, tables: dict[str, Any]) -> Path:
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        pq.write_table(table, folder / name / "part-00000.parquet")
    window = {"start": "2026-03-02T00:00:00+00:00", "end": "2026-03-03T00:00:00+00:00"}
    (folder / "run.json").write_text(json.dumps({"run_id": folder.name, "window": window}))
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved run of four subgraphs, read as a folder of this machine is: without Spark."""

    def refuse(*_: object) -> None:
        raise AssertionError("Spark was started")

    monkeypatch.setattr(session, "start_session", refuse)
    monkeypatch.setattr(session, "is_platform", lambda: False)
    monkeypatch.setenv("COLUMNS", "100")
    return save(tmp_path / "results" / "run-1", tables_of(SECOND, FIRST, FOURTH, THIRD))


def said(capsys: pytest.CaptureFixture[str], *argv: object, code: int = 0) -> list[str]:
    assert main(["show", *map(str, argv)]) == code
    told = capsys.readouterr()
    return (told.err if code else told.out).splitlines()


def test_the_list_has_what_is_shown_by_rank(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, run) == [
        "run       run-1, 2026-03-02 00:00 to 2026-03-03 00:00 UTC",
        "",
        "rank  score     P  verdict        site   first to last seen (UTC)",
        "   1  0.900  0.50  true positive  north  2026-03-02 00:10 to 00:30",
        "      sg-1  OT action after crossing: ws1 → plc1",
        "   2  0.800  0.50                 north  2026-03-01 19:00 to 03-02 00:30",
        r"      sg-2  \x1b[2J\u202eevil rank 1 all is well",
        "2 not shown: --all lists them",
    ]


def test_all_lists_what_is_not_shown_and_says_what_is_hidden(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, run, "--all")[3::2]

    assert [(line.split()[0], line.split()[3]) for line in lines] == [
        *(("1", "yes"), ("2", "yes"), ("3", "hidden"), ("4", "north")),
    ]


def test_a_long_list_says_how_much_it_leaves_out(run: Path) -> None:
    tables = tables_of(FIRST, SECOND, THIRD, FOURTH)

    assert list_subgraphs(tables, most=2)[1:] == (4, 2, 0)
    assert list_subgraphs(tables, most=1)[1:] == (4, 2, 1)
    assert list_subgraphs(tables, with_hidden=True, most=1)[1:] == (4, 2, 3)


def test_one_subgraph_is_told_from_title_to_evidence(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_id = said(capsys, run, "sg-1")

    assert by_id == said(capsys, run, "1")
    assert by_id[2:] == [
        "rank 1, score 0.900, P 0.50, shown",
        "OT action after crossing: ws1 → plc1",
        "sg-1 of north",
        "2026-03-02 00:10 to 00:30 UTC: 2 alerts, 2 episodes, 3 hosts",
        "",
        "verdict   true positive by ann, 2026-03-03 00:00, incident 42: was real",
        "          before: false positive, 2026-03-02 20:00, incident 7, 50% sure that it is meant",
        "story     At 00:10 ws1 logged on to fs1.",
        "path      ws1 → fs1 → plc1",
        "why       +0.800 rarity: “stop cpu” seen in 0 of 200 hours before",
        "          -0.100 spread: spread over 3 hosts",
        "unusual   “stop cpu”: seen in 0 of 200 hours before",
        "without   Without “stop cpu” it would not be shown.",
        "check     Who was logged on at fs1?",
        "owner     plc1: plant-ops, https://wiki/plc",
        "ticket    CHG-7",
        "related   sg-2: both name plc1",
        "",
        "2 episodes, in the order of time (UTC)",
        "first alert       alerts  source → target, name",
        "2026-03-02 00:10       1  ws1 → fs1                              rdp logon",
        "2026-03-02 00:30       1  fs1 → plc1                             stop cpu",
    ]


def test_what_is_hidden_says_by_whom(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, run, "sg-3")

    assert lines[2] == "rank 3, score 0.700, P 0.50, hidden"
    assert lines[7] == "hidden by scan of it-ops, until 2026-03-08 06:00: nightly"
    assert said(capsys, run, "sg-4")[2] == "rank 4, score 0.600, P 0.50, not shown"


def test_nothing_is_wider_than_the_terminal_and_nothing_acts_on_it(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    rows = [subgraph(1, shown=True, title=f"{HOSTILE} " * 9, story=[{"sentence": HOSTILE * 9, "alert_ids": []}])]
    evidence = [row | {"name": HOSTILE * 9, "source_entity": f"host:{HOSTILE * 9}"} for row in ATTACK]
    save(run.parent / "run-2", tables_of(*rows, evidence=evidence))

    for lines in (said(capsys, run.parent / "run-2"), said(capsys, run.parent / "run-2", 1)):
        assert len(lines) > 4
        assert max(map(len, lines)) <= 60
        assert all(line.isprintable() for line in lines)


def test_the_rarest_episodes_are_kept_in_the_order_of_time() -> None:
    many = story("north", 1, *[{**ATTACK[0], "started_at": at(n), "surprise": float(n % 5)} for n in range(9)])

    found = open_subgraph(tables_of(FIRST, evidence=many), "1", most=3)

    assert [row["started_at"] for row in found.evidence] == [at(3), at(4), at(8)]
    assert found.n_left_out == 6
    assert [len(row["alert_ids"]) for row in found.evidence] == [5, 5, 5]


def test_json_is_one_document_with_times_in_utc(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads("\n".join(said(capsys, run, "--json")))
    one = json.loads("\n".join(said(capsys, run, "sg-1", "--json")))

    assert listed["run"] == {
        "run_id": "run-1",
        "window": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"},
    }
    assert (listed["n_subgraphs"], listed["n_shown"], listed["n_left_out"]) == (4, 2, 0)
    assert [(row["subgraph_id"], row["verdict"]) for row in listed["subgraphs"]] == [
        ("sg-1", "true_positive"),
        ("sg-2", None),
    ]
    assert listed["subgraphs"][1]["title"] == HOSTILE
    assert one["subgraph"]["last_seen"] == "2026-03-02T00:30:00Z"
    assert one["subgraph"]["story"][0] == {
        "sentence": "At 00:10 ws1 logged on to fs1.",
        "alert_ids": ["a0", "a1", "a2", "a3", "a4"],
        "n_alert_ids": 40,
    }
    assert [row["name"] for row in one["evidence"]] == ["rdp logon", "stop cpu"]
    assert [row["verdict"] for row in one["verdicts"]] == ["true_positive", "false_positive"]


def test_a_subgraph_that_is_not_there_ends_with_two(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said_of = "ResultsError: the run has no subgraph {}; it shows sg-1, sg-2"

    for wanted in ("sg-9", "5", "9" * 40, "x' OR 'a' = 'a"):
        assert said(capsys, run, wanted, code=2) == [said_of.format(wanted)]


def test_a_run_is_named_by_its_id_or_as_the_latest(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = run.parent.parent / "run.yaml"
    sources = [{"table": "SecurityAlert", "format": "security_alert"}]
    file.write_text(json.dumps({"export": {"root": "x"}, "sources": sources, "results": {"path": str(run.parent)}}))
    save(run.parent / "run-2", tables_of())
    (run.parent / "run-3").mkdir()  # a run that did not finish
    of = ("--config", file)

    assert said(capsys, "run-1", *of)[0].startswith("run       run-1,")
    assert said(capsys, "latest", *of)[0].startswith("run       run-2,")
    assert said(capsys, "latest", *of)[2:] == ["no subgraph: nothing in the window was out of the ordinary"]
    assert said(capsys, "run-3", *of, code=2)[0].startswith(f"ResultsError: {run.parent}/run-3 holds no run.json")
    assert said(capsys, "latest", *of, "--set", f"results.path={run}", code=2) == [
        f"ResultsError: {run} holds no run that was saved whole"
    ]
    assert said(capsys, "latest", code=2) == [
        "ConfigError: latest is no folder; a run id, or latest, needs --config with the job's YAML file"
    ]
