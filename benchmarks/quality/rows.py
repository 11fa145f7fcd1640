"""Which measures are taken on which lake, with their aims, of which rankings: the job's, simple orders and peers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from quality import generated, hubs, judge, lakes, measures, peers, reading
from quality.bootstrap import Figure
from quality.judge import Ranking, load, read_truth, save
from quality.runs import run_job
from quality.table import Measure, Row

Figures = dict[str, Figure]
Taken = Callable[["Judged", Ranking], Figures]

READ = (
    Measure("read", "shown: episodes to read", "-", ".0f"),
    Measure("read_attack", ".. attack among them"),
    Measure("read_steps", ".. steps found a hundred episodes read", "-", ".2f"),
    Measure("bears_random", "shown: of as many random episodes would bear an attack"),
    Measure("episodes", "top 10: episodes, median", "-", ".0f"),
    Measure("episodes_95", ".. 95 %", "-", ".0f"),
    Measure("hosts", "top 10: hosts, median", "-", ".0f"),
    Measure("hosts_95", ".. 95 %", "-", ".0f"),
)
RELATED = (
    Measure("related_found", "shown or named as related: steps"),
    Measure("related_bears", "related to a shown attack: bear the same campaign"),
    Measure("related_random", ".. any other subgraph of the network"),
)
RELIABILITY = tuple(
    measure
    for number, (low, high) in enumerate(reading.BINS)
    for measure in (
        Measure(f"p{number}", f"told probability {low:.2f} to {high:.2f}: bear an attack"),
        Measure(f"p{number} told", ".. told, mean"),
        Measure(f"p{number} of", ".. of so many subgraphs", "-", ".0f"),
    )
)
AIT = (
    Measure("shown_steps", "shown: steps", ">= .90"),
    Measure("bearing", "shown: attack-bearing", ">= .95"),
    Measure("strict", "purity strict, top 5", ">= .60"),
    Measure("lenient", "purity lenient, top 5", ">= .90"),
    Measure("steps", "steps in the top 5 of a network", ">= .97"),
    Measure("a_day", "shown a day and network", "<= 1", ".2f"),
    Measure("mixed", "subgraphs of two networks", "0", ".0f"),
    *READ,
    Measure("alert_tpr", "alerts of attacks that are shown (TPR)"),
    Measure("alert_fpr", ".. of all others (FPR)", "-", ".4f"),
    Measure("alert_f1", ".. F1"),
    Measure("reduction", ".. reduction, alerts to episodes read", "-", ".4f"),
    Measure("ap", "AP, all subgraphs"),
    *RELATED,
    *RELIABILITY,
)
CPTC = (
    Measure("largest", "largest subgraph's share of episodes, worst network", "<= .10"),
    Measure("hops", "nearest-predecessor hops a->b->c inside one subgraph", ">= .95"),
    Measure("two_hops", "two such hops in a row inside one subgraph"),
)


def _group(site: str, rank: str, words: str, purity: str = "-", of: str = "-") -> tuple[Measure, ...]:
    return (
        Measure(f"{site} rank", f"rank of {words}", rank, ".1f"),
        Measure(f"{site} of", ".. of so many subgraphs", of, ".0f"),
        Measure(f"{site} purity", ".. its purity", purity),
        Measure(f"{site} held", ".. share of the attack's alerts in it"),
        Measure(f"{site} first", "rank of the best subgraph that bears any of it", "-", ".0f"),
        Measure(f"{site} first purity", ".. its purity"),
        Measure(f"{site} top", "attack alerts in the top 10"),
    )


PLANT = (
    Measure("found", "shown: steps"),
    Measure("bears", "shown: attack-bearing"),
    *READ,
    Measure("purity", "purity strict, top 5"),
    Measure("noise", "shown, false: no alert of a benign chain in it"),
    Measure("mostly_noise", ".. under half of its episodes of benign chains"),
    Measure("rand", "adjusted Rand of subgraphs against campaigns, attack episodes"),
    Measure("two_in_one", "two campaigns in one, of subgraphs that bear an attack"),
    Measure("pivots", "pivot campaigns that show two steps or more", "-", ".0f"),
    Measure("whole all", "chain whole in one shown subgraph"),
    Measure("whole day", ".. dwell up to 1 day"),
    Measure("whole week", ".. dwell 1 to 7 days"),
    Measure("whole fortnight", ".. dwell 7 to 14 days"),
    Measure("whole any", "chain whole in one subgraph, shown or not"),
    Measure("steps shown", "share of a chain's steps in its best shown subgraph"),
    Measure("maintenance pivots", "benign maintenance pivots", "-", ".0f"),
    Measure("maintenance", ".. ranked under every attack of the network", ">= .95"),
    Measure("largest_share", "largest subgraph's share of alerts, worst network"),
    Measure("steps", "steps in the top 5 of a network"),
    Measure("a_day", "shown a day and network", "<= 1", ".2f"),
    Measure("mixed", "subgraphs of two networks", "0", ".0f"),
    Measure("ap", "AP, all subgraphs"),
    *RELATED,
    *RELIABILITY,
)
HUBS = (
    *(Measure(f"hub-{degree} kept", f"chains kept, degree {degree:,}") for degree in hubs.DEGREES),
    Measure("kept", "chains through the compromised controller kept", ">= .99"),
    Measure("largest", "largest subgraph's share of episodes, worst network"),
)


def aimed(**aims: str) -> tuple[Measure, ...]:
    """The measures of generated networks with the aims of one part.

    Raises
    ------
    KeyError
        If an aim is for a measure that there is not.
    """
    if unknown := set(aims) - {one.key for one in PLANT}:
        raise KeyError(", ".join(sorted(unknown)))
    return tuple(replace(one, aim=aims.get(one.key, one.aim)) for one in PLANT)


@dataclass(frozen=True)
class Judged:
    """What the rankings of a part are measured on: its lakes together."""

    lakes: Sequence[lakes.Lake]
    truth: pd.DataFrame
    alerts: pd.DataFrame

    @cached_property
    def folded(self) -> pd.DataFrame:
        """The alerts with their episodes."""
        return measures.fold(self.alerts)

    @cached_property
    def benign(self) -> pd.DataFrame:
        """The alerts of benign chains; none where nobody has said which they are."""
        told = [lake.folder for lake in self.lakes if (lake.folder / "routines.csv.gz").exists()]
        empty = pd.DataFrame({"item_id": [], "network": [], "chain": [], "crosses": []})
        return pd.concat(list(map(generated.read_routines, told))) if told else empty

    def read(self, ranking: Ranking) -> reading.Reading:
        """What an analyst reads of a ranking."""
        return reading.read(self.truth, self.folded, ranking, self.benign["item_id"], self.warm_up_hours)

    @property
    def warm_up_hours(self) -> float:
        """What the judge leaves out at a network's start."""
        return self.lakes[0].warm_up_hours


