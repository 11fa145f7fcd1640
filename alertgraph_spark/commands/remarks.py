"""What an operator should know at the end of a run, as lines with a head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alertgraph_spark.short_text import CELL, WORD, short

MOST_SOURCES = 5
"""Sources that are told at the end of a run; the table `health` has all."""


def remarks(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What an operator should know of the lines that were read, of what was too much, and of what the budget hides.

    Each is a head and what is said under it: why some were refused, which words no table knows, which sources are not as they
    used to be, the worst first, and what was left out of alerts and of the graph since a flood had brought more than can be
    held.
    """
    told = {"refused": record["rejected_by_reason"], "unknown": record["unknown_words"]}
    said = [
        (name, "; ".join(f"{n:,} {short(word, CELL)}" for word, n in words.items()))
        for name, words in told.items()
        if words
    ]
    ill = record["health"]["unhealthy"]
    for row in ill[:MOST_SOURCES]:
        source = f"{short(row['table'], WORD)} of {short(row['site'], WORD)}"
        said.append((row["status"].upper(), f"{source}: {row['detail']}"))
    if (n_more := len(ill) - MOST_SOURCES) > 0:
        said.append(("", f"and {n_more:,} more, in the table health"))
    limits = {
        "entities_left_out": "entities left out of alerts that name more than 50 accounts or 50 others",
        "links_left_out": "links left out, of the sites and entities with most: more than graph.driver_max_links",
    }
    if over := [f"{n:,} {what}" for name, what in limits.items() if (n := record.get("counts", {}).get(name))]:
        said.append(("WARNING", "; ".join(over)))
    said += _exception_remarks(record.get("exceptions", {}), record.get("counts", {}).get("suppressed", 0))
    said += _verdict_remarks(record.get("verdicts", {}))
    said += _learning_remarks(record)
    if n := record.get("counts", {}).get("crowded"):
        said.append(("CROWDED", f"{n:,} not shown that score like one of their site and day that is: look at them too"))
    return said


def _verdict_remarks(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What analysts said, and of which incidents no subgraph is known."""
    words = [f"{n:,} {verdict.replace('_', ' ')}" for verdict, n in told.get("n_standing", {}).items()]
    said = [("verdicts", f"of subgraphs: {', '.join(words)}")] if words else []
    reasons = [f"{n:,} {why}" for why, n in told.get("unmatched_by_reason", {}).items()]
    return said + ([("no match", f"incidents: {'; '.join(reasons)}")] if reasons else [])


def _learning_remarks(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Which learned model was used, which verdict would teach most, and how much there is to read."""
    said = []
    if (name := record.get("versions", {}).get("model", "shipped")) != "shipped":
        said.append(("model", short(name, CELL)))
    if asked := record.get("questions", []):
        last = asked[-1]
        words = f"a verdict on {last['subgraph_id']} would teach most: {last['n_like']:,} others are like it"
        said.append(("question", words + (f"; and {len(asked) - 1:,} of other days" if len(asked) > 1 else "")))
    if expected := record.get("expected"):
        said.append(("expect", expected))
    return said


MOST_EXCEPTIONS = 5
"""Ids of exceptions in one remark; the table `exceptions` has all."""


def _exception_remarks(told: Mapping[str, Any], n_hidden: int) -> list[tuple[str, str]]:
    """What exceptions hide, and which of them their owners should look at again."""
    said = [("hidden", f"{n_hidden:,} subgraphs by exceptions: {_ids(told, 'hiding')}")] if n_hidden else []
    again = {"ending_soon": "end within two weeks", "without_a_match": "match nothing in the window"}
    words = [
        f"{told[f'n_{name}']:,} {what}: {_ids(told, name)}" for name, what in again.items() if told.get(f"n_{name}")
    ]
    return said + ([("exception", "; ".join(words))] if words else [])


def _ids(told: Mapping[str, Any], name: str) -> str:
    more = told[f"n_{name}"] - MOST_EXCEPTIONS
    return ", ".join(told[name][:MOST_EXCEPTIONS]) + (f" and {more:,} more" if more > 0 else "")
