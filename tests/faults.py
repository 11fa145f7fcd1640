"""A thousand faults between a saved run and its tables, and a count of what they did: `make faults`.

A case is a saved table, an emulator whose plan holds faults, and a poster: a process that is killed now and then, by the
emulator before or after it has stored a request, or by itself before, after or in the middle of a mark of the ledger. It is
started again until it says that all is delivered, as an operator would start `--post-only`. Then the table, folded as the
published functions fold it, is compared with the saved rows, field by field. Seeds make the cases.

python tests/faults.py [--faults 1000] [--spark 20]
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import logging
import multiprocessing
import os
import random
import re
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "examples"))  # the examples are no part of the wheel

from emulator.faults import FAULTS, KILLS, Fault, FaultPlan  # noqa: E402 - needs the line above
from emulator.server import DCR_ID, LogsIngestionEmulator  # noqa: E402 - the same

from alertgraph_spark.publish.log_analytics.credentials import EnvironmentToken  # noqa: E402
from alertgraph_spark.publish.log_analytics.ledger import Ledger, PostCounts, TablePlan  # noqa: E402
from alertgraph_spark.publish.log_analytics.rate import RateLimiter  # noqa: E402
from alertgraph_spark.publish.log_analytics.rows import RowEncoder  # noqa: E402
from alertgraph_spark.publish.log_analytics.sender import Sender  # noqa: E402
from alertgraph_spark.publish.log_analytics.streams import STREAMS, Stream  # noqa: E402
from alertgraph_spark.publish.log_analytics.transport import ingestion_url  # noqa: E402

TOKEN_VARIABLE = "ALERTGRAPH_TEST_FAULTS_TOKEN"
TOKEN = os.environ.setdefault(TOKEN_VARIABLE, secrets.token_hex(16))
MEMBERS, NODES, EDGES, SUBGRAPHS, *_ = STREAMS
T0 = datetime(2026, 11, 24, 5, tzinfo=timezone.utc)

FASTER = 300.0
"""Waits are so much shorter than the sender's: the order of things is what is tested, not patience."""

Row = Mapping[str, Any]


