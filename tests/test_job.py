"""The job from end to end: a folder of exported lines in, ranked and explained subgraphs out, and nothing lost or leaked.

The example plant is run once; what it left is asked many questions. The job finds the tests' own session, as it finds a
platform's, so all of it runs in this process.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import logging
import os
import re
import secrets
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from exported import put_lines, row_line
from kusto import Workspace, texts
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.commands.cli import EDGES, exit_code
from alertgraph_spark.tables.schemas import RESULTS

REPO = Path(__file__).parent.parent
sys.path.insert(0, str(REPO / "examples"))  # the examples are no part of the wheel

from emulator.server import LogsIngestionEmulator  # noqa: E402 - needs the line above

TOKEN_VARIABLE = "ALERTGRAPH_TEST_JOB_TOKEN"
WEBHOOK_VARIABLE = "ALERTGRAPH_TEST_JOB_WEBHOOK"
# Set before Spark starts, since its Python workers inherit what the environment held then.
TOKEN = os.environ.setdefault(TOKEN_VARIABLE, secrets.token_hex(16))
LOGGERS = ("alertgraph_spark", *EDGES, "py4j")


FEW_TASKS = {"spark__conf__spark.sql.files.openCostInBytes": 65536}
"""As the job sets in a session of its own: hundreds of small files are a few tasks, not hundreds."""


def load_job() -> Any:
    spec = importlib.util.spec_from_file_location("rank_alerts", REPO / "jobs" / "rank_alerts.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


JOB = load_job()


def run_job(config: Path, **overrides: str | Path | int) -> int:
    """Run the job in this process and return its exit code; the next test shall not hear of its log levels."""
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    settings = [part for key, value in overrides.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]
    try:
        return exit_code(lambda: JOB.main(["--config", str(config), *settings]))
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@dataclass(frozen=True)
class Done:
    """What a run left: what it printed, its folder, its `run.json` and its tables."""

    home: Path
    code: int
    out: str
    folder: Path
    record: dict[str, Any]
    tables: dict[str, DataFrame]

    @property
    def ranked(self) -> list[Any]:
        return self.tables["subgraphs"].orderBy("rank").collect()


def left_by(home: Path, code: int, out: str, spark: SparkSession) -> Done:
    (folder,) = (path for path in (home / "results").iterdir() if path.name not in ("posted", "notified"))
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    tables = {table.name: spark.read.parquet(str(folder / table.name)) for table in RESULTS}
    return Done(home, code, out, folder, record, tables)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("plant")
    command = [sys.executable, str(REPO / "examples/plant/generate.py"), str(home / "plant")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return home


@pytest.fixture(scope="module")
def done(spark: SparkSession, plant: Path) -> Iterator[Done]:
    """The run of `make demo`, on its configuration, with everything that it writes in a folder of the test."""
    capture = pytest.MonkeyPatch()
    home = plant
    before = spark.conf.get("spark.sql.files.openCostInBytes")
    out = home / "out.txt"
    with LogsIngestionEmulator(home / "posted.sqlite", TOKEN) as emulator, out.open("w", encoding="utf-8") as stdout:
        capture.setattr(sys, "stdout", stdout)
        capture.setenv(WEBHOOK_VARIABLE, emulator.webhook("teams"))
        code = run_job(
            REPO / "examples" / "plant.yaml",
            export__root=home / "plant" / "lake",
            assets=home / "plant" / "assets.csv",
            maintenance=home / "plant" / "maintenance.csv",
            results__path=home / "results",
            tracking__uri=f"sqlite:///{home}/mlflow.db",
            post__endpoint=emulator.url,
            post__credential=f"env:{TOKEN_VARIABLE}",
            notify__url=f"env:{WEBHOOK_VARIABLE}",
            **FEW_TASKS,
        )
        capture.undo()
    spark.conf.set("spark.sql.files.openCostInBytes", before or "4194304")
    yield left_by(home, code, out.read_text(encoding="utf-8"), spark)


def test_it_ends_well_and_the_rows_balance(done: Done) -> None:
    counts = done.record["counts"]
    in_lake = json.loads((done.home / "plant" / "lake.json").read_text(encoding="utf-8"))["tables"]

    assert done.code == 0
    assert counts["rows_read"] == sum(table["rows"] for table in in_lake.values())
    assert counts["rows_read"] == sum(counts[k] for k in ("alerts", "duplicates", "out_of_window", "rejected"))
    assert (counts["out_of_window"], counts["rejected"]) == (0, 0)
    assert counts["subgraphs"] == len(done.ranked)
    assert counts["duplicates"] > 0  # status updates of one alert


def test_the_record_says_what_ran(done: Done) -> None:
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{8}-[0-9a-f]{4}", done.record["run_id"])
    assert done.folder.name == done.record["run_id"]
    assert done.record["run_id"].split("-")[1] == done.record["config_digest"][:8]
    assert done.record["window"] == {"start": "2026-03-02T00:00:00+00:00", "end": "2026-03-05T00:00:00+00:00"}
    assert set(done.record["versions"]) == {"alertgraph_spark", "spark", "python", "model"}
    assert done.record["engine"] == "driver"
    stages = ["normalise", "fold", "link", "connect", "match", "describe", "score", "explain"]
    assert list(done.record["seconds"]) == stages


@pytest.mark.parametrize("table", RESULTS, ids=lambda table: table.name)
def test_a_saved_table_has_the_shape_that_is_declared(done: Done, table: Any) -> None:
    fields = [(field.name, field.dataType.simpleString()) for field in done.tables[table.name].schema.fields]

    assert fields == [(column.name, column.type) for column in table.columns]


def truth(home: Path) -> dict[str, str]:
    """Item id to the campaign that set this very alert off."""
    with gzip.open(home / "plant" / "truth.csv.gz", "rt", encoding="utf-8") as file:
        return {row["item_id"]: row["strict"].split(".")[0] for row in csv.DictReader(file)}


def campaign_of(done: Done) -> dict[str, str]:
    """Subgraph to the campaign that most of its labelled alerts belong to."""
    labels = truth(done.home)
    votes: dict[str, list[str]] = {}
    for row in done.tables["members"].select("subgraph_id", "item_id").collect():
        if labels[row["item_id"]] != "-":
            votes.setdefault(row["subgraph_id"], []).append(labels[row["item_id"]])
    return {subgraph: max(set(of), key=of.count) for subgraph, of in votes.items() if len(of) >= 5}


def test_the_intrusion_into_operations_is_first_and_shown(done: Done) -> None:
    first, campaigns = done.ranked[0], campaign_of(done)

    assert campaigns[first["subgraph_id"]] == "pivot"
    assert first["is_shown"]
    assert "it_ot_pivot" in first["motifs"]
    assert first["summary"].startswith("OT action after crossing, IT→OT pivot")


def test_the_intrusion_into_the_office_is_among_the_first_three_and_shown(done: Done) -> None:
    campaigns = campaign_of(done)
    ransom = [row for row in done.ranked[:3] if campaigns.get(row["subgraph_id"]) == "ransom"]

    assert len(ransom) == 1
    assert ransom[0]["is_shown"]


def test_what_is_shown_names_no_scanner_and_no_maintenance_host(done: Done) -> None:
    with (done.home / "plant" / "assets.csv").open(encoding="utf-8") as file:
        planned = {
            f"host:{row['name'] or row['asset']}"
            for row in csv.DictReader(file)
            if row["role"] in ("scanner", "maintenance")
        }
    shown = [row["subgraph_id"] for row in done.ranked if row["is_shown"]]
    nodes = {row["node_id"] for row in done.tables["nodes"].filter(F.col("subgraph_id").isin(shown)).collect()}

    assert planned
    assert planned & {row["node_id"] for row in done.tables["nodes"].collect()}, "they are seen, and not shown"
    assert nodes & planned == set()


def test_at_most_the_budget_is_shown_of_a_day_and_nothing_of_the_warm_up(done: Done) -> None:
    days = [row["first_seen"].date() for row in done.ranked if row["is_shown"]]

    assert max(Counter(days).values()) == 2, "the plant's budget is two a site and day"
    assert all(day.isoformat() > "2026-03-02" for day in days)


def test_every_score_is_the_sum_of_its_parts_and_ranks_are_whole(done: Done) -> None:
    ranked = done.ranked

    assert [row["rank"] for row in ranked] == list(range(1, len(ranked) + 1))
    assert all(a["score"] >= b["score"] for a, b in pairwise(ranked))
    for row in ranked[:50]:
        assert sum(part["value"] for part in row["contributions"]) == pytest.approx(row["score"], abs=1e-9)
        assert 0 <= row["score"] < 1


def test_ids_hold_over_the_tables(done: Done) -> None:
    ids = {row["subgraph_id"] for row in done.ranked}
    items = [row["item_id"] for row in done.tables["members"].collect()]

    assert len(items) == len(set(items)), "an alert belongs to one subgraph"
    assert set(items) <= set(truth(done.home))
    for name in ("members", "nodes", "edges", "motif_hits"):
        assert {row[0] for row in done.tables[name].select("subgraph_id").distinct().collect()} <= ids, name


def test_every_sentence_of_a_shown_subgraph_names_alerts_of_it(done: Done) -> None:
    members: dict[str, set[str]] = {}
    for row in done.tables["members"].select("subgraph_id", "alert_id").collect():
        members.setdefault(row["subgraph_id"], set()).add(row["alert_id"])
    for row in done.ranked:
        if not row["is_shown"]:
            assert (row["story"], row["counterfactual"]) == ([], None)
            continue
        counterfactual = row["counterfactual"]
        assert counterfactual["fact"] and counterfactual["cut"] <= row["score"]
        for part in counterfactual["types"] or ():
            assert part["alert_ids"] and set(part["alert_ids"]) <= members[row["subgraph_id"]], part["name"]
            assert len(part["alert_ids"]) == min(20, part["n_alerts"])
        assert 3 <= len(row["story"]) <= 6
        for part in row["story"]:
            assert part["alert_ids"] and set(part["alert_ids"]) <= members[row["subgraph_id"]], part["sentence"]
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert all(row["title"] in page for row in done.ranked if row["is_shown"])
    assert all(row["counterfactual"]["fact"] in page for row in done.ranked if row["is_shown"])


def test_what_was_posted_is_what_was_saved(done: Done) -> None:
    database = sqlite3.connect(done.home / "posted.sqlite")

    (rows, shown), *_ = database.execute("SELECT count(*), sum(IsShown) FROM AlertGraphSubgraphs_CL")
    assert rows == done.record["counts"]["subgraphs"]
    assert shown == sum(row["is_shown"] for row in done.ranked)
    for name, table in (
        *(("AlertGraphNodes_CL", "nodes"), ("AlertGraphEdges_CL", "edges")),
        ("AlertGraphMembers_CL", "members"),
    ):
        assert next(database.execute(f"SELECT count(*) FROM {name}"))[0] == done.tables[table].count()


def test_the_run_itself_is_posted_last_and_its_record_says_what_arrived(done: Done) -> None:
    database = sqlite3.connect(done.home / "posted.sqlite")
    (row,) = database.execute("SELECT RunId, Engine, ConfigDigest, WindowStart, Counts FROM AlertGraphRuns_CL")

    assert row[:3] == (done.record["run_id"], "driver", done.record["config_digest"])
    assert row[3] == "2026-03-02T00:00:00.000000Z"
    assert {count["name"]: count["n"] for count in json.loads(row[4])} == done.record["counts"]
    assert list(done.record["posted"]) == ["members", "nodes", "edges", "subgraphs", "verdicts", "health", "runs"]
    for name, counts in done.record["posted"].items():
        n_rows = 1 if name == "runs" else done.tables[name].count()
        assert (counts["n_rows"], counts["n_sent"], counts["n_refused"], counts["error"]) == (n_rows, n_rows, 0, "")


def test_the_workbook_and_the_incident_rule_answer_on_what_was_posted(done: Done) -> None:
    """Their KQL, run: the intrusion into operations is in the table, drawn from IT into OT, told, and an incident."""
    workspace = Workspace()
    posted_at = workspace.add_posted(done.home / "posted.sqlite")
    shown = [row for row in done.ranked if row["is_shown"]]
    first = {"SubgraphId": shown[0]["subgraph_id"], "RunId": done.record["run_id"]}

    half_past = f"{posted_at + timedelta(minutes=30):%Y-%m-%d %H:%M:%S}"

    table = workspace.part("subgraphs")
    graph = workspace.part("subgraph_graph", **first)
    whole = workspace.part("network")
    (ran,) = workspace.part("runs")
    incidents = {row["SubgraphId"]: row for row in workspace.ask(texts()["incident_rule"], now=half_past)}

    assert {row["SubgraphId"] for row in table} == {row["subgraph_id"] for row in shown}
    assert [row["Rank"] for row in table] == [1, 1, 2], "by day, the latest first; two a day are within the budget"
    domains = {row["Id"]: row["Domain"] for row in graph if row["Id"]}
    assert {"host:ws-017": "IT", "host:ews-2": "OT", "host:plc-3": "OT"}.items() <= domains.items()
    steps = {(row["SourceId"], row["TargetId"]) for row in graph if not row["Id"]}
    assert {("host:ws-017", "host:fs01"), ("host:fs01", "host:jmp01"), ("host:jmp01", "host:ews-2")} <= steps
    assert {row["Id"] for row in whole if row["Id"]} >= {f"plant-north/{key}" for key in domains}
    assert len(workspace.part("alerts", **first)) == shown[0]["n_alerts"]
    assert len(workspace.part("contributions", **first)) == len(shown[0]["contributions"])
    reached = [row["To"] for row in workspace.part("timeline", **first)]
    assert next(host for host in reached if host in shown[0]["path"]) == "host:ws-017"
    assert (ran["State"], ran["RowsRead"]) == ("complete", done.record["counts"]["rows_read"])
    assert set(incidents) == {row["subgraph_id"] for row in shown}
    incident = incidents[first["SubgraphId"]]
    assert [incident[f"Host_{n}"] for n in range(5)] == ["ws-017", "fs01", "jmp01", "ews-2", "plc-3"], "along its path"
    assert {"LateralMovement", "InhibitResponseFunction"} <= set(incident["AlertTactics"].split(", "))
    assert incident["AlertSeverity"] == "High"


def test_it_tells_each_step_in_order_and_where_to_look(done: Done) -> None:
    lines = done.out.splitlines()
    steps = [line.split()[0] for line in lines if re.fullmatch(r"  [a-z]+ .* [\d.]+ s", line)]
    balance = " = ".join(
        [f"{done.record['counts']['rows_read']:,} rows read", f"{done.record['counts']['alerts']:,} alerts"]
    )

    assert lines[0] == f"run {done.record['run_id']}"
    assert steps == ["read", *done.record["seconds"], "save", "log", "post", "notify", "report"]
    assert f"report    {done.folder}/report.html" in lines
    assert any(line.startswith(balance) for line in lines)
    assert f"results   {done.folder}" in lines
    assert "notified  3 of 3 shown, by teams" in lines
    assert re.search(
        r"^   1  0\.\d{3}  0\.\d\d  yes    plant-north    2026-03-03 \d\d:\d\d  OT action after crossing",
        done.out,
        re.M,
    )


def test_the_page_of_the_demo_shows_this_very_run(done: Done) -> None:
    """Ranks, scores, sentences, rows of the stages and the balance; seconds and places are a machine's own."""
    shown = (REPO / "docs" / "demo.md").read_text(encoding="utf-8").split("```\nrun ")[1].split("```")[0].splitlines()
    said = [re.sub(r"(?<= )[\d.]+ s$", "", line) for line in done.out.splitlines()]
    facts = [line for line in shown if re.match(r" +\d+  0\.|  [a-z]|rank|[\d,]+ rows read", line)]

    assert len(facts) == 4 + len(done.record["seconds"]) + 6 + 2
    ids = {re.sub("[0-9a-f]", "0", one) for one in re.findall(r"\d{8}T\d{6}[-0-9a-f]*", "\n".join(shown))}
    assert ids == {re.sub("[0-9a-f]", "0", done.record["run_id"])}, "an id of another length is of an older version"
    for line in facts:
        assert re.sub(r"(?<= )[\d.]+ s$", "", line).rstrip() in [one.rstrip() for one in said]


