"""The verdicts of a run: matched to its subgraphs and to those of earlier runs, and saved beside its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from alertgraph_spark.config.listed_verdict import ListedVerdict
from alertgraph_spark.publish import results
from alertgraph_spark.tables.schemas import OWN
from alertgraph_spark.tables.verdict_schemas import STANDING, VERDICTS
from alertgraph_spark.verdicts import Judged, judged_incidents, match_verdicts, own_alerts

LISTED = "list of verdicts"
"""The source of a verdict that a list has."""

_MEMBERS = ["site", "subgraph_id", "alert_id"]


class Said(NamedTuple):
    """What analysts have said since the `newest` run that was saved: of incidents, in order of time (`words`), and in a list.

    `refused` counts rows of incidents that could not be read, by reason; `until` is the newest change that was read, now or
    by the newest run before, None where there was none; `earlier` is the table `verdicts` of that run, None where there is
    none or it is of a version without it.
    """

    newest: results.SavedRun | None
    words: Sequence[Judged]
    refused: Counter[str]
    listed: Sequence[ListedVerdict]
    until: datetime | None
    earlier: pa.Table | None

    @property
    def is_news(self) -> bool:
        """Whether something was said that the newest run did not know, or the list has changed."""
        rows = self.earlier.to_pylist() if self.earlier else []
        now = {(word.site, word.source, word.judged_at, word.verdict) for word in self.words}
        before = {(row["site"], row["source"], row["judged_at"], row["verdict"]) for row in rows}
        listed = {(row.subgraph_id, row.judged_at, row.verdict) for row in self.listed}
        return not now <= before or listed != {
            (row["subgraph_id"], row["judged_at"], row["verdict"]) for row in rows if row["source"] == LISTED
        }


def hear(newest: results.SavedRun | None, incidents: pa.Table, listed: Sequence[ListedVerdict]) -> Said:
    """Collect what analysts have said.

    Parameters
    ----------
    newest
        The newest run that was saved.
    incidents
        The changes of incidents since `read_from` (`verdict_schemas.INCIDENTS`).
    listed
        Verdicts of a list, beside those of incidents.

    Returns
    -------
    Said
        Verdicts that are not yet matched to subgraphs.
    """
    tables = results.read_tables(newest.folder, [VERDICTS.name]) if newest else {}
    earlier = tables[VERDICTS.name].to_table() if tables else None
    words, refused = judged_incidents(incidents, earlier)
    changed = [at for at in (_known_until(newest), pc.max(incidents["modified_at"]).as_py()) if at]
    return Said(newest, words, refused, listed, max(changed, default=None), earlier)


def read_from(newest: results.SavedRun | None, past: datetime, look_back: timedelta) -> datetime:
    """Give the time from which incidents are read: what the newest run did not know yet, and rows that were late.

    Parameters
    ----------
    newest
        The newest run that was saved.
    past
        The earliest time that is ever read.
    look_back
        How late a row may be.

    Returns
    -------
    datetime
        Aware.
    """
    until = _known_until(newest)
    return max(past, until - look_back) if until else past


def _known_until(newest: results.SavedRun | None) -> datetime | None:
    until = newest.record.get("verdicts", {}).get("until") if newest else None
    return datetime.fromisoformat(until) if until else None


def save_verdicts(said: Said, folder: results.RunFolder, runs: results.Runs, past: timedelta) -> dict[str, Any]:
    """Match what analysts have said to subgraphs, and save it as the table `verdicts` of a run, whatever its window.

    Parameters
    ----------
    said
        As `hear` gives it.
    folder
        Of the run, with its other tables.
    runs
        All runs, those before it too.
    past
        How long before now a run was that is asked for subgraphs which this one does not know.

    Returns
    -------
    dict
        What `run.json` says of it: how many subgraphs each verdict stands of, and how many incidents are matched to none and
        could not be read, by reason.

    Notes
    -----
    Cost: the members of one earlier run a day, for new incidents alone that share no alert with this run.
    """
    tables = results.read_tables(folder, ("subgraphs", "members", "rejected"))
    words = [*said.words, *_listed(said.listed, tables["subgraphs"])]
    found = match_verdicts(
        sorted(words, key=lambda word: word.judged_at),
        own_alerts(_own(tables["rejected"])),
        _members(tables["members"], _before(folder, runs, datetime.now(timezone.utc) - past)),
        said.earlier,
    )
    results.save_tables({VERDICTS.name: found}, folder)
    return told_of(found, said.refused) | {"until": said.until and said.until.isoformat()}


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


def _own(rejected: ds.Dataset) -> Iterator[tuple[str | None, str | None]]:
    rows = rejected.to_table(columns=["site", "line"], filter=pc.field("reason") == OWN)
    return zip(rows["site"].to_pylist(), rows["line"].to_pylist(), strict=True)


def _members(newest: ds.Dataset, before: Iterator[results.RunFolder]) -> Iterator[pa.Table]:
    """The members of a run, then of those before it."""
    yield newest.to_table(columns=_MEMBERS)
    for folder in before:
        if tables := results.read_tables(folder, ["members"]):
            yield tables["members"].to_table(columns=_MEMBERS)


def _before(folder: results.RunFolder, runs: results.Runs, since: datetime) -> Iterator[results.RunFolder]:
    """The last run that was saved of each day since then, the newest first, of those before a run."""
    own = folder.place.rstrip("/").rsplit("/", 1)[-1]
    ids = [run_id for run_id in runs.ids() if f"{since:%Y%m%dT%H%M%S}" <= run_id < own]
    for _, of_day in groupby(ids, key=lambda run_id: run_id[:8]):
        if found := next(runs.saved(of_day), None):
            yield found.folder
