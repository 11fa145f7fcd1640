"""The emulator answers as the service does, and what executors post to it is what its tables hold."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import re
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from arrows import table_of
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import ConfigError, PublishError, SchemaError
from alertgraph_spark.publish.files import MemoryFiles
from alertgraph_spark.publish.http_post import Response, post
from alertgraph_spark.publish.log_analytics import PostCounts, frames, here, post_results, posting
from alertgraph_spark.publish.log_analytics.batches import MAX_BODY_BYTES, Receipt
from alertgraph_spark.publish.log_analytics.changes import Changes, Freshness
from alertgraph_spark.publish.log_analytics.ledger import Ledger, TablePlan
from alertgraph_spark.publish.log_analytics.rows import RowEncoder, row_id
from alertgraph_spark.publish.log_analytics.streams import STREAMS, Stream
from alertgraph_spark.publish.log_analytics.tasks import Delivery, Edges, send_batches
from alertgraph_spark.publish.log_analytics.transport import ingestion_url
from alertgraph_spark.publish.results import LocalFolder
from alertgraph_spark.tables.health_schemas import HEALTH
from alertgraph_spark.tables.network_schemas import EDGES, NODES
from alertgraph_spark.tables.run_schemas import RUNS
from alertgraph_spark.tables.schemas import MEMBERS, SUBGRAPHS
from alertgraph_spark.tables.table import table as declared
from alertgraph_spark.tables.verdict_schemas import VERDICTS

EMULATOR = Path(__file__).parent.parent / "examples" / "emulator"
sys.path.insert(0, str(EMULATOR.parent))  # the examples are no part of the wheel

from emulator.faults import FAULTS, Fault, FaultPlan  # noqa: E402 - needs the line above
from emulator.server import DCR_ID, RULE, LogsIngestionEmulator, kept_time, stored_value  # noqa: E402 - needs the line above

UTC = timezone.utc
NODES_STREAM = "Custom-AlertGraphNodes_CL"

# Python workers inherit the environment in which the JVM was started, so it is set before the first test starts one.
TOKEN_VARIABLE = "ALERTGRAPH_TEST_INGESTION_TOKEN"
TOKEN = os.environ.setdefault(TOKEN_VARIABLE, secrets.token_hex(16))


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[LogsIngestionEmulator]:
    with LogsIngestionEmulator(tmp_path / "rows.sqlite", TOKEN) as running:
        yield running


def stored(tmp_path: Path, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table in the order of arrival."""
    connection = sqlite3.connect(tmp_path / "rows.sqlite")
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY _rowid_')]  # not our RowId
    connection.close()
    return rows


# --- the service's answers -------------------------------------------------------------------------------------------


def ask(
    emulator: LogsIngestionEmulator,
    body: bytes = b"[]",
    *,
    token: str | None = TOKEN,
    dcr: str = DCR_ID,
    stream: str = NODES_STREAM,
    **headers: str,
) -> Response:
    authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
    return post(ingestion_url(emulator.url, dcr, stream), authorization | headers, body, 10.0)


def test_each_refusal_has_its_status(emulator: LogsIngestionEmulator) -> None:
    assert ask(emulator).status == 204
    assert ask(emulator, token=None).status == 401
    assert ask(emulator, token="another").status == 403
    assert ask(emulator, dcr="dcr-1").status == 404
    undeclared = ask(emulator, stream="Custom-Other_CL")
    assert (undeclared.status, undeclared.code) == (400, "InvalidStream")
    assert ask(emulator, b'[{"Site": "a"}').status == 400
    assert ask(emulator, b'{"Site": "a"}').status == 400
    assert ask(emulator, b"[1]").status == 400
    assert ask(emulator, b'[{"NAlerts": NaN}]').status == 400
    assert ask(emulator, b"[]", **{"Content-Encoding": "gzip"}).status == 400
    url = ingestion_url(emulator.url, DCR_ID, NODES_STREAM)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert post(url.replace("2023-01-01", "2021-11-01"), bearer, b"[]", 10.0).status == 400
    assert post(f"{emulator.url}/metrics", bearer, b"[]", 10.0).status == 404


