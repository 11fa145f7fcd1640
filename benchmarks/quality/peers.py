"""What a ranking must beat, on the same normalised alerts: simple orders of its own units, and two re-implemented peers.

RT-KCSM (UHH-ISS, BSD-3) is written anew after how it behaves; Splunk's and Elastic's risk after their documentation. Each
is better off than as it comes: sites are kept apart, and the best of a site and day is shown.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pandas as pd

from quality.judge import Ranking

UNKNOWN_SEVERITY = 0.5
STAGES = {
    "incoming": (0.10, ("R", "D1")),
    "same_zone": (0.25, ("L", "S", "O")),
    "other_zone": (0.30, ("P", "S", "O")),
    "outgoing": (0.35, ("E", "C2", "D2")),
    "host": (1.0, ("X",)),
}
"""Stage of an alert: weight in the relevance, and the stages of the unified kill chain that it may be."""
PRECEDING = {
    **{"R": (), "D1": ("R",), "D2": ("R", "D1", "X"), "C2": ("L", "P", "C2", "D1", "D2", "X")},
    **{"L": ("L", "P", "S", "C2", "D1", "D2", "X"), "P": ("L", "P", "C2", "D1", "D2", "X")},
    **{"S": ("L", "S", "C2", "D1", "D2", "X"), "E": ("L", "P", "D1", "D2", "O", "E", "X")},
    **{"O": ("L", "P", "D1", "D2", "O", "E", "X"), "X": ("L", "P", "D1", "D2", "O", "E", "X")},
}
BEFORE = {stage: sorted({p for s in of for p in PRECEDING[s]}) for stage, (_, of) in STAGES.items()}
PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""What Go's `IsPrivate` means; Python's `is_private` means more, test networks among it."""
DAMPING, CAP = 1.5, 10_000


def rt_kcsm(alerts: pd.DataFrame) -> Ranking:
    """RT-KCSM: an alert joins every graph that saw its internal source in an earlier stage; overlaps merge.

    Score is the sum over stages of weight times the highest severity; confidence and the risk of hosts are 1. An alert that
    names one host only is of the stage `host`. Dropped, as they are there: two external ends, and no end at all.
    """
    rows = ordered(alerts)
    graphs: list[int] = []  # union-find: the parent of each graph
    seen: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    stages = list(_stages(rows))
    joined = [
        -1 if stage is None else _join(graphs, seen, ends, stage)
        for ends, stage in zip(_ends(rows), stages, strict=True)
    ]
    group = pd.Series([_root(graphs, graph) if graph >= 0 else -1 for graph in joined], index=rows.index)
    severity = rows["severity"].fillna(UNKNOWN_SEVERITY)
    weight = pd.Series([STAGES[stage][0] if stage else 0.0 for stage in stages], index=rows.index)
    told = rows.assign(group=group, part=weight * severity, stage=pd.Series(stages, index=rows.index))[group >= 0]
    score = told.groupby(["group", "stage"])["part"].max().groupby("group").sum()
    return _ranking(told, "kcsm-" + told["group"].astype(str), ("kcsm-" + score.index.astype(str), score.to_numpy()))


def _join(graphs: list[int], seen: dict[tuple[str, str, str], set[int]], ends: tuple[str, str, str], stage: str) -> int:
    """The graph of one alert between `ends` (site, source, target); graphs that it joins are merged into the oldest."""
    site, source, target = ends
    found: set[int] = set()
    if source:
        for before in BEFORE[stage]:
            if held := seen.get((site, source, before)):
                roots = {_root(graphs, graph) for graph in held}
                found |= roots
    if found:
        graph = min(found)
        for other in found:
            graphs[other] = graph
        for before in BEFORE[stage]:
            if (site, source, before) in seen:
                seen[site, source, before] = {graph}
    else:
        graph = len(graphs)
        graphs.append(graph)
    for end in {source, target} - {""}:
        for part in STAGES[stage][1]:
            seen[site, end, part].add(graph)
    return graph


def _root(graphs: list[int], graph: int) -> int:
    while graphs[graph] != graph:
        graphs[graph] = graphs[graphs[graph]]
        graph = graphs[graph]
    return graph


