"""Figures of one ranking of one lake: those of the judge, and those that it does not print.

Episodes are folded here, from the normalised alerts and for every ranking alike: no ranking is measured by its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from quality.bootstrap import Figure, over_networks, ratio, worst
from quality.judge import TOP, Ranking, average_precision, judge, judged_rows

PAUSE = 300.0
"""Seconds without an alert that end an episode."""
HOP = 1800.0
"""Seconds from the end of a predecessor to the start of its successor, at most."""


class Group(NamedTuple):
    """Where the true group came: false subgraphs above it plus 1 (ties count half), its purity, the share it holds."""

    rank: float
    of: int
    purity: float
    held: float


def judged(truth: pd.DataFrame, ranking: Ranking, warm_up_hours: float) -> dict[str, Figure]:
    """The judge's figures; a pooled value is its own, the interval is drawn from its figures by network."""
    report = judge(truth, ranking, warm_up_hours)
    pooled, networks = report["pooled"], report["networks"]
    rows = judged_rows(truth, ranking, warm_up_hours)
    of_network = {name: rows[rows["network"] == name] for name in networks}

    def precision(names: Sequence[str]) -> float:
        drawn = pd.concat([of_network[name] for name in names])
        return average_precision(drawn["positive"].to_numpy(bool), drawn["score"].to_numpy(float))

    def mean(key: str, weight: str) -> Figure:
        weights = {n: _weight(f, weight) for n, f in networks.items()}
        parts = {n: (f[key] * weights[n], weights[n]) for n, f in networks.items() if not math.isnan(f[key])}
        return _with_value(ratio(parts), pooled[key])

    days = truth.groupby("network")["at"].agg(lambda at: (at.max() - at.min()).total_seconds() / 86400)
    return {
        "ap": _with_value(over_networks(precision, list(networks)), pooled["ap"]),
        "ap_random": Figure(pooled["ap_random"]),
        "steps": ratio({n: (f["steps_at_k"], f["steps"]) for n, f in networks.items()}),
        "lenient": mean("purity_lenient", "top"),
        "strict": mean("purity_strict", "top"),
        "bearing": mean("shown_bearing", "shown"),
        "shown_steps": ratio({n: (f["shown_steps"], f["steps"]) for n, f in networks.items()}),
        "a_day": ratio({n: (f["shown"], max(days[n], 1.0)) for n, f in networks.items()}),
        "largest_share": worst({n: f["largest_share"] for n, f in networks.items()}),
        "mixed": Figure(report["mixed_subgraphs"]),
    }


def _weight(figures: dict[str, float], name: str) -> float:
    if name == "shown":
        return figures["shown"]
    return figures["p_at_k"] * min(TOP, figures["subgraphs"]) if figures["subgraphs"] else 0.0


def _with_value(figure: Figure, value: float) -> Figure:
    return Figure(value, figure.low, figure.high)


def fold(alerts: pd.DataFrame) -> pd.DataFrame:
    """Alerts with the number of their `episode`: a run of one name between the same ends without a pause of 300 s."""
    key = ["site", "source_entity", "target_entity", "name"]
    found = alerts.assign(**{column: alerts[column].fillna("") for column in key})
    found = found.sort_values([*key, "observed_at", "item_id"], ignore_index=True)
    is_new = found[key].ne(found[key].shift()).any(axis=1)
    is_new |= (found["observed_at"] - found["observed_at"].shift()).dt.total_seconds() > PAUSE
    return found.assign(episode=is_new.cumsum())


def hops(folded: pd.DataFrame) -> pd.DataFrame:
    """For each episode b its nearest earlier pivot predecessor a: `site, a, b`; a's target is b's source.

    Nearest is the latest that started strictly before b, if it ended at most 1,800 s before b starts.
    """
    episodes = folded.groupby("episode", as_index=False).agg(
        site=("site", "first"),
        source=("source_entity", "first"),
        target=("target_entity", "first"),
        start=("observed_at", "min"),
        end=("observed_at", "max"),
    )
    pairs = episodes[episodes["source"].ne("") & episodes["target"].ne("")].sort_values(["start", "episode"])
    met = pd.merge_asof(
        pairs.rename(columns={"episode": "b", "source": "at"})[["site", "at", "start", "b"]],
        pairs.rename(columns={"episode": "a", "target": "at"})[["site", "at", "start", "end", "a"]],
        on="start",
        by=["site", "at"],
        allow_exact_matches=False,
    )
    met = met[met["a"].notna() & ((met["start"] - met["end"]).dt.total_seconds() <= HOP)]
    return met.astype({"a": np.int64})[["site", "a", "b"]].reset_index(drop=True)


def places(folded: pd.DataFrame, ranking: Ranking) -> pd.DataFrame:
    """Which subgraphs hold alerts of which episode: `site, episode, subgraph_id`, each pair once."""
    held = folded[["site", "episode", "item_id"]].merge(ranking.members, on="item_id")
    return held[["site", "episode", "subgraph_id"]].drop_duplicates()


def kept(chains: pd.DataFrame, ends: Sequence[str], where: pd.DataFrame) -> pd.Series:
    """Whether one subgraph holds all the `ends` of a chain; one row is one chain."""
    chains = chains.reset_index(drop=True)
    met = chains.assign(chain=chains.index)
    for number, end in enumerate(ends):
        here = where[["episode", "subgraph_id"]].rename(columns={"episode": end})
        met = met.merge(here, on=[end, "subgraph_id"] if number else end)
    return pd.Series(chains.index.isin(met["chain"]), dtype=bool)


