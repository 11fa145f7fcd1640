"""A subgraph as a MITRE Attack Flow: an action each episode, effects along its causes, a condition where it comes into OT.

Attack Flow Builder draws a node for each object and a line for each reference, an author's and a marking's too, and none for
an operator. So author and marking stand at the flow alone, and two causes are two arrows instead of an OR that would be lost.

References
----------
Attack Flow 2, https://center-for-threat-informed-defense.github.io/attack-flow/language/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from alertgraph_spark.publish.exports.cases import Case, Row, Run, entities_of, is_crossing, techniques_of
from alertgraph_spark.publish.exports.ids import stix_id
from alertgraph_spark.publish.exports.stix import incident_time, reference
from alertgraph_spark.publish.exports.stix_objects import (
    ALWAYS,
    TLP_AMBER,
    Entities,
    Object,
    author,
    bundle,
    instant,
    made,
)
from alertgraph_spark.publish.exports.techniques import ENTERPRISE, ICS, Tactic, Technique, tactic
from alertgraph_spark.publish.exports.told import facts, heading, sections, sentence
from alertgraph_spark.publish.plain_text import label, plain
from alertgraph_spark.short_text import QUOTED

EXTENSION = "extension-definition--fb9c968a-745b-4ade-9b25-c324172197f4"
MITRE = "identity--d673f8cb-c168-42da-8ed4-0cb26725f86c"

_PUBLISHED = "2022-08-02T19:34:35.143Z"
_PAGE = "https://center-for-threat-informed-defense.github.io/attack-flow"
_DEFINITION: tuple[Object, Object] = (
    {
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": EXTENSION,
        "created_by_ref": MITRE,
        "created": _PUBLISHED,
        "modified": _PUBLISHED,
        "name": "Attack Flow",
        "description": "Extends STIX 2.1 with features to create Attack Flows.",
        "schema": f"{_PAGE}/stix/attack-flow-schema-2.0.0.json",
        "version": "2.0.0",
        "extension_types": ["new-sdo"],
        "external_references": [
            {"source_name": "Documentation", "description": "Documentation for Attack Flow", "url": _PAGE}
        ],
    },
    {
        "type": "identity",
        "spec_version": "2.1",
        "id": MITRE,
        "created_by_ref": MITRE,
        "created": _PUBLISHED,
        "modified": _PUBLISHED,
        "name": "MITRE Center for Threat-Informed Defense",
        "identity_class": "organization",
    },
)
"""As the project publishes them, for who has no Attack Flow yet."""


def attack_flow(run: Run, cases: Sequence[Case]) -> str:
    """Subgraphs as one document with one flow, for a document has no more: what starts a subgraph starts the flow.

    Nothing leads from one subgraph into another. Without a subgraph there is no object.
    """
    if not cases:
        return bundle("attack-flow", run, cases, [])
    told = [one for case in cases for one in _case(case, run)]
    head = [*_DEFINITION, TLP_AMBER, author(run), _flow(run, cases)]
    return bundle("attack-flow", run, cases, [*head, *told])


def _extended(kind: str, parts: Sequence[str], run: Run, created: datetime, **properties: Any) -> Object:
    return made(kind, parts, run, created, **properties, extensions={EXTENSION: {"extension_type": "new-sdo"}})


def _within(kind: str, parts: Sequence[str], run: Run, created: datetime, **properties: Any) -> Object:
    """An object of the flow, whose author and marking are the flow's."""
    return _alone(_extended(kind, parts, run, created, **properties))


def _alone(one: Object) -> Object:
    """An object without the references of which nothing of the flow is said."""
    return {name: value for name, value in one.items() if name not in ("created_by_ref", "object_marking_refs")}


def _flow(run: Run, cases: Sequence[Case]) -> Object:
    starts = [
        stix_id("attack-action", case.site, row["episode_id"])
        for case in cases
        for row in case.episodes
        if row["episode_id"] not in case.led
    ]
    name = heading(cases[0]) if len(cases) == 1 else f"{len(cases)} subgraphs of run {run.run_id}"
    return _extended(
        "attack-flow",
        ["subgraph", *(case.id for case in cases)],
        run,
        min(incident_time(case) for case in cases),
        name=name,
        description="\n\n".join(_described(case, is_one=len(cases) == 1) for case in cases),
        scope="incident",
        start_refs=starts,
        external_references=[one for case in cases for one in reference(case, run)],
    )


def _described(case: Case, *, is_one: bool) -> str:
    parts = [f"{head}\n" + "\n".join(lines) for head, lines in sections(case)]
    return "\n\n".join(parts if is_one else [heading(case), *parts])


def _case(case: Case, run: Run) -> Iterator[Object]:
    entities = Entities(case, run)
    for row in case.episodes:
        yield from _action(case, row, run)
    named: set[str] = set()
    for key in case.keys:
        ref = entities.observables.get(key) or entities.machines.get(key)
        named |= {ref} if ref else set()
        yield _within(
            "attack-asset",
            [case.site, key],
            run,
            ALWAYS,
            name=label(key),
            description=", ".join(facts(case, key)),
            object_ref=ref,
        )
    yield from (_alone(one) for one in entities.objects if one["id"] in named)


def _action(case: Case, row: Row, run: Run) -> Iterator[Object]:
    """The action of an episode, and the condition that it meets."""
    techniques = techniques_of(row)
    first = techniques[0] if techniques else None
    effects = [stix_id("attack-action", case.site, one) for one in case.effects.get(row["episode_id"], ())]
    others = f" Also {', '.join(f'{one.id} {one.name}' for one in techniques[1:])}." if techniques[1:] else ""
    named = _tactic(row, first)
    yield _within(
        "attack-action",
        [case.site, row["episode_id"]],
        run,
        row["started_at"],
        name=first.name if first else named.name if named else plain(row["name"], QUOTED),
        tactic_id=named.id if named else None,
        technique_id=first.id if first else None,
        description=f"{sentence(row)}.{others}",
        execution_start=instant(row["started_at"]),
        execution_end=instant(row["ended_at"]),
        asset_refs=[stix_id("attack-asset", case.site, key) for key in entities_of(row)],
        effect_refs=[stix_id("attack-condition", case.site, row["episode_id"])] if is_crossing(row) else effects,
    )
    if is_crossing(row):
        yield _within(
            "attack-condition",
            [case.site, row["episode_id"]],
            run,
            row["started_at"],
            description=f"The attacker reaches OT: {_into(case, row)}",
            on_true_refs=effects,
        )


def _into(case: Case, row: Row) -> str:
    said = [(key, ", ".join(facts(case, key))) for key in (row["source_entity"], row["target_entity"]) if key]
    return " → ".join(f"{label(key)} ({known})" if known else label(key) for key, known in said)


def _tactic(row: Row, technique: Technique | None) -> Tactic | None:
    matrix = technique.matrix if technique else ICS if row["target_zone"] == "ot" else ENTERPRISE
    return tactic(row["tactics"][0], matrix) if row["tactics"] else None
