"""Answers: what is said of the few subgraphs that are shown, put into the table of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa


def with_answers(subgraphs: pa.Table, column: str, answers: Mapping[str, Any]) -> pa.Table:
    """Put answers by `subgraph_id` into a column; rows, their order and what was not answered stay."""
    place, kind = subgraphs.schema.get_field_index(column), subgraphs.schema.field(column)
    ids, values = subgraphs["subgraph_id"].to_pylist(), subgraphs[column].to_pylist()
    said = [answers.get(key, value) for key, value in zip(ids, values, strict=True)]
    return subgraphs.set_column(place, kind, pa.array(said, kind.type))
