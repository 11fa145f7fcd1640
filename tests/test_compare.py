"""Two runs beside each other: what entered, left and moved, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrows import table_of

from alertgraph_spark import __main__ as command
from alertgraph_spark.access import session
from alertgraph_spark.publish.compare import compare_runs, comparison_text
from alertgraph_spark.tables.schemas import MEMBERS, RESULTS, SUBGRAPHS

Row = dict[str, Any]


def ranked(*rows: tuple[str, float, bool, dict[str, float]]) -> list[Row]:
    """Subgraphs as (id, score, is_shown, terms), in the order of their rank; `a` has alerts a1, a2, a3."""
    empty = {c.name: [] if c.type.startswith("array") else None for c in SUBGRAPHS.columns}
    return [
        {
            **empty,
            **{"subgraph_id": f"sg-{key}", "site": "plant", "rank": rank, "score": score, "is_shown": shown},
            **{"n_alerts": 3, "title": f"Title {key}"},
            "contributions": [{"term": t, "value": v, "fact": t} for t, v in terms.items()],
        }
        for rank, (key, score, shown, terms) in enumerate(rows, 1)
    ]


def run(rows: list[Row], alerts: dict[str, str] | None = None) -> dict[str, pa.Table]:
    """A run's tables; `alerts` says whose alerts a subgraph has, by default its own."""
    whose = {row["subgraph_id"]: row["subgraph_id"][3:] for row in rows} | (alerts or {})
    members = [
        dict(zip(MEMBERS.names, (key, alert, None, "plant", "0", "core"), strict=True))
        for key, letters in whose.items()
        for alert in (letters.split() if " " in letters else [f"{letters}{i}" for i in (1, 2, 3)])
    ]
    return {"subgraphs": table_of(SUBGRAPHS, rows), "members": table_of(MEMBERS, members)}


BEFORE = ranked(
    ("top", 0.6, True, {"rarity": 0.4, "chain": 0.2}),
    ("old", 0.5, True, {"rarity": 0.5}),
    ("same", 0.4, False, {"rarity": 0.4}),
    ("up", 0.3, False, {"rarity": 0.3}),
)
AFTER = ranked(
    ("up", 0.7, True, {"rarity": 0.3, "chain": 0.3, "crossing": 0.1}),
    ("top", 0.55, True, {"rarity": 0.4, "chain": 0.1, "severity": 0.05}),
    ("same", 0.4, False, {"rarity": 0.4}),
    ("old", 0.35, False, {"rarity": 0.45, "planned": -0.1}),
)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return compare_runs(run(BEFORE), run(AFTER), 20)


def ids(changes: list[Row]) -> list[tuple[str | None, str | None]]:
    return [(c["a"] and c["a"]["subgraph_id"], c["b"] and c["b"]["subgraph_id"]) for c in changes]


def test_what_entered_left_and_moved(found: dict[str, Any]) -> None:
    assert ids(found["entered"]) == [("sg-up", "sg-up")]
    assert ids(found["left"]) == [("sg-old", "sg-old")]
    assert ids(found["moved"]) == [("sg-top", "sg-top")]  # still shown, a rank lower
    assert found["same"] == 1
    assert found["shown"] == {"a": 2, "b": 2}


def test_why_is_the_difference_term_by_term(found: dict[str, Any]) -> None:
    (up,), (old,), (top,) = found["entered"], found["left"], found["moved"]
    assert up["terms"] == {"chain": pytest.approx(0.3), "crossing": pytest.approx(0.1)}
    assert old["terms"] == {"planned": pytest.approx(-0.1), "rarity": pytest.approx(-0.05)}
    assert list(top["terms"].items()) == [("chain", pytest.approx(-0.1)), ("severity", pytest.approx(0.05))]
    for change in (up, old, top):
        assert sum(change["terms"].values()) == pytest.approx(change["score_change"])


def test_it_reads_in_a_terminal(found: dict[str, Any]) -> None:
    assert list(comparison_text(found, 20)) == [
        "shown     2 in A, 2 in B; 1 looked at are as they were",
        "",
        "entered (1): shown in B, not in A",
        "  rank 4 → 1        score 0.300 → 0.700    3 alerts  Title up",
        "       chain +0.300, crossing +0.100",
        "",
        "left (1): shown in A, not in B",
        "  rank 2 → 4        score 0.500 → 0.350    3 alerts  Title old",
        "       planned -0.100, rarity -0.050",
        "",
        "moved (1): another rank or score",
        "  rank 1 → 2        score 0.600 → 0.550    3 alerts  Title top",
        "       chain -0.100, severity +0.050",
    ]


def test_a_run_beside_itself_is_the_same() -> None:
    one = run(BEFORE)
    found = compare_runs(one, one, 20)
    assert (found["entered"], found["left"], found["moved"], found["same"]) == ([], [], [], 4)


