"""Gather what a page shows from the tables of a run: bounded, whatever the run's size, with a count of what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from alertgraph_spark.columns import first_rows

MAX_SHOWN, MAX_NEXT = 40, 20
"""Subgraphs on a page: those that are shown, and those that come next by rank."""

MAX_EVIDENCE = 100
"""Episodes of one subgraph on a page, the rarest first."""

MAX_IDS = 5
"""Alert ids in a row of the evidence."""

MAX_ACCOUNTS = 3
"""Accounts in a row of the evidence; an alert may name thousands."""

MAX_EDGES = 400
"""Pairs of one subgraph that its drawing looks at, those with most alerts first; it draws 40 hosts at most."""

MAX_HOSTS, MAX_PAIRS = 54, 900
"""Of the whole run: hosts of one zone and pairs in the overall network, those of shown subgraphs first, then those with most
alerts."""

AT_A_TIME = 4
"""Queries that run beside each other: most of their time is planning, not data."""

Rows = list[dict[str, Any]]
Gathered = dict[str, Any]


def gather(tables: Mapping[str, DataFrame], record: Mapping[str, Any]) -> Gathered:
    """Collect what a page shows.

    Parameters
    ----------
    tables
        Of a run as it was saved: `subgraphs`, `members`, `evidence`, `nodes` and `edges` of `schemas.RESULTS`.
    record
        What its `run.json` holds.

    Returns
    -------
    dict
        `run`; `subgraphs`, best first, each with its `evidence`, `edges` and counts; and `network`. An episode has the first
        of its accounts, and `n_accounts`. Times are milliseconds since 1970, UTC.
    """
    chosen = _chosen(tables["subgraphs"])
    ids = [row["subgraph_id"] for row in chosen]
    shown = [row["subgraph_id"] for row in chosen if row["is_shown"]]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        network = pool.submit(_network, tables, shown)
        episodes = pool.submit(_evidence, tables, ids)
        pairs = pool.submit(_edges, tables["edges"], ids)
        nodes = _nodes(tables["nodes"], tables["edges"], ids)
        evidence, edges = episodes.result(), pairs.result()
    for row in chosen:
        key = row["subgraph_id"]
        row |= {"evidence": evidence.get(key, []), "edges": edges.get(key, []), "nodes": nodes.get(key, {})}
    return {"run": dict(record), "subgraphs": chosen, "network": network.result()}


def _chosen(subgraphs: DataFrame) -> Rows:
    shown = subgraphs.filter("is_shown").orderBy("rank").limit(MAX_SHOWN)
    following = subgraphs.filter("not is_shown and score > 0").orderBy("rank").limit(MAX_NEXT)
    return sorted(_plain(shown.unionByName(following)), key=lambda row: int(row["rank"]))


def _evidence(tables: Mapping[str, DataFrame], ids: Sequence[str]) -> dict[str, Rows]:
    """The rarest episodes of each subgraph in the order of time, with their first alerts by id."""
    rarest = Window.partitionBy("subgraph_id").orderBy(F.desc("surprise"), "started_at", "episode_id")
    episodes = first_rows(tables["evidence"].filter(F.col("subgraph_id").isin(ids)), rarest, MAX_EVIDENCE)
    n_accounts = F.greatest(F.size("accounts"), F.lit(0))  # the size of a null is -1
    episodes = episodes.withColumns({"n_accounts": n_accounts, "accounts": F.slice("accounts", 1, MAX_ACCOUNTS)})
    first = Window.partitionBy("subgraph_id", "episode_id").orderBy("alert_id")
    alerts = first_rows(tables["members"].filter(F.col("subgraph_id").isin(ids)), first, MAX_IDS)
    named = alerts.groupBy("subgraph_id", "episode_id").agg(F.array_sort(F.collect_list("alert_id")).alias("alert_ids"))
    rows = _plain(episodes.join(named, on=["subgraph_id", "episode_id"], how="left"))
    return _by_subgraph(sorted(rows, key=lambda row: (row["started_at"], row["episode_id"])))


def _edges(edges: DataFrame, ids: Sequence[str]) -> dict[str, Rows]:
    most = Window.partitionBy("subgraph_id").orderBy(F.desc("n_alerts"), "first_seen", "source", "target")
    rows = _plain(first_rows(edges.filter(F.col("subgraph_id").isin(ids)), most, MAX_EDGES))
    return _by_subgraph(sorted(rows, key=lambda row: (row["first_seen"], row["source"], row["target"])))


def _nodes(nodes: DataFrame, edges: DataFrame, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The hosts of each subgraph by key, those that most alerts name first, and how many there are. Accounts are no hosts."""
    ends = _ends(edges.filter(F.col("subgraph_id").isin(ids)))
    hosts = nodes.join(ends, on=["subgraph_id", "node_id"], how="left_semi")
    whole = Window.partitionBy("subgraph_id")
    most = whole.orderBy(F.desc("n_alerts"), "node_id")
    rows = _plain(first_rows(hosts.withColumn("n_all", F.count(F.lit(1)).over(whole)), most, MAX_EDGES))
    return {
        key: {"n_all": found[0]["n_all"], "of": {row["node_id"]: row for row in found}}
        for key, found in _by_subgraph(rows).items()
    }


