"""Variants: subgraphs of which some alert types are left out, as rows that the stages measure and score like real ones."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.explain.ablations import ABLATIONS
from alertgraph_spark.tables.embedded import Engine, episode_id
from alertgraph_spark.tables.rates import HOUR

_VARIANTS = 1 << len(ABLATIONS).bit_length()


class Inputs(NamedTuple):
    """What a score is made of: episodes with their `subgraph_id` and `heard_hours`, links that were not cut, motif hits."""

    episodes: pa.Table
    links: pa.Table
    motif_hits: pa.Table


def number_episodes(engine: Engine, asked: pa.Table, of_sites: pa.Table, indexes: pa.Table) -> pa.Table:
    """Prepare the episodes of subgraphs for `ablate`.

    Parameters
    ----------
    engine
        DuckDB in this process.
    asked
        Episodes of the subgraphs that are asked about.
    of_sites
        All episodes of their sites: what others had heard of a host stays heard.
    indexes
        One row is one alert type of a subgraph: its `bit`, 0 where it is never left out, and in `rest` the bits of all.

    Returns
    -------
    pa.Table
        The rows of `asked`, with what `ablate` needs.
    """
    return engine.query(_NUMBERED, {"episodes": asked, "of_sites": of_sites, "indexes": indexes})


def ablate(engine: Engine, numbered: pa.Table, whole: Inputs) -> Inputs:
    """Make of some subgraphs what is left without each of `ABLATIONS`, under ids and numbers of their own.

    Parameters
    ----------
    engine
        DuckDB in this process.
    numbered
        Episodes of these subgraphs, as `number_episodes` gives them.
    whole
        Episodes, links and hits of them, and of others.

    Returns
    -------
    Inputs
        In the columns of `whole`. The id of a variant is that of its subgraph, `#` and the place of its ablation; episodes
        are numbered in the order of the real ones. `heard_hours` counts the hours that others have filled, and those of what
        is left.
    """
    absent = [sum(1 << index for index in ablation) for ablation in ABLATIONS]
    ablations = pa.table({"variant": pa.array(range(len(absent)), pa.int64()), "absent": pa.array(absent, pa.int64())})
    tables = {"links": whole.links, "hits": whole.motif_hits, "numbered": numbered, "ablations": ablations}
    return Inputs(
        engine.query(_EPISODES, tables).select(whole.episodes.column_names),
        engine.query(_LINKS, tables).select(whole.links.column_names),
        engine.query(_HITS, tables).select(whole.motif_hits.column_names),
    )


_STAYS = "absent < rest AND (absent & {bit}) = 0"
"""Some types of its own are left out, not all of them, and not this."""

_NUMBERED = f"""
    WITH wanted AS (SELECT DISTINCT site, target_entity FROM episodes),
    hours AS (
        SELECT s.site, s.target_entity, epoch_us(known_at) // {HOUR} AS hour,
            min(subgraph_id) = max(subgraph_id) AS is_own_hour
        FROM of_sites s JOIN wanted w ON s.site = w.site AND s.target_entity IS NOT DISTINCT FROM w.target_entity
        GROUP BY ALL
    ),
    placed AS (
        SELECT e.*, epoch_us(known_at) // {HOUR} AS hour, bit, rest,
            dense_rank() OVER (ORDER BY episode) * {_VARIANTS} AS number
        FROM episodes e JOIN indexes USING (subgraph_id, source, name)
    )
    SELECT placed.*, is_own_hour, heard_hours - count(DISTINCT CASE WHEN is_own_hour THEN placed.hour END) OVER (
        PARTITION BY placed.site, subgraph_id, placed.target_entity ORDER BY placed.hour
        RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS other_hours
    FROM placed JOIN hours ON placed.site = hours.site AND placed.hour = hours.hour
        AND placed.target_entity IS NOT DISTINCT FROM hours.target_entity
"""
"""The episodes with the bits of their type, and `other_hours`: those of `heard_hours` that other subgraphs have filled too.
`is_own_hour` is an hour that is empty without its subgraph.
"""

_EPISODES = f"""
    SELECT * REPLACE (
        subgraph_id || '#' || variant AS subgraph_id, number + variant AS episode,
        other_hours + count(DISTINCT CASE WHEN is_own_hour THEN hour END) OVER (
            PARTITION BY subgraph_id, variant, target_entity ORDER BY hour
            RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS heard_hours
    )
    FROM numbered JOIN ablations ON {_STAYS.format(bit="bit")}
"""

_LINKS = """
    SELECT links.* REPLACE (a.number + variant AS src, b.number + variant AS dst)
    FROM links JOIN numbered a ON a.episode = links.src JOIN numbered b ON b.episode = links.dst
        JOIN ablations ON absent < a.rest AND (absent & (a.bit | b.bit)) = 0
"""

_HITS = f"""
    WITH bits AS (
        SELECT any_value(hit) AS hit, any_value(rest) AS rest, bit_or(bit) AS bit
        FROM (SELECT row_number() OVER () AS n, hits AS hit, unnest(episodes) AS hex FROM hits)
            JOIN numbered ON {episode_id("numbered.episode")} = hex
        GROUP BY n
    )
    SELECT hit.* REPLACE (hit.subgraph_id || '#' || variant AS subgraph_id)
    FROM bits JOIN ablations ON {_STAYS.format(bit="bit")}
"""
