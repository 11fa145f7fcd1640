"""Text of attackers on every surface: an intrusion whose names, hosts, accounts and words are written against who reads them.

It is ranked once by the job itself. Each surface that a person or a program reads is then looked at: what was written is
there, for nothing is hidden, and nowhere is it markup, a command of a terminal, a formula, or a line of its own.
"""

from __future__ import annotations

import ast
import csv
import importlib.util
import inspect
import io
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from chromium import browser, load, needs_chromium, said
from exported import put_lines, row_line
from kusto import QUERIES, Workspace, query_text, rule_yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.__main__ import main as command
from alertgraph_spark.clean_text import NAME_LIMIT, clean
from alertgraph_spark.commands.cli import EDGES, Console, exit_code
from alertgraph_spark.publish.log_analytics.fields import CUT_MARK
from alertgraph_spark.publish.log_analytics.rows import RowEncoder
from alertgraph_spark.publish.log_analytics.streams import STREAMS
from alertgraph_spark.publish.report import TABLES, write_or_say
from alertgraph_spark.publish.results import LocalFolder, read_tables
from alertgraph_spark.publish.safe_csv import csv_text, safe_cell

REPO = Path(__file__).parent.parent
NOTEBOOK = REPO / "examples" / "sentinel_notebook.ipynb"

NAME = (
    "=cmd|' /C calc'!A0 <img src=x onerror=\"alert(1)\"></script><script>alert(2)</script> "
    "](https://evil.example) ![b](https://evil.example/b.png) `a` $\\href{javascript:alert(3)}{x}^^$ ;=1+1 ; @sum(1) "
    "\x1b[2J\x1b]0;owned\x07\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\ \x9b31m "
    "\u202egpj.exe\u202c \u2066x\u2069 ze\u200bro\ufeff so\u00adft \U000e0041\U000e0042 a\u2028b\u2029c\x85d"
    "\r\nposted    2,079 rows to https://evil.example\nWARNING forged"
)
SEEN = "<img src=x onerror="
"""What of it a reader must see, whichever way the surface writes it."""

HOST = "<b>ws\u202e\x1b[31m$a^^$\u200b\r\n"
ACCOUNT = "\x1b]0;owned\x07<i>mallory"
WORD = "\x1b[31mTheft\r\nWARNING forged"
TORN = "\x1b[2J<u>torn \u202e line"

FORMAT = {
    "format": "hostile",
    "reads": ["RawData"],
    "json": {"a": {"column": "RawData", "schema": "name string, from string, to string, user string, what string"}},
    "columns": {"name": "a.name", "tactics": "split(a.what, ',')", "product": "a.name", "rule_id": "a.name"},
    "source": {"host": "a.from"},
    "target": {"host": "a.to"},
    "other": {"account": "array(a.user)"},
    "target_zone": "if(a.to like 'plc%', 'ot', 'it')",
    "source_zone": "'it'",
}


