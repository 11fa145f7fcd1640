"""Asset list and maintenance calendar: what a row says, and that every wrong row is told by its line."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from alertgraph_spark.config.source_format import Asset, MaintenanceWindow
from alertgraph_spark.errors import ConfigError
from alertgraph_spark.read.assets import load_assets, load_maintenance

HEADER = "asset,name,zone,purdue_level,role"
READ = f"{HEADER},owner,runbook"


def listed(tmp_path: Path, *rows: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    file = tmp_path / "assets.csv"
    file.write_bytes("\r\n".join([header, *rows, ""]).encode(encoding))
    return file


def refusal(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_assets(file)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])  # spreadsheets put a mark in front
def test_a_row_is_an_asset_and_an_empty_cell_says_nothing(tmp_path: Path, encoding: str) -> None:
    file = listed(tmp_path, "10.9.0.31, plc-3 ,ot,1,PLC", "10.9.0.0/24,,ot,2,", "scan01,,,,scanner", encoding=encoding)

    assert load_assets(file) == [
        Asset("10.9.0.31", "plc-3", "ot", 1.0, "plc"),
        Asset("10.9.0.0/24", None, "ot", 2.0, None),
        Asset("scan01", None, None, None, "scanner"),
    ]


def test_columns_may_be_left_out_and_stand_in_any_order(tmp_path: Path) -> None:
    assert load_assets(listed(tmp_path, "it,ws-1", header="zone,asset")) == [Asset("ws-1", zone="it")]


def test_an_owner_and_a_runbook_are_cleaned(tmp_path: Path) -> None:
    file = listed(tmp_path, "fs1, IT\u200b operations ,https://wiki.example/fs1", "ws1,,", header="asset,owner,runbook")

    assert load_assets(file) == [
        Asset("fs1", owner="IT operations", runbook="https://wiki.example/fs1"),
        Asset("ws1"),
    ]


def test_every_wrong_row_is_told_with_its_line(tmp_path: Path) -> None:
    file = listed(
        tmp_path,
        "ws-1,,office,,",
        "ws-2,,it,4,",
        ",ws-3,it,,",
        "ws-4,,it,6,",
        "ws-5,,it,high,",
        "10.1.0.0/33,,it,,",
        "fd00::/8,,it,,",
        "ws-7,,it,,server,extra",
    )

    assert refusal(file).splitlines() == [
        f"{file}:2: zone is 'office'; legal are it, dmz, ot, external, unknown",
        f"{file}:4: asset is empty",
        f"{file}:5: purdue_level is '6'; legal are 0 to 5",
        f"{file}:6: purdue_level is 'high'; legal are 0 to 5",
        f"{file}:7: asset is '10.1.0.0/33', no IPv4 block such as 10.1.0.0/16",
        f"{file}:8: asset is 'fd00::/8', no IPv4 block such as 10.1.0.0/16",
        f"{file}:9: has more cells than the header, which is {HEADER}",
    ]


def test_a_column_that_is_not_read_is_accepted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = listed(tmp_path, "ws-1,it,0.9", header="asset,zone,criticality")

    assert load_assets(file) == [Asset("ws-1", zone="it")]
    assert [record.getMessage() for record in caplog.records] == [
        f"{file}: not read: the columns criticality; read are {READ.replace(',', ', ')}"
    ]
    caplog.clear()
    assert load_assets(listed(tmp_path, "ws-1,it", header="asset,zone")) == [Asset("ws-1", zone="it")]
    assert not caplog.records


@pytest.mark.parametrize("header", ["host,zone", "asset;zone", ""])
def test_another_header_is_refused_with_the_legal_columns(tmp_path: Path, header: str) -> None:
    assert f"legal columns are {HEADER}" in refusal(listed(tmp_path, "ws-1,it", header=header))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "asset list cannot be read: No such file" in refusal(tmp_path / "nowhere.csv")
    assert "asset list cannot be read" in refusal(listed(tmp_path, "büro,,it,,", encoding="cp1252"))


# --- the calendar

CALENDAR = "asset,from,to,site,what"


def test_a_row_of_the_calendar_is_a_window(tmp_path: Path) -> None:
    file = listed(
        tmp_path,
        "ews-1, 2026-03-02T22:00:00Z ,2026-03-03T01:30+01:00,plant-a,new firmware",
        "10.9.0.31,2026-03-02T22:00Z,2026-03-02T23:00Z,,",
        header=CALENDAR,
    )
    first, second = load_maintenance(file)

    ten = datetime(2026, 3, 2, 22, tzinfo=timezone.utc)
    assert first == MaintenanceWindow("ews-1", ten, ten + timedelta(hours=2.5), "plant-a")  # 01:30 in Vienna
    assert second == MaintenanceWindow("10.9.0.31", ten, ten + timedelta(hours=1), None)
    assert load_maintenance(listed(tmp_path, "a,2026-03-02T22Z,2026-03-02T23Z", header="asset,from,to"))


def test_every_wrong_window_is_told_with_its_line(tmp_path: Path) -> None:
    file = listed(
        tmp_path,
        "ews-1,2026-03-02T22:00:00,2026-03-03T01:00:00Z,,",
        "ews-1,2026-03-02T22:00:00Z,tomorrow,,",
        "ews-1,2026-03-02T22:00:00Z,2026-03-02T23:00:00+01:00,,",
        ",2026-03-02T22:00:00Z,2026-03-02T23:00:00Z,,",
        "10.9.0.0/24,2026-03-02T22:00:00Z,2026-03-02T23:00:00Z,,",
        header=CALENDAR,
    )

    with pytest.raises(ConfigError) as caught:
        load_maintenance(file)
    like = "no ISO 8601 time with an offset, such as 2026-03-02T22:00:00Z"
    assert str(caught.value).splitlines() == [
        f"{file}:2: from is '2026-03-02T22:00:00', {like}",
        f"{file}:3: to is 'tomorrow', {like}",
        f"{file}:4: from 2026-03-02T22:00:00Z is not before to 2026-03-02T23:00:00+01:00",  # the same moment
        f"{file}:5: asset is ''; a window is of one host name or address",
        f"{file}:6: asset is '10.9.0.0/24'; a window is of one host name or address",
    ]


@pytest.mark.parametrize("header", ["asset,from", "host,from,to"])
def test_another_header_of_the_calendar_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(ConfigError, match=f"legal columns are {CALENDAR}"):
        load_maintenance(listed(tmp_path, "a,b,c", header=header))


def test_a_calendar_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="maintenance calendar cannot be read: No such file"):
        load_maintenance(tmp_path / "nowhere.csv")
