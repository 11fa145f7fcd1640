"""Times and rates: the units in which times are counted, and how often a thing comes that was there in some past hours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters

HOUR = 3_600_000_000
DAY = 24 * HOUR
"""Microseconds in an hour and in a day."""

Ids = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


def micros(times: pa.ChunkedArray) -> Ids:
    """Times as microseconds since 1970."""
    counted: Ids = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    return counted


def past_share(hours_with: Ids | int, hours: Numbers) -> Numbers:
    """Give the share of hours that bring a thing, by how many past hours did.

    Parameters
    ----------
    hours_with
        Past hours that had it.
    hours
        All past hours.

    Returns
    -------
    Numbers
        In (0, 1): never 0 nor 1.

    Notes
    -----
    (h + 1) / (H + 2), Laplace's rule of succession: Essai philosophique sur les probabilités (1814).
    """
    return (hours_with + 1) / (hours + 2)


def rate_of(share: Numbers, p: RankingParameters) -> Numbers:
    """Give the rate of a thing that a share of the hours has.

    Parameters
    ----------
    share
        Share of the hours, in [0, 1].
    p
        `max_share` caps the share: hours count, not alerts, so what every hour has would have no rate.

    Returns
    -------
    Numbers
        Events an hour, `-ln(1 - share)`: the rate of a Poisson process.
    """
    rate: Numbers = -np.log(1 - np.minimum(p.max_share, share))
    return rate
