"""Make the pages that are written from the code, so that no fact stands in two places.

python docs/make_docs.py
"""

from __future__ import annotations

import inspect
import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import fields
from itertools import takewhile
from pathlib import Path

from alertgraph_spark import __main__ as command
from alertgraph_spark.config import format_files
from alertgraph_spark.config.format_files import find_format, load_format
from alertgraph_spark.config.health import HealthParameters
from alertgraph_spark.config.keys import keys_of
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.config.shipped import shipped_formats
from alertgraph_spark.config.source_format import Format
from alertgraph_spark.match.records import FACTS, LINK_FACTS, MOTIFS, Motif
from alertgraph_spark.normalise.format_functions import FUNCTIONS
from alertgraph_spark.normalise.json_text import ENVELOPES

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))  # its neighbours are found too where a test loads this file by its path

from make_architecture import architecture_page, picture  # noqa: E402
from make_data_model import data_model_page  # noqa: E402

REPO = DOCS.parent

INTRODUCTION = """\
# Motifs

Named patterns of attack that are looked for inside each subgraph. A vertex is an episode, an edge a link from an earlier
episode to a later one, so a match is in the order of time by construction. What is matched is listed in the table
`motif_hits`, named in the summary of its subgraph, and part of its score.

This page is made from the records in `alertgraph_spark/match/records.py` by `make docs`. To add a motif, add a record with
two example graphs, one that matches and one that nearly does, and make the page anew; the tests run both graphs.

## What a record says

**The pattern** is one way through the graph, as GraphFrames writes it: `(a)` is any episode, `(a)-[e]->(b)` a link e from
a to b, `(a)-[e]->(b); (b)-[f]->(c)` goes on from b, and so on. Each name stands for one thing.

**The condition** (`where`) is SQL over those names. Of an episode it may ask
{facts};
of a link {link_facts}. `origin` and `destination` are the ends of an episode: an alert about
one host begins and ends there; `t0` is its first alert, in microseconds; `victims` are the accounts that it names, else its
`destination`; `tactics` and `victims` are lists. DuckDB and Spark both run the condition, so it keeps to what both read
alike: `=`, `<>`, `<`, `and`, `or`, `not`, `in`, `is null`, arithmetic, `array_contains(a.tactics, 'impact')`.

**Without a hub** each place where both hold is a match. Its path is the origin of the first episode and the destination of
each; one that comes back to an entity is no match, and `fewest_stops` asks for so many entities.

**With a hub** all places that share it, columns of the first episode, are one match if they have enough distinct `spokes`;
its path is who acts, then who is acted upon. `regularity` asks for the rhythm of a clock: 1 - MAD / median of the gaps
between starts, 1 at most.

**An example graph** has one episode a line: `minute source/zone -> target/zone name`, or `minute host/zone name` for an
alert about one host; then its tactics after `#` and its accounts after `@`, if it has any. An episode without a link is in
no match.

## The catalogue
"""


def motifs_page(motifs: Sequence[Motif]) -> str:
    """The page on motifs: an overview, then a section for each record."""
    overview = ["| motif | id | ATT&CK |", "|---|---|---|"]
    overview += [f"| [{m.title}](#{_anchor(m.title)}) | `{m.id}` | {m.technique} |" for m in motifs]
    introduction = INTRODUCTION.format(facts=_listed(FACTS), link_facts=_listed(LINK_FACTS))
    return "\n".join([introduction, *overview, "", *(_section(m) for m in motifs)])


def _section(motif: Motif) -> str:
    facts = [
        ("id", f"`{motif.id}`"),
        ("technique", motif.technique),
        ("check next", motif.check),
        ("blind spot", motif.blind_spot),
        ("pattern", f"`{motif.pattern}`"),
        ("where", f"`{' '.join(motif.where.split())}`"),
    ]
    if motif.hub:
        facts += [
            ("hub", _listed(motif.hub)),
            ("spokes", f"at least {motif.at_least} distinct `{motif.spokes}`"),
        ]
    if motif.fewest_stops:
        facts.append(("path", f"at least {motif.fewest_stops} entities"))
    if motif.regularity:
        facts.append(("regularity", f"at least {motif.regularity} of the starts"))
    table = ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in facts)]
    graphs = ["Matches:", "", *_graph(motif.match), "", "Does not match:", "", *_graph(motif.near_miss), ""]
    return "\n".join([f"## {motif.title}", "", motif.why, "", *table, "", *graphs])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _graph(lines: Sequence[str]) -> list[str]:
    return ["```text", *lines, "```"]


