"""What only generated networks can be asked: whole chains by dwell, maintenance under every attack, chains through hubs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd

from quality.bootstrap import Figure, ratio
from quality.judge import Ranking

DWELL = {"day": (0.0, 24.0), "week": (24.0, 168.0), "fortnight": (168.0, math.inf)}
"""Classes of dwell, first act to last, in hours."""


def read_campaigns(lake: Path) -> pd.DataFrame:
    """The campaigns of a generated lake: `network, campaign, family, dwell_hours`."""
    told: dict[str, list[dict[str, Any]]] = json.loads((lake / "campaigns.json").read_text(encoding="utf-8"))
    campaigns = pd.DataFrame(told["campaigns"]).rename(columns={"site": "network"})
    return campaigns[["network", "campaign", "family", "dwell_hours"]]


def read_routines(lake: Path) -> pd.DataFrame:
    """The alerts of benign chains, and whether the chain crosses into operations: `item_id, network, chain, crosses`."""
    rows = pd.read_csv(lake / "routines.csv.gz", dtype=str)
    return rows.assign(crosses=rows["crosses"] == "1")


def attack_alerts(truth: pd.DataFrame) -> pd.DataFrame:
    """The alerts of attacks: `item_id, network, strict, chain`; the chain, or campaign, is what `strict` names first."""
    attack = truth.loc[truth["strict"].ne("-"), ["item_id", "network", "strict"]]
    return attack.assign(chain=attack["strict"].str.partition("/")[0])


def steps_held(truth: pd.DataFrame, campaigns: pd.DataFrame, ranking: Ranking) -> pd.DataFrame:
    """How much of each pivot campaign its best subgraph holds; one row is one campaign whose alerts show two steps or more.

    Columns: `network, dwell_hours, visible` (steps that left an alert), `shown` and `any` (visible steps in the best of the
    shown, of all subgraphs).
    """
    attack = attack_alerts(truth).rename(columns={"chain": "campaign"})
    key = ["network", "campaign"]
    found = campaigns[campaigns["family"] == "it_to_ot"].set_index(key)
    found["visible"] = attack.groupby(key)["strict"].nunique()
    where = attack.merge(ranking.members, on="item_id").merge(ranking.subgraphs[["subgraph_id", "is_shown"]])
    for column, rows in (("shown", where[where["is_shown"].astype(bool)]), ("any", where)):
        steps = rows.groupby([*key, "subgraph_id"])["strict"].nunique().groupby(key).max()
        found[column] = steps.reindex(found.index).fillna(0)
    return found[found["visible"] >= 2].reset_index()


def chains(truth: pd.DataFrame, campaigns: pd.DataFrame, ranking: Ranking) -> dict[str, Figure]:
    """Pivot campaigns whose chain is whole in one shown subgraph, by dwell; whole in any; steps in the best shown."""
    held = steps_held(truth, campaigns, ranking)
    found = {"pivots": Figure(float(len(held)))}
    for name, (least, most) in {"all": (0.0, math.inf), **DWELL}.items():
        rows = held[(held["dwell_hours"] > least) & (held["dwell_hours"] <= most)]
        found[f"whole {name}"] = _share(rows, (rows["shown"] == rows["visible"]))
    found["whole any"] = _share(held, held["any"] == held["visible"])
    found["steps shown"] = _share(held, held["shown"] / held["visible"])
    return found


def informed(truth: pd.DataFrame, alerts: pd.DataFrame) -> Ranking:
    """What one would show who knew which alerts are of attacks: those of a campaign, joined by hosts and accounts in common.

    What is apart here hangs together by other alerts alone, so this bounds whole chains for all who join by what is equal.
    """
    attack = attack_alerts(truth).merge(alerts[["item_id", "site", "source_entity", "target_entity", "entities"]])
    graph = nx.Graph()
    columns = ("item_id", "chain", "site", "source_entity", "target_entity", "entities")
    for item, chain, site, *ends, entities in zip(*(attack[c] for c in columns), strict=True):
        graph.add_node(item)
        accounts = [entity["key"] for entity in entities if entity["kind"] == "account"]
        graph.add_edges_from((item, (site, chain, key)) for key in (*ends, *accounts) if key)
    groups = [[v for v in group if isinstance(v, str)] for group in nx.connected_components(graph)]
    named = {item: min(group) for group in groups for item in group}
    members = (
        attack[["item_id", "site"]].drop_duplicates("item_id").assign(subgraph_id=lambda m: m["item_id"].map(named))
    )
    first = members.merge(alerts[["item_id", "observed_at"]]).groupby(["subgraph_id", "site"], as_index=False)
    subgraphs = first.agg(first_seen=("observed_at", "min")).assign(score=1.0, is_shown=True)
    return Ranking(subgraphs, members[["subgraph_id", "item_id"]])


def maintenance(truth: pd.DataFrame, routines: pd.DataFrame, ranking: Ranking) -> dict[str, Figure]:
    """Benign pivots whose subgraph scores under that of every attack of the network.

    The subgraph of a chain, or of a campaign, is the one that holds most of its alerts, the best scored of two. One without a
    subgraph scores under all that have one; a pivot in one subgraph with an attack is not under it.
    """
    score = ranking.subgraphs.set_index("subgraph_id")["score"].astype(float)
    benign, evil = (_scored(rows, ranking, score) for rows in (routines, attack_alerts(truth)))
    parts = {}
    for network, rows in benign.groupby("network"):
        against = evil.loc[evil["network"] == network, "score"]
        if len(against):
            parts[str(network)] = (float((rows["score"] < against.min()).sum()), float(len(rows)))
    return {"maintenance": ratio(parts), "maintenance pivots": Figure(float(len(benign)))}


def _scored(rows: pd.DataFrame, ranking: Ranking, score: pd.Series) -> pd.DataFrame:
    """The score of each chain's subgraph, -1 where it has none: `network, chain, score`."""
    key = ["network", "chain"]
    held = rows.merge(ranking.members.drop_duplicates(), on="item_id").groupby([*key, "subgraph_id"]).size().rename("n")
    best = held.reset_index().assign(score=lambda b: b["subgraph_id"].map(score))
    best = best.sort_values(["n", "score"], ascending=False).drop_duplicates(key)
    return rows[key].drop_duplicates().merge(best[[*key, "score"]], on=key, how="left").fillna({"score": -1.0})


def _share(rows: pd.DataFrame, each: pd.Series) -> Figure:
    """Mean of `each` over campaigns, with networks drawn."""
    found: Mapping[str, tuple[float, float]] = {
        str(network): (float(of.sum()), float(len(of))) for network, of in each.groupby(rows["network"])
    }
    return ratio(found) if found else Figure(math.nan)


def hub_chains(truth: pd.DataFrame, ranking: Ranking) -> dict[str, Figure]:
    """Planted chains whose alerts all lie in one subgraph, by the degree of the hub (the network)."""
    planted = attack_alerts(truth)
    size = planted.groupby(["network", "chain"]).size()
    held = planted.merge(ranking.members.drop_duplicates(), on="item_id")
    most = held.groupby(["network", "chain", "subgraph_id"]).size().groupby(["network", "chain"]).max()
    kept = (most.reindex(size.index).fillna(0) == size).groupby("network")
    found = {f"{network} kept": Figure(float(share)) for network, share in kept.mean().items()}
    return found | {"kept": ratio({str(n): (float(k.sum()), float(len(k))) for n, k in kept})}