def _network(tables: Mapping[str, DataFrame], shown: Sequence[str]) -> dict[str, Any]:
    """Hosts and pairs of the whole run, those of the shown subgraphs first; and how many there are."""
    is_shown = F.max(F.col("subgraph_id").isin(list(shown))).alias("is_shown")
    hosts = (
        tables["nodes"]
        .join(_ends(tables["edges"]), on=["subgraph_id", "node_id"], how="left_semi")
        .groupBy("site", "node_id", "label")
        .agg(
            is_shown,
            F.sum("n_alerts").alias("n_alerts"),
            F.max(F.struct(F.col("zone") != "unknown", "zone"))["zone"].alias("zone"),
            F.max("role").alias("role"),
        )
    )
    pairs = tables["edges"].groupBy("site", "source", "target").agg(is_shown, F.sum("n_alerts").alias("n_alerts"))
    first = [F.desc("is_shown"), F.desc("n_alerts")]
    of_zone = Window.partitionBy("zone")
    counted = hosts.withColumn("n_zone", F.count(F.lit(1)).over(of_zone))
    kept = _plain(first_rows(counted, of_zone.orderBy(*first, "site", "node_id"), MAX_HOSTS))
    kept.sort(key=lambda row: (not row["is_shown"], -row["n_alerts"], row["site"], row["node_id"]))
    known = {(row["site"], row["node_id"]) for row in kept}
    lines = _plain(pairs.filter("source <> target").orderBy(*first, "site", "source", "target").limit(MAX_PAIRS))
    lines = [row for row in lines if {(row["site"], row["source"]), (row["site"], row["target"])} <= known]
    n_hosts = sum({row["zone"]: row["n_zone"] for row in kept}.values())
    return {"hosts": kept, "pairs": lines, "n_hosts": n_hosts}


def _ends(edges: DataFrame) -> DataFrame:
    return edges.select("subgraph_id", F.explode(F.array("source", "target")).alias("node_id")).distinct()


def _by_subgraph(rows: Rows) -> dict[str, Rows]:
    of_subgraph: dict[str, Rows] = {}
    for row in rows:
        of_subgraph.setdefault(row["subgraph_id"], []).append(row)
    return of_subgraph


def _plain(frame: DataFrame) -> Rows:
    """The rows of a bounded frame as JSON can hold them."""
    return [{name: _value(value) for name, value in row.asDict(recursive=True).items()} for row in frame.collect()]


def _value(value: Any) -> Any:
    # Spark hands timestamps over naive, in the zone of this process.
    return int(value.astimezone(timezone.utc).timestamp() * 1000) if isinstance(value, datetime) else value