def test_a_body_over_1_mb_is_refused_packed_or_not(emulator: LogsIngestionEmulator) -> None:
    fits = b'["' + b"x" * (1024 * 1024 - 4) + b'"]'
    packed = {"Content-Encoding": "gzip"}
    assert ask(emulator, fits).status == 400  # of a legal size, and no array of objects
    assert ask(emulator, fits + b" ").status == 413
    assert ask(emulator, gzip.compress(fits), **packed).status == 400
    assert ask(emulator, gzip.compress(fits + b" "), **packed).status == 413


def test_undeclared_columns_vanish_and_a_request_is_stored_whole(
    emulator: LogsIngestionEmulator, tmp_path: Path
) -> None:
    ask(emulator, json.dumps([{"Site": "a", "NAlerts": 2, "Undeclared": 1}, {"Site": "b"}]).encode())
    rows = stored(tmp_path, "AlertGraphNodes_CL")
    assert [(row["Site"], row["NAlerts"]) for row in rows] == [("a", 2), ("b", None)]
    assert "Undeclared" not in rows[0]
    assert rows[0]["TimeGenerated"] is not None  # the time of receipt


def test_a_column_keeps_its_type_only() -> None:
    assert stored_value(3, "long") == 3
    assert stored_value(True, "long") is None
    assert stored_value("3", "long") is None
    assert stored_value(1, "boolean") is None
    assert stored_value(2, "real") == 2
    assert stored_value(["é", None], "dynamic") == '["é", null]'
    assert stored_value("x" * 65_537, "string") == "x" * 65_536


def test_a_time_out_of_range_becomes_the_time_of_receipt() -> None:
    received = datetime(2026, 11, 24, tzinfo=UTC)
    for days, is_kept in ((-2.01, False), (-2, True), (0, True), (1, True), (1.01, False)):
        posted = (received + timedelta(days=days)).isoformat()
        assert kept_time(posted, received) == (posted if is_kept else "2026-11-24T00:00:00.000000Z")
    assert kept_time("yesterday", received) == kept_time(None, received) == "2026-11-24T00:00:00.000000Z"


def test_it_listens_on_loopback_only(emulator: LogsIngestionEmulator) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", emulator.url)


