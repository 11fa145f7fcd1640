"""What an analyst reads, counted in episodes: a ranking is not helped by subgraphs that hold a bit of everything.

A subgraph of 80 episodes nearly always holds an attack somewhere; whoever reads it has read 80. So everything here is held
against what is read: how much of it is attack, how many steps it yields, and how often as many episodes drawn at random
would have held an attack. Episodes and hosts are those of the harness (`measures.fold`), the same for every ranking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from alertgraph_spark.learn import evaluation
from quality.bootstrap import Figure, over_networks, ratio
from quality.judge import TOP, Ranking

SIZED = 10
"""So many of the best subgraphs of a network are measured for size."""
BINS = tuple(pairwise(evaluation.BINS))
"""Bounds of a reliability table, as `alertgraph train` has them; the upper one belongs to the next bin, save the last."""
ENDS = ("source_entity", "target_entity")
Parts = dict[str, tuple[float, float]]


class Reading(NamedTuple):
    """A ranking beside the truth.

    ranked      one row a subgraph that begins after the warm-up, best first: `network, score, is_shown, attack` (it bears
                one), `chain` (it bears a benign chain), `chained` (share of its episodes that are of benign chains), `purity`
                (share of its alerts that are attack), `n_episodes, n_hosts`
    held        one row an alert of any subgraph: `subgraph_id, network, episode, strict, attack`
    facts       one row an alert: `item_id, network, episode, strict, attack, is_warm` (it came after the warm-up)
    """

    ranked: pd.DataFrame
    held: pd.DataFrame
    facts: pd.DataFrame


def read(
    truth: pd.DataFrame, folded: pd.DataFrame, ranking: Ranking, benign: pd.Series, warm_up_hours: float
) -> Reading:
    """Join a ranking, the folded alerts and the truth; `benign` are the items of benign chains.

    Of two subgraphs with one score the one without attack is the better: a tie is never to a ranking's advantage.
    """
    facts = truth[["item_id", "network", "at", "strict"]].merge(
        folded[["item_id", "episode", "source_entity", "target_entity"]], on="item_id"
    )
    facts = facts.assign(attack=facts["strict"].ne("-"), chain=facts["item_id"].isin(benign))
    begin = truth.groupby("network")["at"].min() + pd.Timedelta(hours=warm_up_hours)
    facts["is_warm"] = facts["at"] >= facts["network"].map(begin)
    held = ranking.members.drop_duplicates().merge(facts, on="item_id")
    by_subgraph = held.groupby("subgraph_id")
    ranked = by_subgraph.agg(
        network=("network", "first"),
        begins=("at", "min"),
        attack=("attack", "max"),
        purity=("attack", "mean"),
        chain=("chain", "max"),
        n_episodes=("episode", "nunique"),
    )
    ranked["chained"] = held[held["chain"]].groupby("subgraph_id")["episode"].nunique() / ranked["n_episodes"]
    ends = pd.concat([held[["subgraph_id", end]].set_axis(["subgraph_id", "host"], axis=1) for end in ENDS])
    ranked["n_hosts"] = ends[ends["host"].ne("")].groupby("subgraph_id")["host"].nunique()
    ranked = ranked.fillna({"chained": 0.0, "n_hosts": 0}).join(_told(ranking))
    ranked = ranked[ranked["begins"] >= ranked["network"].map(begin)].reset_index()
    ranked = ranked.sort_values(["score", "attack", "subgraph_id"], ascending=[False, True, True], ignore_index=True)
    return Reading(ranked, held, facts)


def _told(ranking: Ranking) -> pd.DataFrame:
    told = ranking.subgraphs.set_index("subgraph_id")
    return told[["score", "is_shown"]].astype({"score": float, "is_shown": bool})


def figures(reading: Reading) -> dict[str, Figure]:
    """All that is measured of what is shown, of the best ten and of the best five; intervals are over networks."""
    networks = sorted(reading.facts["network"].unique())
    shown = {n: _Shown(reading, n) for n in networks}
    best = {n: rows.head(SIZED) for n, rows in _by_network(reading.ranked, networks)}
    top = {n: rows.head(TOP)[lambda r: r["attack"]] for n, rows in best.items()}
    found = {
        "read": Figure(float(sum(one.episodes for one in shown.values()))),
        "read_attack": ratio({n: (one.attack, one.episodes) for n, one in shown.items()}),
        "read_steps": ratio({n: (100 * one.steps, one.episodes) for n, one in shown.items()}),
        "found": ratio({n: (one.steps, one.of_steps) for n, one in shown.items()}),
        "bears": ratio({n: (one.bearing, one.n) for n, one in shown.items()}),
        "bears_random": ratio({n: (one.chance, one.n) for n, one in shown.items()}),
        "noise": ratio({n: (one.noise, one.false) for n, one in shown.items()}),
        "mostly_noise": ratio({n: (one.mostly_noise, one.false) for n, one in shown.items()}),
        "purity": ratio({n: (rows["purity"].sum(), len(rows)) for n, rows in top.items()}),
    }
    for column, name in (("n_episodes", "episodes"), ("n_hosts", "hosts")):
        for share, key in ((0.5, name), (0.95, f"{name}_95")):
            found[key] = _quantile({n: rows[column].to_numpy(float) for n, rows in best.items()}, share)
    return found | apart(reading)


def _by_network(ranked: pd.DataFrame, networks: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    for network in networks:
        yield network, ranked[ranked["network"] == network]


class _Shown:
    """What one network shows: counts of subgraphs, episodes and steps."""

    def __init__(self, reading: Reading, network: str) -> None:
        ranked = reading.ranked
        rows = ranked[(ranked["network"] == network) & ranked["is_shown"]]
        held = reading.held[reading.held["subgraph_id"].isin(rows["subgraph_id"])]
        of_episode = held.groupby("episode")["attack"].max()
        facts = reading.facts[(reading.facts["network"] == network) & reading.facts["is_warm"]]
        steps = set(facts.loc[facts["attack"], "strict"])
        there = facts.groupby("episode")["attack"].max()
        false = rows[~rows["attack"].astype(bool)]
        self.n, self.bearing, self.false = len(rows), int(rows["attack"].sum()), len(false)
        self.noise, self.mostly_noise = int((~false["chain"].astype(bool)).sum()), int((false["chained"] < 0.5).sum())
        self.episodes, self.attack = len(of_episode), int(of_episode.sum())
        self.steps, self.of_steps = len(steps & set(held["strict"])), len(steps)
        self.chance = sum(chance(n, len(there), int(there.sum())) for n in rows["n_episodes"])


def chance(drawn: int, of: int, attack: int) -> float:
    """Chance that of so many episodes `drawn` without replacement at least one is among the `attack` ones."""
    rest = of - attack
    if drawn > rest:
        return 1.0

    def ways(n: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(n - drawn + 1)

    return 1.0 - math.exp(ways(rest) - ways(of))


def _quantile(values: dict[str, np.ndarray], share: float) -> Figure:
    def stat(names: Sequence[str]) -> float:
        drawn = np.concatenate([values[name] for name in names])
        return float(np.quantile(drawn, share)) if len(drawn) else math.nan

    return over_networks(stat, list(values))


def apart(reading: Reading) -> dict[str, Figure]:
    """Campaigns held together and kept apart, shown or not, the warm-up's among them.

    `rand` is the adjusted Rand index (Hubert and Arabie 1985, doi:10.1007/BF01908075) of subgraphs against campaigns over
    the episodes of attacks, the mean of the networks that have two campaigns; an episode in no subgraph is a group alone.
    `two_in_one` is the share of subgraphs that hold two campaigns, of those that hold any.
    """
    attack = reading.facts.loc[reading.facts["attack"], ["network", "episode", "strict"]]
    attack, held = _with_campaign(attack), _with_campaign(reading.held[reading.held["attack"]])
    group = held.sort_values("subgraph_id").drop_duplicates("episode").set_index("episode")["subgraph_id"]
    episodes = attack.drop_duplicates("episode").assign(group=lambda a: a["episode"].map(group))
    alone = episodes["episode"].astype(str).radd("alone ")
    episodes["group"] = episodes["group"].astype(object).where(episodes["group"].notna(), alone)
    rand = {
        str(network): (adjusted_rand(rows["campaign"], rows["group"]), 1.0)
        for network, rows in episodes.groupby("network")
        if rows["campaign"].nunique() > 1
    }
    several = held.groupby(["network", "subgraph_id"])["campaign"].nunique() > 1
    two = {str(network): (float(rows.sum()), float(len(rows))) for network, rows in several.groupby("network")}
    return {"rand": ratio(rand), "two_in_one": ratio(two)}


def _with_campaign(attack: pd.DataFrame) -> pd.DataFrame:
    """Alerts of attacks with their `campaign`, which `strict` names first."""
    return attack.assign(campaign=attack["strict"].str.split("/").str[0])


def adjusted_rand(label: pd.Series, group: pd.Series) -> float:
    """Adjusted Rand index: 1 where both part alike, 0 as by chance."""
    table = pd.crosstab(label.to_numpy(), group.to_numpy()).to_numpy(float)

    def pairs(n: np.ndarray) -> float:
        return float((n * (n - 1) / 2).sum())

    both, labels, groups = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    everything = pairs(table.sum(keepdims=True))
    expected = labels * groups / everything if everything else 0.0
    most = (labels + groups) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def reliability(reading: Reading, ranking: Ranking) -> dict[str, Figure]:
    """How often what is told as so probable is an attack: subgraphs after the warm-up by the `probability` they are told.

    For the n-th of `BINS`: `p<n>` the share that bears an attack, `p<n> told` the mean probability, `p<n> of` how many.
    """
    if "probability" not in ranking.subgraphs:
        return {}
    told = ranking.subgraphs.set_index("subgraph_id")["probability"].astype(float)
    rows = reading.ranked.assign(probability=reading.ranked["subgraph_id"].map(told))
    found: dict[str, Figure] = {}
    for number, (low, high) in enumerate(BINS):
        is_last = number == len(BINS) - 1
        inside = rows[(rows["probability"] >= low) & ((rows["probability"] < high) | is_last)]
        parts: Parts = {
            str(network): (float(of["attack"].sum()), float(len(of))) for network, of in inside.groupby("network")
        }
        found[f"p{number}"] = ratio(parts)
        found[f"p{number} told"] = Figure(float(inside["probability"].mean()))
        found[f"p{number} of"] = Figure(float(len(inside)))
    return found


def related(reading: Reading, ranking: Ranking) -> dict[str, Figure]:
    """What the subgraphs add that are named beside a shown one, as related to it.

    `related_found` is the share of steps with an alert in what is shown or related to it. `related_bears` is the share that
    bears the same campaign, of those related to a shown one that bears one; `related_random` that of any other subgraph.
    """
    if "related" not in ranking.subgraphs:
        return {}
    told = ranking.subgraphs[ranking.subgraphs["is_shown"].astype(bool)]
    pairs = [
        (subgraph, other["subgraph_id"])
        for subgraph, others in zip(told["subgraph_id"], told["related"], strict=True)
        for other in others
    ]
    held = _with_campaign(reading.held[reading.held["attack"]])
    of = {key: (rows["network"].iloc[0], set(rows["campaign"])) for key, rows in held.groupby("subgraph_id")}
    where = ranking.subgraphs.set_index("subgraph_id")["site"]
    n_of_site = where.groupby(where).size()
    parts: dict[str, list[float]] = {}
    for here, other in pairs:
        if here not in of:
            continue
        network, campaigns = of[here]
        like = sum(1 for key, (site, of_it) in of.items() if key != here and site == network and campaigns & of_it)
        counts = parts.setdefault(network, [0.0, 0.0, 0.0])
        counts[0] += bool(campaigns & of.get(other, ("", set()))[1])
        counts[1] += like / max(1, n_of_site[where[here]] - 1)
        counts[2] += 1
    read = {*told["subgraph_id"], *(other for _, other in pairs)}
    facts = reading.facts[reading.facts["attack"] & reading.facts["is_warm"]]
    found = set(reading.held.loc[reading.held["subgraph_id"].isin(read), "strict"])
    steps = {str(network): set(rows["strict"]) for network, rows in facts.groupby("network")}
    return {
        "related_found": ratio({network: (len(of_it & found), len(of_it)) for network, of_it in steps.items()}),
        "related_bears": ratio({network: (same, n) for network, (same, _, n) in parts.items()}),
        "related_random": ratio({network: (chance_, n) for network, (_, chance_, n) in parts.items()}),
    }
