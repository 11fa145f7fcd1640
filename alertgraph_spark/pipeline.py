"""The straight line, in order: normalise, fold, link, connect, match, describe, score. A frame in, named tables out.

Nothing here reads, writes, or knows a configuration, so the analysis runs from rows written in a test. The order of the
stages exists here alone; so does caching: what is used twice is persisted, and released when the tables have been saved.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from alertgraph_spark.absorb import absorb_sessions
from alertgraph_spark.alerts import (
    find_repeats,
    find_unfinished,
    normalise_alerts,
    rejected_lines,
    with_status,
)
from alertgraph_spark.aliases import find_aliases, with_hosts
from alertgraph_spark.balance import count_lines
from alertgraph_spark.columns import episode_id
from alertgraph_spark.components import (
    check_invariant,
    divide_links,
    find_subgraphs,
    session_links,
    still_apart,
    unite_parts,
    with_component,
    with_subgraph,
)
from alertgraph_spark.counterfactual import Pieces, with_counterfactual
from alertgraph_spark.episodes import episode_of_bin, fold_bins, fold_episodes, with_bin, with_episode
from alertgraph_spark.features import describe_subgraphs, with_heard_hours
from alertgraph_spark.graph import AlertGraph, choose_engine
from alertgraph_spark.link_limit import LinkLimit
from alertgraph_spark.links import find_links
from alertgraph_spark.maintenance import with_announced
from alertgraph_spark.match.records import CHAINS, MOTIFS
from alertgraph_spark.motifs import match_motifs, motif_vertices
from alertgraph_spark.network import draw_edges, draw_nodes, list_evidence
from alertgraph_spark.paths import find_paths
from alertgraph_spark.ranking import Knobs, Line, OnStage, Ranking
from alertgraph_spark.schemas import CUTS, MEMBERS, TORN
from alertgraph_spark.scoring import count_crowded, score_subgraphs, with_score
from alertgraph_spark.sessions import describe_sessions, link_sessions, with_session
from alertgraph_spark.source_format import Asset, Format, MaintenanceWindow
from alertgraph_spark.story import with_story
from alertgraph_spark.table import conform


def rank_subgraphs(
    raw_alerts: Mapping[str, DataFrame],
    formats: Mapping[str, Format],
    start: datetime,
    end: datetime,
    *,
    assets: Sequence[Asset] = (),
    windows: Sequence[MaintenanceWindow] = (),
    knobs: Knobs | None = None,
    told_since: datetime | None = None,
    on_stage: OnStage = lambda stage, rows, seconds: None,
) -> Ranking:
    """Rank the subgraphs of related alerts in exported lines.

    Parameters
    ----------
    raw_alerts
        Table name to its exported lines; shape as `alerts.normalise_alerts` takes it. Lines before `start` are history.
    formats
        Table name to format.
    start, end
        The window, by TimeGenerated, half-open.
    windows
        Maintenance that was announced.
    told_since
        Subgraphs that ended before it are history and not told again; `start` if not given. An earlier time tells anew
        what rows that came late may have changed.

    Returns
    -------
    Ranking
        Tables by name, those of `schemas.RESULTS`, lazy over persisted frames; the window's `alerts`, lazy over the lines
        themselves; and counts with `rows_read = alerts + duplicates + out_of_window + rejected`.

    Notes
    -----
    Of alerts only a number each is shuffled, to find repeats; the rest works on bins and episodes, of which there are a few
    thousand a site and day. Each stage is materialised once, so that its time is its own.
    """
    knobs = knobs or Knobs()
    ranking = Ranking()
    line = Line(ranking, on_stage)

    begin = time.perf_counter()
    normalised = with_status(normalise_alerts(raw_alerts, formats, assets), start, end)
    lines = line.hold(with_bin(normalised, knobs.episode_gap_seconds))
    repeats = line.cut(find_repeats(lines))
    ranking.balance = count_lines(lines, repeats, formats)
    unfinished = lines.select("row").limit(0)
    if ranking.balance.rejected_by_reason.get(TORN):
        unfinished = line.cut(find_unfinished(lines))
        ranking.balance.tell_unfinished(unfinished.count())
    valid = lines.filter(F.col("status").isin("alert", "history"))
    alerts = valid.join(F.broadcast(repeats.select("row")), on="row", how="left_anti")
    line.done("normalise", ranking.counts["alerts"], begin)

    bins = fold_bins(alerts)
    if any(format_.names_addresses for format_ in formats.values()):
        bins = with_hosts(bins, line.cut(find_aliases(alerts)))
    bins = line.cut(with_episode(bins, knobs.episode_gap_seconds))
    episodes, _ = line.run("fold", fold_episodes(bins, alerts, knobs.chronic_share, knobs.warm_up_hours))
    active = line.cut(with_session(episodes, knobs.session_gap_seconds))
    sessions = line.cut(describe_sessions(active))
    by_entity = find_links(
        active, knobs.pivot_gap_minutes, knobs.session_gap_seconds, knobs.coincidence, knobs.max_gap_hours
    )
    links, ranking.counts["links"] = line.run("link", by_entity.unionByName(link_sessions(sessions)))

    ranking.engine = choose_engine(knobs.engine, ranking.counts["links"], lines.sparkSession, knobs.crossover_links)
    begin = time.perf_counter()
    connected, left, cuts = _connect(line, active, sessions, links, knobs)
    grouped = line.cut(with_announced(with_heard_hours(connected), windows, assets))
    ranking.counts["episodes"] = grouped.count()
    check_invariant(left, grouped)
    line.done("connect", ranking.counts["episodes"], begin)

    motif_hits, _ = line.run("match", match_motifs(_graph(line, grouped, left, knobs)))
    features, _ = line.run("describe", _described(line, Pieces(grouped, left, motif_hits), knobs))
    titles = {motif.id: motif.title for motif in MOTIFS}
    asks = {motif.id: motif.check for motif in MOTIFS}
    begin, since = time.perf_counter(), told_since or start
    scored = line.cut(
        score_subgraphs(features, knobs.budget_per_day, knobs.show_exceedance, titles, asks=asks, since=since)
    )
    members = line.cut(_members(alerts, bins, _shown(grouped, scored)))
    whole = Pieces(grouped, left, motif_hits.filter(F.col("motif").isin(*CHAINS)))
    asked = with_counterfactual(
        scored, whole, members, lambda left: with_score(_described(line, left, knobs)), line.cut
    )
    subgraphs = line.cut(with_story(asked, grouped, members))
    ranking.counts.update(subgraphs=subgraphs.count(), crowded=count_crowded(subgraphs))
    line.done("score", ranking.counts["subgraphs"], begin)
    if ranking.counts["history"]:
        # What ended before the window has taught what is usual; it is not told again.
        told = F.broadcast(subgraphs.select("subgraph_id"))
        grouped, motif_hits, features = (
            line.cut(frame.join(told, on="subgraph_id", how="left_semi")) for frame in (grouped, motif_hits, features)
        )
        ends = F.broadcast(grouped.select(F.col("episode").alias("src")))
        cuts = conform(cuts.join(ends, on="src", how="left_semi"), CUTS)
    ranking.tables = {
        # Read anew when asked for: only the columns that later stages use are held.
        "alerts": normalised.filter("status = 'alert'").join(
            F.broadcast(repeats.select("row")), on="row", how="left_anti"
        ),
        "subgraphs": subgraphs,
        "members": _members(alerts, bins, grouped),
        "evidence": list_evidence(grouped),
        "nodes": draw_nodes(grouped),
        "edges": draw_edges(grouped),
        "motif_hits": motif_hits,
        "cuts": cuts,
        "rejected": rejected_lines(lines, unfinished),
        "features": features,
        "episodes": grouped,
    }
    return ranking


def _connect(
    line: Line, episodes: DataFrame, sessions: DataFrame, links: DataFrame, knobs: Knobs
) -> tuple[DataFrame, DataFrame, DataFrame]:
    """Episodes with their subgraph; the links that were kept, those by which strong groups absorb among them; those cut."""
    limit, counts = LinkLimit(knobs.driver_max_links), line.ranking.counts
    if line.ranking.engine == "driver" and counts["links"] > limit.most:
        links = line.cut(limit.by_site(links))
    pairs = line.cut(session_links(links, episodes))
    ends = pairs.select(F.explode(F.array("src", "dst")).alias("id")).distinct()
    graph = AlertGraph(ends, pairs, line.ranking.engine, knobs.driver_max_links)
    components, refused = find_subgraphs(graph, knobs.max_sessions, knobs.chance_links, limit)
    cores = line.cut(with_component(episodes, components))
    absorbing = line.cut(absorb_sessions(cores, sessions))
    # Weaker than every other link, so they come last, and what was refused without them stays so.
    whole = unite_parts(cores, absorbing, knobs.max_sessions, limit)
    counts["links_left_out"] = limit.n_left_out
    core = cores.select("episode", F.col("component").alias("core"))
    named = with_subgraph(whole.join(core, on="episode", how="inner"), absorbing, knobs.warm_up_hours)
    apart = still_apart(whole, refused.union(absorbing.select("src", "dst")))
    kept, cuts = divide_links(links.unionByName(absorbing.drop("core")), episodes, apart)
    return named, line.cut(kept), cuts  # each term of a motif reads the kept


def _graph(line: Line, grouped: DataFrame, links: DataFrame, knobs: Knobs) -> AlertGraph:
    return AlertGraph(motif_vertices(grouped), links, line.ranking.engine, knobs.driver_max_links)


def _described(line: Line, pieces: Pieces, knobs: Knobs) -> DataFrame:
    """The features of subgraphs, those of the run and those of which something was left out."""
    paths = find_paths(_graph(line, pieces.episodes, pieces.links, knobs))
    return describe_subgraphs(pieces.episodes, pieces.motif_hits, paths, CHAINS, knobs.warm_up_hours)


def _shown(grouped: DataFrame, subgraphs: DataFrame) -> DataFrame:
    """The episodes of subgraphs that are shown."""
    shown = subgraphs.filter("is_shown").select("subgraph_id")
    return grouped.join(F.broadcast(shown), on="subgraph_id", how="left_semi")


def _members(alerts: DataFrame, bins: DataFrame, grouped: DataFrame) -> DataFrame:
    """Alerts of the subgraphs; one row is one alert, of the window or of the history that led to it."""
    subgraph_of = episode_of_bin(bins).join(grouped.select("episode", "subgraph_id", "role"), on="episode", how="inner")
    members = alerts.join(F.broadcast(subgraph_of), on=["fold_key", "bin"], how="inner")
    return conform(members.withColumn("episode_id", episode_id(F.col("episode"))), MEMBERS)