def test_the_command_prints_its_address_and_answers(tmp_path: Path) -> None:
    command = [sys.executable, f"{EMULATOR}/server.py", "--db", f"{tmp_path}/rows.sqlite", "--token-env"]
    refused = subprocess.run([*command, "NO_SUCH_VARIABLE"], capture_output=True, text=True, check=False, timeout=60)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "NO_SUCH_VARIABLE" in refused.stderr
    with subprocess.Popen([*command, TOKEN_VARIABLE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        body = json.dumps([{"Site": "plant"}]).encode()
        answer = post(ingestion_url(url, DCR_ID, NODES_STREAM), {"Authorization": f"Bearer {TOKEN}"}, body, 10.0)
        process.terminate()
    assert answer.status == 204
    assert [row["Site"] for row in stored(tmp_path, "AlertGraphNodes_CL")] == ["plant"]


def test_a_connection_that_nobody_takes_is_a_broken_one() -> None:
    with LogsIngestionEmulator(":memory:", TOKEN) as gone:
        pass
    assert ask(gone) == Response(0, code="ConnectionRefusedError")


# --- what goes wrong ---

STORING = {"slow", "503 after storing", "hang after storing", "answer torn after storing", "answer lost after storing"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_answers_and_stores_as_its_name_says(
    emulator: LogsIngestionEmulator, tmp_path: Path, fault: Fault
) -> None:
    emulator.faults = FaultPlan([fault])
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = post(ingestion_url(emulator.url, DCR_ID, NODES_STREAM), headers, b'[{"Site": "a"}]', 0.3)
    said = {"slow": 204}.get(fault.name, int(fault.name[:3]) if fault.name[:3].isdecimal() else 0)
    assert answer.status == said
    assert ("retry-after" in answer.headers) == (fault.name == "429 with Retry-After")
    assert len(stored(tmp_path, "AlertGraphNodes_CL")) == (fault.name in STORING)
    assert ask(emulator).status == 204, "the next request goes through"
    assert emulator.faults.struck == {fault.name: 1}


def test_a_seed_is_a_plan() -> None:
    def drawn(seed: int) -> list[str]:
        plan = FaultPlan.seeded(seed, 0.3, most=50)
        return [fault.name if fault else "" for fault in (plan.next() for _ in range(400))]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len([name for name in drawn(1) if name]) == 50
    assert 30 < len([name for name in drawn(3)[:150] if name]) < 60  # 45 in the mean


# --- what is posted --------------------------------------------------------------------------------------------------

T1, T2 = datetime(2026, 11, 24, 5, 0, 0, 1, tzinfo=UTC), datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
RUN_TIME = datetime.now(UTC).replace(microsecond=0)
TEXT = "Büro → Werk\u2028“2” \\ \x01 𝛼"
WHY = [
    {"term": "rarity", "value": 0.5, "fact": "seen 1 of 90 h"},
    {"term": "severity", "value": float("nan"), "fact": None},
]


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    nodes = [
        ("sg-2", "plant", "host:web01", "web01", "host", "it", "IT", None, 3, T1, T2),
        ("sg-1", "plant", "ip:10.0.0.5", TEXT, "ip", "ot", "OT", "plc", 2**53 + 1, T1, T1),
    ]
    edges = [
        ("sg-1", "plant", "host:b", "ip:10.0.0.5", ["Stop", TEXT], 3, 1, 0.25, T1, T2),
        ("sg-1", "plant", "host:a", "ip:10.0.0.5", [], 1, 1, 1.0, T1, T1),
        ("sg-1", "plant", "host:c", "host:c", None, 1, 1, 0.0, T1, T1),
    ]
    told: dict[str, Any] = {
        "severity": 0.5,
        "title": "Pivot",
        "reasons": ["rare"],
        "unusual": [],
        "checks": [],
        "owners": [{"entity": "host:web01", "owner": TEXT, "runbook": None}],
        "tickets": ["CHG-7"],
        "path": [],
    }
    told |= {
        "story": [{"sentence": "It began.", "alert_ids": ["a-0"]}],
        "ties": ["one followed the other"],
        "related": [{"subgraph_id": "sg-0000000000000002", "fact": "host fs1 in common; 3 days before"}],
        "probability": 0.5,
        "site": "plant",
        "first_seen": T1,
        "last_seen": T2,
    }
    of_first = ("sg-1", 0.9, 1, True, 5, 2, 3, ["impact"], None, WHY, TEXT)
    of_second = ("sg-2", 0.1, 2, False, 3, 1, 1, [], [], [], None)
    own = ("subgraph_id", "score", "rank", "is_shown", "n_alerts", "n_episodes", "n_hosts", "tactics", "motifs")
    own += ("contributions", "summary")
    both = [told | dict(zip(own, row, strict=True)) for row in (of_first, of_second)]
    types = [{"source": "edr", "name": TEXT, "n_alerts": 2, "alert_ids": ["a-0", "a-1"]}]
    both[0]["counterfactual"] = {"cut": 0.5, "score": 0.4, "types": types, "fact": "without it it would score 0.4"}
    both[1]["counterfactual"] = None
    both[0]["suppressed_by"] = []
    both[1]["suppressed_by"] = [{"id": "ex-1", "owner": "soc", "reason": TEXT, "ticket": None, "until": T2}]
    subgraphs: list[tuple[Any, ...]] = [tuple(row[name] for name in SUBGRAPHS.names) for row in both]
    members: list[tuple[Any, ...]] = [
        ("sg-1", f"a-{i}", None if i == 4 else f"i-{i}", "plant", "0" * 16, "core") for i in range(5)
    ]
    silent = dict.fromkeys(HEALTH.names) | {"site": "plant", "table": "Ids_CL", "status": "silent", "age_hours": 7.5}
    health: list[tuple[Any, ...]] = [tuple(silent.values())]
    word: dict[str, Any] = dict.fromkeys(VERDICTS.names) | {"site": "plant", "subgraph_id": "sg-1", "is_latest": True}
    word |= {"verdict": "benign_positive", "certainty": 0.5, "judged_at": T2, "source": "incident 4", "reason": TEXT}
    verdicts: list[tuple[Any, ...]] = [tuple(word.values())]
    counts = [{"name": "rows_read", "n": 9}, {"name": "alerts", "n": 8}]
    ran = [{"name": "spark", "version": "3.5.9"}], counts, [{"name": "torn line", "n": 1}]
    runs: list[tuple[Any, ...]] = [(T1, T2, "0123456789ab", "driver", *ran, None, None, None, None)]
    return {
        table.name: table_of(table, [dict(zip(table.names, row, strict=True)) for row in rows])
        for table, rows in (
            *((MEMBERS, members), (NODES, nodes), (EDGES, edges)),
            *((SUBGRAPHS, subgraphs), (VERDICTS, verdicts), (HEALTH, health), (RUNS, runs)),
        )
    }


def frame_of(spark: SparkSession, table: pa.Table, ddl: str) -> DataFrame:
    """An Arrow table as Spark would read it."""
    return spark.createDataFrame(table.to_pylist(), ddl)


def post_to(emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], **changes: Any) -> dict[str, PostCounts]:
    settings: dict[str, Any] = {
        "mode": "logs_ingestion",
        "run_id": "run-7",
        "time_generated": RUN_TIME,
        "endpoint": emulator.url,
        "dcr_id": DCR_ID,
        "credential": f"env:{TOKEN_VARIABLE}",
    }
    return post_results(tables, **(settings | changes))


RUN_TIME_TEXT = RUN_TIME.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
T1_TEXT, T2_TEXT = "2026-11-24T05:00:00.000001Z", "2026-11-24T06:30:00.000000Z"


def test_what_is_posted_is_what_the_tables_hold(
    emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], tmp_path: Path
) -> None:
    counts = post_to(emulator, tables)
    assert {name: replace(done, n_bytes=0) for name, done in counts.items()} == {
        "members": PostCounts(n_rows=5, n_sent=5, n_batches=1),
        "nodes": PostCounts(n_rows=2, n_sent=2, n_batches=1),
        "edges": PostCounts(n_rows=3, n_sent=3, n_batches=1),
        "subgraphs": PostCounts(n_rows=2, n_sent=2, n_batches=1),
        "verdicts": PostCounts(n_rows=1, n_sent=1, n_batches=1),
        "health": PostCounts(n_rows=1, n_sent=1, n_batches=1),
        "runs": PostCounts(n_rows=1, n_sent=1, n_batches=1),
    }
    assert all(done.is_complete for done in counts.values())
    nodes = stored(tmp_path, "AlertGraphNodes_CL")
    row_ids = {row.pop("RowId") for row in nodes}
    assert len(row_ids) == 2
    run = {"TimeGenerated": RUN_TIME_TEXT, "RunId": "run-7", "Site": "plant"}
    assert nodes == [  # in the order of site, subgraph, node
        run
        | {"SubgraphId": "sg-1", "NodeId": "ip:10.0.0.5", "Label": TEXT, "Kind": "ip", "Zone": "ot", "Domain": "OT"}
        | {"Role": "plc", "NAlerts": 2**53 + 1, "FirstSeen": T1_TEXT, "LastSeen": T1_TEXT},
        run
        | {"SubgraphId": "sg-2", "NodeId": "host:web01", "Label": "web01", "Kind": "host", "Zone": "it", "Domain": "IT"}
        | {"Role": None, "NAlerts": 3, "FirstSeen": T1_TEXT, "LastSeen": T2_TEXT},
    ]
    edges = stored(tmp_path, "AlertGraphEdges_CL")
    assert [(e["Source"], e["Names"], e["MaxSeverity"]) for e in edges] == [
        ("host:a", "[]", 1.0),
        ("host:b", json.dumps(["Stop", TEXT], ensure_ascii=False), 0.25),
        ("host:c", None, 0.0),
    ]
    first, second = stored(tmp_path, "AlertGraphSubgraphs_CL")
    assert json.loads(first["Contributions"]) == [
        {"term": "rarity", "value": 0.5, "fact": "seen 1 of 90 h"},
        {"term": "severity", "value": None, "fact": None},
    ]
    assert (first["IsShown"], first["Score"], first["Motifs"], first["Summary"]) == (1, 0.9, None, TEXT)
    assert (second["IsShown"], second["Rank"], second["Motifs"], second["Summary"]) == (0, 2, "[]", None)
    related = [{"subgraph_id": "sg-0000000000000002", "fact": "host fs1 in common; 3 days before"}]
    assert json.loads(first["Related"]) == related
    members = stored(tmp_path, "AlertGraphMembers_CL")
    assert [(m["AlertId"], m["ItemId"]) for m in members] == [*((f"a-{i}", f"i-{i}") for i in range(4)), ("a-4", None)]
    (source,) = stored(tmp_path, "AlertGraphHealth_CL")
    assert [source[name] for name in ("Site", "Table", "Status", "AgeHours", "StoreLagHours")] == [
        *("plant", "Ids_CL", "silent", 7.5, None),
    ]
    (ran,) = stored(tmp_path, "AlertGraphRuns_CL")
    assert (ran["RunId"], ran["Engine"], ran["WindowStart"], ran["WindowEnd"]) == ("run-7", "driver", T1_TEXT, T2_TEXT)
    assert json.loads(ran["Counts"]) == [{"name": "rows_read", "n": 9}, {"name": "alerts", "n": 8}]


@pytest.mark.parametrize("from_driver", [False, True])
def test_what_executors_post_is_what_leaves_from_here(
    from_driver: bool,
    emulator: LogsIngestionEmulator,
    tables: dict[str, pa.Table],
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    post_to(emulator, tables)
    asked: list[str] = []

    def read_frame(name: str) -> DataFrame:
        asked.append(name)
        return frame_of(spark, tables[name], next(s.table.ddl for s in STREAMS if s.table.name == name))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posting, "SMALL_ROWS", 2)
        patch.setattr(frames, "n_partitions", lambda frame, limit: 2)
        large = post_to(emulator, tables, read_frame=read_frame, from_driver=from_driver)
    assert set(asked) == {"members", "edges"}, "five rows and three; two are small"
    assert all(done.is_complete for done in large.values())
    for table in ("AlertGraphMembers_CL", "AlertGraphNodes_CL", "AlertGraphEdges_CL"):
        rows = stored(tmp_path, table)
        (of_here, of_spark) = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        assert sorted(of_spark, key=lambda row: str(row["RowId"])) == sorted(of_here, key=lambda row: str(row["RowId"]))


@pytest.mark.parametrize("is_large", [False, True], ids=["here", "executors"])
def test_of_tables_with_subgraphs_rows_of_those_that_changed_leave_and_are_counted(
    is_large: bool, emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], spark: SparkSession, tmp_path: Path
) -> None:
    """The same from this process and from executors: a subgraph of the same id at another site has not changed."""
    elsewhere = {**tables["nodes"].to_pylist()[1], "site": "mill"}
    both = tables | {"nodes": table_of(NODES, [*tables["nodes"].to_pylist(), elsewhere])}

    def read_frame(name: str) -> DataFrame:
        return frame_of(spark, both[name], next(s.table.ddl for s in STREAMS if s.table.name == name))

    changes = Changes(frozenset({("plant", "sg-1")}), (("plant", "sg-9"),), Freshness(1, 5.0, 5.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posting, "SMALL_ROWS", 0 if is_large else 10_000)
        patch.setattr(frames, "n_partitions", lambda frame, limit: 2)
        counts = post_to(emulator, both, read_frame=read_frame, changes=changes, files=MemoryFiles())

    assert {name: (done.n_sent, done.n_unchanged, done.is_complete) for name, done in counts.items()} == {
        **{"members": (5, 0, True), "nodes": (1, 2, True), "edges": (3, 0, True), "subgraphs": (1, 1, True)},
        **{"verdicts": (1, 0, True), "health": (1, 0, True), "runs": (1, 0, True)},
    }
    for table in ("Members", "Nodes", "Edges", "Subgraphs"):
        assert {(row["Site"], row["SubgraphId"]) for row in stored(tmp_path, f"AlertGraph{table}_CL")} == {
            ("plant", "sg-1")
        }
    (ran,) = stored(tmp_path, "AlertGraphRuns_CL")
    assert (ran["NPosted"], ran["FreshnessMaxSeconds"]) == (1, 5.0)
    assert json.loads(ran["Withdrawn"]) == [{"site": "plant", "subgraph_id": "sg-9"}]


def test_a_second_post_of_a_run_repeats_rows_order_and_ids(
    emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], tmp_path: Path
) -> None:
    first = post_to(emulator, tables)
    shuffled = {name: table.take(list(reversed(range(len(table))))) for name, table in tables.items()}
    assert post_to(emulator, shuffled, from_driver=True) == first
    for table in ("AlertGraphNodes_CL", "AlertGraphEdges_CL", "AlertGraphSubgraphs_CL"):
        rows = stored(tmp_path, table)
        assert rows[: len(rows) // 2] == rows[len(rows) // 2 :]


def test_a_folder_gets_the_same_rows(
    emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], tmp_path: Path
) -> None:
    stale = tmp_path / "posted" / "run-7" / "AlertGraphNodes_CL" / "part-00000-of-spark.txt"
    stale.parent.mkdir(parents=True)
    stale.touch()
    counts = post_to(emulator, tables, mode="file", folder=f"{tmp_path}/posted/", open_folder=LocalFolder)
    assert counts["edges"] == PostCounts(n_rows=3, n_sent=3)
    (part,) = (tmp_path / "posted" / "run-7" / "AlertGraphNodes_CL").glob("part-*")
    first, second = (json.loads(line) for line in part.read_bytes().rstrip(b"\n").split(b"\n"))
    assert first == {
        **{"TimeGenerated": RUN_TIME_TEXT, "RunId": "run-7", "Site": "plant", "SubgraphId": "sg-1"},
        **{"RowId": row_id("run-7", "nodes", ["plant", "sg-1", "ip:10.0.0.5"])},
        **{"NodeId": "ip:10.0.0.5", "Label": TEXT, "Kind": "ip", "Zone": "ot", "Domain": "OT", "Role": "plc"},
        **{"NAlerts": 2**53 + 1, "FirstSeen": T1_TEXT, "LastSeen": T1_TEXT},
    }
    assert (second["NodeId"], second["Role"]) == ("host:web01", None)
    assert stored(tmp_path, "AlertGraphNodes_CL") == []  # nothing was posted


