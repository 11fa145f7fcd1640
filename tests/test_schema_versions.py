"""A saved table that changes has another version, a run says which it was saved with, and one of the future is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from alertgraph_spark.__main__ import main
from alertgraph_spark.errors import ResultsError
from alertgraph_spark.publish.results import LocalFolder, read_run, save_run
from alertgraph_spark.tables.schemas import RESULTS
from alertgraph_spark.tables.table import Table, table

FILE = Path(__file__).parent / "schema_versions.json"
"""Table to its version, and to a hash of the columns that this version has."""

NOW = {table.name: table.version for table in RESULTS}


def state(of: Table) -> list[int | str]:
    return [of.version, hashlib.sha256(of.ddl.encode()).hexdigest()[:12]]


def test_a_table_that_has_changed_has_another_version() -> None:
    told = "raise `version` of the table by one, and write its line into tests/schema_versions.json"

    assert {one.name: state(one) for one in RESULTS} == json.loads(FILE.read_text(encoding="utf-8")), told


def test_a_column_more_and_a_type_that_is_another_are_seen() -> None:
    of = table("t", "a row", ("a", "string", "what it is"))
    reworded = table("t", "a row", ("a", "string", "what it is, in better words"))
    more = table("t", "a row", ("a", "string", "what it is"), ("b", "string", "more"))
    other = table("t", "a row", ("a", "bigint", "what it is"))

    assert state(reworded) == state(of)
    assert state(of) not in [state(more), state(other), state(replace(of, version=2))]


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    return LocalFolder(str(tmp_path))


def test_a_run_of_this_version_and_one_before_there_were_any_are_read(folder: LocalFolder) -> None:
    for record in ({"run_id": "r"}, {"run_id": "r", "schema_versions": NOW}):
        save_run(folder, record)
        assert read_run(folder) == record


def test_a_table_that_this_version_does_not_know_is_no_hindrance(folder: LocalFolder) -> None:
    save_run(folder, {"schema_versions": NOW | {"invented_later": 7}})

    assert read_run(folder)["schema_versions"]["invented_later"] == 7


def test_a_run_of_a_newer_version_is_refused(folder: LocalFolder, capsys: pytest.CaptureFixture[str]) -> None:
    save_run(folder, {"schema_versions": NOW | {"members": NOW["members"] + 1}})

    told = f"{folder.place}: members saved by a newer version; update alertgraph-spark"
    with pytest.raises(ResultsError) as caught:
        read_run(folder)
    assert str(caught.value) == told
    for command in (["report", folder.place], ["export", folder.place, "--as", "stix"]):
        assert main(command) == 2
        assert capsys.readouterr().err == f"ResultsError: {told}\n"
