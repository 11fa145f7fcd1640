"""Reading the export: which folders lie in a window, what becomes of every line, and what is said where nothing is."""

from __future__ import annotations

import json
import logging
from datetime import date, datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from exported import put_lines, row_line, workspace
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from alertgraph_spark.errors import SourceError
from alertgraph_spark.read.export import list_days, read_export
from alertgraph_spark.read.export_layout import DayFolder, container_of, container_url, window_of

COLUMNS = {"Alerts_CL": ["Title", "Count"], "Other_CL": ["Title", "Extra"]}
TABLES: dict[str, str | None] = dict.fromkeys(COLUMNS)


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
    assert container_url(root, container_of("SecurityAlert", [])) == url


@pytest.mark.parametrize(
    ("have", "container"),
    [
        (["am-alerts_cl", "am-alertscl"], "am-alerts_cl"),
        (["am-alerts-cl", "am-other_cl"], "am-alerts-cl"),  # a container's name may hold no underscore
        (["am-alertscl"], "am-alertscl"),
        (["AM-Alerts_CL"], "AM-Alerts_CL"),  # copied by hand to a folder
        (["am-alerts", "am-alerts_cl2"], "am-alerts_cl"),  # near, and not it: what was looked for is told
        ([], "am-alerts_cl"),
    ],
)
def test_the_container_of_a_custom_table_is_found_however_its_underscore_is_written(
    have: list[str], container: str
) -> None:
    assert container_of("Alerts_CL", have) == container


def test_two_containers_that_may_be_meant_are_not_chosen_between() -> None:
    with pytest.raises(SourceError, match="am-alerts-cl, am-alertscl; name the right one by the key `container`"):
        container_of("Alerts_CL", ["am-alertscl", "am-alerts-cl"])


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
    found = list_days(spark, str(lake), TABLES)

    assert days(found) == [
        ("Alerts_CL", "office", "2026-03-01"),
        ("Alerts_CL", "plant", "2025-12-31"),
        ("Alerts_CL", "plant", "2026-01-01"),
        ("Alerts_CL", "plant", "2026-02-28"),
        ("Alerts_CL", "plant", "2026-03-01"),
        ("Other_CL", "office", "2026-03-03"),
    ]
    assert days(list_days(spark, f"file://{lake}/{{container}}", TABLES)) == days(found)


# --- a storage account, whose containers a file system cannot list


class Java:
    """An error of Java's, with what it came from."""

    _target_id = "o1"

    def __init__(self, text: str, cause: Java | None = None) -> None:
        self.toString = lambda: text
        self.getCause = lambda: cause


ABFS = "org.apache.hadoop.fs.azurebfs.contracts.exceptions.AbfsRestOperationException: Operation failed: "
ILLEGAL = Java(
    f'{ABFS}"The specified resource name contains invalid characters.", 400, HEAD, https://acct/am-alerts_cl'
)
MISSING = Java(
    "java.io.IOException: x", Java(f'{ABFS}"The specified filesystem does not exist.", 404, GET, https://acct')
)
FORBIDDEN = Java(f'{ABFS}"This request is not authorized.", 403, HEAD, https://acct/am-alerts-cl/400, (404)')
NOT_FOUND = Java("java.io.FileNotFoundException: no such filesystem")
THROTTLED = Java(f'{ABFS}"The server is busy.", 503, GET, https://acct')
ACCOUNT = "abfss://{container}@acct.dfs.core.windows.net"


def account(**containers: Java | list[str]) -> tuple[Any, list[str]]:
    """A Spark whose file system answers for each container, a name with `-` written `_`; and what it was asked for."""
    asked: list[str] = []

    def glob(pattern: str) -> list[Any]:
        container = pattern.split("//")[1].split("@", maxsplit=1)[0]
        asked.append(container)
        answer = containers.get(
            container.removeprefix("am-").replace("-", "__"), ILLEGAL if "_" in container else MISSING
        )
        if isinstance(answer, Java):
            raise Py4JJavaError("", answer)
        there = f"abfss://{container}@acct.dfs.core.windows.net/{workspace('plant')}"
        paths = [f"{there}/y={day[:4]}/m={day[5:7]}/d={day[8:]}" for day in answer]
        return [SimpleNamespace(getPath=lambda path=path: SimpleNamespace(toString=lambda: path)) for path in paths]

    system = SimpleNamespace(globStatus=lambda path: glob(path.pattern))
    path = lambda pattern: SimpleNamespace(pattern=pattern, getFileSystem=lambda _: system)  # noqa: E731
    hadoop = SimpleNamespace(fs=SimpleNamespace(Path=path))
    jvm = SimpleNamespace(org=SimpleNamespace(apache=SimpleNamespace(hadoop=hadoop)))
    return SimpleNamespace(_jvm=jvm, _jsc=SimpleNamespace(hadoopConfiguration=lambda: None)), asked


DAY = ["2026-03-01"]


