"""Streams, rows and the sender, each against hand-worked values and a transport of ten lines; no Spark job, no socket."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
import pathlib
import pickle
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from arrows import table_of

from alertgraph_spark.errors import ConfigError, PublishError, SchemaError
from alertgraph_spark.publish.files import MemoryFiles
from alertgraph_spark.publish.http_post import Response, retry_after_seconds
from alertgraph_spark.publish.log_analytics import frames, here, post_results, posting, stream_declarations
from alertgraph_spark.publish.log_analytics.batches import Receipt, batch_body, batches
from alertgraph_spark.publish.log_analytics.credentials import (
    AzureToken,
    Secret,
    StoredToken,
    token_provider,
    token_scope,
)
from alertgraph_spark.publish.log_analytics.fields import CUT_MARK, MAX_FIELD_BYTES, iso_utc
from alertgraph_spark.publish.log_analytics.ledger import PostCounts, TablePlan
from alertgraph_spark.publish.log_analytics.rate import RateLimiter
from alertgraph_spark.publish.log_analytics.rows import EncodedRow, RowEncoder, row_id
from alertgraph_spark.publish.log_analytics.sender import Sender
from alertgraph_spark.publish.log_analytics.streams import STREAMS, Stream, check_declared, column_name, column_type
from alertgraph_spark.publish.log_analytics.transport import ingestion_url
from alertgraph_spark.tables.table import table

UTC = timezone.utc
RUN_TIME = datetime(2026, 11, 24, 5, 6, 7, tzinfo=UTC)
MEMBERS, NODES, EDGES, SUBGRAPHS, VERDICTS, HEALTH, RUNS = STREAMS
ENDPOINT, DCR = "https://soc.westeurope-1.ingest.monitor.azure.com", "dcr-0123456789abcdef"


# --- streams ---------------------------------------------------------------------------------------------------------


def test_names_are_joined_parts_with_a_capital_each() -> None:
    assert [column_name(n) for n in ("subgraph_id", "n_alerts", "site", "is_shown")] == [
        "SubgraphId",
        "NAlerts",
        "Site",
        "IsShown",
    ]


def test_a_reserved_name_is_avoided_and_a_longer_one_is_not() -> None:
    assert [column_name(n) for n in ("type", "id", "title", "type_name")] == [
        "TypeValue",
        "IdValue",
        "TitleValue",
        "TypeName",
    ]


def test_types_of_log_analytics() -> None:
    assert column_type("bigint") == "long"
    assert column_type("double") == "real"
    assert column_type("array<struct<term:string,value:double,fact:string>>") == "dynamic"
    for other in ("decimal(10,2)", "map<string,int>", "array<map<string,int>>"):
        with pytest.raises(SchemaError, match=re.escape(f"no type for {other}; allowed: string")):
            column_type(other)


def test_declarations_are_legal_and_complete() -> None:
    declared = stream_declarations()
    assert list(declared) == [
        "Custom-AlertGraphMembers_CL",
        "Custom-AlertGraphNodes_CL",
        "Custom-AlertGraphEdges_CL",
        "Custom-AlertGraphSubgraphs_CL",  # after what it leads to, see STREAMS
        "Custom-AlertGraphVerdicts_CL",
        "Custom-AlertGraphHealth_CL",
        "Custom-AlertGraphRuns_CL",
    ]
    for stream in STREAMS:
        columns = declared[stream.name]["columns"]
        names = [column["name"] for column in columns]
        assert names[:3] == ["TimeGenerated", "RunId", "RowId"]
        assert len(names) == 3 + len(stream.table.columns)
        assert len({name.lower() for name in names}) == len(names)
        assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,44}", name) for name in names)
        assert set(stream.keys) <= set(stream.table.names)
    assert {"name": "Contributions", "type": "dynamic"} in declared["Custom-AlertGraphSubgraphs_CL"]["columns"]
    assert {"name": "FirstSeen", "type": "datetime"} in declared["Custom-AlertGraphNodes_CL"]["columns"]


def test_a_name_or_type_that_the_service_would_refuse_is_found() -> None:
    def problems(*columns: tuple[str, str, str]) -> list[str]:
        return Stream(table("t", "one thing", *columns), ()).check()

    assert problems(("a" * 45, "string", "")) == []
    assert "not a legal column name" in problems(("a" * 46, "string", ""))[0]
    assert "not a legal column name" in problems(("1st", "string", ""))[0]
    assert problems(("a_b", "string", ""), ("aB", "string", "")) == ["Custom-AlertGraphT_CL: two columns have one name"]
    assert problems(*((f"c{i}", "string", "") for i in range(497))) == []  # and the three of the run
    assert problems(*((f"c{i}", "string", "") for i in range(498))) == [
        "Custom-AlertGraphT_CL: 501 columns; 500 are allowed"
    ]


def test_a_column_that_the_deployed_rule_lacks_is_an_error_whatever_the_rule_is_wrapped_in() -> None:
    declared = stream_declarations()
    check_declared({"properties": {"streamDeclarations": declared}})
    check_declared({"resources": [{"tags": {}}, {"properties": {"streamDeclarations": declared}}]})

    older = json.loads(json.dumps(declared))
    del older["Custom-AlertGraphRuns_CL"]
    nodes = older["Custom-AlertGraphNodes_CL"]["columns"]
    nodes[:] = [{**c, "type": "string"} if c["name"] == "NAlerts" else c for c in nodes if c["name"] != "Zone"]
    nodes.append({"name": "Extra", "type": "string"})  # the service fills it with nulls: no harm
    with pytest.raises(SchemaError) as caught:
        check_declared({"streamDeclarations": older})
    assert str(caught.value) == (
        "nothing was posted: Custom-AlertGraphNodes_CL: Zone: not declared, the service would drop it; "
        "Custom-AlertGraphNodes_CL: NAlerts: declared as string, sent as long; "
        "Custom-AlertGraphRuns_CL: the rule does not declare this stream; redeploy the rule and its tables from deploy/"
    )


# --- rows ------------------------------------------------------------------------------------------------------------

EDGE = {
    "subgraph_id": "sg-1",
    "site": "plant",
    "source": "host:büro01",
    "target": "host:plc7",
    "names": ["Stop PLC", None],
    "n_alerts": 3,
    "n_episodes": 2,
    "max_severity": float("nan"),
    "first_seen": 1_500_000,  # microseconds: 1.5 s after 1970
    "last_seen": datetime(2026, 11, 24, 6, 0, tzinfo=timezone(timedelta(hours=1))),  # 05:00 UTC
}


def encode(**changes: Any) -> EncodedRow:
    return RowEncoder(EDGES, "run-7", RUN_TIME).encode(EDGE | changes)


def test_row_id_is_the_hash_of_run_table_and_key() -> None:
    parts = '["run-7","edges","plant","sg-1","host:büro01","host:plc7"]'
    assert encode().row_id == hashlib.sha256(parts.encode()).hexdigest()
    assert encode(n_alerts=99).row_id == encode().row_id  # not of the key
    assert encode(target="host:plc8").row_id != encode().row_id
    assert RowEncoder(EDGES, "run-8", RUN_TIME).encode(EDGE).row_id != encode().row_id
    assert RowEncoder(EDGES, "run-7", RUN_TIME + timedelta(hours=1)).encode(EDGE).row_id == encode().row_id
    assert row_id("r", "t", ["a|b", "c"]) != row_id("r", "t", ["a", "b|c"])  # a bare separator would collide


def test_row_is_exactly_this_json() -> None:
    key = encode().row_id
    assert encode().body.decode() == (
        f'{{"TimeGenerated":"2026-11-24T05:06:07.000000Z","RunId":"run-7","RowId":"{key}",'
        '"SubgraphId":"sg-1","Site":"plant","Source":"host:büro01","Target":"host:plc7","Names":["Stop PLC",null],'
        '"NAlerts":3,"NEpisodes":2,"MaxSeverity":null,'
        '"FirstSeen":"1970-01-01T00:00:01.500000Z","LastSeen":"2026-11-24T05:00:00.000000Z"}'
    )


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        iso_utc(datetime(2026, 11, 24))


def test_not_a_number_is_null_inside_a_dynamic_field_too() -> None:
    names = [{"value": float("inf"), "fact": "a\u2028b"}, {"value": 0.5, "fact": None}]
    assert json.loads(encode(names=names).body)["Names"] == [
        {"value": None, "fact": "a\u2028b"},
        {"value": 0.5, "fact": None},
    ]


def test_of_a_record_that_is_too_long_the_short_fields_stay_whole() -> None:
    """A counterfactual with its score and fact, and the ids of sixteen types: of these only what fits."""
    ids = [f"{n:03}" + "i" * 1000 for n in range(100)]
    record = {"score": 0.25, "ids": ids, "fact": "without “scan” it would not be shown"}

    row = encode(names=record)

    kept = json.loads(row.body)["Names"]
    assert list(kept) == list(record) and row.n_fields_cut == 1
    assert (kept["score"], kept["fact"]) == (record["score"], record["fact"])
    assert (kept["ids"][:-1], kept["ids"][-1]) == (ids[: len(kept["ids"]) - 1], CUT_MARK)
    assert (
        MAX_FIELD_BYTES - 1100
        < len(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode())
        <= MAX_FIELD_BYTES
    )


def test_of_a_first_sentence_that_is_too_long_its_words_stay() -> None:
    row = encode(
        names=[{"sentence": "First it came.", "ids": ["i" * 1000] * 100}, {"sentence": "Then it went.", "ids": []}]
    )

    first, second, mark = json.loads(row.body)["Names"]
    assert (first["sentence"], second["sentence"], mark) == ("First it came.", "Then it went.", CUT_MARK)
    assert 60 < len(first["ids"]) <= 66


def test_text_of_64_kb_stays_and_one_byte_more_is_cut_at_a_character() -> None:
    fits = "é" * (MAX_FIELD_BYTES // 2)  # two bytes each
    row = encode(source=fits)
    assert (json.loads(row.body)["Source"], row.n_fields_cut) == (fits, 0)
    row = encode(source=fits + "x")
    # The mark takes 3 + 5 bytes; 65536 - 8 = 65528 hold 32764 characters of two bytes.
    assert (json.loads(row.body)["Source"], row.n_fields_cut) == ("é" * 32764 + CUT_MARK, 1)
    # One byte further every character would straddle the cut: 65527 bytes after the x hold 32763 of them.
    assert json.loads(encode(source="x" + fits).body)["Source"] == "x" + "é" * 32763 + CUT_MARK


def test_an_array_over_64_kb_keeps_the_elements_that_fit_and_stays_json() -> None:
    # `["…[cut]"]` is 12 bytes, an element of 16,378 letters 16,380 and its comma: 12 + 4 * 16,381 = 65,536.
    row = encode(names=["n" * 16_378] * 5)
    assert json.loads(row.body)["Names"] == ["n" * 16_378] * 4 + [CUT_MARK]
    assert row.n_fields_cut == 1
    fits = encode(names=["n" * 16_378] * 4)
    assert (len(json.loads(fits.body)["Names"]), fits.n_fields_cut) == (4, 0)
    one_letter_more = encode(names=["n" * 16_379, *["n" * 16_378] * 4])
    assert len(json.loads(one_letter_more.body)["Names"]) == 3 + 1


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("n_alerts", "3", "NAlerts: str is no long"),
        ("n_alerts", True, "NAlerts: bool is no long"),
        ("n_alerts", 1 << 63, "NAlerts: int is no long"),
        ("max_severity", "0.5", "MaxSeverity: str is no real"),
        ("source", 7, "Source: int is no string"),
        ("first_seen", "2026-11-24", "FirstSeen: str is no datetime"),
        ("last_seen", datetime(2026, 11, 24), "LastSeen: datetime is no datetime"),  # without a zone
        ("names", [b"Stop"], "Names: list is no dynamic"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name_and_never_by_what_it_holds(
    column: str, value: Any, said: str
) -> None:
    with pytest.raises(SchemaError, match=f"^{said}$"):
        encode(**{column: value})
    first, refused, last = RowEncoder(EDGES, "run-7", RUN_TIME).encode_all(
        [EDGE | {"target": "a"}, EDGE | {column: value}, EDGE | {"target": "z"}]
    )
    assert (first.refusal, refused.refusal, last.refusal) == ("", said, "")


def test_the_widest_values_of_a_type_pass() -> None:
    for n in (-(1 << 63), (1 << 63) - 1):
        assert json.loads(encode(n_alerts=n).body)["NAlerts"] == n
    assert json.loads(encode(max_severity=1).body)["MaxSeverity"] == 1
    assert json.loads(encode(n_alerts=None).body)["NAlerts"] is None


def test_rows_of_one_key_stay_two_rows() -> None:
    other = EDGE | {"target": "host:plc8"}
    one, two, third = RowEncoder(EDGES, "run-7", RUN_TIME).encode_all([EDGE, EDGE | {"n_alerts": 4}, other])
    assert len({one.row_id, two.row_id, third.row_id}) == 3
    assert (one, third) == (
        encode(),
        encode(target="host:plc8"),
    )  # the first of a key has the id that it would have alone


# --- tables, in this process -----------------------------------------------------------------------------------------


def edge(site: str, subgraph: str, source: str, n_alerts: int = 1) -> dict[str, Any]:
    times = {"first_seen": RUN_TIME, "last_seen": RUN_TIME + timedelta(microseconds=1)}
    return EDGE | {"site": site, "subgraph_id": subgraph, "source": source, "n_alerts": n_alerts} | times


def test_rows_of_a_table_come_by_key_with_times_in_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "_ROWS_AT_A_TIME", 2)  # keys span what is read at a time
    rows = [
        edge("b", "1", "x"),
        edge("a", "2", "é"),
        edge("a", "2", "z", 5),
        edge("a", "2", "z", 4),
        edge("a", "10", "x"),
    ]
    tables = [table_of(EDGES.table, rows), table_of(EDGES.table, rows[::-1])]
    found = [list(here.sorted_rows(table, EDGES)) for table in tables]
    # As UTF-8, byte by byte: 10 before 2, z before é. Two rows of one key stand in one order whatever came first.
    assert [(r["site"], r["subgraph_id"], r["source"], r["n_alerts"]) for r in found[0]] == [
        *(("a", "10", "x", 1), ("a", "2", "z", 4), ("a", "2", "z", 5), ("a", "2", "é", 1), ("b", "1", "x", 1)),
    ]
    micros = int(RUN_TIME.timestamp()) * 1_000_000
    assert {(row["first_seen"], row["last_seen"]) for row in found[0]} == {(micros, micros + 1)}
    assert repr(found[0]) == repr(found[1])  # not a number is not itself


def test_a_saved_table_is_counted_by_its_footer_and_sent_as_one_in_memory(tmp_path: pathlib.Path) -> None:
    table = table_of(EDGES.table, [edge("a", "1", f"host:{i:04}") for i in range(2500)])
    pq.write_table(table, tmp_path / "edges.parquet")
    saved = ds.dataset(tmp_path)
    assert here.count(saved) == here.count(table) == 2500
    assert repr(list(here.sorted_rows(saved, EDGES))) == repr(list(here.sorted_rows(table, EDGES)))


def test_a_folder_gets_files_of_so_many_lines_and_an_empty_table_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "_ROWS_A_FILE", 2)
    files = MemoryFiles({"t/part-00007.txt": b"of an earlier attempt"})
    encoder = RowEncoder(EDGES, "run-7", RUN_TIME)
    rows = [edge("a", "1", f"host:{i}") for i in range(3)]
    assert here.written(table_of(EDGES.table, rows), encoder, files, "t") == PostCounts(3, n_sent=3)
    assert here.written(table_of(EDGES.table, []), encoder, files, "empty") == PostCounts(0)
    assert sorted(files.content) == ["empty/part-00000.txt", "t/part-00000.txt", "t/part-00001.txt"]
    lines = b"".join(files.content[f"t/part-0000{n}.txt"] for n in (0, 1)).splitlines()
    assert [json.loads(line)["Source"] for line in lines] == ["host:0", "host:1", "host:2"]
    assert files.content["empty/part-00000.txt"] == b""


def posted_tables(n_edges: int) -> dict[str, pa.Table]:
    edges = [edge("a", "1", f"host:{i}") for i in range(n_edges)]
    return {s.table.name: table_of(s.table, edges if s is EDGES else []) for s in STREAMS}


def test_what_is_large_is_measured_and_sent_by_spark_and_all_else_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    by_spark: list[tuple[Any, TablePlan]] = []

    def read_frame(name: str) -> Any:
        read.append(name)
        return f"frame of {name}"

    def sent(frame: Any, delivery: Any, plan: TablePlan, edges: Any) -> Iterator[Receipt]:
        by_spark.append((frame, plan))
        yield Receipt("b", n_rows=plan.n_rows)

    monkeypatch.setattr(posting, "SMALL_ROWS", 3)
    monkeypatch.setattr(posting, "conform", lambda frame, table: frame)
    monkeypatch.setattr(frames, "n_partitions", lambda frame, limit: n_partitions)
    monkeypatch.setattr(frames, "sent", sent)
    monkeypatch.setattr(here, "sent", lambda table, *_: iter([Receipt("a", n_rows=here.count(table))]))

    def post(n_edges: int, **changes: Any) -> PostCounts:
        settings = {"mode": "logs_ingestion", "run_id": "r", "time_generated": RUN_TIME, "read_frame": read_frame}
        settings |= {"endpoint": ENDPOINT, "dcr_id": DCR} | changes
        return post_results(posted_tables(n_edges), **settings)["edges"]

    n_partitions = 2
    assert post(3).n_sent == 3
    assert (read, by_spark) == ([], [])
    assert post(4).n_sent == 4
    assert (set(read), by_spark) == ({"edges"}, [("frame of edges", TablePlan(4, 2))])
    by_spark.clear()
    assert post(4, read_frame=None).n_sent == 4, "without Spark all leaves from here"
    n_partitions = 1  # a few batches: no task is worth it
    assert post(4).n_sent == 4
    assert by_spark == []


# --- batches ---------------------------------------------------------------------------------------------------------


def rows_of(*sizes: int) -> list[EncodedRow]:
    """Rows whose JSON is a string of so many bytes."""
    return [EncodedRow(f"row{i}", b'"' + b"x" * (size - 2) + b'"') for i, size in enumerate(sizes)]


def test_batches_are_exact_to_the_byte() -> None:
    three_of_ten = rows_of(10, 10, 10)  # [ 10 , 10 , 10 ] = 34
    assert [len(b) for b in batches(three_of_ten, 34)] == [3]
    assert [len(b) for b in batches(three_of_ten, 33)] == [2, 1]
    assert len(batch_body(three_of_ten)) == 34
    assert [len(b) for b in batches(three_of_ten * 2, 34)] == [3, 3]


def test_a_batch_never_exceeds_the_limit_nor_loses_or_moves_a_row() -> None:
    rows = rows_of(*[3 + 7 * i % 50 for i in range(200)])
    grouped = list(batches(rows, 100))
    assert [row for batch in grouped for row in batch] == rows
    assert max(len(batch_body(batch)) for batch in grouped) <= 100
    for batch, following in itertools.pairwise(grouped):
        assert len(batch_body([*batch, following[0]])) > 100  # no batch is smaller than it must be


def test_no_rows_are_no_batches() -> None:
    assert list(batches([])) == []


# --- sender ----------------------------------------------------------------------------------------------------------

TOKEN, FRESH_TOKEN = "tok-SECRET-1", "tok-SECRET-2"


@dataclass
class Service:
    """Answers with `answers` in turn, then 204; its clock moves when somebody sleeps."""

    answers: list[Response] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)
    now: float = 1000.0

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
        assert url == "https://x/"
        assert headers["Content-Encoding"] == "gzip"
        self.tokens.append(headers["Authorization"])
        self.bodies.append(gzip.decompress(body))
        return self.answers.pop(0) if self.answers else Response(204)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def sender(self, **settings: Any) -> Sender:
        settings.setdefault("limiter", RateLimiter(clock=lambda: self.now, sleep=lambda seconds: None))
        tokens = lambda *, fresh=False: Secret(FRESH_TOKEN if fresh else TOKEN)  # noqa: E731 - a protocol of one call
        return Sender(
            "https://x/",
            tokens,
            transport=self,
            clock=lambda: self.now,
            sleep=self.sleep,
            jitter=lambda: 0.0,
            **settings,
        )


def test_each_batch_gives_a_receipt() -> None:
    service = Service()
    receipts = list(service.sender(max_body_bytes=23).send(rows_of(10, 10, 10)))  # [ 10 , 10 ] = 23
    assert [(r.n_rows, r.n_bytes) for r in receipts] == [(2, 23), (1, 12)]
    assert receipts[0].batch_id == hashlib.sha256(b'["xxxxxxxx","xxxxxxxx"]').hexdigest()[:32]
    assert [json.loads(body) for body in service.bodies] == [["x" * 8] * 2, ["x" * 8]]
    assert service.tokens == [f"Bearer {TOKEN}"] * 2


def test_the_same_rows_are_the_same_compressed_bytes() -> None:
    sent: list[bytes] = []

    def keep(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
        sent.append(body)
        return Response(204)

    for _ in range(2):
        list(Sender("https://x/", lambda *, fresh=False: Secret(TOKEN), transport=keep).send(rows_of(10)))
    assert sent[0] == sent[1]
    assert sent[0][4:8] == bytes(4)  # RFC 1952: no modification time


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again(status: int) -> None:
    service = Service([Response(status), Response(status)])
    assert [r.n_rows for r in service.sender().send(rows_of(10))] == [1]
    # Without jitter half of 1 s, then half of 2 s.
    assert service.naps == [0.5, 1.0]
    assert service.bodies[0] == service.bodies[2]


def test_backoff_doubles_to_a_minute() -> None:
    service = Service([Response(503)] * 9)
    list(service.sender(deadline_seconds=1000).send(rows_of(10)))
    assert service.naps == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_retry_after_is_honoured() -> None:
    service = Service([Response(429, {"retry-after": "17"})])
    list(service.sender().send(rows_of(10)))
    assert service.naps == [17.0]


def test_a_retry_after_of_nothing_is_no_leave_to_hammer() -> None:
    service = Service([Response(429, {"retry-after": "0"})] * 3)
    list(service.sender().send(rows_of(10)))
    assert service.naps == [0.5, 1.0, 2.0]


def test_retry_after_as_a_date_is_read_against_the_answers_own_clock() -> None:
    date, later = "Tue, 24 Nov 2026 05:00:00 GMT", "Tue, 24 Nov 2026 05:00:45 GMT"
    assert retry_after_seconds({"retry-after": later, "date": date}) == 45.0
    assert retry_after_seconds({"retry-after": date, "date": later}) == 0.0
    assert retry_after_seconds({"retry-after": later}) is None
    assert retry_after_seconds({"retry-after": "soon", "date": date}) is None
    assert retry_after_seconds({}) is None


def test_the_deadline_ends_the_repetitions() -> None:
    service = Service([Response(503)] * 99)
    (receipt,) = service.sender(deadline_seconds=10).send(rows_of(10))
    assert re.search(r"503 after 5 attempts.*deadline of 10 s", str(receipt.error))
    assert (receipt.n_rows, receipt.letters) == (0, ()), "not delivered, and not undeliverable"
    assert service.naps == [0.5, 1, 2, 4]  # 7.5 s; 8 more would pass 10


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    service = Service([Response(429, {"retry-after": "301"})])
    (receipt,) = service.sender(deadline_seconds=300).send(rows_of(10))
    assert "429" in str(receipt.error)
    assert service.naps == []


def test_413_splits_until_it_fits_and_refuses_the_row_that_never_does() -> None:
    def transport(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
        return Response(413 if len(gzip.decompress(body)) > 30 else 204)

    service = Service()
    sender = service.sender()
    sender.transport = transport
    receipts = list(sender.send(rows_of(10, 10, 40, 10)))
    # All four are 75 bytes, the first two 23: taken. The second half, 53, is split: 40 alone is 42, 10 alone is 12.
    assert [(r.n_rows, r.n_bytes, r.refused, r.is_split) for r in receipts] == [
        *((0, 0, (), True), (2, 23, (), False), (0, 0, (), True)),
        *((0, 0, ("row2",), False), (1, 12, (), False)),
    ]
    assert [json.loads(letter) for r in receipts for letter in r.letters] == [
        {"RowId": "row2", "answer": "Logs Ingestion API: 413", "row": "x" * 38}
    ]
    # Taken up again: what the ledger knows to be split and delivered is neither sent nor tried.
    known, split = ({r.batch_id for r in receipts if r.n_rows}, {r.batch_id for r in receipts if r.is_split})
    asked: list[bytes] = []
    again = service.sender(known=known, split=split)
    again.transport = lambda url, headers, body, timeout: asked.append(gzip.decompress(body)) or Response(204)
    assert [(r.n_rows, r.n_known) for r in again.send(rows_of(10, 10, 40, 10))] == [(0, 2), (1, 0), (0, 1)]
    assert asked == [b'["' + b"x" * 38 + b'"]']


def test_connection_abort_of_a_large_body_is_a_413() -> None:
    service = Service([Response(400, code="ReadyBody_ClientConnectionAbort")])
    assert [r.n_rows for r in service.sender().send(rows_of(10, 10))] == [0, 1, 1]


def test_a_row_over_the_limit_is_refused_unsent_and_its_neighbours_go() -> None:
    service = Service()
    receipts = list(service.sender(max_body_bytes=30).send(rows_of(10, 29, 28)))  # [ 29 ] = 31, [ 28 ] = 30
    assert [(r.n_rows, r.refused) for r in receipts] == [(1, ()), (0, ("row1",)), (1, ())]
    assert [len(body) for body in service.bodies] == [12, 30]


def test_401_fetches_a_fresh_token_once() -> None:
    service = Service([Response(401)])
    assert [r.n_rows for r in service.sender().send(rows_of(10))] == [1]
    assert service.tokens == [f"Bearer {TOKEN}", f"Bearer {FRESH_TOKEN}"]
    service = Service([Response(401), Response(401)])
    (receipt,) = service.sender().send(rows_of(10))
    assert "also a fresh one" in str(receipt.error)
    assert len(service.tokens) == 2


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, "redeploy the rule"),
        (403, "Monitoring Metrics Publisher"),
        (404, "post.dcr_id"),
        (200, "the proxy"),  # a login page is a success that stores nothing
        (302, "the proxy"),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_repeated(status: int, remedy: str) -> None:
    service = Service([Response(status, code="SomeCode")])
    (receipt,) = service.sender().send(rows_of(10))
    assert re.search(rf"{status} \(SomeCode\).*{remedy}", str(receipt.error))
    assert len(service.bodies) == 1
    letters = [json.loads(letter) for letter in receipt.letters]
    assert [letter["row"] for letter in letters] == (["x" * 8] if status == 400 else []), (
        "of a 400 the rows are at fault"
    )
    assert [letter["answer"] for letter in letters] == ([receipt.error] if status == 400 else [])


def test_receipts_before_a_failure_are_not_lost() -> None:
    service = Service([Response(204), Response(403)])
    receipts: Iterator[Receipt] = service.sender(max_body_bytes=12).send(rows_of(10, 10, 10))
    assert next(receipts).n_rows == 1
    assert next(receipts).error
    assert list(receipts) == []
    assert len(service.bodies) == 2  # the third batch is not tried


def test_a_400_on_one_half_makes_dead_letters_of_that_half_alone() -> None:
    service = Service([Response(413), Response(204), Response(400)])
    receipts = list(service.sender().send(rows_of(10, 11, 12, 13)))
    assert [r.n_rows for r in receipts] == [0, 2, 0]
    assert [json.loads(letter)["RowId"] for letter in receipts[-1].letters] == ["row2", "row3"]


def test_no_minute_holds_more_than_the_service_takes() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def most_in_a_minute(n_bytes: int, share: float = 1.0) -> int:
        """Requests in the fullest of the minutes that begin with one."""
        nonlocal now
        limiter = RateLimiter(share, clock=lambda: now, sleep=sleep)
        times: list[float] = []
        for _ in range(25_000):
            limiter.wait(n_bytes)
            times.append(now)
        return max(sum(1 for t in times[i : i + 12_500] if t < times[i] + 60) for i in range(0, 12_500, 2500))

    assert 10_700 < most_in_a_minute(100) <= 12_000
    assert 1_900 < most_in_a_minute(900_000) <= 2_222  # 2 GB
    assert 5_300 < most_in_a_minute(100, share=0.5) <= 6_000
    service = Service()
    limiter = RateLimiter(clock=lambda: service.now, sleep=service.sleep)
    list(service.sender(limiter=limiter, max_body_bytes=12).send(rows_of(10, 10)))
    assert service.naps == [pytest.approx(60 / 10_800)]


# --- secrets and settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 400, 401, 403, 404, 429, 503])
def test_no_token_and_no_payload_in_a_message_or_a_log_line(status: int, caplog: pytest.LogCaptureFixture) -> None:
    service = Service([Response(status)] * 99)
    caplog.set_level("DEBUG")
    (receipt,) = service.sender().send([EncodedRow("row0", b'"PAYLOAD"')])
    assert receipt.error
    said = f"{receipt.error} {caplog.text}"
    assert "SECRET" not in said
    assert "PAYLOAD" not in said
    assert "SECRET" in service.tokens[0]  # it was there to be said


def test_a_secret_shows_stars_and_cannot_travel() -> None:
    secret = Secret(TOKEN)
    assert f"{secret} {secret!r}" == "*** ***"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


def test_a_token_comes_from_the_named_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = token_provider("env:SOME_TOKEN", "scope")
    with pytest.raises(PublishError, match="SOME_TOKEN is not set"):
        provider()
    monkeypatch.setenv("SOME_TOKEN", " tok-SECRET-1\n")
    assert provider().reveal() == TOKEN
    monkeypatch.setenv("SOME_TOKEN", "tok-SECRET-2")
    assert provider(fresh=True).reveal() == FRESH_TOKEN
    monkeypatch.setenv("SOME_TOKEN", "tok SECRET\r\nX: y")
    with pytest.raises(PublishError, match="not a bearer token") as caught:
        provider()
    assert "SECRET" not in str(caught.value)


def test_the_azure_token_is_kept_until_a_fresh_one_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = pytest.importorskip("azure.identity")
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - behind the skip

    made: list[Any] = []

    class Credential:
        def __init__(self) -> None:
            made.append(self)

        def __enter__(self) -> Credential:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def get_token(self, scope: str) -> Any:
            if scope != "scope-1":
                raise ClientAuthenticationError("AADSTS7000215 for tok-SECRET-1")
            return SimpleNamespace(token=f"token-{len(made)}", expires_on=now + 3600)

    monkeypatch.setattr(identity, "DefaultAzureCredential", Credential)
    now = 1_000_000.0
    provider = AzureToken("scope-1", now=lambda: now)
    assert [provider().reveal(), provider().reveal(), provider(fresh=True).reveal()] == [
        "token-1",
        "token-1",
        "token-2",
    ]
    now += 3600 - 601
    assert provider().reveal() == "token-2"
    now += 2
    assert provider().reveal() == "token-3", "renewed ten minutes before it ends, not after"
    with pytest.raises(PublishError, match=r"ClientAuthenticationError.*managed identity") as caught:
        AzureToken("scope-2")()
    assert "AADSTS" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    monkeypatch.setitem(sys.modules, "azure.identity", None)  # as if it were not installed
    with pytest.raises(PublishError, match=r"alertgraph-spark\[azure\]"):
        provider(fresh=True)


def test_a_stored_token_is_asked_for_again_before_it_ends_by_its_own_word() -> None:
    def token(ends_at: int) -> Secret:
        claims = base64.urlsafe_b64encode(json.dumps({"exp": ends_at}).encode()).decode().rstrip("=")
        return Secret(f"eyJ0.{claims}.c2ln")

    now = 1_000_000.0
    kept = [token(1_000_000 + 3600), token(1_000_000 + 7200)]
    provider = StoredToken("dbx://soc/token", lambda _: kept.pop(0), now=lambda: now)
    first = provider().reveal()
    now += 3600 - 601
    assert provider().reveal() == first
    now += 2
    assert provider().reveal() != first
    assert kept == []


def test_the_scope_follows_the_cloud() -> None:
    assert token_scope(ENDPOINT) == "https://monitor.azure.com/.default"
    assert token_scope("https://a.usgovvirginia-1.ingest.monitor.azure.us") == "https://monitor.azure.us/.default"
    assert token_scope("https://a.chinaeast2-1.ingest.monitor.azure.cn/") == "https://monitor.azure.cn/.default"


def test_the_address() -> None:
    wanted = f"{ENDPOINT}/dataCollectionRules/{DCR}/streams/Custom-AlertGraphNodes_CL?api-version=2023-01-01"
    assert ingestion_url(f" {ENDPOINT}/ ", DCR, NODES.name) == wanted
    assert ingestion_url("http://127.0.0.1:8080", DCR, NODES.name).startswith("http://127.0.0.1:8080/dataC")
    assert ingestion_url("http://[::1]:8080", DCR, NODES.name).startswith("http://[::1]:8080/")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://soc.ingest.monitor.azure.com",  # the token would travel in clear text
        "http://127.0.0.1.evil.example",  # looks like loopback
        "soc.ingest.monitor.azure.com",
        f"{ENDPOINT}/dataCollectionRules/x",
        f"{ENDPOINT}?api-version=1",
        "https://user:SECRET@soc.ingest.monitor.azure.com",
        "file:///etc/passwd",
    ],
)
def test_a_wrong_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError, match=r"post\.endpoint") as caught:
        ingestion_url(endpoint, DCR, NODES.name)
    assert "SECRET" not in str(caught.value)


def test_all_settings_that_are_wrong_are_named_at_once_and_no_value_that_may_be_a_token() -> None:
    with pytest.raises(ConfigError) as caught:
        post_results(
            {},
            mode="logs_ingestion",
            run_id="../up",
            time_generated=datetime(2026, 11, 24),
            dcr_id="dcr-1",
            credential="eyJ0eXAi-SECRET",
        )
    message = str(caught.value)
    for part in ("run_id", "time_generated", "post.endpoint is missing", "post.credential"):
        assert part in message
    assert "SECRET" not in message
    with pytest.raises(ConfigError, match=r"post\.folder is missing"):
        post_results({}, mode="file", run_id="run-1", time_generated=RUN_TIME)
    with pytest.raises(ConfigError, match=r"nothing opens post\.folder"):
        post_results({}, mode="file", run_id="run-1", time_generated=RUN_TIME, folder="f")
    with pytest.raises(ConfigError, match="'kafka'; allowed: logs_ingestion, data_collector, file, none"):
        post_results({}, mode="kafka", run_id="run-1", time_generated=RUN_TIME)


def test_none_posts_nothing() -> None:
    assert post_results({}, mode="none", run_id="run-1", time_generated=RUN_TIME) == {}


def test_a_missing_table_is_an_error_before_the_first_byte() -> None:
    with pytest.raises(SchemaError, match=r"nodes is missing.*edges is missing.*subgraphs is missing"):
        post_results(
            {},
            mode="file",
            run_id="run-1",
            time_generated=RUN_TIME,
            folder="nowhere",
            open_folder=lambda place: MemoryFiles(),
        )
