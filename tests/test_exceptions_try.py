"""The dry run: what a list would have hidden in past runs, true attacks first, and what keeps the rest shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrows import table_of
from incident import DAY, story

from alertgraph_spark.__main__ import main
from alertgraph_spark.commands.exceptions import try_exceptions
from alertgraph_spark.config.alert_exception import AlertException
from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.tables.schemas import EVIDENCE, MEMBERS, MOTIF_HITS, SUBGRAPHS
from alertgraph_spark.tables.verdict_schemas import VERDICTS

HOSTILE = "\x1b[2J<b>"
SCANS = story("scan", 1, "10 scan01/it -> fs1/it Port Scan", "20 scan01/it -> fs2/it Port Scan")
ATTACK = story("attack", -(2**63), "10 scan01/it -> fs1/it Port Scan", "30 fs1/it -> dc1/it rdp logon")
ALONE = story("alone", 7, "10 ws9/it usb stick")
EARLY = AlertException(
    "scanner", "it-ops", "nightly scan", ALONE[0]["started_at"], ALONE[0]["ended_at"], entity="host:scan01"
)


def tables_of(*stories: Sequence[dict[str, Any]], shown: Sequence[str] = ("scan", "attack")) -> dict[str, pa.Table]:
    """What a run saved of subgraphs named after their sites, in this order of rank."""
    empty = {c.name: [] if c.type.startswith("array") else None for c in SUBGRAPHS.columns}
    rows: dict[str, list[dict[str, Any]]] = {"subgraphs": [], "evidence": [], "members": []}
    for rank, episodes in enumerate(stories, 1):
        site = episodes[0]["site"]
        key = {"subgraph_id": f"sg-{site}", "site": site}
        told = {"rank": rank, "score": 1 - rank / 10, "is_shown": site in shown, "title": f"{site}{HOSTILE}"}
        rows["subgraphs"].append({**empty, **key, **told})
        for episode in episodes:
            hexed = f"{episode['episode'] % 2**64:016x}"
            rows["evidence"].append({**episode, **key, "episode_id": hexed})
            alert = {"alert_id": hexed, "item_id": None, "episode_id": hexed, "role": "core"}
            rows["members"] += [{**key, **alert, "alert_id": f"{hexed}/{n}"} for n in range(2)]
    hits = [
        {**dict.fromkeys(MOTIF_HITS.names), "subgraph_id": "sg-alone", "motif": "beacon", "episodes": ["0" * 15 + "7"]}
    ]
    tables = (SUBGRAPHS, EVIDENCE, MEMBERS)
    return {table.name: table_of(table, rows[table.name]) for table in tables} | {
        "motif_hits": pa.Table.from_pylist(hits, table_of(MOTIF_HITS, []).schema)
    }


def verdicts(**given: str) -> dict[str, pa.Table]:
    said = [{"subgraph_id": f"sg-{name}", "verdict": verdict, "is_latest": True} for name, verdict in given.items()]
    rows = [dict.fromkeys(VERDICTS.names) | row | {"certainty": 1.0, "judged_at": DAY, "source": "x"} for row in said]
    return {"verdicts": table_of(VERDICTS, rows)}


def test_what_is_explained_whole_would_have_been_hidden_whenever_it_was() -> None:
    tried = try_exceptions(tables_of(SCANS, ATTACK, ALONE), [EARLY])

    assert [(row["subgraph_id"], row["ids"]) for row in tried.hidden] == [("sg-scan", ["scanner"])]
    (near,) = tried.near
    assert (near["subgraph_id"], near["n_covered"], near["n_count"]) == ("sg-attack", 1, 2)
    assert near["open"] == {"name": "rdp logon", "source": "host:fs1", "target": "host:dc1"}
    assert (tried.n_shown, tried.used) == (2, {"scanner"})


def test_true_attacks_come_first() -> None:
    both = [EARLY, AlertException("all", "x", "y", EARLY.begins, EARLY.until, alert="rdp logon")]
    tables = tables_of(SCANS, ATTACK, ALONE)

    def order(**given: str) -> list[tuple[str, bool]]:
        tried = try_exceptions({**tables, **verdicts(**given)}, both)
        return [(row["subgraph_id"], row["is_attack"]) for row in tried.hidden]

    assert order() == [("sg-scan", False), ("sg-attack", False)]
    assert order(attack="true_positive", scan="benign_positive") == [("sg-attack", True), ("sg-scan", False)]
    assert order(attack="false_positive") == [("sg-scan", False), ("sg-attack", False)]


def test_a_motif_and_the_asset_list_count_as_in_a_run() -> None:
    tables = tables_of(SCANS, ATTACK, ALONE)
    beacon = AlertException("b", "x", "y", EARLY.begins, EARLY.until, motif="beacon")
    named = AlertException("n", "x", "y", EARLY.begins, EARLY.until, entity="ip:10.0.0.7")

    assert [row["subgraph_id"] for row in try_exceptions(tables, [beacon]).hidden] == ["sg-alone"]
    assert try_exceptions(tables, [named]).hidden == []
    assets = [Asset("10.0.0.7", name="scan01")]
    assert [row["subgraph_id"] for row in try_exceptions(tables, [named], assets).hidden] == ["sg-scan"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "run-1"
    for name, table in tables_of(SCANS, ATTACK, ALONE).items():
        (folder / name).mkdir(parents=True)
        pq.write_table(table, folder / name / "part-00000.parquet")
    (folder / "run.json").write_text(json.dumps({"run_id": "run-1"}))
    return folder


def listed(tmp_path: Path) -> Path:
    file = tmp_path / "known.csv"
    rows = ["scanner,scan01,,it-ops,nightly scan", "usb,ws9,usb s*,desk,=stick", "unused,nobody01,,desk,none"]
    ends = "2026-03-01,2026-06-01"
    file.write_text("id,entity,alert,owner,reason,from,until\n" + "".join(f"{row},{ends}\n" for row in rows))
    return file


def test_the_command_says_it(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = listed(tmp_path)

    assert main(["exceptions", "try", str(file), str(run)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"list      {file}: 3 exceptions, tried as if each were in force",
        "",
        f"run       {run}",
        "hides     1 of 2 shown, and 1 that were not shown",
        r"  rank 1    score 0.900  sg-scan  scan\x1b[2J<b>",
        "       by scanner, it-ops: nightly scan",
        "near      1 shown, explained in part and not hidden",
        r"  rank 2    score 0.800  sg-attack  attack\x1b[2J<b>",
        "       explained are 1 of 2 episodes that count; the first that is not: “rdp logon” host:fs1 → host:dc1",
        "no match  unused: entity host:nobody01",
    ]


def test_a_true_attack_ends_with_two(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "verdicts").mkdir()
    pq.write_table(verdicts(alone="true_positive")["verdicts"], run / "verdicts" / "part-00000.parquet")

    assert main(["exceptions", "try", str(listed(tmp_path)), str(run)]) == 2
    out = capsys.readouterr().out.splitlines()
    assert out[4:7] == [
        r"  TRUE ATTACK  rank 3    score 0.700  sg-alone  alone\x1b[2J<b>",
        "       by usb, desk: =stick",
        r"  rank 1    score 0.900  sg-scan  scan\x1b[2J<b>",
    ]


def test_what_cannot_be_used_is_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("entity,owner\nws1,soc\n")

    assert main(["exceptions", "try", str(bad), str(run)]) == 2
    assert capsys.readouterr().err == f"ConfigError: {bad}:2: without reason, from, until\n"
    assert main(["exceptions", "try", str(listed(tmp_path)), str(tmp_path)]) == 2
    assert "saved by an older version" in capsys.readouterr().err