def _anchor(title: str) -> str:
    """The anchor that GitHub gives a heading: lower case, letters, digits and hyphens, blanks as hyphens."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


FORMATS = """\
# Formats

A format says what the rows of a table mean. It is one YAML file: canonical columns as Spark SQL over the exported row, and
sample rows with what they must give. In `sources` of the configuration a shipped one stands by its name, a file of your own
by its path.

This page is made by `make docs`; the last table by `benchmarks/formats_table.py`, from real samples.

## Write one

Begin with the file and three keys: `format`, `reads` and `columns` with a `name`. Show it your rows, and add what is missing.

```yaml
{example}```

Every expression sees the exported columns that `reads` lists, all as text, and a struct for each JSON column. Of several
kinds in `source` or `target` the first one that names something names the end. What was done to a row stands in its
provenance, and the check below tells it, row by row and in numbers.

**When it happened.** An alert's time is what `observed_at` gives, else TimeGenerated. A sender's clock may be wrong: a time
more than 48 h before TimeGenerated or 24 h after it is not believed, and TimeGenerated stands in its place. Rows that the
platform keeps (`kept_by: platform`, as `security_alert` says) come late for other reasons, when a connector starts or an
analyst touches an alert: their product's time stands, up to a year back. Their id alone tells an alert that comes again; in
all other formats the name must be the same too, for anybody may write an id. A time of CEF is UTC or has its offset behind
it (`GMT+08:00`); behind the name of a zone (`CET`, `IST`) it is not read, since such names mean several.

**Wrapped JSON.** What `json` names is looked for behind a syslog header (RFC 3164 or 5424, with structured data, a
program's name, brackets, `@cee:`), a byte order mark, NULs and returns, in a string, as the first of an array, and under
{envelopes} of an object that has none of the keys by which the format knows an alert: those of `where` and of the name, or
those that `known_by` lists, in any spelling. What is inside must have one, or hold it in an envelope of its own; an alert
that holds another is itself. CEF and LEEF are found in such an envelope, too. A text that begins an object and ends in none
is refused as `text broken or cut short`.

**One line is one row.** Of several objects on a line the first is read, and of several records of CEF or LEEF. That there
is a second is counted among the unknown words (`doubt: a second JSON object on the line, which is not read`), which the
balance of the run tells; where the first is no alert, the line is refused for this reason and kept among the rejected, so
that none is lost unseen.

**Addresses.** One address has one key in every spelling: IPv6 as RFC 5952 writes it, without zone (`%eth0`), brackets and
port (`:443`, `-9999`), IPv4 within IPv6 (`::ffff:10.1.0.5` in any form) as IPv4, a slash or a name before it
(`fs01/10.1.0.5`), `IPv4:`, quotes and the brackets of a list (`["10.1.0.5", "10.1.0.6"]`) left out. A list is its first
address; the others are further entities. A block (`10.1.0.0/24`) is no machine; `10.1.0.5/24` is one. Loopback,
unspecified, broadcast and 169.254.169.254 name nobody; an address of a link stays, and tells nothing of a host elsewhere. A
host's name in place of an address is the host. A MAC is six pairs, however it is written.

**Hosts.** A host is its first label in lower case: without the dot of the root, a port, the URL or share around it
(`\\\\FS01\\share`), or the domain before it (`CORP\\FS01`), composed (`u` and its dots are `ü`), and out of punycode
(`xn--bro-pc7-n2a` is `büro-pc7`).

**Accounts.** `CORP\\j.meyer`, `j.meyer@corp.example` and `CN=j.meyer,DC=corp` are one. A guest is who he is at home
(`john_contoso.example#EXT#@fabrikam` is `contoso\\john`), `MicrosoftAccount`, `AzureAD` and `WORKGROUP` are no domain,
`live.com#` and `i:0#.f|membership|` no part of a name. A domain in a key of its own (`sntdom`, `user.domain`) belongs to a
name that has none. What Windows has on every machine (`NT AUTHORITY\\SYSTEM`, its SIDs) is left out, and so is what no
account can be called, such as a command that somebody typed. `FS01$` beside the host FS01 is that host; any other `$` is a
managed service account.

**CEF and LEEF.** A pipe in CEF's name that nobody escaped belongs to the name, where a degree comes behind it; blanks
before `=` and around fields are no part of them. LEEF's delimiter is a sign, `tab`, or a number in any form (`x9`, `0x09`,
`x2502`). Of keys that are said twice the product's own stand: those before the first text that anyone may have typed, and
what is typed behind them is no account, where these name one.