def test_a_channel_is_told_of_what_the_run_shows(done: Done) -> None:
    with closing(sqlite3.connect(done.home / "posted.sqlite")) as connection:
        bodies = [json.loads(body) for (body,) in connection.execute("SELECT Body FROM Notified")]
    cards = [body["attachments"][0]["content"] for body in bodies]
    shown = [row for row in done.ranked if row["is_shown"]]
    assert [card["body"][0]["inlines"][0]["text"] for card in cards] == [row["title"] for row in shown]
    assert done.record["notified"]["n_told"] == len(shown) == 3


def test_the_token_is_in_nothing_that_the_run_left(done: Done) -> None:
    files = [path for path in done.home.rglob("*") if path.is_file()]

    assert any(path.name == "mlflow.db" for path in files)
    assert any(path.suffix == ".parquet" for path in files)
    assert [path.name for path in files if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in done.out


def write_config(folder: Path, lake: Path, tables: Sequence[tuple[str, str]], **more: Any) -> Path:
    config = {
        "export": {"root": str(lake)},
        "sources": [{"table": table, "format": name} for table, name in tables],
        "results": {"path": str(folder / "results")},
        "tracking": {"uri": "none"},
        **more,
    }
    file = folder / "run.yaml"
    file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return file


def test_a_typo_ends_with_2_and_the_nearest_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(tmp_path, tmp_path, [("SigmaAlerts_CL", "sigma")], ranking={"budget_per_days": 2})

    assert run_job(config) == 2

    err = capsys.readouterr().err
    assert "ranking.budget_per_days: no such key; did you mean ranking.budget_per_day?" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("expression", ["RawDta", "coalesce(RawData"], ids=["no such column", "no SQL"])
def test_a_typo_in_a_format_ends_with_2_and_names_file_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], expression: str
) -> None:
    mine = {"format": "mine", "reads": ["RawData"], "columns": {"name": expression}}
    (tmp_path / "mine.yaml").write_text(json.dumps(mine), encoding="utf-8")
    put_lines(tmp_path / "lake", "Mine_CL", "2026-03-02T10:00", [row_line("2026-03-02T10:00", RawData="x")])
    config = write_config(tmp_path, tmp_path / "lake", [("Mine_CL", "mine.yaml")])

    code, err = run_job(config), capsys.readouterr().err

    assert code == 2
    assert "mine.yaml" in err
    assert "name" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("spark")
