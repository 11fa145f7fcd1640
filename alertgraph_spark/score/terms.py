"""The terms of the score: each a record, which fact it weighs and how an analyst reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.score.words import half_up, label, many, seen_before


@dataclass(frozen=True)
class Term:
    """One term of the score: its weight times a numeric column of `schemas.FEATURES`.

    The weight is `<name>_weight` of `RankingParameters`. `words` is a SQL expression that says the fact to an analyst.
    """

    name: str
    column: str
    words: str

    def weight(self, p: RankingParameters) -> float:
        """Its weight, in nats a unit of the column."""
        return float(getattr(p, f"{self.name}_weight"))


_RARITY = f"""{many("n_types", "alert type")} || CASE WHEN n_types = 1 THEN ', “' ELSE '; the rarest, “' END
    || rarest[1]['name'] || '”, seen ' || {seen_before("rarest[1]")}"""
_QUIET_HOST = f"""coalesce(
    {label("quietest['name']")} || ' is rarely heard of: alerts about it ' || {seen_before("quietest")},
    'one of its hosts is rarely heard of')"""
_KILL_CHAIN = """n_stages::BIGINT || ' of 4 stages of an attack: '
    || replace(array_to_string(tactics, ', '), '-', ' ')"""
_CROSSING = f"'reaches ' || {half_up('level_drop', 1)} || ' Purdue levels down into OT'"
_PLANNED = f"""{half_up("100 * planned_share", 0)}::BIGINT
    || ' % of it planned: a scanner, a maintenance host or an announced window'"""
_SPREAD = f"""'spread over ' || {many("n_hosts", "host")} || ': the more, the likelier something common'"""
_OUTSIDE = f"""{half_up("100 * outside_share", 0)}::BIGINT || ' % of it comes from outside'"""

TERMS: tuple[Term, ...] = (
    Term("rarity", "rarity_nats", _RARITY),
    Term("quiet_host", "quiet_nats", _QUIET_HOST),
    Term("kill_chain", "n_stages", _KILL_CHAIN),
    Term("crossing", "level_drop", _CROSSING),
    Term("ot_action", "ot_action", "'acts on the process after the crossing'"),
    Term("planned", "planned_share", _PLANNED),
    Term("spread", "ln_hosts", _SPREAD),
    Term("outside", "outside_share", _OUTSIDE),
    Term("memory", "memory_nats", "memory_fact"),
)
"""A term more is a record more, and a parameter for its weight."""


class TermWeight(TypedDict):
    """One term of a scorer as JSON holds it."""

    term: str
    column: str
    weight: float


class Weights(TypedDict):
    """A scorer as JSON holds it: linear terms and the nats of half a score."""

    terms: list[TermWeight]
    half_score: float


def scorer_weights(p: RankingParameters, terms: Sequence[Term] = TERMS) -> Weights:
    """Give the scorer as plain data, for the model that is logged.

    Parameters
    ----------
    p
        The weights and `half_score`.
    terms
        What the score is made of.

    Returns
    -------
    dict
        `terms`, each with its name, column and weight; and `half_score`.
    """
    return {
        "terms": [{"term": t.name, "column": t.column, "weight": t.weight(p)} for t in terms],
        "half_score": p.half_score,
    }
