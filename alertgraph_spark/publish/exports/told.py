"""What a case says in words: each part of it under the heading that the workbook has for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alertgraph_spark.publish.exports.cases import Case, Row
from alertgraph_spark.publish.plain_text import clock, label, plain
from alertgraph_spark.short_text import HEADING, QUOTED

ZONES = {"it": "IT", "ot": "OT", "dmz": "DMZ", "external": "external", "unknown": "zone unknown"}

MOST_STEPS = 500
"""Steps told one by one; of more the rest is counted. The objects of an export have all of them."""

MOST_CROSSINGS = 20
"""Ways into OT told one by one."""

Section = tuple[str, list[str]]


def heading(case: Case) -> str:
    """The subgraph's title, or its summary where it has none."""
    return plain(case.row["title"] or case.row["summary"], HEADING)


def sections(case: Case) -> Iterator[Section]:
    """Each heading and its lines; what says nothing is left out."""
    row = case.row
    numbers = f"score {row['score']:.3f}, P {row['probability']:.2f}"
    place = f"rank {row['rank']:,} of its run, {numbers}, {_shown(row)}"
    counterfactual = (row["counterfactual"] or {}).get("fact")
    parts = [f"{part['value']:+.3f} {part['fact']}" for part in row["contributions"]]
    told: list[tuple[str, Sequence[str]]] = [
        ("In one sentence", [row["summary"]]),
        ("What happened", [said["sentence"] for said in row["story"]]),
        ("Path", [" → ".join(_with_zone(case, key) for key in row["path"])] if row["path"] else []),
        ("Into OT", [*_crossings(case)]),
        ("In causal order", [*steps(case)]),
        ("Why it is ranked", [place, *parts]),
        ("Hidden by an exception", [*_exceptions(row)]),
        ("What would have kept it from being shown", [counterfactual] if counterfactual else []),
        ("What is unusual", row["unusual"]),
        ("What holds it together", row["ties"]),
        ("Perhaps of the same attack", [f"{other['subgraph_id']}: {other['fact']}" for other in row["related"]]),
        ("What to check next", row["checks"]),
    ]
    for head, lines in told:
        if seen := [said for said in map(plain, lines) if said]:
            yield head, seen


def sentence(episode: Row) -> str:
    """One episode in words: when, between whom, what, how often."""
    n, accounts = episode["n_alerts"], episode["accounts"] or ()
    by = f", account{'s' if len(accounts) > 1 else ''} {', '.join(map(label, accounts[:3]))}" if accounts else ""
    more = f" and {len(accounts) - 3:,} more" if len(accounts) > 3 else ""
    times = f"{n:,} alert{'' if n == 1 else 's'}"
    return f"{clock(episode['started_at'])} {where(episode)}: “{plain(episode['name'], QUOTED)}”, {times}{by}{more}"


def where(episode: Row) -> str:
    """The ends of an episode."""
    source, target = episode["source_entity"], episode["target_entity"]
    if source and target and source != target:
        return f"{label(source)} → {label(target)}"
    return f"on {label(target or source or 'no named host')}"


def steps(case: Case) -> Iterator[str]:
    """The episodes in the order of time, each with the number of the step that led to it."""
    number = {row["episode_id"]: n for n, row in enumerate(case.episodes, 1)}
    for n, row in enumerate(case.episodes[:MOST_STEPS], 1):
        after = ", ".join(str(number[one]) for one in case.led.get(row["episode_id"], ()))
        cause = f"; step {after} led to it" if after else ""
        yield f"{n}. {sentence(row)}{cause}"
    if (more := len(case.episodes) - MOST_STEPS) > 0:
        yield f"and {more:,} more"


def _shown(row: Row) -> str:
    if row["suppressed_by"]:
        return "hidden by an exception"
    return "shown within the budget" if row["is_shown"] else "not shown"


def _exceptions(row: Row) -> Iterator[str]:
    """The exceptions that hide a subgraph: which, who answers for each, until when and why."""
    for one in row["suppressed_by"]:
        ticket = f", ticket {one['ticket']}" if one["ticket"] else ""
        until = f", until {clock(one['until'])} UTC" if one["until"] else ""
        yield f"exception {one['id']} of {one['owner']}{until}{ticket}: {one['reason']}"


def _with_zone(case: Case, key: str) -> str:
    node = case.nodes.get(key)
    return f"{label(key)} ({', '.join(facts(case, key))})" if node else label(key)


def facts(case: Case, key: str) -> list[str]:
    """What is known of an entity: its zone, its role, its Purdue level."""
    node = case.nodes.get(key, {})
    level = case.levels.get(key)
    said = [ZONES.get(node.get("zone", ""), ""), plain(node.get("role")), "" if level is None else f"Purdue {level:g}"]
    return [fact for fact in said if fact]


def _crossings(case: Case) -> Iterator[str]:
    for one in case.crossings[:MOST_CROSSINGS]:
        yield _crossing(case, one)
    if (more := len(case.crossings) - MOST_CROSSINGS) > 0:
        yield f"and {more:,} more"


def _crossing(case: Case, episode: Row) -> str:
    ends = (episode["source_entity"], episode["target_entity"])
    way = " → ".join(_with_zone(case, key) for key in ends if key)
    return f"{clock(episode['started_at'])} {way}: “{plain(episode['name'], QUOTED)}”"