@pytest.mark.parametrize(
    ("containers", "asked"),
    [
        ({"alerts__cl": DAY}, ["am-alerts-cl"]),
        ({"alertscl": DAY}, ["am-alerts-cl", "am-alertscl"]),
        ({"alertscl": DAY, "alerts__cl": NOT_FOUND}, ["am-alerts-cl", "am-alertscl"]),
        ({"alerts__cl": [], "alertscl": DAY}, ["am-alerts-cl", "am-alertscl"]),  # made, and never written to
        ({"alerts_cl": DAY}, ["am-alerts-cl", "am-alertscl", "am-alerts_cl"]),  # no storage account, but a copy of one
    ],
    ids=["with a hyphen", "without", "the first answers in another way", "the first is empty", "as the table is named"],
)
def test_each_spelling_of_a_container_is_asked_for_until_one_serves(
    caplog: pytest.LogCaptureFixture, containers: dict[str, Any], asked: list[str]
) -> None:
    spark, were_asked = account(**containers)

    with caplog.at_level(logging.INFO, "alertgraph_spark"):
        (found,) = list_days(spark, ACCOUNT, {"Alerts_CL": None})

    assert were_asked == asked
    assert found.path.startswith(f"abfss://{asked[-1]}@acct.dfs.core.windows.net/WorkspaceResourceId=/")
    assert f"table Alerts_CL is read from the container {asked[-1]}" in caplog.text


def test_a_table_that_is_not_exported_yet_does_not_end_the_run_of_the_others() -> None:
    spark, asked = account(securityalert=DAY)

    assert days(list_days(spark, ACCOUNT, {"SecurityAlert": None, "Alerts_CL": None})) == [
        ("SecurityAlert", "plant", "2026-03-01")
    ]
    assert asked == ["am-securityalert", "am-alerts-cl", "am-alertscl", "am-alerts_cl"]


def test_a_container_that_is_named_is_the_one() -> None:
    spark, asked = account(**{"my_alerts": DAY})

    assert len(list_days(spark, ACCOUNT, {"Alerts_CL": "my_alerts"})) == 1
    assert asked == ["my_alerts"]


def test_where_no_spelling_serves_all_of_them_are_told() -> None:
    with pytest.raises(SourceError, match="the export holds no alerts") as caught:
        list_days(account()[0], ACCOUNT, {"Alerts_CL": None})

    assert [name for name in ("am-alerts-cl@", "am-alertscl@", "am-alerts_cl@") if name not in str(caught.value)] == []


@pytest.mark.parametrize("answer", [FORBIDDEN, THROTTLED], ids=["no right", "busy"])
def test_what_says_nothing_of_the_container_ends_the_run(answer: Java) -> None:
    """A container that may not be listed is not one that is not there: its alerts would be missing without a word."""
    spark, _ = account(alerts__cl=answer, alertscl=DAY)

    with pytest.raises(SourceError, match=r"cannot list abfss://am-alerts-cl@"):
        list_days(spark, ACCOUNT, {"Alerts_CL": None})


def test_in_a_folder_a_missing_container_is_still_an_error() -> None:
    """There the names are listed: an error of the file system is one."""
    spark, _ = account(alerts_cl=MISSING)

    with pytest.raises(SourceError, match="cannot list"):
        list_days(spark, "abfss://lake@acct.dfs.core.windows.net", {"Alerts_CL": None})


def test_workspaces_are_chosen_by_name_in_any_case(spark: SparkSession, lake: Path) -> None:
    found = list_days(spark, str(lake), TABLES, ["Office"])

    assert {d.site for d in found} == {"office"}
    assert len(found) == 2

    with pytest.raises(SourceError, match=r"of the workspaces elsewhere, offic: the export holds office, plant$"):
        list_days(spark, str(lake), TABLES, ["offic", "elsewhere"])


def test_an_export_without_folders_says_what_was_looked_for(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "am-alerts_cl").mkdir()

    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SourceError) as caught:
            list_days(spark, str(root), TABLES)
        text = str(caught.value)
        assert f"{root}/am-alerts_cl/WorkspaceResourceId=/*/*/" in text
        assert f"{root}/am-other_cl/" in text
        assert text.startswith("the export holds no alerts: no folder matches any of ")
        assert text.endswith("; the root holds am-alerts_cl") == (root == tmp_path)


def test_a_root_that_cannot_be_listed_gives_the_reason_and_no_stack(spark: SparkSession) -> None:
    with pytest.raises(SourceError) as caught:
        list_days(spark, "nosuch://{container}/root", {"Alerts_CL": None})

    assert "cannot list nosuch://am-alerts-cl/root/" in str(caught.value)
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
    tables = read_export(spark, list_days(spark, str(root), TABLES), columns or COLUMNS, utc(start), utc(end))
    return [row.asDict() for lines in tables.values() for row in lines.collect()]


