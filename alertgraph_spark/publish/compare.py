"""Compare two runs: which subgraphs entered the shown ones, which left, which moved, and by which term of the score.

A subgraph of one run is the same in the other if it has the same id, else if no other shares more alerts with it: a change of
links or motifs may give it another first episode, and with it another id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from alertgraph_spark.short_text import HEADING, short
from alertgraph_spark.tables.embedded import Engine

MAX_ROWS = 1_000
"""Subgraphs of each run that are compared: the shown ones and the first by rank."""

Tables = Mapping[str, pa.Table]
Change = dict[str, Any]

COMPARED = {
    "subgraphs": ("subgraph_id", "site", "rank", "score", "is_shown", "title", "n_alerts", "contributions"),
    "members": ("site", "alert_id", "subgraph_id"),
    "verdicts": ("subgraph_id", "verdict", "is_latest"),
}
"""What is read of a run: its tables and their columns."""

_COLUMNS = COMPARED["subgraphs"]
_WHAT = {
    "entered": "shown in B, not in A",
    "left": "shown in A, not in B",
    "moved": "another rank or score",
}


def compare_runs(a: Tables, b: Tables, n_rows: int) -> dict[str, Any]:
    """Compare the tables `subgraphs` and `members` of two runs, and what analysts say in `verdicts`.

    Parameters
    ----------
    a
        The earlier run: Arrow tables or datasets by name.
    b
        The later run, in the same way.
    n_rows
        Subgraphs of each run that are looked at beside the shown ones, by rank.

    Returns
    -------
    dict
        `entered`, `left` and `moved`, each a list of changes; `same`, how many stand as they stood; and `shown`, how many
        subgraphs each run shows. A change holds the subgraph in `a` and in `b` (rank, score, title, verdict and so on, None
        where there is none); `n_shared_alerts` where their ids differ; `kin`, of one without a counterpart the subgraph of
        the other run that has most of its alerts; and `terms`, by how much each term changed its score, largest first. They
        sum to the change of the score.
    """
    with Engine() as engine:
        looked_at = [_first(engine, run["subgraphs"], n_rows) for run in (a, b)]
        pairs = list(_pairs(engine, a, b, *looked_at))
        said = [_standing(engine, run) for run in (a, b)]
    changes = [_change(*pair) for pair in pairs]
    for change in changes:
        for side, of in zip("ab", said, strict=True):
            if change[side]:
                change[side]["verdict"] = of.get(change[side]["subgraph_id"])
    kinds: dict[str, list[Change]] = {kind: [] for kind in (*_WHAT, "same")}
    for change in changes:
        kinds[_kind(change)].append(change)
    for found in kinds.values():
        found.sort(key=lambda c: min(side["rank"] for side in (c["a"], c["b"]) if side))
    shown = {name: sum(row["is_shown"] for row in rows.values()) for name, rows in zip("ab", looked_at, strict=True)}
    return {**{kind: kinds[kind] for kind in _WHAT}, "same": len(kinds["same"]), "shown": shown}


def _first(engine: Engine, subgraphs: pa.Table, n_rows: int) -> dict[str, dict[str, Any]]:
    chosen = (
        f"SELECT {', '.join(_COLUMNS)} FROM subgraphs WHERE is_shown OR rank <= {n_rows} ORDER BY rank LIMIT {MAX_ROWS}"
    )
    return _by_id(engine.query(chosen, {"subgraphs": subgraphs}))


def _standing(engine: Engine, run: Tables) -> dict[str, str]:
    """What analysts say of each subgraph; nothing in a run of a version without verdicts."""
    if "verdicts" not in run:
        return {}
    return dict(engine.rows("SELECT subgraph_id, verdict FROM verdicts WHERE is_latest", {"verdicts": run["verdicts"]}))


def _by_id(subgraphs: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["subgraph_id"]: row for row in subgraphs.to_pylist()}


def _pairs(
    engine: Engine, a: Tables, b: Tables, in_a: dict[str, dict[str, Any]], in_b: dict[str, dict[str, Any]]
) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any] | None, int | None, dict[str, Any] | None]]:
    """Subgraphs of both runs that are one and the same, and those without a counterpart; each with the alerts shared."""
    partner = {key: key for key in in_a if key in in_b}
    lost = [key for key in in_a if key not in partner]
    new = [key for key in in_b if key not in partner.values()]
    shared: dict[tuple[str, str], int | None] = {(key, key): None for key in partner}
    shared |= _shared(engine, a["members"], b["members"], lost, new)
    more_a = _named(engine, a["subgraphs"], {x for x, _ in shared} - set(in_a))
    more_b = _named(engine, b["subgraphs"], {y for _, y in shared} - set(in_b))
    done_a, done_b = set(), set()
    for (x, y), n in sorted(shared.items(), key=lambda item: (-(item[1] or 1 << 62), item[0])):
        if x in done_a or y in done_b:
            continue
        done_a.add(x)
        done_b.add(y)
        yield in_a.get(x) or more_a.get(x), in_b.get(y) or more_b.get(y), n, None
    kin_of_a = {x: (in_b.get(y) or more_b[y]) | {"n_shared": n} for n, x, y in _least_first(shared)}
    kin_of_b = {y: (in_a.get(x) or more_a[x]) | {"n_shared": n} for n, x, y in _least_first(shared)}
    yield from ((in_a[x], None, None, kin_of_a.get(x)) for x in in_a if x not in done_a)
    yield from ((None, in_b[y], None, kin_of_b.get(y)) for y in in_b if y not in done_b)


def _least_first(shared: Mapping[tuple[str, str], int | None]) -> list[tuple[int, str, str]]:
    return sorted((n, x, y) for (x, y), n in shared.items() if n is not None)


def _shared(
    engine: Engine, a: pa.Table, b: pa.Table, lost: Sequence[str], new: Sequence[str]
) -> dict[tuple[str, str], int]:
    """Pairs of subgraphs of two runs and the alerts that they share; for each that has lost its id the three nearest."""
    if not lost and not new:
        return {}
    tables = {"a": a, "b": b, "lost": _ids(lost), "new": _ids(new)}
    near = f"""
        SELECT a.subgraph_id AS x, b.subgraph_id AS y, count(*) AS n
        FROM a JOIN b USING (site, alert_id)
        WHERE a.subgraph_id IN (FROM lost) OR b.subgraph_id IN (FROM new)
        GROUP BY x, y
        QUALIFY row_number() OVER (PARTITION BY x ORDER BY n DESC, x, y) <= 3
            OR row_number() OVER (PARTITION BY y ORDER BY n DESC, x, y) <= 3
        ORDER BY n DESC, x, y
        LIMIT {10 * MAX_ROWS}
    """
    return {(x, y): n for x, y, n in engine.rows(near, tables)}


def _named(engine: Engine, subgraphs: pa.Table, ids: set[str]) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    named = f"SELECT {', '.join(_COLUMNS)} FROM subgraphs SEMI JOIN ids USING (subgraph_id)"
    return _by_id(engine.query(named, {"subgraphs": subgraphs, "ids": _ids(sorted(ids))}))


def _ids(ids: Sequence[str]) -> pa.Table:
    return pa.table({"subgraph_id": pa.array(ids, pa.string())})


def _change(
    a: dict[str, Any] | None, b: dict[str, Any] | None, n_shared: int | None, kin: dict[str, Any] | None
) -> Change:
    before, after = ({c["term"]: c["value"] for c in side["contributions"]} if side else {} for side in (a, b))
    terms = {term: after.get(term, 0.0) - before.get(term, 0.0) for term in {**before, **after}} if a and b else {}
    return {
        "a": _told(a) if a else None,
        "b": _told(b) if b else None,
        "n_shared_alerts": n_shared,
        "kin": {**_told(kin), "n_shared_alerts": kin["n_shared"]} if kin else None,
        "score_change": b["score"] - a["score"] if a and b else None,
        "terms": dict(
            sorted(((t, v) for t, v in terms.items() if abs(v) >= 5e-4), key=lambda tv: (-abs(tv[1]), tv[0]))
        ),
    }


def _told(side: Mapping[str, Any]) -> dict[str, Any]:
    return {name: side[name] for name in _COLUMNS if name != "contributions"}


def _kind(change: Change) -> str:
    a, b = change["a"], change["b"]
    was, now = (bool(side and side["is_shown"]) for side in (a, b))
    if was != now:
        return "entered" if now else "left"
    if a is None or b is None:
        return "moved"
    return "moved" if a["rank"] != b["rank"] or abs(change["score_change"]) >= 5e-4 else "same"


def comparison_text(found: Mapping[str, Any], n_rows: int) -> Iterator[str]:
    """Say what changed between two runs, for a terminal.

    Parameters
    ----------
    found
        As `compare_runs` gives it.
    n_rows
        Most subgraphs that are listed of those that only moved.

    Yields
    ------
    str
        One line of text.
    """
    yield f"shown     {found['shown']['a']} in A, {found['shown']['b']} in B; {found['same']} looked at are as they were"
    for kind, meaning in _WHAT.items():
        changes = found[kind]
        yield ""
        yield f"{kind} ({len(changes)}): {meaning}"
        for change in changes if kind != "moved" else changes[:n_rows]:
            yield from _lines(change)
        if kind == "moved" and len(changes) > n_rows:
            yield f"  … and {len(changes) - n_rows} more; --rows shows them"


def _said(side: Mapping[str, Any]) -> str:
    return (side.get("verdict") or "").replace("_", " ")


def _lines(change: Change) -> Iterator[str]:
    a, b = change["a"], change["b"]
    ranks = " → ".join(f"{side['rank']}" if side else "none" for side in (a, b))
    scores = " → ".join(f"{side['score']:.3f}" if side else "none" for side in (a, b))
    alerts = " → ".join(dict.fromkeys(f"{side['n_alerts']:,}" for side in (a, b) if side))
    yield f"  rank {ranks:<12} score {scores:<15}  {alerts} alerts  {short((b or a)['title'], HEADING)}"
    if told := " → ".join(dict.fromkeys(_said(side) for side in (a, b) if side)).strip():
        yield f"       judged {told}"
    if a and b and a["subgraph_id"] != b["subgraph_id"]:
        yield (
            f"       {a['subgraph_id']} is now {b['subgraph_id']}: {change['n_shared_alerts']:,} alerts are in both, of"
            f" {a['n_alerts']:,} and {b['n_alerts']:,}"
        )
    if a and b:
        why = ", ".join(f"{term} {value:+.3f}" for term, value in change["terms"].items())
        yield f"       {why or 'its own score is as it was: others moved'}"
    else:
        other, kin = "A" if b else "B", change["kin"]
        if kin:
            of = f"{kin['n_shared_alerts']:,} of its {(b or a)['n_alerts']:,} alerts"
            yield f"       {of} are in rank {kin['rank']} of {other}: {short(kin['title'], HEADING)}"
        else:
            yield f"       {other} has none of its alerts in a subgraph"
