"""Networks watched for months: what the job finds on each, what of it is attack, and what an analyst would say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from quality import generated, judge, lakes
from quality.runs import run_job

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.learn import Signature, signatures_of
from alertgraph_spark.score import with_score
from alertgraph_spark.tables.embedded import Engine

ALERTS, DAYS = 180_000, 126
"""Of one network: as many a day as in the other benchmarks, for as long as it takes to give a hundred verdicts."""

SEEDS = {"usual": tuple(range(1301, 1311)), "hard": tuple(range(1311, 1321))}
"""For reporting alone."""

CHOSEN_ON = {"usual": (21, 22, 23, 24), "hard": (21, 22, 23, 24)}
"""Development networks: on these the parameters of memory were chosen."""

ATTACK, CHAIN, NOISE = "attack", "benign chain", "noise"


class Subgraph(NamedTuple):
    """One subgraph of one network, and the truth about it.

    `z` is its strength without memory, `day` that of its begin, whose budget it takes. `steps` are the attack steps that it
    holds, `chains` the benign chains by the name of their routine, `crosses` whether an attack in it goes from IT into OT.
    """

    subgraph_id: str
    z: float
    day: int
    first_seen: datetime
    last_seen: datetime
    signature: Signature
    what: str
    steps: frozenset[str]
    chains: frozenset[str]
    crosses: bool


class Network(NamedTuple):
    """One network: its subgraphs after the warm-up that are nearly strong enough to be shown, in order of time."""

    name: str
    level: str
    subgraphs: Sequence[Subgraph]
    steps: frozenset[str]


def lakes_of(level: str, seeds: Sequence[int]) -> list[lakes.Lake]:
    """Lakes of two networks each."""
    made = lakes.generated
    return [
        lakes.Lake(
            f"learning-{level}-{'-'.join(map(str, seeds[n : n + 2]))}",
            lakes.PLANT,
            made(seeds[n : n + 2], level=level, size=(ALERTS, DAYS)),
        )
        for n in range(0, len(seeds), 2)
    ]


def networks(level: str, seeds: Sequence[int], p: RankingParameters, settings: Sequence[str] = ()) -> Iterator[Network]:
    """Run the job on each lake, and give what it finds on each network."""
    for lake in lakes_of(level, seeds):
        yield from networks_of(lake, level, p, settings)


def networks_of(lake: lakes.Lake, level: str, p: RankingParameters, settings: Sequence[str] = ()) -> Iterator[Network]:
    """What the job finds on the networks of one lake."""
    results, _ = run_job(lake, settings, with_alerts=False)
    truth = judge.read_truth(lake.folder)
    routines = generated.read_routines(lake.folder)
    campaigns = generated.read_campaigns(lake.folder)
    families = dict(zip(campaigns["campaign"], campaigns["family"], strict=True))
    tables = {name: pq.read_table(results / name) for name in ("features", "signatures", "members")}
    with Engine() as engine:
        scored = with_score(
            engine, tables["features"].drop(["memory_nats"]).append_column("memory_nats", zeros(tables["features"])), p
        )
    features = scored.to_pandas().set_index("subgraph_id")
    seen = dict(zip(features.index, features["last_seen"], strict=True))
    members = tables["members"].select(["subgraph_id", "item_id"]).to_pandas()
    attack = members.merge(truth.loc[truth["strict"].ne("-"), ["item_id", "strict"]])
    steps = attack.groupby("subgraph_id")["strict"].agg(frozenset)
    benign = members.merge(routines.assign(story=routines["chain"].str.partition("-")[2]))
    chains = benign.groupby("subgraph_id")["story"].agg(frozenset)
    begin = truth.groupby("network")["at"].min()
    warm = truth.assign(is_warm=truth["at"] >= truth["network"].map(begin) + timedelta(hours=24))
    of_site: dict[str, list[Subgraph]] = {}
    for site, signature in signatures_of(tables["signatures"], seen):
        row = features.loc[signature.subgraph_id]
        if row["is_warm_up"]:
            continue
        held = steps.get(signature.subgraph_id, frozenset())
        known = chains.get(signature.subgraph_id, frozenset())
        crosses = any(families.get(step.partition("/")[0]) == "it_to_ot" for step in held)
        what = ATTACK if held else CHAIN if known else NOISE
        day = int((row["first_seen"] - begin[site]).total_seconds() // 86400)
        of_site.setdefault(site, []).append(
            Subgraph(
                signature.subgraph_id,
                float(row["z"]),
                day,
                row["first_seen"],
                row["last_seen"],
                signature,
                what,
                held,
                known,
                crosses,
            )
        )
    for site, found in of_site.items():
        labels = warm.loc[warm["is_warm"] & warm["strict"].ne("-") & warm["network"].eq(site), "strict"]
        yield Network(
            f"{lake.name}/{site}", level, sorted(found, key=lambda s: (s.first_seen, s.subgraph_id)), frozenset(labels)
        )


def zeros(table: pa.Table) -> pa.Array:
    """A column of zeros as long as a table."""
    return pa.array([0.0] * table.num_rows, pa.float64())