def _ends(rows: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Site and the internal ends, '' for one that is external or not named."""
    for site, source, target, source_zone, target_zone in zip(*(rows[c] for c in _COLUMNS), strict=True):
        ends = (source or target, source_zone if source else target_zone), (target or source, target_zone or "")
        yield site, *(end if end and is_internal(end, zone) else "" for end, zone in ends)


_COLUMNS = ("site", "source_entity", "target_entity", "source_zone", "target_zone")


def _stages(rows: pd.DataFrame) -> Iterator[str | None]:
    for source, target, source_zone, target_zone in zip(*(rows[c] for c in _COLUMNS[1:]), strict=True):
        yield stage_of(source or target, target or source, source_zone if source else target_zone, target_zone)


@lru_cache(maxsize=1 << 16)
def stage_of(source: str, target: str, source_zone: str, target_zone: str) -> str | None:
    """The stage of an alert by its ends, None where both are external."""
    inside = is_internal(source, source_zone), is_internal(target, target_zone)
    if not any(inside):
        return None
    if source == target:
        return "host"
    if not all(inside):
        return "outgoing" if inside[0] else "incoming"
    return "same_zone" if zone_of(source, source_zone) == zone_of(target, target_zone) else "other_zone"


@lru_cache(maxsize=1 << 16)
def is_internal(entity: str, zone: str) -> bool:
    """A private address; of what is no address, whatever is not known to be outside. What is not named is not inside."""
    address = address_of(entity)
    if address is None:
        return bool(entity) and zone != "external"
    return any(address in network for network in PRIVATE if network.version == address.version)


def zone_of(entity: str, zone: str) -> str:
    """The /24 of an IPv4 address, the /64 of an IPv6 one, else the zone."""
    address = address_of(entity)
    if address is None:
        return zone
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))


def address_of(entity: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that an entity key names."""
    kind, _, value = entity.partition(":")
    try:
        return ipaddress.ip_address(value) if kind == "ip" else None
    except ValueError:
        return None


def risk_sum(alerts: pd.DataFrame) -> Ranking:
    """Splunk's risk-based alerting: an entity's day, each alert name counted once at its highest severity, summed."""
    rows = _of_entity_and_day(alerts)
    score = rows.groupby(["unit", "name"])["severity"].max().groupby("unit").sum()
    return _ranking(rows, rows["unit"], (score.index, score.to_numpy()))


def risk_damped(alerts: pd.DataFrame) -> Ranking:
    """Elastic's entity risk: an entity's day, severities from the highest down, the i-th divided by i^1.5."""
    rows = _of_entity_and_day(alerts).sort_values(["unit", "severity"], ascending=[True, False], kind="stable")
    place = rows.groupby("unit").cumcount() + 1
    part = (rows["severity"] / place**DAMPING).where(place <= CAP, 0.0)
    score = part.groupby(rows["unit"]).sum()
    return _ranking(rows, rows["unit"], (score.index, score.to_numpy()))


def _of_entity_and_day(alerts: pd.DataFrame) -> pd.DataFrame:
    """Alerts with the `unit` that bears the risk: what is acted upon, else who acts, on one day."""
    rows = ordered(alerts)
    entity = rows["target_entity"].where(rows["target_entity"].ne(""), rows["source_entity"])
    unit = rows["site"] + "/" + entity + "/" + rows["observed_at"].dt.strftime("%Y-%m-%d")
    return rows.assign(unit=unit, severity=rows["severity"].fillna(UNKNOWN_SEVERITY))[entity.ne("")]


def ordered(alerts: pd.DataFrame) -> pd.DataFrame:
    """Alerts in the order of time; ends that are not named are ''."""
    ends = {column: alerts[column].fillna("") for column in _COLUMNS}
    return alerts.assign(**ends).sort_values(["observed_at", "item_id"], ignore_index=True)


def _ranking(rows: pd.DataFrame, unit: pd.Series, scores: tuple[pd.Index, np.ndarray]) -> Ranking:
    held = pd.DataFrame(
        {"subgraph_id": unit, "item_id": rows["item_id"], "site": rows["site"], "at": rows["observed_at"]}
    )
    facts = held.groupby("subgraph_id").agg(site=("site", "first"), first_seen=("at", "min"))
    facts["score"] = pd.Series(scores[1], index=scores[0])
    return Ranking(with_shown(facts.reset_index()), held[["subgraph_id", "item_id"]])


def with_shown(subgraphs: pd.DataFrame) -> pd.DataFrame:
    """Subgraphs with the best of each site and day of `first_seen` as `is_shown`: the budget that the job has."""
    day = subgraphs["first_seen"].dt.strftime("%Y-%m-%d")
    best = subgraphs.assign(day=day).sort_values(["score", "subgraph_id"], ascending=[False, True])
    chosen = best.drop_duplicates(["site", "day"])["subgraph_id"]
    return subgraphs.assign(is_shown=subgraphs["subgraph_id"].isin(chosen))


def by_count(ranking: Ranking) -> Ranking:
    """The same subgraphs in the order of their number of alerts."""
    return _reordered(ranking, ranking.members.groupby("subgraph_id").size())


def by_severity(ranking: Ranking, alerts: pd.DataFrame) -> Ranking | None:
    """The same subgraphs in the order of their highest severity; None where no alert has one."""
    severity = alerts.set_index("item_id")["severity"]
    if severity.isna().all():
        return None
    held = ranking.members.assign(severity=ranking.members["item_id"].map(severity).fillna(0.0))
    return _reordered(ranking, held.groupby("subgraph_id")["severity"].max())


def at_random(ranking: Ranking, seed: int = 0) -> Ranking:
    """The same subgraphs in random order."""
    ids = ranking.subgraphs["subgraph_id"].sort_values()
    return _reordered(ranking, pd.Series(np.random.default_rng(seed).random(len(ids)), index=ids))


def _reordered(ranking: Ranking, score: pd.Series) -> Ranking:
    scored = ranking.subgraphs.assign(score=ranking.subgraphs["subgraph_id"].map(score).astype(float).fillna(0.0))
    return Ranking(with_shown(scored), ranking.members)
