"""The Data Collector API: signatures worked by hand with openssl, and what the sender's request becomes on the way."""

from __future__ import annotations

import gzip
import json
import random
import re
import sqlite3
import sys
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from arrows import table_of
from faults import FAULTS, T0, FaultPlan, saved_rows

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.errors import ConfigError, PublishError
from alertgraph_spark.publish.http_post import Response, post
from alertgraph_spark.publish.log_analytics import PostCounts, post_results
from alertgraph_spark.publish.log_analytics.fields import CUT_MARK
from alertgraph_spark.publish.log_analytics.legacy import LegacyTransport, legacy_url, signature, workspace_of
from alertgraph_spark.publish.log_analytics.rows import RowEncoder
from alertgraph_spark.publish.log_analytics.streams import STREAMS
from alertgraph_spark.publish.log_analytics.target import Target
from alertgraph_spark.tables.run_schemas import RUNS

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))  # the examples are no part of the wheel

from emulator.data_collector import WORKSPACE as EMULATED
from emulator.data_collector import DataCollectorEmulator

WORKSPACE = "01234567-89ab-cdef-0123-456789abcdef"
ENDPOINT = f"https://{WORKSPACE}.ods.opinsights.azure.com"
KEY = "bXkgd29ya3NwYWNlIGtleQ=="  # "my workspace key"
WHEN = datetime(2016, 4, 4, 8, tzinfo=timezone.utc)
# printf 'POST\n10\napplication/json\nx-ms-date:Mon, 04 Apr 2016 08:00:00 GMT\n/api/logs' |
#     openssl dgst -sha256 -mac HMAC -macopt hexkey:6d7920776f726b7370616365206b6579 -binary | base64
BY_HAND = "GAnq/s/4U3DgROEK/ArDeQdzutpo2hn2NtewE5N1WqI="


def test_the_signature_is_the_one_worked_by_hand() -> None:
    assert signature(Secret(KEY), 10, "Mon, 04 Apr 2016 08:00:00 GMT") == BY_HAND
    assert signature(Secret(KEY), 9, "Mon, 04 Apr 2016 08:00:00 GMT") != BY_HAND
    with pytest.raises(PublishError, match="key is not base64") as caught:
        signature(Secret("hunter2!"), 9, "")
    assert "hunter2" not in str(caught.value)


def test_a_request_is_plain_signed_by_its_bytes_and_its_200_is_a_204() -> None:
    sent: list[tuple[str, Mapping[str, str], bytes]] = []

    def send(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
        sent.append((url, headers, body))
        return Response(200 if len(sent) == 1 else 429)

    transport = LegacyTransport(WORKSPACE, lambda: Secret(KEY), "AlertGraphNodes_CL", send, lambda: WHEN)
    body = '{"a":"é"}'.encode()
    assert (len(body), len(body.decode())) == (10, 9), "bytes are signed, not letters"
    headers = {"Authorization": "Bearer tok", "Content-Encoding": "gzip", "User-Agent": "alertgraph-spark"}
    assert transport(legacy_url(ENDPOINT + "/"), headers, gzip.compress(body), 10.0) == Response(204)
    assert transport("x", headers, gzip.compress(body), 10.0) == Response(429)
    assert sent[0] == (
        f"{ENDPOINT}/api/logs?api-version=2016-04-01",
        {
            "Authorization": f"SharedKey {WORKSPACE}:{BY_HAND}",
            "Content-Type": "application/json",
            "Log-Type": "AlertGraphNodes",
            "x-ms-date": "Mon, 04 Apr 2016 08:00:00 GMT",
            "time-generated-field": "TimeGenerated",
            "User-Agent": "alertgraph-spark",
        },
        body,
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        f"http://{WORKSPACE}.ods.opinsights.azure.com",
        "https://name.ods.opinsights.azure.com",
        f"https://{WORKSPACE}.ods.opinsights.azure.com.evil.example",
        f"https://{WORKSPACE}.ods.opinsights.azure.com/api/logs",
        f"https://user:SECRET@{WORKSPACE}.ods.opinsights.azure.com",
    ],
)
def test_another_address_is_refused(endpoint: str) -> None:
    assert workspace_of(ENDPOINT) == WORKSPACE
    with pytest.raises(ConfigError, match=r"post\.endpoint must be https://WORKSPACE_ID") as caught:
        workspace_of(endpoint)
    assert "SECRET" not in str(caught.value)


def test_it_is_chosen_by_name_with_a_key_kept_elsewhere_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    when = datetime.now(timezone.utc)
    with pytest.raises(ConfigError, match=r"where the workspace's key is kept"):
        post_results({}, mode="data_collector", run_id="r", time_generated=when, endpoint=ENDPOINT)
    target = Target("data_collector", ENDPOINT, "", "env:WORKSPACE_KEY", lambda _: Secret(KEY))
    assert target.problems() == []
    assert Target("data_collector", ENDPOINT, "", "env:WORKSPACE_KEY").problems(), "nothing here can resolve it"
    edges = target.edges(from_driver=False)(STREAMS[1])
    assert edges is not None, "the driver sends: the key goes nowhere else"
    assert re.search("out of support since 14 September 2026", caplog.text)
    assert KEY not in f"{target!r} {edges!r} {caplog.text}"