def test_an_empty_lake_and_a_window_beside_it_end_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(tmp_path, tmp_path / "lake", [("SigmaAlerts_CL", "sigma")])

    assert run_job(config) == 2
    err = capsys.readouterr().err
    assert "SourceError: the export holds no alerts: no folder matches any of" in err
    assert f"{tmp_path}/lake/am-sigmaalerts_cl/" in err
    assert "Traceback" not in err

    put_lines(tmp_path / "lake", "SigmaAlerts_CL", "2026-03-02T10:00", [row_line("2026-03-02T10:00", RawData="{}")])
    window = ["--start", "2026-03-05T00:00:00Z", "--end", "2026-03-06T00:00:00Z"]
    assert exit_code(lambda: JOB.main(["--config", str(config), *window])) == 2
    assert "the export holds 2026-03-02 to 2026-03-02" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


@pytest.mark.usefixtures("spark")
def test_a_results_folder_that_cannot_be_made_ends_with_2_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").write_text("a file where the folder should be", encoding="utf-8")
    put_lines(tmp_path / "lake", "SigmaAlerts_CL", "2026-03-02T10:00", [row_line("2026-03-02T10:00", RawData="{}")])
    config = write_config(tmp_path, tmp_path / "lake", [("SigmaAlerts_CL", "sigma")])

    code, (out, err) = run_job(config), capsys.readouterr()

    assert code == 2
    assert f"ResultsError: results.path: cannot make {tmp_path}/results" in err
    assert "normalise" not in out
    assert "Traceback" not in err


