"""Link: what may have led to what, through an entity that two episodes have in common, or by time alone."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.link.entity_links import find_links
from alertgraph_spark.link.sessions import describe_sessions, link_sessions, with_session
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
    episodes
        One row is one episode (`schemas.EPISODES`, more columns are kept); chronic ones take no part and are left out.

    Returns
    -------
    Linked
        Episodes in order of time, sessions in order of site and time; two links never have the same ends and kind.

    Notes
    -----
    Rows may come in any order. Nothing of one site is seen by another. A million episodes of one site take about 10 s of
    processor time.
    """
    active = in_order(episodes.filter(pc.invert(episodes["is_chronic"])))
    active = with_session(engine, active, p)
    sessions = describe_sessions(engine, active, p)
    links = pa.concat_tables([find_links(engine, active, p), link_sessions(engine, sessions, p)])
    return Linked(active, sessions, links)


def in_order(episodes: pa.Table) -> pa.Table:
    """The episodes in order of time; those that begin together by number."""
    return episodes.sort_by([("started_at", "ascending"), ("episode", "ascending")])


__all__ = ["Linked", "describe_sessions", "find_links", "in_order", "link_episodes", "link_sessions", "with_session"]
