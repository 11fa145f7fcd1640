"""What a session holds of settled days: each run of it gives what a run gives that folds all lines."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alertgraph_spark.history import Held, KeptLines
from alertgraph_spark.history.pack import pack, written
from alertgraph_spark.tables.embedded import Engine, conform_arrow
from alertgraph_spark.tables.history_schemas import FOLDED
from alertgraph_spark.tables.interim_schemas import SAID
from alertgraph_spark.tables.schemas import TORN

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST = datetime(2026, 3, 2, tzinfo=timezone.utc)
GAP = 300
FORMATS = ("edr", "ids")
"""The platform keeps the ids of the first; of the second a row of one id and another name is another alert."""


def line(day: int, after: timedelta, alert_id: str, name: str = "port scan", **more: Any) -> dict[str, Any]:
    """A line of a day, received so long after its midnight and observed then, unless `more` says otherwise."""
    at = FIRST + day * DAY + after
    said = {"name": name, "tactics": [], "techniques": [], "names": [], "n_more": 0, "acts": False, "unknown": []}
    source = more.pop("source", "edr")
    row = {
        **{"site": "plant", "table": f"{source.title()}_CL", "source": source, "alert_id": alert_id, "severity": 0.5},
        **{
            "received_at": at,
            "observed_at": at,
            "export_hour": int(at.timestamp() // 3600),
            "item_id": f"{alert_id} {at}",
        },
        **{"said": said, "tie": hash_of(name), "file_id": 1},
    }
    return row | more


def hash_of(name: str) -> int:
    """A number of a name, the same in every process."""
    return sum(ord(sign) << 8 * place for place, sign in enumerate(name[:7]))


def part(folder: Path, day: int, lines: Sequence[dict[str, Any]]) -> str:
    """The part of a day."""
    rows = [{name: None for name in FOLDED.names} | one | {"row": number} for number, one in enumerate(lines)]
    folded = conform_arrow(pa.table({name: [row[name] for row in rows] for name in FOLDED.names}), FOLDED)
    pq.write_table(folded, folder / "folded.parquet")
    first = int((FIRST + day * DAY).timestamp() // 3600)
    file = folder / f"day-{day}-{len([*folder.iterdir()])}.parquet"  # what is made anew has another name
    with Engine() as engine:
        file.write_bytes(written(pack(engine, [str(folder / "folded.parquet")], "plant", (first, first + 24))))
    return str(file)


def told(files: Sequence[str], end: datetime, held: Held | None, closed: Sequence[str]) -> dict[str, Any]:
    """What a run says of its lines: the spans, the alerts of all spans, what was refused, and who was heard when."""
    first, last = int((FIRST - DAY).timestamp() // 3600), int(end.timestamp() // 3600) + 24
    lines = KeptLines(
        files,
        end - DAY,
        end,
        (first + 30, last),  # the oldest day is cut
        tables=["Edr_CL", "Ids_CL"],
        by_id=["edr"],
        gap_seconds=GAP,
        closed=closed,
        held=held,
    )
    spans = lines.spans
    rows = spans.to_pylist()
    says = {row["says"]: row["name"] for row in rows if row["name"]}
    found = [row | {"name": says[row["says"]]} for row in rows]
    asked = pa.table(
        {"span": spans["span"], "subgraph_id": spans["span"], "episode_id": spans["span"], "role": spans["span"]}
    )
    key = {row["span"]: (row["name"], row["source"], row["bin"], row["status"]) for row in found}
    alerts = [(key[row["subgraph_id"]], row["alert_id"], row["item_id"]) for row in lines.members(asked).to_pylist()]
    elsewhere = {"span", "says", *SAID.names} - {"name"}  # numbers of this run, and what the first row alone has
    spans_told = [{name: value for name, value in row.items() if name not in elsewhere} for row in found]
    answers = {
        "spans": sorted(map(str, spans_told)),
        "alerts": sorted(map(str, alerts)),
        "refused": sorted(map(str, lines.rejected.to_pylist())),
        "heard": sorted(map(str, lines.heard.to_pylist())),
        "counts": lines.balance.counts,
    }
    lines.release()
    return answers


@pytest.fixture
def held() -> Iterator[Held]:
    of_the_session = Held()
    yield of_the_session
    of_the_session.release()


def names(answers: dict[str, Any], status: str) -> int:
    return sum(f"'status': '{status}'" in span for span in answers["spans"])


def test_a_settled_alert_that_is_told_again_today_counts_today_and_its_neighbour_stays(
    tmp_path: Path, held: Held
) -> None:
    yesterday = part(
        tmp_path, 1, [line(1, 2 * HOUR, "a"), line(1, 2 * HOUR, "b"), line(1, 9 * HOUR, "c", name="other")]
    )
    quiet = part(tmp_path, 5, [line(5, HOUR, "x")])
    files, end = [yesterday, quiet], FIRST + 6 * DAY
    before = told(files, end, held, [yesterday])
    assert before == told(files, end, None, [])
    assert (before["counts"]["history"], before["counts"]["duplicates"]) == (3, 0)
    again = line(5, HOUR, "a", observed_at=FIRST + DAY + 2 * HOUR)
    files[1] = part(tmp_path, 5, [line(5, HOUR, "x"), again])
    after = told(files, end, held, [yesterday])
    assert after == told(files, end, None, [])
    assert names(before, "history") == names(after, "history") == 2, "b stays where it was"
    assert after["counts"]["history"] == 2, "a is today's"
    assert after["counts"]["alerts"] == 2


@pytest.mark.parametrize("seed", range(6))
def test_each_run_of_a_session_gives_what_a_fold_of_all_lines_gives(tmp_path: Path, held: Held, seed: int) -> None:
    rng = random.Random(seed)

    def some(day: int, n: int) -> list[dict[str, Any]]:
        lines = []
        for _ in range(n):
            late = timedelta(hours=rng.choice([0, 0, 0, 1, 30, 60]))
            one = line(
                day,
                timedelta(seconds=rng.randrange(86_400)),
                f"alert {rng.randrange(60)}",  # so few that most are told again, within a day and days later
                rng.choice(["port scan", "logon", "download"]),
                source=rng.choice(FORMATS),
                severity=rng.choice([None, 0.2, 0.9]),
            )
            one["observed_at"] -= late
            if rng.random() < 0.1:
                refused = dict.fromkeys(("alert_id", "item_id", "observed_at", "said", "tie", "severity"))
                one |= {"reason": TORN, "file": "f", "line": "{", **refused}
            lines.append(one)
        return lines

    closed = [part(tmp_path, day, some(day, 40)) for day in range(5)]
    n_again = 0
    for number in range(4):
        end = FIRST + 7 * DAY + number * timedelta(minutes=5)
        files = [*closed, part(tmp_path, 6, some(6, 30)), part(tmp_path, 7, some(7, 5))]
        answers = told(files, end, held, closed)
        assert answers == told(files, end, None, [])
        n_again += answers["counts"]["duplicates"]
        if number == 2:  # a day that was closed has been repaired, and another has closed
            closed[1] = part(tmp_path, 1, some(1, 35))
            closed.append(part(tmp_path, 5, some(5, 20)))
    assert n_again, "the lakes hold repeats"
