"""The notebook runs as it stands, on the example plant and the emulator; what it shows is looked for in its outputs."""

from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebook's extras are not installed")
nbclient = pytest.importorskip("nbclient", reason="the notebook's extras are not installed")
pytest.importorskip("ipykernel", reason="the notebook's extras are not installed")

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO / "examples"))  # the examples are no part of the wheel

from emulator.server import LogsIngestionEmulator  # noqa: E402 - needs the line above

NOTEBOOK = REPO / "examples" / "sentinel_notebook.ipynb"
VARIABLE = "ALERTGRAPH_TEST_NOTEBOOK_TOKEN"


def kept() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def parameters(notebook: Any) -> Any:
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return cell


def test_it_is_kept_without_outputs() -> None:
    nbformat.validate(kept())
    for cell in kept().cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


def test_its_steps_are_the_walk() -> None:
    headings = [line for cell in kept().cells for line in cell.source.splitlines() if line.startswith("## ")]

    assert [line.removeprefix("## ") for line in headings[1:]] == [
        *("1. Load a range", "2. Rank", "3. The whole network", "4. Three subgraphs", "5. Publish")
    ]
    assert "post.mode=none" in parameters(kept()).source, "as it stands it publishes nothing"


@dataclass(frozen=True)
class Ran:
    """What an execution left: the notebook with its outputs, the token that it was lent, and the emulator's rows."""

    notebook: Any
    token: str
    db: Path

    def text(self) -> str:
        return "\n".join(str(part) for output in self.outputs() for part in _parts(output))

    def outputs(self) -> Iterator[Any]:
        for cell in self.notebook.cells:
            yield from cell.get("outputs", [])


def _parts(output: Any) -> Iterator[str]:
    yield output.get("text", "")
    for kind, data in output.get("data", {}).items():
        yield "" if kind.startswith("image/") else data


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    home = tmp_path_factory.mktemp("notebook")
    command = [sys.executable, str(REPO / "examples/plant/generate.py"), str(home / "plant")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    token = secrets.token_hex(16)
    notebook = kept()
    with LogsIngestionEmulator(home / "posted.sqlite", token) as emulator:
        overrides = {
            "export.root": home / "plant" / "lake",
            "assets": home / "plant" / "assets.csv",
            "maintenance": home / "plant" / "maintenance.csv",
            "results.path": home / "results",
            "post.endpoint": emulator.url,
            "post.credential": f"env:{VARIABLE}",
        }
        parameters(notebook).source = (
            'CONFIG = "examples/plant.yaml"\nSTART, END = "2026-03-02T00:00:00Z", "2026-03-05T00:00:00Z"\n'
            f"OVERRIDES = {[f'{key}={value}' for key, value in overrides.items()]!r}\n"
        )
        environment = os.environ | {VARIABLE: token, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        environment.pop("PYSPARK_GATEWAY_PORT", None)
        client = nbclient.NotebookClient(
            notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}
        )
        client.execute(env=environment)
    nbformat.write(notebook, home / "executed.ipynb")  # to look at
    return Ran(notebook, token, home / "posted.sqlite")


@pytest.mark.slow
def test_it_shows_what_is_hidden_in_the_plant(ran: Ran) -> None:
    text = ran.text()

    assert "2026-03-02 00:00 to 2026-03-05 00:00 UTC" in text
    assert "4,957 rows read = 4,920 alerts + 37 duplicates + 0 out of window + 0 rejected" in text
    assert "ws-017 → fs01 → jmp01 → ews-2 → plc-3" in text
    for heading in (">1. ", ">2. ", ">3. "):
        assert heading in text
    assert "Address Scan Detected" in text
    pictures = [output for output in ran.outputs() if "image/png" in output.get("data", {})]
    assert len(pictures) == 4, "the whole network and three subgraphs"


@pytest.mark.slow
def test_it_publishes_each_row_once(ran: Ran) -> None:
    with closing(sqlite3.connect(ran.db)) as posted:
        rows, distinct, runs = posted.execute(
            "SELECT count(*), count(DISTINCT RowId), count(DISTINCT RunId) FROM AlertGraphSubgraphs_CL"
        ).fetchone()
        ((finished,),) = posted.execute("SELECT count(*) FROM AlertGraphRuns_CL").fetchall()

    assert rows == distinct > 100
    assert (runs, finished) == (1, 1)
    assert f"{'subgraphs':<10}{rows:>8,} rows {rows:>8,} sent" in ran.text()


@pytest.mark.slow
def test_no_secret_is_in_it(ran: Ran) -> None:
    assert ran.token not in nbformat.writes(ran.notebook)
    assert "Bearer" not in ran.text()