def test_a_field_is_cut_at_32_kb_with_a_mark() -> None:
    target = Target("data_collector", ENDPOINT, "", "env:WORKSPACE_KEY", lambda _: Secret(KEY))
    nodes = STREAMS[1]
    encoder = target.delivery(RowEncoder(nodes, "r", WHEN), frozenset(), frozenset(), 900_000).encoder
    row = dict.fromkeys(nodes.table.names) | {"label": "x" * 32_769}
    assert json.loads(encoder.encode(row).body)["Label"] == "x" * (32_768 - 8) + CUT_MARK
    row["label"] = "x" * 32_768
    assert encoder.encode(row).n_fields_cut == 0


def resulting() -> dict[str, pa.Table]:
    """Tables with rows that are hard, in letters of more than one byte."""
    saved: dict[str, list[Any]] = dict(saved_rows(random.Random(7), 60))
    saved["runs"] = [dict(zip(RUNS.names, (T0, T0, "0", "driver", [], [], [], *[None] * 4), strict=True))]
    return {stream.table.name: table_of(stream.table, saved.get(stream.table.name, [])) for stream in STREAMS}


def post_to(service: DataCollectorEmulator, tables: dict[str, pa.Table], key: str) -> dict[str, PostCounts]:
    return post_results(
        tables,
        **{"mode": "data_collector", "endpoint": service.url, "credential": "env:WORKSPACE_KEY"},
        run_id="run-7",
        time_generated=datetime.now(timezone.utc),
        resolve=lambda _: Secret(key),
        max_body_bytes=6000,
    )


def test_rows_arrive_over_http_signed_as_the_service_works_it_out(tmp_path: Path) -> None:
    db = tmp_path / "workspace.sqlite"
    refused = FaultPlan([fault for fault in FAULTS if fault.name in ("503", "answer lost after storing")])
    with DataCollectorEmulator(db, KEY, faults=refused) as service:
        done = post_to(service, resulting(), KEY)
        n_requests, _ = service.traffic

    assert {name: (c.n_rows, c.n_sent, c.is_complete) for name, c in done.items()} == {
        **{"members": (0, 0, True), "nodes": (60, 60, True), "edges": (30, 30, True)},
        **{"subgraphs": (0, 0, True), "verdicts": (0, 0, True), "health": (0, 0, True), "runs": (1, 1, True)},
    }
    assert done["nodes"].n_batches > 3
    assert n_requests == sum(c.n_batches for c in done.values()) + 2
    with closing(sqlite3.connect(db)) as connection:
        connection.row_factory = sqlite3.Row
        stored = [dict(row) for row in connection.execute("SELECT * FROM AlertGraphNodes_CL")]
        (names,) = zip(*connection.execute("SELECT Names_s FROM AlertGraphEdges_CL GROUP BY RowId_s"), strict=True)
        n_runs = connection.execute("SELECT count(*) FROM AlertGraphRuns_CL WHERE Engine_s = 'driver'").fetchone()[0]
    folded = {row["NodeId_s"]: row for row in stored}
    assert len(stored) > len(folded) == 60, "the lost answer brought a batch twice"
    saved = saved_rows(random.Random(7), 60)
    for row in saved["nodes"]:
        arrived = folded[row["node_id"]]
        assert (arrived["Label_s"], arrived["Role_s"]) == (row["label"], row["role"])
        assert arrived["NAlerts_d"] == float(row["n_alerts"])
        assert arrived["LastSeen_t"] == row["last_seen"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    wanted = [json.dumps(row["names"], ensure_ascii=False) for row in saved["edges"] if row["names"] is not None]
    assert sorted(name for name in names if name is not None) == sorted(wanted)
    assert n_runs == 1


def test_a_key_that_is_another_is_refused_with_what_to_do_and_nothing_is_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="alertgraph_spark")
    with DataCollectorEmulator(tmp_path / "workspace.sqlite", b64encode(b"another").decode()) as service:
        done = post_to(service, resulting(), KEY)

    said = r"HTTP Data Collector API: 403 \(InvalidAuthorization\): the signature was refused: post\.credential must"
    assert re.match(said, done["nodes"].error)
    assert [counts.n_sent for counts in done.values()] == [0] * 7
    assert KEY not in f"{done!r} {caplog.text}"
    with closing(sqlite3.connect(tmp_path / "workspace.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_the_emulator_refuses_a_signature_over_letters_instead_of_bytes(tmp_path: Path) -> None:
    date, body = "Mon, 04 Apr 2016 08:00:00 GMT", '{"a":"é"}'.encode()

    def answered(n: int, **changes: str) -> int:
        headers = {
            "Authorization": f"SharedKey {EMULATED}:{signature(Secret(KEY), n, date)}",
            **{"Content-Type": "application/json", "Log-Type": "AlertGraphNodes", "x-ms-date": date},
        }
        return post(legacy_url(service.url), headers | changes, body, 10.0).status

    with DataCollectorEmulator(tmp_path / "workspace.sqlite", KEY) as service:
        assert (len(body), len(body.decode())) == (10, 9)
        assert answered(9) == 403
        assert answered(10) == 200
        assert answered(10, **{"x-ms-date": "Mon, 04 Apr 2016 08:00:01 GMT"}) == 403
        assert answered(10, **{"Log-Type": "no-name"}) == 400
