"""The configuration as text: keys with what was found out, and as comments what a person may choose."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from alertgraph_spark.access.memory import memory_bytes
from alertgraph_spark.clean_text import printed
from alertgraph_spark.commands.init.fit import Fit, choices
from alertgraph_spark.commands.init.survey import ExportedTable
from alertgraph_spark.config.export_settings import Export
from alertgraph_spark.config.keys import keys_of
from alertgraph_spark.config.quoted import quoted
from alertgraph_spark.short_text import LINE, many, short
from alertgraph_spark.tables.schemas import ZONES

INCIDENTS = str(keys_of(Export)["incidents"].default)
"""The table whose incidents come back as verdicts: it is read by `export.incidents`, and by no format."""

MOST_SITES = 8
"""Sites that are named; a provider has hundreds."""


@dataclass(frozen=True)
class Look:
    """What was found of one table: where and when it is, rows a day, and the formats that were tried, the best first."""

    table: ExportedTable
    rows_a_day: float
    fits: Sequence[Fit]

    @property
    def best(self) -> Fit | None:
        """The format to read it by; None where none fits."""
        return next(iter(choices(self.fits)), None)

    @property
    def span(self) -> str:
        """Its days and how much comes in one, in words."""
        return f"{days_words(self.table.days)}; about {many(rounded(self.rows_a_day), 'row')} a day"


def rounded(rows: float) -> int:
    """A number of rows with two digits that count: it is an estimate.

    Examples
    --------
    >>> rounded(1234.5), rounded(7.2), rounded(0.3)
    (1200, 7, 1)
    """
    whole = max(1, round(rows)) if rows else 0
    return round(whole, 2 - len(str(whole))) if whole > 99 else whole


def days_words(days: Sequence[date]) -> str:
    """The first and the last day, and how many there are."""
    span = f"{days[0]} to {days[-1]}" if len(days) > 1 else f"{days[0]}"
    return f"{span}, {many(len(days), 'day')}"


def sites_words(sites: Sequence[str]) -> str:
    """How many sites there are, and what the first are called."""
    more = f" and {len(sites) - MOST_SITES:,} more" if len(sites) > MOST_SITES else ""
    return f"{many(len(sites), 'site')}: {', '.join(sites[:MOST_SITES])}{more}"


def next_command(out: Path) -> str:
    """What ranks by this configuration."""
    return f"alertgraph-rank --config {shlex.quote(str(out))}"


def configuration(root: str, out: Path, looks: Sequence[Look], assets: str, *, is_platform: bool) -> str:
    """Write a commented configuration.

    Parameters
    ----------
    root
        `export.root`.
    out
        The file that it is written to; paths in it are beside that.
    looks
        What was found of each table.
    assets
        Name of the asset list, beside the file.
    is_platform
        Whether a platform starts Spark and has a tracking server.

    Returns
    -------
    str
        The whole file.
    """
    lines = _lines(root, out, looks, assets, is_platform=is_platform)
    # A comment is one line, whatever stands in the name of a folder or of a product.
    return "".join(f"{printed(line)}\n" for line in lines)


def _lines(root: str, out: Path, looks: Sequence[Look], assets: str, *, is_platform: bool) -> Iterator[str]:
    sites = sorted({site for look in looks for site in look.table.sites})
    days = sorted({day for look in looks for day in look.table.days})
    yield "# Written by `alertgraph init` from what the export holds. Every key is explained in conf/README.md."
    yield f"#   {next_command(out)}"
    yield from ("", "export:", f"  root: {quoted(root)}")
    yield f"  workspaces: all               # {sites_words(sites)}; or a list of some"
    yield f"  history_hours: 720            # the past that says what is rare; the export holds {days_words(days)}"
    if any(look.table.name == INCIDENTS for look in looks):
        yield f"  incidents: {INCIDENTS}   # what analysts say of incidents comes back as verdicts; or none"
    yield from ("", "sources:                        # one exported table each, and the format that reads it")
    for look in looks:
        yield from _source(look)
    yield from ("", "# Say of each network and machine what you know; a row without an answer changes nothing.")
    yield f"# zone: {', '.join(ZONES)}; purdue_level: 0 (process) to 5 (enterprise); name: joins the addresses of a machine;"
    yield "# role: scanner and maintenance are planned work; jump_host, domain_controller, plc and the like are told."
    yield f"assets: {quoted(assets)}"
    yield "# maintenance: calendar.csv     # announced work: asset,from,to,site,what,ticket"
    yield "# exceptions: exceptions.yaml   # what is known and hidden until it expires: docs/exceptions.md"
    yield from (
        "",
        "results:",
        "  path: results                 # a folder or URL; each run adds a folder named by its id",
    )
    yield from (
        "",
        "ranking:",
        "  budget_per_day: 1             # what an analyst sees, a site and day: 1 to 3 for most",
    )
    short_past = "; the export holds one day: 0 shows something of it" if len(days) == 1 else ""
    yield f"  warm_up_hours: 24             # history that a site needs before anything of it is shown{short_past}"
    yield from ("", "tracking:")
    if is_platform:
        yield "  uri: default                  # the MLflow server of the platform; or a URI, or none"
    else:
        yield "  uri: sqlite:///mlflow.db      # an MLflow tracking URI; or none"
    yield from (
        "",
        "post:",
        "  mode: none                    # or logs_ingestion: deploy/sentinel leads there; or file",
    )
    yield from (
        "",
        "# notify:                       # tells a channel of each newly shown subgraph: docs/notification.md",
    )
    yield from ("#   url: env:ALERTGRAPH_WEBHOOK", "#   form: teams                 # or slack, json")
    if not is_platform:
        yield from ("", "spark:", "  master: local[*]")
        yield f"  driver_memory: {driver_memory()}             # half of this machine's, 8g at most"


def _source(look: Look) -> Iterator[str]:
    """One table: its entry, and above it how well the format fits; as comments the other formats that do."""
    table, best = look.table, look.best
    if table.name == INCIDENTS:
        return
    yield f"  # {table.name}: {sites_words(table.sites)}; {look.span}"
    if best is None:
        tried = f"; tried were {', '.join(sorted(fit.format for fit in look.fits))}" if look.fits else ""
        yield f"  #   is not read: no shipped format fits{tried}. One of your own is a YAML file: docs/formats.md"
        return
    for number, fit in enumerate(choices(look.fits)):
        yield f"  #   {'' if number == 0 else 'or '}{fit.format}: {short(fit.words, LINE)}"
    container = f", container: {quoted(table.container)}" if table.container != f"am-{table.name.lower()}" else ""
    yield f"  - {{table: {table.name}, format: {best.format}{container}}}"


def driver_memory() -> str:
    """Half of the memory of this machine or container, as Spark writes it: from 2 to 8 GB."""
    return f"{min(8, max(2, memory_bytes() // (2 << 30)))}g"