def test_a_folder_that_cannot_be_written_is_named(
    emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        PublishError, match=r"post\.folder: cannot write .*/file/run-7/AlertGraphMembers_CL/.*: Not a dir"
    ):
        post_to(emulator, tables, mode="file", folder=f"{tmp_path}/file", open_folder=LocalFolder)


def test_a_refusal_ends_the_post_with_its_remedy_and_without_a_token(
    emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="alertgraph_spark")
    counts = post_to(emulator, tables, dcr_id="dcr-1")
    assert re.search(r"404.*post\.dcr_id", counts["members"].error)
    assert [(done.n_rows, done.n_sent, done.is_complete) for done in counts.values()] == [
        *((5, 0, False), (2, 0, False), (3, 0, False), (2, 0, False)),
        *[(1, 0, False)] * 3,
    ]
    assert counts["nodes"].error == "not tried after the one before it"
    assert (
        "NO_SUCH_VARIABLE is not set" in post_to(emulator, tables, credential="env:NO_SUCH_VARIABLE")["members"].error
    )
    emulator.service.token = "another"
    refused = post_to(emulator, tables)["members"]
    assert "Monitoring Metrics Publisher" in refused.error
    assert TOKEN not in f"{refused!r} {caplog.text}"
    assert stored(tmp_path, "AlertGraphNodes_CL") == []


