"""Networks watched for months: what the job finds on each, what of it is attack, and what an analyst would say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq
from quality import generated, judge, lakes
from quality.runs import digest, run_job

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import Signature, signatures_of
from alertgraph_spark.score import with_score
from alertgraph_spark.tables.embedded import Engine

ALERTS, DAYS = 180_000, 126
"""Of one network: as many a day as in the other benchmarks, for as long as it takes to give a hundred verdicts."""

SEEDS = {"usual": tuple(range(1301, 1311)), "hard": tuple(range(1311, 1321))}
"""For reporting alone. The parameters of memory were chosen on seeds 21 to 24."""

DECIDING = (
    *(
        f"alertgraph_spark/{stage}/**/*.py"
        for stage in ("normalise", "interpret", "fold", "link", "connect", "match", "describe")
    ),
    "alertgraph_spark/formats/*.yaml",
    "alertgraph_spark/graph/in_process.py",
    "alertgraph_spark/learn/traits.py",
    "alertgraph_spark/score/scoring.py",
    "alertgraph_spark/score/terms.py",
    "alertgraph_spark/tables/attack.py",
    "alertgraph_spark/tables/rates.py",
    "alertgraph_spark/tables/roles.py",
)
"""Files that decide subgraphs and signatures. What is learned from verdicts is computed here, from these."""

NOT_DECIDING = ("memory_", "site_", "budget_", "show_", "model_")
"""How the names of parameters begin that decide neither."""

ATTACK, CHAIN, NOISE = "attack", "benign chain", "noise"


class Subgraph(NamedTuple):
    """One subgraph of one network, and the truth about it.

    Attributes
    ----------
    z
        Strength without memory.
    day
        The day of its first alert (UTC, counted from the network's first), whose budget it takes.
    steps
        The attack steps that it holds.
    chains
        The benign chains that it holds, by the name of their routine.
    crosses
        Whether an attack in it goes from IT into OT.
    """

    subgraph_id: str
    z: float
    day: int
    first_seen: datetime
    last_seen: datetime
    what: str
    steps: frozenset[str]
    chains: frozenset[str]
    crosses: bool
    signature: Signature


_TOLD = Subgraph._fields[:-1]


class Network(NamedTuple):
    """One network after its warm-up.

    Attributes
    ----------
    subgraphs
        Those that are nearly strong enough to be shown, in order of time.
    steps
        Attack steps that left an alert.
    ranked
        Day, strength and attack steps of all subgraphs, however weak.
    n_days
        Days from the first alert to the last.
    """

    name: str
    subgraphs: Sequence[Subgraph]
    steps: frozenset[str]
    ranked: Sequence[tuple[int, float, frozenset[str]]]
    n_days: int


def lakes_of(level: str, seeds: Sequence[int]) -> list[lakes.Lake]:
    """Lakes of two networks each."""
    pairs = [seeds[place : place + 2] for place in range(0, len(seeds), 2)]
    return [
        lakes.Lake(
            f"learning-{level}-{'-'.join(map(str, pair))}",
            lakes.PLANT,
            lakes.generated(pair, level=level, size=(ALERTS, DAYS)),
        )
        for pair in pairs
    ]


def version(p: RankingParameters) -> str:
    """Digest of all that decides subgraphs and signatures, beside the lake."""
    values = {name: value for name, value in asdict(p).items() if not name.startswith(NOT_DECIDING)}
    return digest(DECIDING, repr(sorted(values.items())))


def networks_of(lake: lakes.Lake, p: RankingParameters) -> Iterator[Network]:
    """Run the job on a lake, where that is not done yet, and give what it finds on each of its networks."""
    results, _ = run_job(lake, with_alerts=False, version=version(p))
    truth = judge.read_truth(lake.folder)
    found = _judged(results, lake.folder, truth, p)
    signatures = _signatures(results, found)
    for site, rows_of in found.groupby("site"):
        rows = truth[truth["network"].eq(site)]
        begin = rows["at"].min()
        is_seen = rows["strict"].ne("-") & (rows["at"] >= begin + timedelta(hours=lake.warm_up_hours))
        day = (rows_of["first_seen"].dt.floor("D") - begin.floor("D")).dt.days
        of = rows_of.assign(day=day).sort_values(["first_seen", "subgraph_id"])
        signed = of[of["subgraph_id"].isin(list(signatures))]
        yield Network(
            name=f"{lake.name}/{site}",
            subgraphs=[
                Subgraph._make((*values, signatures[values[0]]))
                for values in zip(*(signed[name] for name in _TOLD), strict=True)
            ],
            steps=frozenset(rows.loc[is_seen, "strict"]),
            ranked=list(zip(of["day"], of["z"], of["steps"], strict=True)),
            n_days=(rows["at"].max().floor("D") - begin.floor("D")).days + 1,
        )


def _judged(results: Path, lake: Path, truth: pd.DataFrame, p: RankingParameters) -> pd.DataFrame:
    """The subgraphs after the warm-up with their strength and what they hold: columns of `Subgraph`, and `site`."""
    with Engine() as engine:
        scored = with_score(engine, pq.read_table(results / "features"), p).to_pandas()
    found: pd.DataFrame = scored.loc[~scored["is_warm_up"], ["subgraph_id", "site", "z", "first_seen", "last_seen"]]
    members = pq.read_table(results / "members", columns=["subgraph_id", "item_id"]).to_pandas()
    campaigns = generated.read_campaigns(lake)
    crossing = set(campaigns.loc[campaigns["family"].eq("it_to_ot"), "campaign"])
    attack = members.merge(truth.loc[truth["strict"].ne("-"), ["item_id", "strict"]])
    routines = generated.read_routines(lake)
    benign = members.merge(routines.assign(routine=routines["chain"].str.partition("-")[2]))
    steps, chains = (
        rows.groupby("subgraph_id")[column].agg(frozenset).to_dict()
        for rows, column in ((attack, "strict"), (benign, "routine"))
    )
    found["steps"], found["chains"] = (
        found["subgraph_id"].map(lambda key, of=of: of.get(key, frozenset())) for of in (steps, chains)
    )
    found["what"] = [
        ATTACK if held else CHAIN if known else NOISE
        for held, known in zip(found["steps"], found["chains"], strict=True)
    ]
    found["crosses"] = [any(step.partition("/")[0] in crossing for step in held) for held in found["steps"]]
    return found


def _signatures(results: Path, found: pd.DataFrame) -> dict[str, Signature]:
    """Signatures by subgraph."""
    seen = dict(zip(found["subgraph_id"], found["last_seen"], strict=True))
    rows = pq.read_table(results / "signatures", filters=[("subgraph_id", "in", list(seen))])
    return {one.subgraph_id: one for _, one in signatures_of(rows, seen)}
