"""What of a run is posted: told by hand, compared with what an address has had."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from arrows import table_of
from told import END, MIDDAY, START, Subgraph, record_of, tables_of

from alertgraph_spark.errors import SchemaError
from alertgraph_spark.publish.log_analytics import changes as module
from alertgraph_spark.publish.log_analytics.changes import (
    Changes,
    Delivered,
    Freshness,
    Told,
    changes_of,
    delivered_after,
    told_subgraphs,
)
from alertgraph_spark.publish.log_analytics.streams import STREAMS
from alertgraph_spark.publish.run_record import run_table
from alertgraph_spark.tables.network_schemas import NODES

RECEIVED = (START - timedelta(hours=48), END)
NOW = END + timedelta(minutes=5)
ONE = {"sg-1": Subgraph("ab"), "sg-2": Subgraph("c")}
PLANT_1, PLANT_2 = ("plant", "sg-1"), ("plant", "sg-2")


def told_of(found: dict[str, Subgraph], **instead: pa.Table) -> dict[tuple[str, str], Told]:
    tables = tables_of(found) | instead
    return told_subgraphs(tables | {"runs": run_table(record_of("run-1", len(found)))})


# --- content ---------------------------------------------------------------------------------------------------------


def test_the_content_of_a_subgraph_is_that_of_all_its_rows_in_any_order() -> None:
    told = told_of(ONE)
    assert set(told) == {PLANT_1, PLANT_2}
    assert all(re.fullmatch("[0-9a-f]{32}", row.content) for row in told.values())
    assert told[PLANT_1].received_at == int(MIDDAY.timestamp() * 1e6)

    backwards = {
        name: table.take(pa.array(range(len(table))[::-1], pa.int64())) for name, table in tables_of(ONE).items()
    }
    assert told_of(ONE, **backwards) == told


@pytest.mark.parametrize(
    ("changed", "is_other"),
    [
        (Subgraph("abd"), True),
        (Subgraph("ad"), True),  # as many alerts, another one
        (Subgraph("ab", hosts=("ws1", "fs2")), True),
        (Subgraph("ab", row={"is_shown": False}), True),
        (Subgraph("ab", row={"summary": "told in other words"}), True),
        (Subgraph("ab", row={"related": [{"subgraph_id": "sg-2", "fact": "a host in common"}]}), True),
        (Subgraph("ab", row={"score": 0.501}), True),
        (Subgraph("ab", row={"score": 0.5004}), False),  # shown as 0.500
        (Subgraph("ab", row={"rank": 7}), False),  # whatever else came first
        (Subgraph("ab", received=MIDDAY + timedelta(hours=1)), False),  # no part of what is posted
    ],
)
def test_what_is_another_content_and_what_is_not(changed: Subgraph, is_other: bool) -> None:
    before, after = told_of(ONE), told_of(ONE | {"sg-1": changed})

    assert (before[PLANT_1].content != after[PLANT_1].content) == is_other
    assert before[PLANT_2] == after[PLANT_2], "the one beside it has not changed"


def test_a_part_of_the_score_counts_to_three_decimals_and_its_words_whole() -> None:
    def content(value: float, fact: str) -> str:
        part = {"term": "rarity", "value": value, "fact": fact}
        counterfactual = {"cut": value, "score": 0.1, "types": None, "fact": "without it"}
        row = {"contributions": [part], "counterfactual": counterfactual}
        return told_of({"sg-1": Subgraph("ab", row=row)})[PLANT_1].content

    assert content(0.25, "seen once") == content(0.2502, "seen once")
    assert content(0.25, "seen once") != content(0.252, "seen once")
    assert content(0.25, "seen once") != content(0.25, "seen twice")
    assert content(float("nan"), "seen once") != content(0.25, "seen once")


def test_every_number_of_a_posted_row_is_compared_as_it_is_shown() -> None:
    """A new column with a number in a list or a record must say how it is compared."""
    nested = {c.name for s in STREAMS if s.keys for c in s.table.columns if "double" in c.type and c.type != "double"}
    assert nested == set(module._NESTED)


def test_values_that_look_alike_when_they_are_put_together_are_told_apart() -> None:
    (one,) = tables_of({"sg-1": Subgraph("a", hosts=("ws1",))})["nodes"].to_pylist()
    alike = [{"label": "ab", "kind": "c"}, {"label": "a", "kind": "bc"}, {"label": 'a","kind":"bc', "kind": ""}]
    alike += [{"role": None}, {"role": ""}, {"role": "null"}]
    contents = {told_of(ONE, nodes=table_of(NODES, [one | values]))[PLANT_1].content for values in alike}
    assert len(contents) == 6


def test_a_row_without_its_subgraph_is_told_and_a_run_without_features_has_no_receipt() -> None:
    members = tables_of(ONE | {"sg-3": Subgraph("z")})["members"]
    assert ("plant", "sg-3") in told_of(ONE, members=members)

    older = tables_of(ONE)
    del older["features"]
    told = told_subgraphs(older | {"runs": run_table(record_of("run-1", 2))})
    assert {row.received_at for row in told.values()} == {None}
    assert told[PLANT_1].content == told_of(ONE)[PLANT_1].content


def test_a_table_of_another_shape_is_named() -> None:
    with pytest.raises(SchemaError, match=r"nothing was posted: .*zone: want string, have no such column"):
        told_of(ONE, nodes=tables_of(ONE)["nodes"].drop_columns(["zone"]))


# --- what has changed ------------------------------------------------------------------------------------------------


def row_of(content: str, received: Any = MIDDAY) -> Told:
    return Told(content, round(received.timestamp() * 1e6))


def had(content: str, run_id: str = "run-1", received: Any = MIDDAY) -> Delivered:
    return Delivered(content, run_id, round(received.timestamp() * 1e6), 0)


def compared(told: dict[Any, Told], delivered: dict[Any, Delivered], run_id: str = "run-2") -> Changes:
    return changes_of(told, delivered, run_id, RECEIVED, NOW)


def test_posted_is_what_is_new_or_has_another_content() -> None:
    told = {("plant", name): row_of(name) for name in ("new", "same", "other")}
    delivered = {("plant", "same"): had("same"), ("plant", "other"): had("before"), ("mill", "new"): had("new")}

    assert compared(told, delivered).changed == {("plant", "new"), ("plant", "other")}


def test_what_a_later_run_has_sent_stays() -> None:
    """A post that is repeated days later must not bring back what was."""
    told = {PLANT_1: row_of("before"), PLANT_2: row_of("before")}
    delivered = {PLANT_1: had("after", "run-3"), PLANT_2: had("", "run-3")}

    assert compared(told, delivered) == Changes(frozenset())
    assert compared(told, {PLANT_1: had("after", "run-1")}).changed == {PLANT_1, PLANT_2}


@pytest.mark.parametrize(
    ("received", "site", "row", "is_gone"),
    [
        (MIDDAY, "plant", had("x"), True),
        (RECEIVED[0], "plant", None, True),
        (RECEIVED[0] - timedelta(microseconds=1), "plant", None, False),  # too old for this run to tell
        (END - timedelta(microseconds=1), "plant", None, True),
        (END, "plant", None, False),  # after its window: another run's
        (MIDDAY, "mill", None, False),  # of a site of which it tells nothing
        (MIDDAY, "plant", had("x", "run-3"), False),  # a later run has it
        (MIDDAY, "plant", had("", "run-1"), False),  # gone already
    ],
)
def test_gone_is_what_the_run_should_have_found(received: Any, site: str, row: Delivered | None, is_gone: bool) -> None:
    kept = replace(row or had("x"), received_at=round(received.timestamp() * 1e6))

    gone = compared({PLANT_1: row_of("same")}, {PLANT_1: had("same"), (site, "sg-9"): kept}).withdrawn

    assert gone == (((site, "sg-9"),) if is_gone else ())


def test_what_is_gone_fits_the_field_and_the_rest_waits_for_the_next_run() -> None:
    delivered = {("plant-" + "n" * 57, f"sg-{n:016}"): had("x") for n in range(501)}
    told = {("plant-" + "n" * 57, "sg-1"): row_of("x")}

    first = compared(told, delivered)
    after = delivered_after(delivered, told, first, run_id="run-2", now=NOW)
    second = compared(told, after, "run-3")

    assert (len(first.withdrawn), len(second.withdrawn)) == (500, 1)
    assert len(json.dumps(first.told_in(run_table(record_of("run-2", 1)))["withdrawn"].to_pylist()[0])) < 64 * 1024


def test_freshness_is_of_subgraphs_with_a_new_row_and_ends_with_the_plan_of_the_post() -> None:
    waits = {"a": 5, "b": 7, "c": 60, "words alone": 600, "same": 900}
    told = {("plant", name): row_of(name, NOW - timedelta(minutes=n)) for name, n in waits.items()}
    delivered = {
        ("plant", "c"): had("before", received=MIDDAY),
        ("plant", "words alone"): had("before", received=NOW - timedelta(minutes=600)),
        ("plant", "same"): had("same"),
    }

    changes = compared(told, delivered)

    assert ("plant", "words alone") in changes.changed
    assert changes.freshness == Freshness(3, 7 * 60.0, 60 * 60.0)
    assert compared({}, {}).freshness == Freshness(0, None, None)


# --- what it has had afterwards --------------------------------------------------------------------------------------


def test_afterwards_it_has_had_what_was_sent_and_not_what_was_refused() -> None:
    told = {("plant", name): row_of("now") for name in ("sent", "refused", "refused before", "same")}
    delivered = {("plant", name): had("before") for name in ("refused before", "gone", "other")}
    delivered[("plant", "same")] = had("now")
    changes = Changes(frozenset(told) - {("plant", "same")}, (("plant", "gone"),))
    refused = frozenset({("plant", "refused"), ("plant", "refused before")})

    after = delivered_after(delivered, told, changes, run_id="run-2", now=NOW, refused=refused)

    assert {name: (row.content, row.run_id) for (_, name), row in after.items()} == {
        **{"sent": ("now", "run-2"), "refused before": ("before", "run-1"), "same": ("now", "run-1")},
        **{"gone": ("", "run-2"), "other": ("before", "run-1")},
    }
    told_now = {name for (_, name), row in after.items() if row.told_at == round(NOW.timestamp() * 1e6)}
    assert told_now == {"sent", "refused before", "same", "gone"}, "the other was not told and is forgotten some day"
    assert compared(told, after, "run-3").changed == refused


def test_without_changes_all_has_been_sent_and_what_a_later_run_has_sent_counts() -> None:
    told = {PLANT_1: row_of("now"), ("plant", "sg-3"): row_of("now")}
    delivered = {PLANT_2: had("before"), ("plant", "sg-3"): had("after", "run-3")}
    after = delivered_after(delivered, told, None, run_id="run-2", now=NOW)
    assert {name: row.content for (_, name), row in after.items()} == {"sg-1": "now", "sg-2": "before", "sg-3": "after"}


def test_what_is_written_down_is_read_back_and_the_run_says_it() -> None:
    changes = Changes(frozenset({PLANT_1, PLANT_2}), (("plant", "büro"),), Freshness(2, 1.5, 2.0))
    assert Changes.from_json(json.loads(json.dumps(changes.to_json()))) == changes

    (row,) = changes.told_in(run_table(record_of("run-2", 5))).to_pylist()
    assert (row["n_posted"], row["withdrawn"]) == (2, [{"site": "plant", "subgraph_id": "büro"}])
    assert (row["freshness_median_seconds"], row["freshness_max_seconds"]) == (1.5, 2.0)
    assert table_of(STREAMS[-1].table, [row]).schema == changes.told_in(run_table(record_of("run-2", 5))).schema