def take_plant(on: Judged, ranking: Ranking) -> Figures:
    """What is read, chains and maintenance; the judge's figures where the judge is there."""
    campaigns, crossing = read_campaigns(on.lakes), on.benign[on.benign["crosses"]]
    found = reading.figures(on.read(ranking)) | generated.chains(on.truth, campaigns, ranking)
    found |= generated.maintenance(on.truth, crossing, ranking)
    return found | (take_judged(on, ranking) if judge.TOOL.exists() else {})


def read_campaigns(of: Sequence[lakes.Lake]) -> pd.DataFrame:
    """The campaigns of some generated lakes together."""
    return pd.concat([generated.read_campaigns(lake.folder) for lake in of])


def take_hubs(on: Judged, ranking: Ranking) -> Figures:
    """Chains kept by degree."""
    return generated.hub_chains(on.truth, ranking) | measures.connected(on.alerts, ranking)


def take_judged(on: Judged, ranking: Ranking) -> Figures:
    """The judge's figures."""
    return measures.judged(on.truth, ranking, on.warm_up_hours)


def take_ait(on: Judged, ranking: Ranking) -> Figures:
    """The judge's figures, what is read, and what is called an attack alert by alert."""
    told = measures.alert_level(on.truth, on.folded, ranking)
    return reading.figures(on.read(ranking)) | take_judged(on, ranking) | told


def take_connected(on: Judged, ranking: Ranking) -> Figures:
    """Episodes of the largest subgraph and hops kept."""
    return measures.connected(on.alerts, ranking)


def take_groups(on: Judged, ranking: Ranking) -> Figures:
    """Where the one true group of each network came; of the benign captures in the mix none is labelled."""
    found: Figures = {}
    for network, rows in on.truth.groupby("network"):
        attack = rows.loc[rows["strict"].ne("-"), "item_id"]
        here = measures.of_network(ranking, str(network))
        told = measures.true_group(here, attack)._asdict() | {"top": measures.in_top(here, attack)}
        told["first"], told["first purity"] = measures.first_bearing(here, attack)
        found |= {f"{network} {key}": Figure(float(value)) for key, value in told.items()}
    return found


