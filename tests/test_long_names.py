"""Names that are long or strange: what a person looks at stays readable, and the tables have them whole."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from arrows import table_of
from chromium import LAPTOP, browser, load, needs_chromium, said
from incident import told
from kusto import QUERIES, Workspace, rule_yaml
from test_compare import ranked, run
from test_kql_rows import NEW, NOW, edge, member, node, subgraph
from test_report import RECORD, drawn, excepted
from test_report import subgraph as shown_subgraph

from alertgraph_spark.clean_text import clean
from alertgraph_spark.commands.cli import Console
from alertgraph_spark.explain.ablations import smallest_ablation
from alertgraph_spark.explain.story import tell
from alertgraph_spark.publish.compare import compare_runs, comparison_text
from alertgraph_spark.short_text import CELL, CHECKS, HEADING, LABEL, LINE, MARKS, QUOTED, SENTENCE, STORY, WORD, short
from alertgraph_spark.tables.network_schemas import EDGES, NODES
from alertgraph_spark.tables.run_schemas import EXCEPTIONS
from alertgraph_spark.tables.schemas import EVIDENCE, MEMBERS, SUBGRAPHS

REPO = Path(__file__).parent.parent
SHORT = (REPO / "deploy" / "sentinel" / "short.kql").read_text(encoding="utf-8")

STRANGE: dict[str, str] = {
    "5,000 letters in one word": "n" * 5_000,
    "5,000 letters in words": "Port scan of the plant " * 218,
    "a letter under 300 accents": "Sc" + "\u0301\u0327" * 150 + "an of the plant",
    "accents of another plane": "Scan" + "\U0001d167" * 300,
    "accents alone": "\u0301" * 400,
    "each letter with an accent": "e\u0301" * 400,
    "from right to left": "סריקה של המפעל " * 40,
    "markup": "<b>](https://evil.example)`x` " * 30,
    "what a pattern would take for its own": r"\1 $1 \\ [x](y) " * 40,
    "people of every colour": "\U0001f9d1\U0001f3fd" * 300,
}


def marks_on_a_letter(text: str) -> int:
    runs = "".join("m" if unicodedata.category(c)[0] == "M" else " " for c in text).split()
    return max(map(len, runs), default=0)


def unreadable(text: str, width: int) -> list[str]:
    """What of a text is longer than its place, runs out of it, or covers its neighbours."""
    longest = max(map(len, text.split()), default=0)
    faults = {
        f"{len(text)} characters": len(text) > width,
        f"a word of {longest}": longest > WORD + 2 * MARKS,
        f"{marks_on_a_letter(text)} marks": marks_on_a_letter(text) > MARKS,
    }
    return [fault for fault, holds in faults.items() if holds]


# --- the cut itself --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("width", [LABEL, CELL, HEADING])
def test_a_cut_text_has_room_and_says_that_it_is_cut(name: str, width: int) -> None:
    cut = short(name, width)

    assert unreadable(cut, width) == []
    assert ("…" in cut) == (marks_on_a_letter(name) < 300), "but for marks, of which none is missed, the cut is seen"


@pytest.mark.parametrize(
    "name", ["Port scan", "a" * WORD, "Überwachung → 日本", "Ve\u0323\u0302t", "x" * 30 + " " + "y" * 60, ""]
)
def test_a_text_that_has_room_stays(name: str) -> None:
    assert short(name, 100) == name
    assert short(name + " " * 100 + "z", 100) != name + " " * 100 + "z"


def test_no_letter_loses_its_marks() -> None:
    for width in range(2, 20):
        kept = short("Ve\u0323\u0302t" * 20, width).rstrip("…")
        assert kept == "" or ("Ve\u0323\u0302t" * 20).startswith(kept)
        assert not kept.endswith(("e", "e\u0323")), "an e that had two marks"


def test_two_long_names_that_differ_at_the_end_are_told_apart() -> None:
    first, second = (short(clean("n" * 5_000 + end) or "", CELL) for end in "ab")

    assert first != second
    assert len(first) == len(second) == WORD


@pytest.mark.parametrize("shape", ["a", "\u0301", "e\u0301", "a ", "a" * 63 + " ", "\U0001d167", "é "], ids=ascii)
def test_a_cut_costs_no_more_than_the_length(shape: str) -> None:
    begin = datetime.now(timezone.utc)
    short(shape * (2_000_000 // len(shape)), HEADING)
    assert (datetime.now(timezone.utc) - begin).total_seconds() < 10


@pytest.mark.parametrize("width", [LABEL, HEADING])
def test_kql_cuts_as_python_does(width: int) -> None:
    names = [clean(name, 5_000) or "" for name in STRANGE.values()]
    listed = ", ".join("@'" + name.replace("'", "''") + "'" for name in names)
    rows = Workspace().ask(f"{SHORT}datatable(Said: string) [{listed}] | project Cut = short(Said, {width})")

    assert [row["Cut"] for row in rows] == [short(name, width) for name in names]


def test_a_workbook_takes_nothing_in_the_function_for_its_parameter() -> None:
    assert re.findall(r"\{(\w+)\}", SHORT) == []


def test_the_rule_has_the_very_function_and_all_widths_are_known() -> None:
    rule = str(rule_yaml()["query"])
    queries = [file.read_text(encoding="utf-8") for file in QUERIES.glob("*.kql")]
    widths = re.findall(r", (\d+)\)(?=[,\s|]|$)", "\n".join(re.findall(r"short\(.*", "\n".join([rule, *queries]))))

    assert SHORT in rule
    assert {int(n) for n in widths if n != "0"} <= {LABEL, CELL, HEADING, SENTENCE, STORY, CHECKS}


# --- where it is read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRANGE.values(), ids=STRANGE)
def test_the_terminals_table(name: str) -> None:
    out, name = io.StringIO(), clean(name, 5_000) or ""
    at = datetime(2026, 3, 3, 9, 40, tzinfo=timezone.utc)
    row = {
        "rank": 1,
        "score": 0.7,
        "probability": 0.5,
        "is_shown": True,
        "site": name,
        "summary": f"pivot: {name} → plc",
        "first_seen": at,
    }
    counts = dict.fromkeys(("rows_read", "alerts", "duplicates", "out_of_window", "rejected", "subgraphs"), 1)
    Console(out).end([row], counts, [], 1.0)
    _, head, line, *_ = out.getvalue().splitlines()

    assert unreadable(line, LINE + WORD + 50) == []
    assert line[: head.index("first seen")].strip().startswith("1  0.700  0.50  yes")
    assert "2026-03-03 09:40  pivot: " in line


@pytest.mark.parametrize("name", STRANGE.values(), ids=STRANGE)
def test_the_story_and_what_would_be_without_it(name: str) -> None:
    name = clean(name, 5_000) or ""
    episodes = [
        {**told(f"{60 * n} ws1/it -> h{n}/it x"), "name": f"{n} {name}", "episode_id": f"{n}", "alert_ids": [f"{n}"]}
        for n in range(4)
    ]
    episodes[0]["source_entity"] = f"host:{name[:256]}"
    types = [{"name": name, "n_alerts": 1, "surprise": 1.0, "source": "edr", "n_hits": 0}]

    for sentence, _ in tell(episodes, [], 4):
        assert unreadable(sentence, 3 * QUOTED + 2 * WORD + 150) == []
    assert unreadable(smallest_ablation(0.4, types, {(0,): 0.1}).fact, QUOTED + 100) == []


def test_the_comparison_of_two_runs() -> None:
    rows = [{**row, "title": STRANGE["5,000 letters in words"]} for row in ranked(("a", 0.6, True, {"rarity": 0.6}))]
    gone = compare_runs(run(rows), run([{**rows[0], "is_shown": False}]), 10)

    assert [line for line in comparison_text(gone, 10) if unreadable(line, HEADING + 60)] == []


PARTS = ("title", "subgraphs", "explanation", "contributions", "timeline", "network", "subgraph_graph", "alerts")


@pytest.mark.parametrize("name", [STRANGE["5,000 letters in words"], STRANGE["a letter under 300 accents"] + "n" * 70])
def test_every_cell_of_the_workbook_and_the_incident(name: str) -> None:
    workspace = workspace_of(name)
    for part in PARTS:
        rows = workspace.part(part)
        assert rows, part
        texts = {key: value for row in rows for key, value in row.items() if isinstance(value, str)}
        keys = {"SourceId", "TargetId", "Id"}  # by which nodes and lines are joined: never seen
        assert {k: unreadable(v, SENTENCE) for k, v in texts.items() if k not in keys and unreadable(v, SENTENCE)} == {}
    (incident,) = workspace.ask(str(rule_yaml()["query"]), now=NOW)
    widths = {"Title": HEADING, "Summary": SENTENCE, "Told": STORY, "Checks": CHECKS}
    assert [fault for key, width in widths.items() for fault in unreadable(incident[key], width)] == []


def test_custom_details_are_ids_numbers_and_times_of_ours_and_what_the_operator_lists() -> None:
    """Sentinel keeps 2 KB of all of them together; a name of an alert is in none."""
    details = rule_yaml()["customDetails"]

    assert set(details.values()) == {
        *("SubgraphId", "Site", "RunId", "Rank", "Score", "Alerts", "HostCount", "Motifs", "StartTime", "EndTime"),
        *("OwnerNames", "Runbooks", "Changes"),
    }
    cuts = re.findall(r"(?:OwnerNames|Runbooks|Changes) = .*?(\d+)\),$", str(rule_yaml()["query"]), re.M)
    assert sum(map(int, cuts)) == 460, "at four bytes a letter still below 2 KB"


def workspace_of(name: str) -> Workspace:
    workspace = Workspace()
    words = {
        **{"TitleValue": f"pivot: {name}", "Summary": f"summary {name}", "Reasons": [name], "Unusual": [name]},
        **{"Contributions": [{"term": "rarity", "value": 0.5, "fact": name}], "Checks": [name]},
        **{"Story": [{"sentence": name, "alert_ids": ["a"]}] * 6},
        "Counterfactual": {"cut": 0.4, "score": 0.3, "types": [], "fact": name},
    }
    workspace.add("AlertGraphSubgraphs_CL", [subgraph("sg-1", **words)], arrived=NEW)
    key = f"host:{name[:256]}"
    workspace.add("AlertGraphNodes_CL", [node(key, Label=name[:256]), node("host:b")], arrived=NEW)
    workspace.add("AlertGraphEdges_CL", [edge(key, "host:b", Names=[name, name])], arrived=NEW)
    workspace.add("AlertGraphMembers_CL", [member("sg-1", "a")], arrived=NEW)
    alert = {"_ItemId": "item-a", "AlertName": name, "Description": name, "ProductName": name}
    workspace.add("SecurityAlert", [{**alert, "TimeGenerated": "2026-03-05 10:00:00"}], arrived=NEW)
    return workspace


# --- the page --------------------------------------------------------------------------------------------------------


def page_of(name: str) -> str:
    """A page whose every text is the name: host, account, alert, title, story, facts."""
    page = pytest.importorskip("alertgraph_spark.publish.report.page")
    gather = pytest.importorskip("alertgraph_spark.publish.report.gather").gather
    name = clean(name, 5_000) or ""
    host = f"host:{clean(name) or ''}"
    rows = [
        {**told("0 a/it -> b/it x"), "name": name, "source_entity": host, "target_entity": "host:b"},
        {**told("9 b/it -> c/ot x #impact"), "name": name, "accounts": [f"account:{clean(name)}"]},
    ]
    grouped = [{**row, "subgraph_id": "sg-1", "episode": n, "episode_id": f"{n:016x}"} for n, row in enumerate(rows)]
    words = {
        **{"title": name, "summary": name, "unusual": [name], "checks": [name]},
        **{"story": [{"sentence": name, "alert_ids": ["0/1"]}], "path": [host, "host:b", "host:c"]},
        **{"contributions": [{"term": "rarity", "value": 0.5, "fact": name}]},
        "counterfactual": {"cut": 0.4, "score": 0.3, "types": None, "fact": name},
        "owners": [{"entity": host, "owner": clean(name), "runbook": name}],
        "tickets": [clean(name) or ""],
    }
    members = [{**row, "alert_id": f"{row['episode']}/1", "item_id": None, "role": "core"} for row in grouped]
    nodes, edges = drawn(grouped)
    exceptions = [excepted("ex-1", 1, 0, owner=name, reason=name, ticket=name, names=name, site=name)]
    tables = {
        table.name: table_of(table, found)
        for table, found in (
            *((SUBGRAPHS, [shown_subgraph("sg-1", 1, True, **words)]), (MEMBERS, members), (EVIDENCE, grouped)),
            *((NODES, nodes), (EDGES, edges), (EXCEPTIONS, exceptions)),
        )
    }
    made: str = page.render(gather(tables, RECORD))
    return made


@pytest.mark.parametrize("name", STRANGE.values(), ids=STRANGE)
def test_every_text_of_the_page(name: str) -> None:
    (block,) = re.findall(r'<script[^>]*id="report"[^>]*>(.*?)</script>', page_of(name), re.S)
    data = json.loads(block)
    (one,), (exception,) = data["subgraphs"], data["exceptions"]
    assert [text for text in texts_in(exception) if unreadable(text, HEADING)] == []
    keys = {key: one.pop(key) for key in ("path", "hosts", "pairs")}  # by which lines are found: never seen
    del one["graph"]["nodes"]["id"]

    assert keys
    assert [text for text in texts_in(one) if unreadable(text, SENTENCE)] == []
    assert unreadable(one["title"], HEADING) == []


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in texts_in(one)]


@needs_chromium
def test_in_a_browser_nothing_runs_out_of_the_page(tmp_path: Path) -> None:
    for number, name in enumerate(list(STRANGE.values())[:3]):
        file = tmp_path / f"{number}.html"
        file.write_text(page_of(name), encoding="utf-8")
        with browser(tmp_path / f"profile-{number}") as driver:
            load(driver, file)
            width = driver.execute_script("return document.documentElement.scrollWidth")
            tallest = driver.execute_script(
                "return Math.max(...[...document.querySelectorAll('#ranked li, #title, #story li, #evidence tr')]"
                ".map((e) => e.getBoundingClientRect().height))"
            )
            assert said(driver) == []
        assert width <= LAPTOP[0], ascii(name[:20])
        assert tallest < 260, f"{name[:20]!a}: one text takes {tallest} pixels"


if __name__ == "__main__":  # the page of one of them, to look at
    sys.stdout.write(page_of(STRANGE[sys.argv[1]]))
