"""Link: what may have led to what, and how much better than everyday life it explains it."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.links import find_links
from alertgraph_spark.link.sessions import describe_sessions, with_session
from alertgraph_spark.tables.embedded import Engine


class Linked(NamedTuple):
    """What linking makes: the `episodes` that are no everyday noise, with `session` and `is_lone`; the `sessions` of hosts
    (`interim_schemas.SESSIONS`); and the `links` (`schemas.LINKS`).
    """

    episodes: pa.Table
    sessions: pa.Table
    links: pa.Table


def link_episodes(engine: Engine, episodes: pa.Table, p: RankingParameters) -> Linked:
    """Link episodes to earlier ones that may have led to them.

    Parameters
    ----------
    engine
        DuckDB in this process.
    episodes
        One row is one episode (`schemas.EPISODES`, more columns are kept); chronic ones say what is usual, and are left out.
    p
        The numbers of the method.

    Returns
    -------
    Linked
        Episodes in order of time, sessions in order of site and time; two links never have the same ends.

    Notes
    -----
    Rows may come in any order. Nothing of one site is seen by another. A million episodes of one site take about 10 s of
    processor time.
    """
    every = in_order(episodes)
    active = with_session(engine, every.filter(pc.invert(every["is_chronic"])), p)
    return Linked(active, describe_sessions(engine, active, p), find_links(every, p))


def in_order(episodes: pa.Table) -> pa.Table:
    """The episodes in order of time; those that begin together by number."""
    return episodes.sort_by([("started_at", "ascending"), ("episode", "ascending")])


__all__ = ["Linked", "describe_sessions", "find_links", "in_order", "link_episodes", "with_session"]