def test_a_table_of_another_shape_is_an_error_before_the_first_byte(
    emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], tmp_path: Path
) -> None:
    wrong = {
        **tables,
        "edges": tables["edges"].drop_columns(["names"]),
        "subgraphs": with_column(tables["subgraphs"], "rank", ["1", "2"]),
    }
    with pytest.raises(SchemaError, match=r"names: want array<string>, have no such column.*rank: want bigint"):
        post_to(emulator, wrong)
    assert stored(tmp_path, "AlertGraphNodes_CL") == []


def with_column(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


def many_nodes(tables: dict[str, pa.Table]) -> pa.Table:
    """Forty rows of 60,000 letters and about 400 bytes more: 16 in 990,000 bytes, so 3 batches; and one too large."""
    (base,) = [row for row in tables["nodes"].to_pylist() if row["subgraph_id"] == "sg-1"]
    many = [{**base, "node_id": f"ip:{i:03d}", "label": "x" * 60_000} for i in reversed(range(40))]
    # Escaped as \u0001 each of its 60,000 bytes becomes 6: 360,000, and three such fields are over 990,000 bytes.
    huge = {**base, "node_id": "ip:z"} | dict.fromkeys(("label", "zone", "kind"), "\x01" * 60_000)
    return table_of(NODES, [*many, huge])


def test_many_rows_go_in_batches_below_the_limit_and_a_row_too_large_is_counted(
    emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], tmp_path: Path
) -> None:
    files = MemoryFiles()
    counts = post_to(emulator, {**tables, "nodes": many_nodes(tables)}, files=files)
    sent = counts["nodes"]
    assert (sent.n_rows, sent.n_sent, sent.n_refused, sent.n_batches, sent.is_complete) == (41, 40, 1, 3, False)
    assert counts["runs"].is_complete, "one row too large does not hold up the others"
    rows = stored(tmp_path, "AlertGraphNodes_CL")
    assert [row["NodeId"] for row in rows] == [f"ip:{i:03d}" for i in range(40)]
    assert MAX_BODY_BYTES // 60_400 == 16
    (name,) = files.names("posted/dead_letters")
    (letter,) = [json.loads(line) for line in (files.read(f"posted/dead_letters/{name}") or b"").splitlines()]
    assert (letter["RowId"], letter["answer"]) == (
        row_id("run-7", "nodes", ["plant", "sg-1", "ip:z"]),
        "not sent: over 990000 bytes",
    )
    assert letter["row"]["NodeId"] == "ip:z"


