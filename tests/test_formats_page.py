"""docs/formats.md: what needs no real data is what the code says now; the measured table is what a run gives."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pyspark.sql import SparkSession

from alertgraph_spark.commands.format_check import FIELDS, Check
from alertgraph_spark.config.source_format import Format

REPO = Path(__file__).parent.parent
PAGE = (REPO / "docs/formats.md").read_text(encoding="utf-8")


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, REPO / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def formats_table() -> Any:
    before = list(sys.path)
    yield load("benchmarks/formats_table.py")
    sys.path[:] = before


def test_the_page_is_what_the_code_says(spark: SparkSession, make_docs: ModuleType) -> None:
    page = make_docs.formats_page(make_docs.check_output(), make_docs.measured_of(PAGE))

    assert page == PAGE, "run `make docs`"


def test_every_key_of_a_format_is_told(make_docs: ModuleType) -> None:
    told = set(
        re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")))
    )
    keys = {"format" if field.name == "name" else field.name for field in fields(Format)} - {"path", "is_shipped"}

    assert keys <= told, "a key without a line in the docstring of Format"


def test_the_worked_example_is_that_of_the_page_on_input() -> None:
    example = (REPO / "examples/formats/door_controller.yaml").read_text(encoding="utf-8")

    assert f"```yaml\n{example}```" in (REPO / "docs" / "input.md").read_text(encoding="utf-8")


def test_measured_tables_are_replaced_alone(make_docs: ModuleType) -> None:
    page = make_docs.with_measured(PAGE, "| new |")

    assert make_docs.measured_of(page) == "| new |"
    assert make_docs.with_measured(page, make_docs.measured_of(PAGE)) == PAGE


def test_a_row_of_the_table_by_hand(formats_table: Any) -> None:
    check = Check(
        n_rows=1200,
        n_alerts=1000,
        refused={"not an alert": (150, 1), "no alert name": (50, 2)},
        filled=dict(zip(FIELDS, (1000, 1000, 999, 500, 1, 0), strict=True)),
        products=["Gate"],
    )
    row = formats_table.row_of({"sample": "gates/*.json", "format": "my/gate.yaml"}, check)

    assert row == (
        "| `gates/*.json` | Gate | `gate` | 1,200 | 1,000 | 150 not an alert; 50 no alert name"
        " | 100 % | 100 % | 99 % | 50 % | 1 % | 0 % |"
    )


def test_without_the_real_samples_the_page_is_left_alone(
    formats_table: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert formats_table.main(["--data", str(tmp_path / "nowhere")]) == 0

    assert capsys.readouterr().out == f"no real samples at {tmp_path / 'nowhere'}: docs/formats.md is left as it is\n"
    assert (REPO / "docs/formats.md").read_text(encoding="utf-8") == PAGE


def test_every_entry_of_the_catalogue_has_its_row(formats_table: Any) -> None:
    """A sample without a row has been added since the table was measured: run benchmarks/formats_table.py."""
    samples = [entry["sample"] for entry in formats_table.catalogue()]

    assert len(samples) == len(set(samples))
    assert re.findall(r"^\| `([^`]+)` \|", PAGE.split("## Measured")[1], re.M) == sorted(
        samples, key=lambda sample: "no_alerts" in next(e for e in formats_table.catalogue() if e["sample"] == sample)
    )


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"sample": "a", "format": "sigma", "colums": "raw"}, "unknown key 'colums'"),
        ({"sample": "a"}, "wants either format or no_alerts"),
        ({"sample": "a", "format": "sigma", "no_alerts": "why"}, "wants either format or no_alerts"),
    ],
)
def test_a_broken_entry_is_told(formats_table: Any, entry: dict[str, str], words: str) -> None:
    with pytest.raises(SystemExit, match=words):
        formats_table.checked([entry])


@pytest.mark.lake
@pytest.mark.slow
def test_the_page_is_what_a_run_gives(spark: SparkSession, shared: Path, formats_table: Any) -> None:
    """Two small sets again: alerts of Sentinel, and those of a detector as raw lines."""
    for sample in ("sentinel_msticpy/alertlist.csv", "sigma_host_alerts/*_sigma_alerts.jsonl.gz"):
        (entry,) = [one for one in formats_table.catalogue() if one["sample"] == sample]
        row = formats_table.row_of(entry, formats_table.measure(spark, entry, shared / "data"))

        assert row in PAGE.splitlines()
