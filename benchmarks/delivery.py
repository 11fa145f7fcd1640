"""Rows a second to the emulator: our sender against `upload` of azure-monitor-ingestion, the same rows, in one run.

python benchmarks/delivery.py [--rows 100000] [--rounds 3]

Ours begins with rows as Spark hands them over, checks and encodes them; theirs is given records that are ready to send,
since it knows neither our names nor our times. The emulator runs in a process of its own and stores what it takes. Its limit
is raised for this: it counts 1 MB as 1,048,576 bytes, and the other's chunks, counted without their commas, are larger and
would be refused.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "examples"))  # the examples are no part of the wheel

from alertgraph_spark.access.secret import Secret  # noqa: E402
from alertgraph_spark.publish.log_analytics.rows import RowEncoder  # noqa: E402 - beside the line above
from alertgraph_spark.publish.log_analytics.sender import Sender  # noqa: E402
from alertgraph_spark.publish.log_analytics.streams import STREAMS  # noqa: E402
from alertgraph_spark.publish.log_analytics.transport import ingestion_url  # noqa: E402

TOKEN = "of-an-emulator"
NODES = STREAMS[1]
NOW = datetime.now(timezone.utc)


def rows_of(n: int) -> list[dict[str, Any]]:
    """Rows of `nodes`, of usual length; times are in microseconds, as `frames` has Spark hand them over."""
    rng = random.Random(n)
    now = int(NOW.timestamp()) * 1_000_000
    hosts = [f"ws-{rng.randrange(10_000):05}.plant-{rng.randrange(20):02}.example" for _ in range(n)]
    return [
        {
            **{"subgraph_id": f"sg-{i // 5:016x}", "site": "plant-north", "node_id": f"host:{host}", "label": host},
            **{"kind": "host", "zone": "ot", "domain": "OT", "role": "workstation", "n_alerts": i % 50},
            **{"first_seen": now - i * 1_000_000, "last_seen": now},
        }
        for i, host in enumerate(hosts)
    ]


def emulate(home: str, pipe: Connection) -> None:
    """Be the service: send the address, then the traffic as often as asked."""
    from emulator import server  # noqa: PLC0415 - in the process that needs it

    server.MAX_BODY_BYTES = 2 * 1024 * 1024
    with server.LogsIngestionEmulator(Path(home) / "rows.sqlite", TOKEN) as emulator:
        pipe.send((emulator.url, server.DCR_ID))
        while pipe.recv() == "traffic":
            pipe.send(emulator.traffic)


class AnyToken:
    """A credential of azure-core that needs no Azure."""

    def get_token(self, *_: str, **__: Any) -> Any:
        """Return the emulator's token."""
        from azure.core.credentials import AccessToken  # noqa: PLC0415 - an extra

        return AccessToken(TOKEN, int(time.time()) + 3600)


def send_ours(url: str, dcr_id: str, rows: list[dict[str, Any]]) -> int:
    """Check, encode and send; return the rows delivered."""
    sender = Sender(ingestion_url(url, dcr_id, NODES.name), lambda *, fresh=False: Secret(TOKEN))
    return sum(receipt.n_rows for receipt in sender.send(RowEncoder(NODES, "bench", NOW).encode_all(rows)))


def send_theirs(url: str, dcr_id: str, records: list[Mapping[str, Any]]) -> int:
    """Upload; return the rows given."""
    from azure.monitor.ingestion import LogsIngestionClient  # noqa: PLC0415 - an extra

    with LogsIngestionClient(url, AnyToken()) as client:
        client.upload(dcr_id, NODES.name, records, enforce_https=False)
    return len(records)


class Measured(NamedTuple):
    """What a round took: by the clock, and of the client's processor, which a busy machine changes least."""

    seconds: float
    own_seconds: float
    n_requests: int
    n_bytes: int


def main() -> int:
    """Measure in turns and print the best round of each."""
    parser = argparse.ArgumentParser(description="rows a second to the emulator")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = rows_of(options.rows)
    records = [json.loads(row.body) for row in RowEncoder(NODES, "bench", NOW).encode_all(rows)]
    ours: Callable[[str, str], int] = lambda url, dcr: send_ours(url, dcr, rows)  # noqa: E731
    theirs: Callable[[str, str], int] = lambda url, dcr: send_theirs(url, dcr, records)  # noqa: E731
    best: dict[str, Measured] = {}
    processes = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as home:
        here, there = processes.Pipe()
        service = processes.Process(target=emulate, args=(home, there))
        service.start()
        url, dcr_id = here.recv()

        def traffic() -> tuple[int, int]:
            here.send("traffic")
            n_requests, n_bytes = here.recv()
            return n_requests, n_bytes

        for _ in range(options.rounds):
            for name, send in {"alertgraph-spark": ours, "azure-monitor-ingestion": theirs}.items():
                before, begin, own = traffic(), time.perf_counter(), time.process_time()
                n_rows = send(url, dcr_id)
                own, seconds, after = time.process_time() - own, time.perf_counter() - begin, traffic()
                assert n_rows == options.rows
                found = Measured(seconds, own, after[0] - before[0], after[1] - before[1])
                best[name] = min(best.get(name, found), found)
        here.send("stop")
        service.join()
    print(f"{options.rows:,} rows, best of {options.rounds}")
    print("| client | rows/s | seconds | of its processor | requests | bytes on the wire |\n|---|---|---|---|---|---|")
    for name, found in best.items():
        speed = options.rows / found.seconds
        took = f"{found.seconds:.2f} | {found.own_seconds:.2f}"
        print(f"| {name} | {speed:,.0f} | {took} | {found.n_requests} | {found.n_bytes:,} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
