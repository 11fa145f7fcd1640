"""A run as one page to read: what was found, as a network, and each of the few subgraphs told, drawn and listed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

import pyarrow as pa

from alertgraph_spark.publish.report.gather import gather
from alertgraph_spark.tables.network_schemas import EDGES, NODES
from alertgraph_spark.tables.run_schemas import EXCEPTIONS
from alertgraph_spark.tables.schemas import EVIDENCE, MEMBERS, SUBGRAPHS
from alertgraph_spark.tables.verdict_schemas import VERDICTS

log = logging.getLogger(__name__)

NAME = "report.html"
"""The page's file in the folder of its run."""

TABLES = {table.name: table.names for table in (SUBGRAPHS, MEMBERS, EVIDENCE, NODES, EDGES, EXCEPTIONS, VERDICTS)}
"""What a page is made of: tables of a run and their columns."""

NO_BOKEH = "not written: bokeh is not installed; pip install 'alertgraph-spark[report]', then: alertgraph report"


class Files(Protocol):
    """Where the page is written."""

    place: str

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole."""


def write_report(tables: Mapping[str, pa.Table], record: Mapping[str, Any], files: Files) -> bool:
    """Write the report of a run beside its tables.

    Parameters
    ----------
    tables
        Of the run as it was saved (`schemas.RESULTS`), as Arrow tables or datasets.
    record
        What its `run.json` holds.
    files
        The folder of the run.

    Returns
    -------
    bool
        False where Bokeh, an extra, is not installed.
    """
    try:
        from alertgraph_spark.publish.report.page import render  # noqa: PLC0415  # it needs Bokeh, a run does not
    except ImportError:
        return False
    files.write(NAME, render(gather(tables, record)).encode())
    return True


def write_or_say(tables: Mapping[str, pa.Table], record: Mapping[str, Any], folder: Files) -> str:
    """Write the report of a run that has been saved and posted.

    A report that cannot be written is a warning: it can be made again from the tables in `folder`, and nothing else is
    missing.

    Parameters
    ----------
    tables
        Of the run as it was saved (`schemas.RESULTS`), as Arrow tables or datasets.
    record
        What its `run.json` holds.
    folder
        The folder of the run.

    Returns
    -------
    str
        Where the report is, or why there is none.
    """
    try:
        return f"{folder.place}/{NAME}" if write_report(tables, record, folder) else NO_BOKEH
    except Exception as error:  # noqa: BLE001  # DuckDB, Bokeh and the file system each raise their own
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]}"
        log.warning(
            "the report is not written: %s; the results are saved; write it again: alertgraph report %s",
            reason,
            folder.place,
        )
        return "not written; see the warning"
