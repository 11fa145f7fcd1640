"""A list of exceptions as the job takes it, and what it would have hidden in runs that there are."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from alertgraph_spark.config.alert_exception import AlertException
from alertgraph_spark.config.source_format import Asset
from alertgraph_spark.interpret import exception_keys
from alertgraph_spark.interpret.exceptions import understand
from alertgraph_spark.match.records import MOTIFS
from alertgraph_spark.publish import results
from alertgraph_spark.read.assets import load_assets
from alertgraph_spark.read.exceptions import load_exceptions
from alertgraph_spark.score import judge_episodes, match_exceptions
from alertgraph_spark.short_text import HEADING, QUOTED, WORD, many, short
from alertgraph_spark.tables.embedded import Engine, arrow_schema
from alertgraph_spark.tables.schemas import EVIDENCE, MEMBERS, MOTIF_HITS
from alertgraph_spark.tables.verdict_schemas import VERDICTS

TRIED = {
    "subgraphs": ("subgraph_id", "site", "rank", "score", "is_shown", "title"),
    "evidence": EVIDENCE.names,
    "members": MEMBERS.names,
    "motif_hits": MOTIF_HITS.names,
}
"""Tables of a run that a list is tried on, and their columns."""

Tables = Mapping[str, Any]


def listed_exceptions(file: Path | None) -> list[AlertException]:
    """Read the exceptions of a list.

    Parameters
    ----------
    file
        The list, if there is one.

    Returns
    -------
    list of AlertException
        In the order of the list.

    Raises
    ------
    ConfigError
        If the list cannot be read, or with every problem of every row.
    """
    return understand(load_exceptions(file), {motif.id for motif in MOTIFS}) if file else []


def add_commands(
    commands: Any,
    say: Callable[[str], None],
    open_run: Callable[[str], results.RunFolder],
    saved: Callable[[results.RunFolder, Mapping[str, Sequence[str]]], Tables],
) -> None:
    """Add `exceptions try` to the commands of a parser.

    Parameters
    ----------
    commands
        The sub-parsers of argparse.
    say
        Prints a line.
    open_run
        Takes a path or URL and gives the folder of a run.
    saved
        Takes a folder and columns by table, and gives its tables.
    """
    group = commands.add_parser("exceptions", help="what is explained and hidden until it expires").add_subparsers(
        required=True, metavar="COMMAND"
    )
    trial = group.add_parser(
        "try",
        help="what a list of exceptions would have hidden in past runs",
        description="Say which subgraphs of past runs a list of exceptions would have hidden, as if each had been in force:"
        " true attacks by verdict first, then what was shown; then what it comes near, and what keeps that shown.",
        epilog="Ends with 0, or with 2 if the list or a run cannot be used, or if a true attack would have been hidden.",
    )
    trial.add_argument("file", metavar="FILE", type=Path, help="CSV, YAML, or a watchlist's export")
    trial.add_argument("runs", metavar="RUN", nargs="+", help="results folder of a run, or its URL")
    trial.add_argument(
        "--assets", metavar="FILE", type=Path, help="the asset list of these runs, which names addresses"
    )

    def run(args: argparse.Namespace) -> int:
        exceptions = listed_exceptions(args.file)
        assets = load_assets(args.assets) if args.assets else []
        used: set[str] = set()
        n_attacks = 0
        say(f"list      {args.file}: {many(len(exceptions), 'exception')}, tried as if each were in force")
        folders = [open_run(place) for place in args.runs]
        verdicts = _newest_verdicts(folders)
        for folder in folders:
            tables = {**saved(folder, TRIED), **verdicts}
            tried = try_exceptions(tables, exceptions, assets)
            for line in _told(folder.place, tried, {one.id: one for one in exceptions}):
                say(line)
            used |= tried.used
            n_attacks += len([row for row in tried.hidden if row["is_attack"]])
        for one in exceptions:
            if one.id not in used:
                say(f"no match  {one.id}: {short(one.names, HEADING)}")
        return 2 if n_attacks else 0

    trial.set_defaults(run=run)


def _newest_verdicts(folders: Sequence[results.RunFolder]) -> dict[str, Any]:
    """The table `verdicts` of the newest of some runs that has one: each knows what was said before, of any run."""
    for folder in sorted(folders, key=lambda one: one.place.rstrip("/").rsplit("/", 1)[-1], reverse=True):
        if found := results.read_tables(folder, ["verdicts"]):
            return dict(found)
    return {}


class Tried(NamedTuple):
    """What a list would have done in one run.

    `hidden` has the subgraphs that it explains whole, true attacks first, then by rank; `near` those that are shown and that
    it explains in part, each with its first episode that it does not; `n_shown` counts all that are shown, `used` are the ids
    of the exceptions that explain anything.
    """

    hidden: list[dict[str, Any]]
    near: list[dict[str, Any]]
    n_shown: int
    used: set[str]


def try_exceptions(tables: Tables, exceptions: Sequence[AlertException], assets: Sequence[Asset] = ()) -> Tried:
    """Try a list on the tables of one run, as if each exception had been in force.

    Parameters
    ----------
    tables
        Those of `TRIED`, and `verdicts` where there is one, as Arrow tables or datasets.
    exceptions
        The list.
    assets
        The asset list.

    Returns
    -------
    Tried
        What it would have hidden.
    """
    verdicts = tables.get("verdicts", arrow_schema(VERDICTS).empty_table())
    with Engine() as engine:
        episodes = engine.query(_EPISODES, {name: tables[name] for name in ("evidence", "members")})
        keys = engine.query(
            "SELECT * REPLACE (TIMESTAMPTZ '0001-01-01' AS begins, TIMESTAMPTZ '9999-01-01' AS until) FROM keys",
            {"keys": exception_keys(exceptions, assets)},
        )
        hits = engine.query("SELECT * FROM motif_hits", {"motif_hits": tables["motif_hits"]})
        matches = match_exceptions(engine, episodes, hits, keys)
        given = {"episodes": episodes, "matches": matches, "judged": judge_episodes(engine, episodes, matches)}
        given |= {"subgraphs": tables["subgraphs"], "verdicts": verdicts}
        found = engine.query(_TRIED, given).to_pylist()
        ((n_shown,),) = engine.rows("SELECT count(*) FROM subgraphs WHERE is_shown", {"subgraphs": tables["subgraphs"]})
        used = {row[0] for row in engine.rows("SELECT DISTINCT id FROM matches", {"matches": matches})}
    near = [row for row in found if row["is_shown"] and not row["is_whole"]]
    return Tried([row for row in found if row["is_whole"]], near, int(n_shown), used)


_EPISODES = """
    WITH roles AS (SELECT subgraph_id, episode_id, any_value(role) AS role FROM members GROUP BY ALL)
    SELECT evidence.*, role, started_at AS known_at,
        (('0x' || episode_id)::UBIGINT::HUGEINT
            - CASE WHEN episode_id >= '8' THEN 18446744073709551616::HUGEINT ELSE 0 END)::BIGINT AS episode
    FROM evidence JOIN roles USING (subgraph_id, episode_id)
