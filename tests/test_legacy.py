"""The Data Collector API: signatures worked by hand with openssl, and what the sender's request becomes on the way."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone

import pytest

from alertgraph_spark.errors import ConfigError, PublishError
from alertgraph_spark.io.log_analytics import post_results
from alertgraph_spark.io.log_analytics.legacy import LegacyTransport, legacy_url, signature, workspace_of
from alertgraph_spark.io.log_analytics.rows import CUT_MARK, RowEncoder
from alertgraph_spark.io.log_analytics.streams import STREAMS
from alertgraph_spark.io.log_analytics.target import Target
from alertgraph_spark.io.log_analytics.transport import Response
from alertgraph_spark.secret import Secret

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