@dataclass
class LocalFiles:
    """The folder of a run on this machine; `kill` is asked before, within and after each write whether to end here."""

    root: Path
    kill: Callable[[str], None] = lambda moment: None

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.root / folder).glob("*") if path.is_file())

    def read(self, name: str) -> bytes | None:
        path = self.root / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, content: bytes) -> None:
        self.kill("before")
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(content[: len(content) // 2])
        self.kill("within")
        new.write_bytes(content)
        new.replace(path)
        self.kill("after")

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


def saved_rows(rng: random.Random, n: int) -> dict[str, list[Row]]:
    """Rows as a run would save them, sorted by key, with what is hard: nulls, empty lists, odd letters, whole numbers."""

    def text() -> str:
        return "".join(rng.choice('abc é“”\u2028\\"\x01𝛼') for _ in range(rng.randrange(40)))

    nodes = [
        {
            **{
                "subgraph_id": f"sg-{i // 4:04}",
                "site": "plant",
                "node_id": f"ip:{i:05}",
                "label": text(),
                "kind": "ip",
            },
            **{"zone": rng.choice(["it", "ot"]), "domain": "IT", "role": rng.choice([None, "plc"])},
            **{
                "n_alerts": rng.choice([1, 2**53 + 1, -(2**63)]),
                "first_seen": T0,
                "last_seen": T0 + timedelta(seconds=i),
            },
        }
        for i in range(n)
    ]
    edges = [
        {
            **{"subgraph_id": f"sg-{i // 2:04}", "site": "plant", "source": "host:a", "target": f"host:{i:04}"},
            **{"names": rng.choice([None, [], [text(), None]]), "n_alerts": i, "n_episodes": 1},
            **{"max_severity": rng.random(), "first_seen": T0, "last_seen": T0 + timedelta(microseconds=i)},
        }
        for i in range(n // 2)
    ]
    return {"nodes": nodes, "edges": edges}


@dataclass(frozen=True)
class Poster:
    """What the process that posts is told: all of it plain, so that it can be started anew and know nothing more."""

    url: str
    folder: Path
    seed: int
    n_rows: int
    max_body_bytes: int
    kill_at: int = 0
    moment: str = ""

    def files(self) -> LocalFiles:
        left = self.kill_at

        def kill(moment: str) -> None:
            nonlocal left
            left -= moment == self.moment
            if self.kill_at and left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        return LocalFiles(self.folder, kill)

    def post(self) -> dict[str, PostCounts]:
        """Post what the ledger does not know; the same as `post_results`, without Spark."""
        ledger = Ledger.open(self.files(), self.url)
        ledger.clear_letters()
        saved = saved_rows(random.Random(self.seed), self.n_rows)
        when, plans = ledger.plan() or (None, {})
        if when is None:
            when, plans = datetime.now(timezone.utc), {name: TablePlan(len(rows), 1) for name, rows in saved.items()}
            ledger.save_plan(when, plans)
        done = {}
        for stream in (NODES, EDGES):
            rows = saved[stream.table.name]
            sender = Sender(
                ingestion_url(self.url, DCR_ID, stream.name),
                EnvironmentToken(TOKEN_VARIABLE),
                known=frozenset(ledger.known),
                split=frozenset(ledger.split),
                sleep=lambda seconds: time.sleep(seconds / FASTER),
                limiter=RateLimiter(sleep=lambda seconds: None),
                deadline_seconds=8.0,
                timeout_seconds=0.15,
                max_body_bytes=self.max_body_bytes,
            )
            receipts = sender.send(RowEncoder(stream, "run-7", when).encode_all(rows))
            done[stream.table.name] = ledger.record_all(stream.table.name, len(rows), receipts)
        return done


def run_poster(poster: Poster) -> None:
    """Be the process that posts: end with 0 where all is delivered, with 2 where the rest must be posted again."""
    logging.disable()
    sys.exit(0 if all(counts.is_complete for counts in poster.post().values()) else 2)


@dataclass
class Found:
    """What a comparison found: rows saved and delivered, lost, and doubled before and after folding."""

    saved: int = 0
    delivered: int = 0
    lost: int = 0
    differing: int = 0
    doubled: int = 0
    twice: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Found) -> Found:
        numbers = ("saved", "delivered", "lost", "differing", "doubled", "twice")
        return Found(*(getattr(self, n) + getattr(other, n) for n in numbers), faults=self.faults + other.faults)

    @property
    def is_clean(self) -> bool:
        return self.saved == self.delivered and not (self.lost or self.differing or self.doubled)

    def __str__(self) -> str:
        return (
            f"rows saved {self.saved}, delivered {self.delivered}, lost {self.lost}, "
            f"doubled {self.doubled} (after arg_max)\n"
            f"fields that differ: {self.differing} rows; arrived twice before folding: {self.twice} rows"
        )


def as_stored(value: Any) -> Any:
    """What a column of the workspace holds of a saved value; written here anew, so that an encoder's error shows."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def folded_query(stream: Stream) -> str:
    """The published function in SQL: `arg_max(TimeGenerated, *) by RowId`; sqlite takes the row that has the maximum."""
    kql = (REPO / "deploy" / "functions" / f"{stream.table_name.removesuffix('_CL')}.kql").read_text(encoding="utf-8")
    found = re.search(r"^(\w+)\n\| summarize arg_max\((\w+), \*\) by (\w+)$", kql, re.M)
    assert found, "the function has another form than this reads"
    return f"SELECT *, max({found[2]}) FROM {found[1]} GROUP BY {found[3]}"


def compare(db: Path, saved: Mapping[str, list[Row]]) -> Found:
    """Compare every saved row with what the folded tables hold."""
    found = Found()
    with closing(sqlite3.connect(db)) as connection:
        connection.row_factory = sqlite3.Row
        for stream in STREAMS:
            if stream.table.name not in saved:
                continue
            rows = saved[stream.table.name]
            stored = [dict(row) for row in connection.execute(folded_query(stream))]
            (n_raw,) = next(connection.execute(f"SELECT count(*) FROM {stream.table_name}"))
            by_key: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
            for row in stored:
                by_key.setdefault(tuple(row[pascal(key)] for key in stream.keys), []).append(row)
            found.saved += len(rows)
            found.delivered += len(stored)
            found.twice += n_raw - len(stored)
            found.doubled += sum(len(same) - 1 for same in by_key.values())
            for row in rows:
                (arrived, *_) = by_key.get(tuple(row[key] for key in stream.keys), [None])
                found.lost += arrived is None
                found.differing += arrived is not None and any(
                    arrived[pascal(name)] != as_stored(value) for name, value in row.items()
                )
    return found


PROCESSES = multiprocessing.get_context(
    "forkserver"
)  # forks of a process that has imported all this and has no threads
PROCESSES.set_forkserver_preload(["faults"])


def watch_batches(emulator: LogsIngestionEmulator) -> list[str]:
    """Return a list that grows by the id of every batch that comes to be stored."""
    arrived: list[str] = []
    answer = emulator.service.answer

    def heard(target: str, headers: Mapping[str, str], body: bytes) -> Any:
        arrived.append(hashlib.sha256(gzip.decompress(body)).hexdigest()[:32])
        return answer(target, headers, body)

    emulator.service.answer = heard  # type: ignore[method-assign]
    return arrived


def run_case(
    seed: int, home: Path, most: int = 100, faults: Sequence[Fault] = (*FAULTS, *KILLS), n_rows: int = 0
) -> Found:
    """Run one case and compare; at most so many faults strike in it."""
    rng = random.Random(seed)
    db = home / f"{seed}.sqlite"
    plan = FaultPlan.seeded(seed, rng.choice([0.2, 0.4, 0.7]), faults, most=most)
    own_kills = 0
    with LogsIngestionEmulator(db, TOKEN, faults=plan) as emulator:
        poster = partial(
            Poster,
            *(emulator.url, home / str(seed), seed, n_rows or rng.randrange(20, 120)),
            max_body_bytes=rng.choice([700, 2500, 20_000]) if not n_rows else 2500,
        )
        arrived = watch_batches(emulator)
        for attempt in range(200):
            known, n_before = Ledger.open(LocalFiles(home / str(seed)), emulator.url).known, len(arrived)
            kills_itself = attempt < 3 and rng.random() < 0.3 and not n_rows
            told = {"kill_at": rng.randrange(1, 8), "moment": rng.choice(["before", "within", "after"])}
            process = PROCESSES.Process(target=run_poster, args=(poster(**(told if kills_itself else {})),))
            process.start()
            plan.kill = partial(os.kill, process.pid or 0, signal.SIGKILL)
            killed_before = sum(plan.struck[fault.name] for fault in KILLS)
            process.join(120)
            by_emulator = sum(plan.struck[fault.name] for fault in KILLS) > killed_before
            assert not known & set(arrived[n_before:]), f"case {seed}: a batch was sent that the ledger knew"
            own_kills += process.exitcode == -signal.SIGKILL and not by_emulator
            if process.exitcode == 0:
                break
        else:
            raise AssertionError(f"case {seed}: not delivered after 200 attempts")
    found = compare(db, saved_rows(random.Random(seed), poster().n_rows))
    found.faults = plan.struck + Counter({"killed at a mark of the ledger": own_kills})
    return found


SPARK_ROWS, SPARK_BODY = 1200, 3000
SLOW, HANG = (next(fault for fault in FAULTS if fault.name == name) for name in ("slow", "hang"))
SPARK_RUN = "20261124T050000-00000000"


def spark_session() -> Any:
    from alertgraph_spark.access.session import start_session  # noqa: PLC0415 - the other posters need no Spark

    few = {"spark.sql.shuffle.partitions": "2", "spark.ui.enabled": "false", "spark.log.level": "OFF"}
    return start_session("alertgraph-faults", jars=(), master="local[2]", driver_memory="1g", conf=few)


def save_run(folder: Path) -> None:
    """Save a run as the job does, with rows in two of its tables."""
    from arrows import table_of  # noqa: PLC0415 - the other posters need no Arrow

    from alertgraph_spark.publish.results import LocalFolder, save_tables  # noqa: PLC0415 - as above
    from alertgraph_spark.tables.schemas import RESULTS  # noqa: PLC0415

    saved = saved_rows(random.Random(0), SPARK_ROWS)
    save_tables({t.name: table_of(t, saved.get(t.name, [])) for t in RESULTS}, LocalFolder(str(folder)))


def post_with_spark(place: Path, url: str) -> int:
    """Be a driver that posts a saved run from its executors, as `--post-only` does."""
    from arrows import table_of  # noqa: PLC0415 - as above

    from alertgraph_spark.publish import results  # noqa: PLC0415
    from alertgraph_spark.publish.log_analytics import POSTED, post_results  # noqa: PLC0415
    from alertgraph_spark.tables.run_schemas import RUNS  # noqa: PLC0415

    spark = spark_session()
    folder = results.open_folder(str(place), spark)
    run = dict(zip(RUNS.names, (T0, T0, "0", "driver", [], [], [], *[None] * 4), strict=True))
    done = post_results(
        results.read_tables(folder, POSTED) | {"runs": table_of(RUNS, [run])},
        read_frame=partial(results.read_frame, spark, folder),
        **{"mode": "logs_ingestion", "endpoint": url, "dcr_id": DCR_ID, "credential": f"env:{TOKEN_VARIABLE}"},
        run_id=SPARK_RUN,
        time_generated=datetime.now(timezone.utc),
        files=folder,
        max_body_bytes=SPARK_BODY,
    )
    return 0 if all(counts.is_complete for counts in done.values()) else 2


def run_spark(n_kills: int, home: Path) -> Found:
    """Kill a driver on Spark so often, each time at a random moment; then let it end, and compare.

    Three of four moments are in the posting, some requests after it began; the fourth may be any since the driver started.
    """
    rng = random.Random(n_kills)
    folder, db = home / SPARK_RUN, home / "spark.sqlite"
    this = [sys.executable, __file__]
    subprocess.run([*this, "--save", str(folder)], check=True)
    struck: Counter[str] = Counter()
    with LogsIngestionEmulator(db, TOKEN) as emulator:
        arrived = watch_batches(emulator)
        for attempt in range(n_kills + 1):
            with (home / "spark.log").open("ab") as log:  # a driver that is killed leaves a JVM that complains
                command = [*this, "--post", str(folder), emulator.url]
                driver = subprocess.Popen(command, start_new_session=True, stdout=log, stderr=log)
            # Every other time the driver alone: its executors live on for a moment and may still send.
            name, kill = [("driver and executors", os.killpg), ("driver", os.kill)][attempt % 2]
            any_moment = attempt % 4 == 3
            delay = rng.uniform(1, 15) if any_moment else rng.random() / 3
            # Of a driver that is to be killed, a request hangs in the end: it does not end by itself.
            plan = [*[None] * rng.randrange(12), SLOW, *[None] * rng.randrange(12), HANG]
            emulator.faults = FaultPlan(plan if attempt < n_kills else ())
            while driver.poll() is None and not emulator.faults.struck and not any_moment:
                time.sleep(0.02)
            if attempt < n_kills:
                time.sleep(delay)
                kill(driver.pid, signal.SIGKILL)
            struck[f"{name} killed by SIGKILL"] += driver.wait() == -signal.SIGKILL
        assert struck.total() == n_kills, "a driver ended before it was killed"
        assert driver.returncode == 0, (home / "spark.log").read_text(encoding="utf-8", errors="replace")[-3000:]
    found = compare(db, saved_rows(random.Random(0), SPARK_ROWS))
    found.faults = struck
    assert bool(found.twice) == (len(arrived) > len(set(arrived))), "a batch that comes again is the same to the byte"
    return found


def run_until(n_faults: int, home: Path, first_seed: int = 0) -> Iterator[tuple[int, Found]]:
    """Run cases until so many faults have struck; yield each with its seed."""
    seed, left = first_seed, n_faults
    while left > 0:
        found = run_case(seed, home, most=left)
        left -= found.faults.total()
        yield seed, found
        seed += 1


def main() -> int:
    """Run the faults and print what they did; 1 if a row was lost, doubled or changed."""
    parser = argparse.ArgumentParser(description="faults between a saved run and its tables")
    parser.add_argument("--faults", type=int, default=1000, help="faults on the plain sender (default 1000)")
    parser.add_argument("--spark", type=int, default=20, help="kills of a driver on Spark (default 20)")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="be the process that saves a run")
    parser.add_argument("--post", nargs=2, metavar=("FOLDER", "URL"), help="be the driver that posts it")
    options = parser.parse_args()
    if options.save:
        save_run(options.save)
        return 0
    if options.post:
        return post_with_spark(Path(options.post[0]), options.post[1])
    begin = time.perf_counter()
    total, bad = Found(), []
    with tempfile.TemporaryDirectory() as home:
        for seed, found in run_until(options.faults, Path(home)):
            total += found
            bad += [] if found.is_clean else [seed]
        print(f"on the plain sender: {total}", flush=True)
        if options.spark:
            on_spark = run_spark(options.spark, Path(home))
            total += on_spark
            bad += [] if on_spark.is_clean else [-1]
    for name, n in sorted(total.faults.items()):
        print(f"{n:>6}  {name}")
    print(f"{total.faults.total():>6}  faults in {time.perf_counter() - begin:.0f} s")
    print(total)
    if bad:
        print(f"seeds that went wrong: {bad}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.modules["faults"] = sys.modules["__main__"]  # what a forked process imports is this file, whatever it is called
    sys.exit(main())
