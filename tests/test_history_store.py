"""The store: a part is there whole or not at all, whoever else writes; what nobody needs goes when nobody can read it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from alertgraph_spark.config import format_files
from alertgraph_spark.errors import ResultsError
from alertgraph_spark.history.store import Store, history_key, place_of
from alertgraph_spark.publish.results import open_folder

DAY = date(2026, 3, 2)
STATE = "0123456789abcdef"


def a_store(path: Path, key: str = "0" * 12) -> Store:
    return Store(open_folder(str(path)), key)


@pytest.mark.parametrize("site", ["plant", "werk süd", "a~b", "..", "%2f", "x~2026-03-02~day", "UPPER+lower"])
def test_a_part_is_found_by_what_it_holds(tmp_path: Path, site: str) -> None:
    kept = [a_store(tmp_path).keep(site, DAY, hour, STATE, b"rows") for hour in (None, 0, 23)]
    found = a_store(tmp_path).parts()
    assert found == sorted(kept, key=lambda part: part.hour if part.hour is not None else -1)
    assert {(part.site, part.day, part.key, part.fingerprint) for part in found} == {(site, DAY, "0" * 12, STATE)}
    assert [a_store(tmp_path).file(part).read_bytes() for part in found] == [b"rows"] * 3
    assert {file.parent for file in tmp_path.iterdir()} == {tmp_path}, "no name of a site leaves the folder"


def test_other_files_are_no_parts(tmp_path: Path) -> None:
    part = a_store(tmp_path).keep("plant", DAY, 7, STATE, b"rows")
    for name in (
        "README.txt",
        f"{part.name}.part",
        f".{part.name}.part",
        part.name.replace("~07~", "~7~"),
        "~.parquet",
    ):
        (tmp_path / name).write_bytes(b"")
    assert a_store(tmp_path).parts() == [part]


def test_two_runs_that_make_one_part_disturb_each_other_in_nothing(tmp_path: Path) -> None:
    parts = {a_store(tmp_path).keep("plant", DAY, 7, STATE, b"rows") for _ in range(20)}
    assert len(parts) == 20
    assert set(a_store(tmp_path).parts()) == parts


def test_what_nobody_needs_goes_when_nobody_can_be_reading_it(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    gone, stays = (store.keep("plant", DAY, hour, STATE, b"rows") for hour in (7, 8))
    folding = tmp_path / store.new_folding()
    folding.mkdir()
    (folding / "part-0.parquet").write_bytes(b"rows")
    (tmp_path / "folding-notes").mkdir()
    assert store.clear_old([gone]) == 0
    assert store.clear_old([gone], timedelta(seconds=-1)) == 1
    assert store.parts() == [stays]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["folding-notes"]
    with pytest.raises(ResultsError, match="is gone; run again"):
        store.file(gone)


def test_the_key_is_what_decides_the_content() -> None:
    formats = {"SuricataEve_CL": format_files.load_format(format_files.find_format("suricata_eve"))}
    key = history_key("/lake", formats)
    other = {name: replace(one, where="true") for name, one in formats.items()}
    renamed = {"Other_CL": formats["SuricataEve_CL"]}
    keys = [key, history_key("/lake2", formats), history_key("/lake", other), history_key("/lake", renamed)]
    assert len(set(keys)) == 4
    assert history_key("/lake", dict(formats)) == key


@pytest.mark.parametrize(
    ("path", "results", "place"),
    [
        ("default", "results", "results-history"),
        ("default", "/soc/results/", "/soc/results-history"),
        ("default", "file:///soc/results", "file:///soc/results-history"),
        ("default", "abfss://soc@lake.dfs.core.windows.net", "abfss://soc@lake.dfs.core.windows.net/history"),
        ("default", "abfss://soc@lake.dfs.core.windows.net/runs", "abfss://soc@lake.dfs.core.windows.net/runs-history"),
        ("/elsewhere/", "results", "/elsewhere"),
        ("none", "results", None),
    ],
)
def test_the_store_lies_beside_the_results(path: str, results: str, place: str | None) -> None:
    assert place_of(path, results) == place