PARTS: dict[str, tuple[str, str, tuple[Measure, ...], Taken]] = {
    "ait": ("ait_ads", "AIT-ADS, 4 networks", AIT, take_ait),
    "cptc": ("cptc", "CPTC 2017, 5 networks", CPTC, take_connected),
    "modbus": (
        "modbus",
        "modbus",
        (
            *_group("CnC", "1", "the subgraph with the three true alerts, CnC", of=">= 4"),
            *_group("characterization", "-", "the true subgraph, characterization"),
        ),
        take_groups,
    ),
    "mix": (
        "mix",
        "CPTC team01 among ITI's benign OT alerts",
        _group("mix", "1", "the attack's subgraph", "1.0"),
        take_groups,
    ),
    "generated": (
        "generated",
        "20 generated networks, hard, seeds 1001-1020",
        aimed(
            found=">= .35",
            read_attack=">= .08",
            noise="<= .05",
            purity=">= .55",
            episodes="<= 15",
            hosts="<= 10",
        ),
        take_plant,
    ),
    "usual": (
        "usual",
        "10 generated networks, usual, seeds 1001-1010",
        aimed(found=">= .45", bears=">= .5"),
        take_plant,
    ),
    "calm": ("calm", "10 generated networks, calm, seeds 1001-1010", aimed(found=">= .6", bears=">= .7"), take_plant),
    "sparse": (
        "sparse",
        "10 generated networks, sparse, seeds 1201-1210",
        aimed(rand=">= .9", two_in_one="<= .02"),
        take_plant,
    ),
    "crossings": (
        "crossings",
        "20 generated networks, hard, seeds 1101-1120, crossings alone",
        aimed(**{"steps shown": ">= .5"}),
        take_plant,
    ),
    "hubs": ("hubs", "generated hubs", HUBS, take_hubs),
}

NOTES = """Columns: the job's ranking; its subgraphs by number of alerts, by highest severity, at random (mean of 3 draws);
the peers; `informed` knows the attack's alerts and joins them by hosts and accounts in common. Brackets are 5 to 95 % of a
bootstrap over networks. `none`: nothing there to measure. `-`: not measured. Where only the grouping is measured, the first
four columns are the same units. The told probability is the job's alone. `benchmarks/README.md` says what each measure is.
"""
RANDOM_DRAWS = 3


def rows_of(part: str, settings: Sequence[str], results: Path, *, with_peers: bool = True) -> list[Row]:
    """Run the job on the part's lakes, and measure it and what it must beat."""
    name, on, wanted, take = PARTS[part]
    chosen = [lake for lake in lakes.ALL.values() if lake.name == name or lake.name.startswith(f"{name}-")]
    if not all(lake.is_there() for lake in chosen):
        return [Row(on, measure, {}, f"not there: {lakes.SHARED}") for measure in wanted]
    runs = [run_job(lake, settings, results) for lake in chosen]
    truth = pd.concat([read_truth(lake.folder) for lake in chosen], ignore_index=True)
    alerts = pd.concat([pd.read_parquet(file) for _, file in runs], ignore_index=True)
    ours = Ranking(*map(pd.concat, zip(*(load(folder) for folder, _ in runs), strict=True)))
    judged = Judged(chosen, truth, alerts)
    figures = {
        column: take(judged, ranking)
        for column, ranking in rankings(ours, alerts, results / name, with_peers=with_peers).items()
    }
    if take in (take_ait, take_plant):
        told = judged.read(ours)
        figures["ours"] |= reading.reliability(told, ours) | reading.related(told, ours)
    if take is take_plant:
        figures["informed"] = generated.chains(truth, read_campaigns(chosen), generated.informed(truth, alerts))
    random = [take(judged, peers.at_random(ours, seed)) for seed in range(RANDOM_DRAWS)]
    figures["random"] = {key: _mean([one[key] for one in random]) for key in random[0]}
    return [
        Row(on, measure, {column: told[measure.key] for column, told in figures.items() if measure.key in told})
        for measure in wanted
    ]


def rankings(ours: Ranking, alerts: pd.DataFrame, folder: Path, *, with_peers: bool) -> Mapping[str, Ranking]:
    """The job's ranking and the others by column; peers are left as results folders that the judge can read."""
    found = {"ours": ours, "count": peers.by_count(ours)}
    if (severity := peers.by_severity(ours, alerts)) is not None:
        found["severity"] = severity
    if with_peers:
        for column, rank in (
            ("RT-KCSM", peers.rt_kcsm),
            ("risk sum", peers.risk_sum),
            ("damped risk", peers.risk_damped),
        ):
            found[column] = rank(alerts)
            save(found[column], folder / rank.__name__)
    return found


def _mean(figures: Sequence[Figure]) -> Figure:
    values = [one.value for one in figures if not math.isnan(one.value)]
    return Figure(float(np.mean(values))) if values else Figure(math.nan)
