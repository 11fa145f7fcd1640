"""The pages for who runs the job are true: commands parse, snippets run, tables are the code's, output is what is printed."""

from __future__ import annotations

import io
import re
import shlex
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from exported import raw_tables
from pages import REPO, Page
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from alertgraph_spark.commands.arguments import arguments
from alertgraph_spark.commands.cli import Console
from alertgraph_spark.config.format_files import load_format
from alertgraph_spark.config.keys import keys_table
from alertgraph_spark.config.loading import load_settings
from alertgraph_spark.config.parameters import RankingParameters
from alertgraph_spark.config.settings import Settings
from alertgraph_spark.lines import normalise_alerts
from alertgraph_spark.match.records import MOTIFS
from alertgraph_spark.read.assets import HEADER
from alertgraph_spark.score import TERMS
from alertgraph_spark.tables.frames import ACCOUNTS
from alertgraph_spark.tables.schemas import FEATURES, RESULTS, SUBGRAPHS

DEMO_PAGE, RUNNING, INPUT, RESULTS_PAGE, SCORE = (
    Page(f"docs/{name}.md") for name in ("demo", "running", "input", "results", "score")
)
COMMANDS = [line for _, text in RUNNING.blocks for line in text.splitlines() if line.startswith("python jobs/")]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_job_parses_and_its_configuration_loads(command: str) -> None:
    _, job, *argv = shlex.split(command)
    args = arguments("", argv)

    assert (REPO / job).is_file()
    load_settings(REPO / args.config, args.set)


def test_the_commands_show_each_way_to_give_a_window() -> None:
    assert [any(flag in command for command in COMMANDS) for flag in ("--start", "--end", "--last", "--set")] == [
        True
    ] * 4


def test_the_configuration_loads(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUNNING.block("export:", "yaml"), encoding="utf-8")

    settings = load_settings(file)

    assert settings.ranking.budget_per_day == 3
    assert [source.format for source in settings.sources] == ["security_alert", "suricata_eve"]


def test_keys_are_as_the_code_declares_them() -> None:
    declared = {line.split("`")[1]: line for line in keys_table(Settings).splitlines() if "`" in line}
    shown = {row[0].strip("`"): "| " + " | ".join(row) + " |" for row in RUNNING.table("key")}
    texts = "\n".join(page.text for page in (RUNNING, INPUT, RESULTS_PAGE, SCORE, Page("README.md")))
    dotted = set(re.findall(r"`((?:export|ranking|graph|post|tracking|spark|results)\.[a-z_]+)`", texts))

    assert len(shown) >= 10
    assert shown == {name: declared.get(name) for name in shown}
    assert len(dotted) > 10
    assert dotted <= set(declared)


def test_the_format_loads_and_its_sample_gives_what_it_says(spark: SparkSession, tmp_path: Path) -> None:
    text = INPUT.block("# door_controller.yaml", "yaml")
    file = tmp_path / "door_controller.yaml"
    file.write_text(text, encoding="utf-8")
    (sample,) = yaml.safe_load(text)["samples"]
    read = load_format(file)

    lines = normalise_alerts(
        raw_tables(spark, [{"table": "Doors_CL", **sample["row"]}], read.reads), {"Doors_CL": read}
    )
    (row,) = lines.withColumn("accounts", F.expr(ACCOUNTS)).collect()

    assert row["reason"] is None
    assert {column: row[column] for column in sample["gives"]} == sample["gives"]


def test_formats_are_those_that_are_shipped() -> None:
    shipped = {file.stem for file in (REPO / "alertgraph_spark" / "formats").glob("*.yaml")}

    assert {row[0].strip("`") for row in INPUT.table("format")} == shipped


def test_the_asset_list_has_the_header_that_is_read() -> None:
    assert f"`{','.join(HEADER)}`" in INPUT.text


def test_the_python_snippet_runs_on_a_results_folder(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spark.createDataFrame([], SUBGRAPHS.ddl).write.parquet(str(tmp_path / "subgraphs"))

    for kind, text in RESULTS_PAGE.blocks:
        if kind == "python":
            exec(compile(text, "results.md", "exec"), {"spark": spark, "folder": str(tmp_path)})

    assert "summary" in capsys.readouterr().out


def test_questions_are_answered_by_tables_and_columns_that_exist() -> None:
    names = {one.name: set(one.names) for one in RESULTS}
    columns = set.union(*names.values())
    words = [word for _, answer in RESULTS_PAGE.table("question") for word in re.findall(r"`([a-z_]+)`", answer)]

    assert set(words) - {m.id for m in MOTIFS} <= {*names, *columns}
    assert set(names) <= set(words), "each table answers a question"


def test_terms_are_those_of_the_score() -> None:
    meaning = {column.name: column.meaning for column in FEATURES.columns}
    p = RankingParameters()

    assert SCORE.table("term") == [
        [f"`{t.name}`", f"{t.weight(p):g}", f"`{t.column}`: {meaning[t.column]}"] for t in TERMS
    ]
    assert f"`score = z / (z + {p.half_score:g})`" in SCORE.text


DEMO = DEMO_PAGE.block("run 20").splitlines()
RANKED = re.compile(r" *(\d+)  (0\.\d{3})  ([01]\.\d\d)  (yes)? *  (.{14}) (\d{4}-\d\d-\d\d \d\d:\d\d)  (.+)")
STAGES = ["read", "normalise", "fold", "link", "connect", "match", "describe", "score", "explain"]


def printed(rows: list[dict[str, Any]]) -> list[str]:
    out = io.StringIO()
    counts = dict.fromkeys(("rows_read", "alerts", "duplicates", "out_of_window", "rejected", "subgraphs"), 0)
    Console(out).end(rows, counts, [], 0.0)
    return out.getvalue().splitlines()


def test_stages_of_the_demo_are_printed_so() -> None:
    found = []
    for line in DEMO:
        if match := re.fullmatch(r"  ([a-z]+) +(?:([\d,]+) rows)? +([\d.]+) s", line):
            out = io.StringIO()
            rows = int(match[2].replace(",", "")) if match[2] else None
            Console(out).on_stage(match[1], rows, float(match[3]))
            assert out.getvalue() == line + "\n"
            found.append(match[1])

    assert found == [*STAGES, "save", "log", "post", "notify", "report"]


def test_the_table_of_the_demo_is_printed_so() -> None:
    rows = [match for match in map(RANKED.fullmatch, DEMO) if match]

    assert [match[1] for match in rows] == ["1", "2", "3", "4"]
    assert [match[4] for match in rows] == ["yes", "yes", "yes", None]
    assert printed([])[1] in DEMO
    for match in rows:
        seen = datetime.strptime(match[6], "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)
        row = {"rank": int(match[1]), "score": float(match[2]), "probability": float(match[3]), "first_seen": seen}
        row |= {"is_shown": bool(match[4]), "site": match[5].rstrip(), "summary": match[7]}
        assert printed([row])[2] == match[0]


def test_the_balance_of_the_demo_is_one() -> None:
    (line,) = [line for line in DEMO if " rows read = " in line]
    read, *parts = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?=rows|alerts|dup|out|rej)", line)]

    assert read == sum(parts)
    assert re.sub(r"[\d,.]+", "0", line) == re.sub(r"[\d,.]+", "0", printed([])[-1])
