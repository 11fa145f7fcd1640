"""The asset list: what a row says, and that every wrong row is told by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertgraph_spark.errors import ConfigError
from alertgraph_spark.io.assets import load_assets
from alertgraph_spark.source_format import Asset

HEADER = "asset,name,zone,purdue_level,criticality,role"


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
    file = listed(
        tmp_path, "10.9.0.31, plc-3 ,ot,1,0.9,PLC", "10.9.0.0/24,,ot,2,,", "scan01,,,,,scanner", encoding=encoding
    )

    assert load_assets(file) == [
        Asset("10.9.0.31", "plc-3", "ot", 1.0, 0.9, "plc"),
        Asset("10.9.0.0/24", None, "ot", 2.0, None, None),
        Asset("scan01", None, None, None, None, "scanner"),
    ]


def test_columns_may_be_left_out_and_stand_in_any_order(tmp_path: Path) -> None:
    assert load_assets(listed(tmp_path, "it,ws-1", header="zone,asset")) == [Asset("ws-1", zone="it")]


def test_every_wrong_row_is_told_with_its_line(tmp_path: Path) -> None:
    file = listed(
        tmp_path,
        "ws-1,,office,,,",
        "ws-2,,it,4,1,",
        ",ws-3,it,,,",
        "ws-4,,it,6,,",
        "ws-5,,it,high,,",
        "ws-6,,it,,1.5,",
        "10.1.0.0/33,,it,,,",
        "fd00::/8,,it,,,",
        "ws-7,,it,,,server,extra",
    )

    assert refusal(file).splitlines() == [
        f"{file}:2: zone is 'office'; legal are it, dmz, ot, external, unknown",
        f"{file}:4: asset is empty",
        f"{file}:5: purdue_level is '6'; legal are 0 to 5",
        f"{file}:6: purdue_level is 'high'; legal are 0 to 5",
        f"{file}:7: criticality is '1.5'; legal are 0 to 1",
        f"{file}:8: asset is '10.1.0.0/33', no IPv4 block such as 10.1.0.0/16",
        f"{file}:9: asset is 'fd00::/8', no IPv4 block such as 10.1.0.0/16",
        f"{file}:10: has more cells than the header, which is {HEADER}",
    ]


@pytest.mark.parametrize("header", ["host,zone", "asset;zone", "asset,zone,owner", ""])
def test_another_header_is_refused_with_the_legal_columns(tmp_path: Path, header: str) -> None:
    assert f"legal columns are {HEADER}" in refusal(listed(tmp_path, "ws-1,it", header=header))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "asset list cannot be read: No such file" in refusal(tmp_path / "nowhere.csv")
    assert "asset list cannot be read" in refusal(listed(tmp_path, "büro,,it,,,", encoding="cp1252"))