def test_executors_make_the_batches_that_are_made_here(spark: SparkSession, tables: dict[str, pa.Table]) -> None:
    def answer(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
        return Response(204)

    nodes, edges = many_nodes(tables), Edges(lambda *, fresh=False: Secret(TOKEN), answer)
    delivery = Delivery(RowEncoder(STREAMS[1], "run-7", RUN_TIME), "https://x/", "default", "scope")
    frame = frame_of(spark, nodes, NODES.ddl).repartition(3)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "7")  # ours span Arrow's
    try:
        by_spark = list(frames.sent(frame, delivery, TablePlan(41, 1), edges))
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    assert by_spark == list(here.sent(nodes, delivery, edges))
    assert [(receipt.n_rows, len(receipt.refused)) for receipt in by_spark] == [(16, 0), (16, 0), (8, 0), (0, 1)]


def test_receipts_that_do_not_add_up_are_an_error() -> None:
    receipts = [Receipt("a", n_rows=3, n_fields_cut=1), Receipt("b", refused=("row3",)), Receipt("c", n_known=2)]

    def added(n_rows: int) -> PostCounts:
        return Ledger(MemoryFiles(), "posted/x").record_all("nodes", n_rows, receipts)

    assert added(6) == PostCounts(6, n_sent=3, n_before=2, n_refused=1, n_batches=1, n_fields_cut=1)
    assert "changed between counting and sending" in added(7).error


