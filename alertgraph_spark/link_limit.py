"""Limit: what is more than one machine can hold is left out where there is most of it, so that no site ends the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def fair_share(sizes: Mapping[int, int], most: int) -> int:
    """The largest number that each group may have so that all together have at most `most`.

    Parameters
    ----------
    sizes
        Size to how many groups have it.

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


@dataclass
class LinkLimit:
    """How many links the driver may hold, and how many were left out for it."""

    most: int
    n_left_out: int = 0

    def fairly(self, links: DataFrame, of: str, *best_first: Column) -> DataFrame:
        """Leave out what is too much, of the largest groups alone; the grain and the columns stay.

        Parameters
        ----------
        of
            The column that names the group of a row; groups that are smaller than their fair share keep all.
        best_first
            A total order: the last of a group goes first.

        Notes
        -----
        One job for the sizes, of which the distinct ones come to the driver: for five million links at most three thousand.
        """
        size, alike = F.count(F.lit(1)).alias("size"), F.count(F.lit(1)).alias("alike")
        sizes = {row["size"]: row["alike"] for row in links.groupBy(of).agg(size).groupBy("size").agg(alike).collect()}
        if sum(size * n for size, n in sizes.items()) <= self.most:
            return links
        share = fair_share(sizes, self.most)
        self.n_left_out += sum(max(0, size - share) * n for size, n in sizes.items())
        place = F.row_number().over(Window.partitionBy(of).orderBy(*best_first))
        return links.withColumn("place", place).filter(F.col("place") <= share).drop("place")

    def by_site(self, links: DataFrame) -> DataFrame:
        """Leave out what is too much, of the sites with most links; input and output are `schemas.LINKS`.

        Of a site the links of its most prolific entities go first: each keeps its strongest as long as others have as many.
        """
        of_key = Window.partitionBy("site", "kind", "entity").orderBy(F.desc("weight"), "dst", "src")
        turn = links.withColumn("turn", F.row_number().over(of_key))
        best_first = (F.col("turn"), F.desc("weight"), F.col("dst"), F.col("src"))
        return self.fairly(turn, "site", *best_first).drop("turn")