def test_a_subgraph_that_got_another_id_is_found_by_its_alerts() -> None:
    # `whole` falls apart: two of its three alerts are in `part`, one in `rest`; `gone` and `new` have nothing in common.
    before = run(ranked(("whole", 0.6, True, {"chain": 0.6}), ("gone", 0.5, True, {"rarity": 0.5})))
    after = run(
        ranked(("new", 0.7, True, {"rarity": 0.7}), ("part", 0.4, False, {"chain": 0.4}), ("rest", 0.1, False, {})),
        {"sg-part": "whole1 whole2", "sg-rest": "whole3 other1"},
    )
    found = compare_runs(before, after, 20)
    assert ids(found["left"]) == [("sg-whole", "sg-part"), ("sg-gone", None)]
    assert [c["n_shared_alerts"] for c in found["left"]] == [2, None]
    assert ids(found["entered"]) == [(None, "sg-new")]
    assert ids(found["moved"]) == [(None, "sg-rest")]
    told = list(comparison_text(found, 20))
    assert told.count("       1 of its 3 alerts are in rank 1 of A: Title whole") == 1  # the rest of what fell apart
    assert told.count("       A has none of its alerts in a subgraph") == 1
    assert told.count("       B has none of its alerts in a subgraph") == 1
    assert "       sg-whole is now sg-part: 2 alerts are in both, of 3 and 3" in list(comparison_text(found, 20))


def test_one_that_fell_below_the_rows_looked_at_is_still_found() -> None:
    crowd = [(f"x{i}", 0.5, False, {"rarity": 0.5}) for i in range(9)]
    before = run(ranked(("top", 0.6, True, {"rarity": 0.6}), *crowd))
    after = run(ranked(*crowd, ("top", 0.1, False, {"rarity": 0.1})))
    (left,) = compare_runs(before, after, 2)["left"]
    assert (left["a"]["rank"], left["b"]["rank"]) == (1, 10)


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    made = []
    for name, rows in (("a", BEFORE), ("b", AFTER)):
        folder = tmp_path / name
        for name_of, table in run(rows).items():
            (folder / name_of).mkdir(parents=True)
            pq.write_table(table, folder / name_of / "part.parquet")
        window = {"start": "2026-03-02T00:00:00+00:00", "end": "2026-03-05T00:00:00+00:00"}
        record = {"run_id": f"run-{name}", "window": window, "counts": {"subgraphs": 4}}
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        made.append(str(folder))
    return made


@pytest.fixture
def no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Java."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a session was started")

    monkeypatch.setattr(session, "start_session", refuse)


@pytest.mark.usefixtures("no_spark")
def test_the_command_prints_text_and_json(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["compare", *folders]) == 0
    assert "run A     run-a, 2026-03-02T00:00 to 2026-03-05T00:00 UTC, 4 subgraphs" in capsys.readouterr().out
    assert command.main(["compare", *folders, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run_a"], told["run_b"], len(told["entered"])) == ("run-a", "run-b", 1)


def test_a_folder_that_is_no_run_is_told_in_one_message(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["compare", folders[0], str(tmp_path / "nowhere")]) == 2
    assert "nowhere holds no run.json" in capsys.readouterr().err


@pytest.mark.usefixtures("no_spark")
def test_a_run_of_an_older_version_names_the_column_that_it_lacks(
    folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(folders[1]) / "subgraphs" / "part.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["n_alerts", "story"]), file)
    assert command.main(["compare", *folders]) == 2
    said = capsys.readouterr().err
    assert f"{folders[1]} has no column subgraphs.n_alerts: saved by an older version; rank it again" in said


@pytest.mark.usefixtures("no_spark")
@pytest.mark.parametrize("place", ["{}", "{}/", "file://{}", "file:{}"])
def test_a_page_is_made_without_a_session_from_a_path_or_a_file_url(
    place: str, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("bokeh")
    for table in RESULTS:
        if not (Path(folders[0]) / table.name).exists():
            (Path(folders[0]) / table.name).mkdir()
            pq.write_table(table_of(table, []), Path(folders[0]) / table.name / "part.parquet")
    assert command.main(["report", place.format(folders[0])]) == 0
    assert "Title top" in (Path(folders[0]) / "report.html").read_text(encoding="utf-8")
    assert capsys.readouterr().out.startswith("report    ")


def test_a_url_of_a_lake_starts_a_session(folders: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def start(*_: Any, **__: Any) -> None:
        started.append("session")
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "start_session", start)
    assert command.main(["compare", folders[0], "abfss://soc@lake.dfs.core.windows.net/results/b"]) == 1
    assert started == ["session"]


def test_a_report_of_an_older_run_names_the_table_that_it_lacks(
    folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert {"evidence", "nodes", "edges"} <= {table.name for table in RESULTS}
    assert command.main(["report", folders[0]]) == 2
    assert "has no table evidence, nodes, edges" in capsys.readouterr().err