**ATT&CK.** Tactics and techniques are known in any spelling: short name, display name, id, tag (`attack.t1059`), with a name
beside the id. The vocabulary is v19's: *Defense Evasion* is `stealth`, a retired technique is the one in its place
(`T1562.001` is `T1685`). What no table knows is counted among the unknown words.

**Vendors.** Both ends of what Claroty, Dragos, Forescout's eyeInspect, Nozomi, Radiflow and their like report are in the
process network, unless an address is public or their own zone says otherwise; Claroty's and Dragos' own keys
(`CtdSourceIp`, `src_asset_ip`) count where the standard ones are empty. Nozomi weighs an alert by its risk; beside it
stands the severity of a syslog line. A notice of Zeek whose name says so, and one about software, has the victim in `src`.
What Sysmon says that a machine began has that machine for source. An event of a cloud that Wazuh's manager fetched has its
account for target. A JSON alert without a name is called by what describes it, and one that has a severity, else, by its
type: either is told as a doubt.

Whoever attacks writes these texts, so each is cleaned as it is taken: characters that nobody sees are removed, a run of
blanks and line ends becomes one blank, a name is cut to 512 characters and any other text to 256, with a hash of the whole
behind it. More would not be safe: names stand in memory for each alert, each past hour and each pair of machines, and who
sends 100,000 alerts chooses how long they are. The exported row has the whole text, and `item_id` of the members finds it.

**Where there is no room.** The tables keep a name as it was taken. Terminal, report, workbook and incident show what they
have room for and an ellipsis: of a heading 200 characters, of a cell 160, of a name beside a node 40, of a sentence 600. Of
a word with more than 64 the begin and the end stay, and a letter keeps four of its marks.

{keys}

`columns` knows {columns}.

## What a format may do

A format acts like code: its expressions run wherever the job runs, with what the job may read. So take one from a stranger as
you would take a program, and read what it does. What it can do is bounded: before anything runs, in the job as in the check
below, Spark's own parser reads every expression, and the format is refused if one calls a function that is not listed here,
asks a table or a file, or looks at other rows. The message names the file, the key, the expression and the function. In a
session that cannot parse without running (Spark Connect) only formats that come with the package are used.

| functions for | |
|---|---|
{functions}

An expression sees the first 64 KB of a text, which is what the service keeps of a column; a longer one is read so far, and
counted among the unknown words as `doubt: text cut at 64 KB`. What `json` names is parsed whole. Write regular expressions
whose cost grows with the text and no faster: whoever writes an alert's text knows which one is slow. One that begins with
a repetition is tried anew at each character of a run, unless it says what may not stand before it: `(?<!\\w)\\w+@`, not
`\\w+@`.

## Show it your rows

```
{command}
```

```text
{output}
```

A sample is a file as you have it: JSON lines of exported rows, a JSON array, CSV as the portal exports it, or plain lines;
also in `.gz` or `.zip`. It is laid out as an export and read by the code that the job reads with. Without `--as`, a record is
taken as the `RawData` of a row where the format reads `RawData` and none of the record's columns. The command ends with 2 if
the format or the file cannot be used, or if one of the format's own samples does not hold.

## Shipped

{shipped}

## Measured

What the formats make of real samples, all rows of each. A field is filled where the alert has a value for it; `time` where
the row has one beside TimeGenerated. Shares are of the alerts.

