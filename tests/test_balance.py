"""The balance: every line counted once, by what became of it and by the table that it came from."""

from __future__ import annotations

from pyspark.sql import SparkSession

from alertgraph_spark.balance import count_lines

LINES = [
    # number, table, status, reason, unknown, entities left out
    (1, "Ids_CL", "alert", None, [], 0),
    (2, "Ids_CL", "alert", None, ["tactic: Theft"], 7),
    (3, "Ids_CL", "history", None, [], 9),
    (4, "Ids_CL", "rejected", "torn line", [], 0),
    (5, "Edr_CL", "history", None, [], 0),
    (6, "Edr_CL", "history", None, [], 0),
    (7, "Edr_CL", "out_of_window", None, [], 0),  # after the window: it says nothing of now
    (8, "Mail_CL", "rejected", "torn line", [], 0),
    (9, "Mail_CL", "rejected", "no TimeGenerated", [], 0),
]


def test_lines_are_counted_by_what_became_of_them_and_by_table(spark: SparkSession) -> None:
    lines = spark.createDataFrame(
        LINES, "row long, table string, status string, reason string, unknown array<string>, n_left_out int"
    )
    repeats = spark.createDataFrame([(2, "alert"), (6, "history")], "row long, status string")

    found = count_lines(lines, repeats, ["Ids_CL", "Edr_CL", "Mail_CL", "Dns_CL"])

    assert found.counts == {
        **{"rows_read": 9, "alerts": 1, "duplicates": 1, "out_of_window": 4, "rejected": 3, "history": 2},
        "entities_left_out": 7,  # those of history are not of this window
        **{"rows_Ids_CL": 3, "rows_Edr_CL": 0, "rows_Mail_CL": 2, "rows_Dns_CL": 0},
    }
    assert found.rejected_by_reason == {"no TimeGenerated": 1, "torn line": 2}, "one reason, two tables"
    assert found.unknown_words == {"tactic: Theft": 1}
    # Edr_CL spoke before the window and is silent now; Dns_CL never spoke; Mail_CL speaks, though nothing of it is usable.
    assert found.silent == {"Edr_CL": 3 - 1, "Dns_CL": 0}
