"""Reading the export: which folders lie in a window, what becomes of every line, and what is said where nothing is."""

from __future__ import annotations

import json
import logging
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from exported import put_lines, row_line, workspace
from pyspark.sql import SparkSession

from alertgraph_spark.errors import SourceError
from alertgraph_spark.io.export import DayFolder, container_url, list_days, read_export, window_of

COLUMNS = {"Alerts_CL": ["Title", "Count"], "Other_CL": ["Title", "Extra"]}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("root", "url"),
    [
        ("/lake", "/lake/am-securityalert"),
        ("/lake/", "/lake/am-securityalert"),
        ("abfss://{container}@acct.dfs.core.windows.net", "abfss://am-securityalert@acct.dfs.core.windows.net"),
        ("abfss://{container}@acct.dfs.core.windows.net/", "abfss://am-securityalert@acct.dfs.core.windows.net"),
        ("abfss://{container}@acct.dfs.core.windows.net/a/b", "abfss://am-securityalert@acct.dfs.core.windows.net/a/b"),
        ("/Volumes/{container}", "/Volumes/am-securityalert"),
    ],
)
def test_a_container_is_named_after_its_table(root: str, url: str) -> None:
    assert container_url(root, "SecurityAlert") == url


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two workspaces and two tables over the end of a month and of a year, with days between that hold nothing."""
    root = tmp_path_factory.mktemp("lake")
    for site, table, time in [
        ("plant", "Alerts_CL", "2025-12-31T23:57"),
        ("plant", "Alerts_CL", "2026-01-01T00:02"),
        ("plant", "Alerts_CL", "2026-02-28T12:00"),
        ("plant", "Alerts_CL", "2026-03-01T00:00"),
        ("office", "Alerts_CL", "2026-03-01T00:00"),
        ("office", "Other_CL", "2026-03-03T10:00"),
    ]:
        put_lines(
            root, table, time, [row_line(time, Title=f"{site} {table} {time}", _ItemId=f"{site} {time}")], site=site
        )
    # What else may lie about: not an hour folder, not a table of ours.
    (root / "am-alerts_cl" / workspace("plant") / "readme.txt").write_text("by hand", encoding="utf-8")
    put_lines(root, "Heartbeat", "2026-03-01T00:00", ["{}"])
    return root


def days(found: list[DayFolder]) -> list[tuple[str, str, str]]:
    return [(d.table, d.site, d.day.isoformat()) for d in found]


def test_days_are_listed_by_table_site_and_day_and_other_tables_are_not(spark: SparkSession, lake: Path) -> None:
    found = list_days(spark, str(lake), COLUMNS)

    assert days(found) == [
        ("Alerts_CL", "office", "2026-03-01"),
        ("Alerts_CL", "plant", "2025-12-31"),
        ("Alerts_CL", "plant", "2026-01-01"),
        ("Alerts_CL", "plant", "2026-02-28"),
        ("Alerts_CL", "plant", "2026-03-01"),
        ("Other_CL", "office", "2026-03-03"),
    ]
    assert days(list_days(spark, f"file://{lake}/{{container}}", COLUMNS)) == days(found)


def test_workspaces_are_chosen_by_name_in_any_case(spark: SparkSession, lake: Path) -> None:
    found = list_days(spark, str(lake), COLUMNS, ["Office"])

    assert {d.site for d in found} == {"office"}
    assert len(found) == 2

    with pytest.raises(SourceError, match=r"for the workspaces elsewhere, offic$"):
        list_days(spark, str(lake), COLUMNS, ["offic", "elsewhere"])


def test_an_export_without_folders_says_what_was_looked_for(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "am-alerts_cl").mkdir()

    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SourceError) as caught:
            list_days(spark, str(root), COLUMNS)
        text = str(caught.value)
        assert f"{root}/am-alerts_cl/WorkspaceResourceId=/subscriptions/*/" in text
        assert f"{root}/am-other_cl/" in text
        assert text.startswith("the export holds no alerts: no folder matches any of ")


def test_a_root_that_cannot_be_listed_gives_the_reason_and_no_stack(spark: SparkSession) -> None:
    with pytest.raises(SourceError) as caught:
        list_days(spark, "nosuch://container/root", ["Alerts_CL"])

    assert "cannot list nosuch://container/root/am-alerts_cl/" in str(caught.value)
    assert 'No FileSystem for scheme "nosuch"' in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\tat " not in str(caught.value)


def folder(day: str) -> DayFolder:
    return DayFolder("Alerts_CL", "plant", date.fromisoformat(day), f"/lake/{day}")


def test_the_window_is_all_whole_days_or_what_was_asked_for() -> None:
    have = [folder("2026-02-28"), folder("2026-03-02")]

    assert window_of(have, None, None) == (utc("2026-02-28"), utc("2026-03-03"))
    assert window_of(have, utc("2026-03-02T10:00"), None) == (utc("2026-03-02T10:00"), utc("2026-03-03"))
    assert window_of(have, None, utc("2026-03-01T10:00")) == (utc("2026-02-28"), utc("2026-03-01T10:00"))
    assert window_of([folder("2025-12-31")], None, None) == (utc("2025-12-31"), utc("2026-01-01"))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-03", "2026-03-04"),
        ("2026-02-27T10:00", "2026-02-28"),  # half-open: midnight belongs to the next day
        ("2026-03-01", "2026-03-02"),  # a hole between the days that there are
    ],
)
def test_a_window_without_a_day_names_the_days_that_there_are(start: str, end: str) -> None:
    """Older days must not hide it: they would be read as history, and the run would end well with nothing."""
    with pytest.raises(SourceError, match=r"no alerts between .*: the export holds 2026-02-28 to 2026-03-02"):
        window_of([folder("2026-02-28"), folder("2026-03-02")], utc(start), utc(end))


def read(spark: SparkSession, root: Path, start: str, end: str, columns: Any = None) -> list[dict[str, Any]]:
    frame = read_export(spark, list_days(spark, str(root), COLUMNS), columns or COLUMNS, utc(start), utc(end))
    return [row.asDict() for row in frame.collect()]


@pytest.mark.parametrize(
    ("start", "end", "sites_and_times"),
    [
        ("2025-12-31", "2026-01-01", ["plant 2025-12-31T23:57"]),  # the end of a year; its end does not count
        ("2025-12-31T10:00", "2026-01-01T00:00:01", ["plant 2025-12-31T23:57", "plant 2026-01-01T00:02"]),
        ("2026-02-28", "2026-03-02", ["office 2026-03-01T00:00", "plant 2026-02-28T12:00", "plant 2026-03-01T00:00"]),
        ("2026-03-02", "2026-03-04", ["office 2026-03-03T10:00"]),
    ],
)
def test_whole_days_are_read_over_months_years_and_missing_days(
    spark: SparkSession, lake: Path, start: str, end: str, sites_and_times: list[str]
) -> None:
    """Rows outside the window come along: `alerts.with_status` counts them, so that the balance is kept."""
    rows = read(spark, lake, start, end)

    assert sorted(row["_ItemId"] for row in rows) == sites_and_times
    assert all(f"{row['site']} {row['table']} " in row["Title"] for row in rows), "site and table are those of the path"
    assert all(f"/workspaces/{row['site']}/y=" in row["file"] for row in rows)


def test_a_table_without_a_folder_is_told_and_its_columns_are_there(
    spark: SparkSession, lake: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise a format that reads `Extra` would fail in a plant that never had such an alert."""
    with caplog.at_level(logging.WARNING, logger="alertgraph_spark.io.export"):
        rows = read(spark, lake, "2026-03-01", "2026-03-02")

    assert caplog.messages == ["table Other_CL has no folder in the window"]
    assert [(row["site"], row["Extra"]) for row in rows] == [("office", None), ("plant", None)]


