"""The embedded engine: types of the line in Arrow, times in UTC, a table of another shape refused, memory bounded."""

from __future__ import annotations

from datetime import datetime, timezone

import pyarrow as pa
import pytest

from alertgraph_spark.errors import SchemaError
from alertgraph_spark.tables.embedded import Engine, arrow_schema, arrow_type, conform_arrow
from alertgraph_spark.tables.schemas import LINKS, SUBGRAPHS

NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)


def test_types_nest() -> None:
    story = arrow_type("array<struct<sentence:string,alert_ids:array<string>>>")
    inner = pa.struct([("sentence", pa.string()), ("alert_ids", pa.list_(pa.string()))])
    assert story == pa.list_(inner)
    assert arrow_schema(SUBGRAPHS).field("story").type == story


def test_times_stay_utc() -> None:
    times = pa.table({"t": pa.array([NOON], pa.timestamp("us", tz="UTC"))})
    with Engine() as engine:
        found = engine.query("SELECT t, epoch_us(t) AS micros, hour(t) AS h FROM times", {"times": times})
    assert found.schema.field("t").type == pa.timestamp("us", tz="UTC")
    assert found.to_pylist() == [{"t": NOON, "micros": int(NOON.timestamp()) * 1_000_000, "h": 12}]


def test_what_is_kept_is_there_for_later_queries_and_what_was_given_is_not() -> None:
    with Engine() as engine:
        engine.keep("doubled", "SELECT 2 * a AS b FROM given", {"given": pa.table({"a": [1, 2]})})
        assert engine.rows("SELECT b FROM doubled ORDER BY b") == [(2,), (4,)]
        with pytest.raises(Exception, match="given"):
            engine.query("SELECT * FROM given")


def test_what_is_given_goes_before_what_another_stage_has_kept_under_its_name() -> None:
    with Engine() as engine:
        engine.keep("asked", "SELECT 1 AS a")
        assert engine.rows("SELECT a FROM asked", {"asked": pa.table({"a": [5]})}) == [(5,)]
        engine.keep("asked", "SELECT a + 1 AS a FROM asked")
        assert engine.rows("SELECT a FROM asked") == [(2,)]


def test_another_shape_is_refused() -> None:
    links = pa.table({name: pa.array([], arrow_type("string")) for name in LINKS.names[:-1]})
    with pytest.raises(SchemaError, match="no such column: log_odds"):
        conform_arrow(links, LINKS)


def test_a_sort_above_the_memory_limit_spills() -> None:
    with Engine(memory="60MB", threads=1) as engine:
        found = engine.rows(
            "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY hash(r)) AS n FROM range(3000000) t(r))"
        )
    assert found == [(3_000_000,)]
