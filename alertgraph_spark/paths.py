"""Follow: the longest way that somebody may have gone through a subgraph, host after host and forward in time."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.graph import AlertGraph
from alertgraph_spark.interim_schemas import PATHS
from alertgraph_spark.table import conform

WIDTH = 16
"""Walks that are kept for each episode. No path is missed as long as no episode is reached over more than so many different
sets of hosts; beyond, the longest and surest go on."""

_EPISODE = "struct<t0:bigint,id:bigint>"
_WALK = f"struct<missing:int,cost:bigint,episodes:array<{_EPISODE}>,hosts:array<string>>"
_REACHED = f"array<struct<episode:{_EPISODE},walks:array<{_WALK}>>>"


def find_paths(graph: AlertGraph, width: int = WIDTH) -> DataFrame:
    """Find the best time-respecting path of each subgraph; one row is a subgraph with moving links (`interim_schemas.PATHS`).

    A walk is a row of two or more episodes, each joined to the next by a `pivot` link: it acts from where the one before
    arrived, and starts strictly later. Its hosts are the origin of the first and the destination of every episode; an
    episode that ends where the one before ended (an alert about the host itself) adds none, and a walk that comes back to a
    host that it had left is no path, nor is one on a single host. So hops are hosts less one. Links of other kinds say that
    episodes belong together, not that somebody moved.

    The best path has the most hosts; then the surest links, least sum of `-ln(weight)` in whole thousandths of a nat; then
    the earliest episodes, compared one by one from the first by start and id.

    Parameters
    ----------
    graph
        Vertices as `motif_vertices` gives them; edges are the links that were not cut.
    width
        Walks kept for each episode.

    Notes
    -----
    To find the longest path without a repeated host is NP-hard, so it is exact up to `width`. Links are taken in the order
    of their later episodes; a link lengthens the walks kept for its earlier one, and of those that went over the same
    hosts only the best goes on, since all that follows is open to both alike. That is linear in links: two joins and one
    aggregation, then at most `width` walks a link inside a row; no Python, and no limit but the size cap of a subgraph.
    Lazy; both engines give the same.
    """
    earlier, later = F.col("a"), F.col("b")
    hops = graph.find("(a)-[e]->(b)").filter("e.kind = 'pivot' and a.t0 < b.t0")
    link = F.struct(
        _number(later).alias("later"),
        _number(earlier).alias("earlier"),
        F.array_distinct(F.array(earlier["origin"], earlier["destination"])).alias("begin"),
        later["destination"].alias("destination"),
        F.round(-1000 * F.log(F.col("e.weight"))).cast("bigint").alias("cost"),
    )
    moves_on = (earlier["origin"] != earlier["destination"]) | (earlier["destination"] != later["destination"])
    in_order = (
        hops.select(earlier["subgraph_id"].alias("subgraph_id"), link.alias("link"), moves_on.alias("moves_on"))
        .groupBy("subgraph_id")
        .agg(F.array_sort(F.collect_list("link")).alias("links"), F.max("moves_on").alias("moves_on"))
        .filter("moves_on")  # where every alert is about one and the same host there is nothing to search
    )
    reached = F.aggregate("links", F.array().cast(_REACHED), lambda reached, link: _with_link(reached, link, width))
    walks = F.filter(F.flatten(F.transform(reached, lambda r: r["walks"])), lambda w: F.size(w["hosts"]) > 1)
    return conform(in_order.select("subgraph_id", F.array_min(walks)["hosts"].alias("path")), PATHS)


def _with_link(reached: Column, link: Column, width: int) -> Column:
    """The episodes reached so far with the walks to each, and what one more link makes of them.

    Links come in the order of their later episodes, so the one of this link is the last reached, or new.
    """
    begun = F.array(_walk(F.lit(0), F.array(link["earlier"]), link["begin"]))
    known = F.flatten(F.transform(F.filter(reached, lambda r: r["episode"] == link["earlier"]), lambda r: r["walks"]))
    goes_on = F.filter(
        F.concat(begun, known),
        lambda w: (_last(w["hosts"]) == link["destination"]) | ~F.array_contains(w["hosts"], link["destination"]),
    )
    grown = F.transform(
        goes_on,
        lambda w: _walk(
            w["cost"] + link["cost"],
            F.concat(w["episodes"], F.array(link["later"])),
            F.array_union(w["hosts"], F.array(link["destination"])),
        ),
    )
    is_again = F.coalesce(_last(reached)["episode"] == link["later"], F.lit(False))
    rivals = F.concat(F.when(is_again, _last(reached)["walks"]).otherwise(F.array().cast(f"array<{_WALK}>")), grown)
    now = F.struct(link["later"].alias("episode"), F.slice(_best_of_each_set(rivals), 1, width).alias("walks"))
    return F.concat(F.slice(reached, 1, F.size(reached) - is_again.cast("int")), F.array(now))


def _best_of_each_set(walks: Column) -> Column:
    """Of walks to one episode, the best for each set of hosts, best first."""
    by_set = F.array_sort(
        F.transform(walks, lambda w: F.struct(F.array_sort(w["hosts"]).alias("set"), w.alias("walk")))
    )
    best = _let(
        by_set,
        lambda ranked: F.filter(
            ranked, lambda one, i: (i == 0) | (one["set"] != F.get(ranked, F.greatest(i - 1, F.lit(0)))["set"])
        ),
    )
    return F.array_sort(F.transform(best, lambda one: one["walk"]))


def _number(episode: Column) -> Column:
    return F.struct(episode["t0"].alias("t0"), episode["id"].alias("id"))


def _walk(cost: Column, episodes: Column, hosts: Column) -> Column:
    """A walk as a struct whose natural order is that of `find_paths`, the best first."""
    return F.struct(
        (-F.size(hosts)).alias("missing"),
        cost.cast("bigint").alias("cost"),
        episodes.alias("episodes"),
        hosts.alias("hosts"),
    )


def _last(array: Column) -> Column:
    return F.get(array, F.size(array) - 1)


def _let(value: Column, body: Callable[[Column], Column]) -> Column:
    """`body` of a value that is computed once, however often `body` names it."""
    return F.get(F.transform(F.array(value), body), F.lit(0))
