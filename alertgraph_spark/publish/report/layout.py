"""Where things stand on a page: the network in bands of zones, a subgraph along its path. The same input, the same place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, cos, pi, sin
from typing import Any

MAX_NODES = 40
"""Nodes of a drawn subgraph; the rest is one node that says how many it stands for."""

BANDS = ("external", "it", "dmz", "ot", "unknown")
"""Zones from the top of the network to its bottom, as the Purdue model draws them."""

A_ROW = 20
"""Hosts side by side in the overall network."""

FOLDED = "folded"
"""Id of the node that stands for those that are not drawn."""

Place = tuple[float, float]


def bands(
    zone_of: Mapping[str, str], pairs: Iterable[tuple[str, str]]
) -> tuple[dict[str, Place], list[tuple[str, float, float]]]:
    """Place hosts in a band for each zone, near those that they have to do with.

    Parameters
    ----------
    zone_of
        Host to zone, in the order in which hosts are placed first.
    pairs
        Hosts with alerts between them.

    Returns
    -------
    tuple
        Host to (x in [0, 1], y); and each band's zone, upper and lower edge. y falls from 0.

    Notes
    -----
    Rows of at most `A_ROW` hosts, each band sorted by the mean place of its neighbours, three times (the barycentre
    heuristic of Sugiyama, Tagawa and Toda, 1981): few crossings, no randomness, linear in pairs.
    """
    near: dict[str, list[str]] = {host: [] for host in zone_of}
    for a, b in pairs:
        if a != b and a in near and b in near:
            near[a].append(b)
            near[b].append(a)
    order = {zone: [h for h, z in zone_of.items() if z == zone] for zone in BANDS}
    order["unknown"] += [h for h, z in zone_of.items() if z not in BANDS]
    x = {h: (i + 0.5) / len(hosts) for hosts in order.values() for i, h in enumerate(hosts)}
    for _ in range(3):
        for hosts in order.values():
            mean = {h: sum(x[n] for n in near[h]) / len(near[h]) if near[h] else x[h] for h in hosts}
            hosts.sort(key=lambda h: mean[h])
            x |= {h: (i + 0.5) / len(hosts) for i, h in enumerate(hosts)}
    place: dict[str, Place] = {}
    edges: list[tuple[str, float, float]] = []
    y = 0.0
    for zone, hosts in order.items():
        if not hosts:
            continue
        n_rows = ceil(len(hosts) / A_ROW)
        # Down the columns, so that neighbours in the order stay neighbours in x.
        n_columns = ceil(len(hosts) / n_rows)
        for i, host in enumerate(hosts):
            column, row = divmod(i, n_rows)
            place[host] = ((column + 0.5 + 0.25 * (row % 2)) / (n_columns + 0.25), y - 0.5 - row)
        edges.append((zone, y, y - n_rows))
        y -= n_rows + 0.25
    return place, edges


def fold(
    path: Sequence[str], alerts_of: Mapping[str, int], pairs: Iterable[tuple[str, str]], most: int = MAX_NODES
) -> tuple[list[str], set[str]]:
    """Choose the hosts that are drawn: the path, then those with most alerts; return them and those that are folded.

    Of a path too long for the page its beginning and its end are drawn.
    """
    hosts = list(dict.fromkeys([*path, *sorted(alerts_of, key=lambda h: (-alerts_of[h], h))]))
    hosts += sorted({end for pair in pairs for end in pair} - set(hosts))
    if len(hosts) <= most:
        return hosts, set()
    if len(path) >= most:
        half = (most - 1) // 2
        hosts = [*path[:half], *path[-half:], *(h for h in hosts if h not in (*path[:half], *path[-half:]))]
    return hosts[: most - 1], set(hosts[most - 1 :])


def along_path(path: Sequence[str], hosts: Sequence[str], pairs: Sequence[tuple[str, str, int]]) -> dict[str, Place]:
    """Place a path on a line from left to right and every other host above or below the one that it has most to do with.

    Without a path the host with most neighbours is in the middle and the others stand around it. x in [0, 1], y in [-1, 1].
    """
    if not hosts:  # alerts that name nobody
        return {}
    line = [host for host in path if host in set(hosts)]
    if not line:
        return _around(hosts, pairs)
    n = len(line)
    place = {host: ((i + 0.5) / n, 0.0) for i, host in enumerate(line)}
    beside: dict[str, list[str]] = {host: [] for host in line}
    for host in hosts:
        if host not in place:
            weight = {a: sum(w for s, t, w in pairs if {s, t} == {a, host}) for a in line}
            beside[max(line, key=lambda a: (weight[a], -line.index(a)))].append(host)
    for anchor, others in beside.items():
        side = 1 if line.index(anchor) % 2 else -1
        across = max(1, ceil(len(others) / 4))
        for i, host in enumerate(others):
            row, column = divmod(i, across)
            in_row = min(across, len(others) - row * across)
            up = side * (1 if row % 2 == 0 else -1)
            y = up * (0.5 + 0.45 * (row // 2)) + 0.08 * (column % 2) * up
            place[host] = (
                place[anchor][0] + (column - (in_row - 1) / 2 + 0.18 * (across == 1)) / (n * max(2, across)),
                y,
            )
    return place


def _around(hosts: Sequence[str], pairs: Sequence[tuple[str, str, int]]) -> dict[str, Place]:
    degree = {h: len({*(t for s, t, _ in pairs if s == h), *(s for s, t, _ in pairs if t == h)} - {h}) for h in hosts}
    middle = max(hosts, key=lambda h: (degree[h], -hosts.index(h)))
    others = [h for h in hosts if h != middle]
    place = {middle: (0.5, 0.0)}
    for i, host in enumerate(others):
        angle = pi - 2 * pi * i / len(others)
        far = 1.0 if len(others) <= 12 or i % 2 else 0.66
        place[host] = (0.5 + 0.36 * far * cos(angle), 0.85 * far * sin(angle))
    return place


def drawn(subgraph: Mapping[str, Any]) -> dict[str, Any]:
    """A gathered subgraph as a drawing: `nodes` and `edges`, each a list of records, and how many hosts are folded."""
    known = subgraph["nodes"].get("of", {})
    pairs = [(e["source"], e["target"], e["n_alerts"]) for e in subgraph["edges"]]
    hosts, rest = fold(subgraph["path"], {h: row["n_alerts"] for h, row in known.items()}, [p[:2] for p in pairs])
    n_folded = max(0, max(subgraph["nodes"].get("n_all", 0), len(hosts) + len(rest)) - len(hosts)) if rest else 0

    def end(host: str) -> str:
        return FOLDED if host in rest else host

    joined: dict[tuple[str, str], dict[str, Any]] = {}
    for edge in subgraph["edges"]:
        pair = end(edge["source"]), end(edge["target"])
        if pair[0] == pair[1]:
            continue
        line = joined.setdefault(pair, {"n_alerts": 0, "names": [], "first_seen": edge["first_seen"]})
        line["n_alerts"] += edge["n_alerts"]
        line["names"] = [*dict.fromkeys([*line["names"], *edge["names"]])][:5]
    all_hosts = [*hosts, FOLDED] if rest else hosts
    place = along_path(subgraph["path"], all_hosts, [(*pair, line["n_alerts"]) for pair, line in joined.items()])
    steps = {pair for pair in zip(subgraph["path"], subgraph["path"][1:], strict=False)}
    fold_node = {"label": f"+{n_folded:,} more", "zone": "folded", "role": None, "n_alerts": 0}
    nodes = [
        {"id": h, "x": place[h][0], "y": place[h][1], "lift": _lift(place, h), "on_path": h in subgraph["path"]}
        | (fold_node if h == FOLDED else _about(h, known.get(h)))
        for h in all_hosts
    ]
    edges = [
        {"source": s, "target": t, "on_path": (s, t) in steps, **line, "ends": (place[s], place[t])}
        for (s, t), line in joined.items()
    ]
    return {"nodes": nodes, "edges": edges, "n_folded": n_folded}


def _lift(place: Mapping[str, Place], host: str) -> int:
    """On which side of a host its name stands, 1 above: away from the line, and on the line away from what lies beside."""
    x, y = place[host]
    if y:
        return 1 if y > 0 else -1
    near = [(abs(other_x - x), other_y) for other_x, other_y in place.values() if other_y]
    return -1 if not near or min(near)[1] > 0 else 1


def _about(host: str, row: Mapping[str, Any] | None) -> dict[str, Any]:
    known = row or {"label": host.partition(":")[2] or host, "zone": "unknown", "role": None, "n_alerts": 0}
    return {name: known[name] for name in ("label", "zone", "role", "n_alerts")}