"""
"""The episodes of a run, each with its role and its number, which `episode_id` is in hexadecimal digits."""

_TRIED = """
    WITH named AS (SELECT subgraph_id, list(DISTINCT id ORDER BY id) AS ids FROM matches GROUP BY subgraph_id),
    states AS (
        SELECT subgraph_id, bool_or(counts AND is_covered) AND bool_and(is_whole) AS is_whole,
            count(*) FILTER (counts) AS n_count, count(*) FILTER (counts AND is_covered) AS n_covered,
            arg_min({'name': name, 'source': source_entity, 'target': target_entity}, (started_at, episode))
                FILTER (counts AND NOT is_covered) AS open
        FROM judged JOIN episodes USING (subgraph_id, episode) GROUP BY subgraph_id
    ),
    attacks AS (
        SELECT DISTINCT subgraph_id FROM verdicts WHERE verdict = 'true_positive' AND is_latest
    )
    SELECT subgraphs.*, ids, is_whole, n_count, n_covered, open, attacks.subgraph_id IS NOT NULL AS is_attack
    FROM subgraphs JOIN named USING (subgraph_id) JOIN states USING (subgraph_id) LEFT JOIN attacks USING (subgraph_id)
    ORDER BY is_attack DESC, rank
"""


def _told(place: str, tried: Tried, exceptions: Mapping[str, AlertException]) -> Iterator[str]:
    shown = [row for row in tried.hidden if row["is_shown"]]
    attacks = [row for row in tried.hidden if row["is_attack"]]
    yield ""
    yield f"run       {place}"
    yield f"hides     {len(shown)} of {tried.n_shown} shown, and {len(tried.hidden) - len(shown):,} that were not shown"
    for row in [*attacks, *(row for row in shown if not row["is_attack"])]:
        mark = "TRUE ATTACK  " if row["is_attack"] else ""
        yield f"  {mark}{_head(row)}"
        for id_ in row["ids"]:
            one = exceptions[id_]
            yield f"       by {id_}, {short(one.owner, WORD)}: {short(one.reason, QUOTED)}"
    if tried.near:
        yield f"near      {len(tried.near)} shown, explained in part and not hidden"
    for row in tried.near:
        yield f"  {_head(row)}"
        names = f"“{short(row['open']['name'], QUOTED)}”"
        ends = " → ".join(short(end, WORD) for end in (row["open"]["source"], row["open"]["target"]) if end)
        n_all = many(row["n_count"], "episode")
        yield f"       explained are {row['n_covered']} of {n_all} that count; the first that is not: {names} {ends}"


def _head(row: Mapping[str, Any]) -> str:
    return f"rank {row['rank']:<4} score {row['score']:.3f}  {row['subgraph_id']}  {short(row['title'], HEADING)}"
