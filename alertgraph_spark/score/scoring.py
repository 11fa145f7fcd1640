"""The score of each subgraph, its contributions and words, whether it is shown, and its rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa

from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.score import words
from alertgraph_spark.score.shown import BEST_FIRST, shown_sql
from alertgraph_spark.score.suppressed import NOTHING
from alertgraph_spark.score.terms import TERMS, Term
from alertgraph_spark.tables.embedded import Engine, arrow_schema, conform_arrow
from alertgraph_spark.tables.learn_schemas import RECALLED
from alertgraph_spark.tables.rates import DAY
from alertgraph_spark.tables.schemas import FEATURES, SUBGRAPHS

NOTHING_RECALLED = arrow_schema(RECALLED).empty_table()
"""Nothing is remembered."""

NO_OFFSETS = pa.schema([("site", pa.string()), ("log_odds", pa.float64())]).empty_table()
"""The shipped curve holds everywhere."""

_NOT_ASKED = """{'cut': cut, 'score': NULL::DOUBLE,
    'types': NULL::STRUCT(source VARCHAR, name VARCHAR, n_alerts BIGINT, alert_ids VARCHAR[])[], 'fact': NULL::VARCHAR}"""


def score_subgraphs(
    engine: Engine,
    features: pa.Table,
    p: RankingParameters,
    since: datetime | None = None,
    *,
    titles: Mapping[str, str],
    checks: Mapping[str, str],
    suppressed: pa.Table = NOTHING.subgraphs,
    recalled: pa.Table = NOTHING_RECALLED,
    offsets: pa.Table = NO_OFFSETS,
    terms: Sequence[Term] = TERMS,
) -> pa.Table:
    """Score, rank and explain subgraphs, and mark the few that are shown.

    Parameters
    ----------
    engine
        DuckDB in this process.
    features
        One row is one subgraph (`schemas.FEATURES`).
    p
        Weights, `half_score`, and what is shown: `budget_per_day` of a site and day of first_seen, of `show_nats` at
        least. Where `quiet`: `show_exceedance`, the most earlier subgraphs a day of the site with `like_share` of its
        score.
    since
        Subgraphs without an alert received since then are history: they count for the exceedance and are not in the output.
    titles
        Motif id to what people call it, the most telling first.
    checks
        Motif id to what to check next where it is found.
    suppressed
        What exceptions explain, as `suppressed.Suppressed.subgraphs` has it.
    recalled
        What is remembered of subgraphs like these (`learn_schemas.RECALLED`); its nats stand in `features` already.
    offsets
        One row is one `site` and the `log_odds` that are added to those of the curve there.
    terms
        What the score is made of.

    Returns
    -------
    pa.Table
        One row is one subgraph (`schemas.SUBGRAPHS`), by rank. No story yet; of the counterfactual only `cut`.

    Notes
    -----
    `z` is the sum of weight times column, `score = z / (z + half_score)` for z > 0, else 0; each contribution is its part of
    z times score / z, so that contributions sum to the score. The order is total: score, then first_seen, then id.
    """
    facts = ", ".join(_fact_sql(term, p) for term in terms)
    tables = {"features": features, "motif_words": words.motif_words(titles, checks), "suppressed": suppressed}
    tables |= {"recalled": recalled, "offsets": offsets}
    return conform_arrow(
        engine.query(
            f"""
            WITH scored AS (
                SELECT s.*, coalesce(claim, score) AS claim, coalesce(suppressed_by, []) AS suppressed_by,
                    coalesce(len(suppressed_by) > 0, false) AS is_suppressed,
                    coalesce(memory_fact, 'judged before') AS memory_fact,
                    coalesce(log_odds, 0) + coalesce(memory_log_odds, 0) AS beside_curve
                FROM ({_score_sql(terms, p)}) s LEFT JOIN suppressed USING (subgraph_id)
                    LEFT JOIN (SELECT subgraph_id, memory_fact, memory_log_odds FROM recalled) USING (subgraph_id)
                    LEFT JOIN offsets USING (site)
            ),
            {shown_sql(p, since)},
            said AS ({words.SAID}),
            parted AS (
                SELECT *, CASE WHEN z > 0 THEN score / z ELSE 0 END AS share FROM scored JOIN marked USING (subgraph_id)
            ),
            explained AS (
                SELECT *, [
                    {{'term': part['term'], 'value': part['value'], 'fact': part['fact']}}
                    FOR part IN list_reverse_sort([{facts}]) IF part IS NOT NULL
                ] AS contributions
                FROM parted LEFT JOIN said USING (subgraph_id)
            )
            SELECT *, {probability_sql(p)} AS probability, {words.TITLE} AS title, {words.SUMMARY} AS summary,
                [part['fact'] FOR part IN contributions] AS reasons,
                {words.UNUSUAL} AS unusual, {words.CHECKS} AS checks,
                []::STRUCT(entity VARCHAR, owner VARCHAR, runbook VARCHAR)[] AS owners, []::VARCHAR[] AS tickets,
                []::VARCHAR[] AS ties, []::STRUCT(subgraph_id VARCHAR, fact VARCHAR)[] AS related,
                []::STRUCT(sentence VARCHAR, alert_ids VARCHAR[])[] AS story,
                CASE WHEN is_shown THEN {_NOT_ASKED} END AS counterfactual
            FROM explained
            ORDER BY rank
            """,
            tables,
        ),
        SUBGRAPHS,
    )


def with_score(engine: Engine, features: pa.Table, p: RankingParameters, terms: Sequence[Term] = TERMS) -> pa.Table:
    """Add the strength `z` and the `score` to features.

    Parameters
    ----------
    engine
        DuckDB in this process.
    features
        One row is one subgraph, or one variant of it (`schemas.FEATURES`).
    p
        The weights and `half_score`.
    terms
        What the score is made of.

    Returns
    -------
    pa.Table
        The same rows. `z` is the sum of weight times column in nats, `score` is `z / (z + half_score)`, at least 0.
    """
    return engine.query(_score_sql(terms, p), {"features": features})


def with_memory(engine: Engine, features: pa.Table, recalled: pa.Table) -> pa.Table:
    """Put the memory of verdicts into features, as `memory_nats`.

    Parameters
    ----------
    engine
        DuckDB in this process.
    features
        One row is one subgraph, or one variant of it; a variant has the subgraph's id, `#` and a number.
    recalled
        One row is one subgraph with `subgraph_id` and `memory_nats`.

    Returns
    -------
    pa.Table
        The rows of `features` (`schemas.FEATURES`); 0 where nothing is remembered.
    """
    if not recalled.num_rows:
        return features
    return conform_arrow(
        engine.query(
            """
            SELECT features.* REPLACE (coalesce(r.memory_nats, 0) AS memory_nats)
            FROM features LEFT JOIN recalled r ON r.subgraph_id = split_part(features.subgraph_id, '#', 1)
            """,
            {"features": features, "recalled": recalled},
        ),
        FEATURES,
    )


def rank_subgraphs(engine: Engine, subgraphs: pa.Table) -> pa.Table:
    """Rank the subgraphs of several sites over all of them; each site was scored by itself.

    Parameters
    ----------
    engine
        DuckDB in this process.
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`).

    Returns
    -------
    pa.Table
        The same rows, in order of their new rank.
    """
    return conform_arrow(
        engine.query(
            f"""
            SELECT * REPLACE (row_number() OVER (ORDER BY {BEST_FIRST}) AS rank) FROM subgraphs ORDER BY rank
            """,
            {"subgraphs": subgraphs},
        ),
        SUBGRAPHS,
    )


def count_unshown(engine: Engine, subgraphs: pa.Table, p: RankingParameters) -> dict[str, int]:
    """Count the subgraphs that are hidden, and those that the budget left out for one like them.

    Parameters
    ----------
    engine
        DuckDB in this process.
    subgraphs
        One row is one subgraph (`schemas.SUBGRAPHS`).
    p
        `like_share`, the share of a shown score from which another one is like it.

    Returns
    -------
    dict
        `suppressed`: hidden by exceptions. `crowded`: other ones that score like one shown of their site and day.
    """
    ((suppressed, crowded),) = engine.rows(
        f"""
        SELECT count(*) FILTER (is_suppressed),
            count(*) FILTER (NOT is_shown AND NOT is_suppressed AND score >= {p.like_share} * least_shown)
        FROM (
            SELECT is_shown, len(suppressed_by) > 0 AS is_suppressed, score, min(CASE WHEN is_shown THEN score END) OVER (
                PARTITION BY site, epoch_us(first_seen) // {DAY}
            ) AS least_shown
            FROM subgraphs
        )
        """,
        {"subgraphs": subgraphs},
    )
    return {"suppressed": int(suppressed), "crowded": int(crowded)}


def _fact_sql(term: Term, p: RankingParameters) -> str:
    """A term's contribution, in SQL, null where it is 0; its fields are in the order by which equal parts are told."""
    value = f"{term.weight(p)!r} * {term.column} * share"
    return f"CASE WHEN {value} <> 0 THEN {{'value': {value}, 'term': '{term.name}', 'fact': {term.words}}} END"


def probability_sql(p: RankingParameters) -> str:
    """The probability that a subgraph is an attack, in SQL: logistic in `z`, half at `even_nats` but for `beside_curve`."""
    strength = f"{float(p.nats_slope)!r}::DOUBLE * ({float(p.even_nats)!r}::DOUBLE - z)"
    return f"1 / (1 + exp(least(700, {strength} - beside_curve)))"


def _score_sql(terms: Sequence[Term], p: RankingParameters) -> str:
    z = " + ".join(f"{t.weight(p)!r} * {t.column}" for t in terms)
    score = f"CASE WHEN z > 0 THEN z / (z + {float(p.half_score)!r}) ELSE 0 END"
    return f"SELECT *, {score} AS score FROM (SELECT *, {z} AS z FROM features)"
