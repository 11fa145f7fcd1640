"""What a person asks of one saved run: its list by rank, or one subgraph whole; bounded, with counts of what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from alertgraph_spark.errors import ResultsError
from alertgraph_spark.publish.report.gather import MAX_IDS, VERDICTS_OF_CHOSEN, evidence_of_chosen
from alertgraph_spark.tables.embedded import Engine, arrow_schema, quoted
from alertgraph_spark.tables.schemas import EVIDENCE, SUBGRAPHS
from alertgraph_spark.tables.verdict_schemas import REOPENED, VERDICTS

LISTED = {
    "subgraphs": (
        *("subgraph_id", "site", "rank", "score", "probability", "is_shown", "suppressed_by"),
        *("first_seen", "last_seen", "n_alerts", "n_episodes", "n_hosts", "title"),
    ),
    "verdicts": ("subgraph_id", "verdict", "is_latest"),
}
"""What a list is made of: tables of a run and their columns."""

OPENED = {
    "subgraphs": SUBGRAPHS.names,
    "evidence": EVIDENCE.names,
    "members": ("subgraph_id", "episode_id", "alert_id"),
    "verdicts": VERDICTS.names,
}
"""What one subgraph is made of."""

MAX_LISTED = 500
"""Subgraphs in a list, the first by rank."""

MAX_EPISODES = 40
"""Episodes of one subgraph, the rarest; in the order of time."""

_MOST_NAMED = 10
"""Subgraphs that an error names."""

_MOST_DIGITS = 18
"""Digits of a rank: what is longer is no bigint."""

Row = dict[str, Any]
Tables = Mapping[str, Any]


class Listed(NamedTuple):
    """Subgraphs of a run by rank, each with the `verdict` that stands of it, or None.

    `n_all` and `n_shown` count those of the run, `n_left_out` those that were asked for and are too many.
    """

    rows: list[Row]
    n_all: int
    n_shown: int
    n_left_out: int


class Opened(NamedTuple):
    """One subgraph: its row, what analysts said of it, and its episodes in the order of time.

    `n_left_out` counts the episodes that are too many: the most usual ones.
    """

    row: Row
    verdicts: list[Row]
    evidence: list[Row]
    n_left_out: int


def list_subgraphs(tables: Tables, with_hidden: bool = False, most: int = MAX_LISTED) -> Listed:
    """List the subgraphs of a run that are shown, or all of them, by rank.

    Parameters
    ----------
    tables
        Those of `LISTED`, as Arrow tables or datasets; `verdicts` may lack.
    with_hidden
        List those that are not shown too.
    most
        Rows of the list, at most.

    Returns
    -------
    Listed
        The rows, and how many there are beside them.
    """
    given = {"subgraphs": tables["subgraphs"], "verdicts": _verdicts(tables)}
    columns = ", ".join(f"subgraphs.{name}" for name in LISTED["subgraphs"])
    with Engine() as engine:
        rows = engine.query(
            f"""
            WITH standing AS (
                SELECT subgraph_id, any_value(verdict) AS verdict FROM verdicts
                WHERE is_latest AND verdict <> {quoted(REOPENED)} GROUP BY subgraph_id
            )
            SELECT {columns}, standing.verdict FROM subgraphs LEFT JOIN standing USING (subgraph_id)
            WHERE is_shown OR {with_hidden} ORDER BY rank LIMIT {most}
            """,
            given,
        ).to_pylist()
        ((n_all, n_shown),) = engine.rows("SELECT count(*), count(*) FILTER (is_shown) FROM subgraphs", given)
    return Listed(rows, n_all, n_shown, (n_all if with_hidden else n_shown) - len(rows))


def open_subgraph(tables: Tables, wanted: str, most: int = MAX_EPISODES) -> Opened:
    """Read one subgraph of a run whole.

    Parameters
    ----------
    tables
        Those of `OPENED`, as Arrow tables or datasets; `verdicts` may lack. `members`, of the size of the alerts, is read
        once, a part at a time.
    wanted
        Its id, or its rank as a number.
    most
        Episodes, at most. An episode has the first of its alerts and accounts, and `n_accounts`.

    Returns
    -------
    Opened
        Its row, its verdicts and its episodes.

    Raises
    ------
    ResultsError
        If the run has no such subgraph; says which it shows.
    """
    is_rank = wanted.isdecimal() and len(wanted) <= _MOST_DIGITS
    which = f"rank = {int(wanted)}" if is_rank else f"subgraph_id = {quoted(wanted)}"
    given = {"subgraphs": tables["subgraphs"], "verdicts": _verdicts(tables)}
    with Engine() as engine:
        found = engine.query(f"SELECT * FROM subgraphs WHERE {which} LIMIT 1", given).to_pylist()
        if not found:
            sql = f"SELECT subgraph_id FROM subgraphs WHERE is_shown ORDER BY rank LIMIT {_MOST_NAMED}"
            shown = [row[0] for row in engine.rows(sql, given)]
            raise ResultsError(f"the run has no subgraph {wanted}; it shows {', '.join(shown) if shown else 'none'}")
        given |= {"evidence": tables["evidence"], "members": tables["members"]}
        given["chosen"] = pa.table({"subgraph_id": [found[0]["subgraph_id"]]})
        evidence = engine.query(evidence_of_chosen(most), given).to_pylist()
        verdicts = engine.query(VERDICTS_OF_CHOSEN, given).to_pylist()
        ((n_episodes,),) = engine.rows("SELECT count(*) FROM evidence SEMI JOIN chosen USING (subgraph_id)", given)
    row = {name: _few_ids(value) for name, value in found[0].items()}
    return Opened(row, verdicts, evidence, n_episodes - len(evidence))


def _verdicts(tables: Tables) -> Any:
    """What analysts said; a version before this one saved none."""
    return tables.get("verdicts", arrow_schema(VERDICTS).empty_table())


def _few_ids(value: Any) -> Any:
    """A value with the first of the alerts behind each sentence: there may be thousands, and `members` has them all."""
    if isinstance(value, list):
        return [_few_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    few = {name: _few_ids(one) for name, one in value.items()}
    if isinstance(ids := value.get("alert_ids"), list):
        few |= {"alert_ids": ids[:MAX_IDS], "n_alert_ids": len(ids)}
    return few
