"""The verdicts of a run: matched to its subgraphs and to those of earlier runs, and saved beside its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from alertgraph_spark.config.listed_verdict import ListedVerdict
from alertgraph_spark.publish import results
from alertgraph_spark.tables.embedded import arrow_schema
from alertgraph_spark.tables.schemas import OWN
from alertgraph_spark.tables.verdict_schemas import INCIDENTS, STANDING, VERDICTS
from alertgraph_spark.verdicts import Judged, judged_incidents, match_verdicts, own_alerts

LISTED = "list of verdicts"
"""The source of a verdict that a list has."""

_MEMBERS = ["site", "subgraph_id", "alert_id"]


class Runs(NamedTuple):
    """The folder of all runs, and what opens one by its name."""

    folder: results.RunFolder
    open: Callable[[str], results.RunFolder]


class Said(NamedTuple):
    """What analysts said: the changes of incidents (`verdict_schemas.INCIDENTS`), and the rows of a list.

    `until` is the newest change that was read, now or by the newest run before; None where there was none.
    """

    until: datetime | None = None
    incidents: pa.Table = arrow_schema(INCIDENTS).empty_table()
    listed: Sequence[ListedVerdict] = ()


def save_verdicts(said: Said, folder: results.RunFolder, runs: Runs, past: timedelta) -> dict[str, Any]:
    """Match what analysts have said to subgraphs, and save it as the table `verdicts` of a run, whatever its window.

    Parameters
    ----------
    folder
        Of the run, with its other tables.
    runs
        This run's and all others.
    past
        How long before now a run was that is asked for subgraphs which this one does not know.

    Returns
    -------
    dict
        What `run.json` says of it: how many subgraphs each verdict stands of, and how many incidents are matched to none and
        could not be read, by reason.

    Notes
    -----
    Cost: the newest earlier run's verdicts; and the members of one earlier run a day, for new incidents alone that share no
    alert with this one.
    """
    before = [name for name in sorted(runs.folder.folders(), reverse=True) if name < _name_of(folder)]
    earlier = _earlier(before, runs.open)
    judged, refused = judged_incidents(said.incidents, earlier)
    tables = results.read_tables(folder, ("subgraphs", "members", "rejected"))
    words = [*judged, *_listed(said.listed, tables["subgraphs"])]
    found = match_verdicts(
        sorted(words, key=lambda word: word.judged_at),
        own_alerts(_own(tables["rejected"])),
        _members(tables["members"], before, runs.open, datetime.now(timezone.utc) - past),
        earlier,
    )
    results.save_tables({VERDICTS.name: found}, folder)
    return told_of(found, refused) | {"until": said.until and said.until.isoformat()}


def is_news(said: Said, run: results.RunFolder) -> bool:
    """Whether an analyst said something that a saved run did not know, or a list has changed."""
    tables = results.read_tables(run, [VERDICTS.name])
    known = tables[VERDICTS.name].to_table() if tables else None
    rows = known.to_pylist() if known else []
    judged, _ = judged_incidents(said.incidents, known)
    now = {(word.site, word.source, word.judged_at, word.verdict) for word in judged}
    before = {(row["site"], row["source"], row["judged_at"], row["verdict"]) for row in rows}
    listed = {(row.subgraph_id, row.judged_at, row.verdict) for row in said.listed}
    return not now <= before or listed != {
        (row["subgraph_id"], row["judged_at"], row["verdict"]) for row in rows if row["source"] == LISTED
    }


def read_from(newest: Mapping[str, Any] | None, past: datetime, look_back: timedelta) -> datetime:
    """Since when incidents are read: the newest run knew what was said until then, but for rows that were late.

    `newest` is the `run.json` of that run, None where there is none; `past` the earliest that is ever read.
    """
    until = known_until(newest)
    return max(past, until - look_back) if until else past


def known_until(newest: Mapping[str, Any] | None) -> datetime | None:
    """The newest change of an incident that a run had read, by its `run.json`; None where there was none."""
    until = (newest or {}).get("verdicts", {}).get("until")
    return datetime.fromisoformat(until) if until else None


def told_of(verdicts: pa.Table, refused: Counter[str]) -> dict[str, Any]:
    """What `run.json` says of the table `verdicts`."""
    rows = verdicts.to_pylist()
    standing = Counter(row["verdict"] for row in rows if row["is_latest"])
    incidents = {(row["site"], row["source"]): row["unmatched"] for row in rows}
    unmatched = Counter(why for why in incidents.values() if why)
    return {
        "n_standing": {verdict: standing[verdict] for verdict in STANDING if standing[verdict]},
        "unmatched_by_reason": dict(sorted((unmatched + refused).items())),
    }


def _listed(rows: Sequence[ListedVerdict], subgraphs: ds.Dataset) -> Iterator[Judged]:
    """The rows of a list as what was said; the site of a subgraph that the run has need not stand in it."""
    ids = pa.array({row.subgraph_id for row in rows}, pa.string())
    known = subgraphs.to_table(columns=["subgraph_id", "site"], filter=pc.field("subgraph_id").isin(ids))
    sites = dict(zip(known["subgraph_id"].to_pylist(), known["site"].to_pylist(), strict=True))
    for row in rows:
        site = row.site or sites.get(row.subgraph_id)
        yield Judged(site, row.verdict, row.judged_by, row.judged_at, row.reason, LISTED, (), row.subgraph_id)


def _name_of(folder: results.RunFolder) -> str:
    return folder.place.rstrip("/").rsplit("/", 1)[-1]


def _own(rejected: ds.Dataset) -> Iterator[tuple[str | None, str | None]]:
    rows = rejected.to_table(columns=["site", "line"], filter=pc.field("reason") == OWN)
    return zip(rows["site"].to_pylist(), rows["line"].to_pylist(), strict=True)


def _members(
    newest: ds.Dataset, before: Sequence[str], open_run: Callable[[str], results.RunFolder], since: datetime
) -> Iterator[pa.Table]:
    """The members of a run, and of the last run of each day before it; the names of runs begin with their time."""
    yield newest.to_table(columns=_MEMBERS)
    day = ""
    for name in before:
        if name[:8] == day or name < f"{since:%Y%m%dT%H%M%S}":
            continue
        run = open_run(name)
        if run.read("run.json") and (tables := results.read_tables(run, ["members"])):
            day = name[:8]
            yield tables["members"].to_table(columns=_MEMBERS)


def _earlier(before: Sequence[str], open_run: Callable[[str], results.RunFolder]) -> pa.Table | None:
    """The verdicts of the newest run that was saved; None where there is none, or it is of a version without them."""
    for name in before:
        run = open_run(name)
        if run.read("run.json"):
            tables = results.read_tables(run, [VERDICTS.name])
            return tables[VERDICTS.name].to_table() if tables else None
    return None
