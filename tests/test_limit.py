"""A flood at one site or of one key is cut down; the others keep all that they have."""

from __future__ import annotations

import pyarrow as pa
import pytest
from arrows import link_table

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.groups import find_groups, unite_groups
from alertgraph_spark.graph.in_process import find_components
from alertgraph_spark.graph.limit import keep_fairly, links_of_sites
from alertgraph_spark.tables.embedded import Engine

CHAIN = [(1, 2, 0.9), (2, 3, 0.1), (3, 4, 0.8)]


def pair_table(links: list[tuple[int, int, float]]) -> pa.Table:
    """Links between two sessions, all of one round, none left to chance."""
    rows = [dict(merge_round=0, src=src, dst=dst, weight=weight, chance=0.0) for src, dst, weight in links]
    return pa.Table.from_pylist(rows)


def test_below_the_limit_nothing_is_asked_of_the_rows() -> None:
    with Engine() as engine:
        assert keep_fairly(engine, pair_table(CHAIN), 3, "no such column", "nor this").n_left_out == 0


def test_the_strongest_of_each_key_stay_and_another_site_loses_nothing() -> None:
    """A flood of 100 links over one account, eight over hosts of its own; the other site has three."""
    flood = link_table([(n, n + 1, 0.5 + n / 1000) for n in range(1, 101)], "flooded")
    flood = flood.set_column(flood.schema.get_field_index("entity"), "entity", pa.array(["account:svc"] * 100))
    own = link_table([(n, n + 1, 0.1) for n in range(201, 209)], "flooded")
    hosts = pa.array([f"host:h{n}" for n in range(8)])
    own = own.set_column(own.schema.get_field_index("entity"), "entity", hosts)
    beside = link_table([(n, n + 1, 0.01) for n in range(301, 304)], "beside")
    with Engine() as engine:
        kept = links_of_sites(engine, pa.concat_tables([flood, own, beside]), 20)
        assert links_of_sites(engine, flood, None).rows is flood, "GraphFrames has no limit"
    by_site = {site: [row for row in kept.rows.to_pylist() if row["site"] == site] for site in ("flooded", "beside")}
    assert len(by_site["beside"]) == 3
    # 17 are left for the flooded site: each of its nine keys has one in the first turn, then the account eight more.
    assert sorted(row["src"] for row in by_site["flooded"]) == [*range(92, 101), *range(201, 209)]
    assert kept.n_left_out == 111 - 20
    assert kept.rows.schema == flood.schema


def test_a_large_group_loses_links_before_a_small_one() -> None:
    # A star of nine, and the chain: of seven links that may be held each has four, and the chain needs but three.
    star = [(11, 11 + i, 0.5 + i / 100) for i in range(1, 9)]
    with Engine() as engine:
        found = find_groups(
            engine, pair_table([*CHAIN, *star]), RankingParameters(max_sessions=3), find_components, max_links=7
        )
    group = dict(zip(*found.groups.to_pydict().values(), strict=True))
    assert {n: group[n] for n in (1, 2, 3, 4)} == {1: 1, 2: 1, 3: 3, 4: 3}, "as without a limit"
    assert found.n_left_out == 4
    # Its four strongest links are held, two fit under the cap; whoever has lost all is by itself.
    assert sorted(n for n in group if n > 10 and group[n] == n) == [11, *range(12, 18)]
    assert {tuple(pair.values()) for pair in found.refused.to_pylist()} >= {(11, 11 + i) for i in range(1, 7)}


@pytest.mark.parametrize(("most", "whole"), [(3, {1: 1, 2: 1, 3: 3, 4: 3}), (1, {1: 1, 2: 1, 3: 3, 4: 4})])
def test_of_more_links_than_this_process_holds_the_weakest_are_left_out(most: int, whole: dict[int, int]) -> None:
    with Engine() as engine:
        found = find_groups(engine, pair_table(CHAIN), RankingParameters(max_sessions=3), find_components, most)
    assert dict(zip(*found.groups.to_pydict().values(), strict=True)) == whole
    assert found.n_left_out == 3 - most


def test_of_links_by_which_groups_absorb_the_strongest_stay() -> None:
    parts = {1: 1, 2: 1, 3: 3, 4: 3, 5: 5, 6: 6}
    episodes = pa.Table.from_pylist([dict(site="plant", session=s, component=c) for s, c in parts.items()])
    with Engine() as engine:
        links = pa.Table.from_pylist([dict(src=2, dst=3, weight=0.1), dict(src=5, dst=6, weight=0.2)])
        united = unite_groups(engine, episodes, links, RankingParameters(), 1)
    rows = united.episodes.to_pylist()
    assert {row["session"]: row["component"] for row in rows} == {1: 1, 2: 1, 3: 3, 4: 3, 5: 5, 6: 5}
    assert united.n_left_out == 1