def connected(alerts: pd.DataFrame, ranking: Ranking) -> dict[str, Figure]:
    """No giant and no lost hop: the largest subgraph's share of a network's episodes, and the hops inside one subgraph."""
    folded = fold(alerts)
    where = places(folded, ranking)
    total = folded.groupby("site")["episode"].nunique()
    largest = where.groupby(["site", "subgraph_id"])["episode"].nunique().groupby("site").max()
    one = hops(folded)
    two = one.merge(one.rename(columns={"a": "b", "b": "c"}), on=["site", "b"])
    found = {"largest": worst({str(site): largest.get(site, 0) / n for site, n in total.items()})}
    for name, chains, ends in (("hops", one, "ab"), ("two_hops", two, "abc")):
        each = kept(chains, list(ends), where).groupby(chains["site"]).agg(["sum", "size"])
        found[name] = ratio({str(site): (row["sum"], row["size"]) for site, row in each.iterrows()})
    return found


def true_group(ranking: Ranking, attack: pd.Series) -> Group:
    """The subgraph that holds most of the `attack` items, and where it came; the better placed of two that hold as many."""
    sizes = _hits(ranking, attack)
    if not sizes["sum"].any():
        return Group(math.nan, len(sizes), 0.0, 0.0)
    best = sizes.sort_values(["sum", "score"], ascending=False).iloc[0]
    false = sizes.loc[sizes["sum"] == 0, "score"]
    rank = 1 + (false > best["score"]).sum() + (false == best["score"]).sum() / 2
    return Group(float(rank), len(sizes), best["sum"] / best["size"], best["sum"] / len(attack))


def first_bearing(ranking: Ranking, attack: pd.Series) -> tuple[float, float]:
    """Rank of the best subgraph that holds any of the `attack` items, of equal scores the worst; and its purity."""
    rows = _hits(ranking, attack).assign(mean=lambda r: r["sum"] / r["size"])
    bearing = rows[rows["sum"] > 0].sort_values(["score", "mean"], ascending=[False, True])
    if bearing.empty:
        return math.nan, 0.0
    best = bearing.iloc[0]
    return float(1 + (rows.loc[rows["sum"] == 0, "score"] >= best["score"]).sum()), float(best["mean"])


def _hits(ranking: Ranking, attack: pd.Series) -> pd.DataFrame:
    """How many `attack` items each subgraph holds (`sum`), of how many alerts (`size`), and its `score`."""
    held = ranking.members.drop_duplicates().assign(hit=lambda m: m["item_id"].isin(attack))
    sizes = held.groupby("subgraph_id")["hit"].agg(["sum", "size"])
    return sizes.join(ranking.subgraphs.set_index("subgraph_id")["score"].astype(float))


def in_top(ranking: Ranking, attack: pd.Series, k: int = 10) -> float:
    """Share of the `attack` items that lie in the k best subgraphs."""
    best = ranking.subgraphs.sort_values(["score", "subgraph_id"], ascending=[False, True])["subgraph_id"].head(k)
    held = ranking.members[ranking.members["subgraph_id"].isin(best)]
    return float(attack.isin(held["item_id"]).mean())


def of_network(ranking: Ranking, site: str) -> Ranking:
    """The part of a ranking that is about one site."""
    subgraphs = ranking.subgraphs[ranking.subgraphs["site"].str.lower() == site.lower()]
    return Ranking(subgraphs, ranking.members[ranking.members["subgraph_id"].isin(subgraphs["subgraph_id"])])


def alert_level(truth: pd.DataFrame, folded: pd.DataFrame, ranking: Ranking) -> dict[str, Figure]:
    """A ranking as a filter of alerts, for tables that judge by alert: what is in a shown subgraph is called an attack.

    `alert_tpr`, `alert_fpr` and `alert_f1` by the label of the event, warm-up and all; `reduction` is 1 less the episodes
    that are shown an alert.
    """
    shown = ranking.subgraphs.loc[ranking.subgraphs["is_shown"].astype(bool), "subgraph_id"]
    items = ranking.members.loc[ranking.members["subgraph_id"].isin(shown), "item_id"]
    rows = truth.merge(folded[["item_id", "episode"]], on="item_id", how="left")
    rows = rows.assign(attack=rows["strict"].ne("-"), said=rows["item_id"].isin(items))
    tpr: dict[str, tuple[float, float]] = {}
    fpr, f1, less = dict(tpr), dict(tpr), dict(tpr)
    for name, of in rows.groupby("network"):
        hit, false = int((of["said"] & of["attack"]).sum()), int((of["said"] & ~of["attack"]).sum())
        n_attack, n = int(of["attack"].sum()), len(of)
        tpr[str(name)], fpr[str(name)] = (hit, n_attack), (false, n - n_attack)
        f1[str(name)] = (2 * hit, hit + false + n_attack)
        less[str(name)] = (n - of.loc[of["said"], "episode"].nunique(), n)
    return {"alert_tpr": ratio(tpr), "alert_fpr": ratio(fpr), "alert_f1": ratio(f1), "reduction": ratio(less)}
