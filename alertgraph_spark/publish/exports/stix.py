"""A subgraph as a STIX 2.1 bundle: an incident, what was observed in which order, the techniques seen, and why it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from alertgraph_spark.publish.exports.cases import Case, Row, Run, entities_of, techniques_of
from alertgraph_spark.publish.exports.ids import stix_id
from alertgraph_spark.publish.exports.stix_objects import (
    PRODUCT,
    TLP_AMBER,
    Entities,
    Object,
    attack_pattern,
    author,
    bundle,
    instant,
    made,
    relationship,
    site_of,
)
from alertgraph_spark.publish.exports.told import heading, sections, sentence
from alertgraph_spark.publish.plain_text import label, plain
from alertgraph_spark.short_text import QUOTED, STORY

MOST = 999_999_999
"""The most that STIX counts to (4.14, 5.2)."""


def stix_bundle(run: Run, cases: Sequence[Case]) -> str:
    """Subgraphs as one bundle: a grouping each, of all that is told of it.

    An episode is observed data where STIX has an observable for one of its entities, and a sighting of each technique of it,
    or of its machine; `leads-to` goes from an episode to one that it led to. Parts in words are notes.
    """
    objects = [one for case in cases for one in _case(case, run)]
    return bundle("stix", run, cases, [TLP_AMBER, author(run), *objects] if cases else [])


def _case(case: Case, run: Run) -> Iterator[Object]:
    site, incident = site_of(case.site, run), _incident(case, run)
    entities = Entities(case, run)
    told: list[Object] = [site, incident, *entities.objects]
    for technique in case.techniques:
        pattern = attack_pattern(technique, run)
        told += [pattern, relationship("uses", incident["id"], pattern["id"], run, incident_time(case))]
    machines = dict.fromkeys(entities.machines.values())
    told += [relationship("related-to", one, incident["id"], run, incident_time(case)) for one in machines]
    observed = {row["episode_id"]: one for row in case.episodes if (one := _observed(case, row, entities, run))}
    told += observed.values()
    for row in case.episodes:
        told += _sightings(case, row, entities, observed.get(row["episode_id"]), run)
    told += _order(case, observed, run)
    told += _notes(case, incident, run)
    grouping = made(
        "grouping",
        ["subgraph", case.id],
        run,
        incident_time(case),
        name=heading(case),
        context="suspicious-activity",
        description=plain(case.row["summary"]),
        external_references=reference(case, run),
        object_refs=[*dict.fromkeys(one["id"] for one in told)],
    )
    yield from (*told, grouping)


def incident_time(case: Case) -> datetime:
    """When a subgraph began: it stays when the subgraph grows."""
    began: datetime = case.row["first_seen"]
    return began


def reference(case: Case, run: Run) -> list[Object]:
    """Where a subgraph is told of in our own tables."""
    said = f"subgraph of run {run.run_id}, workspace {plain(case.site)}"
    return [{"source_name": PRODUCT, "external_id": case.id, "description": said}]


def _incident(case: Case, run: Run) -> Object:
    story = " ".join(said["sentence"] for said in case.row["story"])
    return made(
        "incident",
        ["subgraph", case.id],
        run,
        incident_time(case),
        name=heading(case),
        description=plain(f"{case.row['summary']}. {story}", STORY),
        labels=[f"motif:{motif}" for motif in case.row["motifs"]],
        confidence=round(100 * case.row["probability"]),
        external_references=reference(case, run),
    )


def _observed(case: Case, row: Row, entities: Entities, run: Run) -> Object | None:
    seen = [entities.observables[key] for key in entities_of(row) if key in entities.observables]
    if not seen:
        return None
    return made(
        "observed-data",
        ["episode", case.site, row["episode_id"]],
        run,
        row["started_at"],
        first_observed=instant(row["started_at"]),
        last_observed=instant(row["ended_at"]),
        number_observed=min(row["n_alerts"], MOST),
        object_refs=seen,
        labels=[plain(row["name"], QUOTED)],
        external_references=alerts_of(row),
    )


def alerts_of(row: Row) -> list[Object]:
    """The alerts of an episode: the format that read them, and their ids."""
    return [{"source_name": row["source"], "external_id": plain(one)} for one in row["alert_ids"] or ()]


def _sightings(case: Case, row: Row, entities: Entities, observed: Object | None, run: Run) -> Iterator[Object]:
    ends = [entities.machines[key] for key in entities_of(row) if key in entities.machines]
    patterns = [stix_id("attack-pattern", one.id) for one in techniques_of(row)]
    for sighted in patterns or ends[-1:] or [stix_id("incident", "subgraph", case.id)]:
        yield made(
            "sighting",
            ["episode", case.site, row["episode_id"], sighted],
            run,
            row["started_at"],
            description=sentence(row),
            first_seen=instant(row["started_at"]),
            last_seen=instant(row["ended_at"]),
            count=min(row["n_alerts"], MOST),
            sighting_of_ref=sighted,
            observed_data_refs=[observed["id"]] if observed else [],
            where_sighted_refs=[stix_id("identity", "site", case.site)],
        )


def _order(case: Case, observed: Mapping[str, Object], run: Run) -> Iterator[Object]:
    """From what was observed to what it led to."""
    starts = {row["episode_id"]: row["started_at"] for row in case.episodes}
    for cause in case.causes:
        earlier, later = (observed.get(cause[end]) for end in ("cause_id", "episode_id"))
        if earlier and later:
            said = (
                f"{cause['kind'].replace('_', ' ')} at {label(cause['entity'])}, {cause['gap_minutes']:,.0f} min later"
            )
            told_at = max(starts[cause["cause_id"]], starts[cause["episode_id"]])
            confidence = round(100 * cause["weight"])
            yield relationship(
                "leads-to", earlier["id"], later["id"], run, told_at, description=said, confidence=confidence
            )


def _notes(case: Case, incident: Object, run: Run) -> Iterator[Object]:
    for head, lines in sections(case):
        yield made(
            "note",
            ["subgraph", case.id, head],
            run,
            incident_time(case),
            abstract=head,
            content="\n".join(lines),
            object_refs=[incident["id"]],
        )