def test_a_second_post_with_the_ledger_of_the_first_sends_nothing(
    emulator: LogsIngestionEmulator, tables: dict[str, pa.Table]
) -> None:
    files = MemoryFiles()
    first = post_to(emulator, tables, files=files)
    requests, _ = emulator.traffic
    again = post_to(emulator, tables, files=files, time_generated=RUN_TIME + timedelta(hours=1))
    assert emulator.traffic[0] == requests
    assert [(done.n_sent, done.n_before) for done in again.values()] == [(0, done.n_sent) for done in first.values()]
    assert all(done.is_complete for done in again.values())
    # Another rule is another place: what the first has had, it has not.
    emulator.service.dcr_id = "dcr-1"
    assert post_to(emulator, tables, files=files, dcr_id="dcr-1") == first


def test_a_rule_that_lacks_a_column_is_an_error_before_the_first_byte(
    emulator: LogsIngestionEmulator, tables: dict[str, pa.Table], tmp_path: Path
) -> None:
    rule = json.loads(RULE.read_text(encoding="utf-8"))
    assert all(done.is_complete for done in post_to(emulator, tables, rule=str(RULE)).values())
    requests, _ = emulator.traffic
    columns = rule["resources"][0]["properties"]["streamDeclarations"]["Custom-AlertGraphRuns_CL"]["columns"]
    columns[:] = [column for column in columns if column["name"] != "Engine"]
    older = tmp_path / "older.json"
    older.write_text(json.dumps(rule), encoding="utf-8")
    with pytest.raises(SchemaError, match="Custom-AlertGraphRuns_CL: Engine: not declared"):
        post_to(emulator, tables, rule=str(older))
    older.write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"post\.rule: .*older\.json cannot be read as JSON"):
        post_to(emulator, tables, rule=str(older))
    assert emulator.traffic[0] == requests


