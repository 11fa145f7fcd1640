"""What is said of a subgraph that is newly shown.

Its texts are an attacker's, and the reader of a chat sees them beside those of colleagues: no sign of markup, mention or
link is left in them, and each is short.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from alertgraph_spark.publish.plain_text import plain
from alertgraph_spark.short_text import HEADING, SENTENCE, WORD, short
from alertgraph_spark.tables.embedded import Engine
from alertgraph_spark.tables.network_schemas import NODES
from alertgraph_spark.tables.schemas import SUBGRAPHS

TABLES = (SUBGRAPHS.name, NODES.name)
"""The tables of a run that notices are made from."""

MOST_HOSTS = 50
"""Hosts that are named, the first to appear; the run's table `nodes` has all."""

MOST_STEPS = 20
"""Entities of a path that are named, the first."""

_MENTION = re.compile(r"(?<!\w)@")
_SCHEME = re.compile(r"(?<!hxxp)(?<!hxxps)://")
_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})")


def defanged(text: str | None, width: int) -> str:
    """A text of which no chat makes a mention, a link or markup, at most `width` characters.

    Examples
    --------
    >>> defanged("@here <!channel> [x](https://evil.example) from 10.0.0.5 by ann@corp.example", 200)
    '＠here channel x (hxxps://evil[.]example) from 10.0.0.5 by ann@corp[.]example'
    """
    seen = _SCHEME.sub("[:]//", _MENTION.sub("＠", plain(text, width)))
    return short(_DOT.sub("[.]", seen), width)


def named(text: str | None) -> str:
    """A name that another program looks up: as it is, but for what would make a mention, markup or an address of it."""
    return short(_SCHEME.sub("[:]//", _MENTION.sub("＠", plain(text, WORD))), WORD)


@dataclass(frozen=True)
class Notice:
    """What is said of one subgraph; texts are safe to show, times are UTC.

    Attributes
    ----------
    score, probability
        In [0, 1), as the table `subgraphs` has them.
    hosts, path
        Names without their kind.
    link
        Where to look, None where no pattern is configured.
    """

    subgraph_id: str
    site: str
    title: str
    summary: str
    score: float
    probability: float
    first_seen: datetime
    last_seen: datetime
    hosts: tuple[str, ...]
    path: tuple[str, ...]
    run_id: str
    link: str | None
    key: tuple[str, str]
    """Site and id as the tables have them: what the ledger goes by."""


def notices_of(tables: Mapping[str, pa.Table], run_id: str, link: str | None) -> list[Notice]:
    """Write a notice for each subgraph that a run shows and no exception hides.

    Parameters
    ----------
    tables
        Those of `TABLES` as they were saved, as Arrow tables or datasets.
    run_id
        Id of the run.
    link
        Pattern of a URL; `{subgraph_id}`, `{site}` and `{run_id}` are filled in, percent-encoded.

    Returns
    -------
    list of Notice
        By rank.
    """
    is_hidden = "suppressed_by" in tables["subgraphs"].schema.names
    with Engine() as engine:
        rows = engine.query(
            f"""
            WITH shown AS (
                SELECT * FROM subgraphs WHERE is_shown {"AND len(suppressed_by) = 0" if is_hidden else ""}
            ),
            machines AS (
                SELECT site, subgraph_id, list(label ORDER BY first_seen, node_id)[:{MOST_HOSTS}] AS hosts
                FROM nodes SEMI JOIN shown USING (site, subgraph_id) WHERE kind <> 'account' GROUP BY ALL
            )
            SELECT shown.*, hosts FROM shown LEFT JOIN machines USING (site, subgraph_id) ORDER BY rank, subgraph_id
            """,
            {name: tables[name] for name in TABLES},
        ).to_pylist()
    return [_notice(row, run_id, link) for row in rows]


def _notice(row: Mapping[str, Any], run_id: str, link: str | None) -> Notice:
    of_id = (
        f"Subgraph {named(row['subgraph_id'])}"  # a receiver may refuse an empty text, and a text of signs leaves none
    )
    fields = {"subgraph_id": row["subgraph_id"], "site": row["site"], "run_id": run_id}
    return Notice(
        subgraph_id=named(row["subgraph_id"]),
        site=named(row["site"]),
        title=defanged(row["title"] or row["summary"], HEADING) or of_id,
        summary=defanged(row["summary"], SENTENCE) or of_id,
        score=row["score"],
        probability=row["probability"],
        first_seen=row["first_seen"].astimezone(timezone.utc),
        last_seen=row["last_seen"].astimezone(timezone.utc),
        hosts=tuple(map(named, row["hosts"] or ())),
        path=tuple(named(key.partition(":")[2] or key) for key in row["path"][:MOST_STEPS]),
        run_id=named(run_id),
        link=link and re.sub(r"\{(\w+)\}", lambda field: quote(str(fields[field[1]]), safe=""), link),
        key=(row["site"], row["subgraph_id"]),
    )