@pytest.mark.parametrize(
    ("start", "end", "sites_and_times"),
    [
        # A bucket on either side comes along, as far as its hour: clocks of folders and rows may differ by as much.
        ("2025-12-31", "2026-01-01", ["plant 2025-12-31T23:57", "plant 2026-01-01T00:02"]),  # the end of a year
        ("2025-12-31", "2025-12-31T22:54", []),  # a bucket later, and the hour 23 is not reached
        ("2025-12-31", "2025-12-31T22:56", ["plant 2025-12-31T23:57"]),
        ("2025-12-31T23:59", "2026-01-01T00:00:01", ["plant 2025-12-31T23:57", "plant 2026-01-01T00:02"]),
        ("2026-01-01T01:06", "2026-01-02", []),
        ("2026-02-28", "2026-03-02", ["office 2026-03-01T00:00", "plant 2026-02-28T12:00", "plant 2026-03-01T00:00"]),
        ("2026-02-28T12:59", "2026-02-28T13:30", ["plant 2026-02-28T12:00"]),  # starts and ends inside a day
        ("2026-03-02", "2026-03-04", ["office 2026-03-03T10:00"]),
    ],
)
def test_days_and_hours_are_read_over_months_years_and_missing_days(
    spark: SparkSession, lake: Path, start: str, end: str, sites_and_times: list[str]
) -> None:
    """Rows outside the window come along: `alerts.with_status` counts them, so that the balance is kept."""
    if not sites_and_times:
        with pytest.raises(SourceError, match="no hour folder lies there"):
            read(spark, lake, start, end)
        return

    rows = read(spark, lake, start, end)

    assert sorted(row["_ItemId"] for row in rows) == sites_and_times
    assert all(f"{row['site']} {row['table']} " in row["Title"] for row in rows), "site and table are those of the path"
    assert all(f"/workspaces/{row['site']}/y=" in row["file"] for row in rows)


def test_a_table_without_a_folder_is_told_and_its_columns_are_there(
    spark: SparkSession, lake: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise a format that reads `Extra` would fail in a plant that never had such an alert."""
    with caplog.at_level(logging.WARNING, logger="alertgraph_spark.read.export"):
        days = list_days(spark, str(lake), TABLES)
        tables = read_export(spark, days, COLUMNS, utc("2026-03-01"), utc("2026-03-02"))

    assert caplog.messages == ["table Other_CL has no folder in the window"]
    assert [row["site"] for row in tables["Alerts_CL"].collect()] == ["office", "plant"]
    assert {"site", "TimeGenerated", "Title", "Extra", "_corrupt_record"} <= set(tables["Other_CL"].columns)
    assert tables["Other_CL"].collect() == []


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
        r'{"Title": "}{ \" } {"}',  # braces and a quote inside a text
        '  {"Title": "indented"}  ',
    ]
    broken = [
        "[]",  # an empty array would be no row, and two objects one: not a line may vanish
        '{"Title": "a"}{"Title": "b"}',
        '{"Title": "a", "More": {"b": "}{"}} {"Title": "b"}',
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

    titles = [row["Title"] for row in rows[: len(whole)]]
    assert [titles[0], *titles[2:]] == ["plain", "line\u2028separator", None, '}{ " } {', "indented"]
    assert json.loads(titles[1]) == {"nested": 1}  # Spark 4 writes a blank after the colon
    assert [row["Count"] for row in rows[:4]] == ["2", "true", None, None]
    assert [row["_corrupt_record"] for row in rows] == [None] * 6 + broken, "blank lines alone are no rows"
    assert {row["site"] for row in rows} == {"plant"}


def test_windows_ends_of_line_and_a_mark_at_the_start_are_no_part_of_a_row(spark: SparkSession, tmp_path: Path) -> None:
    file = put_lines(tmp_path, "Alerts_CL", "2026-03-01T00:07", [])
    first, second = row_line("2026-03-01T00:07", Title="first"), row_line("2026-03-01T00:07", Title="second")
    file.write_bytes(f"\ufeff{first}\r\n\r\n{second}\r\n".encode())

    rows = read(spark, tmp_path, "2026-03-01", "2026-03-02")

    assert [(row["Title"], row["_corrupt_record"]) for row in rows] == [("first", None), ("second", None)]


def test_a_workspace_is_one_site_in_any_case_of_letters(spark: SparkSession, tmp_path: Path) -> None:
    """Exports write the resource id in lower case; a copy made by hand may not."""
    put_lines(tmp_path, "Alerts_CL", "2026-03-01T00:07", [row_line("2026-03-01T00:07", Title="lower")])
    file = put_lines(
        tmp_path, "Alerts_CL", "2026-03-01T00:07", [row_line("2026-03-01T00:07", Title="upper")], site="UP"
    )
    file.rename(file.parent / "moved")  # only the other folder is left
    upper = tmp_path / "am-alerts_cl" / workspace("PLANT").replace("resourcegroups/soc", "resourceGroups/SOC")
    target = upper / "y=2026/m=03/d=01/h=00/m=05"
    target.mkdir(parents=True)
    (file.parent / "moved").rename(target / "PT05M.json")

    rows = read(spark, tmp_path, "2026-03-01", "2026-03-02")

    assert sorted((row["site"], row["Title"]) for row in rows) == [("plant", "lower"), ("plant", "upper")]
