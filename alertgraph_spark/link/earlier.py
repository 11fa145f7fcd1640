"""What came earlier under the same key, over arrays.

In SQL a row that counts for every level up to its own is written once for each of them, and that was most of a large site's
memory. Here marks are sorted once, and a level is a selection of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def number_rows(*columns: pa.ChunkedArray) -> Ids:
    """Number rows from 0 by their values: two have one number where all columns are equal; NULL is equal to NULL."""
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        codes = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
        codes = codes.chunk(0) if isinstance(codes, pa.ChunkedArray) else codes  # before pyarrow 19
        own = codes.indices.to_numpy().astype(np.int64)
        number = np.unique(number * len(codes.dictionary) + own, return_inverse=True)[1].reshape(-1)
    return number


def values_of(levels: Ids) -> Ids:
    """The distinct values of small whole numbers, ascending."""
    return np.flatnonzero(np.bincount(levels))


def spans_before(marks: Ids, asked: Ids, width: int) -> tuple[Ids, Ids]:
    """Find where the earlier marks of each asked key stand.

    Parameters
    ----------
    marks
        `key * width + moment`, ascending.
    asked
        The same of the rows that ask.
    width
        Above every moment; moments are at least 0.

    Returns
    -------
    tuple
        For each that asks, the position of the first mark and the position after the last.
    """
    return np.searchsorted(marks, asked - asked % width), np.searchsorted(marks, asked)


def count_before(marks: Ids, levels: Ids, asked: Ids, asked_levels: Ids, width: int) -> Ids:
    """Count the earlier moments at which the key of each asked row was seen, at its level or above.

    Parameters
    ----------
    marks
        `key * width + moment` of each row that was seen; one key may be seen often at one moment.
    levels
        The level of each of these rows.
    asked
        `key * width + moment` of each row that asks.
    asked_levels
        The level of each of these rows.
    width
        Above every moment; moments are at least 0.

    Returns
    -------
    Ids
        One number for each row that asks.
    """
    order = np.argsort(marks, kind="stable")
    marks, levels = marks[order], levels[order]
    counts = np.zeros(len(asked), dtype=np.int64)
    for level in values_of(asked_levels):
        who = np.flatnonzero(asked_levels == level)
        counts[who] = _distinct_before(marks[levels >= level], asked[who], width)
    return counts


def hours_before(key: Ids, hour: Ids, width: int) -> Ids:
    """In how many distinct hours before its own each row's key was there; `width` is above every hour."""
    marks = key * width + hour
    return _distinct_before(np.sort(marks), marks, width)


def _distinct_before(marks: Ids, asked: Ids, width: int) -> Ids:
    """How many distinct earlier marks each asked key has; `marks` ascend."""
    begin, end = spans_before(marks[np.diff(marks, prepend=-1) != 0], asked, width)
    counts: Ids = end - begin
    return counts


def nearest_before(marks: Ids, asked: Ids, width: int, n: int) -> tuple[Ids, Ids]:
    """Find the nearest earlier marks of each asked key.

    Parameters
    ----------
    marks
        `key * width + moment`, ascending.
    asked
        The same of the rows that ask.
    width
        Above every moment; moments are at least 0.
    n
        Most marks for each row that asks.

    Returns
    -------
    tuple
        One row is one pair: position of who asks, and position of the mark.
    """
    begin, end = spans_before(marks, asked, width)
    askers = [np.flatnonzero(end - begin > place) for place in range(n)]
    found = [end[who] - 1 - place for place, who in enumerate(askers)]
    return np.concatenate(askers), np.concatenate(found)
