"""A subgraph as others read it: MITRE Attack Flow, STIX 2.1, a layer of the ATT&CK Navigator, an OCSF Incident Finding.

`cases` is what a run saved of it, `told` what it says in words; each form is a module. Ids come from ours, so two exports of
one run are the same bytes, and a subgraph that has grown keeps its ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from alertgraph_spark.publish.exports.attack_flow import attack_flow
from alertgraph_spark.publish.exports.cases import TABLES, Case, Run, read_cases
from alertgraph_spark.publish.exports.navigator import navigator_layers
from alertgraph_spark.publish.exports.ocsf import incident_findings
from alertgraph_spark.publish.exports.stix import stix_bundle

__all__ = ["FORMS", "TABLES", "export_subgraphs"]

FORMS: dict[str, Callable[[Run, Sequence[Case]], str]] = {
    "attack-flow": attack_flow,
    "stix": stix_bundle,
    "navigator": navigator_layers,
    "ocsf": incident_findings,
}
"""Name of a form to what writes it."""


def export_subgraphs(
    form: str, tables: Mapping[str, pa.Table], record: Mapping[str, Any], wanted: Sequence[str] = ()
) -> tuple[str, int]:
    """Write subgraphs of a run in a form that other products read.

    Parameters
    ----------
    form
        One of `FORMS`.
    tables
        Of a run as it was saved, with the columns of `TABLES`, as Arrow tables or datasets.
    record
        What its `run.json` holds.
    wanted
        Ids of subgraphs; none means all that are shown.

    Returns
    -------
    tuple
        The text, and the number of subgraphs in it.

    Raises
    ------
    ResultsError
        If the run has not each of the subgraphs that are named.
    """
    run, cases = read_cases(tables, record, wanted)
    return FORMS[form](run, cases), len(cases)