def test_tables_that_a_site_does_not_have_are_no_hindrance(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All shipped formats over a lake of one table with a handful of lines: it runs, counts, and has nothing to show."""
    match = json.dumps({"timestamp": "2026-03-02T10:00:00", "rule_title": "Admin Share", "event": {"Hostname": "fs01"}})
    lines = [row_line("2026-03-02T10:01", RawData=match, _ItemId="i-1")] * 2 + ["torn {", row_line("2026-03-02T10:01")]
    put_lines(tmp_path / "lake", "SigmaAlerts_CL", "2026-03-02T10:01", lines)
    tables = [("SecurityAlert", "security_alert"), ("CommonSecurityLog", "common_security_log")]
    config = write_config(
        tmp_path, tmp_path / "lake", [*tables, ("SuricataEve_CL", "suricata_eve"), ("SigmaAlerts_CL", "sigma")]
    )

    run = left_by(tmp_path, run_job(config), capsys.readouterr().out, spark)

    assert run.code == 0
    counts = run.record["counts"]
    assert {k: counts[k] for k in ("rows_read", "alerts", "duplicates", "rejected")} == {
        **{"rows_read": 4, "alerts": 1, "duplicates": 1, "rejected": 2}
    }
    assert run.record["rejected_by_reason"] == {"no alert name": 1, "not one JSON object": 1}
    assert [counts[f"rows_{table}"] for table in ("SigmaAlerts_CL", "SecurityAlert")] == [4, 0]
    assert run.record["health"] == {"n_ok": 0, "n_new": 1, "unhealthy": []}
    (source,) = run.tables["health"].collect()
    assert [source[name] for name in ("site", "table", "status", "n_lines", "n_alerts", "n_rejected")] == [
        *("plant", "SigmaAlerts_CL", "new", 4, 1, 2),
    ]
    assert "SILENT" not in run.out, "there is no past to judge by"
    assert [(row["line"], row["site"]) for row in run.tables["rejected"].orderBy("line").collect()] == [
        (None, "plant"),
        ("torn {", "plant"),
    ]
    assert [row["is_shown"] for row in run.ranked] == [False], "the first hours of a site show nothing"


def test_what_could_not_be_posted_ends_with_2_and_is_posted_from_what_was_saved(
    spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The rule refuses the first run; `--post-only` delivers it, a second one has nothing to do, an unknown run is told."""
    match = json.dumps({"timestamp": "2026-03-02T10:00:00", "rule_title": "Admin Share", "event": {"Hostname": "fs01"}})
    put_lines(tmp_path / "lake", "SigmaAlerts_CL", "2026-03-02T10:01", [row_line("2026-03-02T10:01", RawData=match)])
    with LogsIngestionEmulator(tmp_path / "posted.sqlite", "another token") as emulator:
        post = {"mode": "logs_ingestion", "endpoint": emulator.url, "dcr_id": emulator.dcr_id}
        post["credential"] = f"env:{TOKEN_VARIABLE}"
        config = write_config(tmp_path, tmp_path / "lake", [("SigmaAlerts_CL", "sigma")], post=post)

        first = left_by(tmp_path, run_job(config), "", spark)
        out, err = capfd.readouterr()
        run_id = first.record["run_id"]
        n_rows = {name: counts["n_rows"] for name, counts in first.record["posted"].items()}
        assert first.code == 2
        assert f"{sum(n_rows.values())} NOT delivered" in out
        assert re.search(
            rf"^PublishError: {sum(n_rows.values())} rows were not delivered: table members: .*403.*", err, re.M
        )
        assert f"--post-only {run_id} sends the rest" in err
        assert n_rows["subgraphs"] == n_rows["members"] == n_rows["health"] == n_rows["runs"] == 1

        emulator.service.token = TOKEN
        again = ["--config", str(config), "--post-only", run_id]
        levels = {name: logging.getLogger(name).level for name in LOGGERS}
        codes = [exit_code(lambda: JOB.main(again)) for _ in range(2)]
        requests, _ = emulator.traffic
        unknown = exit_code(lambda: JOB.main(["--config", str(config), "--post-only", "20260101T000000-00000000"]))
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

    out, err = capfd.readouterr()
    assert (codes, unknown) == ([0, 0], 2)
    assert "normalise" not in out
    assert (
        f"posted    1 members, {n_rows['nodes']} nodes, {n_rows['edges']} edges, 1 subgraphs, 0 verdicts, 1 health, 1 runs to"
        in out
    )
    assert f"; {sum(n_rows.values())} had been before" in out
    assert requests == 1 + sum(n > 0 for n in n_rows.values()), "the refused one, and one a table"
    assert "ResultsError" in err
    assert "no such run" in err
    record = json.loads((first.folder / "run.json").read_text(encoding="utf-8"))
    assert {name: counts["n_before"] for name, counts in record["posted"].items()} == n_rows
    assert {k: v for k, v in record.items() if k not in ("posted", "freshness")} == {
        k: v for k, v in first.record.items() if k not in ("posted", "freshness")
    }
    database = sqlite3.connect(tmp_path / "posted.sqlite")
    for table, n in n_rows.items():
        assert next(database.execute(f"SELECT count(*) FROM AlertGraph{table.capitalize()}_CL"))[0] == n


def test_a_second_run_of_the_same_rows_posts_its_own_row_and_one_that_grew_is_posted(
    spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def match(minute: int, title: str) -> str:
        told = {"timestamp": f"2026-03-02T10:{minute:02}:00", "rule_title": title, "event": {"Hostname": "fs01"}}
        return row_line(f"2026-03-02T10:{minute:02}", RawData=json.dumps(told), _ItemId=f"i-{minute}")

    put_lines(tmp_path / "lake", "SigmaAlerts_CL", "2026-03-02T10:01", [match(1, "Admin Share")])
    with LogsIngestionEmulator(tmp_path / "posted.sqlite", TOKEN) as emulator:
        post = {"mode": "logs_ingestion", "endpoint": emulator.url, "dcr_id": emulator.dcr_id}
        post["credential"] = f"env:{TOKEN_VARIABLE}"
        config = write_config(tmp_path, tmp_path / "lake", [("SigmaAlerts_CL", "sigma")], post=post)
        codes, sent = [], []
        for more in ([], [], [match(6, "Service Installed")]):
            if more:
                put_lines(tmp_path / "lake", "SigmaAlerts_CL", "2026-03-02T10:06", more)
            codes.append(run_job(config))
            out = capfd.readouterr().out
            (folder,) = re.findall(r"^results   (.*)$", out, re.M)
            record = json.loads((Path(folder) / "run.json").read_text(encoding="utf-8"))
            sent.append({name: counts["n_sent"] for name, counts in record["posted"].items()})
            if record["freshness"]["subgraphs"] == 0:
                assert re.search(
                    r"^posted    0 members, 0 nodes, 0 edges, 0 subgraphs, 0 verdicts, 1 health, 1 runs to .*; 4 unchanged$",
                    out,
                    re.M,
                )
            else:
                assert record["freshness"]["median_seconds"] > 0
                assert "unchanged" not in out

    assert codes == [0, 0, 0]
    edges = sent[0]["edges"]
    assert sent == [
        {"members": 1, "nodes": 1, "edges": edges, "subgraphs": 1, "verdicts": 0, "health": 1, "runs": 1},
        {"members": 0, "nodes": 0, "edges": 0, "subgraphs": 0, "verdicts": 0, "health": 1, "runs": 1},
        {"members": 2, "nodes": 1, "edges": edges, "subgraphs": 1, "verdicts": 0, "health": 1, "runs": 1},
    ]


@pytest.mark.lake
def test_real_lakes_balance_and_what_delivery_does_to_them_changes_nothing(
    spark: SparkSession, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that came twice or late are found, broken lines are counted, and the ranking is that of the clean lake."""
    formats = {"SecurityAlert": "security_alert", "SuricataEve_CL": "suricata_eve"}
    runs = {}
    for name, injected in {
        "clean": [],
        "delivered": [*("--duplicate", "0.05"), *("--late", "0.1"), *("--torn", "2"), *("--junk", "2")],
    }.items():
        home = tmp_path / name
        home.mkdir()
        make = [sys.executable, str(shared / "tools/make_lake.py"), str(home)]
        networks = ["sentinel_msticpy/alertlist", "modbus_lemay/CnC"]
        subprocess.run([*make, *networks, *injected], check=True, stdout=subprocess.DEVNULL)
        note = json.loads((home / "lake.json").read_text(encoding="utf-8"))
        config = write_config(home, home / "lake", [(table, formats[table]) for table in note["tables"]])
        run = runs[name] = left_by(home, run_job(config, **FEW_TASKS), capsys.readouterr().out, spark)

        assert run.code == 0
        assert {
            k: run.record["counts"][k] for k in ("rows_read", "alerts", "duplicates", "out_of_window", "rejected")
        } == {
            "rows_read": sum(t["rows"] for t in note["tables"].values())
            + sum(note["injected"][k] for k in ("duplicate", "torn", "junk")),
            "alerts": sum(t["rows"] for t in note["tables"].values()),
            "duplicates": note["injected"]["duplicate"],
            "out_of_window": 0,
            "rejected": note["injected"]["torn"] + note["injected"]["junk"],
        }
    assert runs["delivered"].record["counts"]["duplicates"] > 0
    assert runs["delivered"].record["rejected_by_reason"] == {
        "not one JSON object": 2,
        "not yet: the file's last line is half-written": 2,
    }
    assert runs["delivered"].ranked == runs["clean"].ranked
