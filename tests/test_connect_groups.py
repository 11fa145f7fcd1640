"""Sessions in groups under a size cap: worked examples, and what one process may hold."""

from __future__ import annotations

import pyarrow as pa
import pytest
from arrows import episode_table, link_table
from incident import at, story

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.connect.groups import find_groups, session_links, unite_groups
from alertgraph_spark.graph.in_process import find_components
from alertgraph_spark.tables.embedded import Engine

Links = list[tuple[int, int, float]]

# --- the size cap ---------------------------------------------------------------------------------------------------

# A chain whose middle is weakest:  1 ─.9─ 2 ─.1─ 3 ─.8─ 4
CHAIN: Links = [(1, 2, 0.9), (2, 3, 0.1), (3, 4, 0.8)]


def pair_table(links: Links) -> pa.Table:
    """Links between sessions as `session_links` gives them, all of one round."""
    rows = [dict(src=src, dst=dst, merge_round=0, weight=weight) for src, dst, weight in links]
    types = [*((name, pa.int64()) for name in ("src", "dst", "merge_round")), ("weight", pa.float64())]
    return pa.Table.from_pylist(rows, pa.schema(types))


def grouped(pairs: pa.Table, max_sessions: int, max_links: int = 9) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Each session with its group, and the pairs refused."""
    p = RankingParameters(max_sessions=max_sessions)
    with Engine() as engine:
        groups, refused, _ = find_groups(engine, pairs, p, find_components, max_links)
    assert refused.column_names == ["src", "dst"]
    return (
        dict(zip(groups["id"].to_pylist(), groups["component"].to_pylist(), strict=True)),
        [(row["src"], row["dst"]) for row in refused.to_pylist()],
    )


def test_only_what_is_above_the_cap_is_cut_and_every_cut_is_recorded() -> None:
    # The chain twice: 1 to 4 is above a cap of 3; 11 to 13 is not, and keeps its weakest link.
    pairs = pair_table([*CHAIN, (11, 12, 0.9), (12, 13, 0.01)])
    assert grouped(pairs, 3) == ({1: 1, 2: 1, 3: 3, 4: 3, 11: 11, 12: 11, 13: 11}, [(2, 3)])


def test_below_the_cap_nothing_is_cut() -> None:
    assert grouped(pair_table(CHAIN), 4) == ({1: 1, 2: 1, 3: 1, 4: 1}, [])


def test_without_links_there_are_no_groups() -> None:
    assert grouped(pair_table([]), 4) == ({}, [])


def test_another_engine_may_answer_in_any_order() -> None:
    asked: list[tuple[list[int], list[tuple[int, int]]]] = []

    def backwards(vertices: pa.Table, edges: pa.Table) -> pa.Table:
        asked.append((vertices["id"].to_pylist(), sorted(zip(*edges.to_pydict().values(), strict=True))))
        found = find_components(vertices, edges)
        return found.take(list(reversed(range(len(found)))))

    with Engine() as engine:
        groups, _, _ = find_groups(engine, pair_table(CHAIN), RankingParameters(max_sessions=3), backwards, 9)
    assert asked == [([1, 2, 3, 4], [(1, 2), (2, 3), (3, 4)])]
    assert groups.to_pydict() == {"id": [1, 2, 3, 4], "component": [1, 1, 3, 3]}


# --- links between sessions -----------------------------------------------------------------------------------------


def linked(links: pa.Table, sessions: dict[int, int], times: dict[int, int] | None = None) -> list[tuple[float, ...]]:
    """The links between sessions, of episodes begun so many minutes into the day, at midnight if no times are told."""
    schema = pa.schema([("episode", pa.int64()), ("session", pa.int64()), ("started_at", pa.timestamp("us", "UTC"))])
    rows = [dict(episode=e, session=s, started_at=at((times or {}).get(e, 0))) for e, s in sessions.items()]
    with Engine() as engine:
        pairs = session_links(engine, links, pa.Table.from_pylist(rows, schema))
    assert pairs.column_names == ["src", "dst", "merge_round", "weight"]
    return [tuple(row.values()) for row in pairs.to_pylist()]


def round_at(minute: int) -> int:
    """The round so many minutes into the day."""
    return int(at(minute).timestamp()) * 1_000_000


MIDNIGHT = round_at(24 * 60)


def test_a_session_counts_once_and_its_strongest_link_holds_it() -> None:
    # 1 and 2 are one session, so are 3 and 4; 2-3 and 1-4 join the same two, 3-4 lies inside one.
    links = link_table([(2, 3, 0.2), (1, 4, 0.7), (3, 4, 0.9), (4, 5, 0.5)])
    found = linked(links, {1: 1, 2: 1, 3: 3, 4: 3, 5: 5})
    assert found == [(1, 3, MIDNIGHT, 0.7), (3, 5, MIDNIGHT, 0.5)]


@pytest.mark.parametrize(
    ("times", "merge_round"),
    [
        pytest.param({1: 0, 2: 1439}, MIDNIGHT, id="within a day a link waits for its end"),
        pytest.param(
            {1: 1439, 2: 1440}, MIDNIGHT, id="from the day before it is taken as it comes: at midnight itself"
        ),
        pytest.param({1: 1439, 2: 1500}, round_at(25 * 60), id="an hour after midnight"),
        pytest.param({1: 1440, 2: 1500}, round_at(2 * 24 * 60), id="both after midnight"),
    ],
)
def test_the_round_of_a_link(times: dict[int, int], merge_round: int) -> None:
    assert linked(link_table([(1, 2, 0.5)]), {1: 1, 2: 2}, times) == [(1, 2, merge_round, 0.5)]


def test_a_link_from_an_earlier_day_speaks_before_a_stronger_one_of_the_day() -> None:
    # One session lasts over midnight (1, 2); both of its episodes link to 3, after it.
    found = linked(link_table([(1, 3, 0.2), (2, 3, 0.9)]), {1: 1, 2: 1, 3: 3}, {1: 1439, 2: 1441, 3: 1450})
    assert found == [(1, 3, round_at(1450), 0.2)]


# --- whole groups ---------------------------------------------------------------------------------------------------

# A part of two sessions, one of three and one of one.
PARTS = {1: [1, 2], 3: [3, 4, 5], 6: [6]}


def parts_table() -> pa.Table:
    """Sessions of one episode each, with the part that they are in; a session and its episode have one number."""
    part_of = {session: part for part, sessions in PARTS.items() for session in sessions}
    rows = story("plant", 1, *(f"{n} h{n}/it x" for n in range(len(part_of))))
    known = [{**row, "session": row["episode"], "component": part_of[row["episode"]]} for row in rows]
    return episode_table(known, {"session": "bigint", "component": "bigint"})


def united(links: Links, max_sessions: int, max_links: int = 2) -> dict[int, int]:
    episodes = parts_table()
    with Engine() as engine:
        found, _ = unite_groups(
            engine, episodes, link_table(links), RankingParameters(max_sessions=max_sessions), max_links
        )
    assert found.drop_columns("component").equals(episodes.drop_columns("component"))
    return dict(zip(found["session"].to_pylist(), found["component"].to_pylist(), strict=True))


def test_whole_parts_move_and_the_strongest_link_first() -> None:
    # 3 + 1 fit under the cap of 4 and come first; then 2 + 4 do not. What links inside a part changes nothing.
    assert united([(2, 3, 0.1), (5, 6, 0.2), (3, 4, 0.9)], 4) == {1: 1, 2: 1, 3: 3, 4: 3, 5: 3, 6: 3}


def test_without_links_every_part_stays_as_it_is() -> None:
    assert united([(3, 4, 0.9)], 80) == {1: 1, 2: 1, 3: 3, 4: 3, 5: 3, 6: 6}