def test_a_read_beside_all_days_is_refused(spark: SparkSession, lake: Path) -> None:
    with pytest.raises(SourceError, match="the export holds 2025-12-31 to 2026-03-03"):
        read(spark, lake, "2026-03-04", "2026-03-05")


def test_every_name_that_an_export_file_may_have_is_read(spark: SparkSession, tmp_path: Path) -> None:
    """PT05M is the documented name, _1 the sibling of a full blob, PT5M and PT1H were seen in real accounts."""
    names = ["PT05M.json", "PT05M_1.json", "PT5M.json", "PT1H.json"]
    for name in names:
        put_lines(tmp_path, "Alerts_CL", "2026-03-01T00:07", [row_line("2026-03-01T00:07", Title=name)], name=name)
    put_lines(tmp_path, "Alerts_CL", "2026-03-01T00:07", [row_line("2026-03-01T00:07", Title="x")], name="notes.txt")

    assert sorted(row["Title"] for row in read(spark, tmp_path, "2026-03-01", "2026-03-02")) == sorted(names)


def test_no_line_is_lost_whatever_it_holds(spark: SparkSession, tmp_path: Path) -> None:
    """All is read as text: a number or an object where text was expected stays, and what is no row keeps its own text."""
    whole = [
        row_line("2026-03-01T00:07", Title="plain", Count=2),
        json.dumps({"Title": {"nested": 1}, "Count": True}),  # drift of the schema
        '{"Title": "line\u2028separator", "Unknown": 1}',  # U+2028 inside a text is no end of line
        "{}",
    ]
    broken = [
        '{"TimeGenerated": "2026-03-01T00:07:00Z", "Tit',
        "<html>",
        "null",
        "17",
        '"text"',
        "[1]",
        '{"Title": "x"',
    ]
    put_lines(tmp_path, "Alerts_CL", "2026-03-01T00:07", [*whole, "", "   ", *broken])

    rows = read(spark, tmp_path, "2026-03-01", "2026-03-02", {"Alerts_CL": ["Title", "Count"]})

    titles = [row["Title"] for row in rows[:4]]
    assert [titles[0], *titles[2:]] == ["plain", "line\u2028separator", None]
    assert json.loads(titles[1]) == {"nested": 1}  # Spark 4 writes a blank after the colon
    assert [row["Count"] for row in rows[:4]] == ["2", "true", None, None]
    assert [row["_corrupt_record"] for row in rows] == [None] * 4 + broken, "blank lines alone are no rows"
    assert {row["site"] for row in rows} == {"plant"}
