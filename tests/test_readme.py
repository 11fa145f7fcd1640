"""The README is true: its commands exist, its snippets run, its tables are the code's, its output is what the code prints."""

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

REPO = Path(__file__).parent.parent
TEXT = (REPO / "README.md").read_text(encoding="utf-8")
LINES = TEXT.splitlines()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.M | re.S)
THE_LINE = ["read", "normalise", "fold", "link", "connect", "match", "describe", "score", "explain", "log", "post"]


def block(beginning: str, language: str = "") -> str:
    """The one block that begins so."""
    (found,) = [text for kind, text in BLOCKS if kind == language and text.startswith(beginning)]
    return found


def table(first_cell: str) -> list[list[str]]:
    """Cells of the table whose header begins so, without header and rule."""
    start = next(number for number, line in enumerate(LINES) if line.startswith(f"| {first_cell} |"))
    rows = []
    for line in LINES[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def test_a_stranger_has_something_to_run_before_line_25() -> None:
    assert LINES[0] == "# alertgraph-spark"
    assert "Microsoft Sentinel" in LINES[1]
    assert LINES.index("make demo") + 1 < 25


def test_the_picture_is_the_line() -> None:
    picture = block("read ").splitlines()

    assert [line.split()[0] for line in picture] == THE_LINE
    _, number, *_, named = re.split(r" +(\d+) named patterns in them: | …", picture[THE_LINE.index("match")])[:3]
    assert int(number) == len(MOTIFS)
    assert set(named.lower().split(", ")) < {motif.title.lower() for motif in MOTIFS}


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (REPO / "Makefile").read_text(encoding="utf-8"), re.M))
    named = set(re.findall(r"^make ([a-z-]+)$|`make ([a-z-]+)`", TEXT, re.M))

    assert {a or b for a, b in named} >= {"demo", "test", "lint"}
    assert {a or b for a, b in named} <= targets


def test_every_test_that_make_names_exists() -> None:
    names = re.search(
        r"^SMOKE := \$\(addprefix tests/test_,([^)]*)\)", (REPO / "Makefile").read_text(encoding="utf-8"), re.M
    )

    assert names
    wanted = [f"test_{name}" for name in names[1].replace("\\", "").split()]
    assert wanted
    assert [name for name in wanted if not (REPO / "tests" / name).is_file()] == []


COMMANDS = [line for _, text in BLOCKS for line in text.splitlines() if line.startswith("python jobs/")]


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
    file.write_text(block("export:", "yaml"), encoding="utf-8")

    settings = load_settings(file)

    assert settings.ranking.budget_per_day == 3
    assert [source.format for source in settings.sources] == ["security_alert", "suricata_eve"]


def test_the_format_loads_and_its_sample_gives_what_it_says(spark: SparkSession, tmp_path: Path) -> None:
    text = block("# door_controller.yaml", "yaml")
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


def test_the_python_snippet_runs_on_a_results_folder(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spark.createDataFrame([], SUBGRAPHS.ddl).write.parquet(str(tmp_path / "subgraphs"))

    for kind, text in BLOCKS:
        if kind == "python":
            exec(compile(text, "README.md", "exec"), {"spark": spark, "folder": str(tmp_path)})

    assert "summary" in capsys.readouterr().out


def test_questions_are_answered_by_tables_and_columns_that_exist() -> None:
    names = {one.name: set(one.names) for one in RESULTS}
    columns = set.union(*names.values())
    words = [word for _, answer in table("question") for word in re.findall(r"`([a-z_]+)`", answer)]

    assert set(words) - {m.id for m in MOTIFS} <= {*names, *columns}
    assert set(names) <= set(words), "each table answers a question"


def test_formats_are_those_that_are_shipped() -> None:
    shipped = {file.stem for file in (REPO / "alertgraph_spark" / "formats").glob("*.yaml")}

    assert {row[0].strip("`") for row in table("format")} == shipped


def test_keys_are_as_the_code_declares_them() -> None:
    declared = {line.split("`")[1]: line for line in keys_table(Settings).splitlines() if "`" in line}
    shown = {row[0].strip("`"): "| " + " | ".join(row) + " |" for row in table("key")}
    dotted = set(re.findall(r"`((?:export|ranking|graph|post|tracking|spark|results)\.[a-z_]+)`", TEXT))

    assert len(shown) >= 10
    assert shown == {name: declared.get(name) for name in shown}
    assert dotted <= set(declared)


def test_terms_are_those_of_the_score() -> None:
    meaning = {column.name: column.meaning for column in FEATURES.columns}

    p = RankingParameters()

    assert table("term") == [[f"`{t.name}`", f"{t.weight(p):g}", f"`{t.column}`: {meaning[t.column]}"] for t in TERMS]
    assert f"`score = z / (z + {p.half_score:g})`" in TEXT


def test_the_asset_list_has_the_header_that_is_read() -> None:
    assert f"`{','.join(HEADER)}`" in TEXT


def test_versions_are_those_of_the_constraints() -> None:
    pinned = re.findall(r"^pyspark==([\d.]+)", (REPO / "constraints.txt").read_text(encoding="utf-8"), re.M)

    assert re.findall(r"(?:PySpark|and) (\d\.\d+\.\d+) ", TEXT) == pinned


def test_every_path_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    code = re.findall(r"\b(?:conf|jobs|examples|docs|benchmarks|tests|alertgraph_spark)/[\w/.-]*\w", TEXT)

    assert len(links) > 5
    assert [path for path in [*links, *code] if not (REPO / path).exists()] == []


def test_the_layout_names_every_room_in_ten_lines() -> None:
    layout = block("jobs/rank_alerts.py")
    package = REPO / "alertgraph_spark"
    rooms = {p.name for p in package.iterdir() if p.is_dir() and p.name != "__pycache__"}

    assert len(layout.strip().splitlines()) <= 10
    assert {name for name in re.findall(r"\b(\w+)/", layout) if (package / name).is_dir()} == rooms
    assert {name for name in re.findall(r"\b(\w+\.py)\b", layout)} - {"rank_alerts.py"} <= {
        p.name for p in package.glob("*.py")
    }


DEMO = block("run 20").splitlines()
RANKED = re.compile(r" *(\d+)  (0\.\d{3})  ([01]\.\d\d)  (yes)? *  (.{14}) (\d{4}-\d\d-\d\d \d\d:\d\d)  (.+)")


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

    before_log = THE_LINE.index("log")
    assert found == [*THE_LINE[:before_log], "save", *THE_LINE[before_log:], "notify", "report"]


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
