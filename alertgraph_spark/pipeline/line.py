"""The straight line, in order: normalise, fold, link, connect, match, describe, score, explain.

Frames of exported lines in, named tables out. Spark reads and normalises the lines and folds what they say; all later stages
are functions from Arrow tables to Arrow tables. Nothing here reads, writes, or knows a configuration. The order exists here
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from alertgraph_spark.config.alert_exception import AlertException
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.config.source_format import Asset, Format, MaintenanceWindow
from alertgraph_spark.explain import Inputs, draw_network, explain_subgraphs, spans_of_stories, with_contacts
from alertgraph_spark.explain.sentences import MAX_IDS
from alertgraph_spark.graph.choice import GraphOptions
from alertgraph_spark.health import judge_health
from alertgraph_spark.interpret import asset_list_of, calendar_of, exception_keys
from alertgraph_spark.learn import Model
from alertgraph_spark.lines import AnyLines, read_lines
from alertgraph_spark.match.records import CHAINS
from alertgraph_spark.pipeline.whole_sites import Known, rank_sites, score_anew
from alertgraph_spark.ranking import Found, Method, OnStage, Ranking, Stages
from alertgraph_spark.score import (
    count_unshown,
    tell_exceptions,
)
from alertgraph_spark.score import rank_subgraphs as rank_over_sites
from alertgraph_spark.sites import WORKER_SPANS, rank_on_workers
from alertgraph_spark.tables.embedded import Engine, arrow_schema, episode_id
from alertgraph_spark.tables.frames import collect_arrow
from alertgraph_spark.tables.verdict_schemas import VERDICTS

SHIPPED = Model()
"""Nothing was learned."""


def rank_subgraphs(
    raw_alerts: Mapping[str, DataFrame],
    formats: Mapping[str, Format],
    start: datetime,
    end: datetime,
    *,
    assets: Sequence[Asset] = (),
    windows: Sequence[MaintenanceWindow] = (),
    exceptions: Sequence[AlertException] = (),
    parameters: RankingParameters | None = None,
    graph: GraphOptions | None = None,
    model: Model = SHIPPED,
    told_since: datetime | None = None,
    on_stage: OnStage = lambda stage, rows, seconds: None,
) -> Ranking:
    """Rank the subgraphs of related alerts in exported lines.

    Parameters
    ----------
    raw_alerts
        Table name to its exported lines; shape as `alerts.parse_lines` takes it. Lines before `start` are history.
    formats
        Table name to format.
    start
        Begin of the window by TimeGenerated.
    end
        End of the window, not in it.
    assets
        The asset list: it resolves addresses, and knows zones, Purdue levels and roles.
    windows
        Maintenance that was announced.
    exceptions
        What somebody has explained. A subgraph that is explained whole is hidden.
    parameters
        The numbers of the method; the defaults if not given.
    graph
        Who answers questions of the graph, and how many links there may be; the defaults if not given.
    model
        What was learned from verdicts; by default nothing.
    told_since
        Subgraphs without an alert received since then are history and are left out. Those with one are told, however
        long ago it happened. It is `start` if not given. An earlier time tells again what late rows may have changed.
    on_stage
        Is called as a stage ends, with its name, its rows and its seconds.

    Returns
    -------
    Ranking
        The tables of `schemas.RESULTS` and `episodes`; the window's `alerts` when asked for; counts with
        `rows_read = alerts + duplicates + out_of_window + rejected`.

    Notes
    -----
    Spark sees the lines; a million alerts are a few thousand spans, and these come to this process. From
    `sites.WORKER_SPANS` on whole sites are ranked on the workers, and the seconds of a stage are summed over them.
    """
    p = parameters or RankingParameters()
    read = partial(read_lines, raw_alerts, formats, start, end, gap_seconds=p.episode_gap_seconds)
    method: Method = {"assets": assets, "windows": windows, "exceptions": exceptions, "parameters": p, "graph": graph}
    method["model"] = model
    return rank_lines(read, raw_alerts[next(iter(formats))].sparkSession, told_since or start, on_stage, **method)


def rank_lines(
    read: Callable[[], AnyLines],
    spark: SparkSession,
    since: datetime,
    on_stage: OnStage = lambda stage, rows, seconds: None,
    *,
    assets: Sequence[Asset] = (),
    windows: Sequence[MaintenanceWindow] = (),
    exceptions: Sequence[AlertException] = (),
    parameters: RankingParameters | None = None,
    graph: GraphOptions | None = None,
    model: Model = SHIPPED,
) -> Ranking:
    """Rank the subgraphs of lines, wherever they come from.

    Parameters
    ----------
    read
        Gives the lines: as they were just read (`lines.read_lines`), or from the history (`history.KeptLines`).
    spark
        Used for a graph that GraphFrames connects.
    since
        Subgraphs without an alert received since then are left out.
    on_stage
        Is called as a stage ends, with its name, its rows and its seconds.
    assets
        The asset list.
    windows
        Maintenance that was announced.
    exceptions
        What somebody has explained.
    parameters
        The numbers of the method; the defaults if not given.
    graph
        Who answers questions of the graph; the defaults if not given.
    model
        What was learned from verdicts; by default nothing.

    Returns
    -------
    Ranking
        As `rank_subgraphs` gives it. It holds what was persisted until `release`.
    """
    p, graph, stages = parameters or RankingParameters(), graph or GraphOptions(), Stages(on_stage)
    with stages("normalise") as stage:
        lines = read()
        stage.rows = lines.balance.counts["alerts"]
    asset_list, calendar = asset_list_of(tuple(assets)), calendar_of(windows, assets)
    excepted = exception_keys(exceptions, assets)
    known = Known(asset_list, calendar, excepted, model)
    rank: Callable[..., Found] = partial(rank_sites, known=known, p=p, since=since)
    spans = lines.spans
    if isinstance(spans, pa.Table) or lines.balance.n_spans < WORKER_SPANS or graph.engine == "graphframes":
        held = spans if isinstance(spans, pa.Table) else collect_arrow(spans)
        found = rank(held, stages=stages, ask=partial(graph.answers, spark))
    else:
        in_process = graph.in_process
        alone = partial(rank, ask=lambda n_links: in_process)
        found = Found(**rank_on_workers(spans, lambda spans: alone(spans, stages=Stages()).tables))
        stages.add(found.stages)
    with Engine() as engine:
        with stages("explain") as stage:
            contacts = asset_list.contacts(found.episodes)
            subgraphs = with_contacts(engine, _explain(engine, found, p, lines), found.episodes, contacts, calendar)
            stage.rows = subgraphs.num_rows
        unshown = count_unshown(engine, subgraphs, p)
        tables = _tables(engine, found, subgraphs, lines)
        tables["exceptions"] = tell_exceptions(engine, excepted, found.matched, subgraphs, lines.window[1])
        tables["verdicts"] = arrow_schema(VERDICTS).empty_table()  # what analysts say is matched to what was saved
        tables["health"] = judge_health(engine, lines.heard, *lines.window, closed_until=lines.closed_until)
    lines.balance.tell_unknown(found.unknown)
    lines.balance.counts.update(
        links=stages.rows("link"),
        links_left_out=stages.left_out("connect"),
        entities_left_out=stages.left_out("fold"),
        episodes=stages.rows("connect"),
        subgraphs=subgraphs.num_rows,
        **unshown,
    )
    return Ranking(lines.balance, found.engine, stages.seconds, tables, partial(lines.alerts, assets), lines.release)


def _explain(engine: Engine, found: Found, p: RankingParameters, lines: AnyLines) -> pa.Table:
    """The subgraphs of all sites by rank, those that are shown with their story and counterfactual."""
    subgraphs = rank_over_sites(engine, found.subgraphs)
    shown = spans_of_stories(engine, found.spans, found.episodes, subgraphs)
    inputs, first = Inputs(found.episodes, found.links, found.motif_hits), lines.first_alerts(shown, MAX_IDS)
    recalled = found.features.select(["subgraph_id", "memory_nats"])
    rescore = partial(score_anew, engine, p, recalled.filter(pc.field("memory_nats") != 0))
    return explain_subgraphs(engine, subgraphs, inputs, first, lambda left: rescore(*left), chains=CHAINS)


def _tables(engine: Engine, found: Found, subgraphs: pa.Table, lines: AnyLines) -> dict[str, DataFrame | pa.Table]:
    """The tables of a run. What was known before the window has taught what is usual; it is not told again."""
    rows = found.tables | {"subgraphs": subgraphs}
    episodes, hits, features, signatures = (
        engine.query(f"SELECT * FROM {name} SEMI JOIN subgraphs USING (subgraph_id)", rows)
        for name in ("episodes", "motif_hits", "features", "signatures")
    )
    rows["episodes"] = episodes
    members = f"""
        SELECT span, subgraph_id, {episode_id("episode")} AS episode_id, role FROM spans JOIN episodes USING (episode)
        """
    causes = f"""
        SELECT subgraph_id, {episode_id("src")} AS cause_id, {episode_id("dst")} AS episode_id, kind, entity, gap_minutes,
            weight, chance, log_odds FROM causes JOIN episodes ON dst = episode ORDER BY subgraph_id, dst, src
        """
    return {
        "subgraphs": subgraphs,
        "members": lines.members(engine.query(members, rows)),
        **draw_network(engine, episodes)._asdict(),
        "causes": engine.query(causes, rows),
        "motif_hits": hits,
        "cuts": engine.query("SELECT * FROM cuts SEMI JOIN episodes ON src = episode", rows),
        "rejected": lines.rejected,
        "features": features,
        "signatures": signatures,
        "episodes": episodes,
    }
