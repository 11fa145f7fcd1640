"""English: the sentences that tell a few episodes, with hosts, accounts, times and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from alertgraph_spark.short_text import QUOTED, WORD, many, short
from alertgraph_spark.tables.attack import OT_ACTS

MAX_IDS = 20
"""Alerts named behind one sentence, so that a story stays far below the 64 KB of a posted field; all are in `members`."""

_ZONES = {"it": "IT", "ot": "OT", "dmz": "DMZ", "external": "external"}

Sentence = tuple[str, list[str]]
"""What is said, and the ids of alerts behind it."""


@dataclass(frozen=True)
class Scene:
    """Episodes that one sentence tells: how they are headed, and the episodes in the order of time."""

    head: str
    episodes: tuple[Mapping[str, Any], ...]

    @property
    def began(self) -> tuple[datetime, str]:
        """Start of its first episode, with its id so that no two are equal."""
        return utc(self.episodes[0]["started_at"]), self.episodes[0]["episode_id"]


def sentence(scene: Scene, before: Scene | None) -> str:
    """One sentence: when, where, the rarest alert types in the order of time, how many alerts, until when, by whom."""
    found = scene.episodes
    begin, end = utc(found[0]["started_at"]), max(utc(e["ended_at"]) for e in found)
    when = _when(begin, utc(before.episodes[0]["started_at"]) if before else None)
    by_rarity = sorted(found, key=lambda e: (-e["surprise"], e["episode_id"]))
    rarest = list(dict.fromkeys(e["name"] for e in by_rarity))
    told = [name for name in dict.fromkeys(e["name"] for e in found) if name in rarest[:3]]  # in the order of time
    names = ", ".join(map(quoted, told)) + _more(len(rarest) - len(told), "type")
    n_alerts = sum(e["n_alerts"] for e in found)
    facts = [many(n_alerts, "alert") + (f" until {_when(end, begin)}" if end - begin >= timedelta(minutes=1) else "")]
    accounts = list(dict.fromkeys(label_of(a) for e in found for a in e["accounts"]))
    if accounts:
        facts.append(f"{'account' if len(accounts) == 1 else 'accounts'} {listed(accounts, 3)}")
    marks = [text for text, holds in _MARKS if any(holds(e) for e in found)]
    return f"{when}{' it begins' if before is None else ''} {scene.head}: {names}; {', '.join(facts + marks)}."


def afterwords(episodes: Sequence[Mapping[str, Any]]) -> Iterator[Sentence]:
    """What can be said of a subgraph of one or two episodes: how it ended, and how usual its rarest type was."""
    last = max(episodes, key=lambda e: (utc(e["ended_at"]), e["episode_id"]))
    ended = f"{_when(utc(last['ended_at']), utc(episodes[0]['started_at']))} it ends"
    yield f"{ended}: nothing that it could have led to follows.", ids_of([last])
    rarest = max(episodes, key=lambda e: (e["surprise"], e["episode_id"]))
    seen = max(0, round(rarest["fleet_share"] * (rarest["history_hours"] + 2) - 1))
    past = f"in {seen} of {many(int(rarest['history_hours']), 'hour')} before"
    yield f"The site had seen {quoted(rarest['name'])} {past}.", ids_of([rarest])


def ids_of(episodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ids of alerts, in turn from each episode, the rarest first, until there are enough."""
    by_rarity = sorted(episodes, key=lambda e: (-e["surprise"], e["episode_id"]))
    in_turn = (e["alert_ids"][i] for i in range(MAX_IDS) for e in by_rarity if i < len(e["alert_ids"]))
    return list(dict.fromkeys(in_turn))[:MAX_IDS]


def _is_crossing(episode: Mapping[str, Any]) -> bool:
    return episode["target_zone"] == "ot" and episode["source_zone"] in ("it", "dmz", "external")


def _is_act(episode: Mapping[str, Any]) -> bool:
    return episode["target_zone"] == "ot" and not set(OT_ACTS).isdisjoint(episode["tactics"] or ())


_MARKS = (("reaches into OT", _is_crossing), ("acts on the process", _is_act))


def hosts_of(episodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The hosts of episodes, each once, as they come."""
    ends = (e[end] for e in episodes for end in ("target_entity", "source_entity"))
    return list(dict.fromkeys(label_of(end) for end in ends if end))


def host_words(key: str, zone: str | None) -> str:
    """A host and its zone: `fs01 (IT)`."""
    return f"{label_of(key)} ({_ZONES[zone]})" if zone in _ZONES else label_of(key)


def label_of(key: str) -> str:
    """An entity key without its kind, as a sentence names it."""
    return short(key.partition(":")[2] or key, WORD)


def quoted(name: str) -> str:
    """An alert's name inside a sentence."""
    return f"“{short(name, QUOTED)}”"


def listed(words: Sequence[str], n: int) -> str:
    """The first words, and how many more there are."""
    return ", ".join(words[:n]) + _more(len(words) - n, "") if words else "no named host"


def _more(n: int, word: str) -> str:
    return (f" and {many(n, f'more {word}')}" if word else f" and {n:,} more") if n > 0 else ""


def _when(moment: datetime, before: datetime | None) -> str:
    """A time in UTC: with its date where the one told before is of another day, with the year where none was told."""
    day = f"{moment.day} {moment:%b}"
    if before is None:
        return f"{day} {moment:%Y %H:%M} UTC"
    return f"{moment:%H:%M}" if moment.date() == before.date() else f"{day} {moment:%H:%M}"


def utc(moment: datetime) -> datetime:
    """Spark hands timestamps over in the zone of this process."""
    return moment.astimezone(timezone.utc)
