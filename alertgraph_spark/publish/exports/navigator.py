"""The techniques of a subgraph as layers of the ATT&CK Navigator: one for Enterprise, one for ICS, for they are two matrices.

References
----------
Layer format 4.5: https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from alertgraph_spark.publish.exports.cases import Case, Row, Run
from alertgraph_spark.publish.exports.techniques import DOMAINS, VERSION, Technique
from alertgraph_spark.publish.exports.told import heading, sentence
from alertgraph_spark.publish.plain_text import clock, plain

IT, OT = "#0072B2", "#E69F00"
"""Colours that the colour-blind tell apart (Okabe and Ito, 2008), as in the report."""

COMMENTED = 10
"""Episodes in a technique's comment; of more the rest is counted."""

GRADIENT = {"colors": ["#ffffff", "#d55e00"], "minValue": 0, "maxValue": 100}


def navigator_layers(run: Run, cases: Sequence[Case]) -> str:
    """The layers of subgraphs: the one there is, else a list, which the Navigator opens as so many tabs.

    A technique's score is the highest severity of the episodes that bear it, of 100; none where no product gives one. It is
    orange where one of them is about a machine of OT, else blue; the comment has its episodes. A subgraph without a technique
    has no layer.
    """
    layers = [layer for case in cases for layer in _layers(run, case)]
    return json.dumps(layers[0] if len(layers) == 1 else layers, indent=2) + "\n"


def _layers(run: Run, case: Case) -> Iterator[dict[str, Any]]:
    for matrix, domain in DOMAINS.items():
        found = {one: rows for one, rows in case.techniques.items() if one.matrix == matrix}
        if not found:
            continue
        yield {
            "name": f"{case.id} {domain.removesuffix('-attack')}",
            "versions": {"attack": VERSION, "navigator": "5.1.0", "layer": "4.5"},
            "domain": domain,
            "description": f"{heading(case)}. {plain(case.row['summary'])}",
            "sorting": 3,
            "layout": {"layout": "side", "showName": True, "showID": True, "expandedSubtechniques": "annotated"},
            "hideDisabled": False,
            "techniques": [_technique(case, one, rows) for one, rows in sorted(found.items())],
            "gradient": GRADIENT,
            "legendItems": [{"label": "seen on IT alone", "color": IT}, {"label": "seen on OT", "color": OT}],
            "metadata": [
                {"name": name, "value": value}
                for name, value in {
                    "subgraph": case.id,
                    "run": run.run_id,
                    "workspace": plain(case.site),
                    "score": f"{case.row['score']:.3f}",
                    "probability": f"{case.row['probability']:.2f}",
                    "first seen": f"{clock(case.row['first_seen'])} UTC",
                    "last seen": f"{clock(case.row['last_seen'])} UTC",
                }.items()
            ],
        }


def _technique(case: Case, technique: Technique, rows: Sequence[Row]) -> dict[str, Any]:
    severities = [row["severity"] for row in rows if row["severity"] is not None]
    more = [f"and {len(rows) - COMMENTED:,} more"] if len(rows) > COMMENTED else []
    steps = {row["episode_id"]: n for n, row in enumerate(case.episodes, 1)}
    first = {"name": "first step", "value": f"{steps[rows[0]['episode_id']]} of {len(steps):,}"}
    return {
        "techniqueID": technique.id,
        **({"score": round(100 * max(severities))} if severities else {}),
        "color": OT if any("ot" in (row["source_zone"], row["target_zone"]) for row in rows) else IT,
        "comment": "\n".join([*map(sentence, rows[:COMMENTED]), *more]),
        "enabled": True,
        "showSubtechniques": True,
        "metadata": [first, {"name": "alerts", "value": f"{sum(row['n_alerts'] for row in rows):,}"}],
    }
