"""With the history or without it, a run says the same: lakes are replayed as they grew, and runs are killed on the way."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from exported import put_lines, row_line
from incident import DAY
from pyspark.sql import DataFrame, SparkSession
from replay import Written, arrivals, grown

from alertgraph_spark import history
from alertgraph_spark.config import format_files
from alertgraph_spark.config.alert_exception import AlertException
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.lines import AnyLines, read_lines
from alertgraph_spark.pipeline import rank_lines
from alertgraph_spark.publish import results
from alertgraph_spark.ranking import Ranking
from alertgraph_spark.read import export
from alertgraph_spark.tables.frames import collect_arrow
from alertgraph_spark.tables.schemas import RESULTS

REPO = Path(__file__).resolve().parent.parent
P = RankingParameters()
LOOK_BACK = timedelta(hours=24)
PAST = timedelta(hours=60)

READS = ("Name", "Severity", "Source", "Target", "Id")
EDR = Format(
    name="edr",
    path="test",
    reads=READS,
    columns={"name": "Name", "severity": "cast(Severity as double)", "alert_id": "Id"},
    source={"host": "Source"},
    target={"host": "Target"},
    kept_by="platform",
)
FORMATS = {"Edr_CL": EDR, "Ids_CL": replace(EDR, name="ids", kept_by="sender", where="Severity is not null")}
"""One product whose alerts the platform keeps and updates, and one whose rows stand for themselves."""

KNOWN = [
    AlertException("in force", "soc", "known", DAY, DAY + timedelta(days=9), alert="type*"),
    AlertException("ended", "soc", "known", DAY, DAY + timedelta(days=3), source="host:ws1"),
]
"""What hides the everyday alerts, and what has ended before the walk from host to host."""

PLANT = {
    "SecurityAlert": "security_alert",
    "SuricataEve_CL": "suricata_eve",
    "CommonSecurityLog": "common_security_log",
    "SigmaAlerts_CL": "sigma",
}
Rows = dict[str, list[str]]


class Replay:
    """One lake, run by run, with a history and without it."""

    def __init__(self, spark: SparkSession, tmp_path: Path, formats: Mapping[str, Format]) -> None:
        self.spark = spark
        self.lake = tmp_path / "lake"
        self.formats = formats
        self.reader, self.held = history.Reader(spark, formats), history.Held()
        key = history.history_key(str(self.lake), self.formats)
        self.store = history.Store(results.make_folder(str(tmp_path / "history"), spark), key)
        self.current: history.Current | None = None

    def both(self, start: datetime, end: datetime) -> tuple[Rows, Rows]:
        """The tables and counts of a run that reads the lake, and of one that reads the history."""
        return self.ranked(partial(self.read, start, end), start), self.ranked(partial(self.kept, start, end), start)

    def ranked(self, lines: Callable[[], AnyLines], start: datetime) -> Rows:
        ranking = rank_lines(lines, self.spark, start - LOOK_BACK, exceptions=KNOWN)
        try:
            return rows_of(ranking)
        finally:
            ranking.release()

    def days(self) -> list[Any]:
        return export.list_days(self.spark, str(self.lake), dict.fromkeys(self.formats))

    def read(self, start: datetime, end: datetime) -> AnyLines:
        columns = {table: format_.reads for table, format_ in self.formats.items()}
        raw = export.read_export(self.spark, self.days(), columns, start - PAST, end)
        return read_lines(raw, self.formats, start, end, gap_seconds=P.episode_gap_seconds)

    def is_killed(self, at: int, end: datetime) -> bool:
        """Read the history in a process that is killed at its n-th step there; False where it had fewer to do."""
        files = self.store.files
        self.store.files = Killing(files, at)
        try:
            self.kept(end - timedelta(hours=24), end).release()
        except Killed:
            return True
        finally:
            self.store.files = files
        return False

    def kept(self, start: datetime, end: datetime) -> AnyLines:
        span = start - PAST, end
        tune = contextlib.nullcontext
        self.current = history.bring_up_to_date(
            self.reader, self.store, self.days(), span, look_back=LOOK_BACK, tune=tune
        )
        files = {str(self.store.file(part)): part for part in self.current.parts}
        closed = [file for file, part in files.items() if part.hour is None]
        by_id = [format_.name for format_ in self.formats.values() if format_.kept_by == "platform"]
        gap = P.episode_gap_seconds
        return history.KeptLines(
            [*files],
            start,
            end,
            self.current.hours,
            tables=self.formats,
            by_id=by_id,
            gap_seconds=gap,
            closed=closed,
            held=self.held,
        )


def rows_of(ranking: Ranking) -> Rows:
    """Each table's rows as text, in an order of their own, with floats to nine digits; and what was counted."""
    found: Rows = {}
    for name in [table.name for table in RESULTS]:
        table = ranking.tables[name]
        rows = (collect_arrow(table) if isinstance(table, DataFrame) else table).to_pylist()
        found[name] = sorted(json.dumps(row, default=str, sort_keys=True) for row in map(_rounded, rows))
    balance = ranking.balance
    said = [balance.rejected_by_reason, balance.unknown_words]
    found["counts"] = [json.dumps([ranking.counts, *said], sort_keys=True)]
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: _rounded(of) for key, of in value.items()}
    return [_rounded(of) for of in value] if isinstance(value, list) else value