def test_what_is_nested_is_one_field_of_json_from_here_and_from_executors_alike(
    spark: SparkSession, tmp_path: Path
) -> None:
    checks = "array<struct<what:string,at:timestamp,is_met:boolean,value:double,more:array<struct<n:int>>>>"
    columns = [("site", "string", "where"), ("node_id", "string", "what"), ("checks", checks, "how it was judged")]
    stream = Stream(declared("things", "one thing", *columns), ("site", "node_id"))
    judged = {"what": "é“", "at": T1, "is_met": True, "value": float("nan"), "more": [{"n": 7}]}
    nested = [judged, dict.fromkeys(judged)]
    values = {"b": [], "a": nested, "c": None}
    things = table_of(stream.table, [{"site": "plant", "node_id": n, "checks": value} for n, value in values.items()])
    frame = frame_of(spark, things, stream.table.ddl)
    encoder = RowEncoder(stream, "run-7", RUN_TIME)
    head = (
        f'{{"TimeGenerated":"{RUN_TIME_TEXT}","RunId":"run-7","RowId":"%s","Site":"plant","NodeId":"%s","Checks":%s}}'
    )
    fields = {
        "a": f'[{{"what":"é“","at":"{T1_TEXT}","is_met":true,"value":null,"more":[{{"n":7}}]}},'
        '{"what":null,"at":null,"is_met":null,"value":null,"more":null}]',
        **{"b": "[]", "c": "null"},
    }
    rows = [head % (row_id("run-7", "things", ["plant", node]), node, field) for node, field in fields.items()]

    posted: list[bytes] = []

    def send(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
        posted.append(gzip.decompress(body))
        return Response(204)

    edges = Edges(lambda *, fresh=False: Secret(TOKEN), send)
    delivery = Delivery(encoder, "https://x/", "default", "scope")
    for receipts in (here.sent(things, delivery, edges), frames.sent(frame, delivery, TablePlan(3, 1), edges)):
        (receipt,) = receipts
        assert (receipt.n_rows, receipt.refused) == (3, ())
        assert posted.pop() == f"[{','.join(rows)}]".encode()
    here.written(things, encoder, LocalFolder(str(tmp_path)), "here")
    frames.written(frame, encoder, str(tmp_path / "executors"))
    for folder in ("here", "executors"):
        (part,) = (tmp_path / folder).glob("part-*")
        assert part.read_text(encoding="utf-8").splitlines() == rows


def test_a_task_carries_the_reference_and_not_the_token() -> None:
    encoder = RowEncoder(STREAMS[0], "run-7", RUN_TIME)
    delivery = Delivery(encoder, "http://127.0.0.1:1/", f"env:{TOKEN_VARIABLE}", "scope")
    pickled = pickle.dumps(partial(send_batches, delivery))
    assert TOKEN_VARIABLE.encode() in pickled
    assert TOKEN.encode() not in pickled
