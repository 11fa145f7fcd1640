"""The balance: every line counted once, by what became of it and by the table that it came from."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from arrows import table_of

from alertgraph_spark.normalise.balance import MOST_UNKNOWN, Balance, count_lines
from alertgraph_spark.tables.interim_schemas import HEARD

# table, status, reason, lines, spans; each of an hour of its own
GROUPS: list[tuple[Any, ...]] = [
    ("Ids_CL", "alert", None, 1, 1),
    ("Ids_CL", "repeat of alert", None, 1, 1),
    ("Ids_CL", "history", None, 1, 1),
    ("Ids_CL", "rejected", "torn line", 1, 1),
    ("Edr_CL", "history", None, 1, 1),
    ("Edr_CL", "repeat of history", None, 1, 1),
    ("Edr_CL", "out_of_window", None, 1, 1),  # after the window: it says nothing of now
    ("Mail_CL", "rejected", "torn line", 1, 1),
    ("Mail_CL", "rejected", "no TimeGenerated", 1, 1),
]
NAMES = ["table", "status", "reason", "n_lines", "n_spans"]


def heard() -> pa.Table:
    empty = dict.fromkeys(HEARD.names)
    return table_of(
        HEARD, [empty | dict(zip(NAMES, row, strict=True)) | {"hour": hour} for hour, row in enumerate(GROUPS)]
    )


def test_lines_are_counted_by_what_became_of_them_and_by_table() -> None:
    found = count_lines(heard(), ["Ids_CL", "Edr_CL", "Mail_CL", "Dns_CL"])

    assert found.counts == {
        **{"rows_read": 9, "alerts": 1, "duplicates": 1, "out_of_window": 4, "rejected": 3, "history": 2},
        **{"rows_Ids_CL": 3, "rows_Edr_CL": 0, "rows_Mail_CL": 2, "rows_Dns_CL": 0},
    }
    assert found.rejected_by_reason == {"no TimeGenerated": 1, "torn line": 2}, "one reason, two tables"
    assert found.n_repeats == 2
    assert found.n_spans == 3, "those of alerts and of history; a repeat makes none"


def test_torn_lines_that_are_still_being_written_are_told_apart() -> None:
    found = count_lines(heard())
    found.tell_unfinished(2)
    assert sorted(found.rejected_by_reason.values()) == [1, 2]
    assert "torn line" not in found.rejected_by_reason


def test_the_most_frequent_unknown_words_are_told() -> None:
    words = [{"word": f"tactic: {n:02}", "n_alerts": 1} for n in range(MOST_UNKNOWN)]
    words += [{"word": "severity: urgent", "n_alerts": 2}, {"word": "tactic: 19", "n_alerts": 1}]  # of two sites
    found = Balance()
    found.tell_unknown(pa.Table.from_pylist(words))

    assert found.n_unknown == MOST_UNKNOWN + 3
    assert list(found.unknown_words.items())[:3] == [("severity: urgent", 2), ("tactic: 19", 2), ("tactic: 00", 1)]
    assert len(found.unknown_words) == MOST_UNKNOWN
