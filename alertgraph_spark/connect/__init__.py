"""Connect: episodes that links join are one subgraph, of a size that can be read and held by more than chance."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.absorb import absorb_sessions
from alertgraph_spark.connect.groups import (
    Components,
    find_groups,
    session_links,
    still_apart,
    unite_groups,
    with_component,
)
from alertgraph_spark.connect.subgraphs import check_invariant, divide_links, with_heard_hours, with_subgraph
from alertgraph_spark.graph.in_process import MAX_LINKS, find_components
from alertgraph_spark.tables.embedded import Engine


class Linked(Protocol):
    """What is connected: `episodes` with `session` and `is_lone`, in order of time; the `sessions` of hosts
    (`interim_schemas.SESSIONS`); and `links` (`schemas.LINKS`).
    """

    @property
    def episodes(self) -> pa.Table:
        """One row is one episode that is no everyday noise."""

    @property
    def sessions(self) -> pa.Table:
        """One row is one session of a host."""

    @property
    def links(self) -> pa.Table:
        """One row is one link."""


class Connected(NamedTuple):
    """The `episodes` with `subgraph_id`, `is_linked`, `role` and `heard_hours`; the `links` that were kept (`schemas.LINKS`),
    those by which strong groups absorb among them; the `cuts` (`schemas.CUTS`); and how many links the limit left out.
    """

    episodes: pa.Table
    links: pa.Table
    cuts: pa.Table
    n_left_out: int = 0


def connect_episodes(
    engine: Engine,
    linked: Linked,
    p: RankingParameters,
    components: Components = find_components,
    max_links: int = MAX_LINKS,
) -> Connected:
    """Put each episode in a subgraph.

    Parameters
    ----------
    linked
        Episodes, sessions and links.
    components
        Finds connected components; another graph engine may answer.
    max_links
        Links of what is too large or too doubtful and is taken apart, at most; of more, the weakest of the largest are left
        out.

    Raises
    ------
    GraphEngineError
        If the graph is too large for `components`.
    GraphInvariantError
        If a link that is kept joins two subgraphs: a defect of the graph engine.

    Notes
    -----
    What strong groups absorb hangs on links weaker than every other: they come last, and what was refused without them stays
    refused, unless both ends have met.
    """
    pairs = session_links(engine, linked.links, linked.episodes)
    groups, refused, n_left_out = find_groups(engine, pairs, p, components, max_links)
    cores = with_component(linked.episodes, groups)
    absorbing = absorb_sessions(engine, cores, linked.sessions, p)
    whole, n_apart = unite_groups(engine, cores, absorbing, p, max_links)
    asked = pa.concat_tables([refused, absorbing.select(["src", "dst"]).cast(refused.schema)])
    links = pa.concat_tables([linked.links, absorbing.select(linked.links.column_names).cast(linked.links.schema)])
    kept, cuts = divide_links(engine, links, linked.episodes, still_apart(engine, whole, asked))
    named = with_subgraph(engine, whole.append_column("core", cores["component"]), absorbing.select(["core"]), p)
    episodes = with_heard_hours(engine, named)
    check_invariant(engine, kept, episodes)
    return Connected(episodes, kept, cuts, n_left_out + n_apart)


__all__ = ["Connected", "connect_episodes"]
