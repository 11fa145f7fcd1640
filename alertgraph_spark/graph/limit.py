"""Limit: what is more than this process can hold is left out where there is most of it, so that no site ends the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from alertgraph_spark.tables.embedded import Engine


class Kept(NamedTuple):
    """The rows that stay, and how many were left out."""

    rows: pa.Table
    n_left_out: int


def fair_share(sizes: Mapping[int, int], most: int) -> int:
    """Give the largest number of rows for each group, so that all groups together have `most` at most.

    Parameters
    ----------
    sizes
        Size to how many groups have it.
    most
        Rows of all groups together.

    Returns
    -------
    int
        Groups that are smaller keep all their rows.

    Examples
    --------
    Of three groups of 2, 3 and 100 the small ones keep what they have:

    >>> fair_share({2: 1, 3: 1, 100: 1}, 15)
    10
    >>> fair_share({50: 2}, 15)
    7
    """
    left, n_groups = most, sum(sizes.values())
    for size, n_alike in sorted(sizes.items()):
        if size * n_groups > left:
            return left // n_groups
        left -= size * n_alike
        n_groups -= n_alike
    return max(sizes, default=0)


def keep_fairly(engine: Engine, rows: pa.Table, most: int, group: str, best_first: str) -> Kept:
    """Keep a limited number of rows; the largest groups lose their last ones.

    Parameters
    ----------
    engine
        DuckDB in this process.
    rows
        Rows of any shape.
    most
        Most rows of the result.
    group
        The column that names the group of a row; groups that are smaller than their fair share keep all.
    best_first
        The order within a group, in SQL and without ties: the last go first.

    Returns
    -------
    Kept
        The rows, and how many were left out.
    """
    if rows.num_rows <= most:
        return Kept(rows, 0)
    sizes = engine.rows(
        f"SELECT size, count(*) FROM (SELECT count(*) AS size FROM rows GROUP BY {group}) GROUP BY size", {"rows": rows}
    )
    share = fair_share(dict(sizes), most)
    kept = engine.query(
        f"SELECT * FROM rows QUALIFY row_number() OVER (PARTITION BY {group} ORDER BY {best_first}) <= {share}",
        {"rows": rows},
    )
    return Kept(kept, rows.num_rows - kept.num_rows)


def links_of_sites(engine: Engine, links: pa.Table, most: int | None) -> Kept:
    """Keep a limited number of links; the sites with most lose theirs first.

    Within a site the entities with most links lose theirs first, the weakest before the stronger ones.

    Parameters
    ----------
    engine
        DuckDB in this process.
    links
        One row is one link (`schemas.LINKS`).
    most
        Most links of the result; None for all.

    Returns
    -------
    Kept
        The links (`schemas.LINKS`), and how many were left out.
    """
    if most is None or links.num_rows <= most:
        return Kept(links, 0)
    in_turn = engine.query(
        """
        SELECT *, row_number() OVER (PARTITION BY site, kind, entity ORDER BY weight DESC, dst, src) AS turn FROM links
        """,
        {"links": links},
    )
    kept = keep_fairly(engine, in_turn, most, "site", "turn, weight DESC, dst, src")
    return Kept(kept.rows.drop_columns(["turn"]), kept.n_left_out)