def script(folder: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, REPO / folder / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def alert(name: str, end: str, begin: str | None = None, user: str | None = None, what: str = "") -> str:
    return json.dumps({"name": name, "from": begin, "to": end, "user": user, "what": what})


@dataclass(frozen=True)
class Ran:
    """What a run left and said: its folder, what it printed, logged, tracked, compiled, and posted to files."""

    home: Path
    folder: Path
    out: str
    err: str
    tracked: dict[str, str]
    spark: SparkSession

    def table(self, name: str) -> Any:
        return self.spark.read.parquet(str(self.folder / name))

    def texts(self, name: str) -> str:
        """Every text of a table, in lines."""
        return "\n".join(self.table(name).select(F.to_json(F.struct("*"))).toPandas().iloc[:, 0])


@pytest.fixture(scope="module")
def ran(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Three days of one everyday alert, then in an hour a chain of four hosts into OT, each step with the hostile name."""
    home = tmp_path_factory.mktemp("hostile")
    (home / "hostile.yaml").write_text(json.dumps(FORMAT), encoding="utf-8")  # JSON is YAML
    for day in (2, 3, 4):
        for hour in range(24):
            time = f"2026-03-{day:02}T{hour:02}:01"
            put_lines(home / "lake", "Hostile_CL", time, [row_line(time, RawData=alert("Late heartbeat", "nas-1"))])
    steps = [(HOST, "fs01"), ("fs01", "jmp01"), ("jmp01", "plc-3")]
    for number, (begin, end) in enumerate(steps):
        time = f"2026-03-05T10:{10 * number + 1:02}"
        text = alert(NAME, end, begin, ACCOUNT, f"lateral-movement,{WORD}")
        lines = [row_line(time, RawData=text, _ItemId=f"i-{number}"), TORN if number == 0 else '{"torn', "{} {}"]
        put_lines(home / "lake", "Hostile_CL", time, lines)
    config = {
        "export": {"root": str(home / "lake")},
        "sources": [{"table": "Hostile_CL", "format": str(home / "hostile.yaml")}],
        "results": {"path": str(home / "results")},
        "tracking": {"uri": "none"},
        "ranking": {"show_nats": 0},  # the whole intrusion is three alerts
        "post": {"mode": "file", "folder": str(home / "posted")},
    }
    (home / "run.yaml").write_text(json.dumps(config), encoding="utf-8")
    job, kept, said_out, said_err = script("jobs", "rank_alerts"), {}, io.StringIO(), io.StringIO()
    levels = {name: logging.getLogger(name).level for name in ("alertgraph_spark", *EDGES, "py4j")}
    patch = pytest.MonkeyPatch()
    patch.setattr(sys, "stdout", said_out)
    patch.setattr(sys, "stderr", said_err)
    patch.setattr(job.tracking.Tracker, "log_run", lambda _, record: kept.update(record.files))
    window = ["--start", "2026-03-05T00:00:00Z", "--end", "2026-03-06T00:00:00Z"]
    try:
        code = exit_code(
            lambda: job.main(["--config", str(home / "run.yaml"), *window, "--compile", str(home / "compiled.jsonl")])
        )
    finally:
        patch.undo()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    assert code == 0, said_err.getvalue()
    (folder,) = (path for path in (home / "results").iterdir() if path.name != "posted")
    yield Ran(home, folder, said_out.getvalue(), said_err.getvalue(), kept, spark)


def commands_in(text: str) -> list[str]:
    """What in a text would be no letter, sign or blank on a screen; line ends of our own are none."""
    return [ascii(c) for c in text if not c.isprintable() and c != "\n"]


def forged_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.match(r"\s*(posted\s+2,079|WARNING forged)", line)]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.add(tag)


def tags_in(html: str) -> set[str]:
    parser = _Tags()
    parser.feed(html)
    return parser.found


# --- where it is looked for -----------------------------------------------------------------------------------------


def terminal(ran: Ran) -> str:
    return ran.out


def compared(ran: Ran) -> str:
    """The run beside one of the same day in which nothing was shown."""
    other = ran.home / "other" / "run"
    if not other.exists():
        shutil.copytree(ran.folder, other)
        shutil.rmtree(other / "subgraphs")
        ran.table("subgraphs").withColumn("is_shown", F.lit(False)).write.parquet(str(other / "subgraphs"))
    return said_by("compare", str(ran.folder), str(other))


def checked_format(ran: Ran) -> str:
    """A file of rows as `formats check` shows them, with a line that is refused and so was never cleaned."""
    sample = ran.home / "sample.jsonl"
    row = json.dumps({"RawData": alert(NAME, "fs01", HOST, ACCOUNT, WORD)})
    sample.write_text(f"{row}\n{TORN}\n{{{TORN}\n", encoding="utf-8")
    return said_by("formats", "check", str(ran.home / "hostile.yaml"), str(sample), "--as", "rows")


def said_by(*argv: str) -> str:
    patch, out = pytest.MonkeyPatch(), io.StringIO()
    patch.setattr(sys, "stdout", out)
    try:
        assert command(argv) == 0
    finally:
        patch.undo()
    return out.getvalue()


def compiled(ran: Ran) -> str:
    lines = (ran.home / "compiled.jsonl").read_text(encoding="utf-8").splitlines()
    return "\n".join(value for line in lines for value in map(str, json.loads(line).values()))


def example_with_pandas(ran: Ran) -> str:
    patch, out = pytest.MonkeyPatch(), io.StringIO()
    patch.setattr(sys, "stdout", out)
    try:
        example = script("examples", "compiled_with_pandas")
        assert example.main(str(ran.home / "compiled.jsonl")) == 0
    finally:
        patch.undo()
    return out.getvalue() + example.load_alerts(ran.home / "compiled.jsonl").to_string()


def posted(ran: Ran) -> str:
    """What the workbook, the incident and whatever hangs on it (a mail, Teams) are made of."""
    files = [
        file for file in (ran.home / "posted").rglob("*") if file.is_file() and not file.name.startswith((".", "_"))
    ]
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return "\n".join(text for row in rows for text in inner_texts(row))


def inner_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from inner_texts(inner)
    elif isinstance(value, str):
        yield value


def tracked_csv(ran: Ran) -> str:
    return ran.tracked["top_subgraphs.csv"]


def run_json(ran: Ran) -> str:
    record = json.loads((ran.folder / "run.json").read_text(encoding="utf-8"))
    return "\n".join([*inner_texts(record), *record["unknown_words"]])


def page_data(ran: Ran) -> str:
    page = (ran.folder / "report.html").read_text(encoding="utf-8")
    (block,) = re.findall(r'<script[^>]*id="report"[^>]*>(.*?)</script>', page, re.S)
    return "\n".join(inner_texts(json.loads(block)["subgraphs"]))


def saved(ran: Ran) -> str:
    names = ("subgraphs", "members", "evidence", "nodes", "edges", "motif_hits", "features", "cuts")
    rows = [json.loads(line) for name in names for line in ran.texts(name).splitlines()]
    return "\n".join(text for row in rows for text in inner_texts(row))


def notebook(ran: Ran) -> str:
    return "\n".join(shown_as_text(ran))


def workbook(ran: Ran) -> str:
    """Every cell of every part of the workbook, on what was posted."""
    workspace, now = workspace_of(ran)
    first = ran.table("subgraphs").filter("is_shown").first()
    chosen = {"SubgraphId": first["subgraph_id"], "RunId": ran.folder.name}
    parts = [workspace.ask(query_text(file.stem), now=now, **chosen) for file in sorted(QUERIES.glob("*.kql"))]
    return "\n".join(str(cell) for rows in parts for row in rows for cell in row.values())


def incident(ran: Ran) -> str:
    """The words of the incident, of which a playbook makes a mail, a ticket or a message in Teams: as HTML or Markdown."""
    workspace, now = workspace_of(ran)
    (row,) = workspace.ask(str(rule_yaml()["query"]), now=now)
    return "\n".join(row[column] for column in INCIDENT_WORDS)


def workspace_of(ran: Ran) -> tuple[Workspace, str]:
    """The workspace with the tables as they were posted, and a time of the hour in which the rule looks at them."""
    workspace = Workspace()
    posted_at = workspace.add_files(ran.home / "posted" / ran.folder.name)
    return workspace, f"{posted_at + timedelta(minutes=30):%Y-%m-%d %H:%M:%S}"


INCIDENT_WORDS = ("Title", "Summary", "Told", "Checks")

SURFACES: dict[str, tuple[Callable[[Ran], str], bool]] = {
    # Whether the name itself must be seen there.
    "terminal": (terminal, True),
    "log": (lambda ran: ran.err, False),
    "results": (saved, True),
    "run.json": (run_json, False),
    "posted rows": (posted, True),
    "page": (page_data, True),
    "CSV": (tracked_csv, True),
    "compare": (compared, True),
    "formats check": (checked_format, True),
    "compiled": (compiled, True),
    "compiled with pandas": (example_with_pandas, True),
    "notebook": (notebook, True),
    "workbook": (workbook, True),
    "incident": (incident, False),
}


@pytest.mark.parametrize(("surface", "is_named"), SURFACES.values(), ids=SURFACES)
def test_no_surface_obeys_a_name_and_none_hides_it(ran: Ran, surface: Callable[[Ran], str], is_named: bool) -> None:
    text = surface(ran)

    assert commands_in(text) == []
    assert forged_lines(text) == []
    assert (SEEN in text) == is_named


def test_the_words_of_an_incident_are_no_markup_wherever_a_playbook_puts_them(ran: Ran) -> None:
    """Neither HTML nor Markdown: no tag, link, picture, code, table, heading or emphasis, and no address to be clicked."""
    text = incident(ran)

    assert [sign for sign in "<>[]{}`*|!#~" if sign in text] == []
    assert re.findall(r"https?://", text) == []
    assert "hxxps://evil.example" in text, "what was written is told"


def test_the_intrusion_is_what_it_would_be_by_any_other_name(ran: Ran) -> None:
    (first,) = ran.table("subgraphs").filter("is_shown").collect()

    assert first["path"] == [
        "host:" + (clean(HOST.lower()) or "").split(".")[0].rstrip("$"),  # the account of a machine is that machine
        "host:fs01",
        "host:jmp01",
        "host:plc-3",
    ]
    assert {row["name"] for row in ran.table("evidence").collect()} >= {clean(NAME, NAME_LIMIT)}


def test_words_that_nobody_knows_are_told_in_one_line(ran: Ran) -> None:
    (line,) = [line for line in ran.out.splitlines() if line.startswith("unknown")]
    assert "tactic: [31mTheft WARNING forged" in line


def test_a_refused_line_stays_evidence_as_it_was(ran: Ran) -> None:
    assert TORN in {row["line"] for row in ran.table("rejected").collect()}


# --- CSV ------------------------------------------------------------------------------------------------------------


def formulas_in(text: str, separator: str) -> list[str]:
    """Cells that a spreadsheet would compute, with what separates cells in its country."""
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter=separator) for cell in row]
    cells += (
        [part for row in text.splitlines() for part in re.split(rf'[{separator}"]', row)] if separator == ";" else []
    )
    return [cell for cell in cells if cell.lstrip().startswith(tuple("=+-@＝＋－＠")) and not is_number(cell)]


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


FORMULAS = [
    *(
        "=1+1",
        "  =1+1",
        "\t=1",
        "\n@x",
        "a;=1+1",
        "a; =1+1",
        "a\n=1",
        "a\r\n\t+1",
        "＝1",
        "a;＠x",
        "-1+cmd",
        "@SUM(A1)",
    ),
    *("; ; =1", "a ;\n ;-x"),
]


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=ascii)
def test_no_cell_is_a_formula_in_any_country(text: str, separator: str) -> None:
    assert formulas_in(csv_text([{"rank": 1, "name": text, "score": -0.5}]), separator) == []


@pytest.mark.parametrize("text", ["a-b; c = d", "a=1", "x: -5", "", "a ; b", "ws-1 → fs01"])
def test_harmless_text_and_numbers_stay_as_they_are(text: str) -> None:
    (_, row) = csv.reader(io.StringIO(csv_text([{"name": text, "score": -0.5}])))

    assert row == [text, "-0.5"]


def test_a_cell_costs_no_more_than_its_length() -> None:
    assert len(safe_cell("\n" * 2_000_000 + "x" + " ;" * 1_000_000 + "=")) == 4_000_003


def test_no_cell_of_the_tracked_csv_is_a_formula(ran: Ran) -> None:
    assert [formulas_in(tracked_csv(ran), separator) for separator in (",", ";")] == [[], []]


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_has_no_element_of_an_alert(ran: Ran) -> None:
    page = (ran.folder / "report.html").read_text(encoding="utf-8")

    assert SEEN not in page
    assert not {"img", "b", "i", "u"} & tags_in(re.sub(r"<script.*?</script>", "", page, flags=re.S))
    assert "base-uri 'none'; form-action 'none'" in page


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
@pytest.mark.parametrize(("fragment", "wanted"), [("#%", ""), ("#sg-1", "sg-1"), ("#%E2%82", ""), ("", "")])
def test_no_address_of_the_page_is_its_end(fragment: str, wanted: str) -> None:
    text = (REPO / "alertgraph_spark/publish/report/page.js").read_text(encoding="utf-8")
    (line,) = re.findall(r"^  const asked = .*$", text, re.M)
    program = f"const location = {{ hash: {json.dumps(fragment)} }};\n{line}\nprocess.stdout.write(asked());"

    assert subprocess.run(["node", "-e", program], check=True, capture_output=True, text=True).stdout == wanted
    assert text.count("decodeURIComponent") == 1


@needs_chromium
def test_in_a_browser_it_is_text(ran: Ran, tmp_path: Path) -> None:
    with browser(tmp_path) as driver:
        load(driver, ran.folder / "report.html", "#%")

        assert said(driver) == []
        assert driver.execute_script("return document.querySelectorAll('img, #subgraph b i').length") == 0
        assert SEEN in driver.execute_script("return document.getElementById('title').textContent")


class _NoFile:
    place = "runs/r1"

    def write(self, name: str, content: bytes) -> None:
        raise OSError("no space\x1b[2J left on device\nposted    2,079")


def test_a_page_that_cannot_be_written_is_a_warning(ran: Ran, caplog: pytest.LogCaptureFixture) -> None:
    record = json.loads((ran.folder / "run.json").read_text(encoding="utf-8"))
    told = write_or_say(read_tables(LocalFolder(str(ran.folder)), TABLES), record, _NoFile())

    assert told == "not written; see the warning"
    (warning,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert warning.getMessage().endswith(
        "left on device; the results are saved; write it again: alertgraph report runs/r1"
    )


# --- logs and errors ------------------------------------------------------------------------------------------------


def test_a_log_line_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    err, root = io.StringIO(), logging.getLogger()
    before = {name: logging.getLogger(name).level for name in ("alertgraph_spark", *EDGES, "py4j")}
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(sys, "stderr", err)
    level = root.level
    try:
        Console(io.StringIO())
        logging.getLogger("alertgraph_spark.test").warning("found %s", NAME)
    finally:
        root.setLevel(level)
        for name, was in before.items():
            logging.getLogger(name).setLevel(was)

    assert len(err.getvalue().splitlines()) == 1
    assert commands_in(err.getvalue()) == []
    assert err.getvalue().startswith("WARNING alertgraph_spark.test: found =cmd")


def test_an_error_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> int:
        raise RuntimeError(f"row {TORN}")

    assert exit_code(fails) == 1
    assert commands_in(capsys.readouterr().err) == []


# --- the notebook ---------------------------------------------------------------------------------------------------


def cells() -> list[str]:
    kept = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in kept if cell["cell_type"] == "code"]


def displayed(ran: Ran) -> list[Any]:
    """What the notebook displays of the run, by its own cells: the table of ten, the networks, and three subgraphs."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    imports, table, networks, looks = (
        next(cell for cell in cells() if mark in cell)
        for mark in ("import networkx", "first_subgraphs(tables", "def draw(", "def look_at(")
    )
    lines = [ast.unparse(node) for node in ast.parse(imports).body if isinstance(node, ast.Import | ast.ImportFrom)]
    out: list[Any] = []
    alerts = ran.spark.read.parquet(str(ran.home / "compiled.parquet"))
    space: dict[str, Any] = {
        **{"spark": ran.spark, "folder": LocalFolder(str(ran.folder))},
        "tables": read_tables(LocalFolder(str(ran.folder)), ("subgraphs", "members", "nodes", "edges")),
        "ranking": type("Ranking", (), {"alerts": staticmethod(lambda only: alerts)}),
    }
    exec("\n".join(lines), space)  # the notebook's own cells
    space["display"] = out.append
    for cell in (table, networks, looks):
        *body, last = ast.parse(cell).body
        exec(compile(ast.Module(body, []), "cell", "exec"), space)
        if isinstance(last, ast.Expr):
            out.append(eval(compile(ast.Expression(last.value), "cell", "eval"), space))
        else:
            exec(compile(ast.Module([last], []), "cell", "exec"), space)
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")
    return [one for one in out if one is not None]


def shown_as_text(ran: Ran) -> Iterator[str]:
    """Text of everything that is displayed, as a browser shows it."""
    for one in displayed(ran):
        html = one._repr_html_()
        yield re.sub(r"&lt;", "<", re.sub(r"&#34;|&quot;", '"', re.sub(r"<[^>]*>", " ", html)))


def test_the_notebook_shows_names_as_text(ran: Ran) -> None:
    outputs = displayed(ran)

    assert len(outputs) >= 5, "the table, and of one subgraph heading, story, parts and alerts"
    for one in outputs:
        assert not hasattr(one, "_repr_markdown_") and not hasattr(one, "_repr_javascript_")
        html = one._repr_html_()
        assert tags_in(html) <= {"style", "table", "thead", "tbody", "tr", "th", "td", "h3", "li"}
        assert "ignore" in html.split(">")[0] or "<style" in html
    assert sum("&lt;img src=x" in one._repr_html_() for one in outputs) >= 3


def test_the_notebook_has_no_other_way_to_show_a_name() -> None:
    code = "\n".join(cells())

    assert "Markdown" not in code
    assert code.count(".style") == code.count('escape="html"'), "each Styler escapes"
    assert re.findall(r"HTML\((?!text\(|\"\"\.join\(text\()", code) == []
    assert "pd.set_option(option, False)" in code


# --- examples -------------------------------------------------------------------------------------------------------


def test_the_example_guards_its_csv_by_the_very_rule_of_the_job() -> None:
    """It leaves the project with its own folder, so it holds the function itself."""
    pytest.importorskip("mlflow")

    assert inspect.getsource(script("examples", "score_compiled").safe_cell) == inspect.getsource(safe_cell)


# --- an explanation is never cut away -------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ["n", '"', "🜂", "\\"], ids=ascii)
def test_a_name_of_64_kb_leaves_its_row_an_explanation(ran: Ran, sign: str) -> None:
    """Three of the longest names in each part, and twenty of the longest ids behind each sentence."""
    name, key = clean(sign * 65_536, NAME_LIMIT) or "", clean(sign * 65_536) or ""
    words = f"{name} {name} {name} {key} {key} {key}"
    row = ran.table("subgraphs").first().asDict(recursive=True)
    row |= {
        "title": words,
        "contributions": [{"term": "rarity", "value": 0.5, "fact": words}],
        "reasons": [words],
        "unusual": [words],
        "story": [{"sentence": words, "alert_ids": [key] * 20}],
    }
    (stream,) = [stream for stream in STREAMS if stream.table.name == "subgraphs"]
    encoded = RowEncoder(stream, "r1", row["first_seen"].astimezone()).encode(_micros(row))

    posted_row = json.loads(encoded.body)
    assert encoded.n_fields_cut == 0
    assert CUT_MARK not in encoded.body.decode()
    assert any(words in json.dumps(value, ensure_ascii=False) or words == value for value in posted_row.values())


def _micros(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.astimezone() if hasattr(v, "astimezone") else v for k, v in row.items()}
