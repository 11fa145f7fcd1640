"""What `azure-monitor-ingestion` does, which is why rows are not sent with it; each beside what our sender does."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("azure.monitor.ingestion", reason="azure-monitor-ingestion is not installed")

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import RetryPolicy
from azure.monitor.ingestion import LogsIngestionClient

from alertgraph_spark.access.secret import Secret
from alertgraph_spark.publish.log_analytics.rate import RateLimiter
from alertgraph_spark.publish.log_analytics.rows import EncodedRow
from alertgraph_spark.publish.log_analytics.sender import Sender
from alertgraph_spark.publish.log_analytics.transport import ingestion_url

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))  # the examples are no part of the wheel

from emulator.faults import FAULTS, FaultPlan
from emulator.server import DCR_ID, LogsIngestionEmulator

TOKEN = "tok-1"
STREAM = "Custom-AlertGraphNodes_CL"


@pytest.fixture
def emulator() -> Iterator[LogsIngestionEmulator]:
    with LogsIngestionEmulator(":memory:", TOKEN) as running:
        yield running


def upload(emulator: LogsIngestionEmulator, rows: list[dict[str, Any]]) -> int:
    """Give the rows to the client, and return how often it asked; -1 in front of where it gave up."""
    credential = SimpleNamespace(get_token=lambda *_, **__: SimpleNamespace(token=TOKEN, expires_on=time.time() + 3600))
    before, _ = emulator.traffic
    quick = RetryPolicy(retry_backoff_factor=0.01)  # its own, but for the waits
    with LogsIngestionClient(emulator.url, credential, retry_policy=quick) as client:
        try:
            client.upload(DCR_ID, STREAM, rows, enforce_https=False)
        except HttpResponseError:
            return before - emulator.traffic[0]
    return emulator.traffic[0] - before


def send(emulator: LogsIngestionEmulator, rows: list[bytes]) -> list[int]:
    """Give rows to our sender, and return how many each request delivered."""
    sender = Sender(
        ingestion_url(emulator.url, DCR_ID, STREAM),
        lambda *, fresh=False: Secret(TOKEN),
        sleep=lambda _: None,
        limiter=RateLimiter(sleep=lambda _: None),
    )
    return [receipt.n_rows for receipt in sender.send([EncodedRow(f"row{i}", row) for i, row in enumerate(rows)])]


@pytest.mark.parametrize(
    ("fault", "asked"),
    [
        ("429", -1),
        ("429 with Retry-After", 2),
        ("408", -1),
        ("502", -1),
        ("413", -1),
        ("503", 2),
    ],
)
def test_it_gives_up_on_what_passes(emulator: LogsIngestionEmulator, fault: str, asked: int) -> None:
    named = {f.name: f for f in FAULTS}
    emulator.faults = FaultPlan([named[fault]])
    assert upload(emulator, [{"Site": "a"}, {"Site": "b"}]) == asked
    emulator.faults = FaultPlan([named[fault]])
    assert sum(send(emulator, [b'{"Site":"a"}', b'{"Site":"b"}'])) == 2


def test_its_chunks_are_larger_than_the_service_takes(emulator: LogsIngestionEmulator) -> None:
    # 2048 rows of 512 bytes are 1,048,576: one chunk by its count, and 4,096 bytes more with `, ` and brackets.
    row = {"Site": "x" * (512 - len('{"Site": ""}'))}
    assert upload(emulator, [row] * 2048) == -1
    assert upload(emulator, [row] * 2039) == 1  # 2039 * 514 = 1,048,046
    assert sum(send(emulator, [b'{"Site": "%s"}' % row["Site"].encode()] * 2048)) == 2048


def test_it_writes_what_is_no_json_and_cannot_write_a_time(emulator: LogsIngestionEmulator) -> None:
    assert upload(emulator, [{"Site": "a", "NAlerts": float("nan")}]) == -1
    with pytest.raises(TypeError, match="datetime is not JSON serializable"):
        upload(emulator, [{"FirstSeen": datetime.now(timezone.utc)}])
