"""Connect: episodes that causes join are one subgraph, and what strong ones meet and absorb belongs to it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.absorb import absorb_sessions
from alertgraph_spark.connect.forest import choose_causes, link_roots
from alertgraph_spark.connect.groups import Components, find_groups, session_links, unite_groups, with_component
from alertgraph_spark.connect.meet import meet_groups
from alertgraph_spark.connect.subgraphs import check_invariant, divide_links, with_heard_hours, with_subgraph
from alertgraph_spark.graph.in_process import MAX_LINKS, find_components
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.schemas import LINKS


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
    those by which strong groups absorb among them; of these the `causes`, the one or two by which an episode came into its
    tree; the `cuts` (`schemas.CUTS`); and how many links the limit left out.
    """

    episodes: pa.Table
    links: pa.Table
    causes: pa.Table
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
    engine
        DuckDB in this process.
    linked
        Episodes, sessions and links.
    p
        The numbers of the method.
    components
        Finds connected components; another graph engine may answer.
    max_links
        Links of what is too large or too doubtful and is taken apart, at most; of more, the weakest of the largest are left
        out.

    Returns
    -------
    Connected
        Episodes with their subgraph, links inside subgraphs, causes, and likely links that join nothing.

    Raises
    ------
    GraphEngineError
        If the graph is too large for `components`.
    GraphInvariantError
        If a link that is kept joins two subgraphs: a defect of the graph engine.

    Notes
    -----
    Every link inside a subgraph is kept, also beside the causes: motifs and paths are sought along all of them.
    """
    causes = choose_causes(engine, linked.links, linked.episodes, p)
    causes = pa.concat_tables([causes, link_roots(linked.links, causes, linked.episodes, p).cast(causes.schema)])
    groups, refused, n_left_out = find_groups(
        engine, session_links(engine, causes, linked.episodes), p, components, max_links
    )
    trees = with_component(linked.episodes, groups)
    meeting = meet_groups(engine, trees, p)
    cores, n_not_met = unite_groups(engine, trees, meeting, p, max_links)
    absorbing = absorb_sessions(engine, cores, linked.sessions, p)
    whole, n_apart = unite_groups(engine, cores, absorbing, p, max_links)
    check_invariant(engine, causes, whole, refused)
    joining = [made.select(LINKS.names).cast(linked.links.schema) for made in (meeting, absorbing)]
    links = pa.concat_tables([linked.links, *joining])
    kept, cuts = divide_links(engine, links, whole, refused, p)
    named = with_subgraph(engine, whole.append_column("core", cores["component"]), absorbing.select(["core"]), p)
    led = engine.query(
        "SELECT * FROM kept SEMI JOIN causes USING (src, dst, kind) ORDER BY dst, src", {"kept": kept, "causes": causes}
    )
    return Connected(with_heard_hours(engine, named), kept, led, cuts, n_left_out + n_not_met + n_apart)


__all__ = ["Connected", "connect_episodes"]
