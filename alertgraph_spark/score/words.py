"""Words: what is said of a subgraph to an analyst, as SQL over its features. Every subgraph has them, shown or not.

SQL, because a large site has some hundred thousand subgraphs. The text of a motif comes as a row, never as part of a query.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

_ALWAYS = (
    "Ask the owner of {last} whether this was planned work; if so, tell the asset list or the maintenance calendar."
)

MAX_HOSTS = 5
"""Hosts of a path that a title names; of a longer one the first two and the last two."""


def labels(keys: str) -> str:
    """Entity keys without their kind, in SQL: `host:ws1` is `ws1`."""
    return f"[{label('key')} FOR key IN {keys}]"


def label(key: str) -> str:
    """An entity key without its kind, in SQL."""
    return f"substr({key}, instr({key}, ':') + 1)"


def many(number: str, word: str) -> str:
    """A whole number and its noun, in SQL: `1 alert`, `2 alerts`, `1,200 alerts`.

    Examples
    --------
    >>> many("n_alerts", "alert")
    "(format('{:,}', n_alerts) || CASE WHEN n_alerts = 1 THEN ' alert' ELSE ' alerts' END)"
    """
    return f"(format('{{:,}}', {number}) || CASE WHEN {number} = 1 THEN ' {word}' ELSE ' {word}s' END)"


def half_up(number: str, places: int) -> str:
    """A number below 10^8 rounded as people do, in SQL: half is up, of the number as it is written.

    Examples
    --------
    >>> half_up("severity", 2)
    'round((severity)::VARCHAR::DECIMAL(38, 30), 2)::DOUBLE'
    """
    return f"round(({number})::VARCHAR::DECIMAL(38, 30), {places})::DOUBLE"


def seen_before(past: str) -> str:
    """How often something had been seen, in SQL, of a struct with `seen_hours` and `history_hours`.

    Whole days where it was never seen, since no hour with it means no day with it; else hours, which are what is counted.
    """
    hours, seen = f"{past}['history_hours']", f"{past}['seen_hours']"
    return f"""CASE WHEN {hours} < 1 THEN 'with no history before it'
        WHEN {seen} <= 0 AND {hours} >= 48 THEN 'in 0 of ' || floor({hours} / 24)::BIGINT || ' days before'
        ELSE 'in ' || greatest({seen}, 0) || ' of ' || floor({hours})::BIGINT || ' hours before' END"""


def motif_words(titles: Mapping[str, str], checks: Mapping[str, str]) -> pa.Table:
    """What is said where a motif is found; one row is one motif, in the order in which they are named."""
    motifs = list(dict.fromkeys((*titles, *checks)))
    return pa.table(
        {
            "motif": pa.array(motifs, pa.string()),
            "place": pa.array(range(len(motifs)), pa.int64()),
            "title": pa.array([titles.get(motif) for motif in motifs], pa.string()),
            "check": pa.array([checks.get(motif) for motif in motifs], pa.string()),
        }
    )


SAID = """
    SELECT subgraph_id, list(title ORDER BY place) FILTER (title IS NOT NULL) AS titles,
        list("check" ORDER BY place) FILTER ("check" IS NOT NULL) AS motif_checks
    FROM (SELECT subgraph_id, unnest(motifs) AS motif FROM features) JOIN motif_words USING (motif)
    GROUP BY subgraph_id
"""
"""One row is one subgraph with a motif: what is said of its motifs, the most telling first."""

_N_LIKE = "format('{:,}', n_like)"

SUMMARY = f"""
    coalesce(array_to_string(titles, ', '), 'Unusual alerts')
    || CASE WHEN len(path) > 0 THEN ': ' || array_to_string({labels("path")}, ' → ') ELSE '' END
    || '; ' || {many("n_alerts", "alert")} || ' of ' || {many("n_types", "type")} || ' on ' || {many("n_hosts", "host")}
    || ' in ' || format('{{:,.1f}}', (epoch_us(last_seen) // 1000000 - epoch_us(first_seen) // 1000000) / 3600)
    || ' h' || CASE WHEN n_like > 0 THEN '; crowded day: ' || {_N_LIKE} || ' more like it' ELSE '' END
    || '; rarest: ' || coalesce(rarest[1]['name'], 'none')
"""
"""One sentence: what it looks like, along which hosts, how much, how long, its crowd, and the rarest alert."""

_HOSTS = labels("path")
TITLE = f"""
    coalesce(titles[1], 'Unusual alerts')
    || coalesce(
        CASE WHEN len(path) > {MAX_HOSTS}
            THEN ': ' || array_to_string({_HOSTS}[1:2] || ['…'] || {_HOSTS}[-2:], ' → ')
            WHEN len(path) > 0 THEN ': ' || array_to_string({_HOSTS}, ' → ')
            ELSE ' on ' || {label("quietest['name']")} END, '')
    || coalesce(CASE WHEN len(path) > 0 THEN ', ' ELSE ': ' END || coalesce(act_name, rarest[1]['name']), '')
"""
"""A headline: the most telling motif, the hosts of the path, and what was done to the process, else the rarest alert."""

UNUSUAL = f"""
    ['“' || type['name'] || '”: seen ' || {seen_before("type")} FOR type IN rarest]
    || CASE WHEN quietest IS NULL THEN []::VARCHAR[]
        ELSE [{label("quietest['name']")} || ': any alert about it ' || {seen_before("quietest")}] END
"""
"""What had been seen rarely or never: the rarest alert types, and the host that is hardly ever heard of."""

_FIRST = f"coalesce({label('path[1]')}, 'the host that acts')"
_LAST = f"coalesce({label('path[-1]')}, {label('''quietest['name']''')}, 'the host acted on')"
_CROWD = f"""CASE WHEN n_like > 0 THEN
    ['Crowded day: look at what scores like this and is not shown, ' || {_N_LIKE} || ' more of its site and day.']
    ELSE []::VARCHAR[] END"""
CHECKS = f"""
    [replace(replace(text, '{{first}}', {_FIRST}), '{{last}}', {_LAST})
        FOR text IN coalesce(motif_checks, []::VARCHAR[]) || {_CROWD} || ['{_ALWAYS}']]
"""
"""What to check next: what each motif found asks for, the crowd that the budget hides, then what any subgraph does. `{first}`
and `{last}` of a text are the ends of the path.
"""