{measured}
"""

FORMAT_EXAMPLE = "examples/formats/door_controller.yaml"
CHECK = f"alertgraph formats check {FORMAT_EXAMPLE} examples/formats/door_events.jsonl"
BEGIN, END = "<!-- measured: benchmarks/formats_table.py -->", "<!-- end of measured -->"


def formats_page(output: str, measured: str) -> str:
    """The page on formats; `output` is what the command `CHECK` prints, `measured` the tables of `formats_table.py`."""
    return FORMATS.format(
        example=(REPO / FORMAT_EXAMPLE).read_text(encoding="utf-8"),
        keys="\n".join(["| key | meaning |", "|---|---|", *_keys()]),
        functions="\n".join(f"| {about} | {' '.join(f'`{f}`' for f in n.split())} |" for about, n in FUNCTIONS.items()),
        envelopes=_listed(ENVELOPES),
        columns=", ".join(f"`{column}`" for column in format_files.COLUMNS),
        command=CHECK,
        output=output.rstrip(),
        shipped="\n".join(["| format | reads | rows of |", "|---|---|---|", *map(_shipped, shipped_formats())]),
        measured=f"{BEGIN}\n{measured}\n{END}",
    )


def _keys() -> Iterator[str]:
    """A row for each attribute in the docstring of `Format`, which the file has as a key."""
    attributes = (inspect.getdoc(Format) or "").split("----------\n")[1]
    for names, meaning in re.findall(r"^(\S.*)\n((?:    .*\n?)+)", attributes, re.M):
        if names not in ("path", "is_shipped"):
            keys = ", ".join(f"`{'format' if name == 'name' else name}`" for name in names.split(", "))
            yield f"| {keys} | {' '.join(meaning.split())} |"


def _shipped(name: str) -> str:
    """A row for a format: what its file says at its top."""
    file = find_format(name)
    top = takewhile(lambda line: line.startswith("# "), file.read_text(encoding="utf-8").splitlines())
    says = " ".join(line.removeprefix("# ") for line in top if "Facts:" not in line)
    says = re.sub(r"\s*https?://\S+( and \S+)?$", "", says)
    first, *more = load_format(file).reads
    reads = f"`{first}`" + (f" and {len(more)} more" if more else "")
    return f"| [`{name}`](../alertgraph_spark/formats/{name}.yaml) | {reads} | {says} |"


def check_output() -> str:
    """What the command `CHECK` prints; needs Spark."""
    here = Path.cwd()
    os.chdir(REPO)
    try:
        with redirect_stdout(io.StringIO()) as out:
            command.main(shlex.split(CHECK)[1:])
    finally:
        os.chdir(here)
    return out.getvalue()


def measured_of(page: str) -> str:
    """The measured tables that a page holds."""
    return page.partition(BEGIN + "\n")[2].partition("\n" + END)[0]


def with_measured(page: str, tables: str) -> str:
    """The page with other measured tables."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{tables}\n{END}{rest.partition(END)[2]}"


def _formats() -> str:
    page = DOCS / "formats.md"
    return formats_page(check_output(), measured_of(page.read_text(encoding="utf-8")) if page.exists() else "")


PARAMETERS, END_OF_PARAMETERS = "<!-- parameters: docs/make_docs.py -->", "<!-- end of parameters -->"


def method_page(page: str) -> str:
    """The page on the method, which is written by hand, with the table of its parameters made anew."""
    return _with_table(page, PARAMETERS, END_OF_PARAMETERS, parameters_table())


HEALTH, END_OF_HEALTH = "<!-- health: docs/make_docs.py -->", "<!-- end of health -->"


def operations_page(page: str) -> str:
    """The page on operations, which is written by hand, with the numbers by which sources are judged made anew."""
    return _with_table(page, HEALTH, END_OF_HEALTH, parameters_table(HealthParameters))


def _with_table(page: str, begin: str, end: str, table: str) -> str:
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


def parameters_table(of: type = RankingParameters) -> str:
    """A row for each number of a method, in the order of the line."""
    lines = ["| parameter | default | meaning | range | source |", "|---|---|---|---|---|"]
    keys = keys_of(of)
    for one in fields(of):
        key, source = keys[one.name], one.metadata["source"].replace(" (docs/method.md)", "")
        default = str(key.default).lower() if isinstance(key.default, bool) else f"{key.default:g}"
        lines.append(f"| `{one.name}` | {default} | {key.rule.meaning} | {key.rule.within or key.allowed} | {source} |")
    return "\n".join(lines)


def _operations() -> str:
    return operations_page((DOCS / "operations.md").read_text(encoding="utf-8"))


def _method() -> str:
    return method_page((DOCS / "method.md").read_text(encoding="utf-8"))


PAGES: dict[str, Callable[[], str]] = {
    "motifs.md": lambda: motifs_page(MOTIFS),
    "method.md": _method,
    "formats.md": _formats,
    "operations.md": _operations,
    "architecture.md": architecture_page,
    "img/architecture.svg": picture,
    "data-model.md": data_model_page,
}
"""File in this folder to the text that it must hold."""


def main() -> int:
    """Write every page; the tests say which one is out of date."""
    for name, text in PAGES.items():
        (DOCS / name).write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
