"""The command `alertgraph export`: subgraphs of a saved run in a form that others read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alertgraph_spark.clean_text import printed
from alertgraph_spark.publish import results
from alertgraph_spark.publish.exports import FORMS, TABLES, export_subgraphs

OpenRun = Callable[[str], results.RunFolder]
ReadTables = Callable[[results.RunFolder, Mapping[str, Sequence[str]]], dict[str, Any]]


def add_command(commands: Any, open_run: OpenRun, read_tables: ReadTables) -> None:
    """Add `export` to the commands of a parser.

    Parameters
    ----------
    commands
        The sub-parsers of argparse.
    open_run
        Takes a path or URL and gives the folder of a run.
    read_tables
        Takes a folder and names, and gives its tables.
    """
    parser = commands.add_parser(
        "export",
        help="subgraphs of a run as Attack Flow, STIX, Navigator layer or OCSF",
        description="Write subgraphs of a saved run in a form that others read. attack-flow: a MITRE Attack Flow, the actions"
        " in causal order. stix: a STIX 2.1 bundle. navigator: layers of the ATT&CK Navigator, one for Enterprise and one for"
        " ICS. ocsf: OCSF Incident Findings, one a line. Ids stay from run to run.",
        epilog="docs/exports.md says what each form holds and how to load it. Ends with 0, or with 2 if the run or the file"
        " cannot be used or has not the subgraph. A run that shows nothing gives a document without content.",
    )
    parser.add_argument("folder", metavar="RUN", help="results.path/<run id>, or its URL")
    parser.add_argument("--as", dest="form", required=True, choices=tuple(FORMS), help="what to write")
    parser.add_argument(
        "--subgraph",
        action="append",
        default=[],
        metavar="ID",
        help="a subgraph, shown or not; may be given several times. Without it, all that are shown",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write it; without it, the standard output")
    parser.set_defaults(run=lambda args: _export(args, open_run, read_tables))


def _export(args: argparse.Namespace, open_run: OpenRun, read_tables: ReadTables) -> int:
    folder = open_run(args.folder)
    record = results.read_run(folder)
    text, n = export_subgraphs(args.form, read_tables(folder, TABLES), record, args.subgraph)
    if args.out is None:
        sys.stdout.write(text)  # JSON in ASCII: nothing in it acts on a terminal
    else:
        results.LocalFolder(str(args.out.parent)).write(args.out.name, text.encode())
        sys.stderr.write(printed(f"export    {args.out}: {n:,} subgraph{'' if n == 1 else 's'} as {args.form}") + "\n")
    if not n:
        sys.stderr.write("the run shows no subgraph; --subgraph ID exports one that is not shown\n")
    return 0