def differences(raw: Rows, kept: Rows) -> dict[str, list[str]]:
    return {name: sorted(set(raw[name]) ^ set(kept[name]))[:4] for name in raw if raw[name] != kept[name]}


def a_lake(folder: Path, seed: int, begin: datetime = DAY) -> Path:
    """Five days of two sites: everyday alerts, and a walk from host to host on the fourth day."""
    rng = random.Random(seed)
    lines: dict[tuple[str, str, str], list[str]] = {}

    def add(minute: float, table: str, name: str, ends: tuple[str, str], severity: float | None = 0.3) -> None:
        at = f"{begin + timedelta(minutes=minute):%Y-%m-%dT%H:%M}"
        number = len(lines) * 1000 + rng.randrange(1000)
        said = {"Name": name, "Severity": severity, "Source": ends[0], "Target": ends[1], "Id": f"{number:x}"}
        line = row_line(at, _ItemId=f"item-{number}", **said)
        lines.setdefault((table, at, rng.choice(["plant", "ward"])), []).append(line)

    for _ in range(260):
        kind = rng.randrange(6)
        actor, target = f"ws{rng.randrange(8)}", f"srv{kind % 3}"
        add(
            rng.uniform(0, 7190),
            rng.choice(list(FORMATS)),
            f"type {kind}",
            (actor, target),
            rng.choice([0.2, 0.5, None]),
        )
    for step, ends in enumerate([("ws1", "jump"), ("jump", "hist"), ("hist", "plc1"), ("plc1", "plc2")]):
        add(4800 + 25 * step, "Edr_CL", f"step {step}", ends, 0.8)
    for (table, at, site), of in lines.items():
        put_lines(folder, table, at, of, site=site)
    return folder


def moments_of(writes: Sequence[Written], seed: int, n: int) -> list[datetime]:
    """Some moments at which a lake is looked at, an hour apart and a day apart among them; the last is the end of it all."""
    rng = random.Random(seed)
    first, last = writes[0].at, writes[-1].at
    found = [first + (last - first) * rng.uniform(0.2, 1) for _ in range(n)]
    return sorted([*found, found[0] + timedelta(hours=1), found[0] + timedelta(days=1), last])


def test_a_lake_that_grows_is_ranked_alike_with_its_history_and_without(spark: SparkSession, tmp_path: Path) -> None:
    replay = Replay(spark, tmp_path, FORMATS)
    writes = arrivals(a_lake(tmp_path / "source", 1), 1)
    n = Counter[str]()
    for now in grown(replay.lake, writes, moments_of(writes, 1, 3)):
        raw, kept = replay.both(now - timedelta(hours=24), now)
        assert differences(raw, kept) == {}
        assert replay.current
        counts, refused, *_ = json.loads(raw["counts"][0])
        n += Counter(counts) + Counter(torn=sum(refused.values()))
        n += Counter(folded=replay.current.n_folded, merged=replay.current.n_merged, parts=len(replay.current.parts))
    assert n["folded"] < n["parts"], "what is there is not folded again"
    assert all(n[of] for of in ("subgraphs", "links", "duplicates", "torn", "merged", "history", "suppressed")), n


def test_so_it_is_where_the_clocks_of_the_machine_change(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In New York summer time ends on the first of November: an hour comes twice, and a month has just ended."""
    changes = datetime(2026, 11, 1, tzinfo=timezone.utc)
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        offsets = {(changes + timedelta(hours=hour)).astimezone().utcoffset() for hour in (0, 12)}
        assert len(offsets) == 2
        replay = Replay(spark, tmp_path, FORMATS)
        writes = arrivals(a_lake(tmp_path / "source", 4, changes - timedelta(days=3)), 4)
        moments = [changes + timedelta(hours=hour) for hour in (-1, 5.5, 24)]  # at six it is one o'clock again
        n_links = 0
        for now in grown(replay.lake, writes, moments):
            raw, kept = replay.both(now - timedelta(hours=24), now)
            assert differences(raw, kept) == {}
            n_links += json.loads(raw["counts"][0])[0]["links"]
        assert n_links
    finally:
        monkeypatch.undo()
        time.tzset()


def real_lake(kind: str, folder: Path, request: pytest.FixtureRequest) -> tuple[Path, dict[str, Format]]:
    """A lake of the example plant, of a generated network, or of real alerts, with the formats of its tables."""
    make = {
        "plant": ["examples/plant/generate.py", str(folder), "--alerts", "4000", "--days", "4"],
        "generated": [
            "-m",
            "plantbench",
            str(folder),
            "--seed",
            "5",
            "--days",
            "4",
            "--alerts",
            "6000",
            "--sites",
            "2",
        ],
    }
    if kind == "ait":
        shared = request.getfixturevalue("shared")
        make["ait"] = [f"{shared}/tools/make_lake.py", str(folder), "ait_ads/russellmitchell"]
    home = REPO / "benchmarks" if kind == "generated" else REPO
    subprocess.run([sys.executable, *make[kind]], check=True, stdout=subprocess.DEVNULL, cwd=home)
    files = {"ait": {"AitAds_CL": f"{REPO}/benchmarks/formats/ait_ads.yaml"}}.get(kind, PLANT)
    return folder / "lake", {
        table: format_files.load_format(Path(name) if "/" in name else format_files.find_format(name))
        for table, name in files.items()
    }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a killed process clears nothing away
@pytest.mark.skipif("ALERTGRAPH_REPLAYS" not in os.environ, reason="minutes a lake: make replays")
@pytest.mark.parametrize("kind", ["plant", "generated", "ait"])
def test_so_are_lakes_of_other_kinds(
    spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    source, formats = real_lake(kind, tmp_path / "source", request)
    replay = Replay(spark, tmp_path, formats)
    writes = arrivals(source, 3)
    n_found = n_killed = 0
    rng = random.Random(3)
    for now in grown(replay.lake, writes, moments_of(writes, 3, 3)):
        n_killed += sum(replay.is_killed(rng.randrange(1, 40), now) for _ in range(2))
        raw, kept = replay.both(now - timedelta(hours=24), now)
        assert differences(raw, kept) == {}
        n_found += len(raw["subgraphs"])
    assert n_found > 20
    assert n_killed > 2


class Killed(BaseException):
    """The process ends here; nothing that stands behind it is done."""


class Killing:
    """The store's folder, of a process that is killed at its n-th step there: before it, after it, or half way."""

    def __init__(self, files: Any, at: int) -> None:
        self._files, self._at, self._n = files, at, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._files, name)
        return self._step(name, found) if name in ("write", "clear", "remove") else found

    def _step(self, name: str, do: Callable[..., object]) -> Callable[..., object]:
        def step(*args: Any) -> object:
            self._n += 1
            if self._n < self._at:
                return do(*args)
            if self._n == self._at and name == "write":
                how = self._at % 3
                if how == 1:
                    do(*args)
                elif how == 2:  # what LocalFolder leaves when it is killed in the middle
                    Path(self._files.place, f".{args[0]}.part").write_bytes(args[1][: len(args[1]) // 2])
            raise Killed

        return step


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a killed process clears nothing away
def test_a_run_that_is_killed_anywhere_leaves_a_history_that_the_next_one_can_use(
    spark: SparkSession, tmp_path: Path
) -> None:
    replay = Replay(spark, tmp_path, FORMATS)
    writes = arrivals(a_lake(tmp_path / "source", 2), 2, until=DAY + timedelta(days=4, hours=4))
    end = writes[-1].at + timedelta(minutes=5)
    assert list(grown(replay.lake, writes, [end])) == [end]
    raw = replay.ranked(partial(replay.read, end - timedelta(hours=24), end), end - timedelta(hours=24))
    n_kept = []
    for at in (1, 2, 3, 10, 11, 15):
        assert replay.is_killed(at, end)
        n_kept.append(len(replay.store.parts()))
    lines = partial(replay.kept, end - timedelta(hours=24), end)
    assert differences(raw, replay.ranked(lines, end - timedelta(hours=24))) == {}
    assert n_kept == sorted(n_kept)
    assert n_kept[-1] > 20, "what was folded before a kill is of use"
    assert replay.current
    assert replay.current.n_kept == n_kept[-1]
